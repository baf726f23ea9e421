package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// SkewedLaw is the gamma law that is shifted, scaled and, for a negative skewness,
// reflected so that its first three moments are the given ones (Pearson's type III): the
// law of an estimate that is nearly normal and whose tails are not. Without skewness it
// is the normal law; without a standard deviation, the mean.
//
// Source: Pearson, Philosophical Transactions A 186 (1895) 343-414.
type SkewedLaw struct{ Mean, StdDev, Skewness float64 }

// negligibleSkewness is the skewness below which a tail at 6 standard deviations is
// within 2 % of the normal one's.
const negligibleSkewness = 5e-4

// mostSkewness is where all but 4 in 10^12 lie at the mean.
const mostSkewness = 1e6

// Above is P(X > x); 1 where x or the law is made of what is not a number.
func (l SkewedLaw) Above(x float64) float64 { return l.tail(x, 1) }

// Below is P(X < x); 1 where x or the law is made of what is not a number.
func (l SkewedLaw) Below(x float64) float64 { return l.tail(x, -1) }

// tail is the chance of what lies beyond x in a direction.
func (l SkewedLaw) tail(x, direction float64) float64 {
	beyond := direction * (x - l.Mean)
	switch {
	case math.IsNaN(beyond) || math.IsNaN(l.StdDev) || math.IsNaN(l.Skewness):
		return 1
	case !(l.StdDev > 0) || math.Abs(l.Skewness) > mostSkewness:
		if beyond < 0 {
			return 1
		}
		return 0
	}
	z := beyond / l.StdDev
	if math.IsNaN(z) { // both are infinite
		return 1
	}
	if math.Abs(l.Skewness) < negligibleSkewness {
		return normalSurvival(z)
	}
	// With shape k, the gamma law's standardised skewness is 2/sqrt k.
	root := 2 / math.Abs(l.Skewness)
	shape := root * root
	if (l.Skewness > 0) == (direction > 0) { // the long tail
		return gammaSurvival(shape+root*z, shape)
	}
	at := shape - root*z
	if at <= 0 {
		return 0
	}
	return min(max(mathext.GammaIncReg(shape, at), 0), 1)
}

// PoissonAbove is P(X > k) of the Poisson law with a positive mean. Without one, nothing
// happens; a k or a mean that is not a number gives 1.
func PoissonAbove(k, mean float64) float64 {
	switch {
	case k < 0 || math.IsNaN(k) || math.IsNaN(mean):
		return 1
	case !(mean > 0) || math.IsInf(k, 1):
		return 0
	case math.IsInf(mean, 1):
		return 1
	}
	return poisson(mathext.GammaIncReg(math.Floor(k)+1, mean), (math.Floor(k)+0.5-mean)/math.Sqrt(mean))
}

// PoissonBelow is P(X < k) of the Poisson law with a positive mean. Without one, nothing
// happens; a k or a mean that is not a number gives 1.
func PoissonBelow(k, mean float64) float64 {
	switch {
	case k <= 0:
		return 0
	case math.IsNaN(k) || math.IsNaN(mean) || !(mean > 0) || math.IsInf(k, 1):
		return 1
	case math.IsInf(mean, 1):
		return 0
	}
	return poisson(mathext.GammaIncRegComp(math.Ceil(k), mean), (mean-math.Ceil(k)+0.5)/math.Sqrt(mean))
}

// poisson takes the continuity-corrected normal tail where the exact one did not converge.
func poisson(tail, z float64) float64 {
	if math.IsNaN(tail) {
		return normalSurvival(z)
	}
	return min(max(tail, 0), 1)
}
