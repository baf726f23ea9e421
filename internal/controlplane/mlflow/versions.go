package mlflow

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// maxRunID is what MLflow's databases keep of a run's id.
const maxRunID = 32

// split takes a name path apart: the model, and the number or alias.
func split(ref port.Ref) (model, name string) {
	at := strings.LastIndexByte(ref.ID, '/')
	if at < 0 {
		return ref.ID, ""
	}
	return ref.ID[:at], ref.ID[at+1:]
}

func (r *Registry) readVersion(ctx context.Context, ref port.Ref) (*modelVersion, error) {
	model, number := split(ref)
	var answer struct {
		Version *modelVersion `json:"model_version"`
	}
	err := r.server.call(ctx, http.MethodGet, "/model-versions/get", url.Values{"name": {model}, "version": {number}}, nil, &answer)
	switch {
	case isCode(err, doesNotExist):
		return nil, port.NotFound(ref)
	case err != nil:
		return nil, err
	}
	v, err := r.wholeVersion(answer.Version)
	if err == nil && (v.Name != model || v.Version.String() != number) {
		err = r.another(ref.ID, v.Name+"/"+v.Version.String())
	}
	return v, err
}

// wholeVersion refuses an answer that is JSON and no version.
func (r *Registry) wholeVersion(v *modelVersion) (*modelVersion, error) {
	if v != nil && v.Name != "" {
		if number, err := v.Version.Int64(); err == nil && number > 0 {
			return v, nil
		}
	}
	return nil, r.server.refused(nil, "%s answered without a model version. Is the tracking URI right?", r.server.shown)
}

// readAlias reads an alias with its model. MLflow's own way to read one answers a
// missing alias as a mistake of the caller's, and one that points at a deleted
// version as missing.
func (r *Registry) readAlias(ctx context.Context, ref port.Ref) (*registeredModel, port.Object, error) {
	model, name := split(ref)
	m, err := r.read(ctx, model)
	if err != nil {
		if port.CodeOf(err) == port.CodeNotFound {
			err = port.NotFound(ref)
		}
		return nil, port.Object{}, err
	}
	at := slices.IndexFunc(m.Aliases, func(a alias) bool { return a.Alias == name })
	if at < 0 {
		return m, port.Object{}, port.NotFound(ref)
	}
	o, err := m.aliasObject(m.Aliases[at])
	return m, o, err
}

// listVersions is a page of versions, by model and number.
func (r *Registry) listVersions(ctx context.Context, model string, page port.PageRequest) (port.Page, error) {
	query := url.Values{
		"max_results": {strconv.Itoa(min(max(page.Size, 1), port.MaxPageSize))},
		"order_by":    {"name ASC", "version_number ASC"},
	}
	if model != "" {
		filter, ok := nameFilter(model)
		if !ok {
			return port.Page{}, &port.Error{Code: port.CodeInvalidArgument, Detail: fmt.Sprintf("the versions of %s cannot be listed by themselves: MLflow's search cannot name a model with both kinds of quotes. List all versions.", model)}
		}
		query.Set("filter", filter)
	}
	if page.Token != "" {
		query.Set("page_token", page.Token)
	}
	versions, next, err := r.searchVersions(ctx, query)
	if err != nil {
		return port.Page{}, err
	}
	out := port.Page{Next: next, Objects: make([]port.Object, 0, len(versions))}
	for _, v := range versions {
		if v, err = r.wholeVersion(v); err != nil {
			return port.Page{}, err
		}
		o, err := v.object()
		if err != nil {
			return port.Page{}, err
		}
		out.Objects = append(out.Objects, o)
	}
	return out, nil
}

func (r *Registry) searchVersions(ctx context.Context, query url.Values) ([]*modelVersion, string, error) {
	var answer struct {
		Versions []*modelVersion `json:"model_versions"`
		Next     string          `json:"next_page_token"`
	}
	err := r.server.call(ctx, http.MethodGet, "/model-versions/search", query, nil, &answer)
	return answer.Versions, answer.Next, err
}

// nameFilter names a model in MLflow's search language, which has no escapes; false
// where that cannot be done.
func nameFilter(model string) (string, bool) {
	mark := "'"
	if strings.Contains(model, mark) {
		mark = `"`
	}
	return "name = " + mark + model + mark, !strings.Contains(model, mark)
}

