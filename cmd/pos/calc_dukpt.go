package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"tillway/device/secure/x9"
)

func calcTDESIK(in *calcIn) (map[string]any, error) {
	ksn, err := x9.ParseKSN(in.bytes("ksn", "iksn"))
	if err != nil {
		return nil, err
	}
	ik, err := x9.TDESInitialKey(in.bytes("bdk"), ksn)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ik": upperHex(ik)}, nil
}

// calcTDES gives everything that one serial number stands for.
func calcTDES(in *calcIn) (map[string]any, error) {
	out := map[string]any{}
	ksn, err := x9.ParseKSN(in.bytes("ksn"))
	if err != nil {
		return nil, err
	}
	ik := in.optional("ik")
	if in.has("bdk") {
		if ik, err = x9.TDESInitialKey(in.bytes("bdk"), ksn); err != nil {
			return nil, err
		}
	}
	txn := in.optional("txn_key")
	if ik != nil {
		out["ik"] = upperHex(ik)
		if txn, err = x9.TDESTransactionKey(ik, ksn); err != nil {
			return nil, err
		}
	}
	if txn == nil {
		return nil, errors.New("bdk is missing")
	}
	out["txn_key"] = upperHex(txn)
	return out, tdesValues(in, txn, out)
}

func tdesValues(in *calcIn, txn []byte, out map[string]any) error {
	keys := map[string][]byte{}
	for name, use := range map[string]x9.TDESUse{
		"pin": x9.TDESPIN, "mac_req": x9.TDESMACRequest, "mac_rsp": x9.TDESMACResponse,
		"data_req": x9.TDESDataRequest, "data_rsp": x9.TDESDataResponse,
	} {
		key, err := x9.TDESWorkingKey(txn, use)
		if err != nil {
			return err
		}
		keys[name], out[name+"_key"] = key, upperHex(key)
	}
	if in.has("pin") {
		block, err := x9.EncodePINBlock(x9.PINFormat0, []byte(in.text("pin")), in.text("pan"), nil)
		if err != nil {
			return err
		}
		c, err := x9.EncryptECB(keys["pin"], block[:])
		if err != nil {
			return err
		}
		out["pin_block_enc"] = upperHex(c)
	}
	if !in.hasData() {
		return nil
	}
	data := in.data()
	for _, way := range [...]string{"req", "rsp"} {
		m, err := x9.MAC3(keys["mac_"+way], data, x9.Pad1)
		if err != nil {
			return err
		}
		c, err := x9.CMACTDES(keys["mac_"+way], data)
		if err != nil {
			return err
		}
		padded, err := x9.Pad(data, x9.Pad1)
		if err != nil {
			return err
		}
		e, err := x9.EncryptCBC(keys["data_"+way], make([]byte, x9.BlockSize), padded)
		if err != nil {
			return err
		}
		out["mac_"+way], out["cmac_"+way], out["data_"+way+"_cbc0"] = upperHex(m[:4]), upperHex(c[:]), upperHex(e)
	}
	return nil
}

// calcTDESCMAC is calcTDES with CMAC as its MAC (X9.24-1:2017).
func calcTDESCMAC(in *calcIn) (map[string]any, error) {
	in.data()
	out, err := calcTDES(in)
	if err != nil || in.err != nil {
		return nil, err
	}
	out["mac_req"], out["mac_rsp"] = out["cmac_req"], out["cmac_rsp"]
	out["mac"] = out["mac_"+direction(in)]
	return out, nil
}

// ikid is the initial key identifier: by itself, or the first eight bytes of a serial number.
func ikid(in *calcIn) [8]byte {
	b := in.bytes("ikid", "ksn")
	if len(b) == 12 {
		b = b[:8]
	}
	return [8]byte(in.exactly(8, b, "ikid"))
}

func calcAESIK(in *calcIn) (map[string]any, error) {
	ik, err := x9.AESInitialKey(in.bytes("bdk"), ikid(in))
	if err != nil {
		return nil, err
	}
	return map[string]any{"ik": upperHex(ik)}, nil
}

