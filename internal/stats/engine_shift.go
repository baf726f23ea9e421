package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// engineSample is what a simulated law is drawn from.
type engineSample struct {
	engine Engine
	metric Metric
	shape  Shape
	n, m   int64
	o      EngineOptions
}

// shiftedDraws is how many pairs of samples a power rests on: 0.008 of it at most.
const shiftedDraws = 4000

// shiftCache keeps the draws of the latest shift, which are asked for many thresholds.
type shiftCache struct {
	mutex  sync.Mutex
	shift  float64
	sorted []float64
}

// ShiftPower is the probability that the engine's metric exceeds the threshold in a window
// whose values have moved by shift standard deviations, over 4,000 seeded pairs of samples;
// for a shape that is not symmetric in the direction that is seen less well. Bins and their
// number are the engine's for these very samples. An error for categories, which cannot move.
func (l *engineLaw) ShiftPower(threshold, shift float64) (float64, Method, error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkShift(shift); err != nil {
		return 0, "", err
	}
	if l.of.o.Categorical {
		return 0, "", fmt.Errorf("categories have no order: a shift of the mean means nothing to them")
	}
	if shift == 0 {
		p, method := l.Survival(threshold)
		return p, method, nil
	}
	power := l.seen(&l.up, threshold, shift)
	if !l.of.shape.normal() {
		power = min(power, l.seen(&l.down, threshold, -shift))
	}
	return power, MethodMonteCarlo, nil
}

// DetectableShift is the smallest shift whose ShiftPower reaches the given power.
func (l *engineLaw) DetectableShift(threshold, power float64) (float64, Method, error) {
	if _, _, err := l.ShiftPower(threshold, 0); err != nil {
		return 0, "", err
	}
	return detectableShift(threshold, power, func(shift float64) (float64, Method) {
		p, method, _ := l.ShiftPower(threshold, shift) // in range by construction
		return p, method
	})
}

func (l *engineLaw) seen(cache *shiftCache, threshold, shift float64) float64 {
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	if cache.sorted == nil || cache.shift != shift {
		cache.shift, cache.sorted = shift, l.of.drawShifted(shift)
	}
	return shareAbove(cache.sorted, threshold)
}

// drawShifted draws the metric of a baseline and a shifted window. Given a sample's
// extremes, its other values are independent between them: bins get multinomial counts.
func (s engineSample) drawShifted(shift float64) []float64 {
	random := rand.New(rand.NewPCG(uint64(s.n), uint64(s.m))) // the same for all shifts, so that power rises with them
	table := newShapeTable(s.shape)
	_, sd, skew := s.shape.moments()
	e := shiftedSample{table: table, size: s.n}
	a := shiftedSample{table: table, size: s.m, by: shift * sd}
	out := make([]float64, shiftedDraws)
	for d := range out {
		e.drawExtremes(random)
		a.drawExtremes(random)
		low, high := min(e.low, a.low), max(e.high, a.high)
		var bins int
		switch s.engine {
		case EngineNannyML:
			low, high = e.low, e.high
			n := float64(s.n)
			bins = int(math.Ceil(doaneParts(n, skew+float64(doaneError(n)*random.NormFloat64()))))
		case EngineAzure:
			bins = azureBins(min(s.n, s.m))
		default:
			bins = int(math.Ceil(math.Log2(float64(s.n+s.m)) + 1))
		}
		edges := make([]float64, bins+1)
		for i := range edges {
			edges[i] = low + float64((high-low)*float64(i)/float64(bins))
		}
		v, err := engineCounts(s.engine, s.metric, e.count(random, edges), a.count(random, edges), s.n, s.m)
		if err != nil {
			v = math.Inf(1)
		}
		out[d] = v
	}
	slices.Sort(out)
	return out
}

// shiftedSample is one sample of values of a shape, moved.
type shiftedSample struct {
	table        *shapeTable
	size         int64
	by           float64
	low, high    float64 // the extremes
	below, above float64 // the probabilities beyond them
}

func (s *shiftedSample) drawExtremes(random *rand.Rand) {
	s.below, s.above = drawExtremes(random, float64(s.size))
	s.low = s.table.quantile(s.below, 1-s.below) + s.by
	s.high = s.table.quantile(1-s.above, s.above) + s.by
}

// count puts the sample into bins; what lies beyond the outer edges is not counted.
func (s *shiftedSample) count(random *rand.Rand, edges []float64) []int64 {
	bins := len(edges) - 1
	at := func(x float64) float64 { // of the distribution function, between the extremes
		switch {
		case x <= s.low:
			return s.below
		case x >= s.high:
			return 1 - s.above
		}
		return min(max(s.table.at(x-s.by), s.below), 1-s.above)
	}
	p := make([]float64, bins+1) // the last is beyond
	before := at(edges[0])
	beyond := before - s.below
	for b := range bins {
		after := at(edges[b+1])
		p[b], before = after-before, after
	}
	p[bins] = max(beyond+1-s.above-before, 0)
	counts := drawMultinomial(random, s.size-2, p, sum(p))[:bins]
	for _, x := range []float64{s.low, s.high} {
		if x < edges[0] || x > edges[bins] {
			continue
		}
		b, _ := slices.BinarySearch(edges, x)
		if b == bins+1 || b > 0 && edges[min(b, bins)] > x {
			b--
		}
		counts[min(b, bins-1)]++
	}
	return counts
}
