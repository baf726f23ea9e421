package rules_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/docs/rules"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
)

var update = flag.Bool("update", false, "rewrite the examples")

// example is a message that a page quotes, and the golden file that it comes from.
var example = regexp.MustCompile("(?s)<!-- example: (\\S+) -->\n```text\n(.*?)```\n")

func TestEveryRuleHasAPageAndEveryPageARule(t *testing.T) {
	ids := map[string]bool{}
	for _, rule := range review.Rules() {
		ids[rule.ID] = true
		page, ok := rules.Page(rule.ID)
		if !ok {
			t.Errorf("%s has no page", rule.ID)
			continue
		}
		for _, part := range []string{"# " + rule.ID + "\n", "**" + rule.Summary + "**", string(rule.Severity), "## What it finds", "## Why", "## How to fix it", "## How to accept it"} {
			if !strings.Contains(page, part) {
				t.Errorf("the page of %s lacks %q", rule.ID, part)
			}
		}
		if rule.Kind != "" && !strings.Contains(page, "`"+rule.Kind+"`") {
			t.Errorf("the page of %s does not say that it judges %s", rule.ID, rule.Kind)
		}
	}
	err := fs.WalkDir(rules.Pages(), ".", func(path string, entry fs.DirEntry, err error) error {
		if id, isPage := strings.CutSuffix(path, ".md"); isPage && !entry.IsDir() && !ids[id] {
			t.Errorf("%s is the page of no rule", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := rules.Page("drift/no-such-rule"); ok {
		t.Error("a rule that does not exist has a page")
	}
	if _, ok := rules.Page("../rules/drift/noise-floor"); ok {
		t.Error("a path outside is taken for a rule")
	}
}

func TestThePagesQuoteTheMessagesAsTheyAre(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, rule := range review.Rules() {
		page, _ := rules.Page(rule.ID)
		quoted := false
		replaced := example.ReplaceAllStringFunc(page, func(block string) string {
			quoted = true
			m := example.FindStringSubmatch(block)
			want, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[1])))
			if err != nil {
				t.Errorf("%s: %v", rule.ID, err)
				return block
			}
			if diff := cmp.Diff(string(want), m[2]); diff != "" && !*update {
				t.Errorf("the page of %s quotes another message (-want +got); run with -update:\n%s", rule.ID, diff)
			}
			return "<!-- example: " + m[1] + " -->\n```text\n" + string(want) + "```\n"
		})
		if !quoted && rule.ID != review.RuleInternal && rule.ID != "meta/unknown-attribute" {
			t.Errorf("the page of %s shows no message", rule.ID)
		}
		if *update && replaced != page {
			if err := os.WriteFile(filepath.FromSlash(rule.ID)+".md", []byte(replaced), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
