package spec_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// fieldTree lists the attribute paths that a Go struct of Values decodes.
func fieldTree(t *testing.T, ty reflect.Type, prefix string, out *[]string) {
	t.Helper()
	for i := range ty.NumField() {
		field := ty.Field(i)
		name := field.Tag.Get("cty")
		if name == "" {
			t.Errorf("field %s%s has no cty tag", prefix, field.Name)
			continue
		}
		*out = append(*out, prefix+name)
		inner := field.Type.Field(0).Type // Value[T].value
		switch {
		case inner.Kind() == reflect.Slice && inner.Elem().Field(0).Type.Kind() == reflect.Struct:
			fieldTree(t, inner.Elem().Field(0).Type, prefix+name+"[].", out)
		case inner.Kind() == reflect.Map && inner.Elem().Field(0).Type.Kind() == reflect.Struct:
			fieldTree(t, inner.Elem().Field(0).Type, prefix+name+"{}.", out)
		case inner.Kind() == reflect.Struct:
			fieldTree(t, inner, prefix+name+".", out)
		}
	}
}

func schemaTree(attributes map[string]schema.Attribute, prefix string, out *[]string) {
	for name, attribute := range attributes {
		*out = append(*out, prefix+name)
		switch a := attribute.(type) {
		case schema.SingleNestedAttribute:
			schemaTree(a.Attributes, prefix+name+".", out)
		case schema.ListNestedAttribute:
			schemaTree(a.NestedObject.Attributes, prefix+name+"[].", out)
		case schema.MapNestedAttribute:
			schemaTree(a.NestedObject.Attributes, prefix+name+"{}.", out)
		}
	}
}

func typeTree(ty cty.Type, prefix string, out *[]string) {
	for name, attribute := range ty.AttributeTypes() {
		*out = append(*out, prefix+name)
		switch {
		case attribute.IsObjectType():
			typeTree(attribute, prefix+name+".", out)
		case attribute.IsListType() && attribute.ElementType().IsObjectType():
			typeTree(attribute.ElementType(), prefix+name+"[].", out)
		case attribute.IsMapType() && attribute.ElementType().IsObjectType():
			typeTree(attribute.ElementType(), prefix+name+"{}.", out)
		}
	}
}

// replaces reports whether a change of the attribute replaces the object.
func replaces(attribute schema.Attribute) bool {
	switch a := attribute.(type) {
	case schema.StringAttribute:
		for _, m := range a.PlanModifiers {
			if m.Description(context.Background()) == stringplanmodifier.RequiresReplace().Description(context.Background()) {
				return true
			}
		}
	case schema.MapAttribute:
		for _, m := range a.PlanModifiers {
			if m.Description(context.Background()) == mapplanmodifier.RequiresReplace().Description(context.Background()) {
				return true
			}
		}
	}
	return false
}

func TestEveryKindHasTheSameAttributesInSchemaGoStructAndType(t *testing.T) {
	for _, kind := range spec.All() {
		t.Run(kind.Name, func(t *testing.T) {
			if diags := kind.Schema.ValidateImplementation(context.Background()); diags.HasError() {
				t.Fatalf("the framework refuses the schema: %v", diags)
			}
			var fromSchema, fromStruct, fromType []string
			schemaTree(kind.Schema.Attributes, "", &fromSchema)
			fieldTree(t, reflect.TypeOf(kind.Fields), "", &fromStruct)
			typeTree(kind.Type(), "", &fromType)
			for _, list := range []*[]string{&fromSchema, &fromStruct, &fromType} {
				slices.Sort(*list)
			}
			if diff := cmp.Diff(fromSchema, fromStruct); diff != "" {
				t.Errorf("schema and Go struct disagree (-schema +struct):\n%s", diff)
			}
			if diff := cmp.Diff(fromSchema, fromType); diff != "" {
				t.Errorf("schema and cty type disagree (-schema +type):\n%s", diff)
			}
			for path := range kind.Constraints {
				if !slices.Contains(fromSchema, path) {
					t.Errorf("a constraint is on %q, which the schema does not have", path)
				}
			}
			for _, key := range kind.Key {
				if key == kind.Numbered {
					if !kind.IsComputed(key) || key != kind.Key[len(kind.Key)-1] {
						t.Errorf("the number %q is declared, or not the last of the key", key)
					}
				} else if !kind.Schema.Attributes[key].IsRequired() || !replaces(kind.Schema.Attributes[key]) {
					t.Errorf("the key attribute %q is not required, or does not replace", key)
				}
			}
			for name, attribute := range kind.Schema.Attributes {
				if fixed := slices.Contains(kind.Immutable, name); fixed != replaces(attribute) && !slices.Contains(kind.Key, name) {
					t.Errorf("%q: immutable %v, and its plan modifiers say otherwise", name, fixed)
				}
			}
			for _, path := range fromSchema {
				if kind.Description(path) == "" {
					t.Errorf("%s has no description", path)
				}
			}
		})
	}
}

