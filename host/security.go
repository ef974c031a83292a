package host

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"tillway/device/secure/x9"
	"tillway/iso8583"
)

// Ways of making a MAC, for Security.MAC.
const (
	MACAlg3 = "alg3" // ISO 9797-1 algorithm 3, padding 1; TDES keys only
	MACCMAC = "cmac" // TDES or AES, by the key
)

// Security is how messages of the terminals that have keys are secured. Without it the host knows neither MAC nor PIN.
type Security struct {
	MAC      string // MACAlg3 or MACCMAC
	MACBytes int    // of field 64: 8, or 4 with zeros behind
	Field    int    // private field of key serial numbers: PK for the PIN's, MK for the MAC's, PT for PIN tries left
	Required bool   // sales and reversals without a MAC are refused

	KeyCode  string // field 3 of the 0800 that asks for session keys; empty: no terminal does
	KeyField int    // private field of the 0810 that has them
}

// Keys are a terminal's keys at the host: two for DUKPT, or a master key. Published test keys only.
type Keys struct {
	PIN, MAC Key

	Master []byte // set: PIN and MAC are session keys, which the terminal asks for. 16 or 24 bytes, or an AES key
	AES    bool   // the master key is one
	ECB    bool   // they come in plain ECB with a check value, and not in key blocks
}

// Key is a base derivation key and the terminal's own serial number under it (X9.24). KSN has 10 bytes for TDES, 12 for
// AES, its counter zero.
type Key struct {
	BDK []byte
	KSN []byte
}

// device is a terminal's key at work. The host has its lock.
type device struct {
	aes     bool
	initial []byte
	base    []byte // KSN with the counter at zero
	last    uint32 // the highest counter that was used in earnest
	seen    []byte // its serial number
}

// secured is what the host keeps of one terminal.
type secured struct {
	pin, mac device
	session  *session // nil under DUKPT

	order, done string // given and not carried out; carried out
	challenge   string // of the last sign-on
	quarrel     string // how to disagree next

	kept keptKeys // what the ledger has of it
}

var (
	errNoMAC   = errors.New("no MAC")
	errMAC     = errors.New("MAC does not verify")
	errForeign = errors.New("key serial number is not this terminal's")
	errReplay  = errors.New("key serial number was used before")
)

func (s *Security) check() error {
	switch {
	case s.MAC != MACAlg3 && s.MAC != MACCMAC:
		return fmt.Errorf("MAC %q is neither %s nor %s: %w", s.MAC, MACAlg3, MACCMAC, ErrConfig)
	case s.MACBytes != 4 && s.MACBytes != 8:
		return fmt.Errorf("MAC of %d bytes, 4 or 8: %w", s.MACBytes, ErrConfig)
	case s.Field < 2 || s.Field > 63:
		return fmt.Errorf("no field %d for key serial numbers: %w", s.Field, ErrConfig)
	case s.KeyCode != "" && (s.KeyField < 2 || s.KeyField > 63 || s.KeyField == s.Field):
		return fmt.Errorf("no field %d for session keys: %w", s.KeyField, ErrConfig)
	}
	return nil
}

func newDevice(k Key) (device, error) {
	d := device{aes: len(k.KSN) == 12, base: bytes.Clone(k.KSN)}
	if d.aes {
		ksn, err := x9.ParseAESKSN(k.KSN)
		if err != nil {
			return d, err
		}
		d.initial, err = x9.AESInitialKey(k.BDK, ksn.IKID())
		return d, err
	}
	ksn, err := x9.ParseKSN(k.KSN)
	if err != nil {
		return d, err
	}
	d.initial, err = x9.TDESInitialKey(k.BDK, ksn)
	return d, err
}

// transaction is one transaction's key: what it was derived for is asked of it.
type transaction struct {
	of      *device
	key     []byte
	ksn     []byte
	counter uint32
	session bool // the key itself, as it is
}

