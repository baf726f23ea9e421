package postgres_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/postgres"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// The test binary is also the other process of tests that need one.
const (
	childAddress = "POSTGRES_TEST_ADDRESS"
	childName    = "POSTGRES_TEST_NAME"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		writeUntilKilled(address, os.Getenv(childName))
	}
	os.Exit(m.Run())
}

// writeUntilKilled creates models as fast as it can, and adds a version to each. It
// prints a line for each write that was answered, and only then.
func writeUntilKilled(address, name string) {
	store, err := postgres.Open(address, nil)
	for i := 0; err == nil; i++ {
		ref := registrytest.Ref(fmt.Sprintf("%s-%05d", name, i))
		var o port.Object
		if o, err = store.Registry().Put(context.Background(), storetest.Once(ref, []byte(`{}`))); err != nil {
			break
		}
		fmt.Println(ref.Kind, ref.ID, o.ETag)
		if o, err = store.Registry().Add(context.Background(), port.Addition{Kind: port.ModelVersion, Model: ref.ID, Attributes: []byte(`{}`), Once: port.Once{Key: "version of " + ref.ID, Request: "add"}}); err == nil {
			fmt.Println(o.Kind, o.ID, o.ETag)
		}
	}
	fmt.Println("error:", port.CodeOf(err), err)
	os.Exit(1)
}

// whole fails unless each object has its event, its key and its number, and none of
// them is without the others.
func whole(t *testing.T, address string) {
	t.Helper()
	halves := lines(t, address, `
		SELECT 'object without its event: ' || o.id FROM objects o WHERE NOT EXISTS (SELECT FROM events e WHERE e.kind = o.kind AND e.id = o.id AND e.uid = o.uid AND e.action = 'created')
		UNION ALL SELECT 'event without its object: ' || e.id FROM events e WHERE e.action = 'created' AND NOT EXISTS (SELECT FROM objects o WHERE e.kind = o.kind AND e.id = o.id AND e.uid = o.uid)
		UNION ALL SELECT 'objects and keys: ' || count(*) FROM objects HAVING count(*) <> (SELECT count(*) FROM idempotency)
		UNION ALL SELECT 'numbers and versions: ' || count(*) FROM objects WHERE kind = 'model_version' HAVING count(*) <> (SELECT coalesce(sum(last), 0) FROM numbers)`)
	if len(halves) > 0 {
		t.Errorf("something is there by half: %v", halves)
	}
}

// Two processes write at the same time, and one of them is killed, or the database is:
// whatever was answered is there.
func TestAnsweredWritesSurviveAKill(t *testing.T) {
	server := testtools.StartPostgres(t)
	address := server.Database(t)
	answered := map[port.Ref]string{} // to ETag
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		ofDatabase := round%2 == 1
		type answer struct {
			ref   port.Ref
			etag  string
			error string
		}
		answers := make(chan answer)
		var writers []*exec.Cmd
		for i := range 2 {
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), childAddress+"="+address, childName+"="+fmt.Sprintf("round%d-%d", round, i))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			writers = append(writers, cmd)
			go func() {
				for found := bufio.NewScanner(out); found.Scan(); {
					if text, failed := strings.CutPrefix(found.Text(), "error: "); failed {
						answers <- answer{error: text}
						continue
					}
					var a answer
					if _, err := fmt.Sscan(found.Text(), &a.ref.Kind, &a.ref.ID, &a.etag); err == nil { // else it was killed in the middle of a line
						answers <- a
					}
				}
				_ = cmd.Wait()
				answers <- answer{}
			}()
		}
		kill := time.After(time.Duration(300+rand.IntN(700)) * time.Millisecond)
		for running := len(writers); running > 0; {
			select {
			case <-kill:
				if ofDatabase {
					server.Stop()
				} else {
					_ = writers[0].Process.Kill()
					time.AfterFunc(200*time.Millisecond, func() { _ = writers[1].Process.Kill() }) // it goes on without the other
				}
			case a := <-answers:
				switch {
				case a.error != "" && (!ofDatabase || !strings.HasPrefix(a.error, string(port.CodeUnavailable))):
					t.Errorf("round %d: a writer failed: %s", round, a.error)
				case a.error != "":
				case a.etag != "":
					answered[a.ref] = a.etag
				default:
					running--
				}
			}
		}
		if ofDatabase {
			server.Start(t)
		}
		store := openStore(t, address)
		for ref, etag := range answered {
			o, err := store.Registry().Get(t.Context(), ref)
			if err != nil || o.ETag != etag {
				t.Fatalf("round %d: %s was answered as %s, and is %s: %v", round, ref, etag, o.ETag, err)
			}
		}
		whole(t, address)
	}
	if len(answered) == 0 {
		t.Error("no round lived long enough to write anything")
	}
	t.Logf("%d answered writes outlived %d kills", len(answered), rounds)
}

