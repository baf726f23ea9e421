package controlplane

import (
	"context"
	"errors"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// Backup copies a control plane's file into a new one, while servers and
// providers go on using it, and returns what the copy holds.
func Backup(ctx context.Context, dataFile, out string) (_ sqlite.Copy, err error) {
	store, err := sqlite.Open(dataFile)
	if err != nil {
		return sqlite.Copy{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Backup(ctx, out)
}
