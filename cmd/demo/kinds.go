package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"tillway/terminal"
	"tillway/till"
)

// The supervisor of the demo's shop, whom a refund that is of no sale needs.
const (
	administrator = "amal"
	supervisor    = "sara"
	theirSecret   = "blue.kettle9"
)

// playKinds is an act of its own, with a bank and a journal of its own: every kind of transaction, with what a cashier gets wrong.
func playKinds(ctx context.Context, programs, folder string, played int) (done []outcome, checks []check, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, nil, err
	}
	w, err := stage(ctx, programs, folder, os.Stdout)
	if err != nil {
		return nil, nil, err
	}
	defer w.end()
	if err := w.mayWait(); err != nil {
		return nil, nil, err
	}
	if err := w.startAll(ctx); err != nil {
		return nil, nil, err
	}
	_, _ = fmt.Fprintf(w.out, "\nAnother shop, which does more than sell.\n")
	if err := w.loadKeys(ctx); err != nil {
		return nil, nil, err
	}
	play := func(scenes []scene) {
		for _, s := range scenes {
			if err != nil {
				return
			}
			var o outcome
			if o, err = w.act(ctx, played+len(done)+1, s); err != nil {
				err = fmt.Errorf("%s: %w", s.title, err)
			}
			done = append(done, o)
		}
	}
	if play(kinds()); err != nil {
		return nil, nil, err
	}
	if play(lost()); err != nil {
		return nil, nil, err
	}
	if checks, err = w.day(ctx, done); err != nil {
		return nil, nil, err
	}
	uploads, err := w.uploads(ctx)
	return done, append(checks, check{"payments of the batch that the bank had not right", "2 sent again", fmt.Sprint(uploads, " sent again")}), err
}

// uploads counts the payments of a batch that were sent to the bank one by one.
func (w *world) uploads(ctx context.Context) (count int, err error) {
	log, err := w.messages(ctx)
	for _, m := range log {
		if m.Direction == "in" && strings.HasPrefix(m.MTI, "032") {
			count++
		}
	}
	return count, err
}

// day compares what the terminal took and gave, net, with what the bank posted.
func (w *world) day(ctx context.Context, done []outcome) ([]check, error) {
	entries, err := w.ledger(ctx)
	if err != nil {
		return nil, err
	}
	status, err := w.status(ctx)
	if err != nil {
		return nil, err
	}
	clear, err := w.canary(cards[:])
	if err != nil {
		return nil, err
	}
	return []check{
		{"taken less given back by the terminal = by the bank", netTaken(done), netPosted(entries)},
		{"still owed to the bank, or parked", "0", fmt.Sprint(status.Owed + status.Parked)},
		{"files with a card number in clear", "none", orNone(clear)},
	}, nil
}

// netTaken is what the terminal took, less what it gave back; what was voided counts no more.
func netTaken(done []outcome) string {
	voided := map[terminal.SaleID]bool{}
	for _, o := range done {
		if o.sale.Kind == terminal.KindVoid && o.sale.State == terminal.Approved {
			voided[o.sale.Of] = true
		}
	}
	var minor int64
	for _, o := range done {
		if !voided[o.sale.ID] && o.as != "unpaid" {
			minor += o.sale.CapturedMinor()
		}
	}
	return fmt.Sprint(minor)
}

// netPosted is the same as the bank has it. The entry of a void moves nothing by itself: the payment that it takes back is voided.
func netPosted(entries []entry) string {
	var minor int64
	for _, e := range entries {
		switch {
		case e.State != posted || e.Kind == "void":
		case e.Kind == "refund":
			minor -= e.Amount.Minor
		default:
			minor += e.Amount.Minor
		}
	}
	return fmt.Sprint(minor)
}

