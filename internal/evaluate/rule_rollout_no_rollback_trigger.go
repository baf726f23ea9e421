package evaluate

import (
	"fmt"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var noRollbackTrigger = Rule{
	ID: "rollout/no-rollback-trigger", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "Nothing stops a bad candidate",
	Check: judge(func(s *rolloutSubject) Verdict {
		stages, ok := stagesOf(s.declared.Stages)
		rate, rateKnown := s.declared.Traffic.Fields().RequestsPerSecond.Get()
		guardrails, known := s.declared.Guardrails.Get()
		if !ok || !rateKnown || s.declared.Guardrails.IsUnknown() {
			return later
		}
		if known && len(guardrails) > 0 {
			return pass
		}
		for _, st := range stages {
			if !st.live {
				continue
			}
			exposed := ""
			if exists(st.seconds) {
				exposed = fmt.Sprintf(": %s requests in %s", show(min(floor(rate*st.percent/100*st.seconds), maximumCount)), showSeconds(st.seconds))
			}
			return found(spec.Finding{
				Path: s.declared.Guardrails.Path(),
				Detail: fmt.Sprintf("Stage %q answers %s %% of %s requests/s for real users%s. No guardrail watches it, so nothing aborts it, however bad the candidate is.",
					st.name, show(st.percent), show(rate), exposed),
				Fix: `Add a guardrail on what must not happen, for instance guardrails = [{ name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.01, every = "5m", failure_limit = 3 }], with the rate that is measured today.`,
			})
		}
		return pass
	}),
}
