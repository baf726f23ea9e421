package stats

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// Shape is the shape of a numeric variable, for laws of metrics whose bins depend on the
// data: a histogram with finite, increasing edges and values spread evenly within a bin.
// The zero value is the normal shape. Only the shape matters, not place and scale.
type Shape struct {
	Edges  []float64
	Shares []float64 // one less than edges, summing to 1
}

func (s Shape) normal() bool { return len(s.Edges) == 0 && len(s.Shares) == 0 }

func (s Shape) check() error {
	if s.normal() {
		return nil
	}
	if err := checkProportions("shares", s.Shares, noDriftShareRounded); err != nil {
		return err
	}
	if len(s.Edges) != len(s.Shares)+1 || len(s.Shares) > maxBins {
		return fmt.Errorf("%d shares need %d edges, and are at most %d: got %d edges", len(s.Shares), len(s.Shares)+1, maxBins, len(s.Edges))
	}
	for i, e := range s.Edges {
		if !finite(e) || i > 0 && e <= s.Edges[i-1] {
			return fmt.Errorf("edges must be finite and increase: edges[%d] is %v", i, e)
		}
	}
	if !finite(s.Edges[len(s.Edges)-1] - s.Edges[0]) {
		return fmt.Errorf("the edges are too far apart")
	}
	return nil
}

// moments gives the mean, the standard deviation and the skewness.
func (s Shape) moments() (mean, sd, skew float64) {
	if s.normal() {
		return 0, 1, 0
	}
	// Of a unit's deviations, to keep digits.
	origin, unit := s.Edges[0], s.Edges[len(s.Edges)-1]-s.Edges[0]
	var m1, m2, m3 float64
	for b, p := range s.Shares {
		a, c := (s.Edges[b]-origin)/unit, (s.Edges[b+1]-origin)/unit
		m1 += p * (a + c) / 2
		m2 += p * (a*a + a*c + c*c) / 3
		m3 += p * (a + c) * (a*a + c*c) / 4
	}
	v := max(m2-m1*m1, 0)
	if v > 0 {
		skew = (m3 - 3*m1*m2 + 2*m1*m1*m1) / math.Pow(v, 1.5)
	}
	return origin + unit*m1, unit * math.Sqrt(v), skew
}

// at is the distribution function.
func (s *shapeTable) at(x float64) float64 {
	if s.normal() {
		return normalCDF(x)
	}
	i := sort.SearchFloat64s(s.Edges, x)
	switch {
	case i == 0:
		return 0
	case i == len(s.Edges):
		return 1
	}
	return s.below[i-1] + s.Shares[i-1]*(x-s.Edges[i-1])/(s.Edges[i]-s.Edges[i-1])
}

type shapeTable struct {
	Shape
	below []float64
}

func newShapeTable(s Shape) *shapeTable {
	t := &shapeTable{Shape: s, below: make([]float64, len(s.Shares)+1)}
	for b, p := range s.Shares {
		t.below[b+1] = t.below[b] + p
	}
	return t
}

// quantile inverts at, for a probability given from the nearer end.
func (s *shapeTable) quantile(below, above float64) float64 {
	if s.normal() {
		if below < above {
			return mathext.NormalQuantile(below)
		}
		return -mathext.NormalQuantile(above)
	}
	i := min(max(sort.SearchFloat64s(s.below, below), 1), len(s.Shares))
	for i > 1 && s.Shares[i-1] == 0 {
		i--
	}
	if s.Shares[i-1] == 0 {
		return s.Edges[i]
	}
	part := min(max((below-s.below[i-1])/s.Shares[i-1], 0), 1)
	return s.Edges[i-1] + part*(s.Edges[i]-s.Edges[i-1])
}

