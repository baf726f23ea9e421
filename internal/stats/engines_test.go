package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// exponentialShape is a histogram like an exponential law's, cut at 6.
func exponentialShape() (s Shape) {
	for i := range 24 {
		a, b := float64(i)/4, float64(i+1)/4
		s.Edges = append(s.Edges, a)
		s.Shares = append(s.Shares, (math.Exp(-a)-math.Exp(-b))/(1-math.Exp(-6)))
	}
	s.Edges = append(s.Edges, 6)
	return s
}

func TestEnginePowerAgainstTheEnginesOnRealSamples(t *testing.T) {
	const draws = 1000
	random := rand.New(rand.NewPCG(227, 229))
	table := newShapeTable(exponentialShape())
	_, sd, _ := table.moments()
	for _, c := range []struct {
		name  string
		shape Shape
		draw  func() float64
		sd    float64
		n, m  int64
	}{
		{"normal", Shape{}, random.NormFloat64, 1, 1000, 200},
		{"exponential", exponentialShape(), func() float64 { u := random.Float64(); return table.quantile(u, 1-u) }, sd, 500, 150},
	} {
		for _, k := range []struct {
			engine Engine
			metric Metric
		}{
			{EngineEvidently, MetricPSI}, {EngineEvidently, MetricJSDistance}, {EngineNannyML, MetricJSDistance2},
			{EngineNannyML, MetricHellinger}, {EngineAzure, MetricPSI}, {EngineAzure, MetricJSDistance2},
		} {
			law, ok := must(NewEngineNoDrift(k.engine, k.metric, c.shape, c.n, c.m, EngineOptions{}))(t).(ShiftLaw)
			if !ok {
				t.Fatalf("%v: the law knows no power", k)
			}
			x, _ := law.UpperQuantile(0.02)
			null, _ := law.Survival(x)
			if at, _, err := law.ShiftPower(x, 0); err != nil || at != null {
				t.Errorf("%s, %v: without a shift the power is %v (%v), and the false alarm rate %v", c.name, k, at, err, null)
			}
			for _, shift := range []float64{0.25, 0.5} {
				least := 1.0
				for _, move := range []float64{shift, -shift} {
					hits := 0
					for range draws {
						e, a := make([]float64, c.n), make([]float64, c.m)
						for i := range e {
							e[i] = c.draw()
						}
						for i := range a {
							a[i] = c.draw() + move*c.sd
						}
						if must(EngineValue(k.engine, k.metric, e, a, EngineOptions{}))(t).Value > x {
							hits++
						}
					}
					least = min(least, float64(hits)/draws)
				}
				power, method, err := law.ShiftPower(x, shift)
				if slack := 0.02 + 3.5*math.Sqrt(least*(1-least)/draws); err != nil || method != MethodMonteCarlo || math.Abs(power-least) > slack {
					t.Errorf("%s, %v, shift %v: power %v by %s (%v), the engine %v", c.name, k, shift, power, method, err, least)
				}
			}
		}
	}
}

func TestEnginesDetectableShifts(t *testing.T) {
	law := must(NewEngineNoDrift(EngineEvidently, MetricPSI, Shape{}, 1000, 300, EngineOptions{}))(t).(ShiftLaw)
	shift, method, err := law.DetectableShift(0.1, 0.8)
	if err != nil || method != MethodMonteCarlo {
		t.Fatal(shift, method, err)
	}
	if power, _, _ := law.ShiftPower(0.1, shift); power < 0.8 || power > 0.81 {
		t.Errorf("the power at the detectable shift of %v is %v", shift, power)
	}
	if again, _, _ := must(NewEngineNoDrift(EngineEvidently, MetricPSI, Shape{}, 1000, 300, EngineOptions{}))(t).(ShiftLaw).DetectableShift(0.1, 0.8); again != shift {
		t.Errorf("the detectable shift is %v, and another time %v", shift, again)
	}
	if _, _, err := law.DetectableShift(1000, 0.8); err == nil {
		t.Error("a threshold of 1000 is detectable")
	}
	for _, arguments := range [][2]float64{{math.NaN(), 0.5}, {0.1, 11}, {0.1, math.NaN()}} {
		if _, _, err := law.ShiftPower(arguments[0], arguments[1]); err == nil {
			t.Errorf("threshold %v and shift %v have a power", arguments[0], arguments[1])
		}
	}
	categories := must(NewEngineNoDrift(EngineEvidently, MetricJSDistance, Shape{[]float64{0, 1, 2}, []float64{0.5, 0.5}}, 1000, 300, EngineOptions{Categorical: true}))(t).(ShiftLaw)
	if _, _, err := categories.ShiftPower(0.1, 0.5); err == nil {
		t.Error("the mean of categories moves")
	}
}

