package spec_test

import (
	"strings"
	"testing"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func TestAMetricThatAnEngineHasNotIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		monitor, signal string // attributes
		want            []string
	}{
		"every metric but those of values is one of categories": {
			monitor: `"metric":"chi2","baseline":{"name":"b","bins":2,"samples":10,"method":"categorical"}`,
			signal:  `"metric":"chi2","ordered":false`,
		},
		"an engine has its own": {
			monitor: `"metric":"hellinger","engine":"nannyml","baseline":{"name":"b","bins":2,"samples":10}`,
			signal:  `"metric":"hellinger","engine":"nannyml"`,
		},
		"and for categories others": {
			monitor: `"metric":"l_infinity","engine":"nannyml","baseline":{"name":"b","bins":2,"samples":10,"categories":["a","b"]}`,
			signal:  `"metric":"l_infinity","engine":"nannyml","ordered":false`,
		},
		"an engine has not the others": {
			monitor: `"metric":"psi","engine":"nannyml","baseline":{"name":"b","bins":2,"samples":10}`,
			signal:  `"metric":"psi","engine":"nannyml"`,
			want:    []string{`"psi"`, `not computed by the engine "nannyml" for numbers`, `"js_distance_base2", "hellinger", "ks"`, "remove engine"},
		},
		"nor for categories": {
			monitor: `"metric":"l_infinity","engine":"azure","baseline":{"name":"b","bins":2,"samples":10,"method":"categorical"}`,
			signal:  `"metric":"l_infinity","engine":"azure","ordered":false`,
			want:    []string{`for categories`, `"psi", "js_distance_base2"`},
		},
		"NannyML's distance is in a unit that nobody knows": {
			monitor: `"metric":"wasserstein","engine":"nannyml","baseline":{"name":"b","bins":2,"samples":10}`,
			signal:  `"metric":"wasserstein","engine":"nannyml"`,
			want:    []string{"in the values' unit"},
		},
		"categories have no order": {
			monitor: `"metric":"ks","baseline":{"name":"b","bins":2,"samples":10,"categories":["a","b"]}`,
			signal:  `"metric":"ks","ordered":false`,
			want:    []string{"the baseline has categories", `"js_distance"`},
		},
		"a metric that does not exist": {
			monitor: `"metric":"jss","baseline":{"name":"b","bins":2,"samples":10}`,
			signal:  `"metric":"jss"`,
			want:    []string{`"jss"`, `"js_distance"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, text := range map[string]string{
				"drift_monitor":   `{"model":"m","name":"s","feature":"f","window":{"duration":"1h","samples":500},"schedule":{"every":"1h"},` + c.monitor + `}`,
				"alert_threshold": `{"model":"m","name":"a","value":0.1,"signal":{"model":"m","monitor":"s","kind":"data_drift","bins":2,"baseline_samples":10,"window_samples":500,"window_seconds":3600,"every_seconds":3600,` + c.signal + `}}`,
			} {
				k, _ := spec.ByName(kind)
				v, err := ctyjson.Unmarshal([]byte(text), k.Type())
				if err != nil {
					t.Fatal(err)
				}
				findings := k.Check(k.ApplyDefaults(v))
				if len(c.want) == 0 {
					if len(findings) > 0 {
						t.Errorf("%s: %v", kind, findings)
					}
					continue
				}
				if len(findings) != 1 {
					t.Fatalf("%s: %v", kind, findings)
				}
				text := findings[0].Detail + findings[0].Fix
				for _, want := range c.want {
					if !strings.Contains(text, want) {
						t.Errorf("%s: %q is not in: %s", kind, want, text)
					}
				}
				if !strings.HasSuffix(spec.PathString(findings[0].Path), "metric") {
					t.Errorf("%s: at %s", kind, spec.PathString(findings[0].Path))
				}
			}
		})
	}
}
