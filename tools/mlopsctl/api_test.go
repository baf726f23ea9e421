package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

const apiToken = "correct-horse-battery-staple-0123456789"

// startServe runs `mlopsctl serve` as a process of its own and returns its base URL.
// At the test's cleanup it is told to end, and must end well.
func startServe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	create := exec.Command("mlopsctl", "token", "create", "--name", "test", "--role", "admin", "--token-file", tokens, "--value-from", "-")
	create.Stdin = strings.NewReader(apiToken)
	if output, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	log := &bytes.Buffer{}
	serve := exec.Command("mlopsctl", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "mlops.db"), "--token-file", tokens, "--rate", "0")
	serve.Stderr = log
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if runtime.GOOS == "windows" {
			_ = serve.Process.Kill()
			_ = serve.Wait()
			return
		}
		_ = serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if strings.Contains(log.String(), `"level":"ERROR"`) {
			t.Errorf("the server met errors of its own:\n%.4000s", log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("it says %q, %v", line, err)
	}
	return base
}

// Requests made from the document alone, valid and invalid, one by one and along
// its links, find no answer that the document does not promise.
func TestTheServerKeepsTheContractOfTheDocument(t *testing.T) {
	python := testtools.Require(t, testtools.PythonSchemathesis)
	base := startServe(t)
	write(t, http.MethodPut, base+"/v1/registered_model/fraud", `{"attributes":{"name":"fraud"}}`)
	// A version never changes, so that only what it already is can be put.
	version := exampleOf(t, http.MethodPut, "/v1/model_version/{model}/{version}")
	for range 4 {
		write(t, http.MethodPost, base+"/v1/model_version/fraud", version)
	}
	write(t, http.MethodPut, base+"/v1/model_alias/fraud/champion", `{"attributes":{"model":"fraud","alias":"champion","version":1}}`)

	testdata, err := filepath.Abs("testdata/schemathesis")
	if err != nil {
		t.Fatal(err)
	}
	document, err := filepath.Abs("../../spec/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	record := filepath.Join(dir, "requests.har")
	run := exec.CommandContext(t.Context(), python, "-m", "schemathesis.cli", "--no-color",
		"--config-file", filepath.Join(testdata, "schemathesis.toml"),
		"run", document, "--url", base, "--seed", "1", "--request-timeout", "60", "--report", "har", "--report-har-path", record)
	run.Dir = dir
	run.Env = append(os.Environ(), "MLOPS_TOKEN="+apiToken, "PYTHONPATH="+testdata, "SCHEMATHESIS_HOOKS=hooks", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1")
	output, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("schemathesis: %v\n%s", err, output)
	}
	checkReached(t, record)
}

// operations are those of the document, by path and method, with the parameters of a
// path beside them.
func operations(t *testing.T) map[string]map[string]json.RawMessage {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := yaml.Unmarshal(spec.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	return document.Paths
}

// exampleOf is the body that the document shows for an operation.
func exampleOf(t *testing.T, method, path string) string {
	t.Helper()
	var operation struct {
		RequestBody struct {
			Content map[string]struct {
				Example json.RawMessage `json:"example"`
			} `json:"content"`
		} `json:"requestBody"`
	}
	if err := json.Unmarshal(operations(t)[path][strings.ToLower(method)], &operation); err != nil {
		t.Fatal(err)
	}
	return string(operation.RequestBody.Content["application/json"].Example)
}

// write creates an object.
func write(t *testing.T, method, address, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiToken)
	request.Header.Set("If-None-Match", "*")
	request.Header.Set("Idempotency-Key", rand.Text())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", response.StatusCode, answer)
	}
}

// checkReached tells that every operation of the document was asked for and has
// succeeded at least once: finding nothing must not mean having tried nothing.
func checkReached(t *testing.T, record string) {
	t.Helper()
	missing := map[string]bool{}
	for path, item := range operations(t) {
		for method := range item {
			if method != "parameters" {
				missing[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Entries []struct {
				Request  struct{ Method, URL string }
				Response struct{ Status int }
			}
		}
	}
	if err := json.Unmarshal(data, &har); err != nil {
		t.Fatal(err)
	}
	for _, entry := range har.Log.Entries {
		at, err := url.Parse(entry.Request.URL)
		if err != nil || entry.Response.Status > 299 {
			continue
		}
		segments := strings.Split(at.EscapedPath(), "/")
		for operation := range missing {
			method, path, _ := strings.Cut(operation, " ")
			template := strings.Split(path, "/")
			if method == entry.Request.Method && slices.EqualFunc(template, segments, func(a, b string) bool { return a == b || strings.HasPrefix(a, "{") }) {
				delete(missing, operation)
			}
		}
	}
	for operation := range missing {
		t.Errorf("of %d requests none was a successful %s", len(har.Log.Entries), operation)
	}
	t.Logf("%d requests", len(har.Log.Entries))
}