func TestEngineLawsAgainstTheEnginesOnRealSamples(t *testing.T) {
	draws := 1500
	if testing.Short() {
		draws = 400
	}
	random := rand.New(rand.NewPCG(211, 223))
	exponential := exponentialShape()
	table := newShapeTable(exponential)
	for _, c := range []struct {
		name  string
		shape Shape
		draw  func() float64
		n, m  int
	}{
		{"normal", Shape{}, random.NormFloat64, 1000, 200},
		{"normal", Shape{}, random.NormFloat64, 400, 700},
		{"exponential", exponential, func() float64 { u := random.Float64(); return table.quantile(u, 1-u) }, 800, 250},
	} {
		type key struct {
			engine Engine
			metric Metric
		}
		got := map[key][]float64{}
		for range draws {
			e, a := make([]float64, c.n), make([]float64, c.m)
			for i := range e {
				e[i] = c.draw()
			}
			for i := range a {
				a[i] = c.draw()
			}
			for _, engine := range []Engine{EngineMission, EngineEvidently, EngineNannyML, EngineAzure} {
				for _, metric := range EngineMetrics(engine, false) {
					if metric == MetricKS || metric == MetricKSP || metric == MetricWasserstein {
						continue // tested as laws
					}
					r := must(EngineValue(engine, metric, e, a, EngineOptions{}))(t)
					k := key{engine, metric}
					got[k] = append(got[k], r.Value)
				}
			}
		}
		for k, values := range got {
			law := must(NewEngineNoDrift(k.engine, k.metric, c.shape, int64(c.n), int64(c.m), EngineOptions{}))(t)
			for _, q := range []float64{0.5, 0.1, 0.02} {
				x, method := law.UpperQuantile(q)
				hits := 0
				for _, v := range values {
					if v > x {
						hits++
					}
				}
				slack := 4.5*math.Sqrt(q/float64(draws)) + 0.02*q
				if k.metric == MetricWassersteinRaw && c.name != "normal" {
					slack += 0.1 // normal scaling
				}
				if p := float64(hits) / float64(draws); math.Abs(p-q) > slack {
					t.Errorf("%s %d/%d, %v: P(> %v) = %v by %s, the engine %v", c.name, c.n, c.m, k, x, q, method, p)
				}
			}
		}
	}
}

func TestEnginesFalseAlarmsAtTheirOwnThresholds(t *testing.T) {
	// statistics.md 2: measured on 1000 to 2500 pairs of normal samples, threshold 0.1.
	for _, c := range []struct {
		engine Engine
		metric Metric
		n, m   int64
		want   float64
	}{
		{EngineEvidently, MetricPSI, 1000, 200, 0.256},
		{EngineEvidently, MetricKLReverse, 1000, 200, 0.041},
		{EngineEvidently, MetricJSDistance, 1000, 200, 0.337},
		{EngineAzure, MetricPSI, 1000, 200, 0.018},
		{EngineAzure, MetricJSDistance2, 1000, 200, 0.381},
		{EngineNannyML, MetricJSDistance2, 1000, 200, 0.761},
		{EngineNannyML, MetricJSDistance2, 1000, 500, 0.172},
		{EngineEvidently, MetricPSI, 5000, 200, 0.207},
		{EngineMission, MetricPSI, 1000, 200, 0.062},
		{EngineEvidently, MetricWasserstein, 1000, 500, 0.106},
	} {
		law := must(NewEngineNoDrift(c.engine, c.metric, Shape{}, c.n, c.m, EngineOptions{}))(t)
		if p, _ := law.Survival(0.1); math.Abs(p-c.want) > 5*math.Sqrt(c.want*(1-c.want)/1500) {
			t.Errorf("%+v: %v", c, p)
		}
	}
}

