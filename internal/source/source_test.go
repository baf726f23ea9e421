package source_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// files writes the files of a txtar-like text ("-- name --" before each) to a new
// directory, which becomes the working directory.
func files(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, part := range strings.Split("\n"+text, "\n-- ")[1:] {
		name, content, _ := strings.Cut(part, " --\n")
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// loaded is what a bundle gives, in a form that tests can compare.
type loaded struct {
	bundle   *source.Bundle
	objects  []spec.Object
	problems []string
	findings []string
}

func load(t *testing.T, options source.Options, paths ...string) loaded {
	t.Helper()
	bundle, problems := source.Load(paths, options)
	out := loaded{bundle: bundle}
	bundle.Walk(func(o spec.Object) cty.Value {
		out.objects = append(out.objects, o)
		return o.Value
	})
	for _, p := range append(problems, bundle.Problems()...) {
		out.problems = append(out.problems, p.String())
	}
	for _, f := range bundle.Findings() {
		r := bundle.Range(f.Address, f.Path)
		out.findings = append(out.findings, fmt.Sprintf("%s:%d:%d %s %s %s: %s %s", r.File, r.Line, r.Column, f.Rule, f.Address, spec.PathString(f.Path), f.Detail, f.Fix))
	}
	return out
}

func (l loaded) addresses() []string {
	var out []string
	for _, o := range l.objects {
		out = append(out, o.Address)
	}
	return out
}

func (l loaded) object(t *testing.T, address string) cty.Value {
	t.Helper()
	for _, o := range l.objects {
		if o.Address == address {
			return o.Value
		}
	}
	t.Fatalf("there is no %s among %v; problems: %v", address, l.addresses(), l.problems)
	return cty.NilVal
}

// at follows a path such as window.duration.
func at(v cty.Value, path string) cty.Value {
	for _, name := range strings.Split(path, ".") {
		if !v.IsKnown() || v.IsNull() {
			return v
		}
		v = v.GetAttr(name)
	}
	return v
}

func (l loaded) none(t *testing.T) {
	t.Helper()
	if len(l.problems)+len(l.findings) > 0 {
		t.Fatalf("problems: %q\nfindings: %q", l.problems, l.findings)
	}
}

// declared are the objects of testdata/policy by kind, computed attributes apart.
func declared(t *testing.T, paths ...string) map[string]map[string]cty.Value {
	t.Helper()
	bundle, problems := source.Load(paths, source.Options{})
	out := map[string]map[string]cty.Value{}
	// The plan has what the real provider computed; the others get it from there.
	plan, _ := source.Load([]string{"testdata/policy/plan.json"}, source.Options{})
	planned := map[string]cty.Value{}
	plan.Walk(func(o spec.Object) cty.Value {
		planned[o.Kind.Name] = o.Value
		return o.Value
	})
	bundle.Walk(func(o spec.Object) cty.Value {
		computed := map[string]cty.Value{}
		attributes := o.Value.AsValueMap()
		for name := range attributes {
			if o.Kind.IsComputed(name) {
				computed[name] = planned[o.Kind.Name].GetAttr(name)
				delete(attributes, name)
			}
		}
		out[o.Kind.Name] = attributes
		return spec.Overlay(o.Value, computed)
	})
	if problems = append(problems, bundle.Problems()...); len(problems) > 0 || len(bundle.Findings()) > 0 {
		t.Fatal(problems, bundle.Findings())
	}
	return out
}

// testdata/policy/plan.json is what the provider and Terraform 1.11 made of
// testdata/policy/terraform: `terraform show -json`, without the time.
func TestOnePolicyGivesEqualObjectsFromAllThreeSources(t *testing.T) {
	fromSpec := declared(t, "testdata/policy/spec/fraud.mlops.hcl")
	if len(fromSpec) != len(spec.All()) {
		t.Fatalf("the policy has %d of %d kinds", len(fromSpec), len(spec.All()))
	}
	for name, path := range map[string]string{"Terraform": "testdata/policy/terraform", "plan": "testdata/policy/plan.json"} {
		other := declared(t, path)
		for kind, attributes := range fromSpec {
			for attribute, want := range attributes {
				if got := other[kind][attribute]; !got.RawEquals(want) {
					t.Errorf("%s: %s.%s is\n%#v, want\n%#v", name, kind, attribute, got, want)
				}
			}
		}
	}
}

func TestPlannedObjectsSayThatTheyArePlanned(t *testing.T) {
	l := load(t, source.Options{}, "testdata/policy/plan.json")
	l.none(t)
	for _, o := range l.objects {
		if !o.Planned || o.Prior != cty.NilVal || o.Directory != "" {
			t.Errorf("%s: planned %v, prior %#v, directory %q", o.Address, o.Planned, o.Prior, o.Directory)
		}
		if !o.Value.GetAttr("uid").Type().Equals(cty.String) || o.Value.GetAttr("uid").IsKnown() {
			t.Errorf("%s: uid is %#v, and is known after apply only", o.Address, o.Value.GetAttr("uid"))
		}
	}
	if got := at(l.object(t, "mlops_alert_threshold.score"), "evaluation.false_alarms_per_30d"); !got.IsKnown() || got.IsNull() {
		t.Errorf("the figures of the plan are gone: %#v", got)
	}
}

func TestReferencesSeeWhatVisitReturns(t *testing.T) {
	files(t, `
-- p.mlops.hcl --
alert_threshold "b" {
  model = "m"
  name  = drift_monitor.a.signal.monitor
  value = 1
  signal = drift_monitor.a.signal
}
drift_monitor "a" {
  model = registered_model.m.name
  name = "a"
}
registered_model "m" { name = "m" }
`)
	bundle, problems := source.Load([]string{"."}, source.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var order []string
	var name cty.Value
	bundle.Walk(func(o spec.Object) cty.Value {
		order = append(order, o.Address)
		switch o.Kind.Name {
		case "alert_threshold":
			name = o.Value.GetAttr("name")
		case "drift_monitor":
			if !o.Value.GetAttr("signal").IsKnown() {
				ty := o.Value.GetAttr("signal").Type().AttributeTypes()
				signal := map[string]cty.Value{}
				for attribute, ty := range ty {
					signal[attribute] = cty.NullVal(ty)
				}
				signal["monitor"] = cty.StringVal("computed")
				return spec.Overlay(o.Value, map[string]cty.Value{"signal": cty.ObjectVal(signal)})
			}
			t.Error("a computed attribute is known before anything computed it")
		}
		return cty.NilVal
	})
	if diff := cmp.Diff([]string{"registered_model.m", "drift_monitor.a", "alert_threshold.b"}, order); diff != "" {
		t.Error(diff)
	}
	if !name.RawEquals(cty.StringVal("computed")) {
		t.Errorf("the reference gives %#v", name)
	}
	if problems := bundle.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestTerraformExpressionsAreEvaluatedOrUnknown(t *testing.T) {
	files(t, `
-- main.tf --
terraform {
  required_providers { mlops = { source = "mlops-as-code/mlops" } }
}
variable "given" { type = number }
variable "file" {
  type = object({ d = string, n = optional(number, 7) })
}
variable "auto" { default = "x" }
variable "line" { default = 1 }
variable "secret" {
  default   = "hunter2"
  sensitive = true
}
data "aws_s3_object" "o" { key = "k" }
resource "aws_instance" "i" {}
module "other" { source = "./other" }
locals {
  hours = "${local.number}h"
  number = max(1, var.given)
}
resource "mlops_drift_monitor" "m" {
  provider   = mlops.eu
  depends_on = [mlops_registered_model.m]
  model      = mlops_registered_model.m.name
  name       = join("-", ["a", lower("B"), terraform.workspace, var.auto])
  feature    = data.aws_s3_object.o.body
  metric     = aws_instance.i.tags["metric"]
  baseline   = { name = "b", bins = length([1, 2, 3]), samples = try(jsondecode("{\"n\": 1000}").n, 5), digest = filesha256("x"), method = module.other.method }
  window     = { duration = local.hours, samples = tonumber("500"), design_effect = var.file.n }
  schedule   = { every = var.file.d }
  lifecycle {
    prevent_destroy = true
  }
  provisioner "local-exec" { command = "true" }
}
resource "mlops_registered_model" "m" {
  name        = "m"
  description = var.secret
  owner       = try(provider::other::f(1), "fallback")
  tags        = { module = path.module, n = 5 }
}
-- terraform.tfvars --
file = { d = "2h" }
auto = "loses"
-- z.auto.tfvars --
auto = "wins"
`)
	l := load(t, source.Options{Variables: map[string]string{"given": "3"}, Workspace: "prod"}, "main.tf")
	l.none(t)
	monitor, model := l.object(t, "mlops_drift_monitor.m"), l.object(t, "mlops_registered_model.m")
	for path, want := range map[string]cty.Value{
		"model":                cty.StringVal("m"),
		"name":                 cty.StringVal("a-b-prod-wins"),
		"feature":              cty.UnknownVal(cty.String),
		"metric":               cty.UnknownVal(cty.String),
		"baseline.bins":        cty.NumberIntVal(3),
		"baseline.samples":     cty.NumberIntVal(1000),
		"baseline.digest":      cty.UnknownVal(cty.String),
		"baseline.method":      cty.UnknownVal(cty.String),
		"baseline.edges":       cty.NullVal(cty.List(cty.Number)),
		"window.duration":      cty.StringVal("3h"),
		"window.samples":       cty.NumberIntVal(500),
		"window.design_effect": cty.NumberIntVal(7),
		"schedule.every":       cty.StringVal("2h"),
		"sensitivity":          cty.NullVal(monitor.Type().AttributeType("sensitivity")),
	} {
		if got := at(monitor, path); !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", path, got, want)
		}
	}
	for path, want := range map[string]cty.Value{
		"description":     cty.UnknownVal(cty.String), // what must not be shown is not judged
		"owner":           cty.UnknownVal(cty.String), // not "fallback": the function may well work
		"deletion_policy": cty.StringVal("prevent"),
		"tags":            cty.MapVal(map[string]cty.Value{"module": cty.StringVal("."), "n": cty.StringVal("5")}),
	} {
		if got := at(model, path); !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", path, got, want)
		}
	}
}

func TestRelativePathsStartFromTheModule(t *testing.T) {
	files(t, `
-- a/b/main.tf --
resource "mlops_baseline" "b" {
  file = { path = "${path.module}/train.csv", column = "c" }
}
-- a/p.mlops.hcl --
baseline "b" {
  file = { path = "train.csv", column = "c" }
}
`)
	l := load(t, source.Options{}, "a")
	l.none(t)
	got := map[string]string{}
	for _, o := range l.objects {
		got[o.Address] = filepath.Join(o.Directory, at(o.Value, "file.path").AsString())
	}
	if diff := cmp.Diff(map[string]string{"mlops_baseline.b": "a/b/train.csv", "baseline.b": "a/train.csv"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCountAndForEachMakeObjects(t *testing.T) {
	files(t, `
-- p.mlops.hcl --
variable "later" { type = number }
locals {
  models = { low = 1, high = 2 }
}
registered_model "counted" {
  count = 2
  name  = "m${count.index}"
}
registered_model "each" {
  for_each             = local.models
  name                 = each.key
  false_alarms_per_30d = each.value
}
registered_model "set" {
  for_each = toset(["x.y"])
  name     = each.value
}
registered_model "none" {
  count = 0
  name  = "never"
}
registered_model "later" {
  count = var.later
  name  = "later"
}
drift_monitor "m" {
  model   = registered_model.counted[1].name
  name    = registered_model.each["low"].name
  feature = registered_model.later[0].name
  metric  = join(",", registered_model.counted[*].name)
}
`)
	l := load(t, source.Options{}, ".")
	l.none(t)
	want := []string{
		"registered_model.counted[0]", "registered_model.counted[1]",
		`registered_model.each["high"]`, `registered_model.each["low"]`, `registered_model.set["x.y"]`, "drift_monitor.m",
	}
	if diff := cmp.Diff(want, l.addresses()); diff != "" {
		t.Error(diff)
	}
	monitor := l.object(t, "drift_monitor.m")
	for path, want := range map[string]cty.Value{"model": cty.StringVal("m1"), "name": cty.StringVal("low"), "feature": cty.UnknownVal(cty.String), "metric": cty.StringVal("m0,m1")} {
		if got := at(monitor, path); !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", path, got, want)
		}
	}
	r := l.bundle.Range(`registered_model.each["low"]`, cty.GetAttrPath("name"))
	if r.Line != 11 || r.Column != 3 {
		t.Errorf("an attribute of an instance stands at %+v", r)
	}
}

func TestProblemsNameTheirPlaceAndTheRemedy(t *testing.T) {
	tests := map[string]struct{ files, want string }{
		"a syntax error":                          {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n  name = \n}\n", "p.mlops.hcl:2:10: Invalid expression"},
		"an unclosed block":                       {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n", "p.mlops.hcl:1:19: Unclosed configuration block"},
		"a kind that is misspelt":                 {"-- p.mlops.hcl --\ndrift_moniter \"a\" {}\n", `p.mlops.hcl:1:1: a spec file has no block "drift_moniter"; did you mean "drift_monitor"?`},
		"a resource in a spec file":               {"-- p.mlops.hcl --\nresource \"mlops_baseline\" \"a\" {}\n", `in a spec file, write baseline "a" { ... }`},
		"a resource that does not exist":          {"-- m.tf --\nresource \"mlops_drift_moniter\" \"a\" {}\n", `m.tf:1:10: mlops_drift_moniter is no resource of this provider; did you mean "mlops_drift_monitor"?`},
		"a block without a name":                  {"-- p.mlops.hcl --\nbaseline {}\n", "p.mlops.hcl:1:10: Missing name for baseline"},
		"a name that is none":                     {"-- p.mlops.hcl --\nbaseline \"a b\" {}\n", `p.mlops.hcl:1:10: "a b" is no name`},
		"an attribute outside of blocks":          {"-- p.mlops.hcl --\nx = 1\n", "p.mlops.hcl:1:1: x stands outside of any block"},
		"an attribute written as a block":         {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n  window {\n  }\n}\n", "p.mlops.hcl:2:3: window is an attribute, not a block: write window = { ... }"},
		"two objects of one name":                 {"-- a.tf --\nresource \"mlops_baseline\" \"a\" {}\n-- b.tf --\nresource \"mlops_baseline\" \"a\" {}\n", "b.tf:1:1: mlops_baseline.a is declared already, at a.tf:1"},
		"two locals of one name":                  {"-- p.mlops.hcl --\nlocals {\n  a = 1\n}\nlocals {\n  a = 2\n}\n", "p.mlops.hcl:5:3: local.a is declared already, at p.mlops.hcl:2"},
		"two variables of one name":               {"-- p.mlops.hcl --\nvariable \"a\" {}\nvariable \"a\" {}\n", "var.a is declared already, at p.mlops.hcl:1"},
		"a variable of the wrong type":            {"-- p.mlops.hcl --\nvariable \"a\" {\n  type = number\n  default = \"x\"\n}\n", "the value of var.a does not fit its type: a number is required"},
		"an object that is not there":             {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n  baseline = baseline.scor.profile\n}\nbaseline \"score\" {}\n", `p.mlops.hcl:2:14: baseline.scor is not declared; did you mean "baseline.score"?`},
		"an attribute that is not there":          {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n  baseline = baseline.score.profil\n}\nbaseline \"score\" {}\n", `p.mlops.hcl:2:28: baseline has no attribute "profil"; did you mean "profile"?`},
		"one object of many without saying which": {"-- p.mlops.hcl --\ndrift_monitor \"a\" {\n  baseline = baseline.score.profile\n}\nbaseline \"score\" {\n  count = 1\n}\n", "p.mlops.hcl:2:28: this object is repeated: write which one"},
		"a variable that is not there":            {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = var.naem\n}\nvariable \"name\" {}\n", `var.naem is not declared; did you mean "name"?`},
		"a root that means nothing":               {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = registered_modell.m.name\n}\n", `"registered_modell" means nothing in a spec file; did you mean "registered_model"?`},
		"each without for_each":                   {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = each.key\n}\n", "each means something only in a block that has for_each"},
		"for_each over a list":                    {"-- p.mlops.hcl --\nbaseline \"a\" {\n  for_each = [1]\n}\n", "use toset([...]) for a list"},
		"a count that is no number":               {"-- p.mlops.hcl --\nbaseline \"a\" {\n  count = \"x\"\n}\n", "count takes a number"},
		"a count out of range":                    {"-- p.mlops.hcl --\nbaseline \"a\" {\n  count = 1e9\n}\n", "count is 1000000000: it takes a whole number from 0 to 10000"},
		"an error in an expression":               {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = 1 + \"a\"\n}\n", "p.mlops.hcl:2:14: Invalid operand"},
		"an object that refers to itself":         {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = baseline.a.model\n}\n", "p.mlops.hcl:1:1: baseline.a refers to itself"},
		"a circle":                                {"-- p.mlops.hcl --\nbaseline \"a\" {\n  name = local.b\n}\nlocals {\n  b = drift_monitor.c.name\n}\ndrift_monitor \"c\" {\n  name = baseline.a.name\n}\n", "references go round in a circle: baseline.a -> local.b -> drift_monitor.c -> baseline.a"},
		"brackets without end":                    {"-- p.mlops.hcl --\nlocals {\n  a = " + strings.Repeat("[", 2000) + "\n}\n", "nest too deeply"},
		"a directory with nothing in it":          {"-- x/readme.md --\n\n", ".: there is nothing to judge here"},
		"broken JSON":                             {"-- m.tf.json --\n{\"resource\": \n", "m.tf.json:2:1: is not valid JSON: unexpected end of JSON input"},
		"names that several files declare":        {"-- a.mlops.hcl --\nregistered_model \"m\" {}\n-- b.mlops.hcl --\nregistered_model \"m\" {}\n-- c.mlops.hcl --\nbaseline \"a\" {\n  model = registered_model.m.name\n}\n", "c.mlops.hcl:2:11: registered_model.m is declared in several files, and not in this one: a.mlops.hcl, b.mlops.hcl"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files(t, test.files)
			l := load(t, source.Options{}, ".")
			if !slices.ContainsFunc(l.problems, func(p string) bool { return strings.Contains(p, test.want) }) {
				t.Errorf("problems: %q\nwant one with %q", l.problems, test.want)
			}
			if len(l.problems) != 1 {
				t.Errorf("one mistake gives %d problems: %q", len(l.problems), l.problems)
			}
		})
	}
}

func TestPlansThatCannotBeReadAreRefusedClearly(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"text":                        {"hello", "p.json:1:1: is no *.mlops.hcl"},
		"JSON that is something else": {`{"a": 1}`, "it has no format_version"},
		"a newer major version":       {`{"format_version": "2.0", "resource_changes": []}`, `has the format_version "2.0": this release reads 0.x and 1.x`},
		"a state":                     {`{"format_version": "1.0", "values": {}}`, "is a state, not a plan"},
		"schemas":                     {`{"format_version": "1.0", "provider_schemas": {}}`, "schemas of providers, not a plan"},
		"a saved plan":                {"PK\x03\x04...", "give the output of `terraform show -json`"},
		"a wrong type":                {`{"format_version": "1.2", "resource_changes": [{"address": "mlops_registered_model.m", "mode": "managed", "type": "mlops_registered_model", "change": {"actions": ["create"], "after": {"name": 5}}}]}`, "mlops_registered_model.m: name is not string"},
		"a kind of another release":   {`{"format_version": "1.2", "resource_changes": [{"address": "mlops_new.m", "mode": "managed", "type": "mlops_new", "change": {"actions": ["create"], "after": {"name": "a"}}}]}`, "this release does not know mlops_new"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files(t, "-- p.json --\n"+test.content)
			l := load(t, source.Options{}, "p.json")
			if len(l.problems) != 1 || !strings.Contains(l.problems[0], test.want) || len(l.objects) > 0 {
				t.Errorf("problems %q, objects %v; want %q", l.problems, l.addresses(), test.want)
			}
		})
	}
}

