package envelope

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// ModifyPlan computes the figures and judges the object: plan computes, apply
// keeps. Terraform calls it again at apply with the final values, so what is
// unknown now is judged then, before the object is written.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
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
	if !prior.IsNull() {
		// A refresh has done this, unless the run goes without one.
		r.acknowledge(ctx, req.Private, prior)
	}
	planned, ok := r.read(&resp.Diagnostics, req.Plan.Raw)
	if !ok {
		return
	}
	object := describe(r.kind, planned)
	if r.replaces(prior, planned) && r.hooks.PlanDelete != nil {
		resp.Diagnostics.Append(r.hooks.PlanDelete(prior, describe(r.kind, prior))...)
	}

	declared := spec.Object{Kind: r.kind, Address: r.kind.TerraformType(), Value: planned}
	if !prior.IsNull() {
		declared.Prior = prior
	}
	result := r.reviewer().Object(ctx, declared)
	addFindings(&resp.Diagnostics, result.Findings, r.changed(prior, result.Value), object)

	raw, err := fromCty(r.kind, result.Value, req.Plan.Raw.Type())
	if err != nil {
		resp.Diagnostics.AddError("Cannot plan "+object, err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return
	}
	resp.Plan.Raw = raw
}

// reviewer falls back to the defaults where the provider's configuration is not
// known yet: the figures do not depend on it.
func (r *Resource) reviewer() *review.Reviewer {
	if r.data != nil && r.data.Reviewer != nil {
		return r.data.Reviewer
	}
	return review.New(review.Options{})
}

// replaces reports that the plan deletes the object in order to create another.
// The framework's own list of such attributes is empty in this hook.
func (r *Resource) replaces(prior, planned cty.Value) bool {
	if prior.IsNull() {
		return false
	}
	for _, name := range slices.Concat(r.kind.Key, r.kind.Immutable) {
		now := planned.GetAttr(name)
		if !now.IsKnown() || !now.RawEquals(prior.GetAttr(name)) {
			return true
		}
	}
	return false
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
