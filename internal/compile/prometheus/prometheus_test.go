package prometheus_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile/prometheus"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var update = flag.Bool("update", false, "write golden files anew")

func objectsOf(t *testing.T, path string) []compile.Object {
	t.Helper()
	bundle, problems := source.Load([]string{path}, source.Options{})
	results := review.New(review.Options{}).Set(context.Background(), bundle)
	if problems = append(problems, bundle.Problems()...); len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, finding := range bundle.Findings() {
		t.Fatal(finding)
	}
	var objects []compile.Object
	for _, result := range results {
		for _, finding := range result.Findings {
			if strings.HasPrefix(finding.Rule, "meta/") {
				t.Fatal(finding)
			}
		}
		objects = append(objects, compile.Object{Kind: result.Object.Kind, Address: result.Object.Address, Value: result.Value})
	}
	return objects
}

func inline(t *testing.T, policy string) []compile.Object {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.mlops.hcl")
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return objectsOf(t, path)
}

func emit(t *testing.T, objects []compile.Object) []compile.Artifact {
	t.Helper()
	result := compile.Emit(prometheus.Target{}, objects, compile.Options{Version: "1.2.3"})
	for _, refusal := range result.Refusals {
		t.Fatalf("%s: %s: %s", refusal.Address, spec.PathString(refusal.Path), refusal.Why)
	}
	return result.Artifacts
}

func write(t *testing.T, directory string, artifacts []compile.Artifact) {
	t.Helper()
	for _, a := range artifacts {
		path := filepath.Join(directory, filepath.FromSlash(a.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, a.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func promtool(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(testtools.Require(t, testtools.Promtool), arguments...).CombinedOutput()
	return string(out), err
}

func policies(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.mlops.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no policies", err)
	}
	return files
}

func TestEveryPolicyCompilesToItsGoldenFiles(t *testing.T) {
	for _, file := range policies(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".mlops.hcl")
		t.Run(name, func(t *testing.T) {
			artifacts := emit(t, objectsOf(t, file))
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.RemoveAll(golden); err != nil {
					t.Fatal(err)
				}
				write(t, golden, artifacts)
			}
			for _, a := range artifacts {
				want, err := os.ReadFile(filepath.Join(golden, filepath.FromSlash(a.Path)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(a.Content)); diff != "" {
					t.Errorf("%s (-golden +now; -update writes it anew):\n%s", a.Path, diff)
				}
			}
		})
	}
}

func TestPromtoolAcceptsTheRulesAndTheirTests(t *testing.T) {
	for _, file := range policies(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".mlops.hcl"), func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			artifacts := emit(t, objectsOf(t, file))
			write(t, directory, artifacts)
			for _, a := range artifacts {
				command := []string{"check", "rules", "--lint=all", "--lint-fatal"}
				if strings.HasPrefix(a.Path, "tests/") {
					command = []string{"test", "rules"}
				}
				if out, err := promtool(t, append(command, filepath.Join(directory, filepath.FromSlash(a.Path)))...); err != nil {
					t.Errorf("promtool %s %s: %v\n%s", strings.Join(command, " "), a.Path, err, out)
				}
			}
		})
	}
}

// Each mutant breaks the rules in one way that a reader may overlook; a unit test that
// still passes would prove nothing.
func TestTheUnitTestFailsWhenTheRulesAreBroken(t *testing.T) {
	mutants := map[string][2]string{
		"a bin is taken from the wrong bound":      {`le="0.3"`, `le="0.4"`},
		"a share of the baseline is another":       {`bin="04"} - 0.1)`, `bin="04"} - 0.2)`},
		"epsilon is missing under the logarithm":   {`bin="00"} + 1e-08) / (0.1 + 1e-08)`, `bin="00"} + 1e-08) / (0.2 + 1e-08)`},
		"a bin is not counted":                     {`labels: {bin: '09'`, `labels: {bin: '10'`},
		"the window is shorter":                    {`[59m59s999ms:5m]`, `[29m59s999ms:5m]`},
		"the threshold is out of reach":            {`> 0.1`, `> 100`},
		"the threshold is in the noise":            {`> 0.1`, `> -1`},
		"the gate is shut":                         {`>= 500`, `>= 1e9`},
		"nobody says that nothing is measured":     {`or absent(`, `and absent(`},
		"the severity is another":                  {`severity: 'ticket'`, `severity: 'page'`},
		"only one spelling of a bound is accepted": {`"+Inf"`, `"Inf"`},
	}
	artifacts := emit(t, objectsOf(t, "testdata/deciles.mlops.hcl"))
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			write(t, directory, artifacts)
			rules := filepath.Join(directory, "fraud_detector.rules.yml")
			content, err := os.ReadFile(rules)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(content, []byte(mutant[0])) {
				t.Fatalf("the rules have no %s", mutant[0])
			}
			content = bytes.ReplaceAll(content, []byte(mutant[0]), []byte(mutant[1]))
			if err := os.WriteFile(rules, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := promtool(t, "test", "rules", filepath.Join(directory, "tests", "fraud_detector_test.yml")); err == nil {
				t.Errorf("promtool did not notice:\n%s", out)
			}
		})
	}
}

