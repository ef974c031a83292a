package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"tillway/terminal"
)

// sessionText follows configText: an acquirer with session keys, which may give orders.
const sessionText = `key_exchange = "blocks"
host_orders = true
`

// held is how the terminal's keys stand at the bank.
type held struct {
	PIN     string `json:"pin"`
	MAC     string `json:"mac"`
	Made    int    `json:"made"`
	Waiting bool   `json:"waiting"`
	Done    string `json:"done"`
}

func (w *world) held(ctx context.Context) (held, error) {
	var all []held
	if err := get(ctx, http.DefaultClient, "http://"+w.hostHTTP+"/terminals", &all); err != nil || len(all) != 1 {
		return held{}, fmt.Errorf("%d terminals with keys: %w", len(all), err)
	}
	return all[0], nil
}

// exchanged waits until that many exchanges of session keys are complete.
func (w *world) exchanged(ctx context.Context, number int) (now held, err error) {
	err = w.await(ctx, fmt.Sprintf("session keys, number %d, are in force", number), func(ctx context.Context) bool {
		now, err = w.held(ctx)
		return err == nil && now.Made >= number && !now.Waiting && now.MAC != ""
	})
	return now, err
}

// playSession is the last act: another terminal and bank, with a master key and session keys in place of DUKPT.
func playSession(ctx context.Context, programs, folder string, played int) (done []outcome, checks []check, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, nil, err
	}
	w, err := stage(ctx, programs, folder, os.Stdout)
	if err != nil {
		return nil, nil, err
	}
	w.stack.keys = "session"
	config, err := os.ReadFile(w.config)
	if err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(w.config, append(config, sessionText...), 0o600); err != nil {
		return nil, nil, err
	}
	defer w.end()
	if err := w.startAll(ctx); err != nil {
		return nil, nil, err
	}
	_, _ = fmt.Fprintf(w.out, "\nAnother terminal, whose bank has a master key and session keys.\n")
	if err := w.loadKeys(ctx); err != nil {
		return nil, nil, err
	}
	first, err := w.exchanged(ctx, 1)
	if err != nil {
		return nil, nil, err
	}
	var second held
	approved := result{0, terminal.Approved, terminal.CodeApproved, posted}
	for _, s := range []scene{
		{title: "Session keys over the link: online PIN under them", amount: "3.500", before: insert("debit"), want: approved, pin: "1234\n"},
		{title: "The same after a technician had them changed", amount: "3.600", before: func(ctx context.Context, w *world) error {
			if second, err = w.change(ctx, first); err != nil {
				return err
			}
			return w.cardholder(ctx, "insert", "debit")
		}, want: approved, pin: "1234\n"},
		{title: "The bank has had the terminal's keys destroyed", amount: "3.700", before: func(ctx context.Context, w *world) error {
			if err := w.withdraw(ctx); err != nil {
				return err
			}
			return w.cardholder(ctx, "insert", "credit")
		}, want: result{1, terminal.Declined, terminal.CodeUnreachable, nothing}},
	} {
		o, err := w.act(ctx, played+len(done)+1, s)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.title, err)
		}
		done = append(done, o)
	}
	changed := "both keys are others"
	if first.PIN == second.PIN || first.MAC == second.MAC {
		changed = fmt.Sprintf("PIN key %s and MAC key %s became %s and %s", first.PIN, first.MAC, second.PIN, second.MAC)
	}
	return done, []check{{"Session keys before and after they were changed", "both keys are others", changed}}, nil
}

// change is what a technician does: log in, and ask for new keys.
func (w *world) change(ctx context.Context, before held) (after held, err error) {
	var printed strings.Builder
	for _, args := range [][]string{{"users", "init", "amal"}, {"login", "amal"}, {"keys", "exchange"}} {
		said, status, err := w.pos(ctx, strings.NewReader("blue.kettle9\nblue.kettle9\n"), args...)
		printed.WriteString(said)
		if err != nil || status != 0 {
			return after, fmt.Errorf("pos %s ended with %d: %w: %s", strings.Join(args, " "), status, err, said)
		}
	}
	if after, err = w.exchanged(ctx, before.Made+1); err != nil {
		return after, err
	}
	said, err := w.keys(ctx, "", "status")
	_, _ = fmt.Fprint(w.out, indent(printed.String()+said))
	return after, err
}

// withdraw has the bank order the keys destroyed, and waits until that was done.
func (w *world) withdraw(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, w.binary("hostsim"), "order", "TILL0001", "destroy", "--http", w.hostHTTP).CombinedOutput()
	if err != nil {
		return fmt.Errorf("hostsim order: %w: %s", err, out)
	}
	if _, err := w.keys(ctx, "", "exchange"); err != nil { // brings a sign-on, and with its answer the order
		return err
	}
	if err := w.await(ctx, "the bank hears that the keys are destroyed", func(ctx context.Context) bool {
		now, err := w.held(ctx)
		return err == nil && now.Done == "destroy"
	}); err != nil {
		return err
	}
	if err := w.await(ctx, "the status says so", func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && !s.Host.OK && strings.Contains(s.Host.Cause, "destroyed")
	}); err != nil {
		return err
	}
	printed, _, err := w.cashier(ctx, "status")
	_, _ = fmt.Fprint(w.out, indent(printed))
	return err
}
