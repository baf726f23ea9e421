package evaluate

import "strings"

// sentence joins ways out of a finding: "Raise a to 1, or lengthen b to 2."
func sentence(ways []string) string {
	text := strings.Join(ways, "; or ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// plural writes a number with its noun.
func plural(n float64, one, many string) string { return show(n) + " " + plural2(n, one, many) }

func plural2(n float64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
