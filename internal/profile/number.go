package profile

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// A short decimal number is w / 10^k, with w of at most 19 digits and 10^k = 5^k 2^k: a
// product with the inverse of 5^k gives its nearest float unless it is close to the middle
// between two, and then a division of 128 by 64 bits does, exactly, remainder and all. That
// is several times faster than strconv, which takes every other number.
const (
	maximumDigits   = 19 // 10^19 - 1 < 2^64
	maximumFraction = 27 // 5^27 < 2^64; ratio takes no more
)

// power5 has 5^k shifted until its highest bit is set, by how many bits, and the inverse
// (2^127 - 1) / value, rounded down.
var power5 = func() (out [32]struct {
	value, inverse uint64
	shift          int
}) {
	p := uint64(1)
	for k := range out[:maximumFraction+1] {
		shift := bits.LeadingZeros64(p)
		out[k].value, out[k].shift = p<<shift, shift
		out[k].inverse, _ = bits.Div64(1<<63-1, math.MaxUint64, p<<shift)
		p *= 5
	}
	return out
}()

// scanNumber reads the decimal number that text begins with, and gives its length; 0 where
// text begins otherwise, or the number is for strconv.
func scanNumber(text []byte) (value float64, length int) {
	i, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		i = 1
	}
	first := i
	var w uint64
	for i < len(text) {
		d := text[i] - '0'
		if d > 9 {
			break
		}
		w = w*10 + uint64(d)
		i++
	}
	digits, fraction := i-first, 0
	if i < len(text) && text[i] == '.' {
		i++
		point := i
		for len(text)-i >= 8 {
			chunk := binary.LittleEndian.Uint64(text[i:])
			if !eightDigits(chunk) {
				break
			}
			w = w*100_000_000 + eightDigitValue(chunk)
			i += 8
		}
		for i < len(text) {
			d := text[i] - '0'
			if d > 9 {
				break
			}
			w = w*10 + uint64(d)
			i++
		}
		fraction = i - point
		digits += fraction
	}
	if digits == 0 {
		return 0, 0
	}
	if digits > maximumDigits { // zeros at the front do not count
		j := first
		for ; j < i && (text[j] == '0' || text[j] == '.'); j++ {
			if text[j] == '0' {
				digits--
			}
		}
		if digits > maximumDigits {
			return 0, 0
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		j, minus := i+1, false
		if j < len(text) && (text[j] == '-' || text[j] == '+') {
			minus = text[j] == '-'
			j++
		}
		start, e := j, 0
		for j < len(text) && j-start < 4 && text[j]-'0' <= 9 {
			e = e*10 + int(text[j]-'0')
			j++
		}
		if j == start || j < len(text) && text[j]-'0' <= 9 {
			return 0, 0
		}
		if minus {
			e = -e
		}
		fraction -= e
		i = j
	}
	if fraction < 0 || fraction > maximumFraction {
		return 0, 0
	}
	value = ratio(w, fraction)
	if negative {
		value = -value
	}
	return value, i
}

// ratio is the float nearest to w / 10^k, ties to even.
func ratio(w uint64, k int) float64 {
	if w == 0 {
		return 0
	}
	up := bits.LeadingZeros64(w)
	numerator := w << up
	divisor := &power5[k&31]
	// The quotient numerator * 2^63 / divisor lies between 2^62 and 2^64; the product with
	// the inverse is at most 2 below it.
	quotient, _ := bits.Mul64(numerator, divisor.inverse)
	drop := 11 - bits.LeadingZeros64(quotient)
	half := uint64(1) << (drop - 1)
	kept := (quotient>>1 + half>>1) >> (drop - 1) // rounded
	if quotient&(half<<1-1)-(half-1) <= 1 {       // it may be either side of the middle
		var remainder uint64
		quotient, remainder = bits.Div64(numerator>>1, numerator<<63, divisor.value)
		drop = 11 - bits.LeadingZeros64(quotient)
		half = 1 << (drop - 1)
		kept = quotient >> drop
		if rest := quotient & (half<<1 - 1); rest > half || rest == half && (remainder != 0 || kept&1 == 1) {
			kept++
		}
	}
	exponent := drop - 63 + divisor.shift - up - k // kept * 2^exponent; a normal number at both ends
	return float64(kept) * math.Float64frombits(uint64(exponent+1023)<<52)
}

// eightDigits reports whether all eight bytes are decimal digits: the high nibble is 3, also
// after 6 is added.
func eightDigits(chunk uint64) bool {
	const high, threes, sixes = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
	return chunk&high == threes && (chunk+sixes)&high == threes
}

// eightDigitValue is the number of eight digits, the first in the lowest byte: neighbours are
// joined to pairs, pairs to fours, fours to the whole.
func eightDigitValue(chunk uint64) uint64 {
	chunk &= 0x0f0f0f0f0f0f0f0f
	chunk = (chunk*10 + chunk>>8) & 0x00ff00ff00ff00ff
	chunk = (chunk*100 + chunk>>16) & 0x0000ffff0000ffff
	return (chunk*10_000 + chunk>>32) & 0xffffffff
}

// parseNumber reads a decimal number as other languages write it: unlike Go's
// own syntax, without underscores or hexadecimal digits. Numbers beyond the
// largest float are infinite.
func parseNumber(text string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(text, "+-")) {
	case "inf", "infinity":
		return math.Inf(1), true
	}
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return value, true
}
