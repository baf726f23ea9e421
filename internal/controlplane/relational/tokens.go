package relational

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// layoutTokens keeps the tokens that the control plane minted, by hashes: whoever
// reads the database, or a backup of it, cannot use them.
var layoutTokens = []string{
	`CREATE TABLE tokens (
		id          TEXT    NOT NULL PRIMARY KEY,
		name        TEXT    NOT NULL,
		role        TEXT    NOT NULL,
		description TEXT    NOT NULL,
		minter      TEXT    NOT NULL, -- identifies the token it was minted with
		salt        BLOB    NOT NULL, -- what the token is made of, together with its minter
		hash        BLOB    NOT NULL, -- SHA-256 of the token
		ttl         INTEGER NOT NULL, -- milliseconds
		created_at  INTEGER NOT NULL,
		expires_at  INTEGER NOT NULL,
		ends_at     INTEGER NOT NULL  -- no renewal goes beyond
	) STRICT, WITHOUT ROWID`,
	`CREATE UNIQUE INDEX tokens_by_hash ON tokens (hash)`,
	`CREATE INDEX tokens_by_expiry ON tokens (expires_at)`,
	`CREATE INDEX tokens_of_minter ON tokens (minter)`,
}

const (
	tokenColumns      = `id, name, role, description, minter, salt, hash, ttl, created_at, expires_at, ends_at`
	selectToken       = `SELECT ` + tokenColumns + ` FROM tokens WHERE id = $1`
	selectTokenByHash = `SELECT ` + tokenColumns + ` FROM tokens WHERE hash = $1`
	selectTokenPage   = `SELECT ` + tokenColumns + ` FROM tokens WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3`
	countMinted       = `SELECT count(*) FROM tokens WHERE minter = $1`
	deleteExpired     = `DELETE FROM tokens WHERE expires_at <= $1`
)

func scanToken(r row) (*port.Token, error) {
	var t port.Token
	var ttl, created, expires, ends int64
	err := r.Scan(&t.ID, &t.Name, &t.Role, &t.Description, &t.Minter, &t.Salt, &t.Hash, &ttl, &created, &expires, &ends)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t.TTL = time.Duration(ttl) * time.Millisecond
	t.CreatedAt, t.ExpiresAt, t.EndsAt = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC(), time.UnixMilli(ends).UTC()
	return &t, nil
}

func (p policies) Mint(ctx context.Context, t port.Token, key port.Once) (port.Token, error) {
	var out port.Token
	err := p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		if _, err := tx.ExecContext(ctx, deleteExpired, now.UnixMilli()); err != nil {
			return err
		}
		// What is remembered is which token was made: the answer had more in it.
		made, err := once(ctx, tx, now, key, func() (port.Object, error) {
			return port.Object{Ref: t.Ref()}, mintIn(ctx, tx, now, t)
		})
		if err != nil {
			return err
		}
		kept, err := scanToken(tx.QueryRowContext(ctx, selectToken, made.ID))
		if err != nil {
			return err
		}
		if kept == nil {
			return port.NotFound(made.Ref)
		}
		out = *kept
		return nil
	})
	return out, err
}

func mintIn(ctx context.Context, tx *sql.Tx, now time.Time, t port.Token) error {
	var minted int
	if err := tx.QueryRowContext(ctx, countMinted, t.Minter).Scan(&minted); err != nil {
		return err
	}
	if minted >= port.MaxMinted {
		name, _, _ := strings.Cut(t.Name, "/")
		return port.TooManyTokens(name)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		t.ID, t.Name, t.Role, t.Description, t.Minter, t.Salt, t.Hash, t.TTL.Milliseconds(), t.CreatedAt.UnixMilli(), t.ExpiresAt.UnixMilli(), t.EndsAt.UnixMilli()); err != nil {
		return err
	}
	return record(ctx, tx, port.Created, port.Object{Ref: t.Ref()}, "", "", now)
}

func (p policies) TokenByHash(ctx context.Context, hash []byte) (*port.Token, error) {
	f, err := p.store.since(ctx, layoutOfTokens)
	if err != nil || f == nil {
		return nil, err
	}
	t, err := scanToken(f.Read.QueryRowContext(ctx, selectTokenByHash, hash))
	return t, p.store.classify(err)
}

func (p policies) Token(ctx context.Context, id string) (port.Token, error) {
	gone := port.NotFound(port.Ref{Kind: port.TokenKind, ID: id})
	f, err := p.store.since(ctx, layoutOfTokens)
	if err != nil {
		return port.Token{}, err
	}
	if f == nil {
		return port.Token{}, gone
	}
	t, err := scanToken(f.Read.QueryRowContext(ctx, selectToken, id))
	if err != nil {
		return port.Token{}, p.store.classify(err)
	}
	if t == nil {
		return port.Token{}, gone
	}
	return *t, nil
}

func (p policies) ListTokens(ctx context.Context, page port.PageRequest) (port.TokenPage, error) {
	after, err := base64.RawURLEncoding.DecodeString(page.Token)
	if err != nil {
		return port.TokenPage{}, foreignPage(page)
	}
	size := min(max(page.Size, 1), port.MaxPageSize)
	f, err := p.store.since(ctx, layoutOfTokens)
	if err != nil || f == nil {
		return port.TokenPage{}, err
	}
	rows, err := f.Read.QueryContext(ctx, selectTokenPage, string(after), p.store.now().UnixMilli(), size+1)
	if err != nil {
		return port.TokenPage{}, p.store.classify(err)
	}
	defer func() { _ = rows.Close() }()
	var out port.TokenPage
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return port.TokenPage{}, p.store.classify(err)
		}
		if n := len(out.Tokens); n == size {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(out.Tokens[n-1].ID))
			break
		}
		out.Tokens = append(out.Tokens, *t)
	}
	return out, p.store.classify(rows.Err())
}

func (p policies) Renew(ctx context.Context, id string, expires time.Time) (port.Token, error) {
	return p.changeToken(ctx, id, port.Updated, `UPDATE tokens SET expires_at = $1 WHERE id = $2`, expires.UnixMilli(), id)
}

func (p policies) Revoke(ctx context.Context, id string) error {
	_, err := p.changeToken(ctx, id, port.Deleted, `DELETE FROM tokens WHERE id = $1`, id)
	return err
}

// changeToken changes a token, and returns what it is then, or was.
func (p policies) changeToken(ctx context.Context, id, action, statement string, arguments ...any) (port.Token, error) {
	// Where there is no token, nothing is to be written, and no store is to be made.
	if _, err := p.Token(ctx, id); err != nil {
		return port.Token{}, err
	}
	var out port.Token
	err := p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		before, err := scanToken(tx.QueryRowContext(ctx, selectToken, id))
		if err != nil {
			return err
		}
		if before == nil {
			return port.NotFound(port.Ref{Kind: port.TokenKind, ID: id})
		}
		if _, err := tx.ExecContext(ctx, statement, arguments...); err != nil {
			return err
		}
		after, err := scanToken(tx.QueryRowContext(ctx, selectToken, id))
		if err != nil {
			return err
		}
		if out = *before; after != nil {
			out = *after
		}
		return record(ctx, tx, action, port.Object{Ref: out.Ref()}, "", "", now)
	})
	return out, err
}

func foreignPage(page port.PageRequest) error {
	return &port.Error{Code: port.CodeInvalidArgument, Detail: fmt.Sprintf("page_token %q is none of this server's. Use next_page_token of the page before.", page.Token)}
}
