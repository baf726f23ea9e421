package spec

import (
	"fmt"
	"strings"

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
	DetectableChange      Value[float64] `cty:"detectable_change"`
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
				Computed: true, MarkdownDescription: "What the alert does while all is well (no drift, or a metric whose true value is its baseline), and on a change for the worse. Independent observations are assumed, so the false alarms are the floor of what noise does.",
				Attributes: map[string]schema.Attribute{
					"false_alarm_rate":          computedNumber("The probability that a single evaluation passes the value while all is well."),
					"false_alarms_per_30d":      computedNumber("Evaluations in 30 days that fire while all is well."),
					"false_alarms_per_30d_low":  computedNumber("The same as notifications, divided by the number of overlapping windows; for data drift, with a lucky baseline (5 %)."),
					"false_alarms_per_30d_high": computedNumber("The same with an unlucky baseline (95 %), for data drift; else the same."),
					"smallest_value":            computedNumber("The value nearest to what is healthy that meets the budget at this window: the smallest one, and for `<` and `<=` the largest."),
					"smallest_window_samples":   computedNumber("The smallest window, in samples, that meets the budget at this value."),
					"power":                     computedNumber("The probability that one evaluation sees the declared change: for data drift a shift of the mean (half a standard deviation where none is declared; null for categories), else a worsening of the metric (the tolerance where none is declared; null where there is none)."),
					"detectable_shift_sd":       computedNumber("The smallest shift of the mean, in standard deviations, seen with the declared power (0.8 where none is declared). Data drift only, and null for categories."),
					"detectable_change":         computedNumber("The smallest worsening of the metric, in its own unit, seen with the declared power (0.8 where none is declared). Performance and service only."),
					"method":                    computedString(methodDescription),
				},
			},
		}),
	},
	Constraints: withCommonConstraints(withSignalConstraints(map[string][]Constraint{
		"model":                {objectName()},
		"name":                 {objectName()},
		"operator":             {oneOf(">", ">=", "<", "<=")},
		"value":                {between(above(0), upTo(largestMeasure))},
		"for":                  {durationAtLeast(0)},
		"severity":             {oneOf(severities...)},
		"owner":                {notBlank()},
		"runbook_url":          {webAddress()},
		"false_alarms_per_30d": {between(above(0), upTo(1e6))},
		"channels":             {each(objectName()), noneTwice()},
	})),
	Together: func(v cty.Value) []Finding {
		t := mustDecode[AlertThreshold](v)
		findings := checkSignal(t.Signal)
		if len(findings) > 0 {
			return findings
		}
		return append(checkDirection(t), checkReach(t)...)
	},
}

// largestDriftValue is the largest threshold on a data drift metric that is computed with.
const largestDriftValue = 1e6

// checkDirection refuses an alert that would fire on what is good.
func checkDirection(t AlertThreshold) []Finding {
	s := t.Signal.Fields()
	operator, operatorKnown := t.Operator.Get()
	metric, metricKnown := s.Metric.Get()
	if !operatorKnown || !metricKnown || !s.Kind.IsKnown() {
		return nil
	}
	worse, below := "high", strings.HasPrefix(operator, "<")
	if LowerIsWorse(metric) {
		worse = "low"
	}
	if below == (worse == "low") {
		return nil
	}
	right := strings.NewReplacer("<", ">", ">", "<").Replace(operator)
	return []Finding{Invalid(t.Operator.Path(), cty.StringVal(operator), fmt.Sprintf("%s is bad where it is %s, so this alert would fire while all is well", metric, worse), fmt.Sprintf("Set operator to %q.", right))}
}

// checkReach refuses a value that the metric cannot pass or that no figure exists for.
func checkReach(t AlertThreshold) []Finding {
	s := t.Signal.Fields()
	value, valueKnown := t.Value.Get()
	metric, metricKnown := s.Metric.Get()
	kind, kindKnown := s.Kind.Get()
	if !valueKnown || !metricKnown || !kindKnown {
		return nil
	}
	highest, bounded := Highest(metric)
	switch {
	case kind == SignalDataDrift && value > largestDriftValue:
		return []Finding{Invalid(t.Value.Path(), Number(value), fmt.Sprintf("must be at most %s for data drift", formatNumber(largestDriftValue)), "Use the value that the plan's figures name.")}
	case bounded && value >= highest:
		return []Finding{Invalid(t.Value.Path(), Number(value), fmt.Sprintf("%s is a share, below %s", article(metric), formatNumber(highest)), "Shares are written as numbers from 0 to 1: 85 % is 0.85.")}
	}
	baseline, ok := s.BaselineValue.Get()
	if lower := LowerIsWorse(metric); kind != SignalDataDrift && ok && (value == baseline || (value > baseline) == lower) {
		side := "above"
		if lower {
			side = "below"
		}
		return []Finding{Invalid(t.Value.Path(), Number(value), fmt.Sprintf("while all is well, %s is at %s already, so this alert would fire at once and again and again", article(metric), formatNumber(baseline)), fmt.Sprintf("Set value %s %s.", side, formatNumber(baseline)))}
	}
	return nil
}
