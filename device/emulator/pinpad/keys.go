package pinpad

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"tillway/device/secure/x9"
)

// pinKey is the pad's DUKPT key.
type pinKey interface {
	makes(format byte) bool
	block(format byte, pin []byte, pan string) (is byte, ksn, block []byte, err error)
}

// newPINKey loads an initial key; nil without one.
func newPINKey(key, ksn []byte, format byte) (pinKey, error) {
	switch {
	case len(key) == 0:
		return nil, nil //nolint:nilnil // a pad without a key
	case len(ksn) == 10:
		d, err := x9.NewTDESDevice(key, x9.KSN(ksn))
		return &tdesKey{d, format}, err
	case len(ksn) == 8:
		d, err := x9.NewAESDevice(key, [8]byte(ksn))
		return &aesKey{d, len(key)}, err
	}
	return nil, fmt.Errorf("serial number of %d bytes: %w", len(ksn), x9.ErrKSN)
}

type tdesKey struct {
	device *x9.TDESDevice
	format byte
}

func (k *tdesKey) makes(format byte) bool { return format == 0 || format == 3 }

func (k *tdesKey) block(format byte, pin []byte, pan string) (is byte, ksn, block []byte, err error) {
	if format == 0xFF {
		format = k.format
	}
	kind := x9.PINFormat0
	if format == 3 {
		kind = x9.PINFormat3
	}
	txn, serial, err := k.device.Next()
	if err != nil {
		return 0, nil, nil, err
	}
	defer clear(txn)
	key, err := x9.TDESWorkingKey(txn, x9.TDESPIN)
	if err != nil {
		return 0, nil, nil, err
	}
	fill, err := x9.PINFill(kind, len(pin), rand.Reader)
	if err != nil {
		return 0, nil, nil, err
	}
	plain, err := x9.EncodePINBlock(kind, pin, pan, fill)
	if err != nil {
		return 0, nil, nil, err
	}
	block, err = x9.EncryptECB(key, plain[:])
	return format, serial[:], block, err
}

type aesKey struct {
	device *x9.AESDevice
	size   int
}

func (k *aesKey) makes(format byte) bool { return format == 4 }

func (k *aesKey) block(_ byte, pin []byte, pan string) (is byte, ksn, block []byte, err error) {
	txn, serial, err := k.device.Next()
	if err != nil {
		return 0, nil, nil, err
	}
	defer clear(txn)
	kind := map[int]x9.KeyType{16: x9.AES128, 24: x9.AES192, 32: x9.AES256}[k.size]
	key, err := x9.AESWorkingKey(txn, x9.AESPIN, kind, serial)
	if err != nil {
		return 0, nil, nil, err
	}
	var random [8]byte
	rand.Read(random[:])
	whole, err := x9.EncryptPINBlock4(key, pin, pan, random)
	return 4, serial[:], whole[:], err
}

// load takes a key for PINs in a key block under the transport key, and gives the answer. Under mu.
func (p *Pad) load(text string) []byte {
	refused := []byte{3, 6}
	h, key, err := x9.UnwrapKeyBlock(p.cfg.Transport, text)
	if len(p.cfg.Transport) == 0 || err != nil || h.Usage != "B1" {
		return refused
	}
	defer clear(key)
	id := map[byte]string{'T': "KS", 'A': "IK"}[h.Algorithm]
	data, _ := h.OptionalData(id)
	ksn, err := hex.DecodeString(data)
	if err != nil {
		return refused
	}
	fresh, err := newPINKey(key, ksn, p.cfg.Format)
	if err != nil || fresh == nil {
		return refused
	}
	var check string
	if h.Algorithm == 'A' {
		v, err := x9.KCVAES(key)
		if err != nil {
			return refused
		}
		check = fmt.Sprintf("%X", v)
	} else {
		v, err := x9.KCV(key)
		if err != nil {
			return refused
		}
		check = fmt.Sprintf("%X", v)
	}
	p.pin = fresh
	return append([]byte{1, byte(len(check))}, check...)
}
