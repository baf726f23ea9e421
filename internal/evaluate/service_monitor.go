package evaluate

import (
	"maps"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// rankConfidence is that of the ranks between which a quantile lies.
const rankConfidence = 0.95

// serviceSubject is what the rules on service monitors are given.
type serviceSubject struct {
	declared spec.ServiceMonitor
	estimate estimate
	known    bool
}

func evaluateServiceMonitor(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.ServiceMonitor](value)
	if err != nil {
		return nil, nil, err
	}
	signal := serviceSignal(kind, declared)
	computed := map[string]cty.Value{"signal": signal, spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}
	s := serviceSubject{declared: declared}
	decoded, err := decodeSignal(signal)
	if err != nil {
		return nil, nil, err
	}
	if s.estimate, s.known = estimateOf(decoded); !s.known || declared.Sensitivity.IsUnknown() || declared.Sensitivity.Fields().Power.IsUnknown() {
		s.known = false
		return s, computed, nil
	}
	figures, err := s.estimate.noise(declared.Sensitivity.Fields().Power.Or(defaultPower))
	if err != nil {
		return nil, nil, err
	}
	out := figures.values()
	out["samples"] = number(s.estimate.window)
	maps.Copy(out, s.estimate.ranks())
	computed[spec.AttributeEvaluation] = cty.ObjectVal(out)
	return s, computed, nil
}

// ranks are the figures of a latency's quantile that hold whatever its law.
func (e estimate) ranks() map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, name := range []string{"samples_beyond", "required_samples", "rank_low", "rank_high", "rank_coverage"} {
		out[name] = nullNumber
	}
	if e.metric != "latency" {
		return out
	}
	out["samples_beyond"] = number(round(float64(e.effective) * (1 - e.quantile)))
	if required, ok := e.support(); ok {
		out["required_samples"] = number(ceil(float64(required) * e.designEffect))
	}
	if e.effective < 1 {
		return out
	}
	low, high, coverage, supported, err := stats.QuantileRanks(e.effective, e.quantile, rankConfidence)
	if err == nil && supported {
		out["rank_low"], out["rank_high"], out["rank_coverage"] = number(float64(low)), number(float64(high)), number(roundProbability(coverage))
	}
	return out
}

// support is how many effective samples have ranks on both sides of the quantile.
func (e estimate) support() (int64, bool) {
	required, err := stats.QuantileSupport(e.quantile, rankConfidence)
	return required, err == nil
}

// serviceSamples is how many requests a window has; a throughput is its own rate.
func serviceSamples(m spec.ServiceMonitor) spec.Value[float64] {
	w := m.Window.Fields()
	switch metric, ok := m.Metric.Get(); {
	case !ok:
		return spec.Unknown[float64](w.Samples.Path())
	case metric != "throughput":
		return windowSamples(w.Duration, w.Samples, w.RequestsPerSecond)
	}
	rate, rateKnown := m.BaselineValue.Get()
	duration, durationKnown := w.Duration.Get()
	if !rateKnown || !durationKnown {
		return spec.Unknown[float64](m.BaselineValue.Path())
	}
	return spec.Known(min(floor(rate*duration.Seconds()), maximumCount), m.BaselineValue.Path())
}

func serviceSignal(kind *spec.Kind, m spec.ServiceMonitor) cty.Value {
	b, w := m.Baseline.Fields(), m.Window.Fields()
	ty := kind.Type().AttributeType("signal")
	out := signalWindow(serviceSamples(m), w.DesignEffect)
	maps.Copy(out, map[string]cty.Value{
		"model":          leafString(m.Model),
		"monitor":        leafString(m.Name),
		"kind":           cty.StringVal(spec.SignalService),
		"metric":         leafString(m.Metric),
		"window_seconds": leaf(w.Duration, cty.Number, seconds),
		"every_seconds":  leaf(m.Schedule.Fields().Every, cty.Number, seconds),
		"baseline_value": leafNumber(m.BaselineValue),
		"std_dev":        leafNumber(m.StdDev),
		"quantile":       leafNumber(m.Quantile),
		"log_std_dev":    leafNumber(m.LogStdDev),
		"sensitivity":    changeSensitivity(kind, m.Sensitivity),
	})
	switch {
	case m.Baseline.IsUnknown():
		for _, name := range []string{"bins", "bin_shares", "edges"} {
			out[name] = cty.UnknownVal(ty.AttributeType(name))
		}
	case m.Baseline.IsKnown():
		out["bins"] = leafNumber(b.Bins)
		out["bin_shares"], out["edges"] = cty.UnknownVal(cty.List(cty.Number)), cty.UnknownVal(cty.List(cty.Number))
		if shares, ok := sharesOf(b.Shares, b.Bins); ok {
			out["bin_shares"] = numbers(shares)
		}
		if edges, ok := list(b.Edges); ok {
			out["edges"] = numbers(edges)
		}
	}
	return signalValue(kind, out)
}
