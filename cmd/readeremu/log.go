package main

import "sync"

// exchangeLog keeps the last lines of what card and reader said to each other. Its methods may be called from anywhere.
type exchangeLog struct {
	mu     sync.Mutex
	lines  []logLine
	next   int
	waking chan struct{} // closed at the next line; nil: nobody waits
}

type logLine struct {
	N    int    `json:"n"`
	Line string `json:"line"`
}

const keptLines = 2000

func (l *exchangeLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	l.lines = append(l.lines, logLine{l.next, line})
	if len(l.lines) > keptLines {
		l.lines = l.lines[len(l.lines)-keptLines:]
	}
	if l.waking != nil {
		close(l.waking)
		l.waking = nil
	}
}

// after gives the lines with a number above n.
func (l *exchangeLog) after(n int) []logLine {
	lines, _ := l.follow(n)
	return lines
}

// follow gives the lines with a number above n, and what is closed when there are more.
func (l *exchangeLog) follow(n int) ([]logLine, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []logLine{}
	for _, line := range l.lines {
		if line.N > n {
			out = append(out, line)
		}
	}
	if l.waking == nil {
		l.waking = make(chan struct{})
	}
	return out, l.waking
}
