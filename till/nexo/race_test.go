package nexo

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// A client is kept waiting also where there is news more often than it gets new lines: a PIN that is typed slowly.
func TestBeatWithNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.KeepAlive = 5 * time.Second })
		answer := make(chan *httptest.ResponseRecorder, 1)
		go func() { answer <- w.send(message("Payment", "1", paymentOf("1"))) }()
		synctest.Wait()
		for range 20 {
			time.Sleep(3 * time.Second)
			w.change(func(*terminal.Sale) {})
			synctest.Wait()
		}
		w.finish(approve)
		body := (<-answer).Body.String()
		if lines := len(body) - len(strings.TrimLeft(body, "\n")); lines < 9 {
			t.Errorf("%d new lines in a minute of news", lines)
		}
	})
}

// late is a terminal that begins a payment only when somebody has just looked for it in vain.
type late struct {
	*world

	looks int
	begin chan struct{}
	paid  chan struct{}
}

func (l *late) Start(ctx context.Context, o terminal.Order) (terminal.Sale, error) {
	<-l.begin
	return l.world.Start(ctx, o)
}

func (l *late) ByKey(ctx context.Context, key string) (terminal.Sale, error) {
	s, err := l.world.ByKey(ctx, key)
	if l.looks++; l.looks == 8 { // four of the payment, then four of who asks for it
		close(l.begin)
		<-l.paid
	}
	return s, err
}

// Whoever asks about a payment that begins and ends in that moment is not told that nothing was charged.
func TestStatusOfWhatEndsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &late{begin: make(chan struct{}), paid: make(chan struct{})}
		l.world = newWorld(t, func(c *Config) { c.Lane, c.Journal = l, l })
		l.ends = approve
		go func() {
			defer close(l.paid)
			l.ask("Payment", "1", paymentOf("1"))
		}()
		synctest.Wait()
		if a := l.ask("TransactionStatus", "2", `{"MessageReference":{"ServiceID":"1"}}`); result(a) != "Failure/InProgress" {
			t.Errorf("%v", a["Response"])
		}
		if a := l.ask("TransactionStatus", "3", `{"MessageReference":{"ServiceID":"1"}}`); result(a) != success {
			t.Errorf("%v", a["Response"])
		}
	})
}
