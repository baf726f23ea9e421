// Package envelope is the one Terraform resource behind every kind: create, read,
// update, delete, import and the plan hook, over the vocabulary's schema and the
// control plane's one client. A kind adds hooks only for what it alone does.
package envelope

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Hooks is what one kind does differently.
type Hooks struct {
	// PlanDelete judges a deletion, also the one in a replacement, by the object
	// as it was last applied.
	PlanDelete func(state cty.Value, object string) diag.Diagnostics
	// KeepOnDelete reports that destroying the resource leaves the object where
	// it is.
	KeepOnDelete func(state cty.Value) bool
}

// New returns the constructor of the resource for a kind.
func New(kind *spec.Kind, hooks Hooks) func() resource.Resource {
	return func() resource.Resource { return &Resource{kind: kind, hooks: hooks} }
}

// Resource is a Terraform resource for one kind.
type Resource struct {
	kind  *spec.Kind
	hooks Hooks
	data  *Data
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithIdentity       = (*Resource)(nil)
	_ resource.ResourceWithUpgradeState   = (*Resource)(nil)
)

// Keys of the private state, which Terraform keeps beside the state and shows to
// nobody.
const (
	// privateETag is the revision that was last read or written.
	privateETag = "etag"
	// privateStore is the store the object lives in.
	privateStore = "store"
	// privateRequest is the idempotency key that added the object, while the control
	// plane has not been told that its answer is kept.
	privateRequest = "request"
	// privateReview is what the review of the object found, and at which revision.
	privateReview = "review"
)

// Metadata names the resource.
func (r *Resource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = r.kind.TerraformType()
}

// Schema is the vocabulary's own.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.kind.Schema
	resp.Schema.Version = r.kind.SchemaVersion()
}

// UpgradeState takes a state that an earlier version of the kind's schema wrote through
// the steps from there on.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	out := map[int64]resource.StateUpgrader{}
	for version := range r.kind.SchemaVersion() {
		out[version] = resource.StateUpgrader{StateUpgrader: func(_ context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
			upgraded, err := r.kind.UpgradeJSON(version, req.RawState.JSON)
			if err != nil {
				resp.Diagnostics.AddError("Cannot read the state of "+r.kind.TerraformType(), err.Error()+"\n\nThe state is as it was. Fix: use the version of the provider that wrote it, and report this.")
				return
			}
			resp.DynamicValue = &tfprotov6.DynamicValue{JSON: upgraded}
		}}
	}
	return out
}

// Configure takes what the provider made of its configuration.
func (r *Resource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.configure(req.ProviderData, &resp.Diagnostics)
}

func (r *Resource) configure(providerData any, diags *diag.Diagnostics) {
	if data := DataOf(providerData, diags); data != nil {
		r.data = data
	}
}

// ValidateConfig reports every value that can never be valid. No server is needed
// and rules do not speak here.
func (r *Resource) ValidateConfig(_ context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	v, ok := r.read(&resp.Diagnostics, req.Config.Raw)
	if !ok {
		return
	}
	v = r.kind.ApplyDefaults(v)
	for _, finding := range r.kind.Check(v) {
		addFinding(&resp.Diagnostics, finding, true, describe(r.kind, v), "")
	}
}

// Create puts a new object into the control plane.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx, cancel := r.data.Limited(ctx)
	defer cancel()
	planned, ok := r.read(&resp.Diagnostics, req.Plan.Raw)
	if !ok || !r.ready(&resp.Diagnostics) {
		return
	}
	name := describe(r.kind, planned)
	if r.kind.Numbered != "" {
		r.add(ctx, resp, planned, name)
		return
	}
	written, ok := r.withSecrets(&resp.Diagnostics, planned, req.Config.Raw, cty.NilVal)
	if !ok {
		return
	}
	id, body, ok := r.encode(&resp.Diagnostics, written, name)
	if !ok {
		return
	}
	object, err := r.data.Client.Create(ctx, r.kind.Name, id, body)
	if client.IsAlreadyExists(err) {
		object, ok = r.adopt(ctx, &resp.Diagnostics, planned, id, body, name)
		if !ok {
			return
		}
	} else if err != nil {
		AddClientError(&resp.Diagnostics, r.kind, name, "create", err)
		return
	}
	kept, memory := r.confirm(&resp.Diagnostics, planned, body, object, name, true)
	r.save(ctx, &resp.Diagnostics, &resp.State, resp.Private, kept, object, memory)
	resp.Diagnostics.Append(r.identifyAs(ctx, resp.Identity, object.ID)...)
}

