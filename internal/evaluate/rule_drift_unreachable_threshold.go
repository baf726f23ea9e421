package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var unreachableThreshold = Rule{
	ID: "drift/unreachable-threshold", Severity: spec.Error, Kind: "alert_threshold",
	Summary: "The threshold cannot be reached",
	Check: judge(func(s *thresholdSubject) Verdict {
		if !s.known {
			return later
		}
		a := s.alarm
		if !s.measured || a.reachable() {
			return pass
		}
		highest := a.highest(a.effective)
		finding := spec.Finding{
			Path:   s.declared.Value.Path(),
			Detail: fmt.Sprintf("%s The value %s is never passed, whatever the drift.", a.explainHighest(highest), show(a.value)),
			Fix:    "Use more than one bin: a single bin has all values before and after.",
		}
		if highest > 0 {
			// What keeps the false alarms in their budget is the most useful value
			// below the highest; without one, half of the highest.
			value := stats.RoundDownSignificant(highest/2, digits)
			why := "half of what can be reached"
			if lowest := s.figures.smallestValue; exists(lowest) && lowest < highest {
				value, why = lowest, "the smallest value that keeps the budget of false alarms"
			}
			finding.Fix = fmt.Sprintf("Lower value to %s, %s.", show(value), why)
			finding.Alternatives = []spec.Change{change(map[string]cty.Value{"value": spec.Number(value)})}
		}
		return found(finding)
	}),
}

// reachable reports whether any window at all can pass the value.
func (a alarm) reachable() bool {
	highest := a.highest(a.effective)
	return !exists(highest) || a.strict(a.value) < highest
}

// explainHighest says what the metric cannot exceed, and why.
func (a alarm) explainHighest(highest float64) string {
	if !a.binned() {
		return fmt.Sprintf("%s is at most %s by its definition, when a window and the baseline have nothing in common.", a.metric.Name, show(round(highest)))
	}
	smoothing := fmt.Sprintf(" and smoothing %q", a.smoothing.Method)
	if a.unsmoothed() {
		smoothing = ""
	}
	return fmt.Sprintf("Over %s with windows of %s samples%s, %s is at most %s, when all of a window falls into one bin.",
		plural(float64(a.bins()), "bin", "bins"), show(a.window), smoothing, a.metric.Name, show(round(highest)))
}
