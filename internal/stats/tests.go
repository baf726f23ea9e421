package stats

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// TestResult is a test's statistic, its degrees of freedom where it has any, and the
// probability of one at least as large where nothing is different.
type TestResult struct {
	Statistic float64
	Degrees   int
	PValue    float64
}

// ChiSquaredTwoSample is Pearson's test that two rows of counts over the same bins come
// from one distribution: the 2 by B table, with B-1 degrees of freedom. Bins that are
// empty on both sides do not count; fewer than two others give a statistic of 0 and a
// p-value of 1. With two bins, yates takes half a count off each difference, as scipy
// does unless told not to.
func ChiSquaredTwoSample(expected, actual []int64, yates bool) (TestResult, error) {
	n, err := checkCounts("expected", expected)
	if err != nil {
		return TestResult{}, err
	}
	m, err := checkCounts("actual", actual)
	if err != nil {
		return TestResult{}, err
	}
	if err := checkSameLength(len(expected), len(actual)); err != nil {
		return TestResult{}, err
	}
	total := float64(n) + float64(m)
	used := 0
	for i := range expected {
		if expected[i]+actual[i] > 0 {
			used++
		}
	}
	correct := 0.0
	if yates && used == 2 {
		correct = 0.5
	}
	sum := 0.0
	for i := range expected {
		both := float64(expected[i]) + float64(actual[i])
		if both == 0 {
			continue
		}
		for _, side := range []struct{ got, of float64 }{{float64(expected[i]), float64(n)}, {float64(actual[i]), float64(m)}} {
			want := both * side.of / total
			difference := math.Abs(side.got - want)
			difference -= min(correct, difference)
			sum += difference * difference / want
		}
	}
	return chiSquaredResult(sum, used-1), nil
}

// ChiSquaredGoodnessOfFit is Pearson's test of counts against expected ones, sum
// (O-E)^2/E with one degree of freedom less than there are bins. The expected counts are
// taken as exact: where they are a baseline's own, scaled, as Evidently has it, its noise
// is disregarded and the test is anticonservative (see [NewNoDriftFor]). Both must sum to
// the same within one part in 10^6. A bin of which nothing is expected and something
// observed gives a statistic of +Inf and a p-value of 0.
func ChiSquaredGoodnessOfFit(observed, expected []float64) (TestResult, error) {
	if len(observed) == 0 {
		return TestResult{}, fmt.Errorf("observed is empty: at least one bin is needed")
	}
	if err := checkSameLength(len(expected), len(observed)); err != nil {
		return TestResult{}, err
	}
	var o, e, sum float64
	used := 0
	for i := range observed {
		for _, v := range []float64{observed[i], expected[i]} {
			if !finite(v) || v < 0 {
				return TestResult{}, fmt.Errorf("counts of bin %d must be numbers and not negative, got %v and %v", i, observed[i], expected[i])
			}
		}
		o, e = o+observed[i], e+expected[i]
		if observed[i] == expected[i] {
			if expected[i] > 0 {
				used++
			}
			continue
		}
		used++
		difference := observed[i] - expected[i]
		sum += difference * difference / expected[i]
	}
	if !(o > 0) || !(e > 0) || !finite(o) || !finite(e) {
		return TestResult{}, fmt.Errorf("there are no samples, or their total overflows")
	}
	if math.Abs(o-e) > 1e-6*max(o, e) {
		return TestResult{}, fmt.Errorf("observed counts sum to %v and expected ones to %v: scale the expected ones", o, e)
	}
	return chiSquaredResult(sum, used-1), nil
}

func chiSquaredResult(statistic float64, degrees int) TestResult {
	if degrees < 1 {
		return TestResult{Statistic: statistic, PValue: 1}
	}
	return TestResult{Statistic: statistic, Degrees: degrees, PValue: chiSquaredSurvival(statistic, float64(degrees))}
}

// MannWhitney is the two-sample rank test: the statistic U of the first sample (pairs in
// which it is greater, ties a half) and the two-sided p-value. It is exact where both
// samples have at most exactMannWhitney values and no ties, otherwise normal with
// continuity and tie corrections, as scipy's "asymptotic".
func MannWhitney(x, y []float64) (u, pValue float64, err error) {
	a, err := sortedCopy("x", x)
	if err != nil {
		return 0, 0, err
	}
	b, err := sortedCopy("y", y)
	if err != nil {
		return 0, 0, err
	}
	n, m := len(a), len(b)
	ties := 0.0
	tied := false
	for i, j := 0, 0; i < n || j < m; {
		at := math.Inf(1)
		if i < n {
			at = a[i]
		}
		if j < m {
			at = min(at, b[j])
		}
		k, below := 0, j
		for ; i+k < n && a[i+k] == at; k++ {
		}
		for ; j < m && b[j] == at; j++ {
		}
		u += float64(k) * (float64(below) + float64(j-below)/2)
		t := float64(k + j - below)
		tied = tied || t > 1
		ties += t*t*t - t
		i += k
	}
	nm := float64(n) * float64(m)
	if !tied && n <= exactMannWhitney && m <= exactMannWhitney {
		return u, mannWhitneyExact(n, m, max(u, nm-u)), nil
	}
	total := float64(n + m)
	variance := nm / 12 * (total + 1 - ties/(total*(total-1)))
	if !(variance > 0) { // all values are equal
		return u, 1, nil
	}
	z := (max(u, nm-u) - nm/2 - 0.5) / math.Sqrt(variance)
	return u, min(2*normalSurvival(z), 1), nil
}

const exactMannWhitney = 50

// mannWhitneyExact is 2 P(U >= u), at most 1, by counting arrangements.
func mannWhitneyExact(n, m int, u float64) float64 {
	most := n * m
	ways := make([]float64, most+1)
	ways[0] = 1
	for k := 1; k <= n; k++ { // times (1 - q^(m+k)) / (1 - q^k)
		for i := most; i >= m+k; i-- {
			ways[i] -= ways[i-m-k]
		}
		for i := k; i <= most; i++ {
			ways[i] += ways[i-k]
		}
	}
	total, tail := 0.0, 0.0
	for i, w := range ways {
		total += w
		if float64(i) >= u {
			tail += w
		}
	}
	return min(2*tail/total, 1)
}

// DeLong is the area under the ROC curve (the probability that a positive scores above
// a negative, ties a half) and its variance. Both classes need at least two scores for a
// variance; scores must be numbers.
//
// Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; the same as
// R's pROC.
func DeLong(positive, negative []float64) (auc, variance float64, err error) {
	p, err := sortedCopy("positive", positive)
	if err != nil {
		return 0, 0, err
	}
	n, err := sortedCopy("negative", negative)
	if err != nil {
		return 0, 0, err
	}
	if len(p) < 2 || len(n) < 2 {
		return 0, 0, fmt.Errorf("a variance needs at least 2 positive and 2 negative scores, got %d and %d", len(p), len(n))
	}
	// A score's placement: the share of the other class below it, ties a half.
	placements := func(of, among []float64) []float64 {
		out := make([]float64, len(of))
		for i, v := range of {
			low, _ := slices.BinarySearch(among, v)
			high := sort.Search(len(among), func(j int) bool { return among[j] > v })
			out[i] = (float64(low) + float64(high-low)/2) / float64(len(among))
		}
		return out
	}
	ofPositive, ofNegative := placements(p, n), placements(n, p)
	for _, v := range ofPositive {
		auc += v
	}
	auc /= float64(len(p))
	sp, sn := standardDeviation(ofPositive, 1), standardDeviation(ofNegative, 1)
	return auc, sp*sp/float64(len(p)) + sn*sn/float64(len(n)), nil
}