// listAliases is a page of aliases, by id. MLflow lists aliases only with their
// models, so every page reads them all.
func (r *Registry) listAliases(ctx context.Context, model string, page port.PageRequest) (port.Page, error) {
	after, err := base64.RawURLEncoding.DecodeString(page.Token)
	if err != nil {
		return port.Page{}, &port.Error{Code: port.CodeInvalidArgument, Detail: fmt.Sprintf("page_token %q is none of this server's. Use next_page_token of the page before.", page.Token)}
	}
	var models []*registeredModel
	if model != "" {
		m, err := r.read(ctx, model)
		if port.CodeOf(err) == port.CodeNotFound {
			return port.Page{}, nil
		}
		if err != nil {
			return port.Page{}, err
		}
		models = append(models, m)
	}
	for token := ""; model == ""; {
		part, next, err := r.search(ctx, port.PageRequest{Size: port.MaxPageSize, Token: token})
		if err != nil {
			return port.Page{}, err
		}
		models = append(models, part...)
		if token = next; token == "" {
			break
		}
	}
	var all []port.Object
	for _, m := range models {
		for _, a := range m.Aliases {
			o, err := m.aliasObject(a)
			if err != nil {
				return port.Page{}, err
			}
			if o.ID > string(after) {
				all = append(all, o)
			}
		}
	}
	slices.SortFunc(all, func(a, b port.Object) int { return strings.Compare(a.ID, b.ID) })
	size := min(max(page.Size, 1), port.MaxPageSize)
	if len(all) <= size {
		return port.Page{Objects: all}, nil
	}
	return port.Page{Objects: all[:size], Next: base64.RawURLEncoding.EncodeToString([]byte(all[size-1].ID))}, nil
}

// Add implements port.Registry. MLflow knows no idempotency keys, and takes a create
// that is sent again for another version: so the version carries its key from the
// moment it is made, and is looked for before it is made, and again after each answer
// that was lost.
func (r *Registry) Add(ctx context.Context, a port.Addition) (port.Object, error) {
	want, err := declaredIn(a.Attributes)
	if err != nil {
		return port.Object{}, err
	}
	var own struct {
		Source string  `json:"source"`
		RunID  *string `json:"run_id"`
	}
	if err := json.Unmarshal(a.Attributes, &own); err != nil {
		return port.Object{}, &port.Error{Code: port.CodeInvalidArgument, Err: err, Detail: "The attributes have a source or a run_id that is no text."}
	}
	if own.RunID != nil && len(*own.RunID) > maxRunID {
		return port.Object{}, &port.Error{
			Code:       port.CodeInvalidArgument,
			Detail:     fmt.Sprintf("run_id %q has %d characters; a run of MLflow has %d.", *own.RunID, len(*own.RunID), maxRunID),
			Violations: []port.Violation{{Path: "run_id", Detail: "this is no run of MLflow", Fix: "Write the id of a run in MLflow, or leave it out and keep yours in a tag."}},
		}
	}
	if known, err := r.addedBefore(ctx, a); err != nil || known != nil {
		return deref(known), err
	}
	m, err := r.read(ctx, a.Model)
	if port.CodeOf(err) == port.CodeNotFound {
		return port.Object{}, port.ModelMissing(port.Ref{Kind: a.Kind, ID: a.Model}, a.Model)
	}
	if err != nil {
		return port.Object{}, err
	}
	if _, err := m.object(); err != nil {
		return port.Object{}, err // a prompt
	}
	document, err := pack(attributesTag, envelope{Generation: 1, Attributes: a.Attributes})
	if err != nil {
		return port.Object{}, err
	}
	document = append(document, tag{requestTag, a.Once.Key})
	for _, key := range slices.Sorted(maps.Keys(want.Tags)) {
		document = append(document, tag{key, want.Tags[key]})
	}
	body := map[string]any{"name": a.Model, "source": own.Source, "tags": document}
	if own.RunID != nil {
		body["run_id"] = *own.RunID
	}
	if want.description() != "" {
		body["description"] = want.description()
	}
	for attempt := 1; ; attempt++ {
		var answer struct {
			Version *modelVersion `json:"model_version"`
		}
		err := r.server.call(single(ctx), http.MethodPost, "/model-versions/create", nil, body, &answer)
		switch {
		case err == nil:
			v, err := r.wholeVersion(answer.Version)
			if err != nil {
				return port.Object{}, err
			}
			return v.object()
		case isCode(err, doesNotExist):
			return port.Object{}, port.ModelMissing(port.Ref{Kind: a.Kind, ID: a.Model}, a.Model)
		case port.CodeOf(err) != port.CodeUnavailable || attempt > retries:
			return port.Object{}, err
		}
		select {
		case <-ctx.Done():
			return port.Object{}, ctx.Err()
		case <-time.After(time.Duration(attempt) * minWait):
		}
		if known, err := r.addedBefore(ctx, a); err != nil || known != nil {
			return deref(known), err
		}
	}
}

