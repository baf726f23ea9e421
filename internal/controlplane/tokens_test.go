package controlplane_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// minted is what the API says of a token.
type minted struct {
	ID, Name, Role, Description, Token string
	CreatedAt                          time.Time `json:"created_at"`
	ExpiresAt                          time.Time `json:"expires_at"`
	EndsAt                             time.Time `json:"ends_at"`
}

// tokenBody asks for a token that works for a time.
func tokenBody(name, role, ttl string) string {
	return fmt.Sprintf(`{"name":%q,"role":%q,"ttl":%q}`, name, role, ttl)
}

// mint makes a token, and must succeed.
func mint(t *testing.T, base, secret, body string, headers ...string) minted {
	t.Helper()
	got := askAs(t, http.MethodPost, base+"/v1/tokens", secret, body, headers...)
	var out minted
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.status != http.StatusCreated {
		t.Fatalf("%d %s, %v", got.status, got.body, err)
	}
	return out
}

func TestAMintedTokenMayWhatItsRoleMayAndEndsWhenItIsRevoked(t *testing.T) {
	onEachStore(t, aMintedTokenMayWhatItsRoleMayAndEndsWhenItIsRevoked)
}

func aMintedTokenMayWhatItsRoleMayAndEndsWhenItIsRevoked(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	apply := secrets["the-apply apply"]
	before := time.Now().Add(-time.Second)
	made := mint(t, base, apply, `{"name":"nightly","role":"plan","ttl":"15m","description":"the nightly plan"}`)
	if made.Name != "the-apply/nightly" || made.Role != "plan" || made.Description != "the nightly plan" || !strings.HasPrefix(made.Token, "mlops_") {
		t.Errorf("%+v", made)
	}
	if life := made.ExpiresAt.Sub(made.CreatedAt); life != 15*time.Minute || made.CreatedAt.Before(before) || made.EndsAt.Sub(made.CreatedAt) != token.MaxLife {
		t.Errorf("it works for %s: %+v", life, made)
	}
	if got := askAs(t, http.MethodGet, base+"/v1/registered_model", made.Token, ""); got.status != http.StatusOK {
		t.Errorf("reading: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", made.Token, putFraud, "If-None-Match: *"); got.code != "PERMISSION_DENIED" || !strings.Contains(got.body, "the-apply/nightly") {
		t.Errorf("writing: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodPost, base+"/v1/tokens", made.Token, tokenBody("more", "read", "1m")); got.code != "PERMISSION_DENIED" || !strings.Contains(got.body, "such a token mints none") {
		t.Errorf("minting another one: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodPost, base+"/v1/tokens/"+made.ID+"/renew", made.Token, ""); got.code != "PERMISSION_DENIED" {
		t.Errorf("prolonging its own life: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodDelete, base+"/v1/tokens/"+made.ID, secrets["the-plan plan"], ""); got.code != "PERMISSION_DENIED" || !strings.Contains(got.body, "An admin may revoke any") {
		t.Errorf("a stranger revoking it: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodDelete, base+"/v1/tokens/"+made.ID, apply, ""); got.status != http.StatusNoContent {
		t.Errorf("revoking: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodGet, base+"/v1/store", made.Token, ""); got.code != "UNAUTHENTICATED" {
		t.Errorf("after it was revoked: %d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodDelete, base+"/v1/tokens/"+made.ID, apply, ""); got.code != "NOT_FOUND" {
		t.Errorf("revoking it again: %d %s", got.status, got.body)
	}
	// A token gives itself back, and an admin ends any.
	own := mint(t, base, apply, tokenBody("own", "read", "1m"))
	other := mint(t, base, apply, tokenBody("other", "apply", "1m"))
	for secret, id := range map[string]string{own.Token: own.ID, secrets["the-admin admin"]: other.ID} {
		if got := askAs(t, http.MethodDelete, base+"/v1/tokens/"+id, secret, ""); got.status != http.StatusNoContent {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

func TestNobodyMintsMoreThanHeMayHimself(t *testing.T) {
	onEachStore(t, nobodyMintsMoreThanHeMayHimself)
}

func nobodyMintsMoreThanHeMayHimself(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	roles := []string{"read", "plan", "apply", "admin"}
	for i, own := range roles {
		for j, asked := range roles {
			got := askAs(t, http.MethodPost, base+"/v1/tokens", secrets["the-"+own+" "+own], tokenBody("x", asked, "1m"))
			want := http.StatusCreated
			if i == 0 || j > i { // read mints none
				want = http.StatusForbidden
			}
			if got.status != want {
				t.Errorf("%s mints %s: %d %s", own, asked, got.status, got.body)
			}
		}
		list := askAs(t, http.MethodGet, base+"/v1/tokens?page_size=4", secrets["the-"+own+" "+own], "")
		if want := map[bool]int{true: 200, false: 403}[own == "admin"]; list.status != want {
			t.Errorf("%s lists: %d %s", own, list.status, list.body)
		}
	}
	// All of them, page by page, and none is shown itself.
	var names []string
	for next := ""; ; {
		got := askAs(t, http.MethodGet, base+"/v1/tokens?page_size=4&page_token="+next, secrets["the-admin admin"], "")
		var page struct {
			Items []minted
			Next  string `json:"next_page_token"`
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			if item.Token != "" || item.ID == "" {
				t.Errorf("%+v", item)
			}
			names = append(names, item.Name+" "+item.Role)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if len(names) != 2+3+4 {
		t.Errorf("%d tokens: %v", len(names), names)
	}
}

func TestARequestForATokenSaysWhatIsWrong(t *testing.T) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets)})
	for body, want := range map[string]string{
		``:                              "400 not valid JSON",
		`[]`:                            "400 must be an object",
		`{}`:                            "400 must be an object",
		`{"name":"x"}`:                  "400 must be an object",
		`{"name":"x","role":1}`:         "400 must be a string",
		`{"name":"x","role":null}`:      "400 must be a string",
		`{"name":"x","role":"r","x":1}`: "400 has a member",
		tokenBody("a/b", "plan", "1m"):  "422 cannot be the name of a token",
		tokenBody("x", "owner", "1m"):   "422 is no role",
		tokenBody("x", "plan", "30s"):   "422 is no duration from 1m to 1d",
		tokenBody("x", "plan", "25h"):   "422 is no duration from 1m to 1d",
		tokenBody("x", "plan", "soon"):  "422 is no duration from 1m to 1d",
		`{"name":"x","role":"plan","description":"` + strings.Repeat("d", 257) + `"}`: "422 up to 256 characters",
		`{"name":"x","role":"plan","description":"a\nb"}`:                             "422 no control characters",
	} {
		got := askAs(t, http.MethodPost, base+"/v1/tokens", secrets["the-admin admin"], body)
		status, text, _ := strings.Cut(want, " ")
		if fmt.Sprint(got.status) != status || got.code != "INVALID_ARGUMENT" || !strings.Contains(got.body, text) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		if status == "422" && !strings.Contains(got.body, `"fix"`) {
			t.Errorf("%s has no fix: %s", body, got.body)
		}
	}
}

func TestAMintedTokenWorksAsLongAsItsMinter(t *testing.T) {
	onEachStore(t, aMintedTokenWorksAsLongAsItsMinter)
}

func aMintedTokenWorksAsLongAsItsMinter(t *testing.T, store string) {
	secret, renewed := token.Generate(), token.Generate()
	path := tokenFile(t, map[string]string{"ci apply": secret})
	last := time.Now().UTC().Truncate(24 * time.Hour)
	addToken(t, path, "today plan", renewed, last)
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: path, DataFile: store})
	short := mint(t, base, renewed, tokenBody("x", "plan", "1d"))
	if end := last.AddDate(0, 0, 1); !short.ExpiresAt.Equal(end) || !short.EndsAt.Equal(end) {
		t.Errorf("it outlives its minter, which ends at %s: %+v", end, short)
	}
	made := mint(t, base, secret, tokenBody("x", "apply", "1h"))
	status := func() string {
		t.Helper()
		got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", made.Token, putFraud, "If-Match: *")
		return fmt.Sprint(got.status, " ", got.code)
	}
	if got := status(); got != "404 NOT_FOUND" {
		t.Error(got)
	}
	// A lower role of the minter lowers it.
	change := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Replace(data, []byte(from), []byte(to), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("ci  apply", "ci  read")
	if got := status(); got != "403 PERMISSION_DENIED" {
		t.Error(got)
	}
	change("ci  read", "ci  apply")
	if err := token.Revoke(path, "ci"); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != "401 UNAUTHENTICATED" {
		t.Error(got)
	}
	// A new token of the name is another one.
	addToken(t, path, "ci apply", token.Generate(), time.Time{})
	if got := status(); got != "401 UNAUTHENTICATED" {
		t.Error(got)
	}
}

func TestATokenIsRenewedByWhoMintedIt(t *testing.T) { onEachStore(t, aTokenIsRenewedByWhoMintedIt) }

func aTokenIsRenewedByWhoMintedIt(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	made := mint(t, base, secrets["the-plan plan"], tokenBody("x", "plan", "1m"))
	if got := askAs(t, http.MethodPost, base+"/v1/tokens/"+made.ID+"/renew", secrets["the-apply apply"], ""); got.code != "PERMISSION_DENIED" {
		t.Errorf("another token: %d %s", got.status, got.body)
	}
	// As if most of its time had gone.
	set := func(column string, at time.Time) {
		t.Helper()
		change(t, store, `UPDATE tokens SET `+column+` = $1 WHERE id = $2`, at.UnixMilli(), made.ID)
	}
	renew := func() (minted, answered) {
		t.Helper()
		got := askAs(t, http.MethodPost, base+"/v1/tokens/"+made.ID+"/renew", secrets["the-plan plan"], "")
		var out minted
		if err := json.Unmarshal([]byte(got.body), &out); err != nil {
			t.Fatal(err)
		}
		return out, got
	}
	set("expires_at", time.Now().Add(10*time.Second))
	if again, got := renew(); got.status != http.StatusOK || again.ExpiresAt.Sub(time.Now()) < 50*time.Second || again.Token != "" {
		t.Errorf("%+v %+v", again, got)
	}
	end := time.Now().Add(20 * time.Second).UTC().Truncate(time.Millisecond)
	set("ends_at", end)
	if again, _ := renew(); !again.ExpiresAt.Equal(end) {
		t.Errorf("a renewal goes beyond %s: %+v", end, again)
	}
	// One that has expired is gone, and is forgotten with the next that is minted.
	set("expires_at", time.Now().Add(-time.Second))
	if got := askAs(t, http.MethodGet, base+"/v1/store", made.Token, ""); got.code != "UNAUTHENTICATED" || !strings.Contains(got.body, "the-plan/x expired at") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if _, got := renew(); got.code != "NOT_FOUND" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodGet, base+"/v1/tokens", secrets["the-admin admin"], ""); strings.Contains(got.body, made.ID) {
		t.Errorf("it is listed: %s", got.body)
	}
	mint(t, base, secrets["the-plan plan"], tokenBody("x", "plan", "1m"))
	if got := count(t, store, `SELECT count(*) FROM tokens`); got != 1 {
		t.Errorf("%d tokens are kept", got)
	}
}

func TestARepeatedRequestMintsTheSameToken(t *testing.T) {
	onEachStore(t, aRepeatedRequestMintsTheSameToken)
}

func aRepeatedRequestMintsTheSameToken(t *testing.T, store string) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: store})
	apply := secrets["the-apply apply"]
	first := mint(t, base, apply, tokenBody("x", "plan", "5m"), "Idempotency-Key: k1")
	again := mint(t, base, apply, tokenBody("x", "plan", "5m"), "Idempotency-Key: k1")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the second answer is another one:\n%s", diff)
	}
	if got := count(t, store, `SELECT count(*) FROM tokens`); got != 1 {
		t.Errorf("%d tokens", got)
	}
	if other := mint(t, base, apply, tokenBody("x", "plan", "5m")); other.Token == first.Token || other.ID == first.ID {
		t.Errorf("without a key it is the same: %+v", other)
	}
	for what, body := range map[string]string{apply: tokenBody("x", "read", "5m"), secrets["the-plan plan"]: tokenBody("x", "plan", "5m")} {
		if got := askAs(t, http.MethodPost, base+"/v1/tokens", what, body, "Idempotency-Key: k1"); got.code != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another request with the key: %d %s", got.status, got.body)
		}
	}
	if got := askAs(t, http.MethodDelete, base+"/v1/tokens/"+first.ID, apply, ""); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodPost, base+"/v1/tokens", apply, tokenBody("x", "plan", "5m"), "Idempotency-Key: k1"); got.code != "FAILED_PRECONDITION" || !strings.Contains(got.body, "make a new key") {
		t.Errorf("after it was revoked: %d %s", got.status, got.body)
	}
}

