package nac

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// The fields and the codes of PIN and MAC.
const (
	pinData = 52
	macData = 64

	wrongPIN = "55"

	macOff, macAlg3, macCMAC = "off", "alg3", "cmac"

	tpduBytes = 5
	macField  = 8 // bytes of DE 64
	macShort  = 4
)

// The private field holds subfields: two letters, two digits of length, and that many characters. These are the ones we
// know; others are passed over.
const (
	subPINKey   = "PK" // KSN of the PIN's key, hexadecimal
	subMACKey   = "MK" // KSN of the MAC's key, hexadecimal
	subPINTries = "PT" // of an answer: PIN tries left, one or two digits
	subPINSeen  = "PS" // of a sign-on's answer: the highest KSN that the host has taken, of PINs
	subMACSeen  = "MS" // and of MACs
)

func (s Settings) checkSecurity() error {
	switch {
	case s.MAC != macOff && s.MAC != macAlg3 && s.MAC != macCMAC:
		return fmt.Errorf("mac %q is not off, alg3 or cmac", s.MAC)
	case s.MACBytes != macField && s.MACBytes != macShort:
		return fmt.Errorf("a MAC of %d bytes: DE 64 has 8, or 4 with zeros behind", s.MACBytes)
	case s.MACSignOn && s.MAC == macOff:
		return errors.New("a MAC at sign-on without one elsewhere")
	case s.SecurityField != 48 && s.SecurityField != 61 && s.SecurityField != -1:
		return fmt.Errorf("security field %d is not 48, 61 or -1", s.SecurityField)
	case s.SecurityField == s.TextField && s.TextField > 0:
		return fmt.Errorf("field %d cannot be for both text and key serial numbers", s.TextField)
	case s.PINBytes != 8 && s.PINBytes != 16:
		return fmt.Errorf("a PIN block of %d bytes: it has 8, or 16 in format 4", s.PINBytes)
	}
	return nil
}

// setPIN puts the PIN block in where the cardholder was verified by it, and nowhere else.
func (d *Dialect) setPIN(m *iso8583.Message, req terminal.Request) error {
	if err := req.CheckPIN(d.settings.PINBytes); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if req.PIN.IsZero() {
		return nil
	}
	m.SetBytes(pinData, req.PIN.Block)
	return d.addSubfield(m, subPINKey, req.PIN.KSN)
}

// addSubfield puts a key's serial number into the private field, behind what stands there. A session key has none.
func (d *Dialect) addSubfield(m *iso8583.Message, tag string, ksn []byte) error {
	switch {
	case len(ksn) == 0:
		return nil
	case d.settings.SecurityField < 0:
		return fmt.Errorf("%w: the settings have no field for a key serial number", ErrRequest)
	case len(ksn) != 10 && len(ksn) != 12: // X9.24-1, X9.24-3
		return fmt.Errorf("%w: key serial number of %d bytes", ErrRequest, len(ksn))
	}
	before, _ := m.Get(d.settings.SecurityField)
	m.Set(d.settings.SecurityField, before+fmt.Sprintf("%s%02d%X", tag, 2*len(ksn), ksn))
	return nil
}

// subfield finds one in an answer's private field; what does not divide into subfields has none.
func (d *Dialect) subfield(m *iso8583.Message, tag string) (string, bool) {
	if d.settings.SecurityField < 0 {
		return "", false
	}
	rest, _ := m.Get(d.settings.SecurityField)
	for len(rest) >= 4 {
		n, err := strconv.ParseUint(rest[2:4], 10, 8)
		if err != nil || len(rest) < 4+int(n) { //nolint:gosec // two digits
			return "", false
		}
		if rest[:2] == tag {
			return rest[4 : 4+n], true
		}
		rest = rest[4+n:]
	}
	return "", false
}

