package spec

import (
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// JSONSchema describes what DecodeJSON reads and Check accepts, as JSON Schema
// 2020-12. Whatever it refuses they refuse, too; constraints that it cannot say
// are in the descriptions.
func (k *Kind) JSONSchema() map[string]any {
	stored := map[string]schema.Attribute{}
	for name := range k.storedType().AttributeTypes() {
		stored[name] = k.Schema.Attributes[name]
	}
	out := k.objectSchema(stored, k.Type(), "")
	out["description"] = k.Schema.MarkdownDescription
	return out
}

func (k *Kind) objectSchema(attributes map[string]schema.Attribute, ty cty.Type, prefix string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, name := range sortedKeys(attributes) {
		properties[name] = k.attributeSchema(attributes[name], ty.AttributeType(name), prefix+name)
		if attributes[name].IsRequired() {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (k *Kind) attributeSchema(attribute schema.Attribute, ty cty.Type, path string) map[string]any {
	var out map[string]any
	switch nested, elements := nestedAttributes(attribute); {
	case nested == nil:
		out = typeSchema(ty)
	case elements == listElements:
		out = map[string]any{"type": "array", "items": k.objectSchema(nested, ty.ElementType(), path+elements+".")}
	case elements == mapElements:
		out = map[string]any{"type": "object", "additionalProperties": k.objectSchema(nested, ty.ElementType(), path+elements+".")}
	default:
		out = k.objectSchema(nested, ty, path+".")
	}
	out["description"] = attribute.GetMarkdownDescription()
	for _, constraint := range k.Constraints[path] {
		maps.Copy(out, constraint.JSONSchema)
	}
	if !attribute.IsRequired() {
		nullable(out)
	}
	// A write-only attribute is no `writeOnly` property: answers have it, as null.
	return out
}

// typeSchema is the schema of a type without nested attributes. Elements may be
// null, unless a constraint says otherwise.
func typeSchema(ty cty.Type) map[string]any {
	element := func() map[string]any {
		out := typeSchema(ty.ElementType())
		nullable(out)
		return out
	}
	switch {
	case ty == cty.String:
		return map[string]any{"type": "string"}
	case ty == cty.Number:
		return map[string]any{"type": "number"}
	case ty == cty.Bool:
		return map[string]any{"type": "boolean"}
	case ty.IsMapType():
		return map[string]any{"type": "object", "additionalProperties": element()}
	case ty.IsListType():
		return map[string]any{"type": "array", "items": element()}
	case ty.IsObjectType():
		properties := map[string]any{}
		for name, t := range ty.AttributeTypes() {
			property := typeSchema(t)
			nullable(property)
			properties[name] = property
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	}
	panic(fmt.Sprintf("no JSON Schema for attributes of type %s", ty.FriendlyName()))
}

// nullable lets null be a value: for the control plane it is the same as absent.
func nullable(schema map[string]any) {
	schema["type"] = []any{schema["type"], "null"}
	if values, ok := schema["enum"].([]string); ok {
		all := make([]any, 0, len(values)+1)
		for _, value := range values {
			all = append(all, value)
		}
		schema["enum"] = append(all, nil)
	}
}
