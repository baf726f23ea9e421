package stats

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// Method names how a figure was computed.
type Method string

// The methods of approximate figures, from the most to the least exact.
const (
	MethodExact      Method = "exact"       // numerical inversion or full listing; 3 digits
	MethodGamma      Method = "gamma"       // gamma law with exact mean and variance; 2 digits
	MethodMonteCarlo Method = "monte_carlo" // seeded simulation; 2 digits down to 1e-3
	MethodAsymptotic Method = "asymptotic"  // (1/N + 1/M) chi-squared; counts in the thousands
)

const (
	gammaExpected       = 20      // least expected count a bin for the gamma law
	gammaProbability    = 0.01    // least probability that is read from it
	asymptoticExpected  = 100_000 // least expected count a bin for the asymptotic law
	simulatedTail       = 20      // draws beyond which a simulation is not read
	maxBins             = 10_000
	quantileConfidence  = 1e-9 // relative margin by which quantiles are pushed outwards
	maxSamples          = 1e15 // counts stay exact as floats
	noDriftShareRounded = 1e-6 // how far the shares' sum may be from 1
)

// NoDrift is the law of a divergence between a baseline and a window of the same
// distribution, over redrawn baselines and windows: what the metric reads when
// nothing has drifted. It is made of three parts, of which the cheapest that is good
// enough answers:
//
//   - "exact": the windows are listed where there are at most 100,000; otherwise the
//     law is inverted numerically, bins of almost equal shares taken as alike where more
//     than 40 differ (less than 0.5 % down to 1e-3: laws_test.go). Counts given the baseline are
//     Dirichlet-multinomial (bins at the baseline's own quantiles; for fixed bins
//     the difference is below 1 %).
//   - "gamma": a gamma law with the exact mean and variance over windows without an
//     empty bin, where every bin expects at least 20 samples on both sides and the
//     probability is at least 0.01: within 1.5 % of the exact one down to 0.05, 3 % to
//     0.02, 6 % at 0.01 (measured over 150 laws), and a hundred times cheaper.
//   - "monte_carlo": 200,000 seeded windows (20,000 over very many bins), where the exact
//     law would cost too much: very large counts in bins that all differ, or over a
//     baseline of a few samples a bin.
//   - "asymptotic": (1/N + 1/M) times chi-squared with bins-1 degrees of freedom,
//     where every bin expects at least 100,000 samples.
//
// The parts are joined so that [NoDrift.Survival] never increases and
// [NoDrift.Quantile] inverts it: the survival at a quantile, or at anything above it, never
// exceeds the probability asked for. Probabilities below [NegligibleProbability] are
// 0. Methods compute lazily, once, and are safe for use by many goroutines.
//
// Source: exact law, this project; asymptotic law, Yurdakul 2018.
type NoDrift struct {
	in    lawInput
	law   func() *countLaw
	exact func() exactLaw
	gamma func() gammaLaw
	empty func() float64
	mean  func() float64

	largest    func() float64
	simulation func() *shiftSimulation
}

// exactLaw is the part that answers where the gamma law may not.
type exactLaw struct {
	atoms      []atom        // where windows could be listed
	inverted   *invertedLaw  // else, where that is feasible
	simulated  *simulatedLaw // else
	asymptotic bool          // or this
}

// gammaLaw is P(D > t) = empty + (1 - empty) GammaSurvival(t / scale; shape).
type gammaLaw struct {
	usable              bool
	empty, shape, scale float64
	limit               float64 // the threshold at which its survival is gammaProbability
}

// NewPSINoDrift is [NewNoDrift] for the population stability index.
func NewPSINoDrift(shares []float64, baselineSamples, windowSamples int64, smoothing Smoothing) (*NoDrift, error) {
	return NewNoDrift(DivergencePSI, shares, baselineSamples, windowSamples, smoothing)
}

