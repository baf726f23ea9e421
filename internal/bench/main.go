// Command bench measures what the documentation claims about speed: our own code and its
// peers, alternately, in one run. It writes the sections of docs/performance.md.
//
//	make bench                    everything
//	make bench PART=profiles      one part
//
// A part is a file of this package with a variable of type part, listed in parts.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// parts are the sections of the document, in their order.
var parts = []part{statistics, profiles, policies, scale, plans, server}

// part is one section.
type part struct {
	name, title string
	// note says what is measured and what the goals are, in Markdown.
	note string
	// rounds is the most runs of each case, where one takes long; 0 is as many as asked
	// for.
	rounds int
	run    func(*harness) error
}

// tools are the programs that some parts need; one that is empty is not here.
type tools struct {
	python    string // with what the statistics are compared with
	terraform string
	mlflow    string // a Python with MLflow
}

// harness runs the cases of a part.
type harness struct {
	data   string // a folder for data files
	shrink int    // by how much sizes are smaller; 1 for real
	rounds int
	tools  tools
	peers  *peers // nil where there is no Python
	rows   []row
}

// size is n, or a small part of it where only the harness is tried.
func (h *harness) size(n int) int { return max(n/h.shrink, 64) }

// comparison is a case with a peer.
type comparison struct {
	what string
	each int    // operations, or values, of a run; the figure is a run's divided by it
	unit string // of each
	ours func() (float64, error)
	// peer names the function of peers.py, and inputs are its arguments.
	peer   string
	label  string // the peer's name for readers
	inputs map[string]any
	// atLeast is the goal: how many times as long the peer takes.
	atLeast float64
	// atMost is the goal where it is a time for each.
	atMost time.Duration
	// agree is by how much the results may differ, as a proportion.
	agree float64
	// alone keeps ours to one processor.
	alone bool
}

