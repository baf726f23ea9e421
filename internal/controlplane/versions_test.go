package controlplane_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

func versionOf(model, source string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"model":%q,"source":%q,"metrics":{"auc":0.91},"deletion_policy":"delete"}`, model, source))
}

func aliasOf(model, alias string, version int, reason string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"model":%q,"alias":%q,"version":%d,"reason":%q}`, model, alias, version, reason))
}

func mustAdd(t *testing.T, c *client.Client, model, source string) *client.Object {
	t.Helper()
	o, err := c.Add(t.Context(), "model_version", model, uuid.NewString(), versionOf(model, source))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// moves are the history of an alias in short, newest first.
func moves(t *testing.T, c *client.Client, id string) []string {
	t.Helper()
	var out []string
	for move, err := range c.History(t.Context(), "model_alias", id) {
		if err != nil {
			t.Fatal(err)
		}
		if move.At.IsZero() || move.Seq < 1 {
			t.Errorf("incomplete: %+v", move)
		}
		out = append(out, fmt.Sprintf("%s %d>%d %s", move.Who, move.From, move.To, move.Reason))
	}
	return out
}

func TestAVersionIsImmutableButForWhatIsSaidOfIt(t *testing.T) {
	onEachStore(t, aVersionIsImmutableButForWhatIsSaidOfIt)
}

func aVersionIsImmutableButForWhatIsSaidOfIt(t *testing.T, store string) {
	c := open(t, store)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	o := mustAdd(t, c, "fraud", "s3://bucket/k")
	for attribute, changed := range map[string]string{
		"source":  strings.Replace(string(o.Attributes), "s3://bucket/k", "s3://bucket/other", 1),
		"metrics": strings.Replace(string(o.Attributes), "0.91", "0.92", 1),
		"run_id":  strings.Replace(string(o.Attributes), `"source"`, `"run_id":"abc","source"`, 1),
	} {
		_, err := c.Update(t.Context(), "model_version", o.ID, o.ETag, json.RawMessage(changed))
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Status != http.StatusUnprocessableEntity || len(e.FieldViolations) != 1 || e.FieldViolations[0].Path != attribute {
			t.Errorf("another %s: %v", attribute, err)
		}
	}
	said := strings.Replace(string(o.Attributes), `"source"`, `"description":"better","tags":{"a":"b"},"gates":[{"metric":"auc","minimum":0.9}],"source"`, 1)
	updated, err := c.Update(t.Context(), "model_version", o.ID, o.ETag, json.RawMessage(said))
	if err != nil || string(updated.Attributes) != said {
		t.Fatalf("%+v, %v", updated, err)
	}
	// The same number written another way is the same number.
	if _, err := c.Update(t.Context(), "model_version", o.ID, updated.ETag, json.RawMessage(strings.Replace(said, "0.91", "9.1e-1", 1))); err != nil {
		t.Error(err)
	}
	if _, err := c.Update(t.Context(), "model_version", o.ID, o.ETag, o.Attributes); !client.IsETagMismatch(err) {
		t.Errorf("over a revision of before: %v", err)
	}
}

func TestAdditionsHappenOnceAndAreAcknowledged(t *testing.T) {
	onEachStore(t, additionsHappenOnceAndAreAcknowledged)
}

func additionsHappenOnceAndAreAcknowledged(t *testing.T, store string) {
	c := open(t, store)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	const attempts = 6
	made := make([]*client.Object, attempts)
	var group sync.WaitGroup
	for i := range attempts {
		group.Go(func() {
			var err error
			if made[i], err = c.Add(t.Context(), "model_version", "fraud", "key", versionOf("fraud", "s3://bucket/k")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, o := range made {
		if o == nil || o.ID != "fraud/1" || o.UID != made[0].UID {
			t.Fatalf("made %+v and %+v", made[0], o)
		}
	}
	if _, err := c.Add(t.Context(), "model_version", "fraud", "key", versionOf("fraud", "s3://bucket/other")); codeOf(err) != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("the key of another version: %v", err)
	}
	mustAdd(t, c, "fraud", "s3://bucket/k")
	added, err := c.Unacknowledged(t.Context(), "model_version", "fraud")
	if err != nil || len(added) != 2 || added[0].ID != "fraud/1" || added[0].Key != "key" {
		t.Fatalf("%+v, %v", added, err)
	}
	for _, a := range added {
		if err := c.Acknowledge(t.Context(), a.Kind, a.ID); err != nil {
			t.Fatal(err)
		}
	}
	if added, err := c.Unacknowledged(t.Context(), "model_version", "fraud"); err != nil || len(added) > 0 {
		t.Errorf("%+v, %v", added, err)
	}
	// Of all the attempts, only what was made is an event.
	if diff := cmp.Diff([]string{"created registered_model fraud", "created model_version fraud/1", "created model_version fraud/2"}, eventsIn(t, store)); diff != "" {
		t.Error(diff)
	}
}

// eventsIn reads all events of a store.
func eventsIn(t *testing.T, store string) []string {
	t.Helper()
	handler := handlerOver(t, store)
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "http://x/v1/events?page_size=1000", nil))
	var page struct {
		Items []struct{ Action, Kind, ID string }
	}
	if err := json.Unmarshal(response.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range page.Items {
		out = append(out, e.Action+" "+e.Kind+" "+e.ID)
	}
	return out
}

func TestAnAliasHasAHistoryThatOutlivesIt(t *testing.T) {
	onEachStore(t, anAliasHasAHistoryThatOutlivesIt)
}

func anAliasHasAHistoryThatOutlivesIt(t *testing.T, store string) {
	c := open(t, store)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	for range 2 {
		mustAdd(t, c, "fraud", "s3://bucket/k")
	}
	if got := moves(t, c, "fraud/champion"); len(got) > 0 {
		t.Errorf("an alias that never was has moved: %v", got)
	}
	const id = "fraud/champion"
	o := mustCreate(t, c.As("alice\r\n"), "model_alias", id, string(aliasOf("fraud", "champion", 1, "first")))
	o, err := c.As("bob").Update(t.Context(), "model_alias", id, o.ETag, aliasOf("fraud", "champion", 2, "better"))
	if err != nil {
		t.Fatal(err)
	}
	// What is no move is not in it, nor is one that was refused.
	if o, err = c.Update(t.Context(), "model_alias", id, o.ETag, aliasOf("fraud", "champion", 2, "reworded")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(t.Context(), "model_alias", id, o.ETag, aliasOf("fraud", "champion", 3, "no such")); codeOf(err) != client.CodeFailedPrecondition {
		t.Errorf("to a version that is not there: %v", err)
	}
	if err := c.As("carol").Delete(t.Context(), "model_alias", id, o.ETag); err != nil {
		t.Fatal(err)
	}
	want := []string{"carol 2>0 ", "bob 1>2 better", "alice 0>1 first"}
	if diff := cmp.Diff(want, moves(t, open(t, store), id)); diff != "" {
		t.Error(diff)
	}
}

func TestManyMovesAreReadPageByPage(t *testing.T) { onEachStore(t, manyMovesAreReadPageByPage) }

func manyMovesAreReadPageByPage(t *testing.T, store string) {
	c := open(t, store)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	for range 2 {
		mustAdd(t, c, "fraud", "s3://bucket/k")
	}
	o := mustCreate(t, c, "model_alias", "fraud/champion", string(aliasOf("fraud", "champion", 1, "r")))
	for i := range 1100 {
		var err error
		if o, err = c.Update(t.Context(), "model_alias", "fraud/champion", o.ETag, aliasOf("fraud", "champion", 1+(i+1)%2, "r")); err != nil {
			t.Fatal(err)
		}
	}
	if got := moves(t, c, "fraud/champion"); len(got) != 1101 || got[1100] != " 0>1 r" {
		t.Errorf("%d moves, the first %q", len(got), got[len(got)-1])
	}
}

func TestRequestsForVersionsAndAliases(t *testing.T) { onEachStore(t, requestsForVersionsAndAliases) }

func requestsForVersionsAndAliases(t *testing.T, store string) {
	handler := handlerOver(t, store)
	c := client.NewEmbedded(handler)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	mustAdd(t, c, "fraud", "s3://bucket/k")
	mustCreate(t, c, "model_alias", "fraud/champion", string(aliasOf("fraud", "champion", 1, "r")))
	body := func(attributes json.RawMessage) string { return `{"attributes":` + string(attributes) + `}` }
	key, any := "Idempotency-Key: k", "If-Match: *"
	for name, tt := range map[string]struct {
		method, url, header, body string
		status                    int
		code, says                string
	}{
		"a version":                           {"GET", "/v1/model_version/fraud/1", "", "", 200, "", `"id":"fraud/1"`},
		"the versions of a model":             {"GET", "/v1/model_version/fraud", "", "", 200, "", `"id":"fraud/1"`},
		"the versions of a model without any": {"GET", "/v1/model_version/other", "", "", 200, "", `"items":[]`},
		"all versions":                        {"GET", "/v1/model_version", "", "", 200, "", `"id":"fraud/1"`},
		"a version that is not there":         {"GET", "/v1/model_version/fraud/9", "", "", 404, "NOT_FOUND", "fraud/9"},
		"a version that is no number":         {"GET", "/v1/model_version/fraud/v1", "", "", 400, "INVALID_ARGUMENT", "number"},
		"a version with a zero before it":     {"GET", "/v1/model_version/fraud/01", "", "", 400, "INVALID_ARGUMENT", "number"},
		"an addition without a key":           {"POST", "/v1/model_version/fraud", "", body(versionOf("fraud", "s3://b/k")), 400, "INVALID_ARGUMENT", "Idempotency-Key"},
		"an addition to another model":        {"POST", "/v1/model_version/fraud", key, body(versionOf("other", "s3://b/k")), 400, "INVALID_ARGUMENT", "must be equal"},
		"an addition to no model":             {"POST", "/v1/model_version/other", key, body(versionOf("other", "s3://b/k")), 409, "FAILED_PRECONDITION", "does not exist"},
		"an addition with a number":           {"POST", "/v1/model_version/fraud", key, body(json.RawMessage(`{"model":"fraud","source":"s3://b/k","version":7}`)), 422, "INVALID_ARGUMENT", "version"},
		"an addition that is not valid":       {"POST", "/v1/model_version/fraud", key, body(json.RawMessage(`{"model":"fraud","source":"a b"}`)), 422, "INVALID_ARGUMENT", "white space"},
		"a number of the caller's choice":     {"PUT", "/v1/model_version/fraud/7", "If-None-Match: *", body(versionOf("fraud", "s3://b/k")), 400, "INVALID_ARGUMENT", "POST to /v1/model_version/{model}"},
		"another model in the address":        {"PUT", "/v1/model_version/other/1", any, body(versionOf("fraud", "s3://b/k")), 400, "INVALID_ARGUMENT", "must equal"},
		"an update of what is not there":      {"PUT", "/v1/model_version/fraud/7", any, body(versionOf("fraud", "s3://b/k")), 404, "NOT_FOUND", "fraud/7"},
		"a deletion of what is pointed at":    {"DELETE", "/v1/model_version/fraud/1", any, "", 409, "FAILED_PRECONDITION", `"blocking":[{"kind":"model_alias","id":"fraud/champion"}]`},
		"a post of what has a name":           {"POST", "/v1/model_alias/fraud", key, body(aliasOf("fraud", "x", 1, "r")), 400, "INVALID_ARGUMENT", "model/alias"},
		"an alias to nothing":                 {"PUT", "/v1/model_alias/fraud/x", "If-None-Match: *", body(aliasOf("fraud", "x", 5, "r")), 409, "FAILED_PRECONDITION", "model_version fraud/5 does not exist"},
		"an alias that reads as a version":    {"PUT", "/v1/model_alias/fraud/v1", "If-None-Match: *", body(aliasOf("fraud", "v1", 1, "r")), 422, "INVALID_ARGUMENT", "number of a version"},
		"the history of an alias":             {"GET", "/v1/model_alias/fraud/champion/history", "", "", 200, "", `"to":1,"reason":"r"`},
		"the history before a move":           {"GET", "/v1/model_alias/fraud/champion/history?before=1", "", "", 200, "", `"items":[]`},
		"the history before nothing":          {"GET", "/v1/model_alias/fraud/champion/history?before=0", "", "", 400, "INVALID_ARGUMENT", "before"},
		"the history before an empty":         {"GET", "/v1/model_alias/fraud/champion/history?before=", "", "", 400, "INVALID_ARGUMENT", "before"},
		"the history of what has none":        {"GET", "/v1/baseline/fraud/score/history", "", "", 400, "INVALID_ARGUMENT", "model/name"},
		"what waits for an answer":            {"GET", "/v1/unacknowledged/model_version/fraud", "", "", 200, "", `"id":"fraud/1","idempotency_key":`},
		"an answer that nobody waits for":     {"DELETE", "/v1/unacknowledged/model_version/fraud/77", "", "", 204, "", ""},
		"an answer to no version":             {"DELETE", "/v1/unacknowledged/model_version/fraud/x", "", "", 400, "INVALID_ARGUMENT", "number"},
		"a model with versions":               {"DELETE", "/v1/registered_model/fraud", any, "", 409, "FAILED_PRECONDITION", "model_version fraud/1"},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(tt.method, "http://x"+tt.url, strings.NewReader(tt.body))
			if name, value, ok := strings.Cut(tt.header, ": "); ok {
				request.Header.Set(name, value)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			checkAnswer(t, recorder)
			checkDocumented(t, request, recorder)
			var p struct{ Code string }
			_ = json.Unmarshal(recorder.Body.Bytes(), &p)
			if recorder.Code != tt.status || p.Code != tt.code || !strings.Contains(recorder.Body.String(), tt.says) {
				t.Errorf("answered %d %s, want %d %s with %q", recorder.Code, recorder.Body, tt.status, tt.code, tt.says)
			}
		})
	}
	request := httptest.NewRequest(http.MethodPost, "http://x/v1/model_version/fraud", strings.NewReader(body(versionOf("fraud", "s3://b/k"))))
	request.Header.Set("Idempotency-Key", "located")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusCreated || recorder.Header().Get("Location") != "/v1/model_version/fraud/2" || recorder.Header().Get("ETag") == "" {
		t.Errorf("%d %v", recorder.Code, recorder.Header())
	}
}

// A model in MLflow, with a proxy before it that loses answers.
func TestVersionsInMLflowWhenAnswersAreLost(t *testing.T) {
	server := testtools.StartMLflow(t)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	front, set := spoiledProxy(t, target)
	path := filepath.Join(t.TempDir(), "mlops.db")
	c := embeddedOverMLflow(t, front, path)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	numbers := func() []string {
		var out []string
		for o, err := range c.List(t.Context(), "model_version") {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, o.ID)
		}
		return out
	}
	loseAnswers := func(to string, times int32) {
		var lost atomic.Int32
		set(func(_ http.ResponseWriter, r *http.Request, pass http.HandlerFunc) bool {
			if !strings.HasSuffix(r.URL.Path, to) || lost.Add(1) > times {
				return false
			}
			pass(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}

	loseAnswers("/model-versions/create", 1)
	one, err := c.Add(t.Context(), "model_version", "fraud", "one", versionOf("fraud", "s3://bucket/1"))
	if err != nil || one.ID != "fraud/1" {
		t.Fatalf("a create whose answer is lost: %+v, %v", one, err)
	}
	// The control plane dies with the answer: another one over the same file, and one
	// over a file that knows nothing, find what was made.
	var made atomic.Bool
	set(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) bool {
		if strings.HasSuffix(r.URL.Path, "/model-versions/create") {
			pass(httptest.NewRecorder(), r)
			made.Store(true)
		}
		if made.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return made.Load()
	})
	if _, err := c.Add(t.Context(), "model_version", "fraud", "two", versionOf("fraud", "s3://bucket/2")); codeOf(err) != "REGISTRY_ERROR" || !made.Load() {
		t.Fatalf("made %v, and the answer was lost: %v", made.Load(), err)
	}
	set(nil)
	for _, file := range []string{path, filepath.Join(t.TempDir(), "other.db")} {
		again, err := embeddedOverMLflow(t, front, file).Add(t.Context(), "model_version", "fraud", "two", versionOf("fraud", "s3://bucket/2"))
		if err != nil || again.ID != "fraud/2" {
			t.Errorf("asked for again: %+v, %v", again, err)
		}
	}
	if diff := cmp.Diff([]string{"fraud/1", "fraud/2"}, numbers()); diff != "" {
		t.Error(diff)
	}
	added, err := c.Unacknowledged(t.Context(), "model_version", "fraud")
	if err != nil || len(added) != 2 || added[1].Key != "two" {
		t.Errorf("%+v, %v", added, err)
	}

	// An alias whose move fails is where it was, and the next attempt moves it.
	alias := mustCreate(t, c, "model_alias", "fraud/champion", string(aliasOf("fraud", "champion", 1, "first")))
	set(func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/registered-models/alias") {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"error_code":"INTERNAL_ERROR","message":"disk on fire"}`))
		return true
	})
	_, err = c.Update(t.Context(), "model_alias", "fraud/champion", alias.ETag, aliasOf("fraud", "champion", 2, "better"))
	if codeOf(err) != "REGISTRY_ERROR" || !strings.Contains(err.Error(), "in part") || !strings.Contains(err.Error(), "moving the alias to version 2") {
		t.Errorf("a move that fails: %v", err)
	}
	set(nil)
	seen, err := c.Get(t.Context(), "model_alias", "fraud/champion")
	if err != nil || !strings.Contains(string(seen.Attributes), `"version":1`) {
		t.Fatalf("after a move that failed: %+v, %v", seen, err)
	}
	if _, err = c.Update(t.Context(), "model_alias", "fraud/champion", seen.ETag, aliasOf("fraud", "champion", 2, "better")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{" 1>2 better", " 0>1 first"}, moves(t, c, "fraud/champion")); diff != "" {
		t.Error(diff)
	}
	// A run that MLflow could not keep is refused before anything is made.
	_, err = c.Add(t.Context(), "model_version", "fraud", "long", json.RawMessage(`{"model":"fraud","source":"s3://b/k","run_id":"`+uuid.NewString()+`"}`))
	if e, ok := errors.AsType[*client.Error](err); !ok || len(e.FieldViolations) != 1 || e.FieldViolations[0].Path != "run_id" {
		t.Errorf("a run's id that is too long: %v", err)
	}
}