// pinTries reads how many tries are left after a wrong PIN, and says so.
func (d *Dialect) pinTries(m *iso8583.Message, r *terminal.Response) {
	text, ok := d.subfield(m, subPINTries)
	n, err := strconv.ParseUint(text, 10, 7)
	tries := int(n)
	if !ok || err != nil || len(text) > 2 {
		tries = -1
	}
	dialect.WrongPIN(r, tries)
}

// seen reads a key serial number that the host says it has taken; nil where it says none, or nonsense.
func (d *Dialect) seen(m *iso8583.Message, tag string) []byte {
	text, _ := d.subfield(m, tag)
	ksn, err := hex.DecodeString(text)
	if err != nil || (len(ksn) != 10 && len(ksn) != 12) {
		return nil
	}
	return ksn
}

// MACed says whether a message of ours leaves with a MAC.
func (d *Dialect) MACed(message []byte) bool {
	if d.settings.MAC == macOff || len(message) < tpduBytes+2 {
		return false
	}
	switch hex.EncodeToString(message[tpduBytes : tpduBytes+2])[:2] {
	case "01", "02", "03", "04", "05":
		return true
	case "08":
		return d.settings.MACSignOn
	}
	return false
}

// WithMAC is a composed message with the serial number of its MAC key, and in DE 64, the last field, what mac makes of the
// bytes from the message type to the field before. Errors: ErrRequest, and mac's, wrapped.
func (d *Dialect) WithMAC(message, ksn []byte, mac func(data []byte) ([]byte, error)) ([]byte, error) {
	m, err := d.codec.Unpack(message)
	if err != nil {
		return nil, fmt.Errorf("%w: MAC: %w", ErrRequest, err)
	}
	if m.Has(macData) {
		return nil, fmt.Errorf("%w: it has a MAC already", ErrRequest)
	}
	if err := d.addSubfield(m, subMACKey, ksn); err != nil {
		return nil, err
	}
	m.SetBytes(macData, make([]byte, macField))
	out, err := d.codec.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("%w: MAC: %w", ErrRequest, err)
	}
	if fields := m.Fields(); fields[len(fields)-1] != macData {
		return nil, fmt.Errorf("%w: a field stands behind DE 64", ErrRequest)
	}
	body := len(out) - macField
	code, err := mac(slices.Clone(out[tpduBytes:body]))
	if err != nil {
		return nil, fmt.Errorf("MAC: %w", err)
	}
	if len(code) < d.settings.MACBytes {
		return nil, fmt.Errorf("%w: a MAC of %d bytes", ErrRequest, len(code))
	}
	copy(out[body:], code[:d.settings.MACBytes])
	return out, nil
}

// AnswerMAC takes an answer's DE 64 and the bytes of the wire that it is over. An answer without DE 64 gives no MAC. Errors:
// ErrAnswer, for one that is no message, has something behind DE 64, or a MAC of another length.
func (d *Dialect) AnswerMAC(answer []byte) (terminal.Authentication, error) {
	m, err := d.codec.Unpack(answer)
	if err != nil {
		return terminal.Authentication{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	a := terminal.Authentication{Stray: terminal.Stray{MTI: m.MTI()}}
	a.Stray.STAN, _ = m.Get(stan)
	if code, _ := m.Get(responseCode); isCode(code) {
		a.Stray.Code = code
	}
	if !m.Has(macData) {
		return a, nil
	}
	fields, body := m.Fields(), len(answer)-macField
	if fields[len(fields)-1] != macData {
		return a, fmt.Errorf("%w: a field stands behind DE 64", ErrAnswer)
	}
	if strings.Trim(string(answer[body+d.settings.MACBytes:]), "\x00") != "" {
		return a, fmt.Errorf("%w: DE 64 is longer than the settings have it", ErrAnswer)
	}
	a.Data, a.MAC = slices.Clone(answer[tpduBytes:body]), slices.Clone(answer[body:body+d.settings.MACBytes])
	return a, nil
}
