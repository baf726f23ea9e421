package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
)

// The codes that callers decide by. The control plane has more; all are stable.
const (
	CodeNotFound           = "NOT_FOUND"
	CodeAlreadyExists      = "ALREADY_EXISTS"
	CodeETagMismatch       = "ETAG_MISMATCH"
	CodeFailedPrecondition = "FAILED_PRECONDITION"
	CodeInvalidArgument    = "INVALID_ARGUMENT"
	CodeUnavailable        = "UNAVAILABLE"
)

// Error is an answer of the control plane, or of something in its place, that
// is not a success.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the control plane's, or empty where it was not the control plane
	// that answered.
	Code string
	// Detail says what is wrong and the smallest change that helps.
	Detail string
	// FieldViolations are the attributes at fault.
	FieldViolations []Violation
	// Blocking are the objects that stand in the way.
	Blocking []Ref
}

// Violation is what is wrong with one attribute.
type Violation struct {
	// Path is the attribute as HCL writes it: stages[1].traffic_percent.
	Path   string `json:"path"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// Error writes status, code and detail.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s (HTTP %d)", e.Detail, e.Status)
	}
	return fmt.Sprintf("%s (HTTP %d %s)", e.Detail, e.Status, e.Code)
}

// IsNotFound reports whether the control plane itself said that an object does
// not exist. It is false for any other 404, such as a proxy's or the one of a
// wrong endpoint: no object may be forgotten because of those.
func IsNotFound(err error) bool { return hasCode(err, CodeNotFound) }

// IsAlreadyExists reports whether a create found the object there. It may be
// the caller's own, whose answer was lost: read and compare.
func IsAlreadyExists(err error) bool { return hasCode(err, CodeAlreadyExists) }

// IsETagMismatch reports whether somebody else changed the object after it was
// read.
func IsETagMismatch(err error) bool { return hasCode(err, CodeETagMismatch) }

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

func isProblem(response *http.Response) bool {
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && media == "application/problem+json"
}

// problem is the wire form of an error (RFC 9457).
type problem struct {
	Code            string      `json:"code"`
	Detail          string      `json:"detail"`
	FieldViolations []Violation `json:"field_violations"`
	Blocking        []Ref       `json:"blocking"`
}

func errorOf(response *http.Response, body []byte) *Error {
	var p problem
	if isProblem(response) && json.Unmarshal(body, &p) == nil && p.Code != "" {
		return &Error{Status: response.StatusCode, Code: p.Code, Detail: p.Detail, FieldViolations: p.FieldViolations, Blocking: p.Blocking}
	}
	detail := "Something that is not the control plane answered. Is the endpoint right, and does a proxy stand in between?"
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		detail = "Something in front of the control plane refused the credentials. Check the token."
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		detail = "The endpoint redirects elsewhere. Set the address that it redirects to."
	}
	return &Error{Status: response.StatusCode, Detail: detail}
}
