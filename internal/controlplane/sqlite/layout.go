package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// applicationID marks the file as a control plane's: "mlop" in ASCII, at byte 68 of
// the file, where `file` and SQLite look for it. The file carries its layout as PRAGMA
// user_version.
const applicationID = 0x6d6c6f70

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
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
		return err
	}
	if err := raise(ctx, tx, 0); err != nil {
		return err
	}
	return tx.Commit()
}

// migrate brings an older file to the newest layout, in one transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version >= relational.Newest() {
		return nil // another process was faster
	}
	if err := raise(ctx, tx, version); err != nil {
		return err
	}
	return tx.Commit()
}

// raise takes the steps from a layout to the newest one.
func raise(ctx context.Context, tx *sql.Tx, version int) error {
	if err := relational.Raise(ctx, tx, version, itself); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, relational.Newest()))
	return err
}
