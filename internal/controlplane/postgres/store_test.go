package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/postgres"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

func openStore(t *testing.T, address string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(address, nil)
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

// with adds parameters to an address.
func with(address, parameters string) string { return address + "&" + parameters }

// run carries out statements without the store.
func run(t *testing.T, address string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil { // also in a cleanup
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// lines reads the first column of a query without the store.
func lines(t *testing.T, address, query string) []string {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheStoreIsARegistry(t *testing.T) {
	registrytest.Run(t, openStore(t, testtools.Postgres(t).Database(t)).Registry())
}

func TestTheStoreIsAControlPlanes(t *testing.T) {
	server := testtools.Postgres(t)
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		address := server.Database(t)
		return func(t *testing.T, now func() time.Time) storetest.Store {
			store := openStore(t, address)
			store.SetNow(now)
			return store
		}
	})
}

// The commands are those of docs/server.md.
func TestADumpIsRestoredAsDocumented(t *testing.T) {
	server := testtools.Postgres(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "server.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := func(program string) *exec.Cmd {
		line := regexp.MustCompile(`(?m)^\$ (` + program + ` .*?)( +#.*)?$`).FindSubmatch(page)
		if line == nil {
			t.Fatalf("docs/server.md has no command %s", program)
		}
		cmd := exec.Command("sh", "-c", string(line[1]))
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(server.Program(t, program))+string(filepath.ListSeparator)+os.Getenv("PATH"))
		return cmd
	}
	address, folder := server.Database(t), t.TempDir()
	carriedOut := func(program string) {
		t.Helper()
		cmd := documented(program)
		cmd.Dir = folder
		cmd.Env = append(cmd.Env, "MLOPS_DATABASE_URL="+address)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, output)
		}
	}
	everything := func() string {
		var out strings.Builder
		for _, table := range lines(t, address, `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`) {
			fmt.Fprintln(&out, table, strings.Join(lines(t, address, `SELECT r::text FROM `+table+` AS r ORDER BY 1`), "\n"))
		}
		return out.String() + strings.Join(lines(t, address, described), "\n")
	}

	store, err := postgres.Open(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	registrytest.Create(t, store.Registry(), "kept", registrytest.Attributes(t, "kept", "", nil))
	added := registrytest.Add(t, store.Registry(), "kept", "s3://bucket/k")
	want := everything()
	carriedOut("pg_dump")

	registrytest.Add(t, store.Registry(), "kept", "s3://bucket/lost")
	if _, err := storetest.Put(t, store, "lost"); err != nil {
		t.Fatal(err)
	}
	if cmp.Diff(want, everything()) == "" {
		t.Fatal("this test does not see what was written after the dump")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	carriedOut("pg_restore")
	if diff := cmp.Diff(want, everything()); diff != "" {
		t.Errorf("written (-) and restored (+) differ:\n%s", diff)
	}

	// It goes on from there.
	store = openStore(t, address)
	if next := registrytest.Add(t, store.Registry(), "kept", "s3://bucket/k2"); added.Ref != registrytest.VersionRef("kept", 1) || next.Ref != registrytest.VersionRef("kept", 2) {
		t.Errorf("added %s, and %s after the restore", added.Ref, next.Ref)
	}
}

const described = `SELECT line FROM (
	SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' || coalesce(collation_name, '') AS line FROM information_schema.columns WHERE table_schema = current_schema()
	UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()) AS d ORDER BY line COLLATE "C"`

func TestADatabaseOfEachEarlierLayoutGoesOn(t *testing.T) {
	server := testtools.Postgres(t)
	fresh := server.Database(t)
	if _, err := storetest.Put(t, openStore(t, fresh), "m"); err != nil {
		t.Fatal(err)
	}
	want := lines(t, fresh, described)
	if relational.Newest() < 2 {
		t.Fatal("there is no earlier layout to test")
	}
	for layout := 1; layout < relational.Newest(); layout++ {
		t.Run(fmt.Sprint("layout ", layout), func(t *testing.T) {
			address := server.Database(t)
			run(t, address, slices.Concat(postgres.LaidOut(layout), []string{
				`INSERT INTO meta VALUES ('store_id', 'the store'), ('layout', '` + fmt.Sprint(layout) + `')`,
				`INSERT INTO objects (kind, id, model, uid, generation, created_at, updated_at, attributes) VALUES ('registered_model', 'old', '', 'uid', 3, 1, 2, '{"name":"old"}')`,
				`INSERT INTO events (at, action, kind, id, uid, generation) VALUES (1, 'created', 'registered_model', 'old', 'uid', 3)`,
			})...)
			store := openStore(t, address)

			// Reading it does not change it: an older release may go on with it.
			old, err := store.Registry().Get(t.Context(), registrytest.Ref("old"))
			if err != nil || old.ETag != `"uid.3"` {
				t.Fatalf("%+v, %v", old, err)
			}
			if diff := cmp.Diff("1 created registered_model old 3 \n", storetest.EventLines(t, store)); diff != "" {
				t.Error(diff)
			}
			if moves, err := store.Policies().Moves(t.Context(), "old/champion", 0, 10); err != nil || len(moves) > 0 {
				t.Errorf("%v, %v", moves, err)
			}
			if got := lines(t, address, `SELECT value FROM meta WHERE key = 'layout'`); got[0] != fmt.Sprint(layout) {
				t.Errorf("reading made it layout %s", got)
			}

			// The first write brings it up to date, whoever writes it, and loses nothing.
			errs := make(chan error)
			for i := range 3 {
				other := openStore(t, address)
				go func() {
					_, err := other.Registry().Put(t.Context(), storetest.Once(registrytest.Ref(fmt.Sprint("new", i)), []byte(`{}`)))
					errs <- err
				}()
			}
			for range 3 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(want, lines(t, address, described)); diff != "" {
				t.Errorf("it differs from a new database (-new +brought up to date):\n%s", diff)
			}
			if made := registrytest.Add(t, store.Registry(), "old", "s3://bucket/k"); made.Ref != registrytest.VersionRef("old", 1) {
				t.Errorf("made %s", made.Ref)
			}
			if again, err := store.Registry().Get(t.Context(), old.Ref); err != nil || !cmp.Equal(old, again) {
				t.Errorf("%v\n%s", err, cmp.Diff(old, again))
			}
			if info, err := store.Policies().Info(t.Context()); err != nil || info.ID != "the store" {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

func TestADatabaseThatIsNotOursIsLeftAlone(t *testing.T) {
	server := testtools.Postgres(t)
	for name, tt := range map[string]struct {
		statements []string
		writing    bool // it shows when something is written
		says       []string
	}{
		"a newer layout": {[]string{`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)`, `INSERT INTO meta VALUES ('store_id', 'x'), ('layout', '99')`}, false,
			[]string{"layout 99", "newer release"}},
		"another program's meta": {[]string{`CREATE TABLE meta (id INT, name TEXT)`}, false, []string{"another program", "search_path"}},
		"another's with our columns": {[]string{`CREATE TABLE meta (key INT, value INT)`}, false,
			[]string{"another program"}},
		"a meta without an id":      {[]string{`CREATE TABLE meta (key TEXT, value TEXT)`}, false, []string{"another program"}},
		"another program's objects": {[]string{`CREATE TABLE objects (id INT)`}, true, []string{"another program", "search_path"}},
	} {
		t.Run(name, func(t *testing.T) {
			address := server.Database(t)
			run(t, address, tt.statements...)
			before := lines(t, address, described)
			store := openStore(t, address)
			_, readErr := store.Registry().Get(t.Context(), registrytest.Ref("m"))
			_, writeErr := storetest.Put(t, store, "m")
			if tt.writing {
				if port.CodeOf(readErr) != port.CodeNotFound {
					t.Errorf("read: %v", readErr)
				}
				readErr = writeErr
			}
			for what, err := range map[string]error{"read": readErr, "write": writeErr} {
				if port.CodeOf(err) != port.CodeStoreUnusable {
					t.Errorf("%s: %v", what, err)
					continue
				}
				for _, want := range tt.says {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s does not say %q: %v", what, want, err)
					}
				}
			}
			if diff := cmp.Diff(before, lines(t, address, described)); diff != "" {
				t.Errorf("something was written:\n%s", diff)
			}
		})
	}
}

func TestADatabaseThatKeepsOtherTextIsRefused(t *testing.T) {
	server := testtools.Postgres(t)
	address := server.Database(t)
	run(t, address, `CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc`)
	t.Cleanup(func() { run(t, address, `DROP DATABASE latin WITH (FORCE)`) })
	_, err := openStore(t, server.URL("latin")).Registry().Get(t.Context(), registrytest.Ref("m"))
	if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), "LATIN1") || !strings.Contains(err.Error(), "UTF8") {
		t.Error(err)
	}
}

func TestASchemaOfItsOwn(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	run(t, address, `CREATE TABLE objects (id INT)`, `CREATE SCHEMA mlops`, `CREATE SCHEMA "Another One"`)
	var ids []string
	for _, schema := range []string{`options=-c%20search_path%3Dmlops`, `search_path=%22Another%20One%22`} {
		store := openStore(t, with(address, schema))
		if _, err := storetest.Put(t, store, "m"); err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		info, err := store.Policies().Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.ID)
	}
	if ids[0] == ids[1] || ids[0] == "" {
		t.Errorf("two schemas are two stores, not %v", ids)
	}
	_, err := storetest.Put(t, openStore(t, with(address, "search_path=missing")), "m")
	if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), "CREATE SCHEMA") {
		t.Error(err)
	}
}

