package relational

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

// What is read, by statement. Each costs what it returns, however much there is:
// TestReadsCostWhatTheyReturn of each engine.
const (
	selectObject    = `SELECT ` + columns + ` FROM objects WHERE kind = $1 AND id = $2`
	selectPage      = `SELECT ` + columns + ` FROM objects WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3`
	selectModelPage = `SELECT ` + columns + ` FROM objects WHERE model = $1 AND model <> '' AND kind = $2 AND id > $3 ORDER BY id LIMIT $4`
	selectChildren  = `SELECT kind, id FROM objects WHERE model = $1 AND model <> '' ORDER BY kind, id LIMIT $2`
	selectEntries   = `SELECT seq, at, action, kind, id, uid, generation, actor, address, request_id, from_etag, to_etag, code FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`
	selectEvents    = `SELECT seq, at, action, kind, id, uid, generation, actor, address, request_id, from_etag, to_etag, code FROM events WHERE seq > $1 AND code = '' AND kind <> 'token' ORDER BY seq LIMIT $2`
	selectAnswer    = `SELECT request, answer FROM idempotency WHERE key = $1 AND expires_at > $2`
	deleteAnswers   = `DELETE FROM idempotency WHERE expires_at <= $1`
	deleteAdditions = `DELETE FROM unacknowledged WHERE at <= $1`
)

// Reads has the statements that read, and those that look for what is old, by what they
// are after: for tests of engines, which hold the cost of each against what it returns.
func Reads() map[string]string {
	return map[string]string{
		"an object": selectObject, "a page of objects": selectPage, "a page of a model's objects": selectModelPage, "a model's children": selectChildren,
		"a page of events": selectEvents, "a page of the audit log": selectEntries, "an answer to a key": selectAnswer, "the answers that are old": deleteAnswers,
		"the additions that are old": deleteAdditions,
		"a token":                    selectToken, "a token by its hash": selectTokenByHash, "a page of tokens": selectTokenPage, "a minter's tokens": countMinted, "the tokens that have expired": deleteExpired,
	}
}

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
	o, err := scan(q.QueryRowContext(ctx, selectObject, ref.Kind, ref.ID))
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
	o, err := find(ctx, f.Read, ref)
	if err != nil {
		return port.Object{}, s.classify(err)
	}
	if o == nil {
		return port.Object{}, port.NotFound(ref)
	}
	return *o, nil
}

// list returns the objects of a kind by id, or those that belong to a model.
func (s *Store) list(ctx context.Context, kind, model string, page port.PageRequest) (port.Page, error) {
	after, err := base64.RawURLEncoding.DecodeString(page.Token)
	if err != nil {
		return port.Page{}, foreignPage(page)
	}
	size := min(max(page.Size, 1), port.MaxPageSize)
	f, err := s.forReading(ctx)
	if err != nil || f == nil {
		return port.Page{}, err
	}
	// One more than asked for tells whether there is another page.
	query, arguments := selectPage, []any{kind, string(after), size + 1}
	if model != "" {
		query, arguments = selectModelPage, append([]any{model}, arguments...)
	}
	reading, giveUp := context.WithCancel(ctx)
	defer giveUp()
	rows, err := f.Read.QueryContext(reading, query, arguments...)
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
			if n < size {
				giveUp() // or a server would send the rest of what was asked for
			}
			return out, nil
		}
		out.Objects = append(out.Objects, *o)
	}
	return out, s.classify(rows.Err())
}

func (s *Store) put(ctx context.Context, w port.Write) (port.Object, error) {
	var out port.Object
	err := s.transact(ctx, func(tx *sql.Tx, now time.Time) (err error) {
		out, err = once(ctx, tx, now, w.Once, func() (port.Object, error) { return putIn(ctx, tx, now, w) })
		return err
	})
	return out, err
}

func putIn(ctx context.Context, tx *sql.Tx, now time.Time, w port.Write) (port.Object, error) {
	current, err := find(ctx, tx, w.Ref)
	if err != nil {
		return port.Object{}, err
	}
	if err := w.If.Check(w.Ref, current); err != nil {
		return port.Object{}, err
	}
	if w.Model != "" && !w.ModelElsewhere {
		if err := needModel(ctx, tx, w.Ref, w.Model); err != nil {
			return port.Object{}, err
		}
	}
	target := ""
	if w.Version > 0 {
		target = port.VersionID(w.Model, w.Version)
		if err := move(ctx, tx, now, w, current != nil); err != nil {
			return port.Object{}, err
		}
	}
	out := port.Object{Ref: w.Ref, UID: uuid.NewString(), Generation: 1, CreatedAt: now, UpdatedAt: now, Attributes: w.Attributes}
	action, from := port.Created, ""
	if current != nil {
		from = current.ETag
		out.UID, out.Generation, out.CreatedAt = current.UID, current.Generation+1, current.CreatedAt
		action = port.Updated
	}
	out.ETag = etag(out.UID, out.Generation)
	if err := keepSecrets(ctx, tx, w); err != nil {
		return port.Object{}, err
	}
	return out, store(ctx, tx, now, action, out, from, w.Model, target)
}

// store writes an object and its event.
func store(ctx context.Context, tx *sql.Tx, now time.Time, action string, o port.Object, from, model, target string) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO objects (kind, id, model, target, uid, generation, created_at, updated_at, attributes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, target = excluded.target, generation = excluded.generation, updated_at = excluded.updated_at, attributes = excluded.attributes`,
		o.Kind, o.ID, model, target, o.UID, o.Generation, now.UnixMilli(), now.UnixMilli(), string(o.Attributes)); err != nil {
		return err
	}
	return record(ctx, tx, action, o, from, o.ETag, now)
}

func needModel(ctx context.Context, tx *sql.Tx, ref port.Ref, name string) error {
	model, err := find(ctx, tx, port.Ref{Kind: port.RegisteredModel, ID: name})
	if err == nil && model == nil {
		return port.ModelMissing(ref, name)
	}
	return err
}

func (s *Store) delete(ctx context.Context, d port.Delete) (port.Object, error) {
	// Deleting from a store that is not there must not make one.
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
			if err := disband(ctx, tx, now, d); err != nil {
				return err
			}
		}
		if err := keepSecrets(ctx, tx, port.Write{Ref: d.Ref}); err != nil {
			return err
		}
		out = *current
		return remove(ctx, tx, now, out)
	})
	return out, err
}

func children(ctx context.Context, q rowsQuerier, model string) ([]port.Ref, error) {
	return refs(ctx, q, selectChildren, model, port.MaxPageSize)
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// refs reads names of objects: a query for kind and id.
func refs(ctx context.Context, q rowsQuerier, query string, arguments ...any) ([]port.Ref, error) {
	rows, err := q.QueryContext(ctx, query, arguments...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []port.Ref
	for rows.Next() {
		var ref port.Ref
		if err := rows.Scan(&ref.Kind, &ref.ID); err != nil {
			return nil, err
		}
		out = append(out, ref)
	}
	return out, rows.Err()
}
