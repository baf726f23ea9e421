package stats

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// ConsecutiveARL is the average run length, in independent evaluations, until n
// consecutive ones have passed the threshold, each with probability p:
// (1 - p^n)/(p^n (1-p)). p is above 0; p = 1 gives n.
func ConsecutiveARL(p float64, n int) (float64, error) {
	if err := checkRun(p, n); err != nil {
		return 0, err
	}
	if p == 1 {
		return float64(n), nil
	}
	v := math.Expm1(-float64(n)*math.Log(p)) / (1 - p)
	return v, checkFinite("the average run length", v)
}

func checkRun(p float64, n int) error {
	if math.IsNaN(p) || p <= 0 || p > 1 {
		return fmt.Errorf("p must be greater than 0 and at most 1, got %v", p)
	}
	if n < 1 || n > 1e6 {
		return fmt.Errorf("n must be between 1 and 1000000, got %d", n)
	}
	return nil
}

// mostEvaluations bounds the evaluations of an m-of-n rule: its chain has a state for each
// history.
const mostEvaluations = 16

// MofNARL is the average run length, in independent evaluations, until m of the latest n
// have passed the threshold, each with probability p, by a Markov chain on what the latest
// n-1 did. It starts with none passed. n is at most 16.
func MofNARL(p float64, m, n int) (float64, error) {
	if err := checkMofN(p, m, n); err != nil {
		return 0, err
	}
	if p == 0 {
		return 0, fmt.Errorf("p must be greater than 0: the rule never fires")
	}
	if m == n {
		return ConsecutiveARL(p, n)
	}
	if m == 1 {
		return 1 / p, nil
	}
	// From an empty history it takes 1/p evaluations to the first pass. From there until
	// the rule fires or the history is empty again: length and chance to fire, by
	// iteration, which converges since n-1 misses empty the history. Histories are bits.
	states := 1 << (n - 1)
	mask := states - 1
	length, fires := make([]float64, states), make([]float64, states)
	for range 100_000 {
		change := 0.0
		for s := 1; s < states; s++ {
			passed := bits.OnesCount(uint(s))
			if passed >= m {
				continue // not reached without firing
			}
			miss := s << 1 & mask
			l, f := 1+(1-p)*length[miss], (1-p)*fires[miss]
			if passed+1 >= m {
				f += p
			} else {
				l += p * length[miss|1]
				f += p * fires[miss|1]
			}
			change = max(change, (l-length[s])/l, (f-fires[s])/max(f, 1e-300))
			length[s], fires[s] = l, f
		}
		if change < 1e-15 {
			break
		}
	}
	v := (1/p + length[1&mask]) / fires[1&mask]
	return v, checkPositive("the average run length", v)
}

func checkMofN(p float64, m, n int) error {
	if err := checkProbability("p", p); err != nil {
		return err
	}
	if n < 1 || n > mostEvaluations || m < 1 || m > n {
		return fmt.Errorf("want 1 <= m <= n <= %d, got %d of %d", mostEvaluations, m, n)
	}
	return nil
}

// MofNRate is the chance that, at one evaluation, m or more of the latest n have passed
// the threshold: evaluations independent, each passing with probability p. With m = n it is
// p^n, the chance that a condition held for n evaluations.
func MofNRate(p float64, m, n int) (float64, error) {
	if err := checkMofN(p, m, n); err != nil {
		return 0, err
	}
	return binomialUpperTail(int64(m-1), int64(n), p), nil
}

// ShewhartARL is the average run length of a chart that signals where a standard normal
// value is beyond k either way: 1/P(|Z| > k); 370.4 at k = 3.
func ShewhartARL(k float64) (float64, error) {
	if !finite(k) || k < 0 {
		return 0, fmt.Errorf("k must be a number and not negative, got %v", k)
	}
	v := 1 / (2 * normalSurvival(k))
	return v, checkFinite("the average run length", v)
}

// CUSUMARL is the average run length of the two-sided cumulative sum chart of independent
// standard normal values whose mean has moved by shift: reference value k, decision
// interval h, both in standard deviations. 1/ARL = 1/ARL+ + 1/ARL-, each side by Nystrom's
// method on its integral equation: good to about 1e-9.
//
// Source: Brook and Evans, Biometrika 59 (1972) 539-549; van Dobben de Bruyn 1968.
func CUSUMARL(k, h, shift float64) (float64, error) {
	if !finite(k) || k < 0 || k > 20 {
		return 0, fmt.Errorf("k must be between 0 and 20, got %v", k)
	}
	if !finite(h) || h <= 0 || h > 50 {
		return 0, fmt.Errorf("h must be greater than 0 and at most 50, got %v", h)
	}
	if err := checkShift(shift); err != nil {
		return 0, err
	}
	up, down := cusumOneSided(k, h, shift), cusumOneSided(k, h, -shift)
	v := 1 / (1/up + 1/down)
	if !finite(v) || v <= 0 || v > 1e12 {
		return 0, fmt.Errorf("the average run length is too large to be computed")
	}
	return v, nil
}

