package stats

import (
	"math"
	"slices"
	"sort"
)

// selection gives order statistics of many values, and how many values are below one,
// without sorting them: values are counted in cells that increase with them, and those in
// the cells that are asked for are collected. Where most values are in few cells (ties, or
// a few values very far out) it is as slow as selecting from all of them.
type selection struct {
	values    []float64
	low, unit float64
	before    []int // values in the cells before each; one more than cells
	collected map[int][]float64
}

const (
	selectionCells  = 1 << 12
	selectionSample = 1 << 10 // from which the cells' range is taken
)

// newSelection collects what the given ranks, which increase, need. It is nil where a value is not finite, or the
// cells would be of no use.
func newSelection(values []float64, ranks []int) *selection {
	sample := make([]float64, 0, selectionSample)
	for i := range selectionSample {
		sample = append(sample, values[i*(len(values)-1)/(selectionSample-1)])
	}
	slices.Sort(sample)
	low, high := sample[0], sample[selectionSample-1]
	s := &selection{values: values, low: low, unit: (selectionCells - 2) / (high - low), before: make([]int, selectionCells+1), collected: map[int][]float64{}}
	if !finite(low) || !finite(high) || !finite(high-low) || !finite(s.unit) {
		return nil
	}
	parts := parallelParts(len(values))
	counted := make([]*[selectionCells]int32, parts)
	inParts(len(values), func(part, from, to int) { counted[part] = s.countCells(values[from:to]) })
	for _, counts := range counted {
		if counts == nil {
			return nil
		}
		for i, n := range counts {
			s.before[i+1] += int(n)
		}
	}
	for i := range selectionCells {
		s.before[i+1] += s.before[i]
	}
	var wanted [selectionCells]bool
	for _, rank := range ranks {
		wanted[s.cellOfRank(rank)] = true
	}
	found := make([][]float64, parts)
	inParts(len(values), func(part, from, to int) { found[part] = s.collect(values[from:to], &wanted) })
	for i := range wanted {
		if wanted[i] {
			s.collected[i] = make([]float64, 0, s.before[i+1]-s.before[i])
		}
	}
	for _, values := range found {
		for _, v := range values {
			i := s.cell(v)
			s.collected[i] = append(s.collected[i], v)
		}
	}
	for i, in := range s.collected {
		first, _ := slices.BinarySearch(ranks, s.before[i])
		last, _ := slices.BinarySearch(ranks, s.before[i+1])
		if first < last {
			selectRanks(in, s.before[i], ranks[first:last], 2*logOf(len(in)))
		}
	}
	return s
}

// cell never decreases in the value, rounding included.
func (s *selection) cell(v float64) int {
	x := (v - s.low) * s.unit
	k := 0
	if x > 0 {
		k = selectionCells - 1
		if x < selectionCells-1 {
			k = int(x)
		}
	}
	return k
}

// countCells counts finite values by cell; nil where one is not finite.
func (s *selection) countCells(values []float64) *[selectionCells]int32 {
	var counts [selectionCells]int32
	low, unit := s.low, s.unit
	most := uint64(0) // of the bits without their sign
	for _, v := range values {
		most = max(most, math.Float64bits(v)<<1)
		x := (v - low) * unit
		k := 0
		if x > 0 {
			k = selectionCells - 1
			if x < selectionCells-1 {
				k = int(x)
			}
		}
		counts[k&(selectionCells-1)]++
	}
	if most >= math.Float64bits(math.Inf(1))<<1 {
		return nil
	}
	return &counts
}

func (s *selection) collect(values []float64, wanted *[selectionCells]bool) (found []float64) {
	low, unit := s.low, s.unit
	for _, v := range values {
		x := (v - low) * unit
		k := 0
		if x > 0 {
			k = selectionCells - 1
			if x < selectionCells-1 {
				k = int(x)
			}
		}
		if wanted[k&(selectionCells-1)] {
			found = append(found, v)
		}
	}
	return found
}

func (s *selection) cellOfRank(rank int) int {
	return sort.Search(selectionCells, func(i int) bool { return s.before[i+1] > rank })
}

// at is the order statistic of a rank that was asked for.
func (s *selection) at(rank int) float64 {
	cell := s.cellOfRank(rank)
	return s.collected[cell][rank-s.before[cell]]
}

// below counts the values less than one that is about those of the ranks that were asked
// for.
func (s *selection) below(edge float64) int {
	cell := s.cell(edge)
	n, among := s.before[cell], s.collected[cell]
	if len(among) < s.before[cell+1]-n { // rounding took it to a cell that nobody asked for
		n, among = 0, s.values
	}
	for _, v := range among {
		if v < edge {
			n++
		}
	}
	return n
}
