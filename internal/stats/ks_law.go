package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// ksLaw is that of the two-sample Kolmogorov-Smirnov distance over n and m values.
type ksLaw struct {
	n, m  int64
	exact bool
}

// ksExactWork is the number of lattice steps up to which the law is exact.
const ksExactWork = 5e5

func newKSLaw(n, m int64) (*ksLaw, error) {
	if n < 1 || m < 1 || float64(n) > maxSamples || float64(m) > maxSamples {
		return nil, fmt.Errorf("baseline and window samples must be between 1 and 1e15, got %d and %d", n, m)
	}
	l := &ksLaw{n: n, m: m}
	// The band that matters: up to the 1e-9 quantile.
	reach := min(2*3.3*l.scale(), 1)
	l.exact = float64(n)*float64(m)*reach <= ksExactWork && float64(n)*float64(m) < 1e12
	return l, nil
}

func (l *ksLaw) scale() float64 { return math.Sqrt(1/float64(l.n) + 1/float64(l.m)) }

// atLeast is P(D >= d).
func (l *ksLaw) atLeast(d float64) float64 {
	if l.exact {
		return ksExactAtLeast(l.n, l.m, d)
	}
	return l.asymptotic(d)
}

// asymptotic is the one-sample law at the effective size; from 5,000 on Kolmogorov's with
// the first terms of its expansion (Vrbik, Pioneer Journal of Theoretical and Applied
// Statistics 15 (2018)), which does not add up thousands of terms.
func (l *ksLaw) asymptotic(d float64) float64 {
	n := ksEffective(l.n, l.m)
	if n < 5000 {
		return ksOneSampleSurvival(n, d)
	}
	if d <= 0 {
		return 1
	}
	root := math.Sqrt(n)
	x := d * root
	return kolmogorovSurvival(x + 1/(6*root) + (x-1)/(4*n))
}

func (l *ksLaw) Survival(t float64) (float64, Method) {
	method := MethodAsymptotic
	if l.exact {
		method = MethodExact
	}
	switch {
	case math.IsNaN(t) || t < 0:
		return 1, method
	case t >= 1:
		return 0, method
	case !l.exact:
		return negligible(l.asymptotic(t)), method
	}
	n, m := max(l.n, l.m), min(l.n, l.m)
	g := gcd(n, m)
	lcm := float64(n/g) * float64(m)
	h := int64(math.Floor(t*lcm*(1+1e-14)+1e-9)) + 1 // the first multiple of 1/lcm above t
	if float64(h) > lcm {
		return 0, method
	}
	return negligible(ksOutside(n, m, n/g, m/g, h)), method
}

func (l *ksLaw) UpperQuantile(q float64) (float64, Method) {
	if !l.exact {
		return upperQuantile(q, l.scale(), l.Survival)
	}
	// Over the multiples of 1/lcm.
	if !(q > NegligibleProbability) {
		q = math.Nextafter(NegligibleProbability, 0)
	}
	n, m := max(l.n, l.m), min(l.n, l.m)
	g := gcd(n, m)
	lcm := float64(n/g) * float64(m)
	survival := func(h int64) float64 {
		if float64(h)+1 > lcm {
			return 0
		}
		return negligible(ksOutside(n, m, n/g, m/g, h+1))
	}
	low, high := int64(-1), int64(math.Ceil(l.scale()*lcm))
	for survival(high) > q {
		low, high = high, 2*high
	}
	for high-low > 1 && float64(high-low) > 1e-7*float64(high) {
		if middle := low + (high-low)/2; survival(middle) <= q {
			high = middle
		} else {
			low = middle
		}
	}
	return min(float64(high)/lcm*(1+quantileConfidence), 1), MethodExact
}

func (l *ksLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }

// ShiftPower is the chance that a Brownian bridge plus the difference of the distribution
// functions exceeds the threshold somewhere, over 4,000 seeded bridges at 256 points, the
// boundary moved in by 0.5826 of a step's deviation for what happens between them
// (Broadie, Glasserman and Kou, Mathematical Finance 7 (1997) 325-349): within 0.03 of
// simulated samples. At a shift of 0 it is the law's own Survival.
func (l *ksLaw) ShiftPower(threshold, shift float64) (float64, Method, error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkShift(shift); err != nil {
		return 0, "", err
	}
	null, method := l.Survival(threshold)
	if shift == 0 || threshold < 0 {
		return null, method, nil
	}
	x := threshold/l.scale() - 0.5826/math.Sqrt(bridgePoints)
	mean := make([]float64, bridgePoints-1)
	for i := range mean {
		u := float64(i+1) / bridgePoints
		mean[i] = (u - normalCDF(mathext.NormalQuantile(u)-math.Abs(shift))) / l.scale()
	}
	hits := 0
	for _, path := range bridges() {
		for i, b := range path {
			if math.Abs(float64(b)+mean[i]) > x {
				hits++
				break
			}
		}
	}
	return max(float64(hits)/bridgePaths, null), MethodMonteCarlo, nil
}

const (
	bridgePoints = 256
	bridgePaths  = 4000
)

// bridges are Brownian bridges at the inner points of a grid on [0, 1].
var bridges = sync.OnceValue(func() [][]float32 {
	random := rand.New(rand.NewPCG(0x6272696467657331, 0x6b736c6177)) // any fixed seed
	out := make([][]float32, bridgePaths)
	for p := range out {
		out[p] = make([]float32, bridgePoints-1)
		var walk [bridgePoints]float64
		at := 0.0
		for i := range walk {
			at += random.NormFloat64() / 16 // a sixteenth: the root of a step
			walk[i] = at
		}
		for i := range out[p] {
			out[p][i] = float32(walk[i] - float64(at*float64(i+1)/bridgePoints))
		}
	}
	return out
})

func (l *ksLaw) DetectableShift(threshold, power float64) (float64, Method, error) {
	return detectableShift(threshold, power, func(shift float64) (float64, Method) {
		p, method, _ := l.ShiftPower(threshold, shift)
		return p, method
	})
}
