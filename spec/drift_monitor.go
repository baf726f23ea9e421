package spec

import (
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// DriftMonitor watches whether a feature or a score still has its baseline's
// distribution (data drift).
type DriftMonitor struct {
	Model       Value[string]                 `cty:"model"`
	Name        Value[string]                 `cty:"name"`
	Feature     Value[string]                 `cty:"feature"`
	Metric      Value[string]                 `cty:"metric"`
	Engine      Value[string]                 `cty:"engine"`
	Baseline    Value[Profile]                `cty:"baseline"`
	Window      Value[Window]                 `cty:"window"`
	Schedule    Value[Schedule]               `cty:"schedule"`
	Sensitivity Value[Sensitivity]            `cty:"sensitivity"`
	Waivers     Value[[]Value[Waiver]]        `cty:"waivers"`
	ID          Value[string]                 `cty:"id"`
	UID         Value[string]                 `cty:"uid"`
	Signal      Value[Signal]                 `cty:"signal"`
	Evaluation  Value[DriftMonitorEvaluation] `cty:"evaluation"`
}

// Window is the stretch of time whose observations are compared with the baseline.
type Window struct {
	Duration          Value[Duration] `cty:"duration"`
	Samples           Value[float64]  `cty:"samples"`
	RequestsPerSecond Value[float64]  `cty:"requests_per_second"`
	DesignEffect      Value[float64]  `cty:"design_effect"`
	Season            Value[Duration] `cty:"season"`
}

// Schedule is how often a monitor is evaluated.
type Schedule struct {
	Every Value[Duration] `cty:"every"`
}

// Sensitivity is what a monitor's alerts must be able to see.
type Sensitivity struct {
	ShiftSD Value[float64] `cty:"shift_sd"`
	Power   Value[float64] `cty:"power"`
}

// DriftMonitorEvaluation holds a drift monitor's figures.
type DriftMonitorEvaluation struct {
	SamplesPerBin Value[float64] `cty:"samples_per_bin"`
	NoiseMedian   Value[float64] `cty:"noise_median"`
	NoiseP95      Value[float64] `cty:"noise_p95"`
	NoiseP99      Value[float64] `cty:"noise_p99"`
	NoiseP999     Value[float64] `cty:"noise_p999"`
	Method        Value[string]  `cty:"method"`
}

// baselineInput is a baseline's profile as a monitor takes it.
func baselineInput(required bool, description string) schema.SingleNestedAttribute {
	attributes := map[string]schema.Attribute{
		"name":       requiredString(profileDescriptions["name"]),
		"bins":       requiredNumber(profileDescriptions["bins"]),
		"samples":    requiredNumber(profileDescriptions["samples"]),
		"missing":    optionalNumber(profileDescriptions["missing"]),
		"empty_bins": optionalNumber(profileDescriptions["empty_bins"]),
		"method":     optionalString(profileDescriptions["method"]),
		"smoothing":  optionalString(profileDescriptions["smoothing"]),
		"epsilon":    optionalNumber(profileDescriptions["epsilon"]),
		"digest":     optionalString(profileDescriptions["digest"]),
	}
	for _, name := range []string{"shares", "edges"} {
		attributes[name] = schema.ListAttribute{Optional: true, ElementType: types.NumberType, MarkdownDescription: profileDescriptions[name]}
	}
	attributes["categories"] = schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: profileDescriptions["categories"]}
	return schema.SingleNestedAttribute{
		Required: required, Optional: !required, Attributes: attributes, MarkdownDescription: description,
	}
}

var driftMonitor = &Kind{
	Name: "drift_monitor", Family: "monitoring", Key: []string{"model", "name"}, Fields: DriftMonitor{},
	Schema: schema.Schema{
		MarkdownDescription: "Watches whether a feature or a score still has its baseline's distribution (data drift). The plan shows how high the metric goes on noise alone.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model":    keyString("The registered model."),
			"name":     keyString("The monitor's name, unique for the model."),
			"feature":  requiredString("The feature or score that is watched."),
			"metric":   requiredString(driftMetricDescription()),
			"engine":   optionalString(engineDescription()),
			"baseline": baselineInput(true, "The baseline to compare with: a baseline's `profile`, or the same object written by hand."),
			"window":   seasonalWindowAttribute("The stretch of time whose observations are compared with the baseline. Exactly one of `samples` and `requests_per_second` says how many it has."),
			"schedule": scheduleAttribute(),
			"sensitivity": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "What its alerts must be able to see.",
				Attributes: map[string]schema.Attribute{
					"shift_sd": requiredNumber("A shift of the mean, in standard deviations of the baseline."),
					"power":    numberWithDefault("0.8", "The probability with which one evaluation must see it."),
				},
			},
			"signal": signalAttribute(false),
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the metric does when nothing drifts, over redrawn baselines and windows. Independent observations are assumed, so it is the floor of what noise does.",
				Attributes: map[string]schema.Attribute{
					"samples_per_bin": computedNumber("Expected samples of a window in the smallest bin. Null where the metric reads no bins of the baseline."),
					"noise_median":    computedNumber("The metric's median on no drift."),
					"noise_p95":       computedNumber("Its 95 % quantile."),
					"noise_p99":       computedNumber("Its 99 % quantile."),
					"noise_p999":      computedNumber("Its 99.9 % quantile."),
					"method":          computedString(methodDescription),
				},
			},
		}),
	},
	Constraints: withCommonConstraints(withBaselineConstraints(withWindowConstraints(map[string][]Constraint{
		"model":                {objectName()},
		"name":                 {objectName()},
		"feature":              {notBlank(), atMostBytes(500)},
		"metric":               {oneOf(driftMetricNames()...)},
		"engine":               {oneOf(engineNames()...)},
		"window.season":        {durationAtLeast(1e9)},
		"sensitivity.shift_sd": {between(above(0), upTo(10))},
		"sensitivity.power":    {between(above(0), below(1))},
	}))),
	Together: func(v cty.Value) []Finding {
		var findings []Finding
		if window := v.GetAttr("window"); window.IsKnown() && !window.IsNull() {
			findings = exactlyOne(window, attr("window"), "samples", "requests_per_second")
		}
		m := mustDecode[DriftMonitor](v)
		b := m.Baseline.Fields()
		findings = append(findings, sameLength(b.Shares, b.Bins)...)
		categorical := b.Method.Or("") == "categorical" || !b.Categories.IsNull()
		findings = append(findings, checkDriftMetric(m.Metric, m.Engine, categorical, !AnyUnknown(m.Baseline, b.Method, b.Categories))...)
		if rate, ok := m.Window.Fields().RequestsPerSecond.Get(); ok && len(findings) == 0 {
			if d, ok := m.Window.Fields().Duration.Get(); ok && rate*d.Seconds() < 1 {
				findings = append(findings, Invalid(m.Window.Fields().RequestsPerSecond.Path(), Number(rate), fmt.Sprintf("a window of %s then has less than one observation", d), fmt.Sprintf("Set window.duration to at least %q.", DurationFromSeconds(1/rate))))
			}
		}
		return findings
	},
}

func windowAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Required: true, MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"duration":            requiredString("How long the window is."),
			"samples":             optionalNumber("The lowest number of observations expected in any window."),
			"requests_per_second": optionalNumber("The lowest rate of observations expected in any window."),
			"design_effect":       designEffectAttribute(),
		},
	}
}

// seasonalWindowAttribute is a window that is compared with a baseline: it matters to it
// which part of the traffic's pattern it has.
func seasonalWindowAttribute(description string) schema.SingleNestedAttribute {
	a := windowAttribute(description)
	a.Attributes["season"] = optionalString("How long it is until the traffic's own pattern repeats, for instance `24h` or `7d`. A window that is no multiple of it compares a part of the pattern with the whole.")
	return a
}

func designEffectAttribute() schema.NumberAttribute {
	return numberWithDefault("1", "How many observations count as one independent observation, because rows are correlated or a user sends several.")
}

func scheduleAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Required: true, MarkdownDescription: "When the monitor is evaluated.",
		Attributes: map[string]schema.Attribute{"every": requiredString("How long it is from one evaluation to the next.")},
	}
}

// withBaselineConstraints adds the constraints on a profile that a monitor takes.
func withBaselineConstraints(constraints map[string][]Constraint) map[string][]Constraint {
	maps.Copy(constraints, map[string][]Constraint{
		"baseline.bins":       {wholeNumber(), between(from(1), upTo(MaximumBins))},
		"baseline.samples":    {wholeNumber(), between(from(1), upTo(1e15))},
		"baseline.missing":    {wholeNumber(), between(from(0), upTo(1e15))},
		"baseline.empty_bins": {wholeNumber(), between(from(0), upTo(MaximumBins))},
		"baseline.shares":     {proportions()},
		"baseline.smoothing":  {oneOf(smoothings...)},
		"baseline.epsilon":    {between(above(0), upTo(0.1))},
		"baseline.method":     {oneOf("quantile", "equal_width", "explicit", "categorical")},
	})
	return constraints
}

// withWindowConstraints adds the constraints on a window and a schedule.
func withWindowConstraints(constraints map[string][]Constraint) map[string][]Constraint {
	maps.Copy(constraints, map[string][]Constraint{
		"window.duration":            {durationAtLeast(1e9)},
		"window.samples":             {wholeNumber(), between(from(1), upTo(1e15))},
		"window.requests_per_second": {between(above(0), upTo(1e9))},
		"window.design_effect":       {between(from(1), upTo(1e6))},
		"schedule.every":             {durationAtLeast(1e9)},
	})
	return constraints
}

func sameLength(shares Value[[]Value[float64]], bins Value[float64]) []Finding {
	list, ok := shares.Get()
	count, known := bins.Get()
	if !ok || !known || float64(len(list)) == count {
		return nil
	}
	return []Finding{Invalid(shares.Path(), cty.NilVal, fmt.Sprintf("has %d proportions for %s bins", len(list), formatNumber(count)), "Give each bin its proportion, or leave the list out where all bins have the same.")}
}

func proportions() Constraint {
	return Constraint{
		Describe:   "Proportions from 0 to 1 whose sum is 1.",
		JSONSchema: map[string]any{"minItems": 1, "items": map[string]any{"type": "number", "minimum": 0, "maximum": 1}},
		Check: func(v cty.Value) (string, string) {
			sum := 0.0
			for i, element := range v.AsValueSlice() {
				if !element.IsKnown() {
					return "", ""
				}
				if element.IsNull() {
					return fmt.Sprintf("the element %d is null", i), "Give every bin its proportion."
				}
				f, _ := element.AsBigFloat().Float64()
				if f < 0 || f > 1 {
					return fmt.Sprintf("the element %d is %s, and a proportion lies between 0 and 1", i, formatNumber(f)), "Divide each count by the sum of all."
				}
				sum += f
			}
			if v.LengthInt() == 0 || sum < 0.999 || sum > 1.001 {
				return "the proportions add up to " + formatNumber(sum) + " and not to 1", "Divide each count by the sum of all."
			}
			return "", ""
		},
	}
}
