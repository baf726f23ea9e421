package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// metricOf is a metric's value by the package's own public functions, of counts.
func metricOf(t testing.TB, metric Metric, e, a []int64, s Smoothing) float64 {
	t.Helper()
	degrees := -1
	for i := range e {
		if e[i]+a[i] > 0 {
			degrees++
		}
	}
	proportional := make([]float64, len(e))
	n, m := int64(0), int64(0)
	for i := range e {
		n, m = n+e[i], m+a[i]
	}
	observed := make([]float64, len(a))
	for i := range e {
		proportional[i] = float64(e[i]) / float64(n) * float64(m)
		observed[i] = float64(a[i])
	}
	switch metric {
	case MetricPSI:
		return must(PSICounts(e, a, s))(t)
	case MetricKL:
		return must(KLCounts(e, a, s))(t)
	case MetricKLReverse:
		return must(KLReverseCounts(e, a, s))(t)
	case MetricJS:
		return must(JSCounts(e, a, s))(t)
	case MetricJSDistance:
		return must(JSDistanceCounts(e, a, math.E, s))(t)
	case MetricJSDistance2:
		return must(JSDistanceCounts(e, a, 2, s))(t)
	case MetricHellinger:
		return must(HellingerCounts(e, a, s))(t)
	case MetricTotalVariation:
		return must(TotalVariationCounts(e, a, s))(t)
	case MetricLInfinity:
		return must(LInfinityCounts(e, a))(t)
	case MetricPearson:
		return must(PearsonCounts(e, a, s))(t)
	case MetricChiSquared:
		return must(ChiSquaredTwoSample(e, a, false))(t).Statistic
	case MetricChiSquaredP:
		return must(ChiSquaredTwoSample(e, a, false))(t).PValue
	case MetricGoodnessOfFit:
		return must(ChiSquaredGoodnessOfFit(observed, proportional))(t).Statistic
	case MetricGoodnessOfFitP:
		return must(ChiSquaredGoodnessOfFit(observed, proportional))(t).PValue
	}
	t.Fatalf("no value of %q", metric)
	return 0
}

// drawWindow draws a window of counts over a redrawn baseline.
func drawWindow(random *rand.Rand, baseline []int64, window int64, shift float64) []int64 {
	p, total := make([]float64, len(baseline)), 0.0
	for b, k := range baseline {
		p[b] = drawGamma(random, float64(k))
		total += p[b]
	}
	if shift != 0 {
		for b := range p {
			p[b] /= total
		}
		p, total = shiftedShares(p, shift), 1
	}
	out := make([]int64, len(baseline))
	left := window
	for b := range p {
		out[b] = left
		if b < len(p)-1 {
			out[b] = drawBinomial(random, left, min(p[b]/total, 1))
		}
		left -= out[b]
		total = max(total-p[b], math.SmallestNonzeroFloat64)
	}
	return out
}

func sharesOf(counts []int64) (shares []float64, total int64) {
	for _, k := range counts {
		total += k
	}
	for _, k := range counts {
		shares = append(shares, float64(k)/float64(total))
	}
	return shares, total
}

func repeated(count int64, bins int) []int64 {
	return slices.Repeat([]int64{count}, bins)
}

