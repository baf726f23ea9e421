// Package postgres keeps the control plane's objects in a PostgreSQL database, for
// several servers behind one address: what is in it, package relational knows.
//
// Writers take turns, those of all processes, by an advisory lock that lasts as long
// as their transaction: a version's number is given once, a revision is replaced
// once, and an event never appears below one that a reader has seen. An answer is
// given after the write is on the disk.
//
// A database in which nobody has written is an empty store; the first write makes the
// tables, in the first schema of the connection's search_path.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

const (
	// connections is how many a store opens at most, where the address does not set
	// pool_max_conns: one writes and the others read. Waiting for writes of other
	// processes takes another one.
	connections = 10
	// connectTimeout is how long one of them may take to open, where the address does
	// not set connect_timeout.
	connectTimeout = 5 * time.Second
)

// parameters of each connection, where neither the address nor the environment sets
// them.
var parameters = map[string]string{
	"application_name": "mlopsctl",
	// A writer waits so long for its turn, as for the lock of a SQLite file.
	"lock_timeout": "15s",
	// A process that is cut off in the middle of a write must not keep its turn.
	"idle_in_transaction_session_timeout": "30s",
}

// Store is a database of objects. It is safe for concurrent use.
type Store struct {
	*relational.Store
	name string // where the database is, for messages
	log  *slog.Logger
	now  func() time.Time
	pool *pgxpool.Pool
	db   *sql.DB // the pool's

	// turn is held by the one writer of this process, so that those who wait for it
	// leave the connections to readers.
	turn chan struct{}

	mu       sync.Mutex
	database *relational.Database // nil until it was found to be a control plane's

	unsafe    sync.Once // warned that the server does not wait for its disk
	listening sync.Once
	listeners sync.WaitGroup
	ending    context.Context
	end       context.CancelFunc
}

// Open names the database; it does not connect to it. The address is a
// postgres:// URL, or libpq's keywords and values. What it leaves out comes from
// libpq's environment variables, PGPASSWORD and PGPASSFILE among them. A nil logger
// discards.
func Open(address string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	config, err := configOf(address)
	if err != nil {
		return nil, err
	}
	s := &Store{name: nameOf(config.ConnConfig), log: log, now: time.Now, turn: make(chan struct{}, 1)}
	s.Store = relational.New(engine{s})
	s.ending, s.end = context.WithCancel(context.Background())
	config.AfterConnect = s.secure
	if s.pool, err = pgxpool.NewWithConfig(s.ending, config); err != nil {
		return nil, s.explain(err)
	}
	s.db = stdlib.OpenDBFromPool(s.pool)
	if readable(&config.ConnConfig.Config) {
		log.Warn("the connection to the database may be readable on its way: set sslmode=verify-full in its address", "database", s.name)
	}
	return s, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	s.end()
	s.listeners.Wait()
	err := s.db.Close()
	s.pool.Close()
	return err
}

func configOf(address string) (*pgxpool.Config, error) {
	if !strings.Contains(address, "=") && !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, unusable(nil, "The address of a database begins with postgres://, for instance postgres://mlops@db.example.com/mlops?sslmode=verify-full. The password may be left out of it: PGPASSWORD and PGPASSFILE are read.")
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		// What it says may be a part of a password that was taken for something else.
		return nil, unusable(nil, "The address of the database cannot be read. It has the form postgres://USER@HOST:PORT/NAME?sslmode=verify-full, with %%40 for @, %%2F for / and so on inside names. "+
			"Leave the password out, so that its characters do not matter, and set PGPASSWORD or PGPASSFILE.%s", reason(address, err))
	}
	for name, value := range parameters {
		if config.ConnConfig.RuntimeParams[name] == "" && !strings.Contains(config.ConnConfig.RuntimeParams["options"], name) {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if !strings.Contains(address, "pool_max_conns") {
		config.MaxConns = connections
	}
	return config, nil
}

// reason says why an address cannot be read, as far as no password can be in it.
func reason(address string, err error) string {
	e, ok := errors.AsType[*pgconn.ParseConfigError](err)
	if !ok || strings.Contains(address, "@") || strings.Contains(address, "password") {
		return ""
	}
	if inner := e.Unwrap(); inner != nil {
		return fmt.Sprintf(" Here: %v.", inner)
	}
	return ""
}

// nameOf says where a database is, without who connects and how.
func nameOf(config *pgx.ConnConfig) string {
	hosts := []string{}
	for _, at := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}, config.Fallbacks...) {
		host := at.Host
		if network, _ := pgconn.NetworkAddress(at.Host, at.Port); network == "tcp" {
			host = net.JoinHostPort(at.Host, fmt.Sprint(at.Port))
		}
		if len(hosts) == 0 || hosts[len(hosts)-1] != host { // the same one with and without TLS
			hosts = append(hosts, host)
		}
	}
	database := config.Database
	if database == "" {
		database = config.User
	}
	return fmt.Sprintf("the PostgreSQL database %q at %s", database, strings.Join(hosts, ", "))
}

// readable reports whether a connection over a network may be a plain one.
func readable(config *pgconn.Config) bool {
	plain := func(host string, port uint16, encrypted bool) bool {
		network, _ := pgconn.NetworkAddress(host, port)
		ip := net.ParseIP(host)
		return network == "tcp" && !encrypted && host != "localhost" && (ip == nil || !ip.IsLoopback())
	}
	found := plain(config.Host, config.Port, config.TLSConfig != nil)
	for _, at := range config.Fallbacks {
		found = found || plain(at.Host, at.Port, at.TLSConfig != nil)
	}
	return found
}

// secure makes a new connection one whose commits outlive a crash: a role or a
// database may have been set to answer before.
func (s *Store) secure(ctx context.Context, conn *pgx.Conn) error {
	var flushes string
	err := conn.QueryRow(ctx, `SELECT current_setting('fsync'), CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END`).Scan(&flushes, nil)
	if err == nil && flushes == "off" {
		s.unsafe.Do(func() {
			s.log.Warn("the database server does not wait for its disk (fsync=off): answered writes may be lost when its machine fails", "database", s.name)
		})
	}
	return err
}

// takeTurn begins a write: nobody else writes until its transaction ends. Who waits
// for writes is told when it is committed.
const takeTurn = `SELECT pg_advisory_xact_lock(` + lockSpace + `, (SELECT oid FROM pg_namespace WHERE nspname = current_schema())::int), pg_notify('` + channel + `', '')`

const (
	// lockSpace keeps the lock apart from those of other programs: "mlop" in ASCII.
	lockSpace = `1835822960`
	// channel is where writers tell who waits for writes.
	channel = `mlops_writes`
)

// begin takes the turn in a transaction in which each statement sees what was
// committed before it: also what was, while this one waited.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, takeTurn); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func (s *Store) transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.upToDate(ctx); err != nil {
		return s.explain(err)
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return s.explain(err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := write(tx, s.now().UTC().Truncate(time.Millisecond)); err != nil {
		return s.explain(err)
	}
	return s.explain(tx.Commit())
}
