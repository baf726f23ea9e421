package envelope

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// answering gives one object for every request.
type answering struct{ body []byte }

func (a answering) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: request}, nil
}

// Whatever is in a state and in the private state beside it, calls about objects are
// answered from their own bytes only where the object is the very one that is kept, and
// nothing ends the process.
func FuzzUnchanged(f *testing.F) {
	kind, _ := spec.ByName("registered_model")
	object := func(uid string) []byte {
		attributes := map[string]cty.Value{}
		for name, ty := range kind.Type().AttributeTypes() {
			attributes[name] = cty.NullVal(ty)
		}
		attributes["name"], attributes[spec.AttributeID], attributes[spec.AttributeUID] = cty.StringVal("fraud"), cty.StringVal("fraud"), cty.StringVal(uid)
		encoded, err := ctymsgpack.Marshal(cty.ObjectVal(attributes), kind.Type())
		if err != nil {
			f.Fatal(err)
		}
		return encoded
	}
	private := func(entries map[string]string) []byte {
		bytes := map[string][]byte{}
		for key, value := range entries {
			bytes[key] = []byte(value)
		}
		encoded, err := json.Marshal(bytes)
		if err != nil {
			f.Fatal(err)
		}
		return encoded
	}
	f.Add(object("u"), private(map[string]string{privateETag: `"\"u.1\""`}), object("u"))
	f.Add(object("other"), private(map[string]string{privateETag: `"\"u.1\""`, privateRequest: `"key"`}), object("u"))
	f.Add(object("u"), private(map[string]string{privateETag: `"\"u.1\""`, privateReview: `{"etag":"\"u.1\"","memory":{}}`}), object("u"))
	f.Add([]byte{0xc0}, []byte(`{".framework":"e30="}`), []byte{0x80})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, []byte(`null`), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	c, err := client.New(client.Options{Endpoint: "http://x.invalid", Retries: -1, Transport: answering{[]byte(
		`{"kind":"registered_model","id":"fraud","uid":"u","generation":1,"etag":"\"u.1\"","attributes":{"name":"fraud"}}`)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state, private, config []byte) {
		if len(state)+len(private)+len(config) > 1<<13 {
			return
		}
		d := &Data{Client: c, Reviewer: review.New(review.Options{Revision: "1.0.0"})}
		id, uid := given(state)
		kept, ok := plainPrivate(private)
		answer, _ := d.ReadUnchanged(t.Context(), t.Context(), &tfprotov6.ReadResourceRequest{
			TypeName: kind.TerraformType(), CurrentState: &tfprotov6.DynamicValue{MsgPack: state}, Private: private,
		})
		if answer != nil && (id != "fraud" || uid != "u" || !ok || kept.etag != `"u.1"` || !bytes.Equal(answer.NewState.MsgPack, state)) {
			t.Errorf("a refresh of %q %q with %s is answered with %x", id, uid, private, answer.NewState.MsgPack)
		}
		plan := d.PlanUnchanged(&tfprotov6.PlanResourceChangeRequest{
			TypeName: kind.TerraformType(), Config: &tfprotov6.DynamicValue{MsgPack: config}, PriorPrivate: private,
			PriorState: &tfprotov6.DynamicValue{MsgPack: state}, ProposedNewState: &tfprotov6.DynamicValue{MsgPack: state},
		})
		if plan != nil && (!ok || kept.etag == "" || kept.review.ETag != kept.etag || kept.request != "" || !bytes.Equal(plan.PlannedState.MsgPack, state)) {
			t.Errorf("a plan with %s is answered with %x", private, plan.PlannedState.MsgPack)
		}
	})
}
