package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var holdTooShort = Rule{
	ID: "rollout/hold-too-short", Severity: spec.Warning, Kind: "rollout_policy",
	Summary: "The stage ends before its guardrail can speak",
	Check: judge(func(s *rolloutSubject) Verdict {
		stages, stagesKnown := stagesOf(s.declared.Stages)
		guardrails, guardrailsKnown := guardrailsOf(s.declared.Guardrails)
		if !stagesKnown || !guardrailsKnown {
			return later
		}
		verdict := pass
		for _, st := range stages {
			if st.live && exists(st.seconds) {
				if finding, ok := tooShort(st, guardrails); ok {
					verdict.Findings = append(verdict.Findings, finding)
				}
			}
		}
		return verdict
	}),
}

// tooShort is the finding on a stage that ends before one of the guardrails can
// abort it; of several, the one that takes longest.
func tooShort(st stage, guardrails []guardrail) (spec.Finding, bool) {
	var slowest guardrail
	needed := 0.0
	for _, g := range guardrails {
		takes := float64(g.failureLimit+1) * g.everySeconds
		if floor(st.seconds/g.everySeconds) <= float64(g.failureLimit) && takes > needed {
			slowest, needed = g, takes
		}
	}
	if needed == 0 {
		return spec.Finding{}, false
	}
	path := spec.PathString(st.declared.Duration.Path())
	checks := floor(st.seconds / slowest.everySeconds)
	finding := spec.Finding{
		Path: st.declared.Duration.Path(),
		Detail: fmt.Sprintf("Stage %q lasts %s, in which guardrail %q, checked every %s, is evaluated %s. More than %s must fail before it aborts, which takes %s at least: whatever the candidate does, this guardrail stays silent.",
			st.name, showSeconds(st.seconds), slowest.name, showSeconds(slowest.everySeconds), plural(checks, "time", "times"),
			plural(float64(slowest.failureLimit), "check", "checks"), showSeconds(needed)),
		Fix: fmt.Sprintf("Lower the failure_limit of guardrail %q, or check more often.", slowest.name),
	}
	if needed < maximumSeconds {
		duration := niceDuration(needed)
		finding.Fix = fmt.Sprintf("Lengthen %s to %q; or check more often, with a lower failure_limit.", path, duration)
		finding.Alternatives = []spec.Change{change(map[string]cty.Value{path: cty.StringVal(duration.String())})}
	}
	return finding, true
}
