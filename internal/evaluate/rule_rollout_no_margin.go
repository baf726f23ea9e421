package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var noMargin = Rule{
	ID: "rollout/no-margin", Severity: spec.Warning, Kind: "rollout_policy",
	Summary: "The candidate passes because no harm was significant",
	Check: judge(func(s *rolloutSubject) Verdict {
		declared := s.declared.Hypothesis
		switch {
		case declared.IsUnknown():
			return later
		case declared.IsNull():
			return pass
		}
		h, ok := hypothesisOf(declared.Fields())
		if !ok {
			return later
		}
		// Which way is better is only known where it is said.
		higher, said := declared.Fields().HigherIsBetter.Get()
		if !said || h.alternative == "non_inferior" || (h.effect < 0) != higher {
			return pass
		}
		direction := "less"
		if h.effect > 0 {
			direction = "more"
		}
		margin := math.Abs(h.effect)
		return found(spec.Finding{
			Path: declared.Fields().Alternative.Path(),
			Detail: fmt.Sprintf("The effect that is looked for, %s, is a harm: %s is worse. The test %q at significance level %s can show that harm; where it does not, the candidate goes on, and a candidate that does that harm is let through with probability %s at the declared power of %s. A test that finds nothing has not shown that nothing is there: with fewer samples it finds nothing more easily.",
				show(h.effect), direction, h.alternative, show(h.significance), show(round(1-h.power)), show(h.power)),
			Fix: fmt.Sprintf(`Ask for the proof instead: alternative = "non_inferior", margin = %s, minimum_detectable_effect = 0. The candidate then passes where it is shown to be worse by less than %s.`, show(margin), show(margin)),
			Alternatives: []spec.Change{change(map[string]cty.Value{
				"hypothesis.alternative":               cty.StringVal("non_inferior"),
				"hypothesis.margin":                    spec.Number(margin),
				"hypothesis.minimum_detectable_effect": spec.Number(0),
			})},
		})
	}),
}
