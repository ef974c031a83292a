package secure

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"tillway/device/secure/x9"
)

// Pad is a PIN pad that enciphers PINs by itself, under a key and a counter of its own. The module owns it, in the place of a
// Keypad; who asks the module for a PIN cannot tell which.
type Pad interface {
	// Pair gives the pad's driver what it speaks to the pad through. It is called once, before EnterPIN.
	Pair(c PadCipher)

	// EnterPIN asks for one PIN and waits for the end of the entry; the context's end takes the prompt away. Errors: a pad that is
	// not there, not paired, tampered with, without a key.
	EnterPIN(ctx context.Context, r PINRequest) (PadPIN, error)

	// Load gives the pad a key for PINs in a key block under the pad's own transport key, and says the pad's check value. The pad takes it
	// whole, or keeps what it has. Errors: ErrNoPad, ErrKeyBlock, and those of a pad that does not answer: then only the pad knows.
	Load(ctx context.Context, block string) (CheckValue, error)

	// State is the pad's last known state; it does no I/O.
	State() PadState
}

// PadPIN is the end of an entry at a pad. KSN and Block are set only with PINEntered, KSN not for a card's PIN.
type PadPIN struct {
	Status PINStatus
	Format PINFormat
	KSN    []byte // 10 bytes (TDES) or 12 (AES)
	Block  []byte // enciphered
}

// PadState says how a pad is: ready, or why not and what to do.
type PadState struct {
	Port   string
	Ready  bool
	Cause  string // while it is not
	Serial string // of the last pad that was there
}

// PadSession names a session of module and pad: the fresh numbers of both, and the pad.
type PadSession struct {
	Terminal, Pad [16]byte
	Serial        string
}

// PadCipher enciphers and authenticates what goes to a pad and what comes from it, under keys that are derived from the pairing key for
// one session and one direction. No number may be used twice for different texts of a session. Errors: ErrNoKey without a pairing
// key, ErrForged.
type PadCipher interface {
	SealForPad(s PadSession, number uint64, associated, plain []byte) ([]byte, error)
	OpenFromPad(s PadSession, number uint64, associated, sealed []byte) ([]byte, error)
}

// Labels of the two directions' keys.
const (
	labelToPad   = "tillway pad 1 to pad"
	labelFromPad = "tillway pad 1 from pad"
)

// maxPadText bounds one text to or from a pad.
const maxPadText = 1024

// SealForPad is PadCipher's.
func (f *File) SealForPad(s PadSession, number uint64, associated, plain []byte) (out []byte, err error) {
	err = f.pad(s, labelToPad, func(c cipher.AEAD, nonce []byte) error {
		out = c.Seal(nil, nonce, plain, associated)
		return nil
	}, number, len(plain))
	return out, err
}

// OpenFromPad is PadCipher's.
func (f *File) OpenFromPad(s PadSession, number uint64, associated, sealed []byte) (out []byte, err error) {
	err = f.pad(s, labelFromPad, func(c cipher.AEAD, nonce []byte) (err error) {
		if out, err = c.Open(nil, nonce, sealed, associated); err != nil {
			return ErrForged
		}
		return nil
	}, number, len(sealed))
	return out, err
}

// pad does one thing with one direction's session key.
func (f *File) pad(s PadSession, label string, do func(cipher.AEAD, []byte) error, number uint64, size int) error {
	if size > maxPadText || len(s.Serial) > 32 {
		return fmt.Errorf("%d bytes for the PIN pad: %w", size, ErrTooLong)
	}
	return f.within(context.Background(), func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		k := f.content.keys[keyName(PadSet, UsePad)]
		if k == nil {
			return fmt.Errorf("pairing key of the PIN pad: %w: load it with pos keys import %s pad FILE", ErrNoKey, PadSet)
		}
		key, err := padKey(k.key, label, s)
		if err != nil {
			return err
		}
		defer clear(key[:])
		block, err := aes.NewCipher(key[:])
		if err != nil {
			return err
		}
		c, err := cipher.NewGCM(block)
		if err != nil {
			return err
		}
		return do(c, binary.BigEndian.AppendUint64(make([]byte, 4, 12), number))
	})
}

// padKey derives an AES-128 key (NIST SP 800-108, counter mode with CMAC; one block).
func padKey(pairing []byte, label string, s PadSession) ([16]byte, error) {
	b := append([]byte{1}, label...)
	b = append(b, 0)
	b = append(append(append(b, s.Terminal[:]...), s.Pad[:]...), s.Serial...)
	return x9.CMACAES(pairing, binary.BigEndian.AppendUint16(b, 128))
}

// enterAtPad is EnterPIN at a pad that enciphers by itself. What it gives is held to what was asked for.
func (f *File) enterAtPad(ctx context.Context, r PINRequest) (PINResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ended, cancel)()
	p, err := f.options.Pad.EnterPIN(ctx, r)
	switch {
	case f.ended.Err() != nil:
		return PINResult{}, ErrClosed
	case err != nil:
		return PINResult{}, fmt.Errorf("PIN entry: %w", err)
	case p.Status != PINEntered:
		return PINResult{Status: p.Status}, nil
	case r.Card != nil:
		if len(p.Block) != len(r.Card.Modulus) {
			return PINResult{}, fmt.Errorf("PIN of %d bytes for a card's key of %d: %w", len(p.Block), len(r.Card.Modulus), ErrProtocol)
		}
		return PINResult{Status: p.Status, Block: p.Block}, nil
	}
	algorithm, block, ksn := TDES, 8, 10
	if p.Format == Format4 {
		algorithm, block, ksn = AES128, 16, 12
	}
	if p.Format == FormatByKey || p.Format > Format4 || r.Format != FormatByKey && r.Format != p.Format || len(p.Block) != block || len(p.KSN) != ksn {
		return PINResult{}, fmt.Errorf("PIN block of %d bytes in format %s, serial number of %d: %w", len(p.Block), p.Format, len(p.KSN), ErrProtocol)
	}
	return PINResult{Status: p.Status, Lease: Lease{Set: r.Set, Use: UsePIN, KSN: p.KSN, Algorithm: algorithm}, Block: p.Block, Format: p.Format}, nil
}
