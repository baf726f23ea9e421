package spec

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// PerformanceMonitor watches whether a model's predictions are still as good as they
// were, once labels are there to tell.
type PerformanceMonitor struct {
	Model               Value[string]                       `cty:"model"`
	Name                Value[string]                       `cty:"name"`
	Metric              Value[string]                       `cty:"metric"`
	BaselineValue       Value[float64]                      `cty:"baseline_value"`
	Tolerance           Value[float64]                      `cty:"tolerance"`
	Prevalence          Value[float64]                      `cty:"prevalence"`
	FlaggedShare        Value[float64]                      `cty:"flagged_share"`
	StandardErrorMethod Value[string]                       `cty:"standard_error_method"`
	Kurtosis            Value[float64]                      `cty:"kurtosis"`
	StdDev              Value[float64]                      `cty:"std_dev"`
	Labels              Value[Labels]                       `cty:"labels"`
	Window              Value[LabelledWindow]               `cty:"window"`
	Schedule            Value[Schedule]                     `cty:"schedule"`
	Sensitivity         Value[ChangeSensitivity]            `cty:"sensitivity"`
	Waivers             Value[[]Value[Waiver]]              `cty:"waivers"`
	ID                  Value[string]                       `cty:"id"`
	UID                 Value[string]                       `cty:"uid"`
	Signal              Value[Signal]                       `cty:"signal"`
	Evaluation          Value[PerformanceMonitorEvaluation] `cty:"evaluation"`
}

// Labels says how many rows have a label, and when.
type Labels struct {
	Delay             Value[Duration] `cty:"delay"`
	Samples           Value[float64]  `cty:"samples"`
	RequestsPerSecond Value[float64]  `cty:"requests_per_second"`
	LabelledShare     Value[float64]  `cty:"labelled_share"`
	DesignEffect      Value[float64]  `cty:"design_effect"`
}

// LabelledWindow is the stretch of time whose predictions are held against their labels.
type LabelledWindow struct {
	Duration Value[Duration] `cty:"duration"`
}

// PerformanceMonitorEvaluation holds a performance monitor's figures.
type PerformanceMonitorEvaluation struct {
	LabelledSamples          Value[float64] `cty:"labelled_samples"`
	Positives                Value[float64] `cty:"positives"`
	StandardError            Value[float64] `cty:"standard_error"`
	NoiseP01                 Value[float64] `cty:"noise_p01"`
	NoiseP05                 Value[float64] `cty:"noise_p05"`
	NoiseP95                 Value[float64] `cty:"noise_p95"`
	NoiseP99                 Value[float64] `cty:"noise_p99"`
	SmallestDetectableChange Value[float64] `cty:"smallest_detectable_change"`
	Method                   Value[string]  `cty:"method"`
}