func TestEngineLawsOfCategories(t *testing.T) {
	random := rand.New(rand.NewPCG(307, 311))
	shape := Shape{Edges: []float64{0, 1, 2, 3, 4, 5}, Shares: []float64{0.5, 0.3, 0.15, 0.04, 0.01}}
	const n, m, draws = 900, 300, 4000
	for _, engine := range []Engine{EngineMission, EngineEvidently, EngineNannyML, EngineAzure} {
		for _, metric := range EngineMetrics(engine, true) {
			law := must(NewEngineNoDrift(engine, metric, shape, n, m, EngineOptions{Categorical: true}))(t)
			p, isP := law.(*PValueLaw)
			x, _ := law.UpperQuantile(0.1)
			if isP {
				x, _ = p.LowerQuantile(0.1)
			}
			hits := 0
			for range draws {
				v := must(EngineCounts(engine, metric, drawMultinomial(random, n, shape.Shares, 1), drawMultinomial(random, m, shape.Shares, 1)))(t)
				if isP && v <= x || !isP && v > x {
					hits++
				}
			}
			if got := float64(hits) / draws; math.Abs(got-0.1) > 0.03 {
				t.Errorf("%s %s: beyond %v in %v, want 0.1", engine, metric, x, got)
			}
		}
	}
}

