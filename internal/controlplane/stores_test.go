package controlplane_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// onEachStore runs a test over an empty store of each kind: the path of a file, or the
// address of a database.
func onEachStore(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	t.Run("in a file", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "mlops.db")) })
	t.Run("in a database", func(t *testing.T) { test(t, testtools.Postgres(t).Database(t)) })
}

func inDatabase(store string) bool { return strings.HasPrefix(store, "postgres://") }

// handlerOver opens a control plane over a store, as another process would.
func handlerOver(t *testing.T, store string) http.Handler {
	t.Helper()
	options := controlplane.ListenOptions{DataFile: store}
	if inDatabase(store) {
		options = controlplane.ListenOptions{Database: store}
	}
	handler, closer, err := controlplane.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	})
	return handler
}
