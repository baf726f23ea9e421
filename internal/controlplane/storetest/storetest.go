// Package storetest holds every store that keeps a control plane of its own to what it
// must do beyond the contract of a registry: package registrytest.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
)

// Store is a store under test.
type Store interface {
	Registry() port.Registry
	Policies() port.Policies
}

// Opener opens a store with a clock of its own, as another process would: the same
// place each time. The store is closed with the test's cleanup.
type Opener func(t *testing.T, now func() time.Time) Store

// Run holds stores to the contract. Each test has a place of its own, in which nobody
// has written.
func Run(t *testing.T, empty func(t *testing.T) Opener) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Opener){
		"numbers go on where a model is made anew":                      numbersGoOn,
		"an addition that nobody acknowledges is forgotten after a day": forgottenAfterADay,
		"a cascade takes no policy along":                               cascadeTakesNoPolicy,
		"a write with a key happens once":                               happensOnce,
		"a write that failed is not remembered":                         failedIsNotRemembered,
		"of many with one key one writes":                               oneOfManyWrites,
		"answers of other stores are kept":                              answersOfOthers,
		"each answered write has its entry":                             hasItsEntry,
		"a writer that gives up leaves nothing":                         givesUp,
		"many readers and writers of one process":                       manyAtOnce,

		"numbers that several processes take are each taken once": numbersOfSeveral,
		"no update of several processes is lost":                  noUpdateLost,
		"the moves of several processes are one history":          movesAreOneHistory,
		"a reader who follows the events misses none":             followerMissesNone,
		"pages are ordered by the bytes of names":                 orderedByBytes,
	} {
		t.Run(name, func(t *testing.T) { test(t, empty(t)) })
	}
}

// Put creates a registered model.
func Put(t *testing.T, s Store, name string) (port.Object, error) {
	t.Helper()
	return s.Registry().Put(t.Context(), port.Write{Ref: registrytest.Ref(name), Attributes: registrytest.Attributes(t, name, "", nil), If: port.IfAbsent()})
}

// Once creates an object with its id as the idempotency key.
func Once(ref port.Ref, attributes []byte) port.Write {
	return port.Write{Ref: ref, Attributes: attributes, If: port.IfAbsent(), Once: port.Once{Key: ref.ID, Request: "create"}}
}

