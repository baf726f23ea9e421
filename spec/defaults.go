package spec

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/zclconf/go-cty/cty"
)

// ApplyDefaults fills the schema's defaults into the null attributes of v, as
// Terraform does between configuration and plan. Attributes inside a null object
// stay absent with it.
func (k *Kind) ApplyDefaults(v cty.Value) cty.Value {
	return applyDefaults(k.Schema.Attributes, v)
}

func applyDefaults(attributes map[string]schema.Attribute, v cty.Value) cty.Value {
	if !v.IsKnown() || v.IsNull() {
		return v
	}
	out := v.AsValueMap()
	for name, attribute := range attributes {
		current := out[name]
		if current.IsKnown() && current.IsNull() {
			if d, ok := defaultOf(attribute); ok {
				out[name] = d
			}
			continue
		}
		nested, many := nestedAttributes(attribute)
		switch {
		case nested == nil || !current.IsKnown():
		case many == noElements:
			out[name] = applyDefaults(nested, current)
		case current.LengthInt() == 0:
		case many == mapElements:
			elements := current.AsValueMap()
			for key := range elements {
				elements[key] = applyDefaults(nested, elements[key])
			}
			out[name] = cty.MapVal(elements)
		default:
			elements := current.AsValueSlice()
			for i := range elements {
				elements[i] = applyDefaults(nested, elements[i])
			}
			out[name] = cty.ListVal(elements)
		}
	}
	return cty.ObjectVal(out)
}

func defaultOf(attribute schema.Attribute) (cty.Value, bool) {
	ctx := context.Background()
	switch a := attribute.(type) {
	case schema.StringAttribute:
		if a.Default != nil {
			var resp defaults.StringResponse
			a.Default.DefaultString(ctx, defaults.StringRequest{}, &resp)
			return cty.StringVal(resp.PlanValue.ValueString()), true
		}
	case schema.NumberAttribute:
		if a.Default != nil {
			var resp defaults.NumberResponse
			a.Default.DefaultNumber(ctx, defaults.NumberRequest{}, &resp)
			return cty.NumberVal(resp.PlanValue.ValueBigFloat()), true
		}
	case schema.BoolAttribute:
		if a.Default != nil {
			var resp defaults.BoolResponse
			a.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
			return cty.BoolVal(resp.PlanValue.ValueBool()), true
		}
	}
	return cty.NilVal, false
}

// The elements of a nested attribute, as they stand in the paths of constraints.
const (
	noElements   = "" // one object
	listElements = "[]"
	mapElements  = "{}"
)

// nestedAttributes returns the attributes below a nested attribute, and whether it is
// one object, a list of such objects or a map of them.
func nestedAttributes(attribute schema.Attribute) (nested map[string]schema.Attribute, elements string) {
	switch a := attribute.(type) {
	case schema.SingleNestedAttribute:
		return a.Attributes, noElements
	case schema.ListNestedAttribute:
		return a.NestedObject.Attributes, listElements
	case schema.MapNestedAttribute:
		return a.NestedObject.Attributes, mapElements
	}
	return nil, noElements
}

// UnknownAttributes lists the paths of attributes that v has and the kind lacks,
// at any depth. Terraform drops such keys inside nested attributes in silence, so
// only a reader that sees the configuration itself can call this.
func (k *Kind) UnknownAttributes(v cty.Value) []cty.Path {
	return unknownAttributes(k.Schema.Attributes, v, nil)
}

func unknownAttributes(attributes map[string]schema.Attribute, v cty.Value, path cty.Path) []cty.Path {
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return nil
	}
	var out []cty.Path
	for it := v.ElementIterator(); it.Next(); {
		key, child := it.Element()
		here := extend(path, cty.GetAttrStep{Name: key.AsString()})
		attribute, ok := attributes[key.AsString()]
		if !ok {
			out = append(out, here)
			continue
		}
		nested, many := nestedAttributes(attribute)
		if nested == nil || !child.IsKnown() || child.IsNull() {
			continue
		}
		if many == noElements {
			out = append(out, unknownAttributes(nested, child, here)...)
			continue
		}
		if !child.CanIterateElements() {
			continue
		}
		for elements := child.ElementIterator(); elements.Next(); {
			index, element := elements.Element()
			out = append(out, unknownAttributes(nested, element, extend(here, cty.IndexStep{Key: index}))...)
		}
	}
	return out
}

// AttributeNames lists what may be written at a path's parent, for messages about
// a misspelt attribute.
func (k *Kind) AttributeNames(path cty.Path) []string {
	attributes := k.Schema.Attributes
	for _, step := range path {
		s, ok := step.(cty.GetAttrStep)
		if !ok {
			continue
		}
		attribute, ok := attributes[s.Name]
		if !ok {
			break
		}
		if nested, _ := nestedAttributes(attribute); nested != nil {
			attributes = nested
		}
	}
	var out []string
	for _, name := range sortedKeys(attributes) {
		if a := attributes[name]; a.IsRequired() || a.IsOptional() {
			out = append(out, name)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// documentConstraints appends what each attribute accepts to its description, so
// that the documentation cannot disagree with the check.
func documentConstraints(attributes map[string]schema.Attribute, prefix string, constraints map[string][]Constraint) map[string]schema.Attribute {
	out := make(map[string]schema.Attribute, len(attributes))
	for name, attribute := range attributes {
		path := prefix + name
		suffix := ""
		for _, c := range constraints[path] {
			suffix += " " + c.Describe
		}
		switch a := attribute.(type) {
		case schema.StringAttribute:
			a.MarkdownDescription += suffix
			attribute = a
		case schema.NumberAttribute:
			a.MarkdownDescription += suffix
			attribute = a
		case schema.BoolAttribute:
			a.MarkdownDescription += suffix
			attribute = a
		case schema.MapAttribute:
			a.MarkdownDescription += suffix
			attribute = a
		case schema.ListAttribute:
			a.MarkdownDescription += suffix
			attribute = a
		case schema.SingleNestedAttribute:
			a.MarkdownDescription += suffix
			a.Attributes = documentConstraints(a.Attributes, path+".", constraints)
			attribute = a
		case schema.ListNestedAttribute:
			a.MarkdownDescription += suffix
			a.NestedObject.Attributes = documentConstraints(a.NestedObject.Attributes, path+listElements+".", constraints)
			attribute = a
		case schema.MapNestedAttribute:
			a.MarkdownDescription += suffix
			a.NestedObject.Attributes = documentConstraints(a.NestedObject.Attributes, path+mapElements+".", constraints)
			attribute = a
		default:
			panic(fmt.Sprintf("attribute %s: no rule for %T", path, attribute))
		}
		out[name] = attribute
	}
	return out
}
