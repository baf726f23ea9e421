package stats

import (
	"fmt"
	"math"
)

// wassersteinLaw is that of the first Wasserstein distance between a baseline and a window
// of one normal distribution, over the standard deviation, times sqrt(NM/(N+M)): in large
// samples int |B(Phi(x))| dx, B a Brownian bridge, whatever the mean and the deviation.
//
// Source: del Barrio, Gine and Matran, Annals of Probability 27 (1999) 1009-1071 for the
// limit; its numbers by testdata/generate/wasserstein.py, to 0.4 %.
type wassersteinLaw struct{ scale float64 } // sqrt(1/N + 1/M)

func newWassersteinLaw(n, m int64) (*wassersteinLaw, error) {
	if n < 1 || m < 1 || float64(n) > maxSamples || float64(m) > maxSamples {
		return nil, fmt.Errorf("baseline and window samples must be between 1 and 1e15, got %d and %d", n, m)
	}
	return &wassersteinLaw{scale: math.Sqrt(1/float64(n) + 1/float64(m))}, nil
}

// wassersteinTable is log(P(L > x) / P(|Z| > x)) at x = 0, 1/8, ..., 8: L exceeds |Z|,
// the difference of the means.
var wassersteinTable = [...]float64{
	0.00000, 0.10478, 0.21991, 0.34579, 0.48239, 0.62108, 0.73214, 0.79542,
	0.81215, 0.79486, 0.75835, 0.71228, 0.66616, 0.61899, 0.57499, 0.53578,
	0.49965, 0.46749, 0.43942, 0.41526, 0.39415, 0.37552, 0.35913, 0.34521,
	0.33304, 0.32221, 0.31243, 0.30352, 0.29535, 0.28786, 0.28097, 0.27461,
	0.26871, 0.26322, 0.25811, 0.25332, 0.24884, 0.24461, 0.24066, 0.23692,
	0.23340, 0.23007, 0.22692, 0.22394, 0.22110, 0.21840, 0.21582, 0.21336,
	0.21102, 0.20877, 0.20662, 0.20456, 0.20257, 0.20066, 0.19882, 0.19705,
	0.19534, 0.19369, 0.19210, 0.19056, 0.18907, 0.18762, 0.18623, 0.18488,
	0.18357,
}

func wassersteinSurvival(x float64) float64 {
	const step = 0.125
	last := len(wassersteinTable) - 1
	switch {
	case !(x > 0.375):
		return 1
	case x >= step*float64(last): // the ratio barely changes any more
		return min(2*normalSurvival(x)*math.Exp(wassersteinTable[last]), 1)
	}
	// The cubic through four neighbours.
	i := min(max(int(x/step)-1, 0), last-3)
	t := x/step - float64(i)
	v := wassersteinTable[i : i+4]
	log := -v[0]*(t-1)*(t-2)*(t-3)/6 + v[1]*t*(t-2)*(t-3)/2 - v[2]*t*(t-1)*(t-3)/2 + v[3]*t*(t-1)*(t-2)/6
	return min(2*normalSurvival(x)*math.Exp(log), 1)
}

func (l *wassersteinLaw) Survival(t float64) (float64, Method) {
	if math.IsNaN(t) || t < 0 {
		return 1, MethodAsymptotic
	}
	return negligible(wassersteinSurvival(t / l.scale)), MethodAsymptotic
}

func (l *wassersteinLaw) UpperQuantile(q float64) (float64, Method) {
	return upperQuantile(q, l.scale, l.Survival)
}

func (l *wassersteinLaw) Quantile(p float64) (float64, Method) { return l.UpperQuantile(1 - p) }

// ShiftPower takes the distance as |Z + shift/scale| with the critical value that has the
// null's probability: the difference of the means is nearly all of it once there is one.
func (l *wassersteinLaw) ShiftPower(threshold, shift float64) (float64, Method, error) {
	if err := checkFinite("threshold", threshold); err != nil {
		return 0, "", err
	}
	if err := checkShift(shift); err != nil {
		return 0, "", err
	}
	null, method := l.Survival(threshold)
	if threshold <= 0 || null >= 1 {
		return 1, method, nil
	}
	x := threshold / l.scale
	critical := x
	if tail := wassersteinSurvival(x); tail > 1e-300 {
		critical = normalUpperQuantile(tail / 2)
	}
	mean := math.Abs(shift) / l.scale
	return min(normalSurvival(critical-mean)+normalSurvival(critical+mean), 1), method, nil
}

func (l *wassersteinLaw) DetectableShift(threshold, power float64) (float64, Method, error) {
	return detectableShift(threshold, power, func(shift float64) (float64, Method) {
		p, method, _ := l.ShiftPower(threshold, shift)
		return p, method
	})
}
