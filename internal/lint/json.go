package lint

import (
	"encoding/json"
	"io"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// The JSON report is a contract with scripts: keys may be added, never changed.
type jsonReport struct {
	Findings []jsonFinding              `json:"findings"`
	Errors   []jsonError                `json:"errors"`
	Figures  map[string]json.RawMessage `json:"figures"`
}

type jsonFinding struct {
	Rule string `json:"rule"`
	// Severity is the rule's own, before enforcement.
	Severity string `json:"severity"`
	Address  string `json:"address"`
	Path     string `json:"path"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Fix      string `json:"fix"`
	File     string `json:"file"`
	// Line and Column are 0 where the source has no lines: a plan.
	Line   int `json:"line"`
	Column int `json:"column"`
}

type jsonError struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// JSON writes the report as one JSON document.
func (r *Report) JSON(w io.Writer) error {
	out := jsonReport{Findings: []jsonFinding{}, Errors: []jsonError{}, Figures: map[string]json.RawMessage{}}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, jsonFinding{
			Rule: f.Rule, Severity: string(f.Severity), Address: f.Address, Path: spec.PathString(f.Path),
			Summary: f.Summary, Detail: f.Detail, Fix: f.Fix,
			File: f.Range.File, Line: f.Range.Line, Column: f.Range.Column,
		})
	}
	for _, p := range r.Problems {
		out.Errors = append(out.Errors, jsonError{Message: p.Message, File: p.File, Line: p.Line, Column: p.Column})
	}
	for _, result := range r.Results {
		if result.Figures == cty.NilVal || result.Figures.IsNull() || !result.Figures.IsKnown() {
			continue
		}
		figures := knownOnly(result.Figures)
		encoded, err := ctyjson.Marshal(figures, figures.Type())
		if err != nil {
			return err
		}
		out.Figures[result.Object.Address] = encoded
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// knownOnly puts null where a figure is not known yet.
func knownOnly(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if !v.IsKnown() {
			return cty.NullVal(v.Type()), nil
		}
		return v, nil
	})
	if err != nil {
		return cty.NullVal(v.Type())
	}
	return out
}
