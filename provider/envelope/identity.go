package envelope

import (
	"context"
	"math/big"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/zclconf/go-cty/cty"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
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
	key, err := r.kind.ParseID(id)
	if err != nil {
		diags.AddError("Cannot identify "+r.kind.TerraformType()+" "+id, err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return diags
	}
	for name, value := range key {
		var plain any
		if value.Type() == cty.Number {
			plain = value.AsBigFloat()
		} else {
			plain = value.AsString()
		}
		diags.Append(identity.SetAttribute(ctx, path.Root(name), plain)...)
	}
	return diags
}

// identify reads the name path and the uid of a state without decoding the rest.
func (r *Resource) identify(raw tftypes.Value) (id, uid string, ok bool) {
	var attributes map[string]tftypes.Value
	if raw.As(&attributes) != nil {
		return "", "", false
	}
	text := func(name string) string {
		v, ok := attributes[name]
		if !ok || !v.IsKnown() || v.IsNull() {
			return ""
		}
		if v.Type().Is(tftypes.Number) {
			var number big.Float
			if v.As(&number) != nil {
				return ""
			}
			return number.Text('f', -1)
		}
		var value string
		if v.As(&value) != nil {
			return ""
		}
		return value
	}
	parts := make([]string, len(r.kind.Key))
	for i, name := range r.kind.Key {
		if parts[i] = text(name); parts[i] == "" {
			return "", "", false
		}
	}
	return strings.Join(parts, "/"), text(spec.AttributeUID), true
}
