package nac

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

const signOn = "920000"

// keyError is the code of a host that could not work with a key: a MAC, a serial number or a PIN block was wrong.
const keyError = "63"

const exchangeOff, exchangeBlocks, exchangeECB = "off", "blocks", "ecb"

// Subfields of the private field that network management has.
const (
	subChallenge = "CH" // of a sign-on: 16 hexadecimal digits, random
	subOrder     = "OR" // of its answer: two letters of the order, and the challenge again
	subOrderDone = "OA" // of a sign-on: an order, as it came, is being carried out
)

// orderRow is an order's two letters.
type orderRow struct {
	letters string
	order   terminal.HostOrder
}

func orderTable() []orderRow {
	return []orderRow{{"DK", terminal.OrderDestroy}, {"XK", terminal.OrderExchange}}
}

// Of the field with session keys in the form "blocks": two letters, three digits of length, and that many characters.
// Others are passed over.
const (
	keyPINBlock = "PB" // key block of the PIN key
	keyPINCheck = "PC" // its check value, hexadecimal
	keyMACBlock = "MB"
	keyMACCheck = "MC"
)

// In the form "ecb" the keys stand one behind the other, PIN and then MAC: the key of 16 bytes as 32 hexadecimal digits and
// its check value as 6, and zeros to the field's end. It is the public form of DE 48 in key exchanges of terminals
// (evenN2S/iso8583-custom, HPDH message specification), with keys of two lengths.
const (
	ecbKeyDigits   = 32
	ecbCheckDigits = 6
)

func (s Settings) checkNetwork() error {
	private := s.KeyField == 48 || s.KeyField == 61 || s.KeyField == 62
	switch {
	case s.KeyExchange != exchangeOff && s.KeyExchange != exchangeBlocks && s.KeyExchange != exchangeECB:
		return fmt.Errorf("key exchange %q is not off, blocks or ecb", s.KeyExchange)
	case !dialect.Digits(s.KeyExchangeCode, 6) || s.KeyExchangeCode == signOn:
		return fmt.Errorf("key exchange code %q is not six digits like 920101, or is that of signing on", s.KeyExchangeCode)
	case !dialect.Digits(s.EchoCode, 6) || s.EchoCode == signOn || s.EchoCode == s.KeyExchangeCode:
		return fmt.Errorf("echo code %q is not six digits like 990000, or is that of another message", s.EchoCode)
	case s.KeyExchange != exchangeOff && !s.MACSignOn:
		return errors.New("a key exchange is confirmed by a sign-on under the new key: it takes mac and mac_sign_on")
	case s.KeyExchange != exchangeOff && (!private || s.KeyField == s.SecurityField || s.KeyField == s.TextField):
		return fmt.Errorf("key field %d is not 48, 61 or 62, or serves something else already", s.KeyField)
	case s.HostOrders && (!s.MACSignOn || s.SecurityField < 0):
		return errors.New("orders of the host are believed under the MAC of a sign-on's answer: they take mac_sign_on and a security field")
	}
	return nil
}

// Network composes a message of network management: 0800. Sign-on carries no time: the public messages have none. Errors:
// ErrRequest.
func (d *Dialect) Network(req terminal.NetworkRequest) ([]byte, error) {
	fields := map[int]string{processingCode: signOn, networkID: d.settings.NII}
	if req.Kind == terminal.KeyExchange {
		if d.settings.KeyExchange == exchangeOff {
			return nil, fmt.Errorf("%w: the settings have no key exchange", ErrRequest)
		}
		fields[processingCode] = d.settings.KeyExchangeCode
	}
	if req.Kind == terminal.Echo {
		fields[processingCode] = d.settings.EchoCode
	}
	if err := number(fields, map[int]uint32{stan: req.STAN}); err != nil {
		return nil, err
	}
	if err := identify(fields, req.TerminalID, req.MerchantID); err != nil {
		return nil, err
	}
	m := d.message(networkRequest, fields)
	if err := d.addChallenge(m, req); err != nil {
		return nil, err
	}
	out, err := d.codec.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRequest, networkRequest, err)
	}
	return out, nil
}

// addChallenge puts in what an order in the answer has to repeat, or the order that is being carried out.
func (d *Dialect) addChallenge(m *iso8583.Message, req terminal.NetworkRequest) error {
	switch {
	case !d.settings.HostOrders && req.Kind == terminal.OrderDone:
		return fmt.Errorf("%w: the settings take no orders", ErrRequest)
	case !d.settings.HostOrders || len(req.Challenge) == 0 || req.Kind == terminal.KeyExchange:
		return nil
	case len(req.Challenge) != terminal.ChallengeBytes:
		return fmt.Errorf("%w: challenge of %d bytes", ErrRequest, len(req.Challenge))
	}
	tag, text := subChallenge, fmt.Sprintf("%X", req.Challenge)
	if req.Kind == terminal.OrderDone {
		letters := ""
		for _, row := range orderTable() {
			if row.order == req.Order {
				letters = row.letters
			}
		}
		if letters == "" {
			return fmt.Errorf("%w: order %q", ErrRequest, req.Order)
		}
		tag, text = subOrderDone, letters+text
	}
	m.Set(d.settings.SecurityField, fmt.Sprintf("%s%02d%s", tag, len(text), text))
	return nil
}

