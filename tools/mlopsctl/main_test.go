package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

var update = flag.Bool("update", false, "write what the scripts compare with anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mlopsctl": main})
}

func TestScripts(t *testing.T) {
	runScripts(t, "script", nil)
}

func TestScriptsWithPostgres(t *testing.T) {
	postgres := testtools.Postgres(t)
	runScripts(t, "script-postgres", func(env *testscript.Env) {
		env.Setenv("DATABASE", postgres.Database(t))
	})
}

// runScripts runs the scripts of a folder under testdata.
func runScripts(t *testing.T, folder string, setup func(*testscript.Env)) {
	source, err := filepath.Abs("../../internal/source/testdata")
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := filepath.Abs("../../internal/profile/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", folder), UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE_TESTDATA", source)
			env.Setenv("PROFILE_TESTDATA", profiles)
			env.Values[serverKey{}] = &server{}
			if setup != nil {
				setup(env)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "contract": contract, "server": startServer, "signal": sendSignal, "request": request,
		},
	})
}

// exits CODE COMMAND... runs a command that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		_, got, _ = strings.Cut(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s (%v), want %s", got, err, args[0])
	}
}

// contract checks that standard output has the JSON report's keys, and no others.
func contract(ts *testscript.TestScript, _ bool, _ []string) {
	var report map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &report))
	keys(ts, "the report", report, "errors", "figures", "findings")
	for name, want := range map[string][]string{
		"findings": {"address", "column", "detail", "file", "fix", "line", "path", "rule", "severity", "summary"},
		"errors":   {"column", "file", "line", "message"},
	} {
		var elements []map[string]json.RawMessage
		ts.Check(json.Unmarshal(report[name], &elements))
		if elements == nil {
			ts.Fatalf("%s is null, and a script would have to check for it", name)
		}
		for _, element := range elements {
			keys(ts, name, element, want...)
		}
	}
	var figures map[string]map[string]any
	ts.Check(json.Unmarshal(report["figures"], &figures))
}

func keys(ts *testscript.TestScript, what string, object map[string]json.RawMessage, want ...string) {
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
		ts.Fatalf("%s has the keys %v, want %v", what, got, want)
	}
}

// Every rule has a script that shows it fire, from a file that a user would write.
func TestEveryRuleHasAScriptInWhichItFires(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	for _, rule := range review.Rules() {
		if rule.ID == review.RuleInternal {
			continue // a fault of the program: no policy makes it fire
		}
		if !strings.Contains(all.String(), "stdout '"+rule.ID) && !strings.Contains(all.String(), fmt.Sprintf(" %s: ", rule.ID)) {
			t.Errorf("no script expects %s: add a policy that it refuses to one of testdata/script/rules_*.txtar", rule.ID)
		}
	}
}

func TestServeAnswersOnALoopbackAddressUntilItIsToldToStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	root := newRoot()
	reader, writer := io.Pipe()
	root.SetOut(writer)
	root.SetErr(io.Discard)
	root.SetArgs([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "mlops.db")})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if !ok {
		t.Fatalf("it says %q", line)
	}
	response, err := http.Get(base + "/healthz") //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/healthz answers %s", response.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestTheDocumentationNamesEveryFlagOfTheServer(t *testing.T) {
	page, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	newServe().Flags().VisitAll(func(flag *pflag.Flag) {
		if !strings.Contains(string(page), "`--"+flag.Name+"`") {
			t.Errorf("docs/server.md does not say what --%s does", flag.Name)
		}
		if flag.DefValue != "" && !strings.Contains(string(page), "| `"+flag.DefValue+"` |") {
			t.Errorf("docs/server.md does not say that --%s is %s", flag.Name, flag.DefValue)
		}
	})
}

// The policy of docs/lint.md is one that the linter accepts and the compiler knows.
func TestTheDocumentationsPolicyIsSound(t *testing.T) {
	page, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```hcl\n")
	policy, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/lint.md has no policy")
	}
	path := filepath.Join(t.TempDir(), "doc.mlops.hcl")
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	root := newRoot()
	var out strings.Builder
	root.SetOut(&out)
	root.SetArgs([]string{"lint", "--fail-on", "warning", path})
	if err := root.Execute(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
