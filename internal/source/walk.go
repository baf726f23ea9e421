package source

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// maximumInstances is how many objects one count or for_each may make: more are a
// mistake, and would take all memory.
const maximumInstances = 10_000

// walker evaluates blocks in reference order.
type walker struct {
	bundle   *Bundle
	visit    func(spec.Object) cty.Value
	locals   map[*local]cty.Value
	values   map[*block]cty.Value
	problems []Problem
}

// repetition is what count.index, each.key and each.value mean; the zero value where
// a block is not repeated.
type repetition map[string]cty.Value

func (w *walker) block(b *block) {
	switch {
	case b.count != nil && b.forEach != nil:
		w.problems = append(w.problems, problemAt(b.forEach.Range, "count and for_each exclude each other"))
		w.values[b] = cty.DynamicVal
	case b.count != nil:
		w.values[b] = w.counted(b)
	case b.forEach != nil:
		w.values[b] = w.forEach(b)
	default:
		w.values[b] = w.instance(b, "", nil)
	}
}

func (w *walker) counted(b *block) cty.Value {
	value := w.evaluate(b.scope, b.count.Expr, nil)
	n, err := convert.Convert(value, cty.Number)
	if err != nil || value.IsNull() {
		w.problems = append(w.problems, problemAt(b.count.Expr.Range(), "count takes a number"))
		return cty.DynamicVal
	}
	if !n.IsKnown() {
		return cty.DynamicVal
	}
	total, _ := n.AsBigFloat().Int64()
	if !n.AsBigFloat().IsInt() || total < 0 || total > maximumInstances {
		w.problems = append(w.problems, problemAt(b.count.Expr.Range(), "count is %s: it takes a whole number from 0 to %d", spec.NumberString(n), maximumInstances))
		return cty.DynamicVal
	}
	instances := make([]cty.Value, total)
	for i := range instances {
		instances[i] = w.instance(b, "["+strconv.Itoa(i)+"]", repetition{
			"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))}),
		})
	}
	return cty.TupleVal(instances)
}

func (w *walker) forEach(b *block) cty.Value {
	value := w.evaluate(b.scope, b.forEach.Expr, nil)
	ty := value.Type()
	refuse := func(format string, args ...any) cty.Value {
		w.problems = append(w.problems, problemAt(b.forEach.Expr.Range(), format, args...))
		return cty.DynamicVal
	}
	isSet := ty.IsSetType() && ty.ElementType() == cty.String
	emptySet := ty.IsSetType() && value.IsKnown() && !value.IsNull() && value.LengthInt() == 0
	switch {
	case ty == cty.DynamicPseudoType && !value.IsKnown():
		return cty.DynamicVal
	case value.IsNull():
		return refuse("for_each cannot be null")
	case !ty.IsMapType() && !ty.IsObjectType() && !isSet && !emptySet:
		return refuse("for_each takes a map or a set of strings, and this is %s: use toset([...]) for a list", ty.FriendlyName())
	case !value.IsKnown(), isSet && !value.IsWhollyKnown():
		return cty.DynamicVal
	case value.LengthInt() > maximumInstances:
		return refuse("for_each has %d elements: at most %d are read", value.LengthInt(), maximumInstances)
	}
	instances := map[string]cty.Value{}
	for it := value.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if key.IsNull() {
			return refuse("for_each cannot have a null element")
		}
		instances[key.AsString()] = w.instance(b, "["+strconv.Quote(key.AsString())+"]", repetition{
			"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": element}),
		})
	}
	return cty.ObjectVal(instances)
}

// instance evaluates one object, gives it to visit, and returns what references see.
func (w *walker) instance(b *block, key string, each repetition) cty.Value {
	address := b.address + key
	attributes := map[string]cty.Value{}
	c := conformer{}
	for name, ty := range b.kind.Type().AttributeTypes() {
		switch a, declared := b.attributes[name]; {
		case b.kind.IsComputed(name):
			attributes[name] = cty.UnknownVal(ty)
			if declared {
				f := spec.Invalid(cty.GetAttrPath(name), cty.NilVal, "is computed, and cannot be declared", "Remove it.")
				c.findings = append(c.findings, f)
			}
		case declared:
			attributes[name] = c.conform(w.evaluate(b.scope, a.Expr, each), ty, cty.GetAttrPath(name))
		default:
			attributes[name] = cty.NullVal(ty)
		}
	}
	slices.SortFunc(c.findings, byPath)
	for _, f := range c.findings {
		f.Address = address
		w.bundle.findings = append(w.bundle.findings, f)
	}
	object := spec.Object{
		Kind: b.kind, Address: address, Directory: b.scope.directory,
		Value: b.kind.ApplyDefaults(cty.ObjectVal(attributes)),
	}
	w.bundle.objects[address] = placed{block: b}
	if evaluated := w.visit(object); evaluated != cty.NilVal {
		return evaluated
	}
	return object.Value
}

// evaluate is an expression's value. What cannot be evaluated is unknown, and the
// reason becomes a problem.
func (w *walker) evaluate(s *scope, expr hcl.Expression, each repetition) cty.Value {
	variables, problems := w.variables(s, expr, each)
	if len(problems) > 0 {
		w.problems = append(w.problems, problems...)
		return cty.DynamicVal
	}
	context := &hcl.EvalContext{Variables: variables, Functions: functionsFor(expr)}
	value, diagnostics := expr.Value(context)
	// The JSON form does not tell which functions it calls until it is evaluated.
	for range maximumDepth {
		name := unknownFunction(diagnostics)
		if name == "" {
			break
		}
		context.Functions = withStandIn(context.Functions, name)
		value, diagnostics = expr.Value(context)
	}
	if problems := problemsOf(diagnostics); len(problems) > 0 {
		w.problems = append(w.problems, problems...)
		return cty.DynamicVal
	}
	value, _ = value.UnmarkDeep()
	return value
}

