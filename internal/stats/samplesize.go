package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Comparison is a test of a treatment against a control at fixed allocation: what
// sample size, power and looks need to know of it. Its one-look sample size is
// (z_alpha s0 + z_power s1)^2 / d^2 in the treatment arm, with d the distance from
// the null hypothesis, s0^2 and s1^2 the variance of the estimated difference for
// one treatment sample under the null and under the alternative. The far tail of
// two-sided tests is disregarded (at most 3e-6 of power in ordinary cases).
//
// The zero value is not usable: see the New functions.
type Comparison struct {
	distance float64 // > 0
	nullSD   float64 // > 0
	altSD    float64 // > 0
	ratio    float64 // control samples a treatment sample
	tail     float64 // alpha of one side
}

// ProportionTest declares a comparison of two proportions.
type ProportionTest struct {
	BaselineRate      float64 // the control's rate, between 0 and 1
	Effect            float64 // treatment rate minus control rate; not 0
	Ratio             float64 // control samples a treatment sample: 1 for equal arms
	SignificanceLevel float64 // alpha, all tails together
	TwoSided          bool
}

// MeanTest declares a comparison of two means of known, common standard deviation.
type MeanTest struct {
	StdDev            float64 // positive
	Effect            float64 // treatment mean minus control mean; not 0
	Ratio             float64 // control samples a treatment sample: 1 for equal arms
	SignificanceLevel float64 // alpha, all tails together
	TwoSided          bool
}

// NonInferiorityTest declares a one-sided test that the treatment is not worse than
// the control by Margin or more.
type NonInferiorityTest struct {
	BaselineRate      float64 // the control's rate; read for proportions
	StdDev            float64 // the common standard deviation; read for means
	Effect            float64 // true treatment minus control that power is wanted for, usually 0
	Margin            float64 // positive
	HigherIsBetter    bool
	Ratio             float64 // control samples a treatment sample
	SignificanceLevel float64 // one-sided
}

// NewProportionComparison is the normal test of two proportions with the variance
// pooled under the null hypothesis: with k = Ratio, p1 = BaselineRate, p2 = p1 +
// Effect and q = (p2 + k p1)/(1 + k), s0^2 = q(1-q)(1 + 1/k) and
// s1^2 = p1(1-p1)/k + p2(1-p2).
//
// Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions,
// 4.4; the same as R's power.prop.test, statsmodels, gsDesign and rpact.
func NewProportionComparison(t ProportionTest) (Comparison, error) {
	p1, p2, k := t.BaselineRate, t.BaselineRate+t.Effect, t.Ratio
	if err := checkOpenUnit("baseline rate", p1); err != nil {
		return Comparison{}, err
	}
	if err := checkEffect(t.Effect); err != nil {
		return Comparison{}, err
	}
	if p2 <= 0 || p2 >= 1 {
		return Comparison{}, fmt.Errorf("the treatment's rate, baseline rate plus effect, must be between 0 and 1, got %v", RoundSignificant(p2, 6))
	}
	tail, err := checkDesign(k, t.SignificanceLevel, t.TwoSided)
	if err != nil {
		return Comparison{}, err
	}
	q := (p2 + k*p1) / (1 + k)
	return newComparison(math.Abs(t.Effect),
		math.Sqrt(q*(1-q)*(1+1/k)),
		math.Sqrt(p1*(1-p1)/k+p2*(1-p2)), k, tail)
}

// NewMeanComparison is the normal test of two means, s0^2 = s1^2 = sigma^2 (1 + 1/k).
func NewMeanComparison(t MeanTest) (Comparison, error) {
	if err := checkPositive("standard deviation", t.StdDev); err != nil {
		return Comparison{}, err
	}
	if err := checkEffect(t.Effect); err != nil {
		return Comparison{}, err
	}
	tail, err := checkDesign(t.Ratio, t.SignificanceLevel, t.TwoSided)
	if err != nil {
		return Comparison{}, err
	}
	sd := t.StdDev * math.Sqrt(1+1/t.Ratio)
	return newComparison(math.Abs(t.Effect), sd, sd, t.Ratio, tail)
}

