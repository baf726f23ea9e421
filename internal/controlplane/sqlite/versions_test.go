package sqlite_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// Reading an older file answers that there is nothing of what it has no tables for,
// and leaves it as it is.
func TestAnOlderFileHasNeitherHistoryNorAdditions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mlops.db")
	otherDatabase(t, path, slices.Concat(
		[]string{`PRAGMA application_id = 0x6d6c6f70`, `PRAGMA user_version = 1`}, sqlite.Layout1,
		[]string{
			`INSERT INTO meta VALUES ('store_id', 'the store')`,
			`INSERT INTO objects VALUES ('registered_model', 'old', '', 'uid', 3, 1, 2, '{"name":"old"}')`,
		})...)
	before := snapshot(t, dir)[path]
	store := openStore(t, path)
	moves, err := store.Policies().Moves(t.Context(), "old/champion", 0, 10)
	if err != nil || len(moves) > 0 {
		t.Errorf("%v %v", moves, err)
	}
	added, err := store.Registry().Unacknowledged(t.Context(), port.ModelVersion, "old")
	if err != nil || len(added) > 0 {
		t.Errorf("%v %v", added, err)
	}
	if err := store.Registry().Acknowledge(t.Context(), registrytest.VersionRef("old", 1)); err != nil {
		t.Error(err)
	}
	page, err := store.Registry().List(t.Context(), port.ModelVersion, "old", port.PageRequest{Size: 10})
	if err != nil || len(page.Objects) > 0 {
		t.Errorf("%v %v", page, err)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)[path]); diff != "" {
		t.Error("reading changed the file")
	}
	// Its model takes versions all the same.
	if made := registrytest.Add(t, store.Registry(), "old", "s3://bucket/k"); made.Ref != registrytest.VersionRef("old", 1) {
		t.Errorf("made %s", made.Ref)
	}
}
