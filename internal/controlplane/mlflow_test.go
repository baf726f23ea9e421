package controlplane_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

func mlflowOptions(uri string) *mlflow.Options { return &mlflow.Options{TrackingURI: uri} }

func embeddedOverMLflow(t *testing.T, uri, path string) *client.Client {
	t.Helper()
	handler, closer, err := controlplane.OpenEmbedded(path, controlplane.Options{MLflow: mlflowOptions(uri)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closer.Close() })
	return client.NewEmbedded(handler)
}

// spoiler answers a request in the server's place, or lets it pass: it is false where
// it did nothing.
type spoiler func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) bool

// spoiledProxy is a proxy before a server that can be told to spoil requests; nil lets
// all of them pass.
func spoiledProxy(t *testing.T, target *url.URL) (address string, set func(spoiler)) {
	t.Helper()
	var spoil atomic.Pointer[spoiler]
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := spoil.Load(); f != nil && *f != nil && (*f)(w, r, proxy.ServeHTTP) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL, func(f spoiler) { spoil.Store(&f) }
}

func TestModelsInMLflowPoliciesInTheFile(t *testing.T) {
	server := testtools.StartMLflow(t)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	front, set := spoiledProxy(t, target)
	path := filepath.Join(t.TempDir(), "mlops.db")
	c := embeddedOverMLflow(t, front, path)

	t.Run("references cross the two stores", func(t *testing.T) {
		if _, err := c.Create(t.Context(), "baseline", "fraud/score", json.RawMessage(baseline)); codeOf(err) != client.CodeFailedPrecondition {
			t.Errorf("a child before its model: %v", err)
		}
		model := mustCreate(t, c, "registered_model", "fraud", fraud)
		child := mustCreate(t, c, "baseline", "fraud/score", baseline)
		err := c.Delete(t.Context(), "registered_model", "fraud", model.ETag, client.Cascade())
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Code != client.CodeFailedPrecondition || cmp.Diff([]client.Ref{{Kind: "baseline", ID: "fraud/score"}}, e.Blocking) != "" {
			t.Errorf("deleting a model that has a child, even with a cascade: %v", err)
		}
		store, err := c.Store(t.Context())
		if err != nil || store.Registry != "mlflow" || !store.Exists || store.ID == "" {
			t.Errorf("%+v, %v", store, err)
		}
		results, err := c.BatchGet(t.Context(), []client.Ref{{Kind: "registered_model", ID: "fraud"}, {Kind: "baseline", ID: "fraud/score"}, {Kind: "registered_model", ID: "none"}})
		if err != nil || results[0].Err != nil || results[1].Err != nil || !client.IsNotFound(results[2].Err) {
			t.Errorf("%+v, %v", results, err)
		}
		if err := c.Delete(t.Context(), "baseline", "fraud/score", child.ETag); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), "registered_model", "fraud", model.ETag); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a create whose answer is lost says that the model is there", func(t *testing.T) {
		var lost atomic.Bool
		set(func(_ http.ResponseWriter, r *http.Request, pass http.HandlerFunc) bool {
			if !strings.HasSuffix(r.URL.Path, "/create") || lost.Swap(true) {
				return false
			}
			pass(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
		defer set(nil)
		attributes := strings.Replace(fraud, `"fraud"`, `"lost"`, 1)
		_, err := c.Create(t.Context(), "registered_model", "lost", json.RawMessage(attributes))
		if !client.IsAlreadyExists(err) {
			t.Fatalf("%v", err)
		}
		got, err := c.Get(t.Context(), "registered_model", "lost")
		if err != nil || string(got.Attributes) != attributes {
			t.Errorf("what was created is not what was asked for: %+v, %v", got, err)
		}
	})

	t.Run("an update that fails halfway says so, and the next one continues", func(t *testing.T) {
		attributes := func(description, team string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"name":"half","description":%q,"tags":{"team":%q}}`, description, team))
		}
		o := mustCreate(t, c, "registered_model", "half", string(attributes("one", "a")))
		set(func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) bool {
			if !strings.HasSuffix(r.URL.Path, "/set-tag") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error_code":"INTERNAL_ERROR","message":"disk on fire"}`)
			return true
		})
		_, err := c.Update(t.Context(), "registered_model", "half", o.ETag, attributes("two", "b"))
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Code != "REGISTRY_ERROR" || e.Status != http.StatusBadGateway {
			t.Fatalf("%v", err)
		}
		for _, want := range []string{"in part", "Done: the description", `the tag "team"`, "disk on fire"} {
			if !strings.Contains(e.Detail, want) {
				t.Errorf("does not say %q: %s", want, e.Detail)
			}
		}
		set(nil)
		seen, err := c.Get(t.Context(), "registered_model", "half")
		if err != nil || !strings.Contains(string(seen.Attributes), "two") || !strings.Contains(string(seen.Attributes), `"a"`) {
			t.Fatalf("reads as %+v, %v", seen, err)
		}
		done, err := c.Update(t.Context(), "registered_model", "half", seen.ETag, attributes("two", "b"))
		if err != nil || string(done.Attributes) != string(attributes("two", "b")) {
			t.Errorf("%+v, %v", done, err)
		}
	})

	t.Run("nothing but MLflow's own word makes a model gone", func(t *testing.T) {
		for name, tt := range map[string]struct {
			status            int
			contentType, body string
			code, says        string
		}{
			"a proxy's 404":     {404, "text/html", "<h1>Not Found</h1>", "REGISTRY_ERROR", "path of the tracking URI"},
			"another JSON 404":  {404, "application/json", `{"error_code":"ENDPOINT_NOT_FOUND","message":"x"}`, "REGISTRY_ERROR", "path of the tracking URI"},
			"no JSON object":    {404, "application/json", `[]`, "REGISTRY_ERROR", "path of the tracking URI"},
			"bad credentials":   {401, "text/plain", "You are not authenticated", "REGISTRY_ERROR", "password"},
			"no permission":     {403, "application/json", `{"error_code":"PERMISSION_DENIED","message":"x"}`, "REGISTRY_ERROR", "permissions"},
			"a login page":      {200, "text/html", "<form>", "REGISTRY_ERROR", "login page"},
			"an empty answer":   {200, "application/json", `{}`, "REGISTRY_ERROR", "without a registered model"},
			"a failure":         {500, "application/json", `{"error_code":"INTERNAL_ERROR","message":"boom"}`, "REGISTRY_ERROR", "boom"},
			"a traceback":       {500, "text/html", "<pre>", "REGISTRY_ERROR", "log"},
			"a busy database":   {503, "application/json", `{"error_code":"TEMPORARILY_UNAVAILABLE","message":"database is locked"}`, "UNAVAILABLE", "locked"},
			"a proxy's 502":     {502, "text/html", "<h1>Bad Gateway</h1>", "UNAVAILABLE", "502"},
			"its word, at last": {404, "application/json", `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}`, "NOT_FOUND", "does not exist"},
		} {
			t.Run(name, func(t *testing.T) {
				set(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) bool {
					w.Header().Set("Content-Type", tt.contentType)
					w.Header().Set("Retry-After", "0")
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
					return true
				})
				defer set(nil)
				_, err := c.Get(t.Context(), "registered_model", "half")
				if codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("want %s with %q: %v", tt.code, tt.says, err)
				}
			})
		}
	})

	t.Run("a server that is not there", func(t *testing.T) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		c := embeddedOverMLflow(t, gone.URL, path)
		_, err := c.Get(t.Context(), "registered_model", "half")
		if codeOf(err) != client.CodeUnavailable || !strings.Contains(err.Error(), gone.URL) {
			t.Errorf("%v", err)
		}
		// What is in the file can still be read.
		if _, err := c.Get(t.Context(), "baseline", "fraud/score"); !client.IsNotFound(err) {
			t.Errorf("%v", err)
		}
	})
}
