package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"tillway/device/secure/x9"
)

func calcKCV(in *calcIn) (map[string]any, error) {
	v, err := checkValue(in.or("tdes", "alg"), in.bytes("key"), in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"kcv": upperHex(v)}, nil
}

// checkValue is a check value of three bytes, or as many as len says.
func checkValue(alg string, key []byte, in *calcIn) ([]byte, error) {
	var all []byte
	var err error
	switch alg {
	case "tdes", "des", "3des":
		all, err = x9.EncryptECB(key, make([]byte, x9.BlockSize))
	case "tdes-cmac":
		var v [8]byte
		v, err = x9.CMACTDES(key, make([]byte, x9.BlockSize))
		all = v[:]
	case "aes", "aes-cmac":
		var v [16]byte
		v, err = x9.CMACAES(key, make([]byte, x9.AESBlockSize))
		all = v[:]
	case "aes-zeros", "aes-ecb":
		zeros := make([]byte, x9.AESBlockSize)
		all, err = x9.EncryptCBCAES(key, zeros, zeros)
	default:
		return nil, fmt.Errorf("alg %.20q: tdes, tdes-cmac, aes-cmac or aes-zeros", alg)
	}
	if err != nil {
		return nil, err
	}
	return all[:in.number(3, 1, len(all), "len", "length")], nil
}

func calcComponents(in *calcIn) (map[string]any, error) {
	list, _ := in.values["components"].([]any)
	var parts [][]byte
	checks := make([]string, 0, 3)
	for i, v := range list {
		text, _ := v.(string)
		parts = append(parts, in.unhex(text, fmt.Sprintf("component %d", i+1)))
	}
	key, err := x9.CombineComponents(parts...)
	if err != nil {
		return nil, err
	}
	alg := in.or("tdes", "alg")
	for _, p := range parts {
		v, err := checkValue(alg, p, in)
		if err != nil {
			return nil, err
		}
		checks = append(checks, upperHex(v))
	}
	v, err := checkValue(alg, key, in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": upperHex(key), "kcv": upperHex(v), "component_kcvs": checks}, nil
}

// calcMAC: algorithms 1 and 3 show four bytes, as ISO/IEC 9797-1 does in its examples, the others all they have.
func calcMAC(in *calcIn) (map[string]any, error) {
	key, data := in.bytes("key"), in.data()
	pad := x9.Padding(in.number(1, 0, 255, "pad", "padding"))
	var mac []byte
	var err error
	n := 0
	switch alg := in.text("alg"); alg {
	case "iso9797-alg1", "cbc-mac":
		var m [8]byte
		m, err = x9.MAC1(key, data, pad)
		mac, n = m[:], 4
	case "iso9797-alg3", "retail-mac":
		var m [8]byte
		m, err = x9.MAC3(key, data, pad)
		mac, n = m[:], 4
	case "tdes-cmac":
		var m [8]byte
		m, err = x9.CMACTDES(key, data)
		mac, n = m[:], 8
	case "aes-cmac":
		var m [16]byte
		m, err = x9.CMACAES(key, data)
		mac, n = m[:], 16
	case "hmac-sha256":
		mac, n = hmacSHA256(key, data), sha256.Size
	default:
		return nil, fmt.Errorf("alg %.20q: iso9797-alg1, iso9797-alg3, tdes-cmac, aes-cmac or hmac-sha256", alg)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"mac": upperHex(mac[:in.number(n, 1, len(mac), "len", "length", "mac_len", "size")])}, nil
}

func hmacSHA256(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func calcUnwrap(in *calcIn) (map[string]any, error) {
	kbpk, block := in.bytes("kbpk"), in.text("block", "key_block")
	if in.err != nil {
		return nil, in.err
	}
	h, key, err := x9.UnwrapKeyBlock(kbpk, block)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"key": upperHex(key), "version": string(h.Version), "usage": h.Usage, "algorithm": string(h.Algorithm),
		"mode": string(h.Mode), "key_version": h.KeyVersion, "exportability": string(h.Exportability),
	}
	optional := map[string]string{}
	for _, o := range h.Optional {
		optional[o.ID] = o.Data
	}
	out["optional"] = optional
	switch h.Algorithm {
	case 'T':
		if v, err := x9.KCV(key); err == nil { // single DES has no check value here
			out["kcv"] = upperHex(v[:])
		}
	case 'A':
		if v, err := x9.KCVAES(key); err == nil {
			out["kcv"] = upperHex(v[:3])
		}
	}
	if err := h.Check(); err != nil {
		out["warning"] = err.Error()
	}
	return out, nil
}

// calcWrap takes the header as a key block has it, its length and count of optional blocks being made anew.
func calcWrap(in *calcIn) (map[string]any, error) {
	kbpk, key, text := in.bytes("kbpk"), in.bytes("key"), in.text("header")
	if in.err != nil {
		return nil, in.err
	}
	if len(text) < 16 {
		return nil, errors.New("header: fewer than 16 characters")
	}
	h, err := x9.ParseKeyBlockHeader(fmt.Sprintf("%s%04d%s", text[:1], len(text), text[5:]))
	if err != nil {
		return nil, err
	}
	random := rand.Reader
	if in.has("pad") {
		random = strings.NewReader(string(in.bytes("pad")))
	}
	block, err := x9.WrapKeyBlock(kbpk, h, key, in.number(0, 0, 32, "masked_len", "masked_key_len"), random)
	if err != nil {
		return nil, err
	}
	return map[string]any{"block": block}, nil
}
