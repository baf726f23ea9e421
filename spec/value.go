package spec

import (
	"github.com/zclconf/go-cty/cty"
)

type valueState uint8

const (
	stateNull valueState = iota
	stateUnknown
	stateKnown
)

// Value is a leaf (or a nested object, or a list) of a declared object that
// knows whether it is null, unknown or known, and where it stands.
//
// Unknown means later, never missing: a rule that needs an unknown value is
// silent. Null means that nobody declared it: that is the rule's to judge.
// The zero Value is null.
type Value[T any] struct {
	value T
	state valueState
	path  cty.Path
}

// Known returns a known value at path.
func Known[T any](value T, path cty.Path) Value[T] {
	return Value[T]{value: value, state: stateKnown, path: path}
}

// Unknown returns an unknown value at path.
func Unknown[T any](path cty.Path) Value[T] {
	return Value[T]{state: stateUnknown, path: path}
}

// Get returns the value and true where it is known.
func (v Value[T]) Get() (T, bool) {
	if v.state != stateKnown {
		var zero T
		return zero, false
	}
	return v.value, true
}

// Or returns the value where it is known and fallback otherwise.
func (v Value[T]) Or(fallback T) T {
	if v.state != stateKnown {
		return fallback
	}
	return v.value
}

// Fields returns the nested object whatever its state: the fields of a null
// object are null, those of an unknown one unknown, and each knows its path.
func (v Value[T]) Fields() T { return v.value }

// IsNull reports that nobody declared the value.
func (v Value[T]) IsNull() bool { return v.state == stateNull }

// IsUnknown reports that the value will be known only at apply.
func (v Value[T]) IsUnknown() bool { return v.state == stateUnknown }

// IsKnown reports that the value can be read.
func (v Value[T]) IsKnown() bool { return v.state == stateKnown }

// Path is where the value stands in its object, also when it is null or unknown.
func (v Value[T]) Path() cty.Path { return v.path }

// Leaf is what a Value tells about itself whatever its type.
type Leaf interface {
	IsNull() bool
	IsUnknown() bool
	IsKnown() bool
	Path() cty.Path
}

// AnyUnknown reports whether one of the leaves is unknown, so that what depends
// on all of them has to wait for apply.
func AnyUnknown(leaves ...Leaf) bool {
	for _, leaf := range leaves {
		if leaf.IsUnknown() {
			return true
		}
	}
	return false
}

// AllKnown reports whether every leaf can be read.
func AllKnown(leaves ...Leaf) bool {
	for _, leaf := range leaves {
		if !leaf.IsKnown() {
			return false
		}
	}
	return true
}
