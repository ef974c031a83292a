package main

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/host"
)

// aesModule is a module with AES keys: a key-encrypting key in three components, and two initial keys in key blocks of
// version D.
func aesModule(ctx context.Context, dir, set string, keys *host.Keys) (*secure.File, error) {
	m, err := secure.Start(ctx, secure.Options{Path: filepath.Join(dir, "module"), First: true, Keypad: always{}})
	if err != nil {
		return nil, err
	}
	var shares [][]byte
	for i, text := range []string{"101112131415161718191A1B1C1D1E1F", "546573744B6579466F7254696C6C7761", "00112233445566778899AABBCCDDEEFF"} {
		shares = append(shares, simBytes(text))
		if _, err := m.LoadComponent(ctx, secure.Component{
			Set: set, Of: 3, Number: i + 1, Holder: fmt.Sprintf("custodian %d", i+1), Algorithm: secure.AES128, Value: simBytes(text),
		}); err != nil {
			return nil, err
		}
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		return nil, err
	}
	for use, k := range map[secure.Use]host.Key{secure.UsePIN: keys.PIN, secure.UseMAC: keys.MAC} {
		ik, err := x9.AESInitialKey(k.BDK, [8]byte(k.KSN))
		if err != nil {
			return nil, err
		}
		block, err := x9.WrapKeyBlock(kek, x9.KeyBlockHeader{
			Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N',
			Optional: []x9.OptionalBlock{{ID: "IK", Data: strings.ToUpper(hex.EncodeToString(k.KSN[:8]))}},
		}, ik, 0, crand.Reader)
		if err != nil {
			return nil, err
		}
		if _, err := m.Import(ctx, set, use, block); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// TestWaysOfSecuring: TDES with the retail MAC or CMAC, AES with CMAC and PIN blocks of format 4, whole MACs and short ones:
// each time terminal and host come to the same, and the PIN is right.
func TestWaysOfSecuring(t *testing.T) {
	for name, c := range map[string]struct {
		mac   string
		bytes int
		aes   bool
	}{
		"TDES, retail MAC":        {"alg3", 8, false},
		"TDES, short retail MAC":  {"alg3", 4, false},
		"TDES, CMAC":              {"cmac", 8, false},
		"AES, CMAC":               {"cmac", 8, true},
		"AES, CMAC of four bytes": {"cmac", 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := quickSecured(t, "debit", answerAll, func(a *acquirerConfig, h *host.Config) (module, error) {
				simSecurity(h)
				h.Security.MAC, h.Security.MACBytes = c.mac, c.bytes
				a.NAC.MAC, a.NAC.MACBytes, a.NAC.MACSignOn = c.mac, c.bytes, true
				if !c.aes {
					return simModule(t.Context(), t.TempDir(), a.Name, always{})
				}
				a.NAC.PINBytes = 16
				bdk := simBytes("FEDCBA9876543210F1F1F1F1F1F1F1F1")
				h.Terminals[0].Keys = &host.Keys{
					PIN: host.Key{BDK: bdk, KSN: simBytes("123456789012345600000000")}, MAC: host.Key{BDK: bdk, KSN: simBytes("123456789012345700000000")},
				}
				return aesModule(t.Context(), t.TempDir(), a.Name, h.Terminals[0].Keys)
			})
			for range 3 {
				if sale := sellOne(t, s, 1_300); sale.Method != emv.OnlinePIN {
					t.Errorf("verified by %q", sale.Method)
				}
			}
		})
	}
}
