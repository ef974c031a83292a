package host

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tillway/host/issuer"
	"tillway/iso8583"
	"tillway/money"
)

// The elements of field 53 in the 1993 version: a byte that says what, a byte of length, and the bytes.
const (
	pinKey1993, macKey1993   = 0x01, 0x02
	tries1993                = 0x03
	pinSeen1993, macSeen1993 = 0x11, 0x12
)

// element is a subfield of the private field of the 1987 version by its letters, found in field 53: key serial numbers, in
// hexadecimal.
func (q query) element(field int, tag string) (string, bool) {
	want, known := map[string]byte{"PK": pinKey1993, "MK": macKey1993}[tag]
	rest, _ := q.in.Bytes(field)
	for known && len(rest) >= 2 {
		n := 2 + int(rest[1])
		if len(rest) < n {
			break
		}
		if rest[0] == want {
			return strings.ToUpper(hex.EncodeToString(rest[2:n])), true
		}
		rest = rest[n:]
	}
	return "", false
}

// read1993 takes a message of the 1993 version apart: 1200 is a sale, 1420 and 1421 a reversal, 1804 network management. The order
// of checks decides which one is named.
func read1993(m *iso8583.Message, currency money.Currency, private int) query {
	q := query{version: Version1993, in: m, answer: answerMTI(m.MTI(), '1')}
	text := func(n int) string { s, _ := m.Get(n); return s }
	q.stan, q.terminal, q.merchant = text(11), text(41), text(42)
	q.batch, q.invoice, q.psn = text(60), text(62), text(23)
	switch kind := m.MTI(); kind {
	case "1804":
		q.class = network
		q.need(11, 12, 24, 41)
		return q
	case "1200":
		q.class, q.made = sale, text(12)
		q.need(3, 4, 7, 11, 12, 22, 24, 25, 41, 42)
		q.want(24, "200", "function code of a sale")
		q.want(25, "15", "message reason of a request")
		q.readPointOfService(text(22), text(25))
	case "1420", "1421":
		q.class = reversal
		q.need(2, 3, 4, 7, 11, 12, 24, 25, 41, 42, 56)
		q.want(24, "400", "function code of a full reversal")
		q.want(25, "4", "message reason of a reversal")
		q.readOriginal(text(56), text(11))
	default:
		return q
	}
	if !strings.HasPrefix(text(3), "00") {
		q.class = otherClass
		return q
	}
	q.readNumbers()
	q.readAmount(text(4), text(49), currency)
	q.readCard(text(2), text(14), text(35))
	q.chip, _ = m.Bytes(55)
	q.digest = digest(m, private)
	if q.class == reversal && (m.Has(52) || m.Has(35)) {
		q.refuse("a reversal with a PIN block or a track")
	}
	return q
}

// want notes a field whose value does not begin as it must.
func (q *query) want(n int, begins, what string) {
	if v, _ := q.in.Get(n); !strings.HasPrefix(v, begins) {
		q.refuse(fmt.Sprintf("field %d is no %s", n, what))
	}
}

// readPointOfService reads field 22 by position: 7 is how the card was read, 8 and 9 how and by whom its holder was verified. A
// fallback is a stripe whose reason is that the terminal could not process the chip.
func (q *query) readPointOfService(code, reason string) {
	if len(code) != 12 {
		q.refuse("field 22 has not twelve positions")
		return
	}
	switch {
	case code[6] == '5':
		q.reading = byChip
		q.need(55)
	case code[6] == '2' && reason == "1504":
		q.reading = byFallback
		q.need(35)
	case code[6] == '2':
		q.reading = byStripe
		q.need(35)
	}
	if pin := code[7:9] == "13"; pin != q.in.Has(52) { // PIN, verified by the authorising agent
		q.refuse("field 22 and the PIN block in field 52 do not go together")
	}
}

// readOriginal reads what a reversal says of its original in field 56: message type, number, local time; institutions may
// follow. The number is also the reversal's own here, and the time tells two originals with one number apart.
func (q *query) readOriginal(text, stan string) {
	const typed, numbered, timed = 4, 10, 22
	if len(text) < timed || text[:typed] != "1200" || text[typed:numbered] != stan {
		q.refuse("field 56 names no original of this number")
		return
	}
	q.made = text[numbered:timed]
}

// actionCode is a code of two digits as the 1993 version has it.
func actionCode(c class, code string) string {
	if code == issuer.Approved {
		switch c {
		case reversal:
			return "400"
		case network:
			return "800"
		case sale, refund, void, preauth, increment, balance, advice, upload, batchEnd, otherClass:
		}
		return "000"
	}
	own, known := map[string]string{
		"01": "107", "02": "108", "03": "109", "04": "200", "05": "100", "07": "207", "08": "001", "09": "923", "10": "002", "11": "003",
		invalidTransaction: "902", "13": "110", "14": "111", "19": "903", notFound: "914", "30": "904", "41": "208", "43": "209",
		"51": "116", "54": "101", "55": "117", "57": "119", terminalRefused: "120", "61": "121", "62": "104", securityViolation: "916",
		"65": "123", "68": "911", "75": "106", mismatch: "904", unknownTerminal: "120", "91": "912", "92": "908", duplicate: "913",
		malfunction: "909",
	}[code]
	if !known {
		return "100"
	}
	return own
}

// compose1993 makes the answer's message: what the request had and answers carry back, and what was decided. Field 12 stays the
// terminal's; the host's own time is in field 7, in UTC.
func compose1993(h *Host, q query, a answer) *iso8583.Message {
	m := iso8583.NewMessage(q.answer)
	m.TPDU = q.in.TPDU
	for _, n := range []int{3, 4, 11, 12, 32, 41, 49} {
		if v, ok := q.in.Get(n); ok {
			m.Set(n, v)
		}
	}
	m.Set(7, a.at.UTC().Format("0102150405"))
	m.Set(39, actionCode(q.class, a.code))
	if a.rrn != "" {
		m.Set(37, a.rrn)
	}
	if a.authCode != "" {
		m.Set(38, a.authCode)
	}
	if a.part > 0 {
		m.Set(4, fmt.Sprintf("%012d", a.part))
	}
	if len(a.chip) > 0 {
		m.SetBytes(55, a.chip)
	}
	if h.cfg.Security == nil {
		return m
	}
	var elements []byte
	for _, one := range []struct {
		tag  string
		what byte
	}{{"PS", pinSeen1993}, {"MS", macSeen1993}} {
		text, _ := subfield(a.seen, one.tag)
		if ksn, err := hex.DecodeString(text); err == nil && len(ksn) > 0 {
			elements = append(append(elements, one.what, byte(len(ksn))), ksn...)
		}
	}
	if a.wrongPIN {
		elements = append(elements, tries1993, 1, byte(a.tries))
		m.Set(44, fmt.Sprintf("INCORRECT PIN, TRIES LEFT: %d", a.tries))
	}
	if len(elements) > 0 {
		m.SetBytes(h.cfg.Security.Field, elements)
	}
	return m
}
