package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// leastLabels is how many rows a figure needs in each class that it counts: with 50, a
// share is known to 7 percentage points.
const leastLabels = 50

var performanceLabelSupport = Rule{
	ID: "performance/label-support", Severity: spec.Warning, Kind: "performance_monitor",
	Summary: "Too few labelled rows for the metric",
	Check: judge(func(s performanceSubject) Verdict {
		if !s.known {
			return later
		}
		e := s.estimate
		scarce, share, what := e.scarcest()
		if expected := float64(e.effective) * share; !(e.spanSeconds > 0) || expected >= leastLabels-tolerance(leastLabels) {
			return pass // without a span there are none at all: performance/label-delay tells
		}
		finding := spec.Finding{
			Path:   s.declared.Labels.Path(),
			Detail: fmt.Sprintf("Of a window's %s, %s are %s; below %d, a few rows decide the metric.", e.rows(), show(round(float64(e.effective)*share)), what, leastLabels),
			Fix:    fmt.Sprintf("Label more rows: the metric needs %s.", plural(ceil(leastLabels/share*e.designEffect), "labelled row", "labelled rows")),
		}
		if duration, samples, ok := s.longerWindow(scarce); ok {
			finding.Fix = fmt.Sprintf("Lengthen window.duration to %q, which collects %s at the same traffic; or label a larger share of the requests.", duration, plural(samples, "labelled row", "labelled rows"))
			finding.Alternatives = []spec.Change{change(s.windowOf(duration, samples))}
		}
		return found(finding)
	}),
}

// scarcest is how many effective rows the metric needs, and the share and the name of
// those that are scarce among them.
func (e estimate) scarcest() (needed, share float64, what string) {
	share, what = 1, "independent and labelled"
	switch e.metric {
	case "recall":
		share, what = e.share, "positives"
	case "precision":
		share, what = e.share, "predicted positive"
	case "auc":
		share, what = e.share, "positives"
		if share > 0.5 {
			share, what = 1-share, "negatives"
		}
	}
	return leastLabels / share, share, what
}

// longerWindow is the shortest window, as a person would write it, with so many effective
// rows; false where no time is long enough.
func (s performanceSubject) longerWindow(effective float64) (spec.Duration, float64, bool) {
	e := s.estimate
	samples := ceil(ceil(effective) * e.designEffect)
	if e.window < 1 {
		return 0, 0, false
	}
	needed := e.durationOf(samples)
	for range 20 {
		if !(needed < maximumSeconds) {
			return 0, 0, false
		}
		duration := niceDuration(needed)
		if collected := e.samplesIn(duration.Seconds()); float64(effectiveSamples(collected, e.designEffect)) >= math.Ceil(effective) {
			return duration, collected, true
		}
		needed = duration.Seconds() * 1.02
	}
	return 0, 0, false
}

// windowOf assigns a longer window, and its samples where the monitor counts them.
func (s performanceSubject) windowOf(duration spec.Duration, samples float64) map[string]cty.Value {
	assign := map[string]cty.Value{"window.duration": cty.StringVal(duration.String())}
	if !s.declared.Labels.Fields().Samples.IsNull() {
		assign["labels.samples"] = spec.Number(samples)
	}
	return assign
}
