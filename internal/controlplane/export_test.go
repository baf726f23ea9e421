package controlplane

import (
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
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

// Codes lists every code that a problem can have, for tests.
func Codes() []string {
	var out []string
	for code := range statuses {
		out = append(out, string(code))
	}
	slices.Sort(out)
	return out
}

// StatusOf is the HTTP status of a code, for tests.
func StatusOf(code string) int { return statuses[port.Code(code)] }

// Open is the handler over the store of a server, without the server, for tests.
func Open(o ListenOptions) (http.Handler, io.Closer, error) {
	service, store, err := o.openService()
	if err != nil {
		return nil, nil, err
	}
	return NewHandler(service), store, nil
}
