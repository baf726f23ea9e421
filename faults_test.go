package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var (
	faultRuns = flag.Int("faults", 9, "how many faulty applies TestFaults makes")
	faultSeed = flag.Uint64("faultseed", 1, "the seed of the first of them")
)

// faultObjects is how many objects of each of its kinds the policy of the fault runs
// has.
const faultObjects = 40

// A fault is what goes wrong between the provider and the control plane while 200
// objects are applied. It ends when its context does.
var faults = []struct {
	name string
	run  func(ctx context.Context, world *faultyWorld, rng *rand.Rand)
}{
	{"latency", toxic("latency", func(rng *rand.Rand) string {
		return fmt.Sprintf(`{"latency":%d,"jitter":%d}`, 50+rng.IntN(300), rng.IntN(200))
	})},
	{"connections are reset", toxic("reset_peer", func(rng *rand.Rand) string { return fmt.Sprintf(`{"timeout":%d}`, rng.IntN(50)) })},
	{"connections close slowly", toxic("slow_close", func(rng *rand.Rand) string { return fmt.Sprintf(`{"delay":%d}`, 100+rng.IntN(900)) })},
	{"connections are half open", toxic("timeout", func(*rand.Rand) string { return `{"timeout":0}` })},
	{"answers break off", toxic("limit_data", func(rng *rand.Rand) string { return fmt.Sprintf(`{"bytes":%d}`, 100+rng.IntN(4000)) })},
	{"a storm of 5xx", func(ctx context.Context, world *faultyWorld, rng *rand.Rand) {
		world.storm.Store(int32(20 + rng.IntN(70)))
		<-ctx.Done()
		world.storm.Store(0)
	}},
	{"answers are lost", func(ctx context.Context, world *faultyWorld, rng *rand.Rand) {
		world.deaf.Store(int32(20 + rng.IntN(70)))
		<-ctx.Done()
		world.deaf.Store(0)
	}},
	{"the server is killed with -9 and restarted", func(ctx context.Context, world *faultyWorld, _ *rand.Rand) {
		world.server.kill()
		<-ctx.Done()
		world.server.start()
	}},
	{"the provider is killed with -9", func(_ context.Context, world *faultyWorld, _ *rand.Rand) { world.killProvider() }},
}

// toxic makes a fault of one of toxiproxy's, in both directions.
func toxic(kind string, attributes func(*rand.Rand) string) func(context.Context, *faultyWorld, *rand.Rand) {
	return func(ctx context.Context, world *faultyWorld, rng *rand.Rand) {
		direction := []string{"downstream", "upstream"}[rng.IntN(2)]
		body := fmt.Sprintf(`{"name":"fault","type":%q,"stream":%q,"toxicity":%.2f,"attributes":%s}`, kind, direction, 0.3+0.7*rng.Float64(), attributes(rng))
		if _, err := world.proxy.Toxics.AddToxicJson(strings.NewReader(body)); err != nil {
			world.t.Errorf("%s: %v", body, err)
		}
		<-ctx.Done()
		_ = world.proxy.Toxics.RemoveToxic(context.Background(), "fault")
	}
}

