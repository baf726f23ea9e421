package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

const (
	// MaxBodyBytes is the largest request body; larger ones are 413.
	MaxBodyBytes = 4 << 20
	// MaxBatch is the most references in one batchGet.
	MaxBatch = 1000
	// defaultPageSize is used where the request names none.
	defaultPageSize = 100
	// maxActorLength bounds the name in Mlops-Actor, in bytes.
	maxActorLength = 200

	mediaJSON    = "application/json"
	mediaProblem = "application/problem+json"
	mediaYAML    = "application/yaml"
)

// NewHandler is the HTTP API over a service, which spec/openapi.yaml describes.
// Errors are problem+json with a stable `code`.
func NewHandler(service *Service) http.Handler {
	return observe(newHandler(service, service.log), service.log, nil)
}

func newHandler(service *Service, log *slog.Logger) *handler {
	h := &handler{service: service, log: log}
	h.table = h.routes()
	return h
}

type handler struct {
	service *Service
	log     *slog.Logger
	table   []route
}

// endpoint answers a request; names are the ones in its address, in order.
type endpoint func(w http.ResponseWriter, r *http.Request, names []string) error

// route is one address of the API.
type route struct {
	// path is the address as the OpenAPI document writes it; {name} stands for
	// one name, percent-escaped by itself.
	path string
	// endpoints are what can be done there, by method. HEAD comes with GET.
	endpoints map[string]endpoint
	// media is what a success is answered in; empty is JSON.
	media string
}

// routes is every address there is. TestTheDocumentAndTheHandlerAgree fails where
// it and spec/openapi.yaml do not say the same.
func (h *handler) routes() []route {
	routes := []route{
		{path: "/healthz", endpoints: map[string]endpoint{http.MethodGet: h.health}},
		{path: "/readyz", endpoints: map[string]endpoint{http.MethodGet: h.ready}},
		{path: "/v1/openapi.yaml", endpoints: map[string]endpoint{http.MethodGet: h.openAPI}, media: mediaYAML},
		{path: "/v1/store", endpoints: map[string]endpoint{http.MethodGet: h.store}},
		{path: "/v1/audit", endpoints: map[string]endpoint{http.MethodGet: h.audit}},
		{path: "/v1/events", endpoints: map[string]endpoint{http.MethodGet: h.events}},
		{path: "/v1/resources:batchGet", endpoints: map[string]endpoint{http.MethodPost: h.batchGet}},
	}
	for _, kind := range spec.All() {
		routes = append(routes, h.routesOf(kind)...)
	}
	return routes
}

