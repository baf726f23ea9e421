package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// The harness itself, on small sizes: every part runs with its peers, and fills its
// section. No time is judged.
func TestEveryPartFillsItsSection(t *testing.T) {
	folder := t.TempDir()
	document := filepath.Join(folder, "performance.md")
	const before, after = "# Performance\n\nKept.\n\n<!-- bench: profiles -->\nold\n<!-- end: profiles -->\n", "\nKept too.\n"
	if err := os.WriteFile(document, []byte(before+after), 0o600); err != nil {
		t.Fatal(err)
	}
	all := tools{
		python:    testtools.Require(t, testtools.PythonPeers),
		terraform: testtools.Require(t, testtools.Terraform),
		mlflow:    testtools.Python(t),
	}
	var progress bytes.Buffer
	if err := run(document, folder, all, ".", 1, 10_000, &progress); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if !strings.HasPrefix(page, "# Performance\n\nKept.\n") || !strings.Contains(page, after) || strings.Contains(page, "\nold\n") {
		t.Errorf("what is not generated is not kept:\n%s", page)
	}
	for _, p := range parts {
		begin, end := strings.Index(page, "<!-- bench: "+p.name+" -->"), strings.Index(page, "<!-- end: "+p.name+" -->")
		if begin < 0 || end < begin {
			t.Fatalf("no section of %s", p.name)
		}
		rows := regexp.MustCompile(`(?m)^\| .+ \| [0-9.e+]+ (ns|µs|ms|s|MB|a second|CPU s in [0-9.]+ s)( an? \w+)? \|.*\| (yes|no|not known) \|$`).FindAllString(page[begin:end], -1)
		if len(rows) < 1 {
			t.Errorf("%s has no rows:\n%s", p.name, page[begin:end])
		}
		if strings.Contains(page[begin:end], "not here") {
			t.Errorf("%s has rows without their peer:\n%s", p.name, page[begin:end])
		}
	}
	if strings.Contains(page, folder) {
		t.Error("the page has a path of this machine")
	}
	// A second run replaces the sections.
	if err := run(document, folder, tools{}, "^scale$", 1, 10_000, &progress); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(document); err != nil || strings.Count(string(text), "<!-- bench: scale -->") != 1 {
		t.Errorf("a section stands twice, or %v", err)
	}
}

func TestAResultThatIsNotThePeersIsAnError(t *testing.T) {
	p, err := startPeers(testtools.Require(t, testtools.PythonPeers), "peers.py")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	h := &harness{shrink: 1, rounds: 1, peers: p}
	wrong := comparison{what: "power", peer: "t_power", label: "statsmodels", inputs: map[string]any{"calls": 1, "as": 1}, agree: 1e-6, ours: func() (float64, error) { return 0.5, nil }}
	if err := h.compare(wrong); err == nil || !strings.Contains(err.Error(), "statsmodels says 0.8") {
		t.Errorf("got %v", err)
	}
	if _, err := p.ask("nothing", nil); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown function gives %v", err)
	}
}
