package evaluate

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// hypothesis is a declared hypothesis whose numbers are all known.
type hypothesis struct {
	kind                    string
	baselineRate, stdDev    float64
	effect                  float64
	significance, power     float64
	alternative             string
	margin                  float64
	higherIsBetter          bool
	control                 string
	looks                   int
	spending                string
	designEffect, delaySecs float64
}

func hypothesisOf(declared spec.Hypothesis) (hypothesis, bool) {
	d := declared
	if spec.AnyUnknown(d.BaselineRate, d.StdDev, d.Margin, d.HigherIsBetter, d.Spending) ||
		!spec.AllKnown(d.Kind, d.MinimumDetectableEffect, d.SignificanceLevel, d.Power, d.Alternative, d.Control, d.Looks, d.DesignEffect, d.LabelDelay) {
		return hypothesis{}, false
	}
	return hypothesis{
		kind: d.Kind.Or(""), baselineRate: d.BaselineRate.Or(0), stdDev: d.StdDev.Or(0),
		effect: d.MinimumDetectableEffect.Or(0), significance: d.SignificanceLevel.Or(0), power: d.Power.Or(0),
		alternative: d.Alternative.Or(""), margin: d.Margin.Or(0), higherIsBetter: d.HigherIsBetter.Or(true),
		control: d.Control.Or(""), looks: int(d.Looks.Or(1)), spending: d.Spending.Or(""),
		designEffect: d.DesignEffect.Or(1), delaySecs: d.LabelDelay.Or(0).Seconds(),
	}, true
}

// twoSided reports whether both directions count.
func (h hypothesis) twoSided() bool { return h.alternative == "two_sided" }

// comparison is the test at k control samples a treatment sample.
func (h hypothesis) comparison(k float64) (stats.Comparison, error) {
	switch {
	case h.alternative == "non_inferior" && h.kind == "mean":
		return stats.NewNonInferiorityMean(h.nonInferiority(k))
	case h.alternative == "non_inferior":
		return stats.NewNonInferiorityProportion(h.nonInferiority(k))
	case h.kind == "mean":
		return stats.NewMeanComparison(stats.MeanTest{StdDev: h.stdDev, Effect: h.effect, Ratio: k, SignificanceLevel: h.significance, TwoSided: h.twoSided()})
	}
	return stats.NewProportionComparison(stats.ProportionTest{BaselineRate: h.baselineRate, Effect: h.effect, Ratio: k, SignificanceLevel: h.significance, TwoSided: h.twoSided()})
}

func (h hypothesis) nonInferiority(k float64) stats.NonInferiorityTest {
	return stats.NonInferiorityTest{
		BaselineRate: h.baselineRate, StdDev: h.stdDev, Effect: h.effect, Margin: h.margin,
		HigherIsBetter: h.higherIsBetter, Ratio: k, SignificanceLevel: h.significance,
	}
}

// tail is the significance level of one side.
func (h hypothesis) tail() float64 {
	if h.twoSided() {
		return h.significance / 2
	}
	return h.significance
}

// looking is how the deciding stage looks at its data: nil for once.
func (h hypothesis) looking() (*stats.Sequential, error) {
	switch {
	case h.looks <= 1:
		return nil, nil
	case h.spending != "":
		return stats.NewSequential(h.spending, h.looks, h.significance, h.twoSided())
	}
	// Without spending, each look takes the full significance level.
	z, err := stats.NormalUpperQuantile(h.tail())
	if err != nil || z <= 0 {
		return nil, err
	}
	fractions, critical := make([]float64, h.looks), make([]float64, h.looks)
	for i := range fractions {
		fractions[i], critical[i] = float64(i+1)/float64(h.looks), z
	}
	return stats.NewSequentialBounds(fractions, critical, h.twoSided())
}

