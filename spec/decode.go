package spec

import (
	"fmt"
	"math"
	"reflect"

	"github.com/zclconf/go-cty/cty"
)

// settable is implemented by every *Value[T]; decodeInto fills it without
// knowing T.
type settable interface {
	set(v cty.Value, path cty.Path) error
}

// Decode reads a cty value of a kind's type into a Go struct whose fields are
// Value[T] with a `cty:"name"` tag. T is string, bool, float64, Duration, a
// struct of the same form, a slice of Value[U] or a map of strings to Value[U].
//
// It fails only where the Go type and the cty type disagree, which is an error
// in this program, not in the policy; malformed text (a duration) is decoded as
// null, because the constraint on it has already been reported.
func Decode[T any](v cty.Value) (T, error) {
	var target T
	err := decodeStruct(reflect.ValueOf(&target).Elem(), v, nil)
	return target, err
}

func (v *Value[T]) set(in cty.Value, path cty.Path) error {
	v.path = path
	switch {
	case !in.IsKnown():
		v.state = stateUnknown
		return v.setChildren(cty.DynamicVal, path)
	case in.IsNull():
		v.state = stateNull
		return v.setChildren(cty.NullVal(cty.DynamicPseudoType), path)
	}
	v.state = stateKnown
	target := reflect.ValueOf(&v.value).Elem()
	switch any(v.value).(type) {
	case string:
		target.SetString(in.AsString())
		return nil
	case bool:
		target.SetBool(in.True())
		return nil
	case float64:
		f, _ := in.AsBigFloat().Float64()
		if math.IsInf(f, 0) {
			v.state = stateNull
			return nil
		}
		target.SetFloat(f)
		return nil
	case Duration:
		d, err := ParseDuration(in.AsString())
		if err != nil {
			v.state = stateNull // the constraint on it says why
			return nil          //nolint:nilerr // as above
		}
		target.Set(reflect.ValueOf(d))
		return nil
	}
	switch target.Kind() {
	case reflect.Struct:
		return decodeStruct(target, in, path)
	case reflect.Slice:
		out := reflect.MakeSlice(target.Type(), in.LengthInt(), in.LengthInt())
		i := 0
		for it := in.ElementIterator(); it.Next(); i++ {
			key, element := it.Element()
			item, ok := out.Index(i).Addr().Interface().(settable)
			if !ok {
				return fmt.Errorf("decoding %s: %s is not a Value", PathString(path), out.Index(i).Type())
			}
			if err := item.set(element, extend(path, cty.IndexStep{Key: key})); err != nil {
				return err
			}
		}
		target.Set(out)
		return nil
	case reflect.Map:
		out := reflect.MakeMap(target.Type())
		for it := in.ElementIterator(); it.Next(); {
			key, element := it.Element()
			item := reflect.New(target.Type().Elem())
			settableItem, ok := item.Interface().(settable)
			if !ok {
				return fmt.Errorf("decoding %s: %s is not a Value", PathString(path), item.Type())
			}
			if err := settableItem.set(element, extend(path, cty.IndexStep{Key: key})); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(key.AsString()), item.Elem())
		}
		target.Set(out)
		return nil
	}
	return fmt.Errorf("decoding %s: no rule for Go type %s", PathString(path), target.Type())
}

// setChildren gives the fields of a null or unknown object their paths, and the
// state of their parent, so that a rule can point at what is missing inside it.
func (v *Value[T]) setChildren(in cty.Value, path cty.Path) error {
	target := reflect.ValueOf(&v.value).Elem()
	if _, isDuration := any(v.value).(Duration); isDuration || target.Kind() != reflect.Struct {
		return nil
	}
	return decodeStruct(target, in, path)
}

func decodeStruct(target reflect.Value, in cty.Value, path cty.Path) error {
	for i := range target.NumField() {
		name := target.Type().Field(i).Tag.Get("cty")
		if name == "" {
			continue
		}
		field, ok := target.Field(i).Addr().Interface().(settable)
		if !ok {
			return fmt.Errorf("decoding %s: field %s is not a Value", PathString(path), name)
		}
		attribute := in
		if in.IsKnown() && !in.IsNull() {
			if !in.Type().HasAttribute(name) {
				return fmt.Errorf("decoding %s: the schema has no attribute %q", PathString(path), name)
			}
			attribute = in.GetAttr(name)
		}
		if err := field.set(attribute, extend(path, cty.GetAttrStep{Name: name})); err != nil {
			return err
		}
	}
	return nil
}

// extend appends a step without sharing the backing array of path.
func extend(path cty.Path, step cty.PathStep) cty.Path {
	out := make(cty.Path, len(path)+1)
	copy(out, path)
	out[len(path)] = step
	return out
}
