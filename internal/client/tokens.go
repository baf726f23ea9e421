package client

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"
)

// TokenRequest says which token to mint.
type TokenRequest struct {
	// Name is what it is for.
	Name string `json:"name"`
	// Role is read, plan, apply or admin, and no more than the client's own.
	Role string `json:"role"`
	// TTL is how long it works, as 15m; empty is the control plane's choice.
	TTL         string `json:"ttl,omitempty"`
	Description string `json:"description,omitempty"`
}

// Token is a token that the control plane minted.
type Token struct {
	// ID names it, and is no secret.
	ID string `json:"id"`
	// Name is the name of the client's token, a slash, and the one that was asked for.
	Name string `json:"name"`
	Role string `json:"role"`
	// ExpiresAt moves with each renewal, up to EndsAt.
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	EndsAt    time.Time `json:"ends_at"`
	// Token is the bearer token, only where it was just minted.
	Token string `json:"token"`
}

// MintToken makes a token with the client's own, which it allows no more than and does
// not outlive.
func (c *Client) MintToken(ctx context.Context, request TokenRequest) (*Token, error) {
	t, err := tokenOf(c.do(ctx, http.MethodPost, "/v1/tokens", http.Header{"Idempotency-Key": {rand.Text()}}, request))
	if err == nil && t.Token == "" {
		err = errNoToken(http.StatusCreated)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// RenewToken has a token work for its ttl from now on. [IsNotFound] tells that it has
// expired or was revoked.
func (c *Client) RenewToken(ctx context.Context, id string) (*Token, error) {
	return tokenOf(c.do(ctx, http.MethodPost, "/v1/tokens/"+url.PathEscape(id)+"/renew", nil, nil))
}

// RevokeToken ends a token. It is no error where it has ended already.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	if _, err := c.do(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil); !IsNotFound(err) {
		return err
	}
	return nil
}

func tokenOf(a *answer, err error) (*Token, error) {
	if err != nil {
		return nil, err
	}
	var t Token
	if err := decode(a, &t); err != nil {
		return nil, err
	}
	if t.ID == "" || t.ExpiresAt.IsZero() {
		return nil, errNoToken(a.status)
	}
	return &t, nil
}

func errNoToken(status int) error {
	return &Error{Status: status, Detail: "The answer is not the control plane's: it is no token. Is the endpoint right?"}
}