// powerOf is the probability that so many treatment samples, and k times as many of
// the control, show the effect.
func (h hypothesis) powerOf(c stats.Comparison, design *stats.Sequential, samplesTreatment float64) (float64, error) {
	n := samplesTreatment / h.designEffect
	if design == nil || h.looks == 1 {
		return c.Power(n)
	}
	if h.spending != "" {
		return c.PowerWithLooks(n, design)
	}
	single, err := c.Power(n)
	if err != nil || single <= 0 || single >= 1 {
		return single, err
	}
	z, err := stats.NormalUpperQuantile(h.tail())
	if err != nil {
		return 0, err
	}
	x, err := stats.NormalQuantile(single)
	if err != nil {
		return 0, err
	}
	return design.Power(min(max(z+x, 0), 40))
}

// requiredOf is the number of treatment samples that the declared power takes,
// before rounding, with looks that inflate the sample by a factor; none where the
// numbers give none (a power below the significance level, an effect too small for
// any sample).
func (h hypothesis) requiredOf(c stats.Comparison, inflation float64) float64 {
	n, err := c.SamplesTreatment(h.power)
	if n *= h.designEffect * inflation; err != nil || !exists(n) || n > maximumCount {
		return none
	}
	return n
}

// inflationOf is the factor by which the looks' largest sample exceeds that of a
// single one.
func (h hypothesis) inflationOf(design *stats.Sequential) float64 {
	if design == nil || h.spending == "" {
		return 1
	}
	inflation, err := design.Inflation(h.power)
	if err != nil {
		return none // a power that the looks have without any sample
	}
	return inflation
}

// stage is a declared stage whose numbers are known.
type stage struct {
	name     string
	kind     string
	percent  float64
	seconds  float64 // none where it has no end
	live     bool
	decides  bool
	declared spec.Stage
	// What it collects; none where it compares nothing.
	treatment, control float64
	// ratio is control samples a treatment sample; 0 where there is no control.
	ratio float64
	// What the hypothesis makes of it; none without one.
	power, requiredTreatment, requiredControl float64
	minimumSeconds                            float64
	exposed                                   float64
	falseAbort                                float64
}

// rates are the requests a second of both arms.
func (s stage) rates(requestsPerSecond float64, control string) (treatment, other float64) {
	treatment = requestsPerSecond * s.percent / 100
	other = requestsPerSecond * (100 - s.percent) / 100
	if control == "matched_baseline" {
		other = min(other, treatment)
	}
	return treatment, other
}

// rolloutSubject is what the rules on rollout policies are given.
type rolloutSubject struct {
	declared   spec.RolloutPolicy
	rate       float64
	hypothesis *hypothesis       // nil where none is declared
	design     *stats.Sequential // nil for one look
	inflation  float64           // of the looks' largest sample; 1 for one look or no spending
	stages     []stage
	guardrails []guardrail
	deciding   int // -1 where no stage can decide
	typeError  float64
	known      bool
}

func evaluateRolloutPolicy(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.RolloutPolicy](value)
	if err != nil {
		return nil, nil, err
	}
	s := &rolloutSubject{declared: declared, deciding: -1, typeError: none}
	computed := map[string]cty.Value{spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	if s.known = s.read(); !s.known {
		return s, computed, nil
	}
	if s.guardrails, s.known = guardrailsOf(declared.Guardrails); !s.known {
		return s, computed, nil
	}
	if err := s.compute(); err != nil {
		return nil, nil, err
	}
	computed[spec.AttributeEvaluation] = s.value(kind)
	return s, computed, nil
}

// read takes in traffic, hypothesis and stages; false while anything is unknown.
func (s *rolloutSubject) read() bool {
	d := s.declared
	var ok bool
	if s.rate, ok = d.Traffic.Fields().RequestsPerSecond.Get(); !ok {
		return false
	}
	if !d.Hypothesis.IsNull() {
		h, ok := hypothesisOf(d.Hypothesis.Fields())
		if !ok {
			return false
		}
		s.hypothesis = &h
	}
	if s.stages, ok = stagesOf(d.Stages); !ok {
		return false
	}
	s.deciding = decidingStage(s.stages)
	return true
}

