package till

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

// orderWire is an order as it comes: terminal.Order, with pointers that tell what is missing.
type orderWire struct {
	Kind      *string     `json:"kind"`
	Amount    *amountWire `json:"amount"`
	Tip       *amountWire `json:"tip"`
	Cashback  *amountWire `json:"cashback"`
	Of        *uint64     `json:"of"`
	AuthCode  string      `json:"auth"`
	Reference string      `json:"reference"`
	Key       string      `json:"key"`
}

type amountWire struct {
	Minor    *int64  `json:"minor"`
	Currency *string `json:"currency"`
}

const orderShape = `Send {"kind":"sale","amount":{"minor":10525,"currency":"KWD"},"reference":"…","key":"…"}; reference and key may be left out, ` +
	`and so may tip and cashback, which are amounts. "of" is the number of an earlier transaction, "auth" a voice authorisation's code.`

// readOrder reads an order strictly: one JSON object, no unknown or doubtful members, whole minor units, a currency of
// ISO 4217, the same one in all its amounts. What the lane then refuses (zero, another currency than its own, a tip on a refund, …)
// is the lane's to say. own is the terminal's currency.
func readOrder(w http.ResponseWriter, r *http.Request, own money.Currency) (terminal.Order, error) {
	body, err := readJSON(w, r, "bad_order", orderShape)
	if err != nil {
		return terminal.Order{}, err
	}
	return parseOrder(body, own)
}

// asks is the action that an order needs; of one that could not be read, or of a kind that nobody knows, a sale's.
func asks(o terminal.Order) people.Action {
	switch o.Kind {
	case terminal.KindRefund:
		if o.Of == 0 {
			return people.RefundFree
		}
		return people.Refund
	case terminal.KindVoid:
		return people.Void
	case terminal.KindPreauth:
		return people.Preauth
	case terminal.KindIncrement:
		return people.Increment
	case terminal.KindCompletion:
		return people.Completion
	case terminal.KindBalance:
		return people.Balance
	case terminal.KindForced:
		return people.Forced
	case terminal.KindSale:
	}
	return people.Sell
}

// readJSON reads a body that is declared as JSON and no longer than MaxBody. code and shape are for the answer to one that
// is not.
func readJSON(w http.ResponseWriter, r *http.Request, code, shape string) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, request(http.StatusUnsupportedMediaType, "not_json", "The body is not declared as JSON",
			"Send Content-Type: application/json.", "Content-Type is %q", r.Header.Get("Content-Type"))
	}
	body, err := wholeBody(w, r)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, request(http.StatusRequestEntityTooLarge, "too_large", "The body is too large",
				shape, "at most %d bytes", MaxBody)
		}
		return nil, request(http.StatusBadRequest, code, "The body did not arrive whole", "Send it again: nothing was taken.", "%v", err)
	}
	return body, nil
}

// wholeBody reads a body of MaxBody at most, in the time that the door gives it; what the handler does then may take longer. Text that is
// no UTF-8 is refused: two keys that differ must not become one. Errors: *http.MaxBytesError, errNotUTF8, the connection's.
func wholeBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil && !utf8.Valid(body) {
		clear(body)
		err = errNotUTF8
	}
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // refused where there is no connection, as in tests
	}
	return body, err
}

var errNotUTF8 = errors.New("it is not UTF-8")

func parseOrder(body []byte, own money.Currency) (terminal.Order, error) {
	bad := func(err error) (terminal.Order, error) {
		return terminal.Order{}, request(http.StatusBadRequest, "bad_order", "The order cannot be read", orderShape, "%v", err)
	}
	if key, twice := repeated(body); twice {
		return bad(fmt.Errorf("member %q is there twice", key))
	}
	var in orderWire
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return bad(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad(errors.New("something follows the order"))
	}
	o, err := in.order(own)
	if err != nil {
		return bad(err)
	}
	return o, nil
}

// order is what was sent, where it is whole. A void takes back all of the earlier transaction, and a balance inquiry moves
// nothing: their amount may be left out.
func (in orderWire) order(own money.Currency) (terminal.Order, error) {
	if in.Kind == nil {
		return terminal.Order{}, errors.New("kind is missing")
	}
	o := terminal.Order{Kind: terminal.Kind(*in.Kind), AuthCode: in.AuthCode, Reference: in.Reference, Key: in.Key}
	if strings.ContainsRune(o.Key+o.Reference, utf8.RuneError) {
		return o, errors.New("key or reference has a character that is none")
	}
	if in.Of != nil {
		if o.Of = terminal.SaleID(*in.Of); o.Of == 0 || *in.Of > math.MaxInt64 {
			return o, fmt.Errorf("of is %d: it is the number of an earlier transaction, from 1", *in.Of)
		}
	}
	if in.Amount == nil && (o.Kind == terminal.KindVoid || o.Kind == terminal.KindBalance) {
		o.Amount = money.New(0, own)
	} else if err := in.Amount.read("amount", &o.Amount); err != nil {
		return o, err
	}
	for _, part := range []struct {
		name string
		in   *amountWire
		to   *money.Amount
	}{{"tip", in.Tip, &o.Tip}, {"cashback", in.Cashback, &o.Cashback}} {
		if part.in == nil {
			continue
		}
		if err := part.in.read(part.name, part.to); err != nil {
			return o, err
		}
		if part.to.Currency != o.Amount.Currency {
			return o, fmt.Errorf("%s.currency is not that of the amount", part.name)
		}
	}
	return o, nil
}

// read makes an amount of what was sent under a name.
func (in *amountWire) read(name string, to *money.Amount) error {
	switch {
	case in == nil || in.Minor == nil:
		return fmt.Errorf("%s.minor is missing", name)
	case *in.Minor < 0:
		return fmt.Errorf("%s.minor is below zero", name)
	case in.Currency == nil:
		return fmt.Errorf("%s.currency is missing", name)
	}
	currency, err := money.ByCode(*in.Currency)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*to = money.New(*in.Minor, currency)
	return nil
}
