package controlplane

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

const (
	// MaxBodyBytes is the largest request body; larger ones are 413.
	MaxBodyBytes = 4 << 20
	// MaxBatch is the most references in one batchGet.
	MaxBatch = 1000
	// defaultPageSize is used where the request names none.
	defaultPageSize = 100
)

// NewHandler is the HTTP API over a service:
//
//	PUT    /v1/{kind}/{name path}    create (If-None-Match: *) or replace (If-Match: "etag")
//	GET    /v1/{kind}/{name path}
//	DELETE /v1/{kind}/{name path}    If-Match; ?cascade=true for registered models
//	GET    /v1/{kind}                ?page_size=&page_token=
//	POST   /v1/resources:batchGet    {"refs": [{"kind", "id"}]}
//	GET    /v1/events                ?after=&page_size=
//	GET    /v1/audit                 ?after=&page_size=
//	GET    /v1/store
//	GET    /healthz, /readyz
//
// Each name of a path is percent-escaped by itself. Errors are problem+json with
// a stable `code`.
func NewHandler(service *Service) http.Handler {
	return observe(&handler{service: service, log: service.log}, service.log, nil)
}

type handler struct {
	service *Service
	log     *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.route(w, r); err != nil {
		switch code := problemOf(err).Code; code {
		case codeInternal, port.CodeStoreUnusable, port.CodeStoreFull, port.CodeRegistryError:
			h.log.ErrorContext(r.Context(), "request failed", "request_id", port.CallerOf(r.Context()).RequestID,
				"method", r.Method, "path", r.URL.Path, "code", string(code), "error", err, "cause", errors.Unwrap(err))
		}
		writeProblem(w, err)
	}
}

