package evaluate

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// by is the sampling as an engine makes of it: its own smoothing, or its own bins, which
// leave the engine in the sampling.
func (s sampling) by(engine stats.Engine) sampling {
	switch {
	case engine == "" || s.metric.Ordered:
	case engine == stats.EngineMission:
		s.smoothing = stats.DefaultSmoothing()
		if s.ordered {
			s.shares = stats.EqualShares(s.bins())
		}
	case !s.ordered && engine == stats.EngineAzure && s.metric.Law == stats.MetricPSI:
		s.smoothing = stats.Smoothing{Method: stats.SmoothingLaplace}
	case !s.ordered && s.unsmoothed():
	default:
		s.engine = engine
	}
	return s
}

// binned reports whether the metric is counted in the baseline's own bins.
func (s sampling) binned() bool { return !s.metric.Ordered && s.engine == "" }

// single reports whether all values fall into one bin, in which nothing can differ.
func (s sampling) single() bool {
	return s.binned() && s.bins() < 2 || s.engine != "" && !s.ordered && s.bins() < 2
}

// leastSamples is how many effective samples a window needs for the metric to have a law.
func (s sampling) leastSamples() int64 {
	if s.engine != "" {
		return 3
	}
	return 1
}

// lawful reports whether there is a law at a window of so many effective samples.
func (s sampling) lawful(effective int64) bool {
	return min(effective, s.baseline) >= s.leastSamples() && s.smoothing.Validate() == nil
}

// newLaw is the metric's law on no drift.
func (s sampling) newLaw(effective int64) (stats.Law, error) {
	if s.engine != "" {
		return engineLaws.get(s, effective)
	}
	law, err := stats.NewNoDriftFor(s.metric.Law, stats.NoDriftParameters{
		Shares: s.shares, BaselineSamples: s.baseline, WindowSamples: effective, Smoothing: s.smoothing,
	})
	if shift, ok := law.(stats.ShiftLaw); ok && s.metric.Law == stats.MetricChiSquared && s.designEffect > 1 {
		return inflatedLaw{shift, s.scale(effective) / (1/float64(s.baseline) + 1/s.counted(effective))}, nil
	}
	return law, err
}

// counted is how many observations a window of so many effective ones has.
func (s sampling) counted(effective int64) float64 { return float64(effective) * s.designEffect }

// inflatedLaw is that of a statistic which counts every observation, where only some are
// independent: to first order a multiple of the statistic of the independent ones (Rao
// and Scott, Journal of the American Statistical Association 76 (1981) 221-230).
type inflatedLaw struct {
	stats.ShiftLaw
	factor float64
}

func (l inflatedLaw) Survival(t float64) (float64, stats.Method) {
	return l.ShiftLaw.Survival(t / l.factor)
}

func (l inflatedLaw) UpperQuantile(q float64) (float64, stats.Method) {
	x, method := l.ShiftLaw.UpperQuantile(q)
	return x * l.factor, method
}

func (l inflatedLaw) Quantile(p float64) (float64, stats.Method) { return l.UpperQuantile(1 - p) }

func (l inflatedLaw) ShiftPower(t, shift float64) (float64, stats.Method, error) {
	return l.ShiftLaw.ShiftPower(t/l.factor, shift)
}

func (l inflatedLaw) DetectableShift(t, power float64) (float64, stats.Method, error) {
	return l.ShiftLaw.DetectableShift(t/l.factor, power)
}

// lawCache keeps simulated laws, which take a quarter of a second each, for the next
// object that asks for the same one: an alert asks for its monitor's.
type lawCache struct {
	mutex sync.Mutex
	laws  map[string]stats.Law
	order []string
}

var engineLaws = lawCache{laws: map[string]stats.Law{}}

// cachedLaws is how many are kept: some 800 kB each.
const cachedLaws = 32

