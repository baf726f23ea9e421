package envelope

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// describe names an object in diagnostics. Terraform does not tell a provider the
// address, so the kind and the name path stand for it.
func describe(kind *spec.Kind, v cty.Value) string {
	if v != cty.NilVal && v.IsKnown() && !v.IsNull() {
		if id, ok := kind.ID(v); ok {
			return kind.TerraformType() + " " + id
		}
		if parent, ok := kind.Parent(v); ok {
			return kind.TerraformType() + " of " + parent
		}
	}
	return kind.TerraformType()
}

// addFinding reports a finding on the attribute it is about. Terraform folds
// warnings of the same summary into one, so the object is part of the summary.
func addFinding(diags *diag.Diagnostics, finding spec.Finding, asError bool, object, note string) {
	summary := finding.Rule + ": " + object
	var detail strings.Builder
	if at := spec.PathString(finding.Path); at != "" && !strings.HasPrefix(finding.Detail, at) {
		fmt.Fprintf(&detail, "%s: ", at)
	}
	detail.WriteString(finding.Detail)
	if finding.Fix != "" {
		detail.WriteString("\n\nFix: " + finding.Fix)
	}
	if note != "" {
		detail.WriteString("\n\n" + note)
	}
	if at := topLevel(finding.Path); !at.Equal(topLevel(nil)) {
		if asError {
			diags.AddAttributeError(at, summary, detail.String())
		} else {
			diags.AddAttributeWarning(at, summary, detail.String())
		}
		return
	}
	if asError {
		diags.AddError(summary, detail.String())
	} else {
		diags.AddWarning(summary, detail.String())
	}
}

// addFindings reports what the review found. An error refuses only an object that
// this plan creates or changes; on an unchanged one it is a warning, or else a new
// rule, an expired waiver or a lost file would block destroy and unrelated edits.
func addFindings(diags *diag.Diagnostics, findings []review.Judged, changed bool, object string) {
	for _, finding := range findings {
		asError := finding.Level == review.LevelError
		note := ""
		if asError && !changed {
			asError = false
			note = "This plan does not change the object, so the finding does not stop it."
		}
		addFinding(diags, finding.Finding, asError, object, note)
	}
}

// AddClientError reports what the control plane answered.
func AddClientError(diags *diag.Diagnostics, kind *spec.Kind, object, doing string, err error) {
	summary := fmt.Sprintf("Cannot %s %s", doing, object)
	var answer *client.Error
	if !errors.As(err, &answer) {
		diags.AddError(summary, "The control plane cannot be reached: "+err.Error())
		return
	}
	if len(answer.FieldViolations) > 0 {
		for _, violation := range answer.FieldViolations {
			diags.AddError(summary, strings.TrimSpace(violation.Detail+"\n\nFix: "+violation.Fix))
		}
		return
	}
	switch answer.Code {
	case client.CodeETagMismatch:
		diags.AddError(summary, fmt.Sprintf("The %s was changed outside Terraform after this plan was made, and applying the plan would overwrite that change unseen.\n\nFix: plan again, and review what the new plan shows.", kind.Name))
	case client.CodeNotFound:
		diags.AddError(summary, fmt.Sprintf("The %s was deleted outside Terraform after this plan was made.\n\nFix: plan again; the new plan creates it.", kind.Name))
	case client.CodeFailedPrecondition:
		diags.AddError(summary, answer.Detail)
	default:
		diags.AddError(summary, answer.Error())
	}
}
