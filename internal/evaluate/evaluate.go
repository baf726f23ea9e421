package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Inputs are what an object needs that does not stand in its attributes.
type Inputs struct {
	// Profile is the profiled file of a baseline that has one. Without it, Profiles and
	// Kept, what is computed from the file is unknown.
	Profile *profile.Result
	// Profiles are those of a baseline of several columns, by column.
	Profiles map[string]*profile.Result
	// Kept holds computed attributes (profile, profiles, evaluation) that a baseline takes
	// over from a plan or from its state, because its file is not read again.
	Kept map[string]cty.Value
}

// Report is what evaluating an object yields.
type Report struct {
	// Computed holds the object's computed attributes but uid and number: id, and by
	// kind profile, signal and evaluation. Each has its attribute's type.
	Computed map[string]cty.Value
	// Verdicts have findings whose addresses are empty. A rule that had to wait for
	// an unknown value is not among those that judged.
	Verdicts
}

// Object evaluates one object. The value must have the kind's type, defaults
// filled in, and satisfy its constraints ([spec.Kind.Check]). An error means that
// the kind has no evaluator or that schema and Go types disagree: a fault of this
// program, not of the policy.
func Object(kind *spec.Kind, value cty.Value, inputs Inputs) (Report, error) {
	report := Report{Computed: map[string]cty.Value{}}
	if value.IsNull() || !value.IsKnown() {
		return report, fmt.Errorf("evaluating %s: the object itself is null or unknown", kind.Name)
	}
	evaluateKind, ok := evaluators[kind.Name]
	if !ok {
		return report, fmt.Errorf("evaluating %s: no evaluator for this kind", kind.Name)
	}
	subject, computed, err := evaluateKind(kind, value, inputs)
	if err != nil {
		return report, fmt.Errorf("evaluating %s: %w", kind.Name, err)
	}
	report.Computed = computed
	report.Computed[spec.AttributeID] = cty.UnknownVal(cty.String)
	if id, ok := kind.ID(value); ok {
		report.Computed[spec.AttributeID] = cty.StringVal(id)
	}
	for _, rule := range registry {
		if rule.Kind == kind.Name && rule.Check != nil {
			report.add(rule, rule.Check(subject))
		}
	}
	return report, nil
}

// Unknown is the report of an object that cannot be evaluated: every computed
// attribute but uid is unknown, so that whatever depends on it waits.
func Unknown(kind *spec.Kind, value cty.Value) Report {
	computed := map[string]cty.Value{spec.AttributeID: cty.UnknownVal(cty.String)}
	if !value.IsNull() && value.IsKnown() {
		if id, ok := kind.ID(value); ok {
			computed[spec.AttributeID] = cty.StringVal(id)
		}
	}
	for _, name := range kind.ComputedAttributes() {
		computed[name] = unknown(kind, name)
	}
	return Report{Computed: computed}
}

// evaluator decodes an object, computes its figures, and returns what the rules of
// its kind are given.
type evaluator func(kind *spec.Kind, value cty.Value, inputs Inputs) (subject any, computed map[string]cty.Value, err error)

var evaluators = map[string]evaluator{
	"registered_model":     declared[spec.RegisteredModel],
	"model_version":        evaluateModelVersion,
	"model_alias":          declared[spec.ModelAlias],
	"baseline":             evaluateBaseline,
	"drift_monitor":        evaluateDriftMonitor,
	"performance_monitor":  evaluatePerformanceMonitor,
	"service_monitor":      evaluateServiceMonitor,
	"notification_channel": declared[spec.NotificationChannel],
	"alert_threshold":      evaluateAlertThreshold,
	"rollout_policy":       evaluateRolloutPolicy,
}

// declared is the evaluator of a kind without figures: its rules are given what was
// declared.
func declared[T any](_ *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	object, err := spec.Decode[T](value)
	return object, map[string]cty.Value{}, err
}

// unknown is the unknown value of an attribute.
func unknown(kind *spec.Kind, attribute string) cty.Value {
	return cty.UnknownVal(kind.Type().AttributeType(attribute))
}