// cusumOneSided solves L(s) = 1 + L(0) Phi(k - s - shift) + int_0^h L(x) phi(x + k - s -
// shift) dx at Gauss-Legendre nodes, for L(0).
func cusumOneSided(k, h, shift float64) float64 {
	nodes, weights := panelNodes(0, h, 0.75)
	n := len(nodes) + 1 // the first unknown is L(0)
	at := append([]float64{0}, nodes...)
	matrix := make([][]float64, n)
	for i, s := range at {
		matrix[i] = make([]float64, n+1)
		matrix[i][0] = -normalCDF(k - s - shift)
		for j, x := range nodes {
			matrix[i][j+1] = -weights[j] * normalDensity(x+k-s-shift)
		}
		matrix[i][i]++
		matrix[i][n] = 1
	}
	x := solveLinear(matrix)
	if x == nil || !(x[0] > 0) {
		return math.Inf(1)
	}
	return x[0]
}

// solveLinear eliminates with partial pivoting; the last column is the right side.
func solveLinear(m [][]float64) []float64 {
	n := len(m)
	for c := range n {
		pivot := c
		for r := c + 1; r < n; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[pivot][c]) {
				pivot = r
			}
		}
		if m[pivot][c] == 0 {
			return nil
		}
		m[c], m[pivot] = m[pivot], m[c]
		for r := c + 1; r < n; r++ {
			factor := m[r][c] / m[c][c]
			for j := c; j <= n; j++ {
				m[r][j] -= factor * m[c][j]
			}
		}
	}
	x := make([]float64, n)
	for r := n - 1; r >= 0; r-- {
		sum := m[r][n]
		for j := r + 1; j < n; j++ {
			sum -= m[r][j] * x[j]
		}
		x[r] = sum / m[r][r]
	}
	return x
}

// Family is the false alarms of several features over several windows that all use one
// baseline a feature.
type Family struct {
	Features int
	Windows  int     // independent windows; with overlapping ones, windows / overlap
	Rate     float64 // chance of a false alarm, one feature, one window, over baselines
	Low      float64 // the same given a baseline at its lucky end
	High     float64 // and at its unlucky end
}

// FamilyAlarms is what a family gives.
type FamilyAlarms struct {
	Expected float64 // false alarms in all, whatever the dependence: features windows rate
	// The chance of at least one, were all evaluations independent; and what it can be:
	AnyIndependent float64
	// AnyLow and AnyHigh: given baselines that are all lucky (features independent given
	// them), and all unlucky.
	AnyLow, AnyHigh float64
	// AnyLeast is the lower limit whatever the dependence: the rate of one evaluation.
	// AnyMost is the upper one: the expected number, at most 1 (Bonferroni).
	AnyLeast, AnyMost float64
	// AdjustedRate is the rate of one evaluation that keeps the chance of any at Rate
	// (Bonferroni): Rate / (features windows).
	AdjustedRate float64
}

// NewFamilyAlarms computes them. Low and High come from [MeanPower] where the metric is
// the population stability index; both equal to Rate where the baseline is large.
func NewFamilyAlarms(f Family) (FamilyAlarms, error) {
	if f.Features < 1 || f.Windows < 1 || float64(f.Features)*float64(f.Windows) > 1e12 {
		return FamilyAlarms{}, fmt.Errorf("features and windows must be at least 1, and 1e12 together at most, got %d and %d", f.Features, f.Windows)
	}
	for _, c := range []struct {
		name string
		p    float64
	}{{"rate", f.Rate}, {"low", f.Low}, {"high", f.High}} {
		if err := checkProbability(c.name, c.p); err != nil {
			return FamilyAlarms{}, err
		}
	}
	if f.Low > f.Rate || f.High < f.Rate {
		return FamilyAlarms{}, fmt.Errorf("want low <= rate <= high, got %v, %v, %v", f.Low, f.Rate, f.High)
	}
	n := float64(f.Features) * float64(f.Windows)
	anyOf := func(p float64) float64 {
		if p == 1 {
			return 1
		}
		return -math.Expm1(n * math.Log1p(-p))
	}
	return FamilyAlarms{
		Expected:       n * f.Rate,
		AnyIndependent: anyOf(f.Rate),
		AnyLow:         anyOf(f.Low),
		AnyHigh:        anyOf(f.High),
		AnyLeast:       f.Rate,
		AnyMost:        min(n*f.Rate, 1),
		AdjustedRate:   f.Rate / n,
	}, nil
}

