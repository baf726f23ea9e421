package stats

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func proportion(p1, p2, ratio, alpha float64, sides int) ProportionTest {
	return ProportionTest{BaselineRate: p1, Effect: p2 - p1, Ratio: ratio, SignificanceLevel: alpha, TwoSided: sides != 1}
}

func TestSampleSizesOfTwoProportionsAreThoseOfRAndGsDesign(t *testing.T) {
	for _, c := range goldenCases(t, "n_two_prop_pooled_null") {
		in := decode[struct {
			P1, P2, Alpha, Power float64
			Ratio                float64 `json:"ratio_n2_over_n1"`
			Sides                int
		}](t, c.Inputs)
		var test ProportionTest
		if in.Ratio == 0 {
			test = proportion(in.P1, in.P2, 1, in.Alpha, in.Sides)
		} else { // the first arm of these cases is the treatment
			test = proportion(in.P2, in.P1, in.Ratio, in.Alpha, in.Sides)
		}
		comparison := must(NewProportionComparison(test))(t)
		got := must(comparison.SamplesTreatment(in.Power))(t)
		var want struct{ N1, N2 float64 }
		if c.Expected[0] == '{' {
			want = decode[struct{ N1, N2 float64 }](t, c.Expected)
			wantNear(t, c.Name+" control", got*comparison.Ratio(), want.N2, 1e-12)
		} else {
			want.N1 = decode[float64](t, c.Expected)
		}
		wantNear(t, c.Name, got, want.N1, 1e-12)
		wantNear(t, c.Name+" power", must(comparison.Power(got))(t), in.Power, 1e-10)
	}
}

func TestPowerOfTwoProportions(t *testing.T) {
	for _, c := range goldenCases(t, "power_two_prop_pooled_null") {
		in := decode[struct{ P1, P2, N1, N2, Alpha float64 }](t, c.Inputs)
		got := must(ProportionPower(proportion(in.P2, in.P1, 1, in.Alpha, 2), in.N1, in.N2))(t)
		wantNear(t, c.Name, got, decode[float64](t, c.Expected), 1e-12)
	}
	got := must(ProportionPower(proportion(0.10, 0.11, 1, 0.05, 2), 14400, 273600))(t)
	if r := RoundSignificant(got, 3); r != 0.968 {
		t.Errorf("power of 14,400 against 273,600 = %v, want 0.968", r)
	}
}

func TestCustomaryEqualArmFormulas(t *testing.T) {
	for _, c := range goldenCases(t, "n_two_prop_simple_pooled") {
		in := decode[struct{ P1, MDE, Alpha, Power float64 }](t, c.Inputs)
		want := decode[struct {
			N    float64
			Ceil int64
		}](t, c.Expected)
		got := must(MissionSampleSizeProportion(in.P1, in.MDE, in.Alpha, in.Power))(t)
		wantNear(t, c.Name, got, want.N, 1e-12)
		if n := must(CeilCount(got))(t); n != want.Ceil {
			t.Errorf("%s rounds up to %d, want %d", c.Name, n, want.Ceil)
		}
	}
	for _, c := range goldenCases(t, "n_two_means_z") {
		in := decode[struct{ Sigma, Delta, Alpha, Power float64 }](t, c.Inputs)
		want := decode[float64](t, c.Expected)
		wantNear(t, c.Name, must(MissionSampleSizeMean(in.Sigma, in.Delta, in.Alpha, in.Power))(t), want, 1e-12)
		means := must(NewMeanComparison(MeanTest{StdDev: in.Sigma, Effect: in.Delta, Ratio: 1, SignificanceLevel: in.Alpha, TwoSided: true}))(t)
		wantNear(t, c.Name+" as comparison", must(means.SamplesTreatment(in.Power))(t), want, 1e-12)
	}
}

