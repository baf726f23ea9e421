package stats

import (
	"fmt"
	"math"
	"slices"
)

// KLReverseProportions is [KLProportions] the other way round: the divergence of the
// baseline from the current window, sum E ln(E/A) (baseline || current), in nats: what
// Evidently computes. An empty bin in the window only makes it infinite, an error under
// "none".
func KLReverseProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergenceKLReverse, expected, actual, s)
}

// KLReverseCounts is [KLReverseProportions] on counts.
func KLReverseCounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergenceKLReverse, expected, actual, s)
}

// JSDistanceProportions is the Jensen-Shannon distance, the square root of the
// divergence in units of the given base of logarithms (2 for a distance between 0 and 1,
// as NannyML and Azure have it; e, as Evidently). The base must exceed 1.
func JSDistanceProportions(expected, actual []float64, base float64, s Smoothing) (float64, error) {
	v, err := JSProportions(expected, actual, s)
	return jsDistance(v, base, err)
}

// JSDistanceCounts is [JSDistanceProportions] on counts.
func JSDistanceCounts(expected, actual []int64, base float64, s Smoothing) (float64, error) {
	v, err := JSCounts(expected, actual, s)
	return jsDistance(v, base, err)
}

func jsDistance(nats, base float64, err error) (float64, error) {
	if err != nil {
		return 0, err
	}
	if !finite(base) || base <= 1 {
		return 0, fmt.Errorf("the base of logarithms must be greater than 1, got %v", base)
	}
	return math.Sqrt(nats / math.Log(base)), nil
}

// HellingerProportions is the Hellinger distance, sqrt(1 - sum sqrt(A E)): symmetric,
// between 0 and 1, finite with empty bins.
func HellingerProportions(expected, actual []float64, s Smoothing) (float64, error) {
	v, err := divergenceProportions(DivergenceHellinger2, expected, actual, s)
	return math.Sqrt(v), err
}

// HellingerCounts is [HellingerProportions] on counts.
func HellingerCounts(expected, actual []int64, s Smoothing) (float64, error) {
	v, err := divergenceCounts(DivergenceHellinger2, expected, actual, s)
	return math.Sqrt(v), err
}

// TotalVariationProportions is sum |A-E| / 2: the largest difference between the
// probabilities of any set of bins. Symmetric, between 0 and 1.
func TotalVariationProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergenceTV, expected, actual, s)
}

// TotalVariationCounts is [TotalVariationProportions] on counts.
func TotalVariationCounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergenceTV, expected, actual, s)
}

// PearsonProportions is Pearson's divergence, sum (A-E)^2/E. A bin that is empty in the
// baseline only makes it infinite, an error under "none".
func PearsonProportions(expected, actual []float64, s Smoothing) (float64, error) {
	return divergenceProportions(DivergencePearson, expected, actual, s)
}

// PearsonCounts is [PearsonProportions] on counts.
func PearsonCounts(expected, actual []int64, s Smoothing) (float64, error) {
	return divergenceCounts(DivergencePearson, expected, actual, s)
}

// LInfinityProportions is max |A-E|, the largest difference of a single bin's
// proportion. Symmetric, between 0 and 1. Each slice must sum to 1 within 0.01.
func LInfinityProportions(expected, actual []float64) (float64, error) {
	if err := checkProportions("expected", expected, shareTolerance); err != nil {
		return 0, err
	}
	if err := checkProportions("actual", actual, shareTolerance); err != nil {
		return 0, err
	}
	if err := checkSameLength(len(expected), len(actual)); err != nil {
		return 0, err
	}
	most := 0.0
	for i := range expected {
		most = max(most, math.Abs(actual[i]-expected[i]))
	}
	return most, nil
}

// LInfinityCounts is [LInfinityProportions] on counts.
func LInfinityCounts(expected, actual []int64) (float64, error) {
	e, a, err := bothProportions(expected, actual)
	if err != nil {
		return 0, err
	}
	return LInfinityProportions(e, a)
}

func bothProportions(expected, actual []int64) (e, a []float64, err error) {
	n, err := checkCounts("expected", expected)
	if err != nil {
		return nil, nil, err
	}
	m, err := checkCounts("actual", actual)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSameLength(len(expected), len(actual)); err != nil {
		return nil, nil, err
	}
	return normalise(expected, n, 0), normalise(actual, m, 0), nil
}

// Wasserstein is the first Wasserstein (earth mover's) distance between two samples,
// the area between their distribution functions, in the values' own unit. Symmetric;
// it scales with the values and does not change when both move. Values must be finite,
// samples not empty.
func Wasserstein(expected, actual []float64) (float64, error) {
	return WeightedWasserstein(expected, actual, nil, nil)
}

