package nac

import (
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
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
	moreAmounts    = 54
	chipData       = 55
	batch          = 60
	invoice        = 62
	totals         = 63
)

// Message types; kinds.go has the others.
const (
	saleRequest     = "0200"
	reversalRequest = "0400"
	reversalRepeat  = "0401"
	networkRequest  = "0800"
)

// maxNumber is what fits six digits: STAN, batch and invoice.
const maxNumber = 999_999

// Request composes the message with which a transaction asks the host, and the 0400 that would reverse it: what both say,
// with DE 2 and 14 in place of track 2, and neither chip data nor PIN. A balance inquiry has no reversal. Errors: ErrRequest.
func (d *Dialect) Request(req terminal.Request) (request, reversal []byte, err error) {
	f, err := d.requestForm(req)
	if err != nil {
		return nil, nil, err
	}
	shared, err := d.shared(req, f)
	if err != nil {
		return nil, nil, err
	}
	m := d.message(f.mti, shared)
	if req.Kind.WithoutCard() {
		err = d.setKept(m, req)
	} else {
		err = d.setRead(m, req)
	}
	if err != nil {
		return nil, nil, err
	}
	if request, err = d.pack(m); err != nil || req.Kind == terminal.KindBalance {
		return request, nil, err
	}
	r := d.message(reversalRequest, shared)
	setCard(r, req.Card)
	reversal, err = d.pack(r)
	return request, reversal, err
}

// setRead puts in what a card brings that is there: what it was read by, the PIN that was entered, and its number.
func (d *Dialect) setRead(m *iso8583.Message, req terminal.Request) error {
	if err := d.setReading(m, req); err != nil {
		return err
	}
	if err := d.setPIN(m, req); err != nil {
		return err
	}
	if req.Card.PSN != "" {
		m.Set(cardSequence, req.Card.PSN)
	}
	if req.Card.Track2.IsZero() {
		setCard(m, req.Card)
	} else {
		m.Set(track2, req.Card.Track2.Clear())
	}
	return nil
}

// setKept puts in what the store keeps of a card that is not there: number and expiry.
func (d *Dialect) setKept(m *iso8583.Message, req terminal.Request) error {
	if !req.PIN.IsZero() || !req.Card.Track2.IsZero() {
		return fmt.Errorf("%w: a PIN or a track of a card that is not there", ErrRequest)
	}
	setCard(m, req.Card)
	return nil
}

func (d *Dialect) pack(m *iso8583.Message) ([]byte, error) {
	out, err := d.codec.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRequest, m.MTI(), err)
	}
	return out, nil
}

// shared is what a message and its reversal both say.
func (d *Dialect) shared(req terminal.Request, f form) (map[int]string, error) {
	if err := dialect.CheckCard(req.Card); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	fields := map[int]string{processingCode: f.code, entryMode: d.entryMode(req), networkID: d.settings.NII, condition: f.condition}
	d.setPrivate(fields, req)
	if err := d.setAmounts(fields, req); err != nil {
		return nil, err
	}
	if !d.settings.OmitCurrency {
		fields[currency] = fmt.Sprintf("%03d", req.Amount.Currency.Numeric)
	}
	if err := d.setOriginal(fields, req, f); err != nil {
		return nil, err
	}
	numbers := map[int]uint32{stan: req.STAN, batch: req.Batch, invoice: req.Invoice}
	if req.Kind == terminal.KindVoid { // it takes back that receipt
		numbers[invoice] = req.Original.Invoice
	}
	if err := number(fields, numbers); err != nil {
		return nil, err
	}
	return fields, identify(fields, req.TerminalID, req.MerchantID)
}

