package sqlite_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/storetest"
)

// Whatever is in the file, and whatever became of it, the store answers or says in the
// port's words what is wrong; a file that is not ours stays as it is.
func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "mlops.db")
	store, err := sqlite.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := store.Registry().Put(f.Context(), storetest.Once(registrytest.Ref(name), []byte(`{"name":"`+name+`"}`))); err != nil {
			f.Fatal(err)
		}
	}
	if err := store.Close(); err != nil { // what is in the log goes into the file
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte("SQLite format 4"), uint32(0))
	f.Add(uint32(18), []byte{9, 9}, uint32(0))
	f.Add(uint32(68), []byte{0, 0, 0, 0}, uint32(0))
	f.Add(uint32(60), []byte{0, 0, 0, 99}, uint32(0))
	f.Add(uint32(60), []byte{0, 0, 0, 0}, uint32(0))
	f.Add(uint32(100), bytes.Repeat([]byte{0xff}, 300), uint32(0))
	f.Add(uint32(0), []byte{}, uint32(50))
	f.Add(uint32(0), []byte{}, uint32(4096))
	f.Add(uint32(4096), bytes.Repeat([]byte{0}, 4096), uint32(0))
	f.Fuzz(func(t *testing.T, offset uint32, patch []byte, length uint32) {
		data := bytes.Clone(whole)
		copy(data[int(offset)%len(data):], patch)
		if length > 0 {
			data = data[:int(length)%len(data)]
		}
		path := filepath.Join(t.TempDir(), "mlops.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if err != nil && port.CodeOf(err) == "" {
				t.Errorf("%s: %v is not in the port's words", what, err)
			}
		}
		_, err = store.Registry().Get(ctx, registrytest.Ref("a"))
		check("Get", err)
		_, err = store.Registry().List(ctx, port.RegisteredModel, "", port.PageRequest{Size: 10})
		check("List", err)
		_, err = store.Policies().Events(ctx, 0, 10)
		check("Events", err)
		_, err = store.Policies().Audit(ctx, 0, 10)
		check("Audit", err)
		_, err = store.Policies().ListTokens(ctx, port.PageRequest{Size: 10})
		check("ListTokens", err)
		_, err = store.Policies().Recall(ctx, port.Once{Key: "a", Request: "create"})
		check("Recall", err)
		_, err = store.Policies().Usage(ctx)
		check("Usage", err)
		check("Ready", store.Policies().Ready(ctx))
		_, err = store.Registry().Put(ctx, storetest.Once(registrytest.Ref("c"), []byte(`{"name":"c"}`)))
		check("Put", err)
		ours := len(data) == 0 || len(data) >= 72 && strings.HasPrefix(string(data), "SQLite format 3\x00") && bytes.Equal(data[68:72], whole[68:72])
		if now, readErr := os.ReadFile(path); !ours && (err == nil || readErr != nil || !bytes.Equal(now, data)) {
			t.Errorf("a file that is not ours was written to: %v, %v", err, readErr)
		}
	})
}

// A page's token is the store's own, or it is refused; nothing else is listed by it than
// what comes after.
func FuzzPageTokens(f *testing.F) {
	store, err := sqlite.Open(filepath.Join(f.TempDir(), "mlops.db"))
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := store.Registry().Put(f.Context(), storetest.Once(registrytest.Ref(name), []byte(`{"name":"`+name+`"}`))); err != nil {
			f.Fatal(err)
		}
	}
	for _, seed := range []string{"", "YQ", "YQ==", "not base64!", "_-8", base64.RawURLEncoding.EncodeToString([]byte("b\x00' OR 1=1 --"))} {
		f.Add(seed, 2)
	}
	f.Fuzz(func(t *testing.T, page string, size int) {
		request := port.PageRequest{Size: size, Token: page}
		after, malformed := base64.RawURLEncoding.DecodeString(page)
		got, err := store.Registry().List(t.Context(), port.RegisteredModel, "", request)
		_, tokensErr := store.Policies().ListTokens(t.Context(), request)
		for _, err := range []error{err, tokensErr} {
			if (err == nil) != (malformed == nil) || err != nil && port.CodeOf(err) != port.CodeInvalidArgument {
				t.Errorf("%q: %v", page, err)
			}
		}
		for _, o := range got.Objects {
			if o.ID <= string(after) {
				t.Errorf("%q lists %s", page, o.ID)
			}
		}
		if len(got.Objects) > max(size, 1) {
			t.Errorf("%d objects of at most %d", len(got.Objects), size)
		}
	})
}

// What is kept of an answer was written by this program, or by one that is broken: it
// is given again, or the store is said to be unusable.
func FuzzKeptAnswers(f *testing.F) {
	path := filepath.Join(f.TempDir(), "mlops.db")
	store, err := sqlite.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	write := storetest.Once(registrytest.Ref("a"), []byte(`{"name":"a"}`))
	if _, err := store.Registry().Put(f.Context(), write); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{"kind":"registered_model","id":"a","UID":"u","Generation":1,"Attributes":{"name":"a"}}`, `{}`, `null`, `[]`, `{"Generation":1e99}`, `{"CreatedAt":"x"}`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		keep(t, path, answer)
		_, err := store.Registry().Put(t.Context(), write)
		if err != nil && port.CodeOf(err) == "" {
			t.Errorf("%q: %v is not in the port's words", answer, err)
		}
	})
}

// keep puts an answer in the place of the one that is kept.
func keep(t *testing.T, path, answer string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `UPDATE idempotency SET answer = ?`, strings.ToValidUTF8(answer, "")); err != nil {
		t.Fatal(err)
	}
}
