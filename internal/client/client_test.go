package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
)

const (
	object = `{"kind":"baseline","id":"fraud/score","uid":"u","generation":2,"etag":"\"u.2\"","attributes":{"name":"score","share":0.10,"note":"<&>"}}`
	secret = "s3cr3t-t0ken-of-the-team"
)

type reply struct {
	status int
	header map[string]string
	body   string
	drop   bool // carry out, and lose the answer
}

// scripted answers requests with one reply after the other, the last one for
// ever, and remembers what was asked.
func scripted(t *testing.T, replies ...reply) (*httptest.Server, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		next := replies[min(len(asked), len(replies)-1)]
		asked = append(asked, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), " ", string(body))))
		mu.Unlock()
		if next.drop {
			panic(http.ErrAbortHandler)
		}
		for key, value := range next.header {
			w.Header().Set(key, value)
		}
		w.WriteHeader(next.status)
		_, _ = io.WriteString(w, next.body)
	}))
	t.Cleanup(server.Close)
	return server, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

func problem(status int, code string) reply {
	return reply{
		status: status, header: map[string]string{"Content-Type": "application/problem+json", "Retry-After": "0"},
		body: fmt.Sprintf(`{"title":"t","status":%d,"code":%q,"detail":"what is wrong","field_violations":[{"path":"name","detail":"d","fix":"f"}],"blocking":[{"kind":"baseline","id":"a/b"}],"new_member":1}`, status, code),
	}
}

var found = reply{status: 200, header: map[string]string{"Content-Type": "application/json", "ETag": `"u.2"`}, body: object}

