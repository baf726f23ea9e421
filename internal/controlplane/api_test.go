package controlplane_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

const (
	fraud    = `{"name":"fraud","description":"Scores <payments> & refunds","owner":"risk-ml","risk":"high","tags":{"team":"risk"},"deletion_policy":"prevent"}`
	baseline = `{"model":"fraud","name":"score","bins":[{"upper":0.1,"count":80},{"upper":0.25,"count":1.0e2},{"count":20}],"profile":{"name":"score","bins":3,"samples":200,"shares":[0.4,0.50,0.1]}}`
)

// embedded opens a control plane over a file in a new directory.
func embedded(t *testing.T) (*client.Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mlops.db")
	return open(t, path), path
}

func open(t *testing.T, store string) *client.Client {
	t.Helper()
	return client.NewEmbedded(handlerOver(t, store))
}

func mustCreate(t *testing.T, c *client.Client, kind, id, attributes string) *client.Object {
	t.Helper()
	o, err := c.Create(t.Context(), kind, id, json.RawMessage(attributes))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestAnObjectIsReadAsItWasWritten(t *testing.T) { onEachStore(t, anObjectIsReadAsItWasWritten) }

func anObjectIsReadAsItWasWritten(t *testing.T, store string) {
	c := open(t, store)
	made := mustCreate(t, c, "registered_model", "fraud", fraud)
	mustCreate(t, c, "baseline", "fraud/score", baseline)

	for kind, want := range map[string]struct{ id, attributes string }{
		"registered_model": {"fraud", fraud},
		"baseline":         {"fraud/score", baseline},
	} {
		// Through another process's eyes: a second store over the same file.
		got, err := open(t, store).Get(t.Context(), kind, want.id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.attributes, string(got.Attributes)); diff != "" {
			t.Errorf("%s: attributes are not the bytes that were written (-want +got):\n%s", kind, diff)
		}
	}

	changed := strings.Replace(fraud, "risk-ml", "payments", 1)
	updated, err := c.Update(t.Context(), "registered_model", "fraud", made.ETag, json.RawMessage(changed))
	if err != nil {
		t.Fatal(err)
	}
	if updated.UID != made.UID || updated.Generation != 2 || updated.ETag == made.ETag || string(updated.Attributes) != changed {
		t.Errorf("after an update: %+v, before: %+v", updated, made)
	}
	if _, err := c.Update(t.Context(), "registered_model", "fraud", made.ETag, json.RawMessage(fraud)); !client.IsETagMismatch(err) {
		t.Errorf("a write over an old revision: %v", err)
	}
}

func TestReadsNeverCreateTheFile(t *testing.T) {
	c, path := embedded(t)
	if _, err := c.Get(t.Context(), "baseline", "fraud/score"); !client.IsNotFound(err) {
		t.Errorf("get: %v", err)
	}
	if err := c.Delete(t.Context(), "baseline", "fraud/score", `"x"`); !client.IsNotFound(err) {
		t.Errorf("delete: %v", err)
	}
	for _, err := range c.List(t.Context(), "baseline") {
		t.Errorf("list of nothing has an element or fails: %v", err)
	}
	before, err := c.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&client.Store{Registry: "sqlite"}, before); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) > 0 {
		t.Fatalf("reading left files behind: %v %v", entries, err)
	}

	mustCreate(t, c, "registered_model", "fraud", fraud)
	after, err := c.Store(t.Context())
	if err != nil || !after.Exists || after.ID == "" {
		t.Errorf("store after the first write: %+v, %v", after, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; only its owner should read it", info.Mode(), err)
	}
}

func TestNothingBelongsToAModelThatIsNotThere(t *testing.T) {
	onEachStore(t, nothingBelongsToAModelThatIsNotThere)
}

