package issuer

import (
	"encoding/hex"
	"fmt"

	"tillway/emv"
	"tillway/money"
)

// TestCards are the accounts of the test cards that the reader emulator has ready, each with the opening balance. The
// numbers are test numbers, the keys published test keys, and the PIN of all of them is 1234.
func TestCards(opening money.Amount) ([]Account, error) {
	const (
		visa, mastercard = "2315208C9110AD402315208C9110AD40", "0123456789ABCDEFFEDCBA9876543210"
		pvk              = "0123456789ABCDEFFEDCBA9876543210"
	)
	var accounts []Account
	for _, c := range []struct{ name, pan, psn, expiry, pvv, imk string }{
		{"credit", "4761739001010119", "01", "2812", "0949", visa},
		{"debit", "5413330089604111", "00", "2912", "3500", mastercard},
		{"expired", "4761739001010127", "01", "2012", "4053", visa},
		{"declines", "4761739001010135", "01", "2812", "8206", visa},
		{"pulled", "4761739001010143", "01", "2812", "2943", visa},
		{"stripe", "4761739001010150", "00", "2812", "5172", visa}, // it has no chip
	} {
		pan, err := emv.NewPAN(c.pan)
		if err != nil {
			return nil, fmt.Errorf("test card %s: %w", c.name, err)
		}
		imk, err := hex.DecodeString(c.imk)
		if err != nil {
			return nil, fmt.Errorf("test card %s: key: %w", c.name, err)
		}
		key, err := hex.DecodeString(pvk)
		if err != nil {
			return nil, fmt.Errorf("test card %s: key: %w", c.name, err)
		}
		accounts = append(accounts, Account{
			Name: c.name, PAN: pan, PSN: c.psn, Expiry: c.expiry, Balance: opening, PVV: c.pvv, PVK: key, CVK: key, IMK: imk,
		})
	}
	return accounts, nil
}
