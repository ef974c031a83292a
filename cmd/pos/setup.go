package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

// setupReference is on every sale of a set-up, and on what takes it back: they are found by it.
const setupReference = "SET-UP TEST"

// voidTries is how often a test sale's void is tried before somebody has to look.
const voidTries = 3

func (a *app) setup() *cobra.Command {
	return group("setup", "Setting the terminal up: the test sale, and what is done (pos tui leads through all of it)", a.setupSale(), a.setupSummary())
}

// testSale is what pos setup sale did.
type testSale struct {
	Sale *terminal.Sale  `json:"sale,omitempty"`
	Void *terminal.Sale  `json:"void,omitempty"`
	Left []terminal.Sale `json:"left"` // test sales that stand: their money has to be given back by hand
}

func (a *app) setupSale() *cobra.Command {
	var amount, pinFile string
	c := &cobra.Command{
		Use: "sale", Short: "Make a real sale of a small amount, and take it back at once", Args: args(),
		Long: `sale charges a card a tenth of the currency's unit, 0.100 in Kuwaiti dinars, and voids that as soon as it is approved: nothing of it is left.
It is a real sale, with a real card, through reader, keys and bank. It needs a role for sales and voids, and a profile that has voids: without
them it does not begin. A test sale that an earlier run could not take back is voided first.

Exit status: 0 approved and taken back; as pos sale where it was not approved; 5 where money is left, and then it says in which sale.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			t, err := a.tryOut(c.Context(), cl, amount, pinFile)
			if a.json && t.Left != nil {
				if perr := a.printJSON(t); perr != nil {
					return perr
				}
			}
			return err
		},
	}
	c.Flags().StringVar(&amount, "amount", "", "another amount than a tenth of the currency's unit")
	c.Flags().StringVar(&pinFile, "pin-file", "", "development: the PIN and a line end, from this file or - for standard input, instead of the keyboard")
	return c
}

// tryOut makes the test sale and takes it back. Left is nil where nothing was begun.
func (a *app) tryOut(ctx context.Context, cl *client, amount, pinFile string) (testSale, error) {
	var t testSale
	money, err := testAmount(ctx, cl, amount)
	if err != nil {
		return t, err
	}
	stand, err := standing(ctx, cl)
	if err != nil {
		return t, err
	}
	for _, s := range stand {
		a.tell(fmt.Sprintf("Sale %s of an earlier set-up still stands: it is taken back first.", s.ID))
		if _, err := a.takeBack(ctx, cl, s); err != nil {
			t.Left = stand
			return t, err
		}
	}
	var sale terminal.Sale
	selling := &selling{
		app: a, client: cl, pinFile: pinFile, ended: func(s terminal.Sale) { sale = s },
		order: terminal.Order{Kind: terminal.KindSale, Amount: money, Reference: setupReference, Key: newKey()},
	}
	if err := selling.run(ctx); err != nil {
		return t, err
	}
	t.Sale, t.Left = &sale, []terminal.Sale{}
	a.tell(fmt.Sprintf("Sale %s, %s: %s. %s", sale.ID, sale.Amount.Format(), strings.ToUpper(string(sale.State)), sale.Outcome.Happened))
	if sale.State != terminal.Approved {
		return t, outcome(sale)
	}
	void, err := a.takeBack(ctx, cl, sale)
	if void.ID != 0 {
		t.Void = &void
	}
	if err != nil {
		t.Left = append(t.Left, sale)
	}
	return t, err
}

// testAmount is what the test sale is of. It refuses a terminal on which it could not be taken back.
func testAmount(ctx context.Context, cl *client, text string) (money.Amount, error) {
	var st till.Status
	var me till.Me
	if err := errors.Join(cl.get(ctx, "/v1/status", &st), cl.get(ctx, "/v1/me", &me)); err != nil {
		return money.Amount{}, err
	}
	if me.Training {
		return money.Amount{}, &exit{exitNothingSent, errors.New("the terminal is in training mode: its sales are played; end it first (pos training off)")}
	}
	if !slices.Contains(st.Terminal.Kinds, terminal.KindVoid) {
		return money.Amount{}, &exit{exitNothingSent, errors.New("this terminal's profile and acquirer have no void: a test sale could not be taken back, and is not made")}
	}
	currency, err := money.ByCode(st.Terminal.Currency)
	if err != nil {
		return money.Amount{}, &exit{exitUnreachable, fmt.Errorf("the daemon's currency: %w", err)}
	}
	if text != "" {
		amount, err := money.Parse(latin(text), currency)
		if err != nil || amount.Minor == 0 {
			return amount, usage("--amount %q: an amount above nothing, in %s", text, currency.Code)
		}
		return amount, nil
	}
	minor := int64(1)
	for range currency.Exponent - 1 {
		minor *= 10
	}
	return money.New(minor, currency), nil
}

// setupSales are the newest sales of set-ups, and what took them back.
func setupSales(ctx context.Context, cl *client) ([]terminal.Sale, error) {
	var found till.Sales
	err := cl.get(ctx, "/v1/sales?last=50&reference="+url.QueryEscape(setupReference), &found)
	return found.Sales, err
}

// standing are approved test sales that were not taken back, oldest first.
func standing(ctx context.Context, cl *client) ([]terminal.Sale, error) {
	all, err := setupSales(ctx, cl)
	return stillStanding(all), err
}

func stillStanding(all []terminal.Sale) []terminal.Sale {
	back, refunded := map[terminal.SaleID]bool{}, map[terminal.SaleID]int64{}
	for _, s := range all {
		switch {
		case s.State != terminal.Approved:
		case s.Kind == terminal.KindVoid:
			back[s.Of] = true
		case s.Kind == terminal.KindRefund:
			refunded[s.Of] += s.Amount.Minor
		}
	}
	var stand []terminal.Sale
	for _, s := range slices.Backward(all) {
		if s.Kind == terminal.KindSale && s.State == terminal.Approved && !back[s.ID] && refunded[s.ID] < s.Amount.Minor {
			stand = append(stand, s)
		}
	}
	return stand
}

// takeBack voids a test sale. A void that the bank did not take is tried again; after the last try the error says what stands.
func (a *app) takeBack(ctx context.Context, cl *client, sale terminal.Sale) (void terminal.Sale, err error) {
	for range voidTries {
		order := terminal.Order{Kind: terminal.KindVoid, Of: sale.ID, Amount: money.New(0, sale.Amount.Currency), Reference: setupReference, Key: newKey()}
		s := &selling{app: a, client: cl, order: order, ended: func(v terminal.Sale) { void = v }}
		if err = s.run(ctx); err != nil {
			break
		}
		if void.State == terminal.Approved {
			a.tell(fmt.Sprintf("Sale %s was taken back by void %s: nothing of it is left.", sale.ID, void.ID))
			return void, nil
		}
		err = fmt.Errorf("void %s is %s: %s", void.ID, void.State, void.Outcome.Happened)
	}
	return void, &exit{exitReversed, fmt.Errorf("test sale %s of %s STANDS, it could not be taken back: %w: take it back with pos void %s, or after the batch is closed with pos refund --of %s --reference %q", sale.ID, sale.Amount.Format(), err, sale.ID, sale.ID, setupReference)}
}

func (a *app) setupSummary() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "summary", Short: "What is set up, and what is not: the page for handing the terminal over", Args: args(),
		Long: `summary reads from the machine how each part of the set-up stands, and prints it on a page, or writes that page to the file of --out. It changes
nothing. With nobody logged in it leaves out what only some may see. Exit status 1 where something is not done.`,
		Example: "  pos setup summary\n  pos setup summary --out handover.txt",
		RunE: func(c *cobra.Command, _ []string) error {
			l := a.lookAround(c.Context())
			s := l.summary(time.Now())
			var page []byte
			if a.json {
				text, err := json.Marshal(s)
				if err != nil {
					return fmt.Errorf("summary: %w", err)
				}
				page = append(text, '\n')
			} else {
				page = []byte(s.text())
			}
			if out != "" {
				if err := writePage(out, page); err != nil {
					return usage("%w", err)
				}
				if !a.json {
					a.printf("Written to %s.\n", out)
				}
			} else {
				a.printf("%s", page)
			}
			if s.Open > 0 {
				return &exit{code: exitDeclined}
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "file that the page is written to")
	return c
}

// writePage puts a whole page in place, or none.
func writePage(path string, page []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".page-*")
	if err != nil {
		return err
	}
	_, err = f.Write(page)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
