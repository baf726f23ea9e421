package evaluate

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// sampling is what the law of a drift metric depends on, and the time it takes.
type sampling struct {
	metric        spec.DriftMetric
	engine        stats.Engine // whose bins the metric is counted in; empty for the baseline's
	shares        []float64    // the baseline's proportion in each bin
	ordered       bool         // the bins have an order
	smoothing     stats.Smoothing
	baseline      int64   // N
	window        float64 // declared samples of a window
	effective     int64   // M
	designEffect  float64
	windowSeconds float64
	everySeconds  float64
}

func (s sampling) bins() int { return len(s.shares) }

// smallestShare is the share of the bin that is hardest to fill.
func (s sampling) smallestShare() float64 { return slices.Min(s.shares) }

// sharesOf reads declared shares, or makes equal ones; false where unknown.
func sharesOf(declared spec.Value[[]spec.Value[float64]], bins spec.Value[float64]) ([]float64, bool) {
	if declared.IsNull() {
		count, ok := bins.Get()
		return stats.EqualShares(int(count)), ok && count >= 1
	}
	shares, ok := list(declared)
	return shares, ok && len(shares) > 0
}

// normalised are shares that sum to 1: declared ones may be rounded.
func normalised(shares []float64) []float64 {
	sum := 0.0
	for _, p := range shares {
		sum += p
	}
	out := make([]float64, len(shares))
	for i, p := range shares {
		out[i] = p / sum
	}
	return out
}

func smoothingOf(method spec.Value[string], epsilon spec.Value[float64]) (stats.Smoothing, bool) {
	if spec.AnyUnknown(method, epsilon) {
		return stats.Smoothing{}, false
	}
	s := stats.Smoothing{Method: method.Or(stats.SmoothingEpsilon)}
	if s.Method == stats.SmoothingEpsilon {
		s.Epsilon = epsilon.Or(stats.DefaultSmoothing().Epsilon)
	}
	return s, true
}

// monitorSubject is what the rules on drift monitors are given.
type monitorSubject struct {
	declared spec.DriftMonitor
	sampling sampling
	known    bool
}

func evaluateDriftMonitor(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.DriftMonitor](value)
	if err != nil {
		return nil, nil, err
	}
	subject := monitorSubject{declared: declared}
	subject.sampling, subject.known = monitorSampling(declared)
	computed := map[string]cty.Value{
		"signal":                 signalOf(kind, declared),
		spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation),
	}
	if subject.known {
		if computed[spec.AttributeEvaluation], err = monitorFigures(subject.sampling); err != nil {
			return nil, nil, err
		}
	}
	return subject, computed, nil
}

// windowSamples is the declared count of a window: as such, or from the rate.
func windowSamples(window spec.Value[spec.Duration], samples, rate spec.Value[float64]) spec.Value[float64] {
	if !samples.IsNull() {
		return samples
	}
	perSecond, rateKnown := rate.Get()
	duration, durationKnown := window.Get()
	if !rateKnown || !durationKnown {
		return spec.Unknown[float64](rate.Path())
	}
	return spec.Known(min(floor(perSecond*duration.Seconds()), maximumCount), rate.Path())
}

// maximumCount is the largest number of samples that is computed with: beyond, a
// float no longer counts.
const maximumCount = 1e15

// effectiveSamples is M.
func effectiveSamples(window, designEffect float64) int64 {
	return int64(floor(min(window, maximumCount) / designEffect))
}

func monitorSampling(m spec.DriftMonitor) (sampling, bool) {
	b, w := m.Baseline.Fields(), m.Window.Fields()
	samples := windowSamples(w.Duration, w.Samples, w.RequestsPerSecond)
	duration, durationKnown := w.Duration.Get()
	every, everyKnown := m.Schedule.Fields().Every.Get()
	shares, sharesKnown := sharesOf(b.Shares, b.Bins)
	smoothing, smoothingKnown := smoothingOf(b.Smoothing, b.Epsilon)
	if !durationKnown || !everyKnown || !sharesKnown || !smoothingKnown ||
		!spec.AllKnown(b.Samples, samples) || !m.Metric.IsKnown() || m.Engine.IsUnknown() || w.RequestsPerSecond.IsUnknown() || w.DesignEffect.IsUnknown() || b.Method.IsUnknown() || b.Categories.IsUnknown() {
		return sampling{}, false
	}
	s := sampling{
		shares: normalised(shares), smoothing: smoothing, ordered: orderedBins(b),
		baseline: int64(b.Samples.Or(0)), window: samples.Or(0), designEffect: w.DesignEffect.Or(1),
		windowSeconds: duration.Seconds(), everySeconds: every.Seconds(),
	}
	s.effective = effectiveSamples(s.window, s.designEffect)
	return s.measuredBy(m.Metric, m.Engine), true
}

