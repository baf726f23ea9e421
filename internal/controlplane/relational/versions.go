package relational

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// add makes an object with the next number of its model. The counter outlives what
// it counted, so that a number means one thing for good.
func (s *Store) add(ctx context.Context, a port.Addition) (port.Object, error) {
	var out port.Object
	err := s.transact(ctx, func(tx *sql.Tx, now time.Time) (err error) {
		out, err = once(ctx, tx, now, a.Once, func() (port.Object, error) { return addIn(ctx, tx, now, a) })
		return err
	})
	return out, err
}

func addIn(ctx context.Context, tx *sql.Tx, now time.Time, a port.Addition) (port.Object, error) {
	if err := needModel(ctx, tx, port.Ref{Kind: a.Kind, ID: a.Model}, a.Model); err != nil {
		return port.Object{}, err
	}
	var number int64
	err := tx.QueryRowContext(ctx, `INSERT INTO numbers (kind, model, last) VALUES ($1, $2, 1) ON CONFLICT (kind, model) DO UPDATE SET last = numbers.last + 1 RETURNING last`, a.Kind, a.Model).Scan(&number)
	if err != nil {
		return port.Object{}, err
	}
	out := port.Object{Ref: a.Ref(number), UID: uuid.NewString(), Generation: 1, CreatedAt: now, UpdatedAt: now, Attributes: a.Attributes}
	out.ETag = etag(out.UID, out.Generation)
	if _, err := tx.ExecContext(ctx, deleteAdditions, now.Add(-port.OnceFor).UnixMilli()); err != nil {
		return port.Object{}, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO unacknowledged (kind, id, model, key, at) VALUES ($1, $2, $3, $4, $5)`, out.Kind, out.ID, a.Model, a.Once.Key, now.UnixMilli()); err != nil {
		return port.Object{}, err
	}
	return out, store(ctx, tx, now, port.Created, out, "", a.Model, "")
}

func (s *Store) unacknowledged(ctx context.Context, kind, model string) ([]port.Added, error) {
	f, err := s.since(ctx, layoutOfVersions)
	if err != nil || f == nil {
		return nil, err
	}
	rows, err := f.Read.QueryContext(ctx, `SELECT kind, id, key FROM unacknowledged WHERE kind = $1 AND model = $2 AND at > $3 ORDER BY at, length(id), id LIMIT $4`,
		kind, model, s.now().Add(-port.OnceFor).UnixMilli(), port.MaxPageSize)
	if err != nil {
		return nil, s.classify(err)
	}
	defer func() { _ = rows.Close() }()
	var out []port.Added
	for rows.Next() {
		var a port.Added
		if err := rows.Scan(&a.Kind, &a.ID, &a.Key); err != nil {
			return nil, s.classify(err)
		}
		out = append(out, a)
	}
	return out, s.classify(rows.Err())
}

func (s *Store) acknowledge(ctx context.Context, ref port.Ref) error {
	// Where there is nothing to forget, nothing is written: no store is made.
	f, err := s.since(ctx, layoutOfVersions)
	if err != nil || f == nil {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx, _ time.Time) error { return forget(ctx, tx, ref) })
}

func forget(ctx context.Context, tx *sql.Tx, ref port.Ref) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM unacknowledged WHERE kind = $1 AND id = $2`, ref.Kind, ref.ID)
	return err
}

// move checks that the version an alias is to point at is there, and keeps the move
// where it is one.
func move(ctx context.Context, tx *sql.Tx, now time.Time, w port.Write, exists bool) error {
	version := port.Ref{Kind: port.ModelVersion, ID: port.VersionID(w.Model, w.Version)}
	there, err := find(ctx, tx, version)
	if err != nil {
		return err
	}
	if there == nil {
		return port.VersionMissing(w.Ref, version)
	}
	from, err := pointsAt(ctx, tx, w.Ref)
	if err != nil || exists && from == w.Version {
		return err
	}
	return recordMove(ctx, tx, w.ID, port.Move{At: now, Who: port.Actor(ctx), From: from, To: w.Version, Reason: w.Reason})
}

// pointsAt is the version that an alias points at, or 0.
func pointsAt(ctx context.Context, tx *sql.Tx, alias port.Ref) (int64, error) {
	var target string
	err := tx.QueryRowContext(ctx, `SELECT target FROM objects WHERE kind = $1 AND id = $2`, alias.Kind, alias.ID).Scan(&target)
	if errors.Is(err, sql.ErrNoRows) || err == nil && target == "" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(target[strings.LastIndexByte(target, '/')+1:], 10, 64)
}

