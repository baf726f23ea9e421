package controlplane

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

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
