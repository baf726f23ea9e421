package evaluate

import (
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

const (
	month            = 30 * 24 * 3600.0 // seconds
	defaultShift     = 0.5              // standard deviations
	defaultPower     = 0.8
	largestValue     = 1e6
	smallestAnyValue = 1e-9
)

// defaultBudgets are the false alarms in 30 days that a severity may raise where
// the team has not said; a severity that is absent has no budget.
var defaultBudgets = map[string]float64{"page": 1, "ticket": 4}

// alarm is everything that decides how often an alert fires.
type alarm struct {
	sampling
	value      float64
	forSeconds float64
	severity   string
	budget     float64 // false alarms in 30 days; none where there is no limit
	ownBudget  bool    // the team has set it
	shift      float64 // standard deviations
	power      float64
	sensitive  bool // the team has declared a sensitivity
}

// evaluations is how many there are in 30 days.
func (a alarm) evaluations() float64 { return month / a.everySeconds }

// agreeing is how many consecutive evaluations must agree before the alert fires.
func (a alarm) agreeing() float64 {
	if a.forSeconds == 0 {
		return 1
	}
	return ceil(a.forSeconds/a.everySeconds) + 1
}

// overlapping is how many evaluations see a part of the same window, at a window of
// so many seconds.
func (a alarm) overlapping(windowSeconds float64) float64 {
	return max(1, ceil(windowSeconds/a.everySeconds))
}

// independent is how many of the agreeing windows share no observation.
func (a alarm) independent(windowSeconds float64) int {
	return 1 + int(min(math.Floor((a.agreeing()-1)/a.overlapping(windowSeconds)), maximumAgreeing))
}

// maximumAgreeing is how many independent windows are told apart: so many never
// agree by chance.
const maximumAgreeing = 1e6

// firing is how often an alert fires on no drift.
type firing struct {
	rate              float64 // one evaluation
	month, low, high  float64 // firing evaluations in 30 days; low counts notifications
	method            string
	overlap           float64
	monthlyNotifiable float64 // firing evaluations divided by the overlap
}

// alarmFigures are an alert threshold's figures, rounded as they are stored.
type alarmFigures struct {
	firing
	smallestValue   float64
	smallestWindow  float64
	power           float64
	detectableShift float64
}

// thresholdSubject is what the rules on alert thresholds are given.
type thresholdSubject struct {
	declared spec.AlertThreshold
	alarm    alarm
	laws     *laws
	figures  alarmFigures
	known    bool // all numbers are known
	measured bool // and windows have samples, so that there are figures
}

func evaluateAlertThreshold(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.AlertThreshold](value)
	if err != nil {
		return nil, nil, err
	}
	s := &thresholdSubject{declared: declared}
	computed := map[string]cty.Value{spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	s.alarm, s.known = alarmOf(declared)
	if !s.known {
		return s, computed, nil
	}
	s.laws = newLaws(s.alarm.sampling)
	s.measured = s.alarm.effective >= 1 && s.alarm.smoothing.Validate() == nil
	if s.measured {
		if s.figures, err = s.alarm.figures(s.laws); err != nil {
			return nil, nil, err
		}
	} else {
		s.figures = noFigures
	}
	computed[spec.AttributeEvaluation] = s.figures.value()
	return s, computed, nil
}

var noFigures = alarmFigures{
	firing:        firing{rate: none, month: none, low: none, high: none},
	smallestValue: none, smallestWindow: none, power: none, detectableShift: none,
}

func (f alarmFigures) value() cty.Value {
	method := nullString
	if f.method != "" {
		method = cty.StringVal(f.method)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"false_alarm_rate":          number(f.rate),
		"false_alarms_per_30d":      number(f.month),
		"false_alarms_per_30d_low":  number(f.low),
		"false_alarms_per_30d_high": number(f.high),
		"smallest_value":            number(f.smallestValue),
		"smallest_window_samples":   number(f.smallestWindow),
		"power":                     number(f.power),
		"detectable_shift_sd":       number(f.detectableShift),
		"method":                    method,
	})
}

