package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ChiSquaredSurvival is P(X > x) of the chi-squared law with the given degrees of
// freedom (positive, not necessarily whole), by the upper regularised incomplete
// gamma function. Negative x gives 1, +Inf gives 0.
func ChiSquaredSurvival(x, degrees float64) (float64, error) {
	if err := checkPositive("degrees of freedom", degrees); err != nil {
		return 0, err
	}
	if math.IsNaN(x) {
		return 0, checkFinite("x", x)
	}
	return chiSquaredSurvival(x, degrees), nil
}

// ChiSquaredUpperQuantile is the value that the chi-squared law with the given
// degrees of freedom exceeds with probability q, 0 < q < 1.
func ChiSquaredUpperQuantile(q, degrees float64) (float64, error) {
	if err := checkPositive("degrees of freedom", degrees); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("q", q); err != nil {
		return 0, err
	}
	return 2 * gammaUpperQuantile(q, degrees/2), nil
}

// NoncentralChiSquaredSurvival is P(X > x) of the noncentral chi-squared law with
// the given degrees of freedom and noncentrality (the sum of the squared means,
// not negative). Up to a noncentrality of 1e5 it is the Poisson mixture of central
// tails, good to about 1e-11; beyond, where the law is nearly
// normal, Sankaran's transformation, good to 1e-3 within 3 standard deviations.
//
// Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 2,
// chapter 29 (29.2, and 29.61d).
func NoncentralChiSquaredSurvival(x, degrees, noncentrality float64) (float64, error) {
	if err := checkPositive("degrees of freedom", degrees); err != nil {
		return 0, err
	}
	if !finite(noncentrality) || noncentrality < 0 {
		return 0, fmt.Errorf("noncentrality must be a number and not negative, got %v", noncentrality)
	}
	if math.IsNaN(x) {
		return 0, checkFinite("x", x)
	}
	return noncentralChiSquaredSurvival(x, degrees, noncentrality), nil
}

func chiSquaredSurvival(x, degrees float64) float64 { return gammaSurvival(x/2, degrees/2) }

// gammaSurvival is P(X > x) of the gamma law with the given shape and scale 1.
func gammaSurvival(x, shape float64) float64 {
	switch {
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	return min(max(mathext.GammaIncRegComp(shape, x), 0), 1)
}

// gammaUpperQuantile inverts gammaSurvival: by gonum's inverse, checked, and by
// bisection on the logarithm where that did not converge.
func gammaUpperQuantile(q, shape float64) float64 {
	x := mathext.GammaIncRegCompInv(shape, q)
	if finite(x) && x > 0 && math.Abs(gammaSurvival(x, shape)-q) <= 1e-10*q {
		return x
	}
	low, high := math.Log(1e-300), math.Log(shape+1)
	for gammaSurvival(math.Exp(high), shape) > q && high < 700 {
		high += 1
	}
	for range 200 {
		middle := (low + high) / 2
		if gammaSurvival(math.Exp(middle), shape) > q {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp(high)
}

// sankaranFrom is the noncentrality above which the normal transformation is used.
const sankaranFrom = 1e5

func noncentralChiSquaredSurvival(x, degrees, noncentrality float64) float64 {
	switch {
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	case noncentrality == 0:
		return chiSquaredSurvival(x, degrees)
	case noncentrality > sankaranFrom:
		return sankaran(x, degrees, noncentrality)
	}
	half, y, a := noncentrality/2, x/2, degrees/2
	// Terms Poisson(j; half) S(a+j) from the first that matters upwards, with
	// S(a+1) = S(a) + y^a e^-y / Gamma(a+1): only additions.
	logStep := func(j float64) float64 { return (a+j)*math.Log(y) - y - logGamma(a+j+1) }
	first := math.Floor(max(half-10*math.Sqrt(half)-40, 0))
	if high := math.Floor(y); logStep(first) < -700 && high > first {
		low := first // tails below 1e-300 do not matter: start where they end
		for {        // beyond 2^53, neighbours are more than 1 apart
			middle := math.Floor((low + high) / 2)
			if middle <= low || middle >= high {
				break
			}
			if logStep(middle) < -700 {
				low = middle
			} else {
				high = middle
			}
		}
		first = high
	}
	weight := math.Exp(first*math.Log(half) - half - logGamma(first+1))
	tail := gammaSurvival(y, a+first)
	step := math.Exp(logStep(first))
	sum := 0.0
	for j := first; ; j++ {
		sum += weight * tail
		if j > half && weight <= 1e-17*sum || weight == 0 {
			break
		}
		tail = min(tail+step, 1)
		step *= y / (a + j + 1)
		weight *= half / (j + 1)
	}
	return min(max(sum, 0), 1)
}

func sankaran(x, k, lambda float64) float64 {
	h := 1 - 2*(k+lambda)*(k+3*lambda)/(3*(k+2*lambda)*(k+2*lambda))
	p := (k + 2*lambda) / ((k + lambda) * (k + lambda))
	m := (h - 1) * (1 - 3*h)
	mean := 1 + h*p*(h-1-(2-h)*m*p/2)
	sd := h * math.Sqrt(2*p) * (1 + m*p/2)
	return normalSurvival((math.Pow(x/(k+lambda), h) - mean) / sd)
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
