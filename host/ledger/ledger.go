// Package ledger keeps the books of the simulated host: double entry, append-only, in minor units. It knows accounts,
// entries and opaque records; what a sale or a refund is stands in package host.
//
// An entry has two or more legs that add up to zero in one currency: what one account gives, others receive. Nothing is
// ever changed or deleted; what was wrong is put right by another entry. So the sum of all balances of a currency is zero
// at every moment, and Trial shows it.
//
// A ledger lies in memory, or in a folder (Open): SQLite with a write-ahead log and synchronous=FULL. Append orders
// entries and records at once; Sync returns when everything appended before it is on disk. Callers that wait at the same
// time share one commit, so that many terminals cost few flushes. There is no goroutine and no clock in it.
package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tillway/money"
)

// Why an entry is not taken: the caller's mistake.
var (
	ErrUnbalanced = errors.New("legs of an entry do not add up to zero")
	ErrEntry      = errors.New("entry cannot be posted")
)

// maxLegs and maxName bound one entry; maxEntries what a ledger holds, which bounds its memory and keeps every balance far
// from the end of 64 bits: 2^22 entries of at most MaxMinor are below 2^62.
const (
	maxLegs    = 8
	maxName    = 64
	maxEntries = 1 << 22
)

// Leg is one account's part of an entry. Above zero the account receives (credit), below it gives (debit).
type Leg struct {
	Account string `json:"account"`
	Minor   int64  `json:"minor"`
}

// Entry is one event in the books.
type Entry struct {
	Number   int64          `json:"number"` // from 1, without gaps; Append gives it
	At       time.Time      `json:"at"`
	Kind     string         `json:"kind"`          // the host's word for what happened
	Ref      string         `json:"ref,omitempty"` // the transaction, as the host names it
	Currency money.Currency `json:"-"`
	Code     string         `json:"currency"`
	Legs     []Leg          `json:"legs"`
}

// Record is what the host keeps of a transaction beside the entries: the newest with a key counts, and all stay.
type Record struct {
	Key  string
	Body []byte
}

// Batch is what one decision writes: all of it or nothing.
type Batch struct {
	Entries []Entry
	Records []Record
}

// account is an account's name in one currency.
type account struct{ currency, name string }

// sums is what an account received and gave so far.
type sums struct{ credits, debits int64 }

// Ledger is the books. All methods are safe for concurrent use.
type Ledger struct {
	key  []byte // for marks of card data; nil in memory
	file *file  // nil in memory

	mu         sync.Mutex // guards what follows; held over no I/O
	accounts   map[account]*sums
	currencies map[string]money.Currency
	entries    []Entry
	pending    []Batch
	appended   uint64 // batches taken
	failed     error  // why no more are
	writing    bool   // somebody commits, without the lock
	committed  uint64 // batches on disk
	wrote      *sync.Cond
}

// InMemory makes a ledger that ends with the program: for tests and simulations.
func InMemory() *Ledger {
	l := &Ledger{accounts: map[account]*sums{}, currencies: map[string]money.Currency{}}
	l.wrote = sync.NewCond(&l.mu)
	return l
}

// check says why an entry cannot be posted.
func (e Entry) check() error {
	if len(e.Legs) < 2 || len(e.Legs) > maxLegs || e.Kind == "" || len(e.Kind) > maxName || len(e.Ref) > maxName || len(e.Currency.Code) != 3 {
		return fmt.Errorf("entry %q of %d legs in %q: %w", e.Kind, len(e.Legs), e.Currency.Code, ErrEntry)
	}
	var sum int64
	for i, l := range e.Legs {
		if l.Account == "" || len(l.Account) > maxName || l.Minor == 0 || l.Minor > money.MaxMinor || l.Minor < -money.MaxMinor {
			return fmt.Errorf("entry %q, leg %d of %d to %q: %w", e.Kind, i+1, l.Minor, l.Account, ErrEntry)
		}
		sum += l.Minor // eight legs of twelve digits
	}
	if sum != 0 {
		return fmt.Errorf("entry %q is %d off: %w", e.Kind, sum, ErrUnbalanced)
	}
	return nil
}

