package stats

import (
	"fmt"
	"math"
)

// GuardrailChecks describes repeated raw-threshold checks of an error rate, as
// rollout controllers run them.
type GuardrailChecks struct {
	Rate         float64 // true probability of an error, 0 to 1
	Maximum      float64 // a check fails when errors exceed Maximum * Samples, 0 to 1
	Samples      int64   // requests a check (after any design effect)
	Checks       int64   // number of checks, each on its own requests
	FailureLimit int64   // failed checks that are tolerated
}

// FalseAbort gives the probability that one check fails,
// P(Binomial(Samples, Rate) > floor(Maximum*Samples + 1e-9)), and that more than
// FailureLimit of the checks fail, P(Binomial(Checks, fail) > FailureLimit).
// With the Rate of a healthy candidate the second is the chance of a false abort;
// with that of a bad one it is the chance that the guardrail sees it. No samples or
// no checks give 0.
func FalseAbort(g GuardrailChecks) (checkFails, aborts float64, err error) {
	if err := checkProbability("rate", g.Rate); err != nil {
		return 0, 0, err
	}
	if err := checkProbability("maximum", g.Maximum); err != nil {
		return 0, 0, err
	}
	for _, c := range []struct {
		name  string
		value int64
	}{{"samples", g.Samples}, {"checks", g.Checks}, {"failure limit", g.FailureLimit}} {
		if c.value < 0 {
			return 0, 0, fmt.Errorf("%s must not be negative, got %d", c.name, c.value)
		}
	}
	allowed := int64(math.Floor(g.Maximum*float64(g.Samples) + 1e-9))
	checkFails = binomialUpperTail(allowed, g.Samples, g.Rate)
	return checkFails, binomialUpperTail(g.FailureLimit, g.Checks, checkFails), nil
}
