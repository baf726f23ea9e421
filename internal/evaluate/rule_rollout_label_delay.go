package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var labelDelay = Rule{
	ID: "rollout/label-delay", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "The stage ends before its outcomes are known",
	Check: judge(func(s *rolloutSubject) Verdict {
		if !s.known {
			return later
		}
		h := s.hypothesis
		if h == nil || h.delaySecs <= 0 || s.deciding < 0 {
			return pass
		}
		st := s.stages[s.deciding]
		if !exists(st.seconds) || !exists(st.power) || st.power < h.power {
			return pass // too few whatever the delay: rollout/underpowered tells
		}
		left, ok := s.labelled(st)
		if ok {
			return pass
		}
		needs := "no number of samples is enough"
		if exists(st.requiredTreatment) {
			needs = fmt.Sprintf("%s and %s are needed", show(st.requiredTreatment), show(st.requiredControl))
		}
		finding := spec.Finding{
			Path: st.declared.Duration.Path(),
			Detail: fmt.Sprintf("The outcome of a request is known %s after it, and the %s lasts %s. Only the requests of its first %s have one when it ends: %s of the candidate and %s of the control. Seeing %s with power %s at significance level %s, %s.",
				showSeconds(h.delaySecs), describeStage(st), showSeconds(st.seconds), showSeconds(left.seconds), show(left.treatment), show(left.control),
				h.describe(), show(h.power), show(h.significance), needs),
			Fix: "Compare a metric that is known sooner.",
		}
		if duration, ok := s.longerForLabels(st); ok {
			path := spec.PathString(st.declared.Duration.Path())
			finding.Fix = fmt.Sprintf("Lengthen %s to %q, which includes the label_delay; or compare a metric that is known sooner.", path, duration)
			finding.Alternatives = []spec.Change{change(map[string]cty.Value{path: cty.StringVal(duration.String())})}
		}
		return found(finding)
	}),
}

// labelled is a stage with only the requests whose outcome is known when it ends;
// true where they are enough.
func (s *rolloutSubject) labelled(st stage) (stage, bool) {
	st.seconds = max(st.seconds-s.hypothesis.delaySecs, 0)
	return s.with(st, *s.hypothesis)
}

func (s *rolloutSubject) longerForLabels(st stage) (spec.Duration, bool) {
	if !exists(st.minimumSeconds) {
		return 0, false
	}
	needed := max(st.minimumSeconds, st.seconds+1)
	for range 20 {
		if needed > maximumSeconds {
			break
		}
		duration := niceDuration(needed)
		longer := st
		longer.seconds = duration.Seconds()
		if _, ok := s.labelled(longer); ok {
			return duration, true
		}
		needed = duration.Seconds() * 1.02
	}
	return 0, false
}
