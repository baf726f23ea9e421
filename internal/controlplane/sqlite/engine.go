package sqlite

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// engine is the file as the place of the store's tables.
type engine struct{ store *Store }

func (e engine) Name() string { return "sqlite" }

func (e engine) Reading(ctx context.Context) (*relational.Database, error) {
	f, err := e.store.forReading(ctx)
	if err != nil || f == nil {
		return nil, err
	}
	return &f.Database, nil
}

func (e engine) Transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error {
	return e.store.transact(ctx, write)
}

func (e engine) Explain(err error) error { return e.store.classify(err) }

func (e engine) Layout(ctx context.Context, d *relational.Database) (layout int, err error) {
	err = d.Read.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&layout)
	return layout, err
}

// Size counts the file and its write-ahead log.
func (e engine) Size(context.Context, *relational.Database) (int64, error) {
	var bytes int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(e.store.path + suffix); err == nil {
			bytes += info.Size()
		}
	}
	return bytes, nil
}

func (e engine) Now() time.Time { return e.store.now() }

// Listen does nothing: a file tells nobody.
func (e engine) Listen() {}

// itself translates nothing: the layouts are in SQLite's words.
var itself = strings.NewReplacer()
