package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// maxDescription bounds the description of a token, in characters.
const maxDescription = 256

// tokenRequest is what a caller asks for.
type tokenRequest struct {
	name, description string
	role              token.Role
	ttl               time.Duration
}

// Mint makes a token with the caller's own, which secret is. It allows no more than
// that one, mints none itself, and ends with it at the latest. With an idempotency key, a token
// that was minted is answered again: it is not kept, but made again.
func (s *Service) Mint(ctx context.Context, who identity, secret string, request tokenRequest, key port.Once) (port.Token, string, error) {
	if who.minted != nil {
		return port.Token{}, "", denied("The token %s was minted itself, and such a token mints none. Mint with %s, the token that it was minted with.", who.name, who.entry.Name)
	}
	if !who.role.Allows(request.role) {
		return port.Token{}, "", denied("The token %s has the role %s, and mints no token of the role %s, which allows more. Nothing was minted; ask for %s or less.", who.name, who.role, request.role, who.role)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	salt := token.Salt()
	t := port.Token{
		ID: uuid.NewString(), Name: who.entry.Name + "/" + request.name, Role: request.role.String(), Description: request.description,
		Minter: who.entry.Fingerprint(), Salt: salt, Hash: token.Digest(token.Mint(secret, salt)),
		TTL: request.ttl, CreatedAt: now, EndsAt: earlier(now.Add(token.MaxLife), who.entry.Ends()),
	}
	t.ExpiresAt = earlier(now.Add(t.TTL), t.EndsAt)
	kept, err := s.policies.Mint(ctx, t, key)
	if port.CodeOf(err) == port.CodeNotFound {
		return port.Token{}, "", &port.Error{Code: port.CodeFailedPrecondition, Err: err, Detail: "The token that was minted with this Idempotency-Key has expired or was revoked. Nothing was minted; make a new key."}
	}
	if err != nil {
		return port.Token{}, "", err
	}
	made := token.Mint(secret, kept.Salt)
	if !token.SameDigest(token.Digest(made), kept.Hash) {
		return port.Token{}, "", port.KeyReused(key) // by another token of this name
	}
	return kept, made, nil
}

// earlier is the first of two moments; the zero time is never.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// RenewToken has a token work for its ttl from now on, as far as any token does.
func (s *Service) RenewToken(ctx context.Context, who identity, id string) (port.Token, error) {
	t, err := s.liveToken(ctx, id)
	if err != nil {
		return port.Token{}, err
	}
	if !who.mayEnd(t) || who.minted != nil && !who.role.Allows(token.Admin) {
		return port.Token{}, denied("The token %s renews only what it has minted itself; %s did not come from it. An admin may renew any.", who.name, t.Name)
	}
	return s.policies.Renew(ctx, id, earlier(time.Now().UTC().Truncate(time.Millisecond).Add(t.TTL), t.EndsAt))
}

// RevokeToken ends a token at once.
func (s *Service) RevokeToken(ctx context.Context, who identity, id string) error {
	t, err := s.policies.Token(ctx, id)
	if err != nil {
		return err
	}
	if !who.mayEnd(t) {
		return denied("The token %s revokes only itself and what it has minted; %s did not come from it. An admin may revoke any.", who.name, t.Name)
	}
	return s.policies.Revoke(ctx, id)
}

func (s *Service) liveToken(ctx context.Context, id string) (port.Token, error) {
	t, err := s.policies.Token(ctx, id)
	if err == nil && t.Expired(time.Now()) {
		err = port.NotFound(t.Ref())
	}
	return t, err
}

// mayEnd reports whether a token is the caller's to end: its own, one that it has
// minted, or any for an admin.
func (who identity) mayEnd(t port.Token) bool {
	switch {
	case who.role.Allows(token.Admin):
		return true
	case who.minted != nil:
		return who.minted.ID == t.ID
	}
	return who.entry.Fingerprint() == t.Minter
}

func denied(format string, args ...any) error {
	return &port.Error{Code: codePermissionDenied, Detail: fmt.Sprintf(format, args...)}
}

// tokenShown is a token as the API shows it.
type tokenShown struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Role        string    `json:"role"`
	Description string    `json:"description,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	// EndsAt is the moment that no renewal goes beyond.
	EndsAt time.Time `json:"ends_at"`
	// Token is there only where it was just minted.
	Token string `json:"token,omitempty"`
}

func showToken(t port.Token, secret string) tokenShown {
	return tokenShown{t.ID, t.Name, t.Role, t.Description, t.CreatedAt, t.ExpiresAt, t.EndsAt, secret}
}

// identified is the caller, where there are tokens at all.
func identified(r *http.Request) (identity, error) {
	if who, ok := identityIn(r.Context()); ok {
		return who, nil
	}
	return identity{}, &port.Error{Code: port.CodeFailedPrecondition, Detail: "This control plane has no tokens: it is embedded in the provider, or was started without --token-file, and lets in its own machine only. " +
		"Run `mlopsctl serve --token-file FILE` and set the provider's endpoint and token, or do without a token."}
}

func (h *handler) mint(w http.ResponseWriter, r *http.Request, _ []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	request, body, err := readTokenRequest(w, r)
	if err != nil {
		return err
	}
	who, err := identified(r)
	if err != nil {
		return err
	}
	t, secret, err := h.service.Mint(by(r), who, bearer(r), request, key.of(body))
	if err != nil {
		return err
	}
	writeJSON(w, mediaJSON, http.StatusCreated, showToken(t, secret))
	return nil
}

func (h *handler) tokens(w http.ResponseWriter, r *http.Request, _ []string) error {
	query, err := parameters(r, "page_size", "page_token")
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	page, err := h.service.policies.ListTokens(r.Context(), port.PageRequest{Size: size, Token: query.Get("page_token")})
	if err != nil {
		return err
	}
	items := make([]tokenShown, len(page.Tokens))
	for i, t := range page.Tokens {
		items[i] = showToken(t, "")
	}
	writeOK(w, struct {
		Items []tokenShown `json:"items"`
		Next  string       `json:"next_page_token,omitempty"`
	}{items, page.Next})
	return nil
}

func (h *handler) renew(w http.ResponseWriter, r *http.Request, names []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	who, err := identified(r)
	if err != nil {
		return err
	}
	t, err := h.service.RenewToken(by(r), who, names[0])
	if err != nil {
		return err
	}
	writeOK(w, showToken(t, ""))
	return nil
}

func (h *handler) revoke(w http.ResponseWriter, r *http.Request, names []string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	who, err := identified(r)
	if err != nil {
		return err
	}
	if err := h.service.RevokeToken(by(r), who, names[0]); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readTokenRequest reads the body of a request for a token, and returns it also as
// what an idempotency key stands for.
func readTokenRequest(w http.ResponseWriter, r *http.Request) (tokenRequest, []byte, error) {
	members, err := readObject(w, r)
	if err != nil {
		return tokenRequest{}, nil, err
	}
	known := []string{"name", "role", "ttl", "description"}
	given := map[string]string{"ttl": spec.Duration(token.DefaultTTL).String()}
	for name, value := range members {
		var text *string
		if !slices.Contains(known, name) {
			return tokenRequest{}, nil, invalid("The body has a member %s; it has only %s.", quote(name), strings.Join(known, ", "))
		}
		if json.Unmarshal(value, &text) != nil || text == nil {
			return tokenRequest{}, nil, invalid("%q must be a string.", name)
		}
		given[name] = *text
	}
	for _, name := range known[:2] {
		if _, ok := given[name]; !ok {
			return tokenRequest{}, nil, invalid("The body must be an object with the members \"name\" and \"role\", and may have \"ttl\" and \"description\".")
		}
	}
	out := tokenRequest{name: given["name"], description: given["description"]}
	var violations []port.Violation
	wrong := func(path, fix, format string, args ...any) {
		violations = append(violations, port.Violation{Path: path, Detail: fmt.Sprintf(format, args...), Fix: fix})
	}
	if err := token.CheckName(out.name); err != nil {
		wrong("name", "Use letters, digits and dashes, for instance nightly-plan.", "%v", err)
	}
	if out.role, err = token.ParseRole(given["role"]); err != nil {
		wrong("role", "Use read, plan, apply or admin.", "%v", err)
	}
	ttl, err := spec.ParseDuration(given["ttl"])
	out.ttl = time.Duration(ttl)
	if err != nil || out.ttl < token.MinTTL || out.ttl > token.MaxTTL {
		wrong("ttl", `Write, for instance, "15m".`, "%s is no duration from 1m to 1d", quote(given["ttl"]))
	}
	if utf8.RuneCountInString(out.description) > maxDescription || strings.ContainsFunc(out.description, unicode.IsControl) {
		wrong("description", "Shorten it to one line.", "a description has up to %d characters, and no control characters", maxDescription)
	}
	if len(violations) > 0 {
		return tokenRequest{}, nil, &port.Error{Code: port.CodeInvalidArgument, Violations: violations, Detail: fmt.Sprintf("No token can be minted so: %s.", violations[0].Detail)}
	}
	body, err := json.Marshal(given)
	return out, body, err
}
