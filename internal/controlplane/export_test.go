package controlplane

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// WithToken is the API as an admin's token sees it, for tests.
func WithToken(service *Service, name, secret string) http.Handler {
	entry, err := token.NewEntry(name, token.Admin, secret, time.Now(), time.Time{})
	if err != nil {
		panic(err)
	}
	next := newHandler(service, service.log)
	return observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+secret)
		caller := port.CallerOf(r.Context())
		caller.Name = name
		next.ServeHTTP(w, r.WithContext(withIdentity(port.WithCaller(r.Context(), caller), identity{name: name, role: token.Admin, entry: entry})))
	}), service.log, nil)
}

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
