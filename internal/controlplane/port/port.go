// Package port says what the control plane needs of the places that keep its
// objects, and in which words they answer. It knows neither HTTP nor any store.
//
// There are two ports, because registered models, their versions and aliases may
// live in a registry of their own while everything else stays in the control
// plane's file: [Registry] for those, [Policies] for all other kinds.
package port

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The kinds that a [Registry] keeps.
const (
	RegisteredModel = "registered_model"
	ModelVersion    = "model_version"
	ModelAlias      = "model_alias"
)

// InRegistry reports whether a [Registry] keeps the objects of a kind.
func InRegistry(kind string) bool {
	return kind == RegisteredModel || kind == ModelVersion || kind == ModelAlias
}

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
	// Version is what a model alias points at, which must exist; 0 for other kinds.
	Version int64
	// Reason says why an alias points there, for its history; may be empty.
	Reason string
	// Secrets are all that the object has; Attributes has none of them.
	Secrets []Secret
	// If must hold for the current object, in the same transaction where the
	// store has transactions.
	If Precondition
	// Once is the idempotency key of the request, where it has one.
	Once Once
}

// Addition asks for an object that the store numbers: the next version of a model.
type Addition struct {
	Kind string
	// Model is the registered model that it is added to.
	Model string
	// Attributes is compact, valid JSON: an object.
	Attributes json.RawMessage
	// Once is the idempotency key of the request: there is no other way to tell a
	// second attempt from a second version.
	Once Once
}

// Added is an object that was added, and the idempotency key that it was added with.
type Added struct {
	Ref
	Key string
}

// Ref names the object once it has its number.
func (a Addition) Ref(number int64) Ref {
	return Ref{Kind: a.Kind, ID: VersionID(a.Model, number)}
}

// VersionID is the name path of a model's version.
func VersionID(model string, number int64) string {
	return model + "/" + strconv.FormatInt(number, 10)
}

// OnceFor is how long the answer to an idempotency key is kept, at least.
const OnceFor = 24 * time.Hour

// Once is an idempotency key: a write that is asked for again with the same key
// is not carried out again, and its first answer is given again. Only writes
// that succeed are remembered. The zero value is no key.
type Once struct {
	// Key is the caller's.
	Key string
	// Request is a digest of the whole request: a key stands for one request.
	Request string
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
	// Cascade removes what the registry itself keeps under a registered model: its
	// versions and aliases. It never removes policies.
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
	// Actor is the name of the token that wrote; empty where none was asked for.
	Actor string
}

// The actions of events.
const (
	Created = "created"
	Updated = "updated"
	Deleted = "deleted"
)

// Move is one change of what an alias points at.
type Move struct {
	// Seq grows with each move of any alias; numbers may be missing.
	Seq int64
	At  time.Time
	// Who made it, as far as that is known.
	Who string
	// From and To are numbers of versions; 0 where the alias was not there before,
	// or is gone after it.
	From, To int64
	Reason   string
}

// Registry keeps registered models, their versions and their aliases. Each method
// returns an [*Error] for everything that a caller can do something about.
type Registry interface {
	// Name is the kind of registry, for people: sqlite, postgres or mlflow.
	Name() string
	// Get returns an object, or NOT_FOUND.
	Get(ctx context.Context, ref Ref) (Object, error)
	// List returns the objects of a kind: all of them, or those of one model. Each
	// appears once; those of a page are in the registry's own order.
	List(ctx context.Context, kind, model string, page PageRequest) (Page, error)
	// Add makes the next version of a model. Its number was never given before, also
	// not to a version that is gone.
	Add(ctx context.Context, a Addition) (Object, error)
	// Unacknowledged lists what was added to a model in the last [OnceFor] and not
	// acknowledged since, oldest first: the caller may have died before it kept the
	// answer. It is asked for again by its key.
	Unacknowledged(ctx context.Context, kind, model string) ([]Added, error)
	// Acknowledge says that the answer to an addition is kept. It is no error where
	// that is known, or the object is gone.
	Acknowledge(ctx context.Context, ref Ref) error
	// Put creates or replaces a registered model or an alias, or replaces what is
	// not fixed about a version.
	Put(ctx context.Context, w Write) (Object, error)
	// Delete removes an object and returns what it was. A version that an alias
	// points at stays: FAILED_PRECONDITION.
	Delete(ctx context.Context, d Delete) (Object, error)
	// Ready reports whether the registry can answer.
	Ready(ctx context.Context) error
	// Transactional reports whether the registry and the policies are one
	// store, which checks references, heeds idempotency keys, and writes events and
	// the history of aliases in its transactions.
	Transactional() bool
}

// Policies keeps the objects of all kinds but those of a [Registry], the events of
// all kinds, and the history of aliases.
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
	// Events returns up to limit events with a sequence number above after. An
	// event never appears below one that could be read before.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// NextWrite is closed once something was written through this store, which
	// may have made an event. Whether writes of other processes close it is the
	// store's to say.
	NextWrite() <-chan struct{}
	// Record appends the event of a write that happened in another store.
	Record(ctx context.Context, action string, o Object) error
	// Recall returns what was answered to an idempotency key, nil where that is
	// not known, or IDEMPOTENCY_KEY_REUSED where the key stands for another
	// request. Together with Remember it is for writes in another store; a store
	// heeds a [Write]'s key itself, in the write's own transaction.
	Recall(ctx context.Context, key Once) (*Object, error)
	// Remember keeps the answer to an idempotency key for [OnceFor].
	Remember(ctx context.Context, key Once, answer Object) error
	// Moves returns an alias's history, newest first: up to limit moves with a
	// sequence number below before, or the newest where before is 0.
	Moves(ctx context.Context, alias string, before int64, limit int) ([]Move, error)
	// RecordMove appends a move that happened in another store.
	RecordMove(ctx context.Context, alias string, m Move) error
	Auditor
	Tokens
	// Info identifies the store.
	Info(ctx context.Context) (Info, error)
	// Usage says how much the store holds.
	Usage(ctx context.Context) (Usage, error)
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

// Usage is how much a store holds.
type Usage struct {
	// Bytes is the size on the disk.
	Bytes int64
	// Objects counts the objects of each kind that is there.
	Objects map[string]int64
}
