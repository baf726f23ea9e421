package stats

import (
	"fmt"
	"math"
	"slices"
)

// Engine names the tool whose binning, smoothing and comparison a metric follows: one
// metric's name means other numbers, and other false alarms, in each.
type Engine string

// The engines of [EngineValue].
const (
	EngineMission   Engine = "mission"   // bins at the baseline's quantiles, 1e-8 added
	EngineEvidently Engine = "evidently" // 0.7: bins of equal width over both samples
	EngineNannyML   Engine = "nannyml"   // 0.13: bins of equal width over the baseline
	EngineAzure     Engine = "azure"     // Azure Machine Learning's monitoring components
)

// EngineOptions is what an engine leaves to its user.
type EngineOptions struct {
	Bins        int  // "mission": quantile bins of numbers; 0 counts as 10
	Categorical bool // the values are codes of categories
}

// EngineResult is a metric as an engine reports it.
type EngineResult struct {
	Value float64 // the score; a p-value for those metrics
	// Edges of the bins, nil where there are none or the bins are categories.
	Edges []float64
	Bins  int // bins or categories; 0 where there are none
	// Missing values (NaN), which every engine drops: counted here. Outside is the
	// current values beyond the outer edges.
	MissingExpected, MissingActual int
	Outside                        int64
}

// EngineMetrics are the metrics of an engine for numbers or for categories.
func EngineMetrics(engine Engine, categorical bool) []Metric {
	numbers := map[Engine][]Metric{
		EngineMission:   {MetricPSI, MetricKL, MetricJS, MetricKS, MetricWasserstein},
		EngineEvidently: {MetricPSI, MetricKLReverse, MetricJSDistance, MetricWasserstein, MetricKSP},
		EngineNannyML:   {MetricJSDistance2, MetricHellinger, MetricKS, MetricWassersteinRaw},
		EngineAzure:     {MetricPSI, MetricJSDistance2, MetricWasserstein, MetricKSP},
	}
	categories := map[Engine][]Metric{
		EngineMission:   {MetricPSI, MetricKL, MetricJS, MetricChiSquaredP},
		EngineEvidently: {MetricPSI, MetricKLReverse, MetricJSDistance, MetricGoodnessOfFitP},
		EngineNannyML:   {MetricJSDistance2, MetricHellinger, MetricLInfinity, MetricChiSquared},
		EngineAzure:     {MetricPSI, MetricJSDistance2, MetricGoodnessOfFitP},
	}
	if categorical {
		return categories[engine]
	}
	return numbers[engine]
}

// MetricWassersteinRaw is the Wasserstein distance in the values' own unit, as NannyML
// has it.
const MetricWassersteinRaw Metric = "wasserstein"

// EngineComparison is how the engine's own default decides that a metric drifted: its
// value compared by the operator with the limit. NannyML's limit of all but the chi-squared
// test, whose p-value it is, comes from the baseline's chunks ([ReferenceLimit]): NaN here.
func EngineComparison(engine Engine, metric Metric) (operator string, limit float64, err error) {
	pValue := metric == MetricKSP || metric == MetricChiSquaredP || metric == MetricGoodnessOfFitP
	switch engine {
	case EngineMission:
		if pValue {
			return "<", 0.05, nil
		}
		return ">", 0.1, nil
	case EngineEvidently:
		switch {
		case metric == MetricKSP:
			return "<=", 0.05, nil
		case pValue:
			return "<", 0.05, nil
		}
		return ">=", 0.1, nil
	case EngineNannyML:
		if metric == MetricChiSquared {
			return "<", 0.05, nil
		}
		return ">", math.NaN(), nil
	case EngineAzure:
		switch {
		case pValue:
			return "<", 0.05, nil
		case metric == MetricPSI:
			return ">", 0.5, nil
		}
		return ">", 0.1, nil
	}
	return "", 0, errEngine(engine)
}

func errEngine(engine Engine) error {
	return fmt.Errorf("unknown engine %q: want %q, %q, %q or %q", engine, EngineMission, EngineEvidently, EngineNannyML, EngineAzure)
}

// ReferenceLimit is NannyML's default upper limit: the mean plus 3 standard deviations
// (of n, not n-1) of the metric over the baseline's own chunks. With its 10 chunks it is
// passed by 5 to 6 % of later ones on no drift, with 6 by 13 to 16 %.
func ReferenceLimit(chunks []float64) (float64, error) {
	if len(chunks) == 0 {
		return 0, fmt.Errorf("chunks is empty")
	}
	mean := pairwiseSum(chunks, func(v float64) float64 { return v }) / float64(len(chunks))
	v := mean + 3*standardDeviation(chunks, 0)
	return v, checkFinite("the limit", v)
}

