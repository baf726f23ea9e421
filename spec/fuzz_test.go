package spec_test

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// whole does to a decoded object whatever surfaces do to one.
func whole(t *testing.T, kind *spec.Kind, v cty.Value) {
	t.Helper()
	if v.IsNull() || !v.IsKnown() {
		return // a surface asks for the object first
	}
	for _, finding := range kind.Check(v) {
		if finding.Detail == "" {
			t.Errorf("%s: a finding without a word: %+v", kind.Name, finding)
		}
		_ = spec.PathString(finding.Path)
	}
	_, _ = kind.ID(v)
	_, _ = kind.Parent(v)
	_ = kind.WithoutSecrets(v)
	_ = kind.ApplyDefaults(v)
	if !v.IsWhollyKnown() {
		return
	}
	encoded, err := kind.EncodeJSON(v)
	if err != nil {
		return // numbers without an end
	}
	again, err := kind.DecodeJSON(encoded)
	if err != nil || !again.RawEquals(v) {
		t.Errorf("%s: %s reads as %#v, %v; it was %#v", kind.Name, encoded, again, err, v)
	}
}

// What the API and the store's file give is JSON: it decodes to a value that can be
// judged and written again, or to an error.
func FuzzDecodeJSON(f *testing.F) {
	for i, kind := range spec.All() {
		f.Add(uint8(i), []byte(`{"`+kind.Key[0]+`":"a"}`))
		f.Add(uint8(i), []byte(`{"model":"a","name":"b","binning":{"bins":1e400},"bins":[null,{"upper":"0.1","count":-0}],"metrics":{"a":null},"tags":{"":""},"stages":[{}],"waivers":[{"rule":"x"}]}`))
	}
	f.Add(uint8(0), []byte(`{"model":null,"model":1}`))
	f.Add(uint8(1), []byte(`[]`))
	f.Fuzz(func(t *testing.T, which uint8, document []byte) {
		kind := spec.All()[int(which)%len(spec.All())]
		v, err := kind.DecodeJSON(document)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a word")
			}
			return
		}
		whole(t, kind, v)
	})
}

// What Terraform gives is MessagePack, with unknown values in it.
func FuzzDecodeMessagePack(f *testing.F) {
	for i, kind := range spec.All() {
		for _, text := range []string{`{}`, `{"model":"a","name":"b"}`} {
			if v, err := kind.DecodeJSON([]byte(text)); err == nil {
				if encoded, err := ctymsgpack.Marshal(v, kind.Type()); err == nil {
					f.Add(uint8(i), encoded)
				}
			}
		}
		unknown := map[string]cty.Value{}
		for name, ty := range kind.Type().AttributeTypes() {
			unknown[name] = cty.UnknownVal(ty)
		}
		if encoded, err := ctymsgpack.Marshal(cty.ObjectVal(unknown), kind.Type()); err == nil {
			f.Add(uint8(i), encoded)
		}
	}
	f.Add(uint8(0), []byte{0xde, 0, 0})                                  // an object without attributes
	f.Add(uint8(3), []byte("\x8b\xa8profiles\xdfN\xb6\x9b\x98\xb3\x8e")) // a map of a thousand million elements, it says
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		kind := spec.All()[int(which)%len(spec.All())]
		v, err := kind.DecodeMessagePack(data)
		if err != nil {
			return
		}
		whole(t, kind, v)
		// The linter reads the same type as JSON of a plan.
		if v.IsWhollyKnown() {
			_, _ = ctyjson.Marshal(v, kind.Type())
		}
	})
}
