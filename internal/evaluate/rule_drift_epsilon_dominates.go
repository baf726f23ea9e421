package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var epsilonDominates = Rule{
	ID: "drift/epsilon-dominates", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "One empty bin raises the alert",
	Check: judge(func(s *thresholdSubject) Verdict {
		if !s.known {
			return later
		}
		a := s.alarm
		if !s.measured || !exists(a.budget) || a.single() || !a.emptyBinsCount() || a.smoothing.Method != stats.SmoothingEpsilon {
			return pass
		}
		share, adds := a.emptied()
		if !(a.strict(a.value) < adds) {
			return pass
		}
		law, err := s.laws.at(a.effective)
		counts, ok := law.law.(*stats.NoDrift)
		if err != nil || !ok {
			return pass
		}
		chance := roundProbability(counts.AnyEmptyBin())
		month := round(a.evaluations() * chance)
		if month <= a.budget/10 {
			return pass
		}
		if s.figures.month > a.budget && month < s.figures.month/2 {
			return pass // most false alarms have another cause: drift/noise-floor tells
		}
		value := stats.RoundUpSignificant(adds, digits)
		if a.strict(value) < adds {
			value = gridValue(gridIndex(value) + 1)
		}
		set := "Set"
		if engine, ok := s.declared.Signal.Fields().Engine.Get(); ok {
			set = fmt.Sprintf("Remove the monitor's engine %q, which smooths in its own way, and set", engine)
		}
		return found(spec.Finding{
			Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("With %s, a window leaves a bin empty with probability %s though nothing has drifted: %s times in 30 days, evaluated every %s; %s. A bin of the smallest share, %s, adds %s when it is empty, because %s takes the place of its share; the value is %s. The alert then tells what epsilon is, not what the data are.",
				a.describe(), show(chance), show(month), showSeconds(a.everySeconds), a.budgetText(), show(round(share)), show(adds), show(a.smoothing.Epsilon), show(a.value)),
			Fix: fmt.Sprintf(`%s smoothing = "jeffreys" where the baseline is declared, which adds half a count to every bin; or use fewer bins or a longer window, so that none is empty; or raise value to %s, which one empty bin does not pass.`,
				set, show(value)),
			Alternatives: []spec.Change{change(map[string]cty.Value{"value": spec.Number(value)})},
		})
	}),
}

// emptyBinsCount reports whether a bin that a window leaves empty adds the logarithm of
// epsilon: to the other metrics it adds what its share is.
func (s sampling) emptyBinsCount() bool {
	return s.binned() && (s.metric.Law == stats.MetricPSI || s.metric.Law == stats.MetricKLReverse)
}

// emptied is the smallest share that is not nothing, and what its bin adds to the metric,
// as it is shown, when a window leaves it empty.
func (a alarm) emptied() (share, adds float64) {
	share = 1
	for _, p := range a.shares {
		if p > 0 {
			share = min(share, p)
		}
	}
	weight := share
	if a.metric.Law == stats.MetricKLReverse {
		weight += a.smoothing.Epsilon
	}
	return share, round(weight * math.Log(share/a.smoothing.Epsilon+1))
}
