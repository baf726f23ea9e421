package stats

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"
)

// valueTable is a law's survival function on a grid: survival[j] is P(D > (j+1/2) step).
type valueTable struct {
	step     float64
	survival []float64
	trusted  bool // nothing that matters wrapped around
}

// tableLevels are the grids tried for growing thresholds: points, and their distance
// as a part of (1/N + 1/M), the law's scale. The far tail, where a few bins are
// almost empty, is long and smooth.
var tableLevels = [...]struct {
	points int
	step   float64
}{{1 << 11, 1. / 16}, {1 << 13, 1. / 16}, {1 << 14, 1. / 8}, {1 << 14, 1. / 4}, {1 << 14, 1. / 2}}

const (
	tableWorkBudget = 200_000_000 // complex operations, about 0.4 s
	tableFloor      = 1e-10       // survival that counts as none
	tableDamping    = 14.0        // -log of the weight at the grid's end
	tableWrapped    = 1e-4        // probability beyond the grid that damping takes care of
	usableTable     = 0.75        // part of the grid that is read
)

// invertedLaw is the exact law by numerical inversion, a grid at a time. Each bin's
// values are put on the grid by cubic interpolation (4 nodes, moments 0 to 3 kept: an
// error of the order of (step/scale)^4, 1e-6 in the bulk), the sum over bins is a
// product of their transforms in the value, the sum of counts is fixed by a transform
// in the count, and both are inverted. Values beyond the grid are dropped: they exceed
// every threshold on it. Damping keeps what remains from wrapping around.
type invertedLaw struct {
	levels [len(tableLevels)]func() *valueTable // nil where the work would be too much
}

func newInvertedLaw(law *countLaw, scale float64) *invertedLaw {
	out := &invertedLaw{}
	for i, level := range tableLevels {
		out.levels[i] = sync.OnceValue(func() *valueTable {
			table, _ := law.table(level.points, level.step*scale)
			return table
		})
	}
	return out
}

func (v *invertedLaw) feasible() bool { return v.levels[0]() != nil }

// at is P(D > t). It never increases: no grid exceeds the end of the one before.
func (v *invertedLaw) at(t float64) float64 {
	most := 1.0
	for i := range v.levels {
		table := v.levels[i]()
		if table == nil {
			return most // too much work: an upper bound
		}
		if !table.trusted && i < len(v.levels)-1 {
			continue
		}
		if t < table.reach() {
			return min(table.at(t), most)
		}
		most = min(table.at(table.reach()), most)
		if most < tableFloor {
			return 0
		}
	}
	return most
}

// reach is the largest threshold that the table is read at.
func (v *valueTable) reach() float64 { return v.step * usableTable * float64(len(v.survival)) }

func (law *countLaw) table(points int, step float64) (*valueTable, bool) {
	damping := tableDamping / float64(points)
	fft := fourier.NewCmplxFFT(points)
	spread := make([][]gridNode, len(law.classes))
	for i := range law.classes {
		spread[i] = law.classes[i].onGrid(points, step, damping)
	}
	sum := make([]complex128, points)
	product := make([]complex128, points)
	grid := make([]complex128, points)
	transform := make([]complex128, points)
	norm, kept, largest, quiet := 0.0, 0.0, 0.0, 0
	work := 0
	for k := 0; k <= law.period/2; k++ {
		theta := 2 * math.Pi * float64(k) / float64(law.period)
		plain, within := complex(1, 0), complex(1, 0)
		for i, c := range law.classes {
			clear(grid)
			var g, beyond complex128
			turn := newRotation(theta)
			for j, w := range c.weight {
				z := turn.next()
				node := &spread[i][j]
				if node.at < 0 {
					beyond += z * complex(w, 0)
					continue
				}
				g += z * complex(w, 0)
				re, im := real(z), imag(z)
				to := grid[node.at : node.at+4 : node.at+4]
				for n, share := range node.share {
					to[n] += complex(float64(share*re), float64(share*im))
				}
			}
			within *= integerPower(g, c.many)
			plain *= integerPower(g+beyond, c.many)
			fft.Coefficients(transform, grid)
			if i == 0 {
				for j, z := range transform {
					product[j] = integerPower(z, c.many)
				}
			} else {
				for j, z := range transform {
					product[j] *= integerPower(z, c.many)
				}
			}
			work += 4*len(c.weight) + 16*points
		}
		factor := law.phase(k)
		norm += real(factor * plain)
		kept += real(factor * within)
		size := 0.0
		for j, z := range product {
			sum[j] += factor * z
			size = max(size, absSum(z))
		}
		largest = max(largest, size)
		if size > 1e-15*largest {
			quiet = 0
		} else if quiet++; quiet == 4 {
			break
		}
		if work > tableWorkBudget {
			return nil, false
		}
	}
	fft.Sequence(grid, sum)
	table := &valueTable{step: step, survival: make([]float64, points)}
	below, last := 0.0, 1.0
	for j := range points {
		below += real(grid[j]) / (float64(points) * norm) * math.Exp(damping*float64(j))
		last = min(max(1-below, 0), last)
		table.survival[j] = last
	}
	table.trusted = kept/norm-below < tableWrapped
	if !finite(last) {
		return nil, false
	}
	return table, true
}

// gridNode is where one count's value goes on the grid: four neighbours and their
// shares. A negative place is beyond the grid.
type gridNode struct {
	at    int
	share [4]float64
}

func (c *binClass) onGrid(points int, step, damping float64) []gridNode {
	out := make([]gridNode, len(c.weight))
	for i, w := range c.weight {
		x := c.value[i] / step
		if !(x < float64(points-4)) {
			out[i].at = -1
			continue
		}
		at := max(int(x)-1, 0)
		t := x - float64(at)
		out[i].at = at
		out[i].share = [4]float64{
			-(t - 1) * (t - 2) * (t - 3) / 6,
			t * (t - 2) * (t - 3) / 2,
			-t * (t - 1) * (t - 3) / 2,
			t * (t - 1) * (t - 2) / 6,
		}
		for n := range out[i].share {
			out[i].share[n] *= w * math.Exp(-damping*float64(at+n))
		}
	}
	return out
}

// at reads P(D > t), between grid points by interpolating the logarithm.
func (v *valueTable) at(t float64) float64 {
	x := min(t/v.step-0.5, float64(len(v.survival)-2))
	if x <= 0 { // from 1 at 0, in half a step
		return 1 + (v.survival[0]-1)*(x+0.5)/0.5
	}
	j := int(x)
	a, b, part := v.survival[j], v.survival[j+1], x-float64(j)
	if b < tableFloor/100 {
		return a + (b-a)*part
	}
	return a * math.Exp(math.Log(b/a)*part)
}
