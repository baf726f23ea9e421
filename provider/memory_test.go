package provider_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mlops-as-code/terraform-provider-mlops/provider"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// terraform speaks Terraform's protocol with a provider, for what no command line
// shows: the private state.
type terraformCore struct {
	t      *testing.T
	server tfprotov6.ProviderServer
	kind   *spec.Kind
	ty     tftypes.Type
}

func newCore(t *testing.T, version, file, kindName string) terraformCore {
	t.Helper()
	server := providerserver.NewProtocol6(provider.New(version, nil)())()
	schema, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	configuration := map[string]tftypes.Value{}
	configurationType := schema.Provider.ValueType()
	for name, ty := range configurationType.(tftypes.Object).AttributeTypes {
		configuration[name] = tftypes.NewValue(ty, nil)
	}
	configuration["path"] = tftypes.NewValue(tftypes.String, file)
	config := dynamic(t, tftypes.NewValue(configurationType, configuration))
	answer, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: config})
	if err != nil || len(answer.Diagnostics) > 0 {
		t.Fatal(err, answer.Diagnostics)
	}
	kind, _ := spec.ByName(kindName)
	return terraformCore{t: t, server: server, kind: kind, ty: schema.ResourceSchemas[kind.TerraformType()].ValueType()}
}

func dynamic(t *testing.T, v tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	out, err := tfprotov6.NewDynamicValue(v.Type(), v)
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

// declare is the object with these attributes and nothing else.
func (c terraformCore) declare(attributes map[string]tftypes.Value) tftypes.Value {
	all := map[string]tftypes.Value{}
	for name, ty := range c.ty.(tftypes.Object).AttributeTypes {
		all[name] = tftypes.NewValue(ty, nil)
	}
	for name, value := range attributes {
		all[name] = value
	}
	return tftypes.NewValue(c.ty, all)
}

func (c terraformCore) plan(config tftypes.Value, prior *tfprotov6.DynamicValue, private []byte) *tfprotov6.PlanResourceChangeResponse {
	c.t.Helper()
	proposed := dynamic(c.t, config)
	if prior == nil {
		prior = dynamic(c.t, tftypes.NewValue(c.ty, nil))
	} else {
		proposed = prior // Terraform fills in what is computed
	}
	answer, err := c.server.PlanResourceChange(c.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.kind.TerraformType(), Config: dynamic(c.t, config), PriorState: prior, ProposedNewState: proposed, PriorPrivate: private,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

func (c terraformCore) apply(config tftypes.Value, plan *tfprotov6.PlanResourceChangeResponse) *tfprotov6.ApplyResourceChangeResponse {
	c.t.Helper()
	answer, err := c.server.ApplyResourceChange(c.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.kind.TerraformType(), Config: dynamic(c.t, config), PriorState: dynamic(c.t, tftypes.NewValue(c.ty, nil)),
		PlannedState: plan.PlannedState, PlannedPrivate: plan.PlannedPrivate,
	})
	if err != nil || len(answer.Diagnostics) > 0 {
		c.t.Fatal(err, answer.Diagnostics)
	}
	return answer
}

func sentences(diagnostics []*tfprotov6.Diagnostic) string {
	var out []string
	for _, d := range diagnostics {
		out = append(out, d.Severity.String()+" "+d.Summary+" "+d.Detail)
	}
	return strings.Join(out, "\n")
}

// A release remembers what it found about an object, at the revision of the object
// that it found it of, and computes it anew for any other.
func TestAReviewIsRememberedForTheSameObjectAndProgramOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mlops.db")
	release := newCore(t, "1.2.3", file, "registered_model")
	config := release.declare(map[string]tftypes.Value{"name": tftypes.NewValue(tftypes.String, "fraud")})
	applied := release.apply(config, release.plan(config, nil, nil))

	// What is remembered is told apart from what is computed by a sentence that no
	// rule says.
	var private map[string][]byte
	if err := json.Unmarshal(applied.Private, &private); err != nil {
		t.Fatal(err)
	}
	var kept struct {
		ETag   string         `json:"etag"`
		Memory map[string]any `json:"memory"`
	}
	if err := json.Unmarshal(private["review"], &kept); err != nil || kept.ETag == "" {
		t.Fatalf("a release keeps no review: %v in %s", err, applied.Private)
	}
	const sentence = "Somebody remembers this."
	kept.Memory["findings"] = []map[string]any{{"rule": "alert/no-owner", "severity": "warning", "path": []any{map[string]any{"attribute": "owner"}}, "summary": "s", "detail": sentence, "fix": "f"}}
	with := func(etag string) []byte {
		out := map[string][]byte{}
		for key, value := range private {
			out[key] = value
		}
		before := kept.ETag
		kept.ETag = etag
		out["review"], _ = json.Marshal(kept)
		kept.ETag = before
		encoded, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}

	for _, test := range []struct {
		name, version string
		private       []byte
		remembered    bool
	}{
		{"the same release and revision", "1.2.3", with(kept.ETag), true},
		{"another revision of the object", "1.2.3", with(`"another.7"`), false},
		{"another release", "1.2.4", with(kept.ETag), false},
		{"a build that is no release", "1.2.3-dev", with(kept.ETag), false},
		{"no private state", "1.2.3", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			core := newCore(t, test.version, file, "registered_model")
			plan := core.plan(config, applied.NewState, test.private)
			said := sentences(plan.Diagnostics)
			if got := strings.Contains(said, sentence); got != test.remembered {
				t.Errorf("remembered: %v, and the plan says %q", got, said)
			}
		})
	}

	t.Run("a plan that changes the object", func(t *testing.T) {
		core := newCore(t, "1.2.3", file, "registered_model")
		changed := core.declare(map[string]tftypes.Value{
			"name": tftypes.NewValue(tftypes.String, "fraud"), "owner": tftypes.NewValue(tftypes.String, "risk-ml"),
		})
		prior, err := applied.NewState.Unmarshal(core.ty)
		if err != nil {
			t.Fatal(err)
		}
		var attributes map[string]tftypes.Value
		if err := prior.As(&attributes); err != nil {
			t.Fatal(err)
		}
		attributes["owner"] = tftypes.NewValue(tftypes.String, "risk-ml")
		answer, err := core.server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
			TypeName: core.kind.TerraformType(), Config: dynamic(t, changed), PriorState: applied.NewState,
			ProposedNewState: dynamic(t, tftypes.NewValue(core.ty, attributes)), PriorPrivate: with(kept.ETag),
		})
		if err != nil {
			t.Fatal(err)
		}
		if said := sentences(answer.Diagnostics); strings.Contains(said, sentence) {
			t.Errorf("the plan says what was found of the object before the change: %q", said)
		}
	})
}
