package v93

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// ErrRequest is wrapped when a message cannot be composed from what was given.
var ErrRequest = errors.New("message cannot be composed")

// Message types (ISO 8583:1993): the version, the class, the function, and who begins it or that it is a repeat.
const (
	authorisationRequest = "1100"
	financialRequest     = "1200"
	financialAdvice      = "1220"
	reversalAdvice       = "1420"
	reconcileRequest     = "1520"
	reconcileNotice      = "1524"
	networkRequest       = "1804"
)

// maxNumber is what fits six digits: STAN, batch and invoice.
const maxNumber = 999_999

// Request composes the 1100 or 1200 with which a transaction asks the host, and the 1420 that would reverse it, whose reason is
// the settings' ReversedAs; a balance inquiry has none. A void, an increment and a completion name what they are about in DE 56,
// and its reference number and approval code in DE 37 and 38; so does a refund of an earlier sale. Errors: ErrRequest, also for a
// kind that is told by an advice.
func (d *Dialect) Request(req terminal.Request) (request, reversal []byte, err error) {
	row, err := d.row(req)
	if err != nil {
		return nil, nil, err
	}
	if request, err = d.request(req, row); err != nil || req.Kind == terminal.KindBalance {
		return request, nil, err
	}
	reversal, err = d.reversal(req, row)
	return request, reversal, err
}

// request is an 1100 or 1200: what was read of the card, the PIN block, and why the issuer is asked.
func (d *Dialect) request(req terminal.Request, row kindRow) ([]byte, error) {
	m, err := d.message(row, req)
	if err != nil {
		return nil, err
	}
	why, err := d.settings.reason(whyOnline(req), '1')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	m.Set(messageReason, why)
	if err := d.setEarlier(m, req); err != nil {
		return nil, err
	}
	if req.Kind.WithoutCard() {
		setCard(m, req.Card)
		return d.pack(m)
	}
	if err := d.setReading(m, req); err != nil {
		return nil, err
	}
	if err := d.setPIN(m, req); err != nil {
		return nil, err
	}
	if req.Card.Track2.IsZero() {
		setCard(m, req.Card)
	} else {
		m.Set(track2, req.Card.Track2.Clear())
	}
	return d.pack(m)
}

func (d *Dialect) pack(m *iso8583.Message) ([]byte, error) {
	b, err := d.codec.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRequest, m.MTI(), err)
	}
	return b, nil
}

// empty is a message with its transport header, function, number, times and who sends it.
func (d *Dialect) empty(mti, function string, number uint32, at time.Time, tid, mid string) (*iso8583.Message, error) {
	m := iso8583.NewMessage(mti)
	if len(d.tpdu) > 0 {
		m.TPDU = slices.Clone(d.tpdu)
	}
	if at.IsZero() || at.Year() < 2000 || at.Year() > 2099 {
		return nil, fmt.Errorf("%w: DE 12: the year %d is not of this century", ErrRequest, at.Year())
	}
	m.Set(transmission, at.UTC().Format("0102150405"))
	m.Set(localTime, d.local(at).Format("060102150405"))
	m.Set(functionCode, function)
	if d.settings.Acquirer != "" {
		m.Set(acquirerID, d.settings.Acquirer)
	}
	if err := setNumber(m, stan, number); err != nil {
		return nil, err
	}
	for _, id := range []struct {
		field, most int
		text        string
	}{{terminalID, d.settings.TerminalIDLength, tid}, {merchantID, 15, mid}} {
		if len(id.text) == 0 || len(id.text) > id.most || !dialect.Printable(id.text) {
			return nil, fmt.Errorf("%w: DE %d: %q is not 1 to %d printable characters", ErrRequest, id.field, id.text, id.most)
		}
		m.Set(id.field, fmt.Sprintf("%-*s", id.most, id.text))
	}
	return m, nil
}

// local is a time where the terminal stands.
func (d *Dialect) local(at time.Time) time.Time {
	if d.settings.Zone == nil {
		return at
	}
	return at.In(d.settings.Zone)
}

