package envelope

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/zclconf/go-cty/cty"
)

// IdentitySchema is the name path, attribute by attribute: what an import block's
// identity takes where the CLI has it (Terraform and OpenTofu 1.12).
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	attributes := map[string]identityschema.Attribute{}
	for _, name := range r.kind.Key {
		description := r.kind.Schema.Attributes[name].GetDescription()
		if r.kind.Type().AttributeType(name) == cty.Number {
			attributes[name] = identityschema.NumberAttribute{RequiredForImport: true, Description: description}
		} else {
			attributes[name] = identityschema.StringAttribute{RequiredForImport: true, Description: description}
		}
	}
	resp.IdentitySchema = identityschema.Schema{Attributes: attributes}
}

// identify writes the identity of an object; a CLI that has none passes nil.
func (r *Resource) identifyAs(ctx context.Context, identity *tfsdk.ResourceIdentity, id string) diag.Diagnostics {
	var diags diag.Diagnostics
	if identity == nil {
		return diags
	}
	key, err := r.keyOf(id)
	if err != nil {
		diags.AddError("Cannot identify "+r.kind.TerraformType()+" "+id, err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return diags
	}
	for name, value := range key {
		diags.Append(identity.SetAttribute(ctx, path.Root(name), value)...)
	}
	return diags
}
