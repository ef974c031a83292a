package pinpad

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/secure"
)

// Version of the protocol. Pad and terminal have to have the same.
const Version = 1

// The commands, first byte of what is enciphered (docs/pinpad-protocol.md, Commands).
const (
	opEnter  byte = 1
	opCancel byte = 2
	opStatus byte = 3
	opBeep   byte = 4
	opLoad   byte = 5
)

// Kinds of answers, first byte of what is enciphered.
const (
	answerDone     byte = 1
	answerProgress byte = 2
	answerError    byte = 3
)

// The prompts that a pad has texts for, in each of its languages. A text never goes over the line.
const (
	promptEnter   byte = 1
	promptAgain   byte = 2
	promptLastTry byte = 3
)

// Bits of an entry's flags.
const (
	flagBypass byte = 1 << iota
	flagCard
)

// Bits of the state that a pad tells of itself.
const (
	stateTampered byte = 1 << iota
	statePaired
	statePINKey
)

// languages that pads have texts in; others get English.
var languages = map[string]bool{"en": true, "ar": true}

// amount is an amount in the parts that a pad shows by itself, in the digits of its language.
type amount struct {
	minor    uint64
	exponent byte
	currency string
}

// parseAmount reads an amount as the lane writes it, like "KWD 10.525": an alphabetic currency code (ISO 4217) and a number, whose
// decimals are the exponent.
func parseAmount(text string) (amount, error) {
	currency, number, ok := strings.Cut(text, " ")
	whole, decimals, _ := strings.Cut(number, ".")
	minor, err := strconv.ParseUint(whole+decimals, 10, 64)
	if !ok || err != nil || len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || whole == "" || len(decimals) > 4 || minor > 999_999_999_999 {
		return amount{}, fmt.Errorf("%w: an amount that the PIN pad cannot show", secure.ErrRequest)
	}
	return amount{minor: minor, exponent: byte(len(decimals)), currency: currency}, nil
}

// formats of PIN blocks on the line: ISO 9564-1's own numbers, and FF where the pad's key decides.
var formats = map[secure.PINFormat]byte{secure.FormatByKey: 0xFF, secure.Format0: 0, secure.Format3: 3, secure.Format4: 4}

// enter writes the command that asks for a PIN.
func enter(r secure.PINRequest) ([]byte, error) {
	a, err := parseAmount(r.Amount)
	if err != nil {
		return nil, err
	}
	language := r.Language
	if !languages[language] {
		language = "en"
	}
	prompt, tries := promptEnter, byte(0xFF)
	if r.Tries >= 0 && r.Tries < 0xFF {
		tries = byte(r.Tries)
	}
	switch {
	case r.Tries == 1:
		prompt = promptLastTry
	case r.Retry:
		prompt = promptAgain
	}
	flags := byte(0)
	if r.Bypass {
		flags |= flagBypass
	}
	if r.Card != nil {
		flags |= flagCard
	}
	b := append([]byte{opEnter}, language...)
	b = append(b, prompt, flags, tries, byte(r.Min), byte(r.Max))
	b = binary.BigEndian.AppendUint16(b, uint16((r.Timeout+time.Second-1)/time.Second))
	b = binary.BigEndian.AppendUint64(b, a.minor)
	b = append(append(b, a.exponent), a.currency...)
	b = append(b, formats[r.Format])
	b = text(b, string(r.PAN))
	if r.Card != nil {
		b = text(text(b, string(r.Card.Modulus)), string(r.Card.Exponent))
		b = append(b, r.Card.Challenge[:]...)
	}
	return b, nil
}

// text writes a length of one byte and the bytes.
func text(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// fields takes an answer apart. After the first that is not there, all are zero, and end says so.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) take(n int) []byte {
	if f.bad || n > len(f.b) {
		f.bad = true
		return make([]byte, n)
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) u8() byte { return f.take(1)[0] }

// text takes a length and as many bytes, at most limit.
func (f *fields) text(limit int) []byte {
	n := int(f.u8())
	if n > limit {
		f.bad = true
		return nil
	}
	return f.take(n)
}

func (f *fields) end() error {
	if f.bad || len(f.b) > 0 {
		return fmt.Errorf("%w: the PIN pad's answer has other fields than it should", device.ErrProtocol)
	}
	return nil
}

// Info is what a pad tells of itself.
type Info struct {
	Version  byte
	Serial   string
	Firmware string
	Tampered bool
	Paired   bool // it has a pairing key
	PINKey   bool // it has a key for PINs
}

// hello is the pad's answer to ours.
type hello struct {
	Info
	nonce [16]byte
}

const (
	maxSerial   = 16
	maxFirmware = 24
)

func parseHello(b []byte) (h hello, err error) {
	f := &fields{b: b}
	h.Version = f.u8()
	h.state(f.u8())
	copy(h.nonce[:], f.take(16))
	h.Serial, h.Firmware = string(f.text(maxSerial)), string(f.text(maxFirmware))
	if err := f.end(); err != nil {
		return hello{}, err
	}
	for _, s := range []string{h.Serial, h.Firmware} {
		if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return hello{}, fmt.Errorf("%w: the PIN pad has no serial number or no version", device.ErrProtocol)
		}
	}
	return h, nil
}

func (i *Info) state(b byte) {
	i.Tampered, i.Paired, i.PINKey = b&stateTampered != 0, b&statePaired != 0, b&statePINKey != 0
}

// What a pad refuses, by its code.
var (
	ErrTampered = errors.New("the PIN pad has found tampering and erased its keys: take it away, have it inspected, and use another")
	ErrPairing  = errors.New("the PIN pad does not know this terminal: load the same pairing key into both (pos keys import pinpad pad FILE)")
	ErrRefused  = errors.New("the PIN pad refuses")
)

// refusal makes an error of a pad's code.
func refusal(code byte) error {
	switch code {
	case 1:
		return ErrTampered
	case 2:
		return fmt.Errorf("%w: have its key for PINs injected, or load it with pos keys pad", secure.ErrNoKey)
	case 3:
		return secure.ErrExhausted
	case 4:
		return fmt.Errorf("%w: the request", secure.ErrRequest)
	case 5:
		return secure.ErrBusy
	case 6:
		return fmt.Errorf("%w: a key block", secure.ErrKeyBlock)
	case 7:
		return ErrPairing
	}
	return fmt.Errorf("%w: code %d", ErrRefused, code)
}

// parseEnd reads the end of an entry. What is not as it must be is no PIN.
func parseEnd(b []byte, r secure.PINRequest) (secure.PadPIN, error) {
	f := &fields{b: b}
	status, known := map[byte]secure.PINStatus{1: secure.PINEntered, 2: secure.PINBypassed, 3: secure.PINCancelled, 4: secure.PINTimedOut}[f.u8()]
	p := secure.PadPIN{Status: status}
	format := f.u8()
	p.KSN, p.Block = append([]byte(nil), f.text(12)...), append([]byte(nil), f.text(255)...)
	if err := f.end(); err != nil {
		return secure.PadPIN{}, err
	}
	if status == secure.PINBypassed && !r.Bypass {
		known = false
	}
	if status == secure.PINEntered && r.Card == nil {
		found := false
		for ours, theirs := range formats {
			if theirs == format && ours != secure.FormatByKey {
				p.Format, found = ours, true
			}
		}
		known = known && found
	}
	if !known || status != secure.PINEntered && (len(p.KSN) > 0 || len(p.Block) > 0) {
		return secure.PadPIN{}, fmt.Errorf("%w: the PIN pad ended an entry in no way that there is", device.ErrProtocol)
	}
	return p, nil
}
