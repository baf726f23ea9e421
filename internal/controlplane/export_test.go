package controlplane

import (
	"maps"
	"slices"
)

// Routes lists every method and address of the API, for tests.
func Routes() []string {
	var out []string
	for _, r := range (&handler{}).routes() {
		for _, method := range slices.Sorted(maps.Keys(r.endpoints)) {
			out = append(out, method+" "+r.path)
		}
	}
	slices.Sort(out)
	return out
}