// aesTransaction is a transaction key and its serial number, with what there was on the way to it.
func aesTransaction(in *calcIn) (txn []byte, ksn x9.AESKSN, out map[string]any, err error) {
	out = map[string]any{}
	if ksn, err = x9.ParseAESKSN(in.bytes("ksn")); err != nil {
		return nil, ksn, nil, err
	}
	ik := in.optional("ik")
	if in.has("bdk") {
		if ik, err = x9.AESInitialKey(in.bytes("bdk"), ksn.IKID()); err != nil {
			return nil, ksn, nil, err
		}
	}
	txn = in.optional("txn_key")
	if ik != nil {
		out["ik"] = upperHex(ik)
		if txn, err = x9.AESTransactionKey(ik, ksn); err != nil {
			return nil, ksn, nil, err
		}
	}
	if txn == nil {
		return nil, ksn, nil, errors.New("bdk is missing")
	}
	out["txn_key"] = upperHex(txn)
	return txn, ksn, out, nil
}

// keyTypes are the names of key types in outputs, and the type of each.
func keyTypes() map[string]x9.KeyType {
	return map[string]x9.KeyType{
		"tdes2": x9.TDES2, "tdes3": x9.TDES3, "aes128": x9.AES128, "aes192": x9.AES192, "aes256": x9.AES256,
		"hmac128": x9.HMAC128, "hmac192": x9.HMAC192, "hmac256": x9.HMAC256,
	}
}

// keyType is the type that key_type names (aes128, AES-128, tdes2, 2TDEA, hmac256 …), or without it the transaction key's own.
func keyType(in *calcIn, own int) x9.KeyType {
	name, ok := in.find([]string{"key_type", "type"})
	if !ok {
		name = fmt.Sprintf("aes%d", 8*own)
	}
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
	if other, ok := map[string]string{"2tdea": "tdes2", "3tdea": "tdes3", "2tdes": "tdes2", "3tdes": "tdes3"}[name]; ok {
		name = other
	}
	if t, ok := keyTypes()[name]; ok {
		return t
	}
	in.fail("key_type: tdes2, tdes3, aes128, aes192, aes256, hmac128, hmac192 or hmac256")
	return x9.AES128
}

