package till

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"tillway/money"
	"tillway/terminal"
)

// orderWire is an order as it comes: terminal.Order, with pointers that tell what is missing.
type orderWire struct {
	Kind      *string     `json:"kind"`
	Amount    *amountWire `json:"amount"`
	Reference string      `json:"reference"`
	Key       string      `json:"key"`
}

type amountWire struct {
	Minor    *int64  `json:"minor"`
	Currency *string `json:"currency"`
}

const orderShape = `Send {"kind":"sale","amount":{"minor":10525,"currency":"KWD"},"reference":"…","key":"…"}; reference and key may be left out.`

// readOrder reads an order strictly: one JSON object, no unknown or doubtful members, whole minor units, a currency of
// ISO 4217. What the lane then refuses (zero, another currency than its own, …) is the lane's to say.
func readOrder(w http.ResponseWriter, r *http.Request) (terminal.Order, error) {
	body, err := readJSON(w, r, "bad_order", orderShape)
	if err != nil {
		return terminal.Order{}, err
	}
	return parseOrder(body)
}

// readJSON reads a body that is declared as JSON and no longer than MaxBody. code and shape are for the answer to one that
// is not.
func readJSON(w http.ResponseWriter, r *http.Request, code, shape string) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, request(http.StatusUnsupportedMediaType, "not_json", "The body is not declared as JSON",
			"Send Content-Type: application/json.", "Content-Type is %q", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, request(http.StatusRequestEntityTooLarge, "too_large", "The body is too large",
				shape, "at most %d bytes", MaxBody)
		}
		return nil, request(http.StatusBadRequest, code, "The body did not arrive whole", "Send it again: nothing was taken.", "%v", err)
	}
	return body, nil
}

func parseOrder(body []byte) (terminal.Order, error) {
	bad := func(format string, args ...any) (terminal.Order, error) {
		return terminal.Order{}, request(http.StatusBadRequest, "bad_order", "The order cannot be read", orderShape, format, args...)
	}
	if key, twice := repeated(body); twice {
		return bad("member %q is there twice", key)
	}
	var in orderWire
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return bad("%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the order")
	}
	switch {
	case in.Kind == nil:
		return bad("kind is missing")
	case in.Amount == nil || in.Amount.Minor == nil:
		return bad("amount.minor is missing")
	case in.Amount.Currency == nil:
		return bad("amount.currency is missing")
	}
	currency, err := money.ByCode(*in.Amount.Currency)
	if err != nil {
		return bad("%v", err)
	}
	return terminal.Order{
		Kind: terminal.Kind(*in.Kind), Amount: money.New(*in.Amount.Minor, currency), Reference: in.Reference, Key: in.Key,
	}, nil
}
