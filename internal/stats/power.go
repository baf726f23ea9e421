package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// maxShift is the largest mean shift, in standard deviations, that is considered.
const maxShift = 10.0

// leastShift ends the search for a shift where none, but any other, is seen: a simulated
// power may meet the law's own only beyond its noise.
const leastShift = 1e-9

// ShiftedShares is the share of each bin after the mean of a normal variable moves by
// shift standard deviations, where the bins, in increasing order, hold the given
// shares before: bin b gets Phi(z_b - shift) - Phi(z_{b-1} - shift), with z_b the normal
// quantile of the cumulative share. The shift is at most 10 either way.
func ShiftedShares(shares []float64, shift float64) ([]float64, error) {
	if err := checkProportions("shares", shares, noDriftShareRounded); err != nil {
		return nil, err
	}
	if err := checkShift(shift); err != nil {
		return nil, err
	}
	return shiftedShares(shares, shift), nil
}

func shiftedShares(shares []float64, shift float64) []float64 {
	// The upper tail before each edge is summed from its own side, so that no bin
	// loses its digits.
	n := len(shares)
	edges := make([]float64, n+1)
	edges[0], edges[n] = math.Inf(-1), math.Inf(1)
	below := 0.0
	above := make([]float64, n+1)
	for b := n - 1; b >= 0; b-- {
		above[b] = above[b+1] + shares[b]
	}
	for b := 1; b < n; b++ {
		below += shares[b-1]
		switch {
		case below <= 0:
			edges[b] = math.Inf(-1)
		case above[b] <= 0:
			edges[b] = math.Inf(1)
		case below < 0.5:
			edges[b] = mathext.NormalQuantile(below)
		default:
			edges[b] = -mathext.NormalQuantile(min(above[b], 0.5))
		}
	}
	out := make([]float64, n)
	total := 0.0
	for b := range out {
		low, high := edges[b]-shift, edges[b+1]-shift
		if low > 0 {
			out[b] = normalSurvival(low) - normalSurvival(high)
		} else {
			out[b] = normalCDF(high) - normalCDF(low)
		}
		out[b] = max(out[b], 0)
		total += out[b]
	}
	for b := range out {
		out[b] /= total
	}
	return out
}

// ShiftDivergence is the divergence of the shifted from the baseline shares without
// sampling noise: what a very large window reads. The shares must be those of bins
// in increasing order.
func (d *NoDrift) ShiftDivergence(shift float64) (float64, error) {
	if err := checkShift(shift); err != nil {
		return 0, err
	}
	epsilon := d.in.smoothing.epsilon()
	sum := 0.0
	for b, q := range shiftedShares(d.in.reference, shift) {
		if d.in.reference[b] > 0 {
			sum += d.in.term(d.in.reference[b]+epsilon, q+epsilon)
		}
	}
	return min(sum, math.MaxFloat64), nil
}

// ShiftPower is the probability that the divergence exceeds the threshold in one
// window whose mean has moved by shift standard deviations, in the direction that is
// seen less well: over redrawn baselines and windows, with bins in increasing order
// of a normal variable. By a gamma law with the divergence's mean and variance where every
// bin expects 20 samples of the window and 30 of the baseline, else by 4,000 seeded
// windows (fewer beyond 30 bins, at least 1,000): within 0.03 of simulation, see
// power_test.go. So too where the moments would take long. Beyond 2,000 bins it is the gamma
// law's whatever they expect, which then errs by up to 0.2.
func (d *NoDrift) ShiftPower(threshold, shift float64) (power float64, method Method, err error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkShift(shift); err != nil {
		return 0, "", err
	}
	up, method := d.shiftPower(threshold, math.Abs(shift))
	if shift == 0 || d.symmetric() {
		return up, method, nil
	}
	down, downMethod := d.shiftPower(threshold, -math.Abs(shift))
	if down < up {
		return down, downMethod, nil
	}
	return up, method, nil
}

