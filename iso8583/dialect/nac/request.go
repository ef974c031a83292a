package nac

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/terminal"
)

// ErrRequest is wrapped when a message cannot be composed from what was given.
var ErrRequest = errors.New("message cannot be composed")

// The fields, by number (ISO 8583:1987).
const (
	pan            = 2
	processingCode = 3
	amount         = 4
	stan           = 11
	localTime      = 12
	localDate      = 13
	expiry         = 14
	entryMode      = 22
	cardSequence   = 23
	networkID      = 24
	condition      = 25
	track2         = 35
	retrieval      = 37
	authorisation  = 38
	responseCode   = 39
	terminalID     = 41
	merchantID     = 42
	currency       = 49
	chipData       = 55
	batch          = 60
	invoice        = 62
)

// Message types and processing codes.
const (
	saleRequest     = "0200"
	reversalRequest = "0400"
	reversalRepeat  = "0401"
	networkRequest  = "0800"

	purchase = "000000"
	normal   = "00" // DE 25
)

// maxNumber is what fits six digits: STAN, batch and invoice.
const maxNumber = 999_999

// maxChipData is the most that DE 55 of a request carries. ISO 8583:1987 and the networks stay at 255.
const maxChipData = 255

// Request composes a sale's 0200 and the 0400 that would reverse it. Errors: ErrRequest.
func (d *Dialect) Request(req terminal.Request) (request, reversal []byte, err error) {
	shared, err := d.shared(req)
	if err != nil {
		return nil, nil, err
	}
	m := d.message(saleRequest, shared)
	if err := d.setReading(m, req); err != nil {
		return nil, nil, err
	}
	if err := d.setPIN(m, req); err != nil {
		return nil, nil, err
	}
	if req.Card.PSN != "" {
		m.Set(cardSequence, req.Card.PSN)
	}
	if req.Card.Track2.IsZero() {
		setCard(m, req.Card)
	} else {
		m.Set(track2, req.Card.Track2.Clear())
	}
	if request, err = d.codec.Pack(m); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrRequest, saleRequest, err)
	}
	r := d.message(reversalRequest, shared)
	setCard(r, req.Card)
	if reversal, err = d.codec.Pack(r); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrRequest, reversalRequest, err)
	}
	return request, reversal, nil
}

// shared is what a sale and its reversal both say.
func (d *Dialect) shared(req terminal.Request) (map[int]string, error) {
	if req.Kind != terminal.KindSale {
		return nil, fmt.Errorf("%w: no message for the kind %q", ErrRequest, req.Kind)
	}
	minor, err := req.Amount.N12()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if req.Card.PAN.IsZero() {
		return nil, fmt.Errorf("%w: no account number", ErrRequest)
	}
	if t := req.Card.Track2; !t.IsZero() && t.PAN() != req.Card.PAN { // the reversal would name another account
		return nil, fmt.Errorf("%w: track 2 has another account number than the card", ErrRequest)
	}
	fields := map[int]string{
		processingCode: purchase, amount: minor, entryMode: d.entryMode(req), networkID: d.settings.NII, condition: normal,
	}
	if !d.settings.OmitCurrency {
		fields[currency] = fmt.Sprintf("%03d", req.Amount.Currency.Numeric)
	}
	if err := number(fields, map[int]uint32{stan: req.STAN, batch: req.Batch, invoice: req.Invoice}); err != nil {
		return nil, err
	}
	return fields, identify(fields, req.TerminalID, req.MerchantID)
}

// entryMode is DE 22: how the card was read, and whether a PIN can be entered.
func (d *Dialect) entryMode(req terminal.Request) string {
	mode := d.settings.ChipEntry
	if req.Method == emv.OnlinePIN {
		mode = d.settings.PINEntry
	}
	switch req.Entry {
	case terminal.EnteredStripe:
		return d.settings.StripeEntry + mode[2:]
	case terminal.EnteredFallback:
		return d.settings.FallbackEntry + mode[2:]
	case terminal.EnteredChip:
	}
	return mode
}

