package controlplane_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
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
