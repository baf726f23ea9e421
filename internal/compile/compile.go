// Package compile turns a reviewed policy into configuration for other systems: one
// package below it for each target. What is emitted depends on the declarations and on
// the tool's version only, so that the bytes can be committed and compared.
package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Object is one reviewed object: its computed attributes are filled in.
type Object struct {
	Kind    *spec.Kind
	Address string
	Value   cty.Value
}

// Options holds for every target.
type Options struct {
	// Version is the tool's own; it is written into what is emitted.
	Version string
}

// Artifact is one file.
type Artifact struct {
	// Path is relative to the output directory, with slashes.
	Path    string
	Content []byte
}

// Note is something that the reader should know and that does not stop anything.
type Note struct {
	Address string
	Message string
}

// Refusal is why an object cannot be carried to the target, though the policy may be
// sound.
type Refusal struct {
	Address string
	Path    cty.Path
	Why     string
	Fix     string
}

// Result is what a target made of the objects. With a refusal in it, nothing should
// be written.
type Result struct {
	Artifacts []Artifact
	Notes     []Note
	Refusals  []Refusal
}

// Capabilities says what a target can carry.
type Capabilities struct {
	// Carries are the kinds that become part of what is emitted.
	Carries []string
	// Reads are the kinds that only give others their values.
	Reads []string
}

// Target is a system to compile to.
type Target interface {
	// Name is what --target takes.
	Name() string
	Capabilities() Capabilities
	// Emit gets the objects that the target carries, in reference order.
	Emit(objects []Object, options Options) Result
}

// Targets is the list of all targets that a tool offers.
type Targets []Target

// Find returns the target of that name, or an error that lists the names.
func (t Targets) Find(name string) (Target, error) {
	var names []string
	for _, target := range t {
		if target.Name() == name {
			return target, nil
		}
		names = append(names, target.Name())
	}
	slices.Sort(names)
	if name == "" {
		return nil, fmt.Errorf("name a target: --target %s", strings.Join(names, "|"))
	}
	return nil, fmt.Errorf("there is no target %q; the targets are: %s", name, strings.Join(names, ", "))
}

// Emit gives a target what it can carry, and notes what it cannot.
func Emit(target Target, objects []Object, options Options) Result {
	can := target.Capabilities()
	var carried []Object
	var notes []Note
	for _, object := range objects {
		switch {
		case slices.Contains(can.Carries, object.Kind.Name):
			carried = append(carried, object)
		case !slices.Contains(can.Reads, object.Kind.Name):
			notes = append(notes, Note{object.Address, fmt.Sprintf("the target %s does not carry a %s: it is left out", target.Name(), object.Kind.Name)})
		}
	}
	result := target.Emit(carried, options)
	result.Notes = append(notes, result.Notes...)
	slices.SortFunc(result.Artifacts, func(a, b Artifact) int { return strings.Compare(a.Path, b.Path) })
	return result
}
