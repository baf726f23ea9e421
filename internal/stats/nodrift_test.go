package stats

import (
	"fmt"
	"testing"
	"time"
)

func TestScratch(t *testing.T) {
	for _, c := range []struct {
		b    int
		n, m int64
		t    float64
		want string
	}{
		{10, 1000, 190, 0.1, "0.0805/.08063"}, {10, 1000, 100, 0.1, "0.468"}, {5, 700, 150, 0.09, "0.0286"},
		{10, 1000, 500, 0.1, "1.51e-4"}, {20, 5000, 200, .25, ".002261"}, {20, 5000, 200, .1, ".50410"}, {10, 10000, 1000, 0.03, "1e-3ish"},
		{10, 1000, 190, 0.25, "?"}, {10, 1000, 382, .1, ".00142"}, {50, 1000, 1000, .2, "?"}, {10, 1000, 20, 1, ""}, {5, 100, 1000, .2, ""}, {4, 1000, 500, .05, ""}, {10, 1000000, 1000000, .00003, ""}, {10, 100000, 10000, .003, ""},
		{50, 1000000, 1000000, .0002, ""}, {10, 1000, 1000000, .03, ""}, {3, 1000, 700, .02, ""},
	} {
		d, err := NewPSINoDrift(EqualShares(c.b), c.n, c.m, DefaultSmoothing())
		if err != nil {
			t.Fatal(err)
		}
		s := time.Now()
		p, m := d.Survival(c.t)
		e0 := time.Since(s)
		s = time.Now()
		pe, _ := d.exactSurvival(c.t)
		e1 := time.Since(s)
		l := d.law()
		pts := 0
		if x := d.exact(); x.inverted != nil {
			pts = 1
		}
		mc := newSimulatedLaw(d.in, 200000)
		s = time.Now()
		q, _ := d.UpperQuantile(.001)
		fmt.Println(c, p, m, pe, "mc", mc.survival(c.t), "empty", d.AnyEmptyBin(), "mean", d.Mean(), "q999", q, fmt.Sprint(time.Since(s)), mc.sorted[199799], e0, e1, "period", l.period, "K", pts, "atoms", len(d.exact().atoms))
	}
}
