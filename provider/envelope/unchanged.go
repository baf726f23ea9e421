package envelope

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/zclconf/go-cty/cty"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Most objects of most plans are as the last run left them. The framework decodes such
// an object, walks its schema a dozen times and encodes it again, three times a plan,
// to come to the bytes that it was given. What follows answers Terraform's calls about
// such objects with those bytes. It never answers anything else: whatever is not plainly
// unchanged, and every error and warning, is the framework's.

// ReadUnchanged answers a refresh where the control plane has the very revision that the
// state was written from. Otherwise the answer is nil, and the context, which is for the
// framework's own call, has what was fetched, so that it is not asked for again.
func (d *Data) ReadUnchanged(ctx, rest context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, context.Context) {
	kind, ok := spec.ByTerraformType(req.TypeName)
	if !ok || d == nil || d.Client == nil || req.CurrentState == nil {
		return nil, rest
	}
	kept, ok := plainPrivate(req.Private)
	id, uid := given(req.CurrentState.MsgPack)
	if !ok || kept.etag == "" || id == "" || uid == "" {
		return nil, rest
	}
	limited, cancel := d.limited(ctx)
	defer cancel()
	object, err := d.Client.Refresh(limited, kind.Name, id)
	if err == nil && object.ETag == kept.etag && object.UID == uid {
		if identity, err := identityOf(kind, id); err == nil {
			return &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, Private: req.Private, NewIdentity: identity}, rest
		}
	}
	return nil, context.WithValue(rest, fetchedKey{}, &fetched{kind.Name, id, object, err})
}

// fetched is what the control plane answered for an object a moment ago.
type fetched struct {
	kind, id string
	object   *client.Object
	err      error
}

type fetchedKey struct{}

// fetch reads an object, unless the context has it already.
func (r *Resource) fetch(ctx context.Context, id string) (*client.Object, error) {
	if f, ok := ctx.Value(fetchedKey{}).(*fetched); ok && f.kind == r.kind.Name && f.id == id {
		return f.object, f.err
	}
	return r.data.Client.Refresh(ctx, r.kind.Name, id)
}

// PlanUnchanged answers a plan that changes nothing, of an object whose review is
// remembered and has nothing to say. Otherwise it is nil.
func (d *Data) PlanUnchanged(req *tfprotov6.PlanResourceChangeRequest) *tfprotov6.PlanResourceChangeResponse {
	kind, ok := spec.ByTerraformType(req.TypeName)
	if !ok || d == nil || req.Config == nil || req.PriorState == nil || req.ProposedNewState == nil || !bytes.Equal(req.PriorState.MsgPack, req.ProposedNewState.MsgPack) {
		return nil
	}
	kept, ok := plainPrivate(req.PriorPrivate)
	if !ok || kept.etag == "" || kept.review.ETag != kept.etag || !d.says(kept.review) {
		return nil
	}
	// What Terraform proposes is the configuration over the prior state, and does not
	// know defaults: an attribute that left the configuration may be proposed as it was.
	config, configErr := ctymsgpack.Unmarshal(req.Config.MsgPack, kind.Type())
	prior, priorErr := ctymsgpack.Unmarshal(req.PriorState.MsgPack, kind.Type())
	if configErr != nil || priorErr != nil || prior.IsNull() || !declares(kind, config, prior) {
		return nil
	}
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: req.PriorState, PlannedPrivate: req.PriorPrivate, PlannedIdentity: req.PriorIdentity}
}

// declares reports that an object has exactly what a configuration declares, defaults
// included.
func declares(kind *spec.Kind, config, object cty.Value) bool {
	config = kind.ApplyDefaults(config)
	for name := range kind.Type().AttributeTypes() {
		if !kind.IsComputed(name) && !config.GetAttr(name).RawEquals(object.GetAttr(name)) {
			return false
		}
	}
	return true
}

// says reports that this very program made a review which has nothing to say, whatever
// the day and the enforcement.
func (d *Data) says(kept keptReview) bool {
	return kept.Memory != nil && kept.Memory.Quiet() && d.Reviewer != nil && d.Reviewer.Wrote(kept.Memory)
}

// plain is the private state of an object about which nothing is pending.
type plain struct {
	etag   string
	review keptReview
}

// plainPrivate reads the private state as the framework writes it. It is false where the
// framework or the control plane still has something to do about the object.
func plainPrivate(data []byte) (plain, bool) {
	var out plain
	var entries map[string][]byte
	if json.Unmarshal(data, &entries) != nil {
		return out, false
	}
	for key, value := range entries {
		switch {
		case key == privateETag:
			if json.Unmarshal(value, &out.etag) != nil {
				return out, false
			}
		case key == privateReview:
			if json.Unmarshal(value, &out.review) != nil {
				return out, false
			}
		case key == privateRequest && string(value) != `""`:
			return out, false // to be acknowledged
		case strings.HasPrefix(key, "."):
			return out, false // the framework's own
		}
	}
	return out, true
}

// given reads the id and the uid of a state, and passes over the rest of it.
func given(state []byte) (id, uid string) {
	decoder := msgpack.NewDecoder(bytes.NewReader(state))
	n, err := decoder.DecodeMapLen()
	for range n {
		var name string
		if name, err = decoder.DecodeString(); err != nil {
			return "", ""
		}
		switch name {
		case spec.AttributeID:
			id, err = decoder.DecodeString()
		case spec.AttributeUID:
			uid, err = decoder.DecodeString()
		default:
			err = decoder.Skip()
		}
		if err != nil {
			return "", ""
		}
	}
	return id, uid
}

// identityOf is the identity of an object as [Resource.identifyAs] writes it.
func identityOf(kind *spec.Kind, id string) (*tfprotov6.ResourceIdentityData, error) {
	key, err := kind.ParseID(id)
	if err != nil {
		return nil, err
	}
	v := cty.ObjectVal(key)
	encoded, err := ctymsgpack.Marshal(v, v.Type())
	return &tfprotov6.ResourceIdentityData{IdentityData: &tfprotov6.DynamicValue{MsgPack: encoded}}, err
}