func TestEnginesCountMissingValuesAndRefuseWhatHasNoAnswer(t *testing.T) {
	nan := math.NaN()
	e, a := []float64{1, 2, nan, 3, 4, 5, 6, 7, 8, 9, 10}, []float64{1, nan, nan, 3, 9, 12}
	for _, engine := range []Engine{EngineMission, EngineEvidently, EngineNannyML, EngineAzure} {
		for _, categorical := range []bool{false, true} {
			for _, metric := range EngineMetrics(engine, categorical) {
				o := EngineOptions{Bins: 3, Categorical: categorical}
				r, err := EngineValue(engine, metric, e, a, o)
				if err != nil || r.MissingExpected != 1 || r.MissingActual != 2 {
					t.Errorf("%s %s: %+v, %v", engine, metric, r, err)
				}
				if _, err := EngineValue(engine, metric, []float64{nan}, a, o); err == nil {
					t.Errorf("%s %s: no values, no error", engine, metric)
				}
				if _, err := EngineValue(engine, metric, e, []float64{math.Inf(1)}, o); err == nil {
					t.Errorf("%s %s: an infinite value is accepted", engine, metric)
				}
			}
		}
		if _, _, err := EngineComparison(engine, MetricPSI); err != nil {
			t.Error(err)
		}
	}
	if _, err := EngineValue("x", MetricPSI, e, a, EngineOptions{}); err == nil {
		t.Error("an unknown engine is accepted")
	}
	if _, err := EngineValue(EngineNannyML, MetricPSI, e, a, EngineOptions{}); err == nil {
		t.Error("NannyML has no PSI")
	}
	for _, s := range []Shape{{Edges: []float64{1}}, {Shares: []float64{1}}, {Edges: []float64{1, 1}, Shares: []float64{1}}, {Edges: []float64{0, 1}, Shares: []float64{0.5}}} {
		if _, err := NewEngineNoDrift(EngineAzure, MetricPSI, s, 100, 100, EngineOptions{}); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}

func TestDivergencesAreWhatTheyMustBe(t *testing.T) {
	type measure struct {
		call      func(e, a []int64) (float64, error)
		symmetric bool
	}
	s := Smoothing{Method: SmoothingJeffreys}
	with := func(f func(e, a []int64, s Smoothing) (float64, error)) func(e, a []int64) (float64, error) {
		return func(e, a []int64) (float64, error) { return f(e, a, s) }
	}
	measures := map[string]measure{
		"psi": {with(PSICounts), true}, "kl": {with(KLCounts), false}, "kl_reverse": {with(KLReverseCounts), false},
		"js": {with(JSCounts), true}, "hellinger": {with(HellingerCounts), true}, "tv": {with(TotalVariationCounts), true},
		"linf": {LInfinityCounts, true}, "pearson": {with(PearsonCounts), false},
		"chi2": {func(e, a []int64) (float64, error) {
			r, err := ChiSquaredTwoSample(e, a, false)
			return r.Statistic, err
		}, true},
	}
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.IntRange(2, 12).Draw(t, "bins")
		e := rapid.SliceOfN(rapid.Int64Range(0, 500), bins, bins).Draw(t, "e")
		a := rapid.SliceOfN(rapid.Int64Range(0, 500), bins, bins).Draw(t, "a")
		e[0]++
		a[0]++
		for name, m := range measures {
			v, err := m.call(e, a)
			if err != nil || v < 0 || math.IsNaN(v) {
				t.Fatalf("%s: %v, %v", name, v, err)
			}
			if back, _ := m.call(a, e); m.symmetric && !near(back, v, 1e-9) {
				t.Fatalf("%s: %v one way, %v the other", name, v, back)
			}
			if self, _ := m.call(e, e); self > 1e-12 {
				t.Fatalf("%s of equals: %v", name, self)
			}
			// The order of bins does not count.
			re, ra := slices.Concat(e[1:], e[:1]), slices.Concat(a[1:], a[:1])
			if moved, _ := m.call(re, ra); !near(moved, v, 1e-9) && math.Abs(moved-v) > 1e-12 {
				t.Fatalf("%s: %v, with bins moved %v", name, v, moved)
			}
		}
		x := rapid.SliceOfN(rapid.Float64Range(-100, 100), 2, 40).Draw(t, "x")
		y := rapid.SliceOfN(rapid.Float64Range(-100, 100), 2, 40).Draw(t, "y")
		w, err := Wasserstein(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := Wasserstein(y, x); !near(back, w, 1e-9) && math.Abs(back-w) > 1e-10 {
			t.Fatal("Wasserstein is not symmetric")
		}
		times := func(v []float64) []float64 {
			out := make([]float64, len(v))
			for i := range v {
				out[i] = 8*v[i] + 32 // exact scaling
			}
			return out
		}
		if scaled, _ := Wasserstein(times(x), times(y)); math.Abs(scaled-8*w) > 1e-9 {
			t.Fatalf("Wasserstein %v, of 8 x + 32 %v", w, scaled)
		}
		if v, err := NormalisedWasserstein(x, y, 0, 0); err == nil && standardDeviation(x, 0) > 1e-3 {
			if again, err := NormalisedWasserstein(times(x), times(y), 0, 0); err != nil || !near(again, v, 1e-6) && math.Abs(again-v) > 1e-9 {
				t.Fatalf("normalised %v, of 8 x + 32 %v (%v)", v, again, err)
			}
		}
		d, p, err := KolmogorovSmirnov(x, y, KSExact)
		if err != nil || d < 0 || d > 1 || p < 0 || p > 1 {
			t.Fatal(d, p, err)
		}
		if d2, p2, _ := KolmogorovSmirnov(y, x, KSExact); d2 != d || !near(p2, p, 1e-9) {
			t.Fatal("KS is not symmetric")
		}
	})
}

func FuzzEngines(f *testing.F) {
	f.Add(bytesOf(1, 2, 3, 4), bytesOf(2, 2.5), uint8(0), uint8(0), false)
	f.Add(bytesOf(1, math.NaN(), 1e300, -1e300), bytesOf(5e-324), uint8(1), uint8(2), true)
	f.Add(bytesOf(0, 0, 0), bytesOf(0), uint8(3), uint8(1), false)
	engines := []Engine{EngineMission, EngineEvidently, EngineNannyML, EngineAzure}
	f.Fuzz(func(t *testing.T, x, y []byte, engine, metric uint8, categorical bool) {
		e := engines[int(engine)%len(engines)]
		metrics := EngineMetrics(e, categorical)
		r, err := EngineValue(e, metrics[int(metric)%len(metrics)], floats(x), floats(y), EngineOptions{Bins: int(metric), Categorical: categorical})
		defined(t, "engine", err, r.Value)
		if err == nil && r.Value < 0 {
			t.Fatalf("negative: %v", r.Value)
		}
	})
}