// DetectableShift is the smallest shift, in standard deviations, whose
// [NoDrift.ShiftPower] at the threshold reaches the given power. It is 0 where noise
// alone does, and an error where a shift of 10 does not.
func (d *NoDrift) DetectableShift(threshold, power float64) (shift float64, method Method, err error) {
	if err := checkOpenUnit("power", power); err != nil {
		return 0, "", err
	}
	at, method, err := d.ShiftPower(threshold, 0)
	if err != nil || at >= power {
		return 0, method, err
	}
	low, high := 0.0, 0.25
	for {
		at, method, err = d.ShiftPower(threshold, high)
		if err != nil {
			return 0, "", err
		}
		if at >= power {
			break
		}
		if high == maxShift {
			return 0, "", fmt.Errorf("no shift up to %v standard deviations exceeds the threshold %v with power %v", maxShift, threshold, power)
		}
		low, high = high, min(2*high, maxShift)
	}
	for high-low > detectableTolerance(method)*high && high > leastShift {
		middle := (low + high) / 2
		at, m, err := d.ShiftPower(threshold, middle)
		if err != nil {
			return 0, "", err
		}
		if at >= power {
			high, method = middle, m
		} else {
			low = middle
		}
	}
	return high, method, nil
}

// detectableTolerance is how closely a shift is searched for, by the method of its power.
func detectableTolerance(m Method) float64 {
	if m == MethodMonteCarlo {
		return 1e-3
	}
	return 1e-7
}

// symmetric says whether the shares read the same from both ends.
func (d *NoDrift) symmetric() bool {
	r := d.in.reference
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		if r[i] != r[j] {
			return false
		}
	}
	return true
}

func (d *NoDrift) shiftPower(threshold, shift float64) (float64, Method) {
	if threshold < 0 {
		return 1, MethodExact
	}
	if d.bins() < 2 { // nothing can move
		return d.exactSurvival(threshold)
	}
	if d.simulatesPower(shift) {
		return d.simulation().power(threshold, shift), MethodMonteCarlo
	}
	shifted := d.shiftedLaw(shift)
	law := shifted.law()
	apart := d.in.emptyBinApart()
	degrees := float64(d.bins() - 1)
	full, mean, variance := law.moments(apart)
	part := 0.0
	if full > 0 {
		m, v := mean, variance
		moreMean, moreVariance := d.baselineCorrection(shift)
		if m+moreMean > m/2 && v+moreVariance > v/2 {
			m, v = m+moreMean, v+moreVariance
		}
		part = full * matchedSurvival(threshold, degrees, m, v)
	}
	if empty := 1 - full; apart && empty > 0 {
		// Windows with an empty bin have moments of their own, what the others leave.
		tail := 1.0
		if all, m, v := law.moments(false); all > 1-1e-12 {
			square := (v + m*m - full*(variance+mean*mean)) / empty
			m = (m - full*mean) / empty
			if v = square - m*m; empty > 1e-9 && m > 0 {
				tail = matchedSurvival(threshold, degrees, m, max(v, 0))
			}
		}
		part += empty * tail
	}
	return min(part, 1), MethodGamma
}

// matchedSurvival is the tail of a multiple of the noncentral chi-squared law with
// the given degrees of freedom that has the given mean and variance; where none has, of
// the gamma law that does.
func matchedSurvival(t, degrees, mean, variance float64) float64 {
	if variance <= 1e-20*mean*mean {
		if mean > t {
			return 1
		}
		return 0
	}
	ratio := variance / (mean * mean)
	if root := 4 - 2*ratio*degrees; root > 0 {
		u := (2 + math.Sqrt(root)) / ratio // degrees + noncentrality
		if lambda := u - degrees; lambda > 0 {
			return noncentralChiSquaredSurvival(t*u/mean, degrees, lambda)
		}
	}
	return gammaSurvival(t*mean/variance, mean*mean/variance)
}

