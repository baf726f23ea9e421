package stats

import (
	"math"
	"sort"
)

// subDensity is the density of S_k on paths that have not stopped by look k, as
// quadrature nodes and weight times density, panel by panel.
type subDensity struct{ s, mass []float64 }

// carried is the sum of mass times exp(-x^2/2) over the nodes, x their distances from s in
// units of root. Nodes at the same place of their panels are equally far apart, so that each
// factor is the one before times a ratio that is itself multiplied by the same number:
// exponentials are taken anew only now and then, which keeps it at rounding.
func (d *subDensity) carried(s, root float64) float64 {
	const renewed = 16 // panels
	// Beyond 9 standard deviations there is nothing.
	first := sort.SearchFloat64s(d.s, s-9*root) / panelPoints * panelPoints
	last := sort.SearchFloat64s(d.s, s+9*root)
	step := 0.0 // from a panel to the next
	if others := len(d.s)/panelPoints - 1; others > 0 {
		step = (d.s[others*panelPoints] - d.s[0]) / float64(others) / root
	}
	change := math.Exp(-step * step)
	sum := 0.0
	for from := first; from < last; from += renewed * panelPoints {
		to := min(from+renewed*panelPoints, len(d.s))
		for i := range panelPoints {
			x := (d.s[from+i] - s) / root
			factor, ratio := math.Exp(-x*x/2), math.Exp(-step*(x+step/2))
			for j := from + i; j < to; j += panelPoints {
				sum += d.mass[j] * factor
				factor *= ratio
				ratio *= change
			}
		}
	}
	return sum
}

// addLook fixes the critical value of the next look and carries the density on.
func (d *Sequential) addLook(z float64) {
	k := len(d.critical)
	d.critical = append(d.critical, z)
	if k == len(d.fractions)-1 {
		return
	}
	t := d.fractions[k]
	step := t
	if k > 0 {
		step = t - d.fractions[k-1]
	}
	panel := 1.5 * math.Sqrt(min(step, d.fractions[k+1]-t))
	// Beyond 9 standard deviations there is nothing; drift moves paths upwards by
	// up to 6 more.
	high := min(z, 15) * math.Sqrt(t)
	low := -9 * math.Sqrt(t)
	if d.twoSided {
		low = -min(z, 9) * math.Sqrt(t)
	}
	nodes, weights := panelNodes(low, high, panel)
	mass := make([]float64, len(nodes))
	if k == 0 {
		for i, s := range nodes {
			mass[i] = weights[i] * normalDensity(s/math.Sqrt(t)) / math.Sqrt(t)
		}
	} else {
		root := math.Sqrt(step)
		from := d.paths[k-1]
		scale := 1 / (root * math.Sqrt(2*math.Pi))
		for i, s := range nodes {
			mass[i] = weights[i] * scale * from.carried(s, root)
		}
	}
	d.paths = append(d.paths, subDensity{s: nodes, mass: mass})
}

// gaussLegendre8 are the positive nodes and weights of the 8-point rule on [-1, 1].
var gaussLegendre8 = [4][2]float64{
	{0.1834346424956498049394761, 0.3626837833783619829651504},
	{0.5255324099163289858177390, 0.3137066458778872873379622},
	{0.7966664774136267395915539, 0.2223810344533744705443560},
	{0.9602898564975362316835609, 0.1012285362903762591525314},
}

// panelPoints are the nodes of a panel.
const panelPoints = 2 * len(gaussLegendre8)

// panelNodes are the nodes and weights of the composite rule on [low, high], in
// increasing order, with panels of the same width, at most that asked for.
func panelNodes(low, high, most float64) (nodes, weights []float64) {
	panels := max(int(math.Ceil((high-low)/most)), 1)
	nodes, weights = make([]float64, 0, panelPoints*panels), make([]float64, 0, panelPoints*panels)
	half := (high - low) / float64(panels) / 2
	for p := range panels {
		centre := low + float64(2*p+1)*half
		for i := 3; i >= 0; i-- {
			nodes = append(nodes, centre-half*gaussLegendre8[i][0])
			weights = append(weights, half*gaussLegendre8[i][1])
		}
		for i := range 4 {
			nodes = append(nodes, centre+half*gaussLegendre8[i][0])
			weights = append(weights, half*gaussLegendre8[i][1])
		}
	}
	return nodes, weights
}
