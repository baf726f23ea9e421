package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

func TestTheStoreIsARegistry(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "mlops.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	registrytest.Run(t, store.Registry())
}