// Overlap is a divergence over sliding windows: each window is made of Slots slots of the
// law's window samples together, and one slot passes between evaluations.
type Overlap struct {
	Slots       int // window / every, at least 1
	Consecutive int // evaluations in a row that must exceed the threshold, at least 1
	Draws       int // baselines simulated; 0 counts as 400
	Evaluations int // evaluations a baseline; 0 counts as 500
}

// OverlapRates is what overlap makes of a false alarm, by seeded simulation.
type OverlapRates struct {
	Exceeds  float64 // chance that one evaluation exceeds the threshold
	Fires    float64 // chance that it and those before it, Consecutive in all, do
	Episodes float64 // firings that begin, an evaluation: notifications
	Error    float64 // standard error of Fires, over baselines
}

// OverlappingAlarms simulates what the threshold does on no drift where evaluations share
// most of their window and all of the baseline: independence makes persistence (`for`)
// look far better than it is. Deterministic: the seed is the law's own.
func (d *NoDrift) OverlappingAlarms(threshold float64, o Overlap) (OverlapRates, error) {
	if math.IsNaN(threshold) {
		return OverlapRates{}, checkFinite("threshold", threshold)
	}
	if o.Draws == 0 {
		o.Draws = 400
	}
	if o.Evaluations == 0 {
		o.Evaluations = 500
	}
	if o.Slots < 1 || int64(o.Slots) > d.in.window || o.Consecutive < 1 || o.Draws < 2 || o.Evaluations < o.Consecutive ||
		float64(o.Draws)*float64(o.Evaluations) > 1e8 || o.Slots > 100_000 {
		return OverlapRates{}, fmt.Errorf("want 1 <= slots <= window samples and 100000, consecutive between 1 and evaluations, 2 or more draws, got %+v", o)
	}
	random := rand.New(rand.NewPCG(d.in.seed()))
	bins := len(d.in.reference)
	add, epsilon := d.in.smoothing.pseudoCount(), d.in.smoothing.epsilon()
	denominator := float64(d.in.window) + add*float64(bins)
	// One bin's part of the divergence for every count it may have, made when first seen.
	parts := make([]map[int64]float64, bins)
	for b := range parts {
		parts[b] = map[int64]float64{}
	}
	part := func(b int, count int64) float64 {
		v, ok := parts[b][count]
		if !ok {
			e := (d.in.baseline*d.in.reference[b]+add)/(d.in.baseline+add*float64(bins)) + epsilon
			v = d.in.term(e, (float64(count)+add)/denominator+epsilon)
			parts[b][count] = v
		}
		return v
	}
	ring := make([][]int64, o.Slots)
	for i := range ring {
		ring[i] = make([]int64, bins)
	}
	probability, counts := make([]float64, bins), make([]int64, bins)
	draw := func(slot []int64, total float64, samples int64) {
		left, rest := samples, total
		for b, p := range probability {
			k := left
			if b < bins-1 {
				k = 0
				if p > 0 && left > 0 {
					k = drawBinomial(random, left, min(p/rest, 1))
				}
			}
			rest = max(rest-p, math.SmallestNonzeroFloat64)
			left -= k
			slot[b] = k
		}
	}
	var out OverlapRates
	square := 0.0
	each, more := d.in.window/int64(o.Slots), d.in.window%int64(o.Slots)
	for range o.Draws {
		total := 0.0
		for b, a := range d.in.alpha {
			probability[b] = drawGamma(random, a)
			total += probability[b]
		}
		clear(counts)
		for i, slot := range ring {
			samples := each
			if int64(i) < more {
				samples++
			}
			draw(slot, total, samples)
			for b, k := range slot {
				counts[b] += k
			}
		}
		run, fires := 0, 0.0
		for t := range o.Evaluations + o.Consecutive - 1 {
			if t > 0 {
				i := (t - 1) % o.Slots
				samples := each
				if int64(i) < more {
					samples++
				}
				for b, k := range ring[i] {
					counts[b] -= k
				}
				draw(ring[i], total, samples)
				for b, k := range ring[i] {
					counts[b] += k
				}
			}
			value := 0.0
			for b, k := range counts {
				value += part(b, k)
			}
			counted := t >= o.Consecutive-1
			if value > threshold {
				run++
				if counted {
					out.Exceeds++
				}
			} else {
				run = 0
			}
			if run >= o.Consecutive && counted {
				fires++
				if run == o.Consecutive {
					out.Episodes++
				}
			}
		}
		out.Fires += fires
		square += fires * fires
	}
	n := float64(o.Draws) * float64(o.Evaluations)
	draws := float64(o.Draws)
	variance := max(square/draws-(out.Fires/draws)*(out.Fires/draws), 0) / (draws - 1)
	out.Error = math.Sqrt(variance) / float64(o.Evaluations)
	out.Exceeds /= n
	out.Fires /= n
	out.Episodes /= n
	return out, nil
}