// add creates an object that the control plane numbers.
func (r *Resource) add(ctx context.Context, resp *resource.CreateResponse, planned cty.Value, name string) {
	parent, ok := r.kind.Parent(planned)
	if !ok {
		resp.Diagnostics.AddError("Cannot create "+name, "What it belongs to is not known. This is a bug in the provider: please report it.")
		return
	}
	body, err := r.kind.EncodeJSON(planned)
	if err != nil {
		resp.Diagnostics.AddError("Cannot create "+name, err.Error())
		return
	}
	key, err := r.data.requestKey(ctx, r.kind.Name, parent, body)
	if err != nil {
		AddClientError(&resp.Diagnostics, r.kind, name, "create", err)
		return
	}
	object, err := r.data.Client.Add(ctx, r.kind.Name, parent, key, body)
	if err != nil {
		AddClientError(&resp.Diagnostics, r.kind, name, "create", err)
		return
	}
	kept, memory := r.confirm(&resp.Diagnostics, planned, body, object, name, true)
	r.save(ctx, &resp.Diagnostics, &resp.State, resp.Private, kept, object, memory)
	setPrivate(ctx, &resp.Diagnostics, resp.Private, privateRequest, key)
	resp.Diagnostics.Append(r.identifyAs(ctx, resp.Identity, object.ID)...)
}

// acknowledge tells the control plane that the state has an object that was added, so
// that the same declaration adds another one from now on. It reports whether it told
// so; a control plane that cannot be told is told next time.
func (r *Resource) acknowledge(ctx context.Context, private privateState, state tftypes.Value) bool {
	if readPrivate[string](ctx, private, privateRequest) == "" || r.data == nil || r.data.Client == nil {
		return false
	}
	id, _, ok := r.identify(state)
	return ok && r.data.Client.Acknowledge(ctx, r.kind.Name, id) == nil
}

// adopt is for a create whose answer was lost, by a dropped connection or a killed
// process: the object is there, and nothing says that we made it. The same
// declared body is taken for ours; anything else is somebody's.
func (r *Resource) adopt(ctx context.Context, diags *diag.Diagnostics, planned cty.Value, id string, body json.RawMessage, name string) (*client.Object, bool) {
	object, err := r.data.Client.Get(ctx, r.kind.Name, id)
	if err != nil {
		AddClientError(diags, r.kind, name, "create", err)
		return nil, false
	}
	existing, err := r.kind.DecodeJSON(object.Attributes)
	if err != nil || !r.sameDeclaration(existing, planned) {
		diags.AddError("Cannot create "+name, fmt.Sprintf(
			"The control plane has a %s named %s already, and what it declares differs from this configuration.\n\nFix: bring it under Terraform's control with\n\n    terraform import %s.NAME %q\n\n(NAME is the resource's name in your configuration) and review the plan, or choose another name.",
			r.kind.Name, id, r.kind.TerraformType(), id))
		return nil, false
	}
	if existing.RawEquals(r.kind.Ungiven(planned)) {
		return object, true
	}
	// Only computed attributes differ: write ours, so that the next plan is empty.
	object, err = r.data.Client.Update(ctx, r.kind.Name, id, object.ETag, body)
	if err != nil {
		AddClientError(diags, r.kind, name, "create", err)
		return nil, false
	}
	return object, true
}

// Read refreshes the state from the control plane. Data files are never read here.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx, cancel := r.data.Limited(ctx)
	defer cancel()
	id, uid, ok := r.identify(req.State.Raw)
	if !ok {
		resp.Diagnostics.AddError("Cannot read "+r.kind.TerraformType(), "The state does not say which object it is. This is a bug in the provider: please report it.")
		return
	}
	// Also of an object that is gone or cannot be read: the framework asks for it even then.
	resp.Diagnostics.Append(r.identifyAs(ctx, resp.Identity, id)...)
	if r.data == nil || r.data.Client == nil {
		return // the provider has warned that its configuration is not known yet
	}
	object, err := r.fetch(ctx, id)
	if err == nil && r.acknowledge(ctx, req.Private, req.State.Raw) {
		setPrivate(ctx, &resp.Diagnostics, resp.Private, privateRequest, "")
	}
	if err == nil && object.ETag == r.etag(ctx, req.Private) && object.UID == uid {
		return // the state was written from this very revision
	}
	state, ok := r.read(&resp.Diagnostics, req.State.Raw)
	if !ok {
		return
	}
	name := describe(r.kind, state)
	if client.IsNotFound(err) {
		r.warnIfStoreIsAnother(ctx, req, resp, name)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		AddClientError(&resp.Diagnostics, r.kind, name, "read", err)
		return
	}
	found, ok := r.decode(&resp.Diagnostics, object, name)
	if !ok {
		return
	}
	if uid := state.GetAttr(spec.AttributeUID); uid.IsKnown() && !uid.IsNull() && uid.AsString() != object.UID {
		resp.Diagnostics.AddWarning("Re-created outside Terraform: "+name, fmt.Sprintf("Somebody deleted this %s and created another one of the same name since Terraform last saw it. The plan compares with the new one.", r.kind.Name))
	}
	r.save(ctx, &resp.Diagnostics, &resp.State, resp.Private, found, object, nil)
}

