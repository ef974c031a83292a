package main

import (
	"crypto/rand"
	"crypto/sha256"
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
	keysTDES, keysAES, keysNone = "tdes", "aes", "none" // DUKPT, or nothing

	// A master key, and session keys that the terminal asks for: in key blocks, or in plain ECB.
	keysSession, keysSessionAES, keysSessionECB = "session", "session-aes", "session-ecb"

	keyExchangeCode, keyField = "920101", 48

	bdkTDES = "0123456789ABCDEFFEDCBA9876543210"
	bdkAES  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"

	privateField     = 61
	privateField1993 = 53
)

// components are the shares of the key-encrypting key, by number less one.
func components() [2]string {
	return [2]string{"101112131415161718191A1B1C1D1E1F", "546573744B6579466F7254696C6C7761"}
}

var errKeys = errors.New("keys of the simulator")

// isAES says whether keys of that name are AES keys.
func isAES(keys string) bool { return keys == keysAES || keys == keysSessionAES }

// security is what the host is told of keys, for what its terminals have.
func security(o options, terminals []terminal) (*host.Security, error) {
	secured := false
	for i, t := range terminals {
		switch t.keys {
		case keysNone:
			continue
		case keysTDES, keysAES, keysSession, keysSessionAES, keysSessionECB:
		default:
			return nil, fmt.Errorf("%w: keys %q of terminal %s: write tdes, aes, session, session-aes, session-ecb or none", errUsage, t.keys, t.id)
		}
		if isAES(t.keys) != isAES(terminals[0].keys) {
			return nil, fmt.Errorf("%w: terminals %s and %s: one has AES keys and one not, and PIN blocks have one length for all", errUsage, terminals[0].id, terminals[i].id)
		}
		secured = true
	}
	if !secured {
		return nil, nil
	}
	if o.mac != host.MACAlg3 && o.mac != host.MACCMAC || isAES(terminals[0].keys) && o.mac != host.MACCMAC {
		return nil, fmt.Errorf("%w: --mac %q: write alg3 or cmac; AES has cmac only", errUsage, o.mac)
	}
	if o.dialect == dialectV93 {
		for _, t := range terminals {
			if t.keys == keysSession || t.keys == keysSessionAES || t.keys == keysSessionECB {
				return nil, fmt.Errorf("%w: keys %q of terminal %s: the v93 dialect exchanges no session keys: write tdes, aes or none", errUsage, t.keys, t.id)
			}
		}
		return &host.Security{MAC: o.mac, MACBytes: 8, Field: privateField1993, Required: o.requireMAC}, nil
	}
	return &host.Security{
		MAC: o.mac, MACBytes: 8, Field: privateField, Required: o.requireMAC, KeyCode: keyExchangeCode, KeyField: keyField,
	}, nil
}

// masterKey is the master key of the n-th terminal, from 0. Anybody can make it.
func masterKey(n int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "master key of hostsim's terminal %d", n+1))
	return sum[:16]
}

// terminalKeys are those of the n-th terminal, from 0: two initial keys under one base derivation key, by serial numbers of
// their own; or a master key.
func terminalKeys(algorithm string, n int) (*host.Keys, error) {
	k := &host.Keys{}
	switch algorithm {
	case keysSession, keysSessionECB:
		k.Master, k.ECB = masterKey(n), algorithm == keysSessionECB
		x9.SetOddParity(k.Master)
		return k, nil
	case keysSessionAES:
		k.Master, k.AES = masterKey(n), true
		return k, nil
	}
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

// sheet is what a key custodian would get by post and by file: the components, the key blocks, and the check values, which
// are said for the log too.
type sheet struct {
	files  map[string]string
	checks []any
}

// writeKeys writes the key sheet of each terminal below --state: what a technician loads with `pos keys`. The first
// terminal's is in keys, the second's in keys/2.
func writeKeys(o options, terminals []terminal, log *slog.Logger) error {
	for n, t := range terminals {
		if t.keys == keysNone {
			continue
		}
		dir := filepath.Join(o.state, "keys")
		if n > 0 {
			dir = filepath.Join(dir, fmt.Sprint(n+1))
		}
		k, err := terminalKeys(t.keys, n)
		if err != nil {
			return err
		}
		if err := writeSheet(dir, t.keys, k, log); err != nil {
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
	log.Info("test keys", append([]any{"folder", dir}, s.checks...)...)
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
	var lines strings.Builder
	note := func(name, log, check string) {
		fmt.Fprintf(&lines, "%-18s %s\n", name, check)
		s.checks = append(s.checks, log, check)
	}
	check, err := checkValue(algorithm, kek)
	if err != nil {
		return nil, err
	}
	note("key-encrypting key", "kek", check)
	if k.Master != nil {
		if s.files["master.tr31"], check, err = masterBlock(algorithm, kek, k.Master); err != nil {
			return nil, err
		}
		note("master key", "master", check)
	} else {
		for _, key := range []struct {
			name string
			host.Key
		}{{"pin", k.PIN}, {"mac", k.MAC}} {
			if s.files[key.name+".tr31"], check, err = block(algorithm, kek, key.Key); err != nil {
				return nil, err
			}
			note(strings.ToUpper(key.name)+", initial key", key.name, check)
		}
	}
	s.files["check-values.txt"] = strings.TrimSuffix(lines.String(), "\n")
	return s, nil
}

// masterBlock is a master key as a key block under the key-encrypting key.
func masterBlock(algorithm string, kek, key []byte) (text, check string, err error) {
	h := x9.KeyBlockHeader{Version: 'B', Usage: "K0", Algorithm: 'T', Mode: 'D', KeyVersion: "00", Exportability: 'N'}
	if isAES(algorithm) {
		h.Version, h.Algorithm = 'D', 'A'
	}
	if text, err = x9.WrapKeyBlock(kek, h, key, 0, rand.Reader); err != nil {
		return "", "", fmt.Errorf("%w: %w", errKeys, err)
	}
	check, err = checkValue(algorithm, key)
	return text, check, err
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
	if isAES(algorithm) {
		v, err := x9.KCVAES(key)
		return fmt.Sprintf("%X", v), err
	}
	v, err := x9.KCV(key)
	return fmt.Sprintf("%X", v), err
}
