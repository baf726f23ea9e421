package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile/prometheus"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// targets are what --target takes.
var targets = compile.Targets{prometheus.Target{}}

func newCompile() *cobra.Command {
	var judge judgeFlags
	var targetName, directory string
	var force bool
	cmd := &cobra.Command{
		Use:   "compile --target TARGET --out DIR [PATH...]",
		Short: "Compile policies to configuration for other systems",
		Long: `Compile policies to configuration for other systems.

The policy is judged first: one with errors is not compiled, unless --force is given.
The same policy and version always give the same bytes. Files of the output directory
that this run does not write are left alone.

Exit code: 0 compiled, 2 not compiled because of findings or because the target cannot
carry the policy, 1 something could not be judged or written.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			target, err := targets.Find(targetName)
			if err != nil {
				return err
			}
			if directory == "" {
				return errors.New("name the directory to write to: --out DIR")
			}
			options, err := judge.options(cmd, paths)
			if err != nil {
				return err
			}
			return compilePolicy(cmd, target, lint.Run(cmd.Context(), options), directory, force)
		},
	}
	judge.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&targetName, "target", "", "system to compile to: prometheus")
	flags.StringVar(&directory, "out", "", "`DIR` to write to")
	flags.BoolVar(&force, "force", false, "compile a policy that has errors")
	return cmd
}

func compilePolicy(cmd *cobra.Command, target compile.Target, report *lint.Report, directory string, force bool) error {
	stderr := cmd.ErrOrStderr()
	colour := isTerminal(stderr)
	if len(report.Problems) > 0 || len(report.Findings) > 0 {
		if err := report.Text(stderr, colour); err != nil {
			return err
		}
	}
	switch failed := report.ExitCode(lint.FailOnError); {
	case failed == lint.ExitFindings && force:
	case failed == lint.ExitFindings:
		cmd.PrintErrln("Nothing was compiled: the policy has errors. Fix them, or compile it all the same with --force.")
		return exit(failed)
	case failed != lint.ExitClean:
		cmd.PrintErrln("Nothing was compiled: not everything could be judged.")
		return exit(failed)
	}
	var objects []compile.Object
	for _, result := range report.Results {
		objects = append(objects, compile.Object{Kind: result.Object.Kind, Address: result.Object.Address, Value: result.Value})
	}
	result := compile.Emit(target, objects, compile.Options{Version: version})
	for _, note := range result.Notes {
		cmd.PrintErrf("note: %s: %s\n", note.Address, note.Message)
	}
	if len(result.Refusals) > 0 {
		var findings []lint.Finding
		for _, refusal := range result.Refusals {
			findings = append(findings, lint.Finding{
				Level: review.LevelError, Range: report.Locate(refusal.Address, refusal.Path),
				Finding: spec.Finding{
					Address: refusal.Address, Path: refusal.Path, Severity: spec.Error,
					Summary: "cannot be compiled to " + target.Name(), Detail: refusal.Why + ".", Fix: refusal.Fix,
				},
			})
		}
		if err := report.TextFindings(stderr, colour, findings); err != nil {
			return err
		}
		cmd.PrintErrln("Nothing was written.")
		return exit(lint.ExitFindings)
	}
	return writeArtifacts(cmd, directory, result.Artifacts)
}

func writeArtifacts(cmd *cobra.Command, directory string, artifacts []compile.Artifact) error {
	if len(artifacts) == 0 {
		cmd.PrintErrln("note: the policy has nothing in it for this target: nothing was written")
	}
	for _, artifact := range artifacts {
		path := filepath.Join(directory, filepath.FromSlash(artifact.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // other programs read what is compiled
			return err
		}
		if err := os.WriteFile(path, artifact.Content, 0o644); err != nil { //nolint:gosec // other programs read what is compiled
			return err
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), path); err != nil {
			return err
		}
	}
	return nil
}
