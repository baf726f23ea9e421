package stats

import (
	"math"
	"slices"
	"sync"
)

// lInfinityLaw is that of max |A-E|: P(max <= t) is the chance that every count keeps
// within its limits, one transform in the sum of counts.
type lInfinityLaw struct {
	p     NoDriftParameters
	in    lawInput
	law   func() *countLaw
	norm  func() float64
	scale float64
}

func newLInfinityLaw(p NoDriftParameters) *lInfinityLaw {
	p.Smoothing = Smoothing{} // it needs none
	alpha := make([]float64, len(p.Shares))
	most := 0.0
	for b, s := range p.Shares {
		alpha[b] = s * float64(p.BaselineSamples)
		most = max(most, s*(1-s))
	}
	return newLInfinityOf(p, lawInput{
		divergence: DivergenceTV, // |A-E|/2, bin by bin
		reference:  slices.Clone(p.Shares),
		alpha:      alpha,
		baseline:   float64(p.BaselineSamples),
		window:     p.WindowSamples,
		smoothing:  p.Smoothing,
	}, most)
}

func newLInfinityOf(p NoDriftParameters, in lawInput, most float64) *lInfinityLaw {
	l := &lInfinityLaw{p: p, in: in}
	l.law = sync.OnceValue(func() *countLaw { return newCountLaw(in.grouped()) })
	l.norm = sync.OnceValue(func() float64 { return l.law().within(2) })
	l.scale = math.Sqrt(most * (1/in.baseline + 1/float64(in.window)))
	return l
}

// within is proportional to the probability that every bin's value is at most v. A node
// that stands for several counts is taken by the part of them that is within.
func (law *countLaw) within(v float64) float64 {
	type cut struct{ weight []float64 }
	cuts := make([]cut, len(law.classes))
	for i, c := range law.classes {
		weight := slices.Clone(c.weight)
		for j := range weight {
			if c.value[j] > v*(1+1e-12)+1e-15 {
				weight[j] = 0
				continue
			}
			if c.stride == 1 {
				continue
			}
			// The values of neighbours tell where between nodes the limit is: half a
			// stride either way belongs to this node.
			part := 1.0
			for _, k := range []int{j - 1, j + 1} {
				if k < 0 || k >= len(weight) || c.value[k] <= v {
					continue
				}
				reach := (v - c.value[j]) / (c.value[k] - c.value[j]) // of a stride
				part += reach - 0.5
			}
			weight[j] *= max(part, 0)
		}
		cuts[i] = cut{weight}
	}
	sum, largest, quiet := 0.0, 0.0, 0
	for k := 0; k <= law.period/2; k++ {
		theta := 2 * math.Pi * float64(k) / float64(law.period)
		product := complex(1, 0)
		for i, c := range law.classes {
			var g complex128
			turn := newRotation(theta)
			for _, w := range cuts[i].weight {
				z := turn.next()
				if w != 0 {
					g += z * complex(w, 0)
				}
			}
			product *= integerPower(g, c.many)
		}
		sum += real(law.phase(k) * product)
		size := absSum(product)
		largest = max(largest, size)
		if size > 1e-17*largest {
			quiet = 0
		} else if quiet++; quiet == 50 {
			break
		}
	}
	return sum
}

func (l *lInfinityLaw) Survival(t float64) (float64, Method) {
	if math.IsNaN(t) || t < 0 {
		return 1, MethodExact
	}
	if t >= 1 {
		return 0, MethodExact
	}
	used := 0
	for _, a := range l.in.alpha {
		if a > 0 {
			used++
		}
	}
	if used < 2 {
		return 0, MethodExact
	}
	return negligible(max(1-l.law().within(t/2)/l.norm(), 0)), MethodExact
}

func (l *lInfinityLaw) UpperQuantile(q float64) (float64, Method) {
	// Bisection to 1e-6: the law is a step function of steps 1/M at least in small windows.
	if !(q > NegligibleProbability) {
		q = math.Nextafter(NegligibleProbability, 0)
	}
	if q >= 1 {
		return 0, MethodExact
	}
	low, high := 0.0, min(l.scale, 1)
	for p, _ := l.Survival(high); p > q && high < 1; p, _ = l.Survival(high) {
		low, high = high, min(2*high, 1)
	}
	for high-low > 1e-7*high {
		middle := (low + high) / 2
		if p, _ := l.Survival(middle); p <= q {
			high = middle
		} else {
			low = middle
		}
	}
	return high * (1 + quantileConfidence), MethodExact
}

func (l *lInfinityLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }

// ShiftPower is as [NoDrift.ShiftPower]: exact for the shifted shares, but for the
// baseline's noise, which is taken at them.
func (l *lInfinityLaw) ShiftPower(threshold, shift float64) (float64, Method, error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkShift(shift); err != nil {
		return 0, "", err
	}
	least := 1.0
	for _, s := range []float64{shift, -shift} {
		least = min(least, l.shifted(s, threshold))
	}
	return least, MethodExact, nil
}

func (l *lInfinityLaw) shifted(shift, threshold float64) float64 {
	in := l.in
	in.alpha = make([]float64, len(in.reference))
	for b, q := range shiftedShares(in.reference, shift) {
		in.alpha[b] = q * in.baseline
	}
	p, _ := newLInfinityOf(l.p, in, 0.25).Survival(threshold)
	return p
}

func (l *lInfinityLaw) DetectableShift(threshold, power float64) (float64, Method, error) {
	return detectableShift(threshold, power, func(shift float64) (float64, Method) {
		p, method, _ := l.ShiftPower(threshold, shift) // in range by construction
		return p, method
	})
}
