package sqlite_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

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

// A number means one artifact for good, also when the model is made anew.
func TestNumbersGoOnWhereAModelIsMadeAnew(t *testing.T) {
	registry := openStore(t, filepath.Join(t.TempDir(), "mlops.db")).Registry()
	for i := range int64(3) {
		registrytest.Create(t, registry, "m", registrytest.Attributes(t, "m", "", nil))
		if made := registrytest.Add(t, registry, "m", "s3://bucket/k"); made.Ref != registrytest.VersionRef("m", i+1) {
			t.Errorf("made %s", made.Ref)
		}
		if _, err := registry.Delete(t.Context(), port.Delete{Ref: registrytest.Ref("m"), If: port.IfPresent(), Cascade: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAdditionThatNobodyAcknowledgesIsForgottenAfterADay(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "mlops.db"))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store.SetNow(func() time.Time { return now })
	registry := store.Registry()
	registrytest.Create(t, registry, "m", registrytest.Attributes(t, "m", "", nil))
	registrytest.Add(t, registry, "m", "s3://bucket/k")
	now = now.Add(port.OnceFor - time.Millisecond)
	for want := 1; want >= 0; want-- {
		added, err := registry.Unacknowledged(t.Context(), port.ModelVersion, "m")
		if err != nil || len(added) != want {
			t.Errorf("%v, %v, want %d", added, err, want)
		}
		now = now.Add(time.Millisecond)
	}
}

// A policy of another kind holds a model, however many versions go before it in a list.
func TestACascadeTakesNoPolicyAlong(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "mlops.db"))
	registry := store.Registry()
	registrytest.Create(t, registry, "m", registrytest.Attributes(t, "m", "", nil))
	for range 3 {
		registrytest.Add(t, registry, "m", "s3://bucket/k")
	}
	rollout := port.Ref{Kind: "rollout_policy", ID: "m/canary"}
	if _, err := store.Policies().Put(t.Context(), port.Write{Ref: rollout, Model: "m", Attributes: []byte(`{}`), If: port.IfAbsent()}); err != nil {
		t.Fatal(err)
	}
	_, err := registry.Delete(t.Context(), port.Delete{Ref: registrytest.Ref("m"), If: port.IfPresent(), Cascade: true})
	if port.CodeOf(err) != port.CodeFailedPrecondition {
		t.Errorf("%v", err)
	}
	page, err := registry.List(t.Context(), port.ModelVersion, "m", port.PageRequest{Size: 10})
	if err != nil || len(page.Objects) != 3 {
		t.Errorf("a cascade that was refused has deleted: %v, %v", page, err)
	}
}
