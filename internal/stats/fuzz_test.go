package stats

import (
	"encoding/binary"
	"math"
	"testing"
)

// defined fails on NaN, and on an infinity where none is an answer.
func defined(t *testing.T, what string, err error, values ...float64) {
	t.Helper()
	if err != nil {
		return
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("%s = %v and no error", what, v)
		}
	}
}

func floats(raw []byte) []float64 {
	out := make([]float64, 0, len(raw)/8)
	for ; len(raw) >= 8 && len(out) < 64; raw = raw[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	}
	return out
}

func bytesOf(values ...float64) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

func FuzzDivergences(f *testing.F) {
	f.Add(bytesOf(0.5, 0.5), bytesOf(0.1, 0.9), "epsilon", 1e-8)
	f.Add(bytesOf(0, 1), bytesOf(1, 0), "none", 0.0)
	f.Add(bytesOf(math.NaN()), bytesOf(math.Inf(1), 5e-324), "laplace", -1.0)
	f.Fuzz(func(t *testing.T, a, b []byte, method string, epsilon float64) {
		s := Smoothing{method, epsilon}
		expected, actual := floats(a), floats(b)
		for _, call := range []func([]float64, []float64, Smoothing) (float64, error){PSIProportions, KLProportions, JSProportions} {
			v, err := call(expected, actual, s)
			defined(t, "divergence", err, v)
			if err == nil && v < 0 {
				t.Fatalf("negative: %v", v)
			}
		}
		v, err := PSISamples(expected, actual, len(a)%12)
		defined(t, "PSISamples", err, v)
		q, err := Quantiles(expected, []float64{0, 0.3, 1})
		if err == nil {
			for _, v := range q {
				if math.IsNaN(v) {
					t.Fatal("NaN quantile")
				}
			}
		}
		if edges, _, err := QuantileEdges(expected, len(b)%9); err == nil {
			_, _, _ = Histogram(actual, OpenEdges(edges))
		}
	})
}

func FuzzSampleSizes(f *testing.F) {
	f.Add(0.1, 0.01, 1.0, 0.05, 0.8, 7200.0)
	f.Add(0.0, math.NaN(), math.Inf(1), 1.0, 0.5, -1.0)
	f.Add(0.5, 1e-300, 1e-300, 0.999, 0.9995, 1e300)
	f.Fuzz(func(t *testing.T, base, effect, ratio, alpha, power, n float64) {
		for _, two := range []bool{false, true} {
			p := ProportionTest{base, effect, ratio, alpha, two}
			m := MeanTest{base, effect, ratio, alpha, two}
			for _, higher := range []bool{false, true} {
				ni := NonInferiorityTest{base, base, effect / 2, effect, higher, ratio, alpha}
				c1, e1 := NewProportionComparison(p)
				c2, e2 := NewMeanComparison(m)
				c3, e3 := NewNonInferiorityProportion(ni)
				c4, e4 := NewNonInferiorityMean(ni)
				for i, c := range []Comparison{c1, c2, c3, c4} {
					if []error{e1, e2, e3, e4}[i] != nil {
						continue
					}
					v, err := c.SamplesTreatment(power)
					defined(t, "samples", err, v)
					v, err = c.Power(n)
					defined(t, "power", err, v)
				}
			}
			v, err := ProportionPower(p, n, ratio)
			defined(t, "ProportionPower", err, v)
			v, err = MeanTestPower(m, n, ratio)
			defined(t, "MeanTestPower", err, v)
			v, err = DetectableProportionEffect(p, n, ratio, power)
			defined(t, "DetectableProportionEffect", err, v)
			v, err = DetectableMeanEffect(m, n, ratio, power)
			defined(t, "DetectableMeanEffect", err, v)
		}
		v, err := MissionSampleSizeProportion(base, effect, alpha, power)
		defined(t, "MissionSampleSizeProportion", err, v)
		v, err = MissionSampleSizeMean(base, effect, alpha, power)
		defined(t, "MissionSampleSizeMean", err, v)
		_, _ = CeilCount(n)
	})
}

