package controlplane_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

const hookSecret = "correct-horse-battery-staple"

func channel(url, version, secret string) json.RawMessage {
	webhook := `"url":"` + url + `"`
	if version != "" {
		webhook += `,"secret_wo_version":` + version
	}
	if secret != "" {
		webhook += `,"secret_wo":"` + secret + `"`
	}
	return json.RawMessage(`{"name":"ops","severities":["page"],"webhook":{` + webhook + `}}`)
}

// keptSecrets are the secrets in a control plane's file, by the version declared.
func keptSecrets(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT kind || ' ' || id || ' ' || name || ' ' || version, value FROM secrets`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]string{}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			t.Fatal(err)
		}
		out[key] = value
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASecretIsKeptByItsVersion(t *testing.T) {
	const kind, id = "notification_channel", "ops"
	c, path := embedded(t)
	var etag string
	put := func(attributes json.RawMessage) error {
		t.Helper()
		var object *client.Object
		var err error
		if etag == "" {
			object, err = c.Create(t.Context(), kind, id, attributes)
		} else {
			object, err = c.Update(t.Context(), kind, id, etag, attributes)
		}
		if err == nil {
			etag = object.ETag
		}
		return err
	}
	for _, step := range []struct {
		does       string
		attributes json.RawMessage
		want       map[string]string
		code       string
	}{
		{"a version without its secret is refused", channel("https://a", "1", ""), nil, "INVALID_ARGUMENT"},
		{"a secret is kept", channel("https://a", "1", hookSecret), map[string]string{"notification_channel ops webhook.secret_wo 1": hookSecret}, ""},
		{"another change leaves it", channel("https://b", "1", ""), map[string]string{"notification_channel ops webhook.secret_wo 1": hookSecret}, ""},
		{"a new version without a secret changes nothing", channel("https://c", "2", ""), map[string]string{"notification_channel ops webhook.secret_wo 1": hookSecret}, "INVALID_ARGUMENT"},
		{"a new version takes its place", channel("https://b", "2", "another"), map[string]string{"notification_channel ops webhook.secret_wo 2": "another"}, ""},
		{"without a version there is none", channel("https://b", "", ""), map[string]string{}, ""},
		{"a secret without a version is refused", channel("https://b", "", hookSecret), map[string]string{}, "INVALID_ARGUMENT"},
		{"it can come back", channel("https://b", "3", hookSecret), map[string]string{"notification_channel ops webhook.secret_wo 3": hookSecret}, ""},
		{"another form of channel has none", json.RawMessage(`{"name":"ops","severities":["page"],"alertmanager":{"url":"https://a"}}`), map[string]string{}, ""},
		{"and again", channel("https://b", "4", hookSecret), map[string]string{"notification_channel ops webhook.secret_wo 4": hookSecret}, ""},
	} {
		err := put(step.attributes)
		if err == nil && step.code != "" || err != nil && codeOf(err) != step.code {
			t.Fatalf("%s: %v", step.does, err)
		}
		if err != nil && strings.Contains(err.Error(), hookSecret) {
			t.Errorf("%s: the answer has the secret", step.does)
		}
		if step.want == nil {
			continue // there is no file yet, or no table of secrets in it
		}
		if diff := cmp.Diff(step.want, keptSecrets(t, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.does, diff)
		}
	}
	if err := c.Delete(t.Context(), kind, id, etag); err != nil {
		t.Fatal(err)
	}
	if left := keptSecrets(t, path); len(left) > 0 {
		t.Errorf("deleting the channel leaves %v", left)
	}
}

func TestNoAnswerAndNoLogHasASecret(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "mlops.db")
	handler, closer, err := controlplane.OpenEmbedded(path, controlplane.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	put := func(body string) (method, path, text string) {
		return http.MethodPut, "/v1/notification_channel/ops", body
	}
	ask := func(method, path, body string) string {
		request := httptest.NewRequest(method, path, strings.NewReader(body))
		request.Header.Set("If-None-Match", "*")
		if body == "" {
			request.Header.Del("If-None-Match")
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Body.String()
	}
	whole := `{"attributes":` + string(channel("https://hooks.example.com/x", "1", hookSecret)) + `}`
	answers := []string{
		ask(put(strings.Replace(whole, `"page"`, `"pager"`, 1))),          // refused for another attribute
		ask(put(strings.Replace(whole, `"secret_wo_version":1,`, ``, 1))), // refused for this one
		ask(put(strings.Replace(whole, `https://`, `https://u:`+hookSecret+`@`, 1))),
		ask(put(strings.TrimSuffix(whole, `}`))), // broken
		ask(put(whole)),
		ask(put(whole)), // it exists
		ask(http.MethodGet, "/v1/notification_channel/ops", ""),
		ask(http.MethodGet, "/v1/notification_channel", ""),
		ask(http.MethodGet, "/v1/events", ""),
		ask(http.MethodPost, "/v1/resources:batchGet", `{"refs":[{"kind":"notification_channel","id":"ops"}]}`),
	}
	for i, answer := range answers {
		if strings.Contains(answer, hookSecret) || answer == "" {
			t.Errorf("answer %d: %s", i, answer)
		}
	}
	for _, i := range []int{4, 6, 7, 9} {
		if !strings.Contains(answers[i], `"secret_wo_version":1`) || !strings.Contains(answers[i], `"secret_wo":null`) {
			t.Errorf("answer %d: %s", i, answers[i])
		}
	}
	if strings.Contains(log.String(), hookSecret) || !strings.Contains(log.String(), "notification_channel") {
		t.Errorf("the log: %s", log.String())
	}
	if diff := cmp.Diff(map[string]string{"notification_channel ops webhook.secret_wo 1": hookSecret}, keptSecrets(t, path)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != fs.FileMode(0o600) {
		t.Errorf("the file with the secret is open to %v, %v", info.Mode(), err)
	}
}
