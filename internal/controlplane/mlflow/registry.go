package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Registry keeps registered models in MLflow. The description and the declared
// tags become MLflow's own, visible in its UI and to its clients; tags that
// others set stay. Everything that was declared, computed and evaluated is kept
// word for word in tags whose names begin with "mlops.".
//
// MLflow has neither transactions nor revisions. A revision is a digest of what
// was read, and a precondition is checked by reading again right before the
// write: a change in between, or a write that fails halfway, is possible. What
// was written then shows as a change at the next read, and writing again mends
// it.
type Registry struct{ server *transport }

var _ port.Registry = (*Registry)(nil)

// New makes a registry over an MLflow server. It does not connect.
func New(o Options) (*Registry, error) {
	server, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	return &Registry{server: server}, nil
}

// Name implements port.Registry.
func (r *Registry) Name() string { return "mlflow" }

// Transactional implements port.Registry.
func (r *Registry) Transactional() bool { return false }

// Get implements port.Registry.
func (r *Registry) Get(ctx context.Context, name string) (port.Object, error) {
	m, err := r.read(ctx, name)
	if err != nil {
		return port.Object{}, err
	}
	return object(m)
}

func (r *Registry) read(ctx context.Context, name string) (*registeredModel, error) {
	var answer struct {
		Model *registeredModel `json:"registered_model"`
	}
	err := r.server.call(ctx, http.MethodGet, "/registered-models/get", url.Values{"name": {name}}, nil, &answer)
	switch {
	case isCode(err, doesNotExist):
		return nil, port.NotFound(port.Ref{Kind: port.RegisteredModel, ID: name})
	case err != nil:
		return nil, err
	}
	return r.whole(answer.Model)
}

// whole refuses an answer that is JSON and no model.
func (r *Registry) whole(m *registeredModel) (*registeredModel, error) {
	if m == nil || m.Name == "" {
		return nil, r.server.refused(nil, "%s answered without a registered model. Is the tracking URI right?", r.server.shown)
	}
	return m, nil
}

// List implements port.Registry. MLflow leaves prompts out, and pages by offset:
// a model that is made or deleted meanwhile may shift the next page.
func (r *Registry) List(ctx context.Context, page port.PageRequest) (port.Page, error) {
	query := url.Values{
		"max_results": {strconv.Itoa(min(max(page.Size, 1), port.MaxPageSize))},
		"order_by":    {"name ASC"},
	}
	if page.Token != "" {
		query.Set("page_token", page.Token)
	}
	var answer struct {
		Models []*registeredModel `json:"registered_models"`
		Next   string             `json:"next_page_token"`
	}
	if err := r.server.call(ctx, http.MethodGet, "/registered-models/search", query, nil, &answer); err != nil {
		return port.Page{}, err
	}
	out := port.Page{Next: answer.Next, Objects: make([]port.Object, 0, len(answer.Models))}
	for _, m := range answer.Models {
		o, err := object(m)
		switch {
		case port.CodeOf(err) == port.CodeFailedPrecondition: // a prompt, from a server that lists them
		case err != nil:
			return port.Page{}, err
		default:
			out.Objects = append(out.Objects, o)
		}
	}
	return out, nil
}

// Ready implements port.Registry.
func (r *Registry) Ready(ctx context.Context) error {
	return r.server.call(ctx, http.MethodGet, "/registered-models/search", url.Values{"max_results": {"1"}}, nil, nil)
}

// Put implements port.Registry.
func (r *Registry) Put(ctx context.Context, w port.Write) (port.Object, error) {
	var want declared
	if err := json.Unmarshal(w.Attributes, &want); err != nil {
		return port.Object{}, &port.Error{Code: port.CodeInvalidArgument, Err: err, Detail: "The attributes of a registered model have a description that is no text, or tags that are no map of texts."}
	}
	for key := range want.Tags {
		if strings.HasPrefix(key, "mlops.") || strings.HasPrefix(key, "mlflow.") {
			return port.Object{}, &port.Error{
				Code:       port.CodeInvalidArgument,
				Detail:     fmt.Sprintf("the tag %q cannot be set in MLflow: names that begin with mlops. or mlflow. are reserved.", key),
				Violations: []port.Violation{{Path: fmt.Sprintf("tags[%q]", key), Detail: "the name is reserved", Fix: "Choose another name for the tag."}},
			}
		}
	}
	if w.If.Creates() {
		return r.create(ctx, w, want)
	}
	m, err := r.read(ctx, w.ID)
	if err != nil {
		return port.Object{}, err
	}
	current, err := object(m)
	if err != nil {
		return port.Object{}, err
	}
	if err := w.If.Check(w.Ref, &current); err != nil {
		return port.Object{}, err
	}
	if err := r.update(ctx, w, want, m, current.Generation+1); err != nil {
		return port.Object{}, err
	}
	return r.Get(ctx, w.ID)
}

