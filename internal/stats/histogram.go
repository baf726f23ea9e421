package stats

import (
	"fmt"
	"math"
	"runtime"
	"sort"
	"sync"
)

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
	cuts := cutsOf(edges)
	at, nan := newCutCounter(cuts, len(values)).count(values, len(cuts)+1)
	if nan >= 0 {
		return nil, 0, fmt.Errorf("values[%d] is not a number: drop missing values first", nan)
	}
	bins := len(edges) - 1
	counts = make([]int64, bins)
	copy(counts, at[1:])
	outside = at[0]
	if len(cuts) > bins {
		outside += at[bins+1]
	}
	return counts, outside, nil
}

// cutsOf are numbers of which a value has 0 at or below it where it lies below all bins, 1 in
// the first bin, and so on: the edges, but the last is the next number above it, because the
// last bin is closed above, and is missing where nothing lies above it.
func cutsOf(edges []float64) []float64 {
	last := len(edges) - 1
	cuts := append(make([]float64, 0, last+1), edges[:last]...)
	if top := edges[last]; !math.IsInf(top, 1) {
		cuts = append(cuts, math.Nextafter(top, math.Inf(1)))
	}
	return cuts
}

// cutCounter counts values by how many cuts lie at or below them.
type cutCounter interface {
	// add adds to at, by the number of cuts, and gives the place of the first NaN, or -1.
	// What it has added is worth nothing then.
	add(values []float64, at []int64) (nan int)
}

// newCutCounter picks the fastest for so many values. All count the same.
func newCutCounter(cuts []float64, values int) counting {
	if c := newVectorCuts(cuts, values); c != nil {
		return counting{c}
	}
	if c := newGridCuts(cuts, values); c != nil {
		return counting{c}
	}
	return counting{searchedCuts(cuts)}
}

// counting shares the work between processors.
type counting struct{ cutCounter }

// count counts values by the number of cuts at or below them, from 0 to size-1, and gives the
// place of the first NaN, or -1.
func (c counting) count(values []float64, size int) (at []int64, nan int) {
	at = make([]int64, size)
	nans := make([]int, parallelParts(len(values)))
	var adding sync.Mutex
	inParts(len(values), func(part, from, to int) {
		own := make([]int64, size)
		nans[part] = c.add(values[from:to], own)
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
			return nil, i
		}
	}
	return at, -1
}

// searchedCuts searches for each value's place.
type searchedCuts []float64

func (c searchedCuts) add(values []float64, at []int64) (nan int) {
	for i, v := range values {
		if v != v {
			return i
		}
		at[sort.Search(len(c), func(j int) bool { return c[j] > v })]++
	}
	return -1
}

// gridCuts finds places by a grid of equal cells over the cuts: of the values in a cell, one
// comparison with the only cut in it tells the place. A value's cell never decreases in the
// value, rounding included, and a cut's is computed alike, so that the answer is that of
// a search. About 4 ns a value instead of 18.
type gridCuts struct {
	searched  searchedCuts
	low, unit float64
	cells     [gridCells]gridCell
}

type gridCell struct {
	cut   float64 // the cut in the cell; NaN, which nothing is at or above, where there is none
	below int32   // how many cuts are at or below a value of the cell that is below cut
	more  bool    // more than one cut: search
}

const gridCells = 4096

// newGridCuts gives nil where a grid is of no use: over few values, or where the cuts from
// the first that is not -Inf on are not finite.
func newGridCuts(cuts []float64, values int) cutCounter {
	first, last := 0, len(cuts)-1
	for first < last && math.IsInf(cuts[first], -1) {
		first++
	}
	low, high := cuts[first], cuts[last]
	unit := (gridCells - 1) / (high - low)
	if values < 4*gridCells || len(cuts) > gridCells/4 || !finite(low) || !finite(high) || !finite(unit) || !(unit > 0) || math.IsInf(high-low, 0) {
		return nil
	}
	g := &gridCuts{searched: cuts, low: low, unit: unit}
	for i := range g.cells {
		g.cells[i].cut = math.NaN()
		g.cells[i].below = -1
	}
	for i, e := range cuts[first:] {
		c := g.cellOf((e - low) * unit)
		switch {
		case c.below < 0:
			c.cut, c.below = e, int32(first+i)
		case e != c.cut:
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
		for at <= last && g.cellOf((cuts[at]-low)*unit) == c {
			at++
		}
		below = int32(at)
		if !c.more && at-int(c.below) > 1 { // the same cut more than once
			c.more = true
		}
	}
	return g
}

// add counts neighbours apart: adding to a count that was just added to takes longer.
func (g *gridCuts) add(values []float64, at []int64) (nan int) {
	odd := make([]int64, len(at))
	low, unit := g.low, g.unit
	i := 0
	for ; i+1 < len(values); i += 2 {
		v, w := values[i], values[i+1]
		c, d := g.cellOf((v-low)*unit), g.cellOf((w-low)*unit)
		if c.more || d.more || v != v || w != w {
			if nan = g.searched.add(values[i:i+2], at); nan >= 0 {
				return i + nan
			}
			continue
		}
		n, m := int(c.below), int(d.below)
		if v >= c.cut {
			n++
		}
		if w >= d.cut {
			m++
		}
		at[n]++
		odd[m]++
	}
	if nan = g.searched.add(values[i:], at); nan >= 0 {
		return i + nan
	}
	for i, n := range odd {
		at[i] += n
	}
	return -1
}

func (g *gridCuts) cellOf(x float64) *gridCell {
	k := 0
	if x > 0 {
		k = gridCells - 1
		if x < gridCells-1 {
			k = int(x)
		}
	}
	return &g.cells[k&(gridCells-1)]
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