// alarmOf reads a threshold and its signal; false while any number is unknown.
func alarmOf(t spec.AlertThreshold) (alarm, bool) {
	g := t.Signal.Fields()
	sensitivity := g.Sensitivity.Fields()
	shares, sharesKnown := sharesOf(g.BinShares, g.Bins)
	smoothing, smoothingKnown := smoothingOf(g.Smoothing, g.Epsilon)
	if !sharesKnown || !smoothingKnown ||
		!spec.AllKnown(t.Value, t.Operator, t.For, t.Severity, g.Metric, g.BaselineSamples, g.WindowSamples, g.WindowSeconds, g.EverySeconds) ||
		spec.AnyUnknown(t.FalseAlarmsPer30d, g.EffectiveSamples, g.DesignEffect, g.Ordered, g.Sensitivity, sensitivity.ShiftSD, sensitivity.Power) {
		return alarm{}, false
	}
	a := alarm{
		sampling: sampling{
			shares: normalised(shares), ordered: g.Ordered.Or(true), smoothing: smoothing,
			baseline: int64(g.BaselineSamples.Or(0)), window: g.WindowSamples.Or(0), designEffect: g.DesignEffect.Or(1),
			windowSeconds: g.WindowSeconds.Or(0), everySeconds: g.EverySeconds.Or(0),
		},
		value: t.Value.Or(0), forSeconds: t.For.Or(0).Seconds(), severity: t.Severity.Or(""),
		shift: sensitivity.ShiftSD.Or(defaultShift), power: sensitivity.Power.Or(defaultPower), sensitive: g.Sensitivity.IsKnown(),
	}
	a.effective = effectiveSamples(a.window, a.designEffect)
	if declared, ok := g.EffectiveSamples.Get(); ok && int64(declared) != a.effective {
		a.effective = int64(declared)
		if declared >= 1 {
			a.designEffect = a.window / declared
		}
	}
	var limited bool
	if a.budget, a.ownBudget = t.FalseAlarmsPer30d.Get(); !a.ownBudget {
		if a.budget, limited = defaultBudgets[a.severity]; !limited {
			a.budget = none
		}
	}
	return a, true
}

// firing computes how often the alert fires on no drift, at a value and a window of
// so many seconds.
func (a alarm) firing(law noise, effective int64, value, windowSeconds float64) (firing, error) {
	p, method := law.above(value)
	f := firing{method: method, overlap: a.overlapping(windowSeconds)}
	mean, low, high, err := stats.MeanPower(value, a.bins(), float64(a.baseline), float64(effective), p, a.independent(windowSeconds))
	if err != nil {
		return f, err
	}
	f.rate = roundProbability(p)
	f.month = round(a.evaluations() * mean)
	f.low = round(a.evaluations() * low / f.overlap)
	f.high = round(a.evaluations() * high)
	f.monthlyNotifiable = round(a.evaluations() * mean / f.overlap)
	return f, nil
}

func (a alarm) figures(l *laws) (alarmFigures, error) {
	out := noFigures
	law, err := l.at(a.effective)
	if err != nil {
		return out, err
	}
	if out.firing, err = a.firing(law, a.effective, a.value, a.windowSeconds); err != nil {
		return out, err
	}
	if exists(a.budget) {
		if out.smallestValue, err = a.smallestValue(law); err != nil {
			return out, err
		}
		if out.smallestWindow, err = a.smallestWindow(l); err != nil {
			return out, err
		}
	}
	if a.ordered && a.bins() > 1 {
		seen, err := law.seen(a.value, a.shift)
		if err != nil {
			return out, err
		}
		out.power = roundProbability(seen)
		if out.detectableShift, err = a.detectable(law); err != nil {
			return out, err
		}
	}
	return out, nil
}

// meets reports whether the alert keeps its budget, by the figure that is shown.
func (a alarm) meets(law noise, effective int64, value, windowSeconds float64) (bool, error) {
	f, err := a.firing(law, effective, value, windowSeconds)
	return f.month <= a.budget, err
}

