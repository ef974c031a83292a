package x9

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// The transaction counter of AES DUKPT: 32 bits, of which at most sixteen are one (X9.24-3:2017, 6.1). FFFFFFFF is the
// counter of the update key (6.6).
const (
	aesCounterBits = 32
	aesCounterOnes = 16
	updateCounter  = 0xFFFFFFFF
)

// AESKSN is a key serial number of AES DUKPT: BDK identifier, derivation identifier and transaction counter, four bytes
// each; the first eight are the initial key identifier (X9.24-3:2017, 6.2). It is no secret.
type AESKSN [12]byte

// ParseAESKSN reads a key serial number of twelve bytes. Error: ErrKSN.
func ParseAESKSN(b []byte) (AESKSN, error) {
	if len(b) != len(AESKSN{}) {
		return AESKSN{}, fmt.Errorf("%d bytes: %w", len(b), ErrKSN)
	}
	return AESKSN(b), nil
}

// AESKSNOf puts an initial key identifier and a counter together.
func AESKSNOf(ikid [8]byte, counter uint32) AESKSN {
	var k AESKSN
	copy(k[:], ikid[:])
	return k.WithCounter(counter)
}

// Counter is the transaction counter.
func (k AESKSN) Counter() uint32 { return binary.BigEndian.Uint32(k[8:]) }

// IKID is the initial key identifier.
func (k AESKSN) IKID() [8]byte { return [8]byte(k[:8]) }

// WithCounter is the same initial key's serial number for another transaction.
func (k AESKSN) WithCounter(c uint32) AESKSN {
	binary.BigEndian.PutUint32(k[8:], c)
	return k
}

// Check refuses a serial number that names no transaction key: a counter of zero, or of more than sixteen one bits. Error:
// ErrKSN.
func (k AESKSN) Check() error {
	if n := bits.OnesCount32(k.Counter()); n == 0 || n > aesCounterOnes {
		return fmt.Errorf("transaction counter with %d one bits: %w", n, ErrKSN)
	}
	return nil
}

func (k AESKSN) String() string { return strings.ToUpper(hex.EncodeToString(k[:])) }

// AESUse is the key usage indicator of AES DUKPT (X9.24-3:2017, 6.3.2, Table 2).
type AESUse uint16

// The uses of working keys.
const (
	AESKeyEncryption AESUse = 0x0002
	AESPIN           AESUse = 0x1000
	AESMACGenerate   AESUse = 0x2000 // by the terminal: requests
	AESMACVerify     AESUse = 0x2001 // by the terminal: responses
	AESMACBoth       AESUse = 0x2002
	AESDataEncrypt   AESUse = 0x3000
	AESDataDecrypt   AESUse = 0x3001
	AESDataBoth      AESUse = 0x3002

	aesDerivation        AESUse = 0x8000
	aesDerivationInitial AESUse = 0x8001
)

// KeyType says of what algorithm and length a key is (X9.24-3:2017, 6.2.2).
type KeyType uint8

// The key types. An HMAC key has the length of the AES key of that number.
const (
	TDES2 KeyType = 1 + iota
	TDES3
	AES128
	AES192
	AES256
	HMAC128
	HMAC192
	HMAC256
)

// keyTypes gives each type its algorithm indicator, length in bits, and strength in bits (X9.24-3:2017, Tables 2 and 4).
var keyTypes = [...]struct{ algorithm, bits, strength uint16 }{
	TDES2: {0, 128, 80}, TDES3: {1, 192, 112}, AES128: {2, 128, 128}, AES192: {3, 192, 192}, AES256: {4, 256, 256},
	HMAC128: {5, 128, 128}, HMAC192: {5, 192, 192}, HMAC256: {5, 256, 256},
}

// Bytes is the length of a key of this type; zero for a type that is none.
func (t KeyType) Bytes() int {
	if int(t) >= len(keyTypes) {
		return 0
	}
	return int(keyTypes[t].bits / 8)
}

