package main

import (
	"context"
	"slices"
	"strings"

	"tillway/terminal"
)

// A scene is one sale as the cashier lives it: what is arranged before, what happens meanwhile, what must come of it.
type scene struct {
	title  string
	amount string
	before func(context.Context, *world) error // arranges
	during func(context.Context, *world) error // happens while the sale runs
	after  func(context.Context, *world) error // is waited for before the next customer comes
	want   result
	pin    string // what the customer types where a PIN is asked for: keys, a line end for Enter
	says   string // what cashier or customer must read

	line string // what the cashier types behind pos; empty: sale and the amount. {name} is the number of a scene kept under that name
	as   string // the name under which its number is kept

	waits bool // what it owes the bank stays owed for now
}

// typed is what the cashier types behind pos.
func (s scene) typed() string {
	if s.line == "" {
		return "sale " + s.amount
	}
	return s.line
}

// what is it, as the summary has it: the amount of a plain sale, or the command.
func (s scene) what() string {
	if s.line == "" {
		return s.amount
	}
	return s.line
}

// fill puts the numbers of earlier scenes into a command line.
func (w *world) fill(line string) string {
	for name, id := range w.kept {
		line = strings.ReplaceAll(line, "{"+name+"}", id.String())
	}
	return line
}

// A result is where a sale ended, as three witnesses have it: pos by its exit status, the terminal by its record, the
// bank by its ledger.
type result struct {
	exit  int
	state terminal.State
	code  string // terminal.Outcome.Code
	bank  string // posted, reversed, or nothing
}

const (
	posted   = "posted"
	reversed = "reversed"
	nothing  = "nothing"
)

func insert(card string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error { return w.cardholder(ctx, "insert", card) }
}

// script is the demo: every kind of transaction and every fault that exists so far.
func script() []scene {
	approved := result{0, terminal.Approved, terminal.CodeApproved, posted}
	declined := result{1, terminal.Declined, terminal.CodeDeclined, nothing}
	unanswered := result{5, terminal.Reversed, terminal.CodeNoAnswer, reversed}
	credit := insert("credit")
	unreachable := result{1, terminal.Declined, terminal.CodeUnreachable, nothing}
	return slices.Concat([]scene{
		{title: "Bank not reachable: nothing is sent", amount: "9.900", before: hostDown, after: hostUp, want: unreachable},
		{title: "Credit card, T=0, online, issuer authenticated", amount: "10.525", before: credit, want: approved},
		{title: "Debit card, T=1, online PIN, issuer authenticated in the second GENERATE AC", amount: "3.250", before: insert("debit"), want: approved, pin: "1234\n"},
		{title: "Wrong PIN: the bank refuses it", amount: "3.300", before: insert("debit"), want: declined, pin: "9999\n", says: "2 tries are left"},
		{title: "The right PIN, the second time", amount: "3.300", before: insert("debit"), want: approved, pin: "1234\n", says: "tries left: 2"},
		{title: "PIN cancelled by the customer", amount: "3.400", before: insert("debit"), want: result{3, terminal.Cancelled, terminal.CodeCancelled, nothing}, pin: "12\x1b"},
	}, verification(), []scene{
		{title: "Declined by the bank: not enough money", amount: "10.051", before: credit, want: declined},
		{title: "Expired card: the bank says 54", amount: "2.000", before: insert("expired"), want: declined},
		{title: "The card itself declines", amount: "2.000", before: insert("declines"), want: result{1, terminal.Declined, terminal.CodeCardDeclined, nothing}},
		{title: "Card pulled out at the second GENERATE AC", amount: "4.000", before: insert("pulled"), want: result{5, terminal.Reversed, terminal.CodeCardRemoved, reversed}},
		{title: "Bank does not answer", amount: "10.101", before: credit, want: unanswered},
		{title: "Bank answers too late", amount: "10.102", before: credit, after: lateAnswer, want: unanswered},
		{title: "Connection breaks in mid-answer", amount: "10.103", before: credit, want: unanswered},
		{title: "Answer with a wrong MAC: it is none", amount: "10.104", before: credit, want: unanswered},
		{title: "Answer with another sale's number", amount: "10.105", before: credit, want: unanswered},
		{title: "Answer comes twice", amount: "10.106", before: credit, want: approved},
		{title: "Card removed before the first GENERATE AC", amount: "1.201", before: credit, want: result{3, terminal.Cancelled, terminal.CodeCardRemoved, nothing}},
		{title: "Card removed before the second GENERATE AC", amount: "1.202", before: credit, want: result{5, terminal.Reversed, terminal.CodeCardRemoved, reversed}},
		{title: "Card refuses after the bank approved", amount: "1.203", before: credit, want: result{5, terminal.Reversed, terminal.CodeCardRefused, reversed}},
		{title: "Cashier cancels before a card comes", amount: "5.000", before: remove, during: cancel, want: result{3, terminal.Cancelled, terminal.CodeCancelled, nothing}},
		{title: "Reader unplugged, and plugged in again", amount: "6.500", before: unplug, during: replug, want: approved},
		{title: "Power cut while a card is awaited", amount: "7.000", before: remove, during: cutAwaiting, want: result{3, "", "", nothing}},
		{title: "Power cut between request and answer", amount: "7.102", before: credit, during: cutSending, want: result{5, terminal.Reversed, terminal.CodePowerLost, reversed}},
		{title: "And the next customer", amount: "1.750", before: remove, during: putIn, want: approved},
	})
}