func newClient(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: endpoint, Token: secret, UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhichAnswersAreAskedForAgain(t *testing.T) {
	again := map[string]string{"Retry-After": "0"}
	for name, tt := range map[string]struct {
		first reply
		times int // requests in all, when the second one succeeds
	}{
		"found":                     {found, 1},
		"a connection that breaks":  {reply{drop: true}, 2},
		"an answer that breaks off": {reply{status: 200, header: map[string]string{"Content-Length": "1000"}, body: `{"kind"`}, 2},
		"too many requests":         {reply{status: 429, header: again}, 2},
		"unavailable":               {problem(503, "UNAVAILABLE"), 2},
		"a proxy's bad gateway":     {reply{status: 502, header: again}, 2},
		"a proxy's time out":        {reply{status: 504, header: again}, 2},
		"the registry's last word":  {problem(502, "REGISTRY_ERROR"), 1},
		"a failure":                 {problem(500, "INTERNAL"), 1},
		"not found":                 {problem(404, "NOT_FOUND"), 1},
		"a conflict":                {problem(409, "FAILED_PRECONDITION"), 1},
		"another revision":          {problem(412, "ETAG_MISMATCH"), 1},
		"not accepted":              {problem(422, "INVALID_ARGUMENT"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			server, asked := scripted(t, tt.first, found)
			_, err := newClient(t, server.URL).Get(t.Context(), "baseline", "fraud/score")
			if got := len(asked()); got != tt.times {
				t.Errorf("asked %d times, want %d", got, tt.times)
			}
			if succeeds := tt.times == 2 || tt.first.status == 200; succeeds != (err == nil) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsSentAndRead(t *testing.T) {
	const id = "fraud 100%/a?b#c"
	escaped := found
	escaped.body = strings.Replace(object, "fraud/score", id, 1)
	server, asked := scripted(t, escaped, found)
	c := newClient(t, server.URL+"/prefix/")
	got, err := c.Get(t.Context(), "baseline", id)
	if err != nil {
		t.Fatal(err)
	}
	want := &client.Object{Kind: "baseline", ID: id, UID: "u", Generation: 2, ETag: `"u.2"`, Attributes: json.RawMessage(`{"name":"score","share":0.10,"note":"<&>"}`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	attributes := json.RawMessage(`{"share":0.10,"note":"<&>"}`)
	if _, err := c.Create(t.Context(), "baseline", "fraud/score", attributes); err != nil {
		t.Error(err)
	}
	if _, err := c.Update(t.Context(), "baseline", "fraud/score", `"u.1"`, attributes); err != nil {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), "registered_model", "fraud", `"u.2"`, client.Cascade()); err != nil {
		t.Error(err)
	}
	if _, err := c.Update(t.Context(), "baseline", "fraud/score", "", attributes); err == nil {
		t.Error("an update without a revision was sent")
	}
	if err := c.Delete(t.Context(), "baseline", "fraud/score", ""); err == nil {
		t.Error("a delete without a revision was sent")
	}
	if diff := cmp.Diff([]string{
		`GET /prefix/v1/baseline/fraud%20100%25/a%3Fb%23c`,
		`PUT /prefix/v1/baseline/fraud/score * {"attributes":{"share":0.10,"note":"<&>"}}`,
		`PUT /prefix/v1/baseline/fraud/score "u.1" {"attributes":{"share":0.10,"note":"<&>"}}`,
		`DELETE /prefix/v1/registered_model/fraud?cascade=true "u.2"`,
	}, asked()); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsAreTypedAndOnlyTheControlPlanesNotFoundCounts(t *testing.T) {
	for name, tt := range map[string]struct {
		reply    reply
		notFound bool
		code     string
		says     string
	}{
		"the control plane's":     {problem(404, "NOT_FOUND"), true, "NOT_FOUND", "what is wrong"},
		"an unknown kind":         {problem(404, "UNKNOWN_KIND"), false, "UNKNOWN_KIND", "what is wrong"},
		"a proxy's page":          {reply{status: 404, header: map[string]string{"Content-Type": "text/html"}, body: "<h1>NOT_FOUND</h1>"}, false, "", "not the control plane"},
		"JSON of somebody else's": {reply{status: 404, header: map[string]string{"Content-Type": "application/json"}, body: `{"code":"NOT_FOUND"}`}, false, "", "not the control plane"},
		"a problem without code":  {reply{status: 404, header: map[string]string{"Content-Type": "application/problem+json"}, body: `{}`}, false, "", "not the control plane"},
		"a login":                 {reply{status: 401, body: "no"}, false, "", "token"},
		"a redirect":              {reply{status: 302, header: map[string]string{"Location": "https://login.example.com/"}}, false, "", "redirects"},
		"a page that is no JSON":  {reply{status: 200, body: "<html>"}, false, "", "not the control plane's"},
		"JSON that is no object":  {reply{status: 200, body: "{}"}, false, "", "no object"},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := scripted(t, tt.reply)
			_, err := newClient(t, server.URL).Get(t.Context(), "baseline", "fraud/score")
			e, ok := errors.AsType[*client.Error](err)
			if !ok || e.Status != tt.reply.status || e.Code != tt.code || !strings.Contains(e.Error(), tt.says) || client.IsNotFound(err) != tt.notFound {
				t.Errorf("%#v", err)
			}
			if tt.code != "" && (cmp.Diff([]client.Violation{{Path: "name", Detail: "d", Fix: "f"}}, e.FieldViolations) != "" || cmp.Diff([]client.Ref{{Kind: "baseline", ID: "a/b"}}, e.Blocking) != "") {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestAnUpdateWhoseAnswerWasLostIsRecognised(t *testing.T) {
	ours := json.RawMessage(`{"name":"score","share":0.10,"note":"<&>"}`)
	for name, tt := range map[string]struct {
		replies []reply
		asks    json.RawMessage
		want    bool
	}{
		"its own write":         {[]reply{{drop: true}, problem(412, "ETAG_MISMATCH"), found}, ours, true},
		"somebody else's write": {[]reply{{drop: true}, problem(412, "ETAG_MISMATCH"), found}, json.RawMessage(`{"name":"other"}`), false},
		"no attempt was lost":   {[]reply{problem(412, "ETAG_MISMATCH"), found}, ours, false},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := scripted(t, tt.replies...)
			got, err := newClient(t, server.URL).Update(t.Context(), "baseline", "fraud/score", `"u.1"`, tt.asks)
			if tt.want && (err != nil || got.ETag != `"u.2"`) || !tt.want && !client.IsETagMismatch(err) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestACreateWhoseAnswerWasLostIsTheCallersToJudge(t *testing.T) {
	server, asked := scripted(t, reply{drop: true}, problem(412, "ALREADY_EXISTS"), found)
	if _, err := newClient(t, server.URL).Create(t.Context(), "baseline", "fraud/score", json.RawMessage(`{}`)); !client.IsAlreadyExists(err) {
		t.Errorf("%v", err)
	}
	if got := len(asked()); got != 2 {
		t.Errorf("asked %d times", got)
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	var authorization atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization") + " " + r.Header.Get("User-Agent"))
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")) // a careless proxy
	}))
	defer server.Close()
	var log strings.Builder
	c, err := client.New(client.Options{
		Endpoint: server.URL, Token: secret, UserAgent: "test/1", Retries: 1,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log}),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, answered := c.Get(t.Context(), "baseline", "fraud/score")
	server.Close()
	_, unanswered := c.Get(t.Context(), "baseline", "fraud/score")
	if authorization.Load() != "Bearer "+secret+" test/1" {
		t.Errorf("sent %v", authorization.Load())
	}
	for _, err := range []error{answered, unanswered} {
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
	if log.Len() == 0 || strings.Contains(log.String(), secret) {
		t.Errorf("log: %s", log.String())
	}
	for name, o := range map[string]client.Options{
		"a line break":       {Endpoint: server.URL, Token: secret + "\n"},
		"user in the URL":    {Endpoint: "http://" + secret + "@localhost"},
		"no URL":             {Endpoint: "localhost:8080?" + secret},
		"a control sequence": {Endpoint: "http://localhost\x7f" + secret},
	} {
		if _, err := client.New(o); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACallerThatGivesUpIsNotKeptWaiting(t *testing.T) {
	server, _ := scripted(t, reply{status: 503, header: map[string]string{"Retry-After": "20"}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := newClient(t, server.URL).Get(ctx, "baseline", "fraud/score")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

// The times are floors: a slow machine only waits longer.
func TestAServerThatSaysWhenIsAskedThen(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			server, asked := scripted(t, reply{status: status, header: map[string]string{"Retry-After": "2"}}, found)
			start := time.Now()
			if _, err := newClient(t, server.URL).Get(t.Context(), "baseline", "fraud/score"); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); len(asked()) != 2 || waited < 2*time.Second {
				t.Errorf("asked %d times in %s, want twice, 2 seconds apart", len(asked()), waited)
			}
		})
	}
}

// Clients that a server has turned away together do not come back together: of twenty
// waits that are uniform over 0.8 seconds, all lie within 0.2 once in 10^10 runs.
func TestClientsThatFailedTogetherComeBackOneByOne(t *testing.T) {
	var waits [20]time.Duration
	var all sync.WaitGroup
	for i := range waits {
		all.Go(func() {
			server, asked := scripted(t, reply{drop: true}, found)
			start := time.Now()
			if _, err := newClient(t, server.URL).Get(t.Context(), "baseline", "fraud/score"); err != nil || len(asked()) != 2 {
				t.Errorf("asked %d times: %v", len(asked()), err)
			}
			waits[i] = time.Since(start)
		})
	}
	all.Wait()
	if first, last := slices.Min(waits[:]), slices.Max(waits[:]); first < 200*time.Millisecond || last-first < 200*time.Millisecond {
		t.Errorf("they come back after %s to %s", first, last)
	}
}

func TestAHandlerInTheSameProcess(t *testing.T) {
	var seen []string
	c := client.NewEmbedded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		seen = append(seen, fmt.Sprint(r.Method, " ", r.RequestURI, " ", string(body), err))
		if len(seen) == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("ETag", `"u.2"`)
		_, _ = io.WriteString(w, strings.Replace(object, "fraud/score", "fraud/a b", 1))
		w.Header().Set("Etag", "too late")
	}))
	got, err := c.Get(t.Context(), "baseline", "fraud/a b")
	if err != nil || got.ETag != `"u.2"` {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Create(t.Context(), "baseline", "fraud/score", json.RawMessage(`{}`)); err == nil {
		t.Error("503 is no success")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, "baseline", "fraud/score"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	want := []string{"GET /v1/baseline/fraud/a%20b <nil>", "PUT /v1/baseline/fraud/score {\"attributes\":{}}\n<nil>"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestBatchesAndListsAreCutIntoRequests(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			var batch struct{ Refs []client.Ref }
			_ = json.NewDecoder(r.Body).Decode(&batch)
			var out []string
			for _, ref := range batch.Refs {
				out = append(out, fmt.Sprintf(`{"kind":%q,"id":%q,"status":404,"error":{"code":"NOT_FOUND","detail":"d"}}`, ref.Kind, ref.ID))
			}
			_, _ = io.WriteString(w, `{"results":[`+strings.Join(out, ",")+`]}`)
		case r.URL.Query().Get("page_token") == "":
			_, _ = io.WriteString(w, `{"items":[`+object+`],"next_page_token":"a&b"}`)
		case r.URL.Query().Get("page_token") == "a&b":
			_, _ = io.WriteString(w, `{"items":[`+object+`],"next_page_token":"same"}`)
		default:
			_, _ = io.WriteString(w, `{"items":[`+object+`],"next_page_token":"same"}`)
		}
	}))
	defer server.Close()
	c := newClient(t, server.URL)
	refs := make([]client.Ref, 2001)
	for i := range refs {
		refs[i] = client.Ref{Kind: "baseline", ID: fmt.Sprint("m/", i)}
	}
	results, err := c.BatchGet(t.Context(), refs)
	if err != nil || len(results) != len(refs) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		if r.Ref != refs[i] || !client.IsNotFound(r.Err) {
			t.Fatalf("%d: %+v", i, r)
		}
	}
	var items, failures int
	for o, err := range c.List(t.Context(), "baseline") {
		if err != nil {
			failures++
		} else if o.ID == "fraud/score" {
			items++
		}
	}
	if items != 2 || failures != 1 {
		t.Errorf("%d items and %d failures of a server that pages in a circle", items, failures)
	}
}