// HostOrders says whether a sign-on carries a challenge.
func (d *Dialect) HostOrders() bool { return d.settings.HostOrders }

// readNetwork reads what only answers of network management have. Errors: ErrAnswer.
func (d *Dialect) readNetwork(m *iso8583.Message, r *terminal.Response) (err error) {
	r.SeenPIN, r.SeenMAC = d.seen(m, subPINSeen), d.seen(m, subMACSeen)
	d.readOrder(m, r)
	code, _ := m.Get(processingCode)
	if d.settings.KeyExchange == exchangeOff || code != d.settings.KeyExchangeCode || r.Verdict != terminal.VerdictApproved {
		return nil
	}
	text, _ := m.Get(d.settings.KeyField)
	if d.settings.KeyExchange == exchangeECB {
		r.Keys, err = ecbKeys(text, ecbKeyDigits, terminal.KeyForPIN, terminal.KeyForMAC)
	} else {
		r.Keys, err = blockKeys(text)
	}
	return err
}

// readOrder takes an order; one that is none, or of which we know nothing, is passed over.
func (d *Dialect) readOrder(m *iso8583.Message, r *terminal.Response) {
	text, ok := d.subfield(m, subOrder)
	if !d.settings.HostOrders || !ok || len(text) != 2+2*terminal.ChallengeBytes {
		return
	}
	challenge, err := hex.DecodeString(text[2:])
	if err != nil {
		return
	}
	for _, row := range orderTable() {
		if row.letters == text[:2] {
			r.Order, r.Challenge = row.order, challenge
		}
	}
}

// blockKeys reads session keys in key blocks. Both have to be there.
func blockKeys(text string) ([]terminal.SessionKey, error) {
	bad := func(what string) ([]terminal.SessionKey, error) {
		return nil, fmt.Errorf("%w: session keys of %d characters: %s", ErrAnswer, len(text), what)
	}
	found := map[string]string{}
	for rest := text; rest != ""; {
		if len(rest) < 5 {
			return bad("they do not divide into key blocks; what comes in ECB takes key_exchange = \"ecb\"")
		}
		n, err := strconv.ParseUint(rest[2:5], 10, 16)
		if err != nil || int(n) > len(rest)-5 { //nolint:gosec // three digits
			return bad("they do not divide into key blocks; what comes in ECB takes key_exchange = \"ecb\"")
		}
		tag := rest[:2]
		if _, twice := found[tag]; twice {
			return bad("one is there twice")
		}
		found[tag], rest = rest[5:5+n], rest[5+n:]
	}
	if found[keyPINBlock] == "" || found[keyMACBlock] == "" {
		return bad("a PIN key and a MAC key were asked for, in key blocks")
	}
	return []terminal.SessionKey{
		{Use: terminal.KeyForPIN, Block: found[keyPINBlock], Check: found[keyPINCheck]},
		{Use: terminal.KeyForMAC, Block: found[keyMACBlock], Check: found[keyMACCheck]},
	}, nil
}

// ecbKeys reads session keys enciphered in ECB, of that many hexadecimal digits each.
func ecbKeys(text string, keyDigits int, uses ...terminal.KeyUse) ([]terminal.SessionKey, error) {
	var keys []terminal.SessionKey
	one := keyDigits + ecbCheckDigits
	if len(text) < len(uses)*one {
		return nil, fmt.Errorf("%w: session keys of %d characters: %d are wanted", ErrAnswer, len(text), len(uses)*one)
	}
	for i, use := range uses {
		part := text[i*one : (i+1)*one]
		cryptogram, err := hex.DecodeString(part[:keyDigits])
		if err != nil {
			return nil, fmt.Errorf("%w: %s key: no hexadecimal digits", ErrAnswer, string(use))
		}
		if _, err := hex.DecodeString(part[keyDigits:]); err != nil {
			return nil, fmt.Errorf("%w: check value of the %s key: no hexadecimal digits", ErrAnswer, string(use))
		}
		keys = append(keys, terminal.SessionKey{Use: use, Cryptogram: cryptogram, Check: part[keyDigits:]})
	}
	if strings.Trim(text[len(uses)*one:], "0") != "" {
		return nil, fmt.Errorf("%w: something stands behind the session keys", ErrAnswer)
	}
	return keys, nil
}