func TestLawsOfEveryBinnedMetricAgainstSimulation(t *testing.T) {
	draws := 20_000
	if testing.Short() {
		draws = 4000
	}
	random := rand.New(rand.NewPCG(7, 11))
	for _, c := range []struct {
		baseline []int64
		window   int64
		s        Smoothing
	}{
		{repeated(100, 10), 200, DefaultSmoothing()},
		{repeated(200, 5), 60, Smoothing{Method: SmoothingLaplace}},
		{[]int64{30, 120, 250, 400}, 300, Smoothing{Method: SmoothingJeffreys}},
		{repeated(50, 20), 2000, DefaultSmoothing()},
	} {
		shares, n := sharesOf(c.baseline)
		counts := make([][]int64, draws)
		for i := range counts {
			counts[i] = drawWindow(random, c.baseline, c.window, 0)
		}
		for _, metric := range Metrics() {
			switch metric {
			case MetricKS, MetricKSP, MetricWasserstein:
				continue
			}
			law := must(NewNoDriftFor(metric, NoDriftParameters{shares, n, c.window, c.s}))(t)
			got := make([]float64, draws)
			for i, a := range counts {
				got[i] = metricOf(t, metric, c.baseline, a, c.s)
			}
			for _, q := range []float64{0.5, 0.1, 0.02} {
				x, method := law.UpperQuantile(q)
				if p, ok := law.(*PValueLaw); ok {
					x, method = p.LowerQuantile(q)
				}
				hits := 0
				for _, v := range got {
					_, isP := law.(*PValueLaw)
					if !isP && v > x*(1+1e-9) || isP && v <= x {
						hits++
					}
				}
				want := first(law.Survival(x))
				if p, ok := law.(*PValueLaw); ok {
					want = first(p.Below(x))
				}
				slack := 5*math.Sqrt(max(want*(1-want), 1e-4)/float64(draws)) + 0.015*want
				if method == MethodExact && metric == MetricTotalVariation {
					slack += 0.04 * want // the smooth curve through its steps
				}
				if share := float64(hits) / float64(draws); math.Abs(share-want) > slack {
					t.Errorf("%v bins, window %d, %s: P beyond %v = %v by %s, simulated %v", len(shares), c.window, metric, x, want, method, share)
				}
			}
		}
	}
}

func TestKolmogorovSmirnovLawAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ n, m int64 }{{30, 20}, {50, 50}, {1000, 300}, {7, 5}, {20000, 50}} {
		law := must(NewNoDriftFor(MetricKS, NoDriftParameters{BaselineSamples: c.n, WindowSamples: c.m}))(t)
		draws := min(20_000, int(2e7/(c.n+c.m)))
		d := make([]float64, draws)
		for i := range d {
			// Only the order matters: shuffle the pooled ranks.
			e, a := make([]float64, c.n), make([]float64, c.m)
			for j := range e {
				e[j] = random.Float64()
			}
			for j := range a {
				a[j] = random.Float64()
			}
			slices.Sort(e)
			slices.Sort(a)
			d[i] = ksStatistic(e, a)
		}
		for _, q := range []float64{0.5, 0.1, 0.01} {
			x, method := law.UpperQuantile(q)
			want := first(law.Survival(x))
			hits := 0
			for _, v := range d {
				if v > x {
					hits++
				}
			}
			slack := 5 * math.Sqrt(max(want, 1e-3)/float64(draws))
			if method == MethodAsymptotic {
				slack += 0.05 * want
			}
			if got := float64(hits) / float64(draws); math.Abs(got-want) > slack {
				t.Errorf("KS %+v: P(D > %v) = %v by %s, simulated %v", c, x, want, method, got)
			}
		}
	}
}

func TestExactKSMeetsItsAsymptoticLaw(t *testing.T) {
	// Sizes without a common factor, where steps are finest.
	for _, n := range []int64{10_000, 1_000_000, 1 << 40} { // the law's own switch, at 5,000
		l := &ksLaw{n: n, m: n}
		for _, x := range []float64{0.5, 1, 2, 3, 4} {
			d := x * l.scale()
			if size := ksEffective(n, n); size < 1e6 {
				wantNear(t, fmt.Sprint("expansion at ", x), l.asymptotic(d), ksOneSampleSurvival(size, d), 0.02)
			} else {
				wantNear(t, fmt.Sprint("limit at ", x), l.asymptotic(d), kolmogorovSurvival(x), 0.02)
			}
		}
	}
	for _, x := range []float64{0.6, 1, 1.36, 2, 2.6} {
		n, m := int64(2003), int64(997)
		d := x * math.Sqrt(1/float64(n)+1/float64(m))
		exact, asymptotic := ksExactAtLeast(n, m, d), ksOneSampleSurvival(ksEffective(n, m), d)
		wantNear(t, fmt.Sprint("P(D >= ", d, ")"), asymptotic, exact, 0.05)
	}
	// The one-sample law's parts meet each other.
	for _, n := range []float64{100, 141, 400, 5000, 100_001} {
		for _, x := range []float64{0.4, 0.6, 0.8, 1, 1.3, 1.48, 1.49, 1.9, 2.1, 3} {
			got := ksOneSampleSurvival(n, x/math.Sqrt(n))
			if x > 1.9 && n < 1000 {
				continue // the expansion is not good there
			}
			limit := kolmogorovSurvival(x + 1/(6*math.Sqrt(n)) + (x-1)/(4*n))
			wantNear(t, fmt.Sprintf("one-sample n %v x %v", n, x), got, limit, 0.03)
		}
	}
}