// unpoint is what deleting a version or an alias takes: nothing may point at the
// one, and the other's end is part of its history.
func unpoint(ctx context.Context, tx *sql.Tx, now time.Time, ref port.Ref) error {
	switch ref.Kind {
	case port.ModelVersion:
		aliases, err := refs(ctx, tx, `SELECT kind, id FROM objects WHERE kind = $1 AND target = $2 AND target <> '' ORDER BY id LIMIT $3`, port.ModelAlias, ref.ID, port.MaxPageSize)
		if err == nil && len(aliases) > 0 {
			return port.PointedAt(ref, aliases)
		}
		return err
	case port.ModelAlias:
		from, err := pointsAt(ctx, tx, ref)
		if err != nil {
			return err
		}
		return recordMove(ctx, tx, ref.ID, port.Move{At: now, Who: port.Actor(ctx), From: from})
	}
	return nil
}

// disband is what deleting a registered model takes: nothing may belong to it, but
// for the versions and aliases that go with it where that is asked for.
func disband(ctx context.Context, tx *sql.Tx, now time.Time, d port.Delete) error {
	if !d.Cascade {
		blocking, err := children(ctx, tx, d.ID)
		if err == nil && len(blocking) > 0 {
			return port.HasChildren(d.ID, blocking)
		}
		return err
	}
	blocking, err := refs(ctx, tx, `SELECT kind, id FROM objects WHERE model = $1 AND model <> '' AND kind NOT IN ($2, $3) ORDER BY kind, id LIMIT $4`,
		d.ID, port.ModelAlias, port.ModelVersion, port.MaxPageSize)
	if err != nil {
		return err
	}
	if len(blocking) > 0 {
		return port.HasChildren(d.ID, blocking)
	}
	// Aliases first: a version that one points at stays.
	for _, kind := range []string{port.ModelAlias, port.ModelVersion} {
		of, err := refs(ctx, tx, `SELECT kind, id FROM objects WHERE model = $1 AND model <> '' AND kind = $2`, d.ID, kind)
		if err != nil {
			return err
		}
		for _, ref := range of {
			current, err := find(ctx, tx, ref)
			if err != nil {
				return err
			}
			if err := remove(ctx, tx, now, *current); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove takes one object out, as far as nothing points at it.
func remove(ctx context.Context, tx *sql.Tx, now time.Time, o port.Object) error {
	if err := unpoint(ctx, tx, now, o.Ref); err != nil {
		return err
	}
	if err := forget(ctx, tx, o.Ref); err != nil {
		return err
	}
	if err := keepSecrets(ctx, tx, port.Write{Ref: o.Ref}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM objects WHERE kind = $1 AND id = $2`, o.Kind, o.ID); err != nil {
		return err
	}
	return record(ctx, tx, port.Deleted, o, o.ETag, "", now)
}

func recordMove(ctx context.Context, tx *sql.Tx, alias string, m port.Move) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO moves (at, alias, who, from_version, to_version, reason) VALUES ($1, $2, $3, $4, $5, $6)`,
		m.At.UnixMilli(), alias, m.Who, m.From, m.To, m.Reason)
	return err
}

func (p policies) RecordMove(ctx context.Context, alias string, m port.Move) error {
	return p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		m.At = now
		return recordMove(ctx, tx, alias, m)
	})
}

func (p policies) Moves(ctx context.Context, alias string, before int64, limit int) ([]port.Move, error) {
	f, err := p.store.since(ctx, layoutOfVersions)
	if err != nil || f == nil {
		return nil, err
	}
	rows, err := f.Read.QueryContext(ctx, `SELECT seq, at, who, from_version, to_version, reason FROM moves WHERE alias = $1 AND (CAST($2 AS BIGINT) = 0 OR seq < $2) ORDER BY seq DESC LIMIT $3`, alias, before, limit)
	if err != nil {
		return nil, p.store.classify(err)
	}
	defer func() { _ = rows.Close() }()
	var out []port.Move
	for rows.Next() {
		var m port.Move
		var at int64
		if err := rows.Scan(&m.Seq, &at, &m.Who, &m.From, &m.To, &m.Reason); err != nil {
			return nil, p.store.classify(err)
		}
		m.At = time.UnixMilli(at).UTC()
		out = append(out, m)
	}
	return out, p.store.classify(rows.Err())
}
