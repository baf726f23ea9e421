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

// Registry keeps registered models, versions and aliases in MLflow. Descriptions,
// declared tags, sources and runs, and where an alias points, are MLflow's own,
// visible in its UI and to its clients; tags that others set stay. Everything that
// was declared, computed and evaluated is kept word for word in tags whose names
// begin with "mlops.".
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
func (r *Registry) Get(ctx context.Context, ref port.Ref) (port.Object, error) {
	switch ref.Kind {
	case port.ModelVersion:
		v, err := r.readVersion(ctx, ref)
		if err != nil {
			return port.Object{}, err
		}
		return v.object()
	case port.ModelAlias:
		_, o, err := r.readAlias(ctx, ref)
		return o, err
	}
	m, err := r.read(ctx, ref.ID)
	if err != nil {
		return port.Object{}, err
	}
	return m.object()
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
	m, err := r.whole(answer.Model)
	if err == nil && m.Name != name {
		err = r.another(name, m.Name)
	}
	return m, err
}

// another refuses an answer about something else than was asked for: a database that
// does not tell upper from lower case gives one.
func (r *Registry) another(asked, got string) error {
	return r.server.refused(nil, "%s was asked for %s, and answered about %s. Use the name as MLflow has it.", r.server.shown, strconv.Quote(shorten(asked)), strconv.Quote(shorten(got)))
}

// whole refuses an answer that is JSON and no model.
func (r *Registry) whole(m *registeredModel) (*registeredModel, error) {
	if m == nil || m.Name == "" {
		return nil, r.server.refused(nil, "%s answered without a registered model. Is the tracking URI right?", r.server.shown)
	}
	return m, nil
}

