package profile

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a\n1\n2\n", "a,b\n1,x\nNA,y\n", "a\n\"1\n", "\xef\xbb\xbfa\n1e308\n-1e308\n", "a\n1\x00", "a\ninf\n", "PAR1", "a,a\n1,2\n3,4\n"} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, bins uint8) {
		table, err := parse(strings.NewReader(text), "fuzz.csv")
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Why == "" || e.Fix == "" {
				t.Fatalf("an error that does not teach: %#v", err)
			}
			return
		}
		for _, name := range table.Columns() {
			for _, method := range []string{MethodQuantile, MethodEqualWidth, MethodExplicit, MethodCategorical} {
				r, err := table.Profile(name, Binning{Method: method, Bins: int(bins), Edges: []float64{-1, 0, 1}})
				if err != nil {
					if !errors.As(err, &e) || e.Why == "" || e.Fix == "" {
						t.Fatalf("an error that does not teach: %#v", err)
					}
					continue
				}
				total, empty := int64(0), 0
				for _, count := range r.Counts {
					total += count
					if count == 0 {
						empty++
					}
				}
				if total != r.Samples || r.Samples+r.Missing != table.Rows() || empty != r.EmptyBins {
					t.Fatalf("values are lost: %+v of %d rows", r, table.Rows())
				}
				if r.Bins() < 2 {
					t.Fatalf("%d bins: %+v", r.Bins(), r)
				}
				if r.Categories == nil && len(r.Edges) != r.Bins()-1 {
					t.Fatalf("%d edges for %d bins", len(r.Edges), r.Bins())
				}
				for i, edge := range r.Edges {
					if math.IsNaN(edge) || math.IsInf(edge, 0) || i > 0 && edge <= r.Edges[i-1] {
						t.Fatalf("edges %v", r.Edges)
					}
				}
				if n := r.Numbers; n != nil {
					for _, v := range []float64{n.Minimum, n.Maximum, n.Mean, n.StdDev} {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Fatalf("%+v", n)
						}
					}
				}
			}
		}
	})
}
