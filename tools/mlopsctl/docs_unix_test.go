//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// Each console of a page of docs that has mlopsctl or promtool in it is typed as it stands, in a
// folder with what the page takes for granted, and prints what the page shows, numbers
// and digests apart. Only addresses and absolute paths are the test's.
func TestWhatTheDocumentationTypesWorks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		consoles := slices.DeleteFunc(consoles(string(text)), func(console string) bool {
			// Those of a database need one: what they say is tested by TestScriptsWithPostgres,
			// and by TestADumpIsRestoredAsDocumented of the package postgres.
			return !strings.Contains(console, "mlopsctl") && !strings.Contains(console, "promtool") || strings.Contains(console, "MLOPS_DATABASE_URL")
		})
		if typed += len(consoles); len(consoles) == 0 {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			world := documentedWorld(t)
			for _, console := range consoles {
				typeConsole(t, world, console)
			}
		})
	}
	if typed < 7 {
		t.Errorf("only %d consoles were found", typed)
	}
}

// consoles are the blocks of a page that show a terminal.
func consoles(page string) []string {
	var out []string
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		out = append(out, strings.ReplaceAll(block[1], "\\\n", ""))
	}
	return out
}

// documentedWorld is a folder with policies, an infrastructure and its saved plan, a
// compiled policy, a store, a token and a certificate.
func documentedWorld(t *testing.T) string {
	t.Helper()
	testtools.OnPath(t, "curl")
	world := t.TempDir()
	inWorld := func(name string) string { return filepath.Join(world, filepath.FromSlash(name)) }
	for _, folder := range []string{"policies", "infra", "store", "backup", "programs"} {
		if err := os.Mkdir(inWorld(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	policy, err := os.ReadFile("../../internal/compile/prometheus/testdata/deciles.mlops.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"policies/fraud.mlops.hcl": string(policy),
		"OLD":                      apiToken,
		// There is a plan, and no need for the real program to show it.
		"programs/terraform": "#!/bin/sh\nexec cat " + inWorld("plan.json") + "\n",
	} {
		if err := os.WriteFile(inWorld(name), []byte(text), 0o700); err != nil { //nolint:gosec // one is a program
			t.Fatal(err)
		}
	}
	plan, err := os.ReadFile("../../internal/source/testdata/policy/plan.json")
	if err == nil {
		err = os.WriteFile(inWorld("plan.json"), plan, 0o600)
	}
	if err == nil {
		err = os.CopyFS(inWorld("infra"), os.DirFS("../../examples/quickstart/sound"))
	}
	if err == nil {
		err = os.CopyFS(inWorld("data"), os.DirFS("../../examples/quickstart/data"))
	}
	if err == nil {
		err = os.Symlink(testtools.Require(t, testtools.Promtool), inWorld("programs/promtool"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("../../examples/team/server/set-up.sh", world, "localhost").CombinedOutput(); err != nil {
		t.Fatalf("set-up.sh: %v\n%s", err, output)
	}
	handler, store, err := controlplane.OpenEmbedded(inWorld("store/mlops.db"), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.NewEmbedded(handler).Create(t.Context(), "registered_model", "fraud", json.RawMessage(`{"name":"fraud"}`))
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	return world
}

// typeConsole carries out a console's commands one after the other; servers run on.
func typeConsole(t *testing.T, world, console string) {
	t.Helper()
	own := strings.NewReplacer("127.0.0.1:8787", testtools.FreeAddress(t), "0.0.0.0:8787", "0.0.0.0:0",
		"/var/lib/mlops/", filepath.Join(world, "store")+"/", "/backup/", filepath.Join(world, "backup")+"/")
	// The day is over when it is over.
	console = regexp.MustCompile(`--expires \S+`).ReplaceAllString(own.Replace(console), "--expires 9999-12-31")
	for _, shown := range strings.Split("\n"+console, "\n$ ")[1:] {
		command, want, _ := strings.Cut(shown, "\n")
		if line, ok := strings.CutSuffix(command, " &"); ok || strings.HasPrefix(command, "mlopsctl serve") {
			command = "exec " + line // not the shell, but the server ends with the test
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = world
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(world, "programs")+string(filepath.ListSeparator)+os.Getenv("PATH"))
		var complaints strings.Builder
		cmd.Stderr = &complaints
		var got []byte
		var err error
		if strings.HasPrefix(command, "exec ") {
			got, err = serveUntilTheEnd(t, cmd)
		} else {
			got, err = cmd.Output()
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", command, err, got, complaints.String())
		}
		if want != "" && !strings.Contains(want, "...") {
			if diff := cmp.Diff(strings.TrimSpace(masked(want)), strings.TrimSpace(masked(string(got)))); diff != "" {
				t.Errorf("%s: the page shows (-) and it prints (+)\n%s", command, diff)
			}
		}
	}
}

// masked has # for what is another one each time.
func masked(text string) string {
	return regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(\.\d+)?`).ReplaceAllString(text, "#")
}

// serveUntilTheEnd starts a server that ends with the test, and returns its first line.
func serveUntilTheEnd(t *testing.T, cmd *exec.Cmd) ([]byte, error) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	end := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		end() // what it complains of is there then
	}
	return line, err
}
