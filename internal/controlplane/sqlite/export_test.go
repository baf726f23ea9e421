package sqlite

import "time"

// SetBusyTimeout shortens the wait for locks, for tests.
func (s *Store) SetBusyTimeout(d time.Duration) { s.busyTimeout = d }

// SchemaVersion is the newest layout.
var SchemaVersion = schemaVersion
