package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tillway/systemd"
)

// signWithin bounds the question whether the module answers.
const signWithin = 5 * time.Second

// ready tells the service manager that the socket is open. What it cannot be told is logged: keyd serves all the same.
func (s *service) ready() *systemd.Notifier {
	n, err := systemd.Open(os.Getenv, os.Getpid())
	if err == nil {
		err = n.Ready("Waiting for posd")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keyd: the service manager is not told:", err)
	}
	return n
}

// watch gives the service manager signs of life until ctx ends: while the module that is served answers, or none is.
func (s *service) watch(ctx context.Context, n *systemd.Notifier) {
	every := 15 * time.Second
	if w := n.Watched(); w > 0 {
		every = min(every, w/3)
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	said := "Waiting for posd"
	for {
		served, err := s.lives(ctx)
		if err == nil && n.Watched() > 0 {
			_ = n.Alive() // a manager that is gone ends nothing
		}
		status := "Waiting for posd"
		switch {
		case err != nil && ctx.Err() == nil:
			status = "The key files do not answer"
			fmt.Fprintln(os.Stderr, "keyd: no sign of life:", err)
		case served:
			status = "Serving posd"
		}
		if status != said {
			said = status
			_ = n.Status(status)
		}
		select {
		case <-ctx.Done():
			_ = n.Stopping("Ending", signWithin)
			return
		case <-ticks.C:
		}
	}
}

// lives asks the module that is served, where one is.
func (s *service) lives(ctx context.Context) (served bool, err error) {
	s.mu.Lock()
	m := s.module
	s.mu.Unlock()
	if m == nil {
		return false, nil
	}
	ctx, done := context.WithTimeout(ctx, signWithin)
	defer done()
	answered := make(chan struct{})
	go func() { // a module that is stuck is left behind: the process is about to be ended
		defer close(answered)
		_, _ = m.file.Status(ctx) // an error is a sign of life too: closed, destroyed
	}()
	select {
	case <-answered:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}
