package source

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// item is one key of an object as it is written.
type item struct {
	key   string
	place hcl.Range // the key and its value
	value hcl.Expression
}

// items are the keys of an object that is written out. Keys that have to be computed
// are left out.
func items(expr hcl.Expression) []item {
	pairs, diagnostics := hcl.ExprMap(plain(expr))
	if diagnostics.HasErrors() {
		return nil
	}
	out := make([]item, 0, len(pairs))
	for _, pair := range pairs {
		key, diagnostics := pair.Key.Value(nil)
		if diagnostics.HasErrors() {
			continue
		}
		if name, ok := stringKey(key); ok {
			out = append(out, item{name, hcl.RangeBetween(pair.Key.Range(), pair.Value.Range()), pair.Value})
		}
	}
	return out
}

// plain is the expression inside of parentheses.
func plain(expr hcl.Expression) hcl.Expression {
	for {
		parentheses, ok := expr.(*hclsyntax.ParenthesesExpr)
		if !ok {
			return expr
		}
		expr = parentheses.Expression
	}
}

// rangeOf is where an attribute stands, or the nearest thing around it.
func (b *block) rangeOf(path cty.Path) hcl.Range {
	if len(path) == 0 {
		return b.header
	}
	first, ok := path[0].(cty.GetAttrStep)
	if !ok {
		return b.header
	}
	a, ok := b.attributes[first.Name]
	if !ok {
		return b.header
	}
	best, expr := a.Range, a.Expr
	for _, step := range path[1:] {
		place, inner, ok := descend(expr, step)
		if !ok {
			break
		}
		best, expr = place, inner
	}
	return best
}

// descend finds what a step leads to, where the object or list is written out.
func descend(expr hcl.Expression, step cty.PathStep) (hcl.Range, hcl.Expression, bool) {
	name, isName := "", false
	switch s := step.(type) {
	case cty.GetAttrStep:
		name, isName = s.Name, true
	case cty.IndexStep:
		name, isName = stringKey(s.Key)
		if !isName {
			return element(expr, s.Key)
		}
	}
	if isName {
		for _, item := range items(expr) {
			if item.key == name {
				return item.place, item.value, true
			}
		}
	}
	return hcl.Range{}, nil, false
}

func element(expr hcl.Expression, key cty.Value) (hcl.Range, hcl.Expression, bool) {
	if loop, ok := plain(expr).(*hclsyntax.ForExpr); ok && loop.KeyExpr == nil {
		return loop.ValExpr.Range(), loop.ValExpr, true
	}
	list, diagnostics := hcl.ExprList(plain(expr))
	if diagnostics.HasErrors() || !key.IsKnown() || key.IsNull() || key.Type() != cty.Number {
		return hcl.Range{}, nil, false
	}
	i, _ := key.AsBigFloat().Int64()
	if i < 0 || i >= int64(len(list)) {
		return hcl.Range{}, nil, false
	}
	return list[i].Range(), list[i], true
}

// unknownAttributes finds the keys that the vocabulary lacks, at any depth of what is
// written out. What comes by reference is another object's business: it may well have
// more than this one takes.
func (b *block) unknownAttributes() []spec.Finding {
	var out []spec.Finding
	types := b.kind.Type().AttributeTypes()
	for _, a := range bySource(b.attributes) {
		path := cty.GetAttrPath(a.Name)
		ty, ok := types[a.Name]
		if !ok {
			out = append(out, unknownAttribute(b.kind, b.address, path))
			continue
		}
		out = append(out, b.unknownWithin(a.Expr, ty, path)...)
	}
	return out
}

func (b *block) unknownWithin(expr hcl.Expression, ty cty.Type, path cty.Path) []spec.Finding {
	var out []spec.Finding
	switch expr := plain(expr).(type) {
	case *hclsyntax.ConditionalExpr:
		return append(b.unknownWithin(expr.TrueResult, ty, path), b.unknownWithin(expr.FalseResult, ty, path)...)
	case *hclsyntax.ForExpr:
		if ty.IsListType() && expr.KeyExpr == nil {
			return b.unknownWithin(expr.ValExpr, ty.ElementType(), extend(path, cty.IndexStep{Key: cty.UnknownVal(cty.Number)}))
		}
		return nil
	}
	switch {
	case ty.IsObjectType():
		for _, item := range items(expr) {
			here := extend(path, cty.GetAttrStep{Name: item.key})
			if !ty.HasAttribute(item.key) {
				out = append(out, unknownAttribute(b.kind, b.address, here))
				continue
			}
			out = append(out, b.unknownWithin(item.value, ty.AttributeType(item.key), here)...)
		}
	case ty.IsListType():
		list, diagnostics := hcl.ExprList(plain(expr))
		if diagnostics.HasErrors() {
			return nil
		}
		for i, element := range list {
			out = append(out, b.unknownWithin(element, ty.ElementType(), extend(path, cty.IndexStep{Key: cty.NumberIntVal(int64(i))}))...)
		}
	}
	return out
}

// unknownAttribute is the finding about a key that the vocabulary lacks.
func unknownAttribute(kind *spec.Kind, address string, path cty.Path) spec.Finding {
	name, parent := "", kind.Name
	if last, ok := path[len(path)-1].(cty.GetAttrStep); ok {
		name = last.Name
	}
	accepted := kind.AttributeNames(path)
	detail := fmt.Sprintf("%s has no attribute %q.", parent, name)
	if len(path) > 1 {
		parent = spec.PathString(path[:len(path)-1])
		detail = fmt.Sprintf("%s has no attribute %q. Terraform drops it without a word, so the policy would not be what it reads like.", parent, name)
	}
	fix := fmt.Sprintf("Remove it: %s takes %s.", parent, strings.Join(accepted, ", "))
	if near := nearest(name, accepted); near != "" {
		fix = fmt.Sprintf("Write %q instead.", near)
	}
	return spec.Finding{
		Rule: spec.RuleUnknownAttribute, Severity: spec.Error, Address: address, Path: path,
		Summary: "Unknown attribute", Detail: detail, Fix: fix,
	}
}
