package sqlite

import (
	"context"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// SetBusyTimeout shortens the wait for locks, for tests.
func (s *Store) SetBusyTimeout(d time.Duration) { s.busyTimeout = d }

// SetNow sets the clock, for tests.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

// Layout1 is how an empty file was laid out by the first release.
var Layout1 = relational.Step(0)

// Durability is what the writing connection does with a commit.
func (s *Store) Durability(ctx context.Context) (journal string, synchronous int, err error) {
	f, err := s.forWriting(ctx)
	if err != nil {
		return "", 0, err
	}
	err = f.write.QueryRowContext(ctx, `SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous`).Scan(&journal, &synchronous)
	return journal, synchronous, err
}
