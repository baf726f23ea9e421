package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"
)

const (
	// applicationID marks the file as a control plane's: "mlop" in ASCII, at
	// byte 68 of the file, where `file` and SQLite look for it.
	applicationID = 0x6d6c6f70
	// schemaVersion is the newest layout that this program can read and write;
	// a file carries its own as PRAGMA user_version.
	schemaVersion = 1
)

// layout makes an empty file ours. `model` repeats the registered model of an
// object's key, so that a model's children are found without reading documents.
// It is no foreign key: with an external registry the models live elsewhere.
var layout = []string{
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

// initialise lays out a file that holds nothing. Everything happens in one
// transaction of SQLite's rollback journal: other processes see an empty file
// or a complete one, and never one without its application id.
func initialise(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var tables int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return tx.Commit() // another process was faster
	}
	statements := append([]string{
		fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
		fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion),
	}, layout...)
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('store_id', ?)`, uuid.NewString()); err != nil {
		return err
	}
	return tx.Commit()
}
