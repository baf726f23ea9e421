package profile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// leaf is a column of the file's top level.
type leaf struct {
	name     string
	index    int // among the column chunks of a row group
	optional bool
	physical format.Type
	width    int                      // bytes of a value, 0 where they vary
	number   func([]byte) float64     // nil for texts
	text     func([]byte) []byte      // of any value
	refused  func(path string) *Error // why nothing can be made of it
}

func (l *leaf) refuse(why, fix string) {
	name := l.name
	l.refused = func(path string) *Error {
		return &Error{Part: PartColumn, Why: fmt.Sprintf("the column %q of %s %s", name, path, why), Fix: fix}
	}
}

// setType says how the column's values become numbers and texts.
func (l *leaf) setType(e *format.SchemaElement) {
	converted := deprecated.ConvertedType(-1)
	if e.ConvertedType.Valid {
		converted = e.ConvertedType.V
	}
	temporal := func(what string) {
		l.refuse("has "+what+", which are neither numbers nor categories", "Write a number instead, for instance an age in days or the hour of the day.")
	}
	switch logical := e.LogicalType.Value.(type) {
	case *format.DateType:
		temporal("dates")
	case *format.TimeType:
		temporal("times of day")
	case *format.TimestampType:
		temporal("points in time")
	case *format.DecimalType:
		l.decimal(int(logical.Scale), int(e.TypeLength.V))
	case *format.Float16Type:
		l.width, l.number = 2, func(b []byte) float64 { return float16(binary.LittleEndian.Uint16(b)) }
		l.text = func(b []byte) []byte { return strconv.AppendFloat(nil, l.number(b), 'g', -1, 32) }
		if l.physical != format.FixedLenByteArray || e.TypeLength.V != 2 {
			l.refuse("claims to have half floats and has not", "Write the file again.")
		}
	case *format.IntType:
		l.integer(logical.IsSigned)
	case *format.UUIDType, *format.BsonType, *format.VariantType, *format.GeometryType, *format.GeographyType:
		l.refuse(fmt.Sprintf("has %v values, which are neither numbers nor categories", logical), "Choose another column.")
	default:
		switch converted {
		case deprecated.Date:
			temporal("dates")
		case deprecated.TimeMillis, deprecated.TimeMicros:
			temporal("times of day")
		case deprecated.TimestampMillis, deprecated.TimestampMicros:
			temporal("points in time")
		case deprecated.Interval:
			temporal("intervals of time")
		case deprecated.Decimal:
			l.decimal(int(e.Scale.V), int(e.TypeLength.V))
		case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
			l.integer(false)
		default:
			l.plain()
		}
	}
}

// plain is a type without annotation.
func (l *leaf) plain() {
	switch l.physical {
	case format.Boolean:
		l.width = 1
		l.text = func(b []byte) []byte { return strconv.AppendBool(nil, b[0] != 0) }
	case format.Int32, format.Int64:
		l.integer(true)
	case format.Float:
		l.width = 4
		l.number = func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
		l.text = func(b []byte) []byte { return strconv.AppendFloat(nil, l.number(b), 'g', -1, 32) }
	case format.Double:
		l.width = 8
		l.number = func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
		l.text = func(b []byte) []byte { return strconv.AppendFloat(nil, l.number(b), 'g', -1, 64) }
	case format.ByteArray:
		l.text = func(b []byte) []byte { return b }
	case format.Int96:
		l.refuse("has points in time, which are neither numbers nor categories", "Write a number instead, for instance an age in days or the hour of the day.")
	default:
		l.refuse("has bytes of fixed length, which are neither numbers nor categories", "Write them as text.")
	}
}

func (l *leaf) integer(signed bool) {
	var at func(b []byte) int64
	switch l.physical {
	case format.Int32:
		l.width = 4
		at = func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
		if !signed {
			at = func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }
		}
	case format.Int64:
		l.width = 8
		if !signed {
			l.number = func(b []byte) float64 { return float64(binary.LittleEndian.Uint64(b)) }
			l.text = func(b []byte) []byte { return strconv.AppendUint(nil, binary.LittleEndian.Uint64(b), 10) }
			return
		}
		at = func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	default:
		l.refuse("claims to have integers and has not", "Write the file again.")
		return
	}
	l.number = func(b []byte) float64 { return float64(at(b)) }
	l.text = func(b []byte) []byte { return strconv.AppendInt(nil, at(b), 10) }
}

// decimal is an integer that is divided by 10^scale.
func (l *leaf) decimal(scale, length int) {
	if scale < 0 || scale > 1000 {
		l.refuse(fmt.Sprintf("has decimal numbers of scale %d", scale), "Write the file again.")
		return
	}
	l.integer(true)
	unscaled := func(b []byte) *big.Int { // big-endian two's complement
		n := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		return n
	}
	switch l.physical {
	case format.Int32, format.Int64:
		whole := l.text
		unscaled = func(b []byte) *big.Int {
			n, _ := new(big.Int).SetString(string(whole(b)), 10)
			return n
		}
	case format.ByteArray, format.FixedLenByteArray:
		l.refused, l.width = nil, length
		if l.physical == format.ByteArray {
			l.width = 0
		} else if length < 1 || length > 1000 {
			l.refuse(fmt.Sprintf("has values of %d bytes", length), "Write the file again.")
		}
	default:
		return
	}
	l.text = func(b []byte) []byte { return decimalText(unscaled(b), scale) }
	l.number = func(b []byte) float64 {
		n := unscaled(b)
		if magnitude := new(big.Int).Abs(n); magnitude.IsUint64() && scale <= maximumFraction {
			return math.Copysign(ratio(magnitude.Uint64(), scale), float64(n.Sign()))
		}
		value, _ := parseNumber(string(decimalText(n, scale)))
		return value
	}
}

func decimalText(n *big.Int, scale int) []byte {
	digits := []byte(new(big.Int).Abs(n).String())
	if len(digits) <= scale {
		digits = append(bytes.Repeat([]byte{'0'}, scale+1-len(digits)), digits...)
	}
	var out []byte
	if n.Sign() < 0 {
		out = append(out, '-')
	}
	out = append(out, digits[:len(digits)-scale]...)
	if scale > 0 {
		out = append(append(out, '.'), digits[len(digits)-scale:]...)
	}
	return out
}

// float16 is the value of an IEEE half float.
func float16(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
