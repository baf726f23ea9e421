package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/provider"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// release is the version of the provider that is measured: only releases remember
// reviews.
const release = "1.0.0"

// groupOf is one object of each kind, in the order in which they refer to each other,
// sound under every rule, and different in each group.
func groupOf(i int) string {
	var bins strings.Builder
	for j := range 9 {
		fmt.Fprintf(&bins, "{ upper = 0.%d, count = %d }, ", j+1, 9_000+(i*37+j*911)%2_000)
	}
	return fmt.Sprintf(`
resource "mlops_registered_model" "m%[1]d" {
  name        = "model%[1]d"
  owner       = "team-%[1]d"
  risk        = "high"
  description = "Scores the payments of region %[1]d."
  tags        = { region = "r%[1]d" }
}

resource "mlops_model_version" "v%[1]d" {
  model  = mlops_registered_model.m%[1]d.name
  source = "runs:/0f3c5b7a9d1e4c2f8a6b0d9e%08[1]x/model"
  gates  = [{ metric = "roc_auc", minimum = 0.92, test_samples = 40000, prevalence = 0.05 }]
  metrics = { roc_auc = 0.94, recall = 0.84 }
}

resource "mlops_model_alias" "champion%[1]d" {
  model   = mlops_registered_model.m%[1]d.name
  alias   = "champion"
  version = mlops_model_version.v%[1]d.version
  reason  = "Won the canary"
}

resource "mlops_notification_channel" "c%[1]d" {
  name         = "team-%[1]d"
  alertmanager = { url = "https://alertmanager-%[1]d.example.com" }
  severities   = ["page", "ticket"]
}

resource "mlops_baseline" "b%[1]d" {
  model   = mlops_registered_model.m%[1]d.name
  name    = "score"
  bins    = [%[2]s{ count = 10000 }]
  binning = { smoothing = "epsilon", epsilon = 1e-8 }
}

resource "mlops_drift_monitor" "d%[1]d" {
  model    = mlops_registered_model.m%[1]d.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = mlops_baseline.b%[1]d.profile
  window   = { duration = "1h", samples = %[3]d }
  schedule = { every = "1h" }
}

resource "mlops_performance_monitor" "p%[1]d" {
  model          = mlops_registered_model.m%[1]d.name
  name           = "auc"
  metric         = "auc"
  baseline_value = 0.9
  tolerance      = 0.04
  prevalence     = 0.1
  labels         = { delay = "48h", requests_per_second = 0.05, labelled_share = 0.2 }
  window         = { duration = "7d" }
  schedule       = { every = "1d" }
}

resource "mlops_service_monitor" "s%[1]d" {
  model          = mlops_registered_model.m%[1]d.name
  name           = "errors"
  metric         = "error_rate"
  baseline_value = 0.005
  window         = { duration = "10m", requests_per_second = 10 }
  schedule       = { every = "10m" }
}

resource "mlops_alert_threshold" "a%[1]d" {
  model       = mlops_registered_model.m%[1]d.name
  name        = "score-drift"
  signal      = mlops_drift_monitor.d%[1]d.signal
  operator    = ">"
  value       = 0.1
  for         = "0s"
  severity    = "ticket"
  owner       = "team-%[1]d"
  runbook_url = "https://runbooks.example.com/score-drift"
  false_alarms_per_30d = 1
}

resource "mlops_rollout_policy" "r%[1]d" {
  model   = mlops_registered_model.m%[1]d.name
  name    = "canary"
  risk    = mlops_registered_model.m%[1]d.risk
  traffic = { requests_per_second = 40 }
  hypothesis = {
    metric = "approval", kind = "proportion", baseline_rate = 0.10
    minimum_detectable_effect = 0.01, significance_level = 0.05, power = 0.8
    alternative = "two_sided", control = "stable", looks = 1, spending = "obrien_fleming"
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "2h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.01, every = "5m", failure_limit = 3, false_abort_budget = 0.05 },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}
`, i, bins.String(), 10_000+i)
}

// providerBlock begins a configuration.
const providerBlock = `terraform {
  required_providers {
    mlops = { source = "mlops-as-code/mlops" }
  }
}
`

// applied is an object as an apply leaves it in Terraform's state.
type applied struct {
	kind       *spec.Kind
	name       string
	attributes cty.Value
	private    []byte
}

// estate is a configuration, and what an apply of it leaves: a control plane's file and
// a state. It is applied over the provider's own protocol, in this process, because
// Terraform writes the whole of a local state after each object, which takes minutes
// for a thousand of them.
type estate struct {
	configuration []byte
	objects       []applied
}