func aesType(key []byte) (KeyType, error) {
	switch len(key) {
	case 16:
		return AES128, nil
	case 24:
		return AES192, nil
	case 32:
		return AES256, nil
	default:
		return 0, fmt.Errorf("%d bytes, AES takes 16, 24 or 32: %w", len(key), ErrKey)
	}
}

// aesDerive makes a key out of another: one block of derivation data enciphered for each sixteen bytes (X9.24-3:2017,
// 6.3.1). A key must not be stronger than the one that it comes from.
func aesDerive(key []byte, use AESUse, t KeyType, id [8]byte) ([]byte, error) {
	own, err := aesType(key)
	if err != nil {
		return nil, err
	}
	n := t.Bytes()
	if n == 0 || keyTypes[t].strength > keyTypes[own].strength {
		return nil, fmt.Errorf("key type %d out of a key of %d bytes: %w", t, len(key), ErrKey)
	}
	b, err := aesCipher(key)
	if err != nil {
		return nil, err
	}
	data := [16]byte{0: 1, 1: 1} // version, number of the block
	binary.BigEndian.PutUint16(data[2:], uint16(use))
	binary.BigEndian.PutUint16(data[4:], keyTypes[t].algorithm)
	binary.BigEndian.PutUint16(data[6:], keyTypes[t].bits)
	copy(data[8:], id[:])
	var out [32]byte
	defer clear(out[:])
	for at := 0; at < n; at += AESBlockSize {
		b.Encrypt(out[at:], data[:])
		data[1]++
	}
	return append([]byte(nil), out[:n]...), nil
}

// counted is the serial number's part of derivation data: derivation identifier and counter.
func (k AESKSN) counted() [8]byte { return [8]byte(k[4:]) }

// AESInitialKey derives the terminal's initial key from the base derivation key of 16, 24 or 32 bytes; it has the same
// length (X9.24-3:2017, 6.3.3). Error: ErrKey.
func AESInitialKey(bdk []byte, ikid [8]byte) ([]byte, error) {
	t, err := aesType(bdk)
	if err != nil {
		return nil, err
	}
	return aesDerive(bdk, aesDerivationInitial, t, ikid)
}

// AESTransactionKey derives the intermediate key of one transaction from the initial key, as a host does: one step for
// each one bit of the counter, the highest first (X9.24-3:2017, 6.4). Errors: ErrKey, ErrKSN.
func AESTransactionKey(ik []byte, ksn AESKSN) ([]byte, error) {
	if err := ksn.Check(); err != nil {
		return nil, err
	}
	return aesWalk(append([]byte(nil), ik...), 0, ksn)
}

// aesWalk goes from the key of counter at to that of ksn's counter, of whose one bits at has the highest ones. It wipes the
// key that it starts from.
func aesWalk(key []byte, at uint32, ksn AESKSN) ([]byte, error) {
	left := ksn.Counter() &^ at
	for bit := uint32(1) << (aesCounterBits - 1); bit != 0; bit >>= 1 {
		if left&bit == 0 {
			continue
		}
		at |= bit
		next, err := aesChild(key, ksn.WithCounter(at))
		clear(key)
		if err != nil {
			return nil, err
		}
		key = next
	}
	return key, nil
}

func aesChild(key []byte, ksn AESKSN) ([]byte, error) {
	t, err := aesType(key)
	if err != nil {
		return nil, err
	}
	return aesDerive(key, aesDerivation, t, ksn.counted())
}

// AESWorkingKey derives a working key from the transaction key (X9.24-3:2017, 6.3.3). A type stronger than the transaction
// key is refused. Error: ErrKey.
func AESWorkingKey(txn []byte, use AESUse, t KeyType, ksn AESKSN) ([]byte, error) {
	if use == aesDerivation || use == aesDerivationInitial {
		return nil, fmt.Errorf("use %04X is no working key's: %w", uint16(use), ErrKey)
	}
	return aesDerive(txn, use, t, ksn.counted())
}

// AESUpdateKey derives the key-encrypting key under which the host sends the next initial key, from the initial key: it
// belongs to the counter FFFFFFFF, which no transaction has (X9.24-3:2017, 6.5.3). Error: ErrKey.
func AESUpdateKey(ik []byte, ikid [8]byte, t KeyType) ([]byte, error) {
	return aesUpdate(append([]byte(nil), ik...), 0, ikid, t)
}