// A token is in no file, no log and no answer but the one that it was minted with.
func TestAMintedTokenIsKeptNowhere(t *testing.T) {
	secrets := team()
	dir := t.TempDir()
	path := filepath.Join(dir, "mlops.db")
	var log syncBuffer
	base := serve(t, controlplane.ListenOptions{
		Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: path,
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	made := mint(t, base, secrets["the-apply apply"], tokenBody("x", "apply", "5m"), "Idempotency-Key: k1")
	if got := askAs(t, http.MethodPut, base+"/v1/registered_model/fraud", made.Token, putFraud, "If-None-Match: *"); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
	askAs(t, http.MethodPost, base+"/v1/tokens/"+made.ID+"/renew", secrets["the-apply apply"], "")
	askAs(t, http.MethodDelete, base+"/v1/tokens/"+made.ID, secrets["the-read read"], "")
	askAs(t, http.MethodDelete, base+"/v1/tokens/"+made.ID, secrets["the-apply apply"], "")

	audit := askAs(t, http.MethodGet, base+"/v1/audit", secrets["the-admin admin"], "").body
	var page struct {
		Items []struct{ Actor, Action, Kind, ID, Code string }
	}
	if err := json.Unmarshal([]byte(audit), &page); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range page.Items {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", e.Actor, e.Action, e.Kind, strings.ReplaceAll(e.ID, made.ID, "ID"), e.Code)))
	}
	if diff := cmp.Diff([]string{
		"the-apply created token ID",
		"the-apply/x created registered_model fraud",
		"the-apply updated token ID",
		"the-read DELETE token ID PERMISSION_DENIED",
		"the-apply deleted token ID",
	}, lines); diff != "" {
		t.Error(diff)
	}
	// Readers of events are told of objects, and of no token.
	events := askAs(t, http.MethodGet, base+"/v1/events", secrets["the-read read"], "").body
	if strings.Contains(events, made.ID) || !strings.Contains(events, `"actor":"the-apply/x"`) {
		t.Error(events)
	}
	if !strings.Contains(log.String(), `"route":"/v1/tokens/{id}/renew"`) {
		t.Errorf("the log lacks requests: %s", log.String())
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	everything := map[string]string{"the log": log.String(), "the audit log": audit, "the events": events}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		everything[file] = string(data)
	}
	for where, text := range everything {
		if strings.Contains(text, made.Token) || strings.Contains(text, strings.TrimPrefix(made.Token, "mlops_")) {
			t.Errorf("the token is in %s", where)
		}
	}
}

func TestWhoMintsTokensMayNotAskMoreOftenForIt(t *testing.T) {
	secrets := team()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), Rate: 0.01})
	made := mint(t, base, secrets["the-apply apply"], tokenBody("x", "plan", "5m"))
	if got := askAs(t, http.MethodGet, base+"/v1/store", made.Token, ""); got.code != "RATE_LIMITED" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAControlPlaneWithoutTokensMintsNone(t *testing.T) {
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0"})
	for _, request := range []string{"POST /v1/tokens", "POST /v1/tokens/x/renew", "DELETE /v1/tokens/x"} {
		method, path, _ := strings.Cut(request, " ")
		got := askAs(t, method, base+path, "", tokenBody("x", "plan", "5m"))
		if got.status != http.StatusConflict || got.code != "FAILED_PRECONDITION" || !strings.Contains(got.body, "mlopsctl serve --token-file") {
			t.Errorf("%s: %d %s", request, got.status, got.body)
		}
	}
}

