package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestScratchPower(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	for _, c := range []struct {
		b    int
		n, m int64
		d    float64
	}{{10, 1000, 500, .2}, {10, 1000, 500, .3}, {10, 1000, 500, .4}, {10, 1000, 500, .5}, {10, 10000, 1000, .3}, {10, 10000, 1000, .5}, {20, 5000, 200, .1}, {20, 5000, 200, .3}, {10, 100000, 10000, .3}, {10, 1000, 100, .5}, {10, 1000, 200, .5}, {10, 1000, 500, 1}, {10, 500, 5000, .4}, {10, 1000, 50, .7}} {
		nd, _ := NewPSINoDrift(EqualShares(c.b), c.n, c.m, DefaultSmoothing())
		reps := 60000
		var h1, h2, h3 int
		q := make([]float64, c.b)
		for range reps {
			tot := 0.0
			for b := range q {
				q[b] = drawGamma(r, float64(c.n)/float64(c.b))
				tot += q[b]
			}
			// shift
			cum, prev := 0.0, 0.0
			for b := range q {
				cum += q[b] / tot
				x := 1.0
				if b < c.b-1 {
					z, _ := NormalQuantile(cum)
					x = normalCDF(z - c.d)
				}
				q[b], prev = x-prev, x
			}
			left := c.m
			rest, psi := 1.0, 0.0
			for b := range q {
				k := left
				if b < c.b-1 {
					k = drawBinomial(r, left, min(1, q[b]/rest))
				}
				rest -= q[b]
				left -= k
				a := float64(k) / float64(c.m)
				e := 1 / float64(c.b)
				psi += (a - e) * math.Log((a+1e-8)/(e+1e-8))
			}
			if psi > .1 {
				h1++
			}
			if psi > .25 {
				h2++
			}
			if psi > .5 {
				h3++
			}
		}
		s := time.Now()
		p1, _, _ := nd.ShiftPower(.1, c.d)
		el := time.Since(s)
		p2, _, _ := nd.ShiftPower(.25, c.d)
		p3, _, _ := nd.ShiftPower(.5, c.d)
		e2, _ := nd.shiftedLaw(c.d).exactSurvival(.25)
		psi, _ := nd.ShiftDivergence(c.d)
		cc := nd.scale()
		nc := func(t float64) float64 { return noncentralChiSquaredSurvival(t/cc, float64(c.b-1), psi/cc) }
		R := float64(reps)
		fmt.Printf("%v .1: mc %.4f g %.4f nc %.4f | .25: mc %.4f g %.4f nc %.4f ex %.4f| .5: mc %.4f g %.4f nc %.4f %v\n", c, float64(h1)/R, p1, nc(.1), float64(h2)/R, p2, nc(.25), e2, float64(h3)/R, p3, nc(.5), el)
	}
	nd, _ := NewPSINoDrift(EqualShares(10), 1000, 500, DefaultSmoothing())
	s := time.Now()
	fmt.Println(nd.DetectableShift(.1, .8))
	fmt.Println(nd.DetectableShift(.25, .8))
	fmt.Println(time.Since(s))
	s = time.Now()
	fmt.Println(MeanPower(.1, 10, 1000, 200, .066, 1))
	fmt.Println(MeanPower(.1, 10, 10000, 200, .117, 1))
	fmt.Println(MeanPower(.05, 10, 1000, 500, .055, 2))
	fmt.Println(MeanPower(.1, 10, 1000, 500, 1.6e-4, 1))
	fmt.Println(MeanPower(.1, 10, 100, 100000, .9, 1))
	fmt.Println(time.Since(s))
}