// decode reads what the control plane keeps of an object.
func (r *Resource) decode(diags *diag.Diagnostics, object *client.Object, name string) (cty.Value, bool) {
	found, err := r.kind.DecodeJSON(object.Attributes)
	if err != nil {
		diags.AddError("Cannot read "+name, "The control plane's answer does not fit this version of the provider: "+err.Error()+"\n\nFix: use the version of the provider that wrote it, or a later one.")
	}
	return found, err == nil
}

// withIdentity fills in what the control plane alone decides.
func (r *Resource) withIdentity(v cty.Value, object *client.Object) (cty.Value, error) {
	given, err := r.kind.Given(object.ID, object.UID)
	if err != nil {
		return v, fmt.Errorf("the control plane's answer names no such object: %w", err)
	}
	return spec.Overlay(v, given), nil
}

// warnIfStoreIsAnother says so when an object is missing because the whole store
// is: a database that was moved or deleted must not pass for deleted objects.
func (r *Resource) warnIfStoreIsAnother(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse, name string) {
	known := readPrivate[string](ctx, req.Private, privateStore)
	if known == "" {
		return
	}
	store, err := r.data.Client.Store(ctx)
	if err != nil || store.ID == known {
		return
	}
	what := "is another one than the one this object was created in"
	if store.ID == "" {
		what = "is empty: the database it was created in is gone"
	}
	resp.Diagnostics.AddWarning("The control plane's store has changed: "+name, fmt.Sprintf(
		"The store %s, so the plan would create the object anew.\n\nFix: if the database file was moved or the working directory is another, set `path` in the provider's configuration (or MLOPS_PATH) to where it is. If it is really lost, apply to create everything again.", what))
}

// Update changes an object, provided that nobody else has changed it since it was
// read.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx, cancel := r.data.Limited(ctx)
	defer cancel()
	planned, ok := r.read(&resp.Diagnostics, req.Plan.Raw)
	if !ok || !r.ready(&resp.Diagnostics) {
		return
	}
	name := describe(r.kind, planned)
	prior, ok := r.read(&resp.Diagnostics, req.State.Raw)
	if !ok {
		return
	}
	written, ok := r.withSecrets(&resp.Diagnostics, planned, req.Config.Raw, prior)
	if !ok {
		return
	}
	id, body, ok := r.encode(&resp.Diagnostics, written, name)
	if !ok {
		return
	}
	object, err := r.data.Client.Update(ctx, r.kind.Name, id, r.etag(ctx, req.Private), body)
	if err != nil {
		AddClientError(&resp.Diagnostics, r.kind, name, "update", err)
		return
	}
	kept, memory := r.confirm(&resp.Diagnostics, planned, body, object, name, false)
	r.save(ctx, &resp.Diagnostics, &resp.State, resp.Private, kept, object, memory)
	resp.Diagnostics.Append(r.identifyAs(ctx, resp.Identity, object.ID)...)
}

// Delete removes an object from the control plane, as far as its kind allows.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx, cancel := r.data.Limited(ctx)
	defer cancel()
	state, ok := r.read(&resp.Diagnostics, req.State.Raw)
	if !ok || !r.ready(&resp.Diagnostics) {
		return
	}
	name := describe(r.kind, state)
	if r.hooks.PlanDelete != nil {
		// The plan hook has judged this already, except where Terraform made no plan
		// of it: after a failed apply, or for a replacement that it chose itself.
		resp.Diagnostics.Append(r.hooks.PlanDelete(state, name)...)
		if resp.Diagnostics.HasError() {
			return
		}
	}
	if r.hooks.KeepOnDelete != nil && r.hooks.KeepOnDelete(state) {
		return
	}
	id, ok := r.kind.ID(state)
	if !ok {
		return
	}
	etag, err := r.etag(ctx, req.Private), error(nil)
	if etag == "" {
		// Terraform plans the replacement of a tainted object without its private state.
		var object *client.Object
		if object, err = r.data.Client.Get(ctx, r.kind.Name, id); err == nil {
			if uid := state.GetAttr(spec.AttributeUID); !uid.IsNull() && uid.AsString() != object.UID {
				resp.Diagnostics.AddError("Cannot delete "+name, fmt.Sprintf("The %s was deleted and created anew outside Terraform, and deleting it would delete somebody else's.\n\nFix: plan again with a refresh, and review what the new plan shows.", r.kind.Name))
				return
			}
			etag = object.ETag
		}
	}
	if err == nil {
		err = r.data.Client.Delete(ctx, r.kind.Name, id, etag)
	}
	if err != nil && !client.IsNotFound(err) {
		AddClientError(&resp.Diagnostics, r.kind, name, "delete", err)
	}
}

