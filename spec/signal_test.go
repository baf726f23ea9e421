package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// findingsOf are those of an object's own constraints, as text.
func findingsOf(t *testing.T, kind, text string) []string {
	t.Helper()
	k, ok := spec.ByName(kind)
	if !ok {
		t.Fatal(kind)
	}
	v, err := ctyjson.Unmarshal([]byte(text), k.Type())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range k.Check(k.ApplyDefaults(v)) {
		if f.Fix == "" || f.Severity != spec.Error {
			t.Errorf("incomplete: %+v", f)
		}
		out = append(out, fmt.Sprintf("%s %s: %s %s", f.Rule, spec.PathString(f.Path), f.Detail, f.Fix))
	}
	return out
}

func wantFindings(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("findings %q, want %d", got, len(want))
	}
	for i := range want {
		for _, part := range strings.Split(want[i], " ... ") {
			if !strings.Contains(got[i], part) {
				t.Errorf("%q lacks %q", got[i], part)
			}
		}
	}
}

func TestASignalNeedsWhatItsKindAndMetricNeed(t *testing.T) {
	const times = `"model":"m","monitor":"s","window_samples":500,"window_seconds":3600,"every_seconds":3600,`
	for name, c := range map[string]struct {
		signal, operator, value string
		want                    []string
	}{
		"data drift needs bins and the baseline's size": {
			signal: `"kind":"data_drift","metric":"psi"`, operator: ">", value: "0.1",
			want: []string{"meta/missing-attribute signal.bins: A data_drift signal needs signal.bins.", "signal.baseline_samples"},
		},
		"data drift is complete": {signal: `"kind":"data_drift","metric":"psi","bins":10,"baseline_samples":100`, operator: ">", value: "0.1"},
		"data drift is bad where it is high": {
			signal: `"kind":"data_drift","metric":"psi","bins":10,"baseline_samples":100`, operator: "<", value: "0.1",
			want: []string{`operator is "<": psi is bad where it is high ... Set operator to ">"`},
		},
		"no data drift is above a million": {
			signal: `"kind":"data_drift","metric":"psi","bins":10,"baseline_samples":100`, operator: ">", value: "1000001",
			want: []string{"value is 1000001: must be at most 1000000"},
		},
		"a metric of another kind": {
			signal: `"kind":"service","metric":"auc","baseline_value":0.9`, operator: "<", value: "0.8",
			want: []string{`signal.metric is "auc": the metrics of a service signal are "error_rate", "latency", "resource", "throughput"`},
		},
		"performance needs its baseline, and an AUC its prevalence": {
			signal: `"kind":"performance","metric":"auc"`, operator: "<", value: "0.8",
			want: []string{"signal.baseline_value", `A metric of "auc" needs signal.prevalence. Set prevalence`},
		},
		"an AUC is bad where it is low": {
			signal: `"kind":"performance","metric":"auc","baseline_value":0.9,"prevalence":0.1`, operator: ">=", value: "0.8",
			want: []string{`auc is bad where it is low ... Set operator to "<="`},
		},
		"a latency is bad where it is high": {
			signal: `"kind":"service","metric":"latency","baseline_value":0.2,"quantile":0.99,"log_std_dev":0.5`, operator: "<", value: "0.3",
			want: []string{"latency is bad where it is high"},
		},
		"a throughput is bad where it is low": {signal: `"kind":"service","metric":"throughput","baseline_value":20`, operator: "<", value: "10"},
		"a share is below 1": {
			signal: `"kind":"service","metric":"error_rate","baseline_value":0.2`, operator: ">", value: "2",
			want: []string{"value is 2: an error_rate is a share, below 1. Shares are written"},
		},
		"so is the healthy one": {
			signal: `"kind":"performance","metric":"accuracy","baseline_value":95`, operator: "<", value: "0.9",
			want: []string{"signal.baseline_value is 95: an accuracy is a share"},
		},
		"a value that is passed already": {
			signal: `"kind":"performance","metric":"accuracy","baseline_value":0.9`, operator: "<", value: "0.92",
			want: []string{"value is 0.92: while all is well, an accuracy is at 0.9 already ... Set value below 0.9."},
		},
		"or just not": {
			signal: `"kind":"service","metric":"error_rate","baseline_value":0.01`, operator: ">", value: "0.01",
			want: []string{"Set value above 0.01."},
		},
		"a parameter of another metric": {
			signal: `"kind":"service","metric":"error_rate","baseline_value":0.01,"quantile":0.9`, operator: ">", value: "0.02",
			want: []string{`signal.quantile: is for latency, and the metric is "error_rate". Remove quantile.`},
		},
		"a change that leaves nothing": {
			signal: `"kind":"service","metric":"error_rate","baseline_value":0.3,"sensitivity":{"change":0.7,"power":0.8}`, operator: ">", value: "0.4",
			want: []string{"signal.sensitivity.change is 0.7: from 0.3, an error_rate can only worsen by less than 0.7"},
		},
		"latencies are spread somehow": {
			signal: `"kind":"service","metric":"latency","baseline_value":0.2,"quantile":0.99`, operator: ">", value: "0.3",
			want: []string{"signal.log_std_dev: the noise of a quantile ... Set baseline to the profile of measured latencies, or log_std_dev"},
		},
		"and in one way": {
			signal: `"kind":"service","metric":"latency","baseline_value":0.2,"quantile":0.5,"log_std_dev":0.5,"bins":2,"edges":[0.2]`, operator: ">", value: "0.3",
			want: []string{"Remove one of them."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf(`{"model":"m","name":"a","operator":%q,"value":%s,"signal":{%s%s}}`, c.operator, c.value, times, c.signal)
			wantFindings(t, findingsOf(t, "alert_threshold", text), c.want...)
		})
	}
}