func TestPValueLawsAreUniformWhereTheyShouldBe(t *testing.T) {
	p := NoDriftParameters{EqualShares(10), 5000, 1000, none}
	for _, alpha := range []float64{0.2, 0.05, 0.01} {
		wantNear(t, "two-sample chi-squared", first(must(NewNoDriftFor(MetricChiSquaredP, p))(t).(*PValueLaw).Below(alpha)), alpha, 0.03)
		wantNear(t, "KS", first(must(NewNoDriftFor(MetricKSP, p))(t).(*PValueLaw).Below(alpha)), alpha, 0.03)
		// The baseline taken as exact: chi-squared at critical/(1 + M/N).
		critical := must(ChiSquaredUpperQuantile(alpha, 9))(t)
		want := must(ChiSquaredSurvival(critical/1.2, 9))(t)
		wantNear(t, "against an exact baseline", first(must(NewNoDriftFor(MetricGoodnessOfFitP, p))(t).(*PValueLaw).Below(alpha)), want, 0.03)
	}
}

func TestPowerOfEveryMetricAgainstSimulation(t *testing.T) {
	const draws = 4000
	random := rand.New(rand.NewPCG(17, 23))
	baseline := repeated(100, 10)
	shares, n := sharesOf(baseline)
	const window = 400
	s := DefaultSmoothing()
	for _, shift := range []float64{0.2, 0.4} {
		counts := make([][]int64, draws)
		for i := range counts {
			counts[i] = drawWindow(random, baseline, window, shift)
		}
		for _, metric := range Metrics() {
			switch metric {
			case MetricKS, MetricKSP, MetricWasserstein, MetricChiSquaredP, MetricGoodnessOfFitP:
				continue
			}
			law := must(NewNoDriftFor(metric, NoDriftParameters{shares, n, window, s}))(t).(ShiftLaw)
			x, _ := law.UpperQuantile(0.02)
			power, method, err := law.ShiftPower(x, shift)
			must(power, err)(t)
			hits := 0
			for _, a := range counts {
				if metricOf(t, metric, baseline, a, s) > x {
					hits++
				}
			}
			if got := float64(hits) / draws; math.Abs(got-power) > 0.04 || math.Abs(got-power) > 0.03 && metric != MetricTotalVariation {
				t.Errorf("%s, shift %v: power %v by %s, simulated %v", metric, shift, power, method, got)
			}
		}
	}
}

func TestPowerOfSampleMetrics(t *testing.T) {
	random := rand.New(rand.NewPCG(29, 31))
	const n, m, draws = 800, 300, 1500
	for _, metric := range []Metric{MetricKS, MetricWasserstein} {
		law := must(NewNoDriftFor(metric, NoDriftParameters{BaselineSamples: n, WindowSamples: m}))(t).(ShiftLaw)
		x, _ := law.UpperQuantile(0.05)
		for _, shift := range []float64{0, 0.1, 0.2, 0.3} {
			hits := 0
			for range draws {
				e, a := make([]float64, n), make([]float64, m)
				for i := range e {
					e[i] = random.NormFloat64()
				}
				for i := range a {
					a[i] = random.NormFloat64() + shift
				}
				var v float64
				if metric == MetricKS {
					v, _, _ = KolmogorovSmirnov(e, a, KSAsymptotic)
				} else {
					v = must(NormalisedWasserstein(e, a, 0, 0))(t)
				}
				if v > x {
					hits++
				}
			}
			power, _, err := law.ShiftPower(x, shift)
			must(power, err)(t)
			got := float64(hits) / draws
			if math.Abs(power-got) > 0.04 {
				t.Errorf("%s, shift %v: power %v, simulated %v", metric, shift, power, got)
			}
		}
		shift, _, err := law.DetectableShift(x, 0.8)
		if err != nil || shift < 0.1 || shift > 0.3 {
			t.Errorf("%s: detectable shift %v (%v)", metric, shift, err)
		}
	}
}

