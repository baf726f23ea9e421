package stats

import (
	"math"
	"strconv"
	"strings"
)

// NegligibleProbability is the value below which a probability is reported as
// zero: no method here is trusted further out.
const NegligibleProbability = 1e-9

// roundingNoise is the number of significant digits that are taken as common to
// all platforms. Outward rounding first rounds to it, so that a value that is 0.1
// on one machine and the next float above 0.1 on another goes to 0.1 on both.
const roundingNoise = 12

// RoundSignificant rounds x to the given number of significant decimal digits
// (1 to 17; fewer count as 1, more as 17), to nearest, ties to even on the exact
// value of x. It works in decimal, so the result is the float nearest to a short
// decimal and is identical on every platform. Zero, NaN and the infinities are
// returned as they are.
func RoundSignificant(x float64, digits int) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', clampDigits(digits)-1, 64), 64)
	if err != nil { // the rounded decimal is beyond the largest float
		return x
	}
	return r
}

// RoundProbability rounds a probability to 3 significant digits. Below
// [NegligibleProbability] it is 0. Values beyond [0, 1] are moved to the nearer
// end, and NaN counts as 1: what is not known is not safe.
func RoundProbability(p float64) float64 {
	switch {
	case math.IsNaN(p) || p >= 1:
		return 1
	case p < NegligibleProbability:
		return 0
	}
	return RoundSignificant(p, 3)
}

// RoundUpSignificant rounds x towards +Inf to the given number of significant
// decimal digits. A value within one part in 10^12 of a shorter decimal counts as
// that decimal, so that the last bits, in which platforms differ, never decide.
func RoundUpSignificant(x float64, digits int) float64 { return roundOutward(x, digits, +1) }

// RoundDownSignificant rounds x towards -Inf, as [RoundUpSignificant] does
// towards +Inf.
func RoundDownSignificant(x float64, digits int) float64 { return roundOutward(x, digits, -1) }

// FormatFloat writes x in the fewest decimal digits that read back as x, without
// an exponent for magnitudes in [1e-6, 1e21): the form of encoding/json.
func FormatFloat(x float64) string {
	format := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(x, format, -1, 64)
}

func clampDigits(digits int) int { return min(max(digits, 1), 17) }

func roundOutward(x float64, digits int, direction int) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	digits = clampDigits(digits)
	if digits > roundingNoise {
		return RoundSignificant(x, digits)
	}
	// 'e' with n-1 decimals is d.ddd...e+xx: n digits, then an exponent.
	s := strconv.FormatFloat(math.Abs(x), 'e', roundingNoise-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	mantissa = strings.Replace(mantissa, ".", "", 1)
	kept, rest := mantissa[:digits], mantissa[digits:]
	n, err := strconv.ParseInt(kept, 10, 64)
	if err != nil {
		return x
	}
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return x
	}
	if awayFromZero := (direction > 0) == (x > 0); awayFromZero && strings.Trim(rest, "0") != "" {
		n++
	}
	out, err := strconv.ParseFloat(strconv.FormatInt(n, 10)+"e"+strconv.Itoa(e-digits+1), 64)
	if err != nil { // beyond the largest float
		return x
	}
	return math.Copysign(out, x)
}
