package stats

import (
	"fmt"
	"math"
	"testing"
)

// oddNumbers are where formulas break: the ends of floats, of probabilities, of counts.
var oddNumbers = []float64{
	0, math.Copysign(0, -1), -1, math.SmallestNonzeroFloat64, 1e-300, 1e-9, 0.5, 1 - 0x1p-53, 1, 2, 1e15, 1e300, math.MaxFloat64,
	-math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(),
}

// oddCounts are bins: none, one, empty ones, huge ones, impossible ones.
var oddCounts = [][]int64{
	nil, {}, {0}, {5}, {math.MaxInt64}, {0, 0}, {1, 0}, {0, 1}, {3, 4}, {math.MaxInt64, 1}, {1 << 61, 1 << 61}, {-1, 2}, {0, 7, 0}, {1, 1 << 60, 1},
}

var oddShares = [][]float64{
	nil, {}, {1}, {0}, {0.5, 0.5}, {1, 0}, {0, 1}, {1e-300, 1}, {math.SmallestNonzeroFloat64, 1}, {math.NaN(), 1}, {math.Inf(1), 0}, {-1, 2}, {0.2, 0.3}, {0, 1, 0},
}

var oddSmoothings = []Smoothing{
	{}, DefaultSmoothing(), {Method: SmoothingNone}, {Method: SmoothingLaplace}, {Method: SmoothingJeffreys}, {SmoothingEpsilon, math.NaN()},
	{SmoothingEpsilon, 0}, {SmoothingEpsilon, -1}, {SmoothingEpsilon, math.Inf(1)}, {SmoothingEpsilon, math.SmallestNonzeroFloat64}, {"magic", 1},
}

// answers fails where a call panics, or gives a number that is none without saying why.
func answers(t *testing.T, call func() ([]float64, error), what string, inputs ...any) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s(%v) panics: %v", what, inputs, r)
		}
	}()
	values, err := call()
	if err != nil {
		if err.Error() == "" {
			t.Errorf("%s(%v) does not say what is wrong", what, inputs)
		}
		return
	}
	for _, v := range values {
		if !finite(v) {
			t.Errorf("%s(%v) = %v and no error", what, inputs, values)
			return
		}
	}
}

// probabilities is for functions without an error: what they give is one.
func probabilities(values ...float64) ([]float64, error) {
	for _, v := range values {
		if !(v >= 0 && v <= 1) {
			return []float64{math.NaN()}, nil
		}
	}
	return values, nil
}

func one(v float64, err error) ([]float64, error) { return []float64{v}, err }

// everyOdd calls with every combination of so many odd numbers.
func everyOdd(arguments int, call func(x []float64)) {
	x := make([]float64, arguments)
	var fill func(at int)
	fill = func(at int) {
		if at == arguments {
			call(x)
			return
		}
		for _, v := range oddNumbers {
			x[at] = v
			fill(at + 1)
		}
	}
	fill(0)
}