func TestTextThatADatabaseDoesNotKeepIsTheCallersFault(t *testing.T) {
	store := openStore(t, testtools.Postgres(t).Database(t))
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 9000) // does not compress
	for i, x := 0, uint32(1); i < len(long); i++ {
		x = x*1664525 + 1013904223
		long[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[x>>26]
	}
	for _, name := range []string{"a\x00b", "a\xffb", string(long)} {
		if _, err := storetest.Put(t, store, name); port.CodeOf(err) != port.CodeInvalidArgument {
			t.Errorf("writing %.20q: %v", name, err)
		}
	}
	for _, name := range []string{"a\x00b", "a\xffb"} {
		if _, err := store.Registry().Get(t.Context(), registrytest.Ref(name)); port.CodeOf(err) != port.CodeInvalidArgument {
			t.Errorf("reading %q: %v", name, err)
		}
	}
	if _, err := storetest.Put(t, store, "n"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Without statistics a small table is read whole: it needs rows enough for an index to
// be worth it.
func TestReadsCostWhatTheyReturn(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	if _, err := storetest.Put(t, openStore(t, address), "m"); err != nil {
		t.Fatal(err)
	}
	run(t, address,
		`INSERT INTO objects (kind, id, model, uid, generation, created_at, updated_at, attributes) SELECT 'kind' || i % 5, 'id' || i, 'model' || i % 7, 'u', 1, 1, 1, repeat('x', 100) FROM generate_series(1, 20000) i`,
		`INSERT INTO events (at, action, kind, id, uid, generation) SELECT 1, 'created', 'k', 'i', 'u', 1 FROM generate_series(1, 20000)`,
		`INSERT INTO idempotency (key, request, answer, expires_at) SELECT 'key' || i, 'r', 'a', i FROM generate_series(1, 20000) i`,
		`INSERT INTO tokens (id, name, role, description, minter, salt, hash, ttl, created_at, expires_at, ends_at) SELECT 'id' || i, 'n', 'read', '', 'minter' || i % 500, sha256(i::text::bytea), sha256(i::text::bytea), 1, 1, i, 1 FROM generate_series(1, 20000) i`,
		`INSERT INTO unacknowledged (kind, id, model, key, at) SELECT 'k', 'id' || i, 'm', 'k', i FROM generate_series(1, 20000) i`,
		`ANALYZE`)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	arguments := map[string]string{
		"an object":                    `'kind1', 'id1'`,
		"a page of objects":            `'kind1', 'id5', 11`,
		"a page of a model's objects":  `'model1', 'kind1', 'id5', 11`,
		"a model's children":           `'model1', 11`,
		"a page of events":             `19000, 11`,
		"a page of the audit log":      `19000, 11`,
		"an answer to a key":           `'key1', 5`,
		"the answers that are old":     `50`,
		"the additions that are old":   `50`,
		"a token":                      `'id1'`,
		"a token by its hash":          `sha256('1')`,
		"a page of tokens":             `'id5', 50, 11`,
		"a minter's tokens":            `'minter1'`,
		"the tokens that have expired": `50`,
	}
	whole := regexp.MustCompile(`Seq Scan|Sort`)
	for name, statement := range relational.Reads() {
		if arguments[name] == "" {
			t.Errorf("no arguments to read %s with", name)
			continue
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), `PREPARE reading AS `+statement); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.QueryContext(t.Context(), `EXPLAIN EXECUTE reading(`+arguments[name]+`)`)
		if err != nil {
			t.Fatal(err)
		}
		plan := ""
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan += line + "\n"
		}
		if whole.MatchString(plan) || !strings.Contains(plan, "Index Cond") {
			t.Errorf("%s is read by\n%s", name, plan)
		}
		_ = rows.Close()
		if _, err := conn.ExecContext(t.Context(), `DEALLOCATE reading`); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}

func TestAnAddressThatCannotBeReadShowsNoPassword(t *testing.T) {
	for _, tt := range []struct{ address, says string }{
		{"mlops.db", "postgres://"},
		{"/var/lib/mlops.db", "postgres://"},
		{"mysql://u:hunter2@h/d", "postgres://"},
		{"postgres://u:hun/ter2@h/d", "%40 for @"},
		{"postgres://u:hunter%zz2@h/d", "%40 for @"},
		{"postgres://u:hunter2@h:port/d", "PGPASSFILE"},
		{"host=h password='hunter2", "PGPASSFILE"},
		{"host=h password=hunter2 sslmode=sometimes", "PGPASSFILE"},
		{"postgres://h/d?sslmode=sometimes", "sslmode is invalid"},
	} {
		_, err := postgres.Open(tt.address, nil)
		if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.address, err)
		}
		for _, part := range []string{"hunter", "hun", "ter2", "zz2"} {
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), part) {
				t.Errorf("%s: shows %q: %v", tt.address, part, err)
			}
		}
	}
}

