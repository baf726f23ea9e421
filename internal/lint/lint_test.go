package lint_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func run(ctx context.Context, t *testing.T, policy string) *lint.Report {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("p.mlops.hcl", []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return lint.Run(ctx, lint.Options{Paths: []string{"p.mlops.hcl"}, Review: review.Options{Today: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}})
}

const twoMistakes = `registered_model "m" {
	name = "m"
	tags = { "日本" = "x" }, risky = 1
}
`

func TestFindingsComeInTheOrderOfTheFile(t *testing.T) {
	report := run(t.Context(), t, `registered_model "b" {
  zzz  = 1
  name = "b"
  risk = "hihg"
  aaa  = 1
}

registered_model "a" {
  name = ""
}
`)
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Address+" "+spec.PathString(f.Path))
	}
	want := []string{"registered_model.b zzz", "registered_model.b risk", "registered_model.b aaa", "registered_model.a name"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestColoursAreOnlyAddedOnTop(t *testing.T) {
	report := run(t.Context(), t, "registered_model \"m\" {\n  name = \"m\"\n  risky = 1\n}\n")
	var plain, coloured bytes.Buffer
	for w, colour := range map[*bytes.Buffer]bool{&plain: false, &coloured: true} {
		if err := report.Text(w, colour); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[31m") {
		t.Errorf("plain:\n%q\ncoloured:\n%q", plain.String(), coloured.String())
	}
	stripped := coloured.String()
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m"} {
		stripped = strings.ReplaceAll(stripped, code, "")
	}
	if diff := cmp.Diff(plain.String(), stripped); diff != "" {
		t.Error(diff)
	}
}

func TestLinesAreBrokenWhereTheyAreLong(t *testing.T) {
	report := run(t.Context(), t, "drift_monitor \"m\" {\n  x = 1\n}\n")
	var out bytes.Buffer
	if err := report.Text(&out, false); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

func TestCaretsStandUnderWhatTheyMean(t *testing.T) {
	report := run(t.Context(), t, "registered_model \"m\" {\n\tname = \"m\"\n\ttags = { ä = \"e\u0301\", b = 1 }\n\trisky = \"ü\"\n}\n")
	var out bytes.Buffer
	if err := report.Text(&out, false); err != nil {
		t.Fatal(err)
	}
	want := "  4 | \trisky = \"ü\"\n    | \t^^^^^^^^^^^\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

func TestAStoppedRunIsNotACleanOne(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	report := run(ctx, t, "registered_model \"m\" {\n  name = \"m\"\n}\n")
	if got := report.ExitCode(lint.FailOnNever); got != lint.ExitCouldNotRun {
		t.Errorf("exit code %d, want %d", got, lint.ExitCouldNotRun)
	}
}

func TestSomethingThatCouldNotBeJudgedGoesBeforeFindings(t *testing.T) {
	report := run(t.Context(), t, twoMistakes)
	if report.ExitCode(lint.FailOnError) != lint.ExitCouldNotRun || len(report.Problems) != 1 {
		t.Errorf("exit code %d, problems %v", report.ExitCode(lint.FailOnError), report.Problems)
	}
}

func TestAFailingWriterIsAnError(t *testing.T) {
	report := run(t.Context(), t, "registered_model \"m\" {\n  name = \"m\"\n}\n")
	file, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		reporter, err := lint.ReporterFor(format, false)
		if err != nil {
			t.Fatal(err)
		}
		if reporter(file, report) == nil {
			t.Errorf("%s: no error", format)
		}
	}
}
