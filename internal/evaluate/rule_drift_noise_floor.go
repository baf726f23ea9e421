package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var noiseFloor = Rule{
	ID: "drift/noise-floor", Severity: spec.Error, Kind: "alert_threshold",
	Summary: "The alert fires on noise",
	Check: judge(func(s *thresholdSubject) Verdict {
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
		fix, alternatives := quieter(s)
		return found(spec.Finding{
			Severity: severity, Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("With %s, noise alone takes %s %s %s with probability %s in each evaluation. %s; %s. %s",
				a.describe(), a.metric.Name, a.verb(s.declared.Operator.Or(">")), show(a.value), show(f.rate),
				a.monthly(f.firing), a.budgetText(), caveat),
			Fix: fix, Alternatives: alternatives,
		})
	}),
}

// caveat says what the number leaves out.
const caveat = "Independent observations are assumed: correlated ones fire more often."

// describe names the sample sizes.
func (a alarm) describe() string {
	text := fmt.Sprintf("%sa baseline of %s samples and windows of %s", a.describeBins(), show(float64(a.baseline)), show(a.window))
	if a.designEffect != 1 {
		text += fmt.Sprintf(" (worth %s independent ones at a design effect of %s)", show(float64(a.effective)), show(round(a.designEffect)))
	}
	return text
}

func (a alarm) verb(operator string) string {
	if operator == ">=" {
		return "to or above"
	}
	return "above"
}

// monthly tells what a probability comes to in 30 days.
func (a alarm) monthly(f firing) string {
	text := fmt.Sprintf("Evaluated every %s, %s", showSeconds(a.everySeconds), plural(f.month, "evaluation fires", "evaluations fire"))
	if a.agreeing() > 1 {
		text = fmt.Sprintf("Evaluated every %s, with %s evaluations in a row that must agree, %s", showSeconds(a.everySeconds), show(a.agreeing()), plural(f.month, "evaluation fires", "evaluations fire"))
	}
	text += " falsely in 30 days"
	if f.overlap > 1 {
		return text + fmt.Sprintf(", about %s, because %s windows overlap at a time (from %s notifications with a lucky baseline to %s evaluations with an unlucky one)",
			plural(f.monthlyNotifiable, "notification", "notifications"), show(f.overlap), show(f.low), show(f.high))
	}
	return text + fmt.Sprintf(" (%s to %s, depending on the baseline that was drawn)", show(f.low), show(f.high))
}

func (a alarm) budgetText() string {
	if a.ownBudget {
		return fmt.Sprintf("false_alarms_per_30d accepts %s", show(a.budget))
	}
	return fmt.Sprintf("%s is accepted for severity %q where false_alarms_per_30d is not set", show(a.budget), a.severity)
}

// quieter finds the smallest changes that keep the budget.
func quieter(s *thresholdSubject) (string, []spec.Change) {
	a, f := s.alarm, s.figures
	var ways []string
	var changes []spec.Change
	if exists(f.smallestValue) {
		way := fmt.Sprintf("raise value to %s", show(f.smallestValue))
		if seen, err := s.seenAt(f.smallestValue); err == nil && exists(f.power) {
			way += fmt.Sprintf(" (one evaluation then sees a shift of %s standard deviations with probability %s)", show(a.shift), show(seen))
		}
		ways = append(ways, way)
		changes = append(changes, change(map[string]cty.Value{"value": spec.Number(f.smallestValue)}))
	}
	if duration, samples, ok := s.longerWindow(); ok {
		ways = append(ways, fmt.Sprintf("lengthen the monitor's window.duration to %q, which collects %s samples at the same traffic", duration, show(samples)))
		changes = append(changes, spec.Change{Kind: "drift_monitor", Assign: map[string]cty.Value{
			"window.duration": cty.StringVal(duration.String()),
			"window.samples":  spec.Number(samples),
		}})
	}
	if len(ways) == 0 {
		return fmt.Sprintf("Use a larger baseline: with %s samples no window is long enough, and no value high enough.", show(float64(a.baseline))), nil
	}
	switch {
	case exists(f.smallestWindow):
	case a.metric.Law == stats.MetricChiSquared:
		ways[0] += fmt.Sprintf("; no window is long enough, because the noise of %s is the same in all", a.metric.Name)
	default:
		ways[0] += fmt.Sprintf("; no window is long enough with a baseline of %s samples", show(float64(a.baseline)))
	}
	return sentence(ways), changes
}

// longerWindow is the window, in a length of time that a person would write, that
// keeps the budget, and what it collects. It is checked: rounding up may bring in
// one more overlapping window.
func (s *thresholdSubject) longerWindow() (spec.Duration, float64, bool) {
	a := s.alarm
	if !exists(s.figures.smallestWindow) {
		return 0, 0, false
	}
	needed := a.durationOf(s.figures.smallestWindow)
	for range 20 {
		if needed > maximumSeconds {
			return 0, 0, false
		}
		duration := niceDuration(needed)
		samples := floor(a.window * duration.Seconds() / a.windowSeconds)
		effective := effectiveSamples(samples, a.designEffect)
		if a.lawful(effective) && samples > a.window {
			if law, err := s.laws.at(effective); err == nil {
				if ok, err := a.meets(law, effective, a.value, duration.Seconds()); err == nil && ok {
					return duration, samples, true
				}
			}
		}
		needed = duration.Seconds() * 1.05
	}
	return 0, 0, false
}
