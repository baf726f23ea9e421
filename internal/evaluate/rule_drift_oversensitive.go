package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// negligibleShift is a shift of the mean, in standard deviations, that nobody acts on.
const negligibleShift = 0.05

var oversensitive = Rule{
	ID: "drift/oversensitive", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "The alert fires on a shift that does not matter",
	Check: judge(func(s *thresholdSubject) Verdict {
		if !s.known {
			return later
		}
		a, f := s.alarm, s.figures
		switch {
		case !s.measured || !exists(f.power) || f.power <= 0.5 && a.shift >= negligibleShift || !a.reachable():
			return pass
		case exists(a.budget) && f.month > a.budget:
			return pass // noise alone fires too often: drift/noise-floor tells
		case a.sensitive && a.shift <= negligibleShift:
			return pass // so it was asked for
		}
		seen, err := s.seenShifted(a.value)
		if err != nil || seen <= 0.5 {
			return pass
		}
		finding := spec.Finding{
			Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("With %s, one evaluation takes a shift of the mean by %s standard deviations above %s with probability %s. Evaluated every %s, it fires again and again on a difference that changes no decision.",
				a.describe(), show(negligibleShift), show(a.value), show(seen), showSeconds(a.everySeconds)),
			Fix: "Use a shorter window: with fewer samples, what does not matter is not seen.",
		}
		value, err := smallestOnGrid(smallestAnyValue, largestValue, a.value, func(value float64) (bool, error) {
			seen, err := s.seenShifted(value)
			return value > a.value && seen <= 0.5, err
		})
		if err == nil && exists(value) {
			finding.Fix = fmt.Sprintf("Raise value to %s, or as high as a drift that matters still passes", show(value))
			if seen, err := s.seenAt(value); err == nil {
				finding.Fix += fmt.Sprintf(" (at %s, a shift of %s standard deviations is seen with probability %s)", show(value), show(a.shift), show(seen))
			}
			finding.Fix += "."
			finding.Alternatives = []spec.Change{change(map[string]cty.Value{"value": spec.Number(value)})}
		}
		return found(finding)
	}),
}

// seenShifted is the probability that a negligible shift passes a value.
func (s *thresholdSubject) seenShifted(value float64) (float64, error) {
	law, err := s.laws.at(s.alarm.effective)
	if err != nil {
		return none, err
	}
	return s.alarm.seen(law, value, negligibleShift)
}
