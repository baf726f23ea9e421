package envelope_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// oneKind is a provider with one kind.
type oneKind struct{ kind *spec.Kind }

func (p oneKind) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "mlops"
}
func (p oneKind) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}
func (p oneKind) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}
func (p oneKind) DataSources(context.Context) []func() datasource.DataSource { return nil }
func (p oneKind) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{envelope.New(p.kind, envelope.Hooks{})}
}

// What Terraform finds in a state reaches the provider through the protocol with the
// version of the schema that wrote it.
func TestStatesOfEarlierSchemasAreRead(t *testing.T) {
	text := func() schema.StringAttribute { return schema.StringAttribute{Optional: true} }
	gadget := &spec.Kind{
		Name: "gadget", Key: []string{"name"},
		Schema: schema.Schema{Attributes: map[string]schema.Attribute{
			"name": text(), "owner": text(),
			"box": schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{
				"size": schema.NumberAttribute{Optional: true}, "colour": text(),
			}},
		}},
		Upgrades: []spec.Upgrade{
			func(attributes map[string]any) error { // 0 called the owner team
				attributes["owner"] = attributes["team"]
				delete(attributes, "team")
				return nil
			},
			func(attributes map[string]any) error { // 1 had the size outside the box
				if attributes["size"] == "unknown" {
					return errors.New("nobody knows the size")
				}
				attributes["box"] = map[string]any{"size": attributes["size"]}
				delete(attributes, "size")
				return nil
			},
		},
	}
	server := providerserver.NewProtocol6(oneKind{gadget})()
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	present := schemas.ResourceSchemas["mlops_gadget"]
	if present.Version != 2 {
		t.Errorf("the schema's version is %d, and should be 2", present.Version)
	}
	box := func(size, colour any) tftypes.Value {
		ty := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"size": tftypes.Number, "colour": tftypes.String}}
		return tftypes.NewValue(ty, map[string]tftypes.Value{"size": tftypes.NewValue(tftypes.Number, size), "colour": tftypes.NewValue(tftypes.String, colour)})
	}
	for _, test := range []struct {
		name    string
		version int64
		state   string
		owner   string
		box     tftypes.Value
		err     string
	}{
		{"of the first schema", 0, `{"name":"a","team":"risk","size":3}`, "risk", box(3, nil), ""},
		{"of the second", 1, `{"name":"a","owner":"risk","size":3}`, "risk", box(3, nil), ""},
		{"of this one", 2, `{"name":"a","owner":"risk","box":{"size":3,"colour":"red"}}`, "risk", box(3, "red"), ""},
		{"of this one before it grew", 2, `{"name":"a","owner":"risk","box":{"size":3}}`, "risk", box(3, nil), ""},
		{"that no upgrade can follow", 1, `{"name":"a","owner":"risk","size":"unknown"}`, "", tftypes.Value{}, "nobody knows the size"},
		{"of a later provider", 3, `{"name":"a"}`, "", tftypes.Value{}, "version 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := server.UpgradeResourceState(t.Context(), &tfprotov6.UpgradeResourceStateRequest{
				TypeName: "mlops_gadget", Version: test.version, RawState: &tfprotov6.RawState{JSON: []byte(test.state)},
			})
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, d := range answer.Diagnostics {
				problems = append(problems, d.Summary+": "+d.Detail)
			}
			if got := strings.Join(problems, "\n"); test.err == "" && got != "" || !strings.Contains(got, test.err) {
				t.Fatalf("the problems are %q, and should have %q", got, test.err)
			}
			if test.err != "" {
				return
			}
			ty := present.ValueType()
			got, err := answer.UpgradedState.Unmarshal(ty)
			if err != nil {
				t.Fatal(err)
			}
			want := tftypes.NewValue(ty, map[string]tftypes.Value{
				"name": tftypes.NewValue(tftypes.String, "a"), "owner": tftypes.NewValue(tftypes.String, test.owner), "box": test.box,
			})
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("the state (-want +got):\n%s", diff)
			}
		})
	}
}
