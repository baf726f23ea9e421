package stats

import (
	"fmt"
	"math"
)

// The methods of [Smoothing].
const (
	SmoothingNone     = "none"
	SmoothingEpsilon  = "epsilon"
	SmoothingLaplace  = "laplace"
	SmoothingJeffreys = "jeffreys"
)

// Smoothing says how empty bins are kept from making a divergence infinite.
//
//   - "none": proportions as they are; one-sided empty bins are an error.
//   - "epsilon": Epsilon is added to each proportion, after normalising, and
//     nothing is renormalised.
//   - "laplace": 1 is added to each bin's count, then normalised.
//   - "jeffreys": 0.5 is added to each bin's count, then normalised.
//
// Epsilon is read under "epsilon" only. An empty Method counts as "none".
type Smoothing struct {
	Method  string
	Epsilon float64
}

// DefaultSmoothing adds 1e-8 to each proportion.
func DefaultSmoothing() Smoothing { return Smoothing{Method: SmoothingEpsilon, Epsilon: 1e-8} }

// Validate says whether the method is known and its epsilon usable: positive and
// at most 0.1.
func (s Smoothing) Validate() error {
	switch s.Method {
	case SmoothingNone, SmoothingLaplace, SmoothingJeffreys, "":
		return nil
	case SmoothingEpsilon:
		if math.IsNaN(s.Epsilon) || s.Epsilon <= 0 || s.Epsilon > 0.1 {
			return fmt.Errorf("smoothing epsilon must be greater than 0 and at most 0.1, got %v", s.Epsilon)
		}
		return nil
	}
	return fmt.Errorf("unknown smoothing %q: want %q, %q, %q or %q", s.Method,
		SmoothingNone, SmoothingEpsilon, SmoothingLaplace, SmoothingJeffreys)
}

// epsilon is what is added to each proportion after normalising.
func (s Smoothing) epsilon() float64 {
	if s.Method == SmoothingEpsilon {
		return s.Epsilon
	}
	return 0
}

// pseudoCount is what is added to each count before normalising.
func (s Smoothing) pseudoCount() float64 {
	switch s.Method {
	case SmoothingLaplace:
		return 1
	case SmoothingJeffreys:
		return 0.5
	}
	return 0
}

// Divergence names a measure between two binned distributions.
type Divergence string

// The divergences whose law on no drift [NewNoDrift] knows.
const (
	DivergencePSI Divergence = "psi" // sum (A-E) ln(A/E)
	DivergenceKL  Divergence = "kl"  // sum A ln(A/E), current from baseline
	DivergenceJS  Divergence = "js"  // Jensen-Shannon divergence, nats

	DivergenceKLReverse  Divergence = "kl_reverse"      // sum E ln(E/A), baseline from current
	DivergenceHellinger2 Divergence = "hellinger2"      // squared Hellinger distance, 1 - sum sqrt(A E)
	DivergencePearson    Divergence = "pearson"         // sum (A-E)^2/E
	DivergenceChiSquared Divergence = "chi_squared"     // two-sample statistic, N M sum (A-E)^2/(M A + N E)
	DivergenceTV         Divergence = "total_variation" // sum |A-E| / 2
)

// divergences are all of them, in the order of the documentation.
var divergences = []Divergence{
	DivergencePSI, DivergenceKL, DivergenceKLReverse, DivergenceJS, DivergenceHellinger2,
	DivergencePearson, DivergenceChiSquared, DivergenceTV,
}

// PSIProportions is the population stability index, sum (A-E) ln(A/E), of two
// slices of proportions over the same bins, in nats. It is symmetric. Each slice
// must sum to 1 within 0.01. Smoothing by counts (laplace, jeffreys) is an error
// here: use [PSICounts]. An empty bin on one side only makes the index infinite,
// which is an error under "none".
//
// Source: Yurdakul, Statistical Properties of Population Stability Index, 2018.
func PSIProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergencePSI, expected, actual, s)
}

// PSICounts is the population stability index of two slices of counts over the
// same bins. The totals may differ.
func PSICounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergencePSI, expected, actual, s)
}

// KLProportions is the Kullback-Leibler divergence of the current window from the
// baseline, sum A ln(A/E) (current || baseline), in nats. It is not symmetric. A
// bin that is empty in the baseline only makes it infinite, which is an error
// under "none"; a bin that is empty in the window adds nothing.
func KLProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergenceKL, expected, actual, s)
}

