package main

import (
	"crypto/sha1" //nolint:gosec // the checksum of CA public keys is SHA-1 (Book 2, 6.2, table in 11.2.2)
	"encoding/hex"
	"encoding/json"
)

const maxCAKeys = 1000

// caKey is one CA public key as key files have it.
type caKey struct {
	RID      string          `json:"rid"`
	Index    string          `json:"index"`
	Modulus  string          `json:"modulus"`
	Exponent string          `json:"exponent"`
	SHA1     string          `json:"sha1"`
	Expiry   json.RawMessage `json:"expiry"`
}

type caRevoked struct {
	RID    string `json:"rid"`
	Index  string `json:"index"`
	Serial string `json:"serial"`
}

// checkCAKeys reads a key file, a list of keys or {"keys": …, "revoked": …}. It says how many keys are within EMV's limits;
// those that are not are passed over, since public lists have some. Nothing more is done with keys yet.
func checkCAKeys(path string) (usable, all int, err error) {
	text, err := readFile(path)
	if err != nil {
		return 0, 0, err
	}
	var file struct {
		Keys    []caKey     `json:"keys"`
		Revoked []caRevoked `json:"revoked"`
	}
	if err := json.Unmarshal(text, &file.Keys); err != nil {
		if err := json.Unmarshal(text, &file); err != nil {
			return 0, 0, usage("%s is no key file: it is a JSON list of keys, or an object with keys and revoked", path)
		}
	}
	if len(file.Keys) == 0 || len(file.Keys) > maxCAKeys {
		return 0, 0, usage("%s has %d keys: 1 to %d are wanted", path, len(file.Keys), maxCAKeys)
	}
	for i, k := range file.Keys {
		if !hexOf(k.RID, 5, 5) || !hexOf(k.Index, 1, 1) || !hexOf(k.Modulus, 1, 512) || !hexOf(k.Exponent, 1, 3) {
			return 0, 0, usage("%s: key %d of the list: rid, index, modulus and exponent are hex of 5, 1, up to 512 and up to 3 bytes", path, i+1)
		}
		if k.usable() {
			usable++
		}
	}
	for i, r := range file.Revoked {
		if !hexOf(r.RID, 5, 5) || !hexOf(r.Index, 1, 1) || !hexOf(r.Serial, 3, 3) {
			return 0, 0, usage("%s: revocation %d of the list: rid, index and serial are 10, 2 and 6 hex digits", path, i+1)
		}
	}
	return usable, len(file.Keys), nil
}

// usable holds a key to Book 2, 11.2 and B2.1 (moduli up to 248 bytes, exponents 3 and 2^16+1), and to its checksum where
// there is one.
func (k caKey) usable() bool {
	if !hexOf(k.Modulus, 1, 248) || (k.Exponent != "03" && k.Exponent != "010001") {
		return false
	}
	if k.SHA1 == "" {
		return true
	}
	b, err := hex.DecodeString(k.RID + k.Index + k.Modulus + k.Exponent)
	if err != nil {
		return false
	}
	sum := sha1.Sum(b) //nolint:gosec // as above
	want, err := hex.DecodeString(k.SHA1)
	return err == nil && string(want) == string(sum[:])
}

func hexOf(s string, minimum, maximum int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) >= minimum && len(b) <= maximum
}
