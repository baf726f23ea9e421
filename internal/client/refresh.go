package client

import (
	"context"
	"sync"
)

// readAhead spares the round trips of a refresh. Terraform asks for objects one by
// one, ten at a time, and does not say which will follow; but who has asked for a few
// objects of a kind usually asks for most of them. So after some reads of a kind a
// page of it is listed, and answers those that follow.
//
// A write makes everything that was read before it worthless, and so does one that
// fails: it may have been carried out.
type readAhead struct {
	mu     sync.Mutex
	writes int
	kinds  map[string]*ahead
}

// ahead is what is known of one kind.
type ahead struct {
	objects map[string]*Object // by id
	next    string             // the token of the next page
	done    bool               // all pages have been listed, or one failed
	misses  int                // reads that no page had, since the last page
	wait    int                // how many of them make the next page worth while
	listing chan struct{}      // closed when the page that is being listed is there
}

// firstPageAfter is how many objects of a kind are read by themselves before a page of
// it is listed. Each further page takes twice as many: in a store that holds mostly
// others' objects, few pages are listed.
const firstPageAfter = 12

// Refresh is Get for one of many objects that are read in a row. What it returns may
// be as old as the first read since the last write through this client, and never
// older.
func (c *Client) Refresh(ctx context.Context, kind, id string) (*Object, error) {
	if object, ok := c.ahead.find(ctx, c, kind, id); ok {
		return object, nil
	}
	return c.Get(ctx, kind, id)
}

// find looks an object up in what was listed, and lists a page when it is time.
func (r *readAhead) find(ctx context.Context, c *Client, kind, id string) (*Object, bool) {
	r.mu.Lock()
	a := r.kinds[kind]
	if a == nil {
		a = &ahead{wait: firstPageAfter, objects: map[string]*Object{}}
		if r.kinds == nil {
			r.kinds = map[string]*ahead{}
		}
		r.kinds[kind] = a
	}
	if object, ok := a.objects[id]; ok {
		r.mu.Unlock()
		return object, true
	}
	a.misses++
	switch {
	case a.listing != nil:
		// Somebody is fetching a page: it probably has this one.
	case a.done || a.misses <= a.wait:
		r.mu.Unlock()
		return nil, false
	default:
		a.listing = make(chan struct{})
		go r.list(context.WithoutCancel(ctx), c, kind, a, r.writes)
	}
	listing := a.listing
	r.mu.Unlock()

	select {
	case <-listing:
	case <-ctx.Done():
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kinds[kind] != a {
		return nil, false // something was written meanwhile
	}
	object, ok := a.objects[id]
	return object, ok
}

// list fetches the next page of a kind.
func (r *readAhead) list(ctx context.Context, c *Client, kind string, a *ahead, writes int) {
	items, next, err := c.page(ctx, kindPath(kind), kind, a.next)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(a.listing)
	a.listing = nil
	a.misses, a.wait = 0, 2*a.wait
	if err != nil || r.writes != writes {
		a.done = true // the single reads will say what is wrong
		return
	}
	for _, object := range items {
		a.objects[object.ID] = object
	}
	a.next, a.done = next, next == ""
}

// forget drops all that was read before a write.
func (r *readAhead) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	r.kinds = nil
}
