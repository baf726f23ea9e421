package stats

import "testing"

func TestHistogramsWithoutVectorsAreTheSame(t *testing.T) {
	values := normalValues(100_000, 3)
	edges := OpenEdges(must2(QuantileEdges(values, 10)))
	want, _, err := Histogram(values, edges)
	if err != nil {
		t.Fatal(err)
	}
	defer func(has bool) { hasVectors = has }(hasVectors)
	hasVectors = false
	if newVectorCuts(cutsOf(edges), len(values)) != nil {
		t.Fatal("vectors are used that the processor has not")
	}
	sameCounts(t, values, edges)
	if got, _, err := Histogram(values, edges); err != nil || len(got) != len(want) || got[3] != want[3] {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
}
