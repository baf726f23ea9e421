package stats

import (
	"fmt"
	"math"
)

// Law is the law of a metric on no drift: what it reads when baseline and window come
// from one distribution. [NoDrift] is one. A metric treats larger values as more drift,
// but for p-values, of which [PValueLaw.Below] gives the chance of an alarm.
type Law interface {
	// Survival is P(metric > threshold), and the method that gave it. NaN gives 1.
	Survival(threshold float64) (p float64, method Method)
	// UpperQuantile is the smallest threshold whose Survival is at most q (at least
	// NegligibleProbability).
	UpperQuantile(q float64) (value float64, method Method)
	// Quantile is UpperQuantile(1-p).
	Quantile(p float64) (value float64, method Method)
}

// ShiftLaw is a [Law] that knows the metric under a shift of the mean, in standard
// deviations of a normal variable: see [NoDrift.ShiftPower] and [NoDrift.DetectableShift].
type ShiftLaw interface {
	Law
	ShiftPower(threshold, shift float64) (power float64, method Method, err error)
	DetectableShift(threshold, power float64) (shift float64, method Method, err error)
}

// Metric names a measure of drift, as a monitor declares it.
type Metric string

// The metrics of [NewNoDriftFor]. Of each, the comments say what is measured and what
// its law rests on.
const (
	MetricPSI            Metric = "psi"                    // [PSICounts]
	MetricKL             Metric = "kl"                     // [KLCounts], current from baseline, nats
	MetricKLReverse      Metric = "kl_reverse"             // [KLReverseCounts], nats
	MetricJS             Metric = "js"                     // [JSCounts], the divergence, nats
	MetricJSDistance     Metric = "js_distance"            // [JSDistanceCounts], base e
	MetricJSDistance2    Metric = "js_distance_base2"      // [JSDistanceCounts], base 2
	MetricHellinger      Metric = "hellinger"              // [HellingerCounts], the distance
	MetricTotalVariation Metric = "total_variation"        // [TotalVariationCounts]
	MetricLInfinity      Metric = "l_infinity"             // [LInfinityCounts]
	MetricPearson        Metric = "pearson"                // sum (A-E)^2/E
	MetricChiSquared     Metric = "chi_squared"            // the two-sample statistic
	MetricChiSquaredP    Metric = "chi_squared_p_value"    // its p-value
	MetricGoodnessOfFit  Metric = "chi_squared_exact"      // the statistic against the baseline as exact
	MetricGoodnessOfFitP Metric = "chi_squared_exact_p"    // its p-value
	MetricKS             Metric = "kolmogorov_smirnov"     // the statistic D, of continuous values
	MetricKSP            Metric = "kolmogorov_smirnov_p"   // its p-value
	MetricWasserstein    Metric = "wasserstein_normalised" // over the baseline's standard deviation
)

// Metrics are the names that [NewNoDriftFor] knows.
func Metrics() []Metric {
	return []Metric{
		MetricPSI, MetricKL, MetricKLReverse, MetricJS, MetricJSDistance, MetricJSDistance2, MetricHellinger,
		MetricTotalVariation, MetricLInfinity, MetricPearson, MetricChiSquared, MetricChiSquaredP,
		MetricGoodnessOfFit, MetricGoodnessOfFitP, MetricKS, MetricKSP, MetricWasserstein,
	}
}

// NoDriftParameters is what a metric's law depends on.
type NoDriftParameters struct {
	Shares          []float64 // of the baseline, a bin each; not read for KS and Wasserstein
	BaselineSamples int64     // 1 to 1e15
	WindowSamples   int64     // 1 to 1e15
	Smoothing       Smoothing // read for the divergences, "total_variation" and "pearson" among them
}

