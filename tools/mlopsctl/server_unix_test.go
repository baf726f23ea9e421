//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A limit on file sizes stands for the full disk; internal/controlplane/sqlite
// also fills a real one.
func TestAServerWhoseDiskIsFullSaysSoAndGoesOnReading(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "mlops.db")
	cmd := exec.Command("sh", "-c", `ulimit -f 800 && exec "$@"`, "sh", "mlopsctl", "serve", "--listen", "127.0.0.1:0", "--data", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("%q, %v", line, err)
	}
	send := func(method, path, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("If-None-Match", "*")
		if method == http.MethodGet {
			request.Header.Del("If-None-Match")
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		content, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(content)
	}
	kept := 0
	for ; ; kept++ {
		status, body := send(http.MethodPut, fmt.Sprint("/v1/registered_model/m", kept),
			fmt.Sprintf(`{"attributes":{"name":"m%d","description":%q,"risk":"low","deletion_policy":"delete"}}`, kept, strings.Repeat("x", 1000)))
		if status == http.StatusCreated && kept < 10_000 {
			continue
		}
		var problem struct{ Code, Detail string }
		if err := json.Unmarshal([]byte(body), &problem); err != nil || status != http.StatusInsufficientStorage || problem.Code != "STORE_FULL" || !strings.Contains(problem.Detail, "free some space") {
			t.Fatalf("write %d: %d %s, %v", kept, status, body, err)
		}
		break
	}
	if kept == 0 {
		t.Fatal("nothing fits")
	}
	for i := range kept {
		if status, body := send(http.MethodGet, fmt.Sprint("/v1/registered_model/m", i), ""); status != http.StatusOK {
			t.Errorf("reading %d of %d: %d %s", i, kept, status, body)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	// The file is whole: a copy of it is checked page by page.
	root := newRoot()
	var said strings.Builder
	root.SetOut(&said)
	root.SetArgs([]string{"backup", "--data", data, "--out", filepath.Join(dir, "backup.db")})
	if err := root.Execute(); err != nil || !strings.Contains(said.String(), fmt.Sprintf(" %d objects", kept)) {
		t.Errorf("%v, %s", err, said.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "backup.db")); err != nil {
		t.Error(err)
	}
}