func TestAPlanHasTheObjectsThatItLeavesBehind(t *testing.T) {
	change := func(address, actions, change string) string {
		return fmt.Sprintf(`{"address": %q, "mode": "managed", "type": "mlops_registered_model", "name": "x", "provider_name": "registry.terraform.io/mlops-as-code/mlops", "change": {"actions": [%s], %s}}`, address, actions, change)
	}
	files(t, "-- p.json --\n"+`{"format_version": "1.2", "new_key": 1, "resource_changes": [`+strings.Join([]string{
		change("mlops_registered_model.created", `"create"`, `"before": null, "after": {"name": "a", "new_attribute": 1}, "after_unknown": {"uid": true}`),
		change("mlops_registered_model.kept", `"no-op"`, `"before": {"name": "b"}, "after": {"name": "b"}, "after_unknown": {}`),
		change("module.m[0].mlops_registered_model.changed", `"update"`, `"before": {"name": "c"}, "after": {"name": "c", "description": null}, "after_unknown": {"description": true}, "after_sensitive": {"owner": true}`),
		change("mlops_registered_model.replaced", `"delete", "create"`, `"before": {"name": "d"}, "after": {"name": "e"}, "after_unknown": {}`),
		change("mlops_registered_model.deleted", `"delete"`, `"before": {"name": "f"}, "after": null, "after_unknown": {}`),
		change("mlops_registered_model.forgotten", `"forget"`, `"before": {"name": "f"}, "after": null, "after_unknown": {}`),
		`{"address": "mlops_registered_model.foreign", "mode": "managed", "type": "mlops_registered_model", "provider_name": "example.com/other/mlops", "change": {"actions": ["create"], "after": {"name": "g"}}}`,
		`{"address": "data.mlops_registered_model.d", "mode": "data", "type": "mlops_registered_model", "change": {"actions": ["read"], "after": {"name": "g"}}}`,
	}, ",")+"]}")
	l := load(t, source.Options{}, "p.json")
	l.none(t)
	want := []string{"mlops_registered_model.created", "mlops_registered_model.kept", "module.m[0].mlops_registered_model.changed", "mlops_registered_model.replaced"}
	if diff := cmp.Diff(want, l.addresses()); diff != "" {
		t.Error(diff)
	}
	prior := map[string]bool{}
	for _, o := range l.objects {
		prior[o.Address] = o.Prior != cty.NilVal
	}
	if diff := cmp.Diff(map[string]bool{want[0]: false, want[1]: true, want[2]: true, want[3]: false}, prior); diff != "" {
		t.Error(diff)
	}
	changed := l.object(t, want[2])
	for path, want := range map[string]cty.Value{"description": cty.UnknownVal(cty.String), "owner": cty.UnknownVal(cty.String), "deletion_policy": cty.StringVal("prevent")} {
		if got := at(changed, path); !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", path, got, want)
		}
	}
}

