package source

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// scope is where names mean something: a Terraform module, or a spec file.
type scope struct {
	name      string // the file or directory
	directory string
	terraform bool
	// incomplete says that a file of the scope could not be read: what is missing
	// may be declared there.
	incomplete bool
	siblings   []*scope
	workspace  string

	blocks    map[string]*block // by root.name
	ordered   []*block
	locals    map[string]*local
	variables map[string]*variable
}

type block struct {
	kind    *spec.Kind
	name    string
	address string
	scope   *scope
	file    string
	header  hcl.Range
	count   *hcl.Attribute
	forEach *hcl.Attribute

	attributes hcl.Attributes
}

type local struct {
	name  string
	scope *scope
	expr  hcl.Expression
	place hcl.Range
}

type variable struct {
	name      string
	place     hcl.Range
	ty        cty.Type
	defaults  *typeexpr.Defaults
	fallback  cty.Value // the default, or NilVal
	sensitive bool
	value     cty.Value
}

func newScope(name, directory string, terraform bool) *scope {
	return &scope{
		name: name, directory: directory, terraform: terraform,
		blocks: map[string]*block{}, locals: map[string]*local{}, variables: map[string]*variable{},
	}
}

// root is how references to a kind begin.
func (s *scope) root(kind *spec.Kind) string {
	if s.terraform {
		return kind.TerraformType()
	}
	return kind.Name
}

// kindOf is the kind whose objects root refers to.
func (s *scope) kindOf(root string) (*spec.Kind, bool) {
	if s.terraform {
		return spec.ByTerraformType(root)
	}
	return spec.ByName(root)
}

func (s *scope) addTerraform(file string, body hcl.Body) []Problem {
	content, _, diagnostics := body.PartialContent(terraformSchema)
	problems := problemsOf(diagnostics)
	if content == nil {
		return problems
	}
	for _, b := range content.Blocks {
		if b.Type != "resource" {
			problems = append(problems, s.addNamed(file, b)...)
			continue
		}
		if !strings.HasPrefix(b.Labels[0], spec.TerraformPrefix) {
			continue
		}
		kind, ok := spec.ByTerraformType(b.Labels[0])
		if !ok {
			problems = append(problems, problemAt(b.LabelRanges[0], "%s is no resource of this provider%s", b.Labels[0], didYouMean(b.Labels[0], kindNames(spec.TerraformPrefix))))
			continue
		}
		problems = append(problems, s.addObject(file, kind, b.Labels[1], b)...)
	}
	return problems
}

func (s *scope) addSpec(file string, body hcl.Body) []Problem {
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}, {Type: "locals"}}}
	for _, kind := range spec.All() {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: kind.Name, LabelNames: []string{"name"}})
	}
	content, _, diagnostics := body.PartialContent(schema)
	problems := problemsOf(diagnostics)
	if native, ok := body.(*hclsyntax.Body); ok {
		problems = append(problems, strangers(native)...)
	}
	if content == nil {
		return problems
	}
	for _, b := range content.Blocks {
		if kind, ok := spec.ByName(b.Type); ok {
			problems = append(problems, s.addObject(file, kind, b.Labels[0], b)...)
			continue
		}
		problems = append(problems, s.addNamed(file, b)...)
	}
	return problems
}

// strangers are the blocks and attributes that a spec file does not have.
func strangers(body *hclsyntax.Body) []Problem {
	var problems []Problem
	accepted := append(kindNames(""), "locals", "variable")
	for _, b := range body.Blocks {
		if slices.Contains(accepted, b.Type) {
			continue
		}
		hint := didYouMean(b.Type, accepted)
		if b.Type == "resource" && len(b.Labels) == 2 {
			if kind, ok := spec.ByTerraformType(b.Labels[0]); ok {
				hint = fmt.Sprintf(": in a spec file, write %s %q { ... }", kind.Name, b.Labels[1])
			}
		}
		problems = append(problems, problemAt(b.TypeRange, "a spec file has no block %q%s", b.Type, hint))
	}
	for _, a := range body.Attributes {
		problems = append(problems, problemAt(a.NameRange, "%s stands outside of any block: put it into one, or into locals { ... }", a.Name))
	}
	return problems
}

