package lint

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/source"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// textWidth is where long sentences are broken.
const textWidth = 100

// The colours of a terminal.
const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	plain  = "\x1b[0m"
)

// Text writes the report for people: each finding with the line it is about, and a
// summary at the end.
func (r *Report) Text(w io.Writer, colour bool) error {
	t := &texter{report: r, colour: colour}
	for _, p := range r.Problems {
		t.problem(p)
	}
	for _, f := range r.Findings {
		t.finding(f)
	}
	t.out.WriteString(r.Summary() + "\n")
	_, err := w.Write(t.out.Bytes())
	return err
}

// TextFindings writes findings alone, in the same form: for a command that has some of
// its own. A finding without a rule is introduced by its summary.
func (r *Report) TextFindings(w io.Writer, colour bool, findings []Finding) error {
	t := &texter{report: r, colour: colour}
	for _, f := range findings {
		t.finding(f)
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// Summary is the report in one line.
func (r *Report) Summary() string {
	parts := []string{count(r.Count(review.LevelError), "error"), count(r.Count(review.LevelWarning), "warning")}
	if n := len(r.Waived); n > 0 {
		parts = append(parts, fmt.Sprintf("%d waived", n))
	}
	line := strings.Join(parts, ", ") + " in " + count(len(r.bundle.Files()), "file") + ", " + count(len(r.Results), "object")
	if n := len(r.Problems); n > 0 {
		line += "; not everything could be judged: " + count(n, "problem")
	}
	return line
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type texter struct {
	report *Report
	colour bool
	out    bytes.Buffer
}

func (t *texter) paint(colour, text string) string {
	if !t.colour {
		return text
	}
	return colour + text + plain
}

func (t *texter) problem(p source.Problem) {
	place := ""
	if p.File != "" {
		place = printable(p.File) + ":"
		if p.Line > 0 {
			place += fmt.Sprintf("%d:%d:", p.Line, p.Column)
		}
		place += " "
	}
	fmt.Fprintf(&t.out, "%s%s\n", t.paint(bold, place), t.paint(red, "could not be judged"))
	t.excerpt(source.Range{File: p.File, Line: p.Line, Column: p.Column, EndLine: p.Line, EndColumn: p.Column + 1})
	t.paragraph("", p.Message)
	t.out.WriteString("\n")
}

func (t *texter) finding(f Finding) {
	place := ""
	if f.Range.File != "" {
		place = printable(f.Range.File) + ":"
		if f.Range.Line > 0 {
			place += fmt.Sprintf("%d:%d:", f.Range.Line, f.Range.Column)
		}
		place += " "
	}
	colour := red
	if f.Level == review.LevelWarning {
		colour = yellow
	}
	rule := ""
	if f.Rule != "" {
		rule = f.Rule + ": "
	}
	fmt.Fprintf(&t.out, "%s%s: %s%s\n", t.paint(bold, place), t.paint(colour, string(f.Level)), t.paint(bold, rule), f.Summary)
	t.excerpt(f.Range)
	object := f.Address
	if path := spec.PathString(f.Path); path != "" {
		object += ": " + path
	}
	t.out.WriteString("  " + t.paint(dim, printable(object)) + "\n")
	t.paragraph("", f.Detail)
	if f.Fix != "" {
		t.paragraph("Fix: ", f.Fix)
	}
	t.out.WriteString("\n")
}

// excerpt shows a line of the source, and what of it is meant.
func (t *texter) excerpt(r source.Range) {
	line, ok := lineOf(t.report.bundle.Content(r.File), r.Line)
	if !ok {
		return
	}
	end := r.EndColumn
	if r.EndLine > r.Line {
		end = 1 + len([]rune(line))
	}
	number := fmt.Sprint(r.Line)
	fmt.Fprintf(&t.out, "  %s %s\n", t.paint(dim, number+" |"), printable(line))
	fmt.Fprintf(&t.out, "  %s %s\n", t.paint(dim, strings.Repeat(" ", len(number))+" |"), t.paint(red, carets(line, r.Column, end)))
}

func lineOf(content []byte, number int) (string, bool) {
	if number < 1 {
		return "", false
	}
	lines := bytes.SplitN(content, []byte("\n"), number+1)
	if len(lines) < number {
		return "", false
	}
	line := strings.TrimRight(string(bytes.TrimPrefix(lines[number-1], []byte("\ufeff"))), " \t\r")
	return line, line != "" && utf8.RuneCountInString(line) <= 400
}

// carets underlines the columns from start to end. Tabs stay tabs, so that both lines
// are as wide.
func carets(line string, start, end int) string {
	var out strings.Builder
	column := 0
	for _, r := range line {
		if !unicode.Is(unicode.Mn, r) {
			column++
		} else {
			continue
		}
		switch {
		case column >= max(end, start+1):
			return out.String()
		case column >= start:
			out.WriteByte('^')
		case r == '\t':
			out.WriteByte('\t')
		default:
			out.WriteByte(' ')
		}
	}
	if column < start {
		out.WriteString(strings.Repeat(" ", start-column-1) + "^")
	}
	return out.String()
}

// printable replaces what would change the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, text)
}

// paragraph writes text broken into lines, each indented.
func (t *texter) paragraph(head, text string) {
	const indent = "  "
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			line = head + line
		}
		width := 0
		for j, word := range strings.Fields(line) {
			word = printable(word)
			n := utf8.RuneCountInString(word)
			switch {
			case j == 0:
				t.out.WriteString(indent)
				width = len(indent)
			case width+1+n > textWidth:
				t.out.WriteString("\n" + indent)
				width = len(indent)
			default:
				t.out.WriteByte(' ')
				width++
			}
			t.out.WriteString(word)
			width += n
		}
		t.out.WriteString("\n")
	}
}