// baselineCorrection is what a shifted law's mean and variance lack. That law's
// baseline noise is Dirichlet at the shifted shares; truly the noise is at the
// baseline's own edges, which the shift then stretches. To second order in the noise,
// with C_j the cumulative share at edge j, Var C_j = C_j(1-C_j)/N, and the
// shifted cumulative share Phi(z_j - d) of derivative k_j = phi(z_j-d)/phi(z_j) and
// second derivative k_j d/phi(z_j) in C_j. Nothing where the expansion does not hold:
// fewer than 5 expected in a shifted bin.
func (d *NoDrift) baselineCorrection(shift float64) (mean, variance float64) {
	p, q := d.in.reference, shiftedShares(d.in.reference, shift)
	n := len(p)
	enough := 5 / min(d.in.baseline, float64(d.in.window))
	slope, curvature := make([]float64, n), make([]float64, n) // of a bin's part
	for b := range p {
		if p[b] == 0 || q[b] < enough {
			return 0, 0
		}
		switch e, x := p[b], q[b]; d.in.divergence {
		case DivergenceKL:
			slope[b], curvature[b] = math.Log(x/e), 1/x
		case DivergenceJS:
			slope[b], curvature[b] = math.Log(2*x/(x+e))/2, e/(2*x*(x+e))
		case DivergenceKLReverse:
			slope[b], curvature[b] = 1-e/x, e/(x*x)
		case DivergenceHellinger2:
			slope[b], curvature[b] = (1-math.Sqrt(e/x))/2, math.Sqrt(e/x)/(4*x)
		case DivergencePearson:
			slope[b], curvature[b] = 2*(x-e)/e, 2/e
		case DivergenceChiSquared:
			u, v := 1/d.in.baseline, 1/float64(d.in.window)
			w, r := u*x+v*e, x-e
			slope[b] = 2*r/w - u*r*r/(w*w)
			curvature[b] = 2/w - 4*u*r/(w*w) + 2*u*u*r*r/(w*w*w)
		case DivergenceTV:
			slope[b] = math.Copysign(0.5, x-e)
		default:
			slope[b], curvature[b] = math.Log(x/e)+1-e/x, 1/x+e/(x*x)
		}
	}
	stretch, below := make([]float64, n), make([]float64, n) // k_j and C_j, edge j above bin j
	cumulative := 0.0
	for j := range n - 1 {
		cumulative += p[j]
		z := mathext.NormalQuantile(cumulative)
		stretch[j], below[j] = math.Exp(z*shift-shift*shift/2), cumulative
		mean += (slope[j] - slope[j+1]) * stretch[j] * shift / normalDensity(z) * cumulative * (1 - cumulative) / 2
	}
	// A bin's shifted share moves by k_b dC_b - k_{b-1} dC_{b-1}.
	var k, c float64
	for b := range p {
		trueVariance := stretch[b]*stretch[b]*below[b]*(1-below[b]) + k*k*c*(1-c) - 2*stretch[b]*k*c*(1-below[b])
		mean += curvature[b] * (trueVariance - q[b]*(1-q[b])) / 2
		k, c = stretch[b], below[b]
	}
	// The divergence moves by sum h_i dpi_i, h_i the sum over edges at or above bin i.
	h := make([]float64, n)
	for i := n - 2; i >= 0; i-- {
		h[i] = h[i+1] + (slope[i]-slope[i+1])*stretch[i]
	}
	variance = spread(p, h) - spread(q, slope)
	return mean / d.in.baseline, variance / d.in.baseline
}

// spread is the variance of value under the given probabilities.
func spread(probability, value []float64) float64 {
	mean, square := 0.0, 0.0
	for i, p := range probability {
		mean += p * value[i]
	}
	for i, p := range probability {
		square += p * (value[i] - mean) * (value[i] - mean)
	}
	return square
}

// shiftedLaw is the law of a window whose true shares have moved, over the same
// baseline noise.
func (d *NoDrift) shiftedLaw(shift float64) *NoDrift { return newNoDrift(d.shifted(shift)) }

func (d *NoDrift) shifted(shift float64) lawInput {
	in := d.in
	shares := shiftedShares(in.reference, shift)
	in.alpha = make([]float64, len(shares))
	for b, q := range shares {
		in.alpha[b] = q * in.baseline
	}
	return in
}

func checkShift(shift float64) error {
	if math.IsNaN(shift) || math.Abs(shift) > maxShift {
		return fmt.Errorf("the shift must be within %v standard deviations, got %v", maxShift, shift)
	}
	return nil
}

