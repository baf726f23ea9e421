package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// storedType is the kind's type without what the control plane gives the object:
// what it keeps.
func (k *Kind) storedType() cty.Type {
	attributes := maps.Clone(k.Type().AttributeTypes()) // cty shares the map
	for _, name := range k.given() {
		delete(attributes, name)
	}
	return cty.Object(attributes)
}

// EncodeJSON writes all attributes but id, uid and number as canonical JSON:
// attributes in alphabetical order, numbers in full. Unknown values are an error.
func (k *Kind) EncodeJSON(v cty.Value) ([]byte, error) {
	attributes := v.AsValueMap()
	for _, name := range k.given() {
		delete(attributes, name)
	}
	out, err := ctyjson.Marshal(cty.ObjectVal(attributes), k.storedType())
	if err != nil {
		return nil, fmt.Errorf("writing %s as JSON: %w", k.Name, err)
	}
	return out, nil
}

// DecodeJSON reads what EncodeJSON writes. Absent attributes are null, and so are
// id, uid and number; an attribute that the kind does not have is an error.
func (k *Kind) DecodeJSON(data []byte) (cty.Value, error) {
	if err := checkTypes(data, k.storedType(), nil); err != nil {
		return cty.NilVal, fmt.Errorf("reading %s from JSON: %w", k.Name, err)
	}
	stored, err := ctyjson.Unmarshal(data, k.storedType())
	if err != nil {
		return cty.NilVal, fmt.Errorf("reading %s from JSON: %w", k.Name, err)
	}
	if stored.IsNull() {
		return cty.NilVal, fmt.Errorf("reading %s from JSON: null is no object", k.Name)
	}
	return k.Ungiven(stored), nil
}

// Ungiven is an object without what the control plane gives: id, uid and number
// are null.
func (k *Kind) Ungiven(v cty.Value) cty.Value {
	nulls := map[string]cty.Value{}
	for _, name := range k.given() {
		nulls[name] = cty.NullVal(k.Type().AttributeType(name))
	}
	return Overlay(v, nulls)
}

// checkTypes refuses what cty would convert in silence: a number or a boolean
// where a text belongs, and a text where those do. The document is kept as it
// was written, so it must be right as it was written. What is not JSON, or of
// another shape, is for cty to refuse.
func checkTypes(data []byte, ty cty.Type, path cty.Path) error {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 || data[0] == 'n' {
		return nil
	}
	is := func(wanted bool) error {
		if !wanted {
			return path.NewErrorf("a %s is required, and not %.60s", ty.FriendlyName(), data)
		}
		return nil
	}
	switch {
	case ty == cty.String:
		return is(data[0] == '"')
	case ty == cty.Bool:
		return is(data[0] == 't' || data[0] == 'f')
	case ty == cty.Number:
		return is(data[0] == '-' || data[0] >= '0' && data[0] <= '9')
	case ty.IsListType():
		var elements []json.RawMessage
		_ = json.Unmarshal(data, &elements) // another shape has none
		for i, element := range elements {
			if err := checkTypes(element, ty.ElementType(), extend(path, cty.IndexStep{Key: cty.NumberIntVal(int64(i))})); err != nil {
				return err
			}
		}
	case ty.IsMapType(), ty.IsObjectType():
		var members map[string]json.RawMessage
		_ = json.Unmarshal(data, &members)
		for _, name := range sortedKeys(members) {
			step, element := cty.PathStep(cty.GetAttrStep{Name: name}), cty.DynamicPseudoType
			switch {
			case ty.IsMapType():
				step, element = cty.IndexStep{Key: cty.StringVal(name)}, ty.ElementType()
			case ty.HasAttribute(name):
				element = ty.AttributeType(name)
			}
			if err := checkTypes(members[name], element, extend(path, step)); err != nil {
				return err
			}
		}
	}
	return nil
}
