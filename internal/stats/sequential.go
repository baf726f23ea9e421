package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The spending functions of [NewSequential].
const (
	SpendingOBrienFleming = "obrien_fleming"
	SpendingPocock        = "pocock"
)

// Spending is a spending function of one side's significance level.
type Spending struct {
	Family    string  // one of the constants
	Parameter float64 // gamma of "hwang_shih_decani", rho of "power"; not read by others
}

// The families of [Spending], besides [SpendingOBrienFleming] and [SpendingPocock].
const (
	SpendingHwangShihDeCani = "hwang_shih_decani"
	SpendingPower           = "power"
)

// Spend is the part of tail that is spent at information fraction t, 0 <= t <= 1:
//
//   - "obrien_fleming", "pocock": the function [Spend].
//   - "hwang_shih_decani": tail (1 - exp(-g t))/(1 - exp(-g)), tail t at g = 0; g between
//     -40 and 40. -4 is like O'Brien-Fleming, 1 like Pocock.
//   - "power": tail t^r, r positive, at most 50. Kim and DeMets's.
//
// Source: Hwang, Shih and DeCani, Statistics in Medicine 9 (1990) 1439-1445; Kim and
// DeMets, Biometrika 74 (1987) 149-154.
func (s Spending) Spend(tail, t float64) (float64, error) {
	g := s.Parameter
	switch s.Family {
	case SpendingHwangShihDeCani:
		if math.IsNaN(g) || math.Abs(g) > 40 {
			return 0, fmt.Errorf("gamma must be between -40 and 40, got %v", g)
		}
	case SpendingPower:
		if math.IsNaN(g) || g <= 0 || g > 50 {
			return 0, fmt.Errorf("the power must be positive and at most 50, got %v", g)
		}
	default:
		return Spend(s.Family, tail, t)
	}
	if err := checkOpenUnit("significance level of one side", tail); err != nil {
		return 0, err
	}
	if err := checkProbability("information fraction", t); err != nil {
		return 0, err
	}
	switch {
	case s.Family == SpendingPower:
		return tail * math.Pow(t, g), nil
	case math.Abs(g) < 1e-9:
		return tail * t, nil
	}
	return tail * math.Expm1(-g*t) / math.Expm1(-g), nil
}

// maxLooks bounds the recursion: beyond, looks are as good as continuous.
const maxLooks = 500

// Spend is the part of tail, the significance level of one side, that the Lan-DeMets
// spending function has spent at information fraction t, 0 <= t <= 1:
// O'Brien-Fleming 2(1 - Phi(z_{tail/2} / sqrt t)), Pocock tail ln(1 + (e-1) t).
//
// Source: Lan and DeMets, Biometrika 70 (1983) 659-663. As in gsDesign, rpact and
// ldbounds, a two-sided design spends half its significance level a side.
func Spend(spending string, tail, t float64) (float64, error) {
	if err := checkOpenUnit("significance level of one side", tail); err != nil {
		return 0, err
	}
	if err := checkProbability("information fraction", t); err != nil {
		return 0, err
	}
	switch spending {
	case SpendingOBrienFleming:
		if t == 0 {
			return 0, nil
		}
		return 2 * normalSurvival(normalUpperQuantile(tail/2)/math.Sqrt(t)), nil
	case SpendingPocock:
		return tail * math.Log1p((math.E-1)*t), nil
	}
	return 0, fmt.Errorf("unknown spending function %q: want %q or %q", spending, SpendingOBrienFleming, SpendingPocock)
}

// Sequential is a group-sequential test: looks at accumulating data, each with its
// critical value, symmetric when two-sided. It is immutable and safe for use by many
// goroutines.
//
// The law of the path is computed by recursive numerical integration over the
// score S_k = Z_k sqrt(t_k), whose increments are independent (Armitage, McPherson and
// Rowe 1969; Jennison and Turnbull 2000, chapter 19), with 8-point Gauss-Legendre
// panels no wider than 1.5 standard deviations of an increment: good to about 1e-10. The law
// under drift is the law without it times exp(drift s - drift^2 t / 2), so one
// recursion serves all drifts.
type Sequential struct {
	tail      float64 // declared significance level of one side
	twoSided  bool
	fractions []float64
	critical  []float64 // z; +Inf where the look cannot stop
	paths     []subDensity
}

// NewSequential makes a design with the given number of equally spaced looks that
// spends the significance level (of all sides together) by the named function. One
// look is the ordinary test. Looks are 1 to 500.
func NewSequential(spending string, looks int, significanceLevel float64, twoSided bool) (*Sequential, error) {
	fractions, err := equalLooks(looks)
	if err != nil {
		return nil, err
	}
	return NewSequentialAt(spending, fractions, significanceLevel, twoSided)
}

