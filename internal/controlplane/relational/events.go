package relational

import (
	"context"
	"database/sql"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// record appends the entry of a write, in the write's own transaction.
func record(ctx context.Context, tx *sql.Tx, action string, o port.Object, from, to string, now time.Time) error {
	return appendEntry(ctx, tx, port.AuditEntry{
		Event:  port.Event{At: now, Action: action, Ref: o.Ref, UID: o.UID, Generation: o.Generation},
		Caller: port.CallerOf(ctx), From: from, To: to,
	})
}

func appendEntry(ctx context.Context, tx *sql.Tx, e port.AuditEntry) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO events (at, action, kind, id, uid, generation, actor, address, request_id, from_etag, to_etag, code) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		e.At.UnixMilli(), e.Action, e.Kind, e.ID, e.UID, e.Generation, e.Caller.Name, e.Caller.Address, e.Caller.RequestID, e.From, e.To, string(e.Code))
	return err
}

// entries reads events; those of refused writes only where they are asked for.
func (s *Store) entries(ctx context.Context, after int64, limit int, refused bool) ([]port.AuditEntry, error) {
	f, err := s.forReading(ctx)
	if err != nil || f == nil {
		return nil, err
	}
	// A database of an older release, before its first write by this one, knows
	// neither who wrote nor what was refused.
	query := `SELECT seq, at, action, kind, id, uid, generation, '', '', '', '', '', '' FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`
	if f.Layout.Load() >= layoutOfAudit {
		if query = selectEvents; refused {
			query = selectEntries
		}
	}
	rows, err := f.Read.QueryContext(ctx, query, after, limit)
	if err != nil {
		return nil, s.classify(err)
	}
	defer func() { _ = rows.Close() }()
	var out []port.AuditEntry
	for rows.Next() {
		var e port.AuditEntry
		var at int64
		if err := rows.Scan(&e.Seq, &at, &e.Action, &e.Kind, &e.ID, &e.UID, &e.Generation, &e.Caller.Name, &e.Caller.Address, &e.Caller.RequestID, &e.From, &e.To, &e.Code); err != nil {
			return nil, s.classify(err)
		}
		e.At, e.Actor = time.UnixMilli(at).UTC(), e.Caller.Name
		out = append(out, e)
	}
	return out, s.classify(rows.Err())
}

func (p policies) Events(ctx context.Context, after int64, limit int) ([]port.Event, error) {
	entries, err := p.store.entries(ctx, after, limit, false)
	events := make([]port.Event, len(entries))
	for i, e := range entries {
		events[i] = e.Event
	}
	return events, err
}

func (p policies) Audit(ctx context.Context, after int64, limit int) ([]port.AuditEntry, error) {
	return p.store.entries(ctx, after, limit, true)
}

func (p policies) Refused(ctx context.Context, entry port.AuditEntry) error {
	// A write that was refused must not make the store.
	f, err := p.store.forReading(ctx)
	if err != nil || f == nil {
		return err
	}
	return p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		entry.At = now
		return appendEntry(ctx, tx, entry)
	})
}

// Record knows nothing of the revision before: the write was another store's.
func (p policies) Record(ctx context.Context, action string, o port.Object) error {
	return p.store.transact(ctx, func(tx *sql.Tx, now time.Time) error {
		to := o.ETag
		if action == port.Deleted {
			to = ""
		}
		return record(ctx, tx, action, o, "", to, now)
	})
}
