package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// versionVariable names the release that the provider under test is to be.
const versionVariable = "MLOPS_TEST_VERSION"

// The scripts under testdata/script run the real Terraform or OpenTofu with the
// real provider: this test binary, under the provider's name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"terraform-provider-mlops": func() {
			version = "1.0.0" // a release: only releases remember reviews
			if other := os.Getenv(versionVariable); other != "" {
				version = other
			}
			main()
		},
	})
}

func TestTerraform(t *testing.T) {
	runScripts(t, "script", nil)
}

func TestTerraformWithMLflow(t *testing.T) {
	python := testtools.Python(t)
	server := testtools.StartMLflow(t)
	runScripts(t, "script-mlflow", func(env *testscript.Env) {
		env.Setenv("MLFLOW", server)
		env.Setenv("PYTHON", python)
	})
}

// What the documentation generator takes from examples must be there for each kind.
func TestEveryKindHasExamples(t *testing.T) {
	for _, kind := range spec.All() {
		for _, name := range []string{"resources/%s/resource.tf", "resources/%s/import.sh", "data-sources/%s/data-source.tf"} {
			if _, err := os.Stat(filepath.Join("examples", fmt.Sprintf(name, kind.TerraformType()))); err != nil {
				t.Error(err)
			}
		}
	}
}

// runScripts runs the scripts of a folder under testdata.
func runScripts(t *testing.T, folder string, setup func(*testscript.Env)) {
	terraform := testtools.Require(t, testtools.Terraform)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values[mintedKey{}] = &mintedTokens{}
			provider, err := exec.LookPath("terraform-provider-mlops")
			if err != nil {
				return err
			}
			configuration := filepath.Join(env.WorkDir, ".cli.tfrc")
			// An absolute path to this checkout is in the environment only, so that no
			// script and no golden file can depend on it.
			root, err := os.Getwd()
			if err != nil {
				return err
			}
			env.Setenv("README", filepath.Join(root, "README.md"))
			env.Setenv("EXAMPLES", filepath.Join(root, "examples"))
			env.Setenv("STATES", filepath.Join(root, filepath.FromSlash(statesFolder)))
			env.Setenv("QUICKSTART", filepath.Join(root, "examples", "quickstart"))
			env.Setenv("GOLDEN", filepath.Join(root, "internal", "stats", "testdata"))
			env.Setenv("TF_CLI_CONFIG_FILE", configuration)
			env.Setenv("CHECKPOINT_DISABLE", "1")
			env.Setenv("TF_IN_AUTOMATION", "1")
			env.Setenv("TF_CLI_ARGS_plan", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_apply", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_destroy", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_import", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_validate", "-no-color")
			env.Setenv("TERRAFORM", terraform)
			if setup != nil {
				setup(env)
			}
			return os.WriteFile(configuration, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"mlops-as-code/mlops\" = %q\n  }\n  direct {}\n}\n", filepath.Dir(provider)), 0o600)
		},
		Condition: func(condition string) (bool, error) {
			if condition == "identity" {
				return hasIdentities(terraform)
			}
			return false, fmt.Errorf("no condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"tf":            runTerraform,
			"race":          raceTerraform,
			"kill9":         killDuring,
			"kept":          listKept,
			"answers":       listAnswers,
			"forget":        deleteKept,
			"meddle":        rewriteKept,
			"history":       listHistory,
			"point":         pointElsewhere,
			"attributes":    printKept,
			"blackhole":     blackHole,
			"serve":         serve,
			"rollback":      rollBack,
			"register":      registerVersion,
			"requests":      countRequests,
			"forget-remote": deleteServed,
			"figure":        checkFigure,
			"output":        checkOutput,
			"unsaved":       checkUnsaved,
			"minting":       listMinting,
			"replace":       replaceText,
			"planned":       checkPlanned,
			"copyfiles":     copyFiles,
			"examples":      applyExamples,
			"readme":        checkReadme,
			"samefindings":  checkSameFindings,
		},
	})
}