func deref(o *port.Object) port.Object {
	if o == nil {
		return port.Object{}
	}
	return *o
}

// addedBefore finds the version that an earlier attempt of the same request made, or
// nil.
func (r *Registry) addedBefore(ctx context.Context, a port.Addition) (*port.Object, error) {
	versions, err := r.carryKeys(ctx, a.Model)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		tags := v.Tags.byKey()
		if tags[requestTag] != a.Once.Key {
			continue
		}
		if e, managed := unpack(attributesTag, tags); managed && e.Generation == 1 && string(e.Attributes) != string(a.Attributes) {
			return nil, port.KeyReused(a.Once)
		}
		o, err := v.object()
		return &o, err
	}
	return nil, nil
}

// carryKeys lists the versions of a model that still carry an idempotency key, oldest
// first, among the newest thousand. What is older than an idempotency key lives has
// nobody who would ask for it again.
func (r *Registry) carryKeys(ctx context.Context, model string) ([]*modelVersion, error) {
	query := url.Values{"max_results": {strconv.Itoa(port.MaxPageSize)}, "order_by": {"version_number DESC"}}
	if filter, ok := nameFilter(model); ok {
		query.Set("filter", filter)
	}
	versions, _, err := r.searchVersions(ctx, query)
	if err != nil {
		return nil, err
	}
	var out []*modelVersion
	for _, v := range versions {
		if v, err = r.wholeVersion(v); err != nil {
			return nil, err
		}
		// A copy of a version takes its tags along, to another model.
		if v.Name == model && v.Tags.byKey()[requestTag] != "" && time.Since(time.UnixMilli(v.Created)) < port.OnceFor {
			out = append(out, v)
		}
	}
	slices.Reverse(out)
	return out, nil
}

// Unacknowledged implements port.Registry.
func (r *Registry) Unacknowledged(ctx context.Context, kind, model string) ([]port.Added, error) {
	versions, err := r.carryKeys(ctx, model)
	if err != nil {
		return nil, err
	}
	var out []port.Added
	for _, v := range versions {
		out = append(out, port.Added{Ref: port.Ref{Kind: kind, ID: v.Name + "/" + v.Version.String()}, Key: v.Tags.byKey()[requestTag]})
	}
	return out, nil
}

// Acknowledge implements port.Registry.
func (r *Registry) Acknowledge(ctx context.Context, ref port.Ref) error {
	model, number := split(ref)
	err := r.unset(ctx, versionPlace(model, number), requestTag).run()
	if isCode(err, doesNotExist) {
		return nil
	}
	return err
}

func (r *Registry) putVersion(ctx context.Context, w port.Write, want declared) (port.Object, error) {
	v, err := r.readVersion(ctx, w.Ref)
	if err != nil {
		return port.Object{}, err
	}
	current, err := v.object()
	if err != nil {
		return port.Object{}, err
	}
	if err := w.If.Check(w.Ref, &current); err != nil {
		return port.Object{}, err
	}
	err = r.update(ctx, change{
		place: versionPlace(v.Name, v.Version.String()), ref: w.Ref, key: attributesTag,
		document: envelope{Generation: current.Generation + 1, Attributes: w.Attributes},
		want:     want, description: v.Description, have: v.Tags.byKey(),
	})
	if err != nil {
		return port.Object{}, err
	}
	return r.Get(ctx, w.Ref)
}