// kinds is the script of that act.
func kinds() []scene {
	approved := result{0, terminal.Approved, terminal.CodeApproved, posted}
	declined := result{1, terminal.Declined, terminal.CodeDeclined, nothing}
	refused := result{2, "", "", nothing} // not even begun: the order is wrong
	credit := insert("credit")
	return slices.Concat([]scene{
		{title: "Sale with a tip", line: "sale 18.000 --tip 2.000", as: "dinner", before: credit, want: approved, says: "TIP"},
		{title: "Sale with cash given out", line: "sale 10.250 --cashback 20.000", before: insert("debit"), pin: "1234\n", want: approved, says: "CASH BACK"},
		{title: "A tip that is a slip of the hand", line: "sale 18.500 --tip 180.500", want: refused, says: "check it"},
		{title: "The same card and amount again: pointed out", line: "sale 20.000", as: "twin", before: credit, want: approved, says: "the same card paid the same amount"},
		{title: "So the second is taken back, without the card", line: "void {twin}", before: remove, want: approved, says: "VOID"},
		{title: "Its receipt, printed again, says so", line: "receipt {twin}", want: result{0, "", "", nothing}, says: "VOIDED LATER"},
		{title: "It cannot be taken back twice", line: "void {twin}", want: refused, says: "void"},
		{title: "Refund of a part, with the same card", line: "refund 3.000 --of {dinner}", before: credit, want: approved, says: "PAID BACK TO THE CARD"},
		{title: "Refund of more than is left of the sale", line: "refund 17.500 --of {dinner}", want: refused},
		{title: "Refund to another card than the sale's", line: "refund 2.000 --of {dinner}", before: insert("debit"), pin: "1234\n", want: result{1, terminal.Declined, terminal.CodeOtherCard, nothing}, says: "This is not the card that paid"},
		{title: "Refund of no sale: not by a cashier", line: "refund 4.000", before: credit, want: result{3, "", "", nothing}, says: "supervisor"},
		{title: "Refund of no sale, by a supervisor", line: "refund 4.000", before: logIn, after: logOut, want: approved, says: "PAID BACK TO THE CARD"},
		{title: "Declined by the bank: not enough money", line: "sale 30.051", before: credit, want: declined},
	}, holds(), inPart(), byVoice(), withoutBank(), settlement())
}

// holds is what a hotel does.
func holds() []scene {
	held := result{0, terminal.Approved, terminal.CodeApproved, "held"}
	return []scene{
		{title: "Pre-authorisation: nothing is taken", line: "preauth 100.000 --reference room-12", as: "room", before: insert("credit"), want: held, says: "NO MONEY HAS BEEN TAKEN"},
		{title: "More is held", line: "increment {room} 50.000", want: held, says: "HELD IN ADDITION"},
		{title: "More than is held cannot be taken", line: "complete {room} 151.000", want: result{2, "", "", nothing}},
		{title: "What is due is taken, the rest let go", line: "complete {room} 132.500", want: result{0, terminal.Approved, terminal.CodeApproved, posted}, says: "COMPLETION"},
		{title: "Balance of the customer's account", line: "balance", before: insert("credit"), want: result{0, terminal.Approved, terminal.CodeApproved, nothing}, says: "AVAILABLE"},
	}
}

// inPart is what the test amount .010 does: the bank approves half.
func inPart() []scene {
	return []scene{
		{title: "Approved in part, and the customer has the rest in cash", line: "sale 8.010", before: insert("credit"), during: agree("yes"), want: result{0, terminal.Approved, terminal.CodeApproved, posted}, says: "STILL TO PAY"},
		{title: "Approved in part, and the customer has not: all is undone", line: "sale 9.010", before: insert("credit"), during: agree("no"), want: result{5, terminal.Reversed, terminal.CodePartRefused, reversed}, says: "NOT CHARGED"},
	}
}

// byVoice is a bank that wants to be called.
func byVoice() []scene {
	return []scene{
		{title: "The bank wants to be called", line: "sale 11.002", before: insert("credit"), want: result{1, terminal.Declined, terminal.CodeDeclined, nothing}},
		{title: "It gave a code on the telephone", line: "forced 11.000 --auth A12345", before: insert("credit"), want: result{0, terminal.Approved, terminal.CodeApproved, posted}, says: "AUTHORISED BY TELEPHONE"},
	}
}

// settlement is the end of a day on which both have the same.
func settlement() []scene {
	settled := result{0, "", "", nothing}
	return []scene{
		{title: "The totals so far", line: "report x", want: settled, says: "NOTHING IS RESET"},
		{title: "The end of the day: terminal and bank have the same", line: "settle", want: settled, says: "CLOSED IN BALANCE"},
		{title: "The report of that day", line: "report z --batch 1", want: settled, says: "CLOSED IN BALANCE"},
		{title: "The next day", line: "sale 12.250", before: insert("credit"), want: result{0, terminal.Approved, terminal.CodeApproved, posted}},
	}
}

// lost is the end of the next day, on which the bank has lost one of two payments.
func lost() []scene {
	approved := result{0, terminal.Approved, terminal.CodeApproved, posted}
	return []scene{
		{title: "And the one after", line: "sale 13.500", as: "lost", before: insert("credit"), want: approved},
		{title: "The bank has lost one: it gets the batch, payment by payment", line: "settle", before: lose, want: result{0, "", "", nothing}, says: "CLOSED IN BALANCE"},
	}
}

// lose has the bank forget the payment that was kept as lost.
func lose(ctx context.Context, w *world) error {
	sales, err := w.sales(ctx)
	if err != nil {
		return err
	}
	for _, s := range sales {
		if s.ID != w.kept["lost"] {
			continue
		}
		out, err := exec.CommandContext(ctx, w.binary("hostsim"), "lose", s.TerminalID, fmt.Sprintf("%06d", s.STAN), "--http", w.hostHTTP).CombinedOutput()
		if err != nil {
			return fmt.Errorf("hostsim lose: %w: %s", err, out)
		}
		return nil
	}
	return fmt.Errorf("the terminal has no sale %s", w.kept["lost"])
}

