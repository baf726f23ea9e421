package source_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// judge reads a file and asks the bundle everything: nothing may panic, every object
// must have its kind's type, and every place must be in the file.
func judge(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	bundle, _ := source.Load([]string{path}, source.Options{})
	bundle.Walk(func(o spec.Object) cty.Value {
		if !o.Value.Type().Equals(o.Kind.Type()) {
			t.Errorf("%s has the type %#v", o.Address, o.Value.Type())
		}
		if bundle.Range(o.Address, nil).File != path {
			t.Errorf("%s stands in %q", o.Address, bundle.Range(o.Address, nil).File)
		}
		o.Kind.Check(o.Value)
		return o.Value
	})
	for _, f := range bundle.Findings() {
		if r := bundle.Range(f.Address, f.Path); r.File != path {
			t.Errorf("%s: %s stands in %q", f.Address, spec.PathString(f.Path), r.File)
		}
	}
}

// seed adds the files that match a pattern.
func seed(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds: ", pattern, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
}

func FuzzSpecFile(f *testing.F) {
	seed(f, "testdata/policy/spec/*.mlops.hcl")
	for _, text := range []string{
		`baseline "b" { name = baseline.b[*].name }`,
		`drift_monitor "m" { baseline = [for x in { a = 1 } : x...] }`,
		`registered_model "m" { for_each = toset(["a", null]) }`,
		`registered_model "m" { tags = { (null) = 1, "${1}" = 2 } }`,
		`rollout_policy "p" { stages = [null, {}, 1, "x", [], { name = null }] }`,
		"locals { a = local.a }",
		"variable \"v\" { type = map(object({ a = optional(string) })) }\nbaseline \"b\" { name = var.v[\"x\"].a }",
		"baseline \"b\" { name = <<EOT\n%{ for a in [1] }${a}%{ endfor }\nEOT\n}",
		`baseline "b" { name = format("%5000d", 1) }`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) { judge(t, "p.mlops.hcl", content) })
}

func FuzzTerraformFile(f *testing.F) {
	seed(f, "testdata/policy/terraform/*.tf")
	f.Fuzz(func(t *testing.T, content []byte) { judge(t, "main.tf", content) })
}

func FuzzTerraformJSON(f *testing.F) {
	f.Add([]byte(`{"resource": {"mlops_drift_monitor": {"a": {"window": {"duration": "${local.d}"}, "count": 2}}}, "locals": {"d": "1h"}}`))
	f.Add([]byte(`{"resource": [{"mlops_rollout_policy": {"a": [{"stages": [{"name": "x"}, null, 5]}]}}], "variable": {"v": {"type": "string"}}}`))
	f.Fuzz(func(t *testing.T, content []byte) { judge(t, "main.tf.json", content) })
}

func FuzzPlan(f *testing.F) {
	seed(f, "testdata/policy/plan.json")
	seed(f, "testdata/unknown-plan.json")
	f.Add([]byte(`{"format_version":"1.2","resource_changes":[{"address":"mlops_registered_model.m","type":"mlops_registered_model","change":{"actions":["create"],"after":{"tags":{"a":null}},"after_unknown":{"tags":{"b":true}},"after_sensitive":true}}]}`))
	f.Add([]byte(`{"format_version":"1.2","resource_changes":[{"address":"mlops_baseline.b","type":"mlops_baseline","change":{"after":{"bins":[null,{"count":1e9999}]},"after_unknown":{"bins":[{"count":true}]}}}],"configuration":{"root_module":{"resources":[{"type":"mlops_baseline","name":"b","expressions":{"bins":{"constant_value":[{"x":1}]}}}]}}}`))
	f.Fuzz(func(t *testing.T, content []byte) { judge(t, "plan.json", content) })
}
