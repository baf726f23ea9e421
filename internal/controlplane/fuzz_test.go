package controlplane_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// Whatever is asked, the answer is the API's: JSON or a whole problem, never a
// failure of the server's own.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, query, match, body string }{
		{"PUT", "/v1/registered_model/fraud", "", "*", `{"attributes":` + fraud + `}`},
		{"PUT", "/v1/baseline/fraud/score", "", "*", `{"attributes":` + baseline + `}`},
		{"PUT", "/v1/baseline/fraud/score", "", `"a", W/"b"`, `{"attributes":{"model":"fraud","name":"score","binning":{"bins":1e30}}}`},
		{"PUT", "/v1/drift_monitor/a/b", "", "*", `{"attributes":{"model":"a","name":"b","metric":"psi","baseline":{"bins":10,"samples":1000},"window":{"duration":"1h","samples":500}}}`},
		{"PUT", "/v1/alert_threshold/a/b", "", "*", `{"attributes":{"model":"a","name":"b","signal":{},"operator":">","value":0.1}}`},
		{"PUT", "/v1/rollout_policy/a/b", "", "*", `{"attributes":{"model":"a","name":"b","stages":[{"name":"x","kind":"full","traffic_percent":100},null],"guardrails":[]}}`},
		{"PUT", "/v1/model_version/fraud/1", "", `"a"`, `{"attributes":{"model":"fraud","source":"s3://b/k","metrics":{"auc":0.9},"gates":[{"metric":"auc","minimum":0.9},null]}}`},
		{"POST", "/v1/model_version/fraud", "", "", `{"attributes":{"model":"fraud","source":"s3://b/k"}}`},
		{"PUT", "/v1/model_alias/fraud/champion", "", "*", `{"attributes":{"model":"fraud","alias":"champion","version":1}}`},
		{"PUT", "/v1/model_alias/fraud/champion", "", "*", `{"attributes":{"model":"fraud","alias":"champion","version":99999999999999999999}}`},
		{"GET", "/v1/model_alias/fraud/champion/history", "before=3&page_size=2", "", ""},
		{"DELETE", "/v1/unacknowledged/model_version/fraud/1", "", "", ""},
		{"GET", "/v1/baseline", "page_size=3&page_token=YQ", "", ""},
		{"GET", "/v1/events", "after=1", "", ""},
		{"GET", "/v1/%2e%2e/x", "", "", ""},
		{"DELETE", "/v1/registered_model/fraud", "cascade=true", `"x`, ""},
		{"POST", "/v1/tokens", "", "", `{"name":"x","role":"plan","ttl":"15m"}`},
		{"GET", "/v1/tokens", "page_size=3&page_token=YQ", "", ""},
		{"DELETE", "/v1/tokens/x", "", "", ""},
		{"POST", "/v1/resources:batchGet", "", "", `{"refs":[{"kind":"baseline","id":"a/b"},{"kind":"","id":""}]}`},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.match, seed.body)
	}
	handler, closer, err := controlplane.OpenEmbedded(filepath.Join(f.TempDir(), "mlops.db"), controlplane.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	f.Fuzz(func(t *testing.T, method, path, query, match, body string) {
		target, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return // no server passes that on
		}
		target.RawQuery = query
		request := (&http.Request{
			Method: method, URL: target, Host: "x", Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}).WithContext(t.Context())
		recorder := httptest.NewRecorder()
		request.Body = http.MaxBytesReader(recorder, nopCloser{strings.NewReader(body)}, 1<<30)
		if match == "*" {
			request.Header.Set("If-None-Match", "*")
		} else if match != "" {
			request.Header.Set("If-Match", match)
		}
		handler.ServeHTTP(recorder, request)
		checkAnswer(t, recorder)
		if recorder.Code >= 500 {
			t.Errorf("%s %s?%s %s: %d %s", method, path, query, body, recorder.Code, recorder.Body)
		}
	})
}

// Whatever an idempotency key is, and whatever body a request for a token has, the
// first answer is given again, and no answer is a failure of the server's own.
func FuzzIdempotencyKeysAndTokens(f *testing.F) {
	for _, key := range []string{"k", "", " ", "k k", "\x00", strings.Repeat("k", 256), "é", "a,b"} {
		f.Add(key, `{"name":"x","role":"plan","ttl":"15m"}`)
	}
	f.Add("k2", `{"name":"x","role":"admin","ttl":"1d","description":"d"}`)
	f.Add("k3", `{"name":null,"role":[],"ttl":1e400}`)
	path := filepath.Join(f.TempDir(), "mlops.db")
	store, err := sqlite.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	handler := controlplane.WithToken(controlplane.NewService(store.Registry(), store.Policies(), nil), "the-admin", token.Generate())
	f.Fuzz(func(t *testing.T, key, body string) {
		ask := func(method, path, body string) *httptest.ResponseRecorder {
			request := httptest.NewRequest(method, "http://x"+path, strings.NewReader(body))
			request.Header["Idempotency-Key"] = []string{key}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusNoContent {
				checkAnswer(t, recorder)
			}
			if recorder.Code >= 500 {
				t.Errorf("%s %s %q %s: %d %s", method, path, key, body, recorder.Code, recorder.Body)
			}
			return recorder
		}
		first := ask(http.MethodPost, "/v1/tokens", body)
		if first.Code != http.StatusCreated {
			return
		}
		if again := ask(http.MethodPost, "/v1/tokens", body); again.Code != first.Code || again.Body.String() != first.Body.String() {
			t.Errorf("%q: first %s, then %d %s", key, first.Body, again.Code, again.Body)
		}
		var minted struct{ ID string }
		if err := json.Unmarshal(first.Body.Bytes(), &minted); err != nil {
			t.Fatal(err)
		}
		if gone := ask(http.MethodDelete, "/v1/tokens/"+minted.ID, ""); gone.Code != http.StatusNoContent {
			t.Errorf("%d %s", gone.Code, gone.Body)
		}
		// The same input may come again: its key stands for a token that is gone.
		if after := ask(http.MethodPost, "/v1/tokens", body); after.Code != http.StatusConflict {
			t.Errorf("%d %s", after.Code, after.Body)
		}
	})
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

// broken is a registry with a fault in it.
type broken struct{ port.Registry }

func (broken) Get(context.Context, port.Ref) (port.Object, error) { panic("secret of the server") }
func (broken) Transactional() bool                                { return true }

func TestAPanicIsAnAnswer(t *testing.T) {
	handler := controlplane.NewHandler(controlplane.NewService(broken{}, nil, nil))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "http://x/v1/registered_model/m", nil))
	checkAnswer(t, recorder)
	if recorder.Code != http.StatusInternalServerError || strings.Contains(recorder.Body.String(), "secret") {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}
