package testtools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A recorder stands in for the test that asks for a tool. Skipf and Fatalf
// leave the calling goroutine, as those of a real test do.
type recorder struct {
	testing.TB
	skipped, failed string
}

type left struct{}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { // stands in for Require's skip
	r.skipped = fmt.Sprintf(format, args...)
	panic(left{})
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	panic(left{})
}

func ask(t *testing.T, name string) (path string, r *recorder) {
	t.Helper()
	r = &recorder{TB: t}
	defer func() {
		if v := recover(); v != nil && v != (left{}) {
			panic(v)
		}
	}()
	return Require(r, name), r
}

func TestRequireReturnsThePathOfAToolThatIsThere(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MLOPS_REQUIRE", "all")
	t.Setenv(Promtool, tool)
	if got, r := ask(t, Promtool); got != tool || r.failed != "" || r.skipped != "" {
		t.Errorf("Require = %q, failed %q, skipped %q; want %q", got, r.failed, r.skipped, tool)
	}
}

func TestRequireSkipsWithTheReasonOrFailsUnderRequireAll(t *testing.T) {
	tests := map[string]struct{ path, missing, want string }{
		"the reason that make test gave": {missing: "no apt-get here", want: "no apt-get here"},
		"a variable that nobody set":     {want: Promtool + " is not set"},
		"a path that is gone":            {path: filepath.Join(t.TempDir(), "gone"), want: "not there"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(Promtool, test.path)
			t.Setenv(Promtool+"_MISSING", test.missing)

			t.Setenv("MLOPS_REQUIRE", "")
			if _, r := ask(t, Promtool); r.failed != "" || !strings.HasPrefix(r.skipped, "SKIP: ") || !strings.Contains(r.skipped, test.want) {
				t.Errorf("without MLOPS_REQUIRE: skipped %q, failed %q; want a skip that says %q", r.skipped, r.failed, test.want)
			}
			t.Setenv("MLOPS_REQUIRE", "all")
			if _, r := ask(t, Promtool); r.skipped != "" || !strings.Contains(r.failed, test.want) {
				t.Errorf("with MLOPS_REQUIRE=all: skipped %q, failed %q; want a failure that says %q", r.skipped, r.failed, test.want)
			}
		})
	}
}

func TestStartMLflowServesAnEmptyRegistryUntilCleanup(t *testing.T) {
	Python(t)
	// Variables of a developer's own must not reach the server, which refuses
	// to start with this one.
	t.Setenv("MLFLOW_WORKSPACE", "somebody-elses")
	var base string
	t.Run("while the test runs", func(t *testing.T) {
		base = StartMLflow(t)
		response, err := http.Get(base + "/api/2.0/mlflow/registered-models/search")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct {
			Models []json.RawMessage `json:"registered_models"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatalf("status %d: %v", response.StatusCode, err)
		}
		if response.StatusCode != http.StatusOK || len(answer.Models) != 0 {
			t.Errorf("status %d and %d models, want 200 and none", response.StatusCode, len(answer.Models))
		}
	})
	if t.Failed() {
		return
	}
	if response, err := http.Get(base + "/health"); err == nil {
		response.Body.Close()
		t.Errorf("%s still answers after the cleanup", base)
	}
}

func TestPostgresAnswersUntilItIsStoppedAndKeepsWhatItHas(t *testing.T) {
	server := StartPostgres(t)
	ctx := t.Context()
	address := server.Database(t)
	try := func(statement string) error {
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
		return err
	}
	if err := try(`CREATE TABLE kept (x INT)`); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := try(`SELECT 1`); err == nil {
		t.Error("it answers after it was stopped")
	}
	server.Start(t)
	if err := try(`INSERT INTO kept VALUES (1)`); err != nil {
		t.Error(err)
	}
	if shared := Postgres(t); shared != Postgres(t) || shared.URL("x") == server.URL("x") {
		t.Error("the tests of a package do not share one server")
	}
}

func TestPromtoolAndTerraformRun(t *testing.T) {
	for name, argument := range map[string]string{Promtool: "--version", Terraform: "version"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(Require(t, name), argument)
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", cmd, err, output)
			}
		})
	}
}
