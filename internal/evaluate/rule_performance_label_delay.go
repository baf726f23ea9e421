package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var performanceLabelDelay = Rule{
	ID: "performance/label-delay", Severity: spec.Error, Kind: "performance_monitor",
	Summary: "The window closes before the labels arrive",
	Check: judge(func(s performanceSubject) Verdict {
		duration, durationKnown := s.declared.Window.Fields().Duration.Get()
		delay, delayKnown := s.declared.Labels.Fields().Delay.Get()
		if !durationKnown || !delayKnown {
			return later
		}
		if duration > delay {
			return pass
		}
		// As much again as the labels take gives half of the window's rows theirs.
		longer := niceDuration(2 * delay.Seconds())
		return found(spec.Finding{
			Path: s.declared.Window.Fields().Duration.Path(),
			Detail: fmt.Sprintf("The window is %s long, and a label arrives %s after its row: when the window is evaluated, none of its rows has a label, and the metric does not exist.",
				duration, delay),
			Fix: fmt.Sprintf("Lengthen window.duration to more than %q; %q has labels for all rows but those of its last %s. Where a decision cannot wait so long, watch a proxy that needs no label (a drift_monitor on the score) as well.",
				delay, longer, delay),
			Alternatives: []spec.Change{change(map[string]cty.Value{"window.duration": cty.StringVal(longer.String())})},
		})
	}),
}
