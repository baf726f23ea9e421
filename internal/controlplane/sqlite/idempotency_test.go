package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
)

func TestAWriteWithAKeyHappensOnce(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "mlops.db"))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store.SetNow(func() time.Time { return now })
	registry := store.Registry()
	// Characters that JSON may be written with in several ways stay the bytes they are.
	create := port.Write{
		Ref: registrytest.Ref("m"), Attributes: []byte("{\"name\":\"m\",\"description\":\"<&>\u2028\",\"false_alarms_per_30d\":1.50}"),
		If: port.IfAbsent(), Once: port.Once{Key: "k", Request: "create m"},
	}
	first, err := registry.Put(t.Context(), create)
	if err != nil {
		t.Fatal(err)
	}

	// The object has moved on, and is even gone: the answer is the one of then.
	update := port.Write{Ref: create.Ref, Attributes: []byte(`{"name":"m"}`), If: port.IfMatch(first.ETag), Once: port.Once{Key: "k2", Request: "update m"}}
	second, err := registry.Put(t.Context(), update)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(port.OnceFor - time.Millisecond)
	for range 2 {
		for _, tt := range []struct {
			write port.Write
			want  port.Object
		}{{create, first}, {update, second}} {
			again, err := registry.Put(t.Context(), tt.write)
			if err != nil || cmp.Diff(tt.want, again) != "" {
				t.Errorf("asked for again: %v (-first +again)\n%s", err, cmp.Diff(tt.want, again))
			}
		}
		_, _ = registry.Delete(t.Context(), port.Delete{Ref: create.Ref, If: port.IfPresent()})
	}

	other := create
	other.Once.Request = "create m otherwise"
	_, err = registry.Put(t.Context(), other)
	if port.CodeOf(err) != port.CodeKeyReused {
		t.Errorf("the key for another request: %v", err)
	}
	if _, err := registry.Get(t.Context(), registrytest.Ref("m")); port.CodeOf(err) != port.CodeNotFound {
		t.Errorf("a repeated or refused request has written: %v", err)
	}
	events, err := store.Policies().Events(t.Context(), 0, 10)
	if err != nil || len(events) != 3 {
		t.Errorf("%d events of a create, an update and a delete: %v", len(events), err)
	}

	now = now.Add(time.Millisecond)
	made, err := registry.Put(t.Context(), other)
	if err != nil || made.UID == first.UID {
		t.Errorf("a day later the key is free: %v", err)
	}
}

func TestAWriteThatFailedIsNotRemembered(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "mlops.db"))
	child := port.Write{
		Ref: port.Ref{Kind: "baseline", ID: "m/score"}, Model: "m", Attributes: []byte(`{}`), If: port.IfAbsent(),
		Once: port.Once{Key: "k", Request: "create"},
	}
	if _, err := store.Policies().Put(t.Context(), child); port.CodeOf(err) != port.CodeFailedPrecondition {
		t.Fatalf("a child before its model: %v", err)
	}
	if _, err := put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Policies().Put(t.Context(), child); err != nil {
		t.Errorf("the same request, when it can succeed: %v", err)
	}
}

func TestOfManyWithOneKeyOneWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	const many = 16
	var group sync.WaitGroup
	got := make([]port.Object, many)
	errs := make([]error, many)
	for i := range many {
		store := openStore(t, path) // each by its own connection, as processes have
		group.Go(func() {
			got[i], errs[i] = store.Registry().Put(t.Context(), onceWrite(registrytest.Ref("m"), []byte(`{"name":"m"}`)))
		})
	}
	group.Wait()
	for i := range many {
		if errs[i] != nil || cmp.Diff(got[0], got[i]) != "" {
			t.Errorf("%d: %v\n%s", i, errs[i], cmp.Diff(got[0], got[i]))
		}
	}
}

func TestAnswersOfOtherStoresAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	policies := openStore(t, path).Policies()
	key := port.Once{Key: "k", Request: "r"}
	if got, err := policies.Recall(t.Context(), key); got != nil || err != nil {
		t.Fatalf("%v %v", got, err)
	}
	if files := snapshot(t, filepath.Dir(path)); len(files) != 1 {
		t.Errorf("looking for an answer made files: %v", files)
	}
	want := port.Object{Ref: registrytest.Ref("m"), UID: "u", Attributes: []byte(`{"name":"m"}`), ETag: `"1"`, CreatedAt: time.UnixMilli(5).UTC()}
	if err := policies.Remember(t.Context(), key, want); err != nil {
		t.Fatal(err)
	}
	got, err := policies.Recall(t.Context(), key)
	if err != nil || cmp.Diff(&want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(&want, got))
	}
	if _, err := policies.Recall(t.Context(), port.Once{Key: "k", Request: "other"}); port.CodeOf(err) != port.CodeKeyReused {
		t.Error(err)
	}
}