// routesOf is what every kind has: a list, and objects by name. Where the control
// plane numbers the objects, they are listed and added under what they belong to, and
// what was added is acknowledged; aliases have a history.
func (h *handler) routesOf(kind *spec.Kind) []route {
	list := "/v1/" + kind.Name
	of := func(do func(w http.ResponseWriter, r *http.Request, ref port.Ref) error) endpoint {
		return func(w http.ResponseWriter, r *http.Request, names []string) error {
			ref := port.Ref{Kind: kind.Name, ID: strings.Join(names, "/")}
			if err := CheckRef(ref); err != nil {
				return err
			}
			return do(w, r, ref)
		}
	}
	key := "/{" + strings.Join(kind.Key, "}/{") + "}"
	routes := []route{
		{path: list, endpoints: map[string]endpoint{
			http.MethodGet: func(w http.ResponseWriter, r *http.Request, _ []string) error { return h.list(w, r, kind.Name, "") },
		}},
		{path: list + key, endpoints: map[string]endpoint{
			http.MethodGet: of(h.get), http.MethodPut: of(h.put), http.MethodDelete: of(h.delete),
		}},
	}
	if kind.Numbered != "" {
		under := strings.TrimSuffix(key, "/{"+kind.Numbered+"}")
		in := func(do func(w http.ResponseWriter, r *http.Request, kind, model string) error) endpoint {
			return func(w http.ResponseWriter, r *http.Request, names []string) error {
				return do(w, r, kind.Name, strings.Join(names, "/"))
			}
		}
		routes = append(routes,
			route{path: list + under, endpoints: map[string]endpoint{http.MethodGet: in(h.list), http.MethodPost: in(h.add)}},
			route{path: "/v1/unacknowledged/" + kind.Name + under, endpoints: map[string]endpoint{http.MethodGet: in(h.unacknowledged)}},
			route{path: "/v1/unacknowledged/" + kind.Name + key, endpoints: map[string]endpoint{http.MethodDelete: of(h.acknowledge)}})
	}
	if kind.Name == port.ModelAlias {
		routes = append(routes, route{path: list + key + "/history", endpoints: map[string]endpoint{http.MethodGet: of(h.history)}})
	}
	return routes
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		switch code := problemOf(err).Code; code {
		case codeInternal, port.CodeStoreUnusable, port.CodeStoreFull, port.CodeRegistryError:
			h.log.ErrorContext(r.Context(), "request failed", "request_id", port.CallerOf(r.Context()).RequestID,
				"method", r.Method, "path", r.URL.Path, "code", string(code), "error", err, "cause", errors.Unwrap(err))
		}
		writeProblem(w, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	at, names, err := h.find(r)
	if err != nil {
		return err
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	do, ok := at.endpoints[method]
	if !ok {
		methods := slices.Collect(maps.Keys(at.endpoints))
		if slices.Contains(methods, http.MethodGet) {
			methods = append(methods, http.MethodHead)
		}
		slices.Sort(methods)
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		return &port.Error{Code: codeMethodNotAllowed, Detail: fmt.Sprintf("%s is not possible on %s, only %s.", quote(r.Method), quote(r.URL.Path), allowed)}
	}
	media := at.media
	if media == "" {
		media = mediaJSON
	}
	if given := r.Header.Values("Accept"); !accepts(given, media) {
		return &port.Error{Code: codeNotAcceptable, Detail: fmt.Sprintf("The answer would be %s, and the request accepts only %s.", media, quote(strings.Join(given, ", ")))}
	}
	return do(w, r, names)
}

// find looks the address up as it was escaped, so that an escaped slash stays
// inside its name. It does not use http.ServeMux, which cleans and redirects.
func (h *handler) find(r *http.Request) (route, []string, error) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for _, candidate := range h.table {
		names, ok := match(strings.Split(candidate.path, "/"), segments)
		if !ok {
			continue
		}
		for i, name := range names {
			unescaped, err := url.PathUnescape(name)
			if err != nil || unescaped == "" || strings.Contains(unescaped, "/") {
				return route{}, nil, badName(r)
			}
			names[i] = unescaped
		}
		return candidate, names, nil
	}
	return route{}, nil, unknown(r, segments)
}

// match holds the segments of an address against those of a route's path, and
// returns the ones that stand where the path has {name}.
func match(path, segments []string) (names []string, ok bool) {
	if len(path) != len(segments) {
		return nil, false
	}
	for i, segment := range segments {
		switch {
		case strings.HasPrefix(path[i], "{"):
			names = append(names, segment)
		case path[i] != segment:
			return nil, false
		}
	}
	return names, true
}

func badName(r *http.Request) error {
	return invalid("The path %s has a name that is empty, has a slash in it or is escaped wrongly. Escape each name by itself.", quote(r.URL.Path))
}

// unknown says what is wrong with an address that no route has.
func unknown(r *http.Request, segments []string) error {
	if len(segments) < 3 || segments[1] != "v1" || segments[2] == "" {
		return &port.Error{Code: codeUnknownRoute, Detail: fmt.Sprintf("There is nothing at %s. The API is under /v1/; is the endpoint right?", quote(r.URL.Path))}
	}
	names := make([]string, 0, len(segments))
	for _, segment := range segments[2:] {
		name, err := url.PathUnescape(segment)
		if err != nil || name == "" || strings.Contains(name, "/") {
			return badName(r)
		}
		names = append(names, name)
	}
	if err := CheckRef(port.Ref{Kind: names[0], ID: strings.Join(names[1:], "/")}); err != nil {
		return err
	}
	return &port.Error{Code: codeUnknownRoute, Detail: fmt.Sprintf("There is nothing at %s.", quote(r.URL.Path))}
}

// accepts reports whether the header Accept, as it was given, lets an answer be of
// a media type (RFC 9110, section 12.5.1). The most specific range counts.
func accepts(given []string, media string) bool {
	if len(given) == 0 {
		return true
	}
	family, _, _ := strings.Cut(media, "/")
	best, quality := -1, 0.0
	for part := range strings.SplitSeq(strings.Join(given, ","), ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := slices.Index([]string{"*/*", family + "/*", media}, name)
		q, err := strconv.ParseFloat(parameters["q"], 64)
		if parameters["q"] == "" || err != nil {
			q = 1
		}
		if specific > best || specific == best && q > quality {
			best, quality = specific, q
		}
	}
	return best >= 0 && quality > 0
}

// object is an object as the API shows it.
type object struct {
	Kind       string          `json:"kind"`
	ID         string          `json:"id"`
	UID        string          `json:"uid"`
	Generation int64           `json:"generation"`
	ETag       string          `json:"etag"`
	CreatedAt  time.Time       `json:"created_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
	Attributes json.RawMessage `json:"attributes"`
}

func show(o port.Object) *object {
	return &object{
		Kind: o.Kind, ID: o.ID, UID: o.UID, Generation: o.Generation, ETag: o.ETag,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, Attributes: o.Attributes,
	}
}

func writeObject(w http.ResponseWriter, status int, o port.Object) {
	w.Header().Set("ETag", o.ETag)
	writeJSON(w, mediaJSON, status, show(o))
}

func writeOK(w http.ResponseWriter, body any) {
	writeJSON(w, mediaJSON, http.StatusOK, body)
}

func (h *handler) get(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	o, err := h.service.Get(r.Context(), ref)
	if err != nil {
		return err
	}
	known, err := knows(r, o.ETag)
	if err != nil {
		return err
	}
	if known {
		w.Header().Set("ETag", o.ETag)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeObject(w, http.StatusOK, o)
	return nil
}

func (h *handler) put(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	allow, err := precondition(r, true)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	attributes, err := readAttributes(w, r)
	if err != nil {
		return err
	}
	o, err := h.service.Put(by(r), ref, attributes, allow, key.of(attributes))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if allow.Creates() {
		status = http.StatusCreated
	}
	writeObject(w, status, o)
	return nil
}

// add makes an object that the control plane numbers.
func (h *handler) add(w http.ResponseWriter, r *http.Request, kind, model string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	attributes, err := readAttributes(w, r)
	if err != nil {
		return err
	}
	o, err := h.service.Add(by(r), kind, model, attributes, key.of(attributes))
	if err != nil {
		return err
	}
	address := "/v1/" + kind
	for name := range strings.SplitSeq(o.ID, "/") {
		address += "/" + url.PathEscape(name)
	}
	w.Header().Set("Location", address)
	writeObject(w, http.StatusCreated, o)
	return nil
}

// unacknowledged lists what was added and whose caller has not said that it has the
// answer.
func (h *handler) unacknowledged(w http.ResponseWriter, r *http.Request, kind, model string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	found, err := h.service.Unacknowledged(r.Context(), kind, model)
	if err != nil {
		return err
	}
	type added struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
		Key  string `json:"idempotency_key"`
	}
	items := make([]added, len(found))
	for i, a := range found {
		items[i] = added{a.Kind, a.ID, a.Key}
	}
	writeOK(w, struct {
		Items []added `json:"items"`
	}{items})
	return nil
}

// acknowledge takes note that the caller has the answer to an addition.
func (h *handler) acknowledge(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	if err := h.service.Acknowledge(r.Context(), ref); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// history lists the moves of an alias, newest first.
func (h *handler) history(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	query, err := parameters(r, "before", "page_size")
	if err != nil {
		return err
	}
	before, err := wholeNumber(query, "before", math.MaxInt64, "from 1, the seq of the oldest move you have")
	if err == nil && before == 0 {
		err = invalid("before is the seq of the oldest move you have, a whole number from 1, not 0.")
	}
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	found, err := h.service.Moves(r.Context(), ref, before, size)
	if err != nil {
		return err
	}
	type moved struct {
		Seq    int64     `json:"seq"`
		At     time.Time `json:"at"`
		Who    string    `json:"who,omitempty"`
		From   int64     `json:"from,omitempty"`
		To     int64     `json:"to,omitempty"`
		Reason string    `json:"reason,omitempty"`
	}
	items := make([]moved, len(found))
	for i, m := range found {
		items[i] = moved(m)
	}
	writeOK(w, struct {
		Items []moved `json:"items"`
	}{items})
	return nil
}

// by is the context of a request that writes, with who says to have sent it. It is
// for people who read a history; what may be done, the token decides.
//
// Where there are tokens, it is the token's name: that, nobody can make up.
func by(r *http.Request) context.Context {
	if name := port.CallerOf(r.Context()).Name; name != "" {
		return port.WithActor(r.Context(), name)
	}
	who := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return -1
		}
		return c
	}, r.Header.Get("Mlops-Actor"))
	return port.WithActor(r.Context(), strings.ToValidUTF8(who[:min(len(who), maxActorLength)], ""))
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	var known []string
	if ref.Kind == port.RegisteredModel {
		known = append(known, "cascade")
	}
	query, err := parameters(r, known...)
	if err != nil {
		return err
	}
	cascade := query.Get("cascade") == "true"
	if !cascade && query.Has("cascade") && query.Get("cascade") != "false" {
		return invalid("cascade is true or false, not %s.", quote(query.Get("cascade")))
	}
	allow, err := precondition(r, false)
	if err != nil {
		return err
	}
	if err := h.service.Delete(by(r), ref, cascade, allow); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, kind, model string) error {
	query, err := parameters(r, "page_size", "page_token")
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	page, err := h.service.List(r.Context(), kind, model, port.PageRequest{Size: size, Token: query.Get("page_token")})
	if err != nil {
		return err
	}
	items := make([]*object, len(page.Objects))
	for i, o := range page.Objects {
		items[i] = show(o)
	}
	writeOK(w, struct {
		Items []*object `json:"items"`
		Next  string    `json:"next_page_token,omitempty"`
	}{items, page.Next})
	return nil
}

func (h *handler) batchGet(w http.ResponseWriter, r *http.Request, _ []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	members, err := readBody(w, r, "refs")
	if err != nil {
		return err
	}
	refs, err := readRefs(members["refs"])
	if err != nil {
		return err
	}
	if len(refs) > MaxBatch {
		return invalid("A batch has at most %d references, this one has %d. Ask in several.", MaxBatch, len(refs))
	}
	items, err := h.service.BatchGet(r.Context(), refs)
	if err != nil {
		return err
	}
	type result struct {
		Kind   string   `json:"kind"`
		ID     string   `json:"id"`
		Status int      `json:"status"`
		Object *object  `json:"object,omitempty"`
		Error  *problem `json:"error,omitempty"`
	}
	results := make([]result, len(items))
	for i, item := range items {
		results[i] = result{Kind: item.Ref.Kind, ID: item.Ref.ID, Status: http.StatusOK}
		if item.Err != nil {
			p := problemOf(item.Err)
			results[i].Status, results[i].Error = p.Status, &p
		} else {
			results[i].Object = show(item.Object)
		}
	}
	writeOK(w, struct {
		Results []result `json:"results"`
	}{results})
	return nil
}

func (h *handler) store(w http.ResponseWriter, r *http.Request, _ []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	info, err := h.service.Store(r.Context())
	if err != nil {
		return err
	}
	writeOK(w, info)
	return nil
}

// openAPI is the description of the API that this program was built with.
func (h *handler) openAPI(w http.ResponseWriter, r *http.Request, _ []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	write(w, mediaYAML, http.StatusOK, spec.OpenAPI)
	return nil
}

func (h *handler) health(w http.ResponseWriter, _ *http.Request, _ []string) error {
	writeOK(w, map[string]string{"status": "ok"})
	return nil
}

// ready names no path and no address: it answers without a token.
func (h *handler) ready(w http.ResponseWriter, r *http.Request, _ []string) error {
	if err := h.service.Ready(r.Context()); err != nil {
		h.log.ErrorContext(r.Context(), "not ready", "error", err)
		return &port.Error{Code: port.CodeUnavailable, Detail: "A store cannot answer; the control plane's log says which and why.", RetryAfter: 5 * time.Second}
	}
	writeOK(w, map[string]string{"status": "ok"})
	return nil
}

// readAttributes reads the body of a write: an object's attributes, as compact JSON.
func readAttributes(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	members, err := readBody(w, r, "attributes")
	if err != nil {
		return nil, err
	}
	var attributes bytes.Buffer
	if err := json.Compact(&attributes, members["attributes"]); err != nil || !bytes.HasPrefix(attributes.Bytes(), []byte("{")) {
		return nil, invalid(`"attributes" must be an object.`)
	}
	return attributes.Bytes(), nil
}

// readRefs reads a list of references. encoding/json alone would take null for
// one, and "KIND" for "kind".
func readRefs(data json.RawMessage) ([]port.Ref, error) {
	const form = `"refs" must be a list of {"kind": "...", "id": "..."}`
	var list []map[string]any
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return nil, invalid(form + ".")
	}
	refs := make([]port.Ref, len(list))
	for i, members := range list {
		kind, hasKind := members["kind"].(string)
		id, hasID := members["id"].(string)
		if !hasKind || !hasID || len(members) != 2 {
			return nil, invalid(form+": the element %d is something else.", i)
		}
		refs[i] = port.Ref{Kind: kind, ID: id}
	}
	return refs, nil
}

// readBody reads a JSON object with exactly one member of the given name.
func readBody(w http.ResponseWriter, r *http.Request, member string) (map[string]json.RawMessage, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != mediaJSON {
			return nil, &port.Error{Code: codeUnsupportedMediaType, Detail: fmt.Sprintf("The body must be %s, not %s.", mediaJSON, quote(given))}
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &port.Error{Code: codePayloadTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", MaxBodyBytes)}
	}
	if err != nil {
		return nil, invalid("The body ended early.")
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, invalid("The body must be an object with the member %q.", member)
	}
	for name := range members {
		if name != member {
			return nil, invalid("The body has a member %s; it has only %q. Everything else is the server's to say.", quote(name), member)
		}
	}
	if _, ok := members[member]; !ok {
		return nil, invalid("The body must be an object with the member %q.", member)
	}
	return members, nil
}

// parameters returns the query, and refuses names that the route does not know:
// a misspelt parameter must not pass for its absence.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query string is malformed.")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, invalid("There is no query parameter %s here.", quote(name))
		}
		if len(values) > 1 {
			return nil, invalid("The query parameter %s is there %d times.", quote(name), len(values))
		}
	}
	return query, nil
}

func pageSize(query url.Values) (int, error) {
	size, err := wholeNumber(query, "page_size", defaultPageSize, fmt.Sprintf("from 1 to %d: the most to answer with", port.MaxPageSize))
	if err == nil && size == 0 {
		err = invalid("page_size is a whole number from 1 to %d, not 0.", port.MaxPageSize)
	}
	return int(min(size, port.MaxPageSize)), err
}

// precondition reads If-Match and If-None-Match. One of them is required: a
// write that does not say what it replaces would undo other people's.
func precondition(r *http.Request, creates bool) (port.Precondition, error) {
	match, noneMatch := strings.Join(r.Header.Values("If-Match"), ","), strings.Join(r.Header.Values("If-None-Match"), ",")
	switch {
	case match != "" && noneMatch != "":
		return port.Precondition{}, invalid("If-Match and If-None-Match exclude each other.")
	case noneMatch != "" && !creates:
		return port.Precondition{}, invalid("If-None-Match makes no sense here. Send If-Match with the ETag of the object.")
	case noneMatch != "" && strings.TrimSpace(noneMatch) != "*":
		return port.Precondition{}, invalid("If-None-Match can only be *, which creates.")
	case noneMatch != "":
		return port.IfAbsent(), nil
	case strings.TrimSpace(match) == "*":
		return port.IfPresent(), nil
	case match != "":
		tags, err := entityTags("If-Match", match, false)
		if err != nil {
			return port.Precondition{}, err
		}
		return port.IfMatch(tags...), nil
	case creates:
		return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-None-Match: * to create the object, or If-Match with its ETag to replace the revision that you have read."}
	}
	return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-Match with the ETag of the revision that you have read."}
}

// knows reports whether the reader has this revision already, by If-None-Match.
func knows(r *http.Request, etag string) (bool, error) {
	given := strings.TrimSpace(strings.Join(r.Header.Values("If-None-Match"), ","))
	if given == "*" {
		return true, nil
	}
	tags, err := entityTags("If-None-Match", given, true)
	return slices.Contains(tags, etag), err
}

// entityTags splits a list of entity tags. A read compares weakly, and takes weak
// tags for what they are about; they never match a write (RFC 9110, section 13.1).
func entityTags(header, list string, takeWeak bool) ([]string, error) {
	var tags []string
	for rest := strings.Trim(list, " \t,"); rest != ""; {
		strong, weak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(strong, `"`) {
			return nil, invalid("%s must be * or entity tags in double quotes, not %s.", header, quote(list))
		}
		end := strings.IndexByte(strong[1:], '"')
		if end < 0 {
			return nil, invalid("%s has an entity tag without its closing quote: %s.", header, quote(list))
		}
		if !weak || takeWeak {
			tags = append(tags, strong[:end+2])
		}
		after := strings.TrimLeft(strong[end+2:], " \t")
		rest = strings.TrimLeft(after, " \t,")
		if rest != "" && after == rest {
			return nil, invalid("%s has entity tags without a comma between them: %s.", header, quote(list))
		}
	}
	return tags, nil
}