func FuzzTails(f *testing.F) {
	f.Add(10.0, 9.0, 20.0, int64(3), int64(100), 0.01)
	f.Add(1e5, 1e-3, 1e5, int64(-1), int64(0), 1.0)
	f.Add(math.Inf(1), math.NaN(), -1.0, int64(1)<<62, int64(1)<<62, 0.5)
	f.Fuzz(func(t *testing.T, x, degrees, lambda float64, k, n int64, p float64) {
		probability := func(what string, v float64, err error) {
			t.Helper()
			defined(t, what, err, v)
			if err == nil && (v < 0 || v > 1) {
				t.Fatalf("%s = %v", what, v)
			}
		}
		v, err := NormalSurvival(x)
		probability("normal", v, err)
		if degrees < 1e6 && lambda < 1e9 { // beyond, slow or beyond gonum
			v, err = ChiSquaredSurvival(x, degrees)
			probability("chi-squared", v, err)
			v, err = NoncentralChiSquaredSurvival(x, degrees, lambda)
			probability("noncentral", v, err)
			v, err = ChiSquaredUpperQuantile(p, degrees)
			defined(t, "chi-squared quantile", err, v)
		}
		v, err = BinomialUpperTail(k, n, p)
		probability("binomial", v, err)
		fails, aborts, err := FalseAbort(GuardrailChecks{p, p / 2, n, k, k / 2})
		probability("check", fails, err)
		probability("abort", aborts, err)
		if v, err := BetaBinomialLogPMF(k, n, degrees, lambda); err == nil && math.IsNaN(v) {
			t.Fatal("beta-binomial is NaN")
		}
		v, err = AnyOf([]float64{p, x})
		probability("any of", v, err)
		v, err = NormalUpperQuantile(p)
		defined(t, "normal quantile", err, v)
	})
}

func FuzzRounding(f *testing.F) {
	f.Add(0.080549, 3)
	f.Add(math.MaxFloat64, 1)
	f.Add(5e-324, 17)
	f.Fuzz(func(t *testing.T, x float64, digits int) {
		up, down := RoundUpSignificant(x, digits), RoundDownSignificant(x, digits)
		if !math.IsNaN(x) && !math.IsInf(x, 0) && down > up {
			t.Fatalf("%v rounds to [%v, %v]", x, down, up)
		}
		if p := RoundProbability(x); !(p >= 0 && p <= 1) {
			t.Fatalf("probability %v", p)
		}
		_, _ = FormatFloat(x), RoundSignificant(x, digits)
	})
}

func FuzzSequential(f *testing.F) {
	f.Add(5, 0.05, true, 3.0, 0.8, 1000.0)
	f.Add(1, 0.999, false, -1.0, 1.0, 0.0)
	f.Fuzz(func(t *testing.T, looks int, alpha float64, two bool, drift, power, n float64) {
		if looks > 12 {
			looks %= 12
		}
		for _, spending := range []string{SpendingOBrienFleming, SpendingPocock} {
			d, err := NewSequential(spending, looks, alpha, two)
			if err != nil {
				continue
			}
			for _, z := range d.CriticalValues() {
				if math.IsNaN(z) {
					t.Fatal("NaN critical value")
				}
			}
			defined(t, "type I error", nil, d.TypeIError())
			v, err := d.Power(drift)
			defined(t, "power", err, v)
			v, err = d.Inflation(power)
			defined(t, "inflation", err, v)
			if c, err := NewMeanComparison(MeanTest{1, 0.1, 1, alpha, two}); err == nil {
				v, err = c.PowerWithLooks(n, d)
				defined(t, "power with looks", err, v)
			}
		}
		v, err := UnadjustedTypeIError(looks, alpha, two)
		defined(t, "unadjusted", err, v)
	})
}

func FuzzMeanPower(f *testing.F) {
	f.Add(0.1, 10, 1000.0, 500.0, 0.01, 2)
	f.Add(1e-9, 3, 1e-3, 1e9, 0.5, 100)
	f.Fuzz(func(t *testing.T, threshold float64, bins int, n, m, p float64, s int) {
		if bins > 200 {
			bins %= 200
		}
		mean, low, high, err := MeanPower(threshold, bins, n, m, p, s)
		defined(t, "MeanPower", err, mean, low, high)
	})
}