func stagesOf(declared spec.Value[[]spec.Value[spec.Stage]]) ([]stage, bool) {
	elements, ok := declared.Get()
	if !ok {
		return nil, false
	}
	var out []stage
	for _, element := range elements {
		d := element.Fields()
		kind, kindKnown := d.Kind.Get()
		percent, percentKnown := d.TrafficPercent.Get()
		if !kindKnown || !percentKnown || spec.AnyUnknown(d.Name, d.Duration, d.Decides) {
			return nil, false
		}
		s := stage{
			name: d.Name.Or(""), kind: kind, percent: percent, seconds: none, declared: d, decides: d.Decides.Or(false),
			live:      kind == spec.StageCanary || kind == spec.StageAB,
			treatment: none, control: none, power: none, requiredTreatment: none, requiredControl: none,
			minimumSeconds: none, exposed: none, falseAbort: none,
		}
		if duration, ok := d.Duration.Get(); ok {
			s.seconds = duration.Seconds()
		}
		out = append(out, s)
	}
	return out, true
}

// decidingStage is the one that says so, or the last live one; -1 where there is
// none.
func decidingStage(stages []stage) int {
	last := -1
	for i, s := range stages {
		if s.decides && s.live {
			return i
		}
		if s.live {
			last = i
		}
	}
	return last
}

// collect computes what a live stage collects, and what the hypothesis makes of it.
func (s *rolloutSubject) collect(st *stage, design *stats.Sequential) error {
	control := "stable"
	if s.hypothesis != nil {
		control = s.hypothesis.control
	}
	rateTreatment, rateControl := st.rates(s.rate, control)
	if exists(st.seconds) {
		st.treatment = min(floor(rateTreatment*st.seconds), maximumCount)
		st.control = min(floor(rateControl*st.seconds), maximumCount)
		st.exposed = st.treatment
	}
	st.ratio = rateControl / rateTreatment
	h := s.hypothesis
	if h == nil || st.ratio <= 0 {
		return nil
	}
	c, err := h.comparison(st.ratio)
	if err != nil {
		// Numbers beyond what any test can use (an effect of 1e-200): no figure.
		return nil //nolint:nilerr // the constraints have accepted the hypothesis, so it is not an error of the policy
	}
	if exists(st.seconds) {
		power, err := h.powerOf(c, design, min(st.treatment, st.control/st.ratio))
		if err != nil {
			return err
		}
		st.power = roundProbability(power)
	}
	inflation := 1.0
	if design != nil {
		inflation = s.inflation
	}
	if required := h.requiredOf(c, inflation); exists(required) {
		st.requiredTreatment = ceil(required)
		st.requiredControl = ceil(required * st.ratio)
		collecting := ceil(max(st.requiredTreatment/rateTreatment, st.requiredControl/rateControl))
		if total := collecting + h.delaySecs; total < maximumSeconds {
			st.minimumSeconds = total
		}
	}
	return nil
}

// designOf is how a stage looks at its data: only the deciding one looks often.
func (s *rolloutSubject) designOf(i int) *stats.Sequential {
	if i == s.deciding {
		return s.design
	}
	return nil
}

func (s *rolloutSubject) compute() error {
	if h := s.hypothesis; h != nil {
		var err error
		if s.design, err = h.looking(); err != nil {
			return err
		}
		s.inflation = h.inflationOf(s.design)
		s.typeError = roundProbability(h.significance)
		if s.design != nil {
			s.typeError = roundProbability(s.design.TypeIError())
		}
	}
	for i := range s.stages {
		st := &s.stages[i]
		switch {
		case st.live:
			if err := s.collect(st, s.designOf(i)); err != nil {
				return err
			}
			if exists(st.seconds) {
				falseAbort, err := s.falseAbort(*st)
				if err != nil {
					return err
				}
				st.falseAbort = roundProbability(falseAbort)
			}
		case st.kind == spec.StageShadow:
			st.exposed = 0
		case exists(st.seconds):
			st.exposed = min(floor(s.rate*st.percent/100*st.seconds), maximumCount)
		}
	}
	return nil
}

