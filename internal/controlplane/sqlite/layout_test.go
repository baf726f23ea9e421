package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
)

// earlier makes a file as an earlier release wrote it. A layout that is added
// needs testdata/layout_<the one before>.sql: the dump of a file that a release
// with that layout made, with the writes that layout_1.sql has.
func earlier(t *testing.T, layout int, path string) {
	t.Helper()
	dump, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("layout_%d.sql", layout)))
	if err != nil {
		t.Fatal(err)
	}
	otherDatabase(t, path, string(dump))
}

// one reads a single value of a file, without the store.
func one(t *testing.T, path, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var out string
	if err := db.QueryRow(query).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// tables describes all tables and their columns, in whatever order they came.
const tables = `SELECT group_concat(line, char(10)) FROM (
	SELECT m.type || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk, m.sql) AS line
	FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' ORDER BY line)`

const fraudETag = `"4df54d43-0f94-4993-8a5e-90371f763e78.2"`

const earlierEvents = `1 created registered_model fraud 1 
2 updated registered_model fraud 2 
3 created registered_model old 1 
4 created baseline fraud/score 1 
5 deleted registered_model old 1 
`

func TestAFileOfEachEarlierReleaseGoesOn(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "fresh.db")
	if _, err := storetest.Put(t, openStore(t, fresh), "m"); err != nil {
		t.Fatal(err)
	}
	if relational.Newest() < 2 {
		t.Fatal("there is no earlier layout to test")
	}
	for layout := 1; layout < relational.Newest(); layout++ {
		t.Run(fmt.Sprint("layout ", layout), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mlops.db")
			earlier(t, layout, path)
			store := openStore(t, path)

			// Reading it does not change it: an older release may go on with it.
			score, err := store.Policies().Get(t.Context(), port.Ref{Kind: "baseline", ID: "fraud/score"})
			if err != nil || string(score.Attributes) != `{"model":"fraud","name":"score","bins":[{"upper":0.1,"count":80},{"upper":0.25,"count":1.0e2},{"count":20}]}` {
				t.Fatalf("%s, %v", score.Attributes, err)
			}
			if diff := cmp.Diff(earlierEvents, storetest.EventLines(t, store)); diff != "" {
				t.Error(diff)
			}
			if audit, err := store.Policies().Audit(t.Context(), 4, 100); err != nil || len(audit) != 1 || audit[0].Action != port.Deleted {
				t.Errorf("%+v, %v", audit, err)
			}
			if _, err := store.Policies().Usage(t.Context()); err != nil {
				t.Error(err)
			}
			if got := one(t, path, `PRAGMA user_version`); got != fmt.Sprint(layout) {
				t.Errorf("reading made it layout %s", got)
			}

			// The first write brings it up to date, and loses nothing.
			ctx := port.WithCaller(t.Context(), port.Caller{Name: "ci"})
			if _, err := store.Registry().Put(ctx, port.Write{Ref: registrytest.Ref("fraud"), Attributes: []byte(`{"name":"fraud"}`), If: port.IfMatch(fraudETag)}); err != nil {
				t.Fatal(err)
			}
			if got := one(t, path, `PRAGMA user_version`); got != fmt.Sprint(relational.Newest()) {
				t.Errorf("writing made it layout %s", got)
			}
			if diff := cmp.Diff(one(t, fresh, tables), one(t, path, tables)); diff != "" {
				t.Errorf("it differs from a new file:\n%s", diff)
			}
			for what, store := range map[string]*sqlite.Store{"the same store": store, "another one": openStore(t, path)} {
				if diff := cmp.Diff(earlierEvents+"6 updated registered_model fraud 3 ci\n", storetest.EventLines(t, store)); diff != "" {
					t.Errorf("%s: %s", what, diff)
				}
				if again, err := store.Policies().Get(t.Context(), score.Ref); err != nil || !cmp.Equal(score, again) {
					t.Errorf("%s: %s", what, cmp.Diff(score, again))
				}
				if info, err := store.Policies().Info(t.Context()); err != nil || info.ID != "d71ff7a3-81d5-43e1-848f-08a9fa0e2f2d" {
					t.Errorf("%s is store %s, %v", what, info.ID, err)
				}
			}
			if got := one(t, path, `PRAGMA integrity_check`); got != "ok" {
				t.Error(got)
			}
		})
	}
}

func TestProcessesThatMigrateAtOnceBothGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	earlier(t, 1, path)
	outputs := make(chan string)
	for i := range 3 {
		cmd := child(t, "write 100", path, fmt.Sprint("p", i))
		go func() {
			out, err := cmd.Output()
			outputs <- fmt.Sprint(string(out), err)
		}()
	}
	for range 3 {
		if out := <-outputs; strings.Count(out, "\n") != 200 || strings.Contains(out, "error") {
			t.Errorf("%.2000s", out)
		}
	}
	if got := one(t, path, `SELECT count(*) FROM objects`); got != "302" {
		t.Errorf("%s objects, not the 2 of before and 300", got)
	}
}

func TestAReaderGoesOnWhileSomebodyMigratesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	earlier(t, 1, path)
	store := openStore(t, path)
	events := storetest.EventLines(t, store)
	// Somebody else migrates it under the reader.
	if _, err := storetest.Put(t, openStore(t, path), "m"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events+"6 created registered_model m 1 \n", storetest.EventLines(t, store)); diff != "" {
		t.Error(diff)
	}
}

func TestABackupIsWhatTheStoreWasAtOneMoment(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mlops.db")
	writer := child(t, "write", path, "w")
	stdout, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Process.Kill(); _ = writer.Wait() }()
	answered := 0
	buffer := make([]byte, 64)
	for answered < 5 { // the store is there, and grows from now on
		n, err := stdout.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		answered += strings.Count(string(buffer[:n]), "\n")
	}
	go func() { // or the writer would wait for its reader
		for {
			if _, err := stdout.Read(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	store := openStore(t, path)
	last := int64(0)
	for i := range 5 {
		out := filepath.Join(dir, fmt.Sprint("backup", i, ".db"))
		found, err := store.Backup(t.Context(), out)
		if err != nil {
			t.Fatal(err)
		}
		// It opens as a store, has each object with the event of its creation, and
		// an id that is the source's.
		integrity(t, out)
		copied := openStore(t, out)
		info, err := copied.Policies().Info(t.Context())
		usage, usageErr := copied.Policies().Usage(t.Context())
		if err != nil || usageErr != nil || info.ID != found.StoreID || usage.Objects[port.RegisteredModel] != found.Objects || found.Objects < last || found.Objects == 0 {
			t.Errorf("%+v holds %+v of %+v, %v, %v", found, usage, info, err, usageErr)
		}
		last = found.Objects
	}
	if _, err := storetest.Put(t, openStore(t, filepath.Join(dir, "backup0.db")), "new"); err != nil {
		t.Errorf("writing to a backup that was put in use: %v", err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestABackupOverwritesNothingAndLeavesNothingHalfDone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mlops.db")
	store := openStore(t, path)
	if _, err := store.Backup(t.Context(), filepath.Join(dir, "x.db")); port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), "nothing to back up") {
		t.Errorf("a store that is not there: %v", err)
	}
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "mine"), "mine")
	for _, out := range []string{"mine", "mlops.db"} {
		if _, err := store.Backup(t.Context(), filepath.Join(dir, out)); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
			t.Errorf("onto %s: %v", out, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Backup(ctx, filepath.Join(dir, "x.db")); err == nil {
		t.Error("a backup that was given up succeeded")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "mine" && !strings.HasPrefix(name, "mlops.db") {
			t.Errorf("left behind: %s", name)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "mine")); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
}
