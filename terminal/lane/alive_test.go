package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// A sale lives while it makes steps, and for as long as its longest wait behind each; a lane that does not run does not answer.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{})
		ask := func() error {
			ctx, done := context.WithTimeout(t.Context(), time.Second)
			defer done()
			return l.Alive(ctx, time.Minute)
		}
		if err := ask(); !errors.Is(err, ErrWedged) {
			t.Errorf("nobody runs it: %v", err)
		}
		_, stop := l.board.begin(t.Context(), terminal.Sale{ID: 1, State: terminal.AwaitCard})
		defer stop()
		for _, state := range []terminal.State{terminal.AwaitCard, terminal.CardTalk, terminal.Sending} {
			l.board.show(terminal.Sale{ID: 1, State: state}, terminal.PromptNone, "", false)
			time.Sleep(time.Minute)
			if err := ask(); err != nil {
				t.Errorf("%s: %v", state, err)
			}
		}
		time.Sleep(time.Second)
		if err := ask(); !errors.Is(err, ErrWedged) {
			t.Errorf("it has stood for longer than anything it waits for: %v", err)
		}
		l.board.show(terminal.Sale{ID: 1, State: terminal.Approved}, terminal.PromptNone, "", false)
		ctx, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		go func() { <-l.pinged }()
		if err := l.Alive(ctx, time.Minute); err != nil {
			t.Errorf("between sales: %v", err)
		}
	})
}
