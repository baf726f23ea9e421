package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var update = flag.Bool("update", false, "write what schemas have grown by into testdata/schemas")

// schemas has the type of each kind at each version of its schema: KIND.VERSION.json.
const schemas = "testdata/schemas"

// What is in a state or a database must be readable for good. So a schema may only
// grow: an attribute that goes, or gets another type, needs a new schema version with
// an upgrade that leads there.
func TestSchemasOnlyGrow(t *testing.T) {
	var expected []string
	for _, kind := range spec.All() {
		for _, problem := range checkSchema(schemas, kind, *update) {
			t.Error(problem)
		}
		for version := range kind.SchemaVersion() + 1 {
			expected = append(expected, filepath.Base(schemaFile(schemas, kind, version)))
		}
	}
	entries, err := os.ReadDir(schemas)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(expected, entry.Name()) {
			t.Errorf("%s/%s is of a kind or a version that is not there any more: states of it cannot be read", schemas, entry.Name())
		}
	}
}

func schemaFile(directory string, kind *spec.Kind, version int64) string {
	return filepath.Join(directory, fmt.Sprintf("%s.%d.json", kind.Name, version))
}

// checkSchema holds a kind's schema against what its versions were, and returns what is
// wrong. With update, it writes what the present version has grown by.
func checkSchema(directory string, kind *spec.Kind, update bool) []string {
	var problems []string
	present := kind.SchemaVersion()
	for version := range present {
		earlier, err := readType(schemaFile(directory, kind, version))
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", kind.Name, err))
			continue
		}
		if err := upgrades(kind, version, earlier); err != nil {
			problems = append(problems, fmt.Sprintf("%s: a state of schema version %d cannot be read: %v", kind.Name, version, err))
		}
	}
	file := schemaFile(directory, kind, present)
	kept, err := readType(file)
	if errors.Is(err, fs.ErrNotExist) && update {
		kept, err = cty.EmptyObject, nil
	}
	if err != nil {
		return append(problems, fmt.Sprintf("%s: %v: go test ./spec -run TestSchemasOnlyGrow -update writes it", kind.Name, err))
	}
	if lost := lost(kept, kind.Type(), ""); len(lost) > 0 {
		return append(problems, fmt.Sprintf("%s: states of schema version %d have what its schema does not: %s. Append a step to the kind's Upgrades, which makes this version %d, and then write that with -update",
			kind.Name, present, strings.Join(lost, "; "), present+1))
	}
	switch {
	case kept.Equals(kind.Type()):
	case update:
		encoded, err := json.Marshal(ctyType{kind.Type()})
		if err == nil {
			var out bytes.Buffer
			_ = json.Indent(&out, encoded, "", " ")
			err = os.WriteFile(file, append(out.Bytes(), '\n'), 0o600)
		}
		if err != nil {
			problems = append(problems, err.Error())
		}
	default:
		problems = append(problems, fmt.Sprintf("%s: its schema has grown: go test ./spec -run TestSchemasOnlyGrow -update notes it", kind.Name))
	}
	return problems
}

type ctyType struct{ cty.Type }

func (t ctyType) MarshalJSON() ([]byte, error) { return ctyjson.MarshalType(t.Type) }

func readType(file string) (cty.Type, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return cty.NilType, err
	}
	return ctyjson.UnmarshalType(data)
}

// lost lists what a type has that a later one does not.
func lost(earlier, later cty.Type, at string) []string {
	switch {
	case earlier.IsObjectType() && later.IsObjectType():
		var out []string
		names := earlier.AttributeTypes()
		for _, name := range slices.Sorted(maps.Keys(names)) {
			path := strings.TrimPrefix(at+"."+name, ".")
			if !later.HasAttribute(name) {
				out = append(out, path+" is gone")
				continue
			}
			out = append(out, lost(names[name], later.AttributeType(name), path)...)
		}
		return out
	case earlier.IsListType() && later.IsListType(), earlier.IsMapType() && later.IsMapType():
		return lost(earlier.ElementType(), later.ElementType(), at+"[]")
	case !earlier.Equals(later):
		return []string{fmt.Sprintf("%s was %s and is %s", at, earlier.FriendlyName(), later.FriendlyName())}
	}
	return nil
}

// upgrades brings an object with a value for each attribute of an earlier version, and
// one with none, to the present version, and reads what comes out.
func upgrades(kind *spec.Kind, version int64, earlier cty.Type) error {
	nulls := map[string]cty.Value{}
	for name, ty := range earlier.AttributeTypes() {
		nulls[name] = cty.NullVal(ty)
	}
	for _, state := range []cty.Value{filled(earlier), cty.ObjectVal(nulls)} {
		encoded, err := ctyjson.Marshal(state, earlier)
		if err != nil {
			return err
		}
		upgraded, err := kind.UpgradeJSON(version, encoded)
		if err != nil {
			return err
		}
		if _, err := ctyjson.Unmarshal(upgraded, kind.Type()); err != nil {
			return err
		}
	}
	return nil
}

