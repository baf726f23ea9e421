package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// order brings all blocks into reference order, and finds cycles. Blocks that do not
// depend on each other stay in the order in which they were written.
func order(scopes []*scope) ([]*block, []Problem) {
	o := &orderer{state: map[any]mark{}}
	for _, s := range scopes {
		for _, b := range s.ordered {
			o.block(b)
		}
		for _, name := range slices.Sorted(maps.Keys(s.locals)) {
			o.local(s.locals[name])
		}
	}
	return o.blocks, o.problems
}

type mark int

const (
	unseen mark = iota
	open
	done
)

type orderer struct {
	state    map[any]mark
	stack    []step
	blocks   []*block
	problems []Problem
}

// step is one link of the chain of references that is being followed.
type step struct {
	node  any
	name  string
	place hcl.Range
}

func (o *orderer) block(b *block) {
	o.visit(step{b, b.scope.root(b.kind) + "." + b.name, b.header}, func() {
		for _, expr := range b.expressions() {
			o.follow(b.scope, expr)
		}
		o.blocks = append(o.blocks, b)
	})
}

func (o *orderer) local(l *local) {
	o.visit(step{l, "local." + l.name, l.place}, func() { o.follow(l.scope, l.expr) })
}

func (o *orderer) visit(s step, into func()) {
	switch o.state[s.node] {
	case done:
		return
	case open:
		o.cycle(s)
		return
	}
	o.state[s.node] = open
	o.stack = append(o.stack, s)
	into()
	o.stack = o.stack[:len(o.stack)-1]
	o.state[s.node] = done
}

func (o *orderer) cycle(again step) {
	from := slices.IndexFunc(o.stack, func(s step) bool { return s.node == again.node })
	var names []string
	for _, s := range o.stack[from:] {
		names = append(names, s.name)
	}
	names = append(names, again.name)
	if len(names) == 2 {
		o.problems = append(o.problems, problemAt(again.place, "%s refers to itself", again.name))
		return
	}
	o.problems = append(o.problems, problemAt(again.place, "references go round in a circle: %s", strings.Join(names, " -> ")))
}

func (o *orderer) follow(s *scope, expr hcl.Expression) {
	for _, traversal := range expr.Variables() {
		root := traversal.RootName()
		name, ok := secondName(traversal)
		if !ok {
			continue
		}
		if root == "local" {
			if l, _ := s.local(name); l != nil {
				o.local(l)
			}
		} else if b, _ := s.object(root, name); b != nil {
			o.block(b)
		}
	}
}

// expressions are all that a block's evaluation depends on, as written.
func (b *block) expressions() []hcl.Expression {
	var out []hcl.Expression
	for _, a := range []*hcl.Attribute{b.count, b.forEach} {
		if a != nil {
			out = append(out, a.Expr)
		}
	}
	for _, a := range bySource(b.attributes) {
		out = append(out, a.Expr)
	}
	return out
}

// secondName is the name after the root: x.name or x["name"].
func secondName(traversal hcl.Traversal) (string, bool) {
	if len(traversal) < 2 {
		return "", false
	}
	return stepName(traversal[1])
}

func stepName(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if key, ok := stringKey(s.Key); ok {
			return key, true
		}
	}
	return "", false
}

// referenceText writes the beginning of a reference for a message.
func referenceText(root, name string) string { return fmt.Sprintf("%s.%s", root, name) }