func TestDegenerateNumbersGiveAnAnswerOrAnError(t *testing.T) {
	for name, f := range map[string]func(float64) (float64, error){
		"NormalCDF": NormalCDF, "NormalQuantile": NormalQuantile, "KolmogorovSurvival": KolmogorovSurvival,
		"PSIBand": func(x float64) (float64, error) { _, err := PSIBand(x); return 0, err },
	} {
		everyOdd(1, func(x []float64) {
			answers(t, func() ([]float64, error) { return one(f(x[0])) }, name, x[0])
		})
	}
	everyOdd(2, func(x []float64) {
		answers(t, func() ([]float64, error) { return one(CohenH(x[0], x[1])) }, "CohenH", x[0], x[1])
		answers(t, func() ([]float64, error) { return probabilities(PoissonAbove(x[0], x[1]), PoissonBelow(x[0], x[1])) }, "Poisson", x[0], x[1])
		for _, spending := range []string{SpendingOBrienFleming, SpendingPocock, "magic"} {
			answers(t, func() ([]float64, error) { return one(Spend(spending, x[0], x[1])) }, "Spend", spending, x[0], x[1])
		}
	})
	everyOdd(3, func(x []float64) {
		for _, method := range []string{AUCBinormal, AUCHanleyMcNeil, "magic"} {
			if l, err := NewAUCLaw(method, x[0]); err == nil {
				answers(t, func() ([]float64, error) { a, b, err := l.Moments(x[1], x[2]); return []float64{a, b}, err }, "AUCLaw.Moments", method, x[0], x[1], x[2])
			}
		}
		for _, skewness := range []float64{0, 1e-300, 0.5, -0.5, 1e300, math.NaN()} {
			l := SkewedLaw{x[0], x[1], skewness}
			answers(t, func() ([]float64, error) { return probabilities(l.Above(x[2]), l.Below(x[2])) }, "SkewedLaw", l, x[2])
		}
		for _, rows := range []int64{-1, 0, 1, 40, 1e15, math.MaxInt64} {
			s := Subset{rows, x[0], x[1]}
			answers(t, func() ([]float64, error) {
				if err := s.Validate(); err != nil {
					return nil, err
				}
				above, _ := s.Above(x[2], true)
				below, _ := s.Below(x[2], false)
				return probabilities(above, below)
			}, "Subset", s, x[2])
		}
	})
	everyOdd(4, func(x []float64) {
		answers(t, func() ([]float64, error) { return one(AlwaysValidHalfWidth(x[0], x[1], x[2], x[3])) }, "AlwaysValidHalfWidth", x[0], x[1], x[2], x[3])
	})
	for _, w := range []float64{0, 1e-300, 1e-9, 0.5, 2, 1e300, math.NaN()} {
		for _, degrees := range []float64{-1, 0, 1e-9, 1, 9, 1e15, math.Inf(1), math.NaN()} {
			for _, p := range oddNumbers {
				answers(t, func() ([]float64, error) { return one(ChiSquaredSamples(w, degrees, 0.05, p)) }, "ChiSquaredSamples", w, degrees, 0.05, p)
				answers(t, func() ([]float64, error) { return one(ChiSquaredSamples(w, degrees, p, 0.8)) }, "ChiSquaredSamples", w, degrees, p, 0.8)
			}
		}
	}
}

