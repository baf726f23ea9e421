package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
)

// always answers every request alike.
type always struct {
	status      int
	media, etag string
	body        string
}

func (a always) RoundTrip(request *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {a.media}}
	if a.etag != "" {
		header.Set("ETag", a.etag)
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: request, ContentLength: int64(len(a.body))}, nil
}

func clientOf(t *testing.T, transport http.RoundTripper) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: "http://x.invalid", Transport: transport, Retries: -1, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever answers, the client ends, and gives nothing that is not what it says: an
// object is the one that was asked for, and only the control plane's own word makes
// an object not found.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		object, `{"items":[` + object + `],"next_page_token":"x"}`, `{"items":[` + object + `]}`, `{"items":[null]}`, `{"items":[{}]}`, `{"results":[{"kind":"baseline","id":"fraud/score","status":200,"object":` + object + `}]}`,
		`{"results":[null]}`, `{"results":[{"status":200,"object":{}}]}`, `{"results":[{"status":413,"error":{"code":"BATCH_FULL"}}]}`, `{"code":"NOT_FOUND","detail":"none"}`, `{"items":[{"seq":1}]}`,
		`{"id":"t","token":"mlops_x","expires_at":"2026-11-05T00:00:00Z","ends_at":"2026-11-06T00:00:00Z"}`, `{"id":"store","registry":"sqlite","exists":true}`, `null`, `[]`, `<html>`, ``,
	} {
		f.Add(200, "application/json", `"u.2"`, body)
		f.Add(404, "application/problem+json", "", body)
		f.Add(500, "text/html; charset=utf-8", "", body)
	}
	f.Fuzz(func(t *testing.T, status int, media, etag, body string) {
		if status < 200 || status > 599 || strings.ContainsAny(media+etag, "\r\n") {
			return // no transport passes that on
		}
		c := clientOf(t, always{status, media, etag, body})
		const kind, id = "baseline", "fraud/score"
		one := func(what string, o *client.Object, err error) {
			t.Helper()
			if err == nil && (o == nil || o.Kind != kind || o.UID == "" || len(o.Attributes) == 0 || what != "Add" && o.ID != id || status > 299) {
				t.Errorf("%s gives %+v for %d %s", what, o, status, body)
			}
			if client.IsNotFound(err) && !strings.Contains(body, "code") && !strings.Contains(strings.ToLower(body), "code") {
				t.Errorf("%s is not found by %d %s", what, status, body)
			}
			if err != nil && err.Error() == "" {
				t.Errorf("%s fails without a word", what)
			}
		}
		o, err := c.Get(t.Context(), kind, id)
		one("Get", o, err)
		o, err = c.Create(t.Context(), kind, id, []byte(`{"name":"score"}`))
		one("Create", o, err)
		o, err = c.Update(t.Context(), kind, id, `"u.1"`, []byte(`{"name":"score"}`))
		one("Update", o, err)
		o, err = c.Add(t.Context(), kind, "fraud", "key", []byte(`{}`))
		one("Add", o, err)
		for range 30 { // until pages are read ahead
			o, err = c.Refresh(t.Context(), kind, id)
			one("Refresh", o, err)
		}
		for _, list := range []func(func(*client.Object, error) bool){c.List(t.Context(), kind), c.ListUnder(t.Context(), kind, "fraud")} {
			for o, err := range list {
				if err == nil && (o == nil || o.Kind != kind || o.ID == "" || o.UID == "") {
					t.Errorf("List gives %+v for %s", o, body)
				}
			}
		}
		results, err := c.BatchGet(t.Context(), []client.Ref{{Kind: kind, ID: id}})
		for _, r := range results {
			one("BatchGet", r.Object, r.Err)
		}
		if err == nil && len(results) != 1 {
			t.Errorf("%d results", len(results))
		}
		for _, err := range c.History(t.Context(), "model_alias", "fraud/champion") {
			_ = err
		}
		if token, err := c.MintToken(t.Context(), client.TokenRequest{Name: "x", Role: "read"}); err == nil && (token.ID == "" || token.Token == "" || token.ExpiresAt.IsZero()) {
			t.Errorf("MintToken gives %+v for %s", token, body)
		}
		_, _ = c.RenewToken(t.Context(), "x")
		_, _ = c.Unacknowledged(t.Context(), kind, "fraud")
		_, _ = c.Store(t.Context())
		_ = c.Acknowledge(t.Context(), kind, id)
		_ = c.RevokeToken(t.Context(), "x")
		_ = c.Delete(t.Context(), kind, id, `"u.1"`)
	})
}

// What answers about another object, or with what is no object, is not believed.
func TestAnAnswerAboutAnotherObjectIsNone(t *testing.T) {
	other := strings.Replace(object, "fraud/score", "fraud/other", 1)
	for what, body := range map[string]string{"another": other, "of another kind": strings.Replace(object, "baseline", "rollout_policy", 1), "no object": `{"kind":"baseline","id":"fraud/score"}`} {
		c := clientOf(t, always{200, "application/json", "", body})
		if o, err := c.Get(t.Context(), "baseline", "fraud/score"); err == nil || client.IsNotFound(err) {
			t.Errorf("%s: %+v", what, o)
		}
		c = clientOf(t, always{200, "application/json", "", `{"results":[{"kind":"baseline","id":"fraud/score","status":200,"object":` + body + `}]}`})
		results, err := c.BatchGet(t.Context(), []client.Ref{{Kind: "baseline", ID: "fraud/score"}})
		if err != nil || results[0].Err == nil || results[0].Object != nil {
			t.Errorf("%s in a batch: %+v, %v", what, results, err)
		}
	}
	// A page with nothing in the place of an object must not end the process.
	c := clientOf(t, always{200, "application/json", "", `{"items":[null]}`})
	for range 30 {
		if o, err := c.Refresh(t.Context(), "baseline", "fraud/score"); err == nil {
			t.Errorf("%+v", o)
		}
	}
	for o, err := range c.List(t.Context(), "baseline") {
		if err == nil {
			t.Errorf("%+v", o)
		}
	}
}

// A server that gives one page for ever does not keep the client for ever.
func TestAHistoryThatDoesNotEndIsGivenUp(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(`{"items":[`)
	for i := range 1000 {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, `{"seq":%d}`, 2000-i)
	}
	page.WriteString(`]}`)
	if !json.Valid(page.Bytes()) {
		t.Fatal(page.String())
	}
	moves, failure := 0, ""
	for _, err := range clientOf(t, always{200, "application/json", "", page.String()}).History(t.Context(), "model_alias", "fraud/champion") {
		if err != nil {
			failure = err.Error()
			break
		}
		moves++
	}
	if moves != 2000 || !strings.Contains(failure, "the same page again") {
		t.Errorf("%d moves, and %q", moves, failure)
	}
}
