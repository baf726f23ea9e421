package review

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Memory is what the evaluation of an object found, for the next review of the very
// same object by the very same program: figures take milliseconds to compute, and a
// plan of a thousand objects that nobody touched should not compute them again.
// Waivers and enforcement are not part of it, since they depend on the day and on the
// configuration.
//
// Whoever keeps a memory vouches that the object, figures included, is as it was.
type Memory struct {
	// Revision names the program.
	Revision string       `json:"revision"`
	Findings []remembered `json:"findings,omitempty"`
	// Waivers says that the object has some, and Judged which rules ran: what waivers
	// are held against.
	Waivers bool     `json:"waivers,omitempty"`
	Judged  []string `json:"judged,omitempty"`
}

// Quiet reports that there is neither a finding nor a waiver, so that no day and no
// enforcement can make the review say anything.
func (m *Memory) Quiet() bool { return len(m.Findings) == 0 && !m.Waivers }

// Wrote reports whether this very program wrote a memory.
func (r *Reviewer) Wrote(m *Memory) bool { return m.Revision != "" && m.Revision == r.options.Revision }

// remembered is a finding as it is written down. What machines could change to mend
// it is left out: nobody asks for it where memories are used.
type remembered struct {
	Rule     string        `json:"rule"`
	Severity spec.Severity `json:"severity"`
	Path     []pathStep    `json:"path,omitempty"`
	Summary  string        `json:"summary"`
	Detail   string        `json:"detail"`
	Fix      string        `json:"fix"`
}

// pathStep is an attribute, or an element by its number or its key.
type pathStep struct {
	Attribute string `json:"attribute,omitempty"`
	Element   *int64 `json:"element,omitempty"`
	Key       string `json:"key,omitempty"`
}

// Recall reviews an object whose evaluation m remembers: only waivers and enforcement
// are applied anew. It is false where this program did not write the memory.
func (r *Reviewer) Recall(object spec.Object, m *Memory) (Result, bool) {
	if m == nil || !r.Wrote(m) {
		return Result{}, false
	}
	result := Result{Object: object, Value: object.Value, Figures: figuresOf(object.Kind, object.Value), Memory: m}
	var findings []spec.Finding
	for _, f := range m.Findings {
		findings = append(findings, spec.Finding{
			Rule: f.Rule, Severity: f.Severity, Path: pathOf(f.Path), Summary: f.Summary, Detail: f.Detail, Fix: f.Fix,
		})
	}
	r.waive(&result, object, findings, m.Judged)
	return result, true
}

// remember is the memory of a report; nil where it depends on more than the object's
// attributes, as that of a baseline does on its file, or on values not known yet. What
// the control plane gives is no part of what is judged.
func (r *Reviewer) remember(object spec.Object, report evaluate.Report) *Memory {
	if r.options.Revision == "" || object.Kind.Name == "baseline" && !object.Value.GetAttr("file").IsNull() {
		return nil
	}
	if !object.Kind.Ungiven(spec.Overlay(object.Value, report.Computed)).IsWhollyKnown() {
		return nil
	}
	m := &Memory{Revision: r.options.Revision}
	if !object.Value.GetAttr(spec.AttributeWaivers).IsNull() {
		m.Waivers, m.Judged = true, report.Judged
	}
	for _, f := range report.Findings {
		m.Findings = append(m.Findings, remembered{
			Rule: f.Rule, Severity: f.Severity, Path: stepsOf(f.Path), Summary: f.Summary, Detail: f.Detail, Fix: f.Fix,
		})
	}
	return m
}

func stepsOf(path cty.Path) []pathStep {
	var out []pathStep
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			out = append(out, pathStep{Attribute: s.Name})
		case cty.IndexStep:
			if s.Key.Type() == cty.String {
				out = append(out, pathStep{Key: s.Key.AsString()})
				continue
			}
			element, _ := s.Key.AsBigFloat().Int64()
			out = append(out, pathStep{Element: &element})
		}
	}
	return out
}

func pathOf(steps []pathStep) cty.Path {
	var out cty.Path
	for _, step := range steps {
		switch {
		case step.Attribute != "":
			out = append(out, cty.GetAttrStep{Name: step.Attribute})
		case step.Element != nil:
			out = append(out, cty.IndexStep{Key: cty.NumberIntVal(*step.Element)})
		default:
			out = append(out, cty.IndexStep{Key: cty.StringVal(step.Key)})
		}
	}
	return out
}
