// Package prometheus compiles drift monitors and their alert thresholds to Prometheus
// rule files, each with a promtool unit test made from the same policy.
//
// The exporter offers a classic histogram of each feature's values whose bucket bounds
// include the baseline's edges. Rules take the buckets apart into bins, record each
// bin's count and share and the index, and alert on it, behind a gate of the smallest
// sample for which the policy was judged. A monitor that cannot be measured alerts too:
// absence is not health.
package prometheus

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile"
)

// Target compiles to Prometheus.
type Target struct{}

// Name is "prometheus".
func (Target) Name() string { return "prometheus" }

// Capabilities are drift monitors and alerts on them.
func (Target) Capabilities() compile.Capabilities {
	return compile.Capabilities{
		Carries: []string{"drift_monitor", "alert_threshold"},
		Reads:   []string{"registered_model", "baseline"},
	}
}

// Emit makes a rule file for each model, <model>.rules.yml, and its unit test,
// tests/<model>_test.yml: apart, because Prometheus refuses to start when its glob of
// rule files also matches a test.
func (Target) Emit(objects []compile.Object, options compile.Options) compile.Result {
	models, result := join(objects)
	if len(result.Refusals) > 0 {
		return result
	}
	names := fileNames(slices.Collect(maps.Keys(models)))
	for _, model := range slices.Sorted(maps.Keys(models)) {
		f := &file{model: model, monitors: models[model], version: options.Version}
		var err error
		if f.digest, err = digest(declaredFor(objects, f)); err != nil {
			result.Refusals = append(result.Refusals, compile.Refusal{Address: f.monitors[0].address, Why: err.Error()})
			continue
		}
		rules := names[model] + ".rules.yml"
		result.Artifacts = append(result.Artifacts,
			compile.Artifact{Path: rules, Content: f.rules()},
			compile.Artifact{Path: "tests/" + names[model] + "_test.yml", Content: f.test("../" + rules)})
	}
	return result
}

func declaredFor(objects []compile.Object, f *file) []compile.Object {
	wanted := map[string]bool{}
	for _, m := range f.monitors {
		wanted[m.address] = true
		for _, t := range m.thresholds {
			wanted[t.address] = true
		}
	}
	var out []compile.Object
	for _, object := range objects {
		if wanted[object.Address] {
			out = append(out, object)
		}
	}
	return out
}

// fileNames makes a file's name of each model's, and keeps names apart that differ
// only in what file systems do not tell apart.
func fileNames(models []string) map[string]string {
	slices.Sort(models)
	count := map[string]int{}
	for _, model := range models {
		count[strings.ToLower(slug(model))]++
	}
	out := map[string]string{}
	for _, model := range models {
		name := slug(model)
		if name != model || count[strings.ToLower(name)] > 1 {
			sum := sha256.Sum256([]byte(model))
			name += "-" + hex.EncodeToString(sum[:])[:8]
		}
		out[model] = name
	}
	return out
}

func slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
}