func TestAnAddressIsCompletedByTheEnvironmentAndNamedWithoutItsPassword(t *testing.T) {
	t.Setenv("PGHOST", "db.example.com")
	t.Setenv("PGDATABASE", "fallback")
	t.Setenv("PGPASSWORD", "hunter2")
	for _, tt := range []struct {
		address, name string
		readable      bool
		connections   int32
	}{
		{"postgres://", `the PostgreSQL database "fallback" at db.example.com:5432`, true, 10},
		{"postgres:///mlops?sslmode=verify-full&pool_max_conns=3", `the PostgreSQL database "mlops" at db.example.com:5432`, false, 3},
		{"postgres://u:hunter2@127.0.0.1:6000/mlops", `the PostgreSQL database "mlops" at 127.0.0.1:6000`, false, 10},
		{"postgres://a,b:6000/mlops?sslmode=require", `the PostgreSQL database "mlops" at a:5432, b:6000`, false, 10},
		{"host=/run/postgresql dbname=mlops", `the PostgreSQL database "mlops" at /run/postgresql`, false, 10},
	} {
		store := openStore(t, tt.address)
		if store.Name() != tt.name || store.Readable() != tt.readable || store.Connections() != tt.connections {
			t.Errorf("%s: %s, readable %t, %d connections", tt.address, store.Name(), store.Readable(), store.Connections())
		}
	}
}