// NewNoDriftFor is the law of a metric on no drift. Bins are at the baseline's own
// quantiles or categories, as for [NewNoDrift]; data-dependent ones of other tools are
// [NewEngineNoDrift]'s.
//
//   - Divergences, their roots and the chi-squared statistics: [NoDrift], exact.
//   - "l_infinity": exact, by the same transform, each count held within its limits.
//   - "kolmogorov_smirnov": exact by lattice paths where that takes at most 5e5 steps,
//     else Kolmogorov's law at round(NM/(N+M)). Continuous values: ties make it an upper
//     bound.
//   - "wasserstein_normalised": that of normal values, in large samples. Heavy tails have
//     two to three times the false alarms (t with 3 degrees of freedom), uniform values two
//     thirds.
//   - p-values: a small one is drift; of the statistic's law, by its reference law. They
//     are uniform where the reference law is right, and not where it disregards the
//     baseline's noise ("chi_squared_exact_p").
func NewNoDriftFor(metric Metric, p NoDriftParameters) (Law, error) {
	divergence := func(d Divergence) (*NoDrift, error) {
		return NewNoDrift(d, p.Shares, p.BaselineSamples, p.WindowSamples, p.Smoothing)
	}
	monotone := func(d Divergence, to, from func(float64) float64) (Law, error) {
		base, err := divergence(d)
		if err != nil {
			return nil, err
		}
		return &monotoneLaw{base: base, to: to, from: from}, nil
	}
	scaled := func(factor float64) (to, from func(float64) float64) { // sqrt(D / factor)
		return func(d float64) float64 { return math.Sqrt(d / factor) },
			func(x float64) float64 { return math.Copysign(x*x*factor, x) }
	}
	p0 := p
	switch metric {
	case MetricPSI, MetricKL, MetricKLReverse, MetricJS, MetricPearson, MetricTotalVariation:
		return lawOf(divergence(Divergence(metric)))
	case MetricChiSquared:
		p.Smoothing = Smoothing{}
		return lawOf(divergence(DivergenceChiSquared))
	case MetricHellinger:
		to, from := scaled(1)
		return monotone(DivergenceHellinger2, to, from)
	case MetricJSDistance:
		to, from := scaled(1)
		return monotone(DivergenceJS, to, from)
	case MetricJSDistance2:
		to, from := scaled(math.Ln2)
		return monotone(DivergenceJS, to, from)
	case MetricGoodnessOfFit:
		p.Smoothing = Smoothing{}
		m := float64(p.WindowSamples)
		return monotone(DivergencePearson, func(d float64) float64 { return d * m }, func(x float64) float64 { return x / m })
	case MetricChiSquaredP, MetricGoodnessOfFitP:
		statistic := MetricChiSquared
		if metric == MetricGoodnessOfFitP {
			statistic = MetricGoodnessOfFit
		}
		law, err := NewNoDriftFor(statistic, p0)
		if err != nil {
			return nil, err
		}
		used := 0
		for _, s := range p.Shares {
			if s > 0 {
				used++
			}
		}
		degrees := float64(max(used-1, 1))
		return &PValueLaw{
			statistic: law,
			toP:       func(x float64) float64 { return chiSquaredSurvival(x, degrees) },
			fromP:     func(q float64) float64 { return 2 * gammaUpperQuantile(q, degrees/2) },
		}, nil
	case MetricLInfinity:
		if err := checkLaw(DivergenceTV, p.Shares, p.BaselineSamples, p.WindowSamples, p.Smoothing); err != nil {
			return nil, err
		}
		return newLInfinityLaw(p), nil
	case MetricKS, MetricKSP:
		law, err := newKSLaw(p.BaselineSamples, p.WindowSamples)
		if err != nil || metric == MetricKS {
			return lawOf(law, err)
		}
		return &PValueLaw{
			statistic: law,
			toP:       law.atLeast,
			fromP: func(q float64) float64 {
				x, _ := law.UpperQuantile(q)
				return x
			},
			exact: true,
		}, nil
	case MetricWasserstein:
		return lawOf(newWassersteinLaw(p.BaselineSamples, p.WindowSamples))
	}
	return nil, fmt.Errorf("unknown metric %q: want one of %q", metric, Metrics())
}

// lawOf keeps a nil pointer from becoming a Law that is not nil.
func lawOf[L Law](law L, err error) (Law, error) {
	if err != nil {
		return nil, err
	}
	return law, nil
}

// monotoneLaw is the law of an increasing function of a divergence.
type monotoneLaw struct {
	base     *NoDrift
	to, from func(float64) float64 // of the divergence; of the metric
}

func (l *monotoneLaw) Survival(t float64) (float64, Method) { return l.base.Survival(l.from(t)) }

func (l *monotoneLaw) UpperQuantile(q float64) (float64, Method) {
	x, method := l.base.UpperQuantile(q)
	return l.to(x) * (1 + quantileConfidence), method
}

func (l *monotoneLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }

func (l *monotoneLaw) ShiftPower(threshold, shift float64) (float64, Method, error) {
	return l.base.ShiftPower(l.from(threshold), shift)
}

func (l *monotoneLaw) DetectableShift(threshold, power float64) (float64, Method, error) {
	return l.base.DetectableShift(l.from(threshold), power)
}

// PValueLaw is the law of a p-value: where the statistic's law on no drift is the one
// that the p-value is computed by, it is uniform.
type PValueLaw struct {
	statistic  Law
	toP, fromP func(float64) float64
	exact      bool // toP is the statistic's own law
}

// Below is the probability that the p-value is at most alpha on no drift, the chance of a
// false alarm of "p-value <= alpha". (Below and at most differ only where the statistic
// takes few values.) It is 0 for alpha at or below 0, 1 at or above 1.
func (l *PValueLaw) Below(alpha float64) (float64, Method) {
	switch {
	case math.IsNaN(alpha) || alpha >= 1:
		return 1, MethodExact
	case alpha <= 0:
		return 0, MethodExact
	}
	x := l.fromP(alpha)
	if l.exact { // x is the last value whose own p-value exceeds alpha
		return l.statistic.Survival(x)
	}
	return l.statistic.Survival(x * (1 - 1e-12)) // P(statistic >= x)
}

