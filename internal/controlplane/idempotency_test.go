package controlplane_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// ask sends one request to a handler; headers are lines.
func ask(t *testing.T, handler http.Handler, method, url, header, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "http://x"+url, strings.NewReader(body))
	for line := range strings.SplitSeq(header, "\n") {
		if key, value, ok := strings.Cut(line, ": "); ok {
			request.Header.Add(key, value)
		}
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	checkAnswer(t, recorder)
	checkDocumented(t, request, recorder)
	return recorder
}

// external is a registry in another store: the file's, without its transactions
// and its knowledge of keys.
type external struct {
	port.Registry
	entered chan struct{}
	leave   chan struct{}
}

func (external) Transactional() bool { return false }
func (e external) Put(ctx context.Context, w port.Write) (port.Object, error) {
	w.Once = port.Once{}
	if e.entered != nil {
		e.entered <- struct{}{}
		<-e.leave
	}
	return e.Registry.Put(ctx, w)
}

func TestAnIdempotencyKeyGivesTheFirstAnswerAgain(t *testing.T) {
	for name, handlerOf := range map[string]func(t *testing.T, store *sqlite.Store) http.Handler{
		"models in the file": func(_ *testing.T, store *sqlite.Store) http.Handler {
			return controlplane.NewHandler(controlplane.NewService(store.Registry(), store.Policies(), nil))
		},
		"models elsewhere": func(t *testing.T, store *sqlite.Store) http.Handler {
			other, err := sqlite.Open(filepath.Join(t.TempDir(), "other.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			return controlplane.NewHandler(controlplane.NewService(external{Registry: other.Registry()}, store.Policies(), nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := sqlite.Open(filepath.Join(t.TempDir(), "mlops.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			handler := handlerOf(t, store)
			put := func(header, body string) *httptest.ResponseRecorder {
				t.Helper()
				return ask(t, handler, "PUT", "/v1/registered_model/fraud", header, `{"attributes":`+body+`}`)
			}
			create := "If-None-Match: *\nIdempotency-Key: "
			first := put(create+"k1", fraud)
			again := put(create+"k1", fraud)
			if first.Code != 201 || again.Code != 201 || cmp.Diff(first.Body.String(), again.Body.String()) != "" || first.Header().Get("ETag") != again.Header().Get("ETag") {
				t.Errorf("%d %s\nagain: %d %s", first.Code, first.Body, again.Code, again.Body)
			}
			for what, tt := range map[string]struct {
				header, body string
				status       int
				says         string
			}{
				"another body":         {create + "k1", strings.Replace(fraud, "risk-ml", "payments", 1), 422, "IDEMPOTENCY_KEY_REUSED"},
				"another precondition": {"If-Match: *\nIdempotency-Key: k1", fraud, 422, "IDEMPOTENCY_KEY_REUSED"},
				"another key":          {create + "k2", fraud, 412, "ALREADY_EXISTS"},
				"no key":               {"If-None-Match: *", fraud, 412, "ALREADY_EXISTS"},
				"an empty key":         {create, fraud, 400, "Idempotency-Key"},
				"two keys":             {create + "k1\nIdempotency-Key: k1", fraud, 400, "Idempotency-Key"},
				"a key with a space":   {create + "a b", fraud, 400, "Idempotency-Key"},
				"a key too long":       {create + strings.Repeat("k", 256), fraud, 400, "255"},
			} {
				if got := put(tt.header, tt.body); got.Code != tt.status || !strings.Contains(got.Body.String(), tt.says) {
					t.Errorf("%s: %d %s", what, got.Code, got.Body)
				}
			}
			if got := ask(t, handler, "PUT", "/v1/registered_model/other", create+"k1", `{"attributes":`+strings.Replace(fraud, `"fraud"`, `"other"`, 1)+`}`); got.Code != 422 {
				t.Errorf("another address: %d %s", got.Code, got.Body)
			}
			if events := ask(t, handler, "GET", "/v1/events", "", "").Body.String(); strings.Count(events, `"seq"`) != 1 {
				t.Errorf("one write, and these events: %s", events)
			}
		})
	}
}

func TestRequestsWithOneKeyThatArriveTogetherAreOneWriteElsewhere(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "mlops.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	elsewhere := external{Registry: store.Registry(), entered: make(chan struct{}, 2), leave: make(chan struct{})}
	handler := controlplane.NewHandler(controlplane.NewService(elsewhere, store.Policies(), nil))
	var group sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 4)
	for i := range answers {
		group.Go(func() {
			body := fraud
			if i == 3 {
				body = strings.Replace(fraud, "risk-ml", "payments", 1)
			}
			answers[i] = ask(t, handler, "PUT", "/v1/registered_model/fraud", "If-None-Match: *\nIdempotency-Key: k", `{"attributes":`+body+`}`)
		})
	}
	<-elsewhere.entered
	close(elsewhere.leave)
	group.Wait()
	// Either of the two bodies may come first; then the other is refused.
	codes := map[int]int{}
	for _, a := range answers {
		codes[a.Code]++
	}
	if diff := cmp.Diff(map[int]int{201: 3, 422: 1}, codes); diff != "" && cmp.Diff(map[int]int{201: 1, 422: 3}, codes) != "" {
		t.Error(diff)
	}
	if len(elsewhere.entered) != 0 {
		t.Error("two requests wrote")
	}
}
