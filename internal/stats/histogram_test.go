package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// histogramByDefinition is numpy's convention, word for word.
func histogramByDefinition(values, edges []float64) (counts []int64, outside int64) {
	last := len(edges) - 1
	counts = make([]int64, last)
	for _, v := range values {
		bin := -1
		for b := range counts {
			if edges[b] <= v && (v < edges[b+1] || b == last-1 && v == edges[last]) {
				bin = b
			}
		}
		if bin < 0 {
			outside++
		} else {
			counts[bin]++
		}
	}
	return counts, outside
}

// cutCounters are all ways to count that are of use for so many values.
func cutCounters(cuts []float64, values int) map[string]counting {
	all := map[string]counting{"search": {searchedCuts(cuts)}}
	if c := newGridCuts(cuts, values); c != nil {
		all["grid"] = counting{c}
	}
	if c := newVectorCuts(cuts, values); c != nil {
		all["vectors"] = counting{c}
	}
	return all
}

// sameCounts fails where one of the ways to count differs from the definition, and gives the
// names of those that counted.
func sameCounts(t interface{ Fatalf(string, ...any) }, values, edges []float64) (names []string) {
	counts, outside, err := Histogram(values, edges)
	if err != nil {
		t.Fatalf("edges %v: %v", edges, err)
	}
	wantCounts, wantOutside := histogramByDefinition(values, edges)
	if !slices.Equal(counts, wantCounts) || outside != wantOutside {
		t.Fatalf("edges %v: %v and %d outside, want %v and %d", edges, counts, outside, wantCounts, wantOutside)
	}
	cuts := cutsOf(edges)
	want, _ := counting{searchedCuts(cuts)}.count(values, len(cuts)+1)
	for name, c := range cutCounters(cuts, len(values)) {
		got, nan := c.count(values, len(cuts)+1)
		if !slices.Equal(got, want) || nan >= 0 {
			t.Fatalf("edges %v by %s: %v and NaN at %d, want %v", edges, name, got, nan, want)
		}
		names = append(names, name)
	}
	return names
}

// oddValues are the ends of the kinds of numbers that there are.
func oddValues() []float64 {
	const least, denormal = math.SmallestNonzeroFloat64, 0x1p-1023
	values := []float64{0, least, 2 * least, denormal, 0x1p-1022, 1, 1 + 0x1p-52, math.MaxFloat64, math.Inf(1)}
	for _, v := range slices.Clone(values) {
		values = append(values, -v)
	}
	return append(values, math.Copysign(0, -1))
}

func TestEveryWayOfCountingCountsWhatTheDefinitionDoes(t *testing.T) {
	used := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "edges")
		scale := math.Pow(10, rapid.Float64Range(-8, 8).Draw(t, "scale"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		odd := rapid.Bool().Draw(t, "odd")
		edges := make([]float64, n)
		for i := range edges {
			switch {
			case odd && random.IntN(3) == 0:
				edges[i] = oddValues()[random.IntN(len(oddValues()))]
			case random.IntN(4) == 0: // close to others
				edges[i] = scale * (1 + 1e-9*float64(i))
			default: // ties
				edges[i] = scale * math.Round(8*random.NormFloat64()) / 8
			}
		}
		slices.Sort(edges)
		if rapid.Bool().Draw(t, "open") {
			edges = OpenEdges(edges)
		}
		values := make([]float64, rapid.SampledFrom([]int{0, 1, 63, 64, 71, 2048, 2049, 5000, 4*gridCells + 3}).Draw(t, "values"))
		for i := range values {
			switch random.IntN(8) {
			case 0, 1:
				values[i] = edges[random.IntN(len(edges))]
			case 2:
				values[i] = math.Nextafter(edges[random.IntN(len(edges))], float64(random.IntN(3)-1)*math.MaxFloat64)
			case 3:
				values[i] = oddValues()[random.IntN(len(oddValues()))]
			default:
				values[i] = 4 * scale * random.NormFloat64()
			}
		}
		for _, name := range sameCounts(t, values, edges) {
			used[name] = true
		}
	})
	want := map[string]bool{"search": true, "grid": true}
	if newVectorCuts([]float64{0}, 1<<10) != nil { // a processor that has them
		want["vectors"] = true
	}
	if d := cmp.Diff(want, used); d != "" {
		t.Errorf("ways that were tried (-want +got):\n%s", d)
	}
}

func TestValuesInManyPartsAreAllCounted(t *testing.T) {
	values := normalValues(3*parallelValues+5, 7)
	for _, bins := range []int{1, 2, 10, 11, 12, 30, 41, 42, 200} {
		edges, _, err := QuantileEdges(values, bins)
		if err != nil {
			t.Fatal(err)
		}
		sameCounts(t, values, edges)
		sameCounts(t, values, OpenEdges(edges))
	}
}

func TestEveryWayOfCountingFindsTheFirstNaN(t *testing.T) {
	edges := []float64{-2, -1, 0, 1, 2}
	for _, n := range []int{1, 63, 64, 100, 4 * gridCells, 3 * parallelValues} {
		for _, first := range []int{0, 1, n / 3, n / 2, n - 1} {
			if first >= n {
				continue
			}
			values := normalValues(n, 1)
			values[first], values[n-1] = math.NaN(), math.Float64frombits(0xfff0_0000_0000_0001) // signalling
			for name, c := range cutCounters(cutsOf(edges), n) {
				if _, nan := c.count(values, len(edges)+1); nan != first {
					t.Errorf("%s, %d values: NaN at %d, want %d", name, n, nan, first)
				}
			}
			_, _, err := Histogram(values, edges)
			if err == nil || !strings.Contains(err.Error(), "is not a number") {
				t.Errorf("NaN at %d of %d: %v", first, n, err)
			}
		}
	}
}

func FuzzHistogram(f *testing.F) {
	f.Add(bytesOf(oddValues()...), bytesOf(-1, 0, 0, 5e-324, 1))
	f.Add(bytesOf(math.NaN(), 1), bytesOf(0, 1))
	f.Add(bytesOf(1, 2, 3), bytesOf(math.Inf(-1), math.Inf(-1), 2, math.Inf(1), math.Inf(1)))
	f.Fuzz(func(t *testing.T, v, e []byte) {
		few, edges := floats(v), floats(e)
		if len(few) == 0 || len(edges) < 2 || slices.ContainsFunc(edges, math.IsNaN) {
			return
		}
		slices.Sort(edges)
		values := make([]float64, 4*gridCells) // as many as all ways ask for
		for i := range values {
			values[i] = few[i%len(few)]
		}
		nan := slices.IndexFunc(few, math.IsNaN)
		if nan < 0 {
			sameCounts(t, values, edges)
			return
		}
		cuts := cutsOf(edges)
		for name, c := range cutCounters(cuts, len(values)) {
			if _, got := c.count(values, len(cuts)+1); got != nan {
				t.Fatalf("%s finds NaN at %d, want %d", name, got, nan)
			}
		}
	})
}