func nothingBelongsToAModelThatIsNotThere(t *testing.T, store string) {
	c := open(t, store)
	_, err := c.Create(t.Context(), "baseline", "fraud/score", json.RawMessage(baseline))
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != http.StatusConflict || e.Code != client.CodeFailedPrecondition || !strings.Contains(e.Detail, "mlops_registered_model") {
		t.Fatalf("a child before its model: %v", err)
	}

	model := mustCreate(t, c, "registered_model", "fraud", fraud)
	child := mustCreate(t, c, "baseline", "fraud/score", baseline)
	err = c.Delete(t.Context(), "registered_model", "fraud", model.ETag)
	e, ok = errors.AsType[*client.Error](err)
	if !ok || e.Code != client.CodeFailedPrecondition {
		t.Fatalf("deleting a model that has a child: %v", err)
	}
	if diff := cmp.Diff([]client.Ref{{Kind: "baseline", ID: "fraud/score"}}, e.Blocking); diff != "" {
		t.Error(diff)
	}

	for _, step := range []struct{ kind, id, etag string }{
		{"baseline", "fraud/score", child.ETag}, {"registered_model", "fraud", model.ETag},
	} {
		if err := c.Delete(t.Context(), step.kind, step.id, step.etag); err != nil {
			t.Fatal(err)
		}
	}
	again := mustCreate(t, c, "registered_model", "fraud", fraud)
	if again.UID == model.UID || again.ETag == model.ETag {
		t.Errorf("a re-created object passes for the old one: %+v", again)
	}
}

func TestListAndBatchGet(t *testing.T) { onEachStore(t, listAndBatchGet) }

func listAndBatchGet(t *testing.T, store string) {
	c := open(t, store)
	mustCreate(t, c, "registered_model", "fraud", fraud)
	const n = 1203 // more than a page
	var refs []client.Ref
	for i := range n {
		id := fmt.Sprintf("m%04d", i)
		mustCreate(t, c, "registered_model", id, strings.Replace(fraud, `"fraud"`, `"`+id+`"`, 1))
		refs = append(refs, client.Ref{Kind: "registered_model", ID: id})
	}
	var got []string
	for o, err := range open(t, store).List(t.Context(), "registered_model") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.ID)
	}
	if len(got) != n+1 || got[0] != "fraud" || got[1] != "m0000" || got[n] != "m1202" {
		t.Errorf("%d objects, from %v to %v", len(got), got[:2], got[len(got)-1])
	}

	refs = append(refs, client.Ref{Kind: "baseline", ID: "fraud/none"}, client.Ref{Kind: "unheard_of", ID: "x"}, client.Ref{Kind: "baseline", ID: "fraud"})
	results, err := c.BatchGet(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results[:n] {
		if r.Err != nil || r.Object.ID != refs[i].ID {
			t.Fatalf("%v: %+v", refs[i], r)
		}
	}
	var codes []string
	for _, r := range results[n:] {
		codes = append(codes, codeOf(r.Err))
	}
	if diff := cmp.Diff([]string{"NOT_FOUND", "UNKNOWN_KIND", "INVALID_ARGUMENT"}, codes); diff != "" {
		t.Error(diff)
	}
}

func TestABatchOfLargeObjectsIsReadInSeveralAnswers(t *testing.T) {
	onEachStore(t, aBatchOfLargeObjectsIsReadInSeveralAnswers)
}

func aBatchOfLargeObjectsIsReadInSeveralAnswers(t *testing.T, store string) {
	c := open(t, store)
	handler := handlerOver(t, store)
	var refs []client.Ref
	var list []string
	for i := range 6 {
		id := fmt.Sprint("large-", i)
		waivers := strings.TrimSuffix(strings.Repeat(`{"rule":"a/b","reason":"`+strings.Repeat("x", 1000)+`","expires":"2030-01-01"},`, 3700), ",")
		mustCreate(t, c, "registered_model", id, `{"name":"`+id+`","waivers":[`+waivers+`]}`)
		refs = append(refs, client.Ref{Kind: "registered_model", ID: id}, client.Ref{Kind: "registered_model", ID: fmt.Sprint("none-", i)})
		list = append(list, `{"kind":"registered_model","id":"`+id+`"}`)
	}
	one := ask(t, handler, "POST", "/v1/resources:batchGet", "", `{"refs":[`+strings.Join(list, ",")+`]}`)
	if one.Code != 200 || one.Body.Len() > 17<<20 || strings.Count(one.Body.String(), `"BATCH_FULL"`) != 2 {
		t.Errorf("%d, %d bytes, %d without room", one.Code, one.Body.Len(), strings.Count(one.Body.String(), "BATCH_FULL"))
	}
	results, err := c.BatchGet(t.Context(), refs)
	if err != nil || len(results) != len(refs) {
		t.Fatal(len(results), err)
	}
	for i, r := range results {
		if r.Ref != refs[i] || (i%2 == 0) != (r.Err == nil) || i%2 == 0 && r.Object.ID != refs[i].ID || i%2 == 1 && !client.IsNotFound(r.Err) {
			t.Errorf("%v: %v %v", refs[i], r.Ref, r.Err)
		}
	}
}

