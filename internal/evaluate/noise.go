package evaluate

import (
	"math"
	"slices"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// noise is the law of a drift metric when nothing has drifted, at one size of
// window. With neither law nor scale it is that of a single bin, in which nothing
// can differ.
type noise struct {
	law stats.Law
	rough
}

// rough is the asymptotic law: for a divergence, scale times chi-squared with bins-1
// degrees of freedom. It costs nothing, and says too little of small counts: it serves
// searches as a first guess, and stands in where the law itself would take seconds.
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
	n := noise{rough: s.rough(effective)}
	if s.tooCostly(effective) {
		return n, nil
	}
	var err error
	n.law, err = s.newLaw(effective)
	return n, err
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

// tooCostly says where the law would take seconds, measured: hundreds of bins, shares
// that no count of the baseline gives, or a baseline of a few samples a bin under a
// much larger window. Such a metric reads noise whatever the law.
func (s sampling) tooCostly(effective int64) bool {
	bins, baseline := int64(s.bins()), s.baseline
	switch {
	case s.metric.Ordered || s.engine != "" && s.ordered:
		return false
	case s.engine != "":
		return bins > 30
	}
	least := 1.0
	for _, p := range s.shares {
		if p > 0 {
			least = min(least, p)
		}
	}
	return s.unlike() > 50 || bins > 100 || baseline < bins || least*float64(baseline) < 0.5 || baseline < 10*bins && effective > 20*baseline
}

// tooCostlyToShift says where the power under a shift would take long: it is a sum
// over all counts of all bins. There the asymptotic law is as good: it lacks the noise
// of small counts, of which there are few, or which a large shift drowns.
func (s sampling) tooCostlyToShift(effective int64, shift float64) bool {
	bins := int64(s.bins())
	if !s.binned() {
		return false
	}
	return bins > 20 || effective > 100_000 || s.baseline < 10*bins || shift > 2
}

// above is the probability that the metric exceeds a value.
func (n noise) above(value float64) (p float64, method string) {
	switch {
	case n.law != nil:
		p, m := n.law.Survival(value)
		return p, string(m)
	case n.scale == 0:
		return 0, string(stats.MethodExact)
	}
	return n.rough.above(value), string(stats.MethodAsymptotic)
}

// upperQuantile is the value that the metric exceeds with probability q; none
// where it is infinite.
func (n noise) upperQuantile(q float64) (value float64, method string) {
	switch {
	case n.law != nil:
		value, m := n.law.UpperQuantile(q)
		if math.IsInf(value, 0) {
			value = none
		}
		return value, string(m)
	case n.scale == 0:
		return 0, string(stats.MethodExact)
	}
	return n.rough.upperQuantile(q), string(stats.MethodAsymptotic)
}

// seen is the probability that one evaluation exceeds a value when the mean has
// shifted, in the direction that is seen less well.
func (n noise) seen(value, shift float64) (float64, error) {
	law, ok := n.law.(stats.ShiftLaw)
	switch {
	case ok && !n.sampling.tooCostlyToShift(n.effective, shift):
		p, _, err := law.ShiftPower(value, shift)
		return p, err
	case n.scale == 0:
		return 0, nil
	}
	return n.rough.seen(value, shift), nil
}