func TestNonInferiorityIsFarringtonAndMannings(t *testing.T) {
	for _, c := range goldenCases(t, "n_noninferiority_prop_fm") {
		in := decode[struct {
			PC, PT, Margin, Power float64
			Alpha                 float64 `json:"alpha_one_sided"`
		}](t, c.Inputs)
		for _, higher := range []bool{false, true} {
			comparison := must(NewNonInferiorityProportion(NonInferiorityTest{
				BaselineRate: in.PC, Effect: in.PT - in.PC, Margin: in.Margin, HigherIsBetter: higher,
				Ratio: 1, SignificanceLevel: in.Alpha,
			}))(t)
			got := must(comparison.SamplesTreatment(in.Power))(t)
			// With equal arms and no effect the two directions mirror each other.
			wantNear(t, c.Name, got, decode[float64](t, c.Expected), c.tolerance(1e-8))
		}
	}
	means := must(NewNonInferiorityMean(NonInferiorityTest{StdDev: 1, Margin: 0.2, Ratio: 1, SignificanceLevel: 0.025}))(t)
	wantNear(t, "non-inferiority of means", must(means.SamplesTreatment(0.8))(t), 392.44398671745455, 1e-12)
}

func TestDetectableEffects(t *testing.T) {
	test := proportion(0.10, 0.11, 1, 0.05, 2)
	for _, c := range []struct{ control, want float64 }{{136800, 0.01031}, {7200, 0.01445}} {
		got := must(DetectableProportionEffect(test, 7200, c.control, 0.8))(t)
		if r := RoundSignificant(got, 4); r != c.want {
			t.Errorf("detectable effect at 7,200 against %v = %v, want %v", c.control, r, c.want)
		}
	}
	if _, err := DetectableProportionEffect(test, 2, 2, 0.999); err == nil {
		t.Error("two samples an arm detect something with power 0.999, want an error")
	}
	mean := must(DetectableMeanEffect(MeanTest{StdDev: 1, SignificanceLevel: 0.05, TwoSided: true}, 392.44398671745455, 392.44398671745455, 0.8))(t)
	wantNear(t, "detectable mean effect", mean, 0.2, 1e-12)
	wantNear(t, "its power", must(MeanTestPower(MeanTest{StdDev: 1, Effect: mean, SignificanceLevel: 0.05, TwoSided: true}, 392.44398671745455, 392.44398671745455))(t), 0.8, 1e-10)
}

func TestSampleSizeRefusesWhatHasNoAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		test ProportionTest
		want string
	}{
		{"no effect", proportion(0.1, 0.1, 1, 0.05, 2), "effect must not be 0"},
		{"rate of 0", proportion(0, 0.1, 1, 0.05, 2), "baseline rate"},
		{"treatment rate above 1", proportion(0.9, 1.1, 1, 0.05, 2), "between 0 and 1"},
		{"no control", proportion(0.1, 0.2, 0, 0.05, 2), "ratio"},
		{"no significance level", proportion(0.1, 0.2, 1, 0, 2), "significance level"},
	} {
		if _, err := NewProportionComparison(c.test); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
	if _, err := (Comparison{}).SamplesTreatment(0.8); err == nil {
		t.Error("the zero comparison has a sample size, want an error")
	}
	if _, err := NewNonInferiorityProportion(NonInferiorityTest{BaselineRate: 0.005, Margin: 0.01, HigherIsBetter: true, Ratio: 1, SignificanceLevel: 0.025}); err == nil {
		t.Error("a margin larger than the rate is accepted, want an error")
	}
}

func TestASampleSizeIsNeverBelowOne(t *testing.T) {
	comparison, err := NewProportionComparison(proportion(0.99, 0.5, 31.5, 0.05, 1))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := comparison.SamplesTreatment(0.3); err != nil || n != 1 {
		t.Errorf("the size is %v (%v), want 1", n, err)
	}
}

func TestSampleSizeAndPowerInvertEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p1 := rapid.Float64Range(0.01, 0.99).Draw(t, "baseline")
		p2 := rapid.Float64Range(0.01, 0.99).Filter(func(p float64) bool { return p-p1 > 1e-3 || p1-p > 1e-3 }).Draw(t, "treatment")
		ratio := rapid.Float64Range(0.05, 50).Draw(t, "ratio")
		power := rapid.Float64Range(0.3, 0.999).Draw(t, "power")
		comparison, err := NewProportionComparison(proportion(p1, p2, ratio, 0.05, rapid.IntRange(1, 2).Draw(t, "sides")))
		if err != nil {
			t.Fatal(err)
		}
		n, err := comparison.SamplesTreatment(power)
		if err != nil {
			t.Fatal(err)
		}
		got, err := comparison.Power(n)
		if err == nil && n == 1 && got >= power {
			return // one is the least, and more than enough
		}
		if err != nil || !near(got, power, 1e-9) {
			t.Fatalf("power at the required %v samples = %v (%v), want %v", n, got, err, power)
		}
	})
}

func TestNoncentralTailsAreThoseOfAFineIntegration(t *testing.T) {
	for _, degrees := range []float64{5, 5.5, 8, 12.3, 20, 50, 98, 100, 107, 150, 201, 333, 784, 5000, 1e5, 9e6} {
		for _, x := range []float64{0.1, 1, 1.6449, 1.96, 2, 2.2, 2.7, 4, 5, 7, 15} {
			for _, delta := range []float64{0, 0.3, 1, 2.8, 5, 12} {
				above, below := noncentralTTails(x, degrees, delta)
				for _, side := range []struct{ got, delta float64 }{{above, delta}, {below, -delta}} {
					want := noncentralTSurvival(x, degrees, side.delta)
					if !(math.Abs(side.got-want) <= 1e-10) || side.got < 0 || side.got > 1 {
						t.Errorf("%v degrees, x %v, delta %v: %v, want %v", degrees, x, side.delta, side.got, want)
					}
				}
			}
		}
	}
}

func TestStudentsQuantileInvertsItsTail(t *testing.T) {
	for _, degrees := range []float64{0.5, 1, 2, 3.7, 10, 30, 60, 100, 200, 500, 784, 2000, 1e4} {
		for _, q := range []float64{0.4, 0.1, 0.05, 0.025, 0.005, 1e-4, 1e-8} {
			wantNear(t, fmt.Sprintf("P(T > its quantile), %v degrees", degrees), studentSurvival(studentUpperQuantile(q, degrees), degrees), q, 1e-9)
		}
	}
	// Beyond, the tail itself has fewer digits; R's qt has these.
	wantNear(t, "0.025, a million degrees", studentUpperQuantile(0.025, 1e6), 1.9599663568, 1e-9)
	wantNear(t, "0.001, 1e8 degrees", studentUpperQuantile(0.001, 1e8), 3.0902323889, 1e-9)
}

func TestTTestSamplesHaveTheirPower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		test := MeanTest{
			StdDev: 1, Effect: math.Pow(10, rapid.Float64Range(-4, 1).Draw(t, "log effect")), Ratio: math.Pow(10, rapid.Float64Range(-2, 2).Draw(t, "log ratio")),
			SignificanceLevel: rapid.Float64Range(1e-4, 0.3).Draw(t, "alpha"), TwoSided: rapid.Bool().Draw(t, "two-sided"),
		}
		power := rapid.Float64Range(test.SignificanceLevel+0.01, 0.999).Draw(t, "power")
		n, err := TTestSamples(test, power)
		if err != nil {
			t.Fatal(err)
		}
		at := func(n float64) float64 {
			p, err := TTestPower(test, n, n*test.Ratio)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		switch got := at(n); {
		case n <= 2.0011/(1+test.Ratio): // the least there is
			if got < power {
				t.Fatalf("power %v at %v samples", got, n)
			}
		case math.Abs(got-power) > 1e-9 && n*(1+test.Ratio) > 12 || math.Abs(got-power) > 1e-6 && n*(1+test.Ratio) > 4:
			t.Fatalf("power %v at %v samples, wanted %v", got, n, power)
		}
	})
}