func TestAStoreWhoseDatabaseIsGoneComesBackWithIt(t *testing.T) {
	server := testtools.StartPostgres(t)
	address := server.Database(t)
	store := openStore(t, address)
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	next := store.Policies().NextWrite()
	server.Stop()
	for what, try := range map[string]func() error{
		"a read":  func() error { _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); return err },
		"a write": func() error { _, err := storetest.Put(t, store, "n"); return err },
		"ready":   func() error { return store.Policies().Ready(t.Context()) },
	} {
		for range 3 { // by a connection that was lost, and by none
			err := try()
			e, ok := errors.AsType[*port.Error](err)
			if !ok || e.Code != port.CodeUnavailable || e.RetryAfter <= 0 || strings.Contains(err.Error(), "password") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	server.Start(t)
	if err := store.Policies().Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := storetest.Put(t, store, "n"); err != nil {
		t.Error(err)
	}
	<-next // by its own write, whether or not the listener is back
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); err != nil {
		t.Error(err)
	}

	// Nothing but the server's own setting can make it wait for its disk: it is said once.
	for flushes, want := range map[string]int{"on": 0, "off": 1} {
		run(t, address, `ALTER SYSTEM SET fsync = '`+flushes+`'`, `SELECT pg_reload_conf()`)
		for lines(t, address, `SHOW fsync`)[0] != flushes && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		var log bytes.Buffer
		careful, err := postgres.Open(address, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if _, err := storetest.Put(t, careful, fmt.Sprint(flushes, i)); err != nil {
				t.Error(err)
			}
		}
		if err := careful.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(log.String(), "fsync=off"); got != want {
			t.Errorf("fsync=%s is said %d times: %s", flushes, got, log.String())
		}
	}
}

func TestADatabaseThatTakesNoWritesIsReadOn(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	store := openStore(t, address)
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	readOnly := openStore(t, with(address, "default_transaction_read_only=on"))
	if _, err := readOnly.Registry().Get(t.Context(), registrytest.Ref("m")); err != nil {
		t.Error(err)
	}
	if err := readOnly.Policies().Ready(t.Context()); err != nil {
		t.Error(err)
	}
	_, err := storetest.Put(t, readOnly, "n")
	if port.CodeOf(err) != port.CodeUnavailable || !strings.Contains(err.Error(), "target_session_attrs=read-write") {
		t.Error(err)
	}
}

// A writer that is stuck, in whatever process, keeps its turn for so long only.
func TestATurnThatIsKeptIsExplainedAndTakenAway(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	if _, err := storetest.Put(t, openStore(t, address), "m"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", with(address, "idle_in_transaction_session_timeout=0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), postgres.TakeTurn); err != nil {
		t.Fatal(err)
	}
	store := openStore(t, with(address, "lock_timeout=100ms"))
	_, err = storetest.Put(t, store, "n")
	if port.CodeOf(err) != port.CodeUnavailable || !strings.Contains(err.Error(), "lock_timeout") {
		t.Errorf("write: %v", err)
	}
	// Readers do not wait for the writer, and one who gives up leaves nothing behind.
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); err != nil {
		t.Errorf("read: %v", err)
	}
	patient := openStore(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := patient.Registry().Put(ctx, storetest.Once(registrytest.Ref("n"), []byte(`{}`))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a writer that gave up: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Put(t, store, "n"); err != nil {
		t.Errorf("write after the turn is free: %v", err)
	}

	stuck := openStore(t, with(address, "idle_in_transaction_session_timeout=100ms"))
	err = stuck.Hold(t.Context(), func() {
		if _, err := storetest.Put(t, patient, "o"); err != nil {
			t.Errorf("after the turn was taken away: %v", err)
		}
	})
	if port.CodeOf(err) != port.CodeUnavailable {
		t.Errorf("whose turn was taken away: %v", err)
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	store := openStore(t, testtools.Postgres(t).Database(t))
	for state, want := range map[string]port.Code{
		"53100": port.CodeStoreFull, "53300": port.CodeUnavailable, "57P03": port.CodeUnavailable, "40001": port.CodeUnavailable, "40P01": port.CodeUnavailable,
		"58030": port.CodeStoreUnusable, "XX001": port.CodeStoreUnusable,
	} {
		_, err := store.Raise(t.Context(), state)
		if port.CodeOf(err) != want {
			t.Errorf("%s: %v", state, err)
		}
		if want == port.CodeStoreFull && !strings.Contains(err.Error(), "free some space") {
			t.Error(err)
		}
	}
}
