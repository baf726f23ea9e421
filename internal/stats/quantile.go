package stats

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sort"
	"sync"
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

// Histogram counts the values in each bin between consecutive edges: numpy's
// convention, each bin closed below and open above, the last closed above too.
// Edges must not decrease; the outer ones may be infinite ([OpenEdges]). Values
// beyond the outer edges are not counted in any bin; outside says how many there
// were. NaN is an error: drop and count missing values first.
func Histogram(values, edges []float64) (counts []int64, outside int64, err error) {
	if len(edges) < 2 {
		return nil, 0, fmt.Errorf("a histogram needs at least 2 edges, got %d", len(edges))
	}
	for i, e := range edges {
		if math.IsNaN(e) {
			return nil, 0, fmt.Errorf("edges[%d] is not a number", i)
		}
		if i > 0 && e < edges[i-1] {
			return nil, 0, fmt.Errorf("edges must not decrease: edges[%d] is %v after %v", i, e, edges[i-1])
		}
	}
	counts = make([]int64, len(edges)-1)
	last := len(edges) - 1
	if grid := newEdgeGrid(edges, len(values)); grid != nil {
		nan, outside := grid.count(values, counts)
		if nan >= 0 {
			return nil, 0, fmt.Errorf("values[%d] is not a number: drop missing values first", nan)
		}
		return counts, outside, nil
	}
	for i, v := range values {
		switch {
		case math.IsNaN(v):
			return nil, 0, fmt.Errorf("values[%d] is not a number: drop missing values first", i)
		case v < edges[0] || v > edges[last]:
			outside++
		case v == edges[last]:
			counts[last-1]++
		default:
			// The last edge that is not above v opens v's bin.
			counts[sort.Search(len(edges), func(j int) bool { return edges[j] > v })-1]++
		}
	}
	return counts, outside, nil
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

// edgeGrid finds bins by a grid of equal cells over the edges: of the values in a cell, one
// comparison with the only edge in it tells the bin. A value's cell never decreases in the
// value, rounding included, and an edge's is computed alike, so that the answer is that of
// a search. About 4 ns a value instead of 18.
type edgeGrid struct {
	edges     []float64
	low, unit float64
	cells     [gridCells]edgeCell
}

type edgeCell struct {
	edge  float64 // the edge in the cell, +Inf where there is none
	below int32   // how many edges are at or below a value of the cell that is below edge
	more  bool    // more than one edge: search
}

const gridCells = 4096

// newEdgeGrid gives nil where a grid is of no use.
func newEdgeGrid(edges []float64, values int) *edgeGrid {
	first, last := 0, len(edges)-1
	for first < last && math.IsInf(edges[first], -1) {
		first++
	}
	for last > first && math.IsInf(edges[last], 1) {
		last--
	}
	low, high := edges[first], edges[last]
	unit := (gridCells - 1) / (high - low)
	if values < 4*gridCells || len(edges) > gridCells/4 || !finite(low) || !finite(high) || !finite(unit) || !(unit > 0) || math.IsInf(high-low, 0) {
		return nil
	}
	g := &edgeGrid{edges: edges, low: low, unit: unit}
	for i := range g.cells {
		g.cells[i].edge = math.Inf(1)
		g.cells[i].below = -1
	}
	for i, e := range edges[first : last+1] {
		c := &g.cells[g.cell(e)]
		switch {
		case c.below < 0:
			c.edge, c.below = e, int32(first+i)
		case e != c.edge:
			c.more = true
		}
	}
	below := int32(first)
	at := first
	for i := range g.cells {
		c := &g.cells[i]
		if c.below < 0 {
			c.below = below
			continue
		}
		for at <= last && g.cell(edges[at]) == i {
			at++
		}
		below = int32(at)
		if !c.more && at-int(c.below) > 1 { // the same edge more than once
			c.more = true
		}
	}
	return g
}

func (g *edgeGrid) cell(v float64) int {
	x := (v - g.low) * g.unit
	if !(x > 0) {
		return 0
	}
	return int(min(x, gridCells-1))
}

// count adds the values to the bins' counts, and gives those outside and the place of a
// NaN, or -1.
func (g *edgeGrid) count(values []float64, counts []int64) (nan int, outside int64) {
	last := len(g.edges) - 1
	top := g.edges[last]
	// By the number of edges at or below the value: 0 is below all, last+1 at or above all.
	at := make([]int64, last+2)
	nans := make([]int, parallelParts(len(values)))
	var adding sync.Mutex
	inParts(len(values), func(part, from, to int) {
		own := make([]int64, last+2)
		nans[part] = g.countPart(values[from:to], own)
		if nans[part] >= 0 {
			nans[part] += from
		}
		adding.Lock()
		defer adding.Unlock()
		for i, n := range own {
			at[i] += n
		}
	})
	for _, i := range nans {
		if i >= 0 {
			return i, 0
		}
	}
	copy(counts, at[1:last+1])
	outside = at[0]
	if above := at[last+1]; above > 0 { // the last bin is closed above
		var equal int64
		if math.IsInf(top, 1) {
			equal = above
		} else {
			for _, v := range values {
				if v == top {
					equal++
				}
			}
		}
		counts[last-1] += equal
		outside += above - equal
	}
	return -1, outside
}

// countPart counts values by the number of edges at or below them. Neighbours go to counts
// of their own: adding to one that was just added to takes longer.
func (g *edgeGrid) countPart(values []float64, at []int64) (nan int) {
	odd := make([]int64, len(at))
	low, unit := g.low, g.unit
	i := 0
	for ; i+1 < len(values); i += 2 {
		v, w := values[i], values[i+1]
		c, d := g.cellOf((v-low)*unit), g.cellOf((w-low)*unit)
		if c.more || d.more || v != v || w != w {
			if nan = g.countSlowly(values[i:i+2], at); nan >= 0 {
				return i + nan
			}
			continue
		}
		n, m := int(c.below), int(d.below)
		if v >= c.edge {
			n++
		}
		if w >= d.edge {
			m++
		}
		at[n]++
		odd[m]++
	}
	if nan = g.countSlowly(values[i:], at); nan >= 0 {
		return i + nan
	}
	for i, n := range odd {
		at[i] += n
	}
	return -1
}

func (g *edgeGrid) cellOf(x float64) *edgeCell {
	k := 0
	if x > 0 {
		k = gridCells - 1
		if x < gridCells-1 {
			k = int(x)
		}
	}
	return &g.cells[k&(gridCells-1)]
}

func (g *edgeGrid) countSlowly(values []float64, at []int64) (nan int) {
	for i, v := range values {
		if v != v {
			return i
		}
		at[sort.Search(len(g.edges), func(j int) bool { return g.edges[j] > v })]++
	}
	return -1
}

// Values are dealt to goroutines where there are many: as many parts as there are
// processors to share them, each long enough to be worth it.
const parallelValues = 1 << 15

func parallelParts(values int) int { return max(min(values/parallelValues, runtime.GOMAXPROCS(0)), 1) }

// inParts calls do for each part of so many values, at once.
func inParts(values int, do func(part, from, to int)) {
	parts := parallelParts(values)
	var wait sync.WaitGroup
	for part := 1; part < parts; part++ {
		wait.Go(func() { do(part, part*values/parts, (part+1)*values/parts) })
	}
	do(0, 0, values/parts)
	wait.Wait()
}