// setReading puts in what the way of reading brings: DE 55 of a chip; of a stripe only track 2, without which there is no
// message, and nothing that claims a chip.
func (d *Dialect) setReading(m *iso8583.Message, req terminal.Request) error {
	switch req.Entry {
	case "", terminal.EnteredChip:
		chip, err := d.chipData(req)
		if err != nil {
			return err
		}
		m.SetBytes(chipData, chip)
		return nil
	case terminal.EnteredStripe, terminal.EnteredFallback:
		if req.Card.Track2.IsZero() || req.Card.PSN != "" {
			return fmt.Errorf("%w: a stripe without track 2, or with a sequence number of a chip", ErrRequest)
		}
		return nil
	}
	return fmt.Errorf("%w: no message for a card that was %q", ErrRequest, req.Entry)
}

// number puts six-digit numbers in.
func number(fields map[int]string, numbers map[int]uint32) error {
	for field, n := range numbers {
		if n < 1 || n > maxNumber {
			return fmt.Errorf("%w: DE %d: %d is not 1 to %d", ErrRequest, field, n, maxNumber)
		}
		fields[field] = fmt.Sprintf("%06d", n)
	}
	return nil
}

// identify puts terminal and merchant in. They are filled with spaces on the right.
func identify(fields map[int]string, tid, mid string) error {
	for _, id := range []struct {
		field, most int
		text        string
	}{{terminalID, 8, tid}, {merchantID, 15, mid}} {
		if len(id.text) == 0 || len(id.text) > id.most || !printable(id.text) {
			return fmt.Errorf("%w: DE %d: %q is not 1 to %d printable characters", ErrRequest, id.field, id.text, id.most)
		}
		fields[id.field] = fmt.Sprintf("%-*s", id.most, id.text)
	}
	return nil
}

func setCard(m *iso8583.Message, card terminal.CardData) {
	m.Set(pan, card.PAN.Clear())
	if card.Expiry != "" {
		m.Set(expiry, card.Expiry)
	}
}

func (d *Dialect) message(mti string, fields map[int]string) *iso8583.Message {
	m := iso8583.NewMessage(mti)
	m.TPDU = slices.Clone(d.tpdu)
	for n, text := range fields {
		m.Set(n, text)
	}
	return m
}

// chipData is DE 55: the tags of the settings in their order. What the issuer's cryptogram check needs must be there, and
// must be of this amount and currency: a request that says two amounts is not sent.
func (d *Dialect) chipData(req terminal.Request) ([]byte, error) {
	minor, err := req.Amount.N12()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	same := map[tlv.Tag]string{
		emv.TagAmountAuthorised:        minor,
		emv.TagTransactionCurrencyCode: fmt.Sprintf("%04d", req.Amount.Currency.Numeric),
	}
	var out []byte
	for _, tag := range d.settings.ChipTags {
		v, ok := req.Tags.Get(tag)
		if !ok {
			if slices.Contains(emv.CryptogramTags(), tag) {
				return nil, fmt.Errorf("%w: DE 55: tag %s is missing", ErrRequest, tag)
			}
			continue
		}
		if want, ok := same[tag]; ok && !bytes.Equal(v, hexBytes(want)) {
			return nil, fmt.Errorf("%w: DE 55: tag %s is not the request's", ErrRequest, tag)
		}
		out = tlv.Append(out, tag, v)
	}
	if len(out) > maxChipData {
		return nil, fmt.Errorf("%w: DE 55: %d bytes, at most %d", ErrRequest, len(out), maxChipData)
	}
	return out, nil
}

// Repeat is a reversal for its next sending, the first being attempt 1: unchanged, or as 0401 from the second sending on
// where the settings say so. Everything but the message type stays. Errors: ErrRequest when first is no reversal.
func (d *Dialect) Repeat(first []byte, attempt int) ([]byte, error) {
	m, err := d.codec.Unpack(first)
	if err != nil {
		return nil, fmt.Errorf("%w: repeat: %w", ErrRequest, err)
	}
	if m.MTI() != reversalRequest {
		return nil, fmt.Errorf("%w: repeat: %s is no reversal", ErrRequest, m.MTI())
	}
	if attempt <= 1 || d.settings.Repeat == reversalRequest {
		return slices.Clone(first), nil
	}
	m.SetMTI(reversalRepeat)
	again, err := d.codec.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("%w: repeat: %w", ErrRequest, err)
	}
	return again, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