// NewSequentialAt is [NewSequential] with looks at the given information fractions,
// which must increase and end at 1.
func NewSequentialAt(spending string, fractions []float64, significanceLevel float64, twoSided bool) (*Sequential, error) {
	return NewSequentialSpending(Spending{Family: spending}, fractions, significanceLevel, twoSided)
}

// NewSequentialSpending is [NewSequentialAt] with any [Spending].
func NewSequentialSpending(spending Spending, fractions []float64, significanceLevel float64, twoSided bool) (*Sequential, error) {
	d, err := newSequential(fractions, significanceLevel, twoSided)
	if err != nil {
		return nil, err
	}
	spent := 0.0
	for k, t := range fractions {
		total, err := spending.Spend(d.tail, t)
		if err != nil {
			return nil, err
		}
		d.addLook(d.criticalValue(k, total-spent))
		spent = total
	}
	return d, nil
}

// The shapes of [NewSequentialClassical].
const (
	ShapePocock        = "pocock"         // the same critical value at every look
	ShapeOBrienFleming = "obrien_fleming" // critical values C / sqrt(t)
)

// NewSequentialClassical is the design with the critical values C t^(-1/2) (O'Brien and
// Fleming) or C (Pocock) at information fractions t, and the constant C for which the
// significance level of one side is spent in all: C is the last critical value. The
// significance level of a side must be at most 0.4.
//
// Source: Pocock, Biometrika 64 (1977) 191-199; O'Brien and Fleming, Biometrics 35 (1979)
// 549-556; Jennison and Turnbull 2000, tables 2.1 and 2.3.
func NewSequentialClassical(shape string, fractions []float64, significanceLevel float64, twoSided bool) (*Sequential, error) {
	exponent := 0.0
	switch shape {
	case ShapePocock:
	case ShapeOBrienFleming:
		exponent = -0.5
	default:
		return nil, fmt.Errorf("unknown shape %q: want %q or %q", shape, ShapePocock, ShapeOBrienFleming)
	}
	d, err := newSequential(fractions, significanceLevel, twoSided)
	if err != nil {
		return nil, err
	}
	if d.tail > 0.4 {
		return nil, fmt.Errorf("the significance level of a side must be at most 0.4, got %v", d.tail)
	}
	at := func(c float64) *Sequential {
		trial := &Sequential{tail: d.tail, twoSided: twoSided, fractions: d.fractions}
		for _, t := range fractions {
			trial.addLook(c * math.Pow(t, exponent))
		}
		return trial
	}
	low := normalUpperQuantile(d.tail) // one look
	high := low + 0.5
	for at(high).power(0) > d.tail {
		low, high = high, high+1
	}
	// The logarithm of the level is nearly linear in C^2: false position, with bisection
	// where it is slow.
	f := func(c float64) float64 { return math.Log(at(c).power(0) / d.tail) }
	fLow, fHigh := f(low), f(high)
	for range 100 {
		if fLow <= 0 || high-low < 1e-12 {
			break
		}
		c := math.Sqrt(low*low + (high*high-low*low)*fLow/(fLow-fHigh))
		if !(c > low && c < high) {
			c = (low + high) / 2
		}
		v := f(c)
		if math.Abs(v) < 1e-13 {
			low, high = c, c
			break
		}
		if v > 0 {
			low, fLow = c, v
			fHigh /= 2 // Illinois
		} else {
			high, fHigh = c, v
			fLow /= 2
		}
	}
	return at((low + high) / 2), nil
}

// NewHaybittlePeto is the design whose every look but the last uses the given critical
// value, and the last the one that spends what remains of the significance level.
// Interim looks that spend it all are an error.
func NewHaybittlePeto(fractions []float64, interim, significanceLevel float64, twoSided bool) (*Sequential, error) {
	if err := checkPositive("interim critical value", interim); err != nil {
		return nil, err
	}
	d, err := newSequential(fractions, significanceLevel, twoSided)
	if err != nil {
		return nil, err
	}
	left := d.tail
	for k := range fractions[:len(fractions)-1] {
		left -= d.exit(k, interim, 0)
		d.addLook(interim)
	}
	if left <= 0 {
		return nil, fmt.Errorf("interim looks at %v spend more than the significance level", interim)
	}
	d.addLook(d.criticalValue(len(fractions)-1, left))
	return d, nil
}