// setOriginal names the earlier transaction as the host did, by its reference number (DE 37) and approval code (DE 38). A void,
// which takes back the message itself, has its original's DE 12, 13 and 62 besides, and those alone where the host has answered with
// no reference number, or to an advice: then a refund names none.
func (d *Dialect) setOriginal(fields map[int]string, req terminal.Request, f form) error {
	void := req.Kind == terminal.KindVoid
	at, code := req.Time, req.AuthCode
	if void {
		at = req.Original.Time
	}
	if code == "" && (void || f.names && req.Kind != terminal.KindRefund) {
		code = req.Original.AuthCode
	}
	if f.dated {
		if at.IsZero() {
			return fmt.Errorf("%w: no time of the transaction", ErrRequest)
		}
		fields[localTime], fields[localDate] = at.Format("150405"), at.Format("0102")
	}
	if f.names {
		if err := setText(fields, retrieval, 12, req.Original.RRN); err != nil {
			return err
		}
	}
	if code == "" {
		return nil
	}
	return setText(fields, authorisation, 6, code)
}

// setText puts text in, filled with spaces on the right.
func setText(fields map[int]string, field, most int, text string) error {
	if len(text) == 0 || len(text) > most || !dialect.Printable(text) {
		return fmt.Errorf("%w: DE %d: %q is not 1 to %d printable characters", ErrRequest, field, text, most)
	}
	fields[field] = fmt.Sprintf("%-*s", most, text)
	return nil
}

// entryMode is DE 22: how the card was read, or that its number was kept, and whether a PIN can be entered.
func (d *Dialect) entryMode(req terminal.Request) string {
	brand := d.brand(req)
	mode := brand.ChipEntry
	if req.Method == emv.OnlinePIN {
		mode = brand.PINEntry
	}
	if req.Kind.WithoutCard() {
		return d.settings.KeptEntry + brand.ChipEntry[2:]
	}
	switch req.Entry {
	case terminal.EnteredStripe:
		return brand.StripeEntry + mode[2:]
	case terminal.EnteredFallback:
		return brand.FallbackEntry + mode[2:]
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
	if err := setText(fields, terminalID, 8, tid); err != nil {
		return err
	}
	return setText(fields, merchantID, 15, mid)
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

// InBatch is an advice, or a request that was kept, naming another batch in DE 60. All else stays: by number, times and reference the host knows
// it again. Other messages come back as they are. Error: ErrRequest.
func (d *Dialect) InBatch(message []byte, number uint32) ([]byte, error) {
	m, err := d.codec.Unpack(message)
	if err != nil {
		return nil, fmt.Errorf("%w: in another batch: %w", ErrRequest, err)
	}
	if mti := m.MTI(); !m.Has(batch) || (mti != adviceRequest && mti != saleRequest) {
		return slices.Clone(message), nil
	}
	if number < 1 || number > maxNumber {
		return nil, fmt.Errorf("%w: DE 60: %d is no batch number: 1 to %d", ErrRequest, number, maxNumber)
	}
	m.Set(batch, fmt.Sprintf("%06d", number))
	return d.pack(m)
}

// Repeat is a kept message for its next sending, the first being attempt 1: unchanged, or from the second sending on with the
// message type of a repeat (0401, 0221), where the settings say so. Everything but the message type stays. Errors: ErrRequest when
// first is no message that is kept.
func (d *Dialect) Repeat(first []byte, attempt int) ([]byte, error) {
	m, err := d.codec.Unpack(first)
	if err != nil {
		return nil, fmt.Errorf("%w: repeat: %w", ErrRequest, err)
	}
	marked := slices.Contains(d.settings.Marked, m.MTI())
	switch m.MTI() {
	case reversalRequest:
		marked = d.settings.Repeat == reversalRepeat
	case saleRequest, adviceRequest, uploadRequest, totalsRequest:
		if !m.Has(track2) && !m.Has(pinData) {
			break
		}
		return nil, fmt.Errorf("%w: repeat: %s with a track or a PIN is not kept", ErrRequest, m.MTI())
	default:
		return nil, fmt.Errorf("%w: repeat: %s is no message that is kept", ErrRequest, m.MTI())
	}
	if attempt <= 1 || !marked {
		return slices.Clone(first), nil
	}
	m.SetMTI(m.MTI()[:3] + "1")
	return d.pack(m)
}
