package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestQuantilesAreNumPys(t *testing.T) {
	for _, c := range goldenCases(t, "quantile_type7") {
		in := decode[struct{ X, Q []float64 }](t, c.Inputs)
		if d := cmp.Diff(decode[[]float64](t, c.Expected), must(Quantiles(in.X, in.Q))(t)); d != "" {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
}

func TestPSIOfTheReferenceSeriesIsExact(t *testing.T) {
	series := seed42(t)
	for name, want := range map[string]float64{"no_drift": 0.017496648077613808, "drift": 0.79427022124127} {
		wantNear(t, name, must(PSISamples(series["baseline"], series[name], 10))(t), want, 1e-12)
	}
	raw, err := os.ReadFile("testdata/seed42.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		NoDrift struct {
			ExpectedCounts []int64   `json:"expected_counts"`
			ActualCounts   []int64   `json:"actual_counts"`
			Inner          []float64 `json:"inner_breakpoints"`
		} `json:"no_drift"`
	}
	if err := json.Unmarshal(raw, &reference); err != nil {
		t.Fatal(err)
	}
	edges, collapsed, err := QuantileEdges(series["baseline"], 10)
	if err != nil || collapsed != 0 {
		t.Fatal(err, collapsed)
	}
	if d := cmp.Diff(reference.NoDrift.Inner, edges[1:10]); d != "" {
		t.Errorf("breakpoints differ from numpy's in the last bits: %s", d)
	}
	for name, want := range map[string][]int64{"baseline": reference.NoDrift.ExpectedCounts, "no_drift": reference.NoDrift.ActualCounts} {
		got, outside, err := Histogram(series[name], OpenEdges(edges))
		if err != nil || outside != 0 {
			t.Fatal(err, outside)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s counts: %s", name, d)
		}
	}
}

func TestPSIOfSmallSamplesWithFourBins(t *testing.T) {
	for _, c := range goldenCases(t, "psi_samples_quantile_bins") {
		in := decode[struct {
			Expected, Actual []float64
			Bins             int
		}](t, c.Inputs)
		want := decode[struct {
			Breaks []float64
			PSI    float64
		}](t, c.Expected)
		edges, _, err := QuantileEdges(in.Expected, in.Bins)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.Breaks, edges); d != "" {
			t.Errorf("%s: %s", c.Name, d)
		}
		wantNear(t, c.Name, must(PSISamples(in.Expected, in.Actual, in.Bins))(t), want.PSI, 1e-12)
	}
}

func TestTiedValuesCollapseBins(t *testing.T) {
	zeros := []float64{0, 0, 0, 0, 0, 0, 1, 2, 3, 4}
	edges, collapsed, err := QuantileEdges(zeros, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(edges) != 5+1-collapsed || collapsed == 0 || edges[0] != 0 || edges[len(edges)-1] != 4 {
		t.Errorf("edges %v, %d collapsed", edges, collapsed)
	}
	edges, collapsed, err = QuantileEdges([]float64{7, 7, 7}, 4)
	if err != nil || collapsed != 4 {
		t.Errorf("equal values: %v, %d, %v", edges, collapsed, err)
	}
	if d := cmp.Diff([]float64{math.Inf(-1), math.Inf(1)}, OpenEdges(edges)); d != "" {
		t.Error(d)
	}
	if got := must(PSISamples([]float64{7, 7, 7}, []float64{7, 8}, 4))(t); got != 0 {
		t.Errorf("a constant baseline sees %v, want 0", got)
	}
}

func TestHistogramsCloseBinsBelow(t *testing.T) {
	counts, outside, err := Histogram([]float64{0, 1, 1, 2, 3, -1, 4}, []float64{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int64{1, 2, 2}, counts); d != "" || outside != 2 {
		t.Errorf("%s outside %d", d, outside)
	}
	for _, edges := range [][]float64{nil, {1}, {1, 0}, {0, math.NaN()}} {
		if _, _, err := Histogram(nil, edges); err == nil {
			t.Errorf("edges %v are accepted", edges)
		}
	}
	if _, _, err := Histogram([]float64{math.NaN()}, []float64{0, 1}); err == nil {
		t.Error("NaN is counted")
	}
}

func TestQuantilesLieInOrderWithinTheValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 60).Draw(t, "values")
		q1, q2 := rapid.Float64Range(0, 1).Draw(t, "q1"), rapid.Float64Range(0, 1).Draw(t, "q2")
		got, err := Quantiles(values, []float64{0, min(q1, q2), max(q1, q2), 1})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(got) || got[0] != slices.Min(values) || got[3] != slices.Max(values) {
			t.Fatalf("quantiles %v", got)
		}
		bins := rapid.IntRange(1, 12).Draw(t, "bins")
		edges, _, err := QuantileEdges(values, bins)
		if err != nil {
			t.Fatal(err)
		}
		counts, outside, err := Histogram(values, OpenEdges(edges))
		if err != nil || outside != 0 {
			t.Fatal(err, outside)
		}
		total := int64(0)
		for _, c := range counts {
			total += c
		}
		if total != int64(len(values)) {
			t.Fatalf("%d values counted of %d", total, len(values))
		}
	})
}

func TestSelectedQuantilesAreThoseOfSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 99))
	for _, kind := range []func(i int) float64{
		func(int) float64 { return random.NormFloat64() },
		func(int) float64 { return float64(random.IntN(5)) },
		func(i int) float64 { return float64(i) },
		func(i int) float64 { return float64(-i % 97) },
		func(int) float64 { return 3 },
		func(int) float64 { return math.Exp(20 * random.NormFloat64()) },
		func(int) float64 { return math.Copysign(math.MaxFloat64, random.NormFloat64()) * random.Float64() },
		func(i int) float64 { return 1e9 + float64(i%3)*1e-7 },
		func(i int) float64 { return float64(i/15_000) + 1e-3*random.Float64() },
	} {
		for _, n := range []int{1025, 4096, 30_001, 16_384, 200_000} {
			values := make([]float64, n)
			for i := range values {
				values[i] = kind(i)
			}
			for _, bins := range []int{1, 7, 10} {
				got, below, err := quantileBreakpoints(values, bins, true)
				must(got, err)(t)
				sorted := slices.Sorted(slices.Values(values))
				for i, v := range got {
					percent := float64(i) * (100 / float64(bins))
					if i == bins {
						percent = 100
					}
					if want := quantileSorted(sorted, percent/100); v != want {
						t.Fatalf("n %d, bins %d, edge %d: %v, want %v", n, bins, i, v, want)
					}
					if want, _ := slices.BinarySearch(sorted, v); below[i] != want {
						t.Fatalf("n %d, bins %d, edge %d: %d values below %v, want %d", n, bins, i, below[i], v, want)
					}
				}
			}
		}
	}
}

func TestQuantileEdgesOfManyValuesRefuseWhatIsNotANumber(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, 77_777, 99_999} {
			values := normalValues(100_000, 3)
			values[at] = bad
			if _, _, err := QuantileEdges(values, 10); err == nil || !strings.Contains(err.Error(), fmt.Sprint(at)) {
				t.Errorf("%v at %d: %v", bad, at, err)
			}
		}
	}
}
