package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

// asking is one of the commands that start a transaction: what is typed for it, and the order that it makes.
type asking struct {
	kind    terminal.Kind
	use     string   // command and arguments
	args    []string // ID and AMOUNT, in the order of use
	verb    string   // what an amount of nothing cannot be used for
	short   string
	long    string
	example string
	flags   []string // that it has beside --reference and, where a card is read, --pin-file
}

const followed = `

What the terminal says goes to standard error as it changes; the customer's receipt goes to standard output. The exit status is the
outcome's (pos --help). If the connection to the daemon breaks, pos finds the same transaction again.`

// askings are the commands, in the order of the help.
func askings() []asking {
	return []asking{
		{
			kind: terminal.KindSale, use: "sale AMOUNT", args: []string{"AMOUNT"}, verb: "charge",
			short: "Sell: ask for a card and charge it",
			long: `sale charges AMOUNT, in the terminal's currency with at most its decimals: 10.525 or 5 in Kuwaiti dinars. With --tip and --cashback
the card pays both on top of it.

What the terminal says goes to standard error as it changes; the customer's receipt goes to standard output. Ctrl-C asks
to cancel, and then still waits for the outcome: until the card's answer has gone to the bank the sale is cancelled, after
that it is too late. Where a PIN is wanted and the terminal has its development keypad on, it is typed here without being
shown, and goes straight to the secure module. Where a signature is wanted the merchant's copy comes before the outcome, to be
signed, and the sale waits for the answer to "Signature matches?", or for pos signature. Where the bank approves less than was asked
for, the question is whether the customer pays the rest in another way, here or by pos agree: a "no" reverses all of it. With --json it
neither prints the slip nor asks. If the connection to the daemon breaks, pos finds the same sale again.`,
			example: "  pos sale 10.525\n  pos sale 5 --reference table-7\n  pos sale 18.000 --tip 2.000\n  pos sale 10 --cashback 20",
			flags:   []string{"tip", "cashback"},
		},
		{
			kind: terminal.KindRefund, use: "refund AMOUNT", args: []string{"AMOUNT"}, verb: "refund",
			short: "Give money back to a card: of an earlier sale, or of none",
			long: `refund gives AMOUNT back to the customer's card. With --of it is of that earlier sale: the same card is asked for, and all refunds
of the sale together are no more than it was. Without --of it is of no sale of this terminal, which needs a supervisor.

A whole sale of today that should not have been is taken back with pos void: no card is needed, and nothing shows on the
customer's account.` + followed,
			example: "  pos refund 3.000 --of 1041\n  pos refund 3.000",
			flags:   []string{"of"},
		},
		{
			kind: terminal.KindVoid, use: "void ID", args: []string{"ID"},
			short: "Take a whole transaction of the open batch back",
			long: `void takes back all of transaction ID: a sale, a refund or a pre-authorisation of the open batch that stands. No card is needed. After the
batch is closed there is pos refund instead.` + followed,
			example: "  pos void 1041",
		},
		{
			kind: terminal.KindPreauth, use: "preauth AMOUNT", args: []string{"AMOUNT"}, verb: "hold",
			short: "Hold an amount on a card; nothing is taken yet",
			long: `preauth has the bank hold AMOUNT on the customer's card, as a hotel does at arrival. Nothing is taken: pos increment holds more, pos complete
takes what is due at the end, and pos void lets go of it.` + followed,
			example: "  pos preauth 100 --reference room-12",
		},
		{
			kind: terminal.KindIncrement, use: "increment ID AMOUNT", args: []string{"ID", "AMOUNT"}, verb: "hold",
			short: "Hold more on the card of a pre-authorisation",
			long:  `increment has the bank hold AMOUNT more for pre-authorisation ID. No card is needed.` + followed,

			example: "  pos increment 1041 50",
		},
		{
			kind: terminal.KindCompletion, use: "complete ID AMOUNT", args: []string{"ID", "AMOUNT"}, verb: "take",
			short: "Take what a pre-authorisation holds, or part of it",
			long: `complete takes AMOUNT of what pre-authorisation ID and its increments hold, and lets the rest go. No card is needed, and the bank is not
asked: it is told, now or as soon as it can be reached (pos queue).` + followed,
			example: "  pos complete 1041 132.500",
		},
		{
			kind: terminal.KindBalance, use: "balance",
			short: "Ask what is on a card's account; nothing is taken",
			long:  `balance asks the bank what is available on the customer's card, and prints it for the customer.` + followed,
		},
		{
			kind: terminal.KindForced, use: "forced AMOUNT --auth CODE", args: []string{"AMOUNT"}, verb: "charge",
			short: "Sell with the code that the bank gave by telephone",
			long: `forced charges AMOUNT after the bank has approved it by telephone, and has given the code that --auth takes. The card is read, and the bank is
not asked again: it is told, now or as soon as it can be reached (pos queue).` + followed,
			example: "  pos forced 10.525 --auth A12345",
			flags:   []string{"auth"},
		},
	}
}

