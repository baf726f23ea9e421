package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The formulas of [NewProportionComparisonBy].
const (
	FormulaFleiss   = "fleiss"   // variance pooled under the null hypothesis: the default
	FormulaUnpooled = "unpooled" // variance of the alternative throughout
	FormulaArcsine  = "arcsine"  // difference of 2 asin sqrt(p), variance 1/n a side
	FormulaMission  = "mission"  // 2 p(1-p) at the mean of both rates, pooled throughout
	FormulaMiller   = "miller"   // Evan Miller's calculator: the null's variance at the baseline's rate
)

// NewProportionComparisonBy is [NewProportionComparison] by the named formula: s0 and s1
// of the two standard deviations differ, nothing else.
//
//   - "fleiss": [NewProportionComparison].
//   - "unpooled": s0^2 = s1^2 = p2(1-p2) + p1(1-p1)/k.
//   - "arcsine": distance h = |2 asin sqrt(p2) - 2 asin sqrt(p1)| (Cohen's),
//     s0^2 = s1^2 = 1 + 1/k. Source: Cohen, Statistical Power Analysis, chapter 6; R's
//     pwr.2p.test disregards the far tail less and differs by 3e-6.
//   - "mission": s0^2 = s1^2 = p(1-p)(1 + 1/k), p the unweighted mean of both rates; at
//     k = 1 [MissionSampleSizeProportion].
//   - "miller": s0^2 = p1(1-p1)(1 + 1/k), s1 as "fleiss". It underpowers a rise of a rate
//     below a half. Where the baseline rate exceeds a half both rates are turned over, as
//     that calculator does.
func NewProportionComparisonBy(formula string, t ProportionTest) (Comparison, error) {
	if formula == FormulaMiller && t.BaselineRate > 0.5 {
		t.BaselineRate = 1 - t.BaselineRate
		t.Effect = math.Abs(t.Effect) // the calculator adds the effect in any case
	}
	c, err := NewProportionComparison(t)
	if err != nil {
		return Comparison{}, err
	}
	p1, p2, k := t.BaselineRate, t.BaselineRate+t.Effect, t.Ratio
	switch formula {
	case FormulaFleiss:
	case FormulaUnpooled:
		c.nullSD = c.altSD
	case FormulaArcsine:
		c.distance = math.Abs(cohenH(p2, p1))
		c.nullSD = math.Sqrt(1 + 1/k)
		c.altSD = c.nullSD
	case FormulaMission:
		p := p1 + t.Effect/2
		c.nullSD = math.Sqrt(p * (1 - p) * (1 + 1/k))
		c.altSD = c.nullSD
	case FormulaMiller:
		c.nullSD = math.Sqrt(p1 * (1 - p1) * (1 + 1/k))
	default:
		return Comparison{}, fmt.Errorf("unknown formula %q: want %q, %q, %q, %q or %q", formula,
			FormulaFleiss, FormulaUnpooled, FormulaArcsine, FormulaMission, FormulaMiller)
	}
	return c, c.check()
}

// CohenH is the effect size of two proportions, 2 asin sqrt(p2) - 2 asin sqrt(p1).
func CohenH(p2, p1 float64) (float64, error) {
	if err := checkProbability("p2", p2); err != nil {
		return 0, err
	}
	if err := checkProbability("p1", p1); err != nil {
		return 0, err
	}
	return cohenH(p2, p1), nil
}

func cohenH(p2, p1 float64) float64 {
	return 2*math.Asin(math.Sqrt(p2)) - 2*math.Asin(math.Sqrt(p1))
}

// ContinuityCorrected is a sample size of [NewProportionComparison] as the test with a
// continuity correction needs it: n/4 (1 + sqrt(1 + 2(1+k)/(n k d)))^2 in the treatment
// arm, for an effect d and k control samples a treatment sample.
//
// Source: Fleiss, Tytun and Ury, Biometrics 36 (1980) 343-346.
func ContinuityCorrected(samplesTreatment, effect, ratio float64) (float64, error) {
	if err := checkPositive("samples", samplesTreatment); err != nil {
		return 0, err
	}
	if err := checkEffect(effect); err != nil {
		return 0, err
	}
	if err := checkPositive("ratio", ratio); err != nil {
		return 0, err
	}
	n := samplesTreatment
	root := 1 + math.Sqrt(1+2*(1+ratio)/(n*ratio*math.Abs(effect)))
	v := n / 4 * root * root
	return v, checkPositive("the corrected sample size", v)
}

