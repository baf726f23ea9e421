package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var windowVsSchedule = Rule{
	ID: "drift/window-vs-schedule", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "The evaluations that must agree see the same data",
	Check: judge(func(s alerting) Verdict {
		declared := s.alert()
		g := declared.Signal.Fields()
		wait, waitKnown := declared.For.Get()
		every, everyKnown := g.EverySeconds.Get()
		window, windowKnown := g.WindowSeconds.Get()
		if !waitKnown || !everyKnown || !windowKnown || g.LabelDelaySeconds.IsUnknown() {
			return later
		}
		window -= g.LabelDelaySeconds.Or(0) // rows without a label are not looked at
		if window <= every || wait <= 0 || wait.Seconds() >= window {
			return pass
		}
		a := alarm{sampling: sampling{everySeconds: every, windowSeconds: window}, forSeconds: wait.Seconds()}
		if a.independent(window) > 1 {
			return pass // rounded up to whole evaluations, for outlasts the window
		}
		finding := spec.Finding{
			Path: declared.For.Path(),
			Detail: fmt.Sprintf("Windows of %s are evaluated every %s, so that %s overlap at a time. for = %q asks that %s in a row agree, and the first and the last of them share data: together they are hardly more evidence than one. A chance result stays in the window for %s, and so agrees with itself.",
				showSeconds(window), showSeconds(every), plural(a.overlapping(window), "window", "windows"), wait, plural(a.agreeing(), "evaluation", "evaluations"), showSeconds(window)),
			Fix:          `Set for to "0s", and let value keep the budget of false alarms.`,
			Alternatives: []spec.Change{change(map[string]cty.Value{"for": cty.StringVal("0s")})},
		}
		if window <= maximumSeconds {
			if longer := spec.DurationFromSeconds(window); longer.Seconds() >= window {
				a.forSeconds = longer.Seconds()
				finding.Fix = fmt.Sprintf(`Lengthen for to %q, after which %s that share no data must agree; or set it to "0s", and let value keep the budget of false alarms.`,
					longer, plural(float64(a.independent(window)), "window", "windows"))
				finding.Alternatives = append([]spec.Change{change(map[string]cty.Value{"for": cty.StringVal(longer.String())})}, finding.Alternatives...)
			}
		}
		return found(finding)
	}),
}
