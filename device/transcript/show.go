package transcript

import (
	"fmt"
	"log/slog"
)

// However a transcript or a part of it is printed or logged, it shows no card data. Its JSON is the form of the file, in the
// clear: only Write and WriteMasked make it.

// String shows no card data.
func (t Transcript) String() string {
	return fmt.Sprintf("transcript of %d exchanges", len(t.Exchanges))
}

// GoString shows no card data.
func (t Transcript) GoString() string { return t.String() }

// Format shows no card data under any verb.
func (t Transcript) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue shows no card data.
func (t Transcript) LogValue() slog.Value { return slog.StringValue(t.String()) }

// String shows no card data.
func (s Session) String() string { return fmt.Sprintf("session of sale %d, %s", s.Sale, s.Card) }

// GoString shows no card data.
func (s Session) GoString() string { return s.String() }

// Format shows no card data under any verb.
func (s Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue shows no card data.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String shows no card data.
func (h Host) String() string { return "issuer's answer " + string(h.Result) }

// GoString shows no card data.
func (h Host) GoString() string { return h.String() }

// Format shows no card data under any verb.
func (h Host) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(h.String())) }

// LogValue shows no card data.
func (h Host) LogValue() slog.Value { return slog.StringValue(h.String()) }

// String shows no card data.
func (p CardPIN) String() string { return "PIN for the card " + string(p.Entry) }

// GoString shows no card data.
func (p CardPIN) GoString() string { return p.String() }

// Format shows no card data under any verb.
func (p CardPIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// LogValue shows no card data.
func (p CardPIN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String shows no card data.
func (o Outcome) String() string { return "outcome " + string(o.Decision) }

// GoString shows no card data.
func (o Outcome) GoString() string { return o.String() }

// Format shows no card data under any verb.
func (o Outcome) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(o.String())) }

// LogValue shows no card data.
func (o Outcome) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String shows no card data.
func (h Hex) String() string { return fmt.Sprintf("%d bytes", len(h)) }

// GoString shows no card data.
func (h Hex) GoString() string { return h.String() }

// Format shows no card data under any verb.
func (h Hex) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(h.String())) }

// LogValue shows no card data.
func (h Hex) LogValue() slog.Value { return slog.StringValue(h.String()) }

// LogValue shows no card data.
func (e Exchange) LogValue() slog.Value { return slog.StringValue(e.String()) }
