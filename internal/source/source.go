package source

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Options says how to read.
type Options struct {
	// Variables are values for input variables by name, as `-var name=value` gives
	// them: text for a string, an HCL expression for anything else. They win over
	// files and defaults, in every module that declares the variable.
	Variables map[string]string
	// VariableFiles are read after each directory's own terraform.tfvars and
	// *.auto.tfvars.
	VariableFiles []string
	// Workspace is terraform.workspace; "default" where it is empty.
	Workspace string
	// Stdin is read where a path is "-": a plan as JSON.
	Stdin io.Reader
}

// Problem is why an input, or a part of it, could not be judged: unlike a finding it
// says nothing about the policy.
type Problem struct {
	File string
	// Line and Column count from 1; 0 where the problem has no place in the file.
	Line, Column int
	Message      string
}

// String is file:line:column: message.
func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Range is a stretch of a file. Lines and columns count from 1, columns in
// characters as a reader counts them; the end is exclusive. Line is 0 where the
// source has no lines: a plan.
type Range struct {
	File                             string
	Line, Column, EndLine, EndColumn int
}

func rangeOf(r hcl.Range) Range {
	return Range{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, EndLine: r.End.Line, EndColumn: r.End.Column}
}

// Bundle is everything that was read. It is not safe for concurrent use.
type Bundle struct {
	scopes  []*scope
	blocks  []*block // in reference order
	plans   []*plan
	files   map[string][]byte
	objects map[string]placed

	found    []spec.Finding // by Load
	findings []spec.Finding // by Load and the last Walk
	problems []Problem      // by the last Walk
	walked   bool
}

// placed is where an object stands.
type placed struct {
	block *block // nil for a planned object
	file  string // of a planned object
}

// Walk gives every object to visit in reference order. What visit returns (the
// object with its computed attributes) is what later references see; cty.NilVal
// stands for the object as it was given. Objects whose count or for_each is unknown
// are skipped.
//
// Each call evaluates anew; [Bundle.Findings] and [Bundle.Problems] tell about the
// last one.
func (b *Bundle) Walk(visit func(spec.Object) cty.Value) {
	b.objects = map[string]placed{}
	b.findings = slices.Clone(b.found)
	w := &walker{bundle: b, visit: visit, locals: map[*local]cty.Value{}, values: map[*block]cty.Value{}}
	for _, block := range b.blocks {
		b.objects[block.address] = placed{block: block} // also where it makes other objects, or none
		w.block(block)
	}
	for _, p := range b.plans {
		for _, o := range p.objects {
			b.objects[o.object.Address] = placed{file: p.file}
			for _, f := range o.findings {
				b.objects[f.Address] = placed{file: p.file}
			}
			visit(o.object)
			b.findings = append(b.findings, o.findings...)
		}
	}
	b.problems = dedupe(w.problems)
	b.walked = true
}

// Findings are what only a reader of the source can find: attributes that the
// vocabulary lacks (Terraform drops them inside nested attributes in silence), and
// values that do not convert to an attribute's type.
func (b *Bundle) Findings() []spec.Finding {
	b.walkOnce()
	return b.findings
}

// Problems are what the last Walk could not evaluate: the attribute is unknown then.
func (b *Bundle) Problems() []Problem {
	b.walkOnce()
	return b.problems
}

func (b *Bundle) walkOnce() {
	if !b.walked {
		b.Walk(func(o spec.Object) cty.Value { return o.Value })
	}
}

// Range is where an attribute of an object stands: as tightly as the source is
// written out, else its parent, else the object's header.
func (b *Bundle) Range(address string, path cty.Path) Range {
	b.walkOnce()
	at, ok := b.objects[address]
	switch {
	case !ok:
		return Range{}
	case at.block == nil:
		return Range{File: at.file}
	}
	return rangeOf(at.block.rangeOf(path))
}

// Files are the names of all files that were read, sorted.
func (b *Bundle) Files() []string {
	names := make([]string, 0, len(b.files))
	for name := range b.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Content is what a file had in it when it was read.
func (b *Bundle) Content(file string) []byte { return b.files[file] }

func dedupe(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}

func problemsOf(diagnostics hcl.Diagnostics) []Problem {
	var out []Problem
	for _, d := range diagnostics {
		if d.Severity != hcl.DiagError {
			continue
		}
		p := Problem{Message: d.Summary}
		if d.Detail != "" {
			p.Message += ": " + d.Detail
		}
		if d.Subject != nil {
			p.File, p.Line, p.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		out = append(out, p)
	}
	return out
}

func problemAt(r hcl.Range, format string, args ...any) Problem {
	return Problem{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, Message: fmt.Sprintf(format, args...)}
}
