package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/money"
)

// The response codes that the acquirer gives by itself (DE 39); the issuer's are in package issuer.
const (
	invalidTransaction = "12"
	notFound           = "25" // a reversal without an original: nothing is posted, and never will be
	terminalRefused    = "58" // terminal known, but not as this merchant's, or the way of reading is not taken
	securityViolation  = "63" // MAC or key serial number
	batchClosed        = "80" // the batch number was closed before
	outOfBalance       = "95" // the host has other totals: upload the batch
	mismatch           = "76" // a reversal whose original has another card or amount
	unknownTerminal    = "89"
	duplicate          = "94" // terminal, batch and STAN were used by another transaction
	malfunction        = "96"
)

// class is what a request asks for.
type class uint8

const (
	otherClass class = iota
	sale             // 0200 or 0201 with DE 3 00xxxx, or 09xxxx or 17xxxx with cash
	refund           // 0200 with 20xxxx
	void             // 0200 with 02xxxx, of a refund 22xxxx
	preauth          // 0100 with 00xxxx or 30xxxx, or the first step of a sale in two with what a sale has there
	increment        // the same with DE 37, which names what was held before
	balance          // 0100 or 0200 with 31xxxx
	advice           // 0220 or 0221: approved offline, or a completion
	upload           // 0320 or 0321
	reversal         // 0400 or 0401
	batchEnd         // 0500 with 92xxxx, after an upload 96xxxx
	network          // 0800: sign-on, echo
)

// query is a request in the host's words. wrong is why it gets code 30, empty when it is well formed.
type query struct {
	version  Version
	class    class
	in       *iso8583.Message
	answer   string // type of the answer; empty: it is no request, and has none
	made     string // type and time of the original, where the version names it by them
	terminal string // DE 41
	merchant string // DE 42
	stan     string // DE 11
	batch    string // DE 60, empty where there is none
	invoice  string // DE 62
	amount   money.Amount
	pan      emv.PAN
	expiry   string
	reading  reading
	track    string // DE 35 behind the expiry: service code and the issuer's own data
	psn      string // DE 23
	chip     []byte // DE 55
	digest   [sha256.Size]byte

	said      string // DE 39 of an advice: what was decided without asking
	condition string // DE 25
	code      string // DE 3, first two digits
	cash      int64  // of the amount, DE 54
	approval  string // DE 38 of an advice: the approval code that is there already
	original  string // DE 37: the reference number of an earlier transaction
	told      bool   // of a void in the 1993 version: it came as a reversal, which cannot be declined
	about     string // field 56 of the 1993 version: type, number and time of an earlier transaction
	uploadRef string // DE 60 of an upload: type, STAN and reference number of the original
	reported  string // DE 63: totals; of the 1993 version field 124
	final     bool   // the 0500 behind an upload

	wrong string
}

// answerMTI is the type of the answer to a request, advice or repeat of a version: 0200 and 0201 give 0210, 1804 gives 1814.
// Nothing for what has no answer.
func answerMTI(mti string, version byte) string {
	if len(mti) != 4 || mti[0] != version || (mti[2] != '0' && mti[2] != '2') {
		return ""
	}
	by := byte('0') // whoever began it, and his repeat
	switch mti[3] {
	case '0', '1':
	case '4', '5':
		if version == '0' {
			return ""
		}
		by = '4'
	default:
		return ""
	}
	return mti[:2] + string(mti[2]+1) + string(by)
}

// reading is how the terminal says that it read the card: the first two digits of DE 22.
type reading uint8

const (
	otherReading reading = iota
	byChip               // 05
	byStripe             // 90, or 02 from terminals that do not read all of it
	byFallback           // 80: a stripe, because the chip failed
)

func readingOf(mode string) reading {
	switch mode[:min(2, len(mode))] {
	case "05":
		return byChip
	case "90", "02":
		return byStripe
	case "80":
		return byFallback
	}
	return otherReading
}

// read1987 takes a message apart. The order of checks decides which one is named.
func read1987(m *iso8583.Message, currency money.Currency, private int) query {
	q := query{version: Version1987, in: m, answer: answerMTI(m.MTI(), '0')}
	text := func(n int) string { s, _ := m.Get(n); return s }
	q.stan, q.terminal, q.merchant = text(11), text(41), text(42)
	q.batch, q.invoice, q.psn = text(60), text(62), text(23)
	if q.class = classOf(m.MTI(), text(3)); q.class == preauth && m.Has(37) {
		q.class = increment
	}
	q.need(q.class.needs()...)
	if q.class == otherClass || q.class == network {
		return q
	}
	if q.class.asks() {
		if q.reading = readingOf(text(22)); q.reading == byStripe || q.reading == byFallback {
			q.need(35)
		} else {
			q.need(55)
		}
	}
	q.readMore(text, currency)
	q.readNumbers()
	if q.class == batchEnd {
		return q
	}
	q.readAmount(cmp.Or(text(4), "0"), text(49), currency)
	q.readCard(text(2), text(14), text(35))
	q.chip, _ = m.Bytes(55)
	q.digest = digest(m, private)
	if q.class == reversal && m.Has(52) {
		q.refuse("a reversal with a PIN block")
	}
	return q
}