// calcAES gives everything that one serial number stands for; working keys stronger than the transaction key are left out.
func calcAES(in *calcIn) (map[string]any, error) {
	txn, ksn, out, err := aesTransaction(in)
	if err != nil {
		return nil, err
	}
	for name, use := range map[string]x9.AESUse{
		"pin": x9.AESPIN, "mac_gen": x9.AESMACGenerate, "mac_ver": x9.AESMACVerify, "mac_both": x9.AESMACBoth,
		"data_enc": x9.AESDataEncrypt, "data_dec": x9.AESDataDecrypt, "data_both": x9.AESDataBoth, "key_enc": x9.AESKeyEncryption,
	} {
		for suffix, t := range keyTypes() {
			if key, err := x9.AESWorkingKey(txn, use, t, ksn); err == nil {
				out[name+"_key_"+suffix] = upperHex(key)
			}
		}
	}
	if in.has("pin") {
		if err := aesPIN(in, txn, ksn, out); err != nil {
			return nil, err
		}
	}
	if in.hasData() {
		if err := aesMACs(in, txn, ksn, out); err != nil {
			return nil, err
		}
		if err := aesData(in, txn, ksn, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func calcAESPIN4(in *calcIn) (map[string]any, error) {
	txn, ksn, out, err := aesTransaction(in)
	if err != nil {
		return nil, err
	}
	return out, aesPIN(in, txn, ksn, out)
}

// aesPIN makes the PIN block: format 4 under an AES key, format 0 under a triple DES key.
func aesPIN(in *calcIn, txn []byte, ksn x9.AESKSN, out map[string]any) error {
	t := keyType(in, len(txn))
	key, err := x9.AESWorkingKey(txn, x9.AESPIN, t, ksn)
	if err != nil {
		return err
	}
	pin, pan := []byte(in.text("pin")), in.text("pan")
	if t == x9.TDES2 || t == x9.TDES3 {
		block, err := x9.EncodePINBlock(x9.PINFormat0, pin, pan, nil)
		if err != nil {
			return err
		}
		c, err := x9.EncryptECB(key, block[:])
		out["pin_block_enc"] = upperHex(c)
		return err
	}
	random := random8(in)
	block, err := x9.EncryptPINBlock4(key, pin, pan, random)
	out["pin_block_enc"] = upperHex(block[:])
	return err
}

// random8 is the random part of a PIN block of format 4: given, or drawn.
func random8(in *calcIn) [8]byte {
	var r [8]byte
	if in.has("rand", "random") {
		return [8]byte(in.fixed(8, "rand", "random"))
	}
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	return r
}

func calcAESMAC(in *calcIn) (map[string]any, error) {
	txn, ksn, out, err := aesTransaction(in)
	if err != nil {
		return nil, err
	}
	if err := aesMACs(in, txn, ksn, out); err != nil {
		return nil, err
	}
	from := "cmac"
	if strings.HasPrefix(in.or(from, "alg"), "hmac") {
		from = "hmac"
	}
	for _, way := range [...]string{"req", "rsp"} {
		out["mac_"+way] = out[from+"_"+way]
	}
	out["mac"] = out["mac_"+direction(in)]
	return out, nil
}

// direction says whose MAC is wanted: the request's, or the response's.
func direction(in *calcIn) string {
	switch name := in.or("request", "direction", "dir"); name {
	case "request", "req":
		return "req"
	case "response", "rsp":
		return "rsp"
	default:
		in.fail("direction: request or response")
		return "req"
	}
}

// aesMACs makes CMAC and HMAC-SHA-256 with MAC keys of the wanted length: requests with the generation key, responses with
// the verification key of the terminal.
func aesMACs(in *calcIn, txn []byte, ksn x9.AESKSN, out map[string]any) error {
	data := in.data()
	forCMAC, forHMAC := macTypes(keyType(in, len(txn)))
	for way, use := range map[string]x9.AESUse{"req": x9.AESMACGenerate, "rsp": x9.AESMACVerify} {
		key, err := x9.AESWorkingKey(txn, use, forCMAC, ksn)
		if err != nil {
			return err
		}
		c, err := cmacOf(forCMAC, key, data)
		if err != nil {
			return err
		}
		if key, err = x9.AESWorkingKey(txn, use, forHMAC, ksn); err != nil {
			return err
		}
		out["cmac_"+way], out["hmac_"+way] = upperHex(c), upperHex(hmacSHA256(key, data))
	}
	return nil
}

// macTypes are the types of the two MACs' keys where one key type was asked for.
func macTypes(t x9.KeyType) (forCMAC, forHMAC x9.KeyType) {
	switch t {
	case x9.AES192, x9.HMAC192:
		return x9.AES192, x9.HMAC192
	case x9.AES256, x9.HMAC256:
		return x9.AES256, x9.HMAC256
	case x9.TDES2, x9.TDES3:
		return t, x9.HMAC128
	default:
		return x9.AES128, x9.HMAC128
	}
}

func cmacOf(t x9.KeyType, key, data []byte) ([]byte, error) {
	if t == x9.TDES2 || t == x9.TDES3 {
		m, err := x9.CMACTDES(key, data)
		return m[:], err
	}
	m, err := x9.CMACAES(key, data)
	return m[:], err
}

// aesData enciphers data in CBC from zeros, filled up with zeros: requests with the encryption key, responses with the
// decryption key of the terminal.
func aesData(in *calcIn, txn []byte, ksn x9.AESKSN, out map[string]any) error {
	data := in.data()
	t := keyType(in, len(txn))
	for way, use := range map[string]x9.AESUse{"req": x9.AESDataEncrypt, "rsp": x9.AESDataDecrypt} {
		key, err := x9.AESWorkingKey(txn, use, t, ksn)
		if err != nil {
			return err
		}
		size, encrypt := x9.AESBlockSize, x9.EncryptCBCAES
		if t == x9.TDES2 || t == x9.TDES3 {
			size, encrypt = x9.BlockSize, x9.EncryptCBC
		}
		padded := make([]byte, (max(len(data), 1)+size-1)/size*size)
		copy(padded, data)
		c, err := encrypt(key, make([]byte, size), padded)
		if err != nil {
			return err
		}
		out["data_"+way+"_cbc0"] = upperHex(c)
	}
	return nil
}

// calcAESUpdate derives the update key from the initial key, in each type that it may have.
func calcAESUpdate(in *calcIn) (map[string]any, error) {
	id := ikid(in)
	ik := in.optional("ik")
	var err error
	if in.has("bdk") {
		if ik, err = x9.AESInitialKey(in.bytes("bdk"), id); err != nil {
			return nil, err
		}
	}
	if ik == nil {
		return nil, errors.New("bdk or ik is missing")
	}
	update, err := x9.AESUpdateKey(ik, id, keyType(in, len(ik)))
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ik": upperHex(ik), "update_key": upperHex(update)}
	for suffix, t := range keyTypes() {
		if key, err := x9.AESUpdateKey(ik, id, t); err == nil {
			out["update_key_"+suffix] = upperHex(key)
		}
	}
	return out, nil
}