// hasIdentities reports whether a CLI imports by identity: from 1.12 on.
func hasIdentities(cli string) (bool, error) {
	out, err := exec.Command(cli, "version", "-json").Output()
	if err != nil {
		return false, err
	}
	var version struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(out, &version); err != nil {
		return false, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(version.Version, "%d.%d", &major, &minor); err != nil {
		return false, err
	}
	return major > 1 || minor >= 12, nil
}

// runTerraform runs the CLI: tf plan. Line breaks inside its messages are folded,
// so that a script can look for a whole sentence.
func runTerraform(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(ts.Getenv("TERRAFORM"), args...)
	output := foldMessages(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(output), 0o600))
	switch {
	case err != nil && !neg:
		ts.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, output)
	case err == nil && neg:
		ts.Fatalf("terraform %s succeeded:\n%s", strings.Join(args, " "), output)
	}
}

// foldMessages undoes the line breaks that the CLI puts into its prose.
func foldMessages(text string) string {
	var out strings.Builder
	prose := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		starts := line != "" && line[0] != ' ' && line[0] != '\t'
		if prose && starts {
			out.WriteString(" " + line)
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(line)
		prose = starts
	}
	return out.String() + "\n"
}

// TestBugsOfOtherProviders holds the provider against the kinds of bugs that users of
// providers in this field have reported, one script each.
func TestBugsOfOtherProviders(t *testing.T) {
	runScripts(t, "script-bugs", nil)
}

// TestExamplesApply runs every example that the documentation shows.
func TestExamplesApply(t *testing.T) {
	runScripts(t, "script-examples", nil)
}

// raceTerraform runs the CLI in several directories at once: race apply a b. Every
// run must succeed, or (race -or TEXT apply a b) fail with a message that has TEXT.
func raceTerraform(ts *testscript.TestScript, _ bool, args []string) {
	excuse := ""
	if args[0] == "-or" {
		excuse, args = args[1], args[2:]
	}
	var group sync.WaitGroup
	outputs, errs := make([]string, len(args)-1), make([]error, len(args)-1)
	for i, directory := range args[1:] {
		group.Go(func() {
			cmd := command(ts, directory, args[0], "-auto-approve")
			output, err := cmd.CombinedOutput()
			outputs[i], errs[i] = foldMessages(string(output)), err
		})
	}
	group.Wait()
	for i, err := range errs {
		if err != nil && (excuse == "" || !strings.Contains(outputs[i], excuse)) {
			ts.Fatalf("terraform %s in %s: %v\n%s", args[0], args[1+i], err, outputs[i])
		}
	}
}

func command(ts *testscript.TestScript, directory string, args ...string) *exec.Cmd {
	cmd := exec.Command(ts.Getenv("TERRAFORM"), args...)
	cmd.Dir = ts.MkAbs(directory)
	for _, name := range []string{"PATH", "HOME", "TF_CLI_CONFIG_FILE", "CHECKPOINT_DISABLE", "TF_IN_AUTOMATION", "TF_CLI_ARGS_apply", "TF_CLI_ARGS_plan", "MLFLOW", "MLOPS_ENDPOINT", "MLOPS_TOKEN", "MLOPS_ACTOR", "TMPDIR", "WORK", "TF_VAR_ticket_token"} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// killDuring starts an apply and kills the provider with -9 once so many objects
// are kept: kill9 FILE COUNT.
func killDuring(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := command(ts, ".", "apply", "-auto-approve", "-parallelism=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	ts.Check(cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }() // it fails: its provider is killed
	deadline := time.After(time.Minute)
	for killed := false; ; {
		select {
		case <-done:
			if !killed {
				ts.Fatalf("the apply ended before the provider was killed:\n%s", output.String())
			}
			return
		case <-deadline:
			_ = cmd.Process.Kill()
			ts.Fatalf("the apply hangs:\n%s", output.String())
		case <-time.After(2 * time.Millisecond):
		}
		if !killed && len(kept(ts, file)) >= count {
			// The provider is a child of the CLI; its command line is the test binary's.
			ts.Check(exec.Command("pkill", "-9", "-P", strconv.Itoa(cmd.Process.Pid)).Run())
			killed = true
		}
	}
}
