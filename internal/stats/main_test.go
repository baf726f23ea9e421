package stats

import (
	"flag"
	"os"
	"testing"
)

// Property tests draw the same cases every time, so that a change is judged by what it
// changes. -rapid.seed=N explores others, and 0 new ones in every run.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
