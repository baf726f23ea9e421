package sqlite

import (
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// SetBusyTimeout shortens the wait for locks, for tests.
func (s *Store) SetBusyTimeout(d time.Duration) { s.busyTimeout = d }

// SetNow sets the clock, for tests.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

// Layout1 is how an empty file was laid out by the first release.
var Layout1 = relational.Step(0)
