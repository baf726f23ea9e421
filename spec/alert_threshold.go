package spec

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// AlertThreshold raises an alert when a signal passes a value.
type AlertThreshold struct {
	Model             Value[string]                   `cty:"model"`
	Name              Value[string]                   `cty:"name"`
	Signal            Value[Signal]                   `cty:"signal"`
	Operator          Value[string]                   `cty:"operator"`
	Value             Value[float64]                  `cty:"value"`
	For               Value[Duration]                 `cty:"for"`
	Severity          Value[string]                   `cty:"severity"`
	Owner             Value[string]                   `cty:"owner"`
	RunbookURL        Value[string]                   `cty:"runbook_url"`
	FalseAlarmsPer30d Value[float64]                  `cty:"false_alarms_per_30d"`
	Channels          Value[[]Value[string]]          `cty:"channels"`
	Waivers           Value[[]Value[Waiver]]          `cty:"waivers"`
	ID                Value[string]                   `cty:"id"`
	UID               Value[string]                   `cty:"uid"`
	Evaluation        Value[AlertThresholdEvaluation] `cty:"evaluation"`
}

// AlertThresholdEvaluation holds an alert threshold's figures.
type AlertThresholdEvaluation struct {
	FalseAlarmRate        Value[float64] `cty:"false_alarm_rate"`
	FalseAlarmsPer30d     Value[float64] `cty:"false_alarms_per_30d"`
	FalseAlarmsPer30dLow  Value[float64] `cty:"false_alarms_per_30d_low"`
	FalseAlarmsPer30dHigh Value[float64] `cty:"false_alarms_per_30d_high"`
	SmallestValue         Value[float64] `cty:"smallest_value"`
	SmallestWindowSamples Value[float64] `cty:"smallest_window_samples"`
	Power                 Value[float64] `cty:"power"`
	DetectableShiftSD     Value[float64] `cty:"detectable_shift_sd"`
	Method                Value[string]  `cty:"method"`
}

var alertThreshold = &Kind{
	Name: "alert_threshold", Family: "monitoring", Key: []string{"model", "name"}, Fields: AlertThreshold{},
	Schema: schema.Schema{
		MarkdownDescription: "Raises an alert when a signal passes a value. The plan shows how often it fires when nothing is wrong, and what it can see when something is.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model":                keyString("The registered model."),
			"name":                 keyString("The alert's name, unique for the model."),
			"signal":               signalAttribute(true),
			"operator":             stringWithDefault(">", "How the signal is held against the value."),
			"value":                requiredNumber("The threshold, in the metric's own unit."),
			"for":                  stringWithDefault("0s", "How long the condition must hold before the alert is raised."),
			"severity":             stringWithDefault("ticket", "What the alert does: `page` somebody, open a `ticket`, or just inform."),
			"owner":                optionalString("The team that answers the alert."),
			"runbook_url":          optionalString("What to do when it fires."),
			"false_alarms_per_30d": optionalNumber("How many false alarms in 30 days the team accepts. Left out, it is 1 for `page`, 4 for `ticket`, and unlimited for `info`."),
			"channels": schema.ListAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "The notification channels, by name, that the alert goes to. Left out or empty, it goes to every channel that takes its severity.",
			},
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the alert does on no drift and on a shift of the mean. Independent observations are assumed, so the false alarms are the floor of what noise does.",
				Attributes: map[string]schema.Attribute{
					"false_alarm_rate":          computedNumber("The probability that a single evaluation passes the value on no drift."),
					"false_alarms_per_30d":      computedNumber("Evaluations in 30 days that fire on no drift."),
					"false_alarms_per_30d_low":  computedNumber("The same with a lucky baseline (5 %), as notifications: divided by the number of overlapping windows."),
					"false_alarms_per_30d_high": computedNumber("The same with an unlucky baseline (95 %)."),
					"smallest_value":            computedNumber("The smallest value that meets the budget at this window."),
					"smallest_window_samples":   computedNumber("The smallest window, in samples, that meets the budget at this value."),
					"power":                     computedNumber("The probability that one evaluation sees the declared shift of the mean (half a standard deviation where none is declared). Null for categories."),
					"detectable_shift_sd":       computedNumber("The smallest shift of the mean, in standard deviations, seen with the declared power (0.8 where none is declared). Null for categories."),
					"method":                    computedString(methodDescription),
				},
			},
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"model":                    {objectName()},
		"name":                     {objectName()},
		"signal.kind":              {oneOf("data_drift")},
		"signal.metric":            {oneOf("psi")},
		"signal.bins":              {wholeNumber(), between(from(1), upTo(MaximumBins))},
		"signal.bin_shares":        {proportions()},
		"signal.smoothing":         {oneOf(smoothings...)},
		"signal.epsilon":           {between(above(0), upTo(0.1))},
		"signal.baseline_samples":  {wholeNumber(), between(from(1), upTo(1e15))},
		"signal.window_samples":    {wholeNumber(), between(from(1), upTo(1e15))},
		"signal.effective_samples": {wholeNumber(), between(from(0), upTo(1e15))},
		"signal.design_effect":     {between(from(1), upTo(1e6))},
		"signal.window_seconds":    {between(from(1), upTo(1e10))},
		"signal.every_seconds":     {between(from(1), upTo(1e10))},
		"signal.sensitivity.power": {between(above(0), below(1))},
		"operator":                 {oneOf(">", ">=")},
		"value":                    {between(above(0), upTo(1e6))},
		"for":                      {durationAtLeast(0)},
		"severity":                 {oneOf(severities...)},
		"owner":                    {notBlank()},
		"runbook_url":              {webAddress()},
		"false_alarms_per_30d":     {between(above(0), upTo(1e6))},
		"channels":                 {each(objectName()), noneTwice()},
	}),
	Together: func(v cty.Value) []Finding {
		signal := mustDecode[AlertThreshold](v).Signal.Fields()
		return sameLength(signal.BinShares, signal.Bins)
	},
}