// addNamed adds a variable or locals.
func (s *scope) addNamed(file string, b *hcl.Block) []Problem {
	if b.Type == "variable" {
		return s.addVariable(file, b)
	}
	attributes, diagnostics := b.Body.JustAttributes()
	problems := problemsOf(diagnostics)
	for _, a := range bySource(attributes) {
		if other, ok := s.locals[a.Name]; ok && !isOverride(file) {
			problems = append(problems, problemAt(a.NameRange, "local.%s is declared already, at %s", a.Name, positionOf(other.place)))
			continue
		}
		s.locals[a.Name] = &local{name: a.Name, scope: s, expr: a.Expr, place: a.NameRange}
	}
	return problems
}

func (s *scope) addVariable(file string, b *hcl.Block) []Problem {
	content, _, diagnostics := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "sensitive"}}})
	problems := problemsOf(diagnostics)
	if content == nil {
		return problems
	}
	name := b.Labels[0]
	v, exists := s.variables[name]
	switch {
	case !exists:
		v = &variable{name: name, place: b.DefRange, ty: cty.DynamicPseudoType}
		s.variables[name] = v
	case !isOverride(file):
		return append(problems, problemAt(b.DefRange, "var.%s is declared already, at %s", name, positionOf(v.place)))
	}
	if a := content.Attributes["type"]; a != nil {
		ty, defaults, diagnostics := typeexpr.TypeConstraintWithDefaults(a.Expr)
		if found := problemsOf(diagnostics); len(found) > 0 {
			problems = append(problems, found...)
		} else {
			v.ty, v.defaults = ty, defaults
		}
	}
	if a := content.Attributes["default"]; a != nil {
		value, diagnostics := a.Expr.Value(&hcl.EvalContext{Functions: functionsFor(a.Expr)})
		if found := problemsOf(diagnostics); len(found) > 0 {
			problems = append(problems, found...)
			value = cty.DynamicVal
		}
		v.fallback = value
	}
	if a := content.Attributes["sensitive"]; a != nil {
		value, _ := a.Expr.Value(nil)
		v.sensitive = !value.IsKnown() || value.IsNull() || value.Type() != cty.Bool || value.True()
	}
	return problems
}

func (s *scope) addObject(file string, kind *spec.Kind, name string, declared *hcl.Block) []Problem {
	key := s.root(kind) + "." + name
	b := &block{kind: kind, name: name, address: key, scope: s, file: file, header: declared.DefRange}
	if !hclsyntax.ValidIdentifier(name) {
		return []Problem{problemAt(declared.LabelRanges[len(declared.LabelRanges)-1], "%q is no name: letters, digits, _ and - only, and a letter or _ first", name)}
	}
	problems := b.bodyOf(declared.Body)
	other, exists := s.blocks[key]
	switch {
	case exists && isOverride(file):
		maps.Copy(other.attributes, b.attributes)
		if b.count != nil || b.forEach != nil {
			other.count, other.forEach = b.count, b.forEach
		}
		return problems
	case exists:
		return append(problems, problemAt(declared.DefRange, "%s is declared already, at %s", key, positionOf(other.header)))
	}
	s.blocks[key] = b
	s.ordered = append(s.ordered, b)
	return problems
}

// object finds a declared object by root and name: in this scope, then among its
// siblings.
func (s *scope) object(root, name string) (*block, string) {
	return lookup(s, root+"."+name, func(o *scope) map[string]*block { return o.blocks })
}

func (s *scope) local(name string) (*local, string) {
	return lookup(s, name, func(o *scope) map[string]*local { return o.locals })
}

func (s *scope) variable(name string) (*variable, string) {
	return lookup(s, name, func(o *scope) map[string]*variable { return o.variables })
}

// lookup returns what name means in s, or why it means nothing.
func lookup[T any](s *scope, name string, in func(*scope) map[string]*T) (found *T, why string) {
	if own, ok := in(s)[name]; ok {
		return own, ""
	}
	var holders []string
	for _, sibling := range s.siblings {
		if other, ok := in(sibling)[name]; ok {
			found = other
			holders = append(holders, sibling.name)
		}
	}
	switch len(holders) {
	case 0:
		names := slices.Sorted(maps.Keys(in(s)))
		return nil, "is not declared" + didYouMean(name, names)
	case 1:
		return found, ""
	}
	return nil, "is declared in several files, and not in this one: " + strings.Join(holders, ", ")
}