func TestUnknownAttributesAreFoundAtAnyDepthInAllSources(t *testing.T) {
	plan := load(t, source.Options{}, "testdata/unknown-plan.json")
	files(t, `
-- s.mlops.hcl --
locals {
  shared = { duration = "1h", samples = 5, elsewhere = true }
}
drift_monitor "a" {
  model    = "m"
  naem     = "a"
  window   = ({ duration = "1h", samples = 500, durration = "2h" })
  schedule = local.shared
  baseline = { for k, v in local.shared : k => v }
  waivers  = [for r in ["a"] : { rule = r, reasn = "x" }]
}
rollout_policy "p" {
  stages = [
    { name = "a" },
    { "name" = "b", kindd = "full" },
  ]
  rollback   = true ? { automatc = true } : null
  guardrails = [merge({ nonsense = 1 }, {})]
}
alert_threshold "a" {
  signal = drift_monitor.a.signal
  id     = "mine"
}
-- m.tf.json --
{"resource": {"mlops_drift_monitor": {"a": {"window": {"duration": "1h", "durration": "2h"}, "lifecycle": {"prevent_destroy": true}}}}}
`)
	l := load(t, source.Options{}, ".")
	if len(l.problems) > 0 {
		t.Fatal(l.problems)
	}
	var got []string
	for _, finding := range append(l.findings, plan.findings...) {
		head, _, _ := strings.Cut(finding, ": ")
		got = append(got, head)
	}
	slices.Sort(got)
	want := []string{
		`m.tf.json:1:74 meta/unknown-attribute mlops_drift_monitor.a window.durration`,
		`s.mlops.hcl:10:44 meta/unknown-attribute drift_monitor.a waivers[?].reasn`,
		`s.mlops.hcl:15:21 meta/unknown-attribute rollout_policy.p stages[1].kindd`,
		`s.mlops.hcl:17:3 meta/unknown-attribute rollout_policy.p rollback.automatc`,
		`s.mlops.hcl:22:3 meta/invalid-value alert_threshold.a id`,
		`s.mlops.hcl:6:3 meta/unknown-attribute drift_monitor.a naem`,
		`s.mlops.hcl:7:49 meta/unknown-attribute drift_monitor.a window.durration`,
		`testdata/unknown-plan.json:0:0 meta/unknown-attribute mlops_rollout_policy.canary stages[1].durration`,
		`testdata/unknown-plan.json:0:0 meta/unknown-attribute module.m.mlops_drift_monitor.score window.durration`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if i := slices.IndexFunc(l.findings, func(f string) bool { return strings.Contains(f, "window.durration") }); !strings.Contains(l.findings[i], `Write "duration" instead.`) {
		t.Error("no fix: ", l.findings[i])
	}
}

func TestValuesOfTheWrongTypeAreFindingsOnTheirPath(t *testing.T) {
	files(t, `
-- p.mlops.hcl --
drift_monitor "a" {
  name     = ["no"]
  window   = { duration = "1h", samples = "many" }
  schedule = "1h"
  baseline = { name = "b", bins = "10", edges = [1, "two"] }
}
rollout_policy "p" {
  stages   = { name = "a" }
  rollback = { automatic = "yes" }
}
registered_model "m" {
  tags = ["a"]
}
`)
	l := load(t, source.Options{}, ".")
	var got []string
	for _, finding := range l.findings {
		got = append(got, strings.TrimPrefix(finding, "p.mlops.hcl:"))
	}
	want := []string{
		`5:53 meta/invalid-value drift_monitor.a baseline.edges[1]: baseline.edges[1] is "two": a number is required. Write a number.`,
		`2:3 meta/invalid-value drift_monitor.a name: name: string required, but have tuple. Write text in quotes.`,
		`4:3 meta/invalid-value drift_monitor.a schedule: schedule is "1h": an object is required, and this is string. Write an object, { ... }.`,
		`3:33 meta/invalid-value drift_monitor.a window.samples: window.samples is "many": a number is required. Write a number.`,
		`9:16 meta/invalid-value rollout_policy.p rollback.automatic: rollback.automatic is "yes": a bool is required. Write true or false.`,
		`8:3 meta/invalid-value rollout_policy.p stages: stages: a list is required, and this is object. Write a list of objects, [{ ... }].`,
		`12:3 meta/invalid-value registered_model.m tags: tags: a map is required, and this is tuple. Write a map, { ... }.`,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(l.problems) > 0 {
		t.Error(diff, l.problems)
	}
	// The rest of the object is judged as if the value were not known yet.
	monitor := l.object(t, "drift_monitor.a")
	for path, want := range map[string]cty.Value{"window.samples": cty.UnknownVal(cty.Number), "window.duration": cty.StringVal("1h"), "baseline.bins": cty.NumberIntVal(10)} {
		if got := at(monitor, path); !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", path, got, want)
		}
	}
}

func TestRangesAreAsTightAsTheSourceIsWrittenOut(t *testing.T) {
	files(t, `
-- p.mlops.hcl --
locals {
  window = { duration = "1h" }
}
drift_monitor "a" {
  window   = local.window
  baseline = {
    name  = "ünïcödé", bins = 10
    edges = [1, 2, 3]
  }
}
`)
	l := load(t, source.Options{}, ".")
	for _, test := range []struct {
		path                     cty.Path
		line, column, end, until int
	}{
		{nil, 4, 1, 4, 18},
		{cty.GetAttrPath("window"), 5, 3, 5, 26},
		{cty.GetAttrPath("window").GetAttr("duration"), 5, 3, 5, 26}, // by reference: where it is taken
		{cty.GetAttrPath("baseline").GetAttr("bins"), 7, 24, 7, 33},  // columns are characters
		{cty.GetAttrPath("baseline").GetAttr("edges").IndexInt(1), 8, 17, 8, 18},
		{cty.GetAttrPath("baseline").GetAttr("edges").IndexInt(7), 8, 5, 8, 22},
		{cty.GetAttrPath("baseline").GetAttr("samples"), 6, 3, 9, 4}, // left out: its parent
		{cty.GetAttrPath("model"), 4, 1, 4, 18},
	} {
		want := source.Range{File: "p.mlops.hcl", Line: test.line, Column: test.column, EndLine: test.end, EndColumn: test.until}
		if got := l.bundle.Range("drift_monitor.a", test.path); got != want {
			t.Errorf("%s stands at %+v, want %+v", spec.PathString(test.path), got, want)
		}
	}
	if got := l.bundle.Range("drift_monitor.gone", nil); got != (source.Range{}) {
		t.Errorf("an object that is not there stands at %+v", got)
	}
}

func TestAddressesOfSeveralFilesAreToldApart(t *testing.T) {
	files(t, `
-- dev/a.mlops.hcl --
registered_model "m" {
  name = "dev"
}
-- prod/a.mlops.hcl --
registered_model "m" {
  name = "prod"
}
registered_model "only" {
  name = "only"
}
-- .hidden/a.mlops.hcl --
registered_model "hidden" {}
-- node_modules/a.mlops.hcl --
registered_model "hidden" {}
-- .terraform/modules/x/main.tf --
resource "mlops_registered_model" "hidden" {}
`)
	l := load(t, source.Options{}, ".", "dev/a.mlops.hcl", "prod")
	l.none(t)
	want := []string{"dev/a.mlops.hcl:registered_model.m", "prod/a.mlops.hcl:registered_model.m", "registered_model.only"}
	if diff := cmp.Diff(want, l.addresses()); diff != "" {
		t.Error(diff)
	}
	if r := l.bundle.Range("prod/a.mlops.hcl:registered_model.m", cty.GetAttrPath("name")); r.File != "prod/a.mlops.hcl" || r.Line != 2 {
		t.Errorf("it stands at %+v", r)
	}
}

func TestSpecFilesOfADirectorySeeEachOther(t *testing.T) {
	files(t, `
-- models.mlops.hcl --
variable "risk" { default = "high" }
locals {
  owner = "team"
}
registered_model "m" {
  name = "m"
  risk = var.risk
}
-- rollouts.mlops.hcl --
rollout_policy "p" {
  model = registered_model.m.name
  risk  = registered_model.m.risk
  name  = "${local.owner}-${var.risk}"
}
`)
	l := load(t, source.Options{}, ".")
	l.none(t)
	if got := at(l.object(t, "rollout_policy.p"), "name"); !got.RawEquals(cty.StringVal("team-high")) {
		t.Errorf("name is %#v", got)
	}
}

func TestAFileThatCannotBeReadLeavesTheRestJudged(t *testing.T) {
	files(t, `
-- broken.tf --
resource "mlops_registered_model" "m" {
-- main.tf --
resource "mlops_drift_monitor" "a" {
  model = mlops_registered_model.m.name
  name  = var.gone
}
`)
	l := load(t, source.Options{}, ".", "missing.mlops.hcl")
	want := []string{"broken.tf:1:39: Unclosed configuration block", "missing.mlops.hcl: there is no such file"}
	if len(l.problems) != len(want) {
		t.Fatalf("problems: %q", l.problems)
	}
	for i := range want {
		if !strings.HasPrefix(l.problems[i], want[i]) {
			t.Errorf("%q, want %q", l.problems[i], want[i])
		}
	}
	if got := at(l.object(t, "mlops_drift_monitor.a"), "model"); got.IsKnown() {
		t.Errorf("what the broken file may declare is %#v", got)
	}
}

func TestOverrideFilesReplaceArguments(t *testing.T) {
	files(t, `
-- a_override.tf --
resource "mlops_registered_model" "m" {
  risk = "low"
}
-- main.tf --
resource "mlops_registered_model" "m" {
  name = "m"
  risk = "high"
}
`)
	l := load(t, source.Options{}, ".")
	l.none(t)
	if m := l.object(t, "mlops_registered_model.m"); !at(m, "risk").RawEquals(cty.StringVal("low")) || !at(m, "name").RawEquals(cty.StringVal("m")) {
		t.Errorf("%#v", m)
	}
}

func TestWalkingTwiceGivesTheSame(t *testing.T) {
	bundle, _ := source.Load([]string{"testdata/policy/spec"}, source.Options{})
	var walks [2][]string
	for i := range walks {
		bundle.Walk(func(o spec.Object) cty.Value {
			walks[i] = append(walks[i], o.Address+o.Value.GoString())
			return o.Value
		})
	}
	if diff := cmp.Diff(walks[0], walks[1]); diff != "" {
		t.Error(diff)
	}
}
