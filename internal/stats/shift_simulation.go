package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// The gamma law's power is read where each bin expects so many samples of the window and
// of the baseline, or over so many bins that windows take too long to draw. Elsewhere
// empty bins are likely, each of which moves the divergence by a step, and the power is
// simulated.
const (
	gammaPowerExpected = 20
	gammaPowerBaseline = 30
	gammaPowerBins     = 2000
	gammaPowerNodes    = 300_000 // counts of all bins together
)

const (
	shiftDraws    = 4000    // with up to 30 bins: 0.008 of a power at most
	shiftLeast    = 1000    // draws, over however many bins
	shiftBinDraws = 120_000 // of all bins together, between those
	shiftParts    = 4       // dealt to goroutines, each with its own seed
	shiftsKept    = 64
)

// shiftSimulation draws windows of a variable whose mean has moved, over redrawn
// baselines: each baseline's edges are normal quantiles of its own cumulative shares, and
// the windows' shares what is between them after the shift. The edges are drawn once;
// every shift draws its windows from the same seed.
type shiftSimulation struct {
	in    lawInput
	edges [shiftParts][][]float64 // by draw, without the infinite ones

	mu   sync.Mutex
	made map[float64][]float64 // by shift, in increasing order
}

func newShiftSimulation(in lawInput) *shiftSimulation {
	s := &shiftSimulation{in: in, made: map[float64][]float64{}}
	draws := min(max(shiftBinDraws/len(in.reference), shiftLeast), shiftDraws)
	s.parts(1, func(part int, random *rand.Rand) {
		for range draws / shiftParts {
			s.edges[part] = append(s.edges[part], drawEdges(random, in.alpha))
		}
	})
	return s
}

// parts does each part at once, with random numbers that depend on nothing but the law,
// the part and the given stage.
func (s *shiftSimulation) parts(stage uint64, do func(part int, random *rand.Rand)) {
	high, low := s.in.seed()
	var wait sync.WaitGroup
	for part := range shiftParts {
		wait.Go(func() { do(part, rand.New(rand.NewPCG(high, low+stage*shiftParts+uint64(part)))) })
	}
	wait.Wait()
}

// drawEdges draws the places of a baseline's inner edges, in standard deviations.
func drawEdges(random *rand.Rand, alpha []float64) []float64 {
	bins := len(alpha)
	held := make([]float64, bins)
	for b, a := range alpha {
		held[b] = drawGamma(random, a)
	}
	above := make([]float64, bins+1)
	for b := bins - 1; b >= 0; b-- {
		above[b] = above[b+1] + held[b]
	}
	if above[0] == 0 { // shares so small that all were drawn as nothing
		held[0], above[0] = 1, 1
	}
	edges := make([]float64, bins-1)
	below := 0.0
	for b := range edges {
		below += held[b]
		// From the nearer end, so that neither loses its digits.
		if below < above[b+1] {
			edges[b] = mathext.NormalQuantile(below / above[0])
		} else {
			edges[b] = -mathext.NormalQuantile(above[b+1] / above[0])
		}
	}
	return edges
}

// power is the share of windows that exceed the threshold.
func (s *shiftSimulation) power(threshold, shift float64) float64 {
	return shareAbove(s.at(shift), threshold)
}

func (s *shiftSimulation) at(shift float64) []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if values, ok := s.made[shift]; ok {
		return values
	}
	if len(s.made) >= shiftsKept {
		clear(s.made)
	}
	var drawn [shiftParts][]float64
	s.parts(2, func(part int, random *rand.Rand) {
		value, counts := s.in.windowValue(), make([]int64, len(s.in.reference))
		for _, edges := range s.edges[part] {
			drawShifted(random, edges, shift, s.in.window, counts)
			drawn[part] = append(drawn[part], value(counts))
		}
	})
	values := slices.Concat(drawn[:]...)
	slices.Sort(values)
	s.made[shift] = values
	return values
}

// drawShifted draws a window's counts between edges that have moved down by shift.
func drawShifted(random *rand.Rand, edges []float64, shift float64, window int64, counts []int64) {
	left, above := window, 1.0 // not drawn yet; the probability of the bins that are left
	for b := range counts {
		counts[b] = 0
		if left == 0 {
			continue
		}
		if b == len(edges) {
			counts[b] = left
			break
		}
		next := normalSurvival(edges[b] - shift)
		if above > 0 {
			counts[b] = drawBinomial(random, left, min(max(1-next/above, 0), 1))
		}
		left -= counts[b]
		above = next
	}
}

// rememberedValues bounds the values of counts that [lawInput.windowValue] keeps.
const rememberedValues = 1 << 17

// windowValue gives the divergence of counts. It keeps what a bin's count is worth, where
// counts are small: for one goroutine.
func (in lawInput) windowValue() func(counts []int64) float64 {
	add, epsilon, bins := in.smoothing.pseudoCount(), in.smoothing.epsilon(), float64(len(in.reference))
	reference := make([]float64, len(in.reference))
	for b, r := range in.reference {
		reference[b] = (in.baseline*r+add)/(in.baseline+add*bins) + epsilon
	}
	denominator := float64(in.window) + add*bins
	term := func(b int, k int64) float64 {
		return in.term(reference[b], (float64(k)+add)/denominator+epsilon)
	}
	var kept []float64 // by bin and count; what is not known yet is below 0
	if in.window < rememberedValues/int64(len(in.reference)) {
		kept = slices.Repeat([]float64{-1}, len(in.reference)*int(in.window+1))
	}
	return func(counts []int64) float64 {
		sum := 0.0
		for b, k := range counts {
			if kept == nil {
				sum += term(b, k)
				continue
			}
			at := &kept[b*int(in.window+1)+int(k)]
			if *at < 0 {
				*at = term(b, k)
			}
			sum += *at
		}
		return sum
	}
}

// simulatesPower says whether the gamma law's power at a shift is too far off, or takes
// longer than drawing windows: its moments are sums over the counts of all bins, of which
// those of large bins are many where a small one keeps them from being skipped.
func (d *NoDrift) simulatesPower(shift float64) bool {
	if len(d.in.reference) <= gammaPowerBins {
		least := d.smallestAlpha()
		expected := least * float64(d.in.window) / d.in.baseline
		if least < gammaPowerBaseline || expected < gammaPowerExpected {
			return true
		}
	}
	in := d.shifted(shift)
	odds := float64(in.window) / in.baseline
	sum, smallest := 0.0, math.Inf(1)
	for _, alpha := range in.alpha {
		if alpha > 0 {
			sd := math.Sqrt(alpha * odds * (1 + odds))
			sum += sd
			smallest = min(smallest, sd)
		}
	}
	nodes := 17 * sum / max(smallest/nodesPerDeviation, 1)
	return nodes > gammaPowerNodes
}
