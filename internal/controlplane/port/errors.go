package port

import (
	"errors"
	"fmt"
	"time"
)

// Code is the stable name of what went wrong. Scripts and the provider decide
// by it; the HTTP status only follows.
type Code string

// The codes that stores and the service answer with.
const (
	// CodeNotFound: the object does not exist. Nothing else means that.
	CodeNotFound Code = "NOT_FOUND"
	// CodeAlreadyExists: the object was to be created, and is there.
	CodeAlreadyExists Code = "ALREADY_EXISTS"
	// CodeETagMismatch: the object is no longer the revision that was read.
	CodeETagMismatch Code = "ETAG_MISMATCH"
	// CodePreconditionRequired: the request says neither If-Match nor If-None-Match.
	CodePreconditionRequired Code = "PRECONDITION_REQUIRED"
	// CodeFailedPrecondition: other objects stand in the way; see Blocking.
	CodeFailedPrecondition Code = "FAILED_PRECONDITION"
	// CodeKeyReused: the idempotency key was used for another request.
	CodeKeyReused Code = "IDEMPOTENCY_KEY_REUSED"
	// CodeInvalidArgument: the request or an attribute can never be accepted.
	CodeInvalidArgument Code = "INVALID_ARGUMENT"
	// CodeUnavailable: try again later; nothing is wrong with the request.
	CodeUnavailable Code = "UNAVAILABLE"
	// CodeStoreUnusable: the file cannot be read or written; a person must help.
	CodeStoreUnusable Code = "STORE_UNUSABLE"
	// CodeStoreFull: the disk is full, or a quota or limit on file sizes is
	// reached. Nothing was changed, and reads go on.
	CodeStoreFull Code = "STORE_FULL"
	// CodeRegistryError: the external registry refused, or is not one.
	CodeRegistryError Code = "REGISTRY_ERROR"
)

// Error is an answer that a caller can act on.
type Error struct {
	Code Code
	// Detail says what is wrong, with names and numbers, and the smallest
	// change that helps. It never holds a credential.
	Detail string
	// Violations are the attributes at fault.
	Violations []Violation
	// Blocking are the objects that stand in the way.
	Blocking []Ref
	// RetryAfter says when to try again, for CodeUnavailable answers.
	RetryAfter time.Duration
	// Err is the cause, for logs and errors.Is.
	Err error
}

// Violation is what is wrong with one attribute.
type Violation struct {
	// Path is the attribute as HCL writes it: stages[1].traffic_percent.
	Path string `json:"path"`
	// Detail says what is wrong.
	Detail string `json:"detail"`
	// Fix says the smallest change that helps; may be empty.
	Fix string `json:"fix,omitempty"`
}

// Error gives the detail: it stands alone.
func (e *Error) Error() string { return e.Detail }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of an error, or empty.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// NotFound says that an object does not exist.
func NotFound(ref Ref) *Error {
	return &Error{Code: CodeNotFound, Detail: fmt.Sprintf("%s does not exist.", ref)}
}

// AlreadyExists says that an object that was to be created is there.
func AlreadyExists(ref Ref) *Error {
	return &Error{Code: CodeAlreadyExists, Detail: fmt.Sprintf("%s already exists. Import it, or choose another name.", ref)}
}

// KeyReused says that an idempotency key stands for another request.
func KeyReused(key Once) *Error {
	return &Error{
		Code: CodeKeyReused,
		Detail: fmt.Sprintf("The Idempotency-Key %q was used in the last %s for a request that was not this one: another method, address, precondition or body. "+
			"Nothing was written. Make a new key for each request, and repeat it only with that very request.", key.Key, OnceFor),
	}
}

// ModelMissing says that the registered model an object belongs to does not
// exist.
func ModelMissing(ref Ref, model string) *Error {
	return &Error{
		Code: CodeFailedPrecondition,
		Detail: fmt.Sprintf("registered model %q does not exist, so %s has nothing to belong to. "+
			"Declare the model, and refer to it (model = mlops_registered_model.<name>.name) so that it is created first.", model, ref),
		Blocking: []Ref{{Kind: RegisteredModel, ID: model}},
	}
}

// VersionMissing says that the version an alias is to point at does not exist.
func VersionMissing(alias, version Ref) *Error {
	return &Error{
		Code: CodeFailedPrecondition,
		Detail: fmt.Sprintf("%s does not exist, so %s cannot point at it. "+
			"Use the number of a version that is there; where Terraform makes the version, refer to it (version = mlops_model_version.<name>.version) so that it is made first.", version, alias),
		Blocking: []Ref{version},
	}
}

// PointedAt says that a version cannot be deleted yet.
func PointedAt(version Ref, aliases []Ref) *Error {
	return &Error{
		Code: CodeFailedPrecondition,
		Detail: fmt.Sprintf("%s cannot be deleted while an alias points at it: %s. Whoever loads the model by that name would get nothing. "+
			"Move the alias to another version first. Where both are Terraform's and the version is being replaced, give it lifecycle { create_before_destroy = true }: then the new version comes first, the alias moves, and the old one goes last.",
			version, listed(aliases)),
		Blocking: aliases,
	}
}

func listed(refs []Ref) string {
	shown := refs[:min(len(refs), 5)]
	list := ""
	for i, ref := range shown {
		if i > 0 {
			list += ", "
		}
		list += ref.String()
	}
	if more := len(refs) - len(shown); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// HasChildren says that a registered model cannot be deleted yet.
func HasChildren(model string, children []Ref) *Error {
	return &Error{
		Code: CodeFailedPrecondition,
		Detail: fmt.Sprintf("registered model %q cannot be deleted while objects belong to it: %s. "+
			"Delete them first; where they refer to the model by mlops_registered_model.<name>.name, Terraform does it in that order.", model, listed(children)),
		Blocking: children,
	}
}
