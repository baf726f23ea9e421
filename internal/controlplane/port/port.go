// Package port says what the control plane needs of the places that keep its
// objects, and in which words they answer. It knows neither HTTP nor any store.
//
// There are two ports, because registered models may live in a registry of
// their own while everything else stays in the control plane's file:
// [Registry] for registered models, [Policies] for all other kinds.
package port

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// RegisteredModel is the one kind that a [Registry] keeps.
const RegisteredModel = "registered_model"

// MaxPageSize is the most objects or events that one page holds; larger
// requests are cut to it.
const MaxPageSize = 1000

// Ref names an object: its kind and its name path within the kind, for instance
// drift_monitor and fraud_detector/score.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// String writes the reference for messages: drift_monitor fraud_detector/score.
func (r Ref) String() string { return r.Kind + " " + r.ID }

// Object is one kept object.
type Object struct {
	Ref
	// UID changes when somebody deletes and re-creates the object.
	UID string
	// Generation counts the writes of the object, from 1. It is 0 for a
	// registered model that somebody else made in an external registry.
	Generation int64
	// CreatedAt and UpdatedAt have millisecond resolution, in UTC.
	CreatedAt, UpdatedAt time.Time
	// Attributes is compact JSON, byte for byte as it was written, unless
	// somebody changed the object behind the control plane's back.
	Attributes json.RawMessage
	// ETag is the object's revision as a strong entity tag, quotes included.
	ETag string
}

// Write asks for an object to be created or replaced.
type Write struct {
	Ref
	// Attributes is compact, valid JSON: an object.
	Attributes json.RawMessage
	// Model is the registered model the object belongs to, or empty.
	Model string
	// ModelElsewhere says that the registered model is kept in another store,
	// which has already confirmed that it exists.
	ModelElsewhere bool
	// Secrets are all that the object has; Attributes has none of them.
	Secrets []Secret
	// If must hold for the current object, in the same transaction where the
	// store has transactions.
	If Precondition
}

// Secret is a part of an object that is written and never read back: it is kept apart
// from the attributes, and goes with the object.
type Secret struct {
	// Name is the path of the attribute: webhook.secret_wo.
	Name string
	// Version is what the object declares beside it.
	Version string
	// Value is the secret. Where it is empty, the store must have one of this version
	// already, and keeps it.
	Value string
}

// Delete asks for an object to be removed.
type Delete struct {
	Ref
	// If must hold for the current object.
	If Precondition
	// Cascade removes what the external registry itself keeps under a
	// registered model, such as versions. It never removes policies.
	Cascade bool
}

// Precondition is what a writer knows about the object it replaces. The zero
// value allows nothing, so that a forgotten one fails.
type Precondition struct {
	absent, present bool
	etags           []string
}

// IfAbsent allows a write only where there is no object: If-None-Match: *.
func IfAbsent() Precondition { return Precondition{absent: true} }

// IfPresent allows a write over any revision: If-Match: *.
func IfPresent() Precondition { return Precondition{present: true} }

// IfMatch allows a write over one of these revisions: If-Match: "a", "b".
func IfMatch(etags ...string) Precondition { return Precondition{etags: etags} }

// Creates reports whether the write is meant to create the object.
func (p Precondition) Creates() bool { return p.absent }

// Check holds the precondition against the current object, nil for none. It
// returns nil or an [*Error] with code ALREADY_EXISTS, NOT_FOUND or
// ETAG_MISMATCH.
func (p Precondition) Check(ref Ref, current *Object) error {
	switch {
	case p.absent && current == nil:
		return nil
	case p.absent:
		return AlreadyExists(ref)
	case current == nil:
		return NotFound(ref)
	case p.present || slices.Contains(p.etags, current.ETag):
		return nil
	}
	return &Error{
		Code: CodeETagMismatch,
		Detail: fmt.Sprintf("%s was changed by somebody else at %s, after it was read: its revision is now %s. Read it again, and decide again.",
			ref, current.UpdatedAt.Format(time.RFC3339), current.ETag),
	}
}

// PageRequest asks for a part of a list.
type PageRequest struct {
	// Size is the most objects to return, from 1 to [MaxPageSize].
	Size int
	// Token is the previous page's Next, or empty for the first page.
	Token string
}

// Page is a part of a list, ordered by id.
type Page struct {
	Objects []Object
	// Next is the token of the next page, empty on the last one.
	Next string
}

// Event is one write, in the order in which the writes happened.
type Event struct {
	// Seq grows with each write; numbers may be missing.
	Seq int64
	At  time.Time
	// Action is created, updated or deleted.
	Action string
	Ref
	UID        string
	Generation int64
}

// The actions of events.
const (
	Created = "created"
	Updated = "updated"
	Deleted = "deleted"
)

// Registry keeps registered models. Each method returns an [*Error] for
// everything that a caller can do something about.
type Registry interface {
	// Name is the kind of registry, for people: sqlite or mlflow.
	Name() string
	// Get returns a registered model, or NOT_FOUND.
	Get(ctx context.Context, name string) (Object, error)
	// List returns registered models by name.
	List(ctx context.Context, page PageRequest) (Page, error)
	// Put creates or replaces a registered model.
	Put(ctx context.Context, w Write) (Object, error)
	// Delete removes a registered model and returns what it was.
	Delete(ctx context.Context, d Delete) (Object, error)
	// Ready reports whether the registry can answer.
	Ready(ctx context.Context) error
	// Transactional reports whether the registry and the policies are one
	// store, which checks references and writes events in its transactions.
	Transactional() bool
}

// Policies keeps the objects of all kinds but registered models, and the events
// of all kinds.
type Policies interface {
	// Get returns an object, or NOT_FOUND.
	Get(ctx context.Context, ref Ref) (Object, error)
	// List returns the objects of a kind by id.
	List(ctx context.Context, kind string, page PageRequest) (Page, error)
	// Put creates or replaces an object.
	Put(ctx context.Context, w Write) (Object, error)
	// Delete removes an object.
	Delete(ctx context.Context, d Delete) error
	// Children lists the objects that belong to a registered model.
	Children(ctx context.Context, model string) ([]Ref, error)
	// Events returns up to limit events with a sequence number above after.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// Record appends the event of a write that happened in another store.
	Record(ctx context.Context, action string, o Object) error
	// Info identifies the store.
	Info(ctx context.Context) (Info, error)
	// Ready reports whether the store can answer.
	Ready(ctx context.Context) error
}

// Info identifies a store.
type Info struct {
	// ID is made with the store and never changes; empty while there is none.
	ID string
	// Exists is false until the first write.
	Exists bool
}