// NewNonInferiorityProportionUnpooled is [NewNonInferiorityProportion] with the variance
// of the alternative throughout: simpler, and a little smaller than what the score test
// needs.
func NewNonInferiorityProportionUnpooled(t NonInferiorityTest) (Comparison, error) {
	c, err := NewNonInferiorityProportion(t)
	if err != nil {
		return Comparison{}, err
	}
	c.nullSD = c.altSD
	return c, nil
}

// TTestPower is the power of the two-sample t test of means with a common, estimated
// standard deviation (pooled, n1 + n2 - 2 degrees of freedom) at the given samples:
// noncentral t, both tails where two-sided. t.Ratio is not read. It needs more than two
// samples together; they may be fractions. Good to about 1e-10.
func TTestPower(t MeanTest, samplesTreatment, samplesControl float64) (float64, error) {
	tail, err := checkTTest(t)
	if err != nil {
		return 0, err
	}
	if err := checkPositive("treatment samples", samplesTreatment); err != nil {
		return 0, err
	}
	if err := checkPositive("control samples", samplesControl); err != nil {
		return 0, err
	}
	if samplesTreatment+samplesControl-2 < 1e-3 {
		return 0, fmt.Errorf("a t test needs more than 2 samples together, got %v and %v", samplesTreatment, samplesControl)
	}
	return tTestPower(t, tail, samplesTreatment, samplesControl), nil
}

// TTestSamples is the number of treatment samples, before rounding up, at which the
// two-sample t test has the given power; the control needs t.Ratio times as many.
func TTestSamples(t MeanTest, power float64) (float64, error) {
	tail, err := checkTTest(t)
	if err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, tail); err != nil {
		return 0, err
	}
	z, err := NewMeanComparison(t)
	if err != nil {
		return 0, err
	}
	start, err := z.SamplesTreatment(power)
	if err != nil {
		return 0, err
	}
	if n, ok := tTestSamples(t, tail, power, start); ok {
		return n, nil
	}
	least := 2.001 / (1 + t.Ratio)
	low, high := least, max(start, least)+4
	for tTestPower(t, tail, high, high*t.Ratio) < power {
		if high *= 2; high > 1e15 {
			return 0, fmt.Errorf("the effect is too small: the required sample size overflows")
		}
	}
	if tTestPower(t, tail, low, low*t.Ratio) >= power {
		return low, nil
	}
	return rising(low, high, func(n float64) float64 { return tTestPower(t, tail, n, n*t.Ratio) - power }), nil
}

// rising is where a function that rises from below 0 at low to above 0 at high is 0, to one
// part in 10^11: by false position with the Illinois rule, for smooth functions.
func rising(low, high float64, f func(float64) float64) float64 {
	fLow, fHigh := f(low), f(high)
	for side := 0; high-low >= 1e-11*high && fHigh != 0; {
		x := low + (high-low)*fLow/(fLow-fHigh)
		if !(x > low && x < high) || side > 40 || side < -40 {
			x = (low + high) / 2
		}
		if x <= low || x >= high {
			break
		}
		switch v := f(x); {
		case math.Abs(v) < 1e-13:
			return x
		case v < 0:
			low, fLow = x, v
			if side = min(side, 0) - 1; side < -1 {
				fHigh /= 2
			}
		default:
			high, fHigh = x, v
			if side = max(side, 0) + 1; side > 1 {
				fLow /= 2
			}
		}
	}
	return high
}

// tTestSamples solves for the samples from a normal test's: the noncentrality delta at
// which (delta - c(1-1/(4 degrees)))/sqrt(1 + c^2/(2 degrees)), c the critical value, is
// the power's normal quantile (Johnson, Kotz and Balakrishnan, 31.25), and from there by
// secants through the power itself. False where it does not settle at more than ten degrees
// of freedom.
func tTestSamples(t MeanTest, tail, power, start float64) (samples float64, ok bool) {
	z := mathext.NormalQuantile(power)
	unit := math.Abs(t.Effect) / t.StdDev / math.Sqrt(1+1/t.Ratio) // delta = unit sqrt(n)
	degreesAt := func(n float64) float64 { return n*(1+t.Ratio) - 2 }
	n, spread := start, 0.0
	for range 4 {
		degrees := max(degreesAt(n), 5)
		c := studentExpansion(tail, degrees)
		spread = math.Sqrt(1 + c*c/(2*degrees))
		root := (c*(1-1/(4*degrees)) + z*spread) / unit
		n = root * math.Abs(root)
	}
	density := normalDensity(z) / spread
	var before, fBefore float64
	for i := range 8 {
		if !(degreesAt(n) > 10) || math.IsInf(n, 1) {
			return 0, false
		}
		f := tTestPower(t, tail, n, n*t.Ratio) - power
		slope := density * unit / (2 * math.Sqrt(n))
		if i > 0 && n != before && f != fBefore {
			slope = (f - fBefore) / (n - before)
		}
		before, fBefore = n, f
		step := f / slope
		if !(math.Abs(step) < n/2) {
			return 0, false
		}
		n -= step
		// A secant's next error is about the product of the last two.
		if math.Abs(step) <= 1e-8*n && i > 0 || math.Abs(f) < 1e-13 {
			return n, true
		}
	}
	return 0, false
}