func FuzzSamplesAndTests(f *testing.F) {
	f.Add(bytesOf(1, 2, 3), bytesOf(2, 5), 0.5, int64(10))
	f.Add(bytesOf(math.Inf(1), 1), bytesOf(math.NaN()), -1.0, int64(-1))
	f.Fuzz(func(t *testing.T, x, y []byte, p float64, n int64) {
		e, a := floats(x), floats(y)
		v, err := Wasserstein(e, a)
		defined(t, "Wasserstein", err, v)
		v, err = NormalisedWasserstein(e, a, 1, p)
		defined(t, "NormalisedWasserstein", err, v)
		v, err = WeightedWasserstein(e, a, a, e)
		defined(t, "WeightedWasserstein", err, v)
		for _, method := range []KSMethod{KSAuto, KSExact, KSAsymptotic} {
			d, q, err := KolmogorovSmirnov(e, a, method)
			defined(t, "KS", err, d, q)
			if n < 5000 {
				q, err = KSPValue(n, n/2, p, method)
				defined(t, "KSPValue", err, q)
			}
		}
		u, q, err := MannWhitney(e, a)
		defined(t, "MannWhitney", err, u, q)
		auc, variance, err := DeLong(e, a)
		defined(t, "DeLong", err, auc, variance)
		counts := func(v []float64) []int64 {
			out := make([]int64, len(v))
			for i, w := range v {
				out[i] = int64(math.Float64bits(w) >> 1)
			}
			return out
		}
		r, err := ChiSquaredTwoSample(counts(e), counts(a), true)
		defined(t, "ChiSquaredTwoSample", err, r.Statistic, r.PValue)
		_, _ = ChiSquaredGoodnessOfFit(e, a) // may be infinite, and says so
		v, err = LInfinityCounts(counts(e), counts(a))
		defined(t, "LInfinity", err, v)
		low, high, err := WilsonInterval(n/2, n, p)
		defined(t, "Wilson", err, low, high)
		low, high, err = ClopperPearsonInterval(n/2, n, p)
		defined(t, "ClopperPearson", err, low, high)
		v, err = KolmogorovUpperQuantile(p)
		defined(t, "Kolmogorov", err, v)
	})
}