// NewEngineNoDrift is the law of an engine's metric on no drift for samples of the given
// sizes from a variable of the given shape. Where the engine's bins are a fixed matter, or
// there are none, it is [NewNoDriftFor]'s (the Wasserstein distance's by normal scaling,
// times the shape's standard deviation where the metric is not normalised). Where they have
// equal width over a range that the data set, it is simulated: 100,000 seeded pairs of
// samples, of which only the extremes and the bins' counts are drawn (given the extremes
// the other values are independent: this is exact but for NannyML's number of bins, whose
// skewness is taken as normal and independent of the extremes). Its tail below 1e-3 is
// continued exponentially.
func NewEngineNoDrift(engine Engine, metric Metric, shape Shape, baselineSamples, windowSamples int64, o EngineOptions) (Law, error) {
	if !slices.Contains(EngineMetrics(engine, o.Categorical), metric) {
		if EngineMetrics(engine, true) == nil {
			return nil, errEngine(engine)
		}
		return nil, fmt.Errorf("engine %q has no metric %q for this kind of values: want one of %q", engine, metric, EngineMetrics(engine, o.Categorical))
	}
	if err := shape.check(); err != nil {
		return nil, err
	}
	if o.Categorical && shape.normal() {
		return nil, fmt.Errorf("categories need their shares")
	}
	p := NoDriftParameters{Shares: shape.Shares, BaselineSamples: baselineSamples, WindowSamples: windowSamples, Smoothing: DefaultSmoothing()}
	simulated := false
	switch metric {
	case MetricPSI, MetricKLReverse, MetricJSDistance, MetricJSDistance2, MetricHellinger:
		simulated = engine != EngineMission
	case MetricWassersteinRaw:
		law, err := newWassersteinLaw(baselineSamples, windowSamples)
		if err != nil {
			return nil, err
		}
		_, sd, _ := shape.moments()
		law.scale *= sd
		return law, nil
	}
	if engine == EngineMission && !o.Categorical {
		bins := o.Bins
		if bins == 0 {
			bins = 10
		}
		p.Shares = EqualShares(bins)
	}
	if o.Categorical && engine == EngineAzure && metric == MetricPSI { // fixed bins: no need
		p.Smoothing = Smoothing{Method: SmoothingLaplace}
		simulated = false
	}
	if !simulated {
		return NewNoDriftFor(metric, p)
	}
	if err := checkLaw(DivergenceTV, []float64{1}, baselineSamples, windowSamples, Smoothing{}); err != nil {
		return nil, err
	}
	if min(baselineSamples, windowSamples) < 3 {
		return nil, fmt.Errorf("baseline and window need at least 3 samples, got %d and %d", baselineSamples, windowSamples)
	}
	draws := engineDraws
	if o.Categorical { // a draw costs as much as there are bins
		draws = min(max(engineBinDraws/len(shape.Shares), engineDraws/10), engineDraws)
	}
	return newEngineLaw(engine, metric, shape, baselineSamples, windowSamples, o, draws), nil
}

const (
	engineDraws    = 100_000
	engineBinDraws = 3_000_000 // of all categories together, but at least a tenth as many draws
)

// engineLaw is a simulated law, drawn when first asked.
type engineLaw struct {
	of       engineSample
	sorted   func() []float64
	up, down shiftCache
}

func newEngineLaw(engine Engine, metric Metric, shape Shape, n, m int64, o EngineOptions, draws int) *engineLaw {
	return &engineLaw{of: engineSample{engine, metric, shape, n, m, o}, sorted: sync.OnceValue(func() []float64 {
		h := fnv.New128a()
		write := func(v uint64) {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], v)
			_, _ = h.Write(b[:]) // never fails
		}
		_, _ = h.Write([]byte(string(engine) + "/" + string(metric)))
		for _, x := range [][]float64{shape.Edges, shape.Shares} {
			for _, v := range x {
				write(math.Float64bits(v))
			}
		}
		write(uint64(n))
		write(uint64(m))
		seed := h.Sum(nil)
		out := make([]float64, draws)
		// A fixed number of parts, each with its own stream: the draws are the same on any
		// number of processors.
		var all sync.WaitGroup
		for part := range engineParts {
			all.Go(func() {
				random := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:])+uint64(part)))
				engineSample{engine, metric, shape, n, m, o}.draw(random, out[draws*part/engineParts:draws*(part+1)/engineParts])
			})
		}
		all.Wait()
		slices.Sort(out)
		return out
	})}
}

// engineParts is how many streams a law is drawn from.
const engineParts = 8

// draw fills out with the metric of pairs of samples.
func (s engineSample) draw(random *rand.Rand, out []float64) {
	table := newShapeTable(s.shape)
	_, _, skew := s.shape.moments()
	for d := range out {
		var e, a []int64
		switch {
		case s.o.Categorical:
			e, a = drawMultinomial(random, s.n, s.shape.Shares, 1), drawMultinomial(random, s.m, s.shape.Shares, 1)
			var both [2][]int64
			for i := range e {
				if e[i]+a[i] > 0 {
					both[0], both[1] = append(both[0], e[i]), append(both[1], a[i])
				}
			}
			e, a = both[0], both[1]
		case s.engine == EngineNannyML:
			e, a = drawOverBaseline(random, table, s.n, s.m, skew)
		default:
			parts := math.Log2(float64(s.n+s.m)) + 1
			if s.engine == EngineAzure {
				parts = float64(azureBins(min(s.n, s.m)))
			}
			e, a = drawOverBoth(random, table, s.n, s.m, int(math.Ceil(parts)))
		}
		v, err := engineCounts(s.engine, s.metric, e, a, s.n, s.m)
		if err != nil {
			v = math.Inf(1)
		}
		out[d] = v
	}
}

