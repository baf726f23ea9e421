// Package relational keeps the control plane's objects in the tables of a database. It
// implements both ports: policies always live here, registered models unless an
// external registry has them.
//
// The statements are those that SQLite and PostgreSQL have in common. What the two do
// differently, opening a database and carrying out a write above all, is an [Engine]:
// packages sqlite and postgres.
package relational

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Engine is a place for the tables.
type Engine interface {
	// Name is the kind of database, for people: sqlite or postgres.
	Name() string
	// Reading returns the database, or nil where there is none yet: a store that is
	// empty. It never makes one.
	Reading(ctx context.Context) (*Database, error)
	// Transact runs one write in a transaction, and returns when it is durable. The
	// database is made, or brought to the newest layout, where it is not. Of writers
	// at the same time, whatever their processes, one is at work: a later one sees all
	// that an earlier one has written, and the numbers of events are in the order in
	// which readers see them. Errors of the write are returned as they are.
	Transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error
	// Explain turns an error of the database into one of the port, with what is wrong
	// and what helps. Errors of the port pass unchanged.
	Explain(err error) error
	// Layout reads the layout that a database has now.
	Layout(ctx context.Context, d *Database) (int, error)
	// Size is what the store takes on the disk, in bytes.
	Size(ctx context.Context, d *Database) (int64, error)
	// Now is the time.
	Now() time.Time
	// Listen has the engine hear of writes of other processes, where it can, and
	// announce them. It is called whenever somebody is about to wait.
	Listen()
}

// Database is a database that is open, and found to be a control plane's.
type Database struct {
	// Read is where statements that only read go.
	Read *sql.DB
	// Layout is the one of the tables when the database was opened, or after it was
	// brought up to date; a newer one only adds to it.
	Layout atomic.Int32
}

// Store is a database of objects. It is safe for concurrent use.
type Store struct {
	engine Engine

	waiting sync.Mutex
	changed chan struct{} // closed by the next write; nil while nobody waits
}

// New puts the store's two sides in front of an engine.
func New(engine Engine) *Store { return &Store{engine: engine} }

// Announce wakes who waits for a write. The store does it for its own writes; an
// engine that hears of those of other processes does it for them.
func (s *Store) Announce() {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *Store) nextWrite() <-chan struct{} {
	s.engine.Listen()
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Store) transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error {
	err := s.engine.Transact(ctx, write)
	if err == nil {
		s.Announce()
	}
	return s.classify(err)
}

func (s *Store) classify(err error) error { return s.engine.Explain(err) }

func (s *Store) now() time.Time { return s.engine.Now() }

// forReading returns the database, or nil where there is none yet.
func (s *Store) forReading(ctx context.Context) (*Database, error) {
	return s.engine.Reading(ctx)
}

// since returns the database, or nil where it lacks what a layout has added: there is
// none, or it is an older release's that nobody has written to since.
func (s *Store) since(ctx context.Context, layout int) (*Database, error) {
	f, err := s.forReading(ctx)
	if err != nil || f == nil || int(f.Layout.Load()) >= layout {
		return f, err
	}
	now, err := s.engine.Layout(ctx, f) // another process may have brought it up to date
	if err != nil || now < layout {
		return nil, s.classify(err)
	}
	return f, nil
}

// ready reports whether the store answers; a database that is not there yet is a
// store that is empty.
func (s *Store) ready(ctx context.Context) error {
	f, err := s.forReading(ctx)
	if err != nil || f == nil {
		return err
	}
	_, err = storeID(ctx, f)
	return s.classify(err)
}

func storeID(ctx context.Context, f *Database) (id string, err error) {
	err = f.Read.QueryRowContext(ctx, SelectStoreID).Scan(&id)
	return id, err
}

func (p policies) Info(ctx context.Context) (port.Info, error) {
	f, err := p.store.forReading(ctx)
	if err != nil || f == nil {
		return port.Info{}, err
	}
	id, err := storeID(ctx, f)
	return port.Info{ID: id, Exists: err == nil}, p.store.classify(err)
}

func (p policies) Usage(ctx context.Context) (port.Usage, error) {
	f, err := p.store.forReading(ctx)
	if err != nil || f == nil {
		return port.Usage{}, err
	}
	usage := port.Usage{Objects: map[string]int64{}}
	if usage.Bytes, err = p.store.engine.Size(ctx, f); err != nil {
		return port.Usage{}, p.store.classify(err)
	}
	rows, err := f.Read.QueryContext(ctx, `SELECT kind, count(*) FROM objects GROUP BY kind`)
	if err != nil {
		return port.Usage{}, p.store.classify(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var kind string
		var count int64
		if err := rows.Scan(&kind, &count); err != nil {
			return port.Usage{}, p.store.classify(err)
		}
		usage.Objects[kind] = count
	}
	return usage, p.store.classify(rows.Err())
}