func FuzzGatesAndRuns(f *testing.F) {
	f.Add(0.8, 100.0, 50.0, 0.05, int64(1000), 3, 5)
	f.Add(math.NaN(), -1.0, 1e300, 1.0, int64(-5), 0, 99)
	f.Add(1e-300, 1e-300, 1e-9, 0.999999, int64(1)<<62, 16, 16)
	f.Fuzz(func(t *testing.T, a, b, c, p float64, n int64, m, k int) {
		check := func(what string) func(v float64, err error) {
			return func(v float64, err error) { defined(t, what, err, v) }
		}
		for _, method := range []string{AUCBinormal, AUCHanleyMcNeil} {
			check("AUC")(AUCStandardError(method, a, b, c))
			check("AUCSamples")(AUCSamples(method, a, p, b, c))
		}
		check("accuracy")(AccuracyStandardError(a, b))
		check("rmse")(RMSEStandardError(a, b, c))
		check("gate")(GateChance(a, b, c, n%2 == 0))
		check("design effect")(DesignEffect(b, p))
		check("log-normal")(LogNormalQuantileError(b, p, c))
		if p > 1e-4 && p < 1-1e-4 {
			_, _ = WilksSamples(p, a, n)
			_, _ = QuantileSupport(p, a)
		}
		_, _, coverage, _, err := QuantileRanks(n, p, a)
		defined(t, "ranks", err, coverage)
		check("consecutive")(ConsecutiveARL(p, k))
		if k < 9 {
			check("m of n")(MofNARL(p, m, k))
		}
		check("m of n rate")(MofNRate(p, m, k))
		check("Shewhart")(ShewhartARL(a))
		if b < 20 {
			check("CUSUM")(CUSUMARL(a, b, c))
		}
		fam, err := NewFamilyAlarms(Family{m, k, p, p / 2, min(2*p, 1)})
		defined(t, "family", err, fam.Expected, fam.AnyIndependent, fam.AnyLow, fam.AnyHigh, fam.AdjustedRate)
		test := MeanTest{a, b, c, p, n%2 == 0}
		check("t power")(TTestPower(test, c, b))
		check("t samples")(TTestSamples(test, 0.8))
		for _, formula := range []string{FormulaFleiss, FormulaUnpooled, FormulaArcsine, FormulaMission, FormulaMiller} {
			if cmp, err := NewProportionComparisonBy(formula, ProportionTest{a, b, c, p, true}); err == nil {
				check(formula)(cmp.SamplesTreatment(0.8))
			}
		}
		check("corrected")(ContinuityCorrected(a, b, c))
		check("chi-squared power")(ChiSquaredPower(a, b, c, p))
		check("always valid")(AlwaysValidCritical(a, p))
		check("spending")(Spending{SpendingHwangShihDeCani, a}.Spend(p, c))
		check("spending")(Spending{SpendingPower, a}.Spend(p, c))
	})
}

func FuzzLaws(f *testing.F) {
	f.Add(uint8(3), 5, int64(100), int64(50), 0.1, 0.01)
	f.Add(uint8(8), 2, int64(1), int64(1), -1.0, math.NaN())
	f.Add(uint8(14), 30, int64(1)<<40, int64(77), math.Inf(1), 1e-300)
	f.Fuzz(func(t *testing.T, metric uint8, bins int, n, m int64, threshold, q float64) {
		metrics := Metrics()
		law, err := NewNoDriftFor(metrics[int(metric)%len(metrics)], NoDriftParameters{EqualShares(min(max(bins, 0), 20)), n, m, DefaultSmoothing()})
		if err != nil {
			return
		}
		p, _ := law.Survival(threshold)
		x, _ := law.UpperQuantile(q)
		if math.IsNaN(p) || p < 0 || p > 1 || math.IsNaN(x) || x < 0 {
			t.Fatalf("survival %v, quantile %v", p, x)
		}
	})
}

func FuzzDesigns(f *testing.F) {
	f.Add(uint8(5), 0.05, -4.0, 0.8, true)
	f.Add(uint8(1), 1.0, math.NaN(), 0.0, false)
	f.Add(uint8(12), 1e-300, 40.0, 1-1e-16, true)
	f.Fuzz(func(t *testing.T, looks uint8, alpha, parameter, power float64, two bool) {
		fractions, err := equalLooks(int(looks % 16))
		if err != nil {
			return
		}
		for _, family := range []string{SpendingHwangShihDeCani, SpendingPower, SpendingPocock} {
			d, err := NewSequentialSpending(Spending{family, parameter}, fractions, alpha, two)
			checkDesignFuzz(t, d, err, power)
		}
		for _, shape := range []string{ShapePocock, ShapeOBrienFleming} {
			d, err := NewSequentialClassical(shape, fractions, alpha, two)
			checkDesignFuzz(t, d, err, power)
		}
		d, err := NewHaybittlePeto(fractions, parameter, alpha, two)
		checkDesignFuzz(t, d, err, power)
	})
}

func checkDesignFuzz(t *testing.T, d *Sequential, err error, power float64) {
	t.Helper()
	if err != nil {
		return
	}
	for _, z := range d.CriticalValues() {
		if math.IsNaN(z) {
			t.Fatal("NaN critical value")
		}
	}
	v, err := d.Inflation(power)
	defined(t, "inflation", err, v)
	v, err = d.Power(2)
	defined(t, "power", err, v)
}
