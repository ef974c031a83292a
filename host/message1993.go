package host

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// classOf1993 reads message type, processing code and function code.
func classOf1993(mti, code, function string) class {
	if len(mti) != 4 || len(code) < 2 && mti[:2] != "15" && mti[:2] != "18" {
		return otherClass
	}
	code = code[:min(2, len(code))]
	one := func(of ...string) bool { return slices.Contains(of, code) }
	switch mti[:3] {
	case "110":
		switch {
		case one("31"):
			return balance
		case one("00") && (function == moreAccurate || function == moreEstimated):
			return increment
		case one("00", "09"):
			return preauth
		}
	case "120":
		switch {
		case one("00", "09"):
			return sale
		case one("20"):
			return refund
		case one("02", "22"):
			return void
		}
	case "122":
		if one("00", "09") {
			return advice
		}
	case "142":
		if one("00", "02", "09", "20", "22") {
			return reversal
		}
	case "152":
		return batchEnd
	case "180":
		return network
	}
	return otherClass
}

// Function codes (field 24) that the host tells apart.
const (
	preauthEstimated            = "101" // held until a completion; 100 is the first step of a sale in two
	moreAccurate, moreEstimated = "106", "107"
	approvedBefore, otherAmount = "201", "202"
)

// customerCancelled is the reason of a reversal that is a void: of an earlier transaction, under a number of its own.
const customerCancelled = "4000"

func cancels(reason, original, stan string) bool {
	return reason == customerCancelled && len(original) >= timed1993 && original[typed1993:numbered1993] != stan
}

// rules1993 is what a class of message must have: fields, function codes, and how its reason begins.
func rules1993(c class) (fields []int, functions []string, reason string) {
	card := []int{3, 4, 7, 11, 12, 22, 24, 25, 41, 42}
	switch c {
	case sale, refund:
		return card, []string{"200"}, "15"
	case void:
		return append(card, 2, 56), []string{"200"}, "15"
	case preauth:
		return card, []string{"100", preauthEstimated}, "15"
	case increment:
		return append(card, 2, 14, 56), []string{moreAccurate, moreEstimated}, "15"
	case balance:
		return card, []string{"108"}, "15"
	case advice:
		return append(card, 2, 39), []string{"200", approvedBefore, otherAmount}, "10"
	case reversal:
		return []int{2, 3, 4, 7, 11, 12, 24, 25, 41, 42, 56}, []string{"400"}, "4"
	case batchEnd:
		return []int{7, 11, 12, 24, 28, 41, 42, 50, 60, 124}, []string{"500"}, ""
	case network:
		return []int{11, 12, 24, 41}, nil, ""
	case upload, otherClass:
	}
	return nil, nil, ""
}

// read1993 takes a message of the 1993 version apart. The order of checks decides which one is named.
func read1993(m *iso8583.Message, currency money.Currency, private int) query {
	q := query{version: Version1993, in: m, answer: answerMTI(m.MTI(), '1')}
	text := func(n int) string { s, _ := m.Get(n); return s }
	q.stan, q.terminal, q.merchant = text(11), text(41), text(42)
	q.batch, q.invoice, q.psn = text(60), text(62), text(23)
	function := text(24)
	if q.class = classOf1993(m.MTI(), text(3), function); q.class == reversal && cancels(text(25), text(56), q.stan) {
		q.class, q.told = void, true
	}
	fields, functions, reason := rules1993(q.class)
	q.need(fields...)
	if q.class == network || q.class == otherClass {
		return q
	}
	if q.told {
		functions, reason = []string{"400"}, customerCancelled
	}
	if !slices.Contains(functions, function) {
		q.refuse("field 24 is no function of this message")
	}
	q.want(25, reason, "reason of this message")
	q.readNumbers()
	if q.class == batchEnd {
		q.reported = text(124)
		if text(50) != fmt.Sprintf("%03d", currency.Numeric) {
			q.refuse("field 50 is not the host's currency")
		}
		return q
	}
	q.readKind1993(text, function, currency)
	q.readAmount(text(4), text(49), currency)
	q.readCard(text(2), text(14), text(35))
	q.chip, _ = m.Bytes(55)
	q.digest = digest(m, private)
	return q
}