// List implements port.Registry. MLflow leaves prompts out, and pages by offset:
// what is made or deleted meanwhile may shift the next page.
func (r *Registry) List(ctx context.Context, kind, model string, page port.PageRequest) (port.Page, error) {
	switch kind {
	case port.ModelVersion:
		return r.listVersions(ctx, model, page)
	case port.ModelAlias:
		return r.listAliases(ctx, model, page)
	}
	models, next, err := r.search(ctx, page)
	if err != nil {
		return port.Page{}, err
	}
	out := port.Page{Next: next, Objects: make([]port.Object, 0, len(models))}
	for _, m := range models {
		o, err := m.object()
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

// search is a page of the registered models by name.
func (r *Registry) search(ctx context.Context, page port.PageRequest) ([]*registeredModel, string, error) {
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
		return nil, "", err
	}
	for _, m := range answer.Models {
		if _, err := r.whole(m); err != nil {
			return nil, "", err
		}
	}
	if answer.Next != "" && answer.Next == page.Token {
		return nil, "", r.server.refused(nil, "%s gives the same page of models again.", r.server.shown)
	}
	return answer.Models, answer.Next, nil
}

// Ready implements port.Registry.
func (r *Registry) Ready(ctx context.Context) error {
	return r.server.call(ctx, http.MethodGet, "/registered-models/search", url.Values{"max_results": {"1"}}, nil, nil)
}

// Put implements port.Registry.
func (r *Registry) Put(ctx context.Context, w port.Write) (port.Object, error) {
	if w.Kind == port.ModelAlias {
		return r.putAlias(ctx, w)
	}
	want, err := declaredIn(w.Attributes)
	if err != nil {
		return port.Object{}, err
	}
	if w.Kind == port.ModelVersion {
		return r.putVersion(ctx, w, want)
	}
	if w.If.Creates() {
		return r.create(ctx, w, want)
	}
	m, err := r.read(ctx, w.ID)
	if err != nil {
		return port.Object{}, err
	}
	current, err := m.object()
	if err != nil {
		return port.Object{}, err
	}
	if err := w.If.Check(w.Ref, &current); err != nil {
		return port.Object{}, err
	}
	err = r.update(ctx, change{
		place: modelPlace(w.ID), ref: w.Ref, key: attributesTag, document: envelope{Generation: current.Generation + 1, Attributes: w.Attributes},
		want: want, description: m.Description, have: m.Tags.byKey(),
	})
	if err != nil {
		return port.Object{}, err
	}
	return r.Get(ctx, w.Ref)
}

// declaredIn reads what MLflow itself has of the attributes.
func declaredIn(attributes json.RawMessage) (declared, error) {
	var want declared
	if err := json.Unmarshal(attributes, &want); err != nil {
		return want, &port.Error{Code: port.CodeInvalidArgument, Err: err, Detail: "The attributes have a description that is no text, or tags that are no map of texts."}
	}
	for key := range want.Tags {
		if strings.HasPrefix(key, "mlops.") || strings.HasPrefix(key, "mlflow.") {
			return want, &port.Error{
				Code:       port.CodeInvalidArgument,
				Detail:     fmt.Sprintf("the tag %q cannot be set in MLflow: names that begin with mlops. or mlflow. are reserved.", key),
				Violations: []port.Violation{{Path: fmt.Sprintf("tags[%q]", key), Detail: "the name is reserved", Fix: "Choose another name for the tag."}},
			}
		}
	}
	return want, nil
}

// create makes the model with all its tags in one request. Where the answer to
// it is lost, the next attempt finds a model that already exists; only its
// attributes tell whose it is.
func (r *Registry) create(ctx context.Context, w port.Write, want declared) (port.Object, error) {
	tags, err := pack(attributesTag, envelope{Generation: 1, Attributes: w.Attributes})
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
			if _, notAModel := m.object(); notAModel != nil {
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
	return m.object()
}

// step is one request of an update; MLflow has none that changes all at once.
type step struct {
	what string
	run  func() error
}

// place is where MLflow's API changes an object's description and tags.
type place struct {
	// path begins the addresses of the requests, and base names the object in them.
	path string
	base map[string]string
}

func modelPlace(name string) place {
	return place{"/registered-models", map[string]string{"name": name}}
}

func versionPlace(name, number string) place {
	return place{"/model-versions", map[string]string{"name": name, "version": number}}
}

func (p place) with(more ...string) map[string]string {
	body := maps.Clone(p.base)
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return body
}

// change is what an update brings about.
type change struct {
	place
	ref port.Ref
	// key is the tag of the document.
	key      string
	document envelope
	// want and description are what is declared, and what MLflow has; equal for an
	// alias, which has neither description nor tags.
	want        declared
	description string
	have        map[string]string
	// last comes after everything else but the removal of old pieces.
	last []step
}

// update brings an object to what is wanted, sending only what differs. The tag
// that decides which document is true comes after everything it speaks of; the
// pieces of the old document go last.
func (r *Registry) update(ctx context.Context, c change) error {
	var managed declared
	if before, ok := unpack(c.key, c.have); ok {
		_ = json.Unmarshal(before.Attributes, &managed) // checked by unpack; else nothing was managed
	}
	document, err := pack(c.key, c.document)
	if err != nil {
		return err
	}
	var steps []step
	if c.want.description() != c.description {
		steps = append(steps, step{"the description", func() error {
			return r.server.call(ctx, http.MethodPatch, c.path+"/update", nil, c.with("description", c.want.description()), nil)
		}})
	}
	unset := func(key string) step { return r.unset(ctx, c.place, key) }
	set := func(t tag) {
		if current, ok := c.have[t.Key]; ok && current == t.Value {
			return
		}
		steps = append(steps, step{"the tag " + strconv.Quote(t.Key), func() error {
			return r.server.call(ctx, http.MethodPost, c.path+"/set-tag", nil, c.with("key", t.Key, "value", t.Value), nil)
		}})
	}
	for _, key := range slices.Sorted(maps.Keys(managed.Tags)) {
		_, wanted := c.want.Tags[key]
		if _, there := c.have[key]; there && !wanted {
			steps = append(steps, unset(key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.want.Tags)) {
		set(tag{key, c.want.Tags[key]})
	}
	keep := map[string]bool{}
	for _, t := range document {
		set(t)
		keep[t.Key] = true
	}
	steps = append(steps, c.last...)
	for _, key := range slices.Sorted(maps.Keys(c.have)) {
		if strings.HasPrefix(key, c.key+".") && !keep[key] {
			steps = append(steps, unset(key))
		}
	}
	return r.take(c.ref, steps)
}

// unset removes a tag.
func (r *Registry) unset(ctx context.Context, p place, key string) step {
	return step{"removing the tag " + strconv.Quote(key), func() error {
		return r.server.call(ctx, http.MethodDelete, p.path+"/delete-tag", nil, p.with("key", key), nil)
	}}
}

// take takes the steps in order, up to the first that fails.
func (r *Registry) take(ref port.Ref, steps []step) error {
	for i, s := range steps {
		if err := s.run(); err != nil {
			return partial(ref, steps, i, err)
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
	switch d.Kind {
	case port.ModelVersion:
		return r.deleteVersion(ctx, d)
	case port.ModelAlias:
		return r.deleteAlias(ctx, d)
	}
	m, err := r.read(ctx, d.ID)
	if err != nil {
		return port.Object{}, err
	}
	current, err := m.object()
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
	if filter, ok := nameFilter(m.Name); ok {
		versions, next, err := r.searchVersions(ctx, url.Values{"filter": {filter}, "max_results": {strconv.Itoa(most)}})
		if err == nil && len(versions) > 0 {
			count, more = len(versions), next != ""
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