func TestTheSamePolicyGivesTheSameBytesInAnyOrder(t *testing.T) {
	objects := objectsOf(t, "testdata/several.mlops.hcl")
	first := emit(t, objects)
	for i, j := 0, len(objects)-1; i < j; i, j = i+1, j-1 {
		objects[i], objects[j] = objects[j], objects[i]
	}
	if diff := cmp.Diff(first, emit(t, objects)); diff != "" {
		t.Error(diff)
	}
}

func TestTheDigestIsOfWhatIsDeclared(t *testing.T) {
	line := func(version, policy string) string {
		result := compile.Emit(prometheus.Target{}, inline(t, policy), compile.Options{Version: version})
		return strings.Split(string(result.Artifacts[0].Content), "\n")[1]
	}
	policy := monitorWith(`baseline = { name = "b", bins = 2, samples = 100, edges = [0.5] }`)
	if a, b := line("1", policy), line("2", policy); a != b {
		t.Errorf("another version of the tool changes the digest: %s, %s", a, b)
	}
	if a, b := line("1", policy), line("1", strings.Replace(policy, "0.5", "0.6", 1)); a == b {
		t.Errorf("another edge does not change the digest: %s", a)
	}
}

func monitorWith(lines string) string {
	body := map[string]string{
		"baseline": `{ name = "b", bins = 2, samples = 100, edges = [0.5] }`,
		"window":   `{ duration = "1h", samples = 500 }`,
		"schedule": `{ every = "1h" }`,
	}
	for _, line := range strings.Split(lines, "\n") {
		if name, value, ok := strings.Cut(line, " = "); ok {
			body[strings.TrimSpace(name)] = value
		}
	}
	policy := `drift_monitor "m" {
  model = "m"
  name = "m"
  feature = "f"
  metric = "psi"
`
	for name, value := range body {
		policy += "  " + name + " = " + value + "\n"
	}
	return policy + "}\n"
}

