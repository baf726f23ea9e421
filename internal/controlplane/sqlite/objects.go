package sqlite

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// maxPageBytes ends a page early when its documents are large, so that no
// answer outgrows memory.
const maxPageBytes = 16 << 20

const columns = `kind, id, uid, generation, created_at, updated_at, attributes`

type row interface{ Scan(dest ...any) error }

func scan(r row) (*port.Object, error) {
	var o port.Object
	var created, updated int64
	var attributes []byte
	if err := r.Scan(&o.Kind, &o.ID, &o.UID, &o.Generation, &created, &updated, &attributes); err != nil {
		return nil, err
	}
	o.CreatedAt, o.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	o.Attributes = json.RawMessage(attributes)
	o.ETag = etag(o.UID, o.Generation)
	return &o, nil
}

// etag is the revision: each write of an object has a generation of its own,
// and each object of a name a uid of its own.
func etag(uid string, generation int64) string { return fmt.Sprintf(`"%s.%d"`, uid, generation) }

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// find returns the current object, or nil.
func find(ctx context.Context, q querier, ref port.Ref) (*port.Object, error) {
	o, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM objects WHERE kind = ? AND id = ?`, ref.Kind, ref.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return o, err
}

func (s *Store) get(ctx context.Context, ref port.Ref) (port.Object, error) {
	f, err := s.forReading(ctx)
	if err != nil {
		return port.Object{}, err
	}
	if f == nil {
		return port.Object{}, port.NotFound(ref)
	}
	o, err := find(ctx, f.read, ref)
	if err != nil {
		return port.Object{}, s.classify(err)
	}
	if o == nil {
		return port.Object{}, port.NotFound(ref)
	}
	return *o, nil
}

func (s *Store) list(ctx context.Context, kind string, page port.PageRequest) (port.Page, error) {
	after, err := base64.RawURLEncoding.DecodeString(page.Token)
	if err != nil {
		return port.Page{}, &port.Error{Code: port.CodeInvalidArgument, Detail: fmt.Sprintf("page_token %q is none of this server's. Use next_page_token of the page before.", page.Token)}
	}
	size := min(max(page.Size, 1), port.MaxPageSize)
	f, err := s.forReading(ctx)
	if err != nil || f == nil {
		return port.Page{}, err
	}
	// One more than asked for tells whether there is another page.
	rows, err := f.read.QueryContext(ctx, `SELECT `+columns+` FROM objects WHERE kind = ? AND id > ? ORDER BY id LIMIT ?`, kind, string(after), size+1)
	if err != nil {
		return port.Page{}, s.classify(err)
	}
	defer func() { _ = rows.Close() }()
	var out port.Page
	for bytes := 0; rows.Next(); {
		o, err := scan(rows)
		if err != nil {
			return port.Page{}, s.classify(err)
		}
		bytes += len(o.Attributes)
		if n := len(out.Objects); n == size || n > 0 && bytes > maxPageBytes {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(out.Objects[n-1].ID))
			break
		}
		out.Objects = append(out.Objects, *o)
	}
	return out, s.classify(rows.Err())
}

func (s *Store) put(ctx context.Context, w port.Write) (port.Object, error) {
	var out port.Object
	err := s.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		current, err := find(ctx, tx, w.Ref)
		if err != nil {
			return err
		}
		if err := w.If.Check(w.Ref, current); err != nil {
			return err
		}
		if w.Model != "" && !w.ModelElsewhere {
			model, err := find(ctx, tx, port.Ref{Kind: port.RegisteredModel, ID: w.Model})
			if err != nil {
				return err
			}
			if model == nil {
				return port.ModelMissing(w.Ref, w.Model)
			}
		}
		out = port.Object{Ref: w.Ref, UID: uuid.NewString(), Generation: 1, CreatedAt: now, UpdatedAt: now, Attributes: w.Attributes}
		action := port.Created
		if current != nil {
			out.UID, out.Generation, out.CreatedAt = current.UID, current.Generation+1, current.CreatedAt
			action = port.Updated
		}
		out.ETag = etag(out.UID, out.Generation)
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO objects (kind, id, model, uid, generation, created_at, updated_at, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, generation = excluded.generation, updated_at = excluded.updated_at, attributes = excluded.attributes`,
			w.Kind, w.ID, w.Model, out.UID, out.Generation, now.UnixMilli(), now.UnixMilli(), string(w.Attributes)); err != nil {
			return err
		}
		if err := keepSecrets(ctx, tx, w); err != nil {
			return err
		}
		return record(ctx, tx, action, out, now)
	})
	return out, err
}

func (s *Store) delete(ctx context.Context, d port.Delete) (port.Object, error) {
	// Deleting from a file that is not there must not make one.
	f, err := s.forReading(ctx)
	if err != nil {
		return port.Object{}, err
	}
	if f == nil {
		return port.Object{}, port.NotFound(d.Ref)
	}
	var out port.Object
	err = s.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		current, err := find(ctx, tx, d.Ref)
		if err != nil {
			return err
		}
		if err := d.If.Check(d.Ref, current); err != nil {
			return err
		}
		if d.Kind == port.RegisteredModel {
			blocking, err := children(ctx, tx, d.ID)
			if err != nil {
				return err
			}
			if len(blocking) > 0 {
				return port.HasChildren(d.ID, blocking)
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM objects WHERE kind = ? AND id = ?`, d.Kind, d.ID); err != nil {
			return err
		}
		if err := keepSecrets(ctx, tx, port.Write{Ref: d.Ref}); err != nil {
			return err
		}
		out = *current
		return record(ctx, tx, port.Deleted, out, now)
	})
	return out, err
}

func children(ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, model string) ([]port.Ref, error) {
	rows, err := q.QueryContext(ctx, `SELECT kind, id FROM objects WHERE model = ? AND model <> '' ORDER BY kind, id LIMIT ?`, model, port.MaxPageSize)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var refs []port.Ref
	for rows.Next() {
		var ref port.Ref
		if err := rows.Scan(&ref.Kind, &ref.ID); err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, rows.Err()
}

func record(ctx context.Context, tx *sql.Tx, action string, o port.Object, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO events (at, action, kind, id, uid, generation) VALUES (?, ?, ?, ?, ?, ?)`,
		now.UnixMilli(), action, o.Kind, o.ID, o.UID, o.Generation)
	return err
}