// hostDown ends the bank. Its ledger lies in memory, so this is the first scene.
func hostDown(ctx context.Context, w *world) error {
	p, err := w.take("hostsim")
	if err != nil {
		return err
	}
	p.end()
	return w.cardholder(ctx, "insert", "credit")
}

func hostUp(ctx context.Context, w *world) error { return w.startHost(ctx) }

func remove(ctx context.Context, w *world) error { return w.cardholder(ctx, "remove") }

func unplug(ctx context.Context, w *world) error {
	if err := w.cardholder(ctx, "insert", "credit"); err != nil {
		return err
	}
	if err := w.cardholder(ctx, "unplug"); err != nil {
		return err
	}
	return w.await(ctx, "the terminal notices that the reader is gone", func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && !s.Reader.OK
	})
}

func replug(ctx context.Context, w *world) error {
	if err := w.awaitState(ctx, terminal.AwaitCard); err != nil {
		return err
	}
	return w.cardholder(ctx, "replug")
}

// lateAnswer waits for the answer that comes when the sale is over: the next connection may not be the one it comes on.
func lateAnswer(ctx context.Context, w *world) error {
	return w.await(ctx, "the late answer is in the journal", func(ctx context.Context) bool {
		n, err := w.strays(ctx)
		return err == nil && n > 0
	})
}

// putIn puts a card in when the terminal asks for one: after a power cut it first asks to take out what may be in.
func putIn(ctx context.Context, w *world) error {
	if err := w.await(ctx, "a card is asked for", func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && s.State == terminal.AwaitCard && s.Prompt == terminal.PromptInsertCard
	}); err != nil {
		return err
	}
	return w.cardholder(ctx, "insert", "credit")
}

func cancel(ctx context.Context, w *world) error {
	if err := w.awaitState(ctx, terminal.AwaitCard); err != nil {
		return err
	}
	_, _, err := w.cashier(ctx, "cancel")
	return err
}

// cutAwaiting cuts the power while the terminal waits for a card, and gives it back.
func cutAwaiting(ctx context.Context, w *world) error {
	if err := w.awaitState(ctx, terminal.AwaitCard); err != nil {
		return err
	}
	if err := w.powerCut(); err != nil {
		return err
	}
	return w.startTerminal(ctx)
}

// cutSending cuts the power when the bank has posted and its answer is on the way, and gives it back.
func cutSending(ctx context.Context, w *world) error {
	before, err := w.ledger(ctx)
	if err != nil {
		return err
	}
	if err := w.await(ctx, "the bank has posted the sale", func(ctx context.Context) bool {
		now, err := w.ledger(ctx)
		return err == nil && len(now) > len(before)
	}); err != nil {
		return err
	}
	if err := w.powerCut(); err != nil {
		return err
	}
	return w.startTerminal(ctx)
}

func (w *world) awaitState(ctx context.Context, state terminal.State) error {
	return w.await(ctx, "the sale is in "+string(state), func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && s.State == state
	})
}
