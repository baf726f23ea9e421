package evaluate

import (
	"math"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// noise is the law of a drift metric when nothing has drifted, at one size of
// window. The zero law is that of a single bin, in which nothing can differ.
type noise struct{ law *stats.NoDrift }

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
	if s.bins() < 2 {
		return noise{}, nil
	}
	law, err := stats.NewPSINoDrift(s.shares, s.baseline, effective, s.smoothing)
	return noise{law: law}, err
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
// shifted, in the direction that is seen less well.
func (n noise) seen(value, shift float64) (float64, error) {
	if n.law == nil {
		return 0, nil
	}
	p, _, err := n.law.ShiftPower(value, shift)
	return p, err
}
