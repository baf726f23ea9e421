package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

var server = part{
	name: "server", title: "The control plane as a server",
	note: "`mlopsctl serve` and the registry of a real MLflow server, as it comes (SQLite, its own number of workers), on one machine, asked by the same Go HTTP client with eight requests at a time: registered models read by name, and made. " +
		"Every write is on the disk before it is answered, on both sides: ours commits to SQLite's write-ahead log with `synchronous=FULL`, MLflow to its rollback journal with SQLite's default, which is the same. " +
		"Then versions of models are registered, a hundred models with equally many each. A write and a page cost what is written and what is on the page, however much there is: the same page of a hundred times as many may take 1.5 times as long, and ten times as much on it 12 times. Memory is the server's peak resident set, while they were written and listed.",
	run: runServer,
}

// clients is how many requests are under way at a time.
const clients = 8

func runServer(h *harness) error {
	built, err := h.build()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(h.data, "server-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := h.registries(built, folder); err != nil {
		return err
	}
	return h.manyVersions(built, folder)
}

// registry is what differs between two servers that keep registered models.
type registry struct {
	base   string
	read   func(base, name string) (*http.Request, error)
	create func(base, name string) (*http.Request, error)
}

func ourRegistry(base string) registry {
	address := func(base, name string) string { return base + "/v1/registered_model/" + name }
	return registry{
		base: base,
		read: func(base, name string) (*http.Request, error) {
			return http.NewRequest(http.MethodGet, address(base, name), nil)
		},
		create: func(base, name string) (*http.Request, error) {
			r, err := requestJSON(http.MethodPut, address(base, name), fmt.Sprintf(`{"attributes":{"name":%q,"description":"Scores payments.","tags":{"region":"r1"},"deletion_policy":"prevent"}}`, name))
			if err == nil {
				r.Header.Set("If-None-Match", "*")
			}
			return r, err
		},
	}
}

func mlflowRegistry(base string) registry {
	address := func(base, method string) string { return base + "/api/2.0/mlflow/registered-models/" + method }
	return registry{
		base: base,
		read: func(base, name string) (*http.Request, error) {
			return http.NewRequest(http.MethodGet, address(base, "get?name="+name), nil)
		},
		create: func(base, name string) (*http.Request, error) {
			return requestJSON(http.MethodPost, address(base, "create"), fmt.Sprintf(`{"name":%q,"description":"Scores payments.","tags":[{"key":"region","value":"r1"}]}`, name))
		},
	}
}

