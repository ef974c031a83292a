package x9

import (
	"crypto/cipher"
	"crypto/des" //nolint:gosec // X9.24-1 is defined with it
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// The transaction counter of TDES DUKPT: 21 bits, of which at most ten are one (X9.24-1:2009, A.2), which leaves a little
// more than a million keys.
const (
	tdesCounterBits = 21
	tdesCounterOnes = 10
	tdesCounterMask = 1<<tdesCounterBits - 1
)

// KSN is a key serial number of TDES DUKPT: key set and device identifier in the first 59 bits, the transaction counter in
// the last 21 (X9.24-1:2009, A.2). It is no secret.
type KSN [10]byte

// ParseKSN reads a key serial number of ten bytes; a shorter one of at least eight is filled with FF on the left, as it
// travels in messages. Error: ErrKSN.
func ParseKSN(b []byte) (KSN, error) {
	if len(b) < 8 || len(b) > 10 {
		return KSN{}, fmt.Errorf("%d bytes: %w", len(b), ErrKSN)
	}
	k := KSN{0xFF, 0xFF}
	copy(k[10-len(b):], b)
	return k, nil
}

// Counter is the transaction counter.
func (k KSN) Counter() uint32 {
	return (uint32(k[7])<<16 | uint32(k[8])<<8 | uint32(k[9])) & tdesCounterMask
}

// WithCounter is the same device's serial number for another transaction; only the low 21 bits of c count.
func (k KSN) WithCounter(c uint32) KSN {
	c &= tdesCounterMask
	k[7] = k[7]&0xE0 | byte(c>>16)
	k[8], k[9] = byte(c>>8), byte(c)
	return k
}

// Initial is the serial number of the initial key: the counter at zero.
func (k KSN) Initial() KSN { return k.WithCounter(0) }

// Check refuses a serial number that names no transaction key: a counter of zero, or of more than ten one bits. Error:
// ErrKSN.
func (k KSN) Check() error {
	if n := bits.OnesCount32(k.Counter()); n == 0 || n > tdesCounterOnes {
		return fmt.Errorf("transaction counter with %d one bits: %w", n, ErrKSN)
	}
	return nil
}

func (k KSN) String() string { return strings.ToUpper(hex.EncodeToString(k[:])) }

// TDESInitialKey derives the terminal's initial key from the base derivation key of 16 bytes (X9.24-1:2009, A.6). Error:
// ErrKey.
func TDESInitialKey(bdk []byte, ksn KSN) ([]byte, error) {
	if len(bdk) != 16 {
		return nil, fmt.Errorf("base derivation key of %d bytes, 16 are wanted: %w", len(bdk), ErrKey)
	}
	id := ksn.Initial()
	left, err := EncryptECB(bdk, id[:8])
	if err != nil {
		return nil, err
	}
	variant := mask(bdk)
	defer clear(variant)
	right, err := EncryptECB(variant, id[:8])
	if err != nil {
		return nil, err
	}
	return append(left, right...), nil
}

// mask adds C0C0C0C000000000 to both halves of a key (X9.24-1:2009, A.2).
func mask(key []byte) []byte {
	out := append([]byte(nil), key...)
	for i := range 4 {
		out[i] ^= 0xC0
		out[8+i] ^= 0xC0
	}
	return out
}

// TDESTransactionKey derives the key of one transaction from the initial key, as a host does: one step for each one bit of
// the counter, the highest first (X9.24-1:2009, A.3). Errors: ErrKey, ErrKSN.
func TDESTransactionKey(ik []byte, ksn KSN) ([]byte, error) {
	if len(ik) != 16 {
		return nil, fmt.Errorf("initial key of %d bytes, 16 are wanted: %w", len(ik), ErrKey)
	}
	if err := ksn.Check(); err != nil {
		return nil, err
	}
	key := append([]byte(nil), ik...)
	counter, so := ksn.Counter(), uint32(0)
	for bit := uint32(1) << (tdesCounterBits - 1); bit != 0; bit >>= 1 {
		if counter&bit == 0 {
			continue
		}
		so |= bit
		next, err := tdesChild(key, ksn.WithCounter(so))
		clear(key)
		if err != nil {
			return nil, err
		}
		key = next
	}
	return key, nil
}

// tdesChild is the non-reversible key generation process (X9.24-1:2009, A.2): register 1 is the rightmost eight bytes of
// the serial number; the right half of the new key comes from the key itself, the left half from its variant.
func tdesChild(key []byte, ksn KSN) ([]byte, error) {
	variant := mask(key)
	defer clear(variant)
	out := make([]byte, 16)
	for i, k := range [2][]byte{variant, key} {
		b, err := singleDES(k[:8])
		if err != nil {
			return nil, err
		}
		half := out[8*i : 8*i+8]
		subtle.XORBytes(half, ksn[2:], k[8:])
		b.Encrypt(half, half)
		subtle.XORBytes(half, half, k[8:])
	}
	return out, nil
}

func singleDES(key []byte) (cipher.Block, error) {
	b, err := des.NewCipher(key) //nolint:gosec // X9.24-1 is defined with it
	if err != nil {
		return nil, fmt.Errorf("single DES: %w", ErrKey)
	}
	return b, nil
}

// TDESUse is what a working key of TDES DUKPT is for (X9.24-1:2009, A.4.1, Table A-1).
type TDESUse uint8

// The uses.
const (
	TDESPIN TDESUse = 1 + iota // PIN encryption, both ways
	TDESMACRequest
	TDESMACResponse
	TDESDataRequest
	TDESDataResponse
)

// TDESWorkingKey makes a working key out of the transaction key: its variant for PIN and MAC, and for data the variant
// enciphered under itself, so that a data key tells nothing of the others (X9.24-1:2009, A.4.1). Error: ErrKey.
func TDESWorkingKey(txn []byte, use TDESUse) ([]byte, error) {
	if len(txn) != 16 {
		return nil, fmt.Errorf("transaction key of %d bytes, 16 are wanted: %w", len(txn), ErrKey)
	}
	at, ok := map[TDESUse]int{TDESPIN: 7, TDESMACRequest: 6, TDESMACResponse: 4, TDESDataRequest: 5, TDESDataResponse: 3}[use]
	if !ok {
		return nil, fmt.Errorf("use %d: %w", use, ErrKey)
	}
	key := append([]byte(nil), txn...)
	key[at] ^= 0xFF
	key[8+at] ^= 0xFF
	if use != TDESDataRequest && use != TDESDataResponse {
		return key, nil
	}
	defer clear(key)
	return EncryptECB(key, key)
}

// TDESDevice is the terminal's form of TDES DUKPT: it holds the future keys only. It shows itself as "DUKPT registers" in
// every format, and is for one goroutine at a time.
type TDESDevice struct {
	ksn KSN // counter zero
	r   registers
}

func newTDESDevice(ksn KSN) *TDESDevice {
	d := &TDESDevice{ksn: ksn.Initial()}
	d.r = registers{width: tdesCounterBits, ones: tdesCounterOnes, next: 1, size: 16, keys: make([][]byte, tdesCounterBits)}
	d.r.child = func(parent []byte, c uint32) ([]byte, error) { return tdesChild(parent, d.ksn.WithCounter(c)) }
	return d
}

// NewTDESDevice loads an initial key ("Load Initial Key", X9.24-1:2009, A.3). The counter of ksn does not count: the first
// key is that of counter 1. The caller wipes ik. Error: ErrKey.
func NewTDESDevice(ik []byte, ksn KSN) (*TDESDevice, error) {
	if len(ik) != 16 {
		return nil, fmt.Errorf("initial key of %d bytes, 16 are wanted: %w", len(ik), ErrKey)
	}
	d := newTDESDevice(ksn)
	return d, d.r.fill(ik, 0, tdesCounterBits)
}

// Next gives out the next transaction key and its serial number, and forgets it: the caller wipes the key. Error:
// ErrExhausted for ever when no key is left.
func (d *TDESDevice) Next() ([]byte, KSN, error) {
	key, c, err := d.r.take()
	return key, d.ksn.WithCounter(c), err
}

// AdvanceTo erases every key below counter c, so that none of them is given out again; it never goes back. Error:
// ErrExhausted.
func (d *TDESDevice) AdvanceTo(c uint32) error { return d.r.advance(c) }

// Counter is the counter of the key that Next will give out; 200000 (hex) when none is left.
func (d *TDESDevice) Counter() uint32 { return uint32(d.r.next) }

// KSN is the serial number with the counter at zero.
func (d *TDESDevice) KSN() KSN { return d.ksn }

// Erase destroys every key.
func (d *TDESDevice) Erase() { d.r.erase() }

// AppendState appends the registers and the counter to b, for ReadTDESDevice. They are keys: the caller seals them, and
// wipes what it was given.
func (d *TDESDevice) AppendState(b []byte) []byte { return d.r.appendState(append(b, d.ksn[:]...)) }

// ReadTDESDevice undoes AppendState. Error: ErrState.
func ReadTDESDevice(b []byte) (*TDESDevice, error) {
	if len(b) < len(KSN{}) {
		return nil, ErrState
	}
	d := newTDESDevice(KSN(b[:10]))
	if err := d.r.readState(b[10:]); err != nil {
		d.Erase()
		return nil, err
	}
	return d, nil
}

// Format keeps every verb from printing keys.
func (d *TDESDevice) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("DUKPT registers")) }
