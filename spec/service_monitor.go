package spec

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// ServiceMonitor watches how a model is served: latency, errors, throughput, resources.
type ServiceMonitor struct {
	Model         Value[string]                   `cty:"model"`
	Name          Value[string]                   `cty:"name"`
	Metric        Value[string]                   `cty:"metric"`
	BaselineValue Value[float64]                  `cty:"baseline_value"`
	Quantile      Value[float64]                  `cty:"quantile"`
	LogStdDev     Value[float64]                  `cty:"log_std_dev"`
	Baseline      Value[Profile]                  `cty:"baseline"`
	StdDev        Value[float64]                  `cty:"std_dev"`
	Window        Value[RequestWindow]            `cty:"window"`
	Schedule      Value[Schedule]                 `cty:"schedule"`
	Sensitivity   Value[ChangeSensitivity]        `cty:"sensitivity"`
	Waivers       Value[[]Value[Waiver]]          `cty:"waivers"`
	ID            Value[string]                   `cty:"id"`
	UID           Value[string]                   `cty:"uid"`
	Signal        Value[Signal]                   `cty:"signal"`
	Evaluation    Value[ServiceMonitorEvaluation] `cty:"evaluation"`
}

// RequestWindow is the stretch of time whose requests are measured.
type RequestWindow struct {
	Duration          Value[Duration] `cty:"duration"`
	Samples           Value[float64]  `cty:"samples"`
	RequestsPerSecond Value[float64]  `cty:"requests_per_second"`
	DesignEffect      Value[float64]  `cty:"design_effect"`
}

// ServiceMonitorEvaluation holds a service monitor's figures.
type ServiceMonitorEvaluation struct {
	Samples                  Value[float64] `cty:"samples"`
	SamplesBeyond            Value[float64] `cty:"samples_beyond"`
	RequiredSamples          Value[float64] `cty:"required_samples"`
	RankLow                  Value[float64] `cty:"rank_low"`
	RankHigh                 Value[float64] `cty:"rank_high"`
	RankCoverage             Value[float64] `cty:"rank_coverage"`
	StandardError            Value[float64] `cty:"standard_error"`
	NoiseP01                 Value[float64] `cty:"noise_p01"`
	NoiseP05                 Value[float64] `cty:"noise_p05"`
	NoiseP95                 Value[float64] `cty:"noise_p95"`
	NoiseP99                 Value[float64] `cty:"noise_p99"`
	SmallestDetectableChange Value[float64] `cty:"smallest_detectable_change"`
	Method                   Value[string]  `cty:"method"`
}

var serviceMonitor = &Kind{
	Name: "service_monitor", Family: "monitoring", Key: []string{"model", "name"}, Fields: ServiceMonitor{},
	Schema: schema.Schema{
		MarkdownDescription: "Watches how a model is served: a quantile of its latency, its error rate, its throughput, or how much of a resource it uses. The plan shows how far the metric strays on noise alone, and whether a window has enough requests for the quantile.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model":          keyString("The registered model."),
			"name":           keyString("The monitor's name, unique for the model."),
			"metric":         requiredString("The metric: a `latency`, in any unit of time; the `error_rate`, a share of the requests; the `throughput`, in requests a second; or a `resource`, the mean utilisation of one, in any unit."),
			"baseline_value": requiredNumber(measureDescriptions["baseline_value"]),
			"quantile":       optionalNumber(measureDescriptions["quantile"] + " Needed for `latency`."),
			"log_std_dev":    optionalNumber(measureDescriptions["log_std_dev"] + " For a `latency` without a `baseline`."),
			"baseline":       baselineInput(false, "How latencies are spread while all is well: the `profile` of a baseline of latencies, in the unit of `baseline_value`, with edges beyond the quantile. For `latency`; its bins and samples play no other part."),
			"std_dev":        optionalNumber("The standard deviation of a single measurement. Needed for `resource`."),
			"window":         windowAttribute("The stretch of time that is measured. Exactly one of `samples` and `requests_per_second` says how many requests (for `resource`, measurements) it has; for `throughput` neither, since `baseline_value` does."),
			"schedule":       scheduleAttribute(),
			"sensitivity":    changeSensitivity("A change of the metric for the worse, in its own unit, as a positive number."),
			"signal":         signalAttribute(false),
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the metric does while its true value is `baseline_value`. Independent observations are assumed after the design effect, so it is the floor of what noise does.",
				Attributes: withNoise(map[string]schema.Attribute{
					"samples":          computedNumber("Requests of a window (for `resource`, measurements), before the design effect."),
					"samples_beyond":   computedNumber("Expected requests beyond the quantile, after the design effect. Null where the metric is no latency, as for all ranks."),
					"required_samples": computedNumber("The smallest window, in samples, with whose ranks the quantile can be bounded on both sides at 95 % confidence."),
					"rank_low":         computedNumber("With the requests sorted, the rank of the one that bounds the quantile from below. Null where the window is too small."),
					"rank_high":        computedNumber("The rank of the one that bounds it from above."),
					"rank_coverage":    computedNumber("The probability that the quantile lies between the two, whatever the law of the latency."),
					"standard_error":   computedNumber("The metric's standard error; for a latency, half the width of its middle 68.3 %."),
				}),
			},
		}),
	},
	Constraints: withCommonConstraints(withBaselineConstraints(withWindowConstraints(withMeasureConstraints(map[string][]Constraint{
		"model":  {objectName()},
		"name":   {objectName()},
		"metric": {oneOf(metricsOf(SignalService)...)},
	}, "baseline_value", "quantile", "log_std_dev", "std_dev")))),
	Together: func(v cty.Value) []Finding {
		m := mustDecode[ServiceMonitor](v)
		metric, ok := m.Metric.Get()
		if !ok {
			return nil
		}
		b, w := m.Baseline.Fields(), m.Window.Fields()
		var findings []Finding
		switch window := v.GetAttr("window"); {
		case metric == "throughput":
			for name, leaf := range map[string]Value[float64]{"samples": w.Samples, "requests_per_second": w.RequestsPerSecond} {
				if leaf.IsKnown() {
					findings = append(findings, Invalid(leaf.Path(), cty.NilVal, "the throughput is what the window counts: baseline_value says how many requests it has", "Remove "+name+"."))
				}
			}
		case window.IsKnown() && !window.IsNull():
			findings = exactlyOne(window, attr("window"), "samples", "requests_per_second")
		}
		findings = append(findings, measured{
			metric: metric, baseline: m.BaselineValue, change: m.Sensitivity.Fields().Change,
			quantile: m.Quantile, logStdDev: m.LogStdDev, bins: b.Bins, shares: b.Shares, edges: b.Edges,
			parameters: map[string]Leaf{"quantile": m.Quantile, "log_std_dev": m.LogStdDev, "baseline": m.Baseline, "std_dev": m.StdDev},
		}.check()...)
		if metric == "latency" && m.Baseline.IsKnown() && b.Edges.IsNull() && len(findings) == 0 {
			findings = append(findings, Invalid(b.Edges.Path(), cty.NilVal, "the law of a latency is read from the edges of its bins, and this baseline has none", "Use a baseline's profile, or give edges."))
		}
		if rate, ok := w.RequestsPerSecond.Get(); ok && len(findings) == 0 {
			if d, ok := w.Duration.Get(); ok && rate*d.Seconds() < 1 {
				findings = append(findings, Invalid(w.RequestsPerSecond.Path(), Number(rate), fmt.Sprintf("a window of %s then has less than one observation", d), fmt.Sprintf("Set window.duration to at least %q.", DurationFromSeconds(1/rate))))
			}
		}
		return findings
	},
}
