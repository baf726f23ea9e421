package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// secretsTable is made by the first write that has a secret. It only adds to the
// layout: a release that does not know it reads and writes the file as before.
//
// Secrets are there as they are. A key beside the file would protect nothing, so what
// protects them is the file's permission, which is its owner's alone.
const secretsTable = `CREATE TABLE IF NOT EXISTS secrets (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	name    TEXT NOT NULL, -- of the attribute
	version TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (kind, id, name)
) STRICT, WITHOUT ROWID`

// keepSecrets makes the secrets of an object those of a write: new ones are written, ones
// of the same version stay, and all others go.
func keepSecrets(ctx context.Context, tx *sql.Tx, w port.Write) error {
	if len(w.Secrets) == 0 {
		var tables int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'secrets'`).Scan(&tables); err != nil || tables == 0 {
			return err
		}
	} else if _, err := tx.ExecContext(ctx, secretsTable); err != nil {
		return err
	}
	kept := map[string]port.Secret{}
	for _, secret := range w.Secrets {
		if secret.Value == "" {
			err := tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE kind = ? AND id = ? AND name = ? AND version = ?`, w.Kind, w.ID, secret.Name, secret.Version).Scan(&secret.Value)
			if errors.Is(err, sql.ErrNoRows) {
				return port.SecretMissing(w.Ref, secret)
			}
			if err != nil {
				return err
			}
		}
		kept[secret.Name] = secret
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE kind = ? AND id = ?`, w.Kind, w.ID); err != nil {
		return err
	}
	for _, secret := range kept {
		if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (kind, id, name, version, value) VALUES (?, ?, ?, ?, ?)`, w.Kind, w.ID, secret.Name, secret.Version, secret.Value); err != nil {
			return err
		}
	}
	return nil
}
