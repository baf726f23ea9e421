package controlplane

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

const (
	// MaxWait is the longest that a reader waits for events; longer waits are cut
	// to it. It is shorter than what proxies and clients allow a request.
	MaxWait = 30 * time.Second
	// MaxWaiting is how many readers may wait at the same time.
	MaxWaiting = 256
	// lookEvery is how often a waiting reader looks for writes of other processes
	// that share the store; it hears at once of those of its own, and of those of
	// others where the store does.
	lookEvery = 500 * time.Millisecond
)

// Events returns up to limit events after a sequence number, oldest first. Where
// there is none it waits for one, for as long as wait says, and then returns none.
func (s *Service) Events(ctx context.Context, after int64, limit int, wait time.Duration) ([]port.Event, error) {
	if wait <= 0 {
		return s.policies.Events(ctx, after, limit)
	}
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, &port.Error{Code: port.CodeUnavailable, RetryAfter: 5 * time.Second, Detail: "Too many readers are waiting for events. Ask without wait, or try again later."}
	}
	end := time.NewTimer(min(wait, MaxWait))
	defer end.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		// Before the events are read, so that no write falls in between.
		written := s.policies.NextWrite()
		found, err := s.policies.Events(ctx, after, limit)
		if err != nil || len(found) > 0 {
			return found, err
		}
		select {
		case <-written:
		case <-look.C:
		case <-end.C:
			return nil, nil
		case <-stopping(ctx):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type stoppingKey struct{}

// withStopping gives requests the channel that is closed when the server is asked
// to end: those that only wait end at once, and the others as usual.
func withStopping(ctx context.Context, stop <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, stop)
}

// stopping is nil, which never ends a wait, in a client's own process.
func stopping(ctx context.Context) <-chan struct{} {
	stop, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return stop
}

// event is an event as the API shows it.
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

// events holds nothing while it writes the answer, so that a slow reader is in
// nobody's way.
func (h *handler) events(w http.ResponseWriter, r *http.Request, _ []string) error {
	query, err := parameters(r, "after", "page_size", "wait")
	if err != nil {
		return err
	}
	after, err := wholeNumber(query, "after", 0, "from 0, the seq of the last event you have")
	if err != nil {
		return err
	}
	wait, err := wholeNumber(query, "wait", 0, "from 0, the most seconds to wait for an event")
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	found, err := h.service.Events(r.Context(), after, size, time.Duration(min(wait, int64(MaxWait/time.Second)))*time.Second)
	if err != nil {
		return err
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

// wholeNumber reads a query parameter that counts something from 0.
func wholeNumber(query url.Values, name string, otherwise int64, what string) (int64, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(query.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("%s is a whole number %s, not %s.", name, what, quote(query.Get(name)))
	}
	return n, nil
}