// KLCounts is [KLProportions] on counts.
func KLCounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergenceKL, expected, actual, s)
}

// JSProportions is the Jensen-Shannon divergence (not its square root, the
// distance), (KL(A||M) + KL(E||M)) / 2 with M the mean of both, in nats: between 0
// and ln 2. It is symmetric and always finite.
func JSProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergenceJS, expected, actual, s)
}

// JSCounts is [JSProportions] on counts.
func JSCounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergenceJS, expected, actual, s)
}

// PSIBand is the customary reading of a population stability index: "none" in
// [0, 0.1), "moderate" in [0.1, 0.25], "significant" above. The bands disregard the
// sample sizes: [NoDrift] does not. NaN and negative values are errors.
func PSIBand(psi float64) (string, error) {
	switch {
	case math.IsNaN(psi) || psi < 0:
		return "", fmt.Errorf("a population stability index must not be negative, got %v", psi)
	case psi < 0.1:
		return "none", nil
	case psi <= 0.25:
		return "moderate", nil
	}
	return "significant", nil
}

func divergenceProportions(d Divergence, expected, actual []float64, s Smoothing) (float64, error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	if s.pseudoCount() != 0 {
		return 0, fmt.Errorf("smoothing %q adds to counts: give counts, or smooth proportions with %q", s.Method, SmoothingEpsilon)
	}
	if err := checkProportions("expected", expected, shareTolerance); err != nil {
		return 0, err
	}
	if err := checkProportions("actual", actual, shareTolerance); err != nil {
		return 0, err
	}
	if err := checkSameLength(len(expected), len(actual)); err != nil {
		return 0, err
	}
	return divergenceSum(d, expected, actual, s.epsilon())
}

func divergenceCounts(d Divergence, expected, actual []int64, s Smoothing) (float64, error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	n, err := checkCounts("expected", expected)
	if err != nil {
		return 0, err
	}
	m, err := checkCounts("actual", actual)
	if err != nil {
		return 0, err
	}
	if err := checkSameLength(len(expected), len(actual)); err != nil {
		return 0, err
	}
	add := s.pseudoCount()
	return divergenceSum(d, normalise(expected, n, add), normalise(actual, m, add), s.epsilon())
}

func normalise(counts []int64, total int64, add float64) []float64 {
	out := make([]float64, len(counts))
	denominator := float64(total) + add*float64(len(counts))
	for i, c := range counts {
		out[i] = (float64(c) + add) / denominator
	}
	return out
}

func divergenceSum(d Divergence, expected, actual []float64, epsilon float64) (float64, error) {
	sum := 0.0
	for i := range expected {
		term := divergenceTerm(d, expected[i]+epsilon, actual[i]+epsilon)
		if math.IsInf(term, 0) {
			empty, other := "actual", "expected"
			if expected[i] == 0 {
				empty, other = other, empty
			}
			return 0, fmt.Errorf("bin %d is empty in %s and not in %s, which makes the %s divergence infinite: choose a smoothing", i, empty, other, d)
		}
		sum += term
	}
	// Rounding can leave -1e-17 where the divergence of equals is 0. With epsilon
	// added to unequal totals a KL sum can be truly negative by a little: it is 0.
	return max(sum, 0), nil
}

// divergenceTerm is one bin's part of the sum, as the definitions write it.
func divergenceTerm(d Divergence, e, a float64) float64 {
	switch d {
	case DivergenceKL:
		switch {
		case a == 0:
			return 0
		case e == 0:
			return math.Inf(1)
		}
		return a * math.Log(a/e)
	case DivergenceJS:
		m := (a + e) / 2
		sum := 0.0
		if a > 0 {
			sum += a * math.Log(a/m)
		}
		if e > 0 {
			sum += e * math.Log(e/m)
		}
		return sum / 2
	case DivergenceKLReverse:
		return divergenceTerm(DivergenceKL, a, e)
	case DivergenceHellinger2:
		root := math.Sqrt(a) - math.Sqrt(e)
		return root * root / 2
	case DivergencePearson:
		switch {
		case a == e:
			return 0
		case e == 0:
			return math.Inf(1)
		}
		return (a - e) * (a - e) / e
	case DivergenceTV:
		return math.Abs(a-e) / 2
	}
	switch {
	case a == e:
		return 0
	case a == 0 || e == 0:
		return math.Inf(1)
	}
	return (a - e) * math.Log(a/e)
}