// starting are all commands that start a transaction.
func (a *app) starting() []*cobra.Command {
	var all []*cobra.Command
	for _, k := range askings() {
		all = append(all, a.ask(k))
	}
	return all
}

// typedIn is what was typed behind the command.
type typedIn struct {
	tip, cashback, of, auth, reference, pinFile string
}

func (a *app) ask(k asking) *cobra.Command {
	var g typedIn
	c := &cobra.Command{
		Use: k.use, Short: k.short, Long: k.long, Example: k.example, Args: args(k.args...),
		RunE: func(c *cobra.Command, argv []string) error {
			cl := a.client()
			defer cl.close()
			currency, err := terminalsCurrency(c.Context(), cl)
			if err != nil {
				return err
			}
			order, err := k.order(argv, g, currency)
			if err != nil {
				return err
			}
			s := &selling{app: a, client: cl, pinFile: g.pinFile, order: order}
			return s.run(c.Context())
		},
	}
	for _, name := range k.flags {
		switch name {
		case "tip":
			c.Flags().StringVar(&g.tip, name, "", "tip that the card pays on top of AMOUNT")
		case "cashback":
			c.Flags().StringVar(&g.cashback, name, "", "cash that is given to the customer and that the card pays on top of AMOUNT")
		case "of":
			c.Flags().StringVar(&g.of, name, "", "number of the sale that it is of: the one its receipt calls SALE")
		case "auth":
			c.Flags().StringVar(&g.auth, name, "", "the code that the bank gave by telephone, 1 to 6 letters and digits")
		}
	}
	if !k.kind.WithoutCard() {
		c.Flags().StringVar(&g.pinFile, "pin-file", "", "development: the PIN and a line end, from this file or - for standard input, instead of the keyboard")
	}
	c.Flags().StringVar(&g.reference, "reference", "", "the shop's own number or words, printed on the receipt")
	return c
}

func terminalsCurrency(ctx context.Context, cl *client) (money.Currency, error) {
	var st till.Status
	if err := cl.get(ctx, "/v1/status", &st); err != nil {
		return money.Currency{}, err
	}
	if st.Params != nil && st.Params.Waiting != "" {
		return money.Currency{}, &exit{exitNothingSent, fmt.Errorf("the terminal waits for its parameters: %s: apply a package (pos provision apply)", st.Params.Waiting)}
	}
	currency, err := money.ByCode(st.Terminal.Currency)
	if err != nil {
		return money.Currency{}, &exit{exitUnreachable, fmt.Errorf("the daemon's currency: %w", err)}
	}
	return currency, nil
}

// order makes the order of what was typed. Whether the terminal takes it is the terminal's to say.
func (k asking) order(argv []string, g typedIn, currency money.Currency) (o terminal.Order, err error) {
	o = terminal.Order{Kind: k.kind, Amount: money.New(0, currency), AuthCode: g.auth, Reference: g.reference, Key: newKey()}
	for i, name := range k.args {
		switch name {
		case "ID":
			if o.Of, err = terminal.ParseSaleID(argv[i]); err != nil {
				return o, usage("%w", err)
			}
		case "AMOUNT":
			if o.Amount, err = money.Parse(latin(argv[i]), currency); err != nil {
				return o, usage("amount %w", err)
			}
			if o.Amount.Minor == 0 {
				return o, usage("amount %q: there is nothing to %s", argv[i], k.verb)
			}
		}
	}
	if g.of != "" {
		if o.Of, err = terminal.ParseSaleID(g.of); err != nil {
			return o, usage("--of: %w", err)
		}
	}
	if o.Tip, err = extra("tip", g.tip, currency); err != nil {
		return o, err
	}
	if o.Cashback, err = extra("cashback", g.cashback, currency); err != nil {
		return o, err
	}
	if k.kind == terminal.KindForced && g.auth == "" {
		return o, usage("--auth is missing: the code that the bank gave by telephone; without one there is pos sale")
	}
	if len(g.reference) > till.MaxBody/8 { // what is shorter the terminal judges itself
		return o, usage("the reference has %d bytes: shorten it", len(g.reference))
	}
	return o, nil
}

// extra is what is paid on top of the amount; none is the zero value.
func extra(name, text string, currency money.Currency) (money.Amount, error) {
	if text == "" {
		return money.Amount{}, nil
	}
	amount, err := money.Parse(latin(text), currency)
	if err != nil {
		return money.Amount{}, usage("--%s %w", name, err)
	}
	if amount.Minor == 0 {
		return money.Amount{}, nil
	}
	return amount, nil
}
