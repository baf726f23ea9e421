package stats

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var none = Smoothing{Method: SmoothingNone}

func TestDivergencesAgainstNumPy(t *testing.T) {
	type pair struct{ P, Q []float64 }
	for _, f := range []struct {
		name string
		call func(p pair) (float64, error)
	}{
		// The golden order is the textbook's: P from Q, that is current, baseline.
		{"kl_nats", func(c pair) (float64, error) { return KLProportions(c.Q, c.P, none) }},
		{"js_divergence_nats", func(c pair) (float64, error) { return JSProportions(c.Q, c.P, none) }},
		{"identity_psi_kl", func(c pair) (float64, error) { return PSIProportions(c.Q, c.P, none) }},
	} {
		for _, c := range goldenCases(t, f.name) {
			wantNear(t, c.Name, must(f.call(decode[pair](t, c.Inputs)))(t), decode[float64](t, c.Expected), 1e-12)
		}
	}
	for _, c := range goldenCases(t, "psi_proportions") {
		in := decode[struct {
			Actual, Expected []float64
			Eps              float64
		}](t, c.Inputs)
		s := none
		if in.Eps > 0 {
			s = Smoothing{SmoothingEpsilon, in.Eps}
		}
		wantNear(t, c.Name, must(PSIProportions(in.Expected, in.Actual, s))(t), decode[float64](t, c.Expected), 1e-12)
	}
	type counts struct {
		Actual, Expected []int64
		Eps              float64
	}
	for _, c := range goldenCases(t, "psi_counts") {
		in := decode[counts](t, c.Inputs)
		wantNear(t, c.Name, must(PSICounts(in.Expected, in.Actual, Smoothing{SmoothingEpsilon, in.Eps}))(t), decode[float64](t, c.Expected), 1e-12)
	}
	for _, c := range goldenCases(t, "psi_laplace1") {
		in := decode[counts](t, c.Inputs)
		wantNear(t, c.Name, must(PSICounts(in.Expected, in.Actual, Smoothing{Method: SmoothingLaplace}))(t), decode[float64](t, c.Expected), 1e-12)
	}
}

func TestKLIsOfTheCurrentWindowFromTheBaseline(t *testing.T) {
	third := []float64{1. / 3, 1. / 3, 1. / 3}
	current := []float64{0.36, 0.48, 0.16}
	wantNear(t, "KL(current || baseline)", must(KLProportions(third, current, none))(t), 0.0852996013183706, 1e-12)
	wantNear(t, "KL(baseline || current)", must(KLProportions(current, third, none))(t), 0.09745500678538754, 1e-12)
}

func TestBandsCoverEveryIndex(t *testing.T) {
	for psi, want := range map[float64]string{0: "none", 0.0999: "none", 0.1: "moderate", 0.25: "moderate", 0.2500001: "significant", math.Inf(1): "significant"} {
		if got := must(PSIBand(psi))(t); got != want {
			t.Errorf("band of %v = %q, want %q", psi, got, want)
		}
	}
	for _, psi := range []float64{-1e-9, math.NaN()} {
		if _, err := PSIBand(psi); err == nil {
			t.Errorf("band of %v: no error", psi)
		}
	}
}

func TestDivergencesRefuseWhatHasNoAnswer(t *testing.T) {
	half := []float64{0.5, 0.5}
	for _, c := range []struct {
		name             string
		expected, actual []float64
		smoothing        Smoothing
		want             string
	}{
		{"no bins", nil, nil, none, "empty"},
		{"different bins", half, []float64{0.2, 0.3, 0.5}, none, "same bins"},
		{"not a number", half, []float64{math.NaN(), 1}, none, "actual[0]"},
		{"infinite", []float64{math.Inf(1), 0}, half, none, "expected[0]"},
		{"negative", half, []float64{-0.5, 1.5}, none, "actual[0]"},
		{"not proportions", half, []float64{5, 5}, none, "sum to 1"},
		{"an empty bin", half, []float64{0, 1}, none, "bin 0 is empty in actual"},
		{"an empty baseline bin", []float64{0, 1}, half, none, "bin 0 is empty in expected"},
		{"an unknown smoothing", half, half, Smoothing{Method: "magic"}, "unknown smoothing"},
		{"an epsilon of 0", half, half, Smoothing{Method: SmoothingEpsilon}, "epsilon"},
		{"laplace on proportions", half, half, Smoothing{Method: SmoothingLaplace}, "counts"},
	} {
		if _, err := PSIProportions(c.expected, c.actual, c.smoothing); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
	for _, counts := range [][]int64{nil, {0, 0}, {-1, 2}, {math.MaxInt64, 1}} {
		if _, err := PSICounts(counts, []int64{1, 1}, none); err == nil {
			t.Errorf("counts %v are accepted", counts)
		}
	}
	if got := must(PSICounts([]int64{3}, []int64{9}, none))(t); got != 0 {
		t.Errorf("one bin diverges by %v, want 0", got)
	}
	if got := must(JSProportions([]float64{0, 1}, []float64{1, 0}, none))(t); !near(got, math.Ln2, 1e-15) {
		t.Errorf("disjoint distributions are %v apart, want ln 2", got)
	}
}

func drawCounts(t *rapid.T, bins int, name string) []int64 {
	return rapid.SliceOfN(rapid.Int64Range(1, 10000), bins, bins).Draw(t, name)
}

func TestDivergencesAreSymmetricAndFreeOfScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.IntRange(1, 20).Draw(t, "bins")
		a, b := drawCounts(t, bins, "a"), drawCounts(t, bins, "b")
		value := func(v float64, err error) float64 {
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		same := cmp.Comparer(func(x, y float64) bool { return math.Abs(x-y) <= 1e-12*(1+math.Abs(x)) })
		s := DefaultSmoothing()
		psi, js, kl := value(PSICounts(a, b, s)), value(JSCounts(a, b, s)), value(KLCounts(a, b, s))
		if d := cmp.Diff([]float64{psi, js}, []float64{value(PSICounts(b, a, s)), value(JSCounts(b, a, s))}, same); d != "" {
			t.Fatalf("not symmetric: %s", d)
		}
		if d := cmp.Diff(psi, kl+value(KLCounts(b, a, s)), same); d != "" {
			t.Fatalf("PSI is not the sum of both KL: %s", d)
		}
		if psi < 0 || kl < 0 || js < 0 || js > math.Ln2+1e-12 {
			t.Fatalf("out of range: %v %v %v", psi, kl, js)
		}
		scaled := make([]int64, bins)
		for i := range b {
			scaled[i] = 7 * b[i]
		}
		if d := cmp.Diff(psi, value(PSICounts(a, scaled, s)), same); d != "" {
			t.Fatalf("not free of scale: %s", d)
		}
		if v := value(PSICounts(a, a, s)); v > 1e-15 {
			t.Fatalf("equal distributions are %v apart", v)
		}
	})
}