// orderedBins reports whether a shift of the mean means anything.
func orderedBins(b spec.Profile) bool {
	return b.Method.Or("") != "categorical" && b.Categories.IsNull()
}

// signalOf is the signal with every field that is known by now.
func signalOf(kind *spec.Kind, m spec.DriftMonitor) cty.Value {
	b, w := m.Baseline.Fields(), m.Window.Fields()
	ty := kind.Type().AttributeType("signal")
	out := map[string]cty.Value{
		"model":             leafString(m.Model),
		"monitor":           leafString(m.Name),
		"kind":              cty.StringVal("data_drift"),
		"metric":            leafString(m.Metric),
		"engine":            leafString(m.Engine),
		"feature":           leafString(m.Feature),
		"bins":              leafNumber(b.Bins),
		"bin_shares":        cty.UnknownVal(cty.List(cty.Number)),
		"ordered":           cty.UnknownVal(cty.Bool),
		"smoothing":         cty.UnknownVal(cty.String),
		"epsilon":           cty.UnknownVal(cty.Number),
		"baseline_samples":  leafNumber(b.Samples),
		"window_samples":    cty.UnknownVal(cty.Number),
		"effective_samples": cty.UnknownVal(cty.Number),
		"design_effect":     cty.UnknownVal(cty.Number),
		"window_seconds":    leaf(w.Duration, cty.Number, seconds),
		"every_seconds":     leaf(m.Schedule.Fields().Every, cty.Number, seconds),
		"sensitivity":       cty.UnknownVal(ty.AttributeType("sensitivity")),
	}
	if shares, ok := sharesOf(b.Shares, b.Bins); ok {
		out["bin_shares"] = numbers(shares)
	}
	if !spec.AnyUnknown(b.Method, b.Categories) {
		out["ordered"] = cty.BoolVal(orderedBins(b))
	}
	if smoothing, ok := smoothingOf(b.Smoothing, b.Epsilon); ok {
		out["smoothing"], out["epsilon"] = cty.StringVal(smoothing.Method), nullNumber
		if smoothing.Method == stats.SmoothingEpsilon {
			out["epsilon"] = spec.Number(smoothing.Epsilon)
		}
	}
	samples, samplesKnown := windowSamples(w.Duration, w.Samples, w.RequestsPerSecond).Get()
	if samplesKnown {
		out["window_samples"] = spec.Number(samples)
	}
	if !w.DesignEffect.IsUnknown() {
		out["design_effect"] = spec.Number(w.DesignEffect.Or(1))
		if samplesKnown {
			out["effective_samples"] = spec.Number(float64(effectiveSamples(samples, w.DesignEffect.Or(1))))
		}
	}
	sensitivity := m.Sensitivity.Fields()
	switch {
	case m.Sensitivity.IsNull():
		out["sensitivity"] = cty.NullVal(ty.AttributeType("sensitivity"))
	case m.Sensitivity.IsKnown():
		out["sensitivity"] = cty.ObjectVal(map[string]cty.Value{
			"shift_sd": leafNumber(sensitivity.ShiftSD),
			"change":   nullNumber,
			"power":    leafNumber(sensitivity.Power),
		})
	}
	return signalValue(kind, out)
}

func seconds(d spec.Duration) cty.Value { return spec.Number(d.Seconds()) }

// monitorFigures is the evaluation: what the metric does when nothing drifts.
func monitorFigures(s sampling) (cty.Value, error) {
	out := map[string]cty.Value{
		"samples_per_bin": nullNumber,
		"noise_median":    nullNumber,
		"noise_p95":       nullNumber,
		"noise_p99":       nullNumber,
		"noise_p999":      nullNumber,
		"method":          nullString,
	}
	if s.binned() {
		out["samples_per_bin"] = number(round(float64(s.effective) * s.smallestShare()))
	}
	if !s.lawful(s.effective) {
		return cty.ObjectVal(out), nil
	}
	law, err := newNoise(s, s.effective)
	if err != nil {
		return cty.NilVal, err
	}
	worst := ""
	for name, q := range map[string]float64{"noise_median": 0.5, "noise_p95": 0.05, "noise_p99": 0.01, "noise_p999": 0.001} {
		value, method := law.upperQuantile(q)
		out[name] = number(round(value))
		worst = weaker(worst, method)
	}
	out["method"] = cty.StringVal(worst)
	return cty.ObjectVal(out), nil
}

// weaker is the method that promises less: several figures share one method.
func weaker(a, b string) string {
	order := []string{"", "exact", "gamma", "monte_carlo", "asymptotic"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
