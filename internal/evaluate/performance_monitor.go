package evaluate

import (
	"maps"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// performanceSubject is what the rules on performance monitors are given.
type performanceSubject struct {
	declared spec.PerformanceMonitor
	estimate estimate
	figures  noiseFigures
	known    bool
}

func evaluatePerformanceMonitor(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.PerformanceMonitor](value)
	if err != nil {
		return nil, nil, err
	}
	signal := performanceSignal(kind, declared)
	computed := map[string]cty.Value{"signal": signal, spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	s := performanceSubject{declared: declared}
	decoded, err := decodeSignal(signal)
	if err != nil {
		return nil, nil, err
	}
	if s.estimate, s.known = estimateOf(decoded); !s.known || declared.Tolerance.IsUnknown() || declared.Sensitivity.IsUnknown() || declared.Sensitivity.Fields().Power.IsUnknown() {
		s.known = false
		return s, computed, nil
	}
	if s.figures, err = s.estimate.noise(declared.Sensitivity.Fields().Power.Or(defaultPower)); err != nil {
		return nil, nil, err
	}
	out := s.figures.values()
	out["labelled_samples"] = number(s.estimate.window)
	out["positives"] = nullNumber
	switch s.estimate.metric {
	case "auc", "recall", "precision":
		out["positives"] = number(round(float64(s.estimate.effective) * s.estimate.share))
	}
	computed[spec.AttributeEvaluation] = cty.ObjectVal(out)
	return s, computed, nil
}

// values are the figures that monitors of both kinds show.
func (f noiseFigures) values() map[string]cty.Value {
	method := nullString
	if f.method != "" {
		method = cty.StringVal(f.method)
	}
	return map[string]cty.Value{
		"standard_error":             number(f.standardError),
		"noise_p01":                  number(f.p01),
		"noise_p05":                  number(f.p05),
		"noise_p95":                  number(f.p95),
		"noise_p99":                  number(f.p99),
		"smallest_detectable_change": number(f.detectable),
		"method":                     method,
	}
}

// labelledSamples is how many rows of a window have a label: as declared, or those of
// the rate that are older than the delay.
func labelledSamples(m spec.PerformanceMonitor) spec.Value[float64] {
	l := m.Labels.Fields()
	if !l.Samples.IsNull() {
		return l.Samples
	}
	rate, rateKnown := l.RequestsPerSecond.Get()
	delay, delayKnown := l.Delay.Get()
	duration, durationKnown := m.Window.Fields().Duration.Get()
	if !rateKnown || !delayKnown || !durationKnown || l.LabelledShare.IsUnknown() {
		return spec.Unknown[float64](l.RequestsPerSecond.Path())
	}
	span := max(duration.Seconds()-delay.Seconds(), 0)
	return spec.Known(min(floor(rate*l.LabelledShare.Or(1)*span), maximumCount), l.RequestsPerSecond.Path())
}

func performanceSignal(kind *spec.Kind, m spec.PerformanceMonitor) cty.Value {
	l := m.Labels.Fields()
	method := leafString(m.StandardErrorMethod)
	kurtosis := leafNumber(m.Kurtosis)
	switch metric, ok := m.Metric.Get(); {
	case !ok:
		method, kurtosis = cty.UnknownVal(cty.String), cty.UnknownVal(cty.Number)
	case metric == "auc" && m.StandardErrorMethod.IsNull():
		method = cty.StringVal(stats.AUCBinormal)
	case metric == "rmse" && m.Kurtosis.IsNull():
		kurtosis = spec.Number(normalKurtosis)
	}
	out := signalWindow(labelledSamples(m), l.DesignEffect)
	maps.Copy(out, map[string]cty.Value{
		"model":                 leafString(m.Model),
		"monitor":               leafString(m.Name),
		"kind":                  cty.StringVal(spec.SignalPerformance),
		"metric":                leafString(m.Metric),
		"window_seconds":        leaf(m.Window.Fields().Duration, cty.Number, seconds),
		"every_seconds":         leaf(m.Schedule.Fields().Every, cty.Number, seconds),
		"baseline_value":        leafNumber(m.BaselineValue),
		"tolerance":             leafNumber(m.Tolerance),
		"label_delay_seconds":   leaf(l.Delay, cty.Number, seconds),
		"prevalence":            leafNumber(m.Prevalence),
		"flagged_share":         leafNumber(m.FlaggedShare),
		"standard_error_method": method,
		"kurtosis":              kurtosis,
		"std_dev":               leafNumber(m.StdDev),
		"sensitivity":           changeSensitivity(kind, m.Sensitivity),
	})
	return signalValue(kind, out)
}

// normalKurtosis is that of normal errors.
const normalKurtosis = 3

// signalWindow is the window's part of a signal.
func signalWindow(samples, designEffect spec.Value[float64]) map[string]cty.Value {
	out := map[string]cty.Value{"window_samples": leafNumber(samples), "effective_samples": cty.UnknownVal(cty.Number), "design_effect": cty.UnknownVal(cty.Number)}
	if designEffect.IsUnknown() {
		return out
	}
	out["design_effect"] = spec.Number(designEffect.Or(1))
	if n, ok := samples.Get(); ok {
		out["effective_samples"] = spec.Number(float64(effectiveSamples(n, designEffect.Or(1))))
	}
	return out
}

// changeSensitivity is a sensitivity as a signal has it.
func changeSensitivity(kind *spec.Kind, declared spec.Value[spec.ChangeSensitivity]) cty.Value {
	ty := kind.Type().AttributeType("signal").AttributeType("sensitivity")
	switch s := declared.Fields(); {
	case declared.IsNull():
		return cty.NullVal(ty)
	case declared.IsUnknown():
		return cty.UnknownVal(ty)
	default:
		return cty.ObjectVal(map[string]cty.Value{"shift_sd": nullNumber, "change": leafNumber(s.Change), "power": leafNumber(s.Power)})
	}
}

// signalValue is a signal whose fields of other kinds are null.
func signalValue(kind *spec.Kind, fields map[string]cty.Value) cty.Value {
	out := map[string]cty.Value{}
	for name, ty := range kind.Type().AttributeType("signal").AttributeTypes() {
		out[name] = cty.NullVal(ty)
	}
	maps.Copy(out, fields)
	return cty.ObjectVal(out)
}

// decodeSignal reads a signal as a threshold would.
func decodeSignal(v cty.Value) (spec.Signal, error) {
	type holder struct {
		Signal spec.Value[spec.Signal] `cty:"signal"`
	}
	decoded, err := spec.Decode[holder](cty.ObjectVal(map[string]cty.Value{"signal": v}))
	return decoded.Signal.Fields(), err
}

// estimateOf reads the law of a performance or a service signal; false while a number
// is unknown.
func estimateOf(g spec.Signal) (estimate, bool) {
	if !spec.AllKnown(g.Metric, g.BaselineValue, g.WindowSamples, g.WindowSeconds, g.EverySeconds) ||
		spec.AnyUnknown(g.EffectiveSamples, g.DesignEffect, g.LabelDelaySeconds, g.Prevalence, g.FlaggedShare, g.StandardErrorMethod,
			g.Kurtosis, g.StdDev, g.Quantile, g.LogStdDev, g.Bins, g.BinShares, g.Edges) {
		return estimate{}, false
	}
	e := estimate{
		metric: g.Metric.Or(""), baseline: g.BaselineValue.Or(0), window: g.WindowSamples.Or(0), designEffect: g.DesignEffect.Or(1),
		delaySeconds: g.LabelDelaySeconds.Or(0), everySeconds: g.EverySeconds.Or(0),
		share: g.Prevalence.Or(0), method: g.StandardErrorMethod.Or(stats.AUCBinormal), kurtosis: g.Kurtosis.Or(normalKurtosis),
		stdDev: g.StdDev.Or(0), quantile: g.Quantile.Or(0),
	}
	e.spanSeconds = g.WindowSeconds.Or(0) - e.delaySeconds
	if e.metric == "precision" {
		e.share = g.FlaggedShare.Or(0)
	}
	e.effective = effectiveSamples(e.window, e.designEffect)
	if declared, ok := g.EffectiveSamples.Get(); ok && int64(declared) != e.effective {
		e.effective = int64(declared)
		if declared >= 1 {
			e.designEffect = e.window / declared
		}
	}
	if e.metric != "latency" {
		return e, true
	}
	if sigma, ok := g.LogStdDev.Get(); ok {
		e.latencies = lognormal(e.baseline, e.quantile, sigma)
		return e, true
	}
	edges, edgesKnown := list(g.Edges)
	shares, sharesKnown := sharesOf(g.BinShares, g.Bins)
	if !edgesKnown || !sharesKnown || len(shares) != len(edges)+1 {
		return estimate{}, false
	}
	e.latencies = profiled(edges, normalised(shares), e.baseline, e.quantile)
	return e, true
}
