package evaluate

import (
	"math"

	"github.com/zclconf/go-cty/cty"

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

// SeverityInfo is what an alert has that only informs: nobody is asked to act, so that
// it has no budget of false alarms.
const SeverityInfo = "info"

// alarm is everything that decides how often an alert fires.
type alarm struct {
	sampling
	value      float64
	inclusive  bool // the alert fires at the value itself
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
	smallestValue    float64
	smallestWindow   float64
	power            float64
	detectableShift  float64
	detectableChange float64
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
	if signal, ok := declared.Signal.Fields().Kind.Get(); ok && signal != spec.SignalDataDrift {
		return evaluateEstimateAlert(kind, declared)
	}
	s := &thresholdSubject{declared: declared}
	computed := map[string]cty.Value{spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	s.alarm, s.known = alarmOf(declared)
	if !s.known {
		return s, computed, nil
	}
	s.laws = newLaws(s.alarm.sampling)
	s.measured = s.alarm.lawful(s.alarm.effective)
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
	smallestValue: none, smallestWindow: none, power: none, detectableShift: none, detectableChange: none,
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
		"detectable_change":         number(f.detectableChange),
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
		!spec.AllKnown(t.Value, t.Operator, t.For, t.Severity, g.Kind, g.Metric, g.BaselineSamples, g.WindowSamples, g.WindowSeconds, g.EverySeconds) ||
		spec.AnyUnknown(t.FalseAlarmsPer30d, g.Engine, g.EffectiveSamples, g.DesignEffect, g.Ordered, g.Sensitivity, sensitivity.ShiftSD, sensitivity.Power) {
		return alarm{}, false
	}
	a := alarm{
		sampling: sampling{
			shares: normalised(shares), ordered: g.Ordered.Or(true), smoothing: smoothing,
			baseline: int64(g.BaselineSamples.Or(0)), window: g.WindowSamples.Or(0), designEffect: g.DesignEffect.Or(1),
			windowSeconds: g.WindowSeconds.Or(0), everySeconds: g.EverySeconds.Or(0),
		},
		value: t.Value.Or(0), inclusive: t.Operator.Or("") == ">=", forSeconds: t.For.Or(0).Seconds(), severity: t.Severity.Or(""),
		shift: sensitivity.ShiftSD.Or(defaultShift), power: sensitivity.Power.Or(defaultPower), sensitive: g.Sensitivity.IsKnown(),
	}
	a.sampling = a.measuredBy(g.Metric, g.Engine)
	a.effective = effectiveSamples(a.window, a.designEffect)
	if declared, ok := g.EffectiveSamples.Get(); ok && int64(declared) != a.effective {
		a.effective = int64(declared)
		if declared >= 1 {
			a.designEffect = a.window / declared
		}
	}
	a.budget, a.ownBudget = budgetOf(t)
	return a, true
}

// budgetOf is how many false alarms are accepted in 30 days, and whether the team has
// said so; none where there is no limit.
func budgetOf(t spec.AlertThreshold) (budget float64, own bool) {
	if budget, own = t.FalseAlarmsPer30d.Get(); own {
		return budget, true
	}
	if budget, limited := defaultBudgets[t.Severity.Or("")]; limited {
		return budget, false
	}
	return none, false
}

// strict is the value that the metric must exceed: a metric that can be equal to the
// value by its very definition (a few samples in a few bins) must fire under >=.
func (a alarm) strict(value float64) float64 {
	if a.inclusive {
		return value * (1 - 1e-9)
	}
	return value
}

// firing computes how often the alert fires on no drift at the declared value and
// window.
func (a alarm) firing(law noise) (firing, error) {
	p, method := law.above(a.strict(a.value))
	f := firing{method: method, overlap: a.overlapping(a.windowSeconds)}
	mean, low, high, err := a.overBaselines(a.value, a.effective, p, a.independent(a.windowSeconds))
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
	if out.firing, err = a.firing(law); err != nil {
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
	switch {
	case !a.shiftable():
	case !a.reachable():
		out.power = 0
	default:
		if out.power, err = a.seen(law, a.value, a.shift); err != nil {
			return out, err
		}
		if out.detectableShift, err = a.detectable(law); err != nil {
			return out, err
		}
	}
	return out, nil
}

// meets reports whether the alert keeps its budget, by the figure that is shown.
func (a alarm) meets(law noise, effective int64, value, windowSeconds float64) (bool, error) {
	p, _ := law.above(a.strict(value))
	mean, err := a.mean(p, effective, value, windowSeconds)
	return round(a.evaluations()*mean) <= a.budget, err
}

// mean is the probability that all windows that must agree pass the value on no
// drift, where one does with probability p; near the budget, that is: elsewhere a
// bound that is on the same side of it.
func (a alarm) mean(p float64, effective int64, value, windowSeconds float64) (float64, error) {
	windows := a.independent(windowSeconds)
	if windows == 1 {
		return p, nil
	}
	// The mean of a power lies between the power of the mean and the mean itself: where
	// both are on one side of the budget, the integral over baselines can be spared.
	least := math.Pow(p, float64(windows))
	switch {
	case a.evaluations()*p <= a.budget:
		return p, nil
	case a.evaluations()*least > 2*a.budget:
		return least, nil
	}
	mean, _, _, err := a.overBaselines(value, effective, p, windows)
	return mean, err
}

// smallestValue is the smallest value of three significant digits that meets the
// budget at the declared window; none where there is none.
func (a alarm) smallestValue(law noise) (float64, error) {
	guess, _ := law.upperQuantile(min(a.budget/a.evaluations(), 0.5))
	return smallestOnGrid(smallestAnyValue, largestValue, min(guess, largestValue), func(value float64) (bool, error) {
		return a.meets(law, a.effective, value, a.windowSeconds)
	})
}

// durationOf is how long a window of so many declared samples takes at the declared
// traffic.
func (a alarm) durationOf(samples float64) float64 { return samples * a.windowSeconds / a.window }

// longestWindow is how much longer than declared a window is considered.
const longestWindow = 1e6

// smallestWindow is the smallest window, in declared samples at the same traffic,
// that meets the budget at the declared value: a whole number to a thousand, then
// rounded up to three digits. None where no window meets it, because the baseline
// itself is too small.
//
// A law takes milliseconds to a tenth of a second, so that few can be asked. The
// asymptotic law, which takes none, says where to begin; from there the logarithm of
// the false alarms, nearly straight in that of the window, says where to ask next.
func (a alarm) smallestWindow(l *laws) (float64, error) {
	// Beyond a thousand baselines, a longer window has nothing left to lessen.
	longest := max(a.window, 1000*float64(a.baseline)*a.designEffect)
	first, last := countIndex(a.designEffect*float64(a.leastSamples())), countIndex(min(longest, a.window*longestWindow, maximumCount))
	if a.single() {
		return countOnGrid(first), nil
	}
	begin, ok, err := smallest(first, last, first, manyAsks, func(i int) (bool, error) {
		excess, err := a.excess(a.sampling.rough(a.effectiveAt(i)).above(a.strict(a.value)), i)
		return excess <= 0, err
	})
	if err != nil || !ok {
		return none, err // the asymptotic law promises too much, and does not promise this
	}
	index, ok, err := crossing(first, last, begin, a.windowAsks(), func(i int) (float64, error) {
		law, err := l.at(a.effectiveAt(i))
		if err != nil {
			return 0, err
		}
		p, _ := law.above(a.strict(a.value))
		return a.excess(p, i)
	})
	if err != nil || !ok {
		return none, err
	}
	return countOnGrid(index), nil
}

// windowAsks is how many laws the search for a window may ask for, by what one costs.
func (a alarm) windowAsks() int {
	switch unlike := a.unlike(); {
	case a.engine != "":
		return 3
	case a.smallestShare()*float64(a.baseline) < 5: // simulated
		return 5
	case unlike <= 2 || a.metric.Ordered:
		return 40
	case unlike <= 12 && a.smallestShare() >= 1e-3:
		return 7
	}
	return 4
}

// effectiveAt is the effective samples of a window on the grid of counts.
func (a alarm) effectiveAt(index int) int64 {
	return effectiveSamples(countOnGrid(index), a.designEffect)
}

// excess is the logarithm of the false alarms over the budget, as they would be
// shown, at a window on the grid of counts whose probability of a false alarm is p:
// at most 0 where the budget is kept.
func (a alarm) excess(p float64, index int) (float64, error) {
	mean, err := a.mean(p, a.effectiveAt(index), a.value, a.durationOf(countOnGrid(index)))
	if err != nil {
		return 0, err
	}
	shown := round(a.evaluations() * mean)
	return math.Log(shown / a.budget), nil
}

// seen is the probability, as it is shown, that one evaluation passes a value when
// the mean has shifted.
func (a alarm) seen(law noise, value, shift float64) (float64, error) {
	seen, err := law.seen(a.strict(value), shift)
	return roundProbability(seen), err
}

// detectable is the smallest shift, to three digits, that is seen with the power
// that is asked for; none where not even the largest is.
func (a alarm) detectable(law noise) (float64, error) {
	guess, err := smallestOnGrid(0.001, largestShift, none, func(shift float64) (bool, error) {
		return law.rough.seen(a.value, shift) >= a.power, nil
	})
	if err != nil {
		return none, err
	}
	return smallestOnGrid(0.001, largestShift, guess, func(shift float64) (bool, error) {
		seen, err := a.seen(law, a.value, shift)
		return seen >= a.power, err
	})
}

// largestShift is the largest shift that is considered, in standard deviations.
const largestShift = 10

// seenAt is the power at another value.
func (s *thresholdSubject) seenAt(value float64) (float64, error) {
	law, err := s.laws.at(s.alarm.effective)
	if err != nil {
		return none, err
	}
	return s.alarm.seen(law, value, s.alarm.shift)
}
