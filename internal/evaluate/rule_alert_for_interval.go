package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var forInterval = Rule{
	ID: "alert/for-interval", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "The alert waits longer than for says",
	Check: judge(func(s alerting) Verdict {
		declared := s.alert()
		wait, waitKnown := declared.For.Get()
		every, everyKnown := declared.Signal.Fields().EverySeconds.Get()
		if !waitKnown || !everyKnown {
			return later
		}
		if wait <= 0 || wait.Seconds() >= every {
			return pass
		}
		a := alarm{sampling: sampling{everySeconds: every}, forSeconds: wait.Seconds()}
		finding := spec.Finding{
			Path: declared.For.Path(),
			Detail: fmt.Sprintf("for is %s, and the signal is evaluated every %s: nothing is known in between. The alert waits for the next evaluation, so that %s in a row must agree, and it is raised %s after the first, not %s.",
				wait, showSeconds(every), plural(a.agreeing(), "evaluation", "evaluations"), showSeconds(every), wait),
			Fix:          `Set for to "0s", to be told by the first evaluation.`,
			Alternatives: []spec.Change{change(map[string]cty.Value{"for": cty.StringVal("0s")})},
		}
		if every <= maximumSeconds {
			if said := spec.DurationFromSeconds(every); said.Seconds() >= every {
				finding.Fix = fmt.Sprintf(`Set for to "0s", to be told by the first evaluation; or to %q, which says what happens.`, said)
				finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{"for": cty.StringVal(said.String())}))
			}
		}
		return found(finding)
	}),
}
