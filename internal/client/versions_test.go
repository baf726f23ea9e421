package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
)

// An addition is sent again with the same key, and so is the name of who asks.
func TestAnAdditionIsSentAgainWithItsKey(t *testing.T) {
	var asked atomic.Int32
	var heard []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard = append(heard, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Mlops-Actor")+" "+strings.TrimSpace(string(body)))
		if asked.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"kind":"model_version","id":"a b/3","uid":"u","etag":"\"e\"","attributes":{}}`)
	}))
	defer server.Close()
	c, err := client.New(client.Options{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.As("al\r\nice").Add(t.Context(), "model_version", "a b", "k-1", json.RawMessage(`{}`))
	if err != nil || o.ID != "a b/3" || o.ETag != `"e"` {
		t.Fatalf("%+v, %v", o, err)
	}
	want := `POST /v1/model_version/a%20b k-1 alice {"attributes":{}}`
	if diff := cmp.Diff([]string{want, want}, heard); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Add(t.Context(), "model_version", "m", "", json.RawMessage(`{}`)); err == nil || asked.Load() != 2 {
		t.Errorf("without a key: %v, asked %d times", err, asked.Load())
	}
}

func TestAHistoryThatBreaksOffSaysSo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"code":"STORE_UNUSABLE","detail":"The file is gone."}`)
	}))
	defer server.Close()
	c, err := client.New(client.Options{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	for _, err := range c.History(t.Context(), "model_alias", "m/champion") {
		errs = append(errs, err)
	}
	if len(errs) != 1 || errs[0] == nil || !strings.Contains(errs[0].Error(), "The file is gone.") {
		t.Errorf("%v", errs)
	}
}
