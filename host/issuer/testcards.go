package issuer

import (
	"encoding/hex"
	"fmt"

	"tillway/emv"
	"tillway/money"
)

// TestCards are the accounts of the test cards that the reader emulator has ready, each with the opening balance. The
// numbers are test numbers, the issuer master keys published test keys.
func TestCards(opening money.Amount) ([]Account, error) {
	const visa, mastercard = "2315208C9110AD402315208C9110AD40", "0123456789ABCDEFFEDCBA9876543210"
	var accounts []Account
	for _, c := range []struct{ name, pan, psn, expiry, imk string }{
		{"credit", "4761739001010119", "01", "2812", visa},
		{"debit", "5413330089604111", "00", "2912", mastercard},
		{"expired", "4761739001010127", "01", "2012", visa},
		{"declines", "4761739001010135", "01", "2812", visa},
		{"pulled", "4761739001010143", "01", "2812", visa},
	} {
		pan, err := emv.NewPAN(c.pan)
		if err != nil {
			return nil, fmt.Errorf("test card %s: %w", c.name, err)
		}
		imk, err := hex.DecodeString(c.imk)
		if err != nil {
			return nil, fmt.Errorf("test card %s: key: %w", c.name, err)
		}
		accounts = append(accounts, Account{Name: c.name, PAN: pan, PSN: c.psn, Expiry: c.expiry, Balance: opening, IMK: imk})
	}
	return accounts, nil
}