// newEstate declares a number of objects, one of each kind in turn, and applies them to
// a file, which it makes.
func newEstate(ctx context.Context, file string, objects int) (e *estate, err error) {
	var opened provider.Opened
	defer func() { err = errors.Join(err, opened.Close()) }()
	core, err := newCore(ctx, &opened, file)
	if err != nil {
		return nil, err
	}
	configuration := bytes.NewBufferString(providerBlock)
	e = &estate{}
	for group := 0; len(e.objects) < objects; group++ {
		text := groupOf(group)
		configuration.WriteString(text)
		made, err := core.apply(ctx, text)
		if err != nil {
			return nil, err
		}
		e.objects = append(e.objects, made...)
	}
	e.configuration = configuration.Bytes()
	return e, nil
}

// core does what Terraform does with one provider: it evaluates configurations, plans
// and applies.
type core struct {
	server tfprotov6.ProviderServer
	schema *tfprotov6.GetProviderSchemaResponse
}

func newCore(ctx context.Context, opened *provider.Opened, file string) (*core, error) {
	server := providerserver.NewProtocol6(provider.New(release, opened)())()
	schema, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	c := &core{server: server, schema: schema}
	attributes := map[string]tftypes.Value{}
	ty, ok := schema.Provider.ValueType().(tftypes.Object)
	if !ok {
		return nil, fmt.Errorf("the provider's configuration is a %s", schema.Provider.ValueType())
	}
	for name, attribute := range ty.AttributeTypes {
		attributes[name] = tftypes.NewValue(attribute, nil)
	}
	attributes["path"] = tftypes.NewValue(tftypes.String, file)
	config, err := tfprotov6.NewDynamicValue(ty, tftypes.NewValue(ty, attributes))
	if err != nil {
		return nil, err
	}
	answer, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{Config: &config})
	if err != nil {
		return nil, err
	}
	return c, refusal(answer.Diagnostics)
}

// refusal is an error where a provider says anything at all: the objects here are sound.
func refusal(diagnostics []*tfprotov6.Diagnostic) error {
	if len(diagnostics) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", diagnostics[0].Summary, diagnostics[0].Detail)
}

// apply plans and applies the resources of a text in their order.
func (c *core) apply(ctx context.Context, text string) ([]applied, error) {
	file, diags := hclsyntax.ParseConfig([]byte(text), "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("the configuration is a %T", file.Body)
	}
	var out []applied
	known := map[string]map[string]cty.Value{}
	for _, block := range body.Blocks {
		kind, ok := spec.ByTerraformType(block.Labels[0])
		if !ok {
			return nil, fmt.Errorf("no kind %s", block.Labels[0])
		}
		scope := &hcl.EvalContext{Variables: map[string]cty.Value{}}
		for name, objects := range known {
			scope.Variables[name] = cty.ObjectVal(objects)
		}
		declared := map[string]cty.Value{}
		for name, attribute := range block.Body.Attributes {
			if declared[name], diags = attribute.Expr.Value(scope); diags.HasErrors() {
				return nil, diags
			}
		}
		config, err := convert.Convert(cty.ObjectVal(declared), optional(kind.Type()))
		if err != nil {
			return nil, err
		}
		object, err := c.create(ctx, kind, config)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", block.Labels[0], block.Labels[1], err)
		}
		object.name = block.Labels[1]
		out = append(out, object)
		if known[block.Labels[0]] == nil {
			known[block.Labels[0]] = map[string]cty.Value{}
		}
		known[block.Labels[0]][object.name] = object.attributes
	}
	return out, nil
}

// create plans and applies one new object.
func (c *core) create(ctx context.Context, kind *spec.Kind, value cty.Value) (applied, error) {
	config, err := wire(value, kind.Type())
	if err != nil {
		return applied{}, err
	}
	nothing, err := wire(cty.NullVal(kind.Type()), kind.Type())
	if err != nil {
		return applied{}, err
	}
	name := kind.TerraformType()
	planned, err := c.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{TypeName: name, Config: config, PriorState: nothing, ProposedNewState: config})
	if err == nil {
		err = refusal(planned.Diagnostics)
	}
	if err != nil {
		return applied{}, err
	}
	made, err := c.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: name, Config: config, PriorState: nothing, PlannedState: planned.PlannedState, PlannedPrivate: planned.PlannedPrivate,
	})
	if err == nil {
		err = refusal(made.Diagnostics)
	}
	if err != nil {
		return applied{}, err
	}
	attributes, err := ctymsgpack.Unmarshal(made.NewState.MsgPack, kind.Type())
	return applied{kind: kind, attributes: attributes, private: made.Private}, err
}

