package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The methods of [AUCStandardError].
const (
	AUCBinormal      = "binormal"      // equal-variance normal scores: the default
	AUCHanleyMcNeil  = "hanley_mcneil" // exponential scores: too wide where one class is rare
	aucMostScores    = 1e15            // of a class
	binormalNodes    = 9               // standard deviations either way
	binormalHalfStep = 0.25            // panel width
)

// AUCStandardError is the standard error of an area under the ROC curve estimated from
// the given numbers of labelled positives and negatives: sqrt([A(1-A) + (P-1)(Q1-A^2) +
// (N-1)(Q2-A^2)] / (P N)), Q1 and Q2 the chance that two positives outrank one negative
// and that one positive outranks two negatives.
//
//   - "binormal" (also ""): scores are normal with one variance, Q1 = Q2 =
//     E Phi(d + Z)^2, d = sqrt 2 Phi^-1(A); within 2 % of simulation.
//   - "hanley_mcneil": Q1 = A/(2-A), Q2 = 2A^2/(1+A). Source: Hanley and McNeil,
//     Radiology 143 (1982) 29-36.
//
// The area is between 0 and 1, not either. The error is one of independent rows: divide
// the numbers by a design effect first.
func AUCStandardError(method string, auc float64, positives, negatives float64) (float64, error) {
	q1, q2, err := aucMoments(method, auc)
	if err != nil {
		return 0, err
	}
	for _, c := range []struct {
		name string
		n    float64
	}{{"positives", positives}, {"negatives", negatives}} {
		if math.IsNaN(c.n) || c.n < 1 || c.n > aucMostScores {
			return 0, fmt.Errorf("%s must be between 1 and 1e15, got %v", c.name, c.n)
		}
	}
	return math.Sqrt(aucVariance(auc, q1, q2, positives, negatives)), nil
}

func aucVariance(auc, q1, q2, p, n float64) float64 {
	square := auc * auc
	return max(auc*(1-auc)+(p-1)*max(q1-square, 0)+(n-1)*max(q2-square, 0), 0) / (p * n)
}

func aucMoments(method string, auc float64) (q1, q2 float64, err error) {
	if err := checkOpenUnit("AUC", auc); err != nil {
		return 0, 0, err
	}
	switch method {
	case AUCHanleyMcNeil:
		return auc / (2 - auc), 2 * auc * auc / (1 + auc), nil
	case AUCBinormal, "":
	default:
		return 0, 0, fmt.Errorf("unknown method %q: want %q or %q", method, AUCBinormal, AUCHanleyMcNeil)
	}
	d := math.Sqrt2 * mathext.NormalQuantile(auc)
	nodes, weights := panelNodes(-binormalNodes, binormalNodes, binormalHalfStep)
	sum := 0.0
	for i, z := range nodes {
		p := normalCDF(d + z)
		sum += weights[i] * normalDensity(z) * p * p
	}
	return sum, sum, nil
}

// AUCSamples is the number of rows of each class, before rounding up, at which a test of
// two independent areas auc1 and auc2 with equal classes has the given power, one-sided
// at the given significance level: [z_a sqrt(2 V1) + z_b sqrt(V1 + V2)]^2 / (auc1-auc2)^2,
// V = Q1 + Q2 - 2 A^2.
//
// Source: Hanley and McNeil 1982, table III, for "hanley_mcneil".
func AUCSamples(method string, auc1, auc2, significanceLevel, power float64) (float64, error) {
	v := [2]float64{}
	for i, a := range []float64{auc1, auc2} {
		q1, q2, err := aucMoments(method, a)
		if err != nil {
			return 0, err
		}
		v[i] = q1 + q2 - 2*a*a
	}
	if auc1 == auc2 {
		return 0, fmt.Errorf("the areas must differ: no sample size can show that nothing changed")
	}
	if err := checkOpenUnit("significance level", significanceLevel); err != nil {
		return 0, err
	}
	if err := checkDetectablePower(power, significanceLevel); err != nil {
		return 0, err
	}
	root := (normalUpperQuantile(significanceLevel)*math.Sqrt(2*v[0]) + mathext.NormalQuantile(power)*math.Sqrt(v[0]+v[1])) / (auc1 - auc2)
	n := root * root
	return n, checkPositive("the required sample size", n)
}

// AccuracyStandardError is that of a proportion of right answers (or of any rate) over
// independent labelled rows: sqrt(a(1-a)/n).
func AccuracyStandardError(accuracy, rows float64) (float64, error) {
	if err := checkProbability("accuracy", accuracy); err != nil {
		return 0, err
	}
	if err := checkPositive("rows", rows); err != nil {
		return 0, err
	}
	return math.Sqrt(accuracy * (1 - accuracy) / rows), nil
}

// RMSEStandardError is that of a root mean squared error over independent rows, by the
// delta method: rmse sqrt((kurtosis - 1)/(4 n)), kurtosis that of the errors about 0 (3
// for normal errors, larger for heavy tails; at least 1).
func RMSEStandardError(rmse, rows, kurtosis float64) (float64, error) {
	if !finite(rmse) || rmse < 0 {
		return 0, fmt.Errorf("rmse must be a number and not negative, got %v", rmse)
	}
	if err := checkPositive("rows", rows); err != nil {
		return 0, err
	}
	if !finite(kurtosis) || kurtosis < 1 {
		return 0, fmt.Errorf("kurtosis must be at least 1, got %v", kurtosis)
	}
	v := rmse * math.Sqrt((kurtosis-1)/(4*rows))
	return v, checkFinite("the standard error", v)
}

