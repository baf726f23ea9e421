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
	codePayloadTooLarge      port.Code = "PAYLOAD_TOO_LARGE"
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

func statusOf(e *port.Error) int {
	switch e.Code {
	case port.CodeNotFound, codeUnknownKind, codeUnknownRoute:
		return http.StatusNotFound
	case port.CodeAlreadyExists, port.CodeETagMismatch:
		return http.StatusPreconditionFailed
	case port.CodePreconditionRequired:
		return http.StatusPreconditionRequired
	case port.CodeFailedPrecondition:
		return http.StatusConflict
	case port.CodeInvalidArgument:
		if errors.Is(e.Err, errUnprocessable) || len(e.Violations) > 0 {
			return http.StatusUnprocessableEntity
		}
		return http.StatusBadRequest
	case port.CodeUnavailable:
		return http.StatusServiceUnavailable
	case port.CodeRegistryError:
		return http.StatusBadGateway
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case codePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case codeUnauthenticated:
		return http.StatusUnauthorized
	case codePermissionDenied:
		return http.StatusForbidden
	case codeRateLimited:
		return http.StatusTooManyRequests
	case port.CodeStoreFull:
		return http.StatusInsufficientStorage
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
	writeJSON(w, "application/problem+json", p.Status, p)
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
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(out.Len()))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader has gone: nobody is left to tell
}
