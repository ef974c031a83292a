package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"tillway/device/secure/x9"
	"tillway/emv"
)

// typedPIN is the cardholder of card run: who takes the first application offered and enters the PIN of --pin wherever one
// is asked for, again after a wrong one, until the card has had enough. Without --pin every PIN is left out.
type typedPIN struct {
	pin    string    // digits; empty: none
	random io.Reader // the run's, so that what is recorded can be repeated
}

// checkPIN refuses what no pad would take.
func checkPIN(pin string) error {
	if pin != "" && (len(pin) < x9.MinPIN || len(pin) > x9.MaxPIN || strings.Trim(pin, "0123456789") != "") {
		return usage("--pin: a PIN has %d to %d digits", x9.MinPIN, x9.MaxPIN)
	}
	return nil
}

// Choose implements emv.Cardholder as a terminal does that has nobody to ask: the first application that needs no
// confirmation (Book 1, 12.4).
func (typedPIN) Choose(_ context.Context, list []emv.Candidate) (int, bool, error) {
	i := slices.IndexFunc(list, func(c emv.Candidate) bool { return !c.MustConfirm })
	return max(i, 0), i >= 0, nil
}

// OnlinePIN implements emv.Cardholder. No issuer is asked: that a PIN was entered is all that the kernel wants.
func (h typedPIN) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	if h.pin == "" {
		return emv.PINBypassed, nil
	}
	return emv.PINEntered, nil
}

// CardPIN implements emv.Cardholder as a PIN pad that holds the card (Book 3, 6.5.12; Book 2, 7.2).
func (h typedPIN) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	if h.pin == "" {
		return emv.CardPINAnswer{Entry: emv.PINBypassed}, nil
	}
	if ask.Encipherment == nil {
		block, err := x9.EncodePINBlock(x9.PINFormat2, []byte(h.pin), "", nil)
		if err != nil {
			return emv.CardPINAnswer{}, err
		}
		response, err := ask.Card.Transmit(ctx, append([]byte{0x00, 0x20, 0x00, 0x80, 0x08}, block[:]...))
		return emv.CardPINAnswer{Entry: emv.PINEntered, Response: response}, err
	}
	with, err := ask.Encipherment(ctx)
	if err != nil {
		return emv.CardPINAnswer{}, err
	}
	data := make([]byte, len(with.Modulus))
	if err := x9.EncipherPINForCard([]byte(h.pin), with.Modulus, with.Exponent, with.Challenge, h.random, data); err != nil {
		return emv.CardPINAnswer{}, fmt.Errorf("--pin: %w", err)
	}
	return emv.CardPINAnswer{Entry: emv.PINEntered, Data: data}, nil
}
