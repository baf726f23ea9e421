package envelope

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// NewDataSource returns the constructor of the data source for a kind: an object by
// its name path, with everything that the resource has.
func NewDataSource(kind *spec.Kind) func() datasource.DataSource {
	return func() datasource.DataSource { return &DataSource{Resource{kind: kind}} }
}

// DataSource reads an object of one kind.
type DataSource struct{ object Resource }

var _ datasource.DataSourceWithConfigure = (*DataSource)(nil)

// Metadata names the data source as the resource.
func (d *DataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = d.object.kind.TerraformType()
}

// Schema is the resource's, with nothing to declare but the name path.
func (d *DataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	kind := d.object.kind
	resp.Schema = schema.Schema{
		MarkdownDescription: fmt.Sprintf("Reads a `%s` from the control plane, whoever made it.", kind.Name),
		Attributes:          computedAttributes(kind.Schema.Attributes, kind.Key),
	}
}

// Configure takes what the provider made of its configuration.
func (d *DataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.object.configure(req.ProviderData, &resp.Diagnostics)
}

// Read reads the object.
func (d *DataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx, cancel := d.object.data.Limited(ctx)
	defer cancel()
	if !d.object.ready(&resp.Diagnostics) {
		return
	}
	kind := d.object.kind
	id, _, ok := d.object.identify(req.Config.Raw)
	if !ok {
		resp.Diagnostics.AddError("Cannot read "+kind.TerraformType(), "Its name is empty.\n\nFix: set "+joined(kind.Key)+".")
		return
	}
	name := kind.TerraformType() + " " + id
	object, err := d.object.data.Client.Refresh(ctx, kind.Name, id)
	if client.IsNotFound(err) {
		resp.Diagnostics.AddError("Cannot read "+name, fmt.Sprintf("The control plane has no %s named %s.\n\nFix: check the name; where this configuration creates the object, refer to the resource instead of reading it.", kind.Name, id))
		return
	}
	if err != nil {
		AddClientError(&resp.Diagnostics, kind, name, "read", err)
		return
	}
	found, ok := d.object.decode(&resp.Diagnostics, object, name)
	if !ok {
		return
	}
	found, err = d.object.withIdentity(found, object)
	if err != nil {
		resp.Diagnostics.AddError("Cannot read "+name, err.Error())
		return
	}
	raw, err := fromCty(kind, found, kind.Schema.Type().TerraformType(ctx))
	if err == nil {
		raw, err = narrowed(raw, req.Config.Raw.Type())
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot read "+name, err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return
	}
	resp.State.Raw = raw
}

// narrowed leaves out the attributes, at any depth, that the type of a data source
// does not have.
func narrowed(raw tftypes.Value, ty tftypes.Type) (tftypes.Value, error) {
	object, ok := ty.(tftypes.Object)
	if !ok || raw.Type().Equal(ty) {
		return raw, nil
	}
	var attributes map[string]tftypes.Value
	if err := raw.As(&attributes); err != nil {
		return raw, err
	}
	if attributes == nil {
		return tftypes.NewValue(ty, nil), nil
	}
	for name, attribute := range attributes {
		inner, ok := object.AttributeTypes[name]
		if !ok {
			delete(attributes, name)
			continue
		}
		var err error
		if attributes[name], err = narrowed(attribute, inner); err != nil {
			return raw, err
		}
	}
	return tftypes.NewValue(ty, attributes), nil
}

// computedAttributes are a resource's attributes as a data source has them: the key is
// required, and everything else is computed. Write-only attributes can be read nowhere.
func computedAttributes(attributes map[string]resourceschema.Attribute, key []string) map[string]schema.Attribute {
	required := map[string]bool{}
	for _, name := range key {
		required[name] = true
	}
	out := map[string]schema.Attribute{}
	for name, attribute := range attributes {
		if attribute.IsWriteOnly() {
			continue
		}
		description := attribute.GetMarkdownDescription()
		switch a := attribute.(type) {
		case resourceschema.StringAttribute:
			out[name] = schema.StringAttribute{Required: required[name], Computed: !required[name], Sensitive: a.Sensitive, MarkdownDescription: description}
		case resourceschema.NumberAttribute:
			out[name] = schema.NumberAttribute{Required: required[name], Computed: !required[name], MarkdownDescription: description}
		case resourceschema.BoolAttribute:
			out[name] = schema.BoolAttribute{Computed: true, MarkdownDescription: description}
		case resourceschema.MapAttribute:
			out[name] = schema.MapAttribute{Computed: true, ElementType: a.ElementType, MarkdownDescription: description}
		case resourceschema.ListAttribute:
			out[name] = schema.ListAttribute{Computed: true, ElementType: a.ElementType, MarkdownDescription: description}
		case resourceschema.SingleNestedAttribute:
			out[name] = schema.SingleNestedAttribute{Computed: true, Attributes: computedAttributes(a.Attributes, nil), MarkdownDescription: description}
		case resourceschema.ListNestedAttribute:
			out[name] = schema.ListNestedAttribute{Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: computedAttributes(a.NestedObject.Attributes, nil)}, MarkdownDescription: description}
		case resourceschema.MapNestedAttribute:
			out[name] = schema.MapNestedAttribute{Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: computedAttributes(a.NestedObject.Attributes, nil)}, MarkdownDescription: description}
		default:
			panic(fmt.Sprintf("a data source has no form for %s, which is %T", name, attribute)) // caught by the test over all kinds
		}
	}
	return out
}
