package envelope

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
)

// remember keeps what the review of an object found, for the write that follows.
func (r *Resource) remember(v cty.Value, memory *review.Memory) {
	if ref, ok := r.planned(v); ok && r.data != nil {
		r.data.reviews.Store(ref, memory)
	}
}

// remembered is what remember kept of an object; nil where there is nothing.
func (r *Resource) remembered(v cty.Value) *review.Memory {
	ref, ok := r.planned(v)
	if !ok {
		return nil
	}
	memory, _ := r.data.reviews.Load(ref)
	out, _ := memory.(*review.Memory)
	return out
}

// planned tells the objects of a run apart: by their name path, or, while the control
// plane has yet to number an object, by everything else about it.
func (r *Resource) planned(v cty.Value) (client.Ref, bool) {
	id, ok := r.kind.ID(v)
	if !ok && r.kind.Numbered != "" {
		body, err := r.kind.EncodeJSON(v)
		id, ok = string(body), err == nil
	}
	return client.Ref{Kind: r.kind.Name, ID: id}, ok
}

// keptReview is what the review of an object found at a revision.
type keptReview struct {
	ETag   string         `json:"etag"`
	Memory *review.Memory `json:"memory"`
}

// privateState is what the framework offers to keep beside the state.
type privateState interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

func (r *Resource) etag(ctx context.Context, private privateState) string {
	return readPrivate[string](ctx, private, privateETag)
}

// readPrivate reads an entry of the private state; the zero value where it is absent.
func readPrivate[T any](ctx context.Context, private privateState, key string) T {
	var out T
	if raw, _ := private.GetKey(ctx, key); raw == nil || json.Unmarshal(raw, &out) != nil {
		var zero T
		return zero
	}
	return out
}

// setPrivate writes an entry of the private state.
func setPrivate(ctx context.Context, diags *diag.Diagnostics, private privateState, key string, value any) {
	if encoded, err := json.Marshal(value); err == nil {
		diags.Append(private.SetKey(ctx, key, encoded)...)
	}
}
