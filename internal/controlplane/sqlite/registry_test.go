package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
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

func TestTheStoreIsAControlPlanes(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		path := filepath.Join(t.TempDir(), "mlops.db")
		return func(t *testing.T, now func() time.Time) storetest.Store {
			store := openStore(t, path)
			store.SetNow(now)
			return store
		}
	})
}
