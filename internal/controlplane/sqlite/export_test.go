package sqlite

import (
	"context"
	"time"
)

// SetBusyTimeout shortens the wait for locks, for tests.
func (s *Store) SetBusyTimeout(d time.Duration) { s.busyTimeout = d }

// SetNow sets the clock, for tests.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

// Layout1 is how an empty file was laid out by the first release.
var Layout1 = layout1

// Reads are the statements that read, by what they read.
var Reads = map[string]string{
	"an object": selectObject, "a page of objects": selectPage, "a page of a model's objects": selectModelPage, "a model's children": selectChildren,
	"a page of events": selectEvents, "a page of the audit log": selectEntries, "an answer to a key": selectAnswer, "the answers that are old": deleteAnswers,
	"the additions that are old": deleteAdditions,
}

// SchemaVersion is the newest layout.
var SchemaVersion = schemaVersion

// Durability is what the writing connection does with a commit.
func (s *Store) Durability(ctx context.Context) (journal string, synchronous int, err error) {
	f, err := s.forWriting(ctx)
	if err != nil {
		return "", 0, err
	}
	err = f.write.QueryRowContext(ctx, `SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous`).Scan(&journal, &synchronous)
	return journal, synchronous, err
}
