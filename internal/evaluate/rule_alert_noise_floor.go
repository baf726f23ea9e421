package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var alertNoiseFloor = Rule{
	ID: "alert/noise-floor", Severity: spec.Error, Kind: "alert_threshold",
	Summary: "The alert fires on sampling noise",
	Check: judge(func(s *estimateSubject) Verdict {
		switch {
		case !s.known:
			return later
		case !s.measured || !exists(s.alarm.budget) || s.figures.month <= s.alarm.budget:
			return pass
		}
		a, f := s.alarm, s.figures
		severity := spec.Error
		if f.monthlyNotifiable <= a.budget {
			severity = spec.Warning
		}
		finding := spec.Finding{
			Severity: severity, Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("%s, noise alone takes it %s %s with probability %s in each evaluation. %s; %s. %s",
				s.described(), a.side(), show(a.value), show(f.rate), a.monthlyFixed(f.firing), a.budgetText(), caveat),
			Fix: "Measure over a much longer window, or more rarely: no value keeps the budget.",
		}
		var ways []string
		if exists(f.smallestValue) {
			way := fmt.Sprintf("set value to %s", show(f.smallestValue))
			if exists(a.change) {
				if seen, err := a.seen(f.smallestValue, a.change); err == nil {
					way += fmt.Sprintf(" (one evaluation then sees a worsening by %s with probability %s)", show(a.change), show(seen))
				}
			}
			ways = append(ways, way)
			finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{"value": spec.Number(f.smallestValue)}))
		}
		if duration, samples, ok := s.longerWindow(); ok {
			ways = append(ways, fmt.Sprintf("lengthen the monitor's window.duration to %q, which collects %s at the same traffic", duration, a.estimate.counted(samples)))
			finding.Alternatives = append(finding.Alternatives, a.estimate.lengthen(duration, samples))
		}
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}

// side says where the alert fires.
func (a estimateAlarm) side() string {
	switch lower := spec.LowerIsWorse(a.estimate.metric); {
	case lower && a.inclusive:
		return "to or below"
	case lower:
		return "below"
	case a.inclusive:
		return "to or above"
	}
	return "above"
}

// monthlyFixed tells what a probability comes to in 30 days, where no baseline is drawn.
func (a estimateAlarm) monthlyFixed(f firing) string {
	text := fmt.Sprintf("Evaluated every %s, ", showSeconds(a.everySeconds))
	if a.agreeing() > 1 {
		text += fmt.Sprintf("with %s evaluations in a row that must agree, ", show(a.agreeing()))
	}
	text += plural(f.month, "evaluation fires", "evaluations fire") + " falsely in 30 days"
	if f.overlap > 1 {
		text += fmt.Sprintf(", about %s, because %s windows overlap at a time", plural(f.monthlyNotifiable, "notification", "notifications"), show(f.overlap))
	}
	return text
}
