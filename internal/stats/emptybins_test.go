package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestDiagPower(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 43))
	const draws = 4000
	worst := 0.0
	for _, c := range []struct {
		baseline []int64
		window   int64
	}{
		{repeated(100, 10), 20}, {repeated(100, 10), 50}, {repeated(100, 10), 100}, {repeated(1000, 20), 60}, {repeated(30, 10), 40}, {repeated(10, 10), 100},
		{[]int64{10, 40, 150, 300, 300, 150, 40, 10}, 100}, {[]int64{5, 100, 400, 400, 100, 5}, 300}, {repeated(5, 50), 100}, {repeated(100, 50), 150}, {repeated(50, 100), 500}, {[]int64{500,400,60,30,9,1}, 400},
	} {
		for _, s := range []Smoothing{DefaultSmoothing(), {Method: SmoothingLaplace}, {SmoothingEpsilon, 1e-4}} {
			shares, n := sharesOf(c.baseline)
			d := must(NewPSINoDrift(shares, n, c.window, s))(t)
			for _, shift := range []float64{0.2, 0.5, 1} {
				var psi [2][]float64
				for i, sign := range []float64{1, -1} {
					for range draws {
						v, err := PSICounts(c.baseline, drawWindow(random, c.baseline, c.window, sign*shift), s)
						if err != nil {
							t.Fatal(err)
						}
						psi[i] = append(psi[i], v)
					}
				}
				for _, q := range []float64{0.3, 0.05, 0.001, 1e-5} {
					x, _ := d.UpperQuantile(q)
					least := 1.0
					for _, values := range psi {
						hits := 0
						for _, v := range values {
							if v > x {
								hits++
							}
						}
						least = min(least, float64(hits)/draws)
					}
					power, method, err := d.ShiftPower(x, shift)
					if err != nil {
						t.Fatal(err)
					}
					if off := math.Abs(power - least); off > 0.03 {
						worst = max(worst, off)
						fmt.Printf("%v bins of %v to %v, window %d, %s %v, shift %v, threshold %.4g (%v): %.3f by %s, simulated %.3f\n", len(c.baseline), c.baseline[0], c.baseline[1], c.window, s.Method, s.Epsilon, shift, x, q, power, method, least)
					}
				}
			}
		}
	}
	fmt.Println("worst", worst)
}
