package relational

import (
	"context"
	"database/sql"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Registry is the store's side that keeps registered models, versions and aliases.
//
// Nothing but this control plane writes tags here, so the declared tags are all
// the tags there are, and merging them with others' has nothing to do.
func (s *Store) Registry() port.Registry { return registry{s} }

// Policies is the store's side that keeps everything else, and the events.
func (s *Store) Policies() port.Policies { return policies{s} }

type registry struct{ store *Store }

func (r registry) Name() string        { return r.store.engine.Name() }
func (r registry) Transactional() bool { return true }

func (r registry) Get(ctx context.Context, ref port.Ref) (port.Object, error) {
	return r.store.get(ctx, ref)
}

func (r registry) List(ctx context.Context, kind, model string, page port.PageRequest) (port.Page, error) {
	return r.store.list(ctx, kind, model, page)
}

func (r registry) Add(ctx context.Context, a port.Addition) (port.Object, error) {
	return r.store.add(ctx, a)
}

func (r registry) Unacknowledged(ctx context.Context, kind, model string) ([]port.Added, error) {
	return r.store.unacknowledged(ctx, kind, model)
}

func (r registry) Acknowledge(ctx context.Context, ref port.Ref) error {
	return r.store.acknowledge(ctx, ref)
}

func (r registry) Put(ctx context.Context, w port.Write) (port.Object, error) {
	return r.store.put(ctx, w)
}

func (r registry) Delete(ctx context.Context, d port.Delete) (port.Object, error) {
	return r.store.delete(ctx, d)
}

func (r registry) Ready(ctx context.Context) error { return r.store.ready(ctx) }

type policies struct{ store *Store }

func (p policies) Get(ctx context.Context, ref port.Ref) (port.Object, error) {
	return p.store.get(ctx, ref)
}

func (p policies) List(ctx context.Context, kind string, page port.PageRequest) (port.Page, error) {
	return p.store.list(ctx, kind, "", page)
}

func (p policies) Put(ctx context.Context, w port.Write) (port.Object, error) {
	return p.store.put(ctx, w)
}

func (p policies) Delete(ctx context.Context, d port.Delete) error {
	_, err := p.store.delete(ctx, d)
	return err
}

func (p policies) Children(ctx context.Context, model string) ([]port.Ref, error) {
	f, err := p.store.forReading(ctx)
	if err != nil || f == nil {
		return nil, err
	}
	refs, err := children(ctx, f.Read, model)
	return refs, p.store.classify(err)
}

func (p policies) NextWrite() <-chan struct{} { return p.store.nextWrite() }

func (p policies) Recall(ctx context.Context, key port.Once) (*port.Object, error) {
	// Looking for an answer must not make a store.
	f, err := p.store.forReading(ctx)
	if err != nil || f == nil {
		return nil, err
	}
	var out *port.Object
	err = p.store.transact(ctx, func(tx *sql.Tx, now time.Time) (err error) {
		out, err = recall(ctx, tx, now, key)
		return err
	})
	return out, err
}

func (p policies) Remember(ctx context.Context, key port.Once, answer port.Object) error {
	return p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error { return remember(ctx, tx, now, key, answer) })
}

func (p policies) Ready(ctx context.Context) error { return p.store.ready(ctx) }