// WeightedWasserstein is [Wasserstein] where each value carries a weight, not negative
// and with a positive sum; nil weights are equal ones.
//
// Source: Ramdas, Garcia Trillos and Cuturi, Entropy 19 (2017) 47; the same as
// scipy.stats.wasserstein_distance.
func WeightedWasserstein(expected, actual, expectedWeights, actualWeights []float64) (float64, error) {
	e, err := newWeightedSample("expected", expected, expectedWeights)
	if err != nil {
		return 0, err
	}
	a, err := newWeightedSample("actual", actual, actualWeights)
	if err != nil {
		return 0, err
	}
	var i, j int
	var above, cumulativeE, cumulativeA float64
	at := min(e.value[0], a.value[0])
	sum := 0.0
	for i < len(e.value) || j < len(a.value) {
		next := math.Inf(1)
		if i < len(e.value) {
			next = e.value[i]
		}
		if j < len(a.value) {
			next = min(next, a.value[j])
		}
		sum += above * (next - at)
		at = next
		for ; i < len(e.value) && e.value[i] == at; i++ {
			cumulativeE += e.weight[i]
		}
		for ; j < len(a.value) && a.value[j] == at; j++ {
			cumulativeA += a.weight[j]
		}
		above = math.Abs(cumulativeE/e.total - cumulativeA/a.total)
	}
	if !finite(sum) {
		return 0, fmt.Errorf("the values are too far apart: the distance overflows")
	}
	return sum, nil
}

type weightedSample struct {
	value, weight []float64
	total         float64
}

func newWeightedSample(name string, values, weights []float64) (weightedSample, error) {
	if len(values) == 0 {
		return weightedSample{}, fmt.Errorf("%s is empty", name)
	}
	if weights != nil && len(weights) != len(values) {
		return weightedSample{}, fmt.Errorf("%s has %d values and %d weights", name, len(values), len(weights))
	}
	for i, v := range values {
		if !finite(v) {
			return weightedSample{}, fmt.Errorf("%s[%d] must be finite, got %v: count and drop missing values first", name, i, v)
		}
	}
	if weights == nil {
		s := weightedSample{value: slices.Clone(values), weight: make([]float64, len(values)), total: float64(len(values))}
		slices.Sort(s.value)
		for i := range s.weight {
			s.weight[i] = 1
		}
		return s, nil
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case values[i] < values[j]:
			return -1
		case values[i] > values[j]:
			return 1
		}
		return 0
	})
	s := weightedSample{}
	for _, i := range order {
		if !finite(weights[i]) || weights[i] < 0 {
			return weightedSample{}, fmt.Errorf("%s: weight %d must be a number and not negative, got %v", name, i, weights[i])
		}
		s.value = append(s.value, values[i])
		s.weight = append(s.weight, weights[i])
		s.total += weights[i]
	}
	return s, checkPositive(name+": the sum of weights", s.total)
}

// NormalisedWasserstein is [Wasserstein] divided by the baseline's standard deviation:
// free of the values' unit. Degrees is what is taken off the number of values in the
// variance's denominator: 0 as Evidently and numpy do, 1 as Azure and Spark do. A
// standard deviation below least counts as least (those tools use 0.001); with least 0,
// a constant baseline is an error.
func NormalisedWasserstein(expected, actual []float64, degrees int, least float64) (float64, error) {
	w, err := Wasserstein(expected, actual)
	if err != nil {
		return 0, err
	}
	if degrees < 0 || degrees >= len(expected) {
		return 0, fmt.Errorf("a variance of %d values cannot lose %d degrees of freedom", len(expected), degrees)
	}
	if !finite(least) || least < 0 {
		return 0, fmt.Errorf("the least standard deviation must be a number and not negative, got %v", least)
	}
	sd := max(standardDeviation(expected, degrees), least)
	if sd == 0 {
		return 0, fmt.Errorf("expected is constant: its standard deviation is 0")
	}
	v := w / sd
	return v, checkFinite("the normalised distance", v)
}

// standardDeviation takes two passes, as numpy does.
func standardDeviation(values []float64, degrees int) float64 {
	n := float64(len(values))
	mean := pairwiseSum(values, func(v float64) float64 { return v }) / n
	square := pairwiseSum(values, func(v float64) float64 { return (v - mean) * (v - mean) })
	return math.Sqrt(square / (n - float64(degrees)))
}

// pairwiseSum sums halves, which keeps rounding at the logarithm of the length.
func pairwiseSum(values []float64, of func(float64) float64) float64 {
	if len(values) <= 128 {
		sum := 0.0
		for _, v := range values {
			sum += of(v)
		}
		return sum
	}
	half := len(values) / 2
	return pairwiseSum(values[:half], of) + pairwiseSum(values[half:], of)
}

// SplitMissing gives the values that are numbers (infinities among them), and how many
// are NaN: missing values are counted, never dropped in silence. The values are not
// changed; without missing ones they are returned as they are.
func SplitMissing(values []float64) (present []float64, missing int) {
	for _, v := range values {
		if math.IsNaN(v) {
			missing++
		}
	}
	if missing == 0 {
		return values, 0
	}
	present = make([]float64, 0, len(values)-missing)
	for _, v := range values {
		if !math.IsNaN(v) {
			present = append(present, v)
		}
	}
	return present, missing
}