// AlwaysValidHalfWidth is half the width of the asymptotic confidence sequence for a mean
// after n observations with the given standard error: the interval that holds at all times at
// once with the given confidence 1 - alpha, tightest about tuned observations.
//
// Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476, equation 9;
// as GrowthBook has it.
func AlwaysValidHalfWidth(standardError, n, tuned, alpha float64) (float64, error) {
	if err := checkPositive("standard error", standardError); err != nil {
		return 0, err
	}
	z, err := AlwaysValidCritical(n/tuned, alpha)
	if err != nil {
		return 0, err
	}
	if err := checkPositive("tuned", tuned); err != nil {
		return 0, err
	}
	v := z * standardError
	return v, checkPositive("the half-width", v)
}

// AlwaysValidCritical is that half-width in standard errors where n is ratio times the
// number of observations it is tuned to.
func AlwaysValidCritical(ratio, alpha float64) (float64, error) {
	if err := checkPositive("ratio of observations to tuned ones", ratio); err != nil {
		return 0, err
	}
	if err := checkOpenUnit("alpha", alpha); err != nil {
		return 0, err
	}
	// rho^2 = (-2 ln a + ln(1 - 2 ln a)) / tuned minimises the width there.
	rho := (-2*math.Log(alpha) + math.Log(1-2*math.Log(alpha))) * ratio
	z := math.Sqrt((rho + 1) / rho * (math.Log1p(rho) - 2*math.Log(alpha)))
	return z, checkPositive("the critical value", z)
}

// NewSequentialBounds is a design with given critical values, for looks at the given
// information fractions. A value of +Inf is a look that cannot stop.
func NewSequentialBounds(fractions, critical []float64, twoSided bool) (*Sequential, error) {
	if len(critical) != len(fractions) {
		return nil, fmt.Errorf("%d information fractions and %d critical values: want one for each look", len(fractions), len(critical))
	}
	d, err := newSequential(fractions, 0.05, twoSided)
	if err != nil {
		return nil, err
	}
	for i, z := range critical {
		if math.IsNaN(z) || z <= 0 {
			return nil, fmt.Errorf("critical[%d] must be positive, got %v", i, z)
		}
		d.addLook(z)
	}
	d.tail = d.power(0)
	return d, nil
}

// UnadjustedTypeIError is the chance that at least one of several equally spaced
// looks is significant when nothing is different and every look is tested at the
// full significance level.
func UnadjustedTypeIError(looks int, significanceLevel float64, twoSided bool) (float64, error) {
	fractions, err := equalLooks(looks)
	if err != nil {
		return 0, err
	}
	d, err := newSequential(fractions, significanceLevel, twoSided)
	if err != nil {
		return 0, err
	}
	z := normalUpperQuantile(d.tail)
	if z <= 0 {
		return 0, fmt.Errorf("significance level must be below %v for looks to add up, got %v", significanceLevel/d.tail/2, significanceLevel)
	}
	for range looks {
		d.addLook(z)
	}
	return d.TypeIError(), nil
}

func equalLooks(looks int) ([]float64, error) {
	if looks < 1 || looks > maxLooks {
		return nil, fmt.Errorf("looks must be between 1 and %d, got %d", maxLooks, looks)
	}
	fractions := make([]float64, looks)
	for i := range fractions {
		fractions[i] = float64(i+1) / float64(looks)
	}
	return fractions, nil
}

func newSequential(fractions []float64, significanceLevel float64, twoSided bool) (*Sequential, error) {
	if len(fractions) == 0 || len(fractions) > maxLooks {
		return nil, fmt.Errorf("looks must be between 1 and %d, got %d", maxLooks, len(fractions))
	}
	previous := 0.0
	for i, t := range fractions {
		if math.IsNaN(t) || t-previous < 1e-5 || t > 1 {
			return nil, fmt.Errorf("information fractions must increase, by 1e-5 or more, from above 0 to 1: fractions[%d] is %v", i, t)
		}
		previous = t
	}
	if previous != 1 {
		return nil, fmt.Errorf("the last information fraction must be 1, got %v", previous)
	}
	tail, err := checkDesign(1, significanceLevel, twoSided)
	if err != nil {
		return nil, err
	}
	return &Sequential{tail: tail, twoSided: twoSided, fractions: append([]float64(nil), fractions...)}, nil
}

// Looks is the number of looks.
func (d *Sequential) Looks() int { return len(d.fractions) }

// CriticalValues is the critical value of each look for the standardised statistic;
// +Inf where a look has too little to spend to stop anything (less than 1e-17).
func (d *Sequential) CriticalValues() []float64 { return append([]float64(nil), d.critical...) }

// TypeIError is the chance that some look is significant, on any side, when nothing
// is different.
func (d *Sequential) TypeIError() float64 {
	p := d.power(0)
	if d.twoSided {
		p *= 2
	}
	return min(p, 1)
}

