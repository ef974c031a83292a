package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errCut = errors.New("power cut")

// power fails everything that touches the outside from one step on, until the next boot; or it only stops the daemon then,
// as SIGTERM does. A step is a moment before or after a commit, a write to the host, a read from it, and a dial.
type power struct {
	mu     sync.Mutex // guards all below
	left   int
	gently bool // the daemon is asked to stop, and nothing fails
	off    bool
	stop   context.CancelFunc
	say    func(fault, at string)
}

// step passes a moment: where, and what was about to be done or had just been.
func (p *power) step(where, what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return errCut
	}
	if p.left--; p.left == 0 && p.gently {
		p.say("stopped "+where, "stopped "+where+": "+what)
		time.AfterFunc(ns(actorSignal, 300*time.Microsecond), p.stop) // a signal has an instant of its own
	} else if p.left == 0 {
		p.off = true
		p.say("power cut "+where, "power cut "+where+": "+what)
		p.stop()
		return errCut
	}
	return nil
}

// soon brings the cut nearer: moments in which something waits to be written are the ones to look at.
func (p *power) soon(steps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = min(p.left, steps)
}

func (p *power) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}