func drawMultinomial(random *rand.Rand, n int64, p []float64, total float64) []int64 {
	out := make([]int64, len(p))
	for b := range p {
		if n == 0 {
			break
		}
		out[b] = n
		if b < len(p)-1 {
			out[b] = drawBinomial(random, n, min(p[b]/total, 1))
		}
		n -= out[b]
		total = max(total-p[b], math.SmallestNonzeroFloat64)
	}
	return out
}

// drawExtremes draws the smallest and the largest of n values: the probability below the
// smallest, that above the largest.
func drawExtremes(random *rand.Rand, n float64) (below, above float64) {
	below = -math.Expm1(math.Log(1-random.Float64()) / n)
	rest := 1 - below
	above = rest * -math.Expm1(math.Log(1-random.Float64())/(n-1))
	return below, above
}

// binShares gives the probabilities of equal bins over a range, of values within it.
func (s *shapeTable) binShares(low, high, below, above float64, bins int) []float64 {
	out := make([]float64, bins)
	before := below
	for b := range out {
		after := 1 - above
		if b < bins-1 {
			after = s.at(low + (high-low)*float64(b+1)/float64(bins))
		}
		after = min(max(after, before), 1-above)
		out[b], before = after-before, after
	}
	return out
}

// drawOverBoth draws counts in equal bins over the range of both samples.
func drawOverBoth(random *rand.Rand, s *shapeTable, n, m int64, bins int) (e, a []int64) {
	below, above := drawExtremes(random, float64(n+m))
	p := s.binShares(s.quantile(below, 1-below), s.quantile(1-above, above), below, above, bins)
	// Whose the extremes are.
	lowE := random.Float64()*float64(n+m) < float64(n)
	left := n
	if lowE {
		left--
	}
	highE := random.Float64()*float64(n+m-1) < float64(left)
	if highE {
		left--
	}
	e = drawMultinomial(random, left, p, sum(p))
	a = drawMultinomial(random, m-(2-(n-left)), p, sum(p))
	for i, of := range []bool{lowE, highE} {
		bin := i * (bins - 1)
		if of {
			e[bin]++
		} else {
			a[bin]++
		}
	}
	return e, a
}

// drawOverBaseline draws counts in Doane's bins over the range of the baseline; those of
// the window beyond it are in no bin.
func drawOverBaseline(random *rand.Rand, s *shapeTable, n, m int64, skew float64) (e, a []int64) {
	below, above := drawExtremes(random, float64(n))
	bins := int(math.Ceil(doaneParts(float64(n), skew+doaneError(float64(n))*random.NormFloat64())))
	p := s.binShares(s.quantile(below, 1-below), s.quantile(1-above, above), below, above, bins)
	e = drawMultinomial(random, n-2, p, sum(p))
	e[0]++
	e[bins-1]++
	all := slices.Concat(p, []float64{below + above})
	a = drawMultinomial(random, m, all, sum(all))
	return e, a[:bins]
}

// engineTail is the probability below which the simulated tail is continued.
const engineTail = 1e-3

func (l *engineLaw) Survival(t float64) (float64, Method) {
	sorted := l.sorted()
	if math.IsNaN(t) || t < 0 {
		return 1, MethodMonteCarlo
	}
	n := len(sorted)
	tail := int(engineTail * float64(n))
	from := sorted[n-tail-1]
	if t <= from || math.IsInf(from, 1) {
		return shareAbove(sorted, t), MethodMonteCarlo
	}
	excess := 0.0
	for _, v := range sorted[n-tail:] {
		excess += v - from
	}
	if excess <= 0 || math.IsInf(excess, 1) {
		return negligible(shareAbove(sorted, t)), MethodMonteCarlo
	}
	return negligible(engineTail * math.Exp(-(t-from)*float64(tail)/excess)), MethodMonteCarlo
}

func (l *engineLaw) UpperQuantile(q float64) (float64, Method) {
	sorted := l.sorted()
	return upperQuantile(q, max(sorted[len(sorted)/2], 1e-12), l.Survival)
}

func (l *engineLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }
