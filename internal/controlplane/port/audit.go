package port

import "context"

// Caller is who asks for a request, as far as the control plane knows.
type Caller struct {
	// Name is the name of the caller's token; empty where none is asked for.
	Name string
	// Address is the host that the request came from; empty in one process.
	Address string
	// RequestID is the request's, also in the answer's header and in the log.
	RequestID string
}

type callerKey struct{}

// WithCaller notes the caller for what is done in the context. Stores write it
// down together with each write.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns the caller, or the zero value where there is none.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

// AuditEntry is one write that was carried out or refused.
type AuditEntry struct {
	// Event says what was written. Where the write was refused, its Action is
	// the method of the request, and UID and Generation are empty.
	Event
	Caller Caller
	// From and To are the object's ETags before and after: From is empty for one
	// that was created, and To for one that was deleted. From is also empty where
	// an external registry did not say it.
	From, To string
	// Code is why the write was refused, empty where it was carried out.
	Code Code
}

// Auditor keeps who wrote what, and whose writes were refused. The entry of a
// write is written in the write's own transaction: neither is there without the
// other, whatever happens to the process.
type Auditor interface {
	// Refused appends the entry of a write that was not carried out. It does not
	// make a store where there is none.
	Refused(ctx context.Context, entry AuditEntry) error
	// Audit returns up to limit entries with a sequence number above after.
	Audit(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
}