// deleteVersion asks first who points at the version: MLflow would leave an alias
// that leads nowhere.
func (r *Registry) deleteVersion(ctx context.Context, d port.Delete) (port.Object, error) {
	v, err := r.readVersion(ctx, d.Ref)
	if err != nil {
		return port.Object{}, err
	}
	current, err := v.object()
	if err != nil {
		return port.Object{}, err
	}
	if err := d.If.Check(d.Ref, &current); err != nil {
		return port.Object{}, err
	}
	m, err := r.read(ctx, v.Name)
	if err != nil {
		return port.Object{}, err
	}
	var aliases []port.Ref
	for _, a := range m.Aliases {
		if a.Version == v.Version {
			aliases = append(aliases, port.Ref{Kind: port.ModelAlias, ID: m.Name + "/" + a.Alias})
		}
	}
	if len(aliases) > 0 {
		return port.Object{}, port.PointedAt(d.Ref, aliases)
	}
	err = r.server.call(ctx, http.MethodDelete, "/model-versions/delete", nil, versionPlace(v.Name, v.Version.String()).base, nil)
	if isCode(err, doesNotExist) {
		err = nil // it was there a moment ago: gone is what was asked for
	}
	return current, err
}

// putAlias keeps the document with the model, and then moves the alias in one
// request: until that has happened, the alias is where it was.
func (r *Registry) putAlias(ctx context.Context, w port.Write) (port.Object, error) {
	m, current, err := r.readAlias(ctx, w.Ref)
	exists := err == nil
	switch {
	case err != nil && port.CodeOf(err) != port.CodeNotFound:
		return port.Object{}, err
	case m == nil && w.If.Creates():
		return port.Object{}, port.ModelMissing(w.Ref, w.Model)
	case m == nil:
		return port.Object{}, err
	}
	before := &current
	if !exists {
		before = nil
	}
	if err := w.If.Check(w.Ref, before); err != nil {
		return port.Object{}, err
	}
	if _, err := m.object(); err != nil {
		return port.Object{}, err // a prompt
	}
	version := port.Ref{Kind: port.ModelVersion, ID: port.VersionID(w.Model, w.Version)}
	if _, err := r.readVersion(ctx, version); port.CodeOf(err) == port.CodeNotFound {
		return port.Object{}, port.VersionMissing(w.Ref, version)
	} else if err != nil {
		return port.Object{}, err
	}
	now := time.Now().UTC().UnixMilli()
	document := envelope{Generation: 1, Attributes: w.Attributes, UID: uuid.NewString(), Created: now, Updated: now}
	if exists {
		document.Generation, document.UID, document.Created = current.Generation+1, current.UID, current.CreatedAt.UnixMilli()
	}
	_, name := split(w.Ref)
	number := strconv.FormatInt(w.Version, 10)
	err = r.update(ctx, change{
		place: modelPlace(m.Name), ref: w.Ref, key: aliasTag + name, document: document, have: m.Tags.byKey(),
		last: []step{{"moving the alias to version " + number, func() error {
			return r.server.call(ctx, http.MethodPost, "/registered-models/alias", nil, map[string]string{"name": m.Name, "alias": name, "version": number}, nil)
		}}},
	})
	if err != nil {
		return port.Object{}, err
	}
	return r.Get(ctx, w.Ref)
}

func (r *Registry) deleteAlias(ctx context.Context, d port.Delete) (port.Object, error) {
	m, current, err := r.readAlias(ctx, d.Ref)
	if err != nil {
		return port.Object{}, err
	}
	if err := d.If.Check(d.Ref, &current); err != nil {
		return port.Object{}, err
	}
	_, name := split(d.Ref)
	steps := []step{{"deleting the alias", func() error {
		return r.server.call(ctx, http.MethodDelete, "/registered-models/alias", nil, map[string]string{"name": m.Name, "alias": name}, nil)
	}}}
	key := aliasTag + name
	for _, t := range m.Tags {
		if t.Key == key || strings.HasPrefix(t.Key, key+".") {
			steps = append(steps, r.unset(ctx, modelPlace(m.Name), t.Key))
		}
	}
	return current, r.take(d.Ref, steps)
}