func TestDegenerateBinsGiveAnAnswerOrAnError(t *testing.T) {
	engines := []Engine{EngineMission, EngineEvidently, EngineNannyML, EngineAzure, "magic"}
	for _, e := range oddCounts {
		for _, a := range oddCounts {
			for name, f := range map[string]func(e, a []int64, s Smoothing) (float64, error){
				"PSICounts": PSICounts, "KLCounts": KLCounts, "KLReverseCounts": KLReverseCounts, "JSCounts": JSCounts,
				"HellingerCounts": HellingerCounts, "TotalVariationCounts": TotalVariationCounts, "PearsonCounts": PearsonCounts,
				"JSDistanceCounts": func(e, a []int64, s Smoothing) (float64, error) { return JSDistanceCounts(e, a, 2, s) },
			} {
				for _, s := range oddSmoothings {
					answers(t, func() ([]float64, error) { return one(f(e, a, s)) }, name, e, a, s)
				}
			}
			for _, engine := range engines {
				for _, metric := range append(EngineMetrics(engine, true), "magic") {
					answers(t, func() ([]float64, error) { return one(EngineCounts(engine, metric, e, a)) }, "EngineCounts", engine, metric, e, a)
				}
			}
		}
	}
	for _, e := range oddShares {
		for _, a := range oddShares {
			for name, f := range map[string]func(e, a []float64, s Smoothing) (float64, error){
				"KLReverseProportions": KLReverseProportions, "HellingerProportions": HellingerProportions, "PearsonProportions": PearsonProportions,
				"TotalVariationProportions": TotalVariationProportions,
				"LInfinityProportions":      func(e, a []float64, _ Smoothing) (float64, error) { return LInfinityProportions(e, a) },
			} {
				for _, s := range oddSmoothings {
					answers(t, func() ([]float64, error) { return one(f(e, a, s)) }, name, e, a, s)
				}
			}
			for _, base := range oddNumbers {
				answers(t, func() ([]float64, error) {
					return one(JSDistanceProportions(e, a, base, Smoothing{Method: SmoothingNone}))
				}, "JSDistanceProportions", e, a, base)
			}
		}
		for _, shift := range oddNumbers {
			answers(t, func() ([]float64, error) { return ShiftedShares(e, shift) }, "ShiftedShares", e, shift)
		}
		answers(t, func() ([]float64, error) { return one(ReferenceLimit(e)) }, "ReferenceLimit", e)
	}
	answers(t, func() ([]float64, error) { return one(ReferenceLimit([]float64{math.MaxFloat64, -math.MaxFloat64})) }, "ReferenceLimit", "the largest numbers")
	answers(t, func() ([]float64, error) { return one(ReferenceLimit(oddNumbers)) }, "ReferenceLimit", oddNumbers)
	for _, s := range oddSmoothings {
		if err := s.Validate(); (err == nil) != (s.Method == "" || s.Epsilon == 0 && s.Method != SmoothingEpsilon || s.Method == SmoothingEpsilon && s.Epsilon > 0 && finite(s.Epsilon)) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, engine := range engines {
		for _, metric := range append(EngineMetrics(engine, true), EngineMetrics(engine, false)...) {
			operator, _, err := EngineComparison(engine, metric)
			if err != nil || operator == "" {
				t.Errorf("EngineComparison(%s, %s): %q, %v", engine, metric, operator, err)
			}
		}
	}
	if _, _, err := EngineComparison("magic", MetricPSI); err == nil {
		t.Error("an unknown engine compares")
	}
	if present, missing := SplitMissing(oddNumbers); missing != 1 || len(present) != len(oddNumbers)-1 {
		t.Errorf("%d present and %d missing of %v", len(present), missing, oddNumbers)
	}
	if present, missing := SplitMissing(nil); missing != 0 || len(present) != 0 {
		t.Errorf("%d present and %d missing of nothing", len(present), missing)
	}
}

func TestDegenerateLawsGiveAnAnswerOrAnError(t *testing.T) {
	for _, shape := range []NoDriftParameters{
		{Shares: EqualShares(1), BaselineSamples: 10, WindowSamples: 10},
		{Shares: []float64{0, 1, 0}, BaselineSamples: 10, WindowSamples: 10},
		{Shares: EqualShares(2), BaselineSamples: 1, WindowSamples: 1},
		{Shares: EqualShares(3), BaselineSamples: 30, WindowSamples: 20},
		{Shares: []float64{1e-12, 1 - 1e-12}, BaselineSamples: 1000, WindowSamples: 1000},
		{Shares: EqualShares(10), BaselineSamples: maxSamples, WindowSamples: maxSamples},
	} {
		shape.Smoothing = DefaultSmoothing()
		for _, metric := range Metrics() {
			if shape.WindowSamples == maxSamples && (metric == MetricTotalVariation || metric == MetricLInfinity) {
				continue // seconds each
			}
			law, err := NewNoDriftFor(metric, shape)
			if err != nil {
				continue
			}
			degenerateLaw(t, fmt.Sprintf("%s of %d bins, %d and %d samples", metric, len(shape.Shares), shape.BaselineSamples, shape.WindowSamples), law, shape.WindowSamples < maxSamples)
		}
	}
	for _, shape := range []Shape{{}, {[]float64{0, 1}, []float64{1}}, {[]float64{0, 1, 2}, []float64{1, 0}}, {[]float64{0, 0}, []float64{1}}, {[]float64{0, math.Inf(1)}, []float64{1}}, {nil, []float64{1}}} {
		for _, n := range []int64{-1, 0, 1, 30} {
			for _, metric := range []Metric{MetricPSI, MetricKSP, "magic"} {
				law, err := NewEngineNoDrift(EngineAzure, metric, shape, n, n, EngineOptions{})
				if err == nil {
					degenerateLaw(t, fmt.Sprintf("azure's %s of %d bins, %d samples", metric, len(shape.Shares), n), law, true)
				}
			}
		}
	}
}

// degenerateLaw asks a law, and where powers are cheap those too.
func degenerateLaw(t *testing.T, what string, law Law, powers bool) {
	t.Helper()
	for _, x := range oddNumbers {
		answers(t, func() ([]float64, error) {
			p, method := law.Survival(x)
			if method == "" {
				t.Errorf("%s: Survival(%v) has no method", what, x)
			}
			return probabilities(p)
		}, what+": Survival", x)
		answers(t, func() ([]float64, error) {
			v, _ := law.UpperQuantile(x)
			return []float64{v}, nil
		}, what+": UpperQuantile", x)
		if p, ok := law.(*PValueLaw); ok {
			answers(t, func() ([]float64, error) {
				below, _ := p.Below(x)
				lower, _ := p.LowerQuantile(x)
				quantile, _ := p.Quantile(x)
				return probabilities(below, lower, quantile)
			}, what+": Below, LowerQuantile, Quantile", x)
		}
		shifted, ok := law.(ShiftLaw)
		if !ok || !powers {
			continue
		}
		if finite(x) && x != -1 && x != 0 && x != 1-0x1p-53 {
			continue // powers may be simulated
		}
		answers(t, func() ([]float64, error) { v, _, err := shifted.ShiftPower(x, 0.5); return []float64{v}, err }, what+": ShiftPower", x, 0.5)
		answers(t, func() ([]float64, error) { v, _, err := shifted.ShiftPower(0.1, x); return []float64{v}, err }, what+": ShiftPower", 0.1, x)
		answers(t, func() ([]float64, error) { v, _, err := shifted.DetectableShift(x, 0.8); return []float64{v}, err }, what+": DetectableShift", x, 0.8)
		answers(t, func() ([]float64, error) { v, _, err := shifted.DetectableShift(0.1, x); return []float64{v}, err }, what+": DetectableShift", 0.1, x)
		if d, ok := law.(*NoDrift); ok {
			answers(t, func() ([]float64, error) { return one(d.ShiftDivergence(x)) }, what+": ShiftDivergence", x)
			for _, o := range []Overlap{{}, {1, 1, 1, 1}, {2, 3, 2, 5}, {-1, 1, 1, 1}, {1, 1, -1, math.MaxInt}} {
				answers(t, func() ([]float64, error) {
					r, err := d.OverlappingAlarms(x, o)
					return []float64{r.Exceeds, r.Fires, r.Episodes, r.Error}, err
				}, what+": OverlappingAlarms", x, o)
			}
		}
	}
	if s, ok := law.(interface {
		DetectableShift(threshold, power float64) (float64, Method, error)
	}); ok && powers {
		answers(t, func() ([]float64, error) {
			v, _, err := s.DetectableShift(math.NaN(), math.NaN())
			return []float64{v}, err
		}, what+": DetectableShift", "NaN")
	}
}

func TestDegenerateDesignsGiveAnAnswerOrAnError(t *testing.T) {
	var designs []*Sequential
	for _, fractions := range [][]float64{nil, {}, {1}, {0, 1}, {0.5, 0.5, 1}, {0.5, 1}, {1e-5, 1}, {0.5, 0.9}, {math.NaN(), 1}, {0.5, math.Inf(1)}, {-1, 1}} {
		for _, alpha := range oddNumbers {
			for _, two := range []bool{false, true} {
				answers(t, func() ([]float64, error) {
					d, err := NewSequentialAt(SpendingPocock, fractions, alpha, two)
					if err != nil {
						return nil, err
					}
					designs = append(designs, d)
					return one(d.TypeIError(), nil)
				}, "NewSequentialAt", fractions, alpha, two)
			}
			for _, z := range []float64{0, -1, 1e-300, 1, 1e300, math.Inf(1), math.NaN()} {
				critical := make([]float64, len(fractions))
				for i := range critical {
					critical[i] = z
				}
				answers(t, func() ([]float64, error) {
					d, err := NewSequentialBounds(fractions, critical, true)
					if err != nil {
						return nil, err
					}
					designs = append(designs, d)
					return one(d.TypeIError(), nil)
				}, "NewSequentialBounds", fractions, critical)
			}
		}
	}
	if len(designs) == 0 {
		t.Fatal("no design was made")
	}
	mean, err := NewMeanComparison(MeanTest{1, 0.1, 1, 0.05, true})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range designs {
		for _, x := range oddNumbers {
			answers(t, func() ([]float64, error) { return one(d.Drift(x)) }, "Drift", d.CriticalValues(), x)
			answers(t, func() ([]float64, error) {
				p, err := d.ExitProbabilities(x)
				if err == nil && len(p) != d.Looks() {
					t.Errorf("%d exit probabilities of %d looks", len(p), d.Looks())
				}
				return p, err
			}, "ExitProbabilities", d.CriticalValues(), x)
			answers(t, func() ([]float64, error) { return one(mean.SamplesTreatmentWithLooks(x, d)) }, "SamplesTreatmentWithLooks", d.CriticalValues(), x)
		}
	}
	everyOdd(3, func(x []float64) {
		for _, two := range []bool{false, true} {
			answers(t, func() ([]float64, error) {
				c, err := NewProportionComparisonFor(ProportionTest{0.1, x[0], 1, 0.05, two}, x[1], x[2])
				if err != nil {
					return nil, err
				}
				return one(c.Ratio(), nil)
			}, "NewProportionComparisonFor", x[0], x[1], x[2])
		}
		answers(t, func() ([]float64, error) {
			c, err := NewNonInferiorityProportionUnpooled(NonInferiorityTest{x[0], 1, 0, x[1], true, 1, x[2]})
			if err != nil {
				return nil, err
			}
			return one(c.SamplesTreatment(0.8))
		}, "NewNonInferiorityProportionUnpooled", x[0], x[1], x[2])
	})
}
