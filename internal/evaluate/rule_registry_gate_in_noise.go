package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var gateInNoise = Rule{
	ID: "registry/gate-in-noise", Severity: spec.Warning, Kind: "model_version",
	Summary: "A gate's margin is inside its noise",
	Check: judge(func(s *versionSubject) Verdict {
		if !s.known {
			return later
		}
		verdict := pass
		for _, gate := range s.gates {
			// A missed gate is an error already, and one without test_samples makes no
			// claim about noise.
			if gate.declared.TestSamples.IsNull() || !exists(gate.value) || gate.margin() < 0 {
				continue
			}
			if finding, ok := gate.inNoise(); ok {
				verdict.Findings = append(verdict.Findings, finding)
			}
		}
		return verdict
	}),
}

func (g gateSubject) inNoise() (spec.Finding, bool) {
	if g.noise == nil {
		return g.untold(), true
	}
	se, ok := g.standardError(g.samples())
	switch {
	case ok && (se == 0 || g.settles(g.samples())):
		return spec.Finding{}, false
	case !ok && g.degenerate():
		return spec.Finding{}, false
	}
	path := g.declared.TestSamples.Path()
	at := spec.PathString(path)
	finding := spec.Finding{Path: path}
	margin := fmt.Sprintf("The gate says that %s, and the version scored %s, a margin of %s.", g.name(), show(g.value), show(g.margin()))
	if g.margin() == 0 {
		margin = fmt.Sprintf("The gate says that %s, and the version scored just that.", g.name())
	}
	if ok {
		finding.Detail = fmt.Sprintf("%s The standard error of %s on %s is %s (%s), so the margin is %s of them and not the %s that %s %% asks for: a model that is exactly at the gate does as well in about one test set of %s.",
			margin, g.metric, g.rows(), show(round(se)), g.noise.method, show(round(g.margin()/se)), show(round(g.critical)), show(g.confidence()), show(g.oneIn(se)))
	} else {
		finding.Detail = fmt.Sprintf("%s Of %s, less than one counts for %s: the value says nothing.", margin, g.rows(), g.metric)
	}
	need := g.required()
	if !exists(need) {
		finding.Fix = fmt.Sprintf("No number of test samples settles a margin of %s: set a gate that the metric is not exactly at.", show(g.margin()))
		return finding, true
	}
	finding.Fix = fmt.Sprintf("Measure on %s test samples or more, and set %s to their number: there, a margin of %s is more than noise.", show(need), at, show(g.margin()))
	finding.Alternatives = []spec.Change{change(map[string]cty.Value{at: spec.Number(need)})}
	return finding, true
}

// untold is the finding on a gate that gives test samples, and not what its metric's
// standard error needs beside them.
func (g gateSubject) untold() spec.Finding {
	gate := spec.PathString(g.path)
	kind := kindOfMetric(g.declared)
	finding := spec.Finding{Path: g.declared.TestSamples.Path()}
	why := fmt.Sprintf("%s has no standard error that %s samples alone give", g.metric, show(g.samples()))
	switch {
	case kind == "" || kind == spec.MetricMean:
		finding.Fix = fmt.Sprintf("Set %s.std_dev to the standard deviation of one row's value (of a bootstrap: its standard error times the square root of the samples); or %s.kind, where the metric is a known one under another name.", gate, gate)
	case g.declared.Prevalence.IsNull():
		why = fmt.Sprintf("the standard error of %s depends on how many of the %s samples are positive", g.metric, show(g.samples()))
		finding.Fix = fmt.Sprintf("Set %s.prevalence to the share of positives in the test set.", gate)
	default: // precision, without the recall
		why = fmt.Sprintf("the standard error of %s depends on how many of the %s samples are taken for positive, which the recall tells", g.metric, show(g.samples()))
		finding.Fix = "Add \"recall\" to metrics."
	}
	finding.Detail = fmt.Sprintf("The gate says that %s, and the version scored %s. Whether the margin of %s is more than noise cannot be told: %s.", g.name(), show(g.value), show(g.margin()), why)
	return finding
}

// degenerate reports a limit at which the metric has no noise: at an AUC of 1, a
// model makes no errors.
func (g gateSubject) degenerate() bool {
	_, anywhere := g.noise.of(maximumSamples, g.limit)
	return !anywhere
}

func (g gateSubject) rows() string {
	text := plural(g.samples(), "test sample", "test samples")
	if effect := g.declared.DesignEffect.Or(1); effect > 1 {
		text += fmt.Sprintf(" (worth %s at design effect %s)", show(round(g.samples()/effect)), show(effect))
	}
	return text
}

// confidence is the level of the interval in percent.
func (g gateSubject) confidence() float64 {
	return decimal(100 * (1 - g.declared.SignificanceLevel.Or(0.05)))
}

// oneIn is in how many test sets a model that is exactly at its gate is as far from
// it, on the same side, as the value is.
func (g gateSubject) oneIn(se float64) float64 {
	p, err := stats.NormalSurvival(math.Abs(g.margin()) / se)
	if err != nil || p <= 0 {
		return none
	}
	return math.Round(stats.RoundSignificant(1/p, 2))
}