// derive makes the transaction key of a serial number, which must be this terminal's and above all that were used.
func (d *device) derive(serial string) (*transaction, error) {
	raw, err := hex.DecodeString(serial)
	if err != nil || len(raw) != len(d.base) {
		return nil, errForeign
	}
	t := &transaction{of: d, ksn: raw}
	var initial []byte
	if d.aes {
		ksn := x9.AESKSN(raw)
		base := ksn.WithCounter(0)
		t.counter, initial = ksn.Counter(), base[:]
	} else {
		ksn := x9.KSN(raw)
		base := ksn.Initial()
		t.counter, initial = ksn.Counter(), base[:]
	}
	switch {
	case !bytes.Equal(initial, d.base):
		return nil, errForeign
	case t.counter <= d.last:
		return nil, errReplay
	case d.aes:
		t.key, err = x9.AESTransactionKey(d.initial, x9.AESKSN(raw))
	default:
		t.key, err = x9.TDESTransactionKey(d.initial, x9.KSN(raw))
	}
	return t, err
}

// use marks the counter: nothing at or below it is taken any more.
func (t *transaction) use() { t.of.last, t.of.seen = t.counter, t.ksn }

func (t *transaction) working(tdes x9.TDESUse, aes x9.AESUse) ([]byte, error) {
	if t.session {
		return t.key, nil
	}
	if !t.of.aes {
		return x9.TDESWorkingKey(t.key, tdes)
	}
	kind := map[int]x9.KeyType{16: x9.AES128, 24: x9.AES192, 32: x9.AES256}[len(t.key)]
	return x9.AESWorkingKey(t.key, aes, kind, x9.AESKSN(t.ksn))
}

// mac is the MAC of a request, or of the answer to it, as field 64 has it.
func (s *Security) mac(t *transaction, response bool, data []byte) ([]byte, error) {
	tdes, aes := x9.TDESMACRequest, x9.AESMACGenerate // the terminal's view: it generates requests
	if response {
		tdes, aes = x9.TDESMACResponse, x9.AESMACVerify
	}
	key, err := t.working(tdes, aes)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 8)
	switch {
	case t.of.aes:
		long, cerr := x9.CMACAES(key, data)
		err = cerr
		copy(out, long[:s.MACBytes])
	case s.MAC == MACCMAC:
		short, cerr := x9.CMACTDES(key, data)
		err = cerr
		copy(out, short[:s.MACBytes])
	default:
		short, cerr := x9.MAC3(key, data, x9.Pad1)
		err = cerr
		copy(out, short[:s.MACBytes])
	}
	return out, err
}

// macField is where a message has its MAC, field 64 or 128, and whether that is the last one: only then is what stands
// before it all that there is. Zero where it has none.
func macField(m *iso8583.Message) (field int, last bool) {
	fields := m.Fields()
	switch {
	case m.Has(64):
		return 64, fields[len(fields)-1] == 64
	case m.Has(128):
		return 128, true
	}
	return 0, false
}

// authenticate verifies a request's MAC over the bytes of the wire and gives the key for its answer; nil where the request
// came without and may. The serial number counts as used only when the MAC is right. The caller holds mu.
func (h *Host) authenticate(q query, frame []byte) (*transaction, error) {
	s, keys := h.cfg.Security, h.secured[q.terminal]
	if s == nil || keys == nil {
		return nil, nil
	}
	const size = 8
	tpdu := len(q.in.TPDU)
	field, last := macField(q.in)
	if field == 0 {
		if s.Required && q.class != network {
			return nil, errNoMAC
		}
		return nil, nil
	}
	if !last || len(frame) < tpdu+size {
		return nil, errMAC
	}
	if keys.session != nil {
		body := len(frame) - size
		return keys.session.authenticator(s, frame[tpdu:body], frame[body:])
	}
	serial, _ := q.private(s.Field, "MK")
	t, err := keys.mac.derive(serial)
	if err != nil {
		return nil, err
	}
	body := len(frame) - size
	want, err := s.mac(t, false, frame[tpdu:body])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(want, frame[body:]) != 1 {
		return nil, errMAC
	}
	t.use()
	return t, nil
}

