package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// listenAgain is how long a listener waits before it connects again. Who waits for
// writes looks for them from time to time anyway.
const listenAgain = time.Second

// listen hears of the writes of all processes, from the first time that somebody
// waits for one until the store is closed.
func (s *Store) listen() {
	s.listening.Do(func() {
		s.listeners.Go(func() {
			for s.ending.Err() == nil {
				err := s.hear(s.ending)
				if s.ending.Err() != nil {
					return
				}
				s.log.Warn("writes of other servers are found later than at once until the database is back", "error", s.explain(err))
				select {
				case <-s.ending.Done():
				case <-time.After(listenAgain):
				}
			}
		})
	})
}

// hear announces writes until the connection is lost. It has one of its own.
func (s *Store) hear(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	s.Announce() // what was written before it listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		s.Announce()
	}
}