// compare runs ours and the peer by turns, and takes the median of each. A result that is
// not the peer's is an error: speed is no use then.
func (h *harness) compare(c comparison) error {
	if c.alone {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	var ours, theirs []time.Duration
	for range h.rounds {
		runtime.GC()
		begin := time.Now()
		got, err := c.ours()
		ours = append(ours, time.Since(begin))
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		if h.peers == nil {
			continue
		}
		answer, err := h.peers.ask(c.peer, c.inputs)
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		theirs = append(theirs, time.Duration(answer.Seconds*1e9))
		if math.Abs(got-answer.Value) > c.agree*math.Abs(answer.Value) {
			return fmt.Errorf("%s: we say %v and %s says %v", c.what, got, c.label, answer.Value)
		}
	}
	r := row{what: c.what, ours: took(median(ours), c.each, c.unit), peer: c.label, goal: "none", undecided: h.peers == nil}
	if c.atLeast > 0 {
		r.goal = fmt.Sprintf("%v times as fast", c.atLeast)
	}
	if c.atMost > 0 {
		r.goal = "at most " + showNanoseconds(float64(c.atMost))
	}
	if len(theirs) > 0 {
		r.theirs = took(median(theirs), c.each, c.unit)
		r.ratio = r.theirs.value / r.ours.value
		r.met = r.ratio >= c.atLeast && (c.atMost == 0 || r.ours.value <= float64(c.atMost))
	}
	h.rows = append(h.rows, r)
	return nil
}

// alone measures a case without a peer, against a time for each.
func (h *harness) alone(what string, each int, unit string, goal time.Duration, run func() error) error {
	of, err := h.measure(run)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	h.atMost(what, took(of, each, unit), took(goal, 1, ""))
	return nil
}

// measure is the median time of a run.
func (h *harness) measure(run func() error) (time.Duration, error) {
	var took []time.Duration
	for range h.rounds {
		runtime.GC()
		begin := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	return median(took), nil
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// peers is a Python that runs peers.py for as long as we do, so that no start is timed.
type peers struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	versions string
}

type answer struct {
	Seconds float64 `json:"seconds"`
	Value   float64 `json:"value"`
	Error   string  `json:"error"`
	Text    string  `json:"text"`
}

func startPeers(python, script string) (*peers, error) {
	p := &peers{cmd: exec.Command(python, script)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	versions, err := p.ask("versions", nil)
	p.versions = versions.Text
	return p, err
}

func (p *peers) ask(function string, inputs map[string]any) (answer, error) {
	question, err := json.Marshal(map[string]any{"function": function, "inputs": inputs})
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(question, '\n')); err != nil {
		return answer{}, fmt.Errorf("the peers ended: %w", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("the peers ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("the peers said %q: %w", line, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (p *peers) stop() {
	p.in.Close() //nolint:errcheck // it ends either way
	_ = p.cmd.Wait()
}

func main() {
	document := flag.String("document", filepath.Join("docs", "performance.md"), "the page whose sections are rewritten")
	data := flag.String("data", filepath.Join(".cache", "bench"), "where data files are kept")
	var t tools
	flag.StringVar(&t.python, "python", "", "a Python with the statistical peers; without it nothing is compared with them")
	flag.StringVar(&t.terraform, "terraform", "", "a Terraform or OpenTofu command line; without it no plan is measured")
	flag.StringVar(&t.mlflow, "mlflow", "", "a Python with MLflow; without it the server is compared with nothing")
	pick := flag.String("part", ".", "regular expression of the parts to run")
	rounds := flag.Int("rounds", 5, "how often each case runs; the median counts")
	flag.Parse()
	if err := run(*document, *data, t, *pick, *rounds, 1, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the picked parts and puts them into the document.
func run(document, data string, t tools, pick string, rounds, shrink int, progress io.Writer) error {
	picked, err := regexp.Compile(pick)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	h := &harness{data: data, shrink: shrink, tools: t}
	if t.python != "" {
		if h.peers, err = startPeers(t.python, filepath.Join(sourceFolder(), "peers.py")); err != nil {
			return err
		}
		defer h.peers.stop()
	}
	header := h.machine()
	ran := 0
	for _, p := range parts {
		if !picked.MatchString(p.name) {
			continue
		}
		ran++
		h.rows, h.rounds = nil, rounds
		if p.rounds > 0 {
			h.rounds = min(rounds, p.rounds)
		}
		if err := p.run(h); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		section := h.section(p, header)
		if _, err := io.WriteString(progress, section); err != nil {
			return err
		}
		if text, err = replaceSection(text, p.name, section); err != nil {
			return err
		}
		if err := os.WriteFile(document, text, 0o644); err != nil { //nolint:gosec // a page of the documentation
			return err
		}
	}
	if ran == 0 {
		return fmt.Errorf("no part matches %q", pick)
	}
	return nil
}

// versions names the tools that are no statistical peers.
func (t tools) versions() string {
	out := ""
	if t.terraform != "" {
		first, _, _ := strings.Cut(output(t.terraform, "version"), "\n") // Terraform v1.11.4
		out += ", " + first
	}
	if t.mlflow != "" {
		out += ", MLflow " + output(t.mlflow, "-c", "from importlib.metadata import version; print(version('mlflow'))")
	}
	return out
}

// output is what a program prints, or that it does not run.
func output(program string, arguments ...string) string {
	out, err := exec.Command(program, arguments...).Output()
	if err != nil {
		return "(version unknown)"
	}
	return strings.TrimSpace(string(out))
}

// sourceFolder is where this package lies.
func sourceFolder() string {
	if _, err := os.Stat("peers.py"); err == nil { // in its test
		return "."
	}
	return filepath.Join("internal", "bench")
}

// replaceSection puts text between the markers of a part, at the end where there are none.
func replaceSection(document []byte, name, text string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- bench: %s -->\n", name), fmt.Sprintf("<!-- end: %s -->\n", name)
	i, j := bytes.Index(document, []byte(begin)), bytes.Index(document, []byte(end))
	switch {
	case i < 0 && j < 0:
		return append(document, "\n"+begin+text+end...), nil
	case i < 0 || j < i:
		return nil, fmt.Errorf("the document has one marker of %s without the other", name)
	}
	return slices.Concat(document[:i], []byte(begin), []byte(text), document[j:]), nil
}

// machine says on what a section was measured; no path and no name of a host.
func (h *harness) machine() string {
	processor := "processor unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: *(.*)$`).FindSubmatch(info); m != nil {
			processor = string(m[1])
		}
	}
	load := ""
	if info, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + cmp.Or(strings.Fields(string(info))[0], "?") + " when it began"
	}
	peers := "no peers"
	if h.peers != nil {
		peers = h.peers.versions
	}
	peers += h.tools.versions()
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " at " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("%s, %d processors, %s/%s%s; %s%s; %s.", processor, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load, runtime.Version(), revision, peers)
}