// message is what all messages about one card's transaction say, whichever way the card is named in them.
func (d *Dialect) message(row kindRow, req terminal.Request) (*iso8583.Message, error) {
	minor, err := req.Amount.N12()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if req.Amount.Minor == 0 && req.Kind != terminal.KindBalance {
		return nil, fmt.Errorf("%w: DE 4: a %s of nothing", ErrRequest, req.Kind)
	}
	if err := dialect.CheckCard(req.Card); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	m, err := d.empty(row.mti, row.function, req.STAN, req.Time, req.TerminalID, req.MerchantID)
	if err != nil {
		return nil, err
	}
	service, err := d.pointOfService(req)
	if err != nil {
		return nil, err
	}
	for field, text := range map[int]string{
		processingCode: row.code + anyAccounts, amount: minor, posData: service, category: d.settings.MerchantCategory,
	} {
		if text != "" {
			m.Set(field, text)
		}
	}
	for n, text := range d.brand(req.Scheme).Private {
		if text != "" {
			m.Set(n, text)
		}
	}
	if !d.settings.OmitCurrency {
		m.Set(currency, fmt.Sprintf("%03d", req.Amount.Currency.Numeric))
	}
	if err := d.setAmounts(m, req); err != nil {
		return nil, err
	}
	for _, own := range []struct {
		field int
		value uint32
	}{{d.settings.BatchField, req.Batch}, {d.settings.InvoiceField, req.Invoice}} {
		if own.field < 0 {
			continue
		}
		if err := setNumber(m, own.field, own.value); err != nil {
			return nil, err
		}
	}
	switch {
	case req.Card.PSN == "":
	case !dialect.Digits(req.Card.PSN, 2):
		return nil, fmt.Errorf("%w: DE 23: sequence number of %d characters, not two digits", ErrRequest, len(req.Card.PSN))
	default:
		m.Set(cardSequence, "0"+req.Card.PSN)
	}
	return m, nil
}

// stripe says whether a stripe was read.
func stripe(req terminal.Request) bool {
	return req.Entry == terminal.EnteredStripe || req.Entry == terminal.EnteredFallback
}

// setReading puts in what the way of reading brings: DE 55 of a chip; of a stripe only track 2, without which there is no
// message, and nothing that claims a chip.
func (d *Dialect) setReading(m *iso8583.Message, req terminal.Request) error {
	if stripe(req) {
		if req.Card.Track2.IsZero() || req.Card.PSN != "" {
			return fmt.Errorf("%w: a stripe without track 2, or with a sequence number of a chip", ErrRequest)
		}
		return nil
	}
	chip, err := d.chipData(req, d.brand(req.Scheme).ChipTags, true)
	if err != nil {
		return err
	}
	m.SetBytes(chipData, chip)
	return nil
}

// setNumber puts six digits in.
func setNumber(m *iso8583.Message, field int, n uint32) error {
	if n < 1 || n > maxNumber {
		return fmt.Errorf("%w: DE %d: %d is not 1 to %d", ErrRequest, field, n, maxNumber)
	}
	m.Set(field, fmt.Sprintf("%06d", n))
	return nil
}

func setCard(m *iso8583.Message, card terminal.CardData) {
	m.Set(pan, card.PAN.Clear())
	if card.Expiry != "" {
		m.Set(expiry, card.Expiry)
	}
}

// chipData is DE 55: the tags given, in their order. With whole, what the issuer's cryptogram check needs must be there. What is
// there must be of this amount, currency and day: a message that says two amounts is not sent.
func (d *Dialect) chipData(req terminal.Request, tags []tlv.Tag, whole bool) ([]byte, error) {
	minor, err := signedAmount(req).N12()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	same := map[tlv.Tag]string{
		emv.TagAmountAuthorised:        minor,
		emv.TagTransactionCurrencyCode: fmt.Sprintf("%04d", req.Amount.Currency.Numeric),
		emv.TagTransactionDate:         d.local(req.Time).Format("060102"),
	}
	out, err := dialect.ChipData(req.Tags, tags, same, whole)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return out, nil
}

// signedAmount is what the card must have signed. Under the second step of a sale that may be more than what is taken: what the first
// asked for, of which the host has approved a part.
func signedAmount(req terminal.Request) money.Amount {
	if !req.TwoStep || req.Original.IsZero() {
		return req.Amount
	}
	signed, err := strconv.ParseInt(hex.EncodeToString(req.Tags.Value(emv.TagAmountAuthorised)), 10, 64)
	if err != nil || signed < req.Amount.Minor {
		return req.Amount
	}
	return money.New(signed, req.Amount.Currency)
}
