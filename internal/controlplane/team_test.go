package controlplane_test

import (
	"bytes"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// secrets are the tokens of a team, by name and role.
func team() map[string]string {
	secrets := map[string]string{}
	for _, role := range []string{"read", "plan", "apply", "admin"} {
		secrets["the-"+role+" "+role] = token.Generate()
	}
	return secrets
}

// answered is what came back for a request, as far as tests look at it.
type answered struct {
	status int
	header http.Header
	body   string
	code   string
}

// ask sends one request. Headers are "Name: value".
func askAs(t *testing.T, method, url, secret, body string, headers ...string) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answered{status: response.StatusCode, header: response.Header, body: string(data)}
	if response.Header.Get("Content-Type") == "application/problem+json" {
		var problem struct{ Code string }
		if err := json.Unmarshal(data, &problem); err != nil {
			t.Fatal(err)
		}
		out.code = problem.Code
	}
	return out
}

const putFraud = `{"attributes":` + fraud + `}`

func TestEachRoleMayDoWhatItSaysAndNoMore(t *testing.T) {
	onEachStore(t, eachRoleMayDoWhatItSaysAndNoMore)
}

func eachRoleMayDoWhatItSaysAndNoMore(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	for _, tt := range []struct {
		what, method, path, body string
		least                    string
		allowed                  int
	}{
		{"reading the store's id", http.MethodGet, "/v1/store", "", "read", 200},
		{"reading a list", http.MethodGet, "/v1/registered_model", "", "read", 200},
		{"reading an object", http.MethodGet, "/v1/registered_model/none", "", "read", 404},
		{"reading many objects", http.MethodPost, "/v1/resources:batchGet", `{"refs":[]}`, "read", 200},
		{"reading the events", http.MethodGet, "/v1/events", "", "read", 200},
		{"reading the metrics", http.MethodGet, "/metrics", "", "read", 200},
		{"creating", http.MethodPut, "/v1/registered_model/fraud", putFraud, "apply", 201},
		{"deleting", http.MethodDelete, "/v1/registered_model/none", "", "apply", 404},
		{"what nobody has thought of", "FROB", "/v1/store", "", "apply", 405},
		{"posting where nothing is posted", http.MethodPost, "/v1/resources:batchGet/", "", "apply", 400},
		{"minting a token", http.MethodPost, "/v1/tokens", `{"name":"x","role":"read"}`, "plan", 201},
		{"renewing a token", http.MethodPost, "/v1/tokens/none/renew", "", "plan", 404},
		{"giving a token back", http.MethodDelete, "/v1/tokens/none", "", "read", 404},
		{"listing the tokens", http.MethodGet, "/v1/tokens", "", "admin", 200},
		{"reading the audit log", http.MethodGet, "/v1/audit", "", "admin", 200},
	} {
		rank := map[string]int{"read": 1, "plan": 2, "apply": 3, "admin": 4}
		for _, role := range []string{"read", "plan", "apply", "admin"} {
			header := "If-Match: *"
			if tt.method == http.MethodPut {
				header = "If-None-Match: *"
			}
			got := askAs(t, tt.method, base+tt.path, secrets["the-"+role+" "+role], tt.body, header)
			switch {
			case rank[role] < rank[tt.least]:
				if got.status != http.StatusForbidden || got.code != "PERMISSION_DENIED" || !strings.Contains(got.body, "needs "+tt.least) || !strings.Contains(got.body, "the-"+role) {
					t.Errorf("%s as %s: %d %s", tt.what, role, got.status, got.body)
				}
			case tt.what == "creating" && role != tt.least: // it is there by now
				if got.code != "ALREADY_EXISTS" {
					t.Errorf("%s as %s: %d %s", tt.what, role, got.status, got.body)
				}
			case got.status != tt.allowed:
				t.Errorf("%s as %s: %d %s", tt.what, role, got.status, got.body)
			}
		}
		if got := askAs(t, tt.method, base+tt.path, "", tt.body); got.status != http.StatusUnauthorized || got.code != "UNAUTHENTICATED" {
			t.Errorf("%s as nobody: %d %s", tt.what, got.status, got.body)
		}
	}
}

// What the provider asks for in `terraform plan`: the client's own reads.
func TestAPlanWorksWithATokenThatMayNotWrite(t *testing.T) {
	onEachStore(t, aPlanWorksWithATokenThatMayNotWrite)
}

