package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// SetNow sets the clock, for tests.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

// Name says where the database is, for tests.
func (s *Store) Name() string { return s.name }

// Connections is how many the store may open, for tests.
func (s *Store) Connections() int32 { return s.pool.Config().MaxConns }

// Readable reports whether connections may be plain ones, for tests.
func (s *Store) Readable() bool { return readable(&s.pool.Config().ConnConfig.Config) }

// LaidOut has the statements that lead from nothing to a layout, for tests.
func LaidOut(layout int) []string {
	var out []string
	for i := range layout {
		for _, statement := range relational.Step(i) {
			out = append(out, words.Replace(statement))
		}
	}
	return out
}

// Setting reads a setting of the store's connections, for tests.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT current_setting($1)`, name).Scan(&value)
	return value, err
}

// TakeTurn begins a write, for tests.
const TakeTurn = takeTurn

// Hold does something in the middle of a write, for tests.
func (s *Store) Hold(ctx context.Context, do func()) error {
	return s.transact(ctx, func(tx *sql.Tx, _ time.Time) error {
		do()
		_, err := tx.ExecContext(ctx, noteLayout, "0")
		return err
	})
}

// Raise has the server answer with an SQLSTATE, for tests: what is done about those
// that are hard to come by.
func (s *Store) Raise(ctx context.Context, state string) (sql.Result, error) {
	result, err := s.db.ExecContext(ctx, `DO $$ BEGIN RAISE EXCEPTION 'as asked for' USING ERRCODE = '`+state+`'; END $$`)
	return result, s.explain(err)
}
