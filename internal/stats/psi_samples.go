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
	edges, err := quantileBreakpoints(expected, bins)
	if err != nil {
		return 0, fmt.Errorf("expected: %w", err)
	}
	edges[0], edges[len(edges)-1] = math.Inf(-1), math.Inf(1)
	expectedCounts, _, err := Histogram(expected, edges)
	if err != nil {
		return 0, fmt.Errorf("expected: %w", err)
	}
	for i, v := range actual {
		if math.IsInf(v, 0) {
			return 0, fmt.Errorf("actual[%d] must be finite, got %v", i, v)
		}
	}
	actualCounts, _, err := Histogram(actual, edges)
	if err != nil {
		return 0, fmt.Errorf("actual: %w", err)
	}
	return PSICounts(expectedCounts, actualCounts, DefaultSmoothing())
}