// EngineValue computes a metric from samples as the engine's tool does: its bins, its
// treatment of empty ones, its base of logarithms. Missing values are dropped and counted;
// infinite ones are errors. Sources: evidently 0.7.23, nannyml 0.13.1 (compared in
// engines_test.go with the packages themselves), and Azure/azureml-assets,
// data_drift_compute_metrics.
func EngineValue(engine Engine, metric Metric, expected, actual []float64, o EngineOptions) (EngineResult, error) {
	if !slices.Contains(EngineMetrics(engine, o.Categorical), metric) {
		if EngineMetrics(engine, true) == nil {
			return EngineResult{}, errEngine(engine)
		}
		return EngineResult{}, fmt.Errorf("engine %q has no metric %q for this kind of values: want one of %q", engine, metric, EngineMetrics(engine, o.Categorical))
	}
	var r EngineResult
	expected, r.MissingExpected = SplitMissing(expected)
	actual, r.MissingActual = SplitMissing(actual)
	for _, side := range []struct {
		name   string
		values []float64
	}{{"expected", expected}, {"actual", actual}} {
		if len(side.values) == 0 {
			return r, fmt.Errorf("%s has no values", side.name)
		}
		for i, v := range side.values {
			if math.IsInf(v, 0) {
				return r, fmt.Errorf("%s[%d] must be finite, got %v", side.name, i, v)
			}
		}
	}
	var err error
	switch metric {
	case MetricWasserstein:
		degrees, least := 0, 0.001
		switch engine {
		case EngineAzure:
			degrees = 1
		case EngineMission:
			least = 0
		}
		r.Value, err = NormalisedWasserstein(expected, actual, degrees, least)
		return r, err
	case MetricWassersteinRaw:
		if len(expected) >= nannyEstimated {
			r.Value, err = nannyWasserstein(expected, actual)
			return r, err
		}
		r.Value, err = Wasserstein(expected, actual)
		return r, err
	case MetricKS:
		if engine == EngineNannyML && len(expected) >= nannyEstimated {
			r.Value, err = nannyKS(expected, actual)
			return r, err
		}
		r.Value, _, err = KolmogorovSmirnov(expected, actual, KSAsymptotic)
		return r, err
	case MetricKSP:
		if engine == EngineAzure && max(len(expected), len(actual)) >= ksMostExact {
			return r, fmt.Errorf("engine %q refuses this test for samples of %d and more", engine, ksMostExact)
		}
		_, r.Value, err = KolmogorovSmirnov(expected, actual, KSAuto)
		return r, err
	}
	e, a, err := r.bin(engine, expected, actual, o)
	if err != nil {
		return r, err
	}
	r.Bins = len(e)
	r.Value, err = engineCounts(engine, metric, e, a, int64(len(expected)), int64(len(actual)))
	return r, err
}

