package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Level is how strictly findings are taken.
type Level string

// The levels of enforcement. For a single rule they are absolute: what the rule
// finds is an error, a warning or nothing. For everything together, LevelError
// leaves each rule its own severity and LevelWarning makes errors warnings.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
	LevelOff     Level = "off"
)

// Options configure a Reviewer.
type Options struct {
	// Today is the date that the expiry of waivers is held against, in UTC.
	Today time.Time
	// Enforcement applies to rules that Rules does not name; empty is LevelError.
	Enforcement Level
	// Rules sets levels by rule id.
	Rules map[string]Level
	// Revision names the program exactly, so that what it found may be remembered
	// (see [Reviewer.Recall]); empty remembers nothing.
	Revision string
}

// Reviewer judges objects. It reads each data file once and is safe for use by
// many goroutines.
type Reviewer struct {
	options Options
	files   files
}

// New makes a Reviewer.
func New(options Options) *Reviewer {
	if options.Enforcement == "" {
		options.Enforcement = LevelError
	}
	return &Reviewer{options: options}
}

// Result is what the review of an object yields.
type Result struct {
	// Object is the object as it came in.
	Object spec.Object
	// Value is the declared object with its computed attributes filled in: unknown
	// where they depend on what is not known yet, or on what is wrong.
	Value cty.Value
	// Figures is the evaluation; cty.NilVal for kinds that have none.
	Figures cty.Value
	// Findings are those that remain after waivers and enforcement.
	Findings []Judged
	// Waived are the findings that a waiver covers.
	Waived []Waived
	// Memory is what [Reviewer.Recall] takes; nil where nothing can be remembered.
	Memory *Memory
}

// Judged is a finding with the level that enforcement gives it. Its Severity stays
// the rule's own.
type Judged struct {
	spec.Finding
	Level Level
}

// Waived is a finding that a waiver of the object covers.
type Waived struct {
	spec.Finding
	Reason  string
	Expires string
}

// HasErrors reports whether any finding refuses the object.
func (r Result) HasErrors() bool {
	for _, finding := range r.Findings {
		if finding.Level == LevelError {
			return true
		}
	}
	return false
}

// Source is a set of objects that refer to each other. Walk visits each object
// after those it refers to, and puts what visit returns in the place of the object
// for references to it.
type Source interface {
	Walk(visit func(spec.Object) cty.Value)
}

// Set reviews every object of a source, in the order in which the source walks, and
// then what only all of them together can show. A cancelled context leaves the rest
// unreviewed, and nothing is said about them together.
func (r *Reviewer) Set(ctx context.Context, source Source) []Result {
	var drafts []*draft
	source.Walk(func(object spec.Object) cty.Value {
		if ctx.Err() != nil {
			return unknownObject(object)
		}
		d := r.draft(ctx, object)
		drafts = append(drafts, d)
		return d.result.Value
	})
	if ctx.Err() == nil {
		together(drafts)
	}
	var out []Result
	for _, d := range drafts {
		out = append(out, r.finish(d))
	}
	return out
}

// Object reviews one object. Rules over many objects do not run: a waiver of one is
// neither used nor unused.
func (r *Reviewer) Object(ctx context.Context, object spec.Object) Result {
	return r.finish(r.draft(ctx, object))
}

// draft is a review before waivers and enforcement.
type draft struct {
	result   Result // with the findings that nothing softens
	findings []spec.Finding
	judged   []string
	valid    bool // the object was evaluated
}

