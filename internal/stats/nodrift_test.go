package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func noDrift(t testing.TB, bins int, baseline, window int64) *NoDrift {
	t.Helper()
	return must(NewPSINoDrift(EqualShares(bins), baseline, window, DefaultSmoothing()))(t)
}

func TestFalseAlarmsOfKnownConfigurations(t *testing.T) {
	for _, c := range []struct {
		bins             int
		baseline, window int64
		threshold, want  float64
	}{
		{10, 1000, 190, 0.1, 0.0805},
		{10, 1000, 100, 0.1, 0.468},
		{5, 700, 150, 0.09, 0.0286},
	} {
		p, method := noDrift(t, c.bins, c.baseline, c.window).Survival(c.threshold)
		if !near(p, c.want, 0.005) {
			t.Errorf("%+v: %v (%s)", c, p, method)
		}
	}
}

func TestNoDriftAgreesWithAMillionSimulatedWindows(t *testing.T) {
	for _, c := range goldenCases(t, "psi_null_mc_quantile") {
		in := decode[struct {
			B    int
			N, M int64
		}](t, c.Inputs)
		if c.Expected[0] != '{' {
			continue
		}
		want := decode[struct {
			Mean, P01, P025, Q95, Q99, Q999 float64
			Empty                           float64 `json:"p_empty"`
		}](t, c.Expected)
		d := noDrift(t, in.B, in.N, in.M)
		for _, p := range []struct {
			name      string
			got, want float64
		}{
			{"P > 0.1", first(d.Survival(0.1)), want.P01},
			{"P > 0.25", first(d.Survival(0.25)), want.P025},
			{"any empty bin", d.AnyEmptyBin(), want.Empty},
		} {
			if slack := 5*math.Sqrt(max(p.got, 1e-7)/1e6) + 0.005*p.got; math.Abs(p.got-p.want) > slack {
				t.Errorf("%s, %s: %v, simulated %v", c.Name, p.name, p.got, p.want)
			}
		}
		wantNear(t, c.Name+" mean", d.Mean(), want.Mean, 0.003)
		wantNear(t, c.Name+" q95", first(d.Quantile(0.95)), want.Q95, 0.004)
		wantNear(t, c.Name+" q99", first(d.Quantile(0.99)), want.Q99, 0.006)
		wantNear(t, c.Name+" q999", first(d.Quantile(0.999)), want.Q999, 0.02)
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestMomentsAreTheBetaBinomialsOwn(t *testing.T) {
	for _, c := range goldenCases(t, "psi_null_gamma_moment_fit") {
		in := decode[struct {
			B    int
			N, M int64
		}](t, c.Inputs)
		want := decode[struct {
			Mean     float64 `json:"mean_no_empty"`
			Variance float64 `json:"var_no_empty"`
			Empty    float64 `json:"p_empty_union"`
		}](t, c.Expected)
		p, mean, variance := noDrift(t, in.B, in.N, in.M).law().moments(true)
		// The reference leaves empty bins out one pair at a time, not window by window.
		wantNear(t, c.Name+" mean", p*mean, want.Mean, 4*want.Empty+1e-10)
		wantNear(t, c.Name+" variance", p*variance, want.Variance, 4*want.Empty+1e-10)
		wantNear(t, c.Name+" empty", 1-p, want.Empty, want.Empty+1e-8)
	}
}

func TestInversionAgreesWithListingEveryWindow(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []float64
		n, m   int64
	}{
		{"10 bins, 40 samples", EqualShares(10), 500, 40},
		{"8 bins, 55 samples", EqualShares(8), 1000, 55},
		{"5 bins, 100 samples", EqualShares(5), 300, 100},
		{"unequal", []float64{0.4, 0.3, 0.2, 0.1}, 200, 75},
	} {
		d := must(NewPSINoDrift(c.shares, c.n, c.m, Smoothing{Method: SmoothingLaplace}))(t)
		atoms := d.exact().atoms
		if atoms == nil {
			t.Fatalf("%s: not listed", c.name)
		}
		inverted := newInvertedLaw(d.law(), d.scale(), float64(len(c.shares)-1))
		for _, a := range atoms {
			// Half an atom either way is what a smooth curve can be off.
			got, atom := inverted.at(a.value), 0.0
			if a.above > 1e-8 && a.above < 0.9 {
				atom = first(d.exactSurvival(a.value*(1-2*d.scale()*0.1/a.value))) - a.above
				if math.Abs(got-a.above) > atom+0.02*a.above {
					t.Errorf("%s at %v: inverted %v, listed %v", c.name, a.value, got, a.above)
					break
				}
			}
		}
	}
}

func TestFinerGridsChangeNothing(t *testing.T) {
	for _, c := range []struct {
		bins int
		n, m int64
	}{{10, 1000, 190}, {5, 2000, 400}, {20, 5000, 400}, {4, 1000, 500}, {10, 100, 3000}} {
		d := noDrift(t, c.bins, c.n, c.m)
		fine, _ := d.law().table(1<<12, d.scale()/32, tableWorkBudget)
		if fine == nil {
			t.Fatal("too much work")
		}
		for _, q := range []float64{0.5, 0.1, 0.01, 1e-3, 1e-5, 1e-7} {
			if x, _ := d.UpperQuantile(q); x < fine.reach() {
				wantNear(t, fmt.Sprintf("%+v at %v", c, q), first(d.exactSurvival(x)), fine.at(x), 1e-3)
			}
		}
	}
}

func TestStridesChangeNothing(t *testing.T) {
	// Just below and above the counts at which every second count is skipped.
	for _, q := range []float64{0.1, 0.01, 1e-4, 1e-6} {
		a, b := noDrift(t, 5, 1e9, 200*200*5-200), noDrift(t, 5, 1e9, 200*200*5+333)
		if a.law().classes[0].stride != 1 || b.law().classes[0].stride != 2 {
			t.Fatal("strides are not 1 and 2")
		}
		x := first(a.UpperQuantile(q)) / a.scale()
		wantNear(t, fmt.Sprint("survival at ", q), first(b.exactSurvival(x*b.scale())), first(a.exactSurvival(x*a.scale())), 1e-3)
		wantNear(t, "mean", b.Mean()/b.scale(), a.Mean()/a.scale(), 1e-6)
	}
}

func TestAsymptoticLawIsReachedWhereItTakesOver(t *testing.T) {
	shares := EqualShares(10)
	d := must(NewPSINoDrift(shares, asymptoticExpected*10, asymptoticExpected*10, DefaultSmoothing()))(t)
	if _, method := d.Survival(60 * d.scale()); method != MethodAsymptotic {
		t.Fatalf("method %s", method)
	}
	inverted := newInvertedLaw(d.law(), d.scale(), 9)
	for _, q := range []float64{0.01, 1e-3, 1e-6, 1e-8} {
		x := d.scale() * must(ChiSquaredUpperQuantile(q, 9))(t)
		wantNear(t, fmt.Sprint("tail ", q), first(d.exactSurvival(x)), inverted.at(x), 2e-3)
	}
}

// bruteForce simulates without anything of the package's laws: a baseline of n
// exponential spacings, bins of n*share spacings each, windows drawn one observation
// at a time, the index by its definition.
func bruteForce(random *rand.Rand, perBin []int, window int, s Smoothing, draws int) (psi []float64) {
	n := 0
	expected := make([]int64, len(perBin))
	for b, k := range perBin {
		n += k
		expected[b] = int64(k)
	}
	cumulative := make([]float64, len(perBin))
	for range draws {
		total := 0.0
		for b, k := range perBin {
			for range k {
				total += random.ExpFloat64()
			}
			cumulative[b] = total
		}
		counts := make([]int64, len(perBin))
		for range window {
			u := random.Float64() * total
			b := 0
			for u > cumulative[b] {
				b++
			}
			counts[b]++
		}
		v, err := PSICounts(expected, counts, s)
		if err != nil {
			v = math.Inf(1)
		}
		psi = append(psi, v)
	}
	return psi
}

// auditGrid is what the audit runs over: even and uneven bins, baselines smaller and
// larger than the window, few and many samples a bin, each smoothing.
func auditGrid() (grid []struct {
	name      string
	perBin    []int
	window    int
	smoothing Smoothing
}) {
	even := func(bins, each int) []int {
		out := make([]int, bins)
		for i := range out {
			out[i] = each
		}
		return out
	}
	smoothings := []Smoothing{DefaultSmoothing(), {SmoothingEpsilon, 1e-4}, {Method: SmoothingLaplace}, {Method: SmoothingJeffreys}, none}
	i := 0
	for _, perBin := range [][]int{even(2, 100), even(3, 100), even(5, 40), even(10, 30), even(10, 100), even(20, 25), {10, 50, 200, 40}, {150, 75, 30, 30, 15}} {
		for _, window := range []int{30, 100, 250, 500, 1000} {
			s := smoothings[i%len(smoothings)]
			i++
			grid = append(grid, struct {
				name      string
				perBin    []int
				window    int
				smoothing Smoothing
			}{fmt.Sprint(perBin, " window ", window, " ", s.Method), perBin, window, s})
		}
	}
	return grid
}

func TestAuditByBruteForce(t *testing.T) {
	draws := 6000
	if testing.Short() {
		draws = 1000
	}
	random := rand.New(rand.NewPCG(20240601, 42))
	for _, c := range auditGrid() {
		n := 0
		for _, k := range c.perBin {
			n += k
		}
		shares := make([]float64, len(c.perBin))
		for b, k := range c.perBin {
			shares[b] = float64(k) / float64(n)
		}
		d := must(NewPSINoDrift(shares, int64(n), int64(c.window), c.smoothing))(t)
		psi := bruteForce(random, c.perBin, c.window, c.smoothing, draws)
		for _, q := range []float64{0.5, 0.2, 0.05, 0.01} {
			x, _ := d.UpperQuantile(q)
			if math.IsInf(x, 1) {
				continue
			}
			x = RoundUpSignificant(x, 3)
			p, method := d.Survival(x)
			hits := 0
			for _, v := range psi {
				if v > x*(1+1e-9) {
					hits++
				}
			}
			got := float64(hits) / float64(draws)
			slack := 5 * math.Sqrt(p*(1-p)/float64(draws))
			if method == MethodGamma {
				slack += 0.02 * p
			}
			if math.Abs(got-p) > slack {
				t.Errorf("%s: P(PSI > %v) = %v by %s, simulated %v +- %.2g", c.name, x, p, method, got, slack/5)
			}
		}
	}
}

func TestNoDriftDescribesRealSamples(t *testing.T) {
	const bins, n, m, draws = 10, 300, 150, 2500
	random := rand.New(rand.NewPCG(1, 2))
	d := noDrift(t, bins, n, m)
	x, _ := d.Quantile(0.9)
	hits := 0
	for range draws {
		baseline, window := make([]float64, n), make([]float64, m)
		for i := range baseline {
			baseline[i] = random.NormFloat64()
		}
		for i := range window {
			window[i] = random.NormFloat64()
		}
		if must(PSISamples(baseline, window, bins))(t) > x {
			hits++
		}
	}
	if got := float64(hits) / draws; math.Abs(got-0.1) > 5*math.Sqrt(0.09/draws) {
		t.Errorf("%v of windows exceed the 90 %% quantile", got)
	}
}

func TestSimulatedLawAgreesWithTheExactOne(t *testing.T) {
	for _, shares := range [][]float64{EqualShares(10), {0.5, 0.3, 0.15, 0.05}} {
		d := must(NewPSINoDrift(shares, 800, 300, DefaultSmoothing()))(t)
		s := newSimulatedLaw(d.in, 60_000)
		for _, q := range []float64{0.5, 0.1, 0.01, 0.001} {
			x, _ := d.UpperQuantile(q)
			p, _ := d.exactSurvival(x)
			if got := s.survival(x); math.Abs(got-p) > 5*math.Sqrt(p/60_000) {
				t.Errorf("%v at %v: simulated %v, exact %v", shares, q, got, p)
			}
		}
		if again := newSimulatedLaw(d.in, 60_000); again.sorted[777] != s.sorted[777] {
			t.Error("the simulation is not deterministic")
		}
	}
}

func TestOtherDivergencesFollowTheirAsymptoticLaws(t *testing.T) {
	// Reference quantiles of statistics.md: 300,000 windows, 10 bins, 1000, 500.
	for divergence, want := range map[Divergence]float64{DivergenceKL: 0.02538, DivergenceJS: 0.006345} {
		d := must(NewNoDrift(divergence, EqualShares(10), 1000, 500, DefaultSmoothing()))(t)
		wantNear(t, string(divergence), first(d.Quantile(0.95)), want, 0.03)
	}
}

func TestDegenerateLaws(t *testing.T) {
	for _, d := range []*NoDrift{
		noDrift(t, 1, 10, 10),
		must(NewPSINoDrift([]float64{0, 1, 0}, 10, 10, DefaultSmoothing()))(t),
	} {
		if p, _ := d.Survival(0); p != 0 {
			t.Errorf("one bin drifts with probability %v", p)
		}
		if p, _ := d.Survival(-1); p != 1 {
			t.Errorf("P(PSI > -1) = %v", p)
		}
	}
	d := noDrift(t, 10, 1000, 500)
	if p, _ := d.Survival(math.NaN()); p != 1 {
		t.Errorf("P(PSI > NaN) = %v, want 1", p)
	}
	if p, _ := d.Survival(math.Inf(1)); p != 0 {
		t.Errorf("P(PSI > Inf) = %v, want 0", p)
	}
	// One sample leaves nine of ten bins empty, always.
	one := noDrift(t, 10, 1000, 1)
	if p := one.AnyEmptyBin(); p != 1 {
		t.Errorf("P(any empty) = %v, want 1", p)
	}
	infinite := must(NewPSINoDrift(EqualShares(10), 1000, 20, none))(t)
	if x, _ := infinite.Quantile(0.9); !math.IsInf(x, 1) {
		t.Errorf("quantile without smoothing = %v, want +Inf", x)
	}
	for _, c := range []struct {
		shares []float64
		n, m   int64
		s      Smoothing
	}{
		{nil, 10, 10, none}, {[]float64{0.5}, 10, 10, none}, {[]float64{math.NaN()}, 10, 10, none},
		{EqualShares(2), 0, 10, none}, {EqualShares(2), 10, -1, none}, {EqualShares(2), 10, 10, Smoothing{Method: "x"}},
		{EqualShares(2), math.MaxInt64, 10, none}, {EqualShares(maxBins + 1), 10, 10, none},
	} {
		if _, err := NewPSINoDrift(c.shares, c.n, c.m, c.s); err == nil {
			t.Errorf("%d shares, %d, %d, %v: no error", len(c.shares), c.n, c.m, c.s)
		}
	}
	if _, err := NewNoDrift("magic", EqualShares(2), 10, 10, none); err == nil {
		t.Error("an unknown divergence is accepted")
	}
}

func TestQuantilesAreFiniteWhereTheDivergenceIs(t *testing.T) {
	for _, c := range []struct {
		name      string
		shares    []float64
		n, m      int64
		smoothing Smoothing
		most      float64 // everything in the smallest bin
	}{
		{"a small baseline under a large window", []float64{4. / 14, 4. / 14, 1. / 14, 3. / 14, 2. / 14}, 26, 1342, DefaultSmoothing(), 18.245},
		{"more so", []float64{0.3, 0.3, 0.25, 0.1, 0.05}, 20, 5000, DefaultSmoothing(), 19.01},
		{"laplace", []float64{0.3, 0.3, 0.25, 0.1, 0.05}, 20, 5000, Smoothing{Method: SmoothingLaplace}, 8.842},
	} {
		d := must(NewPSINoDrift(c.shares, c.n, c.m, c.smoothing))(t)
		last := 0.0
		for _, q := range []float64{0.01, 1e-4, 1e-6, 1e-8, 1e-9} {
			x, _ := d.UpperQuantile(q)
			if p, _ := d.Survival(x); p > q || !finite(x) || x < last {
				t.Errorf("%s: the quantile for %v is %v after %v, and P(PSI > it) = %v", c.name, q, x, last, p)
			}
			// No quantile is beyond what the metric can reach; rare ones are far below it.
			if x > 0.5*c.most {
				t.Errorf("%s: the quantile for %v is %v, and the index reaches %v", c.name, q, x, c.most)
			}
			last = x
		}
		wantNear(t, c.name+": the largest value", d.in.largest(), c.most, 0.002)
		if p, _ := d.Survival(d.in.largest()); p != 0 {
			t.Errorf("%s: P(PSI > the largest it can be) = %v", c.name, p)
		}
	}
}

func drawNoDrift(t *rapid.T) *NoDrift {
	bins := rapid.IntRange(2, 15).Draw(t, "bins")
	shares := EqualShares(bins)
	if rapid.Bool().Draw(t, "uneven") {
		total := 0.0
		for b := range shares {
			shares[b] = float64(rapid.IntRange(1, 4).Draw(t, "share"))
			total += shares[b]
		}
		for b := range shares {
			shares[b] /= total
		}
	}
	n := rapid.Int64Range(20, 5000).Draw(t, "baseline")
	m := rapid.Int64Range(5, 2000).Draw(t, "window")
	s := rapid.SampledFrom([]Smoothing{DefaultSmoothing(), {Method: SmoothingLaplace}, {Method: SmoothingJeffreys}, {SmoothingEpsilon, 1e-4}}).Draw(t, "smoothing")
	d, err := NewPSINoDrift(shares, n, m, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestASuggestedThresholdAlwaysPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawNoDrift(t)
		for _, q := range []float64{0.3, 0.011, 0.0101, 0.01, 0.0099, 0.001389, 1e-6, 1e-9, 1e-12} {
			x, _ := d.UpperQuantile(q)
			for _, threshold := range []float64{x, RoundUpSignificant(x, 3), RoundUpSignificant(x, 2), x * 1.001, x * 3} {
				if p, method := d.Survival(threshold); p > q {
					t.Fatalf("P(PSI > %v) = %v (%s), and the quantile for %v is %v", threshold, p, method, q, x)
				}
			}
			if p, _ := d.Survival(x * (1 - 1e-6)); p == 0 && q >= NegligibleProbability && x > 1e-9 && d.exact().atoms == nil {
				t.Fatalf("the quantile for %v, %v, is not tight", q, x)
			}
		}
	})
}