func TestRequestsAndAnswers(t *testing.T) { onEachStore(t, requestsAndAnswers) }

func requestsAndAnswers(t *testing.T, store string) {
	handler := handlerOver(t, store)
	mustCreate(t, client.NewEmbedded(handler), "registered_model", "fraud", fraud)
	body := func(attributes string) string { return `{"attributes":` + attributes + `}` }
	create, any := "If-None-Match: *", "If-Match: *"

	for name, tt := range map[string]struct {
		method, url, header, body string
		status                    int
		code, says                string
	}{
		"healthy":                              {"GET", "/healthz", "", "", 200, "", "ok"},
		"ready":                                {"GET", "/readyz", "", "", 200, "", "ok"},
		"a write that says nothing of before":  {"PUT", "/v1/registered_model/m", "", body(fraud), 428, "PRECONDITION_REQUIRED", "If-None-Match"},
		"a delete that says nothing of before": {"DELETE", "/v1/registered_model/fraud", "", "", 428, "PRECONDITION_REQUIRED", "If-Match"},
		"both preconditions":                   {"PUT", "/v1/registered_model/fraud", create + "\n" + any, body(fraud), 400, "INVALID_ARGUMENT", "exclude"},
		"a create over what is there":          {"PUT", "/v1/registered_model/fraud", create, body(fraud), 412, "ALREADY_EXISTS", "Import"},
		"an update of what is not there":       {"PUT", "/v1/registered_model/m", any, body(strings.Replace(fraud, "fraud", "m", 1)), 404, "NOT_FOUND", "does not exist"},
		"a revision of long ago":               {"PUT", "/v1/registered_model/fraud", `If-Match: "a", "b"`, body(fraud), 412, "ETAG_MISMATCH", "changed by somebody else"},
		"a weak tag never matches":             {"PUT", "/v1/registered_model/fraud", `If-Match: W/"a"`, body(fraud), 412, "ETAG_MISMATCH", ""},
		"a tag without quotes":                 {"PUT", "/v1/registered_model/fraud", `If-Match: abc`, body(fraud), 400, "INVALID_ARGUMENT", "double quotes"},
		"tags without a comma":                 {"PUT", "/v1/registered_model/fraud", `If-Match: "a" "b"`, body(fraud), 400, "INVALID_ARGUMENT", "comma"},
		"another name in the address":          {"PUT", "/v1/registered_model/other", create, body(fraud), 400, "INVALID_ARGUMENT", "must equal"},
		"an attribute that there is none of":   {"PUT", "/v1/registered_model/m", create, body(`{"name":"m","ownr":"x"}`), 422, "INVALID_ARGUMENT", "ownr"},
		"an attribute of another type":         {"PUT", "/v1/registered_model/m", create, body(`{"name":"m","tags":["x"]}`), 422, "INVALID_ARGUMENT", "tags"},
		"a value out of range":                 {"PUT", "/v1/registered_model/m", create, body(`{"name":"m","risk":"extreme"}`), 422, "INVALID_ARGUMENT", "risk"},
		"a name missing":                       {"PUT", "/v1/registered_model/m", create, body(`{"risk":"low"}`), 422, "INVALID_ARGUMENT", "name"},
		"no attributes":                        {"PUT", "/v1/registered_model/m", create, `{}`, 400, "INVALID_ARGUMENT", "attributes"},
		"null attributes":                      {"PUT", "/v1/registered_model/m", create, body(`null`), 400, "INVALID_ARGUMENT", "object"},
		"null":                                 {"PUT", "/v1/registered_model/m", create, `null`, 400, "INVALID_ARGUMENT", "attributes"},
		"a member of the server's":             {"PUT", "/v1/registered_model/m", create, `{"attributes":{"name":"m"},"uid":"x"}`, 400, "INVALID_ARGUMENT", "uid"},
		"a member twice":                       {"PUT", "/v1/registered_model/m", create, body(`{"name":"m","name":"m"}`), 400, "INVALID_ARGUMENT", "twice"},
		"no JSON":                              {"PUT", "/v1/registered_model/m", create, `{"attributes":`, 400, "INVALID_ARGUMENT", "not valid JSON"},
		"two values":                           {"PUT", "/v1/registered_model/m", create, body(`{"name":"m"}`) + `{}`, 400, "INVALID_ARGUMENT", "more than one"},
		"no UTF-8":                             {"PUT", "/v1/registered_model/m", create, body("{\"name\":\"\xff\"}"), 400, "INVALID_ARGUMENT", "UTF-8"},
		"a number to exhaust memory with":      {"PUT", "/v1/registered_model/m", create, body(`{"name":"m","false_alarms_per_30d":1e999999999}`), 400, "INVALID_ARGUMENT", "out of range"},
		"a body too deep":                      {"PUT", "/v1/registered_model/m", create, strings.Repeat("[", 100_000), 400, "INVALID_ARGUMENT", "deeper"},
		"a body too large":                     {"PUT", "/v1/registered_model/m", create, body(`"` + strings.Repeat("x", 4<<20) + `"`), 413, "PAYLOAD_TOO_LARGE", ""},
		"another media type":                   {"PUT", "/v1/registered_model/m", create + "\nContent-Type: text/plain", body(`{"name":"m"}`), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"a method that is not there":           {"PATCH", "/v1/registered_model/fraud", "", "", 405, "METHOD_NOT_ALLOWED", "DELETE, GET, HEAD, PUT"},
		"a kind that is not there":             {"GET", "/v1/registered_modell/fraud", "", "", 404, "UNKNOWN_KIND", "registered_model"},
		"a route that is not there":            {"GET", "/api/v1/registered_model/fraud", "", "", 404, "UNKNOWN_ROUTE", "/v1/"},
		"one name too few":                     {"GET", "/v1/baseline/fraud", "", "", 400, "INVALID_ARGUMENT", "model/name"},
		"one name too many":                    {"GET", "/v1/baseline/fraud/score/x", "", "", 400, "INVALID_ARGUMENT", "model/name"},
		"an empty name":                        {"GET", "/v1/baseline//score", "", "", 400, "INVALID_ARGUMENT", "empty"},
		"a slash inside a name":                {"GET", "/v1/registered_model/a%2Fb", "", "", 400, "INVALID_ARGUMENT", "slash"},
		"a name like a directory":              {"GET", "/v1/registered_model/..", "", "", 404, "NOT_FOUND", ""},
		"an object that is not there":          {"GET", "/v1/baseline/fraud/score", "", "", 404, "NOT_FOUND", "baseline fraud/score"},
		"a parameter misspelt":                 {"DELETE", "/v1/registered_model/fraud?casade=true", any, "", 400, "INVALID_ARGUMENT", "casade"},
		"a page too small":                     {"GET", "/v1/baseline?page_size=0", "", "", 400, "INVALID_ARGUMENT", "page_size"},
		"a token of somebody else's":           {"GET", "/v1/baseline?page_token=%21", "", "", 400, "INVALID_ARGUMENT", "page_token"},
		"a method on a list":                   {"PUT", "/v1/baseline", create, body(fraud), 405, "METHOD_NOT_ALLOWED", "only GET, HEAD"},
		"the options of an address":            {"OPTIONS", "/v1/resources:batchGet", "", "", 405, "METHOD_NOT_ALLOWED", "only POST"},
		"a trailing slash":                     {"GET", "/v1/store/", "", "", 400, "INVALID_ARGUMENT", "empty"},
		"a route below another":                {"GET", "/v1/store/x", "", "", 404, "UNKNOWN_KIND", "store"},
		"nothing":                              {"GET", "/", "", "", 404, "UNKNOWN_ROUTE", "/v1/"},
		"nothing of a version":                 {"GET", "/v1/", "", "", 404, "UNKNOWN_ROUTE", "/v1/"},
		"no answer that would do":              {"GET", "/v1/registered_model/fraud", "Accept: text/html, application/xml;q=0.9", "", 406, "NOT_ACCEPTABLE", "text/html"},
		"all answers but this one":             {"GET", "/v1/registered_model/fraud", "Accept: */*, application/json;q=0", "", 406, "NOT_ACCEPTABLE", "application/json"},
		"any answer of the family":             {"GET", "/v1/registered_model/fraud", "Accept: text/html, application/*;q=0.1", "", 200, "", "risk-ml"},
		"a write whose answer would not do":    {"PUT", "/v1/registered_model/m", create + "\nAccept: text/html", body(`{"name":"m"}`), 406, "NOT_ACCEPTABLE", ""},
		"so it was not carried out":            {"GET", "/v1/registered_model/m", "", "", 404, "NOT_FOUND", ""},
		"a revision to compare, malformed":     {"GET", "/v1/registered_model/fraud", "If-None-Match: abc", "", 400, "INVALID_ARGUMENT", "double quotes"},
		"an empty batch":                       {"POST", "/v1/resources:batchGet", "", `{"refs":[]}`, 200, "", `"results":[]`},
		"a batch of nothing":                   {"POST", "/v1/resources:batchGet", "", `{"refs":{}}`, 400, "INVALID_ARGUMENT", "refs"},
		"a batch of null":                      {"POST", "/v1/resources:batchGet", "", `{"refs":null}`, 400, "INVALID_ARGUMENT", "refs"},
		"a batch of nulls":                     {"POST", "/v1/resources:batchGet", "", `{"refs":[null]}`, 400, "INVALID_ARGUMENT", "element 0"},
		"a batch that shouts":                  {"POST", "/v1/resources:batchGet", "", `{"refs":[{"KIND":"a","ID":"b"}]}`, 400, "INVALID_ARGUMENT", "element 0"},
		"a batch with an id missing":           {"POST", "/v1/resources:batchGet", "", `{"refs":[{"kind":"a"}]}`, 400, "INVALID_ARGUMENT", "element 0"},
		"a batch with an id of no text":        {"POST", "/v1/resources:batchGet", "", `{"refs":[{"kind":"a","id":"b"},{"kind":"a","id":1}]}`, 400, "INVALID_ARGUMENT", "element 1"},
		"a page size left empty":               {"GET", "/v1/baseline?page_size=", "", "", 400, "INVALID_ARGUMENT", "page_size"},
		"a cascade left empty":                 {"DELETE", "/v1/registered_model/fraud?cascade=", any, "", 400, "INVALID_ARGUMENT", "cascade"},
		"a cascade where nothing hangs on":     {"DELETE", "/v1/baseline/fraud/score?cascade=true", any, "", 400, "INVALID_ARGUMENT", "cascade"},
		"a number for a text":                  {"PUT", "/v1/registered_model/5", create, body(`{"name":5}`), 422, "INVALID_ARGUMENT", "string is required"},
		"a batch too large":                    {"POST", "/v1/resources:batchGet", "", `{"refs":[` + strings.Repeat(`{"kind":"a","id":"b"},`, 1000) + `{"kind":"a","id":"b"}]}`, 400, "INVALID_ARGUMENT", "1001"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := ask(t, handler, tt.method, tt.url, tt.header, tt.body)
			var p struct{ Code, Detail string }
			_ = json.Unmarshal(recorder.Body.Bytes(), &p)
			if recorder.Code != tt.status || p.Code != tt.code || !strings.Contains(recorder.Body.String(), tt.says) {
				t.Errorf("answered %d %s, want %d %s with %q", recorder.Code, recorder.Body, tt.status, tt.code, tt.says)
			}
		})
	}
}

