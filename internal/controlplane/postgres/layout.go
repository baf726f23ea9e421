package postgres

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// words are those of the layouts that PostgreSQL has others for. Texts are ordered by
// their bytes, as in SQLite and whatever the database's own order is: pages end and
// begin alike.
var words = strings.NewReplacer(
	"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	"INTEGER", "BIGINT",
	"TEXT", `TEXT COLLATE "C"`,
	"BLOB", "BYTEA",
	" STRICT, WITHOUT ROWID", "",
	" STRICT", "",
)

// The layout is an entry of the table meta, beside the id of the store.
const (
	selectLayout = `SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'layout'`
	noteLayout   = `INSERT INTO meta (key, value) VALUES ('layout', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
)

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// found returns the database, or nil where nobody has written to it yet.
func (s *Store) found(ctx context.Context) (*relational.Database, error) {
	if d := s.known(); d != nil {
		return d, nil
	}
	layout, err := s.look(ctx, s.db)
	if err != nil || layout == 0 {
		return nil, err
	}
	return s.know(layout), nil
}

func (s *Store) known() *relational.Database {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database
}

func (s *Store) know(layout int) *relational.Database {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.database == nil {
		s.database = &relational.Database{Read: s.db}
	}
	s.database.Layout.Store(int32(layout))
	return s.database
}

// forget has the database looked at again.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.database = nil
}

// look reads the layout of what is in the database: 0 for nothing. It refuses what is
// not ours, or not known.
func (s *Store) look(ctx context.Context, q querier) (layout int, err error) {
	var there bool
	var encoding string
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'meta'), current_setting('server_encoding')`).Scan(&there, &encoding)
	switch {
	case err != nil:
		return 0, err
	case encoding != "UTF8":
		return 0, unusable(nil, "%s keeps text as %s, which has no place for every name. Make one with the encoding UTF8 (CREATE DATABASE mlops ENCODING 'UTF8' TEMPLATE template0), and name it in the address.", s.name, encoding)
	case !there:
		return 0, nil
	}
	var id string
	err = q.QueryRowContext(ctx, relational.SelectStoreID).Scan(&id)
	if err == nil {
		err = q.QueryRowContext(ctx, selectLayout).Scan(&layout)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows), isState(err, "42703", "42P01", "22P02", "42883"): // no such column or table, no number, no such comparison
		return 0, s.foreign(err)
	case err != nil:
		return 0, err
	case layout > relational.Newest():
		return 0, unusable(nil, "%s has layout %d, of a newer release; this one knows layouts up to %d. Nothing was written to it. Use the newer release, or another database.", s.name, layout, relational.Newest())
	case layout < 1:
		return 0, s.foreign(nil)
	}
	return layout, nil
}

// foreign is for tables that have the names of ours, and are not.
func (s *Store) foreign(err error) error {
	return unusable(err, "%s has a table of another program. Nothing was written to it. Give the control plane a database of its own, or a schema: options=-c%%20search_path%%3Dmlops in the address, after CREATE SCHEMA mlops.", s.name)
}

// upToDate makes the tables where there are none, and takes the steps that they lack,
// in one transaction. Of processes that do so at once the second finds it done.
func (s *Store) upToDate(ctx context.Context) error {
	if d := s.known(); d != nil && int(d.Layout.Load()) >= relational.Newest() {
		return nil
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	layout, err := s.look(ctx, tx)
	if err != nil {
		return err
	}
	if layout < relational.Newest() {
		err := relational.Raise(ctx, tx, layout, words)
		if isState(err, "42P07") { // there is such a table
			return s.foreign(err)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, noteLayout, strconv.Itoa(relational.Newest())); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.know(relational.Newest())
	return nil
}
