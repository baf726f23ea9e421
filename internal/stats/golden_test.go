package stats

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// goldenCase is one reference value computed by independent software; its source
// is named in testdata/stats.json.
type goldenCase struct {
	Name     string
	Function string
	Inputs   json.RawMessage
	Expected json.RawMessage
	Tol      json.RawMessage
}

func goldenCases(t testing.TB, function string) []goldenCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/stats.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []goldenCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var out []goldenCase
	for _, c := range file.Cases {
		if c.Function == function {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no golden case for %q", function)
	}
	return out
}

func (c goldenCase) tolerance(otherwise float64) float64 {
	var s string
	if json.Unmarshal(c.Tol, &s) == nil {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	var v float64
	if json.Unmarshal(c.Tol, &v) == nil && v > 0 {
		return v
	}
	return otherwise
}

func decode[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func near(got, want, relative float64) bool {
	return got == want || math.Abs(got-want) <= relative*math.Abs(want)
}

func wantNear(t testing.TB, what string, got, want, relative float64) {
	t.Helper()
	if !near(got, want, relative) {
		t.Errorf("%s = %v, want %v within %v relative (off by %.2g)", what, got, want, relative, got/want-1)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// seed42 gives the three series of testdata/seed42.csv.
func seed42(t testing.TB) map[string][]float64 {
	t.Helper()
	f, err := os.Open("testdata/seed42.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[row[0]] = append(out[row[0]], v)
	}
	return out
}