// NewNonInferiorityProportion is the one-sided test against a margin with the
// variance under the null hypothesis at Farrington and Manning's restricted maximum
// likelihood rates.
//
// Source: Farrington and Manning, Statistics in Medicine 9 (1990) 1447-1454; the
// same as gsDesign's nBinomial with delta0.
func NewNonInferiorityProportion(t NonInferiorityTest) (Comparison, error) {
	pc, pt, k := t.BaselineRate, t.BaselineRate+t.Effect, t.Ratio
	if err := checkOpenUnit("baseline rate", pc); err != nil {
		return Comparison{}, err
	}
	if math.IsNaN(pt) || pt <= 0 || pt >= 1 {
		return Comparison{}, fmt.Errorf("the treatment's rate, baseline rate plus effect, must be between 0 and 1, got %v", RoundSignificant(pt, 6))
	}
	distance, difference, tail, err := t.check()
	if err != nil {
		return Comparison{}, err
	}
	if edge := pc + difference; edge <= 0 || edge >= 1 {
		return Comparison{}, fmt.Errorf("a margin of %v takes the baseline rate %v beyond 0 or 1: it excludes nothing", t.Margin, pc)
	}
	rt, rc := farringtonManning(pt, pc, k, difference)
	null := rt*(1-rt) + rc*(1-rc)/k
	return newComparison(distance, math.Sqrt(null), math.Sqrt(pt*(1-pt)+pc*(1-pc)/k), k, tail)
}

// NewNonInferiorityMean is the one-sided test of two means against a margin.
func NewNonInferiorityMean(t NonInferiorityTest) (Comparison, error) {
	if err := checkPositive("standard deviation", t.StdDev); err != nil {
		return Comparison{}, err
	}
	distance, _, tail, err := t.check()
	if err != nil {
		return Comparison{}, err
	}
	sd := t.StdDev * math.Sqrt(1+1/t.Ratio)
	return newComparison(distance, sd, sd, t.Ratio, tail)
}

// check gives the distance of the expected effect from the margin, and the
// difference, treatment minus control, at the margin.
func (t NonInferiorityTest) check() (distance, difference, tail float64, err error) {
	if err = checkPositive("margin", t.Margin); err != nil {
		return 0, 0, 0, err
	}
	if err = checkFinite("effect", t.Effect); err != nil {
		return 0, 0, 0, err
	}
	if tail, err = checkDesign(t.Ratio, t.SignificanceLevel, false); err != nil {
		return 0, 0, 0, err
	}
	distance, difference = t.Margin-t.Effect, t.Margin
	if t.HigherIsBetter {
		distance, difference = t.Margin+t.Effect, -t.Margin
	}
	if distance <= 0 {
		return 0, 0, 0, fmt.Errorf("an effect of %v lies at or beyond the margin of %v: the treatment is inferior", t.Effect, t.Margin)
	}
	return distance, difference, tail, nil
}

// Ratio is the number of control samples a treatment sample.
func (c Comparison) Ratio() float64 { return c.ratio }

// SamplesTreatment is the number of treatment samples, before rounding up, at which
// one look has the given power; the control needs Ratio times as many. Power must
// exceed the one-sided significance level. It is at least 1: below a power of a half
// the normal approximation can ask for less, or for none, which shows nothing.
func (c Comparison) SamplesTreatment(power float64) (float64, error) {
	if err := c.checkPower(power); err != nil {
		return 0, err
	}
	n := c.samples(mathext.NormalQuantile(power))
	if !finite(n) {
		return 0, fmt.Errorf("the effect is too small: the required sample size overflows")
	}
	return max(n, 1), nil
}

