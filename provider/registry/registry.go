// Package registry has the resources of the model registry.
package registry

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Resources lists the constructors of the family's resources.
func Resources() []func() resource.Resource {
	return envelope.Family("registry", map[string]envelope.Hooks{
		"registered_model": {PlanDelete: refuseDeletion("for good"), KeepOnDelete: isAbandoned},
		"model_version":    {PlanDelete: refuseDeletion("so that nobody can go back to it; its number is not given again"), KeepOnDelete: isAbandoned},
	})
}

// refuseDeletion enforces deletion_policy by the value that was last applied: a
// policy that is only in the configuration has not been agreed to yet.
func refuseDeletion(consequence string) func(state cty.Value, object string) diag.Diagnostics {
	return func(state cty.Value, object string) diag.Diagnostics {
		var diags diag.Diagnostics
		policy := state.GetAttr("deletion_policy")
		if policy.IsKnown() && !policy.IsNull() && policy.AsString() == spec.DeletionPrevent {
			diags.AddAttributeError(path.Root("deletion_policy"), "The deletion policy forbids deleting "+object, fmt.Sprintf(
				"This plan deletes %s, or replaces it, %s; the deletion_policy that was last applied is %q.\n\nFix: set deletion_policy = %q (or %q to leave it in the registry) and apply that first, then make the change that deletes it.",
				object, consequence, spec.DeletionPrevent, spec.DeletionDelete, spec.DeletionAbandon))
		}
		return diags
	}
}

func isAbandoned(state cty.Value) bool {
	policy := state.GetAttr("deletion_policy")
	return policy.IsKnown() && !policy.IsNull() && policy.AsString() == spec.DeletionAbandon
}