// EventLines are the first events of a store, a line each.
func EventLines(t *testing.T, s Store) string {
	t.Helper()
	events, err := s.Policies().Events(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	lines := ""
	for _, e := range events {
		lines += fmt.Sprintln(e.Seq, e.Action, e.Ref, e.Generation, e.Actor)
	}
	return lines
}

// A number means one artifact for good, also when the model is made anew.
func numbersGoOn(t *testing.T, open Opener) {
	registry := open(t, time.Now).Registry()
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

func forgottenAfterADay(t *testing.T, open Opener) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := open(t, func() time.Time { return now })
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
func cascadeTakesNoPolicy(t *testing.T, open Opener) {
	store := open(t, time.Now)
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

func happensOnce(t *testing.T, open Opener) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := open(t, func() time.Time { return now })
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

func failedIsNotRemembered(t *testing.T, open Opener) {
	store := open(t, time.Now)
	child := port.Write{
		Ref: port.Ref{Kind: "baseline", ID: "m/score"}, Model: "m", Attributes: []byte(`{}`), If: port.IfAbsent(),
		Once: port.Once{Key: "k", Request: "create"},
	}
	if _, err := store.Policies().Put(t.Context(), child); port.CodeOf(err) != port.CodeFailedPrecondition {
		t.Fatalf("a child before its model: %v", err)
	}
	if _, err := Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Policies().Put(t.Context(), child); err != nil {
		t.Errorf("the same request, when it can succeed: %v", err)
	}
}

func oneOfManyWrites(t *testing.T, open Opener) {
	const many = 16
	var group sync.WaitGroup
	got := make([]port.Object, many)
	errs := make([]error, many)
	for i := range many {
		store := open(t, time.Now) // each by its own connection, as processes have
		group.Go(func() {
			got[i], errs[i] = store.Registry().Put(t.Context(), Once(registrytest.Ref("m"), []byte(`{"name":"m"}`)))
		})
	}
	group.Wait()
	for i := range many {
		if errs[i] != nil || cmp.Diff(got[0], got[i]) != "" {
			t.Errorf("%d: %v\n%s", i, errs[i], cmp.Diff(got[0], got[i]))
		}
	}
}

func answersOfOthers(t *testing.T, open Opener) {
	policies := open(t, time.Now).Policies()
	key := port.Once{Key: "k", Request: "r"}
	if got, err := policies.Recall(t.Context(), key); got != nil || err != nil {
		t.Fatalf("%v %v", got, err)
	}
	if info, err := policies.Info(t.Context()); err != nil || info.Exists {
		t.Errorf("looking for an answer made the store: %v", err)
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

// The entry of a write is there if and only if the write is: a kill at any moment
// leaves both or neither.
func hasItsEntry(t *testing.T, open Opener) {
	store := open(t, time.Now)
	policies := store.Policies()
	caller := port.Caller{Name: "ci", Address: "192.0.2.7", RequestID: "r-1"}
	ctx := port.WithCaller(context.Background(), caller)
	refused := port.AuditEntry{Event: port.Event{Action: "PUT", Ref: registrytest.Ref("m")}, Caller: caller, From: `"x"`, Code: port.CodeETagMismatch}

	// Where there is no store, a refusal makes none.
	if err := policies.Refused(ctx, refused); err != nil {
		t.Fatal(err)
	}
	if info, err := policies.Info(ctx); err != nil || info.Exists {
		t.Fatalf("a refusal made the store: %v", err)
	}
	created, err := store.Registry().Put(ctx, port.Write{Ref: registrytest.Ref("m"), Attributes: []byte(`{}`), If: port.IfAbsent()})
	if err != nil {
		t.Fatal(err)
	}
	updated, err := store.Registry().Put(ctx, port.Write{Ref: registrytest.Ref("m"), Attributes: []byte(`{}`), If: port.IfMatch(created.ETag)})
	if err != nil {
		t.Fatal(err)
	}
	if err := policies.Refused(ctx, refused); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Registry().Delete(context.Background(), port.Delete{Ref: registrytest.Ref("m"), If: port.IfPresent()}); err != nil {
		t.Fatal(err)
	}
	entries, err := policies.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, e := range entries {
		if e.At.IsZero() || e.Actor != e.Caller.Name {
			t.Errorf("%+v", e)
		}
		got += fmt.Sprintln(e.Seq, e.Action, e.Ref, "by", e.Caller, e.From, "->", e.To, e.Code)
	}
	want := "1 created registered_model m by {ci 192.0.2.7 r-1}  -> " + created.ETag + " \n" +
		"2 updated registered_model m by {ci 192.0.2.7 r-1} " + created.ETag + " -> " + updated.ETag + " \n" +
		"3 PUT registered_model m by {ci 192.0.2.7 r-1} \"x\" ->  ETAG_MISMATCH\n" +
		"4 deleted registered_model m by {  } " + updated.ETag + " ->  \n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Readers of events hear of writes only.
	if lines := EventLines(t, store); strings.Contains(lines, "PUT") || strings.Count(lines, "\n") != 3 {
		t.Error(lines)
	}
}

func givesUp(t *testing.T, open Opener) {
	store := open(t, time.Now)
	if _, err := Put(t, store, "m"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.Registry().Put(ctx, port.Write{Ref: registrytest.Ref("n"), Attributes: []byte(`{}`), If: port.IfAbsent()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := store.Registry().Get(t.Context(), registrytest.Ref("n")); port.CodeOf(err) != port.CodeNotFound {
		t.Errorf("%v", err)
	}
}

func manyAtOnce(t *testing.T, open Opener) {
	store := open(t, time.Now)
	var group sync.WaitGroup
	errs := map[int]error{}
	var mu sync.Mutex
	for i := range 16 {
		group.Go(func() {
			var err error
			for n := 0; n < 25 && err == nil; n++ {
				name := fmt.Sprintf("m%d-%d", i, n)
				_, err = store.Registry().Put(t.Context(), port.Write{Ref: registrytest.Ref(name), Attributes: []byte(`{}`), If: port.IfAbsent()})
				if err == nil {
					_, err = store.Registry().Get(t.Context(), registrytest.Ref(name))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[i] = err
			}
		})
	}
	group.Wait()
	for _, i := range slices.Sorted(maps.Keys(errs)) {
		t.Errorf("%d: %v", i, errs[i])
	}
}
