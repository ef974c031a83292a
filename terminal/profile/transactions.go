package profile

import (
	"slices"
	"strings"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// Transactions is which kinds of transaction the terminal does, and how.
type Transactions struct {
	Kinds      []terminal.Kind // in the file's order
	TwoStep    bool            // a sale is an authorisation, and at once a completion advice
	TipPercent int             // the most that a tip may be of the goods; 0: no tips
	Cashback   money.Amount    // the most cash given out with a sale; zero: none

	// SameCard is for how long a card that pays the same amount again is warned about; 0: never. AskSameCard: nothing is sent
	// before somebody has said that it is meant.
	SameCard    time.Duration
	AskSameCard bool
}

// Does says that the terminal does a kind.
func (t Transactions) Does(k terminal.Kind) bool { return slices.Contains(t.Kinds, k) }

const (
	defaultSameCard = 5
	longestSameCard = 60
)

func (c *checker) transactions(f transactions, cur money.Currency) Transactions {
	t := Transactions{Kinds: []terminal.Kind{terminal.KindSale}, TipPercent: c.between("transactions.tip_percent", f.Tip, 0, 0, 100)}
	if f.Kinds != nil {
		t.Kinds = c.kinds(f.Kinds)
	}
	t.TwoStep = c.oneOf("transactions.sale_messages", f.Messages, "one", "two")
	if f.Cashback != nil {
		if minor := c.amount("transactions.cashback", f.Cashback, cur); minor > 0 {
			t.Cashback = money.New(minor, cur)
		}
	}
	t.SameCard = time.Duration(c.between("transactions.same_card_minutes", f.Minutes, defaultSameCard, 0, longestSameCard)) * time.Minute
	t.AskSameCard = c.oneOf("transactions.same_card", f.Same, "warn", "ask")
	return t
}

func (c *checker) kinds(v any) []terminal.Kind {
	const key = "transactions.kinds"
	var out []terminal.Kind
	for _, name := range c.list(key, v) {
		k := terminal.Kind(name)
		switch {
		case !slices.Contains(terminal.Kinds(), k):
			c.refuse(key, "has %q: there are %s", name, kindWords())
			return nil
		case slices.Contains(out, k):
			c.refuse(key, "names %q twice", name)
		}
		out = append(out, k)
	}
	pre := slices.Contains(out, terminal.KindPreauth)
	switch has := func(k terminal.Kind) bool { return slices.Contains(out, k) }; {
	case len(out) == 0:
		c.refuse(key, "is empty: a terminal does at least one kind, like [\"sale\"]")
	case pre != has(terminal.KindCompletion), has(terminal.KindIncrement) && !pre:
		c.refuse(key, "preauth and completion go together, and increment with both: what is held must be taken one day")
	}
	return out
}

// oneOf is a choice of two words, the first being the default; true: the second.
func (c *checker) oneOf(key string, v any, first, second string) bool {
	word := c.str(key, v)
	if word != "" && word != first && word != second {
		c.refuse(key, "%q: write %q or %q", word, first, second)
	}
	return word == second
}

func kindWords() string {
	var words []string
	for _, k := range terminal.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}
