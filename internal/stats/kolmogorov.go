package stats

import (
	"fmt"
	"math"
	"slices"
)

// KolmogorovSurvival is P(K > x) of Kolmogorov's limiting law, 2 sum (-1)^(j-1)
// exp(-2 j^2 x^2): that of sqrt(NM/(N+M)) D for large samples on no drift. Good to the
// last bits; x at or below 0 gives 1.
func KolmogorovSurvival(x float64) (float64, error) {
	if math.IsNaN(x) {
		return 0, checkFinite("x", x)
	}
	return kolmogorovSurvival(x), nil
}

// KolmogorovUpperQuantile is the value that Kolmogorov's limiting law exceeds with
// probability q, 0 < q < 1.
func KolmogorovUpperQuantile(q float64) (float64, error) {
	if err := checkOpenUnit("q", q); err != nil {
		return 0, err
	}
	low, high := 0.0, 40.0
	for range 200 {
		middle := (low + high) / 2
		if middle <= low || middle >= high {
			break
		}
		if kolmogorovSurvival(middle) > q {
			low = middle
		} else {
			high = middle
		}
	}
	return high, nil
}

func kolmogorovSurvival(x float64) float64 {
	switch {
	case x <= 0.04: // the next form underflows
		return 1
	case x < 1: // by the theta function's other series
		sum := 0.0
		for j := 0; j < 20; j++ {
			k := float64(2*j + 1)
			sum += math.Exp(-k * k * math.Pi * math.Pi / (8 * x * x))
		}
		return 1 - math.Sqrt(2*math.Pi)/x*sum
	}
	sum, sign := 0.0, 1.0
	for j := 1.0; j < 20; j++ {
		sum += sign * math.Exp(-2*j*j*x*x)
		sign = -sign
	}
	return 2 * sum
}

// KSMethod names how the p-value of a two-sample Kolmogorov-Smirnov test is computed.
type KSMethod string

// The methods of [KolmogorovSmirnov].
const (
	KSAuto       KSMethod = "auto"       // exact where both samples have at most 10,000 values, as scipy
	KSExact      KSMethod = "exact"      // by counting lattice paths
	KSAsymptotic KSMethod = "asymptotic" // Kolmogorov's one-sample law at round(NM/(N+M)), as scipy
)

// ksMostExact is scipy's limit on the size of samples for an exact p-value.
const ksMostExact = 10_000

// KolmogorovSmirnov is the two-sample, two-sided test: the statistic D, the largest
// difference between the samples' distribution functions, and its p-value. Infinite
// values are allowed, NaN and empty samples are errors. With ties the p-value is an upper
// bound.
//
// Source: Hodges, Arkiv for Matematik 3 (1958) 469-486; Simard and L'Ecuyer, Journal of
// Statistical Software 39 (2011) 11; the same as scipy.stats.ks_2samp.
func KolmogorovSmirnov(expected, actual []float64, method KSMethod) (statistic, pValue float64, err error) {
	e, err := sortedCopy("expected", expected)
	if err != nil {
		return 0, 0, err
	}
	a, err := sortedCopy("actual", actual)
	if err != nil {
		return 0, 0, err
	}
	statistic = ksStatistic(e, a)
	pValue, err = ksPValue(int64(len(e)), int64(len(a)), statistic, method)
	return statistic, pValue, err
}

// KSPValue is the probability that the two-sample statistic of N and M values from one
// continuous distribution is at least d. An exact one of very large samples that would
// take more than 1e9 steps is an error.
func KSPValue(baselineSamples, windowSamples int64, d float64, method KSMethod) (float64, error) {
	if baselineSamples < 1 || windowSamples < 1 || float64(baselineSamples) > maxSamples || float64(windowSamples) > maxSamples {
		return 0, fmt.Errorf("samples must be between 1 and 1e15, got %d and %d", baselineSamples, windowSamples)
	}
	if math.IsNaN(d) {
		return 0, checkFinite("d", d)
	}
	return ksPValue(baselineSamples, windowSamples, d, method)
}