// setVariables gives each variable its value: from the options, from files, from its
// default, or unknown.
func (s *scope) setVariables(l *loader) []Problem {
	if len(s.variables) == 0 {
		return nil
	}
	var problems []Problem
	given := map[string]cty.Value{}
	places := map[string]hcl.Range{}
	for _, file := range append(variableFiles(s.directory), l.options.VariableFiles...) {
		body := l.parse(file)
		if body == nil {
			continue
		}
		attributes, diagnostics := body.JustAttributes()
		problems = append(problems, problemsOf(diagnostics)...)
		for name, a := range attributes {
			value, diagnostics := a.Expr.Value(nil)
			problems = append(problems, problemsOf(diagnostics)...)
			given[name], places[name] = value, a.Range
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.variables)) {
		v := s.variables[name]
		value, place := v.fallback, v.place
		if from, ok := given[name]; ok {
			value, place = from, places[name]
		}
		if text, ok := l.options.Variables[name]; ok {
			var problem *Problem
			if value, problem = v.parse(text); problem != nil {
				problems = append(problems, *problem)
				value = cty.DynamicVal
			}
			place = v.place
		}
		problems = append(problems, v.set(value, place)...)
	}
	return problems
}

func variableFiles(directory string) []string {
	var files []string
	for _, name := range []string{"terraform.tfvars", "terraform.tfvars.json"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err == nil {
			files = append(files, filepath.Join(directory, name))
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return files
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, ".auto.tfvars") || strings.HasSuffix(name, ".auto.tfvars.json") {
			files = append(files, filepath.Join(directory, name))
		}
	}
	return files
}

// parse reads a value as the command line gives it: text as it stands for a string,
// an expression for the rest.
func (v *variable) parse(text string) (cty.Value, *Problem) {
	if v.ty == cty.String || v.ty == cty.DynamicPseudoType {
		return cty.StringVal(text), nil
	}
	name := "<variable " + v.name + ">"
	expr, diagnostics := hclsyntax.ParseExpression([]byte(text), name, hcl.InitialPos)
	if !diagnostics.HasErrors() {
		value, more := expr.Value(nil)
		if !more.HasErrors() {
			return value, nil
		}
		diagnostics = more
	}
	problem := problemsOf(diagnostics)[0]
	return cty.NilVal, &problem
}

func (v *variable) set(value cty.Value, place hcl.Range) []Problem {
	v.value = cty.UnknownVal(v.ty.WithoutOptionalAttributesDeep())
	// What must not be shown is not judged: a finding would print it.
	if value == cty.NilVal || v.sensitive {
		return nil
	}
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, v.ty)
	if err != nil {
		return []Problem{problemAt(place, "the value of var.%s does not fit its type: %v", v.name, err)}
	}
	v.value = converted
	return nil
}

func kindNames(prefix string) []string {
	var names []string
	for _, kind := range spec.All() {
		names = append(names, prefix+kind.Name)
	}
	return names
}

// didYouMean ends a message with the nearest of the accepted names, if one is near.
func didYouMean(word string, accepted []string) string {
	if name := nearest(word, accepted); name != "" {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	return ""
}

// nearest is the accepted name that is a typing error away from word, or nothing.
func nearest(word string, accepted []string) string {
	best, distance := "", 1+max(2, len(word)/3)
	for _, candidate := range accepted {
		if d := levenshtein.Distance(word, candidate, nil); d < distance && d < len(candidate) {
			best, distance = candidate, d
		}
	}
	return best
}

func positionOf(r hcl.Range) string {
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}

// bySource lists attributes in the order in which they are written.
func bySource(attributes hcl.Attributes) []*hcl.Attribute {
	return slices.SortedFunc(maps.Values(attributes), func(a, b *hcl.Attribute) int {
		if d := strings.Compare(a.Range.Filename, b.Range.Filename); d != 0 {
			return d
		}
		return a.Range.Start.Byte - b.Range.Start.Byte
	})
}
