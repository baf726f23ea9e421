package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// firstShares are the percentages of users that a risk allows the first stage.
var firstShares = map[string]float64{"high": 5, "medium": 25, "low": 50}

var blastRadius = Rule{
	ID: "rollout/blast-radius", Severity: spec.Warning, Kind: "rollout_policy",
	Summary: "The first stage reaches too many users",
	Check: judge(func(s *rolloutSubject) Verdict {
		stages, ok := stagesOf(s.declared.Stages)
		risk := s.declared.Risk
		if !ok || risk.IsUnknown() {
			return later
		}
		limit, limited := firstShares[risk.Or("")]
		if !limited {
			return pass
		}
		for _, st := range stages {
			if st.kind == spec.StageShadow {
				continue
			}
			if st.percent <= limit {
				return pass
			}
			path := st.declared.TrafficPercent.Path()
			finding := spec.Finding{
				Path: path,
				Detail: fmt.Sprintf("Stage %q is the first that answers users, %s %% of them at once: a candidate that no user has met yet. At risk %q, %s %% is the most.",
					st.name, show(st.percent), risk.Or(""), show(limit)),
			}
			if st.live {
				finding.Fix = fmt.Sprintf("Lower %s to %s, or put a smaller stage before it. A smaller share collects less: the plan shows what it then takes.", spec.PathString(path), show(limit))
				finding.Alternatives = []spec.Change{change(map[string]cty.Value{spec.PathString(path): spec.Number(limit)})}
			} else {
				finding.Fix = fmt.Sprintf(`Put { name = "canary", kind = "canary", traffic_percent = %s, duration = "2h" } before it.`, show(limit))
			}
			return found(finding)
		}
		return pass
	}),
}