func TestMonitorsOfPerformanceAndServiceSayWhatGoesTogether(t *testing.T) {
	const (
		perf    = `{"model":"m","name":"s","schedule":{"every":"1d"},"window":{"duration":"7d"},`
		service = `{"model":"m","name":"s","schedule":{"every":"5m"},`
		profile = `"baseline":{"name":"l","bins":4,"samples":1000,"edges":[0.1,0.2,0.3],"shares":[0.5,0.4,0.09,0.01]}`
	)
	for name, c := range map[string]struct {
		kind, text string
		want       []string
	}{
		"labels are counted in one way": {
			kind: "performance_monitor", text: perf + `"metric":"accuracy","baseline_value":0.9,"tolerance":0.1,"labels":{"delay":"1d"}}`,
			want: []string{`labels.samples: exactly one of "samples", "requests_per_second" must be set in labels, and none is`},
		},
		"a share of labelled rows is of requests": {
			kind: "performance_monitor", text: perf + `"metric":"accuracy","baseline_value":0.9,"tolerance":0.1,"labels":{"delay":"1d","samples":10,"labelled_share":0.5}}`,
			want: []string{"labels.labelled_share: samples counts labelled rows already"},
		},
		"precision needs the share that is flagged": {
			kind: "performance_monitor", text: perf + `"metric":"precision","baseline_value":0.9,"tolerance":0.1,"labels":{"delay":"1d","samples":10}}`,
			want: []string{"meta/missing-attribute flagged_share"},
		},
		"a kurtosis is of an RMSE": {
			kind: "performance_monitor", text: perf + `"metric":"accuracy","baseline_value":0.9,"tolerance":0.1,"kurtosis":5,"labels":{"delay":"1d","samples":10}}`,
			want: []string{"kurtosis: is for rmse"},
		},
		"a tolerance leaves something": {
			kind: "performance_monitor", text: perf + `"metric":"accuracy","baseline_value":0.9,"tolerance":3,"labels":{"delay":"1d","samples":10}}`,
			want: []string{"tolerance is 3: from 0.9, an accuracy can only worsen by less than 0.9. Changes are absolute"},
		},
		"an error may grow as far as it likes": {
			kind: "performance_monitor", text: perf + `"metric":"mae","std_dev":3,"baseline_value":4,"tolerance":30,"labels":{"delay":"1d","samples":10}}`,
		},
		"F1 has no law": {
			kind: "performance_monitor", text: perf + `"metric":"f1","baseline_value":0.9,"tolerance":0.1,"labels":{"delay":"1d","samples":10}}`,
			want: []string{`metric is "f1": must be one of "accuracy", "auc", "mae", "precision", "recall", "rmse"`},
		},
		"a throughput counts itself": {
			kind: "service_monitor", text: service + `"metric":"throughput","baseline_value":3,"window":{"duration":"5m","samples":900}}`,
			want: []string{"window.samples: the throughput is what the window counts"},
		},
		"requests are counted in one way": {
			kind: "service_monitor", text: service + `"metric":"error_rate","baseline_value":0.01,"window":{"duration":"5m","samples":900,"requests_per_second":3}}`,
			want: []string{"window.requests_per_second"},
		},
		"a window has an observation": {
			kind: "service_monitor", text: service + `"metric":"error_rate","baseline_value":0.01,"window":{"duration":"5m","requests_per_second":0.001}}`,
			want: []string{"a window of 5m then has less than one observation"},
		},
		"a profile's quantile is the baseline value": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.99,"baseline_value":0.3,"window":{"duration":"5m","samples":900},` + profile + `}`,
		},
		"or lies beyond its last edge": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.999,"baseline_value":0.5,"window":{"duration":"5m","samples":900},` + profile + `}`,
		},
		"another one is refused": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.95,"baseline_value":0.5,"window":{"duration":"5m","samples":900},` + profile + `}`,
			want: []string{"baseline_value is 0.5: by the baseline, the quantile 0.95 of the latency lies between 0.2 and 0.3"},
		},
		"and one below the last edge": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.999,"baseline_value":0.25,"window":{"duration":"5m","samples":900},` + profile + `}`,
			want: []string{"lies above 0.3"},
		},
		"a profile that says nothing but the quantile": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.99,"baseline_value":0.3,"window":{"duration":"5m","samples":900},"baseline":{"name":"l","bins":2,"samples":1000,"edges":[0.3],"shares":[0.99,0.01]}}`,
			want: []string{"baseline.edges: besides the quantile itself, no edge has latencies on both sides"},
		},
		"a profile without an edge's value": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.99,"baseline_value":0.3,"window":{"duration":"5m","samples":900},"baseline":{"name":"l","bins":2,"samples":1000,"edges":[null]}}`,
			want: []string{"baseline.edges: latencies are above 0"},
		},
		"a profile of logarithms is refused": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.5,"baseline_value":0.5,"window":{"duration":"5m","samples":900},"baseline":{"name":"l","bins":2,"samples":10,"edges":[-1]}}`,
			want: []string{"baseline.edges: latencies are above 0"},
		},
		"a profile needs edges": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.5,"log_std_dev":1,"baseline_value":0.5,"window":{"duration":"5m","samples":900},"baseline":{"name":"l","bins":2,"samples":10}}`,
			want: []string{"baseline.edges: the law of a latency is read from the edges"},
		},
		"as many as there are between bins": {
			kind: "service_monitor", text: service + `"metric":"latency","quantile":0.5,"baseline_value":0.5,"window":{"duration":"5m","samples":900},"baseline":{"name":"l","bins":3,"samples":10,"edges":[0.5]}}`,
			want: []string{"there are 1 edges between 3 bins"},
		},
		"a baseline is of latencies": {
			kind: "service_monitor", text: service + `"metric":"error_rate","baseline_value":0.01,"window":{"duration":"5m","samples":900},` + profile + `}`,
			want: []string{"baseline: is for latency"},
		},
	} {
		t.Run(name, func(t *testing.T) { wantFindings(t, findingsOf(t, c.kind, c.text), c.want...) })
	}
}

func TestAnUnknownSignalIsNotJudgedYet(t *testing.T) {
	k, _ := spec.ByName("alert_threshold")
	v, err := ctyjson.Unmarshal([]byte(`{"model":"m","name":"a","operator":"<","value":3,"signal":{"model":"m","monitor":"s","kind":"service","metric":"error_rate","baseline_value":0.1,"window_samples":5,"window_seconds":60,"every_seconds":60}}`), k.Type())
	if err != nil {
		t.Fatal(err)
	}
	v = k.ApplyDefaults(v)
	for _, name := range []string{"kind", "metric"} {
		later, err := cty.Transform(v, func(path cty.Path, leaf cty.Value) (cty.Value, error) {
			if path.Equals(cty.GetAttrPath("signal").GetAttr(name)) {
				return cty.UnknownVal(leaf.Type()), nil
			}
			return leaf, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if findings := k.Check(later); len(findings) > 0 {
			t.Errorf("unknown %s: %v", name, findings)
		}
	}
}
