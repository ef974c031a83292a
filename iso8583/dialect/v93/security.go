package v93

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// Security related control information (DE 53, b..48) is a row of elements, which the standard leaves to the parties: a byte
// that says what, a byte of length, and so many bytes. These are the ones we know; others are passed over.
const (
	elementPINKey   = 0x01 // KSN of the PIN's key
	elementMACKey   = 0x02 // KSN of the MAC's key
	elementPINTries = 0x03 // of an answer: PIN tries left, one byte
	elementPINSeen  = 0x11 // of a sign-on's answer: the highest KSN that the host has taken, of PINs
	elementMACSeen  = 0x12 // and of MACs
)

const (
	macOff, macAlg3, macCMAC = "off", "alg3", "cmac"

	macField    = 8 // bytes of DE 64 and DE 128
	macShort    = 4
	maxSecurity = 48
)

func (s Settings) checkSecurity() error {
	switch {
	case s.MAC != macOff && s.MAC != macAlg3 && s.MAC != macCMAC:
		return fmt.Errorf("mac %q is not off, alg3 or cmac", s.MAC)
	case s.MACBytes != macField && s.MACBytes != macShort:
		return fmt.Errorf("a MAC of %d bytes: its field has 8, or 4 with a filler behind", s.MACBytes)
	case s.MACFiller != "0" && s.MACFiller != "F":
		return fmt.Errorf("filler %q behind a short MAC is not 0 or F", s.MACFiller)
	case s.MACField != macShortMap && s.MACField != macLongMap:
		return fmt.Errorf("MAC field %d is not 64 or 128", s.MACField)
	case s.MACSignOn && s.MAC == macOff:
		return errors.New("a MAC at sign-on without one elsewhere")
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
	return addElement(m, elementPINKey, req.PIN.KSN)
}

// addElement puts a key's serial number into DE 53, behind what stands there. A session key has none.
func addElement(m *iso8583.Message, what byte, ksn []byte) error {
	if len(ksn) == 0 {
		return nil
	}
	if len(ksn) != 10 && len(ksn) != 12 { // X9.24-1, X9.24-3
		return fmt.Errorf("%w: key serial number of %d bytes", ErrRequest, len(ksn))
	}
	before, _ := m.Bytes(security)
	m.SetBytes(security, append(append(before, what, byte(len(ksn))), ksn...))
	return nil
}

// element finds one in an answer's DE 53; what does not divide into elements has none.
func element(m *iso8583.Message, what byte) ([]byte, bool) {
	rest, _ := m.Bytes(security)
	for len(rest) >= 2 {
		n := int(rest[1])
		if len(rest) < 2+n {
			return nil, false
		}
		if rest[0] == what {
			return rest[2 : 2+n], true
		}
		rest = rest[2+n:]
	}
	return nil, false
}

// pinTries reads how many tries are left after a wrong PIN, and says so.
func pinTries(m *iso8583.Message, r *terminal.Response) {
	tries := -1
	if v, ok := element(m, elementPINTries); ok && len(v) == 1 && v[0] <= 99 {
		tries = int(v[0])
	}
	dialect.WrongPIN(r, tries)
}

// seen reads a key serial number that the host says it has taken; nil where it says none, or nonsense.
func seen(m *iso8583.Message, what byte) []byte {
	ksn, _ := element(m, what)
	if len(ksn) != 10 && len(ksn) != 12 {
		return nil
	}
	return slices.Clone(ksn)
}

// messageType is a composed message's own, without unpacking it; empty where it is too short.
func (d *Dialect) messageType(message []byte) string {
	body := message[min(len(message), len(d.tpdu)):]
	switch {
	case d.settings.Encoding == encodingASCII && len(body) >= 4:
		return string(body[:4])
	case d.settings.Encoding == encodingBCD && len(body) >= 2:
		return hex.EncodeToString(body[:2])
	}
	return ""
}

// MACed says whether a message of ours leaves with a MAC.
func (d *Dialect) MACed(message []byte) bool {
	mti := d.messageType(message)
	if d.settings.MAC == macOff || mti == "" {
		return false
	}
	switch mti[:2] {
	case "11", "12", "14", "15":
		return true
	case "18":
		return d.settings.MACSignOn
	}
	return false
}

// WithMAC is a composed message with the serial number of its MAC key, and in its last field, DE 64 or DE 128, what mac makes
// of the bytes from the message type to the field before. Errors: ErrRequest, and mac's, wrapped.
func (d *Dialect) WithMAC(message, ksn []byte, mac func(data []byte) ([]byte, error)) ([]byte, error) {
	m, err := d.codec.Unpack(message)
	if err != nil {
		return nil, fmt.Errorf("%w: MAC: %w", ErrRequest, err)
	}
	if m.Has(macShortMap) || m.Has(macLongMap) {
		return nil, fmt.Errorf("%w: it has a MAC already", ErrRequest)
	}
	if err := addElement(m, elementMACKey, ksn); err != nil {
		return nil, err
	}
	field := d.settings.MACField
	if fields := m.Fields(); len(fields) > 0 && fields[len(fields)-1] > macShortMap {
		field = macLongMap
	}
	m.SetBytes(field, make([]byte, macField))
	out, err := d.pack(m)
	if err != nil {
		return nil, err
	}
	body := len(out) - macField
	code, err := mac(slices.Clone(out[len(d.tpdu):body]))
	if err != nil {
		return nil, fmt.Errorf("MAC: %w", err)
	}
	if len(code) < d.settings.MACBytes {
		return nil, fmt.Errorf("%w: a MAC of %d bytes", ErrRequest, len(code))
	}
	copy(out[body:], d.filler())
	copy(out[body:], code[:d.settings.MACBytes])
	return out, nil
}

// filler is a MAC's field with nothing but the filler in it.
func (d *Dialect) filler() []byte {
	fill := byte(0)
	if d.settings.MACFiller == "F" {
		fill = 0xFF
	}
	return bytes.Repeat([]byte{fill}, macField)
}

// AnswerMAC takes an answer's MAC and the bytes of the wire that it is over. An answer without one gives none. Errors:
// ErrAnswer, for one that is no message, has two, has something behind it, or a MAC of another length.
func (d *Dialect) AnswerMAC(answer []byte) (terminal.Authentication, error) {
	m, err := d.codec.Unpack(answer)
	if err != nil {
		return terminal.Authentication{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	a := terminal.Authentication{Stray: terminal.Stray{MTI: m.MTI()}}
	a.Stray.STAN, _ = m.Get(stan)
	a.Stray.Code, _ = m.Get(actionCode)
	if !m.Has(macShortMap) && !m.Has(macLongMap) {
		return a, nil
	}
	fields, body := m.Fields(), len(answer)-macField
	last := fields[len(fields)-1]
	if (last != macShortMap && last != macLongMap) || (m.Has(macShortMap) && m.Has(macLongMap)) {
		return a, fmt.Errorf("%w: a field stands behind the MAC", ErrAnswer)
	}
	if n := d.settings.MACBytes; !bytes.Equal(answer[body+n:], d.filler()[n:]) {
		return a, fmt.Errorf("%w: the MAC is longer than the settings have it", ErrAnswer)
	}
	a.Data, a.MAC = slices.Clone(answer[len(d.tpdu):body]), slices.Clone(answer[body:body+d.settings.MACBytes])
	return a, nil
}
