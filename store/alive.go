package store

import (
	"context"
	"fmt"
)

// Alive takes the one writing connection and the database's lock for writing, and gives both back: what every commit needs first. It writes
// nothing and flushes nothing. Error: ctx's, where whoever has the connection does not give it back, or the database's.
func (s *Store) Alive(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil) // immediate: the DSN says so
	if err != nil {
		return fmt.Errorf("journal does not answer: %w", err)
	}
	return tx.Rollback()
}
