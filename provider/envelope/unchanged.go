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
	limited, cancel := d.Limited(ctx)
	defer cancel()
	object, err := d.Client.Refresh(limited, kind.Name, id)
	if err == nil && object.ETag == kept.etag && object.UID == uid {
		private, privateErr := kept.acknowledged(limited, d, kind, id, req.Private)
		identity, identityErr := identityOf(kind, id)
		if privateErr == nil && identityErr == nil {
			return &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, Private: private, NewIdentity: identity}, rest
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
	if !ok || kept.request != "" || kept.etag == "" || kept.review.ETag != kept.etag || !d.says(kept.review) {
		return nil
	}
	// What Terraform proposes is the configuration over the prior state, and does not
	// know defaults: an attribute that left the configuration may be proposed as it was.
	config, configErr := kind.DecodeMessagePack(req.Config.MsgPack)
	prior, priorErr := kind.DecodeMessagePack(req.PriorState.MsgPack)
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

// plain is the private state of an object, of which the framework keeps nothing itself.
type plain struct {
	entries       map[string][]byte // as they are written
	etag, request string
	review        keptReview
}

// plainPrivate reads the private state as the framework writes it. It is false where it
// is written otherwise, or has something for the framework in it.
func plainPrivate(data []byte) (plain, bool) {
	var p plain
	if json.Unmarshal(data, &p.entries) != nil {
		return p, false
	}
	for key := range p.entries {
		if strings.HasPrefix(key, ".") {
			return p, false // the framework's
		}
	}
	for key, into := range map[string]any{privateETag: &p.etag, privateRequest: &p.request, privateReview: &p.review} {
		if entry, ok := p.entries[key]; ok && json.Unmarshal(entry, into) != nil {
			return p, false
		}
	}
	return p, true
}

// acknowledged is the private state once the control plane has been told that the state
// has an object that was added: see [Resource.acknowledge].
func (p plain) acknowledged(ctx context.Context, d *Data, kind *spec.Kind, id string, private []byte) ([]byte, error) {
	if p.request == "" {
		return private, nil
	}
	if err := d.Client.Acknowledge(ctx, kind.Name, id); err != nil {
		return nil, err
	}
	p.entries[privateRequest] = []byte(`""`)
	return json.Marshal(p.entries)
}

// given reads the id and the uid of a state, and passes over the rest of it.
func given(state []byte) (id, uid string) {
	decoder := msgpack.NewDecoder(bytes.NewReader(state))
	n, err := decoder.DecodeMapLen()
	if err != nil {
		return "", ""
	}
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
