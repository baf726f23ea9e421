package spec

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/zclconf/go-cty/cty"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"
)

// DecodeMessagePack reads an object as Terraform's protocol writes it; it may be null, and
// what is in it unknown.
func (k *Kind) DecodeMessagePack(data []byte) (v cty.Value, err error) {
	// cty takes an object without attributes for one of any type, and panics where the
	// elements of a list then differ.
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
		if err != nil {
			v, err = cty.NilVal, fmt.Errorf("reading %s from MessagePack: %w", k.Name, err)
		}
	}()
	// Nor is memory asked for by lengths that the data do not have.
	if err := msgpack.NewDecoder(bytes.NewReader(data)).Skip(); err != nil {
		return v, err
	}
	v, err = ctymsgpack.Unmarshal(data, k.Type())
	if err == nil && !v.Type().Equals(k.Type()) {
		err = errors.New("an object has none of its attributes")
	}
	return v, err
}