func TestThresholdAtARateGivesTheRateBack(t *testing.T) {
	for _, metric := range Metrics() {
		for _, n := range []int64{500, 20_000} {
			law := must(NewNoDriftFor(metric, NoDriftParameters{EqualShares(10), n, 800, DefaultSmoothing()}))(t)
			for _, q := range []float64{0.3, 0.05, 0.004, 1e-5} {
				if p, ok := law.(*PValueLaw); ok {
					x, _ := p.LowerQuantile(q)
					if got, _ := p.Below(x); got > q || got < 0.6*q {
						t.Errorf("%s: P(p-value <= %v) = %v, wanted %v", metric, x, got, q)
					}
					x, _ = p.UpperQuantile(q)
					if got, _ := p.Survival(x); got > q+1e-8 || got < 0.5*q && q > 1e-3 {
						t.Errorf("%s: P(p-value > %v) = %v, wanted %v", metric, x, got, q)
					}
					continue
				}
				x, _ := law.UpperQuantile(q)
				got, _ := law.Survival(x)
				if got > q {
					t.Errorf("%s: P(> %v) = %v, wanted at most %v", metric, x, got, q)
				}
				// Tight: just below, more.
				if below, _ := law.Survival(x * (1 - 1e-5)); below < got || below == 0 {
					t.Errorf("%s: the threshold %v for %v is not tight", metric, x, q)
				}
				if again, _ := law.Survival(x * 1.01); again > got {
					t.Errorf("%s: survival rises", metric)
				}
			}
		}
	}
	if _, err := NewNoDriftFor("magic", NoDriftParameters{EqualShares(2), 10, 10, none}); err == nil {
		t.Error("an unknown metric is accepted")
	}
}

func TestWassersteinLawAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(37, 39))
	for _, c := range []struct{ n, m int }{{1000, 500}, {5000, 200}} {
		law := must(NewNoDriftFor(MetricWasserstein, NoDriftParameters{BaselineSamples: int64(c.n), WindowSamples: int64(c.m)}))(t)
		const draws = 2500
		got := make([]float64, draws)
		for i := range got {
			e, a := make([]float64, c.n), make([]float64, c.m)
			for j := range e {
				e[j] = random.NormFloat64()
			}
			for j := range a {
				a[j] = random.NormFloat64()
			}
			got[i] = must(NormalisedWasserstein(e, a, 0, 0))(t)
		}
		for _, q := range []float64{0.5, 0.1, 0.02} {
			x, _ := law.UpperQuantile(q)
			hits := 0
			for _, v := range got {
				if v > x {
					hits++
				}
			}
			if p := float64(hits) / draws; math.Abs(p-q) > 5*math.Sqrt(q/draws)+0.05*q {
				t.Errorf("%+v: P(W > %v) = %v, simulated %v", c, x, q, p)
			}
		}
	}
	// statistics.md 1.6: quantiles of sqrt(NM/(N+M)) W/sd for normal values.
	law := &wassersteinLaw{scale: 1}
	wantNear(t, "q95", first(law.UpperQuantile(0.05)), 2.14, 0.006)
	wantNear(t, "q99", first(law.UpperQuantile(0.01)), 2.71, 0.006)
	mean := 0.0
	for x := 0.0; x < 9; x += 0.001 {
		mean += 0.001 * wassersteinSurvival(x+0.0005)
	}
	wantNear(t, "mean", mean, 1.28838, 0.002)
}

