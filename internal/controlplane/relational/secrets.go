package relational

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// keepSecrets makes the secrets of an object those of a write: new ones are written, ones
// of the same version stay, and all others go.
func keepSecrets(ctx context.Context, tx *sql.Tx, w port.Write) error {
	kept := map[string]port.Secret{}
	for _, secret := range w.Secrets {
		if secret.Value == "" {
			err := tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE kind = $1 AND id = $2 AND name = $3 AND version = $4`, w.Kind, w.ID, secret.Name, secret.Version).Scan(&secret.Value)
			if errors.Is(err, sql.ErrNoRows) {
				return port.SecretMissing(w.Ref, secret)
			}
			if err != nil {
				return err
			}
		}
		kept[secret.Name] = secret
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE kind = $1 AND id = $2`, w.Kind, w.ID); err != nil {
		return err
	}
	for _, secret := range kept {
		if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (kind, id, name, version, value) VALUES ($1, $2, $3, $4, $5)`, w.Kind, w.ID, secret.Name, secret.Version, secret.Value); err != nil {
			return err
		}
	}
	return nil
}
