package evaluate

import (
	"fmt"
	"math"
	"slices"

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
		highest := a.highest()
		finding := spec.Finding{
			Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("Over %s with windows of %s samples and smoothing %q, %s is at most %s, when all of a window falls into one bin. The value %s is never passed, whatever the drift.",
				plural(float64(a.bins()), "bin", "bins"), show(a.window), a.smoothing.Method, s.declared.Signal.Fields().Metric.Or("the metric"), show(round(highest)), show(a.value)),
			Fix: "Use more than one bin: a single bin has all values before and after.",
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
	highest := a.highest()
	return !exists(highest) || a.strict(a.value) < highest
}

// highest is the largest PSI that any window can have against the baseline's
// shares: it is convex in the window's shares, so it is reached where all of them
// fall into one bin. None where it is unbounded.
func (a alarm) highest() float64 {
	add, epsilon := 0.0, 0.0
	switch a.smoothing.Method {
	case stats.SmoothingLaplace:
		add = 1
	case stats.SmoothingJeffreys:
		add = 0.5
	case stats.SmoothingEpsilon:
		epsilon = a.smoothing.Epsilon
	}
	bins, n, m := float64(a.bins()), float64(a.baseline), float64(a.effective)
	empty := add/(m+add*bins) + epsilon
	full := (m+add)/(m+add*bins) + epsilon
	if a.bins() == 1 {
		return 0
	}
	if empty == 0 {
		return none
	}
	without, gains := 0.0, make([]float64, a.bins())
	for i, p := range a.shares {
		expected := (n*p+add)/(n+add*bins) + epsilon
		if expected == 0 {
			return none
		}
		term := (empty - expected) * math.Log(empty/expected)
		without += term
		gains[i] = (full-expected)*math.Log(full/expected) - term
	}
	return without + slices.Max(gains)
}