// filled is a value of a type with nothing null in it.
func filled(ty cty.Type) cty.Value {
	switch {
	case ty.IsObjectType():
		attributes := map[string]cty.Value{}
		for name, attribute := range ty.AttributeTypes() {
			attributes[name] = filled(attribute)
		}
		return cty.ObjectVal(attributes)
	case ty.IsListType():
		return cty.ListVal([]cty.Value{filled(ty.ElementType())})
	case ty.IsMapType():
		return cty.MapVal(map[string]cty.Value{"key": filled(ty.ElementType())})
	case ty == cty.Number:
		return cty.NumberIntVal(1)
	case ty == cty.Bool:
		return cty.True
	}
	return cty.StringVal("text")
}

// gadget is a kind that no policy knows, with a schema version for each upgrade.
func gadget(attributes map[string]schema.Attribute, upgrades ...spec.Upgrade) *spec.Kind {
	return &spec.Kind{Name: "gadget", Key: []string{"name"}, Schema: schema.Schema{Attributes: attributes}, Upgrades: upgrades}
}

func TestAChangeThatStatesCannotFollowIsRefused(t *testing.T) {
	text, number := schema.StringAttribute{Optional: true}, schema.NumberAttribute{Optional: true}
	size := func(attribute schema.Attribute) schema.Attribute {
		return schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{"size": attribute}}
	}
	rename := func(attributes map[string]any) error {
		attributes["owner"] = attributes["team"]
		delete(attributes, "team")
		return nil
	}
	first := func() *spec.Kind {
		return gadget(map[string]schema.Attribute{"name": text, "team": text, "box": size(number)})
	}
	for _, test := range []struct {
		name string
		now  *spec.Kind
		want string
	}{
		{"nothing changed", first(), ""},
		{"an attribute is new", gadget(map[string]schema.Attribute{"name": text, "team": text, "box": size(number), "new": text}), "its schema has grown"},
		{"an attribute is gone", gadget(map[string]schema.Attribute{"name": text, "box": size(number)}), "team is gone"},
		{"one deep inside has another type", gadget(map[string]schema.Attribute{"name": text, "team": text, "box": size(text)}), "box.size was number and is string"},
		{"a list became a map", gadget(map[string]schema.Attribute{"name": text, "team": schema.ListAttribute{ElementType: types.StringType, Optional: true}, "box": size(number)}), "team was string and is list of string"},
		{"renamed with an upgrade that does it", gadget(map[string]schema.Attribute{"name": text, "owner": text, "box": size(number)}, rename), "gadget.1.json"},
		{"renamed with an upgrade that does not", gadget(map[string]schema.Attribute{"name": text, "owner": text, "box": size(number)}, func(map[string]any) error { return nil }), "a state of schema version 0 cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			if problems := checkSchema(directory, first(), true); len(problems) > 0 {
				t.Fatal(problems)
			}
			problems := strings.Join(checkSchema(directory, test.now, false), "\n")
			if test.want == "" && problems != "" || !strings.Contains(problems, test.want) {
				t.Errorf("the problems are %q, and should have %q", problems, test.want)
			}
			// Only what is right can be written.
			writable := strings.Contains(test.want, "grown") || strings.Contains(test.want, ".json") || test.want == ""
			if problems := checkSchema(directory, test.now, true); writable != (len(problems) == 0) {
				t.Errorf("writing it says %q", problems)
			}
			if problems := checkSchema(directory, test.now, false); writable != (len(problems) == 0) {
				t.Errorf("after writing it, the problems are %q", problems)
			}
		})
	}
}

func TestUpgradesAreTakenFromTheStatesVersionOn(t *testing.T) {
	var taken []int
	step := func(n int) spec.Upgrade {
		return func(attributes map[string]any) error {
			taken = append(taken, n)
			attributes["last"] = n
			return nil
		}
	}
	kind := gadget(nil, step(1), step(2), step(3))
	got, err := kind.UpgradeJSON(1, []byte(`{"big":123456789012345678901234567890.5,"name":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 3}, taken); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"big":123456789012345678901234567890.5,"last":3,"name":"a"}`, string(got)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	for _, version := range []int64{-1, 4} {
		if _, err := kind.UpgradeJSON(version, []byte(`{}`)); err == nil {
			t.Errorf("a state of version %d was read", version)
		}
	}
	failing := gadget(nil, func(map[string]any) error { return errors.New("no size") })
	if _, err := failing.UpgradeJSON(0, []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "from version 0 of its schema to 1: no size") {
		t.Errorf("the error is %v", err)
	}
}
