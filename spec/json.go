package spec

import (
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
