package relational

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// once carries out a write that makes an object, and remembers the object under
// the key in the same transaction; where the key is known, it returns the object
// of then instead. The zero key remembers nothing. Since there is one writer at
// a time, of two requests with one key the second waits for the first.
func once(ctx context.Context, tx *sql.Tx, now time.Time, key port.Once, write func() (port.Object, error)) (port.Object, error) {
	if key == (port.Once{}) {
		return write()
	}
	if known, err := recall(ctx, tx, now, key); err != nil || known != nil {
		return deref(known), err
	}
	out, err := write()
	if err != nil {
		return port.Object{}, err
	}
	return out, remember(ctx, tx, now, key, out)
}

func deref(o *port.Object) port.Object {
	if o == nil {
		return port.Object{}
	}
	return *o
}

// recall returns what was answered to the key, or nil.
func recall(ctx context.Context, tx *sql.Tx, now time.Time, key port.Once) (*port.Object, error) {
	var request, answer string
	err := tx.QueryRowContext(ctx, selectAnswer, key.Key, now.UnixMilli()).Scan(&request, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case request != key.Request:
		return nil, port.KeyReused(key)
	}
	var out port.Object
	return &out, json.Unmarshal([]byte(answer), &out)
}

// remember keeps an answer for [port.OnceFor], and forgets those that are older.
func remember(ctx context.Context, tx *sql.Tx, now time.Time, key port.Once, answer port.Object) error {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false) // attributes stay as they are
	if err := encoder.Encode(answer); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, deleteAnswers, now.UnixMilli()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO idempotency (key, request, answer, expires_at) VALUES ($1, $2, $3, $4)`,
		key.Key, key.Request, document.String(), now.Add(port.OnceFor).UnixMilli())
	return err
}