func wire(v cty.Value, ty cty.Type) (*tfprotov6.DynamicValue, error) {
	encoded, err := ctymsgpack.Marshal(v, ty)
	return &tfprotov6.DynamicValue{MsgPack: encoded}, err
}

// optional is a type of which every attribute may be left out.
func optional(ty cty.Type) cty.Type {
	switch {
	case ty.IsObjectType():
		attributes, names := map[string]cty.Type{}, []string{}
		for name, attribute := range ty.AttributeTypes() {
			attributes[name] = optional(attribute)
			names = append(names, name)
		}
		return cty.ObjectWithOptionalAttrs(attributes, names)
	case ty.IsListType():
		return cty.List(optional(ty.ElementType()))
	case ty.IsMapType():
		return cty.Map(optional(ty.ElementType()))
	}
	return ty
}

// remembered counts the objects whose review the state remembers.
func (e *estate) remembered() (int, error) {
	n := 0
	for _, object := range e.objects {
		var private map[string][]byte
		if err := json.Unmarshal(object.private, &private); err != nil {
			return 0, fmt.Errorf("private state of %s.%s: %w", object.kind.TerraformType(), object.name, err)
		}
		if len(private["review"]) > 0 {
			n++
		}
	}
	return n, nil
}

// instance is an object of a state file, in version 4 of its format.
type instance struct {
	Mode      string     `json:"mode"`
	Type      string     `json:"type"`
	Name      string     `json:"name"`
	Provider  string     `json:"provider"`
	Instances [1]content `json:"instances"`
}

type content struct {
	SchemaVersion int             `json:"schema_version"`
	Attributes    json.RawMessage `json:"attributes"`
	Sensitive     []string        `json:"sensitive_attributes"`
	Private       string          `json:"private,omitempty"`
}

// write puts the configuration and the state into a folder.
func (e *estate) write(folder string) error {
	var instances []instance
	for _, object := range e.objects {
		attributes, err := ctyjson.Marshal(object.attributes, object.kind.Type())
		if err != nil {
			return err
		}
		instances = append(instances, instance{
			Mode: "managed", Type: object.kind.TerraformType(), Name: object.name, Provider: `provider["` + provider.Address + `"]`,
			Instances: [1]content{{SchemaVersion: int(object.kind.Schema.Version), Attributes: attributes, Sensitive: []string{}, Private: base64.StdEncoding.EncodeToString(object.private)}},
		})
	}
	return writeFolder(folder, e.configuration, instances)
}

// writeAsData puts the same objects, computed attributes included, into a folder as the
// input of resources of Terraform's own.
func (e *estate) writeAsData(folder string) error {
	configuration := hclwrite.NewEmptyFile()
	var instances []instance
	for _, object := range e.objects {
		name := object.kind.Name + "_" + object.name
		// As its own type would be where it is written out: objects and tuples.
		plain, err := ctyjson.Marshal(object.attributes, object.kind.Type())
		if err != nil {
			return err
		}
		implied, err := ctyjson.ImpliedType(plain)
		if err != nil {
			return err
		}
		input, err := ctyjson.Unmarshal(plain, implied)
		if err != nil {
			return err
		}
		configuration.Body().AppendNewBlock("resource", []string{"terraform_data", name}).Body().SetAttributeValue("input", input)

		dynamic, err := ctyjson.Marshal(input, cty.DynamicPseudoType)
		if err != nil {
			return err
		}
		attributes, err := json.Marshal(map[string]any{"id": name, "input": json.RawMessage(dynamic), "output": json.RawMessage(dynamic), "triggers_replace": nil})
		if err != nil {
			return err
		}
		instances = append(instances, instance{
			Mode: "managed", Type: "terraform_data", Name: name, Provider: `provider["terraform.io/builtin/terraform"]`,
			Instances: [1]content{{Attributes: attributes, Sensitive: []string{}}},
		})
	}
	return writeFolder(folder, configuration.Bytes(), instances)
}

func writeFolder(folder string, configuration []byte, instances []instance) error {
	state, err := json.MarshalIndent(map[string]any{
		"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "2b8d2f3e-7b0c-4f1a-9c55-bench0000000",
		"outputs": map[string]any{}, "resources": instances, "check_results": nil,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "main.tf"), configuration, 0o600),
		os.WriteFile(filepath.Join(folder, "terraform.tfstate"), state, 0o600))
}
