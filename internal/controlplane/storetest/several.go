package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
)

// processes is how many of them share a store, each by connections of its own.
const processes = 4

// together runs something at the same time in several processes, and fails for each
// that fails.
func together(t *testing.T, open Opener, run func(process int, s Store) error) {
	t.Helper()
	errs := make([]error, processes)
	var group sync.WaitGroup
	for i := range processes {
		store := open(t, time.Now)
		group.Go(func() { errs[i] = run(i, store) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
}

func numbersOfSeveral(t *testing.T, open Opener) {
	const each = 10
	registrytest.Create(t, open(t, time.Now).Registry(), "m", registrytest.Attributes(t, "m", "", nil))
	attributes := registrytest.VersionAttributes(t, "m", "s3://bucket/k", "", nil)
	made := make([][]string, processes)
	together(t, open, func(process int, s Store) error {
		for range each {
			o, err := s.Registry().Add(t.Context(), port.Addition{Kind: port.ModelVersion, Model: "m", Attributes: attributes, Once: registrytest.Key()})
			if err != nil {
				return err
			}
			made[process] = append(made[process], o.ID)
		}
		return nil
	})
	var want []string
	for number := range int64(processes * each) {
		want = append(want, port.VersionID("m", number+1))
	}
	got := slices.Concat(made...)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func noUpdateLost(t *testing.T, open Opener) {
	const each = 10
	first := registrytest.Create(t, open(t, time.Now).Registry(), "m", registrytest.Attributes(t, "m", "", nil))
	refused := make([]int, processes)
	together(t, open, func(process int, s Store) error {
		for done := 0; done < each; {
			current, err := s.Registry().Get(t.Context(), first.Ref)
			if err != nil {
				return err
			}
			next, err := s.Registry().Put(t.Context(), port.Write{Ref: first.Ref, Attributes: current.Attributes, If: port.IfMatch(current.ETag)})
			switch {
			case err == nil && next.Generation != current.Generation+1:
				return fmt.Errorf("%s was replaced as %s, and is now %s", current.ETag, current.ETag, next.ETag)
			case err == nil:
				done++
			case port.CodeOf(err) == port.CodeETagMismatch:
				refused[process]++
			default:
				return err
			}
		}
		return nil
	})
	last, err := open(t, time.Now).Registry().Get(t.Context(), first.Ref)
	if err != nil || last.Generation != 1+processes*each {
		t.Errorf("%d writes of %d were carried out and not replaced unseen: %v", last.Generation-1, processes*each, err)
	}
	t.Logf("%v writes were refused, and tried again", refused)
}

func movesAreOneHistory(t *testing.T, open Opener) {
	const each = 8
	s := open(t, time.Now)
	registrytest.Create(t, s.Registry(), "m", registrytest.Attributes(t, "m", "", nil))
	for range processes + 1 {
		registrytest.Add(t, s.Registry(), "m", "s3://bucket/k")
	}
	alias, err := registrytest.Point(t, s.Registry(), "m", "champion", processes+1, port.IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	together(t, open, func(process int, s Store) error {
		for range each {
			if _, err := registrytest.Point(t, s.Registry(), "m", "champion", int64(process)+1, port.IfPresent()); err != nil {
				return err
			}
		}
		return nil
	})
	moves, err := s.Policies().Moves(t.Context(), alias.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(moves)
	at := int64(0)
	for i, move := range moves {
		if move.From != at || i > 0 && move.Seq <= moves[i-1].Seq {
			t.Errorf("move %d is %d, from %d to %d, after one to %d", i, move.Seq, move.From, move.To, at)
		}
		at = move.To
	}
	now, err := s.Registry().Get(t.Context(), alias.Ref)
	if err != nil || now.Generation != 1+processes*each || len(moves) <= processes {
		t.Errorf("%+v after %d moves, %v", now, len(moves), err)
	}
}

// followerMissesNone reads on from the last event that it has, as clients do, while
// others write. An event that became readable below one that it has seen would be lost
// on it.
func followerMissesNone(t *testing.T, open Opener) {
	const each = 25
	follower := open(t, time.Now).Policies()
	written := make(chan struct{})
	followed := make(chan []int64, 1)
	go func() {
		var seen []int64
		for last, over := int64(0), false; ; {
			events, err := follower.Events(t.Context(), last, 3)
			if err != nil {
				t.Error(err)
				break
			}
			for _, e := range events {
				last = e.Seq
				seen = append(seen, e.Seq)
			}
			if len(events) == 0 && over {
				break
			}
			select {
			case <-written:
				over = true
			default:
			}
		}
		followed <- seen
	}()
	together(t, open, func(process int, s Store) error {
		for i := range each {
			name := fmt.Sprint(process, "-", i)
			if _, err := s.Registry().Put(t.Context(), Once(registrytest.Ref(name), []byte(`{}`))); err != nil {
				return err
			}
			// A write that fails may take a number, and no event with it.
			if _, err := s.Registry().Put(t.Context(), port.Write{Ref: registrytest.Ref(name), Attributes: []byte(`{}`), If: port.IfAbsent()}); port.CodeOf(err) != port.CodeAlreadyExists {
				return fmt.Errorf("a second create of %s: %w", name, err)
			}
		}
		return nil
	})
	close(written)
	var all []int64
	events, err := follower.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, e.Seq)
	}
	if diff := cmp.Diff(all, <-followed); diff != "" || len(all) != processes*each {
		t.Errorf("%d events of %d writes; the follower saw (-all +seen)\n%s", len(all), processes*each, diff)
	}
}

func orderedByBytes(t *testing.T, open Opener) {
	registry := open(t, time.Now).Registry()
	names := []string{"b", "B", "a", "A", "Z", "z", "_", "a b", "a-b", "a_b", "ab", "10", "9", "é", "e", "f", "ß", "模", "~"}
	for _, name := range names {
		registrytest.Create(t, registry, name, registrytest.Attributes(t, name, "", nil))
	}
	var got []string
	for token := ""; ; {
		page, err := registry.List(t.Context(), port.RegisteredModel, "", port.PageRequest{Size: 2, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			got = append(got, o.ID)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, got); diff != "" {
		t.Error(diff)
	}
}