func TestFalseAlarmsFallAsTheThresholdRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawNoDrift(t)
		last := 1.0
		for i := range 400 {
			x := float64(i) * d.scale() / 4
			p, _ := d.Survival(x)
			if p > last || p < 0 || math.IsNaN(p) {
				t.Fatalf("P(PSI > %v) = %v after %v", x, p, last)
			}
			last = p
		}
	})
}

func FuzzNoDrift(f *testing.F) {
	f.Add(10, int64(1000), int64(500), 0.1, "epsilon", 1e-8, 0.5)
	f.Add(3, int64(1), int64(1), -1.0, "none", 0.0, math.NaN())
	f.Add(50, int64(1)<<40, int64(77), math.Inf(1), "laplace", 0.0, 1e-300)
	f.Fuzz(func(t *testing.T, bins int, n, m int64, threshold float64, method string, epsilon, tilt float64) {
		shares := EqualShares(min(max(bins, 0), 30))
		if len(shares) > 1 && tilt > 0 && tilt < 1 {
			move := shares[0] * tilt
			shares[0] -= move
			shares[1] += move
		}
		d, err := NewPSINoDrift(shares, n, m, Smoothing{method, epsilon})
		if err != nil {
			return
		}
		p, _ := d.Survival(threshold)
		x, _ := d.Quantile(p)
		power, _, err := d.ShiftPower(threshold, tilt)
		for _, v := range []float64{p, d.Mean(), d.AnyEmptyBin(), power} {
			if math.IsNaN(v) || v < 0 || (math.IsInf(v, 0)) {
				t.Fatalf("survival, mean, empty, power: %v %v %v %v (%v)", p, d.Mean(), d.AnyEmptyBin(), power, err)
			}
		}
		if math.IsNaN(x) || x < 0 {
			t.Fatalf("quantile %v", x)
		}
	})
}