func (c *lawCache) get(s sampling, effective int64) (stats.Law, error) {
	shape, options := stats.Shape{}, stats.EngineOptions{Categorical: !s.ordered}
	if !s.ordered {
		shape.Shares = s.shares
		for i := range len(s.shares) + 1 {
			shape.Edges = append(shape.Edges, float64(i))
		}
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%s %s %d %d", s.engine, s.metric.Law, s.baseline, effective)
	for _, share := range shape.Shares {
		fmt.Fprintf(&key, " %x", math.Float64bits(share))
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if law, ok := c.laws[key.String()]; ok {
		return law, nil
	}
	law, err := stats.NewEngineNoDrift(s.engine, s.metric.Law, shape, s.baseline, effective, options)
	if err != nil {
		return nil, err
	}
	if len(c.order) == cachedLaws {
		delete(c.laws, c.order[0])
		c.order = c.order[1:]
	}
	c.laws[key.String()] = law
	c.order = append(c.order, key.String())
	return law, nil
}

// asPSI is the population stability index that stands in the chi-squared law where the
// metric's value does: f”(1) tells Csiszar's divergences apart, and nothing else. False
// for what is no such divergence.
func (s sampling) asPSI(value float64, effective int64) (float64, bool) {
	switch s.metric.Law {
	case stats.MetricPSI, stats.MetricPearson:
		return value, true
	case stats.MetricKL, stats.MetricKLReverse:
		return 2 * value, true
	case stats.MetricJS:
		return 8 * value, true
	case stats.MetricJSDistance, stats.MetricHellinger:
		return 8 * value * value, true
	case stats.MetricJSDistance2:
		return 8 * math.Ln2 * value * value, true
	case stats.MetricChiSquared:
		return value * (1/float64(s.baseline) + 1/s.counted(effective)), true
	}
	return 0, false
}

// scale is 1/N + 1/M.
func (s sampling) scale(effective int64) float64 {
	return 1/float64(s.baseline) + 1/float64(effective)
}

// overBaselines is [stats.MeanPower] for the metric, where one window passes the value
// with probability p. A metric that is no divergence takes the chi-squared value that has
// this probability: how lucky a baseline is depends little on the degrees of freedom.
func (s sampling) overBaselines(value float64, effective int64, p float64, windows int) (mean, low, high float64, err error) {
	threshold, ok := s.asPSI(value, effective)
	bins := s.bins()
	switch {
	case s.metric.Law == stats.MetricKS:
		bins = 3 // the bridge's tail is that of two degrees of freedom
	case s.metric.Law == stats.MetricWasserstein:
		bins = 2 // nearly the difference of the means
	case s.engine != "" && s.ordered:
		bins = s.engineBins(effective)
	}
	if (!ok || s.engine != "") && p > 0 && p < 1 {
		x, err := stats.ChiSquaredUpperQuantile(p, float64(max(bins-1, 1)))
		if err != nil {
			return 0, 0, 0, err
		}
		threshold = x * s.scale(effective)
	}
	return stats.MeanPower(threshold, bins, float64(s.baseline), float64(effective), p, windows)
}

// engineBins is about how many bins an engine makes of numbers.
func (s sampling) engineBins(effective int64) int {
	of := float64(s.baseline)
	switch s.engine {
	case stats.EngineEvidently:
		of += float64(effective)
	case stats.EngineAzure:
		of = min(of, float64(effective))
	}
	return int(math.Ceil(math.Log2(of) + 1))
}

// measure is the metric of a window's proportions without sampling noise. Pseudo-counts
// of the smoothing must be in them already.
func (s sampling) measure(expected, actual []float64, effective int64) (float64, error) {
	smoothing := s.smoothing
	if smoothing.Method != stats.SmoothingEpsilon {
		smoothing = stats.Smoothing{Method: stats.SmoothingNone}
	}
	switch s.metric.Law {
	case stats.MetricPSI:
		return stats.PSIProportions(expected, actual, smoothing)
	case stats.MetricKL:
		return stats.KLProportions(expected, actual, smoothing)
	case stats.MetricKLReverse:
		return stats.KLReverseProportions(expected, actual, smoothing)
	case stats.MetricJS:
		return stats.JSProportions(expected, actual, smoothing)
	case stats.MetricJSDistance:
		return stats.JSDistanceProportions(expected, actual, math.E, smoothing)
	case stats.MetricJSDistance2:
		return stats.JSDistanceProportions(expected, actual, 2, smoothing)
	case stats.MetricHellinger:
		return stats.HellingerProportions(expected, actual, smoothing)
	case stats.MetricTotalVariation:
		return stats.TotalVariationProportions(expected, actual, smoothing)
	case stats.MetricLInfinity:
		return stats.LInfinityProportions(expected, actual)
	case stats.MetricPearson:
		return stats.PearsonProportions(expected, actual, smoothing)
	case stats.MetricChiSquared:
		n, m := float64(s.baseline), s.counted(effective)
		sum := 0.0
		for i, e := range expected {
			if a := actual[i]; a+e > 0 {
				sum += (a - e) * (a - e) / (a/n + e/m)
			}
		}
		return sum, nil
	}
	return 0, fmt.Errorf("the metric %q is not of proportions", s.metric.Name)
}

// highest is the largest value that any window can have. Over bins it is a convex
// function of the window's shares, so that it is reached where all of them fall into one
// bin. None where it is unbounded.
func (s sampling) highest(effective int64) float64 {
	switch {
	case s.metric.Law == stats.MetricKS:
		return 1
	case s.metric.Ordered:
		return none
	case s.single():
		return 0
	case s.engine != "":
		return s.bound()
	}
	add := 0.0
	switch s.smoothing.Method {
	case stats.SmoothingLaplace:
		add = 1
	case stats.SmoothingJeffreys:
		add = 0.5
	}
	if s.unsmoothed() {
		add = 0
	}
	bins, n, m := float64(s.bins()), float64(s.baseline), float64(effective)
	expected, actual := make([]float64, s.bins()), make([]float64, s.bins())
	for i, p := range s.shares {
		expected[i], actual[i] = (n*p+add)/(n+add*bins), add/(m+add*bins)
	}
	highest := 0.0
	tried := map[float64]bool{}
	for i, p := range s.shares {
		if tried[p] {
			continue
		}
		tried[p] = true
		actual[i] += m / (m + add*bins)
		value, err := s.measure(expected, actual, effective)
		actual[i] = add / (m + add*bins)
		if err != nil {
			return none // infinite
		}
		highest = max(highest, value)
	}
	return highest
}

// unsmoothed reports whether the metric is of the counts as they are.
func (s sampling) unsmoothed() bool {
	return s.metric.Law == stats.MetricChiSquared || s.metric.Law == stats.MetricLInfinity
}

// bound is what the metric never exceeds, whatever the bins.
func (s sampling) bound() float64 {
	switch s.metric.Law {
	case stats.MetricJSDistance:
		return math.Sqrt(math.Ln2)
	case stats.MetricJSDistance2, stats.MetricHellinger, stats.MetricLInfinity, stats.MetricTotalVariation:
		return 1
	case stats.MetricJS:
		return math.Ln2
	}
	return none
}

// shiftable reports whether a power under a shift of the mean is known.
func (s sampling) shiftable() bool { return s.ordered && !s.single() }

// describeBins names what the metric is counted in, with a comma behind it.
func (s sampling) describeBins() string {
	switch {
	case s.metric.Ordered:
		return ""
	case s.engine != "" && s.ordered:
		return "the bins of " + string(s.engine) + ", "
	case s.engine != "":
		return plural(float64(s.bins()), "category", "categories") + " as " + string(s.engine) + " compares them, "
	}
	return plural(float64(s.bins()), "bin", "bins") + ", "
}

// The asymptotic laws, which cost nothing.

// above is the probability that the metric exceeds a value, in large samples.
func (r rough) above(value float64) float64 {
	switch r.sampling.metric.Law {
	case stats.MetricTotalVariation:
		return chiSquaredAbove(value*value/r.squareScale(), r.degrees)
	case stats.MetricLInfinity:
		within := 0.0 // the logarithm of the chance that all bins keep within it
		for _, p := range r.sampling.shares {
			if p > 0 && p < 1 {
				within += math.Log1p(-min(math.Erfc(value/math.Sqrt(2*r.scale*p*(1-p))), 1))
			}
		}
		return -math.Expm1(within)
	case stats.MetricKS:
		p, err := stats.KolmogorovSurvival(value / math.Sqrt(r.scale))
		if err != nil {
			return 1
		}
		return p
	case stats.MetricWasserstein: // nearly the difference of the means
		return math.Erfc(value / math.Sqrt(2*r.scale))
	}
	psi, _ := r.sampling.asPSI(value, r.effective)
	return chiSquaredAbove(psi/r.scale, r.degrees)
}

// squareScale makes the square of the total variation about chi-squared: it has the mean
// of the sum of the bins' absolute normal deviations.
func (r rough) squareScale() float64 {
	mean := 0.0
	for _, p := range r.sampling.shares {
		mean += math.Sqrt(r.scale * p * (1 - p) / (2 * math.Pi))
	}
	upper, _ := math.Lgamma((r.degrees + 1) / 2)
	lower, _ := math.Lgamma(r.degrees / 2)
	root := mean / (math.Sqrt2 * math.Exp(upper-lower))
	return root * root
}

// seen is the probability that the metric exceeds a value under a shift of the mean, the
// metric taken for a multiple of the noncentral chi-squared law.
func (r rough) seen(value, shift float64) float64 {
	s := r.sampling
	switch {
	case s.metric.Ordered:
		return 0 // never asked for: its own law costs little
	case s.engine != "":
		s.shares = stats.EqualShares(s.engineBins(r.effective))
	}
	s.smoothing = stats.DefaultSmoothing()
	worst := 1.0
	for _, direction := range []float64{shift, -shift} {
		shifted, err := stats.ShiftedShares(s.shares, direction)
		if err != nil {
			return 0
		}
		distance, err := s.measure(s.shares, shifted, r.effective)
		if err != nil {
			return 0
		}
		worst = min(worst, r.aboveShifted(value, distance, shifted))
	}
	return worst
}

func (r rough) aboveShifted(value, distance float64, shifted []float64) float64 {
	x, noncentrality := 0.0, 0.0
	switch r.sampling.metric.Law {
	case stats.MetricLInfinity:
		within := 0.0
		for i, p := range r.sampling.shares {
			q := shifted[i]
			sd := math.Sqrt(p*(1-p)/float64(r.sampling.baseline) + q*(1-q)/float64(r.effective))
			if sd == 0 {
				continue
			}
			apart := math.Abs(q - p)
			within += math.Log(max(1-math.Erfc((value-apart)/(sd*math.Sqrt2))/2-math.Erfc((value+apart)/(sd*math.Sqrt2))/2, 1e-300))
		}
		return -math.Expm1(within)
	case stats.MetricTotalVariation:
		x, noncentrality = value*value/r.squareScale(), distance*distance/r.squareScale()
	default:
		psi, _ := r.sampling.asPSI(value, r.effective)
		apart, _ := r.sampling.asPSI(distance, r.effective)
		x, noncentrality = psi/r.scale, apart/r.scale
	}
	p, err := stats.NoncentralChiSquaredSurvival(x, r.degrees, noncentrality)
	if err != nil {
		return 0
	}
	return p
}

func chiSquaredAbove(x, degrees float64) float64 {
	p, err := stats.ChiSquaredSurvival(x, degrees)
	if err != nil {
		return 1
	}
	return p
}

// measuredBy is the sampling with a metric and an engine, which the constraints have
// found to exist.
func (s sampling) measuredBy(metric, engine spec.Value[string]) sampling {
	s.metric, _ = spec.DriftMetricByName(metric.Or(""))
	return s.by(stats.Engine(engine.Or("")))
}