func requestJSON(method, address, body string) (*http.Request, error) {
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

// registries holds our server's registry against MLflow's.
func (h *harness) registries(built programs, folder string) error {
	ours, err := serve(built.mlopsctl, filepath.Join(folder, "registry.db"))
	if err != nil {
		return err
	}
	defer ours.stop()
	both := []registry{ourRegistry("http://" + ours.address)}
	if h.tools.mlflow != "" {
		var options []string
		if h.shrink > 1 {
			options = []string{"--workers", "1"} // they take long to start
		}
		base, stop, err := testtools.RunMLflow(h.tools.mlflow, options...)
		if err != nil {
			return err
		}
		defer stop()
		both = append(both, mlflowRegistry(base))
	}

	span := max(3*time.Second/time.Duration(h.shrink), 200*time.Millisecond)
	name := func(i int) string { return fmt.Sprintf("model-%d", i) }
	const there = 200
	for _, r := range both {
		if _, err := together(there, 0, func(i int) error { return r.ask(r.create, name(i)) }); err != nil {
			return err
		}
	}
	reads, writes := make([][]measure, len(both)), make([][]measure, len(both))
	made := make([]int, len(both))
	for range h.rounds {
		for i, r := range both {
			rate, err := together(0, span, func(j int) error { return r.ask(r.read, name(j%there)) })
			if err != nil {
				return err
			}
			reads[i] = append(reads[i], rate.a())
		}
		for i, r := range both {
			first := there + made[i]
			rate, err := together(0, span, func(j int) error { return r.ask(r.create, name(first+j)) })
			if err != nil {
				return err
			}
			made[i] += rate.count
			writes[i] = append(writes[i], rate.a())
		}
	}
	for _, of := range []struct {
		what  string
		rates [][]measure
	}{{"registered models read", reads}, {"registered models made, durably", writes}} {
		if len(both) == 1 {
			h.rows = append(h.rows, row{what: of.what, ours: middle(of.rates[0]), goal: "at least 10 times", undecided: true})
			continue
		}
		h.atLeastTimes(of.what, middle(of.rates[0]), "MLflow", middle(of.rates[1]), 10)
	}
	return nil
}

func middle(of []measure) measure {
	slices.SortFunc(of, func(a, b measure) int { return cmp.Compare(a.value, b.value) })
	return of[len(of)/2]
}

// manyVersions registers versions of models, in a small and in a large control plane, and
// lists them.
func (h *harness) manyVersions(built programs, folder string) error {
	const models = 100
	small, large := max(1_000/h.shrink, models), max(100_000/h.shrink, 2*models)
	var planes [2]*served
	var last [2]rate // of the small one's versions, and of as many in the end of the large one
	for i, versions := range []int{small, large} {
		plane, err := serve(built.mlopsctl, filepath.Join(folder, fmt.Sprintf("versions-%d.db", i)))
		if err != nil {
			return err
		}
		defer plane.stop()
		planes[i] = plane
		r := ourRegistry("http://" + plane.address)
		if _, err := together(models, 0, func(i int) error { return r.ask(r.create, fmt.Sprintf("model-%d", i)) }); err != nil {
			return err
		}
		for _, count := range []int{versions - small, small} {
			if last[i], err = together(count, 0, func(i int) error { return r.ask(version(i), fmt.Sprintf("model-%d", i%models)) }); err != nil {
				return err
			}
		}
	}
	h.atLeastTimes(fmt.Sprintf("the last %d of %d versions, made durably", small, large), last[1].a(), "the first", last[0].a(), 0.5)
	var pages []measure
	for _, size := range []int{100, 1_000} {
		var times [2][]time.Duration
		for range 20 * h.rounds {
			for i, plane := range planes {
				begin := time.Now()
				if err := plane.page(size, min(size, []int{small, large}[i])); err != nil {
					return err
				}
				times[i] = append(times[i], time.Since(begin))
			}
		}
		of := took(median(times[1]), 1, "")
		pages = append(pages, of)
		h.atMostTimes(fmt.Sprintf("a page of %d of %d versions", size, large), of, fmt.Sprintf("of %d", small), took(median(times[0]), 1, ""), 1.5)
	}
	h.atMostTimes(fmt.Sprintf("a page of 1000 of %d versions", large), pages[1], "a page of 100", pages[0], 12)
	peak, _ := peakOf(planes[1].process.Process.Pid)
	r := row{what: fmt.Sprintf("memory of the server, %d versions", large), ours: megabytes(peak), goal: "at most 100 MB", met: peak <= 100e6}
	if peak == 0 {
		r.ours, r.undecided = measure{}, true // this system does not say
	}
	h.rows = append(h.rows, r)
	return nil
}

// version registers a version of a model.
func version(i int) func(base, model string) (*http.Request, error) {
	return func(base, model string) (*http.Request, error) {
		r, err := requestJSON(http.MethodPost, base+"/v1/model_version/"+model, fmt.Sprintf(`{"attributes":{"model":%q,"source":"runs:/0f3c5b7a9d1e4c2f8a6b0d9e%08x/model","deletion_policy":"prevent"}}`, model, i))
		if err == nil {
			r.Header.Set("Idempotency-Key", uuid.NewString())
		}
		return r, err
	}
}

// served is `mlopsctl serve` as a process, without a limit on requests.
type served struct {
	process *exec.Cmd
	address string
}

func serve(program, file string) (*served, error) {
	s := &served{process: exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", file, "--rate", "0")}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on http://")
	if err != nil || !ok {
		s.stop()
		return nil, fmt.Errorf("mlopsctl serve says %q: %w", line, errors.Join(err))
	}
	s.address = address
	return s, nil
}

func (s *served) stop() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// page lists model versions, and expects so many.
func (s *served) page(size, want int) error {
	response, err := client.Get(fmt.Sprintf("http://%s/v1/model_version?page_size=%d", s.address, size))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if got := bytes.Count(body, []byte(`"kind":"model_version"`)); err == nil && got != want {
		err = fmt.Errorf("a page of %d has %d versions, with status %d", want, got, response.StatusCode)
	}
	return err
}

// client keeps as many connections as there are requests under way.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}

// ask sends a request about a model, and checks the answer: a success that names it.
func (r registry) ask(request func(base, name string) (*http.Request, error), name string) error {
	made, err := request(r.base, name)
	if err != nil {
		return err
	}
	response, err := client.Do(made)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode > 299 || !bytes.Contains(body, []byte(name))) {
		err = fmt.Errorf("%s %s: status %d: %s", made.Method, made.URL, response.StatusCode, body)
	}
	return err
}

// rate is how often something was done, in what time.
type rate struct {
	count int
	in    time.Duration
}

func (r rate) a() measure { return aSecond(r.count, r.in) }

// together does something, numbered from 0, with all clients at a time: so often, or for
// so long where there is a span.
func together(times int, span time.Duration, do func(i int) error) (rate, error) {
	var (
		next  atomic.Int64
		group sync.WaitGroup
		errs  [clients]error
	)
	begin := time.Now()
	for c := range clients {
		group.Go(func() {
			for span == 0 || time.Since(begin) < span {
				i := int(next.Add(1)) - 1
				if span == 0 && i >= times {
					next.Add(-1)
					return
				}
				if errs[c] = do(i); errs[c] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return rate{int(next.Load()), time.Since(begin)}, errors.Join(errs[:]...)
}
