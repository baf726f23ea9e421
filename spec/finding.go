package spec

import (
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Severity is how grave a finding is by itself, before enforcement.
type Severity string

// The severities of findings.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a declared object. It carries a path;
// each surface turns the path into an attribute diagnostic, a file range or a
// region of a report.
type Finding struct {
	// Rule is the id, also the documentation page: family/name.
	Rule string
	// Severity is the rule's own, before enforcement.
	Severity Severity
	// Address is the object, in the form of the surface that declared it.
	Address string
	// Path is the attribute, within the object.
	Path cty.Path
	// Summary is short and the same for every finding of the rule.
	Summary string
	// Detail has the numbers and the reason.
	Detail string
	// Fix says the smallest changes that make the finding go, in words.
	Fix string
	// Alternatives are the same changes for machines: applying any one of them
	// makes the finding go. Empty where no single change does.
	Alternatives []Change
}

// Change is a set of assignments that are to be made together, to one object or
// to one it refers to.
type Change struct {
	// Kind is the kind of the object to change; empty for the finding's own. It is
	// for objects that the finding's own refers to.
	Kind string
	// Address is the object to change, where it is another object of a bundle.
	Address string
	// Assign maps attribute paths such as "window.duration" to their new values.
	Assign map[string]cty.Value
	// Remove says that the object goes.
	Remove bool
	// With are changes to other objects that belong to this one.
	With []Change
}

// PathString writes a path as HCL would: stages[1].traffic_percent, tags["team"].
func PathString(path cty.Path) string {
	var out strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			if out.Len() > 0 {
				out.WriteByte('.')
			}
			out.WriteString(s.Name)
		case cty.IndexStep:
			if !s.Key.IsKnown() || s.Key.IsNull() {
				out.WriteString("[?]")
				continue
			}
			if s.Key.Type() == cty.String {
				out.WriteString("[" + strconv.Quote(s.Key.AsString()) + "]")
			} else {
				out.WriteString("[" + s.Key.AsBigFloat().Text('f', -1) + "]")
			}
		}
	}
	return out.String()
}

// ValueString writes a known leaf as HCL would, for messages.
func ValueString(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case !v.IsKnown():
		return "(known after apply)"
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	case v.Type() == cty.Number:
		return NumberString(v)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	}
	return v.Type().FriendlyName()
}

// NumberString writes a number with the fewest digits that say it exactly, at
// most 17.
func NumberString(v cty.Value) string {
	bf := v.AsBigFloat()
	if bf.IsInt() {
		return bf.Text('f', 0)
	}
	f, _ := bf.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Number is the cty number that the shortest decimal text of f denotes. Computed
// figures go through it, so that a value in a plan, in a state file and in the
// control plane's JSON is the same number and not its binary neighbour.
func Number(f float64) cty.Value {
	return cty.MustParseNumberVal(strconv.FormatFloat(f, 'f', -1, 64))
}
