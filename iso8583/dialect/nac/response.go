package nac

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/terminal"
)

// ErrAnswer is wrapped when an answer cannot be used. Whoever waits for it treats it as no answer: a request that it may
// have been an approval of is reversed.
var ErrAnswer = errors.New("host's answer cannot be used")

// Answers to the messages of this dialect.
const (
	saleAnswer     = "0210"
	reversalAnswer = "0410"
	repeatAnswer   = "0411"
	networkAnswer  = "0810"
)

// maxText bounds the host's text for the receipt.
const maxText = 200

// Response reads a 0210, 0410, 0411 or 0810. Errors: ErrAnswer, for anything else, for a response code that is none, that
// leaves open whether the sale was booked or approves something other than what was asked, and for an approval whose DE 55 is no TLV.
func (d *Dialect) Response(answer []byte) (terminal.Response, error) {
	m, err := d.codec.Unpack(answer)
	if err != nil {
		return terminal.Response{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	reversal, sale := m.MTI() == reversalAnswer || m.MTI() == repeatAnswer, m.MTI() == saleAnswer
	if !reversal && !sale && m.MTI() != networkAnswer {
		return terminal.Response{}, fmt.Errorf("%w: message type %s", ErrAnswer, m.MTI())
	}
	code, ok := m.Get(responseCode)
	if !ok || !alphanumeric(code) {
		return terminal.Response{}, fmt.Errorf("%w: %s: no response code in DE 39", ErrAnswer, m.MTI())
	}
	r := terminal.Response{Code: code, ARC: [2]byte{code[0], code[1]}}
	row := meaning(code)
	switch {
	case sale && undecided(code):
		return terminal.Response{}, fmt.Errorf("%w: %s: code %s does not say whether it was booked", ErrAnswer, m.MTI(), code)
	case row.verdict != "":
	case sale:
		return terminal.Response{}, fmt.Errorf("%w: %s: code %s approves something other than what was asked", ErrAnswer, m.MTI(), code)
	default: // it makes no sense there, and people look into it
		row = refusal()
	}
	if reversal && code == notFound {
		row = nothingToReverse()
	}
	r.Verdict, r.Advice = row.verdict, row.outcome(code)
	if r.Issuer, err = issuerData(m); err != nil && sale && r.Verdict == terminal.VerdictApproved {
		return terminal.Response{}, err
	}
	r.RRN, r.AuthCode = text(m, retrieval), text(m, authorisation)
	r.Text = text(m, d.settings.TextField)
	if m.MTI() == networkAnswer {
		if err := d.readNetwork(m, &r); err != nil {
			return terminal.Response{}, err
		}
	}
	r.KeyError = code == keyError
	if sale && code == wrongPIN {
		d.pinTries(m, &r)
	}
	r.Time = d.hostTime(m)
	return r, nil
}

// issuerData is DE 55 as it came, when it is TLV; order and repeats of 91, 71 and 72 matter to the card.
func issuerData(m *iso8583.Message) ([]byte, error) {
	b, ok := m.Bytes(chipData)
	if !ok || len(b) == 0 {
		return nil, nil
	}
	if _, err := tlv.Parse(b); err != nil {
		return nil, fmt.Errorf("%w: DE 55 of %d bytes is no TLV", ErrAnswer, len(b))
	}
	return b, nil
}

// text is a field's text without the padding, empty when it is not there, too long or not printable.
func text(m *iso8583.Message, field int) string {
	if field < 0 {
		return ""
	}
	s, _ := m.Get(field)
	if s = strings.TrimSpace(s); len(s) > maxText || !printable(s) {
		return ""
	}
	return s
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) == 2
}

// hostTime is DE 13 and 12 in the year that brings them nearest to our own clock: around new year the host may be in
// another year than we are. The zero time when they are not there or are no time.
func (d *Dialect) hostTime(m *iso8583.Message) time.Time {
	clock, _ := m.Get(localTime)
	date, _ := m.Get(localDate)
	if d.settings.Zone == nil || d.settings.Now == nil || clock == "" || date == "" {
		return time.Time{}
	}
	now := d.settings.Now()
	var nearest time.Time
	for year := now.Year() - 1; year <= now.Year()+1; year++ {
		t, err := time.ParseInLocation("20060102150405", fmt.Sprintf("%04d", year)+date+clock, d.settings.Zone)
		if err != nil { // 29 February of another year, or no time at all
			continue
		}
		if nearest.IsZero() || t.Sub(now).Abs() < nearest.Sub(now).Abs() {
			nearest = t
		}
	}
	return nearest
}