// EngineCounts is [EngineValue] for counts of the same categories on both sides.
func EngineCounts(engine Engine, metric Metric, expected, actual []int64) (float64, error) {
	if !slices.Contains(EngineMetrics(engine, true), metric) {
		if EngineMetrics(engine, true) == nil {
			return 0, errEngine(engine)
		}
		return 0, fmt.Errorf("engine %q has no metric %q of categories: want one of %q", engine, metric, EngineMetrics(engine, true))
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
	// A category that neither side has is no category to the tools.
	var e, a []int64
	for i := range expected {
		if expected[i]+actual[i] > 0 {
			e, a = append(e, expected[i]), append(a, actual[i])
		}
	}
	return engineCounts(engine, metric, e, a, n, m)
}

// bin counts both samples in the engine's bins.
func (r *EngineResult) bin(engine Engine, expected, actual []float64, o EngineOptions) (e, a []int64, err error) {
	if o.Categorical || engine == EngineEvidently && distinct(expected, 20) <= 20 {
		e, a = categories(expected, actual)
		return e, a, nil
	}
	switch engine {
	case EngineMission:
		bins := o.Bins
		if bins == 0 {
			bins = 10
		}
		edges, _, err := quantileBreakpoints(expected, bins, false)
		if err != nil {
			return nil, nil, fmt.Errorf("expected: %w", err)
		}
		edges[0], edges[len(edges)-1] = math.Inf(-1), math.Inf(1)
		r.Edges = edges
	case EngineEvidently:
		both := append(slices.Clone(expected), actual...)
		r.Edges = equalWidthEdges(slices.Min(both), slices.Max(both), math.Log2(float64(len(both)))+1)
	case EngineNannyML:
		r.Edges = equalWidthEdges(slices.Min(expected), slices.Max(expected), doane(expected))
	case EngineAzure:
		low, high := min(slices.Min(expected), slices.Min(actual)), max(slices.Max(expected), slices.Max(actual))
		if low == high { // one bucket, of which Spark counts the value
			r.Edges = []float64{low, low}
			return []int64{int64(len(expected))}, []int64{int64(len(actual))}, nil
		}
		r.Edges = azureEdges(low, high, min(len(expected), len(actual)))
	}
	if width := r.Edges[len(r.Edges)-1] - r.Edges[0]; engine != EngineMission && !finite(width) {
		return nil, nil, fmt.Errorf("the values are too far apart for bins of equal width")
	}
	e, _, err = Histogram(expected, r.Edges)
	if err != nil {
		return nil, nil, err
	}
	a, r.Outside, err = Histogram(actual, r.Edges)
	return e, a, err
}

// distinct counts different values, up to one more than most.
func distinct(values []float64, most int) int {
	seen := map[float64]struct{}{}
	for _, v := range values {
		seen[v] = struct{}{}
		if len(seen) > most {
			break
		}
	}
	return len(seen)
}

func categories(expected, actual []float64) (e, a []int64) {
	keys := append(slices.Clone(expected), actual...)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	e, a = make([]int64, len(keys)), make([]int64, len(keys))
	for _, v := range expected {
		i, _ := slices.BinarySearch(keys, v)
		e[i]++
	}
	for _, v := range actual {
		i, _ := slices.BinarySearch(keys, v)
		a[i]++
	}
	return e, a
}

// equalWidthEdges is numpy.histogram_bin_edges for a rule that divides the range by
// parts: ceil of range/(range/parts) bins, one where all values are equal.
func equalWidthEdges(low, high, parts float64) []float64 {
	bins := 1
	if width := (high - low) / parts; width > 0 && finite(width) {
		bins = int(min(math.Ceil((high-low)/width), 1e6))
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	edges := make([]float64, bins+1)
	step := (high - low) / float64(bins)
	for i := range edges {
		edges[i] = float64(float64(i)*step) + low // numpy.linspace: not fused
	}
	edges[bins] = high
	return edges
}

// doane is the number of parts that Doane's rule divides the range in; 1 below 3 values or
// where all are equal.
func doane(values []float64) float64 {
	n := float64(len(values))
	mean := pairwiseSum(values, func(v float64) float64 { return v }) / n
	sd := standardDeviation(values, 0)
	if n <= 2 || sd == 0 {
		return 1
	}
	skew := pairwiseSum(values, func(v float64) float64 {
		z := (v - mean) / sd
		return z * z * z
	}) / n
	return doaneParts(n, skew)
}

func doaneParts(n, skew float64) float64 {
	return 1 + math.Log2(n) + math.Log2(1+math.Abs(skew)/doaneError(n))
}

func doaneError(n float64) float64 { return math.Sqrt(6 * (n - 2) / ((n + 1) * (n + 3))) }

func azureEdges(low, high float64, smaller int) []float64 {
	bins := azureBins(int64(smaller))
	width := (high - low) / float64(bins)
	edges := make([]float64, bins+1)
	for i := range edges {
		edges[i] = low + float64(float64(i)*width)
	}
	return edges
}

func azureBins(smaller int64) int { return int(math.Ceil(math.Log2(float64(smaller)) + 1)) }

// engineCounts is a metric of counts in the engine's bins, where n and m count values
// outside them too.
func engineCounts(engine Engine, metric Metric, e, a []int64, n, m int64) (float64, error) {
	switch metric {
	case MetricChiSquared: // scipy's chi2_contingency
		r, err := ChiSquaredTwoSample(e, a, true)
		return r.Statistic, err
	case MetricChiSquaredP:
		r, err := ChiSquaredTwoSample(e, a, false)
		return r.PValue, err
	case MetricGoodnessOfFitP:
		observed, expected := make([]float64, len(a)), make([]float64, len(e))
		scale := float64(m) / float64(n)
		for i := range e {
			observed[i], expected[i] = float64(a[i]), float64(e[i])*scale
		}
		r, err := ChiSquaredGoodnessOfFit(observed, expected)
		return r.PValue, err
	}
	add := 0.0
	if engine == EngineAzure && metric == MetricPSI {
		add = 1
	}
	p, q := normalise(e, n, add), normalise(a, m, add)
	if sum(p) == 0 || sum(q) == 0 && engine != EngineNannyML {
		return 0, fmt.Errorf("no value falls into a bin: the bins' edges are rounded away")
	}
	switch engine {
	case EngineMission:
		return divergenceSum(Divergence(metric), p, q, DefaultSmoothing().Epsilon)
	case EngineEvidently:
		if metric == MetricPSI || metric == MetricKLReverse {
			fillZeroes(p)
			fillZeroes(q)
		}
	case EngineNannyML:
		if outside := 1 - sum(q); outside > 1e-15 { // a bin of its own
			p, q = append(p, 0), append(q, outside)
		}
	}
	switch metric {
	case MetricPSI:
		return divergenceSum(DivergencePSI, p, q, 0)
	case MetricKLReverse: // scipy's entropy normalises again
		rescale(p)
		rescale(q)
		return divergenceSum(DivergenceKLReverse, p, q, 0)
	case MetricJSDistance, MetricJSDistance2:
		rescale(p)
		rescale(q)
		v, err := divergenceSum(DivergenceJS, p, q, 0)
		base := math.E
		if metric == MetricJSDistance2 {
			base = 2
		}
		return jsDistance(v, base, err)
	case MetricHellinger:
		v, err := divergenceSum(DivergenceHellinger2, p, q, 0)
		return math.Sqrt(v), err
	}
	most := 0.0 // MetricLInfinity
	for i := range p {
		most = max(most, math.Abs(p[i]-q[i]))
	}
	return most, nil
}

func sum(p []float64) float64 {
	total := 0.0
	for _, v := range p {
		total += v
	}
	return total
}

func rescale(p []float64) {
	total := sum(p)
	for i := range p {
		p[i] /= total
	}
}

// nannyEstimated is the baseline's size from which NannyML estimates on 10,000 bins.
const nannyEstimated = 10_000

func nannyEdges(values []float64) []float64 {
	low, high := slices.Min(values), slices.Max(values)
	if low == high {
		low, high = low-0.5, high+0.5
	}
	edges := make([]float64, nannyEstimated+1)
	step := (high - low) / nannyEstimated
	for i := range edges {
		edges[i] = float64(float64(i)*step) + low
	}
	edges[nannyEstimated] = high
	return edges
}

func nannyKS(expected, actual []float64) (float64, error) {
	edges := nannyEdges(expected)
	e, _, err := Histogram(expected, edges)
	if err != nil {
		return 0, err
	}
	a, _, err := Histogram(actual, edges)
	if err != nil {
		return 0, err
	}
	below := 0.0
	for _, v := range actual {
		if v < edges[0] {
			below++
		}
	}
	n, m := float64(len(expected)), float64(len(actual))
	var ofE, most float64
	ofA := below / m
	for i := range e {
		ofE += float64(e[i]) / n
		ofA += float64(a[i]) / m
		most = max(most, math.Abs(ofE-ofA))
	}
	return most, nil
}

// nannyWasserstein is NannyML's estimate, whose cumulative shares of the current values
// count one too many where some lie below the baseline.
func nannyWasserstein(expected, actual []float64) (float64, error) {
	edges := nannyEdges(expected)
	low, high := edges[0], edges[len(edges)-1]
	e, _, err := Histogram(expected, edges)
	if err != nil {
		return 0, err
	}
	a, _, err := Histogram(actual, edges)
	if err != nil {
		return 0, err
	}
	m := float64(len(actual))
	var smaller, bigger []float64
	for _, v := range actual {
		switch {
		case v < low:
			smaller = append(smaller, v)
		case v > high:
			bigger = append(bigger, v)
		}
	}
	distance, amount := 0.0, 0.0
	if len(smaller) > 0 {
		amount = float64(len(smaller)+1) / m
		distance += amount * tailArea(append(smaller, low), func(f float64) float64 { return f })
	}
	if len(bigger) > 0 {
		distance += float64(len(bigger)+1) / m * tailArea(append(bigger, high), func(f float64) float64 { return 1 - f })
	}
	ofE, ofA := 0.0, amount
	width := edges[1] - edges[0]
	for i := range e {
		ofE += float64(e[i]) / float64(len(expected))
		ofA += float64(a[i]) / m
		distance += math.Abs(ofE-ofA) * width
	}
	return distance, checkFinite("the distance", distance)
}

// tailArea integrates a function of the values' own distribution function.
func tailArea(values []float64, of func(f float64) float64) float64 {
	slices.Sort(values)
	area := 0.0
	for i := 1; i < len(values); i++ {
		area += of(float64(i)/float64(len(values))) * (values[i] - values[i-1])
	}
	return area
}

// fillZeroes is what Evidently does to proportions of 0: 0.0001, or a millionth of the
// smallest other where that is at most 0.0001. Nothing is renormalised.
func fillZeroes(p []float64) {
	least := 2.0
	for _, v := range p {
		if v != 0 {
			least = min(least, v)
		}
	}
	fill := 0.0001
	if least <= 0.0001 {
		fill = least / 1e6
	}
	for i, v := range p {
		if v == 0 {
			p[i] = fill
		}
	}
}
