package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// engine is the database as the place of the store's tables.
type engine struct{ store *Store }

func (e engine) Name() string { return "postgres" }

func (e engine) Reading(ctx context.Context) (*relational.Database, error) {
	d, err := e.store.found(ctx)
	return d, e.store.explain(err)
}

func (e engine) Transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error {
	return e.store.transact(ctx, write)
}

func (e engine) Explain(err error) error { return e.store.explain(err) }

func (e engine) Layout(ctx context.Context, d *relational.Database) (layout int, err error) {
	err = d.Read.QueryRowContext(ctx, selectLayout).Scan(&layout)
	return layout, err
}

// Size counts the tables with their indexes, and not what else is in the database.
func (e engine) Size(ctx context.Context, d *relational.Database) (bytes int64, err error) {
	err = d.Read.QueryRowContext(ctx, `
		SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind = 'r'`).Scan(&bytes)
	return bytes, err
}

func (e engine) Now() time.Time { return e.store.now() }

func (e engine) Listen() { e.store.listen() }
