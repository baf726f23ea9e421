package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
)

// The test binary is also the other process of tests that need one.
const (
	childMode = "SQLITE_TEST_CHILD"
	childPath = "SQLITE_TEST_PATH"
	childName = "SQLITE_TEST_NAME"
)

func TestMain(m *testing.M) {
	switch mode := os.Getenv(childMode); mode {
	case "":
		os.Exit(m.Run())
	case "fill up":
		fillUp(os.Getenv(childPath))
	case "write":
		writeUntilKilled(os.Getenv(childPath), os.Getenv(childName), 1<<30)
	case "write 100":
		writeUntilKilled(os.Getenv(childPath), os.Getenv(childName), 100)
	case "read", "put":
		tryOnce(os.Getenv(childPath), mode)
	case "read, wait, put, read":
		readAndWrite(os.Getenv(childPath))
	}
}

// writeUntilKilled creates models as fast as it can, and updates each once. It
// prints a line for each write that was answered, and only then.
func writeUntilKilled(path, name string, n int) {
	store, err := sqlite.Open(path)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	for i := range n {
		ref := registrytest.Ref(fmt.Sprintf("%s-%05d", name, i))
		attributes := []byte(fmt.Sprintf(`{"name":%q,"description":%q}`, ref.ID, strings.Repeat("x", i%3000)))
		o, err := store.Registry().Put(context.Background(), storetest.Once(ref, attributes))
		if err == nil {
			fmt.Println(ref.ID, o.ETag)
			o, err = store.Registry().Put(context.Background(), port.Write{Ref: ref, Attributes: attributes, If: port.IfMatch(o.ETag)})
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(ref.ID, o.ETag)
	}
}

func tryOnce(path, mode string) {
	store, err := sqlite.Open(path)
	if err == nil && mode == "put" {
		_, err = store.Registry().Put(context.Background(), port.Write{Ref: registrytest.Ref("new"), Attributes: []byte(`{"name":"new"}`), If: port.IfAbsent()})
	} else if err == nil {
		var o port.Object
		o, err = store.Registry().Get(context.Background(), registrytest.Ref("there"))
		fmt.Println("read:", string(o.Attributes))
	}
	fmt.Println("code:", port.CodeOf(err))
	fmt.Println("error:", err)
}

// readAndWrite reads, waits for a line, and then writes what it reads again.
func readAndWrite(path string) {
	store, err := sqlite.Open(path)
	if err == nil {
		_, err = store.Registry().Get(context.Background(), registrytest.Ref("there"))
	}
	fmt.Println("read:", err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	_, err = store.Registry().Put(context.Background(), port.Write{Ref: registrytest.Ref("new"), Attributes: []byte(`{}`), If: port.IfAbsent()})
	fmt.Println("put:", err)
	_, err = store.Registry().Get(context.Background(), registrytest.Ref("new"))
	fmt.Println("read again:", err)
}

func child(t *testing.T, mode, path, name string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childMode+"="+mode, childPath+"="+path, childName+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestAnsweredWritesSurviveAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	answered := map[string]string{} // id to ETag
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		cmd := child(t, "write", path, fmt.Sprint("round", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first rounds may also kill it while it makes the file.
		timer := time.AfterFunc(time.Duration(20+rand.IntN(120*(round+1)))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, etag, ok := strings.Cut(lines.Text(), " ")
			if !ok || id == "error:" {
				t.Fatalf("the writer failed: %s", lines.Text())
			}
			answered[id] = etag
		}
		timer.Stop()
		_ = cmd.Wait() // killed

		store := openStore(t, path)
		for id, etag := range answered {
			o, err := store.Registry().Get(t.Context(), registrytest.Ref(id))
			if err != nil {
				t.Fatalf("round %d: an answered write is gone: %v", round, err)
			}
			// One more write may have been on the disk and not answered yet.
			uid, _, _ := strings.Cut(etag, ".")
			if o.ETag != etag && o.ETag != uid+`.2"` {
				t.Errorf("round %d: %s is revision %s, answered was %s", round, id, o.ETag, etag)
			}
			// Asked again, the create is answered as it was, and not refused.
			again, err := store.Registry().Put(t.Context(), storetest.Once(o.Ref, o.Attributes))
			if err != nil || again.ETag != uid+`.1"` || string(again.Attributes) != string(o.Attributes) {
				t.Errorf("round %d: the create of %s, asked for again: %s %v", round, id, again.ETag, err)
			}
		}
		if _, err := storetest.Put(t, store, fmt.Sprint("after", round)); err != nil {
			t.Fatalf("round %d: writing after the kill: %v", round, err)
		}
		integrity(t, path)
	}
	if len(answered) == 0 {
		t.Error("no round lived long enough to write anything")
	}
	t.Logf("%d answered writes outlived %d kills", len(answered), rounds)
}

func integrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var result string
	var objects, created, halves int
	err = errors.Join(
		db.QueryRow(`SELECT count(*) FROM (SELECT key FROM idempotency) FULL JOIN (SELECT id FROM objects WHERE id LIKE '%-%') ON key = id WHERE key IS NULL OR id IS NULL`).Scan(&halves),
		db.QueryRow(`PRAGMA integrity_check`).Scan(&result),
		db.QueryRow(`SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM events WHERE action = 'created')`).Scan(&objects, &created),
	)
	if err != nil || result != "ok" || objects != created || halves != 0 {
		t.Fatalf("integrity %q, %d objects, %d events of creation, %d objects without their key or keys without their object, %v", result, objects, created, halves, err)
	}
}

func TestProcessesShareAFileThatNoneHasMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	const processes = 4
	outputs := make([]string, processes)
	var group sync.WaitGroup
	for i := range processes {
		cmd := child(t, "write 100", path, fmt.Sprint("p", i))
		group.Go(func() {
			out, err := cmd.Output()
			outputs[i] = fmt.Sprint(string(out), err)
		})
	}
	group.Wait()
	for i, out := range outputs {
		if strings.Count(out, "\n") != 200 || strings.Contains(out, "error") {
			t.Errorf("process %d: %.2000s", i, out)
		}
	}
	store := openStore(t, path)
	count := 0
	for token := ""; ; {
		page, err := store.Registry().List(t.Context(), port.RegisteredModel, "", port.PageRequest{Size: 1000, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.Objects)
		if token = page.Next; token == "" {
			break
		}
	}
	if count != processes*100 {
		t.Errorf("%d objects of %d", count, processes*100)
	}
	integrity(t, path)
}

// snapshot is what a directory holds, to tell that nothing was written.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			out[path] = entry.Type().String()
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// otherDatabase makes a closed SQLite file with the statements applied.
func otherDatabase(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNotOursIsLeftAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string) (path string)
		says    []string
	}{
		"a directory": {func(t *testing.T, dir string) string {
			return dir
		}, []string{"is a directory", "mlops.db"}},
		"a text": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "main.tf")
			write(t, path, `resource "mlops_registered_model" "fraud" {}`+strings.Repeat("\n# ", 100))
			return path
		}, []string{"not a SQLite database", "another path"}},
		"a short text": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "x")
			write(t, path, "x")
			return path
		}, []string{"not a SQLite database"}},
		"another program's database": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "mlflow.db")
			otherDatabase(t, path, `CREATE TABLE registered_models (name TEXT)`)
			return path
		}, []string{"another program", "another path"}},
		"another program's database with its own id": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "x.db")
			otherDatabase(t, path, `PRAGMA application_id = 1`, `CREATE TABLE objects (kind TEXT)`)
			return path
		}, []string{"another program"}},
		"a newer layout": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "mlops.db")
			otherDatabase(t, path, `PRAGMA application_id = 0x6d6c6f70`, `PRAGMA user_version = 99`, `CREATE TABLE objects (kind TEXT)`)
			return path
		}, []string{"newer release", "layout 99"}},
		"our mark and no tables": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "mlops.db")
			otherDatabase(t, path, `PRAGMA application_id = 0x6d6c6f70`, `PRAGMA user_version = 1`, `CREATE TABLE objects (kind TEXT)`)
			return path
		}, []string{"lacks its tables", "backup"}},
		"our mark and no version": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "mlops.db")
			otherDatabase(t, path, `PRAGMA application_id = 0x6d6c6f70`, `CREATE TABLE objects (kind TEXT)`)
			return path
		}, []string{"no layout version"}},
		"a part of the path is a file": {func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), "x")
			return filepath.Join(dir, "file", "mlops.db")
		}, []string{"a part of the path is a file"}},
		"damage": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "mlops.db")
			store, err := sqlite.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := storetest.Put(t, store, "m"); err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, string(data[:100])+strings.Repeat("\xff", len(data)-100))
			return path
		}, []string{"damaged", "backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := tt.prepare(t, dir)
			before := snapshot(t, dir)
			store := openStore(t, path)
			_, readErr := store.Registry().Get(t.Context(), registrytest.Ref("m"))
			_, writeErr := storetest.Put(t, store, "m")
			for what, err := range map[string]error{"read": readErr, "write": writeErr} {
				if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v", what, err)
				}
				for _, want := range tt.says {
					if err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("%s does not say %q: %v", what, want, err)
					}
				}
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
				t.Errorf("something was written:\n%.1000s", diff)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOfAnEarlierReleaseIsReadAsItIsAndBroughtUpToDateByTheFirstWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mlops.db")
	otherDatabase(t, path, slices.Concat(
		[]string{`PRAGMA application_id = 0x6d6c6f70`, `PRAGMA user_version = 1`}, sqlite.Layout1,
		[]string{
			`INSERT INTO meta VALUES ('store_id', 'the store')`,
			`INSERT INTO objects VALUES ('registered_model', 'old', '', 'uid', 3, 1, 2, '{"name":"old"}')`,
		})...)
	before := snapshot(t, dir)
	store := openStore(t, path)
	old, err := store.Registry().Get(t.Context(), registrytest.Ref("old"))
	if err != nil || old.ETag != `"uid.3"` {
		t.Fatalf("%+v %v", old, err)
	}
	if diff := cmp.Diff(before[path], snapshot(t, dir)[path]); diff != "" {
		t.Error("reading changed the file")
	}
	write := storetest.Once(registrytest.Ref("new"), []byte(`{"name":"new"}`))
	made, err := store.Registry().Put(t.Context(), write)
	if err != nil {
		t.Fatal(err)
	}
	store = openStore(t, path)
	again, err := store.Registry().Put(t.Context(), write)
	if err != nil || cmp.Diff(made, again) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(made, again))
	}
	kept, err := store.Registry().Get(t.Context(), registrytest.Ref("old"))
	if err != nil || cmp.Diff(old, kept) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(old, kept))
	}
	info, err := store.Policies().Info(t.Context())
	if err != nil || info.ID != "the store" {
		t.Errorf("%+v %v", info, err)
	}
}

