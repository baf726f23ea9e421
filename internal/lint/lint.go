// Package lint judges policies where they are written: it reads them, reviews them,
// and reports what is wrong with its place in the file.
package lint

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Options says what to judge and how strictly.
type Options struct {
	// Paths are directories, spec files, Terraform files and plans; see source.Load.
	Paths  []string
	Source source.Options
	Review review.Options
}

// Finding is one finding with its place and the level that enforcement gives it.
type Finding struct {
	spec.Finding
	Level review.Level
	Range source.Range
}

// Report is what a run found.
type Report struct {
	// Findings are in the order of files and lines.
	Findings []Finding
	// Waived are the findings that waivers cover.
	Waived []review.Waived
	// Problems are what could not be judged.
	Problems []source.Problem
	// Results are the objects in reference order.
	Results []review.Result

	bundle *source.Bundle
}

// Run reads, reviews and sorts. It never fails as a whole: what could not be judged is
// among the problems.
func Run(ctx context.Context, options Options) *Report {
	bundle, problems := source.Load(options.Paths, options.Source)
	report := &Report{bundle: bundle, Problems: problems}
	report.Results = review.New(options.Review).Set(ctx, bundle)
	for _, result := range report.Results {
		for _, judged := range result.Findings {
			report.add(judged.Finding, judged.Level)
		}
		report.Waived = append(report.Waived, result.Waived...)
	}
	// What only the reader of the source can see is certain, as constraints are.
	for _, finding := range bundle.Findings() {
		report.add(finding, review.LevelError)
	}
	report.Problems = append(report.Problems, bundle.Problems()...)
	if err := ctx.Err(); err != nil {
		report.Problems = append(report.Problems, source.Problem{Message: "stopped before everything was judged: " + err.Error()})
	}
	slices.SortStableFunc(report.Findings, compareFindings)
	slices.SortStableFunc(report.Problems, func(a, b source.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	report.Problems = slices.Compact(report.Problems)
	return report
}

func (r *Report) add(finding spec.Finding, level review.Level) {
	r.Findings = append(r.Findings, Finding{Finding: finding, Level: level, Range: r.bundle.Range(finding.Address, finding.Path)})
}

func compareFindings(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(a.Range.File, b.Range.File),
		cmp.Compare(a.Range.Line, b.Range.Line),
		cmp.Compare(a.Range.Column, b.Range.Column),
		cmp.Compare(a.Address, b.Address),
		cmp.Compare(spec.PathString(a.Path), spec.PathString(b.Path)),
		cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Detail, b.Detail))
}

// Locate is where an object's attribute stands.
func (r *Report) Locate(address string, path cty.Path) source.Range {
	return r.bundle.Range(address, path)
}

// Count is how many findings have the level.
func (r *Report) Count(level review.Level) int {
	n := 0
	for _, finding := range r.Findings {
		if finding.Level == level {
			n++
		}
	}
	return n
}

// FailOn says from which level on findings fail a run.
type FailOn string

// The values of FailOn.
const (
	FailOnError   FailOn = "error"
	FailOnWarning FailOn = "warning"
	FailOnNever   FailOn = "never"
)

// ParseFailOn reads a value of --fail-on.
func ParseFailOn(text string) (FailOn, error) {
	switch f := FailOn(text); f {
	case FailOnError, FailOnWarning, FailOnNever:
		return f, nil
	}
	return "", fmt.Errorf("--fail-on takes error, warning or never, not %q", text)
}

// The exit codes of commands that judge policies.
const (
	ExitClean       = 0
	ExitCouldNotRun = 1
	ExitFindings    = 2
)

// ExitCode is 1 where something could not be judged, 2 where there are findings at or
// above failOn, and 0 otherwise.
func (r *Report) ExitCode(failOn FailOn) int {
	switch {
	case len(r.Problems) > 0:
		return ExitCouldNotRun
	case failOn == FailOnNever:
		return ExitClean
	case r.Count(review.LevelError) > 0, failOn == FailOnWarning && len(r.Findings) > 0:
		return ExitFindings
	}
	return ExitClean
}

// Reporter writes a report in one format.
type Reporter func(w io.Writer, r *Report) error

// reporters by the name that --format takes.
func reporters(colour bool) map[string]Reporter {
	return map[string]Reporter{
		"json": (func(w io.Writer, r *Report) error { return r.JSON(w) }),
		"text": func(w io.Writer, r *Report) error { return r.Text(w, colour) },
	}
}

// ReporterFor finds a format, or says which there are.
func ReporterFor(format string, colour bool) (Reporter, error) {
	all := reporters(colour)
	if reporter, ok := all[format]; ok {
		return reporter, nil
	}
	return nil, fmt.Errorf("there is no format %q; the formats are: %s", format, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}

// ParseLevel reads a level of enforcement.
func ParseLevel(text string) (review.Level, error) {
	switch level := review.Level(text); level {
	case review.LevelError, review.LevelWarning, review.LevelOff:
		return level, nil
	}
	return "", fmt.Errorf("a level is error, warning or off, not %q", text)
}

// ParseRules reads values of --rule, each ID=LEVEL.
func ParseRules(texts []string) (map[string]review.Level, error) {
	known := map[string]bool{}
	for _, rule := range review.Rules() {
		known[rule.ID] = true
	}
	out := map[string]review.Level{}
	for _, text := range texts {
		id, levelText, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--rule takes ID=LEVEL, for instance drift/noise-floor=warning, not %q", text)
		}
		if !known[id] {
			return nil, fmt.Errorf("there is no rule %q; the rules are: %s", id, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		level, err := ParseLevel(levelText)
		if err != nil {
			return nil, fmt.Errorf("--rule %s: %w", text, err)
		}
		out[id] = level
	}
	return out, nil
}
