package secure

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"slices"

	"tillway/device/secure/x9"
)

// maskedKeys are keys that stand in standards, manuals and simulators, masked byte by byte: so that a search of this
// program's memory for one of them, which a terminal under test may hold, finds no copy in the program's text.
func maskedKeys() []string {
	return []string{
		"5d402f16f1d44b626a471831c6e38cd5",                                 // X9.24-1 BDK, and half the manuals
		"a2bfd0e90e2bb49d95b8e7ce391c732a",                                 // its halves exchanged
		"a2bfd0e90e2bb49d656a535841464f34",                                 // X9.24-3 BDK, AES-128
		"a2bfd0e90e2bb49d656a535841464f34320f60799ebbc4ed",                 // the same for AES-192
		"a2bfd0e90e2bb49d656a535841464f34320f60799ebbc4edf5fae3e8d1d6dfc4", // the same for AES-256
		"36a1f88bd94eddc01111110a67622dff",                                 // X9.24-1 initial key
		"4e100d6fda1544176ed6b22da2c1ec64",                                 // X9.24-3 initial key
		"92ff8ab079ae95020360ce04fd47fb62c4ee944fc5da55ea8ddb0ed6296e7b3a", // X9.24-3 initial key, AES-256
		"4141d5434003e6874de4393e15a4af69",                                 // TR-31 examples
		"d482c15b564255018b3b9b0c86e7b20d64a96337c526dafc0184b586644253d3", // TR-31 examples
		"d58be686eb6bc27ea026d7ee4c8886c9",                                 // TR-31 examples
		"e48e3391da0624187d6e4fd0f44ab87c",                                 // TR-31 examples
		"81167f83c7bef9085ad35163957c9f33",                                 // TR-31 examples
		"b1d0eaac4c7444ef96dc76ec450f68bd",                                 // TR-31 examples
		"ac5a786a94fc54e682007e7c029d114a",                                 // TR-31 examples
		"6322f46dcf7812cf3eace5e59e4c467d",                                 // TR-31 examples
		"b4df09943febd36ff1ec55bc653040ad",                                 // TR-31 examples
		"771d7f6750d1542b3f6cb721b978f1f9",                                 // FIPS 197, RFC 4493
		"3c5e81616db5f733bfe80c5935cac944d3e6f6e6d38efe2a299302ba2933f1c1", // SP 800-38A, AES-256
		"5d402f16f1d44b62b7dec5201b7a51c489b4534a2500f7de",                 // SP 800-67, SP 800-38B
		"7f764afde96f2bcdb78e822521a71385",                                 // test issuer key of many card kits
		"1c2228323c3ac0cadcd2e8e2fcfaf08a",                                 // GlobalPlatform default
		"9db3928a3127e1802edb09b687e551c8",                                 // test BDK of several simulators
	}
}

func unmask(text string) []byte {
	key, err := hex.DecodeString(text)
	if err != nil {
		panic("published key " + err.Error())
	}
	for i := range key {
		key[i] ^= byte(0x5C + 7*i)
	}
	return key
}

// published says whether the world knows a key: because it is on the list, was derived for this terminal from a base
// derivation key on the list, or is no more than a pattern. Within guarded.
func published(k *setKey, key []byte) bool {
	if pattern(key) {
		return true
	}
	for _, text := range maskedKeys() {
		known := unmask(text)
		same := sameKey(k.algorithm, known, key)
		if !same && k.counted() {
			if ik := initialKey(k, known); ik != nil {
				same = sameKey(k.algorithm, ik, key)
				clear(ik)
			}
		}
		clear(known)
		if same {
			return true
		}
	}
	return false
}

// sameKey compares without the parity bits of triple DES.
func sameKey(a Algorithm, known, key []byte) bool {
	if len(known) != len(key) {
		return false
	}
	known, key = slices.Clone(known), slices.Clone(key)
	defer clear(known)
	defer clear(key)
	if a == TDES {
		x9.SetOddParity(known)
		x9.SetOddParity(key)
	}
	return subtle.ConstantTimeCompare(known, key) == 1
}

// initialKey is what a base derivation key would give this terminal; nil where its length does not fit.
func initialKey(k *setKey, bdk []byte) (ik []byte) {
	var err error
	if k.algorithm == TDES {
		ik, err = x9.TDESInitialKey(bdk, x9.KSN(k.base))
	} else {
		ik, err = x9.AESInitialKey(bdk, [8]byte(k.base[:8]))
	}
	if err != nil {
		return nil
	}
	return ik
}

// pattern finds keys that nobody drew at random: one byte or a short run repeated, and counting up or down. A random key
// looks like this once in 2^64.
func pattern(key []byte) bool {
	for _, n := range []int{1, 2, 4, 8} {
		if bytes.Equal(key[n:], key[:len(key)-n]) {
			return true
		}
	}
	for _, step := range []byte{0x01, 0x11, 0xFF, 0xEF} {
		counts := true
		for i := 1; i < len(key) && counts; i++ {
			counts = key[i] == key[i-1]+step
		}
		if counts {
			return true
		}
	}
	return false
}
