// Package rules embeds the documentation of the rules, a page each, for
// "mlopsctl explain".
package rules

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed */*.md
var pages embed.FS

// Pages holds the pages as <family>/<name>.md.
func Pages() fs.FS { return pages }

// Page is the documentation of a rule by its id, family/name; false where the rule
// has none.
func Page(id string) (string, bool) {
	if !fs.ValidPath(id) || strings.HasSuffix(id, ".md") {
		return "", false
	}
	data, err := pages.ReadFile(id + ".md")
	return string(data), err == nil
}
