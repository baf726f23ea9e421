package stats

import (
	"math"
	"sync"
)

// valueTable is a law's survival function on a grid: survival[j] is P(D > (j+1/2) step).
type valueTable struct {
	step     float64
	survival []float64
	trusted  bool // nothing that matters wrapped around
}

// tableLevels is the number of grids tried for growing thresholds, each with twice the
// points and twice the step of the one before. The far tail, where a few bins are almost
// empty, is long and smooth.
const tableLevels = 4

const (
	tableWorkBudget = 200_000_000 // complex operations, about 0.4 s
	tableFloor      = 1e-10       // survival that counts as none
	tableDamping    = 14.0        // -log of the weight at the grid's end
	tableWrapped    = 1e-4        // probability beyond the grid that damping takes care of
	usableTable     = 0.75        // part of the grid that is read
)

// invertedLaw is the exact law by numerical inversion, a grid at a time. Each bin's
// values are put on the grid by cubic interpolation (4 nodes, moments 0 to 3 kept: an
// error of the order of (step/scale)^4, 1e-5 in the bulk), the sum over bins is a
// product of their transforms in the value, the sum of counts is fixed by a transform
// in the count, and both are inverted. Values beyond the grid are dropped: they exceed
// every threshold on it. Damping keeps what remains from wrapping around.
type invertedLaw struct {
	levels [tableLevels]func() *valueTable // nil only the first, where the work would be too much
}

// newInvertedLaw prepares the grids for a law of the given scale, (1/N + 1/M) for the
// population stability index. The first reaches the 1e-11 quantile of the asymptotic
// law and a third beyond, in steps of at most a sixth of the scale.
func newInvertedLaw(law *countLaw, scale, degrees float64) *invertedLaw {
	reach := scale * 2 * gammaUpperQuantile(1e-11, max(degrees, 1)/2) * 1.3 / usableTable
	return newLevels(law, reach, scale/6)
}

// newInvertedTVLaw is [newInvertedLaw] for total variation, whose law is nearly normal
// and, where the bins are alike, sits on multiples of half a sample: as fine a step as that
// takes, where it can be afforded.
func newInvertedTVLaw(law *countLaw) *invertedLaw {
	_, mean, variance := law.moments(false)
	reach := (mean + 7.5*math.Sqrt(variance)) / usableTable
	return newLevels(law, reach, min(math.Sqrt(variance)/30, 0.25/float64(law.m)))
}

