package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tillway/terminal"
)

// The demo's terminal is the shipped one with short deadlines, so that a silent bank costs seconds and not minutes.
const (
	answerTimeout = "2s"
	lateBy        = "3s" // later than answerTimeout
)

const configText = `# The demo's terminal: cmd/posd/posd.toml with short deadlines.
development = true
profile = "demo.toml"
ca_keys = "capk.json"

[pin]
on_screen = true

[reader]
port = "reader"

[screen]
listen = %q

[ecr]
listen = %q

[acquirer]
address = %q
ca = "host/ca.pem"
answer_timeout = %q
retry = "100ms"
retry_max = "500ms"
check = "1s"

[acquirer.nac]
tpdu = "6000030000"
nii = "003"
mac = "alg3"
mac_sign_on = true
partial = "amount"
deferred = true
host_totals = true
`

// play is `demo`: it sets the stage, plays the script, and compares.
func play(ctx context.Context, programs string, keep bool) (err error) {
	begun := time.Now()
	folder, err := os.MkdirTemp("", "tillway-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if keep || err != nil {
			fmt.Println("logs and journal are kept in", folder)
			return
		}
		err = os.RemoveAll(folder)
	}()
	w, err := stage(ctx, programs, folder, os.Stdout)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.startAll(ctx); err != nil {
		return err
	}
	if err := w.loadKeys(ctx); err != nil {
		return err
	}
	var done []outcome
	for i, s := range script() {
		o, err := w.act(ctx, i+1, s)
		if err != nil {
			return fmt.Errorf("%d. %s: %w", i+1, s.title, err)
		}
		done = append(done, o)
	}
	checks, err := w.audit(ctx, done)
	if err != nil {
		return err
	}
	more, same, err := playSession(ctx, programs, filepath.Join(folder, "session"), len(done))
	if err != nil {
		return fmt.Errorf("session keys: %w", err)
	}
	done, checks = append(done, more...), append(checks, same...)
	if more, same, err = playKinds(ctx, programs, filepath.Join(folder, "kinds"), len(done)); err != nil {
		return fmt.Errorf("every kind: %w", err)
	}
	return summary(os.Stdout, append(done, more...), append(checks, same...), time.Since(begun))
}

// stage makes the folder's contents and finds ports.
func stage(ctx context.Context, programs, folder string, out io.Writer) (*world, error) {
	s := &stack{programs: programs, folder: folder, late: lateBy, hand: "auto", requireMAC: true}
	s.config = s.path("posd.toml")
	for _, address := range []*string{&s.host, &s.hostHTTP, &s.screen, &s.ecr} {
		var err error
		if *address, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(s.config, fmt.Appendf(nil, configText, s.screen, s.ecr, s.host, answerTimeout), 0o600); err != nil {
		return nil, err
	}
	if err := s.writeProfile(); err != nil {
		return nil, err
	}
	return newWorld(s, out), nil
}

// An outcome is a scene that was played.
type outcome struct {
	scene
	sale terminal.Sale // the terminal's record; zero when it has none
	got  result
}

// act plays one scene: the sale by pos, at the same time what happens meanwhile, and then what the witnesses say.
func (w *world) act(ctx context.Context, number int, s scene) (outcome, error) {
	if s.before != nil {
		if err := s.before(ctx, w); err != nil {
			return outcome{}, err
		}
	}
	line := w.fill(s.typed())
	_, _ = fmt.Fprintf(w.out, "\n%d. %s: pos %s\n", number, s.title, line)
	known, err := w.sales(ctx)
	if err != nil {
		return outcome{}, err
	}
	type sold struct {
		printed string
		status  int
		err     error
	}
	selling, stop := context.WithCancel(ctx)
	defer stop()
	cashier := make(chan sold, 1)
	go func() {
		printed, status, err := w.pay(selling, line, s.pin)
		cashier <- sold{printed, status, err}
	}()
	var meanwhile error
	if s.during != nil {
		if meanwhile = s.during(ctx, w); meanwhile != nil {
			stop()
		}
	}
	sale := <-cashier
	if err := errors.Join(meanwhile, sale.err); err != nil {
		return outcome{}, fmt.Errorf("%w; pos said:\n%s", err, sale.printed)
	}
	_, _ = io.WriteString(w.out, indent(sale.printed))
	if !s.waits {
		if err := w.settled(ctx); err != nil {
			return outcome{}, err
		}
	}
	if s.after != nil {
		if err := s.after(ctx, w); err != nil {
			return outcome{}, err
		}
	}
	o := outcome{scene: s, got: result{exit: sale.status, bank: nothing}}
	now, err := w.sales(ctx)
	if err != nil {
		return o, err
	}
	if len(now) > len(known) {
		o.sale = now[0]
		o.got.state, o.got.code = o.sale.State, o.sale.Outcome.Code
		if s.as != "" {
			w.kept[s.as] = o.sale.ID
		}
	}
	if !strings.Contains(sale.printed, s.says) {
		o.got.code += ", and nobody says " + s.says
	}
	if s.waits { // the bank may be down
		return o, nil
	}
	entries, err := w.ledger(ctx)
	if err != nil {
		return o, err
	}
	for _, e := range entries {
		if o.sale.STAN != 0 && uint32(e.STAN) == o.sale.STAN {
			o.got.bank = e.State
		}
	}
	return o, nil
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("   " + line)
	}
	return b.String()
}

// errDiffers is the demo's verdict, after the summary has said what.
var errDiffers = errors.New("not everything is as it should be: see the lines marked DIFFERS")

// A check is something that must hold over the whole of the demo.
type check struct{ title, want, got string }

// summary prints what was expected and what came, and fails when they are not the same.
func summary(out io.Writer, done []outcome, checks []check, took time.Duration) error {
	var differs int
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "\n\tscene\tpos …\texpected\tgot\n")
	row := func(number, title, amount, want, got string) {
		if want == got {
			got = "as expected"
		} else {
			got += "  DIFFERS"
			differs++
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", number, title, amount, want, got)
	}
	for i, o := range done {
		row(fmt.Sprint(i+1), o.title, o.what(), o.want.String(), o.got.String())
	}
	for _, c := range checks {
		row("", c.title, "", c.want, c.got)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if differs > 0 {
		return errDiffers
	}
	_, err := fmt.Fprintf(out, "\n%d transactions and %d checks as expected, in %.1f s\n", len(done), len(checks), took.Seconds())
	return err
}

// String is a result as the summary prints it.
func (r result) String() string {
	state := string(r.state)
	if state == "" {
		state = "no record"
	}
	return fmt.Sprintf("%s (%s), exit %d, bank: %s", state, r.code, r.exit, r.bank)
}
