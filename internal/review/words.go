package review

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agext/levenshtein"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
)

// capital begins a sentence; a path or a file name keeps its own letters.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if word, _, _ := strings.Cut(text, " "); strings.ContainsAny(word, `./\`) {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// nearestRule is the waivable rule that most resembles an id.
func nearestRule(id string) string {
	best, least := "", -1
	for _, rule := range evaluate.Rules() {
		if d := levenshtein.Distance(id, rule.ID, nil); least < 0 || d < least {
			best, least = rule.ID, d
		}
	}
	return best
}
