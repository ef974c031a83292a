// Command pos is the cashier's, the technician's and the developer's command line. The cashier's commands talk with the
// daemon over its local socket and decide nothing themselves; `pos card` and `pos decode` need no daemon.
//
// Exit status: 0 approved or done, 1 declined, 2 wrong usage, 3 cancelled or timed out before anything was sent, 4 the
// daemon is not reachable, 5 reversed or reversal pending.
package main

import (
	"context"
	"os"
	"os/signal"
	_ "time/tzdata" // profiles name their time zone, also on machines that have no list of them
)

func main() {
	exe, _ := os.Executable() // without it, the socket is looked for in fewer places
	code := run(context.Background(), app{
		in: os.Stdin, out: os.Stdout, errOut: os.Stderr,
		env: os.Getenv, executable: exe, dial: dialSocket,
		notify: func(c chan<- os.Signal) { signal.Notify(c, os.Interrupt) },
	}, os.Args[1:])
	os.Exit(code)
}
