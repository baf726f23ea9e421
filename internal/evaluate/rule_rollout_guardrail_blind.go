package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// leastSeen is the probability with which a guardrail must abort a candidate at
// twice its maximum, in every stage.
const leastSeen = 0.8

var guardrailBlind = Rule{
	ID: "rollout/guardrail-blind", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "The guardrail lets bad candidates pass",
	Check: judge(func(s *rolloutSubject) Verdict {
		if !s.known {
			return later
		}
		verdict := pass
		for _, g := range s.guardrails {
			if weakest, least, ok := s.blindest(g); ok && least < leastSeen {
				verdict.Findings = append(verdict.Findings, s.blind(g, weakest, least))
			}
		}
		return verdict
	}),
}

// blindest is the live stage that is least likely to abort a candidate at twice the
// maximum, with that probability as it is shown; false where there is none, or where
// twice the maximum is nothing or everything.
func (s *rolloutSubject) blindest(g guardrail) (weakest stage, least float64, ok bool) {
	least = 2
	for _, st := range s.timed() {
		if p := s.sees(st, g); p < least {
			weakest, least = st, p
		}
	}
	return weakest, least, least <= 1
}

// sees is the probability, as it is shown, that a stage aborts a candidate at twice
// the maximum.
func (s *rolloutSubject) sees(st stage, g guardrail) float64 {
	if g.maximum <= 0 || g.maximum >= 0.5 {
		return none
	}
	_, p, err := stats.FalseAbort(s.checks(st, g, 2*g.maximum))
	if err != nil {
		return none
	}
	return roundProbability(p)
}

func (s *rolloutSubject) blind(g guardrail, st stage, least float64) spec.Finding {
	c := s.checks(st, g, 2*g.maximum)
	fails, _, err := stats.FalseAbort(c)
	if err != nil {
		fails = 0 // it has given the finding, so it gives this as well
	}
	finding := spec.Finding{
		Path: g.declared.Every.Path(),
		Detail: fmt.Sprintf("Guardrail %q checks %s in stage %q, one every %s on %s. A candidate whose rate is twice the maximum of %s fails a check with probability %s; more than %s must fail, so that the stage aborts it with probability %s only. Every stage must reach %s.",
			g.name, plural(float64(c.Checks), "time", "times"), st.name, showSeconds(g.everySeconds), s.describeRequests(c), show(g.maximum),
			show(roundProbability(fails)), show(float64(g.failureLimit)), show(least), show(leastSeen)),
	}
	var ways []string
	add := func(way string, changed guardrail, assign map[string]cty.Value) {
		ways = append(ways, fmt.Sprintf("%s (healthy candidates are then aborted with probability %s)", way, show(s.aborts(changed, g.baselineRate))))
		finding.Alternatives = append(finding.Alternatives, change(assign))
	}
	if limit, ok := s.largestLimit(g); ok {
		changed := g
		changed.failureLimit = limit
		path := spec.PathString(g.declared.FailureLimit.Path())
		add(fmt.Sprintf("lower %s to %d", path, limit), changed, map[string]cty.Value{path: spec.Number(float64(limit))})
	}
	if every, ok := s.rarer(g); ok {
		changed := g
		changed.everySeconds = every.Seconds()
		path := spec.PathString(g.declared.Every.Path())
		add(fmt.Sprintf("lengthen %s to %q, so that a check has more requests", path, every), changed, map[string]cty.Value{path: cty.StringVal(every.String())})
	}
	if assign, text, ok := s.longerStages(g); ok {
		ways = append(ways, text)
		finding.Alternatives = append(finding.Alternatives, change(assign))
	}
	finding.Fix = "Give the candidate more traffic, or more time: so few requests tell nothing about such a rate."
	if len(ways) > 0 {
		finding.Fix = sentence(ways)
	}
	return finding
}

func (s *rolloutSubject) seesEverywhere(g guardrail) bool {
	_, least, ok := s.blindest(g)
	return ok && least >= leastSeen
}

// largestLimit is the largest failure limit below the declared one with which every
// stage sees.
func (s *rolloutSubject) largestLimit(g guardrail) (int64, bool) {
	last := int(g.failureLimit) - 1
	first, ok, err := smallest(0, last, last, manyAsks, func(limit int) (bool, error) {
		changed := g
		changed.failureLimit = int64(last - limit)
		return s.seesEverywhere(changed), nil
	})
	return int64(last - first), ok && err == nil && last >= 0
}

// rarer is a longer time between checks with which every stage sees.
func (s *rolloutSubject) rarer(g guardrail) (spec.Duration, bool) {
	for seconds := g.everySeconds * 1.05; seconds < maximumSeconds; {
		every := niceDuration(seconds)
		changed := g
		changed.everySeconds = every.Seconds()
		enough := true
		for _, st := range s.timed() {
			enough = enough && s.checks(st, changed, 0).Checks > g.failureLimit
		}
		if !enough {
			return 0, false
		}
		if s.seesEverywhere(changed) {
			return every, true
		}
		seconds = every.Seconds() * 1.05
	}
	return 0, false
}

// longerStages lengthens each stage that does not see until it does.
func (s *rolloutSubject) longerStages(g guardrail) (map[string]cty.Value, string, bool) {
	assign, text := map[string]cty.Value{}, ""
	for _, st := range s.timed() {
		if s.sees(st, g) >= leastSeen {
			continue
		}
		seconds := max(st.seconds, g.everySeconds)
		duration, seen := spec.Duration(0), false
		for !seen {
			if seconds *= 1.05; seconds > min(maximumSeconds, 1000*max(st.seconds, g.everySeconds)) {
				return nil, "", false
			}
			duration = niceDuration(seconds)
			longer := st
			longer.seconds = duration.Seconds()
			seen = s.sees(longer, g) >= leastSeen
		}
		path := spec.PathString(st.declared.Duration.Path())
		assign[path] = cty.StringVal(duration.String())
		if text != "" {
			text += " and "
		}
		text += fmt.Sprintf("lengthen %s to %q", path, duration)
	}
	return assign, text, len(assign) > 0
}
