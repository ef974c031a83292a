package main

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The checker's own DUKPT and MAC, from X9.24-1:2009, A.2 and A.4.1, and ISO/IEC 9797-1, algorithm 3 with padding 1. They share
// no code with the secure module or the host.

// variant changes a key for one use: the same eight bytes over both halves.
func variant(key []byte, at int, with byte) []byte {
	out := bytes.Clone(key)
	out[at] ^= with
	out[at+8] ^= with
	return out
}

func desBlock(key []byte, in uint64, back bool) uint64 {
	c, err := des.NewCipher(key) //nolint:gosec // see the import
	if err != nil {
		panic(err)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], in)
	if back {
		c.Decrypt(b[:], b[:])
	} else {
		c.Encrypt(b[:], b[:])
	}
	return binary.BigEndian.Uint64(b[:])
}

func tripleDES(key []byte, in uint64) uint64 {
	return desBlock(key[:8], desBlock(key[8:], desBlock(key[:8], in, false), true), false)
}

// half is one half of a key that follows from another (A.2, "non-reversible key generation").
func half(key []byte, register uint64) []byte {
	right := binary.BigEndian.Uint64(key[8:])
	return binary.BigEndian.AppendUint64(nil, desBlock(key[:8], register^right, false)^right)
}

func c0(key []byte) []byte {
	out := bytes.Clone(key)
	for i := range out {
		if i%8 < 4 {
			out[i] ^= 0xC0
		}
	}
	return out
}

// dukptKey is the transaction key of a serial number of ten bytes, under a base derivation key of sixteen.
func dukptKey(bdk, ksn []byte) []byte {
	const counter = 0x1FFFFF
	first := bytes.Clone(ksn[:8])
	first[7] &= 0xE0
	in := binary.BigEndian.Uint64(first)
	key := binary.BigEndian.AppendUint64(nil, tripleDES(bdk, in))
	key = binary.BigEndian.AppendUint64(key, tripleDES(c0(bdk), in))
	serial := binary.BigEndian.Uint64(ksn[2:])
	register := serial &^ counter
	for bit := uint64(0x100000); bit > 0; bit >>= 1 {
		if serial&bit != 0 {
			register |= bit
			key = append(half(c0(key), register), half(key, register)...)
		}
	}
	return key
}

// responseMAC is the MAC of an answer under a serial number.
func responseMAC(bdk, ksn, data []byte) []byte {
	key := variant(dukptKey(bdk, ksn), 4, 0xFF)
	one, err := des.NewCipher(key[:8]) //nolint:gosec // see the import
	if err != nil {
		panic(err)
	}
	padded := append(bytes.Clone(data), make([]byte, (8-len(data)%8)%8)...)
	cipher.NewCBCEncrypter(one, make([]byte, 8)).CryptBlocks(padded, padded)
	last := binary.BigEndian.Uint64(padded[len(padded)-8:])
	return binary.BigEndian.AppendUint64(nil, desBlock(key[:8], desBlock(key[8:], last, true), false))
}

// TestCheckersDUKPT holds it to the example of X9.24-1:2009, A.4, as the published vectors of the secure module's tests have it.
func TestCheckersDUKPT(t *testing.T) {
	text, err := os.ReadFile("../../device/secure/x9/testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(text)) {
		var v struct {
			Fn string
			In struct {
				BDK  string `json:"bdk"`
				KSN  string `json:"ksn"`
				Data string `json:"data_ascii"`
			} `json:"in"`
			Out struct {
				Key string `json:"txn_key"`
				MAC string `json:"mac_rsp"`
			} `json:"out"`
		}
		if json.Unmarshal([]byte(strings.TrimRight(strings.TrimSpace(line), ",")), &v) != nil || v.Fn != "tdes_dukpt" {
			continue
		}
		compared++
		bdk, ksn := simBytes(v.In.BDK), simBytes(v.In.KSN)
		if got := strings.ToUpper(hex.EncodeToString(dukptKey(bdk, ksn))); v.Out.Key != "" && got != v.Out.Key {
			t.Errorf("%s: key %s, published is %s", v.In.KSN, got, v.Out.Key)
		}
		if got := strings.ToUpper(hex.EncodeToString(responseMAC(bdk, ksn, []byte(v.In.Data))[:4])); v.Out.MAC != "" && got != v.Out.MAC {
			t.Errorf("%s: MAC %s, published is %s", v.In.KSN, got, v.Out.MAC)
		}
	}
	if compared == 0 {
		t.Error("no published vector was compared")
	}
}