var performanceMonitor = &Kind{
	Name: "performance_monitor", Family: "monitoring", Key: []string{"model", "name"}, Fields: PerformanceMonitor{},
	Schema: schema.Schema{
		MarkdownDescription: "Watches whether a model's predictions are still as good as they were, once labels are there to tell. The plan shows how far the metric strays on sampling noise alone, and the smallest worsening that it can show.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model":                 keyString("The registered model."),
			"name":                  keyString("The monitor's name, unique for the model."),
			"metric":                requiredString("The metric. `accuracy`, `precision` and `recall` are shares of right answers; `rmse` and `mae` are in the unit of what is predicted."),
			"baseline_value":        requiredNumber(measureDescriptions["baseline_value"] + " As it was measured on a test set or in production."),
			"tolerance":             requiredNumber("How much worse the metric may become before somebody must act, in its own unit: for an AUC of 0.85, 0.03 accepts 0.82."),
			"prevalence":            optionalNumber(measureDescriptions["prevalence"] + " Needed for `auc` and `recall`."),
			"flagged_share":         optionalNumber(measureDescriptions["flagged_share"] + " Needed for `precision`."),
			"standard_error_method": optionalString(measureDescriptions["standard_error_method"] + " For `auc`; `binormal` where it is left out."),
			"kurtosis":              optionalNumber(measureDescriptions["kurtosis"] + " For `rmse`; 3 where it is left out."),
			"std_dev":               optionalNumber("The standard deviation of the absolute error of a single row. Needed for `mae`."),
			"labels": schema.SingleNestedAttribute{
				Required: true, MarkdownDescription: "How many rows have a label, and when. Exactly one of `samples` and `requests_per_second` says how many.",
				Attributes: map[string]schema.Attribute{
					"delay":               requiredString("How long it takes until a row's label is known. A window has labels for all but its last stretch of this length."),
					"samples":             optionalNumber("The lowest number of labelled rows expected in any window."),
					"requests_per_second": optionalNumber("The lowest rate of requests expected in any window."),
					"labelled_share":      optionalNumber("The share of the requests that ever get a label, with `requests_per_second`. All of them where it is left out."),
					"design_effect":       designEffectAttribute(),
				},
			},
			"window": schema.SingleNestedAttribute{
				Required: true, MarkdownDescription: "The stretch of time whose predictions are held against their labels.",
				Attributes: map[string]schema.Attribute{"duration": requiredString("How long the window is; longer than `labels.delay`.")},
			},
			"schedule":    scheduleAttribute(),
			"sensitivity": changeSensitivity("A change of the metric for the worse, in its own unit, as a positive number."),
			"signal":      signalAttribute(false),
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the metric does while its true value is `baseline_value`. Independent rows are assumed after the design effect, so it is the floor of what noise does. Null where no row of a window has a label.",
				Attributes: withNoise(map[string]schema.Attribute{
					"labelled_samples": computedNumber("Labelled rows of a window, before the design effect."),
					"positives":        computedNumber("Expected positives among them after the design effect (for `precision`, rows predicted positive). Null for metrics that do not need them."),
					"standard_error":   computedNumber("The metric's standard error."),
				}),
			},
		}),
	},
	Constraints: withCommonConstraints(withMeasureConstraints(map[string][]Constraint{
		"model":                      {objectName()},
		"name":                       {objectName()},
		"metric":                     {oneOf(metricsOf(SignalPerformance)...)},
		"labels.delay":               {durationAtLeast(0)},
		"labels.samples":             {wholeNumber(), between(from(1), upTo(1e15))},
		"labels.requests_per_second": {between(above(0), upTo(1e9))},
		"labels.labelled_share":      {between(above(0), upTo(1))},
		"labels.design_effect":       {between(from(1), upTo(1e6))},
		"window.duration":            {durationAtLeast(1e9)},
		"schedule.every":             {durationAtLeast(1e9)},
	}, "baseline_value", "tolerance", "prevalence", "flagged_share", "standard_error_method", "kurtosis", "std_dev")),
	Together: func(v cty.Value) []Finding {
		var findings []Finding
		if labels := v.GetAttr("labels"); labels.IsKnown() && !labels.IsNull() {
			findings = exactlyOne(labels, attr("labels"), "samples", "requests_per_second")
		}
		m := mustDecode[PerformanceMonitor](v)
		if l := m.Labels.Fields(); l.LabelledShare.IsKnown() && l.Samples.IsKnown() && len(findings) == 0 {
			findings = append(findings, Invalid(l.LabelledShare.Path(), cty.NilVal, "samples counts labelled rows already", "Remove labelled_share, or declare requests_per_second instead of samples."))
		}
		metric, ok := m.Metric.Get()
		if !ok {
			return findings
		}
		return append(findings, measured{
			metric: metric, baseline: m.BaselineValue, change: m.Sensitivity.Fields().Change, tolerance: m.Tolerance,
			parameters: map[string]Leaf{
				"prevalence": m.Prevalence, "flagged_share": m.FlaggedShare, "std_dev": m.StdDev,
				"standard_error_method": m.StandardErrorMethod, "kurtosis": m.Kurtosis,
			},
		}.check()...)
	},
}

// changeSensitivity is the sensitivity of a monitor whose metric has a true value.
func changeSensitivity(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true, MarkdownDescription: "What its alerts must be able to see.",
		Attributes: map[string]schema.Attribute{
			"change": requiredNumber(description),
			"power":  numberWithDefault("0.8", "The probability with which one evaluation must see it."),
		},
	}
}

// withMeasureConstraints adds the constraints on a metric's parameters and on the
// sensitivity.
func withMeasureConstraints(constraints map[string][]Constraint, parameters ...string) map[string][]Constraint {
	for _, name := range parameters {
		constraints[name] = measureConstraints[name]
	}
	constraints["sensitivity.change"] = measureConstraints["tolerance"]
	constraints["sensitivity.power"] = []Constraint{between(above(0), below(1))}
	return constraints
}

// withNoise adds the figures of every metric that has a true value.
func withNoise(figures map[string]schema.Attribute) map[string]schema.Attribute {
	maps.Copy(figures, map[string]schema.Attribute{
		"noise_p01":                  computedNumber("The value below which 1 % of the windows measure."),
		"noise_p05":                  computedNumber("The value below which 5 % of the windows measure."),
		"noise_p95":                  computedNumber("The value above which 5 % of the windows measure."),
		"noise_p99":                  computedNumber("The value above which 1 % of the windows measure."),
		"smallest_detectable_change": computedNumber("The smallest worsening that a test at the 5 % level (one-sided) sees with the declared power (0.8 where none is declared)."),
		"method":                     computedString(methodDescription),
	})
	return figures
}