// Whatever happens between provider and control plane during an apply of 200 objects,
// nothing that the state has is missing from the control plane, the next apply makes
// the rest, and the plan after it is empty. `make faults` runs a hundred.
func TestFaults(t *testing.T) {
	terraform := testtools.Require(t, testtools.Terraform)
	programs := buildPrograms(t)
	for i := range *faultRuns {
		seed := *faultSeed + uint64(i)
		fault := faults[int(seed)%len(faults)]
		t.Run(fmt.Sprintf("%d/%s", seed, fault.name), func(t *testing.T) {
			t.Parallel() // a faulty apply waits more than it works
			rng := rand.New(rand.NewPCG(seed, 0x6d6c6f7073))
			world := newFaultyWorld(t, programs, terraform)

			begin := int64(rng.IntN(250)) // requests; a clean apply has some 250
			length := time.Duration(300+rng.IntN(4000)) * time.Millisecond
			ended := make(chan struct{})
			apply := world.command("apply", "-auto-approve")
			var output bytes.Buffer
			apply.Stdout, apply.Stderr = &output, &output
			if err := apply.Start(); err != nil {
				t.Fatal(err)
			}
			world.apply.Store(apply.Process)
			go func() {
				defer close(ended)
				for world.requests.Load() < begin && world.apply.Load() != nil {
					time.Sleep(time.Millisecond)
				}
				ctx, cancel := context.WithTimeout(context.Background(), length)
				defer cancel()
				fault.run(ctx, world, rng)
			}()
			applyErr := apply.Wait()
			world.apply.Store(nil)
			<-ended

			before := world.state()
			served := world.objects()
			for id, uid := range before {
				if served[id] != uid {
					t.Errorf("%s is in the state with uid %s, and the control plane has %q", id, uid, served[id])
				}
			}
			t.Logf("after %d requests for %v: the apply ended with %v, %d objects in the state, %d in the control plane", begin, length, applyErr, len(before), len(served))

			world.succeeds("apply", "-auto-approve")
			world.succeeds("plan", "-detailed-exitcode")
			after, served := world.state(), world.objects()
			if diff := cmp.Diff(served, after); diff != "" {
				t.Errorf("the control plane (-) and the state (+) differ:\n%s", diff)
			}
			if len(served) != world.expected {
				t.Errorf("the control plane has %d objects, and the policy %d", len(served), world.expected)
			}
			for id, uid := range before {
				if after[id] != uid {
					t.Errorf("%s was made anew: its uid was %s and is %s", id, uid, after[id])
				}
			}
			if t.Failed() {
				t.Logf("the faulty apply said:\n%s", output.String())
			}
		})
	}
}

// programs are the directories of the provider and of mlopsctl as they are released.
type programs struct{ directory, mlopsctl string }

func buildPrograms(t *testing.T) programs {
	t.Helper()
	directory := t.TempDir()
	out, err := exec.Command("go", "build", "-ldflags", "-X main.version=1.0.0", "-o", directory+string(filepath.Separator), ".", "./tools/mlopsctl").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return programs{directory: directory, mlopsctl: filepath.Join(directory, "mlopsctl")}
}

// faultyWorld is a working directory of Terraform and a control plane, with a proxy
// between them that breaks what it is told to: HTTP first, then TCP.
type faultyWorld struct {
	t         *testing.T
	terraform string
	directory string
	server    *servedPlane
	proxy     *toxiproxy.Proxy
	storm     atomic.Int32 // percent of requests that are answered 5xx, unseen by the server
	deaf      atomic.Int32 // percent of answers that are lost, after the server carried out
	requests  atomic.Int64 // that have come through so far
	apply     atomic.Pointer[os.Process]
	expected  int
}

func newFaultyWorld(t *testing.T, built programs, terraform string) *faultyWorld {
	t.Helper()
	world := &faultyWorld{t: t, terraform: terraform, directory: t.TempDir()}
	world.server = &servedPlane{t: t, program: built.mlopsctl, data: filepath.Join(t.TempDir(), "served.db"), address: testtools.FreeAddress(t)}
	world.server.start()
	t.Cleanup(world.server.kill)

	upstream, err := url.Parse("http://" + world.server.address)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(upstream)
	forward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(*faultSeed, 2))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	hits := func(percent int32) bool { return draw(100) < int(percent) }
	statuses := []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	layer7 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		world.requests.Add(1)
		if hits(world.storm.Load()) {
			http.Error(w, "the balancer has no server", statuses[draw(len(statuses))])
			return
		}
		if hits(world.deaf.Load()) {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(layer7.Close)

	toxics := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	world.proxy = toxiproxy.NewProxy(toxics, "control-plane", "127.0.0.1:0", strings.TrimPrefix(layer7.URL, "http://"))
	if err := world.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.proxy.Stop)

	world.declare(built, "http://"+world.proxy.Listen)
	return world
}