// agree is the cashier's word on an approval in part, once the sale waits for it.
func agree(word string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := w.awaitState(ctx, terminal.AgreementOnline); err != nil {
			return err
		}
		now, err := w.status(ctx)
		if err != nil {
			return err
		}
		_, err = w.must(ctx, "", "agree", now.Sale.String(), word)
		return err
	}
}

// logIn makes the shop's people and has the supervisor log in.
func logIn(ctx context.Context, w *world) error {
	for _, line := range []struct{ typed, words string }{
		{theirSecret + "\n", "users init " + administrator},
		{theirSecret + "\n", "login " + administrator},
		{theirSecret + "\n", "users add " + supervisor + " supervisor"},
		{theirSecret + "\n", "login " + supervisor},
	} {
		if _, err := w.must(ctx, line.typed, strings.Fields(line.words)...); err != nil {
			return err
		}
	}
	return w.cardholder(ctx, "insert", "credit")
}

func logOut(ctx context.Context, w *world) error {
	_, err := w.must(ctx, "", "logout")
	return err
}

// must runs pos and gives what it printed; any exit status but 0 is an error.
func (w *world) must(ctx context.Context, typed string, args ...string) (printed string, err error) {
	printed, status, err := w.pos(ctx, strings.NewReader(typed), args...)
	if err == nil && status != 0 {
		err = fmt.Errorf("pos %s: exit %d: %s", strings.Join(args, " "), status, printed)
	}
	return printed, err
}

// offlineLimits is the part of the shop's profile that lets it go on without the bank.
const offlineLimits = `
[offline]
count = 10
sum = "100.000"

[offline.deferred]
count = 5
sum = "50.000"
`

// mayWait lets the shop's terminal go on without the bank: cards that prove themselves are approved up to a floor limit, others at the shop's own risk.
func (w *world) mayWait() error {
	path := w.path(profileFile)
	text, err := os.ReadFile(path) //nolint:gosec // written a moment ago
	if err != nil {
		return err
	}
	whole := string(text) + offlineLimits
	for _, change := range [][2]string{
		{`type        = "21"`, `type        = "22"`},
		{`offline_data_authentication = []`, `offline_data_authentication = ["dda", "cda"]`},
		{`floor_limit = "0.000"`, `floor_limit = "900.000"`},
	} {
		if !strings.Contains(whole, change[0]) {
			return fmt.Errorf("the ready profile has no %q any more", change[0])
		}
		whole = strings.Replace(whole, change[0], change[1], 1)
	}
	return os.WriteFile(path, []byte(whole), 0o600)
}

// withoutBank is what is sold while the bank cannot be reached, and what comes of it.
func withoutBank() []scene {
	kept := result{0, terminal.Approved, terminal.CodeApproved, nothing} // and posted later
	told := result{0, "", "", nothing}
	return []scene{
		{title: "The bank cannot be reached: the card proves itself and approves", line: "sale 6.250", before: noBank("oda-cda"), waits: true, want: kept, says: "APPROVED OFFLINE"},
		{title: "A card that cannot: taken at the shop's own risk", line: "sale 7.250", before: insert("credit"), waits: true, want: kept, says: "SUBJECT TO THE BANK'S APPROVAL"},
		{title: "Another, whose bank will say no", line: "sale 3.051", as: "unpaid", before: insert("credit"), waits: true, want: kept, says: "SUBJECT TO THE BANK'S APPROVAL"},
		{title: "What waits, for how much, and why", line: "queue list", waits: true, want: told, says: "KWD 16.551"},
		{title: "The bank is back, and is told", line: "queue send", before: bankBack, want: told},
		{title: "What it refused stays in sight", line: "queue list", want: told, says: "Parked"},
		{title: "And the day does not end over it", line: "settle", want: result{3, "", "", nothing}},
		{title: "Until a supervisor has put it right", line: "queue write-off {debt} --note paid-in-cash", before: decide, after: logOut, want: told},
	}
}

// noBank ends the bank and puts a card in.
func noBank(card string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := hostDown(ctx, w); err != nil {
			return err
		}
		return w.cardholder(ctx, "insert", card)
	}
}

// decide finds the debt that the bank has refused, and has the supervisor log in.
func decide(ctx context.Context, w *world) error {
	var q till.Queue
	if err := get(ctx, w.local, "http://posd/v1/queue", &q); err != nil {
		return err
	}
	for _, d := range q.Debts {
		if d.State == terminal.Parked {
			w.kept["debt"] = terminal.SaleID(d.ID) //nolint:gosec // from 1 on
		}
	}
	_, err := w.must(ctx, theirSecret+"\n", "login", supervisor)
	return err
}

func bankBack(ctx context.Context, w *world) error { return hostUp(ctx, w) }
