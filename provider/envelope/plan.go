package envelope

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// ModifyPlan computes the figures and judges the object: plan computes, apply
// keeps. Terraform calls it again at apply with the final values, so what is
// unknown now is judged then, before the object is written.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !req.State.Raw.IsNull() {
		// A refresh has done this already, unless the run goes without one.
		r.acknowledge(ctx, req.Private, req.State.Raw)
	}
	if r.recall(ctx, req, resp) {
		return
	}
	prior, ok := r.read(&resp.Diagnostics, req.State.Raw)
	if !ok {
		return
	}
	if req.Plan.Raw.IsNull() {
		if r.hooks.PlanDelete != nil {
			resp.Diagnostics.Append(r.hooks.PlanDelete(prior, describe(r.kind, prior))...)
		}
		return
	}
	planned, ok := r.read(&resp.Diagnostics, req.Plan.Raw)
	if !ok {
		return
	}
	object := describe(r.kind, planned)
	if name, replaces := r.replaces(prior, planned); replaces {
		if slices.Contains(r.kind.Key, name) {
			r.warnOfLoss(&resp.Diagnostics, name, prior, planned)
		}
		if r.hooks.PlanDelete != nil {
			resp.Diagnostics.Append(r.hooks.PlanDelete(prior, describe(r.kind, prior))...)
		}
	}

	if _, ok := r.withSecrets(&resp.Diagnostics, planned, req.Config.Raw, prior); !ok {
		return
	}

	declared := spec.Object{Kind: r.kind, Address: r.kind.TerraformType(), Value: planned}
	if !prior.IsNull() {
		declared.Prior = prior
	}
	result := r.reviewer().Object(ctx, declared)
	r.remember(result.Value, result.Memory)
	addFindings(&resp.Diagnostics, result.Findings, r.changed(prior, result.Value), object)

	raw, err := fromCty(r.kind, result.Value, req.Plan.Raw.Type())
	if err != nil {
		resp.Diagnostics.AddError("Cannot plan "+object, err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return
	}
	resp.Plan.Raw = raw
}

// recall spares the review of an object that the plan does not change and that this
// very provider has reviewed as it is: at the revision that the review was kept with.
func (r *Resource) recall(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) bool {
	if req.Plan.Raw.IsNull() || req.State.Raw.IsNull() {
		return false
	}
	kept := readPrivate[keptReview](ctx, req.Private, privateReview)
	if kept.Memory == nil || kept.ETag == "" || kept.ETag != r.etag(ctx, req.Private) || !req.Plan.Raw.Equal(req.State.Raw) {
		return false
	}
	if kept.Memory.Quiet() && r.reviewer().Wrote(kept.Memory) {
		return true // nothing was found and nothing waived: there is nothing to say
	}
	planned, ok := r.read(&resp.Diagnostics, req.Plan.Raw)
	if !ok {
		return true
	}
	result, ok := r.reviewer().Recall(spec.Object{Kind: r.kind, Address: r.kind.TerraformType(), Value: planned, Prior: planned}, kept.Memory)
	if ok {
		addFindings(&resp.Diagnostics, result.Findings, false, describe(r.kind, planned))
	}
	return ok
}

// reviewer falls back to the defaults where the provider's configuration is not
// known yet: the figures do not depend on it.
func (r *Resource) reviewer() *review.Reviewer {
	if r.data != nil && r.data.Reviewer != nil {
		return r.data.Reviewer
	}
	return review.New(review.Options{})
}

// replaces reports that the plan deletes the object in order to create another, and
// which attribute asks for it. The framework's own list of such attributes is empty in
// this hook.
func (r *Resource) replaces(prior, planned cty.Value) (string, bool) {
	if prior.IsNull() {
		return "", false
	}
	for _, name := range slices.Concat(r.kind.Key, r.kind.Immutable) {
		now := planned.GetAttr(name)
		if !now.IsKnown() || !now.RawEquals(prior.GetAttr(name)) {
			return name, true
		}
	}
	return "", false
}

// warnOfLoss says what a new name costs: Terraform's own plan says only that the
// object is replaced.
func (r *Resource) warnOfLoss(diags *diag.Diagnostics, attribute string, prior, planned cty.Value) {
	to := "a name that is known only after apply"
	if parent, ok := r.kind.Parent(planned); ok {
		to = "another number under " + parent
	} else if id, ok := r.kind.ID(planned); ok {
		to = id
	}
	diags.AddAttributeWarning(path.Root(attribute), "Replaced, not renamed: "+describe(r.kind, prior), fmt.Sprintf(
		"The control plane knows a %s by its name, so the one that is kept is deleted, with its revisions, and %s is created without them. What names it elsewhere, such as dashboards and alert routes, must follow.\n\nFix: where only Terraform's own name for it should change, use a `moved` block and keep %s.",
		r.kind.Name, to, attribute))
}

// changed reports that the plan creates or changes the object: its figures alone,
// which a newer evaluator may compute differently, do not count.
func (r *Resource) changed(prior, planned cty.Value) bool {
	if prior.IsNull() {
		return true
	}
	for name := range r.kind.Type().AttributeTypes() {
		if name != spec.AttributeEvaluation && !planned.GetAttr(name).RawEquals(prior.GetAttr(name)) {
			return true
		}
	}
	return false
}
