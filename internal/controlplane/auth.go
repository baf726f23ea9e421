package controlplane

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// failuresPerSecond is how often one address may come with a wrong token. Tokens
// cannot be guessed at any rate; the log and the processor are what this saves.
const failuresPerSecond = 10

// authenticated lets in who has a token. Only the health checks need none.
func authenticated(next http.Handler, tokens *watched[token.Set], now func() time.Time) http.Handler {
	failures := newLimiter(failuresPerSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := port.CallerOf(r.Context())
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		entry, err := identify(r, tokens.get(), now())
		if err != nil {
			if tooMany := failures.check(addressKey(caller.Address)); tooMany != nil {
				err = tooMany
			}
			writeProblem(w, err)
			return
		}
		caller.Name = entry.Name
		if recorder, ok := w.(*statusRecorder); ok {
			recorder.actor = entry.Name
		}
		next.ServeHTTP(w, r.WithContext(withRole(port.WithCaller(r.Context(), caller), entry.Role)))
	})
}

func isHealth(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

func identify(r *http.Request, tokens token.Set, now time.Time) (token.Entry, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	entry, ok := tokens.Find(strings.TrimSpace(secret))
	switch {
	case !ok || !strings.EqualFold(scheme, "Bearer"):
		return token.Entry{}, &port.Error{Code: codeUnauthenticated, Detail: "The control plane wants a bearer token, and this is none of its own. Set `token` in the provider's configuration, or MLOPS_TOKEN."}
	case entry.Expired(now):
		return token.Entry{}, &port.Error{Code: codeUnauthenticated, Detail: fmt.Sprintf("The token %s expired at the end of %s. Ask for a new one: `mlopsctl token create` makes it.", entry.Name, token.Day(entry.Expires))}
	}
	return entry, nil
}

// authorized holds each request against the caller's role.
func authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		if role, needed := roleIn(r.Context()), neededFor(r); !role.Allows(needed) {
			writeProblem(w, &port.Error{Code: codePermissionDenied, Detail: fmt.Sprintf(
				"The token %s has the role %s, and %s %s needs %s. Nothing was done; use a token of that role.",
				port.CallerOf(r.Context()).Name, role, quote(r.Method), quote(r.URL.Path), needed)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

type roleKey struct{}

func withRole(ctx context.Context, role token.Role) context.Context {
	return context.WithValue(ctx, roleKey{}, role)
}

func roleIn(ctx context.Context) token.Role {
	role, _ := ctx.Value(roleKey{}).(token.Role)
	return role
}

// neededFor is the least role that a request needs. Reading is everybody's: what
// `terraform plan` sends are reads, and so plan needs no more today.
func neededFor(r *http.Request) token.Role {
	switch {
	case r.URL.EscapedPath() == "/v1/audit":
		return token.Admin
	case isRead(r):
		return token.Read
	}
	return token.Apply
}

// loopbackOnly is for a server without tokens, to which only this machine can
// connect: it lets in who addresses this machine by a name of its own, so that a
// web page that had its own name point here cannot speak to the control plane.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopbackName(r.Host) {
			writeProblem(w, &port.Error{Code: codeUnauthenticated, Detail: "This control plane has no token and serves its own machine only: address it as localhost or 127.0.0.1."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// watchTokens reads a token file; one without tokens would let nobody in.
func watchTokens(path string, log *slog.Logger) (*watched[token.Set], error) {
	tokens, err := watch("tokens", []string{path}, func() (token.Set, error) { return token.Load(path) }, log)
	if err == nil && len(tokens.value.Entries()) == 0 {
		err = fmt.Errorf("%s has no token, so nobody could use the server: `mlopsctl token create --name ci --role apply --token-file %s` makes one", path, path)
	}
	return tokens, err
}