// NewNoDrift is the law of the divergence on no drift for a baseline with the given
// shares a bin (at least one, at most 10,000, summing to 1 within 1e-6) and numbers of
// samples (1 to 1e15). A bin with share 0 stays empty on both sides.
func NewNoDrift(divergence Divergence, shares []float64, baselineSamples, windowSamples int64, smoothing Smoothing) (*NoDrift, error) {
	if err := checkLaw(divergence, shares, baselineSamples, windowSamples, smoothing); err != nil {
		return nil, err
	}
	alpha := make([]float64, len(shares))
	for b, p := range shares {
		alpha[b] = p * float64(baselineSamples)
	}
	return newNoDrift(lawInput{
		divergence: divergence,
		reference:  append([]float64(nil), shares...),
		alpha:      alpha,
		baseline:   float64(baselineSamples),
		window:     windowSamples,
		smoothing:  smoothing,
	}), nil
}

// EqualShares is a baseline in which each of the bins holds the same share.
func EqualShares(bins int) []float64 {
	out := make([]float64, max(bins, 0))
	for i := range out {
		out[i] = 1 / float64(bins)
	}
	return out
}

func checkLaw(divergence Divergence, shares []float64, baselineSamples, windowSamples int64, smoothing Smoothing) error {
	if !slices.Contains(divergences, divergence) {
		return fmt.Errorf("unknown divergence %q: want one of %q", divergence, divergences)
	}
	if s := smoothing; divergence == DivergenceChiSquared && s.Method != SmoothingNone && s.Method != "" {
		return fmt.Errorf("the %s statistic is of counts as they are: smoothing %q does not apply", divergence, s.Method)
	}
	if err := checkProportions("shares", shares, noDriftShareRounded); err != nil {
		return err
	}
	if len(shares) > maxBins {
		return fmt.Errorf("at most %d bins are supported, got %d", maxBins, len(shares))
	}
	if baselineSamples < 1 || float64(baselineSamples) > maxSamples {
		return fmt.Errorf("baseline samples must be between 1 and 1e15, got %d", baselineSamples)
	}
	if windowSamples < 1 || float64(windowSamples) > maxSamples {
		return fmt.Errorf("window samples must be between 1 and 1e15, got %d", windowSamples)
	}
	return smoothing.Validate()
}

func newNoDrift(in lawInput) *NoDrift {
	d := &NoDrift{in: in}
	d.law = sync.OnceValue(func() *countLaw { return newCountLaw(in.grouped()) })
	d.exact = sync.OnceValue(d.computeExact)
	d.gamma = sync.OnceValue(d.computeGamma)
	d.empty = sync.OnceValue(func() float64 {
		p, _, _ := d.law().moments(true)
		return max(1-p, 0)
	})
	d.largest = sync.OnceValue(in.largest)
	d.simulation = sync.OnceValue(func() *shiftSimulation { return newShiftSimulation(in) })
	d.mean = sync.OnceValue(func() float64 {
		_, mean, _ := d.law().moments(false)
		return mean
	})
	return d
}

// Survival is P(D > threshold), and the method that gave it. A threshold that is not a
// number gives 1.
func (d *NoDrift) Survival(threshold float64) (p float64, method Method) {
	p, method = d.survival(threshold)
	if p < NegligibleProbability {
		p = 0
	}
	return p, method
}

// Quantile is the value that the divergence exceeds with probability 1-p, 0 < p < 1;
// see [NoDrift.UpperQuantile].
func (d *NoDrift) Quantile(p float64) (value float64, method Method) { return d.UpperQuantile(1 - p) }