// ImportState takes the name path, as an id or as an identity; the read that follows
// fills in the rest.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	id := req.ID
	if id == "" && req.Identity != nil {
		var ok bool
		if id, _, ok = r.identify(req.Identity.Raw); !ok {
			resp.Diagnostics.AddError("Cannot import "+r.kind.TerraformType(), "The identity is not complete.\n\nFix: set "+joined(r.kind.Key)+".")
			return
		}
	}
	key, err := r.kind.ParseID(id)
	if err != nil {
		resp.Diagnostics.AddError("Cannot import "+r.kind.TerraformType(), err.Error())
		return
	}
	empty := map[string]cty.Value{}
	for name, ty := range r.kind.Type().AttributeTypes() {
		empty[name] = cty.NullVal(ty)
	}
	resp.State.Raw, err = fromCty(r.kind, spec.Overlay(cty.ObjectVal(empty), key), r.kind.Schema.Type().TerraformType(ctx))
	if err != nil {
		resp.Diagnostics.AddError("Cannot import "+r.kind.TerraformType(), err.Error()+"\n\nThis is a bug in the provider: please report it.")
	}
	resp.Diagnostics.Append(r.identifyAs(ctx, resp.Identity, id)...)
}

func joined(names []string) string { return strings.Join(names, " and ") }

// read turns a plan, state or configuration into the vocabulary's form.
func (r *Resource) read(diags *diag.Diagnostics, raw tftypes.Value) (cty.Value, bool) {
	v, err := toCty(r.kind, raw)
	if err != nil {
		diags.AddError("Cannot read "+r.kind.TerraformType(), err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return cty.NilVal, false
	}
	return v, true
}

// ready reports whether there is a control plane to talk to.
func (r *Resource) ready(diags *diag.Diagnostics) bool { return r.data.Ready(diags) }

func (r *Resource) encode(diags *diag.Diagnostics, v cty.Value, name string) (string, json.RawMessage, bool) {
	id, ok := r.kind.ID(v)
	if !ok {
		diags.AddError("Cannot write "+name, "Its name is not known. This is a bug in the provider: please report it.")
		return "", nil, false
	}
	body, err := r.kind.EncodeJSON(v)
	if err != nil {
		diags.AddError("Cannot write "+name, err.Error())
		return "", nil, false
	}
	return id, body, true
}

// sameDeclaration compares what people declare; computed attributes follow from it.
func (r *Resource) sameDeclaration(a, b cty.Value) bool {
	for name := range r.kind.Type().AttributeTypes() {
		if !r.kind.IsComputed(name) && !a.GetAttr(name).RawEquals(b.GetAttr(name)) {
			return false
		}
	}
	return true
}

// save writes the state: what was planned or found, with what the control plane
// alone decides. Apply keeps the plan; it fills in only what was unknown. A memory is
// that of the review of v.
func (r *Resource) save(ctx context.Context, diags *diag.Diagnostics, state *tfsdk.State, kept privateState, v cty.Value, object *client.Object, memory *review.Memory) {
	v, err := r.withIdentity(v, object)
	if err != nil {
		diags.AddError("Cannot write the state of "+describe(r.kind, v), err.Error())
		return
	}
	raw, err := fromCty(r.kind, v, r.kind.Schema.Type().TerraformType(ctx))
	if err != nil {
		diags.AddError("Cannot write the state of "+describe(r.kind, v), err.Error()+"\n\nThis is a bug in the provider: please report it.")
		return
	}
	state.Raw = raw
	private := map[string]any{privateETag: object.ETag, privateStore: r.data.storeID(ctx)}
	if memory != nil {
		private[privateReview] = keptReview{ETag: object.ETag, Memory: memory}
	}
	for key, value := range private {
		setPrivate(ctx, diags, kept, key, value)
	}
}

// Family returns the constructors of all resources of a family, with the hooks of
// those kinds that have any.
func Family(family string, hooks map[string]Hooks) []func() resource.Resource {
	var out []func() resource.Resource
	for _, kind := range spec.All() {
		if kind.Family == family {
			out = append(out, New(kind, hooks[kind.Name]))
		}
	}
	return out
}
