package profile

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Part says what an [Error] is about, so that a caller can point at it.
type Part string

// The parts of a request for a profile.
const (
	PartFile    Part = "file"    // the file cannot be read, or is not what it should be
	PartColumn  Part = "column"  // the file can be read, the column cannot be used
	PartBinning Part = "binning" // the column is fine, the binning asks for what it cannot give
)

// Error is why a file or a column has no profile, and what to do about it.
type Error struct {
	Part Part
	// Why is a sentence without its final full stop.
	Why string
	// Fix says what to change, as a sentence.
	Fix string
	// Err is the cause, where the operating system or a parser gave one.
	Err error
}

// Error joins why and fix.
func (e *Error) Error() string { return e.Why + ". " + e.Fix }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// nearest is the candidate that most resembles the word, or "" where none does:
// at most a third of the letters may differ.
func nearest(word string, candidates []string) string {
	best, least := "", len([]rune(word))/3+1
	for _, candidate := range candidates {
		if d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(candidate), nil); d < least {
			best, least = candidate, d
		}
	}
	return best
}
