package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// checkFigure compares an output's number: figure NAME VALUE TOLERANCE, the
// tolerance being relative.
func checkFigure(ts *testscript.TestScript, _ bool, args []string) {
	out, err := command(ts, ".", "output", "-json").Output()
	ts.Check(err)
	var outputs map[string]struct{ Value json.RawMessage }
	ts.Check(json.Unmarshal(out, &outputs))
	got, err := strconv.ParseFloat(string(outputs[args[0]].Value), 64)
	ts.Check(err)
	want, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	tolerance, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	if difference := got - want; difference > tolerance*want || -difference > tolerance*want {
		ts.Fatalf("%s is %v, and should be %v within %v", args[0], got, want, tolerance)
	}
}

// checkOutput compares an output's text: output NAME TEXT.
func checkOutput(ts *testscript.TestScript, _ bool, args []string) {
	out, err := command(ts, ".", "output", "-raw", args[0]).Output()
	ts.Check(err)
	if string(out) != args[1] {
		ts.Fatalf("%s is\n%s\nand should be\n%s", args[0], out, args[1])
	}
}

// checkPlanned compares the actions of a saved plan: planned plan.tfplan
// mlops_baseline.x=update. Objects without a change are left out.
func checkPlanned(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, ".", "show", "-json", args[0])
	out, err := cmd.Output()
	ts.Check(err)
	var plan struct {
		ResourceChanges []struct {
			Address string
			Change  struct {
				Actions       []string
				Before, After map[string]json.RawMessage
			}
		} `json:"resource_changes"`
	}
	ts.Check(json.Unmarshal(out, &plan))
	want, got := strings.Join(args[1:], "\n"), []string{}
	for _, change := range plan.ResourceChanges {
		actions := strings.Join(change.Change.Actions, "+")
		if actions == "no-op" {
			continue
		}
		line := change.Address + "=" + actions
		if actions == "update" {
			var changed []string
			for _, name := range slices.Sorted(maps.Keys(change.Change.After)) {
				if !bytes.Equal(change.Change.Before[name], change.Change.After[name]) {
					changed = append(changed, name)
				}
			}
			line += "(" + strings.Join(changed, ",") + ")"
		}
		got = append(got, line)
	}
	if have := strings.Join(got, "\n"); have != want {
		ts.Fatalf("the plan does\n%s\nand should do\n%s", have, want)
	}
}

// replaceText edits a file: replace FILE OLD NEW. OLD must be there once.
func replaceText(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if strings.Count(text, args[1]) != 1 {
		ts.Fatalf("%q stands %d times in %s", args[1], strings.Count(text, args[1]), args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// copyFiles copies a directory of this checkout into the script's: copyfiles FROM TO.
func copyFiles(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(args[0])))
}

// applyExamples applies each example of a kind of example in a folder of its own:
// examples resources. That of a data source reads what the example of the resource
// has made.
func applyExamples(ts *testscript.TestScript, _ bool, args []string) {
	folder := filepath.Join(ts.Getenv("EXAMPLES"), args[0])
	entries, err := os.ReadDir(folder)
	ts.Check(err)
	run := func(directory string, commands ...[]string) {
		for _, arguments := range commands {
			output, err := command(ts, directory, arguments...).CombinedOutput()
			if err != nil {
				ts.Fatalf("%s: terraform %s: %v\n%s", directory, strings.Join(arguments, " "), err, output)
			}
			ts.Logf("%s", output)
		}
	}
	place := func(from, directory string) {
		ts.Check(os.CopyFS(ts.MkAbs(directory), os.DirFS(from)))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(directory), "provider.tf"), []byte("terraform {\n  required_providers {\n    mlops = {\n      source = \"mlops-as-code/mlops\"\n    }\n  }\n}\n"), 0o600))
	}
	apply := []string{"apply", "-auto-approve"}
	for _, entry := range entries {
		name := entry.Name()
		place(filepath.Join(folder, name), name)
		if _, err := os.Stat(filepath.Join(ts.Getenv("EXAMPLES"), "resources", name)); args[0] == "data-sources" && err == nil {
			place(filepath.Join(ts.Getenv("EXAMPLES"), "resources", name), name+"-made")
			run(name+"-made", apply)
			ts.Check(os.Rename(filepath.Join(ts.MkAbs(name+"-made"), "mlops.db"), filepath.Join(ts.MkAbs(name), "mlops.db")))
		}
		run(name, apply, []string{"plan", "-detailed-exitcode"}, []string{"output", "-json"})
	}
}

