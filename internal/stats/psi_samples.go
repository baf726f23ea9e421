package stats

import (
	"fmt"
	"math"
)

// PSISamples is the population stability index between two samples, over bins
// that hold equal shares of the expected (baseline) one. The procedure is the
// customary one, step by step: breakpoints at the baseline's linearly interpolated
// percentiles, the outer two opened to infinity, counts with each bin closed below,
// proportions, 1e-8 added to each, then sum (A-E) ln(A/E).
//
// Coinciding breakpoints are kept, as that procedure keeps them: the bin between
// them is empty on both sides and adds nothing. Samples must be finite and not
// empty; bins must be at least 1.
func PSISamples(expected, actual []float64, bins int) (float64, error) {
	if len(actual) == 0 {
		return 0, fmt.Errorf("actual is empty")
	}
	edges, below, err := quantileBreakpoints(expected, bins, true)
	if err != nil {
		return 0, fmt.Errorf("expected: %w", err)
	}
	// The baseline's values are counted already: a bin has those from its edge to the next.
	below[0], below[bins] = 0, len(expected)
	expectedCounts := make([]int64, bins)
	for b := range expectedCounts {
		expectedCounts[b] = int64(below[b+1] - below[b])
	}
	edges[0], edges[bins] = math.Inf(-1), math.Inf(1)
	if i := infinite(actual); i >= 0 {
		return 0, fmt.Errorf("actual[%d] must be finite, got %v", i, actual[i])
	}
	actualCounts, _, err := Histogram(actual, edges)
	if err != nil {
		return 0, fmt.Errorf("actual: %w", err)
	}
	return PSICounts(expectedCounts, actualCounts, DefaultSmoothing())
}

// infinite is the place of the first infinite value, or -1.
func infinite(values []float64) int {
	for i, v := range values {
		if math.Float64bits(v)<<1 == math.Float64bits(math.Inf(1))<<1 {
			return i
		}
	}
	return -1
}