func TestWhatPrometheusCannotCarryIsRefusedWithTheAttribute(t *testing.T) {
	tests := map[string]struct{ policy, path, why string }{
		"a baseline without edges": {
			monitorWith(`baseline = { name = "b", bins = 10, samples = 1000 }`), "baseline.edges", "has no edges",
		},
		"categories": {
			monitorWith(`baseline = { name = "b", bins = 2, samples = 1000, method = "categorical", categories = ["a", "b"] }`), "baseline.categories", "has categories",
		},
		"edges that do not match the bins": {
			monitorWith(`baseline = { name = "b", bins = 3, samples = 1000, edges = [1] }`), "baseline.edges", "3 bins, 1 edges and 3 shares",
		},
		"edges that do not ascend": {
			monitorWith(`baseline = { name = "b", bins = 3, samples = 1000, edges = [2, 1] }`), "baseline.edges", "do not ascend",
		},
		"an empty bin without smoothing": {
			monitorWith(`baseline = { name = "b", bins = 2, samples = 1000, edges = [1], shares = [0, 1], smoothing = "none" }`), "baseline.smoothing", "bin 0 is empty",
		},
		"a metric of the values themselves": {
			strings.Replace(monitorWith(""), `"psi"`, `"ks"`, 1), "metric", "The metric ks is of the values themselves",
		},
		"another tool's bins": {
			monitorWith(`engine = "evidently"`), "engine", "the baseline's own bins",
		},
		"a window of less than two scrapes": {
			monitorWith(`window = { duration = "20s", samples = 500 }`), "window.duration", "less than two scrapes",
		},
		"an alert without its monitor": {
			`alert_threshold "a" {
  model = "m"
  name = "a"
  value = 0.2
  signal = { model = "m", monitor = "gone", kind = "data_drift", metric = "psi", bins = 10, baseline_samples = 1000, window_samples = 500, window_seconds = 3600, every_seconds = 3600 }
}`, "signal", "is not among the objects",
		},
		"an alert on a service signal, though a drift monitor has its name": {
			monitorWith("") + `alert_threshold "a" {
  model = "m"
  name = "a"
  value = 0.02
  signal = { model = "m", monitor = "m", kind = "service", metric = "error_rate", baseline_value = 0.01, window_samples = 5000, window_seconds = 3600, every_seconds = 3600 }
}`, "signal.kind", "on a service signal",
		},
		"what is not known yet": {
			`variable "d" { type = string }` + "\n" + monitorWith(`window = { duration = var.d, samples = 500 }`), "window.duration", "is not known",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := compile.Emit(prometheus.Target{}, inline(t, test.policy), compile.Options{})
			if len(result.Refusals) == 0 {
				t.Fatal("it was compiled")
			}
			got := result.Refusals[0]
			if spec.PathString(got.Path) != test.path || !strings.Contains(got.Why, test.why) || got.Fix == "" {
				t.Errorf("%s: %s (%s), want %s: ...%s...", spec.PathString(got.Path), got.Why, got.Fix, test.path, test.why)
			}
			if len(result.Artifacts) > 0 {
				t.Error("something was emitted all the same")
			}
		})
	}
}

func TestTwoMonitorsOfOneNameAreRefused(t *testing.T) {
	one := monitorWith("")
	objects := inline(t, one+strings.Replace(one, `drift_monitor "m"`, `drift_monitor "n"`, 1))
	if result := compile.Emit(prometheus.Target{}, objects, compile.Options{}); len(result.Refusals) != 1 {
		t.Errorf("refusals: %v", result.Refusals)
	}
}

func TestKindsThatAreNotCarriedAreNoted(t *testing.T) {
	objects := objectsOf(t, "../../source/testdata/policy/spec/fraud.mlops.hcl")
	result := compile.Emit(prometheus.Target{}, objects, compile.Options{})
	var noted []string
	for _, note := range result.Notes {
		noted = append(noted, note.Address)
	}
	slices.Sort(noted)
	if diff := cmp.Diff([]string{"model_alias.champion", "model_version.current", "notification_channel.ops", "performance_monitor.auc", "rollout_policy.canary", "service_monitor.p99"}, noted); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// A plan counts how many evaluations must agree: with for as long as the time between
// two of them, two must. Drift is there from the beginning; the first whole hour with a
// full window is the first evaluation, the second one raises the alert.
func TestAnHourlyMonitorsAlertNeedsAsManyHoursAsThePlanAssumes(t *testing.T) {
	policy, err := os.ReadFile("testdata/deciles.mlops.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for pending, first := range map[string]int{"0s": 60, "10m": 120, "1h": 120, "2h": 180} {
		t.Run(pending, func(t *testing.T) {
			directory := t.TempDir()
			write(t, directory, emit(t, inline(t, strings.Replace(string(policy), "value       = 0.1", "value = 0.1\n  for = \""+pending+"\"", 1))))
			path := filepath.Join(directory, "tests", "fraud_detector_test.yml")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file map[string]any
			if err := yaml.Unmarshal(content, &file); err != nil {
				t.Fatal(err)
			}
			var drift map[string]any
			for _, test := range file["tests"].([]any) {
				if test := test.(map[string]any); test["name"] == "drift" {
					drift = test
				}
			}
			raised := drift["alert_rule_test"].([]any)[0].(map[string]any)
			at := func(minute int, expected any) map[string]any {
				return map[string]any{"alertname": raised["alertname"], "eval_time": fmt.Sprintf("%dm", minute), "exp_alerts": expected}
			}
			drift["promql_expr_test"] = []any{}
			drift["alert_rule_test"] = []any{at(first-1, []any{}), at(first, raised["exp_alerts"])}
			file["tests"] = []any{drift}
			if content, err = yaml.Marshal(file); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := promtool(t, "test", "rules", path); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