// GateChance is the probability that a normal estimate with the given true value and
// standard error falls short of the limit: below it where higher is better, above it
// where not. With the value of a good model it is the chance that the gate fails it by
// noise alone; 1 minus it, with that of a bad one, that it passes. A standard error of 0
// compares the values.
func GateChance(value, standardError, limit float64, higherIsBetter bool) (float64, error) {
	if err := checkFinite("value", value); err != nil {
		return 0, err
	}
	if err := checkFinite("limit", limit); err != nil {
		return 0, err
	}
	if !finite(standardError) || standardError < 0 {
		return 0, fmt.Errorf("standard error must be a number and not negative, got %v", standardError)
	}
	short := limit - value
	if !higherIsBetter {
		short = -short
	}
	if standardError == 0 {
		if short > 0 {
			return 1, nil
		}
		return 0, nil
	}
	return normalCDF(short / standardError), nil
}

// DesignEffect is by how much the variance of a mean over clusters of the given mean size
// exceeds that of independent rows, 1 + (size-1) rho, rho the correlation within a
// cluster: samples are divided by it, sample sizes multiplied. Source: Kish, Survey
// Sampling, 5.4.
func DesignEffect(clusterSize, rho float64) (float64, error) {
	if !finite(clusterSize) || clusterSize < 1 {
		return 0, fmt.Errorf("cluster size must be at least 1, got %v", clusterSize)
	}
	if err := checkProbability("rho", rho); err != nil {
		return 0, err
	}
	return 1 + (clusterSize-1)*rho, nil
}

// --- quantiles, as of latency ---

// WilksSamples is the least number of values whose order-th largest is an upper bound of
// their quantile with the given confidence: P(Binomial(n, 1-quantile) >= order) >=
// confidence. Order is at least 1.
//
// Source: Wilks, Annals of Mathematical Statistics 12 (1941) 91-96.
func WilksSamples(quantile, confidence float64, order int64) (int64, error) {
	if err := checkOpenUnit("quantile", quantile); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("confidence", confidence); err != nil {
		return 0, err
	}
	if order < 1 || order > 1e6 {
		return 0, fmt.Errorf("order must be between 1 and 1000000, got %d", order)
	}
	enough := func(n int64) bool { return binomialUpperTail(order-1, n, 1-quantile) >= confidence }
	low, high := int64(0), order
	for !enough(high) {
		if low, high = high, high*2; high > 1<<50 {
			return 0, fmt.Errorf("no number of values bounds the quantile %v with confidence %v", quantile, confidence)
		}
	}
	for high-low > 1 {
		if middle := (low + high) / 2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// QuantileRanks is the ranks (from 1) of the sorted values between which the quantile
// lies with about the given confidence, whatever the law, and the exact coverage: with X
// Binomial(n, quantile), low is the (1-confidence)/2 quantile of X, high one more than the
// (1+confidence)/2 quantile, the coverage P(low <= X < high). Where low is 0 or high
// exceeds n, the values say nothing on that side: supported is false.
//
// Source: David and Nagaraja, Order Statistics, 7.1.
func QuantileRanks(n int64, quantile, confidence float64) (low, high int64, coverage float64, supported bool, err error) {
	if n < 1 || float64(n) > maxSamples {
		return 0, 0, 0, false, fmt.Errorf("n must be between 1 and 1e15, got %d", n)
	}
	if err := checkOpenUnit("quantile", quantile); err != nil {
		return 0, 0, 0, false, err
	}
	if err := checkOpenUnit("confidence", confidence); err != nil {
		return 0, 0, 0, false, err
	}
	tail := (1 - confidence) / 2
	low = binomialQuantile(n, quantile, func(above float64) bool { return above <= 1-tail })
	high = binomialQuantile(n, quantile, func(above float64) bool { return above <= tail }) + 1
	coverage = binomialUpperTail(low-1, n, quantile) - binomialUpperTail(high-1, n, quantile)
	return low, high, min(max(coverage, 0), 1), low >= 1 && high <= n, nil
}

// binomialQuantile is the least k for which P(X > k) is small enough.
func binomialQuantile(n int64, p float64, enough func(above float64) bool) int64 {
	low, high := int64(-1), n
	for high-low > 1 {
		if middle := low + (high-low)/2; enough(binomialUpperTail(middle, n, p)) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// QuantileSupport is the least number of values with which the given quantile has
// confidence ranks on both sides (see [QuantileRanks]): below it, a limit on that quantile
// says little.
func QuantileSupport(quantile, confidence float64) (int64, error) {
	if err := checkOpenUnit("quantile", quantile); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("confidence", confidence); err != nil {
		return 0, err
	}
	// The largest value exceeds the quantile, the smallest falls short of it, each but for
	// a chance of (1-confidence)/2.
	extreme := max(quantile, 1-quantile)
	n := math.Ceil(math.Log((1-confidence)/2) / math.Log(extreme) * (1 - 1e-12))
	if n > 1e15 {
		return 0, fmt.Errorf("the quantile %v is too close to 0 or 1", quantile)
	}
	least := max(int64(n)-2, 1)
	for {
		_, _, _, ok, err := QuantileRanks(least, quantile, confidence)
		if ok || err != nil {
			return least, err
		}
		least++
	}
}

// LogNormalQuantileError is the relative standard error of a quantile of n values from a
// log-normal law whose logarithm has the given standard deviation: sigma
// sqrt(p(1-p)/n)/phi(z_p).
func LogNormalQuantileError(n, quantile, sigma float64) (float64, error) {
	if err := checkPositive("n", n); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("quantile", quantile); err != nil {
		return 0, err
	}
	if err := checkPositive("sigma", sigma); err != nil {
		return 0, err
	}
	v := sigma * math.Sqrt(quantile*(1-quantile)/n) / normalDensity(mathext.NormalQuantile(quantile))
	return v, checkPositive("the relative error", v)
}
