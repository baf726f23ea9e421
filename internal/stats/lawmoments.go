package stats

import (
	"math"
)

// rotation is a running exp(i theta j) that is refreshed often enough not to drift.
type rotation struct {
	theta float64
	step  complex128
	now   complex128
	at    int
}

func newRotation(theta float64) rotation {
	sin, cos := math.Sincos(theta)
	return rotation{theta: theta, step: complex(cos, sin), now: 1}
}

func (r *rotation) next() complex128 {
	out := r.now
	r.at++
	if r.at&255 == 0 {
		sin, cos := math.Sincos(r.theta * float64(r.at))
		r.now = complex(cos, sin)
	} else {
		r.now *= r.step
	}
	return out
}

// moments gives the probability of the windows considered, and the divergence's mean
// and variance over them: windows without an empty bin, or all where the value of an
// empty bin is finite. skipEmpty leaves out windows in which a bin is empty that the
// baseline has samples in.
func (law *countLaw) moments(skipEmpty bool) (probability, mean, variance float64) {
	law.summing.Do(law.sumMoments)
	m := law.allMoments
	if skipEmpty {
		m = law.fullMoments
	}
	return m.probability, m.mean, m.variance
}

// momentSums are what moments are computed from: sums over frequencies.
type momentSums struct {
	p, first, second            float64
	probability, mean, variance float64
}

func (m *momentSums) add(factor, product, first, second complex128) {
	product *= factor
	m.p += real(product)
	m.first += real(product * first)
	m.second += real(product * (first*first + second))
}

// close sets the moments, given the sum for all windows.
func (m *momentSums) close(all float64) {
	m.probability = min(max(m.p/all, 0), 1)
	if m.probability < 1e-13 { // rounding is all that is left
		m.probability = 0
		return
	}
	m.mean = max(m.first/m.p, 0)
	m.variance = max(m.second/m.p-m.mean*m.mean, 0)
}

// momentClass is a class as moments need it: its weights and their products with
// the value and its square, without those of an empty bin.
type momentClass struct {
	node                  []momentNode
	from                  int // the first node
	empty                 momentNode
	emptyFinite, hasEmpty bool
	many                  int
}

type momentNode struct{ w, wf, wff float64 }

func newMomentClass(c *binClass) momentClass {
	m := momentClass{node: make([]momentNode, len(c.weight)), many: c.many}
	for i, w := range c.weight {
		f := c.value[i]
		m.node[i] = momentNode{w, w * f, w * f * f}
	}
	if c.first == 0 && c.alpha > 0 {
		m.hasEmpty, m.empty, m.emptyFinite = true, m.node[0], !math.IsInf(c.value[0], 1)
		m.from = 1
		if !m.emptyFinite {
			m.empty.wf, m.empty.wff = 0, 0
		}
	}
	return m
}

func (law *countLaw) sumMoments() {
	classes := make([]momentClass, len(law.classes))
	for i := range law.classes {
		classes[i] = newMomentClass(&law.classes[i])
	}
	all, largest, quiet := 0.0, 0.0, 0
	for k := 0; k <= law.period/2; k++ {
		theta := 2 * math.Pi * float64(k) / float64(law.period)
		// Of full windows, of all that have a value, and of all.
		product, productFinite, productAll := complex(1, 0), complex(1, 0), complex(1, 0)
		var first, second, firstFinite, secondFinite complex128
		for i := range classes {
			c := &classes[i]
			turn := newRotation(theta)
			if c.from == 1 {
				turn.next()
			}
			var gr, gi, ur, ui, vr, vi float64
			for _, n := range c.node[c.from:] {
				z := turn.next()
				re, im := real(z), imag(z)
				gr += n.w * re
				gi += n.w * im
				ur += n.wf * re
				ui += n.wf * im
				vr += n.wff * re
				vi += n.wff * im
			}
			g, u, v := complex(gr, gi), complex(ur, ui), complex(vr, vi)
			many := complex(float64(c.many), 0)
			add := func(g, u, v complex128, first, second *complex128) {
				if g != 0 {
					ratio := u / g
					*first += many * ratio
					*second += many * (v/g - ratio*ratio)
				}
			}
			add(g, u, v, &first, &second)
			product *= integerPower(g, c.many)
			if c.hasEmpty && c.emptyFinite {
				g, u, v = g+complex(c.empty.w, 0), u+complex(c.empty.wf, 0), v+complex(c.empty.wff, 0)
			}
			add(g, u, v, &firstFinite, &secondFinite)
			productFinite *= integerPower(g, c.many)
			if c.hasEmpty && !c.emptyFinite {
				g += complex(c.empty.w, 0)
			}
			productAll *= integerPower(g, c.many)
		}
		factor := law.phase(k)
		law.fullMoments.add(factor, product, first, second)
		law.allMoments.add(factor, productFinite, firstFinite, secondFinite)
		all += real(factor * productAll)
		size := absSum(productAll)
		largest = max(largest, size)
		if size > 1e-18*largest {
			quiet = 0
		} else if quiet++; quiet == 4 {
			break
		}
	}
	law.fullMoments.close(all)
	law.allMoments.close(all)
}

func integerPower(z complex128, n int) complex128 {
	out := complex(1, 0)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out *= z
		}
		z *= z
	}
	return out
}

func absSum(z complex128) float64 { return math.Abs(real(z)) + math.Abs(imag(z)) }
