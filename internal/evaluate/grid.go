package evaluate

import (
	"math"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// Searches run over the positive decimals of three significant digits, 900 for each
// power of ten, so that what they find is what is shown, and passes as it stands.

// gridIndex numbers such a decimal.
func gridIndex(x float64) int {
	exponent := int(math.Floor(math.Log10(x) + 1e-9))
	mantissa := int(math.Round(x / math.Pow10(exponent) * 100))
	return exponent*900 + mantissa - 100
}

func gridValue(index int) float64 {
	exponent := int(math.Floor(float64(index) / 900))
	mantissa := float64(index-exponent*900+100) / 100
	return stats.RoundSignificant(mantissa*math.Pow10(exponent), digits)
}

// smallest is the smallest index from first to last at which a condition that stays
// true once it is holds; false where there is none. It starts at a guess, and asks
// at most so many times: after that, it gives the smallest at which the condition is
// known to hold.
func smallest(first, last, guess, asks int, holds func(int) (bool, error)) (int, bool, error) {
	guess = min(max(guess, first), last)
	below, above := first-1, last+1 // does not hold, holds
	for step := 1; below < guess && guess < above && asks > 0; step *= 4 {
		ok, err := holds(guess)
		if err != nil {
			return 0, false, err
		}
		asks--
		if ok {
			above = guess
			if below >= first {
				break
			}
			guess = max(guess-step, first)
		} else {
			below = guess
			if above <= last {
				break
			}
			guess = min(guess+step, last)
		}
	}
	for above-below > 1 && asks > 0 {
		middle := below + (above-below)/2
		ok, err := holds(middle)
		if err != nil {
			return 0, false, err
		}
		asks--
		if ok {
			above = middle
		} else {
			below = middle
		}
	}
	return above, above <= last, nil
}

// manyAsks is as many as any search needs.
const manyAsks = 100

// smallestOnGrid is the smallest number of three significant digits from low to
// high (themselves such numbers) at which a condition that stays true once it is
// holds; none where there is none.
func smallestOnGrid(low, high, guess float64, holds func(float64) (bool, error)) (float64, error) {
	if !exists(guess) || guess <= 0 {
		guess = math.Sqrt(low * high)
	}
	index, ok, err := smallest(gridIndex(low), gridIndex(high), gridIndex(guess), manyAsks, func(i int) (bool, error) { return holds(gridValue(i)) })
	if err != nil || !ok {
		return none, err
	}
	return gridValue(index), nil
}

// largestOnGrid is the largest number of three significant digits at which a
// condition that stays false once it is still holds; none where it never does.
func largestOnGrid(low, high, guess float64, holds func(float64) (bool, error)) (float64, error) {
	first, err := smallestOnGrid(low, high, guess, func(x float64) (bool, error) {
		ok, err := holds(x)
		return !ok, err
	})
	switch {
	case err != nil || first <= low:
		return none, err
	case !exists(first):
		return high, nil
	}
	return gridValue(gridIndex(first) - 1), nil
}

// crossing is like smallest, for counts on the grid and a measure that falls below or
// to 0 where the condition holds and is costly to ask for: it goes where a straight
// line through the nearest two answers, over the logarithm of the count, crosses 0.
func crossing(first, last, guess, asks int, measure func(int) (float64, error)) (int, bool, error) {
	below, above := first-1, last+1 // does not hold, holds
	var atBelow, atAbove float64
	for next, sameSide := min(max(guess, first), last), 0; above-below > 1 && asks > 0; asks-- {
		m, err := measure(next)
		if err != nil {
			return 0, false, err
		}
		switch {
		case m <= 0:
			// Asked from the same side again, the other side's answer counts for less
			// (the Illinois rule), or the line would creep.
			if above, atAbove = next, m; sameSide > 0 {
				atBelow /= 2
			}
			sameSide = max(sameSide, 0) + 1
		default:
			if below, atBelow = next, m; sameSide < 0 {
				atAbove /= 2
			}
			sameSide = min(sameSide, 0) - 1
		}
		switch {
		case below < first: // all hold so far
			next = max(countIndex(countOnGrid(above)/grow(sameSide)), first)
		case above > last: // none holds so far
			next = min(countIndex(countOnGrid(below)*grow(-sameSide)), last)
		default:
			x, y := math.Log(countOnGrid(below)), math.Log(countOnGrid(above))
			// Rounded, so that every platform asks for the same counts.
			t := atBelow / (atBelow - atAbove)
			if !(t > 0 && t < 1) {
				t = 0.5
			}
			next = min(max(countIndex(stats.RoundSignificant(math.Exp(x+t*(y-x)), 9)), below+1), above-1)
		}
		if above > last && asks == 1 && below < last {
			asks++ // a search that has found nothing yet goes on: steps grow, so not for long
		}
	}
	return above, above <= last, nil
}

// grow is the factor by which a search moves on that has gone the same way so many
// times.
func grow(times int) float64 { return 1 + 0.05*math.Pow(4, float64(times-1)) }

// countOnGrid is the count with a number: every whole number to a thousand, then those
// of three significant digits.
func countOnGrid(index int) float64 {
	if index <= 1000 {
		return float64(index)
	}
	return gridValue(gridIndex(1000) + index - 1000)
}

// countIndex is the number of the first such count that is at least x.
func countIndex(x float64) int {
	if x <= 1000 {
		return int(math.Ceil(x))
	}
	return 1000 + gridIndex(stats.RoundUpSignificant(x, digits)) - gridIndex(1000)
}
