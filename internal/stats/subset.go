package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Subset is the law of a proportion of successes among those rows of a window that
// belong to a random subset: recall is the share of the positives that are found, and
// how many positives there are is chance as well. A share of 1 takes all rows, which is
// the binomial law.
type Subset struct {
	// Rows is how many independent ones a window has.
	Rows int64
	// Share is a row's probability of belonging to the subset.
	Share float64
	// Rate is the probability of a success within the subset.
	Rate float64
}

const (
	subsetReach = 7   // standard deviations of the subset's size
	subsetTerms = 200 // sizes that are summed one by one
	subsetNodes = 65  // sizes that stand for more
)

// Validate says what is wrong with the parameters.
func (s Subset) Validate() error {
	if s.Rows < 1 || float64(s.Rows) > maxSamples {
		return fmt.Errorf("rows must be between 1 and 1e15, got %d", s.Rows)
	}
	if math.IsNaN(s.Share) || s.Share <= 0 || s.Share > 1 {
		return fmt.Errorf("the share must be above 0 and at most 1, got %v", s.Share)
	}
	return checkProbability("rate", s.Rate)
}

// Above is P(proportion > limit), or >= where the limit is included; an empty subset has
// no proportion and passes none. A limit that is not a number gives 1.
func (s Subset) Above(limit float64, included bool) (p float64, exact bool) {
	return s.mean(func(size float64, smooth bool) float64 {
		return proportionAbove(size, s.Rate, limit, included, smooth)
	})
}

// Below is P(proportion < limit), or <= where the limit is included; 1 where it is not a
// number.
func (s Subset) Below(limit float64, included bool) (p float64, exact bool) {
	return s.mean(func(size float64, smooth bool) float64 {
		return proportionAbove(size, 1-s.Rate, 1-limit, included, smooth)
	})
}

// mean averages over the subset's size: exactly where few sizes are likely, else over
// normal nodes, between which the lattice of proportions is smoothed.
func (s Subset) mean(tail func(size float64, smooth bool) float64) (float64, bool) {
	n := float64(s.Rows)
	if s.Share == 1 {
		return tail(n, false), true
	}
	centre, spread := n*s.Share, math.Sqrt(n*s.Share*(1-s.Share))
	low := max(math.Floor(centre-subsetReach*spread-subsetReach), 1)
	high := min(math.Ceil(centre+subsetReach*spread+2*subsetReach), n)
	sum := 0.0
	if high-low < subsetTerms {
		choose := logGamma(n + 1)
		for size := low; size <= high; size++ {
			weight := choose - logGamma(size+1) - logGamma(n-size+1) + size*math.Log(s.Share) + (n-size)*math.Log1p(-s.Share)
			if n > 1e6 { // the factorials' logarithms have no digits left for a difference
				z := (size - centre) / spread
				weight = -z*z/2 - math.Log(spread*math.Sqrt(2*math.Pi))
			}
			sum += math.Exp(weight) * tail(size, false)
		}
		return min(sum, 1), true
	}
	total := 0.0
	for i := range subsetNodes {
		z := subsetReach * (2*float64(i)/(subsetNodes-1) - 1)
		weight := math.Exp(-z * z / 2)
		total += weight
		sum += weight * tail(max(centre+z*spread, 1), true)
	}
	return min(sum/total, 1), false
}

// proportionAbove is P(X/size > limit) of the binomial law, or >=. A smooth one is the
// mean over sizes near by, whose lattices lie differently.
func proportionAbove(size, rate, limit float64, included, smooth bool) float64 {
	if math.IsNaN(limit) {
		return 1
	}
	at := limit * size
	// A product that decimal arithmetic makes whole is whole: 0.07 * 100 is 7.
	noise := min(1e-12*max(1, math.Abs(at)), 1e-3)
	k := math.Floor(at + noise) // fails at k, passes at k + 1
	if included {
		k = math.Ceil(at-noise) - 1
	}
	if !smooth {
		return binomialUpperTail(int64(max(k, -1)), int64(size), rate)
	}
	k = at - 0.5
	switch {
	case k <= -0.5:
		return 1
	case k >= size:
		return 0
	case rate == 0 || rate == 1:
		return rate
	}
	tail := mathext.RegIncBeta(k+1, size-k, rate)
	if math.IsNaN(tail) {
		tail = normalSurvival((k + 0.5 - size*rate) / math.Sqrt(size*rate*(1-rate)))
	}
	return min(max(tail, 0), 1)
}
