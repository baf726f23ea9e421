package evaluate

import (
	"math"
	"slices"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// noise is the law of a drift metric when nothing has drifted, at one size of
// window. Without a law it is that of a single bin, in which nothing can differ.
type noise struct {
	law stats.Law
	rough
}

// rough is the asymptotic law: for a divergence, scale times chi-squared with bins-1
// degrees of freedom. It costs nothing, and says too little of small counts: it serves
// searches as a first guess, never as a figure.
type rough struct {
	scale     float64 // 1/N + 1/M
	degrees   float64
	sampling  sampling
	effective int64
}

// laws makes the noise at each size of window once: a search for the smallest
// window asks for the same sizes again.
type laws struct {
	sampling sampling
	made     map[int64]noise
}

func newLaws(s sampling) *laws { return &laws{sampling: s, made: map[int64]noise{}} }

// at is the noise at a window of so many effective samples.
func (l *laws) at(effective int64) (noise, error) {
	if n, ok := l.made[effective]; ok {
		return n, nil
	}
	n, err := newNoise(l.sampling, effective)
	if err == nil {
		l.made[effective] = n
	}
	return n, err
}

func newNoise(s sampling, effective int64) (noise, error) {
	if s.single() {
		return noise{}, nil
	}
	law, err := s.newLaw(effective)
	return noise{law: law, rough: s.rough(effective)}, err
}

func (s sampling) rough(effective int64) rough {
	filled := 0
	for _, p := range s.shares {
		if p > 0 {
			filled++
		}
	}
	if s.engine != "" && s.ordered {
		filled = s.engineBins(effective)
	}
	return rough{scale: s.scale(effective), degrees: float64(max(filled-1, 1)), sampling: s, effective: effective}
}

// unlike is how many different shares the bins have: what a law costs grows with it.
func (s sampling) unlike() int {
	sorted := slices.Clone(s.shares)
	slices.Sort(sorted)
	return len(slices.Compact(sorted))
}

// above is the probability that the metric exceeds a value.
func (n noise) above(value float64) (p float64, method string) {
	if n.law == nil {
		return 0, string(stats.MethodExact)
	}
	p, m := n.law.Survival(value)
	return p, string(m)
}

// upperQuantile is the value that the metric exceeds with probability q; none
// where it is infinite.
func (n noise) upperQuantile(q float64) (value float64, method string) {
	if n.law == nil {
		return 0, string(stats.MethodExact)
	}
	value, m := n.law.UpperQuantile(q)
	if math.IsInf(value, 0) {
		value = none
	}
	return value, string(m)
}

// seen is the probability that one evaluation exceeds a value when the mean has
// shifted, in the direction that is seen less well; 0 where no shift can be seen.
func (n noise) seen(value, shift float64) (float64, error) {
	law, ok := n.law.(stats.ShiftLaw)
	if !ok {
		return 0, nil
	}
	p, _, err := law.ShiftPower(value, shift)
	return p, err
}