func TestCommitsAreOnTheDiskWhateverTheDatabaseIsSetTo(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	name := lines(t, address, `SELECT current_database()`)[0]
	for set, want := range map[string]string{"off": "on", "local": "local", "remote_apply": "remote_apply"} {
		run(t, address, `ALTER DATABASE `+name+` SET synchronous_commit = '`+set+`'`)
		store := openStore(t, address)
		if got, err := store.Setting(t.Context(), "synchronous_commit"); err != nil || got != want {
			t.Errorf("%s was made %s, %v", set, got, err)
		}
	}
	for setting, want := range map[string]string{"lock_timeout": "3s", "application_name": "mine", "client_encoding": "UTF8", "idle_in_transaction_session_timeout": "1min"} {
		store := openStore(t, with(address, "lock_timeout=3s&application_name=mine&client_encoding=LATIN1&options=-c%20idle_in_transaction_session_timeout%3D60s"))
		if got, err := store.Setting(t.Context(), setting); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", setting, got, err, want)
		}
	}
}

func TestAPassfileGivesThePassword(t *testing.T) {
	server := testtools.Postgres(t)
	address := server.Database(t)
	password := regexp.MustCompile(`//mlops:([^@]+)@`)
	secret := password.FindStringSubmatch(address)[1]
	address = password.ReplaceAllString(address, "//mlops@")
	file := t.TempDir() + "/pgpass"
	if err := os.WriteFile(file, []byte("*:*:*:mlops:"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := storetest.Put(t, openStore(t, address), "m")
	if port.CodeOf(err) != port.CodeStoreUnusable || !strings.Contains(err.Error(), "PGPASSFILE") {
		t.Errorf("without a password: %v", err)
	}
	t.Setenv("PGPASSFILE", file)
	if _, err := storetest.Put(t, openStore(t, address), "m"); err != nil {
		t.Errorf("with a passfile: %v", err)
	}
}

func TestAUserWithoutRightsAndADatabaseThatIsNotThereAreExplained(t *testing.T) {
	server := testtools.Postgres(t)
	address := server.Database(t)
	run(t, address, `CREATE ROLE guest LOGIN PASSWORD 'guest'`)
	t.Cleanup(func() { run(t, address, `DROP ROLE guest`) })
	guest := regexp.MustCompile(`//[^@]+@`).ReplaceAllString(address, "//guest:guest@")
	for name, tt := range map[string]struct{ address, says string }{
		"no rights":        {guest, "GRANT CREATE"},
		"a wrong secret":   {strings.Replace(guest, ":guest@", ":wrong@", 1), "refuses the user or the password"},
		"no such role":     {strings.Replace(guest, "//guest", "//nobody", 1), "refuses the user or the password"},
		"no such server":   {"postgres://mlops@127.0.0.1:1/mlops?sslmode=disable", "cannot be reached"},
		"no such place":    {server.URL("missing"), "createdb"},
		"not a TLS server": {strings.Replace(address, "sslmode=disable", "sslmode=require", 1), "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := storetest.Put(t, openStore(t, tt.address), "m")
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "PostgreSQL database") {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), "guest:guest")) {
				t.Errorf("shows a password: %v", err)
			}
		})
	}
}

func TestTablesThatAreTakenAwayAreAnotherStore(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	store := openStore(t, address)
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	before, err := store.Policies().Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run(t, address, `DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`)
	// As when a dump is put back under a running server: it is asked again.
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); port.CodeOf(err) != port.CodeUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("m")); port.CodeOf(err) != port.CodeNotFound {
		t.Errorf("%v", err)
	}
	if info, err := store.Policies().Info(t.Context()); err != nil || info.Exists {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := storetest.Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	if after, err := store.Policies().Info(t.Context()); err != nil || after.ID == before.ID || !after.Exists {
		t.Errorf("was %+v, is %+v, %v", before, after, err)
	}
}

func TestAWriteOfAnotherStoreWakesWhoWaits(t *testing.T) {
	address := testtools.Postgres(t).Database(t)
	reader, writer := openStore(t, address), openStore(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The first announcement may be the listener's own, that it listens from now on.
	for i := range 3 {
		next := reader.Policies().NextWrite()
		if _, err := storetest.Put(t, writer, fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Fatalf("write %d wakes nobody", i)
		}
	}
}
