package stats

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Quantiles gives the quantiles of values at the given probabilities by linear
// interpolation of the order statistics: Hyndman and Fan's type 7, the default of
// numpy.quantile, to the last bit. Values need not be sorted and are not changed.
// NaN among the values, no values, or a probability outside [0, 1] is an error;
// infinite values are allowed where no interpolation meets both infinities.
func Quantiles(values, probabilities []float64) ([]float64, error) {
	sorted, err := sortedCopy("values", values)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(probabilities))
	for i, q := range probabilities {
		if err := checkProbability(fmt.Sprintf("probabilities[%d]", i), q); err != nil {
			return nil, err
		}
		out[i] = quantileSorted(sorted, q)
		if math.IsNaN(out[i]) {
			return nil, fmt.Errorf("the quantile at %v lies between infinite values", q)
		}
	}
	return out, nil
}

// QuantileEdges gives the edges of bins that hold equal shares of values: the
// quantiles at 0, 1/bins, ..., 1. Ties in the values make edges coincide; such
// edges are given once, and collapsed says how many bins that cost:
// len(edges) == bins + 1 - collapsed. Values that are all equal give one edge.
func QuantileEdges(values []float64, bins int) (edges []float64, collapsed int, err error) {
	edges, _, err = quantileBreakpoints(values, bins, false)
	if err != nil {
		return nil, 0, err
	}
	edges = slices.Compact(edges)
	return edges, bins + 1 - len(edges), nil
}

// OpenEdges gives a copy of edges in which the first is -Inf and the last +Inf, so
// that every value falls into a bin. Fewer than two edges give one bin of
// everything.
func OpenEdges(edges []float64) []float64 {
	if len(edges) < 2 {
		return []float64{math.Inf(-1), math.Inf(1)}
	}
	out := slices.Clone(edges)
	out[0], out[len(out)-1] = math.Inf(-1), math.Inf(1)
	return out
}

// quantileBreakpoints is numpy.percentile(values, numpy.linspace(0, 100, bins+1)):
// the same grid of probabilities, rounding included. Below, it also counts the values less
// than each breakpoint.
func quantileBreakpoints(values []float64, bins int, countBelow bool) (edges []float64, below []int, err error) {
	if bins < 1 || bins > 1_000_000 {
		return nil, nil, fmt.Errorf("bins must be between 1 and 1000000, got %d", bins)
	}
	n := len(values)
	if n == 0 {
		return nil, nil, fmt.Errorf("values is empty")
	}
	percents := make([]float64, bins+1)
	step := 100 / float64(bins)
	for i := range percents {
		percents[i] = float64(i) * step
		if i == bins {
			percents[i] = 100
		}
	}
	edges = make([]float64, bins+1)
	if n >= 64*bins && n >= 4*selectionCells { // only the ranks that are read
		ranks := make([]int, 0, 2*len(percents))
		for _, p := range percents {
			lower, upper := quantileRanks(n, p/100)
			ranks = append(ranks, lower, upper)
		}
		slices.Sort(ranks)
		if s := newSelection(values, slices.Compact(ranks)); s != nil {
			for i, p := range percents {
				lower, upper := quantileRanks(n, p/100)
				edges[i] = quantileBetween(s.at(lower), s.at(upper), n, p/100)
				if countBelow {
					below = append(below, s.below(edges[i]))
				}
			}
			return edges, below, nil
		}
	}
	for i, v := range values {
		if !finite(v) {
			return nil, nil, fmt.Errorf("values must be finite to place quantile edges, got %v at %d: drop missing values first", v, i)
		}
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	for i, p := range percents {
		edges[i] = quantileSorted(sorted, p/100)
		if countBelow {
			n, _ := slices.BinarySearch(sorted, edges[i])
			below = append(below, n)
		}
	}
	return edges, below, nil
}

func logOf(n int) int { return bits.Len(uint(n)) }

// selectRanks puts the values of the given ranks, which increase, where sorting would;
// first is the rank of v[0]. Hoare's selection for many ranks; it sorts what does not
// divide well.
func selectRanks(v []float64, first int, ranks []int, depth int) {
	for len(ranks) > 0 {
		n := len(v)
		if n <= 32 || depth == 0 {
			slices.Sort(v)
			return
		}
		depth--
		pivot := median3(median3(v[0], v[n/8], v[n/4]), median3(v[3*n/8], v[n/2], v[5*n/8]), median3(v[3*n/4], v[7*n/8], v[n-1]))
		i, j := 0, n-1
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		// v[:j+1] <= pivot <= v[i:], and what is between equals it.
		below, _ := slices.BinarySearch(ranks, first+j+1)
		above, _ := slices.BinarySearch(ranks, first+i)
		selectRanks(v[:j+1], first, ranks[:below], depth)
		v, first, ranks = v[i:], first+i, ranks[above:]
	}
}

func median3(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }

// quantileRanks are the order statistics that a quantile lies between.
func quantileRanks(n int, q float64) (lower, upper int) {
	lower = min(int(math.Floor(float64(n-1)*q)), n-1)
	return lower, min(lower+1, n-1)
}

func quantileSorted(sorted []float64, q float64) float64 {
	lower, upper := quantileRanks(len(sorted), q)
	return quantileBetween(sorted[lower], sorted[upper], len(sorted), q)
}

// quantileBetween follows numpy's arithmetic, which interpolates from the nearer
// end; the conversions keep compilers from fusing multiply and add.
func quantileBetween(a, b float64, n int, q float64) float64 {
	h := float64(n-1) * q
	lower := min(int(math.Floor(h)), n-1)
	if a == b {
		return a
	}
	t := h - float64(lower)
	if t == 0 {
		return a
	}
	difference := b - a
	if math.IsInf(difference, 0) && finite(a) && finite(b) {
		return float64(a*(1-t)) + float64(b*t) // the difference alone overflows
	}
	if t >= 0.5 {
		return b - float64(difference*(1-t))
	}
	return a + float64(difference*t)
}

func sortedCopy(name string, values []float64) ([]float64, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	for i, v := range values {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("%s[%d] is not a number: drop missing values first", name, i)
		}
	}
	out := slices.Clone(values)
	slices.Sort(out)
	return out, nil
}
