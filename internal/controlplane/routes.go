package controlplane

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// endpoint answers a request; names are the ones in its address, in order.
type endpoint func(w http.ResponseWriter, r *http.Request, names []string) error

// route is one address of the API.
type route struct {
	// path is the address as the OpenAPI document writes it; {name} stands for
	// one name, percent-escaped by itself.
	path string
	// endpoints are what can be done there, by method. HEAD comes with GET.
	endpoints map[string]endpoint
	// media is what a success is answered in; empty is JSON.
	media string
}

// routes is every address there is. TestTheDocumentAndTheHandlerAgree fails where
// it and spec/openapi.yaml do not say the same.
func (h *handler) routes() []route {
	routes := []route{
		{path: "/healthz", endpoints: map[string]endpoint{http.MethodGet: h.health}},
		{path: "/readyz", endpoints: map[string]endpoint{http.MethodGet: h.ready}},
		{path: "/v1/openapi.yaml", endpoints: map[string]endpoint{http.MethodGet: h.openAPI}, media: mediaYAML},
		{path: "/v1/store", endpoints: map[string]endpoint{http.MethodGet: h.store}},
		{path: "/v1/audit", endpoints: map[string]endpoint{http.MethodGet: h.audit}},
		{path: "/v1/events", endpoints: map[string]endpoint{http.MethodGet: h.events}},
		{path: "/v1/tokens", endpoints: map[string]endpoint{http.MethodGet: h.tokens, http.MethodPost: h.mint}},
		{path: "/v1/tokens/{id}", endpoints: map[string]endpoint{http.MethodDelete: h.revoke}},
		{path: "/v1/tokens/{id}/renew", endpoints: map[string]endpoint{http.MethodPost: h.renew}},
		{path: "/v1/resources:batchGet", endpoints: map[string]endpoint{http.MethodPost: h.batchGet}},
	}
	for _, kind := range spec.All() {
		routes = append(routes, h.routesOf(kind)...)
	}
	return routes
}

// routesOf is what every kind has: a list, and objects by name. Where the control
// plane numbers the objects, they are listed and added under what they belong to, and
// what was added is acknowledged; aliases have a history.
func (h *handler) routesOf(kind *spec.Kind) []route {
	list := "/v1/" + kind.Name
	of := func(do func(w http.ResponseWriter, r *http.Request, ref port.Ref) error) endpoint {
		return func(w http.ResponseWriter, r *http.Request, names []string) error {
			ref := port.Ref{Kind: kind.Name, ID: strings.Join(names, "/")}
			if err := CheckRef(ref); err != nil {
				return err
			}
			return do(w, r, ref)
		}
	}
	key := "/{" + strings.Join(kind.Key, "}/{") + "}"
	routes := []route{
		{path: list, endpoints: map[string]endpoint{
			http.MethodGet: func(w http.ResponseWriter, r *http.Request, _ []string) error { return h.list(w, r, kind.Name, "") },
		}},
		{path: list + key, endpoints: map[string]endpoint{
			http.MethodGet: of(h.get), http.MethodPut: of(h.put), http.MethodDelete: of(h.delete),
		}},
	}
	if kind.Numbered != "" {
		under := strings.TrimSuffix(key, "/{"+kind.Numbered+"}")
		in := func(do func(w http.ResponseWriter, r *http.Request, kind, model string) error) endpoint {
			return func(w http.ResponseWriter, r *http.Request, names []string) error {
				return do(w, r, kind.Name, strings.Join(names, "/"))
			}
		}
		routes = append(routes,
			route{path: list + under, endpoints: map[string]endpoint{http.MethodGet: in(h.list), http.MethodPost: in(h.add)}},
			route{path: "/v1/unacknowledged/" + kind.Name + under, endpoints: map[string]endpoint{http.MethodGet: in(h.unacknowledged)}},
			route{path: "/v1/unacknowledged/" + kind.Name + key, endpoints: map[string]endpoint{http.MethodDelete: of(h.acknowledge)}})
	}
	if kind.Name == port.ModelAlias {
		routes = append(routes, route{path: list + key + "/history", endpoints: map[string]endpoint{http.MethodGet: of(h.history)}})
	}
	return routes
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	at, names, err := h.find(r)
	if err != nil {
		return err
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	do, ok := at.endpoints[method]
	if !ok {
		methods := slices.Collect(maps.Keys(at.endpoints))
		if slices.Contains(methods, http.MethodGet) {
			methods = append(methods, http.MethodHead)
		}
		slices.Sort(methods)
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		return &port.Error{Code: codeMethodNotAllowed, Detail: fmt.Sprintf("%s is not possible on %s, only %s.", quote(r.Method), quote(r.URL.Path), allowed)}
	}
	media := at.media
	if media == "" {
		media = mediaJSON
	}
	if given := r.Header.Values("Accept"); !accepts(given, media) {
		return &port.Error{Code: codeNotAcceptable, Detail: fmt.Sprintf("The answer would be %s, and the request accepts only %s.", media, quote(strings.Join(given, ", ")))}
	}
	return do(w, r, names)
}

// find looks the address up as it was escaped, so that an escaped slash stays
// inside its name. It does not use http.ServeMux, which cleans and redirects.
func (h *handler) find(r *http.Request) (route, []string, error) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for _, candidate := range h.table {
		names, ok := match(strings.Split(candidate.path, "/"), segments)
		if !ok {
			continue
		}
		for i, name := range names {
			unescaped, err := url.PathUnescape(name)
			if err != nil || unescaped == "" || strings.Contains(unescaped, "/") {
				return route{}, nil, badName(r)
			}
			names[i] = unescaped
		}
		return candidate, names, nil
	}
	return route{}, nil, unknown(r, segments)
}