// create makes the model with all its tags in one request. Where the answer to
// it is lost, the next attempt finds a model that already exists; only its
// attributes tell whose it is.
func (r *Registry) create(ctx context.Context, w port.Write, want declared) (port.Object, error) {
	tags, err := pack(w.Attributes, 1)
	if err != nil {
		return port.Object{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(want.Tags)) {
		tags = append(tags, tag{key, want.Tags[key]})
	}
	body := map[string]any{"name": w.ID, "tags": tags}
	if want.description() != "" {
		body["description"] = want.description()
	}
	var answer struct {
		Model *registeredModel `json:"registered_model"`
	}
	err = r.server.call(ctx, http.MethodPost, "/registered-models/create", nil, body, &answer)
	switch {
	case isCode(err, alreadyExists):
		// A prompt of the name is not what the caller would find and import.
		if m, readErr := r.read(ctx, w.ID); readErr == nil {
			if _, notAModel := object(m); notAModel != nil {
				return port.Object{}, notAModel
			}
		}
		return port.Object{}, port.AlreadyExists(w.Ref)
	case err != nil:
		return port.Object{}, err
	}
	m, err := r.whole(answer.Model)
	if err != nil {
		return port.Object{}, err
	}
	return object(m)
}

// step is one request of an update; MLflow has none that changes all at once.
type step struct {
	what string
	run  func() error
}

// update brings a model to what is wanted, sending only what differs. The tag
// that decides which document is true comes after everything it speaks of; the
// pieces of the old document go last.
func (r *Registry) update(ctx context.Context, w port.Write, want declared, m *registeredModel, generation int64) error {
	have := m.tags()
	var managed declared
	if before, ok := unpack(have); ok {
		_ = json.Unmarshal(before.Attributes, &managed) // checked by unpack; else nothing was managed
	}
	document, err := pack(w.Attributes, generation)
	if err != nil {
		return err
	}
	var steps []step
	if want.description() != m.Description {
		steps = append(steps, step{"the description", func() error {
			return r.server.call(ctx, http.MethodPatch, "/registered-models/update", nil,
				map[string]string{"name": w.ID, "description": want.description()}, nil)
		}})
	}
	unset := func(key string) step {
		return step{"removing the tag " + strconv.Quote(key), func() error {
			return r.server.call(ctx, http.MethodDelete, "/registered-models/delete-tag", nil, map[string]string{"name": w.ID, "key": key}, nil)
		}}
	}
	set := func(t tag) {
		if current, ok := have[t.Key]; ok && current == t.Value {
			return
		}
		steps = append(steps, step{"the tag " + strconv.Quote(t.Key), func() error {
			return r.server.call(ctx, http.MethodPost, "/registered-models/set-tag", nil, map[string]string{"name": w.ID, "key": t.Key, "value": t.Value}, nil)
		}})
	}
	for _, key := range slices.Sorted(maps.Keys(managed.Tags)) {
		_, wanted := want.Tags[key]
		if _, there := have[key]; there && !wanted {
			steps = append(steps, unset(key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want.Tags)) {
		set(tag{key, want.Tags[key]})
	}
	keep := map[string]bool{}
	for _, t := range document {
		set(t)
		keep[t.Key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		if strings.HasPrefix(key, partPrefix) && !keep[key] {
			steps = append(steps, unset(key))
		}
	}
	for i, s := range steps {
		if err := s.run(); err != nil {
			return partial(w.Ref, steps, i, err)
		}
	}
	return nil
}

// partial says what of an update is done. Where something is, the error is not
// one to repeat the request after: its precondition no longer holds.
func partial(ref port.Ref, steps []step, done int, err error) error {
	if isCode(err, doesNotExist) {
		err = port.NotFound(ref)
	}
	if done == 0 {
		return err
	}
	var names []string
	for _, s := range steps[:done] {
		names = append(names, s.what)
	}
	return &port.Error{
		Code: port.CodeRegistryError, Err: err,
		Detail: fmt.Sprintf("%s was changed in part, because MLflow takes one change at a time. Done: %s. Failed at %s: %v. Plan and apply again: it continues from here.",
			ref, strings.Join(names, ", "), steps[done].what, err),
	}
}

// Delete implements port.Registry. MLflow deletes a model's versions and aliases
// with it and without asking, so this asks.
func (r *Registry) Delete(ctx context.Context, d port.Delete) (port.Object, error) {
	m, err := r.read(ctx, d.ID)
	if err != nil {
		return port.Object{}, err
	}
	current, err := object(m)
	if err != nil {
		return port.Object{}, err
	}
	if err := d.If.Check(d.Ref, &current); err != nil {
		return port.Object{}, err
	}
	if !d.Cascade && len(m.Latest) > 0 {
		return port.Object{}, &port.Error{
			Code: port.CodeFailedPrecondition,
			Detail: fmt.Sprintf("registered model %q has %s in MLflow, which deletes them with the model, for good. Delete them there first, or ask for a delete that cascades.",
				d.ID, r.countVersions(ctx, m)),
		}
	}
	err = r.server.call(ctx, http.MethodDelete, "/registered-models/delete", nil, map[string]string{"name": d.ID}, nil)
	if isCode(err, doesNotExist) {
		err = nil // it was there a moment ago: gone is what was asked for
	}
	return current, err
}

// countVersions says how many versions a model has, for a message: the latest
// ones are known, the rest is asked for where MLflow's filter can name the model.
func (r *Registry) countVersions(ctx context.Context, m *registeredModel) string {
	const most = 1000
	count, more := len(m.Latest), true
	mark := "'"
	if strings.Contains(m.Name, mark) {
		mark = `"`
	}
	if !strings.Contains(m.Name, mark) {
		var answer struct {
			Versions []json.RawMessage `json:"model_versions"`
			Next     string            `json:"next_page_token"`
		}
		query := url.Values{"filter": {"name = " + mark + m.Name + mark}, "max_results": {strconv.Itoa(most)}}
		if err := r.server.call(ctx, http.MethodGet, "/model-versions/search", query, nil, &answer); err == nil && len(answer.Versions) > 0 {
			count, more = len(answer.Versions), answer.Next != ""
		}
	}
	switch {
	case more:
		return fmt.Sprintf("at least %d version(s)", count)
	case count == 1:
		return "1 version"
	}
	return fmt.Sprintf("%d versions", count)
}