// UpperQuantile is the smallest threshold, up to one part in 10^9 outwards, whose
// [NoDrift.Survival] is at most q. A q below [NegligibleProbability] counts as that; q at or
// above 1 gives 0, and NaN counts as the smallest. Under smoothing "none" the divergence is
// infinite where a bin is empty: where that alone is likelier than q, so is the
// quantile, +Inf.
func (d *NoDrift) UpperQuantile(q float64) (value float64, method Method) {
	if !(q > NegligibleProbability) {
		q = math.Nextafter(NegligibleProbability, 0)
	}
	if q >= 1 {
		_, method = d.survival(0)
		return 0, method
	}
	low, high := 0.0, d.scale()
	if gamma := d.gamma(); gamma.usable && q > gammaProbability { // no need of the exact law
		high = math.Nextafter(gamma.limit, 0)
	}
	for {
		p, m := d.survival(high)
		if p <= q {
			method = m
			break
		}
		most := d.largest()
		if math.IsInf(most, 1) && high > 1e6 {
			return most, m
		}
		low, high = high, min(2*high, most)
	}
	for range 200 {
		middle := (low + high) / 2
		if high-low <= 1e-12*high || middle <= low || middle >= high {
			break
		}
		if p, m := d.survival(middle); p <= q {
			high, method = middle, m
		} else {
			low = middle
		}
	}
	return high * (1 + quantileConfidence), method
}

// Mean is the mean of the divergence; under smoothing "none", where an empty bin makes
// it infinite, over the windows without one.
func (d *NoDrift) Mean() float64 { return d.mean() }

// AnyEmptyBin is the probability that the window leaves a bin empty that the baseline
// has samples in. Below [NegligibleProbability] it is 0.
func (d *NoDrift) AnyEmptyBin() float64 {
	if p := d.empty(); p >= NegligibleProbability {
		return p
	}
	return 0
}

// scale is that of the asymptotic law: f”(1)/2 (1/N + 1/M), Csiszar's f of the
// divergence.
func (d *NoDrift) scale() float64 { return d.in.scale() }

func (in lawInput) scale() float64 {
	c := 1/in.baseline + 1/float64(in.window)
	switch in.divergence {
	case DivergenceKL:
		return c / 2
	case DivergenceKLReverse:
		return c / 2
	case DivergenceJS, DivergenceHellinger2:
		return c / 8
	case DivergenceChiSquared:
		return 1
	case DivergenceTV: // its mean
		sum := 0.0
		for _, p := range in.reference {
			sum += math.Sqrt(p * (1 - p))
		}
		return max(math.Sqrt(c/(2*math.Pi))*sum, 1e-300)
	}
	return c
}

// survival joins the parts: the gamma law down to its limit, there at most the
// probability at the limit.
func (d *NoDrift) survival(t float64) (float64, Method) {
	if math.IsNaN(t) || t < 0 {
		t = -1
	}
	gamma := d.gamma()
	if gamma.usable && t < gamma.limit {
		return gamma.survival(t), MethodGamma
	}
	p, method := d.exactSurvival(t)
	if gamma.usable {
		p = min(p, gammaProbability)
	}
	return p, method
}

func (d *NoDrift) exactSurvival(t float64) (float64, Method) {
	exact := d.exact()
	method := MethodExact
	var p float64
	switch {
	case t < 0:
		p = 1
	case exact.atoms != nil:
		// The first value that t does not fall short of by more than rounding.
		n := len(exact.atoms)
		i := sort.Search(n, func(i int) bool { return exact.atoms[i].value*(1-1e-12) > t }) - 1
		if p = 1; i >= 0 {
			p = exact.atoms[i].above
		}
	case t >= d.largest():
		p = 0
	case exact.inverted != nil:
		p = exact.inverted.at(t)
	case exact.asymptotic:
		method = MethodAsymptotic
		p = chiSquaredSurvival(t/d.scale(), float64(max(d.bins()-1, 1)))
	default:
		method = MethodMonteCarlo
		p = d.simulatedSurvival(exact.simulated, t)
	}
	return min(max(p, 0), 1), method
}

// simulatedSurvival continues the simulated tail, below what it resolves, in the shape
// of the asymptotic one.
func (d *NoDrift) simulatedSurvival(s *simulatedLaw, t float64) float64 {
	n := len(s.sorted)
	join := s.sorted[n-simulatedTail-1]
	if t <= join || math.IsInf(join, 1) || d.in.divergence == DivergenceTV {
		return s.survival(t)
	}
	degrees := float64(max(d.bins()-1, 1))
	at := chiSquaredSurvival(join/d.scale(), degrees)
	if at < 1e-250 {
		return s.survival(t)
	}
	return s.survival(join) * chiSquaredSurvival(t/d.scale(), degrees) / at
}