// guardrail is a declared guardrail whose numbers are known.
type guardrail struct {
	name                  string
	baselineRate, maximum float64
	everySeconds          float64
	failureLimit          int64
	budget                float64
	declared              spec.Guardrail
}

func guardrailsOf(declared spec.Value[[]spec.Value[spec.Guardrail]]) ([]guardrail, bool) {
	if declared.IsUnknown() {
		return nil, false
	}
	elements, _ := declared.Get()
	var out []guardrail
	for _, element := range elements {
		d := element.Fields()
		if !spec.AllKnown(d.BaselineRate, d.Maximum, d.Every, d.FailureLimit, d.FalseAbortBudget) || d.Name.IsUnknown() {
			return nil, false
		}
		out = append(out, guardrail{
			name: d.Name.Or(""), baselineRate: d.BaselineRate.Or(0), maximum: d.Maximum.Or(0), everySeconds: d.Every.Or(0).Seconds(),
			failureLimit: int64(d.FailureLimit.Or(0)), budget: d.FalseAbortBudget.Or(0), declared: d,
		})
	}
	return out, true
}

// falseAbort is the probability that any guardrail aborts a healthy candidate in a
// timed live stage.
func (s *rolloutSubject) falseAbort(st stage) (float64, error) {
	var aborts []float64
	for _, g := range s.guardrails {
		_, p, err := stats.FalseAbort(s.checks(st, g, g.baselineRate))
		if err != nil {
			return 0, err
		}
		aborts = append(aborts, p)
	}
	return stats.AnyOf(aborts)
}

// checks is what a guardrail sees of a timed live stage whose candidate fails at a
// rate.
func (s *rolloutSubject) checks(st stage, g guardrail, rate float64) stats.GuardrailChecks {
	designEffect := 1.0
	if s.hypothesis != nil {
		designEffect = s.hypothesis.designEffect
	}
	return stats.GuardrailChecks{
		Rate: rate, Maximum: g.maximum, FailureLimit: g.failureLimit,
		Samples: int64(min(floor(s.rate*st.percent/100*g.everySeconds/designEffect), maximumCount)),
		Checks:  int64(floor(st.seconds / g.everySeconds)),
	}
}

// timed are the live stages that end.
func (s *rolloutSubject) timed() []stage {
	var out []stage
	for _, st := range s.stages {
		if st.live && exists(st.seconds) {
			out = append(out, st)
		}
	}
	return out
}

// value is the evaluation.
func (s *rolloutSubject) value(kind *spec.Kind) cty.Value {
	var decides stage
	out := map[string]cty.Value{
		"required_samples_treatment": nullNumber,
		"required_samples_control":   nullNumber,
		"type_1_error":               number(s.typeError),
		"power":                      nullNumber,
	}
	if s.deciding >= 0 {
		decides = s.stages[s.deciding]
		out["required_samples_treatment"] = number(decides.requiredTreatment)
		out["required_samples_control"] = number(decides.requiredControl)
		out["power"] = number(decides.power)
	}
	stages := make([]cty.Value, len(s.stages))
	for i, st := range s.stages {
		minimum := nullString
		if exists(st.minimumSeconds) {
			minimum = cty.StringVal(showSeconds(st.minimumSeconds))
		}
		stages[i] = cty.ObjectVal(map[string]cty.Value{
			"name":              cty.StringVal(st.name),
			"samples_treatment": number(st.treatment),
			"samples_control":   number(st.control),
			"power":             number(st.power),
			"minimum_duration":  minimum,
			"exposed_requests":  number(st.exposed),
			"false_abort_rate":  number(st.falseAbort),
		})
	}
	out["stages"] = cty.ListValEmpty(kind.Type().AttributeType(spec.AttributeEvaluation).AttributeType("stages").ElementType())
	if len(stages) > 0 {
		out["stages"] = cty.ListVal(stages)
	}
	return cty.ObjectVal(out)
}
