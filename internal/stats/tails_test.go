package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTailsAgainstSciPy(t *testing.T) {
	type in struct {
		X         []float64
		K, Lambda float64
	}
	for _, f := range []struct {
		name string
		call func(x float64, in in) (float64, error)
	}{
		{"norm_sf", func(x float64, _ in) (float64, error) { return NormalSurvival(x) }},
		{"chi2_sf", func(x float64, in in) (float64, error) { return ChiSquaredSurvival(x, in.K) }},
		{"ncx2_sf", func(x float64, in in) (float64, error) { return NoncentralChiSquaredSurvival(x, in.K, in.Lambda) }},
	} {
		for _, c := range goldenCases(t, f.name) {
			args, want := decode[in](t, c.Inputs), decode[[]float64](t, c.Expected)
			for i, x := range args.X {
				wantNear(t, c.Name, must(f.call(x, args))(t), want[i], c.tolerance(1e-11))
			}
		}
	}
}

func TestNoncentralTailsAgreeAcrossTheSwitchOfMethod(t *testing.T) {
	for _, z := range []float64{-3, -1, 0, 1, 3} {
		k, lambda := 9.0, sankaranFrom
		x := k + lambda + z*math.Sqrt(2*(k+2*lambda))
		wantNear(t, "tail", sankaran(x, k, lambda), noncentralChiSquaredSurvival(x, k, lambda), 1e-3)
	}
}

func TestUpperQuantilesInvertTails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := math.Exp(rapid.Float64Range(math.Log(1e-12), math.Log(0.99)).Draw(t, "log q"))
		degrees := rapid.Float64Range(0.5, 500).Draw(t, "degrees")
		x, err := ChiSquaredUpperQuantile(q, degrees)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := ChiSquaredSurvival(x, degrees); !near(got, q, 1e-8) {
			t.Fatalf("tail at the quantile for %v = %v", q, got)
		}
		z, err := NormalUpperQuantile(q)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := NormalSurvival(z); !near(got, q, 1e-10) {
			t.Fatalf("normal tail at the quantile for %v = %v", q, got)
		}
	})
}

func TestBetaBinomialProbabilitiesSumToOne(t *testing.T) {
	for _, c := range []struct {
		n           int64
		alpha, beta float64
	}{{10, 1, 1}, {190, 100, 900}, {50, 0.3, 7}} {
		sum := 0.0
		for k := int64(-1); k <= c.n+1; k++ {
			sum += math.Exp(must(BetaBinomialLogPMF(k, c.n, c.alpha, c.beta))(t))
		}
		wantNear(t, "sum", sum, 1, 1e-10)
	}
	if _, err := BetaBinomialLogPMF(1, 2, 0, 1); err == nil {
		t.Error("alpha of 0 is accepted")
	}
}
