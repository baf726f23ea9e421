package evaluate

import (
	"fmt"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var missingShadow = Rule{
	ID: "rollout/missing-shadow", Severity: spec.Warning, Kind: "rollout_policy",
	Summary: "A risky model goes to users untried",
	Check: judge(func(s *rolloutSubject) Verdict {
		stages, ok := stagesOf(s.declared.Stages)
		risk := s.declared.Risk
		if !ok || risk.IsUnknown() {
			return later
		}
		if risk.Or("") != "high" {
			return pass
		}
		for _, st := range stages {
			if st.kind == spec.StageShadow {
				return pass
			}
		}
		return found(spec.Finding{
			Path: s.declared.Stages.Path(),
			Detail: fmt.Sprintf("The risk is high, and none of the %s is a shadow: the first real request that the candidate sees, in stage %q, is one whose answer a user gets. Crashes, timeouts and wrong features show in a shadow as well, and harm nobody.",
				plural(float64(len(stages)), "stage", "stages"), stages[0].name),
			Fix: `Begin with { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" }.`,
		})
	}),
}