func BenchmarkNoDriftGamma(b *testing.B) {
	for b.Loop() {
		noDrift(b, 10, 1000, 500).Survival(0.05)
	}
}

func BenchmarkNoDriftExact(b *testing.B) {
	for b.Loop() {
		noDrift(b, 10, 1000, 1000).Survival(0.1)
	}
}

func BenchmarkNoDriftExactUnequal(b *testing.B) {
	shares := []float64{0.01, 0.03, 0.05, 0.08, 0.09, 0.11, 0.13, 0.15, 0.17, 0.18}
	for b.Loop() {
		d := must(NewPSINoDrift(shares, 10000, 1000, DefaultSmoothing()))(b)
		d.Survival(0.1)
	}
}

func BenchmarkNoDriftMomentsOfAMillionIn50Bins(b *testing.B) {
	shares := EqualShares(50)
	for i := range 25 {
		shares[i] += float64(i) * 1e-4
		shares[49-i] -= float64(i) * 1e-4
	}
	for b.Loop() {
		d := must(NewPSINoDrift(shares, 1_000_000, 1_000_000, DefaultSmoothing()))(b)
		d.Mean()
	}
}

func BenchmarkNoDriftLookup(b *testing.B) {
	d := noDrift(b, 10, 1000, 500)
	for b.Loop() {
		d.Survival(0.1)
	}
}

func BenchmarkNoDriftMonteCarlo(b *testing.B) {
	d := noDrift(b, 10, 1000, 500)
	for b.Loop() {
		newSimulatedLaw(d.in, simulationDraws)
	}
}