// Survival is the probability that the p-value exceeds the threshold: 1 - Below.
func (l *PValueLaw) Survival(threshold float64) (float64, Method) {
	if math.IsNaN(threshold) || threshold < 0 {
		return 1, MethodExact
	}
	p, method := l.Below(threshold)
	return 1 - p, method
}

// LowerQuantile is the largest p-value threshold, up to one part in 10^9 inwards, whose
// Below is at most q: the alpha that keeps false alarms to q.
func (l *PValueLaw) LowerQuantile(q float64) (float64, Method) {
	if math.IsNaN(q) || q <= 0 {
		return 0, MethodExact
	}
	if q >= 1 {
		return 1, MethodExact
	}
	x, method := l.statistic.UpperQuantile(q)
	p := l.toP(x)
	if below, _ := l.Below(p); below > q { // the statistic is discrete: the next p-value down
		p *= 1 - 1e-9
		for range 60 {
			if below, _ := l.Below(p); below <= q {
				break
			}
			p /= 2
		}
	}
	return p, method
}

// UpperQuantile is the smallest p-value that is exceeded with probability at most q.
func (l *PValueLaw) UpperQuantile(q float64) (float64, Method) {
	if math.IsNaN(q) || q <= 0 {
		return 1, MethodExact
	}
	if q >= 1 {
		return 0, MethodExact
	}
	// P(p-value <= its value at x) = P(statistic >= x) is at least 1-q there.
	x, method := l.statistic.UpperQuantile(1 - q)
	return min(l.toP(x*(1-2*quantileConfidence))*(1+quantileConfidence), 1), method
}

// Quantile is UpperQuantile(1-p).
func (l *PValueLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }

// ShiftPower is the probability that the p-value is at most alpha after a shift of the
// mean, where the statistic's law knows shifts.
func (l *PValueLaw) ShiftPower(alpha, shift float64) (float64, Method, error) {
	s, ok := l.statistic.(ShiftLaw)
	if !ok {
		return 0, "", fmt.Errorf("no power is known for this p-value")
	}
	if err := checkOpenUnit("alpha", alpha); err != nil {
		return 0, "", err
	}
	return s.ShiftPower(l.fromP(alpha), shift)
}

// DetectableShift is the smallest shift that gives a p-value of at most alpha with the
// given power.
func (l *PValueLaw) DetectableShift(alpha, power float64) (float64, Method, error) {
	s, ok := l.statistic.(ShiftLaw)
	if !ok {
		return 0, "", fmt.Errorf("no power is known for this p-value")
	}
	if err := checkOpenUnit("alpha", alpha); err != nil {
		return 0, "", err
	}
	return s.DetectableShift(l.fromP(alpha), power)
}

// upperQuantile inverts a survival function by bisection, outwards.
func upperQuantile(q, scale float64, survival func(float64) (float64, Method)) (float64, Method) {
	if !(q > NegligibleProbability) {
		q = math.Nextafter(NegligibleProbability, 0)
	}
	if q >= 1 {
		_, method := survival(0)
		return 0, method
	}
	low, high := 0.0, scale
	var method Method
	for {
		p, m := survival(high)
		if method = m; p <= q {
			break
		}
		if low, high = high, 2*high; high > 1e300 {
			return math.Inf(1), m
		}
	}
	for high-low > 1e-10*high {
		middle := (low + high) / 2
		if middle <= low || middle >= high {
			break
		}
		if p, m := survival(middle); p <= q {
			high, method = middle, m
		} else {
			low = middle
		}
	}
	return high * (1 + quantileConfidence), method
}

func negligible(p float64) float64 {
	if p < NegligibleProbability {
		return 0
	}
	return min(p, 1)
}

// detectableShift is the smallest shift at which power is reached.
func detectableShift(threshold, power float64, at func(shift float64) (float64, Method)) (float64, Method, error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkOpenUnit("power", power); err != nil {
		return 0, "", err
	}
	p, method := at(0)
	if p >= power {
		return 0, method, nil
	}
	low, high := 0.0, 0.05
	for {
		if p, method = at(high); p >= power {
			break
		}
		if high == maxShift {
			return 0, "", fmt.Errorf("no shift up to %v standard deviations exceeds the threshold %v with power %v", maxShift, threshold, power)
		}
		low, high = high, min(2*high, maxShift)
	}
	for high-low > max(detectableTolerance(method), 1e-6)*high && high > leastShift {
		middle := (low + high) / 2
		if p, m := at(middle); p >= power {
			high, method = middle, m
		} else {
			low = middle
		}
	}
	return high, method, nil
}
