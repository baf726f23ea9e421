package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestDivergenceOfAShiftWithoutNoise(t *testing.T) {
	for _, c := range goldenCases(t, "psi_population_normal_shift") {
		in := decode[struct {
			Bins  int
			Shift float64 `json:"shift_sd"`
		}](t, c.Inputs)
		d := must(NewPSINoDrift(EqualShares(in.Bins), 1000, 500, none))(t)
		wantNear(t, c.Name, must(d.ShiftDivergence(in.Shift))(t), decode[float64](t, c.Expected), 1e-12)
	}
	for shift, want := range map[float64]float64{0.1: 0.0096, 0.2: 0.0383, 0.3: 0.0861, 1: 0.926} {
		wantNear(t, fmt.Sprint("shift ", shift), must(noDrift(t, 10, 1000, 500).ShiftDivergence(shift))(t), want, 0.003)
	}
}

func TestPowerAgreesWithSimulation(t *testing.T) {
	// statistics.md 1.5: 60,000 windows each (20,000 in the last two); and our own.
	for _, c := range []struct {
		bins            int
		n, m            int64
		shift           float64
		at10, at25      float64 // power at thresholds 0.1 and 0.25
		slack10, slac25 float64
	}{
		{10, 1000, 500, 0.2, 0.0995, 0, 0.006, 1e-4},
		{10, 1000, 500, 0.3, 0.6292, 0.0008, 0.008, 4e-4},
		{10, 1000, 500, 0.4, 0.9765, 0.0745, 0.004, 0.006},
		{10, 1000, 500, 0.5, 0.9999, 0.6042, 1e-4, 0.008},
		{10, 10000, 1000, 0.3, 0.4092, 0, 0.009, 1e-4},
		{10, 10000, 1000, 0.5, 1, 0.4752, 1e-4, 0.009},
		{20, 5000, 200, 0.1, 0.6161, 0.0055, 0.008, 0.002},
		{20, 5000, 200, 0.3, 0.9733, 0.1940, 0.004, 0.008},
		{10, 100000, 10000, 0.3, 0.0205, 0, 0.003, 1e-4},
	} {
		d := noDrift(t, c.bins, c.n, c.m)
		for _, p := range []struct{ threshold, want, slack float64 }{{0.1, c.at10, c.slack10}, {0.25, c.at25, c.slac25}} {
			got, _, err := d.ShiftPower(p.threshold, c.shift)
			if err != nil || math.Abs(got-p.want) > p.slack {
				t.Errorf("%+v: power at %v = %v (%v), simulated %v", c, p.threshold, got, err, p.want)
			}
		}
	}
}

func TestPowerOfUnevenBinsAgreesWithSimulation(t *testing.T) {
	shares := []float64{0.05, 0.1, 0.15, 0.3, 0.4}
	const n, m, shift, threshold, draws = 800, 250, 0.3, 0.08, 20_000
	d := must(NewPSINoDrift(shares, n, m, DefaultSmoothing()))(t)
	random := rand.New(rand.NewPCG(5, 6))
	worst := 1.0
	for _, sign := range []float64{1, -1} {
		hits := 0
		for range draws {
			truth, total := make([]float64, len(shares)), 0.0
			for b, p := range shares {
				truth[b] = drawGamma(random, p*n)
				total += truth[b]
			}
			for b := range truth {
				truth[b] /= total
			}
			truth = shiftedShares(truth, sign*shift)
			left, rest, psi := int64(m), 1.0, 0.0
			for b, p := range truth {
				k := left
				if b < len(shares)-1 {
					k = drawBinomial(random, left, min(p/rest, 1))
				}
				left, rest = left-k, rest-p
				psi += divergenceTerm(DivergencePSI, shares[b]+1e-8, float64(k)/m+1e-8)
			}
			if psi > threshold {
				hits++
			}
		}
		worst = min(worst, float64(hits)/draws)
	}
	got, _, err := d.ShiftPower(threshold, shift)
	if err != nil || math.Abs(got-worst) > 0.02 {
		t.Errorf("power = %v (%v), simulated %v in the worse direction", got, err, worst)
	}
}

