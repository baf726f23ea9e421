package source

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// conformer brings values to an attribute's type as Terraform does: attributes that
// are left out are null, attributes that the type lacks are dropped, text and numbers
// convert where they can. What cannot is a finding, and unknown from there on.
type conformer struct {
	findings []spec.Finding
}

func (c *conformer) conform(v cty.Value, want cty.Type, path cty.Path) cty.Value {
	switch {
	case v == cty.NilVal || v.IsNull():
		return cty.NullVal(want)
	case !v.IsKnown():
		return cty.UnknownVal(want)
	case want.IsObjectType():
		return c.object(v, want, path)
	case want.IsListType():
		return c.list(v, want, path)
	case want.IsMapType():
		return c.mapping(v, want, path)
	}
	out, err := convert.Convert(v, want)
	if err != nil {
		return c.refuse(v, want, path, err.Error())
	}
	return out
}

func (c *conformer) refuse(v cty.Value, want cty.Type, path cty.Path, why string) cty.Value {
	shown := cty.NilVal
	if v.Type().IsPrimitiveType() {
		shown = v
	}
	c.findings = append(c.findings, spec.Invalid(path, shown, why, "Write "+article(want)+"."))
	return cty.UnknownVal(want)
}

func article(want cty.Type) string {
	switch {
	case want.IsObjectType():
		return "an object, { ... }"
	case want.IsListType() && want.ElementType().IsObjectType():
		return "a list of objects, [{ ... }]"
	case want.IsListType():
		return "a list, [...]"
	case want.IsMapType():
		return "a map, { ... }"
	case want == cty.Number:
		return "a number"
	case want == cty.Bool:
		return "true or false"
	}
	return "text in quotes"
}

func (c *conformer) object(v cty.Value, want cty.Type, path cty.Path) cty.Value {
	if ty := v.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		return c.refuse(v, want, path, "an object is required, and this is "+v.Type().FriendlyName())
	}
	given := v.AsValueMap()
	attributes := make(map[string]cty.Value, len(want.AttributeTypes()))
	for name, ty := range want.AttributeTypes() {
		attributes[name] = c.conform(given[name], ty, extend(path, cty.GetAttrStep{Name: name}))
	}
	return cty.ObjectVal(attributes)
}

func (c *conformer) list(v cty.Value, want cty.Type, path cty.Path) cty.Value {
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return c.refuse(v, want, path, "a list is required, and this is "+v.Type().FriendlyName())
	}
	var elements []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		at := extend(path, cty.IndexStep{Key: cty.NumberIntVal(int64(len(elements)))})
		elements = append(elements, c.conform(element, want.ElementType(), at))
	}
	if len(elements) == 0 {
		return cty.ListValEmpty(want.ElementType())
	}
	return cty.ListVal(elements)
}

func (c *conformer) mapping(v cty.Value, want cty.Type, path cty.Path) cty.Value {
	if ty := v.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		return c.refuse(v, want, path, "a map is required, and this is "+v.Type().FriendlyName())
	}
	elements := map[string]cty.Value{}
	for key, element := range v.AsValueMap() {
		elements[key] = c.conform(element, want.ElementType(), extend(path, cty.IndexStep{Key: cty.StringVal(key)}))
	}
	if len(elements) == 0 {
		return cty.MapValEmpty(want.ElementType())
	}
	return cty.MapVal(elements)
}

// extend appends a step without sharing the backing array of path.
func extend(path cty.Path, step cty.PathStep) cty.Path {
	out := make(cty.Path, len(path)+1)
	copy(out, path)
	out[len(path)] = step
	return out
}
