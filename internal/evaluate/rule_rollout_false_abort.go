package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var falseAbort = Rule{
	ID: "rollout/false-abort", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "The guardrail aborts healthy candidates",
	Check: judge(func(s *rolloutSubject) Verdict {
		if !s.known {
			return later
		}
		verdict := pass
		for _, g := range s.guardrails {
			if finding, ok := s.abortsFalsely(g); ok {
				verdict.Findings = append(verdict.Findings, finding)
			}
		}
		return verdict
	}),
}

// aborts is the probability, as it is shown, that a guardrail aborts a candidate of
// a rate in any stage.
func (s *rolloutSubject) aborts(g guardrail, rate float64) float64 {
	var each []float64
	for _, st := range s.timed() {
		_, p, err := stats.FalseAbort(s.checks(st, g, rate))
		if err != nil {
			return none
		}
		each = append(each, p)
	}
	p, err := stats.AnyOf(each)
	if err != nil {
		return none
	}
	return roundProbability(p)
}

func (s *rolloutSubject) abortsFalsely(g guardrail) (spec.Finding, bool) {
	chance := s.aborts(g, g.baselineRate)
	if !(chance > g.budget) {
		return spec.Finding{}, false
	}
	// The stage that does most of it is the one to tell about.
	var worst stage
	var fails, most float64
	for _, st := range s.timed() {
		if q, p, err := stats.FalseAbort(s.checks(st, g, g.baselineRate)); err == nil && p > most {
			worst, fails, most = st, q, p
		}
	}
	c := s.checks(worst, g, g.baselineRate)
	finding := spec.Finding{
		Path: g.declared.FailureLimit.Path(),
		Detail: fmt.Sprintf("Guardrail %q checks %s in stage %q, one every %s on %s. Of a candidate as healthy as its baseline_rate of %s, a check exceeds the maximum of %s with probability %s. More than %s such checks abort the stage: over all stages, a healthy candidate is aborted with probability %s, and false_abort_budget accepts %s.",
			g.name, plural(float64(c.Checks), "time", "times"), worst.name, showSeconds(g.everySeconds), s.describeRequests(c), show(g.baselineRate), show(g.maximum),
			show(roundProbability(fails)), show(float64(g.failureLimit)), show(chance), show(g.budget)),
	}
	var ways []string
	if limit, ok := s.smallestLimit(g); ok {
		changed := g
		changed.failureLimit = limit
		path := spec.PathString(g.declared.FailureLimit.Path())
		ways = append(ways, fmt.Sprintf("raise %s to %d%s", path, limit, s.stillSees(changed)))
		finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{path: spec.Number(float64(limit))}))
	}
	if maximum, ok := s.smallestMaximum(g); ok {
		changed := g
		changed.maximum = maximum
		path := spec.PathString(g.declared.Maximum.Path())
		ways = append(ways, fmt.Sprintf("raise %s to %s%s", path, show(maximum), s.stillSees(changed)))
		finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{path: spec.Number(maximum)}))
	}
	finding.Fix = "Check less often, so that each check has more requests and there are fewer of them."
	if len(ways) > 0 {
		finding.Fix = sentence(ways)
	}
	return finding, true
}

func (s *rolloutSubject) describeRequests(c stats.GuardrailChecks) string {
	text := plural(float64(c.Samples), "request", "requests")
	if s.hypothesis != nil && s.hypothesis.designEffect != 1 {
		text = plural(float64(c.Samples), "independent request", "independent requests") + fmt.Sprintf(" (at a design effect of %s)", show(s.hypothesis.designEffect))
	}
	return text
}

// stillSees says what a changed guardrail makes of a bad candidate.
func (s *rolloutSubject) stillSees(g guardrail) string {
	_, least, ok := s.blindest(g)
	if !ok {
		return ""
	}
	return fmt.Sprintf(" (a candidate at twice that maximum is then aborted with probability %s)", show(least))
}

// smallestLimit is the smallest failure limit that keeps the budget, and that some
// stage can still exceed.
func (s *rolloutSubject) smallestLimit(g guardrail) (int64, bool) {
	most := int64(0)
	for _, st := range s.timed() {
		most = max(most, s.checks(st, g, 0).Checks)
	}
	last := int(min(most-1, maximumFailureLimit))
	limit, ok, err := smallest(int(g.failureLimit)+1, last, int(g.failureLimit)+1, manyAsks, func(limit int) (bool, error) {
		changed := g
		changed.failureLimit = int64(limit)
		return s.aborts(changed, g.baselineRate) <= g.budget, nil
	})
	return int64(limit), ok && err == nil && limit <= last
}

// maximumFailureLimit is the largest that a policy may declare.
const maximumFailureLimit = 1e6

// smallestMaximum is the smallest maximum that keeps the budget.
func (s *rolloutSubject) smallestMaximum(g guardrail) (float64, bool) {
	maximum, err := smallestOnGrid(1e-6, 0.5, max(g.baselineRate, 1e-6), func(maximum float64) (bool, error) {
		changed := g
		changed.maximum = maximum
		return maximum > g.maximum && s.aborts(changed, g.baselineRate) <= g.budget, nil
	})
	return maximum, err == nil && exists(maximum)
}