func TestDetectableShifts(t *testing.T) {
	d := noDrift(t, 10, 1000, 500)
	for threshold, want := range map[float64]float64{0.1: 0.33, 0.25: 0.53} {
		shift, _, err := d.DetectableShift(threshold, 0.8)
		if err != nil || math.Abs(shift-want) > 0.01 {
			t.Errorf("detectable at %v: %v (%v), want %v", threshold, shift, err, want)
		}
		if p, _, _ := d.ShiftPower(threshold, shift); p < 0.8 || p > 0.801 {
			t.Errorf("power at the detectable shift = %v", p)
		}
	}
	if shift, _, err := noDrift(t, 10, 1000, 20).DetectableShift(0.1, 0.8); err != nil || shift != 0 {
		t.Errorf("noise alone alarms, and the detectable shift is %v (%v)", shift, err)
	}
	if _, _, err := d.DetectableShift(1000, 0.8); err == nil {
		t.Error("a threshold of 1000 is detectable")
	}
	if _, _, err := noDrift(t, 1, 1000, 500).DetectableShift(0.1, 0.8); err == nil {
		t.Error("one bin detects a shift")
	}
}

func TestShiftedSharesMoveAndStayShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.IntRange(1, 30).Draw(t, "bins")
		shift := rapid.Float64Range(-10, 10).Draw(t, "shift")
		shares := EqualShares(bins)
		got, err := ShiftedShares(shares, shift)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, q := range got {
			if q < 0 || math.IsNaN(q) {
				t.Fatal(got)
			}
			sum += q
		}
		mirror, _ := ShiftedShares(shares, -shift)
		for b := range got {
			if math.Abs(got[b]-mirror[bins-1-b]) > 1e-12 {
				t.Fatalf("not mirrored: %v, %v", got, mirror)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("sum %v", sum)
		}
	})
	got, err := ShiftedShares([]float64{0.2, 0.3, 0.5}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{0.2, 0.3, 0.5}, got, cmpopts.EquateApprox(1e-12, 0)); d != "" {
		t.Error(d)
	}
}

func TestASharedBaselineSpreadsFalseAlarms(t *testing.T) {
	// statistics.md 5: p given the baseline, mean and 5-95 %.
	for _, c := range []struct {
		threshold, n, m, p, low, high float64
	}{
		{0.1, 1000, 200, 0.066, 0.034, 0.117},
		{0.1, 10000, 200, 0.117, 0.107, 0.128},
		{0.05, 1000, 500, 0.055, 0.013, 0.138},
	} {
		mean, low, high, err := MeanPower(c.threshold, 10, c.n, c.m, c.p, 1)
		if err != nil || !near(mean, c.p, 1e-9) || !near(low, c.low, 0.15) || !near(high, c.high, 0.08) {
			t.Errorf("%+v: %v [%v, %v] (%v)", c, mean, low, high, err)
		}
		twice, _, _, _ := MeanPower(c.threshold, 10, c.n, c.m, c.p, 2)
		if twice < c.p*c.p || twice > c.p {
			t.Errorf("two windows that share a baseline both alarm with probability %v, one with %v", twice, c.p)
		}
	}
	for _, p := range []float64{0, 1} {
		mean, low, high, err := MeanPower(0.1, 10, 1000, 500, p, 3)
		if err != nil || mean != p || low != p || high != p {
			t.Errorf("p = %v: %v [%v, %v] (%v)", p, mean, low, high, err)
		}
	}
	if mean, _, _, err := MeanPower(100, 10, 1000, 1e6, 1e-3, 2); err != nil || !near(mean, 1e-6, 1e-9) {
		t.Errorf("beyond computing: %v (%v), want independence", mean, err)
	}
	if _, _, _, err := MeanPower(0.1, 10, 1000, 500, 0.1, 0); err == nil {
		t.Error("no windows are accepted")
	}
}

func TestMeanPowerIsOrderedAndScaled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := rapid.Float64Range(1e-4, 2).Draw(t, "threshold")
		bins := rapid.IntRange(2, 60).Draw(t, "bins")
		n := rapid.Float64Range(10, 1e6).Draw(t, "baseline")
		m := min(rapid.Float64Range(10, 1e6).Draw(t, "window"), 100*n)
		p := math.Exp(rapid.Float64Range(-20, -0.01).Draw(t, "log p"))
		s := rapid.IntRange(1, 5).Draw(t, "s")
		mean, low, high, err := MeanPower(threshold, bins, n, m, p, s)
		if err != nil {
			t.Fatal(err)
		}
		if !(low <= high*(1+1e-9) && mean >= math.Pow(p, float64(s)) && mean <= p) {
			t.Fatalf("%v [%v, %v] for p = %v", mean, low, high, p)
		}
	})
}

