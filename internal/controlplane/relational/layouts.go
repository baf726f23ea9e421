package relational

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/google/uuid"
)

const (
	// layoutOfAudit is the first layout whose events say who wrote.
	layoutOfAudit = 2
	// layoutOfVersions is the first layout that numbers versions.
	layoutOfVersions = 2
	// layoutOfTokens is the first layout that has the tokens that were minted.
	layoutOfTokens = 3
)

// layouts are the steps that made the layout what it is: the statements at index
// i lead from layout i to i+1. An empty database takes them all, an older one those
// that it lacks, with its first write; it can be read before. A step is never
// changed once it was released, and only adds: older releases go on writing to a
// database that they have open.
var layouts = [][]string{layout1, slices.Concat(layoutIdempotency, layoutVersions, layoutAudit, layoutSecrets), layoutTokens}

// layout1 makes an empty database ours. `model` repeats the registered model of an
// object's key, so that a model's children are found without reading documents.
// It is no foreign key: with an external registry the models live elsewhere.
var layout1 = []string{
	`CREATE TABLE meta (
		key   TEXT NOT NULL PRIMARY KEY,
		value TEXT NOT NULL
	) STRICT, WITHOUT ROWID`,
	`CREATE TABLE objects (
		kind       TEXT    NOT NULL,
		id         TEXT    NOT NULL,
		model      TEXT    NOT NULL,
		uid        TEXT    NOT NULL,
		generation INTEGER NOT NULL,
		created_at INTEGER NOT NULL, -- milliseconds since 1970, UTC
		updated_at INTEGER NOT NULL,
		attributes TEXT    NOT NULL, -- JSON, byte for byte as it was written
		PRIMARY KEY (kind, id)
	) STRICT`,
	`CREATE INDEX objects_of_model ON objects (model, kind, id) WHERE model <> ''`,
	`CREATE TABLE events (
		seq        INTEGER PRIMARY KEY AUTOINCREMENT,
		at         INTEGER NOT NULL,
		action     TEXT    NOT NULL,
		kind       TEXT    NOT NULL,
		id         TEXT    NOT NULL,
		uid        TEXT    NOT NULL,
		generation INTEGER NOT NULL
	) STRICT`,
}

// layoutIdempotency remembers what was answered to writes with an idempotency key.
var layoutIdempotency = []string{
	`CREATE TABLE idempotency (
		key        TEXT    NOT NULL PRIMARY KEY,
		request    TEXT    NOT NULL, -- digest of the request that the key stands for
		answer     TEXT    NOT NULL, -- the object as it was answered, JSON
		expires_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID`,
	`CREATE INDEX idempotency_by_expiry ON idempotency (expires_at)`,
}

// layoutVersions numbers the versions of models, says what an alias points at, and
// keeps its history.
var layoutVersions = []string{
	// The last number that was given; it outlives the objects and their model.
	`CREATE TABLE numbers (
		kind  TEXT    NOT NULL,
		model TEXT    NOT NULL,
		last  INTEGER NOT NULL,
		PRIMARY KEY (kind, model)
	) STRICT, WITHOUT ROWID`,
	// What was added, until its caller says that the answer is kept.
	`CREATE TABLE unacknowledged (
		kind  TEXT    NOT NULL,
		id    TEXT    NOT NULL,
		model TEXT    NOT NULL,
		key   TEXT    NOT NULL, -- the idempotency key it was added with
		at    INTEGER NOT NULL,
		PRIMARY KEY (kind, id)
	) STRICT, WITHOUT ROWID`,
	`CREATE INDEX unacknowledged_of_model ON unacknowledged (kind, model, at)`,
	`CREATE INDEX unacknowledged_by_age ON unacknowledged (at)`,
	// The id of the version that an alias points at.
	`ALTER TABLE objects ADD COLUMN target TEXT NOT NULL DEFAULT ''`,
	`CREATE INDEX objects_by_target ON objects (target) WHERE target <> ''`,
	`CREATE TABLE moves (
		seq          INTEGER PRIMARY KEY AUTOINCREMENT,
		at           INTEGER NOT NULL,
		alias        TEXT    NOT NULL,
		who          TEXT    NOT NULL,
		from_version INTEGER NOT NULL, -- 0 where there was none
		to_version   INTEGER NOT NULL,
		reason       TEXT    NOT NULL
	) STRICT`,
	`CREATE INDEX moves_of_alias ON moves (alias, seq)`,
}

// layoutAudit makes the events an audit log: who wrote, from which revision to
// which, and whose writes were refused.
var layoutAudit = []string{
	`ALTER TABLE events ADD COLUMN actor      TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE events ADD COLUMN address    TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE events ADD COLUMN request_id TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE events ADD COLUMN from_etag  TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE events ADD COLUMN to_etag    TEXT NOT NULL DEFAULT ''`,
	// Why a write was refused; empty for one that was carried out.
	`ALTER TABLE events ADD COLUMN code       TEXT NOT NULL DEFAULT ''`,
}

// layoutSecrets keeps what is written and never read back, apart from the objects.
//
// Secrets are there as they are. A key beside the database would protect nothing, so what
// protects them is who may read it: of a file, its owner alone.
var layoutSecrets = []string{
	`CREATE TABLE secrets (
		kind    TEXT NOT NULL,
		id      TEXT NOT NULL,
		name    TEXT NOT NULL, -- of the attribute
		version TEXT NOT NULL,
		value   TEXT NOT NULL,
		PRIMARY KEY (kind, id, name)
	) STRICT, WITHOUT ROWID`,
}

// Newest is the newest layout that this program can read and write.
func Newest() int { return len(layouts) }

// Step has the statements that lead from a layout to the next one, in SQLite's words.
func Step(layout int) []string { return slices.Clone(layouts[layout]) }

// SelectStoreID reads the id that a store is given when it is made.
const SelectStoreID = `SELECT value FROM meta WHERE key = 'store_id'`

// Raise takes the steps from a layout to the newest one; from 0, where there is
// nothing, it makes the store. The engine notes the layout. Steps are written in
// SQLite's words; others have them translated.
func Raise(ctx context.Context, tx *sql.Tx, layout int, translate *strings.Replacer) error {
	empty := layout == 0
	for ; layout < Newest(); layout++ {
		for _, statement := range Step(layout) {
			if _, err := tx.ExecContext(ctx, translate.Replace(statement)); err != nil {
				return err
			}
		}
	}
	if !empty {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('store_id', $1)`, uuid.NewString())
	return err
}