// route finds the endpoint by the escaped path, so that an escaped slash stays
// inside its name. It does not use http.ServeMux, which cleans and redirects.
func (h *handler) route(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.EscapedPath() {
	case "/healthz":
		return only(w, r, map[string]endpoint{http.MethodGet: h.health})
	case "/readyz":
		return only(w, r, map[string]endpoint{http.MethodGet: h.ready})
	case "/v1/store":
		return only(w, r, map[string]endpoint{http.MethodGet: h.store})
	case "/v1/events":
		return only(w, r, map[string]endpoint{http.MethodGet: h.events})
	case "/v1/audit":
		return only(w, r, map[string]endpoint{http.MethodGet: h.audit})
	case "/v1/resources:batchGet":
		return only(w, r, map[string]endpoint{http.MethodPost: h.batchGet})
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/")
	if !ok || rest == "" {
		return &port.Error{Code: codeUnknownRoute, Detail: fmt.Sprintf("There is nothing at %s. The API is under /v1/; is the endpoint right?", quote(r.URL.Path))}
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		name, err := url.PathUnescape(segment)
		if err != nil || name == "" || strings.Contains(name, "/") {
			return invalid("The path %s has a name that is empty, has a slash in it or is escaped wrongly. Escape each name by itself.", quote(r.URL.Path))
		}
		segments[i] = name
	}
	kind := segments[0]
	if _, err := kindOf(kind); err != nil {
		return err
	}
	if len(segments) == 1 {
		return only(w, r, map[string]endpoint{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error { return h.list(w, r, kind) }})
	}
	ref := port.Ref{Kind: kind, ID: strings.Join(segments[1:], "/")}
	if err := CheckRef(ref); err != nil {
		return err
	}
	return only(w, r, map[string]endpoint{
		http.MethodGet:    func(w http.ResponseWriter, r *http.Request) error { return h.get(w, r, ref) },
		http.MethodPut:    func(w http.ResponseWriter, r *http.Request) error { return h.put(w, r, ref) },
		http.MethodDelete: func(w http.ResponseWriter, r *http.Request) error { return h.delete(w, r, ref) },
	})
}

type endpoint func(w http.ResponseWriter, r *http.Request) error

func only(w http.ResponseWriter, r *http.Request, endpoints map[string]endpoint) error {
	if serve, ok := endpoints[r.Method]; ok {
		return serve(w, r)
	}
	var methods []string
	for method := range endpoints {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	allowed := strings.Join(methods, ", ")
	w.Header().Set("Allow", allowed)
	return &port.Error{Code: codeMethodNotAllowed, Detail: fmt.Sprintf("%s is not possible on %s, only %s.", quote(r.Method), quote(r.URL.Path), allowed)}
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
	writeJSON(w, "application/json", status, show(o))
}

func writeOK(w http.ResponseWriter, body any) {
	writeJSON(w, "application/json", http.StatusOK, body)
}

func (h *handler) get(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	o, err := h.service.Get(r.Context(), ref)
	if err != nil {
		return err
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
	members, err := readBody(w, r, "attributes")
	if err != nil {
		return err
	}
	var attributes bytes.Buffer
	if err := json.Compact(&attributes, members["attributes"]); err != nil || !bytes.HasPrefix(attributes.Bytes(), []byte("{")) {
		return invalid(`"attributes" must be an object.`)
	}
	o, err := h.service.Put(r.Context(), ref, attributes.Bytes(), allow)
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

func (h *handler) delete(w http.ResponseWriter, r *http.Request, ref port.Ref) error {
	query, err := parameters(r, "cascade")
	if err != nil {
		return err
	}
	cascade := query.Get("cascade") == "true"
	if !cascade && query.Get("cascade") != "" && query.Get("cascade") != "false" {
		return invalid("cascade is true or false, not %s.", quote(query.Get("cascade")))
	}
	allow, err := precondition(r, false)
	if err != nil {
		return err
	}
	if err := h.service.Delete(r.Context(), ref, cascade, allow); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, kind string) error {
	query, err := parameters(r, "page_size", "page_token")
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	page, err := h.service.List(r.Context(), kind, port.PageRequest{Size: size, Token: query.Get("page_token")})
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

func (h *handler) batchGet(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	members, err := readBody(w, r, "refs")
	if err != nil {
		return err
	}
	var refs []port.Ref
	decoder := json.NewDecoder(bytes.NewReader(members["refs"]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&refs); err != nil {
		return invalid(`"refs" must be a list of {"kind": "...", "id": "..."}: %v.`, err)
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

func (h *handler) events(w http.ResponseWriter, r *http.Request) error {
	after, size, err := position(r)
	if err != nil {
		return err
	}
	found, err := h.service.Events(r.Context(), after, size)
	if err != nil {
		return err
	}
	type event struct {
		Seq        int64     `json:"seq"`
		At         time.Time `json:"at"`
		Action     string    `json:"action"`
		Kind       string    `json:"kind"`
		ID         string    `json:"id"`
		UID        string    `json:"uid"`
		Generation int64     `json:"generation"`
		Actor      string    `json:"actor,omitempty"`
	}
	items, next := make([]event, len(found)), after
	for i, e := range found {
		items[i] = event{e.Seq, e.At, e.Action, e.Kind, e.ID, e.UID, e.Generation, e.Actor}
		next = e.Seq
	}
	writeOK(w, struct {
		Items []event `json:"items"`
		// Next is what to pass as after next time, also where nothing is new.
		Next int64 `json:"next_after"`
	}{items, next})
	return nil
}

// position reads what a reader of a sequence has, and how much more it wants.
func position(r *http.Request) (after int64, size int, err error) {
	query, err := parameters(r, "after", "page_size")
	if err != nil {
		return 0, 0, err
	}
	if text := query.Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, invalid("after is the seq of the last entry you have, not %s.", quote(text))
		}
	}
	size, err = pageSize(query)
	return after, size, err
}

func (h *handler) store(w http.ResponseWriter, r *http.Request) error {
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

func (h *handler) health(w http.ResponseWriter, _ *http.Request) error {
	writeOK(w, map[string]string{"status": "ok"})
	return nil
}

// ready names no path and no address: it answers without a token.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) error {
	if err := h.service.Ready(r.Context()); err != nil {
		h.log.ErrorContext(r.Context(), "not ready", "error", err)
		return &port.Error{Code: port.CodeUnavailable, Detail: "A store cannot answer; the control plane's log says which and why.", RetryAfter: 5 * time.Second}
	}
	writeOK(w, map[string]string{"status": "ok"})
	return nil
}

// readBody reads a JSON object with exactly one member of the given name.
func readBody(w http.ResponseWriter, r *http.Request, member string) (map[string]json.RawMessage, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
			return nil, &port.Error{Code: codeUnsupportedMediaType, Detail: fmt.Sprintf("The body must be application/json, not %s.", quote(given))}
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
	text := query.Get("page_size")
	if text == "" {
		return defaultPageSize, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 1 {
		return 0, invalid("page_size is a number from 1 to %d, not %s.", port.MaxPageSize, quote(text))
	}
	return min(size, port.MaxPageSize), nil
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
		tags, err := entityTags(match)
		if err != nil {
			return port.Precondition{}, err
		}
		return port.IfMatch(tags...), nil
	case creates:
		return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-None-Match: * to create the object, or If-Match with its ETag to replace the revision that you have read."}
	}
	return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-Match with the ETag of the revision that you have read."}
}

// entityTags splits a list of entity tags. Weak ones are left out: they never
// match a write (RFC 9110, section 13.1.1).
func entityTags(list string) ([]string, error) {
	var tags []string
	for rest := strings.TrimSpace(list); rest != ""; {
		strong, weak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(strong, `"`) {
			return nil, invalid("If-Match must be * or entity tags in double quotes, not %s.", quote(list))
		}
		end := strings.IndexByte(strong[1:], '"')
		if end < 0 {
			return nil, invalid("If-Match has an entity tag without its closing quote: %s.", quote(list))
		}
		if !weak {
			tags = append(tags, strong[:end+2])
		}
		rest = strings.TrimLeft(strong[end+2:], " \t,")
	}
	return tags, nil
}