func aPlanWorksWithATokenThatMayNotWrite(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	connect := func(who string) *client.Client {
		c, err := client.New(client.Options{Endpoint: base, Token: secrets[who], Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	mustCreate(t, connect("the-apply apply"), "registered_model", "fraud", fraud)
	for _, who := range []string{"the-read read", "the-plan plan"} {
		c := connect(who)
		if _, err := c.Get(t.Context(), "registered_model", "fraud"); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if _, err := c.BatchGet(t.Context(), []client.Ref{{Kind: "registered_model", ID: "fraud"}}); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if _, err := c.Store(t.Context()); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if _, err := c.Create(t.Context(), "baseline", "fraud/score", json.RawMessage(baseline)); codeOf(err) != "PERMISSION_DENIED" {
			t.Errorf("%s: %v", who, err)
		}
	}
}

func TestATokenCountsAsLongAsItsFileSaysSo(t *testing.T) {
	first, second, old := token.Generate(), token.Generate(), token.Generate()
	path := tokenFile(t, map[string]string{"first read": first})
	addToken(t, path, "old read", old, time.Now().AddDate(0, 0, -2))
	reload := make(chan os.Signal)
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: path, Reload: reload})
	status := func(secret string) int { return askAs(t, http.MethodGet, base+"/v1/store", secret, "").status }
	if got := fmt.Sprint(status(first), status(second)); got != "200 401" {
		t.Error(got)
	}
	if got := askAs(t, http.MethodGet, base+"/v1/store", old, ""); got.code != "UNAUTHENTICATED" || !strings.Contains(got.body, "The token old expired at the end of") {
		t.Errorf("an expired token: %d %s", got.status, got.body)
	}
	addToken(t, path, "second read", second, time.Time{})
	if got := fmt.Sprint(status(first), status(second)); got != "200 200" {
		t.Errorf("after a token was added: %s", got)
	}
	if err := token.Revoke(path, "first"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(status(first), status(second)); got != "401 200" {
		t.Errorf("after the first was revoked: %s", got)
	}
	// What cannot be read changes nothing, and neither does what is gone.
	if err := os.WriteFile(path, []byte("mlops-tokens 1\nhalf a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(status(first), status(second)); got != "401 200" {
		t.Errorf("after the file was damaged: %s", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(status(first), status(second)); got != "401 200" {
		t.Errorf("after the file was removed: %s", got)
	}
	addToken(t, path, "first read", first, time.Time{})
	reload <- os.Interrupt // any signal: the caller chooses which one
	if got := fmt.Sprint(status(first), status(second)); got != "200 401" {
		t.Errorf("after a new file: %s", got)
	}
}

func TestACertificateThatIsRenewedIsUsed(t *testing.T) {
	cert, key, oldPool := certificate(t)
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TLSCertFile: cert, TLSKeyFile: key})
	newCert, newKey, newPool := certificate(t)
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	connection, err := tls.Dial("tcp", strings.TrimPrefix(base, "https://"), &tls.Config{RootCAs: newPool, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
	if connection, err := tls.Dial("tcp", strings.TrimPrefix(base, "https://"), &tls.Config{RootCAs: oldPool, MinVersion: tls.VersionTLS12}); err == nil {
		_ = connection.Close()
		t.Error("the old certificate is still shown")
	}
}

func TestTheAuditLogSaysWhoWroteAndWhoWasRefused(t *testing.T) {
	onEachStore(t, theAuditLogSaysWhoWroteAndWhoWasRefused)
}

func theAuditLogSaysWhoWroteAndWhoWasRefused(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	apply, plan, admin := secrets["the-apply apply"], secrets["the-plan plan"], secrets["the-admin admin"]
	url := base + "/v1/registered_model/fraud"
	created := askAs(t, http.MethodPut, url, apply, putFraud, "If-None-Match: *", "X-Request-Id: deploy-7")
	first := created.header.Get("ETag")
	if created.status != http.StatusCreated || created.header.Get("X-Request-Id") != "deploy-7" {
		t.Fatalf("%+v", created)
	}
	updated := askAs(t, http.MethodPut, url, apply, putFraud, "If-Match: "+first)
	second := updated.header.Get("ETag")
	askAs(t, http.MethodPut, url, apply, putFraud, "If-Match: "+first)
	askAs(t, http.MethodPut, url, plan, putFraud, "If-Match: "+second)
	askAs(t, http.MethodPut, url, apply, `{"attributes":{"name":"fraud","risk":"`+secret+`"}}`, "If-Match: "+second)
	askAs(t, http.MethodDelete, url, "wrong", "", "If-Match: *")
	askAs(t, http.MethodGet, base+"/v1/registered_model/none", apply, "")
	askAs(t, http.MethodPost, base+"/v1/resources:batchGet", apply, "{}")
	askAs(t, http.MethodDelete, base+"/v1/registered_model/"+strings.Repeat("n", 2000), apply, "", "If-Match: *")
	askAs(t, http.MethodDelete, url, apply, "", "If-Match: "+second)

	got := askAs(t, http.MethodGet, base+"/v1/audit", admin, "")
	if strings.Contains(got.body, secret) {
		t.Error("the audit log has a body in it")
	}
	var audit struct {
		Items []struct {
			Seq                                    int64
			At                                     time.Time
			Actor, Address, Action, Kind, ID, Code string
			RequestID                              string `json:"request_id"`
			From                                   string `json:"from_etag"`
			To                                     string `json:"to_etag"`
		}
		Next int64 `json:"next_after"`
	}
	if err := json.Unmarshal([]byte(got.body), &audit); err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	var lines []string
	for _, e := range audit.Items {
		if e.RequestID == "" || e.Address != "127.0.0.1" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %.10s %s->%s %s", e.Actor, e.Action, e.Kind, e.ID, e.From, e.To, e.Code))
	}
	if diff := cmp.Diff([]string{
		"the-apply created registered_model fraud ->" + first + " ",
		"the-apply updated registered_model fraud " + first + "->" + second + " ",
		"the-apply PUT registered_model fraud " + first + "-> ETAG_MISMATCH",
		"the-plan PUT registered_model fraud " + second + "-> PERMISSION_DENIED",
		"the-apply PUT registered_model fraud " + second + "-> INVALID_ARGUMENT",
		"the-apply DELETE registered_model nnnnnnnnnn -> NOT_FOUND",
		"the-apply deleted registered_model fraud " + second + "-> ",
	}, lines); diff != "" {
		t.Error(diff)
	}
	if audit.Items[0].RequestID != "deploy-7" || audit.Next != int64(len(lines)) {
		t.Errorf("%+v", audit)
	}
	page := askAs(t, http.MethodGet, base+"/v1/audit?after=2&page_size=1", admin, "")
	if !strings.Contains(page.body, "ETAG_MISMATCH") || strings.Contains(page.body, "PERMISSION_DENIED") || !strings.Contains(page.body, `"next_after":3`) {
		t.Error(page.body)
	}

	// The events are the writes, and name the writer.
	events := askAs(t, http.MethodGet, base+"/v1/events", plan, "").body
	if strings.Count(events, `"actor":"the-apply"`) != 3 || strings.Contains(events, "the-plan") {
		t.Error(events)
	}
}

func TestWhoAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), Rate: 0.01})
	url := base + "/v1/store"
	if got := askAs(t, http.MethodGet, url, secrets["the-read read"], ""); got.status != http.StatusOK {
		t.Fatalf("the first request: %d %s", got.status, got.body)
	}
	got := askAs(t, http.MethodGet, url, secrets["the-read read"], "")
	if got.status != http.StatusTooManyRequests || got.code != "RATE_LIMITED" || !regexp.MustCompile(`^([1-9]\d?|100)$`).MatchString(got.header.Get("Retry-After")) {
		t.Errorf("the second: %+v", got)
	}
	// One caller's haste is not another's.
	if got := askAs(t, http.MethodGet, url, secrets["the-plan plan"], ""); got.status != http.StatusOK {
		t.Errorf("another token: %d %s", got.status, got.body)
	}
	// Wrong tokens are counted by address.
	limited := false
	for i := 0; i < 100 && !limited; i++ {
		got := askAs(t, http.MethodGet, url, "wrong", "")
		limited = got.status == http.StatusTooManyRequests
		if !limited && got.status != http.StatusUnauthorized {
			t.Fatalf("%+v", got)
		}
	}
	if !limited {
		t.Error("a hundred wrong tokens were all looked at")
	}
	if got := askAs(t, http.MethodGet, url, secrets["the-admin admin"], ""); got.status != http.StatusOK {
		t.Errorf("a right token from that address: %d %s", got.status, got.body)
	}
}

// The provider's client waits as it is told, and nobody notices.
func TestTheClientComesBackAfterALimit(t *testing.T) {
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", Rate: 1})
	c, err := client.New(client.Options{Endpoint: base})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.Store(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	promtool := testtools.Require(t, testtools.Promtool)
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", Version: "1.2.3"})
	c, err := client.New(client.Options{Endpoint: base})
	if err != nil {
		t.Fatal(err)
	}
	mustCreate(t, c, "registered_model", "fraud", fraud)
	mustCreate(t, c, "baseline", "fraud/score", baseline)
	for _, path := range []string{"/v1/registered_model/fraud", "/v1/registered_model/none", "/v1/none/x", "/healthz", "/a", "/b", "/v1/registered_model"} {
		askAs(t, http.MethodGet, base+path, "", "")
	}
	askAs(t, "FROB", base+"/v1/store", "", "")
	got := askAs(t, http.MethodGet, base+"/metrics", "", "")
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(got.body)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, line := range []string{
		`mlops_http_requests_total{code="201",method="PUT",route="/v1/registered_model/{name}"} 1`,
		`mlops_http_requests_total{code="200",method="GET",route="/v1/registered_model/{name}"} 1`,
		`mlops_http_requests_total{code="404",method="GET",route="/v1/registered_model/{name}"} 1`,
		`mlops_http_requests_total{code="404",method="GET",route="other"} 3`,
		`mlops_http_requests_total{code="405",method="other",route="/v1/store"} 1`,
		`mlops_http_request_duration_seconds_count{method="GET",route="/v1/registered_model"} 1`,
		`mlops_http_requests_in_flight 1`,
		`mlops_store_objects{kind="registered_model"} 1`,
		`mlops_store_objects{kind="baseline"} 1`,
		`mlops_store_up 1`,
	} {
		if !strings.Contains(got.body, "\n"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	page, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (mlops_\S+)`).FindAllStringSubmatch(got.body, -1) {
		if !bytes.Contains(page, []byte("`"+found[1]+"`")) {
			t.Errorf("docs/server.md does not say what %s is", found[1])
		}
	}
	for _, pattern := range []string{`(?m)^mlops_build_info\{go_version="go1\..*",version="1.2.3"\} 1$`, `(?m)^mlops_store_size_bytes [1-9]`, `(?m)^process_open_fds `, `(?m)^go_goroutines `} {
		if !regexp.MustCompile(pattern).MatchString(got.body) {
			t.Errorf("nothing is like %s in\n%s", pattern, got.body)
		}
	}
}

func TestNoSecretReachesTheLog(t *testing.T) {
	secrets := team()
	var log syncBuffer
	path := tokenFile(t, secrets)
	base := serve(t, controlplane.ListenOptions{
		Address: "127.0.0.1:0", TokenFile: path, Rate: 1,
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	wrong := token.Generate()
	for _, s := range append([]string{wrong, secret}, secrets["the-read read"], secrets["the-apply apply"], secrets["the-admin admin"]) {
		for _, path := range []string{"/v1/registered_model/fraud", "/v1/audit?token=" + s, "/metrics", "/v1/store?" + s} {
			askAs(t, http.MethodGet, base+path, s, "")
			askAs(t, http.MethodPut, base+path, s, `{"attributes":{"name":"`+s+`"}}`, "If-None-Match: *", "X-Request-Id: "+s+" "+s, "Cookie: "+s)
		}
	}
	if err := os.WriteFile(path, []byte("mlops-tokens 1\n"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	askAs(t, http.MethodGet, base+"/v1/store", wrong, "")
	logged := log.String()
	if strings.Count(logged, `"msg":"request"`) < 40 || !strings.Contains(logged, "a file has changed and cannot be used") {
		t.Fatalf("the log misses requests:\n%s", logged)
	}
	for who, s := range secrets {
		if strings.Contains(logged, s) {
			t.Errorf("the token of %s is in the log", who)
		}
	}
	for _, s := range []string{wrong, secret, "hmac"} {
		if strings.Contains(logged, s) {
			t.Errorf("%s is in the log", s)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(logged), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if entry["msg"] == "request" && (entry["request_id"] == "" || entry["route"] == nil) {
			t.Error(line)
		}
	}
}

// A caller that sends its request byte by byte does not keep its connection.
func TestASlowCallerIsCutOff(t *testing.T) {
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", HeaderTimeout: 50 * time.Millisecond, BodyTimeout: 100 * time.Millisecond})
	for what, sent := range map[string]string{
		"half a header": "GET /v1/store HTTP/1.1\r\nHost: localh",
		"half a body":   "PUT /v1/registered_model/fraud HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\nContent-Length: 100\r\n\r\n{",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, sent); err != nil {
			t.Fatal(err)
		}
		// This ends only if the server ends it.
		answer, err := io.ReadAll(connection)
		_ = connection.Close()
		if err != nil || bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("%s: %v, %s", what, err, answer)
		}
	}
}

func TestAHeaderOrABodyThatIsTooLargeIsRefused(t *testing.T) {
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0"})
	if got := askAs(t, http.MethodGet, base+"/v1/store", "", "", "X-Large: "+strings.Repeat("x", 100_000)); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", "", strings.Repeat(" ", controlplane.MaxBodyBytes+1), "If-None-Match: *"); got.code != "PAYLOAD_TOO_LARGE" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestARequestThatWaitsTooLongIsAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	mustCreate(t, open(t, path), "registered_model", "other", strings.Replace(fraud, "fraud", "other", 1))
	release := lock(t, path)
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: path, RequestTimeout: 100 * time.Millisecond})
	if got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", "", putFraud, "If-None-Match: *"); got.status != http.StatusServiceUnavailable || got.code != "UNAVAILABLE" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	release()
	if got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", "", putFraud, "If-None-Match: *"); got.status != http.StatusCreated {
		t.Errorf("after the lock: %d %s", got.status, got.body)
	}
}

// lock holds the write lock of a file until it is released.
func lock(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