// Power is the chance that one look at this many treatment samples (and Ratio times
// as many control samples) is significant. No samples have power 0.
func (c Comparison) Power(samplesTreatment float64) (float64, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	if math.IsNaN(samplesTreatment) || samplesTreatment < 0 {
		return 0, fmt.Errorf("samples must not be negative, got %v", samplesTreatment)
	}
	if samplesTreatment == 0 {
		return 0, nil
	}
	return c.power(samplesTreatment), nil
}

// SamplesTreatmentWithLooks is [Comparison.SamplesTreatment] times the inflation of
// the sequential design: the largest sample, reached at the last look. The design's
// significance level and sides must be the comparison's.
func (c Comparison) SamplesTreatmentWithLooks(power float64, design *Sequential) (float64, error) {
	n, err := c.SamplesTreatment(power)
	if err != nil {
		return 0, err
	}
	if err := c.checkLooks(design); err != nil {
		return 0, err
	}
	inflation, err := design.Inflation(power)
	if err != nil {
		return 0, err
	}
	return n * inflation, nil
}

// PowerWithLooks is the chance that some look of the sequential design is
// significant, where the last look has this many treatment samples. It inverts
// [Comparison.SamplesTreatmentWithLooks].
func (c Comparison) PowerWithLooks(samplesTreatment float64, design *Sequential) (float64, error) {
	single, err := c.Power(samplesTreatment)
	if err != nil {
		return 0, err
	}
	if err := c.checkLooks(design); err != nil {
		return 0, err
	}
	if samplesTreatment == 0 || design.Looks() == 1 {
		return single, nil
	}
	// n(drift) = inflation(drift) * fixed samples at that power: rises with drift.
	z := normalUpperQuantile(c.tail)
	low, high := 0.0, 40.0
	for range 60 {
		drift := (low + high) / 2
		power := design.power(drift)
		beyond := power >= 1-1e-15
		if !beyond && power > c.tail {
			zp := mathext.NormalQuantile(power)
			inflation := drift / (z + zp)
			beyond = inflation*inflation*c.samples(zp) > samplesTreatment
		}
		if beyond {
			high = drift
		} else {
			low = drift
		}
	}
	return design.power((low + high) / 2), nil
}

func (c Comparison) samples(zPower float64) float64 {
	root := (normalUpperQuantile(c.tail)*c.nullSD + zPower*c.altSD) / c.distance
	if root <= 0 {
		return 0
	}
	return root * root
}

func (c Comparison) power(n float64) float64 {
	return normalCDF((c.distance*math.Sqrt(n) - normalUpperQuantile(c.tail)*c.nullSD) / c.altSD)
}

func newComparison(distance, nullSD, altSD, ratio, tail float64) (Comparison, error) {
	c := Comparison{distance: distance, nullSD: nullSD, altSD: altSD, ratio: ratio, tail: tail}
	return c, c.check()
}

func (c Comparison) check() error {
	for _, v := range []float64{c.distance, c.nullSD, c.altSD, c.ratio, c.tail} {
		if !finite(v) || v <= 0 {
			return fmt.Errorf("the comparison cannot be computed from these numbers: they are too large, too small, or it was not made by a New function")
		}
	}
	return nil
}

func (c Comparison) checkPower(power float64) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := checkOpenUnit("power", power); err != nil {
		return err
	}
	if power <= c.tail {
		return fmt.Errorf("power must exceed the one-sided significance level %v, got %v", c.tail, power)
	}
	return nil
}

func (c Comparison) checkLooks(design *Sequential) error {
	if design == nil {
		return fmt.Errorf("the sequential design is missing")
	}
	if math.Abs(design.tail-c.tail) > 1e-12 {
		return fmt.Errorf("the sequential design spends %v a side and the comparison %v: they must agree", design.tail, c.tail)
	}
	return nil
}

// ProportionPower is the power of one look at the given samples of both arms; the
// test's Ratio is taken from them.
func ProportionPower(t ProportionTest, samplesTreatment, samplesControl float64) (float64, error) {
	c, err := NewProportionComparisonFor(t, samplesTreatment, samplesControl)
	if err != nil {
		return 0, err
	}
	return c.Power(samplesTreatment)
}

// NewProportionComparisonFor is [NewProportionComparison] at the allocation of the
// given samples.
func NewProportionComparisonFor(t ProportionTest, samplesTreatment, samplesControl float64) (Comparison, error) {
	var err error
	if t.Ratio, err = ratioOf(samplesTreatment, samplesControl); err != nil {
		return Comparison{}, err
	}
	return NewProportionComparison(t)
}

// MeanTestPower is the power of one look at the given samples of both arms; the test's
// Ratio is taken from them.
func MeanTestPower(t MeanTest, samplesTreatment, samplesControl float64) (float64, error) {
	var err error
	if t.Ratio, err = ratioOf(samplesTreatment, samplesControl); err != nil {
		return 0, err
	}
	c, err := NewMeanComparison(t)
	if err != nil {
		return 0, err
	}
	return c.Power(samplesTreatment)
}

// DetectableProportionEffect is the smallest effect that one look at the given
// samples sees with the given power, in the direction of t.Effect's sign (0 counts as
// positive; its size is not read, nor is t.Ratio). It has that sign. Where no
// treatment rate between 0 and 1 is far enough, that is an error.
func DetectableProportionEffect(t ProportionTest, samplesTreatment, samplesControl, power float64) (float64, error) {
	ratio, err := ratioOf(samplesTreatment, samplesControl)
	if err != nil {
		return 0, err
	}
	if err := checkOpenUnit("baseline rate", t.BaselineRate); err != nil {
		return 0, err
	}
	tail, err := checkDesign(ratio, t.SignificanceLevel, t.TwoSided)
	if err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, tail); err != nil {
		return 0, err
	}
	sign, room := 1.0, 1-t.BaselineRate
	if t.Effect < 0 {
		sign, room = -1, t.BaselineRate
	}
	t.Ratio = ratio
	powerAt := func(size float64) float64 {
		t.Effect = sign * size
		c, err := NewProportionComparison(t)
		if err != nil {
			return 0
		}
		return c.power(samplesTreatment)
	}
	high := room * (1 - 1e-9)
	if powerAt(high) < power {
		return 0, fmt.Errorf("no effect is detectable with power %v at %v treatment and %v control samples", power, samplesTreatment, samplesControl)
	}
	low := 0.0
	for range 100 {
		middle := (low + high) / 2
		if powerAt(middle) < power {
			low = middle
		} else {
			high = middle
		}
	}
	return sign * high, nil
}

// DetectableMeanEffect is the smallest effect on a mean, as a positive number, that
// one look at the given samples sees with the given power. t.Effect and t.Ratio are
// not read.
func DetectableMeanEffect(t MeanTest, samplesTreatment, samplesControl, power float64) (float64, error) {
	ratio, err := ratioOf(samplesTreatment, samplesControl)
	if err != nil {
		return 0, err
	}
	if err := checkPositive("standard deviation", t.StdDev); err != nil {
		return 0, err
	}
	tail, err := checkDesign(ratio, t.SignificanceLevel, t.TwoSided)
	if err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, tail); err != nil {
		return 0, err
	}
	z := normalUpperQuantile(tail) + mathext.NormalQuantile(power)
	effect := z * t.StdDev * math.Sqrt((1+1/ratio)/samplesTreatment)
	return effect, checkPositive("detectable effect", effect)
}

// MissionSampleSizeProportion is the samples for each of two equal arms by the
// textbook formula with one pooled variance, 2 (z_{alpha/2} + z_beta)^2 p(1-p) / d^2
// with p the mean of both rates; two-sided, before rounding up. It differs from
// [NewProportionComparison] by about 1e-4 in ordinary cases.
func MissionSampleSizeProportion(baselineRate, effect, significanceLevel, power float64) (float64, error) {
	if err := checkOpenUnit("baseline rate", baselineRate); err != nil {
		return 0, err
	}
	if err := checkEffect(effect); err != nil {
		return 0, err
	}
	if p := baselineRate + effect; p <= 0 || p >= 1 {
		return 0, fmt.Errorf("the treatment's rate, baseline rate plus effect, must be between 0 and 1, got %v", RoundSignificant(p, 6))
	}
	mean := baselineRate + effect/2
	return missionSampleSize(mean*(1-mean), effect, significanceLevel, power)
}