// Power is the chance that some look crosses on the side of the effect, where the
// standardised statistic has mean drift at the last look. Drift is between 0 and 40.
func (d *Sequential) Power(drift float64) (float64, error) {
	if math.IsNaN(drift) || drift < 0 || drift > 40 {
		return 0, fmt.Errorf("drift must be between 0 and 40, got %v", drift)
	}
	return d.power(drift), nil
}

// ExitProbabilities is the chance, for each look, that the path first crosses there
// upwards. Drift is between -40 and 40: a negative one gives the chance to cross on the
// side away from the effect, which [Sequential.Power] disregards as one-look power does
// (ldbounds adds both: 2e-5 at the first of five looks).
func (d *Sequential) ExitProbabilities(drift float64) ([]float64, error) {
	if math.IsNaN(drift) || math.Abs(drift) > 40 {
		return nil, fmt.Errorf("drift must be between -40 and 40, got %v", drift)
	}
	out := make([]float64, len(d.fractions))
	for k := range out {
		out[k] = d.exit(k, d.critical[k], drift)
	}
	return out, nil
}

// Drift is the mean of the standardised statistic at the last look at which the
// design has the given power.
func (d *Sequential) Drift(power float64) (float64, error) {
	if err := checkOpenUnit("power", power); err != nil {
		return 0, err
	}
	if p := d.power(0); power <= p {
		return 0, fmt.Errorf("power must exceed the type I error of one side, %v, got %v", RoundSignificant(p, 3), power)
	}
	low, high := 0.0, 40.0
	for range 60 {
		middle := (low + high) / 2
		if d.power(middle) < power {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2, nil
}

// Inflation is the factor by which the largest sample must exceed that of a single
// look at the same significance level and power: the square of the ratio of drifts.
func (d *Sequential) Inflation(power float64) (float64, error) {
	if d.Looks() == 1 {
		return 1, checkOpenUnit("power", power)
	}
	drift, err := d.Drift(power)
	if err != nil {
		return 0, err
	}
	fixed := normalUpperQuantile(d.tail) + mathext.NormalQuantile(power)
	if fixed <= 0 {
		return 0, fmt.Errorf("power must exceed the significance level of one side, got %v", power)
	}
	return drift * drift / (fixed * fixed), nil
}

func (d *Sequential) power(drift float64) float64 {
	sum := 0.0
	for k := range d.fractions {
		sum += d.exit(k, d.critical[k], drift)
	}
	return min(sum, 1)
}

// exit is the chance to cross z at look k and not before.
func (d *Sequential) exit(k int, z, drift float64) float64 {
	if math.IsInf(z, 1) {
		return 0
	}
	t := d.fractions[k]
	if k == 0 {
		return normalSurvival(z - drift*math.Sqrt(t))
	}
	before := d.fractions[k-1]
	step, root := t-before, math.Sqrt(t-before)
	bound := z * math.Sqrt(t)
	path := d.paths[k-1]
	sum := 0.0
	for i, s := range path.s {
		x := (bound - s - drift*step) / root
		if x > 12 { // 2e-33
			continue
		}
		weight := path.mass[i]
		if drift != 0 {
			weight *= math.Exp(drift*s - drift*drift*before/2)
		}
		sum += weight * normalSurvival(x)
	}
	return sum
}

// criticalValue solves exit(k, z, 0) = spend for z, by bisection between Newton's
// steps.
func (d *Sequential) criticalValue(k int, spend float64) float64 {
	if spend < 1e-17 {
		return math.Inf(1)
	}
	if k == 0 {
		return normalUpperQuantile(spend)
	}
	low, high := -2.0, 10.0
	wanted := normalUpperQuantile(spend)
	z := max(wanted, 0.25)
	for range 100 {
		p := d.exit(k, z, 0)
		if p > spend {
			low = z
		} else {
			high = z
		}
		// The normal quantile of p is almost a line in z.
		next := math.NaN()
		if slope := d.crossingDensity(k, z); slope > 0 && p > 0 && p < 1 {
			at := normalUpperQuantile(p)
			next = z + (wanted-at)*normalDensity(at)/slope
		}
		switch {
		case !(next > low && next < high):
			next = (low + high) / 2
			if high-low < 1e-12 {
				return next
			}
		case math.Abs(next-z) < 1e-7: // what is left is less than its square
			return next
		}
		z = next
	}
	return z
}

// crossingDensity is -d exit(k, z, 0) / dz.
func (d *Sequential) crossingDensity(k int, z float64) float64 {
	t := d.fractions[k]
	root := math.Sqrt(t - d.fractions[k-1])
	bound := z * math.Sqrt(t)
	sum := 0.0
	for i, s := range d.paths[k-1].s {
		sum += d.paths[k-1].mass[i] * normalDensity((bound-s)/root)
	}
	return sum * math.Sqrt(t) / root
}