func TestALimitOfMintedTokens(t *testing.T) {
	secrets := team()
	path := filepath.Join(t.TempDir(), "mlops.db")
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: path})
	mint(t, base, secrets["the-apply apply"], tokenBody("x", "plan", "5m"))
	change(t, path, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		INSERT INTO tokens SELECT id || i, name, role, description, minter, salt, CAST(hash || i AS BLOB), ttl, created_at, expires_at, ends_at FROM tokens, n WHERE ? = ?`, 1, 1)
	got := askAs(t, http.MethodPost, base+"/v1/tokens", secrets["the-apply apply"], tokenBody("x", "plan", "5m"))
	if got.code != "FAILED_PRECONDITION" || !strings.Contains(got.body, "1000 tokens that the-apply minted") {
		t.Errorf("%d %s", got.status, got.body)
	}
	mint(t, base, secrets["the-plan plan"], tokenBody("x", "plan", "5m")) // another one has its own
}

func TestAFileOfAnEarlierLayoutHasNoTokens(t *testing.T) {
	secrets := team()
	dump, err := os.ReadFile("sqlite/testdata/layout_2.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mlops.db")
	change(t, path, string(dump))
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: tokenFile(t, secrets), DataFile: path})
	admin := secrets["the-admin admin"]
	if got := askAs(t, http.MethodGet, base+"/v1/tokens", admin, ""); got.status != http.StatusOK || !strings.Contains(got.body, `"items":[]`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodGet, base+"/v1/store", token.Generate(), ""); got.code != "UNAUTHENTICATED" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodDelete, base+"/v1/tokens/x", admin, ""); got.code != "NOT_FOUND" {
		t.Errorf("%d %s", got.status, got.body)
	}
	made := mint(t, base, admin, tokenBody("x", "read", "5m"))
	if got := askAs(t, http.MethodGet, base+"/v1/registered_model/fraud", made.Token, ""); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func openDatabase(t *testing.T, store string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if inDatabase(store) {
		driver = "pgx"
	}
	db, err := sql.Open(driver, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// change runs statements on a control plane's store behind its back.
func change(t *testing.T, path, statement string, arguments ...any) {
	t.Helper()
	db := openDatabase(t, path)
	if _, err := db.ExecContext(t.Context(), statement, arguments...); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, path, query string) int {
	t.Helper()
	var n int
	if err := openDatabase(t, path).QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