func aesUpdate(key []byte, at uint32, ikid [8]byte, t KeyType) ([]byte, error) {
	ksn := AESKSNOf(ikid, updateCounter)
	key, err := aesWalk(key, at, ksn)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return aesDerive(key, AESKeyEncryption, t, ksn.counted())
}

// AESDevice is the terminal's form of AES DUKPT: it holds the future keys only. It shows itself as "DUKPT registers" in every format, and is for one goroutine at a time.
type AESDevice struct {
	ikid [8]byte
	r    registers
}

func newAESDevice(size int, ikid [8]byte) *AESDevice {
	d := &AESDevice{ikid: ikid}
	d.r = registers{width: aesCounterBits, ones: aesCounterOnes, next: 1, size: size, keys: make([][]byte, aesCounterBits)}
	d.r.child = func(parent []byte, c uint32) ([]byte, error) { return aesChild(parent, AESKSNOf(d.ikid, c)) }
	return d
}

// NewAESDevice loads an initial key of 16, 24 or 32 bytes (X9.24-3:2017, 6.5). The caller wipes ik. Error: ErrKey.
func NewAESDevice(ik []byte, ikid [8]byte) (*AESDevice, error) {
	if _, err := aesType(ik); err != nil {
		return nil, err
	}
	d := newAESDevice(len(ik), ikid)
	return d, d.r.fill(ik, 0, aesCounterBits)
}

// Next gives out the next transaction key and its serial number, and forgets it: the caller wipes the key. Error:
// ErrExhausted for ever when no key is left.
func (d *AESDevice) Next() ([]byte, AESKSN, error) {
	key, c, err := d.r.take()
	return key, AESKSNOf(d.ikid, c), err
}

// AdvanceTo erases every key below counter c, so that none of them is given out again; it never goes back. Error:
// ErrExhausted.
func (d *AESDevice) AdvanceTo(c uint32) error { return d.r.advance(c) }

// Counter is the counter of the key that Next will give out; 100000000 (hex) when none is left.
func (d *AESDevice) Counter() uint64 { return d.r.next }

// UpdateKey derives the update key from what is left of the future keys, as long as any is left; it uses none of them up.
// Errors: ErrKey, ErrExhausted.
func (d *AESDevice) UpdateKey(t KeyType) ([]byte, error) {
	if d.r.next>>aesCounterBits != 0 {
		return nil, ErrExhausted
	}
	// The counters on the way to FFFFFFFF are 80000000, C0000000, E0000000 …: the first of them that is not yet used lies
	// in its register.
	at := uint32(1) << (aesCounterBits - 1)
	for at < uint32(d.r.next) {
		at |= at >> 1
	}
	key := d.r.keys[bits.TrailingZeros32(at)]
	if len(key) != d.r.size {
		return nil, ErrExhausted
	}
	return aesUpdate(append([]byte(nil), key...), at, d.ikid, t)
}

// IKID is the initial key identifier.
func (d *AESDevice) IKID() [8]byte { return d.ikid }

// Erase destroys every key.
func (d *AESDevice) Erase() { d.r.erase() }

// AppendState appends the registers and the counter to b, for ReadAESDevice. They are keys: the caller seals them, and
// wipes what it was given.
func (d *AESDevice) AppendState(b []byte) []byte {
	return d.r.appendState(append(append(b, byte(d.r.size)), d.ikid[:]...))
}

// ReadAESDevice undoes AppendState. Error: ErrState.
func ReadAESDevice(b []byte) (*AESDevice, error) {
	if len(b) < 9 || (b[0] != 16 && b[0] != 24 && b[0] != 32) {
		return nil, ErrState
	}
	d := newAESDevice(int(b[0]), [8]byte(b[1:9]))
	if err := d.r.readState(b[9:]); err != nil {
		d.Erase()
		return nil, err
	}
	return d, nil
}

// Format keeps every verb from printing keys.
func (d *AESDevice) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("DUKPT registers")) }
