package emulator

import (
	"fmt"

	"tillway/device/iso7816"
)

// checkATR refuses an answer to reset that no reader could make sense of. One that EMV forbids is a card worth testing.
func checkATR(b []byte) error {
	a, err := iso7816.ParseATR(b)
	if err != nil {
		return fmt.Errorf("%w: atr: %w", ErrProfile, err)
	}
	if p := a.Protocol(); p > 1 {
		return fmt.Errorf("%w: atr: protocol T=%d, cards here speak T=0 or T=1", ErrProfile, p)
	}
	return nil
}
