package lane

import (
	"context"
	"sync"

	"tillway/terminal"
)

// pulse wakes whoever follows the terminal, when something has changed that is no part of the snapshot's version. It holds nobody up, and
// nobody has to listen.
type pulse struct {
	mu   sync.Mutex // guards next
	wait chan struct{}
}

// next is closed by the next beat.
func (p *pulse) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wait == nil {
		p.wait = make(chan struct{})
	}
	return p.wait
}

// beat wakes all that wait.
func (p *pulse) beat() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wait != nil {
		close(p.wait)
		p.wait = nil
	}
}

// beating is a journal whose commits beat.
type beating struct {
	Journal

	o *Owner
}

// Append implements Journal.
func (b beating) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	err := b.Journal.Append(ctx, commit, entries...)
	if err == nil {
		b.o.told.beat()
	}
	return err
}