// match holds the segments of an address against those of a route's path, and
// returns the ones that stand where the path has {name}.
func match(path, segments []string) (names []string, ok bool) {
	if len(path) != len(segments) {
		return nil, false
	}
	for i, segment := range segments {
		switch {
		case strings.HasPrefix(path[i], "{"):
			names = append(names, segment)
		case path[i] != segment:
			return nil, false
		}
	}
	return names, true
}

func badName(r *http.Request) error {
	return invalid("The path %s has a name that is empty, has a slash in it or is escaped wrongly. Escape each name by itself.", quote(r.URL.Path))
}

// unknown says what is wrong with an address that no route has.
func unknown(r *http.Request, segments []string) error {
	if len(segments) < 3 || segments[1] != "v1" || segments[2] == "" {
		return &port.Error{Code: codeUnknownRoute, Detail: fmt.Sprintf("There is nothing at %s. The API is under /v1/; is the endpoint right?", quote(r.URL.Path))}
	}
	names := make([]string, 0, len(segments))
	for _, segment := range segments[2:] {
		name, err := url.PathUnescape(segment)
		if err != nil || name == "" || strings.Contains(name, "/") {
			return badName(r)
		}
		names = append(names, name)
	}
	if err := CheckRef(port.Ref{Kind: names[0], ID: strings.Join(names[1:], "/")}); err != nil {
		return err
	}
	return &port.Error{Code: codeUnknownRoute, Detail: fmt.Sprintf("There is nothing at %s.", quote(r.URL.Path))}
}

// accepts reports whether the header Accept, as it was given, lets an answer be of
// a media type (RFC 9110, section 12.5.1). The most specific range counts.
func accepts(given []string, media string) bool {
	if len(given) == 0 {
		return true
	}
	family, _, _ := strings.Cut(media, "/")
	best, quality := -1, 0.0
	for part := range strings.SplitSeq(strings.Join(given, ","), ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := slices.Index([]string{"*/*", family + "/*", media}, name)
		q, err := strconv.ParseFloat(parameters["q"], 64)
		if parameters["q"] == "" || err != nil {
			q = 1
		}
		if specific > best || specific == best && q > quality {
			best, quality = specific, q
		}
	}
	return best >= 0 && quality > 0
}
