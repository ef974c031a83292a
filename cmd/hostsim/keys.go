package main

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"tillway/device/secure/x9"
	"tillway/host"
)

// The keys of the simulator: published test keys, all of them. The base derivation keys are those of X9.24's examples; the
// key-encrypting key of every terminal is the sum of two components that say what they are.
const (
	keysTDES, keysAES, keysNone = "tdes", "aes", "none"

	bdkTDES = "0123456789ABCDEFFEDCBA9876543210"
	bdkAES  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"

	privateField = 61
)

// components are the shares of the key-encrypting key, by number less one.
func components() [2]string {
	return [2]string{"101112131415161718191A1B1C1D1E1F", "546573744B6579466F7254696C6C7761"}
}

var errKeys = errors.New("keys of the simulator")

// security is what the host is told of keys, for the algorithm chosen.
func security(o options) (*host.Security, error) {
	if o.keys == keysNone {
		return nil, nil
	}
	if o.keys != keysTDES && o.keys != keysAES {
		return nil, fmt.Errorf("%w: --keys %q: write tdes, aes or none", errUsage, o.keys)
	}
	if o.mac != host.MACAlg3 && o.mac != host.MACCMAC || o.keys == keysAES && o.mac != host.MACCMAC {
		return nil, fmt.Errorf("%w: --mac %q: write alg3 or cmac; AES has cmac only", errUsage, o.mac)
	}
	return &host.Security{MAC: o.mac, MACBytes: 8, Field: privateField, Required: o.requireMAC}, nil
}

// terminalKeys are those of the n-th terminal, from 0: two initial keys under one base derivation key, by serial numbers of
// their own.
func terminalKeys(algorithm string, n int) (*host.Keys, error) {
	k := &host.Keys{}
	for i, key := range []*host.Key{&k.PIN, &k.MAC} {
		device := 2*uint64(n) + uint64(i) //nolint:gosec // a handful
		text := bdkTDES
		if algorithm == keysAES {
			text = bdkAES
			key.KSN = binary.BigEndian.AppendUint32(nil, 0x12345678)
			key.KSN = binary.BigEndian.AppendUint32(key.KSN, uint32(0x90123456+device)) //nolint:gosec // a handful
			key.KSN = append(key.KSN, 0, 0, 0, 0)
		} else {
			key.KSN = binary.BigEndian.AppendUint64([]byte{0xFF, 0xFF}, 0x9876543210E00000+device<<21) // the counter has 21 bits
		}
		var err error
		if key.BDK, err = hex.DecodeString(text); err != nil {
			return nil, fmt.Errorf("%w: %w", errKeys, err)
		}
	}
	return k, nil
}

// sheet is what a key custodian would get by post and by file: the components, the key blocks, and the check values.
type sheet struct {
	files map[string]string
	kek   string
	pin   string
	mac   string
}

// writeKeys writes the key sheet of each terminal below --state: what a technician loads with `pos keys`. The first
// terminal's is in keys, the second's in keys/2.
func writeKeys(o options, log *slog.Logger) error {
	if o.keys == keysNone {
		return nil
	}
	for n := range o.terminals {
		dir := filepath.Join(o.state, "keys")
		if n > 0 {
			dir = filepath.Join(dir, fmt.Sprint(n+1))
		}
		k, err := terminalKeys(o.keys, n)
		if err != nil {
			return err
		}
		if err := writeSheet(dir, o.keys, k, log); err != nil {
			return err
		}
	}
	return nil
}

func writeSheet(dir, algorithm string, k *host.Keys, log *slog.Logger) error {
	s, err := newSheet(algorithm, k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--state: %w: give a folder that you can write to", err)
	}
	for name, text := range s.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			return fmt.Errorf("--state: %w", err)
		}
	}
	log.Info("test keys", "folder", dir, "kek", s.kek, "pin", s.pin, "mac", s.mac)
	return nil
}

func newSheet(algorithm string, k *host.Keys) (*sheet, error) {
	s := &sheet{files: map[string]string{}}
	var shares [2][]byte
	for i, text := range components() {
		var err error
		if shares[i], err = hex.DecodeString(text); err != nil {
			return nil, fmt.Errorf("%w: %w", errKeys, err)
		}
		s.files[fmt.Sprintf("component-%d.hex", i+1)] = text
	}
	kek, err := x9.CombineComponents(shares[:]...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeys, err)
	}
	if s.kek, err = checkValue(algorithm, kek); err != nil {
		return nil, err
	}
	if s.files["pin.tr31"], s.pin, err = block(algorithm, kek, k.PIN); err != nil {
		return nil, err
	}
	if s.files["mac.tr31"], s.mac, err = block(algorithm, kek, k.MAC); err != nil {
		return nil, err
	}
	s.files["check-values.txt"] = fmt.Sprintf("key-encrypting key %s\nPIN, initial key   %s\nMAC, initial key   %s", s.kek, s.pin, s.mac)
	return s, nil
}

// block is an initial key as a key block under the key-encrypting key: TR-31 version B for TDES, D for AES.
func block(algorithm string, kek []byte, k host.Key) (text, check string, err error) {
	h := x9.KeyBlockHeader{Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'N'}
	h.Optional = []x9.OptionalBlock{{ID: "KS", Data: strings.ToUpper(hex.EncodeToString(k.KSN))}}
	var initial []byte
	if algorithm == keysAES {
		h.Version, h.Algorithm = 'D', 'A'
		h.Optional[0] = x9.OptionalBlock{ID: "IK", Data: strings.ToUpper(hex.EncodeToString(k.KSN[:8]))}
		initial, err = x9.AESInitialKey(k.BDK, [8]byte(k.KSN))
	} else {
		initial, err = x9.TDESInitialKey(k.BDK, x9.KSN(k.KSN))
	}
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errKeys, err)
	}
	if text, err = x9.WrapKeyBlock(kek, h, initial, 0, rand.Reader); err != nil {
		return "", "", fmt.Errorf("%w: %w", errKeys, err)
	}
	check, err = checkValue(algorithm, initial)
	return text, check, err
}

func checkValue(algorithm string, key []byte) (string, error) {
	if algorithm == keysAES {
		v, err := x9.KCVAES(key)
		return fmt.Sprintf("%X", v), err
	}
	v, err := x9.KCV(key)
	return fmt.Sprintf("%X", v), err
}
