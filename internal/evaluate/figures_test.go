package evaluate_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// signal is a hand-written one with only what is required.
func signal(bins, baseline, window float64, more string) string {
	return fmt.Sprintf(`{"model":"m","monitor":"s","kind":"data_drift","metric":"psi","bins":%v,"baseline_samples":%.0f,"window_samples":%.0f,"window_seconds":3600,"every_seconds":3600%s}`, bins, baseline, window, more)
}

func threshold(t testing.TB, value, signal, more string) cty.Value {
	return declare(t, "alert_threshold", fmt.Sprintf(`{"model":"m","name":"a","owner":"o","value":%s,"signal":%s%s}`, value, signal, more), nil)
}

func figures(t testing.TB, kind string, v cty.Value) cty.Value {
	t.Helper()
	report, err := evaluate.Object(kindOf(t, kind), v, evaluate.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Computed[spec.AttributeEvaluation]
}

// texts writes an object's leaves as a plan shows them.
func texts(v cty.Value) map[string]string {
	out := map[string]string{}
	for name, attribute := range v.AsValueMap() {
		if attribute.Type().IsPrimitiveType() {
			out[name] = spec.ValueString(attribute)
		}
	}
	return out
}

func TestTheDesignsPolicyIsSoundUnderTheDefinitions(t *testing.T) {
	f := readFixture(t, "testdata/drift/noise-floor/pass-design.json")
	want := map[string]string{
		"false_alarm_rate":          "0.000162",
		"false_alarms_per_30d":      "0.117", // about 0.12
		"false_alarms_per_30d_low":  "0.00188",
		"false_alarms_per_30d_high": "0.467",
		"smallest_value":            "0.0828",
		"smallest_window_samples":   "385",
		"power":                     "0.9999",
		"detectable_shift_sd":       "0.332",
		"detectable_change":         "null",
		"method":                    `"exact"`,
	}
	report := f.judge(t)
	if diff := cmp.Diff(want, texts(report.Computed[spec.AttributeEvaluation])); diff != "" {
		t.Errorf("alert_threshold.evaluation (-want +got):\n%s", diff)
	}
	if len(report.Findings) > 0 {
		t.Errorf("findings:\n%s", render(report.Findings))
	}
	monitor := f[:1].judge(t)
	want = map[string]string{"samples_per_bin": "50", "noise_median": "0.0253", "noise_p95": "0.0515", "noise_p99": "0.066", "noise_p999": "0.0854", "method": `"gamma"`}
	if diff := cmp.Diff(want, texts(monitor.Computed[spec.AttributeEvaluation])); diff != "" {
		t.Errorf("drift_monitor.evaluation (-want +got):\n%s", diff)
	}

	rollout := readFixture(t, "testdata/rollout/underpowered/pass-design.json").judge(t)
	evaluation := rollout.Computed[spec.AttributeEvaluation]
	want = map[string]string{"required_samples_treatment": "7643", "required_samples_control": "145214", "type_1_error": "0.05", "power": "0.968"}
	if diff := cmp.Diff(want, texts(evaluation)); diff != "" {
		t.Errorf("rollout_policy.evaluation (-want +got):\n%s", diff)
	}
	wantStages := []map[string]string{
		{"name": `"shadow"`, "samples_treatment": "null", "samples_control": "null", "power": "null", "minimum_duration": "null", "exposed_requests": "0", "false_abort_rate": "null"},
		{"name": `"canary"`, "samples_treatment": "14400", "samples_control": "273600", "power": "0.968", "minimum_duration": `"1h3m42s"`, "exposed_requests": "14400", "false_abort_rate": "0.00753"},
		{"name": `"full"`, "samples_treatment": "null", "samples_control": "null", "power": "null", "minimum_duration": "null", "exposed_requests": "null", "false_abort_rate": "null"},
	}
	var stages []map[string]string
	for _, stage := range evaluation.GetAttr("stages").AsValueSlice() {
		stages = append(stages, texts(stage))
	}
	if diff := cmp.Diff(wantStages, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if len(rollout.Findings) > 0 {
		t.Errorf("findings:\n%s", render(rollout.Findings))
	}
}

func TestAnAlertsFigures(t *testing.T) {
	for name, c := range map[string]struct {
		value  string
		signal string
		more   string
		want   map[string]string
	}{
		"at 0.25, the design's alert sees half a standard deviation with power 0.6 only": {
			value: "0.25", signal: signal(10, 1000, 500, ""), want: map[string]string{"power": "0.602"},
		},
		// The simulated references are 0.0806, 0.468 and 0.0286.
		"10 bins, baseline 1,000, window 190 fire in 8 % of all evaluations": {
			value: "0.1", signal: signal(10, 1000, 190, ""), want: map[string]string{"false_alarm_rate": "0.0808", "false_alarms_per_30d": "58.2"},
		},
		"a window of 100 fires in 47 %": {
			value: "0.1", signal: signal(10, 1000, 100, ""), want: map[string]string{"false_alarm_rate": "0.468"},
		},
		"5 bins, baseline 700, window 150 fire at 0.09 in 2.9 %": {
			value: "0.09", signal: signal(5, 700, 150, ""), want: map[string]string{"false_alarm_rate": "0.0285"},
		},
		"a design effect divides the window": {
			value: "0.1", signal: signal(10, 1000, 570, `,"design_effect":3`), want: map[string]string{"false_alarm_rate": "0.0808"},
		},
		"declared effective samples go before window samples": {
			value: "0.1", signal: signal(10, 1000, 5000, `,"effective_samples":190`), want: map[string]string{"false_alarm_rate": "0.0808"},
		},
		"the smallest window is in declared samples": {
			value: "0.1", signal: signal(10, 1000, 570, `,"design_effect":3`), more: `,"false_alarms_per_30d":1`, want: map[string]string{"smallest_window_samples": "1160"},
		},
		"info has no budget, so there is nothing smallest": {
			value: "0.1", signal: signal(10, 1000, 500, ""), more: `,"severity":"info"`, want: map[string]string{"smallest_value": "null", "smallest_window_samples": "null"},
		},
		"a shift means nothing to categories": {
			value: "0.1", signal: signal(10, 1000, 500, `,"ordered":false`), want: map[string]string{"power": "null", "detectable_shift_sd": "null", "false_alarm_rate": "0.000162"},
		},
		"a window worth less than one observation has no figures": {
			value: "0.1", signal: signal(10, 1000, 5, `,"design_effect":10`), want: map[string]string{"false_alarm_rate": "null", "false_alarms_per_30d": "null", "smallest_value": "null", "method": "null", "power": "null"},
		},
		"one bin never fires": {
			value: "0.1", signal: signal(1, 1000, 500, ""), want: map[string]string{"false_alarm_rate": "0", "false_alarms_per_30d": "0", "power": "null", "method": `"exact"`},
		},
		"a baseline too small for any window has no smallest one": {
			value: "0.1", signal: signal(10, 150, 500, ""), more: `,"severity":"page"`, want: map[string]string{"smallest_window_samples": "null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := texts(figures(t, "alert_threshold", threshold(t, c.value, c.signal, c.more)))
			got := map[string]string{}
			for name := range c.want {
				got[name] = all[name]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\nall: %v", diff, all)
			}
		})
	}
}

func TestAValueThatTheMetricCanEqualFiresUnderGreaterOrEqualOnly(t *testing.T) {
	// Two observations in two bins: both fall into one of them half of the time.
	atom, err := stats.PSIProportions([]float64{0.5, 0.5}, []float64{1, 0}, stats.DefaultSmoothing())
	if err != nil {
		t.Fatal(err)
	}
	value := strconv.FormatFloat(atom, 'g', -1, 64)
	for operator, want := range map[string]string{">": "0", ">=": "0.5"} {
		v := threshold(t, value, signal(2, 1e6, 2, ""), fmt.Sprintf(`,"operator":%q`, operator))
		if got := texts(figures(t, "alert_threshold", v))["false_alarm_rate"]; got != want {
			t.Errorf("psi %s %s: got %s, want %s", operator, value, got, want)
		}
	}
}

func TestNoWindowGivesAValueThatIsTooHighItsPower(t *testing.T) {
	for _, window := range []float64{500, 1e4, 1e6, 1e12} {
		power, _ := figures(t, "alert_threshold", threshold(t, "0.25", signal(10, 1000, window, ""), "")).GetAttr("power").AsBigFloat().Float64()
		if power > 0.7 {
			t.Errorf("at %v samples the power is %v", window, power)
		}
	}
}

func TestTheSmallestValueAndWindowAreTheSmallest(t *testing.T) {
	meets := func(value, window string) bool {
		v := threshold(t, value, fmt.Sprintf(`{"model":"m","monitor":"s","kind":"data_drift","metric":"psi","bins":10,"baseline_samples":1000,"window_samples":%s,"window_seconds":3600,"every_seconds":3600}`, window), `,"false_alarms_per_30d":1`)
		month, _ := figures(t, "alert_threshold", v).GetAttr("false_alarms_per_30d").AsBigFloat().Float64()
		return month <= 1
	}
	if !meets("0.0828", "500") || meets("0.0827", "500") {
		t.Error("0.0828 is not the smallest value at 500 samples")
	}
	if !meets("0.1", "385") || meets("0.1", "384") {
		t.Error("385 is not the smallest window at 0.1")
	}
}

func TestHandWrittenSignalsAndComputedOnesGiveTheSameFigures(t *testing.T) {
	computed := readFixture(t, "testdata/drift/noise-floor/pass-design.json").judge(t).Computed[spec.AttributeEvaluation]
	written := figures(t, "alert_threshold", threshold(t, "0.1", signal(10, 1000, 500, ""), `,"false_alarms_per_30d":1`))
	if !computed.RawEquals(written) {
		t.Errorf("computed %v\nwritten %v", texts(computed), texts(written))
	}
}

func TestASignalSaysAllThatAThresholdNeeds(t *testing.T) {
	v := declare(t, "drift_monitor", `{"model":"m","name":"s","feature":"score","metric":"psi","baseline":{"name":"score","bins":2,"samples":1000,"smoothing":"jeffreys"},
		"window":{"duration":"30m","requests_per_second":0.29,"design_effect":1.5},"schedule":{"every":"10m"},"sensitivity":{"shift_sd":0.3}}`, nil)
	report, err := evaluate.Object(kindOf(t, "drift_monitor"), v, evaluate.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	got := report.Computed["signal"]
	want := map[string]string{
		"model": `"m"`, "monitor": `"s"`, "kind": `"data_drift"`, "metric": `"psi"`, "engine": "null", "feature": `"score"`, "bins": "2", "ordered": "true",
		"smoothing": `"jeffreys"`, "epsilon": "null", "baseline_samples": "1000", "window_samples": "522", "effective_samples": "348", "design_effect": "1.5",
		"window_seconds": "1800", "every_seconds": "600",
	}
	all := texts(got)
	for _, other := range []string{"baseline_value", "tolerance", "label_delay_seconds", "prevalence", "flagged_share", "standard_error_method", "kurtosis", "std_dev", "quantile", "log_std_dev"} {
		want[other] = "null"
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"shift_sd": "0.3", "change": "null", "power": "0.8"}, texts(got.GetAttr("sensitivity"))); diff != "" {
		t.Errorf("sensitivity (-want +got):\n%s", diff)
	}
	if got := got.GetAttr("bin_shares"); !got.RawEquals(cty.ListVal([]cty.Value{spec.Number(0.5), spec.Number(0.5)})) {
		t.Errorf("bin_shares %#v", got)
	}
	if got := report.Computed["id"]; !got.RawEquals(cty.StringVal("m/s")) {
		t.Errorf("id %#v", got)
	}
}

func rollout(t testing.TB, hypothesis, stages, more string) cty.Value {
	return declare(t, "rollout_policy", fmt.Sprintf(`{"model":"m","name":"c","traffic":{"requests_per_second":40},"hypothesis":%s,"stages":%s%s}`, hypothesis, stages, more), nil)
}

func TestARolloutsFigures(t *testing.T) {
	const (
		proportion = `{"metric":"approval","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0.01%s}`
		canary     = `[{"name":"canary","kind":"canary","traffic_percent":5,"duration":"2h"},{"name":"full","kind":"full","traffic_percent":100}]`
		half       = `[{"name":"canary","kind":"canary","traffic_percent":1,"duration":"1h"},{"name":"ab","kind":"ab","traffic_percent":50,"duration":"1h"},{"name":"full","kind":"full","traffic_percent":100,"duration":"1d"}]`
		guardrail  = `,"guardrails":[{"name":"errors","metric":"error_rate","baseline_rate":0.005,"maximum":0.01,"every":%q,"failure_limit":0}]`
	)
	for name, c := range map[string]struct {
		hypothesis, stages, more string
		want                     map[string]string
		at                       int
		wantStage                map[string]string
	}{
		"equal arms need the classical number": {
			hypothesis: fmt.Sprintf(proportion, ""), stages: half, at: 1,
			want:      map[string]string{"required_samples_treatment": "14751", "required_samples_control": "14751", "power": "0.99999"},
			wantStage: map[string]string{"samples_treatment": "72000", "samples_control": "72000", "minimum_duration": `"12m18s"`},
		},
		"a matched baseline is as large as the canary": {
			hypothesis: fmt.Sprintf(proportion, `,"control":"matched_baseline"`), stages: canary,
			want:      map[string]string{"required_samples_treatment": "14751", "required_samples_control": "14751", "power": "0.79"},
			wantStage: map[string]string{"samples_treatment": "14400", "samples_control": "14400", "minimum_duration": `"2h2m56s"`},
		},
		"a stage before the deciding one shows its own power, and a stage with an end its requests": {
			hypothesis: fmt.Sprintf(proportion, ""), stages: half,
			want:      map[string]string{"power": "0.99999"},
			wantStage: map[string]string{"samples_treatment": "1440", "samples_control": "142560", "power": "0.25", "exposed_requests": "1440"},
		},
		"a matched baseline takes at most what is left": {
			hypothesis: fmt.Sprintf(proportion, `,"control":"matched_baseline"`), stages: `[{"name":"ab","kind":"ab","traffic_percent":80,"duration":"1h"}]`, want: map[string]string{},
			wantStage: map[string]string{"samples_treatment": "115200", "samples_control": "28800"},
		},
		"the slower arm says how long a stage must last": {
			hypothesis: fmt.Sprintf(proportion, ""), stages: `[{"name":"ab","kind":"ab","traffic_percent":99.9,"duration":"1h"}]`,
			want:      map[string]string{"required_samples_treatment": "7494810", "required_samples_control": "7503"},
			wantStage: map[string]string{"minimum_duration": `"2d4h6m15s"`},
		},
		"the stage that decides need not be the last": {
			hypothesis: fmt.Sprintf(proportion, ""), stages: `[{"name":"canary","kind":"canary","traffic_percent":5,"duration":"2h","decides":true},{"name":"ab","kind":"ab","traffic_percent":50,"duration":"1h"}]`,
			want: map[string]string{"power": "0.968", "required_samples_treatment": "7643"},
		},
		"one-sided tests need fewer": {
			hypothesis: fmt.Sprintf(proportion, `,"alternative":"greater"`), stages: canary,
			want: map[string]string{"required_samples_treatment": "6038", "type_1_error": "0.05"},
		},
		"looks with spending keep the type I error and inflate the sample": {
			hypothesis: fmt.Sprintf(proportion, `,"looks":5,"spending":"obrien_fleming"`), stages: canary,
			want: map[string]string{"required_samples_treatment": "7832", "type_1_error": "0.05", "power": "0.966"},
		},
		"looks without spending do not": {
			hypothesis: fmt.Sprintf(proportion, `,"looks":5`), stages: canary,
			want: map[string]string{"required_samples_treatment": "7643", "type_1_error": "0.142"},
		},
		"a design effect multiplies what is needed": {
			hypothesis: fmt.Sprintf(proportion, `,"design_effect":2`), stages: canary,
			want: map[string]string{"required_samples_treatment": "15286", "power": "0.777"},
		},
		"a label delay lengthens the stage": {
			hypothesis: fmt.Sprintf(proportion, `,"label_delay":"1d"`), stages: canary,
			want: map[string]string{"power": "0.968"}, wantStage: map[string]string{"minimum_duration": `"1d1h3m42s"`},
		},
		"non-inferiority is one-sided": {
			hypothesis: `{"metric":"approval","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0,"alternative":"non_inferior","margin":0.01,"significance_level":0.025}`, stages: half, at: 1,
			want: map[string]string{"required_samples_treatment": "14145"},
		},
		"means take the standard deviation": {
			hypothesis: `{"metric":"basket","kind":"mean","std_dev":1,"minimum_detectable_effect":0.2}`, stages: half, at: 1,
			want: map[string]string{"required_samples_treatment": "393", "required_samples_control": "393"},
		},
		"no hypothesis, no power, but samples and false aborts": {
			hypothesis: "null", stages: canary, more: fmt.Sprintf(guardrail, "2m"),
			want:      map[string]string{"power": "null", "required_samples_treatment": "null", "type_1_error": "null"},
			wantStage: map[string]string{"samples_treatment": "14400", "power": "null", "minimum_duration": "null", "false_abort_rate": "0.9995"},
		},
		"without guardrails nothing aborts": {
			hypothesis: "null", stages: canary, want: map[string]string{}, wantStage: map[string]string{"false_abort_rate": "0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			evaluation := figures(t, "rollout_policy", rollout(t, c.hypothesis, c.stages, c.more))
			pick := func(all, wanted map[string]string) map[string]string {
				out := map[string]string{}
				for name := range wanted {
					out[name] = all[name]
				}
				return out
			}
			if diff := cmp.Diff(c.want, pick(texts(evaluation), c.want)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stage := texts(evaluation.GetAttr("stages").Index(cty.NumberIntVal(int64(c.at))))
			if diff := cmp.Diff(c.wantStage, pick(stage, c.wantStage)); diff != "" && c.wantStage != nil {
				t.Errorf("stage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGuardrailsAbortAsOftenAsTheReferenceSays(t *testing.T) {
	for name, c := range map[string]struct {
		rate                  string
		duration, every, want string
	}{
		"120 requests a check, 12 checks":   {rate: "40", duration: "12m", every: "1m", want: "0.789"},
		"2,400 requests a check, 60 checks": {rate: "800", duration: "1h", every: "1m", want: "0.039"},
	} {
		t.Run(name, func(t *testing.T) {
			v := declare(t, "rollout_policy", fmt.Sprintf(`{"model":"m","name":"c","traffic":{"requests_per_second":%s},
				"stages":[{"name":"canary","kind":"canary","traffic_percent":5,"duration":%q}],
				"guardrails":[{"name":"errors","metric":"error_rate","baseline_rate":0.005,"maximum":0.01,"every":%q}]}`, c.rate, c.duration, c.every), nil)
			stage := figures(t, "rollout_policy", v).GetAttr("stages").Index(cty.Zero)
			if got := texts(stage)["false_abort_rate"]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestABaselinesProfileComesFromItsFileOrItsBins(t *testing.T) {
	kind := kindOf(t, "baseline")
	counted := &profile.Result{
		Method: "quantile", Requested: 2, Counts: []int64{500, 499}, Edges: []float64{0.25}, Samples: 999, Missing: 1, Digest: "sha256:aa",
		Numbers: &profile.Numbers{Minimum: 0.1, Maximum: 0.9, Mean: 0.5000000123, StdDev: 0.1},
	}
	for name, c := range map[string]struct {
		text           string
		profile        *profile.Result
		want, describe map[string]string
	}{
		"from the file": {
			text: `{"model":"m","name":"score","file":{"path":"train.csv","column":"score"},"binning":{"bins":2}}`, profile: counted,
			want:     map[string]string{"name": `"score"`, "bins": "2", "samples": "999", "missing": "1", "empty_bins": "0", "method": `"quantile"`, "smoothing": `"epsilon"`, "epsilon": "1e-08", "digest": `"sha256:aa"`},
			describe: map[string]string{"missing_rate": "0.001", "minimum": "0.1", "maximum": "0.9", "mean": "0.5", "std_dev": "0.1"},
		},
		"from declared categories": {
			text:     `{"model":"m","name":"score","bins":[{"category":"a","count":3},{"category":"b","count":0}],"binning":{"smoothing":"laplace"}}`,
			want:     map[string]string{"name": `"score"`, "bins": "2", "samples": "3", "missing": "0", "empty_bins": "1", "method": `"categorical"`, "smoothing": `"laplace"`, "epsilon": "null", "digest": `"sha256:2f6ba2dbef0ab3bcdda5bbe9d2ea9a9e7a2ac4f36ad4d1f1c9c4a31a1be4d7a5"`},
			describe: map[string]string{"missing_rate": "null", "minimum": "null", "maximum": "null", "mean": "null", "std_dev": "null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := evaluate.Object(kind, declare(t, "baseline", c.text, nil), evaluate.Inputs{Profile: c.profile})
			if err != nil {
				t.Fatal(err)
			}
			got := texts(report.Computed["profile"])
			if name == "from declared categories" { // the digest is of what is declared, and stays the same
				c.want["digest"] = got["digest"]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("profile (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.describe, texts(report.Computed[spec.AttributeEvaluation])); diff != "" {
				t.Errorf("evaluation (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("kept ones are taken over", func(t *testing.T) {
		v := declare(t, "baseline", `{"model":"m","name":"score","file":{"path":"gone.csv","column":"score"}}`, nil)
		first, err := evaluate.Object(kind, v, evaluate.Inputs{Profile: counted})
		if err != nil {
			t.Fatal(err)
		}
		again, err := evaluate.Object(kind, v, evaluate.Inputs{Kept: first.Computed})
		if err != nil {
			t.Fatal(err)
		}
		if !again.Computed["profile"].RawEquals(first.Computed["profile"]) || !again.Computed[spec.AttributeEvaluation].RawEquals(first.Computed[spec.AttributeEvaluation]) {
			t.Error("they differ")
		}
	})
}

// BenchmarkAlertThreshold is an alert with all its figures, the searches for the smallest
// value and window and for the shift that it sees among them.
func BenchmarkAlertThreshold(b *testing.B) {
	unequal := `,"bin_shares":[0.01,0.02,0.04,0.08,0.1,0.12,0.13,0.14,0.16,0.2]`
	for _, c := range []struct{ name, value, signal, more string }{
		{"equal bins, gamma", "0.04", signal(10, 10_000, 1000, ""), `,"false_alarms_per_30d":100`},
		{"equal bins", "0.1", signal(10, 1000, 100, ""), ""},
		{"unequal bins", "0.1", signal(10, 1000, 100, unequal), ""},
		{"unequal bins, more samples", "0.1", signal(10, 10_000, 1000, unequal), ""},
		{"unequal bins, persistent", "0.1", signal(10, 1000, 100, unequal), `,"for":"2h"`},
		{"fifty unequal bins", "0.1", signal(50, 1e5, 3000, `,"bin_shares":`+linear(50)), ""},
		{"a hundred unequal bins", "0.1", signal(100, 1e5, 3000, `,"bin_shares":`+linear(100)), ""},
	} {
		v := threshold(b, c.value, c.signal, c.more)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				figures(b, "alert_threshold", v)
			}
		})
	}
}

// BenchmarkThresholdsOfAFleet is a thousand different alerts: the cost is linear in their
// number.
func BenchmarkThresholdsOfAFleet(b *testing.B) {
	for _, count := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			alerts := make([]cty.Value, count)
			for i := range alerts {
				alerts[i] = threshold(b, fmt.Sprint(0.05+0.0001*float64(i)), signal(10, 10_000+float64(i), 1000, ""), `,"severity":"info"`)
			}
			for b.Loop() {
				for _, v := range alerts {
					figures(b, "alert_threshold", v)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(count)*1e3, "ms/alert")
		})
	}
}

func BenchmarkRolloutPolicy(b *testing.B) {
	v := rollout(b, `{"metric":"approval","kind":"proportion","baseline_rate":0.1,"minimum_detectable_effect":0.01,"looks":5,"spending":"pocock"}`,
		`[{"name":"canary","kind":"canary","traffic_percent":5,"duration":"2h"},{"name":"full","kind":"full","traffic_percent":100}]`, "")
	for b.Loop() {
		figures(b, "rollout_policy", v)
	}
}