// largest is the most that the divergence can be: each bin's part is convex in its
// count, so everything is in one bin. It is +Inf where an empty bin makes it so.
func (in lawInput) largest() float64 {
	add, epsilon, bins := in.smoothing.pseudoCount(), in.smoothing.epsilon(), float64(len(in.reference))
	part := func(b int, count float64) float64 {
		return in.term(
			(in.baseline*in.reference[b]+add)/(in.baseline+add*bins)+epsilon,
			(count+add)/(float64(in.window)+add*bins)+epsilon)
	}
	empty, infinite := 0.0, 0
	for b := range in.reference {
		if v := part(b, 0); math.IsInf(v, 1) {
			infinite++
		} else {
			empty += v
		}
	}
	most := 0.0
	for b, alpha := range in.alpha {
		if alpha == 0 {
			continue
		}
		others := empty
		v, alone := part(b, 0), infinite == 0
		if math.IsInf(v, 1) {
			alone = infinite == 1
		} else {
			others -= v
		}
		if !alone {
			return math.Inf(1)
		}
		most = max(most, others+part(b, float64(in.window)))
	}
	return most
}

// bins is the number of bins that can hold anything.
func (d *NoDrift) bins() int {
	n := 0
	for _, a := range d.in.alpha {
		if a > 0 {
			n++
		}
	}
	return n
}

func (d *NoDrift) computeExact() exactLaw {
	if d.bins() < 2 {
		return exactLaw{atoms: []atom{{value: d.in.largest()}}}
	}
	law := d.law()
	if atoms, ok := law.enumerate(); ok {
		return exactLaw{atoms: atoms}
	}
	if d.in.divergence != DivergenceTV && min(law.smallestExpected(), d.smallestAlpha()) >= asymptoticExpected {
		return exactLaw{asymptotic: true}
	}
	// Nothing is computed before it is asked for.
	inverted := newInvertedLaw(law, d.scale(), float64(d.bins()-1))
	if d.in.divergence == DivergenceTV {
		inverted = newInvertedTVLaw(law)
	}
	if !law.coarse() && inverted.feasible() {
		return exactLaw{inverted: inverted}
	}
	return exactLaw{simulated: newSimulatedLaw(d.in, min(max(simulationBinDraws/len(d.in.reference), simulationLeast), simulationDraws))}
}

func (d *NoDrift) smallestAlpha() float64 {
	out := math.Inf(1)
	for _, a := range d.in.alpha {
		if a > 0 {
			out = min(out, a)
		}
	}
	return out
}

func (d *NoDrift) computeGamma() gammaLaw {
	law := d.law()
	if d.bins() < 2 || d.in.divergence == DivergenceTV || min(law.smallestExpected(), d.smallestAlpha()) < gammaExpected || law.fewWindows() {
		return gammaLaw{}
	}
	// Only where an empty bin is far from all other counts is it set apart.
	apart := d.in.emptyBinApart()
	p, mean, variance := law.moments(apart)
	if !(p > 0.999) || !(mean > 0) || !(variance > 0) {
		return gammaLaw{}
	}
	g := gammaLaw{usable: true, empty: 1 - p, shape: mean * mean / variance, scale: variance / mean}
	if !apart {
		g.empty = 0
	}
	g.limit = g.scale * gammaUpperQuantile((gammaProbability-g.empty)/(1-g.empty), g.shape)
	return g
}

func (g gammaLaw) survival(t float64) float64 {
	if t <= 0 {
		return 1
	}
	return max(g.empty+(1-g.empty)*mathext.GammaIncRegComp(g.shape, t/g.scale), gammaProbability)
}