func checkTTest(t MeanTest) (tail float64, err error) {
	if err := checkPositive("standard deviation", t.StdDev); err != nil {
		return 0, err
	}
	if err := checkEffect(t.Effect); err != nil {
		return 0, err
	}
	ratio := t.Ratio
	if ratio == 0 {
		ratio = 1
	}
	return checkDesign(ratio, t.SignificanceLevel, t.TwoSided)
}

func tTestPower(t MeanTest, tail, n1, n2 float64) float64 {
	degrees := n1 + n2 - 2
	delta := math.Abs(t.Effect) / t.StdDev * math.Sqrt(n1/(1+n1/n2))
	critical := studentUpperQuantile(tail, degrees)
	above, below := noncentralTTails(critical, degrees, delta)
	if t.TwoSided {
		above += below
	}
	return min(above, 1)
}

// studentSurvival is P(T > x) of Student's t, x not negative.
func studentSurvival(x, degrees float64) float64 {
	return 0.5 * mathext.RegIncBeta(degrees/2, 0.5, degrees/(degrees+x*x))
}

// studentExpansion is Student's upper quantile by its expansion about the normal one
// (Abramowitz and Stegun, 26.7.5, and one term more: Goldberg and Levine, Annals of
// Mathematical Statistics 17, 1946).
func studentExpansion(q, degrees float64) float64 {
	x, last := studentSeries(q, degrees)
	return x + last
}

// studentSeries gives the expansion and, apart, its last term.
func studentSeries(q, degrees float64) (sum, last float64) {
	z := normalUpperQuantile(q)
	y, u := z*z, 1/degrees
	sum = z * (1 + u*((y+1)/4+u*(((5*y+16)*y+3)/96+u*((((3*y+19)*y+17)*y-15)/384+u*((((79*y+776)*y+1482)*y-1920)*y-945)/92160))))
	last = z * u * u * u * u * u * (((((27*y+339)*y+930)*y-1782)*y-765)*y + 17955) / 368640
	return sum, last
}

func studentUpperQuantile(q, degrees float64) float64 {
	if degrees > 1e8 || q >= 0.5 {
		return normalUpperQuantile(min(q, 0.5))
	}
	normal := normalUpperQuantile(q)
	start, last := studentSeries(q, degrees)
	start += last
	if 10*math.Abs(last)*(normal*normal+10) < 1e-12*degrees { // what the next terms can be
		return start
	}
	low, high := normal*(1-1e-9), normal+1 // the normal one is smaller
	for studentSurvival(high, degrees) > q && high < 1e300 {
		low, high = high, high*4
	}
	x := start
	if !(x > low && x < high) {
		x = (low + high) / 2
	}
	constant := math.Exp(logGamma((degrees+1)/2)-logGamma(degrees/2)) / math.Sqrt(degrees*math.Pi)
	for range 200 { // Newton's steps, on the logarithm of the tail, within the bracket
		p := studentSurvival(x, degrees)
		if p > q {
			low = x
		} else {
			high = x
		}
		density := constant * math.Exp(-(degrees+1)/2*math.Log1p(x*x/degrees))
		step := p * math.Log(p/q) / density
		if math.Abs(step) <= 1e-9*x || high-low <= 1e-15*high { // the next step would be of the order of its square
			return x + step
		}
		if x += step; !(x > low && x < high) {
			x = (low + high) / 2
		}
	}
	return x
}

// fewDegrees is where the density of [noncentralTTails] is too wide for its rule.
const fewDegrees = 5

// noncentralTTails are P(T > x) and P(T < -x), x not negative, of T = (Z + delta)/S,
// S = sqrt(V/degrees) and V chi-squared. They are means over S of normal tails at x S - delta
// and x S + delta. In y = log S the density is proportional to exp(degrees (y - e^2y/2)),
// which is analytic and falls off either way: the trapezoid rule is good to exp(-2 pi
// w/h) times what the integrand grows to at y + i w (Trefethen and Weideman, SIAM Review
// 56 (2014) 385-458). About 1e-11 with some 20 nodes.
func noncentralTTails(x, degrees, delta float64) (above, below float64) {
	if degrees > 1e7 {
		return normalSurvival(x - delta), normalSurvival(x + delta)
	}
	if degrees < fewDegrees {
		return noncentralTSurvival(x, degrees, delta), noncentralTSurvival(x, degrees, -delta)
	}
	rate := x * x / degrees
	if degrees >= hermiteDegrees && rate < hermiteRate {
		return hermiteTTails(x, degrees, delta)
	}
	const accuracy = 27 // -log
	// At y + i w the density and the normal tail together are at most kappa^(-degrees/2)
	// of their peak, kappa = cos 2w - x^2/degrees sin^2 w, whatever y; any w will do.
	w := min(math.Sqrt(accuracy/(degrees*(1+rate/2))), 0.8*math.Asin(math.Sqrt(1/(2+rate))))
	sin := math.Sin(w)
	h := 2 * math.Pi * w / (accuracy - degrees/2*math.Log1p(-(2+rate)*sin*sin))
	// The density's logarithm, relative to its peak, is degrees (y + (1 - e^2y)/2).
	var total float64
	add := func(y, s float64) bool {
		w := math.Exp(degrees * (y - (s*s-1)/2))
		total += w
		above += w * normalSurvival(x*s-delta)
		below += w * normalSurvival(x*s+delta)
		return w > 1e-13
	}
	add(0, 1)
	ratio := math.Exp(h)
	for y, s := h, ratio; add(y, s); y, s = y+h, s*ratio {
	}
	for y, s := -h, 1/ratio; add(y, s); y, s = y-h, s/ratio {
	}
	return min(above/total, 1), min(below/total, 1)
}

// From so many degrees of freedom on, and x^2 a degree below this, [hermiteTTails] is as good
// as the trapezoid rule, with a third of its nodes.
const (
	hermiteDegrees = 100
	hermiteRate    = 0.06
)

// hermite7 are the nodes that are not negative, and the weights, of the Gauss-Hermite rule of
// 7 nodes for the weight exp(-t^2/2); the weights are the customary ones for exp(-t^2).
var hermite7 = [4]struct{ node, weight float64 }{
	{0, 0.8102646175568073},
	{0.8162878828589647 * math.Sqrt2, 0.4256072526101278},
	{1.6735516287674714 * math.Sqrt2, 0.05451558281912703},
	{2.6519613568352334 * math.Sqrt2, 0.0009717812450995192},
}

// hermiteTTails is [noncentralTTails] by integration over w = S^(2/3), which is nearly normal
// (Wilson and Hilferty, PNAS 17, 1931): at its mode w0, w0^3 = 1 - 2/(3 degrees), the third
// derivative of the density's logarithm is 0. In w = w0 (1 + u) that is, but for a constant,
// degrees w0^3/2 (3 log(1+u) - (1+u)^3).
func hermiteTTails(x, degrees, delta float64) (above, below float64) {
	cube := 1 - 2/(3*degrees)
	peak := math.Sqrt(cube)                 // of S
	step := 1 / math.Sqrt(4.5*degrees*cube) // of u, a standard deviation
	var total float64
	add := func(t, weight float64) {
		u := t * step
		w := weight * math.Exp(t*t/2+degrees*cube/2*(3*math.Log1p(u)-u*(3+u*(3+u))))
		s := peak * (1 + u) * math.Sqrt(1+u)
		total += w
		above += w * normalSurvival(x*s-delta)
		below += w * normalSurvival(x*s+delta)
	}
	add(0, hermite7[0].weight)
	for _, h := range hermite7[1:] {
		add(h.node, h.weight)
		add(-h.node, h.weight)
	}
	return min(above/total, 1), min(below/total, 1)
}