// checkReadme holds the plan that the README shows against the output of the last
// command: readme.
func checkReadme(ts *testscript.TestScript, _ bool, _ []string) {
	readme, err := os.ReadFile(ts.Getenv("README"))
	ts.Check(err)
	_, block, found := strings.Cut(string(readme), "$ terraform plan\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		ts.Fatalf("the README shows no plan")
	}
	output := ts.ReadFile("stderr")
	for line := range strings.Lines(block) {
		if !strings.Contains(output, line) {
			ts.Fatalf("the README's plan has a line that the CLI does not print:\n%s", line)
		}
	}
}

// checkSameFindings lints a Terraform file, the JSON of a real plan of it, and the
// same bodies as a spec file, and compares findings and figures:
// samefindings FILE.tfplan FILE.tf RULE... The rules must be among them.
func checkSameFindings(ts *testscript.TestScript, _ bool, args []string) {
	plan, err := command(ts, ".", "show", "-json", args[0]).Output()
	ts.Check(err)
	planFile, specFile := ts.MkAbs("plan.json"), ts.MkAbs("policy.mlops.hcl")
	ts.Check(os.WriteFile(planFile, plan, 0o600))
	ts.Check(os.WriteFile(specFile, []byte(asSpecFile(ts.ReadFile(args[1]))), 0o600))

	lintAs := func(path string) string {
		report := lint.Run(context.Background(), lint.Options{Paths: []string{path}})
		for _, problem := range report.Problems {
			ts.Fatalf("%s: %v", filepath.Base(path), problem)
		}
		var out strings.Builder
		for _, finding := range report.Findings {
			fmt.Fprintf(&out, "%s %s %s %s\n  %s\n  %s\n", finding.Rule, finding.Severity,
				strings.TrimPrefix(finding.Address, spec.TerraformPrefix), spec.PathString(finding.Path),
				strings.ReplaceAll(finding.Detail, spec.TerraformPrefix, ""), strings.ReplaceAll(finding.Fix, spec.TerraformPrefix, ""))
		}
		for _, result := range report.Results {
			if result.Figures != cty.NilVal {
				fmt.Fprintf(&out, "%s %#v\n", strings.TrimPrefix(result.Object.Address, spec.TerraformPrefix), result.Figures)
			}
		}
		return out.String()
	}
	fromTerraform, fromPlan, fromSpec := lintAs(ts.MkAbs(args[1])), lintAs(planFile), lintAs(specFile)
	if diff := cmp.Diff(sortedBlocks(fromTerraform), sortedBlocks(fromPlan)); diff != "" {
		ts.Fatalf("the file and its plan disagree (-file +plan):\n%s", diff)
	}
	if diff := cmp.Diff(sortedBlocks(fromTerraform), sortedBlocks(fromSpec)); diff != "" {
		ts.Fatalf("the Terraform file and the spec file disagree (-terraform +spec):\n%s", diff)
	}
	for _, rule := range args[2:] {
		if !strings.Contains(fromTerraform, rule+" ") {
			ts.Fatalf("no finding of %s among\n%s", rule, fromTerraform)
		}
	}
}

// sortedBlocks puts findings in an order that does not depend on where they stand
// in a file.
func sortedBlocks(text string) []string {
	var blocks []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " ") && len(blocks) > 0 {
			blocks[len(blocks)-1] += line
			continue
		}
		blocks = append(blocks, line)
	}
	slices.Sort(blocks)
	return blocks
}

// asSpecFile changes the wrappers of Terraform's blocks into those of the spec
// language, whose bodies are the same.
func asSpecFile(terraform string) string {
	text := regexp.MustCompile(`resource "mlops_(\w+)"`).ReplaceAllString(terraform, "$1")
	text = regexp.MustCompile(`\bmlops_(\w+)\.`).ReplaceAllString(text, "$1.")
	text = strings.ReplaceAll(text, "${path.module}/", "")
	for _, block := range []string{`(?s)\nterraform \{.*?\n\}\n`, `(?s)\nprovider "mlops" \{.*?\}\n`} {
		text = regexp.MustCompile(block).ReplaceAllString("\n"+text, "\n")
	}
	return text
}
