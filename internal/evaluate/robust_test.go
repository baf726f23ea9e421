package evaluate_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// everyFixture lists all fixtures of all rules.
func everyFixture(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*/*/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	// The objects of rules over many objects are like those of other fixtures.
	for _, rule := range evaluate.Rules() {
		if rule.Across != nil {
			of := filepath.Join("testdata", filepath.FromSlash(rule.ID)) + string(filepath.Separator)
			paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasPrefix(path, of) })
		}
	}
	return paths
}

// last is the judged object of a fixture with all it takes from others.
func (f fixture) last(t testing.TB) (*spec.Kind, cty.Value, evaluate.Inputs) {
	t.Helper()
	l := f[len(f)-1]
	k, v := kindOf(t, l.Kind), l.value
	_, before := f[:len(f)-1].evaluate(t)
	for attribute, source := range l.From {
		object, name := source[:strings.LastIndex(source, ".")], source[strings.LastIndex(source, ".")+1:]
		for _, m := range before {
			if object == m.Kind.Name || object == m.Address {
				v = spec.Overlay(v, map[string]cty.Value{attribute: convert(m.Value.GetAttr(name), k.Type().AttributeType(attribute))})
			}
		}
	}
	return k, v, evaluate.Inputs{Profile: l.Profile, Profiles: l.Profiles}
}

// leaves calls visit for every place in v, objects and lists included.
func leaves(t testing.TB, v cty.Value, visit func(path cty.Path, leaf cty.Value)) {
	t.Helper()
	err := cty.Walk(v, func(path cty.Path, leaf cty.Value) (bool, error) {
		if len(path) > 0 {
			visit(path.Copy(), leaf)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func replace(t testing.TB, v cty.Value, at cty.Path, with func(cty.Value) cty.Value) cty.Value {
	t.Helper()
	out, err := cty.Transform(v, func(path cty.Path, leaf cty.Value) (cty.Value, error) {
		if path.Equals(at) {
			return with(leaf), nil
		}
		return leaf, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEvaluatingTwiceGivesTheSameBytes(t *testing.T) {
	for _, path := range everyFixture(t) {
		first, second := readFixture(t, path).judge(t), readFixture(t, path).judge(t)
		for name := range first.Computed {
			if !first.Computed[name].RawEquals(second.Computed[name]) {
				t.Errorf("%s: %s differs", path, name)
			}
		}
		if render(first.Findings) != render(second.Findings) {
			t.Errorf("%s: findings differ", path)
		}
	}
}

func TestAnUnknownValueSilencesWhatDependsOnItAndNothingElse(t *testing.T) {
	for _, path := range everyFixture(t) {
		k, v, inputs := readFixture(t, path).last(t)
		known, err := evaluate.Object(k, v, inputs)
		if err != nil {
			t.Fatal(err)
		}
		leaves(t, v, func(at cty.Path, leaf cty.Value) {
			if strings.Contains(spec.PathString(at), "shares[") && !strings.HasSuffix(spec.PathString(at), "[0]") {
				return // one share is like the other
			}
			later := replace(t, v, at, func(leaf cty.Value) cty.Value { return cty.UnknownVal(leaf.Type()) })
			report, err := evaluate.Object(k, later, inputs)
			if err != nil {
				t.Fatalf("%s: unknown %s: %v", path, spec.PathString(at), err)
			}
			for name, value := range report.Computed {
				if !value.Type().Equals(k.Type().AttributeType(name)) {
					t.Errorf("%s: unknown %s: %s has the type %#v", path, spec.PathString(at), name, value.Type())
				}
				// A figure that is known already is the figure of the whole object.
				if value.IsWhollyKnown() && !value.RawEquals(known.Computed[name]) {
					t.Errorf("%s: unknown %s: %s is %#v and becomes %#v", path, spec.PathString(at), name, value, known.Computed[name])
				}
			}
			if strings.Contains(render(report.Findings), render(known.Findings)) {
				return
			}
			for _, finding := range report.Findings {
				if !strings.Contains(render(known.Findings), render([]spec.Finding{finding})) {
					t.Errorf("%s: unknown %s raises what is not raised in the end:\n%s", path, spec.PathString(at), render([]spec.Finding{finding}))
				}
			}
			for _, finding := range known.Findings {
				judged := slices.Contains(report.Judged, finding.Rule)
				if judged && !strings.Contains(render(report.Findings), render([]spec.Finding{finding})) {
					t.Errorf("%s: unknown %s: %s says that it has run, and misses its finding", path, spec.PathString(at), finding.Rule)
				}
			}
		})
	}
}

func TestAnObjectWithNothingKnownIsJudgedByNoRule(t *testing.T) {
	for _, kind := range spec.All() {
		attributes := map[string]cty.Value{}
		for name, ty := range kind.Type().AttributeTypes() {
			attributes[name] = cty.UnknownVal(ty)
		}
		report, err := evaluate.Object(kind, cty.ObjectVal(attributes), evaluate.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Judged) > 0 || len(report.Findings) > 0 {
			t.Errorf("%s: judged %v, found %v", kind.Name, report.Judged, report.Findings)
		}
		for _, name := range append(kind.ComputedAttributes(), "id") {
			if value, ok := report.Computed[name]; !ok || value.IsWhollyKnown() {
				t.Errorf("%s.%s is %#v", kind.Name, name, value)
			}
		}
	}
}

func TestEveryComputedAttributeIsThere(t *testing.T) {
	for _, path := range everyFixture(t) {
		k, v, inputs := readFixture(t, path).last(t)
		report, err := evaluate.Object(k, v, inputs)
		if err != nil {
			t.Fatal(err)
		}
		names := k.ComputedAttributes()
		if k.Numbered == "" { // else the id waits for the number
			names = append(names, "id")
		}
		for _, name := range names {
			value, ok := report.Computed[name]
			// A baseline has either a profile or profiles.
			other, either := map[string]string{"profile": "profiles", "profiles": "profile"}[name]
			if !ok || !value.IsWhollyKnown() || value.IsNull() && (!either || report.Computed[other].IsNull()) {
				t.Errorf("%s: %s is %#v", path, name, value)
			}
		}
	}
}

// hang is when an evaluation counts as one that does not end. How fast it is, the
// benchmarks say: on a loaded machine a time proves nothing else.
const hang = 2 * time.Minute

// survive evaluates an object that satisfies the constraints, and fails the test
// unless all that comes out can be used.
func survive(t *testing.T, kind *spec.Kind, v cty.Value) {
	t.Helper()
	if len(kind.Check(v)) > 0 {
		return
	}
	start := time.Now()
	report, err := evaluate.Object(kind, v, evaluate.Inputs{})
	if err != nil {
		t.Errorf("%v\n%s", err, describe(v))
		return
	}
	if took := time.Since(start); took > hang {
		t.Errorf("it took %s: %s", took, describe(v))
	}
	for name, value := range report.Computed {
		if !value.IsWhollyKnown() {
			t.Errorf("%s is unknown: %s", name, describe(v))
		}
		leaves(t, cty.ObjectVal(map[string]cty.Value{name: value}), func(path cty.Path, leaf cty.Value) {
			if leaf.IsNull() || leaf.Type() != cty.Number {
				return
			}
			f, _ := leaf.AsBigFloat().Float64()
			if math.IsInf(f, 0) || math.IsNaN(f) || f < 0 {
				t.Errorf("%s is %v: %s", spec.PathString(path), f, describe(v))
			}
		})
	}
	for _, finding := range report.Findings {
		text := finding.Detail + finding.Fix
		for _, bad := range []string{"NaN", "Inf", "%!", ",,", "  "} {
			if strings.Contains(text, bad) {
				t.Errorf("%q in a message: %s", bad, text)
			}
		}
	}
}

func describe(v cty.Value) string {
	data, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return err.Error()
	}
	return string(data[:min(len(data), 1000)])
}

func TestHostileAlertsGiveFigures(t *testing.T) {
	kind := kindOf(t, "alert_threshold")
	shares := map[string]string{
		"":          "",
		"skewed":    `,"bin_shares":[0.7,0.2,0.05,0.03,0.015,0.004,0.0009,0.00009,0.00001]`,
		"empty":     `,"bin_shares":[0.5,0,0,0.25,0,0.25,0,0,0,0]`,
		"one":       `,"bin_shares":[1,0,0,0,0,0,0,0,0,0]`,
		"imprecise": `,"bin_shares":[0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.0995]`,
	}
	for name, s := range shares {
		for _, smoothing := range []string{"none", "epsilon", "laplace"} {
			for _, n := range []float64{1, 1e15} {
				for _, m := range []float64{1, 300, 1e15} {
					for _, value := range []string{"1e-300", "0.1", "1e6"} {
						v := threshold(t, value, signal(binsOf(s), n, m, s+`,"smoothing":"`+smoothing+`"`), `,"for":"3h"`)
						t.Run(strings.Join([]string{name, smoothing, fmt.Sprint(n), fmt.Sprint(m), value}, "/"), func(t *testing.T) { survive(t, kind, v) })
					}
				}
			}
		}
	}
}

func TestHostileShapesOfAlertsGiveFigures(t *testing.T) {
	kind := kindOf(t, "alert_threshold")
	for name, v := range map[string]string{
		"one bin":                signal(1, 1000, 500, ""),
		"two bins":               signal(2, 1000, 500, ""),
		"a thousand bins":        signal(1000, 1e6, 1e5, ""),
		"a thousand, few values": signal(1000, 10, 10, ""),
		"a vast design effect":   signal(10, 1000, 500, `,"design_effect":1000000`),
		"no effective samples":   signal(10, 1000, 500, `,"effective_samples":0`),
		"a vast epsilon":         signal(10, 1000, 500, `,"smoothing":"epsilon","epsilon":0.1`),
		"a tiny epsilon":         signal(10, 1000, 500, `,"smoothing":"epsilon","epsilon":1e-300`),
		"a tiny power":           signal(10, 1000, 500, `,"sensitivity":{"shift_sd":10,"power":1e-9}`),
		"a vast power":           signal(10, 1000, 500, `,"sensitivity":{"shift_sd":1e-9,"power":0.999999999}`),
		"a lifetime":             `{"model":"m","monitor":"s","kind":"data_drift","metric":"psi","bins":10,"baseline_samples":1000,"window_samples":500,"window_seconds":1e10,"every_seconds":1e10}`,
		"seconds":                `{"model":"m","monitor":"s","kind":"data_drift","metric":"psi","bins":10,"baseline_samples":1000,"window_samples":500,"window_seconds":1e10,"every_seconds":1}`,
		"unequal, fifty":         signal(50, 1e5, 3000, `,"bin_shares":`+linear(50)),
		"unequal, a hundred":     signal(100, 1e5, 3000, `,"bin_shares":`+linear(100)),
		"unequal, twenty":        signal(20, 1e4, 200, `,"bin_shares":`+linear(20)),
	} {
		for _, more := range []string{"", `,"for":"104w","severity":"page"`, `,"false_alarms_per_30d":1e-300`, `,"false_alarms_per_30d":1e6,"operator":">="`} {
			t.Run(name+more, func(t *testing.T) { survive(t, kind, threshold(t, "0.1", v, more)) })
		}
	}
}

func TestHostileAlertsOfEveryMetricAndEngineGiveFigures(t *testing.T) {
	kind := kindOf(t, "alert_threshold")
	sizes := [][2]float64{{3, 2}, {10, 1e15}, {1e15, 10}, {200, 1e4}}
	values := []string{"1e-9", "0.1", "1e6"}
	turn := 0
	for _, metric := range spec.DriftMetrics {
		for _, s := range []string{"", `,"bin_shares":[0.5,0,0,0.25,0,0.25,0,0,0,0]`, `,"bin_shares":[1]`} {
			for _, size := range sizes {
				bins := binsOf(s)
				if strings.HasSuffix(s, "[1]") {
					bins = 1
				}
				value := values[turn%len(values)]
				v := threshold(t, value, signalOf(metric.Name, bins, size[0], size[1], s), []string{"", `,"operator":">=","for":"3h"`}[turn%2])
				t.Run(strings.Join([]string{metric.Name, s, fmt.Sprint(size), value}, "/"), func(t *testing.T) { survive(t, kind, v) })
				turn++
			}
		}
	}
	for _, engine := range spec.Engines {
		for _, ordered := range []bool{true, false} {
			for i, metric := range spec.EngineMetrics(engine.Name, !ordered) {
				// One law takes a quarter of a second: a few of all combinations.
				for _, j := range []int{i, i + 3} {
					size := sizes[j%len(sizes)]
					more := fmt.Sprintf(`,"ordered":%v,"engine":%q,"bin_shares":[0.5,0.3,0,0.19,0.01]`, ordered, engine.Name)
					v := threshold(t, "0.1", signalOf(metric, 5, size[0], size[1], more), `,"severity":"info","for":"3h"`)
					t.Run(strings.Join([]string{engine.Name, metric, fmt.Sprint(ordered, size)}, "/"), func(t *testing.T) { survive(t, kind, v) })
				}
			}
		}
	}
	many := fmt.Sprintf(`,"ordered":false,"engine":"evidently","bin_shares":%s`, linear(200))
	survive(t, kind, threshold(t, "0.1", signalOf("psi", 200, 1e5, 1e4, many), ""))
}

// binsOf counts the shares that are declared, 10 where none are.
func binsOf(shares string) float64 {
	if shares == "" {
		return 10
	}
	return float64(strings.Count(shares, ",")) // one of them before the attribute
}

// linear is a list of shares that are all different.
func linear(bins int) string {
	out := make([]string, bins)
	for i := range out {
		out[i] = fmt.Sprint(float64(i+1) * 2 / float64(bins*(bins+1)))
	}
	return "[" + strings.Join(out, ",") + "]"
}

func TestHostileMonitorsGiveFigures(t *testing.T) {
	kind := kindOf(t, "drift_monitor")
	for _, baseline := range []string{`"bins":1,"samples":1`, `"bins":10,"samples":1`, `"bins":1000,"samples":1000000000000000`, `"bins":3,"samples":100,"shares":[1,0,0]`, `"bins":3,"samples":100,"shares":[0.4,0.3,0.3],"smoothing":"none"`, `"bins":100,"samples":100`} {
		for _, window := range []string{`"samples":1`, `"samples":1000000000000000`, `"samples":500,"design_effect":1000000`, `"requests_per_second":1000000000`, `"requests_per_second":0.01`} {
			for _, duration := range []string{"1s", "2m", "260y"} {
				t.Run(baseline+window+duration, func(t *testing.T) {
					text := fmt.Sprintf(`{"model":"m","name":"s","feature":"f","metric":"psi","baseline":{"name":"b",%s},"window":{"duration":%q,%s},"schedule":{"every":"1s"}}`, baseline, duration, window)
					survive(t, kind, declare(t, "drift_monitor", text, map[string]string{}))
				})
			}
		}
	}
}

func TestHostileRolloutsGiveFigures(t *testing.T) {
	kind := kindOf(t, "rollout_policy")
	for _, rate := range []string{"1e-9", "1", "1e9"} {
		for _, h := range []string{
			"null",
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":1e-300}`,
			`{"metric":"m","kind":"proportion","baseline_rate":1e-9,"minimum_detectable_effect":0.9}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.999999,"minimum_detectable_effect":-0.999998,"significance_level":0.999,"power":0.001}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0.01,"significance_level":0.99,"power":0.5,"looks":7}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0.01,"significance_level":0.99,"power":0.5,"looks":7,"spending":"pocock"}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0.01,"significance_level":1e-12,"power":0.999999,"looks":100,"spending":"obrien_fleming"}`,
			`{"metric":"m","kind":"mean","std_dev":1e300,"minimum_detectable_effect":1e-300}`,
			`{"metric":"m","kind":"mean","std_dev":1e-300,"minimum_detectable_effect":1e300,"looks":3}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0,"alternative":"non_inferior","margin":1e300}`,
			`{"metric":"m","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0,"alternative":"non_inferior","margin":0.09,"higher_is_better":false,"design_effect":1000000,"label_delay":"250y"}`,
		} {
			for _, stages := range []string{
				`[{"name":"a","kind":"canary","traffic_percent":1e-9,"duration":"1s"}]`,
				`[{"name":"a","kind":"canary","traffic_percent":100,"duration":"280y"}]`,
				`[{"name":"a","kind":"full","traffic_percent":50,"duration":"280y"}]`,
				`[{"name":"a","kind":"canary","traffic_percent":99.9999999,"duration":"1h"},{"name":"b","kind":"shadow","traffic_percent":3,"duration":"1s"}]`,
				`[{"name":"a","kind":"canary","traffic_percent":5,"duration":"2h"},{"name":"b","kind":"full","traffic_percent":100}]`,
			} {
				for _, guardrails := range []string{"null", `[{"name":"g","metric":"m","baseline_rate":0,"maximum":0,"every":"1s","failure_limit":0},{"name":"h","metric":"m","baseline_rate":0.9,"maximum":0.1,"every":"280y","failure_limit":1000000}]`} {
					t.Run(rate+h+stages+guardrails, func(t *testing.T) {
						text := fmt.Sprintf(`{"model":"m","name":"c","traffic":{"requests_per_second":%s},"hypothesis":%s,"stages":%s,"guardrails":%s}`, rate, h, stages, guardrails)
						survive(t, kind, declare(t, "rollout_policy", text, map[string]string{}))
					})
				}
			}
		}
	}
}