// readKind1993 takes what a message about a card's transaction says of its kind: how the card was read, what it is about, what was
// decided without asking, cash.
func (q *query) readKind1993(text func(int) string, function string, currency money.Currency) {
	q.code = text(3)[:min(2, len(text(3)))]
	if q.told { // what is taken back has its own code there
		q.code = map[bool]string{true: "22", false: "02"}[q.code == "20"]
	}
	switch q.class {
	case sale, preauth, balance, refund:
		q.readPointOfService(text(22), text(25))
	default:
		if q.in.Has(52) || q.in.Has(35) {
			q.refuse("a PIN block or a track of a card that nobody reads")
		}
	}
	if q.class == preauth && function == preauthEstimated {
		q.condition = "06"
	}
	if q.class == reversal {
		q.readOriginal(text(56), text(11))
		return
	}
	q.made, q.original = q.in.MTI()[:3]+"0"+text(12), strings.TrimSpace(text(37))
	q.readEarlier(text(56))
	if q.class == advice {
		if q.said = issuer.Approved; text(39) != "000" {
			q.said = issuer.DoNotHonour
		}
		if q.approval = strings.TrimSpace(text(38)); function != "200" && q.about != "" {
			q.condition = "06"
		}
		if function != "200" && q.about == "" && q.approval == "" {
			q.refuse("approved before, and neither field 38 nor field 56 says by what")
		}
	}
	if q.code == "09" {
		q.readCash(text(54), currency)
	}
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

// Field 56 is message type, number and local time; institutions may follow.
const typed1993, numbered1993, timed1993 = 4, 10, 22

// readOriginal reads what a reversal says of its original. The number is also the reversal's own here, and type and time tell two
// originals with one number apart.
func (q *query) readOriginal(text, stan string) {
	if len(text) < timed1993 || !slices.Contains([]string{"1100", "1200"}, text[:typed1993]) || text[typed1993:numbered1993] != stan {
		q.refuse("field 56 names no original of this number")
		return
	}
	q.made = text[:typed1993] + text[numbered1993:timed1993]
}

// readEarlier reads which earlier transaction a message is about.
func (q *query) readEarlier(text string) {
	if text == "" {
		return
	}
	if len(text) < timed1993 || !slices.Contains([]string{"1100", "1200", "1220"}, text[:typed1993]) {
		q.refuse("field 56 names no transaction")
		return
	}
	q.about = text[:timed1993]
}

// earlier is the reference number of the transaction that a message is about, where field 56 says so: by its type, number and time. A
// reference number in field 37 must be of the same one. Where there is no such transaction it is one that none has. The caller
// holds mu.
func (h *Host) earlier(q query) string {
	const ofNone = "no transaction"
	if q.about == "" {
		return q.original
	}
	r := h.ledger.latest[key{terminal: q.terminal, stan: q.about[typed1993:numbered1993]}]
	if r == nil || r.made != q.about[:typed1993]+q.about[numbered1993:] || r.rrn == "" {
		return ofNone
	}
	if q.original != "" && h.ledger.named(q.original) != h.ledger.named(r.rrn) {
		return ofNone
	}
	return r.rrn
}

// parseTotals1993 reads field 124: how many schemes, and of each two letters, four of who stands behind it, and count n10 and sum n15
// of debits, of credits, then cash and cash advances n15, and authorisations n10. Schemes are added up: the host keeps one sum.
func parseTotals1993(text string) (totals, error) {
	const scheme, count, sum = 2 + 4 + 10 + 15 + 10 + 15 + 15 + 15 + 10, 10, 15
	var t totals
	if len(text) < 2 || strings.Trim(text[:2], "0123456789") != "" || len(text) != 2+int(10*(text[0]-'0')+text[1]-'0')*scheme {
		return t, errors.New("field 124 is not as many schemes as it says")
	}
	for rest := text[2:]; rest != ""; rest = rest[scheme:] {
		if strings.Trim(rest[6:scheme], "0123456789") != "" {
			return totals{}, errors.New("field 124 has totals that are no numbers")
		}
		numbers := make([]int64, 0, 4)
		at := 6
		for _, n := range []int{count, sum, count, sum} {
			v, _ := strconv.ParseInt(rest[at:at+n], 10, 64)
			numbers, at = append(numbers, v), at+n
		}
		t.sales += int(numbers[0])
		t.salesSum += numbers[1]
		t.refunds += int(numbers[2])
		t.refundsSum += numbers[3]
	}
	return t, nil
}

// actionCodes is the action code of the 1993 version for each code of two digits that the host gives; what is not in it is 100.
func actionCodes() map[string]string {
	return map[string]string{
		issuer.Approved: "000", "01": "107", "02": "108", "03": "109", "04": "200", "05": "100", "07": "207", "08": "001", "09": "923", "10": "002",
		"11": "003", "16": "004", "32": "006", "87": "006", invalidTransaction: "902", "13": "110", "14": "111", "19": "903", notFound: "914", "30": "904", "41": "208", "43": "209",
		"51": "116", "54": "101", "55": "117", "57": "119", terminalRefused: "120", "61": "121", "62": "104", securityViolation: "916",
		"65": "123", "68": "911", "75": "106", mismatch: "904", batchClosed: "902", unknownTerminal: "120", "91": "912", "92": "908",
		duplicate: "913", malfunction: "909",
	}
}

// actionCode is a code of two digits as the 1993 version has it in the answer to a class of message.
func actionCode(c class, code string) string {
	own := map[class]map[string]string{
		reversal: {issuer.Approved: "400"},
		network:  {issuer.Approved: "800"},
		batchEnd: {issuer.Approved: "500", outOfBalance: "501", batchClosed: "504"},
	}[c][code]
	return cmp.Or(own, actionCodes()[code], "100")
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
	as := q.class
	if q.told {
		as = reversal
	}
	m.Set(39, actionCode(as, a.code))
	if a.rrn != "" {
		m.Set(37, a.rrn)
	}
	if a.authCode != "" {
		m.Set(38, a.authCode)
	}
	if a.part > 0 { // and what was asked for
		m.Set(4, fmt.Sprintf("%012d", a.part))
		m.Set(30, fmt.Sprintf("%012d%012d", q.amount.Minor, 0))
	}
	if q.class == balance && a.amounts != "" {
		m.Set(54, a.amounts)
	}
	if t := a.mine; t != nil {
		m.Set(74, fmt.Sprintf("%010d", t.refunds))
		m.Set(76, fmt.Sprintf("%010d", t.sales))
		m.Set(86, fmt.Sprintf("%016d", t.refundsSum))
		m.Set(88, fmt.Sprintf("%016d", t.salesSum))
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
