package lane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrWedged is a lane that makes no step any more: only a new start puts that right.
var ErrWedged = errors.New("the lane does not answer")

// Alive asks the lane for a sign of life, and waits for it until ctx ends. Between sales its goroutine itself has to answer. While a sale
// runs it cannot: then the sale has to have made a step within longest, which is more than any of its waits. Error: ErrWedged.
func (l *Lane) Alive(ctx context.Context, longest time.Duration) error {
	if s, running := l.board.running(); running {
		if still := l.board.still(); still > longest {
			return fmt.Errorf("sale %s has stood in %s for %v: %w", s.ID, s.State, still.Round(time.Second), ErrWedged)
		}
		return nil
	}
	select {
	case l.pinged <- struct{}{}:
		return nil
	case <-l.board.started():
		return nil // it begins a sale: that is a step
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrWedged, ctx.Err())
	}
}

// still is how long ago the snapshot changed last.
func (b *board) still() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Since(b.moved)
}
