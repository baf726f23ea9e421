package port

import (
	"context"
	"fmt"
	"time"
)

// TokenKind is what the audit log calls a token that the control plane minted.
const TokenKind = "token"

// MaxMinted is the most tokens of one minter that live at the same time.
const MaxMinted = 1000

// Token is a bearer token that the control plane minted for a short time. Nobody but
// its holder has the token itself.
type Token struct {
	// ID is a random UUID. It is no secret.
	ID string
	// Name is the name of the token that it was minted with, a slash, and a name of
	// its own.
	Name string
	// Role is the name of the most that it allows.
	Role        string
	Description string
	// Minter identifies the token that it was minted with: it works as long as that
	// one does.
	Minter string
	// Salt is random. With it and the token that it was minted with, and not without
	// either, the token can be made again.
	Salt []byte
	// Hash is the SHA-256 hash of the token.
	Hash []byte
	// TTL is how long it works after it was minted, or renewed.
	TTL time.Duration
	// CreatedAt, ExpiresAt and EndsAt have millisecond resolution, in UTC. No renewal
	// goes beyond EndsAt.
	CreatedAt, ExpiresAt, EndsAt time.Time
}

// Ref names the token in the audit log.
func (t Token) Ref() Ref { return Ref{Kind: TokenKind, ID: t.ID} }

// Expired reports whether the token no longer works.
func (t Token) Expired(now time.Time) bool { return !now.Before(t.ExpiresAt) }

// TokenPage is a part of a list of tokens, ordered by id.
type TokenPage struct {
	Tokens []Token
	// Next is the token of the next page, empty on the last one.
	Next string
}

// Tokens keeps the tokens that the control plane minted. What it writes is in the
// audit log, in the write's own transaction, and is no event: readers of events are
// not told who has a token.
type Tokens interface {
	// Mint keeps a token, and forgets those that have expired. Where the key is known,
	// the token of then is the answer, with its id and hash: NOT_FOUND where it is gone.
	// More than [MaxMinted] of one minter are FAILED_PRECONDITION.
	Mint(ctx context.Context, t Token, key Once) (Token, error)
	// TokenByHash returns a token, expired or not, or nil. It does not make a store
	// where there is none.
	TokenByHash(ctx context.Context, hash []byte) (*Token, error)
	// Token returns a token by its id, or NOT_FOUND. One that has expired may be gone.
	Token(ctx context.Context, id string) (Token, error)
	// ListTokens returns the tokens that have not expired, by id.
	ListTokens(ctx context.Context, page PageRequest) (TokenPage, error)
	// Renew moves the expiry of a token, or is NOT_FOUND.
	Renew(ctx context.Context, id string, expires time.Time) (Token, error)
	// Revoke forgets a token, or is NOT_FOUND.
	Revoke(ctx context.Context, id string) error
}

// TooManyTokens says that a minter has minted more than it needs.
func TooManyTokens(name string) *Error {
	return &Error{
		Code: CodeFailedPrecondition,
		Detail: fmt.Sprintf("%d tokens that %s minted have not expired, which is the most. Nothing was minted. "+
			"Revoke those that are done with (DELETE /v1/tokens/{id}), and ask for a shorter ttl.", MaxMinted, name),
	}
}
