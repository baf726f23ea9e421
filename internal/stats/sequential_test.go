package stats

import (
	"math"
	"testing"
)

const sequentialTolerance = 1e-6

func TestSpendingBoundariesAgreeWithReferences(t *testing.T) {
	type input struct {
		K     int
		T     []float64
		Alpha float64 `json:"alpha_two_sided"`
	}
	type output struct {
		Z         []float64
		Inflation float64 `json:"inflation_power_0.8"`
	}
	for function, spending := range map[string]string{"gs_lan_demets_obf": SpendingOBrienFleming, "gs_lan_demets_pocock": SpendingPocock} {
		for _, c := range goldenCases(t, function) {
			in, want := decode[input](t, c.Inputs), decode[output](t, c.Expected)
			var design *Sequential
			if in.T != nil {
				design = must(NewSequentialAt(spending, in.T, in.Alpha, true))(t)
			} else {
				design = must(NewSequential(spending, in.K, in.Alpha, true))(t)
			}
			for i, z := range design.CriticalValues() {
				wantNear(t, c.Name, z, want.Z[i], sequentialTolerance)
			}
			wantNear(t, c.Name+" inflation", must(design.Inflation(0.8))(t), want.Inflation, sequentialTolerance)
			wantNear(t, c.Name+" type I error", design.TypeIError(), in.Alpha, 1e-9)
		}
	}
}

func TestGivenBoundariesAgreeWithReferences(t *testing.T) {
	type output struct {
		Z   []float64
		I80 float64 `json:"inflation_power_0.8"`
		I90 float64 `json:"inflation_power_0.9"`
	}
	for _, function := range []string{"gs_obrien_fleming", "gs_pocock"} {
		for _, c := range goldenCases(t, function) {
			want := decode[output](t, c.Expected)
			if want.Z == nil {
				continue
			}
			design := must(NewSequentialBounds(must(equalLooks(len(want.Z)))(t), want.Z, true))(t)
			wantNear(t, c.Name+" type I error", design.TypeIError(), 0.05, sequentialTolerance)
			design.tail = 0.025
			wantNear(t, c.Name+" inflation", must(design.Inflation(0.8))(t), want.I80, sequentialTolerance)
			wantNear(t, c.Name+" inflation", must(design.Inflation(0.9))(t), want.I90, sequentialTolerance)
		}
	}
	for _, c := range goldenCases(t, "gs_exit_probabilities") {
		in := decode[struct {
			T, Z  []float64
			Drift float64
		}](t, c.Inputs)
		want := decode[struct {
			Power float64
			Upper []float64
		}](t, c.Expected)
		design := must(NewSequentialBounds(in.T, in.Z, true))(t)
		wantNear(t, c.Name, must(design.Power(in.Drift))(t), want.Power, sequentialTolerance)
		for i, p := range must(design.ExitProbabilities(in.Drift))(t) {
			wantNear(t, c.Name+" upper", p, want.Upper[i], sequentialTolerance)
		}
	}
}

func TestUnadjustedLooksInflateTheTypeIError(t *testing.T) {
	for _, c := range goldenCases(t, "peeking_type1") {
		in := decode[struct{ K int }](t, c.Inputs)
		wantNear(t, c.Name, must(UnadjustedTypeIError(in.K, 0.05, true))(t), decode[float64](t, c.Expected), sequentialTolerance)
	}
	wantNear(t, "100 looks", must(UnadjustedTypeIError(100, 0.05, true))(t), 0.373619, 2e-6)
}

func TestSpendingFunctions(t *testing.T) {
	for function, spending := range map[string]string{"spend_lan_demets_obf": SpendingOBrienFleming, "spend_lan_demets_pocock": SpendingPocock} {
		for _, c := range goldenCases(t, function) {
			in := decode[struct {
				T     []float64
				Alpha float64 `json:"alpha_side"`
			}](t, c.Inputs)
			for i, want := range decode[[]float64](t, c.Expected) {
				wantNear(t, c.Name, must(Spend(spending, in.Alpha, in.T[i]))(t), want, 1e-12)
			}
		}
	}
}

func TestPowerWithLooksInvertsTheSampleSize(t *testing.T) {
	comparison := must(NewProportionComparison(proportion(0.1, 0.11, 1, 0.05, 2)))(t)
	design := must(NewSequential(SpendingOBrienFleming, 5, 0.05, true))(t)
	n := must(comparison.SamplesTreatmentWithLooks(0.8, design))(t)
	if r := math.Abs(2*n - 30230.86); r > 0.5 {
		t.Errorf("largest total = %v, want rpact's 30230.86", 2*n)
	}
	wantNear(t, "power", must(comparison.PowerWithLooks(n, design))(t), 0.8, 1e-9)
	single := must(NewSequential(SpendingPocock, 1, 0.05, true))(t)
	wantNear(t, "one look", must(comparison.PowerWithLooks(n, single))(t), must(comparison.Power(n))(t), 1e-12)
	oneSided := must(NewSequential(SpendingPocock, 3, 0.05, false))(t)
	if _, err := comparison.PowerWithLooks(n, oneSided); err == nil {
		t.Error("a one-sided design is accepted for a two-sided comparison")
	}
}

func TestManyLooksStayFinite(t *testing.T) {
	for _, twoSided := range []bool{false, true} {
		design := must(NewSequential(SpendingOBrienFleming, 100, 0.05, twoSided))(t)
		z := design.CriticalValues()
		if !math.IsInf(z[0], 1) || !(z[99] > 1.6 && z[99] < 2.3) {
			t.Errorf("two-sided %v: first %v, last %v", twoSided, z[0], z[99])
		}
		wantNear(t, "type I error", design.TypeIError(), 0.05, 1e-8)
	}
}

func BenchmarkSequential100Looks(b *testing.B) {
	for b.Loop() {
		if _, err := NewSequential(SpendingOBrienFleming, 100, 0.05, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSequentialInflation5Looks(b *testing.B) {
	for b.Loop() {
		d, _ := NewSequential(SpendingOBrienFleming, 5, 0.05, true)
		if _, err := d.Inflation(0.8); err != nil {
			b.Fatal(err)
		}
	}
}