func ksPValue(n, m int64, d float64, method KSMethod) (float64, error) {
	switch method {
	case KSAuto:
		if max(n, m) <= ksMostExact {
			return ksExactAtLeast(n, m, d), nil
		}
	case KSExact:
		if float64(n)*float64(m)*min(2*d, 1) > 1e9 {
			return 0, fmt.Errorf("an exact p-value of samples of %d and %d takes too long: use %q", n, m, KSAsymptotic)
		}
		return ksExactAtLeast(n, m, d), nil
	case KSAsymptotic:
	default:
		return 0, fmt.Errorf("unknown method %q: want %q, %q or %q", method, KSAuto, KSExact, KSAsymptotic)
	}
	return ksOneSampleSurvival(ksEffective(n, m), d), nil
}

// ksEffective is the size of one sample against a known distribution that is as noisy as
// the two.
func ksEffective(n, m int64) float64 {
	x, y := float64(max(n, m)), float64(min(n, m))
	return max(math.RoundToEven(y/(1+y/x)), 1)
}

// ksStatistic is the largest difference of the distribution functions of sorted samples.
func ksStatistic(e, a []float64) float64 {
	n, m := float64(len(e)), float64(len(a))
	most := 0.0
	for i, j := 0, 0; i < len(e) && j < len(a); {
		at := min(e[i], a[j])
		for i < len(e) && e[i] == at {
			i++
		}
		for j < len(a) && a[j] == at {
			j++
		}
		most = max(most, math.Abs(float64(i)/n-float64(j)/m))
	}
	return most
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ksExactAtLeast is P(D >= d): the share of lattice paths from (0, 0) to (n, m) that
// leave the band |i/n - j/m| < d, column by column.
func ksExactAtLeast(n, m int64, d float64) float64 {
	n, m = max(n, m), min(n, m)
	g := gcd(n, m)
	ng, mg := n/g, m/g
	lcm := float64(ng) * float64(m)
	if d > 1 {
		return 0
	}
	h := int64(math.RoundToEven(d * lcm)) // in units of 1/lcm
	if h <= 0 {
		return 1
	}
	return ksOutside(n, m, ng, mg, h)
}

// ksOutside is that share for an integer half-width h. Only the part of a column that is
// inside the band is kept; outside, the share is 1.
func ksOutside(n, m, ng, mg, h int64) float64 {
	first, last := int64(0), min((h+ng-1)/ng, m+1)
	column := make([]float64, min(2*last+2, m+1)+1)
	for i := range column {
		column[i] = 1
	}
	for i := first; i < last; i++ {
		column[i] = 0
	}
	width := last - first
	for i := int64(1); i <= n; i++ {
		before, widthBefore := first, width
		low := mg*i - h
		first = 0
		if low >= 0 {
			first = low/ng + 1
		}
		first = min(first, m)
		last = min((mg*i+h+ng-1)/ng, m+1)
		if last <= first {
			return 1
		}
		value := 1.0
		if first == 0 {
			value = 0
		}
		for j := first; j < last; j++ {
			value = (column[j-before]*float64(i) + value*float64(j)) / float64(i+j)
			column[j-first] = value
		}
		width = last - first
		for j := width; j < widthBefore; j++ {
			column[j] = 1
		}
	}
	return min(max(column[last-first-1], 0), 1)
}

// ksOneSampleSurvival is P(D_n > d) of n values against their own continuous
// distribution.
//
// Source: Simard and L'Ecuyer 2011: Durbin's matrix (Marsaglia, Tsang and Wang, Journal
// of Statistical Software 8 (2003) 18) for small n d^2, twice the one-sided tail in the
// tail, Pelz and Good (Journal of the Royal Statistical Society B 38 (1976) 152) else.
func ksOneSampleSurvival(n, d float64) float64 {
	t := n * d
	z2 := t * d
	switch {
	case d >= 1:
		return 0
	case t <= 0.5:
		return 1
	case t <= 1:
		return 1 - math.Exp(logGamma(n+1)-n*math.Log(n)+n*math.Log(2*t-1))
	case z2 > 370:
		return 0
	case d >= 0.5 || z2 >= 4 || n > 140 && z2 >= 2.2:
		return min(2*ksOneSided(n, d), 1)
	case n <= 140 || n <= 1e5 && n*math.Pow(d, 1.5) <= 1.4:
		return min(max(1-durbinMatrix(int(n), d), 0), 1)
	}
	return pelzGood(n, d)
}

// ksOneSided is P(D+ >= d), by Birnbaum and Tingey's sum; above a million values by its
// expansion (Maag and Dicaire).
func ksOneSided(n, d float64) float64 {
	if n > 1e6 {
		x := 6*n*d + 1
		return math.Exp(-x * x / (18 * n))
	}
	sum := 0.0
	logNFactorial := logGamma(n + 1)
	for j := math.Floor(n * (1 - d)); j >= 0; j-- {
		rest := 1 - d - j/n
		if rest <= 0 {
			continue
		}
		sum += math.Exp(logNFactorial - logGamma(j+1) - logGamma(n-j+1) +
			(j-1)*math.Log(d+j/n) + (n-j)*math.Log(rest))
	}
	return min(d*sum, 1)
}

func durbinMatrix(n int, d float64) float64 {
	k := int(math.Ceil(float64(n) * d))
	size := 2*k - 1
	h := float64(k) - float64(n)*d
	matrix := make([]float64, size*size)
	for i := range size {
		for j := range size {
			if i-j+1 >= 0 {
				matrix[i*size+j] = 1
			}
		}
	}
	for i := range size {
		matrix[i*size] -= math.Pow(h, float64(i+1))
		matrix[(size-1)*size+i] -= math.Pow(h, float64(size-i))
	}
	if 2*h > 1 {
		matrix[(size-1)*size] += math.Pow(2*h-1, float64(size))
	}
	for i := range size {
		for j := range size {
			for g := 1; g <= i-j+1; g++ {
				matrix[i*size+j] /= float64(g)
			}
		}
	}
	power, exponent := matrixPower(matrix, size, n)
	s := power[(k-1)*size+k-1]
	for i := 1; i <= n; i++ {
		s *= float64(i) / float64(n)
		if s < 1e-140 {
			s *= 1e140
			exponent -= 140
		}
	}
	return s * math.Pow(10, float64(exponent))
}

// matrixPower gives the n-th power as a matrix and a decimal exponent.
func matrixPower(a []float64, size, n int) ([]float64, int) {
	if n == 1 {
		return slices.Clone(a), 0
	}
	half, exponent := matrixPower(a, size, n/2)
	out := matrixProduct(half, half, size)
	exponent *= 2
	if n%2 == 1 {
		out = matrixProduct(a, out, size)
	}
	if out[(size/2)*size+size/2] > 1e140 {
		for i := range out {
			out[i] *= 1e-140
		}
		exponent += 140
	}
	return out, exponent
}

func matrixProduct(a, b []float64, size int) []float64 {
	out := make([]float64, size*size)
	for i := range size {
		for k := range size {
			x := a[i*size+k]
			if x == 0 {
				continue
			}
			for j := range size {
				out[i*size+j] += x * b[k*size+j]
			}
		}
	}
	return out
}

func pelzGood(n, d float64) float64 {
	const pi2 = math.Pi * math.Pi
	const pi4, pi6 = pi2 * pi2, pi2 * pi2 * pi2
	z := math.Sqrt(n) * d
	z2 := z * z
	z3, z4, z6 := z2*z, z2*z2, z2*z2*z2
	logQ := -pi2 / 8 / z2
	if logQ < -700 {
		return 1
	}
	root := math.Sqrt(2 * math.Pi)
	var k [4]float64
	for j := math.Ceil(16 * z / math.Pi); j > 0; j-- {
		u := 2*j - 1
		u2 := u * u
		q := math.Exp(logQ * u2)
		k[0] += q
		k[1] += q * (-z2 + pi2/4*u2)
		k[2] += q * (6*z6 + 2*z4 + (2*z4-5*z2)*pi2/4*u2 + pi4*(1-2*z2)/16*u2*u2)
		k[3] += q * (-30*z6 - 90*z4*z4 + pi2*(135*z4-96*z6)/4*u2 +
			pi4*(-60*z2+212*z4)/16*u2*u2 + pi6*(5-30*z2)/64*u2*u2*u2)
		even := j * j * math.Exp(-pi2/2/z2*j*j)
		k[2] -= 72 * z6 * z / root * even * pi2 * root / (36 * z3)
		k[3] += 6480 * z6 * z4 / root * even * (3*z2 - pi2*j*j) * pi2 * root / (216 * z6)
	}
	sum := k[0]*root/z + k[1]*root/(6*z4)/math.Sqrt(n) + k[2]*root/(72*z6*z)/n + k[3]*root/(6480*z6*z4)/(n*math.Sqrt(n))
	return min(max(1-sum, 0), 1)
}