func BenchmarkShiftPower(b *testing.B) {
	d := noDrift(b, 10, 1000, 500)
	for b.Loop() {
		if _, _, err := d.ShiftPower(0.1, 0.5); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDetectableShift(b *testing.B) {
	d := noDrift(b, 10, 1000, 500)
	for b.Loop() {
		if _, _, err := d.DetectableShift(0.1, 0.8); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMeanPower(b *testing.B) {
	for b.Loop() {
		if _, _, _, err := MeanPower(0.1, 10, 1000, 500, 1e-3, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManyBinsDoNotOverflowTheMoments(t *testing.T) {
	for _, size := range []struct{ bins, baseline, window int64 }{
		{200, 4000, 200000}, {200, 1000, 1e6}, {1000, 1e5, 1e6},
	} {
		law, err := NewPSINoDrift(EqualShares(int(size.bins)), size.baseline, size.window, DefaultSmoothing())
		if err != nil {
			t.Fatal(err)
		}
		// The first order of the mean, which the higher ones add little to here.
		want := (1/float64(size.baseline) + 1/float64(size.window)) * float64(size.bins-1)
		if got := law.Mean(); math.Abs(got/want-1) > 0.02 {
			t.Errorf("%+v: the mean on no drift is %v, to first order %v", size, got, want)
		}
		power, _, err := law.ShiftPower(0.1, 0.5)
		if err != nil || !(power > 0.999) {
			t.Errorf("%+v: half a standard deviation is seen with power %v, %v", size, power, err)
		}
	}
}

func TestPowerWhereBinsAreEmptyAgreesWithSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 43))
	const draws = 3000
	smoothings := []Smoothing{DefaultSmoothing(), {Method: SmoothingLaplace}, {SmoothingEpsilon, 1e-4}, none}
	for i, c := range []struct {
		baseline []int64
		window   int64
	}{
		{repeated(100, 10), 20}, {repeated(100, 10), 50}, {repeated(1000, 20), 60}, {repeated(10, 10), 100}, {repeated(100, 5), 100},
		{[]int64{10, 40, 150, 300, 300, 150, 40, 10}, 100}, {[]int64{5, 100, 400, 400, 100, 5}, 300}, {repeated(5, 50), 100},
		{[]int64{500, 400, 60, 30, 9, 1}, 400}, {repeated(30, 10), 100}, {repeated(30, 10), 200}, {repeated(35, 5), 1_000_000},
		{repeated(30, 40), 800}, {[]int64{30, 100, 400, 400, 100, 30}, 900}, {repeated(50, 100), 500}, {repeated(3, 200), 500},
	} {
		s := smoothings[i%len(smoothings)]
		shares, n := sharesOf(c.baseline)
		d := must(NewPSINoDrift(shares, n, c.window, s))(t)
		for _, shift := range []float64{0.2, 0.5, 1} {
			var psi [2][]float64
			value := d.in.windowValue()
			for side, sign := range []float64{1, -1} {
				for range draws {
					psi[side] = append(psi[side], value(drawWindow(random, c.baseline, c.window, sign*shift)))
				}
			}
			for _, q := range []float64{0.3, 0.05, 0.001, 1e-5} {
				x, _ := d.UpperQuantile(q)
				if math.IsInf(x, 1) {
					x = 0.5 // smoothing "none": an empty bin exceeds every threshold
				}
				least := 1.0
				for _, values := range psi {
					hits := 0
					for _, v := range values {
						if v > x {
							hits++
						}
					}
					least = min(least, float64(hits)/draws)
				}
				power, method, err := d.ShiftPower(x, shift)
				if err != nil {
					t.Fatal(err)
				}
				if slack := 0.03 + 3*math.Sqrt(least*(1-least)/draws); math.Abs(power-least) > slack {
					t.Errorf("%v bins of %v, window %d, %s, shift %v, threshold %.4g: power %.3f by %s, simulated %.3f",
						len(c.baseline), c.baseline[0], c.window, s.Method, shift, x, power, method, least)
				}
			}
		}
	}
}

func TestASimulatedPowerIsTheSameEveryTime(t *testing.T) {
	powers := func() (out []float64) {
		d := noDrift(t, 10, 1000, 40)
		for _, shift := range []float64{0.2, 1, 0.2, -3, 10} {
			power, method, err := d.ShiftPower(0.8, shift)
			if err != nil || method != MethodMonteCarlo {
				t.Fatal(power, method, err)
			}
			out = append(out, power)
		}
		return out
	}
	first, second := powers(), powers()
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
	if first[0] != first[2] || first[1] <= first[0] || first[4] < 0.999 {
		t.Errorf("powers %v at shifts of 0.2, 1, 0.2, -3, 10", first)
	}
	// Another threshold asks the same windows: power falls as it rises.
	d, last := noDrift(t, 10, 1000, 40), 1.0
	for x := 0.1; x < 6; x += 0.05 {
		power, _, _ := d.ShiftPower(x, 0.5)
		if power > last {
			t.Fatalf("power %v at %v, after %v", power, x, last)
		}
		last = power
	}
}
