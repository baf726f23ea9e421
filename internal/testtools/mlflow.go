package testtools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mlflowStartTimeout is how long a server may take to answer: about 6 s on two
// idle cores, far longer when other test packages use them.
const mlflowStartTimeout = 120 * time.Second

// mlflowLauncher runs MLflow's own command line and ends with its caller: when
// the calling process dies without cleaning up (a panic, go test's -timeout), its
// end of standard input closes, and the launcher takes its process group along.
const mlflowLauncher = `
import os, signal, sys, threading

def end_with_the_test():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL) if hasattr(os, "killpg") else os._exit(1)

threading.Thread(target=end_with_the_test, daemon=True).start()
from mlflow.cli import cli
cli()
`

// StartMLflow starts a real MLflow tracking server over an empty SQLite
// database in a temporary directory, waits until it is healthy, and returns its
// base URL without a trailing slash. The server stops at the test's cleanup.
// Without MLflow the test is skipped or fails by the rules of [Require].
//
// A start takes seconds and the server about 400 MB, so share one among the
// subtests of a package.
func StartMLflow(t testing.TB) (baseURL string) {
	t.Helper()
	baseURL, stop, err := RunMLflow(Python(t), "--workers", "1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return baseURL
}

// RunMLflow is [StartMLflow] outside of tests, with a Python that can import
// mlflow and options of `mlflow server`. Its caller stops the server.
func RunMLflow(python string, options ...string) (baseURL string, stop func(), err error) {
	// The port is free when it is chosen, and may be taken by the time the
	// server binds it: another one then, at most twice.
	for attempt := 1; ; attempt++ {
		baseURL, stop, err = runMLflow(python, options)
		if err == nil || attempt == 3 || !errors.Is(err, errAddressInUse) {
			return baseURL, stop, err
		}
	}
}

var errAddressInUse = errors.New("the port was taken meanwhile")

func runMLflow(python string, options []string) (baseURL string, stop func(), err error) {
	// Its removal may fail while a killed server's last files still appear.
	dir, err := os.MkdirTemp("", "mlflow-")
	if err != nil {
		return "", nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()

	port, err := freePort()
	if err != nil {
		return "", nil, err
	}

	logPath := filepath.Join(dir, "server.log")
	log, err := os.Create(logPath)
	if err != nil {
		return "", nil, err
	}
	defer log.Close()

	cmd := exec.Command(python, append([]string{
		"-c", mlflowLauncher, "server", "--host", "127.0.0.1", "--port", port,
		"--backend-store-uri", "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "mlflow.db")),
		"--artifacts-destination", filepath.Join(dir, "artifacts"),
	}, options...)...)
	cmd.Dir = dir
	cmd.Env = mlflowEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownProcessGroup()
	// Held open until it is stopped: its end is the launcher's signal to end.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start MLflow: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended, its log tells better
	}()
	end := func() {
		killGroup(cmd.Process)
		_ = stdin.Close()
		<-exited
	}

	base := "http://" + net.JoinHostPort("127.0.0.1", port)
	if err := waitHealthy(base, exited); err != nil {
		end()
		output, _ := os.ReadFile(logPath)
		if bytes.Contains(output, []byte("address already in use")) {
			return "", nil, errAddressInUse
		}
		return "", nil, fmt.Errorf("MLflow did not become healthy: %w; its output ends with:\n%s", err, tail(output, 30))
	}
	return base, func() { end(); remove() }, nil
}

// waitHealthy polls the server's health check until it answers, the server's
// process ends, or the time is over.
func waitHealthy(base string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), mlflowStartTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return errors.New("the server exited")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s", mlflowStartTimeout)
		case <-tick.C:
			if healthy(ctx, base) {
				return nil
			}
		}
	}
}

func healthy(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64))
	return err == nil && response.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "OK"
}

// mlflowEnv is the environment of a server that reports to nobody and that no
// MLFLOW_ variable of the developer's own reaches.
func mlflowEnv(environ []string) []string {
	env := make([]string, 0, len(environ)+6)
	for _, entry := range environ {
		if !strings.HasPrefix(entry, "MLFLOW_") && !strings.HasPrefix(entry, "_MLFLOW_") {
			env = append(env, entry)
		}
	}
	return append(env,
		"MLFLOW_DISABLE_TELEMETRY=true",
		"DO_NOT_TRACK=true",
		// The job runner adds processes and locks the database.
		"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false",
		// Webhooks are off by default for plain HTTP and for loopback addresses.
		"MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https",
		"MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true",
		"PYTHONUNBUFFERED=1",
	)
}

// tail returns the last lines of output.
func tail(output []byte, lines int) string {
	all := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