// Append posts entries and keeps records, all or none, and returns before they are on disk: Sync waits for that. Errors:
// ErrUnbalanced, ErrEntry, and whatever made an earlier commit fail: then nothing is taken any more.
func (l *Ledger) Append(b Batch) error {
	for _, e := range b.Entries {
		if err := e.check(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	if len(l.entries)+len(b.Entries) > maxEntries {
		return fmt.Errorf("%d entries are all that a ledger holds: start another: %w", maxEntries, ErrEntry)
	}
	b.Entries = slices.Clone(b.Entries)
	for i := range b.Entries {
		l.post(&b.Entries[i])
	}
	if l.file != nil {
		l.pending = append(l.pending, b)
		l.appended++
	}
	return nil
}

// post numbers an entry and moves its amounts. The caller holds mu, or is alone.
func (l *Ledger) post(e *Entry) {
	e.Number, e.Code = int64(len(l.entries)+1), e.Currency.Code
	l.currencies[e.Code] = e.Currency
	for _, leg := range e.Legs {
		at := account{e.Code, leg.Account}
		s := l.accounts[at]
		if s == nil {
			s = &sums{}
			l.accounts[at] = s
		}
		if leg.Minor > 0 {
			s.credits += leg.Minor
		} else {
			s.debits -= leg.Minor
		}
	}
	l.entries = append(l.entries, *e)
}

// Sync waits until all that was appended before is on disk. An error is for good: the books in memory are ahead of those
// on disk, and whoever gets it must not tell anybody what was posted. In memory it does nothing.
func (l *Ledger) Sync() error {
	if l.file == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// Whoever finds nobody writing writes for all that wait; the others wait for that commit or, when it began before their batch
	// came, for the next one, and never for one behind it.
	for want := l.appended; l.committed < want; {
		switch {
		case l.failed != nil:
			return l.failed
		case l.writing:
			l.wrote.Wait()
		default:
			l.commit()
		}
	}
	return nil
}

// commit writes all that is pending. The caller holds mu, which is let go of while the disk works.
func (l *Ledger) commit() {
	batches, upto := l.pending, l.appended
	l.pending, l.writing = nil, true
	l.mu.Unlock()
	err := l.file.write(batches)
	l.mu.Lock()
	l.writing = false
	if err == nil {
		l.committed = upto
	} else {
		l.failed = fmt.Errorf("ledger: %w", err)
	}
	l.wrote.Broadcast()
}

// Err is what made a commit fail, or nil.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Balance is what an account received less what it gave.
func (l *Ledger) Balance(name string, currency money.Currency) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.accounts[account{currency.Code, name}]; s != nil {
		return s.credits - s.debits
	}
	return 0
}

// Entries lists the entries after a number, oldest first.
func (l *Ledger) Entries(after int64) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries[min(max(after, 0), int64(len(l.entries))):])
}

// Line is one account of a trial balance, in minor units.
type Line struct {
	Account string `json:"account"`
	Debits  int64  `json:"debits"`
	Credits int64  `json:"credits"`
	Balance int64  `json:"balance"` // credits less debits
}

// Trial is the trial balance of one currency.
type Trial struct {
	Currency string `json:"currency"`
	Exponent int    `json:"exponent"`
	Lines    []Line `json:"lines"`
	Debits   int64  `json:"debits"`
	Credits  int64  `json:"credits"`
	Off      int64  `json:"off"` // credits less debits: zero, or the books are wrong
}

// Trial is the trial balance: one table a currency, accounts by name.
func (l *Ledger) Trial() []Trial {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := map[string]*Trial{}
	for at, s := range l.accounts {
		t := by[at.currency]
		if t == nil {
			t = &Trial{Currency: at.currency, Exponent: l.currencies[at.currency].Exponent}
			by[at.currency] = t
		}
		t.Lines = append(t.Lines, Line{at.name, s.debits, s.credits, s.credits - s.debits})
		t.Debits += s.debits
		t.Credits += s.credits
	}
	out := make([]Trial, 0, len(by))
	for _, t := range by {
		slices.SortFunc(t.Lines, func(a, b Line) int { return strings.Compare(a.Account, b.Account) })
		t.Off = t.Credits - t.Debits
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Trial) int { return cmp.Compare(a.Currency, b.Currency) })
	return out
}
