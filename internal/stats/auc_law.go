package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// AUCLaw gives the first three moments of an area under the ROC curve that is estimated
// from labelled rows, for one true area.
//
// The estimate is a two-sample U-statistic: a mean of g over positives (g how far a
// positive's chance of outranking a negative is from the area), one of h over negatives,
// and a rest. Its third moment follows from those of g and h and from how the two hang
// together; only the third moment of the rest itself, which is of higher order, is left
// out.
//
// Source: Hoeffding, Annals of Mathematical Statistics 19 (1948) 293-325, for the
// decomposition; the variance is that of [AUCStandardError].
type AUCLaw struct {
	auc    float64
	q1, q2 float64 // E H^2, E G^2
	g3, h3 float64 // third central moments of G and H
	gRest  float64 // E (G-A) G (1-G)
	hRest  float64
	cross  float64 // E (G-A)(H-A) over pairs in the right order
}

// NewAUCLaw prepares the law of one true area, by a method of [AUCStandardError].
func NewAUCLaw(method string, auc float64) (AUCLaw, error) {
	q1, q2, err := aucMoments(method, auc)
	if err != nil {
		return AUCLaw{}, err
	}
	l := AUCLaw{auc: auc, q1: q1, q2: q2}
	var g3, h3, both float64 // E G^3, E H^3, E GH over pairs in the right order
	if method == AUCHanleyMcNeil {
		// Positives are exponential with rate r, negatives with rate 1.
		r := (1 - auc) / auc
		h3 = 1 / (1 + 3*r)
		g3 = 1 - 3/(1+1/r) + 3/(1+2/r) - 1/(1+3/r)
		both = 1/(1+2*r) - auc*(1-auc)/2
	} else {
		g3, both = binormalThird(math.Sqrt2 * mathext.NormalQuantile(auc))
		h3 = g3
	}
	central := func(second, third float64) float64 { return third - 3*auc*second + 2*auc*auc*auc }
	l.g3, l.h3 = central(q2, g3), central(q1, h3)
	l.gRest = q2 - g3 - auc*(auc-q2)
	l.hRest = q1 - h3 - auc*(auc-q1)
	l.cross = both - auc*(q1+q2) + auc*auc*auc
	return l, nil
}

// binormalThird is E Phi(d+Z)^3, and the chance that of two normal positives and two
// negatives, a distance d apart, one pair is in the right order and each of its members
// is so with one of the others.
func binormalThird(d float64) (third, both float64) {
	// Over a positive x, with the integral over the negatives below it carried along.
	const step = 0.01
	inner, before := 0.0, 0.0
	for i := range int(math.Round((math.Max(d, 0) + 2*binormalNodes) / step)) {
		x := min(d, 0) - binormalNodes + float64(i)*step
		at := normalDensity(x) * normalCDF(d-x)
		if i > 0 {
			inner += step * (before + at) / 2
		}
		before = at
		density, rank := normalDensity(x-d), normalCDF(x)
		third += step * density * rank * rank * rank
		both += step * density * rank * inner
	}
	return third, both
}

// Moments is the standard error and the skewness of the estimate from so many labelled
// positives and negatives, at least 1 of each; fractions are expected numbers.
func (l AUCLaw) Moments(positives, negatives float64) (standardError, skewness float64, err error) {
	for _, n := range []float64{positives, negatives} {
		if math.IsNaN(n) || n < 1 || n > aucMostScores {
			return 0, 0, fmt.Errorf("positives and negatives must be between 1 and 1e15, got %v", n)
		}
	}
	p, n := positives, negatives
	variance := aucVariance(l.auc, l.q1, l.q2, p, n)
	third := l.g3/(p*p) + l.h3/(n*n) + 6*l.cross/(p*n) + 3*(l.gRest-2*l.cross)/(p*p*n) + 3*(l.hRest-2*l.cross)/(p*n*n)
	standardError = math.Sqrt(variance)
	if variance <= 0 {
		return 0, 0, nil
	}
	return standardError, third / variance / standardError, nil
}
