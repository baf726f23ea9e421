package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// NormalSurvival is P(Z > x) of the standard normal, by erfc: accurate to the last
// bits relative to itself out to x = 37, where 1 - CDF is 0 from x = 8.3 on. NaN is
// an error.
func NormalSurvival(x float64) (float64, error) {
	if math.IsNaN(x) {
		return 0, checkFinite("x", x)
	}
	return normalSurvival(x), nil
}

// NormalCDF is P(Z <= x) of the standard normal, accurate in the lower tail. NaN is
// an error.
func NormalCDF(x float64) (float64, error) { return NormalSurvival(-x) }

// NormalQuantile is the value that the standard normal is below with probability
// p, 0 < p < 1.
func NormalQuantile(p float64) (float64, error) {
	if err := checkOpenUnit("p", p); err != nil {
		return 0, err
	}
	return mathext.NormalQuantile(p), nil
}

// NormalUpperQuantile is the value that the standard normal exceeds with
// probability q, 0 < q < 1: accurate for small q, where 1-q is not.
func NormalUpperQuantile(q float64) (float64, error) {
	if err := checkOpenUnit("q", q); err != nil {
		return 0, err
	}
	return normalUpperQuantile(q), nil
}

func normalSurvival(x float64) float64 { return 0.5 * math.Erfc(x/math.Sqrt2) }

func normalCDF(x float64) float64 { return normalSurvival(-x) }

func normalDensity(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

func normalUpperQuantile(q float64) float64 { return -mathext.NormalQuantile(q) }