// MeanPower is the chance that s independent windows against one baseline all exceed
// the threshold, over baselines: the mean of p_lambda^s, and the same at the 5 % and
// 95 % quantile of the baseline's luck. Given the baseline, p_lambda is proportional
// to the noncentral chi-squared tail at threshold*M with bins-1 degrees of freedom and
// noncentrality lambda = (M/N) X, X chi-squared with bins-1 degrees of freedom; it is
// scaled (and held at 1) so that its mean is p, the chance of one window.
//
// It is for the population stability index; for another divergence, give the threshold
// divided by the factor of its law's scale (1/2 for KL, 1/8 for JS). Where the
// noncentral tail is too small to compute, windows count as independent of the
// baseline. Samples may be fractions, and must be positive; s is at least 1.
func MeanPower(threshold float64, bins int, baselineSamples, windowSamples, p float64, s int) (mean, low, high float64, err error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, 0, 0, err
	}
	if bins < 1 || bins > maxBins {
		return 0, 0, 0, fmt.Errorf("bins must be between 1 and %d, got %d", maxBins, bins)
	}
	if err := checkPositive("baseline samples", baselineSamples); err != nil {
		return 0, 0, 0, err
	}
	if err := checkPositive("window samples", windowSamples); err != nil {
		return 0, 0, 0, err
	}
	if err := checkProbability("p", p); err != nil {
		return 0, 0, 0, err
	}
	if s < 1 {
		return 0, 0, 0, fmt.Errorf("the number of windows must be at least 1, got %d", s)
	}
	independent := math.Pow(p, float64(s))
	if p == 0 || p == 1 || bins == 1 || threshold <= 0 {
		return independent, independent, independent, nil
	}
	degrees := float64(bins - 1)
	factor := windowSamples / baselineSamples
	tail := func(x float64) float64 {
		return noncentralChiSquaredSurvival(threshold*windowSamples, degrees, factor*x)
	}
	// Over y = sqrt X, whose density is smooth: y^(degrees-1) e^(-y^2/2). The tail
	// turns from 0 to 1 within a few 1/sqrt(M/N).
	from := max(math.Sqrt(degrees)-9, 0)
	to := math.Sqrt(degrees) + 9
	nodes, weights := panelNodes(from, to, min(0.6, max(1.5/math.Sqrt(factor), 0.15)))
	tails := make([]float64, len(nodes))
	total := 0.0
	logPeak := 0.0
	if degrees > 1 {
		logPeak = (degrees-1)*math.Log(math.Sqrt(degrees-1)) - (degrees-1)/2
	}
	for i, y := range nodes {
		weights[i] *= math.Exp((degrees-1)*math.Log(y) - y*y/2 - logPeak)
		total += weights[i]
		tails[i] = tail(y * y)
	}
	average := func(scale float64, power float64) float64 {
		sum := 0.0
		for i, w := range weights {
			sum += w * math.Pow(scaled(scale, tails[i]), power)
		}
		return sum / total
	}
	plain := average(1, 1)
	if plain < 1e-250 {
		return independent, independent, independent, nil
	}
	scale := p / plain
	if scale*tails[len(tails)-1] > 1 { // some are held at 1: raise the others
		a, b := math.Log(scale), math.Log(scale)
		for average(math.Exp(b), 1) < p && b-a < 700 {
			b += 1
		}
		for range 60 {
			middle := (a + b) / 2
			if average(math.Exp(middle), 1) < p {
				a = middle
			} else {
				b = middle
			}
		}
		scale = math.Exp((a + b) / 2)
	}
	at := func(q float64) float64 {
		x := 2 * gammaUpperQuantile(q, degrees/2)
		return math.Pow(scaled(scale, tail(x)), float64(s))
	}
	mean = p
	if s > 1 {
		mean = min(max(average(scale, float64(s)), independent), p) // Jensen; s windows are no likelier than one
	}
	return mean, at(0.95), at(0.05), nil
}

// scaled is a probability raised by a factor, which may be infinite.
func scaled(factor, p float64) float64 {
	if p == 0 {
		return 0
	}
	return min(factor*p, 1)
}