// noncentralTSurvival is P((Z + delta)/sqrt(V/degrees) > x), x not negative, by
// integration over s = sqrt(V/degrees), whose density is proportional to
// s^(degrees-1) exp(-degrees s^2/2).
func noncentralTSurvival(x, degrees, delta float64) float64 {
	sd := 1 / math.Sqrt(2*degrees)
	from, to := max(1-10*sd, 0), 1+10*sd
	if degrees < 50 {
		to = 1 + 14*sd
	}
	nodes, weights := panelNodes(from, to, (to-from)/60)
	logDensity := func(s float64) float64 { return (degrees-1)*math.Log(s) - degrees*(s*s-1)/2 }
	sum, total := 0.0, 0.0
	for i, s := range nodes {
		w := weights[i] * math.Exp(logDensity(s))
		total += w
		sum += w * normalSurvival(x*s-delta)
	}
	return min(sum/total, 1)
}

// ChiSquaredPower is the power of a chi-squared test at the given number of samples for
// Cohen's effect size w, the root of sum (p1-p0)^2/p0: noncentrality samples w^2.
//
// Source: Cohen, Statistical Power Analysis, chapter 7; the same as R's pwr.chisq.test.
func ChiSquaredPower(w, samples, degrees, significanceLevel float64) (float64, error) {
	if err := checkPositive("effect size", w); err != nil {
		return 0, err
	}
	if err := checkPositive("samples", samples); err != nil {
		return 0, err
	}
	if !finite(samples * w * w) {
		return 0, fmt.Errorf("the noncentrality overflows")
	}
	critical, err := chiSquaredCritical(degrees, significanceLevel)
	if err != nil {
		return 0, err
	}
	return noncentralChiSquaredSurvival(critical, degrees, samples*w*w), nil
}

// ChiSquaredSamples is the number of samples, before rounding up, at which a chi-squared
// test has the given power for Cohen's effect size w.
func ChiSquaredSamples(w, degrees, significanceLevel, power float64) (float64, error) {
	if err := checkPositive("effect size", w); err != nil {
		return 0, err
	}
	critical, err := chiSquaredCritical(degrees, significanceLevel)
	if err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, significanceLevel); err != nil {
		return 0, err
	}
	low, high := 0.0, 1.0
	for noncentralChiSquaredSurvival(critical, degrees, high) < power {
		if low, high = high, 2*high; high > 1e12 {
			return 0, fmt.Errorf("power %v cannot be computed", power)
		}
	}
	n := rising(low, high, func(lambda float64) float64 {
		return noncentralChiSquaredSurvival(critical, degrees, lambda) - power
	}) / (w * w)
	return n, checkPositive("the required sample size", n)
}

func chiSquaredCritical(degrees, significanceLevel float64) (float64, error) {
	if err := checkPositive("degrees of freedom", degrees); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("significance level", significanceLevel); err != nil {
		return 0, err
	}
	return 2 * gammaUpperQuantile(significanceLevel, degrees/2), nil
}

// WilsonInterval is the score interval of a proportion of which successes in samples were
// seen, at the given confidence. Source: Wilson, JASA 22 (1927) 209-212.
func WilsonInterval(successes, samples int64, confidence float64) (low, high float64, err error) {
	if err := checkSuccesses(successes, samples, confidence); err != nil {
		return 0, 0, err
	}
	z := normalUpperQuantile((1 - confidence) / 2)
	n := float64(samples)
	p := float64(successes) / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(centre-half, 0), min(centre+half, 1), nil
}

// ClopperPearsonInterval is the exact interval of a proportion: its coverage is at least
// the confidence. Source: Clopper and Pearson, Biometrika 26 (1934) 404-413.
func ClopperPearsonInterval(successes, samples int64, confidence float64) (low, high float64, err error) {
	if err := checkSuccesses(successes, samples, confidence); err != nil {
		return 0, 0, err
	}
	tail := (1 - confidence) / 2
	high = 1
	if successes > 0 { // P(X >= successes) = tail
		low = solveUnit(func(p float64) bool { return binomialUpperTail(successes-1, samples, p) < tail })
	}
	if successes < samples { // P(X <= successes) = tail
		high = 1 - solveUnit(func(q float64) bool {
			return binomialUpperTail(samples-successes-1, samples, q) < tail
		})
	}
	return low, high, nil
}

// solveUnit gives the point of (0, 1) up to which below holds.
func solveUnit(below func(float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 1100 {
		middle := (low + high) / 2
		if middle <= low || middle >= high || high-low < 1e-16*high {
			break
		}
		if below(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

func checkSuccesses(successes, samples int64, confidence float64) error {
	if samples < 1 || successes < 0 || successes > samples {
		return fmt.Errorf("successes must be between 0 and samples, and samples at least 1, got %d of %d", successes, samples)
	}
	return checkOpenUnit("confidence", confidence)
}