func TestLawsOfManyUnlikeBinsAgreeWithSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(53, 59))
	linear := func(bins int, scale int64) (counts []int64) {
		for i := range bins {
			counts = append(counts, scale*int64(i+1))
		}
		return counts
	}
	var wild []int64 // over three powers of ten
	for i := range 70 {
		wild = append(wild, int64(math.Pow(10, 1+3*float64(i)/69)))
	}
	const draws = 6000
	for _, c := range []struct {
		name     string
		baseline []int64
		window   int64
		s        Smoothing
	}{
		{"60 linear", linear(60, 20), 500, DefaultSmoothing()},
		{"150 linear", linear(150, 10), 3000, DefaultSmoothing()},
		{"150 linear, laplace", linear(150, 3), 40_000, Smoothing{Method: SmoothingLaplace}},
		{"70 over three powers of ten", wild, 2000, DefaultSmoothing()},
		{"70 over three powers of ten, epsilon 1e-4", wild, 60_000, Smoothing{SmoothingEpsilon, 1e-4}},
		{"400 equal", repeated(7, 400), 4000, DefaultSmoothing()},
	} {
		shares, n := sharesOf(c.baseline)
		d := must(NewPSINoDrift(shares, n, c.window, c.s))(t)
		if classes := len(d.law().classes); classes > mostClasses {
			t.Fatalf("%s: %d classes", c.name, classes)
		}
		value := d.in.windowValue()
		psi := make([]float64, draws)
		for i := range psi {
			psi[i] = value(drawWindow(random, c.baseline, c.window, 0))
		}
		for _, q := range []float64{0.5, 0.1, 0.02, 0.005} {
			x, method := d.UpperQuantile(q)
			want := first(d.Survival(x))
			got := 0.0
			for _, v := range psi {
				if v > x {
					got += 1.0 / draws
				}
			}
			if math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/draws)+0.02*want || method == MethodAsymptotic {
				t.Errorf("%s: P(PSI > %v) = %v by %s, simulated %v", c.name, x, want, method, got)
			}
		}
	}
}

func TestTakingAlmostEqualSharesForAlikeHardlyChangesALaw(t *testing.T) {
	for _, c := range []struct {
		baseline float64
		window   int64
	}{{2e4, 300}, {1e5, 3000}, {5000, 20_000}} {
		shares, total := make([]float64, 60), 0.0
		for i := range shares {
			shares[i] = math.Pow(10, 1.5*float64(i)/59)
			total += shares[i]
		}
		for i := range shares {
			shares[i] /= total
		}
		d := must(NewPSINoDrift(shares, int64(c.baseline), c.window, DefaultSmoothing()))(t)
		apart := newInvertedLaw(newCountLaw(d.in), d.scale(), 59)
		for _, q := range []float64{0.5, 0.1, 0.01, 1e-3, 1e-5} {
			x, _ := d.UpperQuantile(q)
			wantNear(t, fmt.Sprintf("%+v at %v", c, q), first(d.exactSurvival(x)), apart.at(x), 0.005)
		}
	}
}

func TestSmallBaselinesUnderLargeWindowsAgreeWithSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(61, 67))
	const draws = 20_000
	for _, c := range []struct {
		baseline []int64
		window   int64
	}{{repeated(1, 10), 10_000_000}, {repeated(2, 5), 1_000_000_000_000}, {[]int64{1, 2, 3, 4, 10}, 300_000}, {repeated(6, 4), 5_000_000}} {
		shares, n := sharesOf(c.baseline)
		d := must(NewPSINoDrift(shares, n, c.window, DefaultSmoothing()))(t)
		value := d.in.windowValue()
		psi := make([]float64, draws)
		for i := range psi {
			psi[i] = value(drawWindow(random, c.baseline, c.window, 0))
		}
		for _, q := range []float64{0.5, 0.1, 0.01} {
			x, method := d.UpperQuantile(q)
			got := 0.0
			for _, v := range psi {
				if v > x {
					got += 1.0 / draws
				}
			}
			if math.Abs(got-q) > 4*math.Sqrt(q*(1-q)/draws)+0.02*q {
				t.Errorf("%+v: P(PSI > %v) = %v by %s, simulated %v", c, x, q, method, got)
			}
		}
	}
}
