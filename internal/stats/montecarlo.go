package stats

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
)

const (
	simulationDraws    = 200_000    // windows that a simulated law rests on
	simulationLeast    = 20_000     // over however many bins
	simulationBinDraws = 10_000_000 // of all bins together, between those
	simulationParts    = 4          // dealt to goroutines, each with its own seed
)

// simulatedLaw is a law as sorted draws.
type simulatedLaw struct{ sorted []float64 }

// newSimulatedLaw draws windows bin by bin: baseline probabilities by gamma variables,
// then each count binomially from what is left. The seed comes from the law's own
// numbers, never from a threshold, so that one law gives one table.
func newSimulatedLaw(in lawInput, draws int) *simulatedLaw {
	high, low := in.seed()
	out := make([]float64, draws)
	var wait sync.WaitGroup
	for part := range simulationParts {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(high, low+uint64(part)))
			value, counts := in.windowValue(), make([]int64, len(in.reference))
			for d := part * draws / simulationParts; d < (part+1)*draws/simulationParts; d++ {
				drawOverDirichlet(random, in.alpha, in.window, counts)
				out[d] = value(counts)
			}
		})
	}
	wait.Wait()
	slices.Sort(out)
	return &simulatedLaw{sorted: out}
}

// drawOverDirichlet draws a window's counts over redrawn bin probabilities.
func drawOverDirichlet(random *rand.Rand, alpha []float64, window int64, counts []int64) {
	probability, rest := make([]float64, len(alpha)), 0.0
	for b, a := range alpha {
		probability[b] = drawGamma(random, a)
		rest += probability[b]
	}
	left := window
	for b, p := range probability {
		counts[b] = left
		if b < len(alpha)-1 {
			counts[b] = 0
			if p > 0 && left > 0 {
				counts[b] = drawBinomial(random, left, min(p/rest, 1))
			}
		}
		rest = max(rest-p, math.SmallestNonzeroFloat64)
		left -= counts[b]
	}
}

func (s *simulatedLaw) survival(t float64) float64 { return shareAbove(s.sorted, t) }

func (in lawInput) seed() (uint64, uint64) {
	h := fnv.New128a()
	write := func(v uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		_, _ = h.Write(b[:]) // never fails
	}
	for b := range in.reference {
		write(math.Float64bits(in.reference[b]))
		write(math.Float64bits(in.alpha[b]))
	}
	write(math.Float64bits(in.baseline))
	write(uint64(in.window))
	write(math.Float64bits(in.smoothing.epsilon()))
	write(math.Float64bits(in.smoothing.pseudoCount()))
	_, _ = h.Write([]byte(in.divergence))
	sum := h.Sum(nil)
	return binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])
}

// drawGamma draws from the gamma law of the given shape: Marsaglia and Tsang, ACM
// TOMS 26 (2000). Conversions keep compilers from fusing multiply and add.
func drawGamma(random *rand.Rand, shape float64) float64 {
	if shape <= 0 {
		return 0
	}
	boost := 1.0
	if shape < 1 {
		boost = math.Pow(1-random.Float64(), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := random.NormFloat64()
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := 1 - random.Float64()
		if square := float64(x * x); u < 1-float64(0.0331*square*square) { // what follows then holds
			return d * v * boost
		}
		if math.Log(u) < float64(0.5*x*x)+d-float64(d*v)+float64(d*math.Log(v)) {
			return d * v * boost
		}
	}
}

// drawBinomial draws by inversion where few successes are expected, else by
// Hormann's transformed rejection (BTRS), Journal of Statistical Computation and
// Simulation 46 (1993).
func drawBinomial(random *rand.Rand, n int64, p float64) int64 {
	switch {
	case p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - drawBinomial(random, n, 1-p)
	}
	trials, q := float64(n), 1-p
	if trials*p < 10 {
		term := math.Exp(trials * math.Log1p(-p))
		u, k := random.Float64(), 0.0
		for u > term && k < trials {
			u -= term
			k++
			term *= float64((trials-k+1)*p) / float64(k*q)
		}
		return int64(k)
	}
	sd := math.Sqrt(trials * p * q)
	b := 1.15 + float64(2.53*sd)
	a := -0.0873 + float64(0.0248*b) + float64(0.01*p)
	c := float64(trials*p) + 0.5
	edge := 0.92 - 4.2/b
	alpha := float64((2.83 + 5.1/b) * sd)
	mode := math.Floor(float64((trials + 1) * p))
	for {
		u := random.Float64() - 0.5
		v := 1 - random.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor(float64((float64(2*a/us)+b)*u) + c)
		if us >= 0.07 && v <= edge {
			return int64(k)
		}
		if k < 0 || k > trials {
			continue
		}
		bound := logFactorial(mode) + logFactorial(trials-mode) - logFactorial(k) - logFactorial(trials-k) + float64((k-mode)*math.Log(p/q))
		if math.Log(v*alpha/(float64(a/(us*us))+b)) <= bound {
			return int64(k)
		}
	}
}

// logFactorials are those of small numbers: simulations ask for them all the time.
var logFactorials = sync.OnceValue(func() *[1 << 13]float64 {
	var out [1 << 13]float64
	for k := range out {
		out[k] = logGamma(float64(k) + 1)
	}
	return &out
})

// logFactorial is log k! of a whole number.
func logFactorial(k float64) float64 {
	if k < 1<<13 {
		return logFactorials()[int(k)]
	}
	return logGamma(k + 1)
}

// shareAbove is the share of sorted values that exceed a threshold.
func shareAbove(sorted []float64, threshold float64) float64 {
	n := len(sorted)
	return float64(n-sort.Search(n, func(i int) bool { return sorted[i] > threshold })) / float64(n)
}
