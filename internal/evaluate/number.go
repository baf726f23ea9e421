package evaluate

import (
	"math"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// digits is how many significant digits approximate figures are stored with.
const digits = 3

// roundProbability is a probability as figures store it: 3 significant digits, 0
// below 1e-9. One that is not certain never becomes 1: it keeps as many nines as
// it takes, so that 0.99987 is 0.9999.
func roundProbability(p float64) float64 {
	rounded := stats.RoundProbability(p)
	for n := digits + 1; rounded == 1 && p <= 1-stats.NegligibleProbability && n < 10; n++ {
		rounded = stats.RoundSignificant(p, n)
	}
	return rounded
}

// round is any other approximate figure as it is stored.
func round(x float64) float64 {
	if math.Abs(x) < stats.NegligibleProbability {
		return 0
	}
	return stats.RoundSignificant(x, digits)
}

// number is a figure as a value; one that does not exist is null.
func number(x float64) cty.Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nullNumber
	}
	return spec.Number(x)
}

var (
	nullNumber = cty.NullVal(cty.Number)
	nullString = cty.NullVal(cty.String)
)

// none is the figure that does not exist.
var none = math.NaN()

func exists(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// floor rounds down a product that decimal arithmetic makes whole: 0.29 * 100 is
// 29, not 28.
func floor(x float64) float64 { return math.Floor(x + tolerance(x)) }

// ceil rounds up likewise.
func ceil(x float64) float64 { return math.Ceil(x - tolerance(x)) }

func tolerance(x float64) float64 { return min(1e-12*max(1, math.Abs(x)), 1e-3) }

// show writes a number for a message: counts with thousands separators, others as
// stored.
func show(x float64) string {
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if x != 0 && (math.Abs(x) < 1e-6 || math.Abs(x) >= 1e15) {
		return strings.Replace(stats.FormatFloat(x), "e-0", "e-", 1)
	}
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	var out strings.Builder
	if x < 0 {
		out.WriteByte('-')
	}
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(r)
	}
	if hasFraction {
		out.WriteString("." + fraction)
	}
	return out.String()
}

// maximumSeconds is the longest time that is written as a duration (285 years).
const maximumSeconds = 9e9

// showSeconds writes seconds as a duration.
func showSeconds(seconds float64) string {
	if seconds > maximumSeconds {
		return show(round(seconds)) + " seconds"
	}
	return spec.DurationFromSeconds(seconds).String()
}

// leafNumber carries a declared number on: null stays null, unknown unknown.
func leafNumber(v spec.Value[float64]) cty.Value {
	return leaf(v, cty.Number, spec.Number)
}

func leafString(v spec.Value[string]) cty.Value {
	return leaf(v, cty.String, cty.StringVal)
}

func leaf[T any](v spec.Value[T], ty cty.Type, known func(T) cty.Value) cty.Value {
	switch value, ok := v.Get(); {
	case ok:
		return known(value)
	case v.IsUnknown():
		return cty.UnknownVal(ty)
	}
	return cty.NullVal(ty)
}

func numbers(values []float64) cty.Value {
	if len(values) == 0 {
		return cty.ListValEmpty(cty.Number)
	}
	out := make([]cty.Value, len(values))
	for i, v := range values {
		out[i] = spec.Number(v)
	}
	return cty.ListVal(out)
}

func stringsValue(values []string) cty.Value {
	if len(values) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	out := make([]cty.Value, len(values))
	for i, v := range values {
		out[i] = cty.StringVal(v)
	}
	return cty.ListVal(out)
}

// list reads a list of known numbers; false where one is null or unknown.
func list(values spec.Value[[]spec.Value[float64]]) ([]float64, bool) {
	elements, ok := values.Get()
	if !ok {
		return nil, false
	}
	out := make([]float64, len(elements))
	for i, element := range elements {
		if out[i], ok = element.Get(); !ok {
			return nil, false
		}
	}
	return out, true
}

// niceDuration rounds a length of time up to one that a person would write: to a
// grain of at most a twentieth of it.
func niceDuration(seconds float64) spec.Duration {
	grain := 1.0
	for _, g := range []float64{5, 10, 30, 60, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600} {
		if g <= seconds/20 {
			grain = g
		}
	}
	return spec.DurationFromSeconds(math.Ceil(seconds/grain-1e-9) * grain)
}
