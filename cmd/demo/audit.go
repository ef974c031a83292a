package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"

	"tillway/money"
	"tillway/terminal"
)

// cards are the numbers of the cards that the script uses: test numbers, and canaries. None may be found on disk.
var cards = [...]string{"4761739001010119", "5413330089604111", "4761739001010127", "4761739001010135", "4761739001010143"}

// audit checks what must hold over all sales together.
func (w *world) audit(ctx context.Context, done []outcome) ([]check, error) {
	entries, err := w.ledger(ctx)
	if err != nil {
		return nil, err
	}
	log, err := w.messages(ctx)
	if err != nil {
		return nil, err
	}
	status, err := w.status(ctx)
	if err != nil {
		return nil, err
	}
	strays, err := w.strays(ctx)
	if err != nil {
		return nil, err
	}
	clear, err := w.canary(cards[:])
	if err != nil {
		return nil, err
	}
	last := done[len(done)-1].sale
	reprint, err := w.reprint(ctx, last)
	if err != nil {
		return nil, err
	}
	again, err := w.orderAgain(ctx, last)
	if err != nil {
		return nil, err
	}
	terminalTotal, err := total(approved(done))
	if err != nil {
		return nil, err
	}
	bankTotal, err := total(stillPosted(entries))
	if err != nil {
		return nil, err
	}
	return []check{
		{"approved by the terminal = posted by the bank", terminalTotal, bankTotal},
		{"sale by sale", "agree", disagreement(done, entries)},
		{"every reversal is with the bank before the next request", "yes", overtaken(done, log)},
		{"answers that nobody waited for, in the journal", fmt.Sprint(straysExpected), fmt.Sprint(strays)},
		{"the merchant's copy, printed later, says that it is a reprint", "yes", reprint},
		{"the same order again, with its key, gives the same sale", last.ID.String(), again},
		{"still owed to the bank, or parked", "0", fmt.Sprint(status.Owed + status.Parked)},
		{"files with a card number in clear", "none", orNone(clear)},
	}, nil
}

// reprint asks for the merchant's copy of a sale and shows it.
func (w *world) reprint(ctx context.Context, sale terminal.Sale) (says string, err error) {
	printed, status, err := w.cashier(ctx, "receipt", sale.ID.String(), "--copy", "merchant")
	if err != nil || status != 0 {
		return "", fmt.Errorf("pos receipt ended with %d: %w; it said:\n%s", status, err, printed)
	}
	_, _ = fmt.Fprintf(w.out, "\nThe merchant's copy, later: pos receipt %s --copy merchant\n%s", sale.ID, indent(printed))
	if !strings.Contains(printed, "DUPLICATE") {
		return "no", nil
	}
	return "yes", nil
}

// orderAgain sends the order of a sale once more, as a till does that never heard its answer.
func (w *world) orderAgain(ctx context.Context, sale terminal.Sale) (id string, err error) {
	order := terminal.Order{Kind: sale.Kind, Amount: sale.Amount, Reference: sale.Reference, Key: sale.Key}
	var same terminal.Sale
	if err := post(ctx, w.local, "http://posd/v1/sales", order, &same); err != nil {
		return "", err
	}
	return same.ID.String(), nil
}

// straysExpected: the late answer, the one with a wrong MAC, the one with another's number, and the second of two.
const straysExpected = 4

// strays counts the answers that the terminal put aside.
func (w *world) strays(ctx context.Context) (count int, err error) {
	rows, err := w.journal(ctx)
	for _, r := range rows {
		if r.Kind == terminal.StrayEntry {
			count++
		}
	}
	return count, err
}

func approved(done []outcome) (amounts []money.Amount) {
	for _, o := range done {
		if o.sale.State == terminal.Approved {
			amounts = append(amounts, o.sale.Amount)
		}
	}
	return amounts
}

func stillPosted(entries []entry) (amounts []money.Amount) {
	for _, e := range entries {
		if e.State == posted {
			amounts = append(amounts, e.Amount)
		}
	}
	return amounts
}

// total adds to the last minor unit.
func total(amounts []money.Amount) (string, error) {
	if len(amounts) == 0 {
		return "nothing", nil
	}
	sum := money.New(0, amounts[0].Currency)
	for _, a := range amounts {
		var err error
		if sum, err = sum.Add(a); err != nil {
			return "", err
		}
	}
	return sum.Format(), nil
}

// disagreement names the first sale for which terminal and bank are not of one mind, in amount or in outcome.
func disagreement(done []outcome, entries []entry) string {
	for _, o := range done {
		found := 0
		for _, e := range entries {
			if o.sale.STAN == 0 || uint32(e.STAN) != o.sale.STAN {
				continue
			}
			if found++; e.Amount != o.sale.Amount {
				return fmt.Sprintf("sale %s is %s here and %s there", o.sale.ID, o.sale.Amount.Format(), e.Amount.Format())
			}
			if (e.State == posted) != (o.sale.State == terminal.Approved) {
				return fmt.Sprintf("sale %s is %s here and %s there", o.sale.ID, o.sale.State, e.State)
			}
		}
		if found > 1 || (found == 0 && o.sale.State == terminal.Approved) {
			return fmt.Sprintf("sale %s is %s here and is %d times in the bank's ledger", o.sale.ID, o.sale.State, found)
		}
	}
	return "agree"
}

// overtaken names the first request that reached the bank while the reversal of an earlier sale was still owed.
func overtaken(done []outcome, log []message) string {
	owed := map[number]bool{}
	for _, o := range done {
		owed[number(o.sale.STAN)] = o.sale.State == terminal.Reversed
	}
	var waiting []number
	for _, m := range log {
		switch {
		case m.Direction != "in":
		case m.MTI == "0200":
			for _, earlier := range waiting {
				if earlier != m.STAN {
					return fmt.Sprintf("request %06d came before the reversal of %06d", m.STAN, earlier)
				}
			}
			if owed[m.STAN] {
				waiting = append(waiting, m.STAN)
			}
		case strings.HasPrefix(m.MTI, "04"):
			waiting = without(waiting, m.STAN)
		}
	}
	if len(waiting) > 0 {
		return fmt.Sprintf("the reversal of %06d never came", waiting[0])
	}
	return "yes"
}

func without(numbers []number, gone number) (left []number) {
	for _, n := range numbers {
		if n != gone {
			left = append(left, n)
		}
	}
	return left
}

// search lists the files that hold one of the numbers, as digits or packed two to a byte.
func search(files fs.FS, numbers []string) (found []string, err error) {
	var forms [][]byte
	for _, n := range numbers {
		forms = append(forms, []byte(n), packed(n))
	}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		for _, form := range forms {
			if bytes.Contains(text, form) {
				found = append(found, name)
				break
			}
		}
		return nil
	})
	return found, err
}

// packed is an even number of digits, two to a byte.
func packed(digits string) []byte {
	out := make([]byte, len(digits)/2)
	for i := range out {
		out[i] = (digits[2*i]-'0')<<4 | (digits[2*i+1] - '0')
	}
	return out
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