// declare writes the policy, and which provider it is for.
func (w *faultyWorld) declare(built programs, endpoint string) {
	w.t.Helper()
	policy, expected := faultPolicy(endpoint)
	w.expected = expected
	cli := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"mlops-as-code/mlops\" = %q\n  }\n  direct {}\n}\n", built.directory)
	for name, text := range map[string]string{"main.tf": policy, ".cli.tfrc": cli} {
		if err := os.WriteFile(filepath.Join(w.directory, name), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// faultPolicy declares 200 objects of five kinds that refer to each other: a version is
// numbered by the control plane, so that nothing but its key keeps it from being added
// twice.
func faultPolicy(endpoint string) (text string, objects int) {
	var out strings.Builder
	fmt.Fprintf(&out, "terraform {\n  required_providers {\n    mlops = { source = \"mlops-as-code/mlops\" }\n  }\n}\n\nprovider \"mlops\" {\n  endpoint          = %q\n  request_timeout   = \"2s\"\n  operation_timeout = \"1m\"\n}\n", endpoint)
	for i := range faultObjects {
		fmt.Fprintf(&out, `
resource "mlops_registered_model" "m%[1]d" {
  name            = "model-%[1]d"
  deletion_policy = "delete"
}

resource "mlops_model_version" "v%[1]d" {
  model           = mlops_registered_model.m%[1]d.name
  source          = "s3://models/%[1]d"
  deletion_policy = "delete"
}

resource "mlops_model_alias" "a%[1]d" {
  model   = mlops_registered_model.m%[1]d.name
  alias   = "champion"
  version = mlops_model_version.v%[1]d.version
}

resource "mlops_baseline" "b%[1]d" {
  model = mlops_registered_model.m%[1]d.name
  name  = "score"
  bins  = [{ upper = 0.25, count = 500 }, { upper = 0.5, count = 500 }, { upper = 0.75, count = 500 }, { count = 500 }]
}

resource "mlops_drift_monitor" "d%[1]d" {
  model    = mlops_registered_model.m%[1]d.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = mlops_baseline.b%[1]d.profile
  window   = { duration = "1h", samples = 1000 }
  schedule = { every = "1h" }
}
`, i)
		objects += 5
	}
	return out.String(), objects
}

func (w *faultyWorld) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.terraform, append(args, "-no-color", "-input=false")...)
	cmd.Dir = w.directory
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(w.directory, ".cli.tfrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	return cmd
}

func (w *faultyWorld) succeeds(args ...string) {
	w.t.Helper()
	if out, err := w.command(args...).CombinedOutput(); err != nil {
		w.t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// killProvider kills the provider of the running apply, if there is one yet.
func (w *faultyWorld) killProvider() {
	if process := w.apply.Load(); process != nil {
		_ = exec.Command("pkill", "-9", "-P", fmt.Sprint(process.Pid)).Run()
	}
}

// state is what Terraform's state has: uids by kind and id.
func (w *faultyWorld) state() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	raw, err := os.ReadFile(filepath.Join(w.directory, "terraform.tfstate"))
	if os.IsNotExist(err) {
		return out
	}
	var state struct {
		Resources []struct {
			Type      string
			Instances []struct {
				Attributes struct{ ID, UID string }
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &state)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, resource := range state.Resources {
		for _, instance := range resource.Instances {
			out[strings.TrimPrefix(resource.Type, spec.TerraformPrefix)+" "+instance.Attributes.ID] = instance.Attributes.UID
		}
	}
	return out
}

// objects is what the control plane has, asked without the proxy.
func (w *faultyWorld) objects() map[string]string {
	w.t.Helper()
	plane, err := client.New(client.Options{Endpoint: "http://" + w.server.address})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, kind := range spec.All() {
		for object, err := range plane.List(w.t.Context(), kind.Name) {
			if err != nil {
				w.t.Fatal(err)
			}
			out[kind.Name+" "+object.ID] = object.UID
		}
	}
	return out
}

// servedPlane is `mlopsctl serve` as a process.
type servedPlane struct {
	t        *testing.T
	program  string
	data     string // a file, where there is no database
	database string
	address  string
	process  *exec.Cmd
	output   bytes.Buffer
}

func (s *servedPlane) start() {
	s.t.Helper()
	s.process = exec.Command(s.program, "serve", "--listen", s.address)
	if s.database != "" {
		s.process.Env = append(os.Environ(), "MLOPS_DATABASE_URL="+s.database)
	} else {
		s.process.Args = append(s.process.Args, "--data", s.data)
	}
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 500 {
		if answer, err := http.Get("http://" + s.address + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Errorf("the control plane does not start:\n%s", s.output.String())
}

func (s *servedPlane) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}