// smallestValue is the smallest value of three significant digits that meets the
// budget at the declared window; none where there is none.
func (a alarm) smallestValue(law noise) (float64, error) {
	return smallestOnGrid(smallestAnyValue, largestValue, func(value float64) (bool, error) {
		return a.meets(law, a.effective, value, a.windowSeconds)
	})
}

// smallestOnGrid is the smallest number of three significant digits from low to
// high (powers of ten) at which a condition that stays true once it is holds.
func smallestOnGrid(low, high float64, holds func(float64) (bool, error)) (float64, error) {
	first, last := gridIndex(low), gridIndex(high)
	ok, err := holds(gridValue(last))
	if err != nil || !ok {
		return none, err
	}
	for first < last {
		middle := first + (last-first)/2
		if ok, err = holds(gridValue(middle)); err != nil {
			return none, err
		}
		if ok {
			last = middle
		} else {
			first = middle + 1
		}
	}
	return gridValue(last), nil
}

// largestOnGrid is the largest number of three significant digits at which a
// condition that stays false once it is still holds.
func largestOnGrid(low, high float64, holds func(float64) (bool, error)) float64 {
	first, err := smallestOnGrid(low, high, func(x float64) (bool, error) {
		ok, err := holds(x)
		return !ok, err
	})
	switch {
	case err != nil:
		return none
	case !exists(first):
		return high
	case first <= low:
		return none
	}
	return gridValue(gridIndex(first) - 1)
}

// gridIndex numbers the positive decimals of three significant digits, 900 for each
// power of ten; x must be one of them.
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

// durationOf is how long a window of so many declared samples takes at the declared
// traffic.
func (a alarm) durationOf(samples float64) float64 { return samples * a.windowSeconds / a.window }

// windowMeets judges a window of another size at the same traffic.
func (a alarm) windowMeets(l *laws, samples float64) (bool, error) {
	effective := effectiveSamples(samples, a.designEffect)
	if effective < 1 {
		return false, nil
	}
	law, err := l.at(effective)
	if err != nil {
		return false, err
	}
	return a.meets(law, effective, a.value, a.durationOf(samples))
}

// longestWindow is how much longer than declared a window is considered.
const longestWindow = 1e6

// smallestWindow is the smallest window, in declared samples at the same traffic,
// from which on the budget is met at the declared value; none where no window
// meets it, because the baseline itself is too small.
func (a alarm) smallestWindow(l *laws) (float64, error) {
	holds := func(samples float64) (bool, error) { return a.windowMeets(l, samples) }
	ok, err := holds(a.window)
	if err != nil {
		return none, err
	}
	low, high := a.window, a.window
	limit := min(a.window*longestWindow, maximumCount)
	for factor := 2.0; !ok; factor *= factor {
		if high >= limit {
			return none, nil
		}
		low, high = high, min(high*factor, limit)
		if ok, err = holds(high); err != nil {
			return none, err
		}
	}
	for factor := 2.0; low == high && low > 1; factor *= factor {
		next := max(math.Floor(low/factor), 1)
		if ok, err = holds(next); err != nil {
			return none, err
		}
		low = next
		if ok {
			high = next
		}
	}
	for high-low > 1 {
		middle := low + math.Floor((high-low)/2)
		if high/low > 4 {
			middle = math.Floor(math.Sqrt(low * high))
		}
		if ok, err = holds(middle); err != nil {
			return none, err
		}
		if ok {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// detectable is the smallest shift, to three digits, that is seen with the power
// that is asked for; none where not even the largest is.
func (a alarm) detectable(law noise) (float64, error) {
	return smallestOnGrid(0.001, largestShift, func(shift float64) (bool, error) {
		seen, err := law.seen(a.value, shift)
		return roundProbability(seen) >= a.power, err
	})
}

// largestShift is the largest shift that is considered, in standard deviations.
const largestShift = 10

// seenAt is the power at another value, as it is shown.
func (s *thresholdSubject) seenAt(value float64) (float64, error) {
	law, err := s.laws.at(s.alarm.effective)
	if err != nil {
		return none, err
	}
	seen, err := law.seen(value, s.alarm.shift)
	return roundProbability(seen), err
}