// checkAnswer holds an answer against what is true of all answers.
func checkAnswer(t *testing.T, r *httptest.ResponseRecorder) {
	t.Helper()
	if (r.Code == http.StatusNoContent || r.Code == http.StatusNotModified) && r.Body.Len() == 0 {
		return
	}
	if r.Code < 400 {
		if got := r.Header().Get("Content-Type"); got != "application/json" || !json.Valid(r.Body.Bytes()) {
			t.Errorf("%d answers %s: %s", r.Code, got, r.Body)
		}
		return
	}
	var p struct {
		Title, Code, Detail string
		Status              int
	}
	if err := json.Unmarshal(r.Body.Bytes(), &p); err != nil || p.Status != r.Code || p.Code == "" || p.Title == "" || p.Detail == "" ||
		r.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d is no whole problem+json: %v %s %s", r.Code, err, r.Header(), r.Body)
	}
}

func TestAReaderWhoHasTheRevisionIsToldSo(t *testing.T) {
	handler, closer, err := controlplane.OpenEmbedded(filepath.Join(t.TempDir(), "mlops.db"), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	etag := mustCreate(t, client.NewEmbedded(handler), "registered_model", "fraud", fraud).ETag
	for given, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, "*": 304, `"x"`: 200, `"x", W/"y"`: 200, "": 200, ",": 200,
	} {
		got := ask(t, handler, "GET", "/v1/registered_model/fraud", "If-None-Match: "+given, "")
		if got.Code != want || got.Header().Get("ETag") != etag || (got.Code == 304) != (got.Body.Len() == 0) {
			t.Errorf("If-None-Match: %s: %d %v %s", given, got.Code, got.Header(), got.Body)
		}
	}
	if got := ask(t, handler, "GET", "/v1/registered_model/other", "If-None-Match: *", ""); got.Code != 404 {
		t.Errorf("what is not there: %d", got.Code)
	}
}

