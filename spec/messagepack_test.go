package spec_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func TestMessagePackThatIsNoObjectOfTheKindIsAnError(t *testing.T) {
	kind, ok := spec.ByTerraformType("mlops_baseline")
	if !ok {
		t.Fatal("there is no baseline")
	}
	baseline, err := kind.DecodeJSON([]byte(`{"model":"m","name":"n","bins":[{"upper":0.5,"count":1},{"count":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	whole, first := encoded(t, baseline), encoded(t, baseline.GetAttr("bins").Index(cty.NumberIntVal(0)))
	if v, err := kind.DecodeMessagePack(whole); err != nil || !v.RawEquals(baseline) {
		t.Fatalf("a sound one reads as %#v, %v", v, err)
	}
	for name, data := range map[string][]byte{
		"nothing":                          {},
		"no attribute":                     {0x80},
		"no attribute, with a long length": {0xde, 0, 0},
		"elements that differ":             bytes.Replace(whole, first, []byte{0x80}, 1),
		"only elements without attributes": bytes.Replace(bytes.Replace(whole, first, []byte{0x80}, 1), encoded(t, baseline.GetAttr("bins").Index(cty.NumberIntVal(1))), []byte{0x80}, 1),
		"a map longer than the data":       []byte("\x8b\xa8profiles\xdfN\xb6\x9b\x98\xb3\x8e"),
		"the end is missing":               whole[:len(whole)-1],
		"another kind's":                   {0x81, 0xa1, 'x', 0xc0},
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := kind.DecodeMessagePack(data); err == nil || !strings.HasPrefix(err.Error(), "reading baseline from MessagePack: ") {
				t.Errorf("it reads as %#v, %v", v, err)
			}
		})
	}
}

func encoded(t *testing.T, v cty.Value) []byte {
	t.Helper()
	data, err := ctymsgpack.Marshal(v, v.Type())
	if err != nil {
		t.Fatal(err)
	}
	return data
}