// sign packs an answer with its MAC under the request's key.
func (h *Host) sign(m *iso8583.Message, t *transaction, spoil bool) ([]byte, error) {
	if t == nil {
		return h.cfg.Codec.Pack(m)
	}
	const size = 8
	tpdu := len(m.TPDU)
	field := 64
	if fields := m.Fields(); len(fields) > 0 && fields[len(fields)-1] > field { // the MAC is over all before it
		field = 128
	}
	m.SetBytes(field, make([]byte, size))
	frame, err := h.cfg.Codec.Pack(m)
	if err != nil {
		return nil, err
	}
	body := len(frame) - size
	code, err := h.cfg.Security.mac(t, true, frame[tpdu:body])
	if err != nil {
		return nil, err
	}
	if spoil {
		code[0] ^= 0x01
	}
	copy(frame[body:], code)
	return frame, nil
}

// word is what the host says in the private field of a sign-on's answer: the highest serial numbers that it has taken. The
// caller holds mu.
func (s *secured) word() (text string) {
	for _, one := range []struct {
		tag string
		ksn []byte
	}{{"PS", s.pin.seen}, {"MS", s.mac.seen}} {
		if one.ksn != nil {
			text += fmt.Sprintf("%s%02d%X", one.tag, 2*len(one.ksn), one.ksn)
		}
	}
	return text
}

// pin takes the PIN out of a sale's field 52. The caller holds mu, and wipes it.
func (h *Host) pin(q query, block []byte) ([]byte, error) {
	s, keys := h.cfg.Security, h.secured[q.terminal]
	if keys == nil {
		return nil, errForeign
	}
	if k := keys.session; k != nil {
		if k.inForce.pin == nil {
			return nil, errPINKey
		}
		pin, err := decipherPIN(k.inForce.pin, block, q, k.aes)
		if err != nil { // under another key it has no form at all, but for a chance in millions
			return nil, errPINKey
		}
		return pin, nil
	}
	serial, _ := q.private(s.Field, "PK")
	t, err := keys.pin.derive(serial)
	if err != nil {
		return nil, err
	}
	t.use() // whatever it holds, this key was used
	key, err := t.working(x9.TDESPIN, x9.AESPIN)
	if err != nil {
		return nil, err
	}
	return decipherPIN(key, block, q, t.of.aes)
}

// decipherPIN opens a PIN block of format 4 under AES, or of format 0 or 3.
func decipherPIN(key, block []byte, q query, aes bool) ([]byte, error) {
	if aes {
		if len(block) != 16 {
			return nil, x9.ErrPINBlock
		}
		return x9.DecryptPINBlock4(key, [16]byte(block), q.pan.Clear())
	}
	clear, err := x9.DecryptECB(key, block)
	if err != nil || len(clear) != 8 {
		return nil, x9.ErrPINBlock
	}
	if format := x9.PINFormat(clear[0] >> 4); format == x9.PINFormat0 || format == x9.PINFormat3 {
		return x9.DecodePINBlock(format, [8]byte(clear), q.pan.Clear())
	}
	return nil, x9.ErrPINBlock // format 1 binds to no account, format 2 is for cards
}

// private finds a subfield of the private field: two letters, two digits of length, the text.
func (q query) private(field int, tag string) (string, bool) {
	if q.version == Version1993 {
		return q.element(field, tag)
	}
	text, _ := q.in.Get(field)
	return subfield(text, tag)
}

func subfield(rest, tag string) (string, bool) {
	for len(rest) >= 4 {
		n, err := strconv.Atoi(rest[2:4])
		if err != nil || n < 0 || len(rest) < 4+n {
			return "", false
		}
		if rest[:2] == tag {
			return rest[4 : 4+n], true
		}
		rest = rest[4+n:]
	}
	return "", false
}