// With synchronous=FULL, which is 2, SQLite waits until the log is on the disk at each
// commit; with less, a write that was answered could be lost with the power.
func TestACommitWaitsForTheDisk(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "mlops.db"))
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	journal, synchronous, err := store.Durability(t.Context())
	if err != nil || journal != "wal" || synchronous != 2 {
		t.Errorf("journal %s, synchronous %d, %v; want wal and 2", journal, synchronous, err)
	}
}

func TestReadsCostWhatTheyReturn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	if _, err := storetest.Put(t, openStore(t, path), "m"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	want := map[string][]string{
		"an object":                    {"SEARCH objects USING INDEX sqlite_autoindex_objects_1 (kind=? AND id=?)"},
		"a page of objects":            {"SEARCH objects USING INDEX sqlite_autoindex_objects_1 (kind=? AND id>?)"},
		"a page of a model's objects":  {"SEARCH objects USING INDEX objects_of_model (model=? AND kind=? AND id>?)"},
		"a model's children":           {"SEARCH objects USING COVERING INDEX objects_of_model (model=?)"},
		"a page of the audit log":      {"SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"},
		"a page of events":             {"SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"},
		"an answer to a key":           {"SEARCH idempotency USING PRIMARY KEY (key=?)"},
		"the answers that are old":     {"SEARCH idempotency USING INDEX idempotency_by_expiry (expires_at<?)"},
		"a token":                      {"SEARCH tokens USING PRIMARY KEY (id=?)"},
		"a token by its hash":          {"SEARCH tokens USING INDEX tokens_by_hash (hash=?)"},
		"a page of tokens":             {"SEARCH tokens USING PRIMARY KEY (id>?)"},
		"a minter's tokens":            {"SEARCH tokens USING COVERING INDEX tokens_of_minter (minter=?)"},
		"the tokens that have expired": {"SEARCH tokens USING INDEX tokens_by_expiry (expires_at<?)"},
		"the additions that are old":   {"SEARCH unacknowledged USING INDEX unacknowledged_by_age (at<?)"},
	}
	got := map[string][]string{}
	for name, statement := range relational.Reads() {
		parameters := make([]any, strings.Count(statement, "$"))
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+statement, parameters...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			got[name] = append(got[name], step) // a sort would be a step of its own
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestADirectoryThatIsMissingIsEmptyAndNotMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "mlops.db")
	store := openStore(t, path)
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); port.CodeOf(err) != port.CodeNotFound {
		t.Errorf("read: %v", err)
	}
	_, err := storetest.Put(t, store, "m")
	if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), "does not exist. Create it") {
		t.Errorf("write: %v", err)
	}
}

