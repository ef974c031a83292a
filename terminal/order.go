package terminal

import (
	"fmt"
	"slices"
	"strings"

	"tillway/money"
)

// OrderRules are what orders are checked by: the profile's and the acquirer's.
type OrderRules struct {
	Kinds      []Kind       // that the terminal does; none: sales alone
	Host       []Kind       // that the acquirer has messages for
	TipPercent int          // the most that a tip may be of the goods; 0: no tips
	Cashback   money.Amount // the most cash given out with a sale; zero: none
	Currency   money.Currency
}

// maxKey has room for a cash register's name before its own key of 64 bytes.
const maxReference, maxKey, maxAuthCode = 64, 128, 6

// Refuse is ErrOrder with one sentence more: why, and what to do instead.
func Refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOrder}, args...)...)
}

// CheckOrder judges an order by itself: what the terminal does, and what belongs to a kind. Error: ErrOrder, with one sentence more.
func CheckOrder(o Order, r OrderRules) error {
	if err := r.does(o.Kind); err != nil {
		return err
	}
	switch {
	case len(o.Reference) > maxReference || len(o.Key) > maxKey:
		return Refuse("reference or key longer than %d bytes", maxReference)
	case strings.ContainsFunc(o.Reference+o.Key, func(c rune) bool { return c < ' ' || c == 0x7F }):
		return Refuse("reference or key with control characters")
	case CardNumberIn(o.Reference) || CardNumberIn(o.Key) && !uuid(o.Key):
		return Refuse("the reference looks like a card number, which is never kept: use the shop's own number")
	case slices.ContainsFunc(o.Asked.Words(), CardNumberIn):
		return Refuse("one of the cash register's own numbers looks like a card number, which is never kept: use another")
	case o.Of == 0 && o.Kind.WithoutCard():
		return Refuse("a %s is about an earlier transaction: give its number", o.Kind)
	case o.Of != 0 && !o.Kind.WithoutCard() && o.Kind != KindRefund:
		return Refuse("a %s is about no earlier transaction: leave its number out", o.Kind)
	case o.Kind == KindForced && !authCode(o.AuthCode):
		return Refuse("a forced sale needs the code that the bank gave by telephone: 1 to %d letters and digits", maxAuthCode)
	case o.Kind != KindForced && o.AuthCode != "":
		return Refuse("only a forced sale has a code that the bank gave by telephone")
	}
	return r.checkAmounts(o)
}

// does says whether profile and dialect have a kind.
func (r OrderRules) does(k Kind) error {
	allowed := r.Kinds
	if len(allowed) == 0 {
		allowed = []Kind{KindSale}
	}
	switch {
	case !slices.Contains(allowed, k):
		return Refuse("kind %q: this terminal does %s, as its profile says", k, kindWords(allowed))
	case !slices.Contains(r.Host, k):
		return Refuse("kind %q: the acquirer has no message for it", k)
	}
	return nil
}

func kindWords(kinds []Kind) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return strings.Join(out, ", ")
}

func authCode(s string) bool {
	return s != "" && len(s) <= maxAuthCode && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func (r OrderRules) checkAmounts(o Order) error {
	cur := r.Currency
	none := o.Kind == KindVoid || o.Kind == KindBalance
	for _, part := range []struct {
		name string
		money.Amount
	}{{"amount", o.Amount}, {"tip", o.Tip}, {"cashback", o.Cashback}} {
		zero := part.Minor == 0 && (none || part.name != "amount")
		unsaid := zero && part.Amount == money.Amount{}
		switch {
		case part.Currency != cur && !unsaid:
			return Refuse("%s in currency %q: this terminal takes %s", part.name, part.Currency.Code, cur.Code)
		case zero:
		case none:
			return Refuse("a %s has no amount of its own: leave it out", o.Kind)
		case part.Minor <= 0 || part.Minor > money.MaxMinor:
			return Refuse("%s %s: more than zero, at most %s", part.name, part.Amount, money.New(money.MaxMinor, cur))
		case part.name != "amount" && o.Kind != KindSale:
			return Refuse("a %s has no %s: only a sale has", o.Kind, part.name)
		}
	}
	tipMost := money.New(o.Amount.Minor/100*int64(r.TipPercent)+o.Amount.Minor%100*int64(r.TipPercent)/100, cur)
	switch {
	case o.Tip.Minor > 0 && r.TipPercent == 0:
		return Refuse("this terminal takes no tips, as its profile says")
	case o.Tip.Minor > tipMost.Minor:
		return Refuse("a tip of %s is more than %d percent of the goods, which is %s: check it", o.Tip.Format(), r.TipPercent, tipMost.Format())
	case o.Cashback.Minor > 0 && r.Cashback.Minor == 0:
		return Refuse("this terminal gives out no cash, as its profile says")
	case o.Cashback.Minor > r.Cashback.Minor:
		return Refuse("%s in cash is more than the %s that this terminal gives out with a sale", o.Cashback.Format(), r.Cashback.Format())
	case o.Total().Minor > money.MaxMinor:
		return Refuse("with tip and cash it is %s: at most %s", o.Total().Format(), money.New(money.MaxMinor, cur))
	}
	return nil
}

// SameOrder says whether an order that comes again with the key of a sale is the one that made it. Error: ErrKeyReused.
func SameOrder(old Sale, o Order) error {
	same := old.Kind == o.Kind && old.Of == o.Of && old.Reference == o.Reference && (o.Kind != KindForced || old.AuthCode == o.AuthCode)
	if same && old.Kind == KindVoid { // its amounts are those of what it takes back
		return nil
	}
	if same && old.Tip.Minor == o.Tip.Minor && old.Cashback.Minor == o.Cashback.Minor && old.Amount.Minor == o.Total().Minor {
		return nil
	}
	return fmt.Errorf("%w: sale %s, %s", ErrKeyReused, old.ID, old.Amount.Format())
}

// CardNumberIn says whether a text holds 13 to 19 digits in a row, spaces and hyphens aside, that pass the Luhn check and begin as a card's
// do.
func CardNumberIn(text string) bool {
	digits := make([]byte, 0, len(text))
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] >= '0' && text[i] <= '9' {
			digits = append(digits, text[i]-'0')
			continue
		}
		if i < len(text) && (text[i] == ' ' || text[i] == '-') && len(digits) > 0 {
			continue
		}
		if len(digits) >= 13 && len(digits) <= 19 && luhn(digits) && issued(digits) {
			return true
		}
		digits = digits[:0]
	}
	return false
}

// issued leaves out what no issuer's number begins with (ISO/IEC 7812-1, 4.2) and programs' numbers often do: 0, the 1 of a time in
// milliseconds, which only cards of 15 digits have, and the 20 of a date.
func issued(digits []byte) bool {
	switch digits[0] {
	case 0:
		return false
	case 1:
		return len(digits) == 15
	case 2:
		return digits[1] != 0
	}
	return true
}

// uuid says that a key is a UUID as most programs write one (RFC 9562, 4), also behind a cash register's name: random digits in it, which
// one in five hundred has, are no card number.
func uuid(key string) bool {
	key = key[strings.LastIndexByte(key, ':')+1:]
	if len(key) != 36 {
		return false
	}
	for i := range len(key) {
		switch c := key[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case i == 14 && (c < '1' || c > '8'), i == 19 && !strings.ContainsRune("89abAB", rune(c)):
			return false
		case (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'):
			return false
		}
	}
	return true
}

// luhn is the check of ISO/IEC 7812-1, Annex B.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