// MissionSampleSizeMean is the samples for each of two equal arms to compare means,
// 2 (z_{alpha/2} + z_beta)^2 sigma^2 / d^2; two-sided, before rounding up.
func MissionSampleSizeMean(stdDev, effect, significanceLevel, power float64) (float64, error) {
	if err := checkPositive("standard deviation", stdDev); err != nil {
		return 0, err
	}
	if err := checkEffect(effect); err != nil {
		return 0, err
	}
	return missionSampleSize(stdDev*stdDev, effect, significanceLevel, power)
}

func missionSampleSize(variance, effect, significanceLevel, power float64) (float64, error) {
	if err := checkOpenUnit("significance level", significanceLevel); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("power", power); err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, significanceLevel/2); err != nil {
		return 0, err
	}
	z := normalUpperQuantile(significanceLevel/2) + mathext.NormalQuantile(power)
	n := 2 * z * z * variance / (effect * effect)
	if !finite(n) {
		return 0, fmt.Errorf("the effect is too small: the required sample size overflows")
	}
	return n, nil
}

// CeilCount rounds a sample size up to a whole number. A value within one part in
// 10^12 above a whole number counts as that number, so that the last bits, in which
// platforms differ, never decide. Negative, NaN and sizes above 2^53 are errors.
func CeilCount(x float64) (int64, error) {
	if math.IsNaN(x) || x < 0 || x > 1<<53 {
		return 0, fmt.Errorf("a sample size must be between 0 and 2^53, got %v", x)
	}
	return int64(math.Ceil(RoundSignificant(x, roundingNoise))), nil
}

// farringtonManning gives the maximum likelihood rates of treatment and control
// when they must differ by the given difference: the middle root of a cubic.
func farringtonManning(pt, pc, k, difference float64) (rt, rc float64) {
	a := 1 + k
	b := -(1 + k + pt + k*pc + difference*(k+2))
	c := difference*difference + difference*(2*pt+k+1) + pt + k*pc
	d := -pt * difference * (1 + difference)
	b3 := b / (3 * a)
	v := b3*b3*b3 - b*c/(6*a*a) + d/(2*a)
	u := math.Copysign(math.Sqrt(max(b3*b3-c/(3*a), 0)), v)
	w := math.Pi / 3
	if u != 0 {
		w = (math.Pi + math.Acos(min(max(v/(u*u*u), -1), 1))) / 3
	}
	rt = 2*u*math.Cos(w) - b3
	rt = min(max(rt, max(0, difference)), min(1, 1+difference))
	return rt, rt - difference
}

func ratioOf(samplesTreatment, samplesControl float64) (float64, error) {
	if err := checkPositive("treatment samples", samplesTreatment); err != nil {
		return 0, err
	}
	if err := checkPositive("control samples", samplesControl); err != nil {
		return 0, err
	}
	return samplesControl / samplesTreatment, nil
}

func checkEffect(effect float64) error {
	if err := checkFinite("effect", effect); err != nil {
		return err
	}
	if effect == 0 {
		return fmt.Errorf("effect must not be 0: no sample size can show that nothing changed")
	}
	return nil
}

func checkDesign(ratio, significanceLevel float64, twoSided bool) (tail float64, err error) {
	if err := checkPositive("ratio", ratio); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("significance level", significanceLevel); err != nil {
		return 0, err
	}
	if twoSided {
		return significanceLevel / 2, nil
	}
	return significanceLevel, nil
}

func checkDetectablePower(power, tail float64) error {
	if err := checkOpenUnit("power", power); err != nil {
		return err
	}
	if power <= tail {
		return fmt.Errorf("power must exceed the one-sided significance level %v, got %v", tail, power)
	}
	return nil
}