func TestPathsWithUnusualCharacters(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?.db", "x#y.db", "ü&=;.db", ":memory:", "file:x", "%3F.db"} {
		path := filepath.Join(t.TempDir(), name)
		store := openStore(t, path)
		if _, err := storetest.Put(t, store, "m"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEmptyFileIsAnEmptyStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	write(t, path, "")
	store := openStore(t, path)
	if info, err := store.Policies().Info(t.Context()); err != nil || info.Exists {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("reading changed the file: %v, %v", info, err)
	}
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsTakenAwayIsNotWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	store := openStore(t, path)
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	before, err := store.Policies().Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); port.CodeOf(err) != port.CodeNotFound {
		t.Errorf("read from a file that is gone: %v", err)
	}
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	after, err := openStore(t, path).Policies().Info(t.Context())
	if err != nil || after.ID == before.ID || !after.Exists {
		t.Errorf("store was %+v, is %+v, %v", before, after, err)
	}
	integrity(t, path)
}

func TestAFileThatIsReplacedIsReadAnew(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "mlops.db"), filepath.Join(dir, "other.db")
	for path, name := range map[string]string{path: "before", other: "after"} {
		store := openStore(t, path)
		if _, err := storetest.Put(t, store, name); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	store := openStore(t, path)
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("before")); err != nil {
		t.Fatal(err)
	}
	// As when a backup is put back under a running server.
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("after")); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := storetest.Put(t, store, "before"); err != nil {
		t.Errorf("write: %v", err)
	}
	integrity(t, path)
}

func TestALockThatIsKeptIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	store := openStore(t, path)
	store.SetBusyTimeout(50 * time.Millisecond)
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	_, err = storetest.Put(t, store, "n")
	if port.CodeOf(err) != port.CodeUnavailable || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("write: %v", err)
	}
	// Readers do not wait for the writer.
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := db.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Put(t, store, "n"); err != nil {
		t.Errorf("write after the lock is gone: %v", err)
	}
}
