package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Codes that only the HTTP surface gives. Note that neither an unknown kind nor
// an unknown route is NOT_FOUND: only a missing object is, because clients
// forget objects on that code.
const (
	codeUnknownKind          port.Code = "UNKNOWN_KIND"
	codeUnknownRoute         port.Code = "UNKNOWN_ROUTE"
	codeMethodNotAllowed     port.Code = "METHOD_NOT_ALLOWED"
	codeNotAcceptable        port.Code = "NOT_ACCEPTABLE"
	codePayloadTooLarge      port.Code = "PAYLOAD_TOO_LARGE"
	codeBatchFull            port.Code = "BATCH_FULL"
	codeUnsupportedMediaType port.Code = "UNSUPPORTED_MEDIA_TYPE"
	codeUnauthenticated      port.Code = "UNAUTHENTICATED"
	codePermissionDenied     port.Code = "PERMISSION_DENIED"
	codeRateLimited          port.Code = "RATE_LIMITED"
	codeInternal             port.Code = "INTERNAL"
)

// problem is an RFC 9457 answer. Its type is about:blank, so that `code` alone
// says what happened.
type problem struct {
	Title      string           `json:"title"`
	Status     int              `json:"status"`
	Code       port.Code        `json:"code"`
	Detail     string           `json:"detail"`
	Violations []port.Violation `json:"field_violations,omitempty"`
	Blocking   []port.Ref       `json:"blocking,omitempty"`

	retryAfter time.Duration
}

// statuses has every code that an answer can have. INVALID_ARGUMENT is 422 where
// attributes are at fault.
var statuses = map[port.Code]int{
	port.CodeNotFound:             http.StatusNotFound,
	port.CodeAlreadyExists:        http.StatusPreconditionFailed,
	port.CodeETagMismatch:         http.StatusPreconditionFailed,
	port.CodePreconditionRequired: http.StatusPreconditionRequired,
	port.CodeFailedPrecondition:   http.StatusConflict,
	port.CodeKeyReused:            http.StatusUnprocessableEntity,
	port.CodeInvalidArgument:      http.StatusBadRequest,
	port.CodeUnavailable:          http.StatusServiceUnavailable,
	port.CodeStoreUnusable:        http.StatusInternalServerError,
	port.CodeRegistryError:        http.StatusBadGateway,
	codeUnknownKind:               http.StatusNotFound,
	codeUnknownRoute:              http.StatusNotFound,
	codeMethodNotAllowed:          http.StatusMethodNotAllowed,
	codeNotAcceptable:             http.StatusNotAcceptable,
	codePayloadTooLarge:           http.StatusRequestEntityTooLarge,
	codeBatchFull:                 http.StatusRequestEntityTooLarge,
	codeUnsupportedMediaType:      http.StatusUnsupportedMediaType,
	codeUnauthenticated:           http.StatusUnauthorized,
	codePermissionDenied:          http.StatusForbidden,
	codeRateLimited:               http.StatusTooManyRequests,
	port.CodeStoreFull:            http.StatusInsufficientStorage,
	codeInternal:                  http.StatusInternalServerError,
}

func statusOf(e *port.Error) int {
	if e.Code == port.CodeInvalidArgument && (errors.Is(e.Err, errUnprocessable) || len(e.Violations) > 0) {
		return http.StatusUnprocessableEntity
	}
	if status, ok := statuses[e.Code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// problemOf turns any error into an answer. What is not an error of the port is
// a fault of ours: it is logged, and not shown.
func problemOf(err error) problem {
	e, ok := errors.AsType[*port.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = &port.Error{Code: port.CodeUnavailable, Detail: "The request was given up before it was done. Read the object before you try again.", RetryAfter: time.Second}
	default:
		e = &port.Error{Code: codeInternal, Detail: "The control plane failed in a way it does not know. Its log has the error."}
	}
	status := statusOf(e)
	return problem{
		Title: http.StatusText(status), Status: status, Code: e.Code, Detail: e.Detail,
		Violations: e.Violations, Blocking: e.Blocking, retryAfter: e.RetryAfter,
	}
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	if recorder, ok := w.(*statusRecorder); ok {
		recorder.code = p.Code
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Code == codeUnauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mlops"`)
	}
	writeJSON(w, mediaProblem, p.Status, p)
}

// writeJSON writes documents as they are kept: without escaping characters that
// only matter inside HTML.
func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(err) // recovered by the handler, before anything was written
	}
	write(w, contentType, status, out.Bytes())
}

func write(w http.ResponseWriter, contentType string, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader has gone: nobody is left to tell
}
