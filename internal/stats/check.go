package stats

import (
	"fmt"
	"math"
)

// shareTolerance is how far from 1 the sum of declared proportions may be:
// enough for proportions that a person rounded to two or three digits.
const shareTolerance = 0.01

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func checkFinite(name string, x float64) error {
	if !finite(x) {
		return fmt.Errorf("%s must be a finite number, got %v", name, x)
	}
	return nil
}

func checkPositive(name string, x float64) error {
	if !finite(x) || x <= 0 {
		return fmt.Errorf("%s must be a positive number, got %v", name, x)
	}
	return nil
}

// checkOpenUnit accepts 0 < x < 1.
func checkOpenUnit(name string, x float64) error {
	if math.IsNaN(x) || x <= 0 || x >= 1 {
		return fmt.Errorf("%s must be greater than 0 and less than 1, got %v", name, x)
	}
	return nil
}

// checkProbability accepts 0 <= x <= 1.
func checkProbability(name string, x float64) error {
	if math.IsNaN(x) || x < 0 || x > 1 {
		return fmt.Errorf("%s must be between 0 and 1, got %v", name, x)
	}
	return nil
}

// checkProportions accepts a slice of at least one non-negative number that
// sums to 1 within the given tolerance.
func checkProportions(name string, p []float64, tolerance float64) error {
	if len(p) == 0 {
		return fmt.Errorf("%s is empty: at least one bin is needed", name)
	}
	sum := 0.0
	for i, v := range p {
		if !finite(v) || v < 0 {
			return fmt.Errorf("%s[%d] must be a proportion between 0 and 1, got %v", name, i, v)
		}
		sum += v
	}
	if math.Abs(sum-1) > tolerance {
		return fmt.Errorf("%s must sum to 1, got %v", name, RoundSignificant(sum, 6))
	}
	return nil
}

func checkCounts(name string, counts []int64) (total int64, err error) {
	if len(counts) == 0 {
		return 0, fmt.Errorf("%s is empty: at least one bin is needed", name)
	}
	for i, c := range counts {
		if c < 0 {
			return 0, fmt.Errorf("%s[%d] must not be negative, got %d", name, i, c)
		}
		if total > math.MaxInt64-c {
			return 0, fmt.Errorf("%s: the total overflows", name)
		}
		total += c
	}
	if total == 0 {
		return 0, fmt.Errorf("%s: every bin is empty, so there are no samples", name)
	}
	return total, nil
}

func checkSameLength(expected, actual int) error {
	if expected != actual {
		return fmt.Errorf("expected has %d bins and actual has %d: both need the same bins", expected, actual)
	}
	return nil
}
