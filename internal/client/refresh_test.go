package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

// counted is a client of a real control plane, and how many requests it has sent.
func counted(t *testing.T) (*client.Client, *atomic.Int64) {
	t.Helper()
	handler, closer, err := controlplane.OpenEmbedded(filepath.Join(t.TempDir(), "mlops.db"), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closer.Close() })
	var requests atomic.Int64
	return client.NewEmbedded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	})), &requests
}

func modelNamed(i int) (id string, attributes json.RawMessage) {
	id = fmt.Sprintf("model-%04d", i)
	return id, json.RawMessage(fmt.Sprintf(`{"name":%q,"deletion_policy":"prevent"}`, id))
}

func create(t *testing.T, c *client.Client, i int) *client.Object {
	t.Helper()
	id, attributes := modelNamed(i)
	object, err := c.Create(t.Context(), "registered_model", id, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestARefreshOfManyObjectsTakesFewRequests(t *testing.T) {
	c, requests := counted(t)
	const objects = 500
	want := map[string]string{}
	for i := range objects {
		object := create(t, c, i)
		want[object.ID] = object.ETag
	}
	requests.Store(0)
	var wg sync.WaitGroup
	queue := make(chan int)
	for range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range queue {
				id, _ := modelNamed(i)
				object, err := c.Refresh(context.Background(), "registered_model", id)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				} else if object.ID != id || object.ETag != want[id] {
					t.Errorf("asked for %s %s, and got %s %s", id, want[id], object.ID, object.ETag)
				}
			}
		}()
	}
	for i := range objects {
		queue <- (i * 7) % objects // no order that anybody could count on
	}
	close(queue)
	wg.Wait()
	if n := requests.Load(); n > 40 {
		t.Errorf("%d objects took %d requests", objects, n)
	}
}

func TestARefreshOfFewObjectsListsNothing(t *testing.T) {
	c, requests := counted(t)
	for i := range 100 {
		create(t, c, i)
	}
	requests.Store(0)
	for i := range 5 {
		id, _ := modelNamed(i)
		if _, err := c.Refresh(t.Context(), "registered_model", id); err != nil {
			t.Fatal(err)
		}
	}
	if n := requests.Load(); n != 5 {
		t.Errorf("5 objects took %d requests", n)
	}
}

func TestARefreshIsNeverOlderThanAWriteOfTheSameRun(t *testing.T) {
	c, _ := counted(t)
	const objects = 60
	var last []*client.Object
	for i := range objects {
		last = append(last, create(t, c, i))
	}
	refreshAll := func(step string) {
		t.Helper()
		for i, want := range last {
			id, _ := modelNamed(i)
			got, err := c.Refresh(t.Context(), "registered_model", id)
			switch {
			case want == nil && !client.IsNotFound(err):
				t.Errorf("%s: %s was deleted, and a refresh says %v", step, id, err)
			case want != nil && err != nil:
				t.Errorf("%s: %v", step, err)
			case want != nil && got.ETag != want.ETag:
				t.Errorf("%s: %s is at %s, and a refresh says %s", step, id, want.ETag, got.ETag)
			}
		}
	}
	refreshAll("after the creates") // fills what is read ahead

	id, _ := modelNamed(50)
	updated, err := c.Update(t.Context(), "registered_model", id, last[50].ETag, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"new","deletion_policy":"prevent"}`, id)))
	if err != nil {
		t.Fatal(err)
	}
	last[50] = updated
	refreshAll("after an update")

	id, _ = modelNamed(51)
	if err := c.Delete(t.Context(), "registered_model", id, last[51].ETag); err != nil {
		t.Fatal(err)
	}
	last[51] = nil
	refreshAll("after a delete")

	id, attributes := modelNamed(51)
	if last[51], err = c.Create(t.Context(), "registered_model", id, attributes); err != nil {
		t.Fatal(err)
	}
	refreshAll("after a create")
}

func TestRefreshesAndWritesAtOnceNeverReadAnOldRevision(t *testing.T) {
	c, _ := counted(t)
	const objects = 40
	for i := range objects {
		create(t, c, i)
	}
	var wg sync.WaitGroup
	for i := range objects {
		wg.Add(1)
		go func() {
			defer wg.Done()
			id, _ := modelNamed(i)
			for n := range 10 {
				object, err := c.Refresh(context.Background(), "registered_model", id)
				if err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
				// Only this goroutine writes this object: the revision must be its last.
				if object.Generation != int64(n+1) {
					t.Errorf("%s was written %d times, and a refresh says %d", id, n+1, object.Generation)
					return
				}
				if _, err := c.Update(context.Background(), "registered_model", id, object.ETag, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"%d","deletion_policy":"prevent"}`, id, n))); err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
			}
		}()
	}
	wg.Wait()
}
