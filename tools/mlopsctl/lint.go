package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
)

// judgeFlags are the flags of commands that judge policies.
type judgeFlags struct {
	enforcement string
	rules       []string
	today       string
	variables   []string
	varFiles    []string
	workspace   string
}

func (f *judgeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.enforcement, "enforcement", "error", "how findings are taken: error, warning or off")
	flags.StringArrayVar(&f.rules, "rule", nil, "level of one rule, `ID=LEVEL` (repeatable)")
	flags.StringArrayVar(&f.variables, "var", nil, "value of an input variable, `NAME=VALUE` (repeatable)")
	flags.StringArrayVar(&f.varFiles, "var-file", nil, "`FILE` with values of input variables (repeatable)")
	flags.StringVar(&f.workspace, "workspace", "default", "what terraform.workspace is")
	flags.StringVar(&f.today, "today", "", "the date that waivers are held against, as YYYY-MM-DD (default today)")
	_ = flags.MarkHidden("today") // the flag exists: it was added above
}

func (f *judgeFlags) options(cmd *cobra.Command, paths []string) (lint.Options, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	options := lint.Options{
		Paths:  paths,
		Source: source.Options{Variables: map[string]string{}, VariableFiles: f.varFiles, Workspace: f.workspace, Stdin: cmd.InOrStdin()},
		Review: review.Options{Today: time.Now().UTC()},
	}
	var err error
	if options.Review.Enforcement, err = lint.ParseLevel(f.enforcement); err != nil {
		return options, fmt.Errorf("--enforcement: %w", err)
	}
	if options.Review.Rules, err = lint.ParseRules(f.rules); err != nil {
		return options, err
	}
	if f.today != "" {
		if options.Review.Today, err = time.Parse(time.DateOnly, f.today); err != nil {
			return options, fmt.Errorf("--today takes a date as YYYY-MM-DD, not %q", f.today)
		}
	}
	for _, text := range f.variables {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return options, fmt.Errorf("--var takes NAME=VALUE, not %q", text)
		}
		options.Source.Variables[name] = value
	}
	return options, nil
}

func newLint() *cobra.Command {
	var judge judgeFlags
	var format, failOn string
	var outs []string
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Judge policies in spec files, Terraform files and plans",
		Long: `Judge policies in spec files (*.mlops.hcl), Terraform files (*.tf, *.tf.json) and plans.

A directory is searched for spec files and Terraform files; a Terraform file stands for
the module it belongs to. A plan is the output of "terraform show -json", and is named
itself; "-" reads one from standard input. Without a path, the working directory is
searched.

Exit code: 0 clean, 2 findings at or above --fail-on, 1 something could not be judged.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			options, err := judge.options(cmd, paths)
			if err != nil {
				return err
			}
			limit, err := lint.ParseFailOn(failOn)
			if err != nil {
				return err
			}
			outputs, err := parseOutputs(cmd, format, outs)
			if err != nil {
				return err
			}
			report := lint.Run(cmd.Context(), options)
			for _, o := range outputs {
				if err := o.write(cmd, report); err != nil {
					return err
				}
			}
			return exit(report.ExitCode(limit))
		},
	}
	judge.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "text", "format of standard output: text or json")
	flags.StringArrayVar(&outs, "out", nil, "also write a report to a file, `FORMAT=FILE` (repeatable)")
	flags.StringVar(&failOn, "fail-on", "error", "level from which findings fail the run: error, warning or never")
	return cmd
}

// output is a report in a format, to a file or to standard output.
type output struct {
	reporter lint.Reporter
	file     string
}

func parseOutputs(cmd *cobra.Command, format string, outs []string) ([]output, error) {
	reporter, err := lint.ReporterFor(format, isTerminal(cmd.OutOrStdout()))
	if err != nil {
		return nil, err
	}
	outputs := []output{{reporter: reporter}}
	for _, text := range outs {
		format, file, ok := strings.Cut(text, "=")
		if !ok || file == "" {
			return nil, fmt.Errorf("--out takes FORMAT=FILE, for instance json=findings.json, not %q", text)
		}
		reporter, err := lint.ReporterFor(format, false)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, output{reporter, file})
	}
	return outputs, nil
}

func (o output) write(cmd *cobra.Command, report *lint.Report) error {
	if o.file == "" {
		return o.reporter(cmd.OutOrStdout(), report)
	}
	var content bytes.Buffer
	return errors.Join(o.reporter(&content, report), os.WriteFile(o.file, content.Bytes(), 0o644)) //nolint:gosec // a report is for others to read
}