// newLevels makes grids the first of which has the given end, and where that can be
// afforded the given step. Each has four times the reach of the one before, and twice
// its points, or as many as can be afforded: never fewer than the first, which costs
// what it did. The tail that they are for has the scale of a bin that is almost empty,
// and bears a coarse step.
func newLevels(law *countLaw, reach, step float64) *invertedLaw {
	points := 1 << 10
	for reach/float64(points) > step && points < 1<<13 {
		points *= 2
	}
	first := sync.OnceValues(func() (*valueTable, int) { return law.table(points, reach/float64(points), tableWorkBudget) })
	out := &invertedLaw{}
	for i := range out.levels {
		out.levels[i] = sync.OnceValue(func() *valueTable {
			table, work := first()
			if i == 0 || table == nil {
				return table
			}
			finer := i
			for finer > 0 && work<<finer > tableWorkBudget {
				finer--
			}
			p := points << finer
			table, _ = law.table(p, reach*float64(int(1)<<(2*i))/float64(p), math.MaxInt)
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
			return most // what was found so far is an upper bound
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

// tableParts is how many parts the frequencies of the sum are dealt to, each summed on
// its own: the same on every machine, whatever its cores.
const tableParts = 4

// table makes the survival function on a grid; it gives nil where that takes more than
// so much work, of which it says how much it was.
func (law *countLaw) table(points int, step float64, budget int) (_ *valueTable, work int) {
	damping := tableDamping / float64(points)
	spread := make([][]gridNode, len(law.classes))
	for i := range law.classes {
		spread[i] = law.classes[i].onGrid(points, step, damping)
	}
	var parts [tableParts]*tablePart
	var wait sync.WaitGroup
	for i := range parts {
		parts[i] = &tablePart{sum: make([]complex128, points)}
		wait.Go(func() { parts[i].add(law, spread, i, budget/tableParts) })
	}
	wait.Wait()
	norm, kept, grid := 0.0, 0.0, parts[0].sum
	for i, part := range parts {
		work += part.work
		if part.work > budget/tableParts {
			return nil, work
		}
		norm += part.norm
		kept += part.kept
		if i > 0 {
			for j, z := range part.sum {
				grid[j] += z
			}
		}
	}
	newFFT(points).backward(grid)
	table := &valueTable{step: step, survival: make([]float64, points)}
	density := func(j int) float64 {
		return real(grid[j]) / (float64(points) * norm) * math.Exp(damping*float64(j))
	}
	below, last := 0.0, 1.0
	here := density(0)
	for j := range points {
		next := 0.0
		if j < points-1 {
			next = density(j + 1)
		}
		below += here
		// Midpoint rule, with its first Euler-Maclaurin correction.
		last = min(max(1-below-(next-here)/24, 0), last)
		table.survival[j] = last
		here = next
	}
	table.trusted = kept/norm-below < tableWrapped
	if !finite(last) {
		return nil, work
	}
	return table, work
}

// tablePart is a part of the sum over frequencies.
type tablePart struct {
	sum        []complex128 // of the transforms in the value
	norm, kept float64      // of the weights of all windows, and of those on the grid
	work       int
}

// add adds every tableParts-th frequency from the given one on, until they no longer
// matter or the work is too much.
func (p *tablePart) add(law *countLaw, spread [][]gridNode, from, budget int) {
	points := len(p.sum)
	f := newFFT(points)
	product, grid := make([]complex128, points), make([]complex128, points)
	largest, quiet := 0.0, 0
	for k := from; k <= law.period/2 && p.work <= budget; k += tableParts {
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
			f.forward(grid)
			switch {
			case i == 0 && c.many == 1:
				product, grid = grid, product
			case i == 0:
				for j, z := range grid {
					product[j] = integerPower(z, c.many)
				}
			case c.many == 1:
				for j, z := range grid {
					product[j] *= z
				}
			default:
				for j, z := range grid {
					product[j] *= integerPower(z, c.many)
				}
			}
			p.work += 4*len(c.weight) + 16*points
		}
		factor := law.phase(k)
		p.norm += real(factor * plain)
		p.kept += real(factor * within)
		size := 0.0
		for j, z := range product {
			p.sum[j] += factor * z
			size = max(size, absSum(z))
		}
		largest = max(largest, size)
		if size > 1e-14*largest {
			quiet = 0
		} else if quiet++; quiet == 2 {
			break
		}
	}
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

// at reads P(D > t), between grid points by a monotone cubic in the logarithm (Hermite,
// with the harmonic means of neighbouring slopes: Fritsch and Butland, SIAM Journal on
// Scientific and Statistical Computing 5, 1984).
func (v *valueTable) at(t float64) float64 {
	x := min(t/v.step-0.5, float64(len(v.survival)-3))
	if x <= 0 { // from 1 at 0, in half a step
		return 1 + (v.survival[0]-1)*max(x+0.5, 0)/0.5
	}
	j := int(x)
	part := x - float64(j)
	a, b := v.survival[j], v.survival[j+1]
	if b < tableFloor/100 {
		return a + (b-a)*part
	}
	before, after := 1.0, v.survival[j+2]
	if j > 0 {
		before = v.survival[j-1]
	}
	slope := math.Log(b / a)
	left := harmonicMean(math.Log(a/before), slope)
	right := 0.0
	if after > 0 {
		right = harmonicMean(slope, math.Log(after/b))
	}
	rest := 1 - part
	// The Hermite cubic from 0 to slope, written so that both ends are exact.
	return a * math.Exp(slope*part*part*(3-2*part)+part*rest*(left*rest-right*part))
}

// harmonicMean is that of two slopes that are not positive; 0 where one is.
func harmonicMean(a, b float64) float64 {
	if a*b <= 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
