package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var nonMonotone = Rule{
	ID: "rollout/non-monotone", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "The shares do not grow to 100 %",
	Check: judge(func(s *rolloutSubject) Verdict {
		stages, ok := stagesOf(s.declared.Stages)
		if !ok {
			return later
		}
		// A shadow answers nobody: its share is not part of the ladder.
		var ladder []int
		for i, st := range stages {
			if st.kind != spec.StageShadow {
				ladder = append(ladder, i)
			}
		}
		verdict := pass
		for at, i := range ladder {
			st := stages[i]
			path := st.declared.TrafficPercent.Path()
			if at > 0 && st.percent <= stages[ladder[at-1]].percent {
				before := stages[ladder[at-1]]
				finding := spec.Finding{
					Path: path,
					Detail: fmt.Sprintf("Stage %q answers %s %% of the users, and stage %q before it %s %%: a stage that does not widen the exposure shows nothing that the one before could not.",
						st.name, show(st.percent), before.name, show(before.percent)),
					Fix: "Put the live stages in the order of their shares.",
				}
				next := 100.0
				if at+1 < len(ladder) {
					next = stages[ladder[at+1]].percent
				}
				if value := between(before.percent, next, at+1 == len(ladder)); exists(value) {
					finding.Fix = fmt.Sprintf("Raise %s to %s, or put the live stages in the order of their shares.", spec.PathString(path), show(value))
					finding.Alternatives = []spec.Change{change(map[string]cty.Value{spec.PathString(path): spec.Number(value)})}
				}
				verdict.Findings = append(verdict.Findings, finding)
				continue
			}
			if at == len(ladder)-1 && st.percent != 100 {
				verdict.Findings = append(verdict.Findings, notAll(st, path))
			}
		}
		if len(ladder) == 0 && len(stages) > 0 {
			last := stages[len(stages)-1]
			verdict.Findings = append(verdict.Findings, spec.Finding{
				Path:   s.declared.Stages.Path(),
				Detail: fmt.Sprintf("The only stages are shadows, and the last one is %q: the candidate never answers a user.", last.name),
				Fix:    `End with { name = "full", kind = "full", traffic_percent = 100 }.`,
			})
		}
		return verdict
	}),
}

// notAll is the finding on a last stage that leaves some users on the old version.
func notAll(st stage, path cty.Path) spec.Finding {
	finding := spec.Finding{
		Path:   path,
		Detail: fmt.Sprintf("The last stage, %q, answers %s %% of the users: the rollout never ends, and two versions stay in service.", st.name, show(st.percent)),
		Fix:    `Add { name = "full", kind = "full", traffic_percent = 100 } at the end.`,
	}
	if st.kind == spec.StageFull {
		finding.Fix = fmt.Sprintf("Set %s to 100.", spec.PathString(path))
		finding.Alternatives = []spec.Change{change(map[string]cty.Value{spec.PathString(path): spec.Number(100)})}
	}
	return finding
}

// between is a share above the one before and below the next (100 for the last
// stage); none where there is no room.
func between(before, next float64, last bool) float64 {
	if last {
		if before < 100 {
			return 100
		}
		return none
	}
	if value := stats.RoundSignificant((before+next)/2, digits); value > before && value < next {
		return value
	}
	return none
}