func (r *Reviewer) draft(ctx context.Context, object spec.Object) *draft {
	d := &draft{result: Result{Object: object, Value: unknownObject(object), Figures: cty.NilVal}}
	if object.Value.IsNull() || !object.Value.IsKnown() {
		return d
	}
	if findings := object.Kind.Check(object.Value); len(findings) > 0 {
		// Nothing can be made of such an object: these are errors whatever the
		// enforcement, and no waiver covers them.
		d.result.Findings = certain(object, findings)
		d.result.Figures = figuresOf(object.Kind, d.result.Value)
		return d
	}
	inputs, trouble := r.inputs(ctx, object)
	report, err := evaluate.Object(object.Kind, object.Value, inputs)
	failed := err != nil
	if failed {
		report = evaluate.Unknown(object.Kind, object.Value)
		trouble.certain = append(trouble.certain, fault(fmt.Sprintf("This object could not be evaluated: %v.", err)))
	}
	d.result.Value = fill(object.Kind, object.Value, report.Computed)
	d.result.Figures = figuresOf(object.Kind, d.result.Value)
	d.result.Findings = certain(object, trouble.certain)
	if !failed {
		d.result.Memory = r.remember(object, report)
	}
	d.findings = slices.Concat(trouble.judged, report.Findings)
	d.judged = report.Judged
	d.valid = true
	return d
}

// together adds what the rules over many objects find.
func together(drafts []*draft) {
	members := make([]evaluate.Member, len(drafts))
	for i, d := range drafts {
		object := d.result.Object
		members[i] = evaluate.Member{Address: object.Address, Kind: object.Kind, Value: d.result.Value}
		if !d.valid {
			// It is there, and what it will be is not known.
			members[i].Value = cty.UnknownVal(object.Kind.Type())
		}
	}
	verdicts, err := evaluate.Bundle(members)
	if err != nil {
		first := &drafts[0].result
		first.Findings = append(first.Findings, certain(first.Object, []spec.Finding{fault(fmt.Sprintf("The objects could not be judged together: %v.", err))})...)
		return
	}
	for i, v := range verdicts {
		drafts[i].findings = append(drafts[i].findings, v.Findings...)
		drafts[i].judged = append(drafts[i].judged, v.Judged...)
	}
}

// finish applies waivers and enforcement.
func (r *Reviewer) finish(d *draft) Result {
	if d.valid {
		r.waive(&d.result, d.result.Object, d.findings, d.judged)
	}
	return d.result
}

func fault(detail string) spec.Finding {
	return spec.Finding{
		Rule: RuleInternal, Severity: spec.Error, Summary: internal.Summary,
		Detail: detail + " That is a fault of this program.",
		Fix:    "Please report it with the object's declaration.",
	}
}

// certain are findings that no enforcement softens.
func certain(object spec.Object, findings []spec.Finding) []Judged {
	var out []Judged
	for _, finding := range findings {
		finding.Address = object.Address
		out = append(out, Judged{Finding: finding, Level: LevelError})
	}
	return out
}

// fill overlays computed attributes; what the control plane gives (uid, number) is
// unknown until it has.
func fill(kind *spec.Kind, value cty.Value, computed map[string]cty.Value) cty.Value {
	out := spec.Overlay(value, computed)
	for _, name := range []string{spec.AttributeUID, kind.Numbered} {
		if name != "" && value.GetAttr(name).IsNull() {
			out = spec.Overlay(out, map[string]cty.Value{name: cty.UnknownVal(kind.Type().AttributeType(name))})
		}
	}
	return out
}

// unknownObject is the object with nothing computed.
func unknownObject(object spec.Object) cty.Value {
	if object.Value.IsNull() || !object.Value.IsKnown() {
		return object.Value
	}
	return fill(object.Kind, object.Value, evaluate.Unknown(object.Kind, object.Value).Computed)
}

func figuresOf(kind *spec.Kind, value cty.Value) cty.Value {
	if _, ok := kind.Schema.Attributes[spec.AttributeEvaluation]; !ok {
		return cty.NilVal
	}
	return value.GetAttr(spec.AttributeEvaluation)
}

// level is what enforcement makes of a finding.
func (r *Reviewer) level(finding spec.Finding) Level {
	if level, ok := r.options.Rules[finding.Rule]; ok {
		return level
	}
	switch {
	case r.options.Enforcement == LevelOff:
		return LevelOff
	case r.options.Enforcement == LevelWarning || finding.Severity == spec.Warning:
		return LevelWarning
	}
	return LevelError
}
