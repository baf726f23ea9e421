package evaluate

import (
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// estimateAlarm is everything that decides how often an alert on a performance or a
// service signal fires. There is no baseline to be redrawn: windows that do not overlap
// are independent.
type estimateAlarm struct {
	alarm    // its sampling has the times only
	estimate estimate
	change   float64 // that must be seen; none where nobody has said
}

// estimateSubject is what the rules on alerts on such signals are given.
type estimateSubject struct {
	declared spec.AlertThreshold
	alarm    estimateAlarm
	figures  alarmFigures
	known    bool // all numbers are known
	measured bool // and windows have samples, so that there are figures
}

// alerting is a subject of an alert, whatever its signal.
type alerting interface{ alert() spec.AlertThreshold }

func (s *thresholdSubject) alert() spec.AlertThreshold { return s.declared }
func (s *estimateSubject) alert() spec.AlertThreshold  { return s.declared }

func evaluateEstimateAlert(kind *spec.Kind, declared spec.AlertThreshold) (any, map[string]cty.Value, error) {
	s := &estimateSubject{declared: declared}
	computed := map[string]cty.Value{spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	s.alarm, s.known = estimateAlarmOf(declared)
	if !s.known {
		return s, computed, nil
	}
	s.figures = noFigures
	if s.measured = s.alarm.estimate.measures(s.alarm.estimate.effective); s.measured {
		var err error
		if s.figures, err = s.alarm.figures(); err != nil {
			return nil, nil, err
		}
	}
	computed[spec.AttributeEvaluation] = s.figures.value()
	return s, computed, nil
}

func estimateAlarmOf(t spec.AlertThreshold) (estimateAlarm, bool) {
	g := t.Signal.Fields()
	sensitivity := g.Sensitivity.Fields()
	e, ok := estimateOf(g)
	if !ok || !spec.AllKnown(t.Value, t.Operator, t.For, t.Severity) ||
		spec.AnyUnknown(t.FalseAlarmsPer30d, g.Tolerance, g.Sensitivity, sensitivity.Change, sensitivity.Power) {
		return estimateAlarm{}, false
	}
	a := estimateAlarm{
		alarm: alarm{
			sampling: sampling{window: e.window, effective: e.effective, designEffect: e.designEffect, windowSeconds: e.spanSeconds, everySeconds: e.everySeconds},
			value:    t.Value.Or(0), inclusive: len(t.Operator.Or("")) == 2, forSeconds: t.For.Or(0).Seconds(), severity: t.Severity.Or(""),
			power: sensitivity.Power.Or(defaultPower),
		},
		estimate: e,
		change:   none,
	}
	if change, ok := g.Tolerance.Get(); ok {
		a.change = change
	}
	if change, ok := sensitivity.Change.Get(); ok {
		a.change, a.sensitive = change, true
	}
	a.budget, a.ownBudget = budgetOf(t)
	return a, true
}

// passes is the chance that a window passes a value.
func (a estimateAlarm) passes(law estimateLaw, value float64) float64 {
	return a.estimate.worse(law, value, a.inclusive)
}

// month is how many evaluations fire in 30 days where one does with probability p, at
// windows of a span.
func (a estimateAlarm) month(p, span float64) float64 {
	return round(a.evaluations() * math.Pow(p, float64(a.independent(span))))
}

func (a estimateAlarm) figures() (alarmFigures, error) {
	out, e := noFigures, a.estimate
	law, err := e.at(e.effective, e.baseline)
	if err != nil {
		return out, err
	}
	p := a.passes(law, a.value)
	overlap := a.overlapping(e.spanSeconds)
	month := a.month(p, e.spanSeconds)
	out.firing = firing{
		rate: roundProbability(p), month: month, low: round(month / overlap), high: month,
		method: law.method, overlap: overlap, monthlyNotifiable: round(month / overlap),
	}
	if exists(a.budget) {
		if out.smallestValue, err = a.valueWithin(law, a.budget); err != nil {
			return out, err
		}
		if out.smallestWindow, err = a.smallestWindow(); err != nil {
			return out, err
		}
	}
	if exists(a.change) {
		if out.power, err = a.seen(a.value, a.change); err != nil {
			return out, err
		}
	}
	out.detectableChange, err = e.detectable(e.effective, a.power, func(law estimateLaw) float64 { return a.passes(law, a.value) })
	return out, err
}

// valueWithin is the value nearest to the baseline at which the alert keeps a budget;
// none where there is none.
func (a estimateAlarm) valueWithin(law estimateLaw, budget float64) (float64, error) {
	return a.tightest(func(value float64) (bool, error) {
		return a.month(a.passes(law, value), a.estimate.spanSeconds) <= budget, nil
	})
}

// tightest is the value nearest to the baseline at which a condition holds that holds
// further away as well; none where there is none. It lies a distance of three
// significant digits from the baseline.
func (a estimateAlarm) tightest(holds func(float64) (bool, error)) (float64, error) {
	e := a.estimate
	largest := gridValue(gridIndex(e.room()))
	if largest >= e.room() {
		largest = gridValue(gridIndex(largest) - 1)
	}
	distance, err := smallestOnGrid(gridValue(gridIndex(largest*1e-9)), largest, none, func(distance float64) (bool, error) {
		return holds(e.worsened(e.baseline, distance))
	})
	if err != nil || !exists(distance) {
		return none, err
	}
	return e.worsened(e.baseline, distance), nil
}

// seen is the probability, as it is shown, that one evaluation passes a value when the
// metric has worsened.
func (a estimateAlarm) seen(value, change float64) (float64, error) {
	law, err := a.estimate.at(a.estimate.effective, a.estimate.worsened(a.estimate.baseline, change))
	if err != nil {
		return none, err
	}
	return roundProbability(a.passes(law, value)), nil
}

// meets reports whether the alert keeps its budget with windows of so many declared
// samples, collected over a span.
func (a estimateAlarm) meets(samples, span float64) (bool, error) {
	effective := effectiveSamples(samples, a.designEffect)
	if !a.estimate.measures(effective) {
		return false, nil
	}
	law, err := a.estimate.at(effective, a.estimate.baseline)
	if err != nil {
		return false, err
	}
	return a.month(a.passes(law, a.value), span) <= a.budget, nil
}

// smallestWindow is the smallest window, in declared samples at the same traffic, that
// meets the budget at the declared value; none where no window does.
func (a estimateAlarm) smallestWindow() (float64, error) {
	e := a.estimate
	first, last := countIndex(e.designEffect), countIndex(min(e.window*longestWindow, maximumCount))
	index, ok, err := smallest(first, last, countIndex(e.window), manyAsks, func(i int) (bool, error) {
		return a.meets(countOnGrid(i), countOnGrid(i)*e.spanSeconds/e.window)
	})
	if err != nil || !ok {
		return none, err
	}
	return countOnGrid(index), nil
}

// longerWindow is the window, in a length of time that a person would write, that keeps
// the budget, and what it collects. It is checked: rounding up may bring in one more
// overlapping window, and shares of few rows jump.
func (s *estimateSubject) longerWindow() (spec.Duration, float64, bool) {
	if !exists(s.figures.smallestWindow) {
		return 0, 0, false
	}
	e := s.alarm.estimate
	for needed, tries := e.durationOf(s.figures.smallestWindow), 0; needed < maximumSeconds && tries < 20; tries++ {
		duration := niceDuration(needed)
		if samples := e.samplesIn(duration.Seconds()); samples > e.window {
			if ok, err := s.alarm.meets(samples, duration.Seconds()-e.delaySeconds); err == nil && ok {
				return duration, samples, true
			}
		}
		needed = duration.Seconds() * 1.05
	}
	return 0, 0, false
}

// lengthen is the change that makes the monitor's window longer.
func (e estimate) lengthen(duration spec.Duration, samples float64) spec.Change {
	assign := map[string]cty.Value{"window.duration": cty.StringVal(duration.String())}
	kind := "service_monitor"
	switch e.metric {
	case "throughput":
	case "auc", "accuracy", "precision", "recall", "rmse", "mae":
		kind = "performance_monitor"
		assign["labels.samples"] = spec.Number(samples)
	default:
		assign["window.samples"] = spec.Number(samples)
	}
	return spec.Change{Kind: kind, Assign: assign}
}

// described names the alert's metric and sizes, for messages.
func (s *estimateSubject) described() string {
	e := s.alarm.estimate
	return "With " + e.describe() + ", and a true " + e.title() + " of " + show(stats.RoundSignificant(e.baseline, 6))
}