func unknownFunction(diagnostics hcl.Diagnostics) string {
	for _, d := range diagnostics {
		if extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
			return extra.CalledFunctionNamespace() + extra.CalledFunctionName()
		}
	}
	return ""
}

// variables are the values of what an expression refers to, and of nothing else.
func (w *walker) variables(s *scope, expr hcl.Expression, each repetition) (map[string]cty.Value, []Problem) {
	var problems []Problem
	whole := map[string]cty.Value{}
	named := map[string]map[string]cty.Value{}
	for _, traversal := range expr.Variables() {
		root := traversal.RootName()
		kind, isKind := s.kindOf(root)
		switch {
		case root == "path":
			whole[root] = paths(s.directory)
		case root == "terraform":
			whole[root] = cty.ObjectVal(map[string]cty.Value{"workspace": cty.StringVal(s.workspace), "applying": cty.UnknownVal(cty.Bool)})
		case root == "count" || root == "each":
			if value, ok := each[root]; ok {
				whole[root] = value
				continue
			}
			needs := map[string]string{"count": "count", "each": "for_each"}[root]
			problems = append(problems, problemAt(traversal.SourceRange(), "%s means something only in a block that has %s", root, needs))
		case root == "self" && s.terraform:
			whole[root] = cty.DynamicVal
		case root == "var" || root == "local" || isKind:
			name, ok := secondName(traversal)
			if !ok {
				problems = append(problems, problemAt(traversal.SourceRange(), "write which one: %s.<name>", root))
				continue
			}
			value, why := w.named(s, root, name)
			if why != "" {
				if !s.incomplete {
					problems = append(problems, problemAt(traversal.SourceRange(), "%s %s", referenceText(root, name), why))
				}
				value = cty.DynamicVal
			}
			if isKind && len(traversal) > 2 {
				if problem := misspelt(kind, traversal, value); problem != nil {
					problems = append(problems, *problem)
				}
			}
			if named[root] == nil {
				named[root] = map[string]cty.Value{}
			}
			named[root][name] = value
		case s.terraform:
			whole[root] = cty.DynamicVal
		default:
			accepted := append(kindNames(""), "var", "local", "path", "terraform", "each", "count")
			problems = append(problems, problemAt(traversal.SourceRange(), "%q means nothing in a spec file%s", root, didYouMean(root, accepted)))
		}
	}
	for root, values := range named {
		whole[root] = cty.ObjectVal(values)
	}
	return whole, problems
}

// misspelt tells about an attribute that an object does not have; HCL would say so
// too, but not what it does have.
func misspelt(kind *spec.Kind, traversal hcl.Traversal, object cty.Value) *Problem {
	attribute, ok := traversal[2].(hcl.TraverseAttr)
	ty := object.Type()
	switch {
	case !ok, ty == cty.DynamicPseudoType, ty.IsObjectType() && ty.HasAttribute(attribute.Name):
		return nil
	}
	if _, isAttribute := kind.Schema.Attributes[attribute.Name]; isAttribute {
		example := `"key"`
		if ty.IsTupleType() {
			example = "0"
		}
		p := problemAt(attribute.SrcRange, "this object is repeated: write which one, for instance %s[%s].%s", traversalText(traversal[:2]), example, attribute.Name)
		return &p
	}
	names := slices.Sorted(maps.Keys(kind.Schema.Attributes))
	p := problemAt(attribute.SrcRange, "%s has no attribute %q%s", kind.Name, attribute.Name, didYouMean(attribute.Name, names))
	return &p
}

func traversalText(traversal hcl.Traversal) string {
	name, _ := secondName(traversal)
	return referenceText(traversal.RootName(), name)
}

func (w *walker) named(s *scope, root, name string) (value cty.Value, why string) {
	switch root {
	case "var":
		v, why := s.variable(name)
		if v == nil {
			return cty.NilVal, why
		}
		return v.value, ""
	case "local":
		l, why := s.local(name)
		if l == nil {
			return cty.NilVal, why
		}
		value, ok := w.locals[l]
		if !ok {
			w.locals[l] = cty.DynamicVal // where it refers to itself; order has said so
			value = w.evaluate(l.scope, l.expr, nil)
			w.locals[l] = value
		}
		return value, ""
	}
	b, why := s.object(root, name)
	if b == nil {
		return cty.NilVal, why
	}
	if value, ok := w.values[b]; ok {
		return value, ""
	}
	return cty.DynamicVal, "" // a cycle; order has said so
}

// paths is `path`, as Terraform gives it to a root module that it runs in: paths that
// are made from it start from Object.Directory.
func paths(directory string) cty.Value {
	cwd := cty.UnknownVal(cty.String)
	if absolute, err := filepath.Abs(directory); err == nil {
		cwd = cty.StringVal(filepath.ToSlash(absolute))
	}
	return cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal("."), "root": cty.StringVal("."), "cwd": cwd})
}

// stringKey is a known string index.
func stringKey(key cty.Value) (string, bool) {
	if key == cty.NilVal || !key.IsKnown() || key.IsNull() || key.Type() != cty.String {
		return "", false
	}
	key, _ = key.Unmark()
	return key.AsString(), true
}

func byPath(a, b spec.Finding) int {
	x, y := spec.PathString(a.Path), spec.PathString(b.Path)
	if x < y {
		return -1
	}
	if x > y {
		return 1
	}
	return 0
}