// need notes the first field that is not there.
func (q *query) need(fields ...int) {
	for _, n := range fields {
		if v, ok := q.in.Get(n); !ok || v == "" {
			q.refuse(fmt.Sprintf("field %d is missing", n))
		}
	}
}

func (q *query) refuse(why string) {
	if q.wrong == "" {
		q.wrong = why
	}
}

// readNumbers checks batch and invoice: six digits where they are there.
func (q *query) readNumbers() {
	for n, v := range map[int]string{60: q.batch, 62: q.invoice} {
		if v != "" && (len(v) != 6 || strings.Trim(v, "0123456789") != "") {
			q.refuse(fmt.Sprintf("field %d is not six digits", n))
		}
	}
}

func (q *query) readAmount(n12, numeric string, currency money.Currency) {
	minor, err := strconv.ParseInt(n12, 10, 64)
	if err != nil || minor < 0 || minor > money.MaxMinor {
		q.refuse("field 4 is not an amount")
		return
	}
	if numeric != "" && numeric != fmt.Sprintf("%03d", currency.Numeric) {
		q.refuse("field 49 is not the host's currency")
	}
	q.amount = money.New(minor, currency)
}

// readCard takes number and expiry from track 2, or from fields 2 and 14.
func (q *query) readCard(pan, expiry, track2 string) {
	if track2 != "" {
		var rest string
		pan, rest, _ = strings.Cut(track2, "D")
		expiry = rest[:min(4, len(rest))]
		q.track = rest[len(expiry):]
	}
	p, err := emv.NewPAN(pan)
	if err != nil || (len(expiry) != 4 && q.class.asks()) {
		q.refuse("no card number and expiry in fields 35, or 2 and 14")
		return
	}
	q.pan, q.expiry = p, expiry
}

// digest tells a true repeat from another transaction: the type without its repeat digit, and all fields but those that
// every sending has anew, the MAC and the private field with its key serial number. The host keeps it in place of the message, which has card data.
func digest(m *iso8583.Message, private int) [sha256.Size]byte {
	b := []byte(m.MTI()[:3])
	for _, n := range m.Fields() {
		if n == private || n == 64 || n == 128 {
			continue
		}
		v, _ := m.Get(n)
		b = binary.BigEndian.AppendUint16(b, uint16(n))      //nolint:gosec // 2 to 128
		b = binary.BigEndian.AppendUint16(b, uint16(len(v))) //nolint:gosec // at most 999
		b = append(b, v...)
	}
	return sha256.Sum256(b)
}

// compose1987 makes the answer's message: what the request had and answers carry back, and what was decided. at is in the
// host's own time.
func compose1987(h *Host, q query, a answer) *iso8583.Message {
	m := iso8583.NewMessage(q.answer)
	m.TPDU = q.in.TPDU
	for _, n := range []int{3, 4, 11, 24, 41, 49} {
		if v, ok := q.in.Get(n); ok {
			m.Set(n, v)
		}
	}
	m.Set(12, a.at.Format("150405"))
	m.Set(13, a.at.Format("0102"))
	m.Set(39, a.code)
	if a.rrn != "" {
		m.Set(37, a.rrn)
	}
	if a.authCode != "" {
		m.Set(38, a.authCode)
	}
	if a.amounts != "" {
		m.Set(54, a.amounts)
	}
	if a.part > 0 {
		m.Set(4, fmt.Sprintf("%012d", a.part)) // what was approved stands where what was asked for stood
	}
	if q.class == batchEnd {
		m.Set(42, q.merchant)
		m.Set(63, cmp.Or(a.totals, q.reported))
	}
	if len(a.chip) > 0 {
		m.SetBytes(55, a.chip)
	}
	if a.seen != "" {
		m.Set(h.cfg.Security.Field, a.seen)
	}
	if a.keys != "" {
		m.Set(h.cfg.Security.KeyField, a.keys)
	}
	if a.wrongPIN {
		m.Set(h.cfg.Security.Field, fmt.Sprintf("PT01%d", a.tries))
		m.Set(63, fmt.Sprintf("INCORRECT PIN, TRIES LEFT: %d", a.tries))
	}
	return m
}

// message is the request's line in the log.
func (q query) message(now time.Time, note string) Message {
	return Message{
		Time: now, Direction: In, MTI: q.in.MTI(), STAN: q.stan, Terminal: printable(q.terminal), Batch: printable(q.batch),
		Amount: q.amount, PAN: q.pan, Note: note,
	}
}

// printable bounds text from the wire for a listing, and leaves nothing in it that a screen would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 16)])
}