func TestAnAnswerAndTheLogHaveTheRequestsName(t *testing.T) {
	log := &syncBuffer{}
	secret := token.Generate()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, map[string]string{"ci apply": secret}), Logger: slog.New(slog.NewJSONHandler(log, nil))})
	for given, kept := range map[string]bool{"a-request/1:2": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "two words": false, "": false} {
		for _, path := range []string{"/v1/store", "/nowhere"} {
			for _, authorization := range []string{"Bearer " + secret, ""} {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X-Request-Id", given)
				request.Header.Set("Authorization", authorization)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				got := response.Header.Values("X-Request-Id")
				if len(got) != 1 || got[0] == "" || (got[0] == given) != kept {
					t.Errorf("%s %q: %q is answered with %q", path, authorization, given, got)
				} else if authorization != "" && !strings.Contains(log.String(), `"request_id":"`+got[0]+`"`) {
					t.Errorf("%s is not in the log", got)
				}
			}
		}
	}
}

func TestHeadAnswersAsGetWithoutTheBody(t *testing.T) {
	handler, closer, err := controlplane.OpenEmbedded(filepath.Join(t.TempDir(), "mlops.db"), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	mustCreate(t, client.NewEmbedded(handler), "registered_model", "fraud", fraud)
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, path := range []string{"/healthz", "/readyz", "/v1/store", "/v1/events", "/v1/baseline", "/v1/registered_model/fraud", "/v1/registered_model/none", "/none"} {
		answers := map[string]*http.Response{}
		for _, method := range []string{"GET", "HEAD"} {
			request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Request-Id", "the-same")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			response.Header.Del("Date")
			answers[method] = response
		}
		get, head := answers["GET"], answers["HEAD"]
		if diff := cmp.Diff(get.Header, head.Header); diff != "" || get.StatusCode != head.StatusCode {
			t.Errorf("%s: %d and %d (-GET +HEAD):\n%s", path, get.StatusCode, head.StatusCode, diff)
		}
	}
	// In the same process, where no server leaves the body out.
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest("HEAD", "http://x/healthz", nil))
	if recorder.Body.Len() != 0 {
		t.Errorf("HEAD has a body: %s", recorder.Body)
	}
}

