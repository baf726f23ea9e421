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

// identity is who the caller is, by the token of the request.
type identity struct {
	name string
	role token.Role
	// entry is of the file: the caller's token, or the one that it was minted with.
	entry token.Entry
	// minted is the caller's token where the control plane minted it.
	minted *port.Token
}

// door knows who may come in: the tokens of the file, and those minted with them.
type door struct {
	file   *watched[token.Set]
	minted port.Tokens
	log    *slog.Logger
	now    func() time.Time
}

// authenticated lets in who has a token. Only the health checks need none.
func authenticated(next http.Handler, d door) http.Handler {
	failures := newLimiter(failuresPerSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := port.CallerOf(r.Context())
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		who, err := d.identify(r)
		if err != nil {
			if port.CodeOf(err) == codeUnauthenticated {
				if tooMany := failures.check(addressKey(caller.Address)); tooMany != nil {
					err = tooMany
				}
			}
			writeProblem(w, err)
			return
		}
		caller.Name = who.name
		if recorder, ok := w.(*statusRecorder); ok {
			recorder.actor = who.name
		}
		next.ServeHTTP(w, r.WithContext(withIdentity(port.WithCaller(r.Context(), caller), who)))
	})
}

func isHealth(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// bearer is the token of a request, or empty.
func bearer(r *http.Request) string {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

func (d door) identify(r *http.Request) (identity, error) {
	secret, tokens, now := bearer(r), d.file.get(), d.now()
	if entry, ok := tokens.Find(secret); ok {
		if entry.Expired(now) {
			return identity{}, unauthenticated("The token %s expired at the end of %s. Ask for a new one: `mlopsctl token create` makes it.", entry.Name, token.Day(entry.Expires))
		}
		return identity{name: entry.Name, role: entry.Role, entry: entry}, nil
	}
	var minted *port.Token
	if token.MayBeMinted(secret) {
		var err error
		if minted, err = d.minted.TokenByHash(r.Context(), token.Digest(secret)); err != nil {
			// The answer is a stranger's: it names no path.
			d.log.ErrorContext(r.Context(), "the store does not say whose token it is", "request_id", port.CallerOf(r.Context()).RequestID, "error", err)
			return identity{}, &port.Error{Code: port.CodeUnavailable, Detail: "The store cannot say whose token this is; the control plane's log says why.", RetryAfter: 5 * time.Second}
		}
	}
	if minted == nil {
		return identity{}, unauthenticated("The control plane wants a bearer token, and this is none of its own. Set `token` in the provider's configuration, or MLOPS_TOKEN.")
	}
	entry, there := tokens.FindFingerprint(minted.Minter)
	role, err := token.ParseRole(minted.Role)
	switch {
	case minted.Expired(now):
		return identity{}, unauthenticated("The token %s expired at %s. Mint another one, for longer or renewed in time.", minted.Name, minted.ExpiresAt.Format(time.RFC3339))
	case !there || entry.Expired(now):
		return identity{}, unauthenticated("The token %s ended with the one that it was minted with. Mint another one, with a token that works.", minted.Name)
	case err != nil:
		return identity{}, unauthenticated("The token %s has a role that this release does not know: %v.", minted.Name, err)
	}
	return identity{name: minted.Name, role: min(role, entry.Role), entry: entry, minted: minted}, nil
}

func unauthenticated(format string, args ...any) error {
	return &port.Error{Code: codeUnauthenticated, Detail: fmt.Sprintf(format, args...)}
}

// authorized holds each request against the caller's role.
func authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		who, _ := identityIn(r.Context())
		if needed := neededFor(r); !who.role.Allows(needed) {
			writeProblem(w, &port.Error{Code: codePermissionDenied, Detail: fmt.Sprintf(
				"The token %s has the role %s, and %s %s needs %s. Nothing was done; use a token of that role.",
				who.name, who.role, quote(r.Method), quote(r.URL.Path), needed)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

type identityKey struct{}

func withIdentity(ctx context.Context, who identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// identityIn is who asks; false where there are no tokens.
func identityIn(ctx context.Context) (identity, bool) {
	who, ok := ctx.Value(identityKey{}).(identity)
	return who, ok
}

// neededFor is the least role that a request needs. Reading is everybody's. What
// `terraform plan` sends are reads and, for ephemeral resources, tokens that it mints
// and revokes, which give nobody more than he has.
func neededFor(r *http.Request) token.Role {
	path := r.URL.EscapedPath()
	switch {
	case path == "/v1/audit", path == "/v1/tokens" && isRead(r):
		return token.Admin
	case r.Method == http.MethodPost && isTokens(path):
		return token.Plan
	case r.Method == http.MethodDelete && isTokens(path): // one that was minted gives itself back
		return token.Read
	case isRead(r):
		return token.Read
	}
	return token.Apply
}

func isTokens(path string) bool {
	return path == "/v1/tokens" || strings.HasPrefix(path, "/v1/tokens/")
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
