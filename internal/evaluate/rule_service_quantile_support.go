package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var quantileSupport = Rule{
	ID: "service/quantile-support", Severity: spec.Warning, Kind: "service_monitor",
	Summary: "Too few requests for the quantile",
	Check: judge(func(s serviceSubject) Verdict {
		switch metric, ok := s.declared.Metric.Get(); {
		case ok && metric != "latency":
			return pass
		case !s.known:
			return later
		}
		e := s.estimate
		required, ok := e.support()
		if !ok || e.effective >= required {
			return pass
		}
		beyond := float64(e.effective) * (1 - e.quantile)
		finding := spec.Finding{
			Path: s.declared.Window.Path(),
			Detail: fmt.Sprintf("Of a window's %s, %s are expected beyond the quantile %s. The largest and the smallest of them then bound that quantile with less than %s confidence, whatever the law of the latency: what is measured is close to the slowest request. %s needed.",
				e.rows(), show(round(beyond)), show(e.quantile), show(rankConfidence), plural(float64(required), "independent request is", "independent requests are")),
			Fix: "Use a lower quantile, or collect the latencies over a longer time.",
		}
		var ways []string
		if duration, samples, ok := s.longerWindow(float64(required)); ok {
			ways = append(ways, fmt.Sprintf("lengthen window.duration to %q, which collects %s at the same traffic", duration, plural(samples, "request", "requests")))
			assign := map[string]cty.Value{"window.duration": cty.StringVal(duration.String())}
			if !s.declared.Window.Fields().Samples.IsNull() {
				assign["window.samples"] = spec.Number(samples)
			}
			finding.Alternatives = append(finding.Alternatives, change(assign))
		}
		for _, lower := range []float64{0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.75, 0.5} {
			lesser := e
			lesser.quantile = lower
			if enough, ok := lesser.support(); ok && lower < e.quantile && enough <= e.effective {
				ways = append(ways, fmt.Sprintf("watch the quantile %s, for which these suffice, with its own baseline_value", show(lower)))
				break
			}
		}
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}

// longerWindow is the shortest window, as a person would write it, with so many effective
// samples; false where no time is long enough.
func (s serviceSubject) longerWindow(effective float64) (spec.Duration, float64, bool) {
	e := s.estimate
	needed := e.durationOf(ceil(effective * e.designEffect))
	for range 20 {
		if e.window < 1 || !(needed < maximumSeconds) {
			return 0, 0, false
		}
		duration := niceDuration(needed)
		if samples := e.samplesIn(duration.Seconds()); float64(effectiveSamples(samples, e.designEffect)) >= effective {
			return duration, samples, true
		}
		needed = duration.Seconds() * 1.02
	}
	return 0, 0, false
}