func TestEventsTellWhatWasWritten(t *testing.T) { onEachStore(t, eventsTellWhatWasWritten) }

func eventsTellWhatWasWritten(t *testing.T, store string) {
	handler := handlerOver(t, store)
	c := client.NewEmbedded(handler)
	o := mustCreate(t, c, "registered_model", "fraud", fraud)
	o, err := c.Update(t.Context(), "registered_model", "fraud", o.ETag, json.RawMessage(fraud))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), "registered_model", "fraud", o.ETag); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after := int64(0); ; {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", fmt.Sprintf("http://x/v1/events?page_size=2&after=%d", after), nil))
		var page struct {
			Items []struct {
				Action, Kind, ID string
				Generation       int
			}
			Next int64 `json:"next_after"`
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == 0 {
			break
		}
		after = page.Next
		for _, e := range page.Items {
			got = append(got, fmt.Sprint(e.Action, " ", e.Kind, " ", e.ID, " ", e.Generation))
		}
	}
	want := []string{"created registered_model fraud 1", "updated registered_model fraud 2", "deleted registered_model fraud 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkEmbedded(b *testing.B) {
	handler, closer, err := controlplane.OpenEmbedded(filepath.Join(b.TempDir(), "mlops.db"), controlplane.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	c := client.NewEmbedded(handler)
	if _, err := c.Create(b.Context(), "registered_model", "fraud", json.RawMessage(fraud)); err != nil {
		b.Fatal(err)
	}
	b.Run("create a baseline", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprintf("%s-%d-%d", "s", b.N, i)
			if _, err := c.Create(b.Context(), "baseline", "fraud/"+name, json.RawMessage(strings.ReplaceAll(baseline, `"score"`, `"`+name+`"`))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read a model", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Get(b.Context(), "registered_model", "fraud"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The cost of a page follows from its size, not from how much else there is.
func BenchmarkPageOf100(b *testing.B) {
	for _, others := range []int{1_000, 10_000, 100_000} {
		path := filepath.Join(b.TempDir(), "mlops.db")
		handler, closer, err := controlplane.OpenEmbedded(path, controlplane.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := client.NewEmbedded(handler).Create(b.Context(), "registered_model", "fraud", json.RawMessage(fraud)); err != nil {
			b.Fatal(err)
		}
		db, err := sql.Open("sqlite", path)
		if err == nil {
			_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
				INSERT INTO objects SELECT 'registered_model', printf('m%06d', i), '', printf('u%d', i), 1, 0, 0, ? FROM n`, others, fraud)
		}
		if err == nil {
			_, err = db.Exec(`INSERT INTO events (at, action, kind, id, uid, generation) SELECT 0, 'created', kind, id, uid, 1 FROM objects`)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			b.Fatal(err)
		}
		middle := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("m%06d", others/2)))
		for name, url := range map[string]string{
			"objects": "/v1/registered_model?page_size=100&page_token=" + middle,
			"events":  fmt.Sprintf("/v1/events?page_size=100&after=%d", others/2),
		} {
			b.Run(fmt.Sprintf("%s of %d", name, others), func(b *testing.B) {
				for b.Loop() {
					recorder := httptest.NewRecorder()
					handler.ServeHTTP(recorder, httptest.NewRequestWithContext(b.Context(), "GET", "http://x"+url, nil))
					if recorder.Code != 200 || strings.Count(recorder.Body.String(), `"uid"`) != 100 {
						b.Fatal(recorder.Code, recorder.Body)
					}
				}
			})
		}
		_ = closer.Close()
	}
}