func TestEveryKindDecodesNullAndUnknownObjects(t *testing.T) {
	for _, kind := range spec.All() {
		attributes := map[string]cty.Value{}
		for name, ty := range kind.Type().AttributeTypes() {
			attributes[name] = cty.UnknownVal(ty)
		}
		unknown := cty.ObjectVal(attributes)
		if findings := kind.Check(unknown); len(findings) > 0 {
			t.Errorf("%s: unknown attributes raise findings: %v", kind.Name, findings)
		}
		for name, ty := range kind.Type().AttributeTypes() {
			attributes[name] = cty.NullVal(ty)
		}
		null := cty.ObjectVal(attributes)
		if findings := kind.Check(null); len(findings) == 0 {
			t.Errorf("%s: an object without any attribute raises no finding", kind.Name)
		}
		data, err := kind.EncodeJSON(null)
		if err != nil {
			t.Errorf("%s: %v", kind.Name, err)
			continue
		}
		back, err := kind.DecodeJSON(data)
		if err != nil || !back.RawEquals(null) {
			t.Errorf("%s: JSON does not come back: %v, %v", kind.Name, back, err)
		}
		if !kind.Type().HasAttribute(spec.AttributeID) {
			t.Errorf("%s: writing JSON took the id out of the kind's type", kind.Name)
		}
	}
}

func TestANumberedObjectIsAddressedByItsNumber(t *testing.T) {
	kind, _ := spec.ByName("model_version")
	null := map[string]cty.Value{}
	for name, ty := range kind.Type().AttributeTypes() {
		null[name] = cty.NullVal(ty)
	}
	declared := spec.Overlay(cty.ObjectVal(null), map[string]cty.Value{"model": cty.StringVal("fraud")})
	if parent, ok := kind.Parent(declared); !ok || parent != "fraud" {
		t.Errorf("parent %q, %v", parent, ok)
	}
	if id, ok := kind.ID(declared); ok {
		t.Errorf("a version that has no number yet has the id %q", id)
	}
	given, err := kind.Given("fraud/12", "u")
	if err != nil {
		t.Fatal(err)
	}
	made := spec.Overlay(declared, given)
	if id, ok := kind.ID(made); !ok || id != "fraud/12" || !made.GetAttr("version").RawEquals(cty.NumberIntVal(12)) {
		t.Errorf("id %q, %v of %#v", id, ok, made)
	}
	if !kind.Ungiven(made).RawEquals(declared) {
		t.Errorf("%#v", kind.Ungiven(made))
	}
	for _, wrong := range []string{"fraud", "fraud/", "fraud/0", "fraud/01", "fraud/1.5", "fraud/-1", "fraud/x", "fraud/99999999999", "fraud/1/2"} {
		if _, err := kind.ParseID(wrong); err == nil {
			t.Errorf("%q passes for an id", wrong)
		}
	}
	if _, ok := kind.Parent(cty.ObjectVal(null)); ok {
		t.Error("a version of no model has a parent")
	}
}

func TestNamesThatRegistriesReserveAreRefused(t *testing.T) {
	kind, _ := spec.ByName("model_alias")
	for alias, fix := range map[string]string{
		"champion": "", "v1-candidate": "", "Prod_2": "", "vv1": "", "V": "",
		"latest": "newest", "LATEST": "newest", "v1": "release_1", "V12": "release_12", "7": "release_7",
		"a/b": `"a_b"`, "": "champion", "grün": `"gr_n"`, "a b": `"a_b"`,
	} {
		v := spec.Overlay(cty.ObjectVal(map[string]cty.Value{
			"model": cty.StringVal("m"), "version": cty.NumberIntVal(1), "reason": cty.NullVal(cty.String), "waivers": cty.NullVal(kind.Type().AttributeType("waivers")),
			"id": cty.NullVal(cty.String), "uid": cty.NullVal(cty.String),
		}), map[string]cty.Value{"alias": cty.StringVal(alias)})
		findings := kind.Check(v)
		switch {
		case fix == "" && len(findings) > 0:
			t.Errorf("%q: %v", alias, findings)
		case fix != "" && (len(findings) != 1 || !strings.Contains(findings[0].Fix, fix)):
			t.Errorf("%q: %v, want a fix with %q", alias, findings, fix)
		}
	}
}

func TestJSONIsReadAsItIsWrittenAndNotConverted(t *testing.T) {
	for _, tt := range []struct{ kind, document, path string }{
		{"registered_model", `{"name":5}`, "name"},
		{"registered_model", `{"name":true}`, "name"},
		{"registered_model", `{"name":"m","false_alarms_per_30d":"5"}`, "false_alarms_per_30d"},
		{"registered_model", `{"name":"m","tags":{"a":"b","c":1}}`, `tags["c"]`},
		{"registered_model", `{"name":"m","waivers":[null,{"rule":1}]}`, "waivers[1].rule"},
		{"rollout_policy", `{"model":"m","name":"p","rollback":{"automatic":"true"}}`, "rollback.automatic"},
	} {
		kind, _ := spec.ByName(tt.kind)
		_, err := kind.DecodeJSON([]byte(tt.document))
		at, ok := errors.AsType[cty.PathError](err)
		if !ok || spec.PathString(at.Path) != tt.path || !strings.Contains(err.Error(), "required") {
			t.Errorf("%s: %v, at %s", tt.document, err, spec.PathString(at.Path))
		}
	}
}
