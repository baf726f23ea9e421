package spec

import (
	"fmt"
	"maps"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// storedType is the kind's type without id and uid: what the control plane keeps.
func (k *Kind) storedType() cty.Type {
	attributes := maps.Clone(k.Type().AttributeTypes()) // cty shares the map
	delete(attributes, AttributeID)
	delete(attributes, AttributeUID)
	return cty.Object(attributes)
}

// EncodeJSON writes all attributes but id and uid as canonical JSON: attributes
// in alphabetical order, numbers in full. Unknown values are an error.
func (k *Kind) EncodeJSON(v cty.Value) ([]byte, error) {
	attributes := v.AsValueMap()
	delete(attributes, AttributeID)
	delete(attributes, AttributeUID)
	out, err := ctyjson.Marshal(cty.ObjectVal(attributes), k.storedType())
	if err != nil {
		return nil, fmt.Errorf("writing %s as JSON: %w", k.Name, err)
	}
	return out, nil
}

// DecodeJSON reads what EncodeJSON writes. Absent attributes are null, id
// and uid are null; an attribute that the kind does not have is an error.
func (k *Kind) DecodeJSON(data []byte) (cty.Value, error) {
	stored, err := ctyjson.Unmarshal(data, k.storedType())
	if err != nil {
		return cty.NilVal, fmt.Errorf("reading %s from JSON: %w", k.Name, err)
	}
	if stored.IsNull() {
		return cty.NilVal, fmt.Errorf("reading %s from JSON: null is no object", k.Name)
	}
	return Overlay(stored, map[string]cty.Value{
		AttributeID:  cty.NullVal(cty.String),
		AttributeUID: cty.NullVal(cty.String),
	}), nil
}
