package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var peeking = Rule{
	ID: "rollout/peeking", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "Several looks, each at the full significance level",
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
		if h.looks <= 1 || h.spending != "" {
			return pass
		}
		typeError := h.significance
		if design, err := h.looking(); err == nil && design != nil {
			typeError = roundProbability(design.TypeIError())
		}
		spent := h
		spent.spending = stats.SpendingOBrienFleming
		fix := fmt.Sprintf("Set hypothesis.spending to %q, which keeps %s over all looks", spent.spending, show(h.significance))
		if design, err := spent.looking(); err == nil && design != nil {
			if inflation := spent.inflationOf(design); exists(inflation) {
				fix += fmt.Sprintf(" and takes %s times the samples of a single look at most", show(round(inflation)))
			}
		}
		return found(spec.Finding{
			Path: declared.Fields().Spending.Path(),
			Detail: fmt.Sprintf("The data are looked at %d times, and each look takes the whole significance level of %s. Whoever stops at the first look that is significant sees an effect where there is none with probability %s.",
				h.looks, show(h.significance), show(typeError)),
			Fix: fix + "; or set hypothesis.looks to 1, and look at the end only.",
			Alternatives: []spec.Change{
				change(map[string]cty.Value{"hypothesis.spending": cty.StringVal(spent.spending)}),
				change(map[string]cty.Value{"hypothesis.looks": spec.Number(1)}),
			},
		})
	}),
}
