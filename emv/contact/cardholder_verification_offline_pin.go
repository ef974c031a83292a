package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionOfflinePIN = "Book 3, 10.5.1"

// maxVerify bounds the PINs of one rule: no counter of tries is above 15 (Book 3, 6.5.12.5: 63Cx), and a card that never
// comes to its end is not one.
const maxVerify = 16

// The header of VERIFY and its length, with the PIN in plaintext and enciphered under RSA (Book 3, 6.5.12.2).
var (
	verifyPlaintext  = []byte{0x00, 0x20, 0x00, 0x80, 0x08}
	verifyEnciphered = []byte{0x00, 0x20, 0x00, 0x88}
)

// errNoEncipherment is why no PIN can be enciphered for this card. It never leaves the package but through a cardholder.
var errNoEncipherment = errors.New("no PIN can be enciphered for this card")

// offlinePIN has the card check a PIN, again and again while the card leaves tries (Book 3, 10.5.1; Book 4, 6.3.4.1). The
// order is the book's: the counter, the entry, and for a PIN that is enciphered the key and the challenge, which the pad
// asks for. Only 9000 is success; an answer that no card gives to VERIFY ends the transaction (figure 11).
func (s *session) offlinePIN(ctx context.Context, rule cvRule) (verified bool, err error) {
	if s.bypassedBefore(rule) {
		return false, nil
	}
	tries, err := s.pinTryCounter(ctx)
	if err != nil {
		return false, err
	}
	if tries == 0 {
		s.setTVR(emv.TVRPINTryLimitExceeded, "the card's counter of tries is at zero, and no PIN is asked for", "Book 4, 6.3.4.1")
		return false, nil
	}
	if s.holder == nil {
		return false, s.noPIN(emv.PINPadMissing, sectionOfflinePIN)
	}
	ask := emv.CardPINRequest{Amount: s.params.Amount, Tries: tries, Required: s.app.PINRequired, Language: s.language()}
	if m := rule.method(); m == cvmEnciphered || m == cvmEncipheredSignature {
		ask.Encipherment = s.pinEncipherment
	} else {
		ask.Card = pinCard{s}
	}
	for range maxVerify {
		answer, err := s.holder.CardPIN(ctx, ask)
		switch {
		case errors.Is(err, errNoEncipherment): // it said why
			return false, nil
		case err != nil:
			return false, fmt.Errorf("asking for the PIN: %w", err)
		case answer.Entry != emv.PINEntered:
			return false, s.noPIN(answer.Entry, sectionOfflinePIN)
		case ask.Encipherment != nil:
			err = s.verify(ctx, answer.Data)
		default:
			_, err = emv.SplitResponse(answer.Response)
		}
		if err == nil {
			s.explain("CVM", rule.String()+": the card accepted the PIN", sectionOfflinePIN)
			return true, nil
		}
		status, answered := statusOf(err)
		switch {
		case !answered:
			return false, err
		case status.SW1 == 0x63 && status.SW2 > 0xC0 && status.SW2 <= 0xCF:
			ask.Retry, ask.Tries = true, int(status.SW2&0x0F)
			s.explain("CVM", fmt.Sprintf("%s: the PIN was wrong, tries left: %d", rule, ask.Tries), sectionOfflinePIN)
		case *status == emv.StatusError{SW1: 0x63, SW2: 0xC0}, errors.Is(err, emv.ErrMethodBlocked), errors.Is(err, emv.ErrDataInvalidated):
			s.setTVR(emv.TVRPINTryLimitExceeded, fmt.Sprintf("VERIFY: %02X%02X", status.SW1, status.SW2), sectionOfflinePIN)
			return false, nil
		default:
			return false, fault(sectionOfflinePIN, "VERIFY: %v", status)
		}
	}
	return false, fault(sectionOfflinePIN, "the card's tries do not come to an end: more than %d PINs", maxVerify)
}

// pinTryCounter asks the card how many PINs may still be tried; -1 when it does not say (Book 4, 6.3.4.1).
func (s *session) pinTryCounter(ctx context.Context) (int, error) {
	tag := emv.TagPINTryCounter
	data, err := s.transmit(ctx, "GET DATA "+tag.String(), apdu(0x80, 0xCA, 0x9F, 0x17, nil))
	if _, answered := statusOf(err); answered {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 || items[0].Tag != tag || len(items[0].Value) != 1 {
		s.explain(oddData, "the answer to GET DATA 9F17 is not that object", "Book 3, 6.5.7.4")
		return -1, nil
	}
	s.data.Put(tag, items[0].Value)
	return int(items[0].Value[0]), nil
}

// pinEncipherment recovers the key that the card's PIN is enciphered with, and takes a challenge (Book 2, 7.1 and 7.2). When
// either fails the method has failed, and no other bit of the TVR says so.
func (s *session) pinEncipherment(ctx context.Context) (emv.PINEncipherment, error) {
	none := func(reason, section string) (emv.PINEncipherment, error) {
		s.explain("CVM", "no enciphered PIN: "+reason, section)
		return emv.PINEncipherment{}, errNoEncipherment
	}
	modulus, exponent, err := s.pinEnciphermentKey()
	if err != nil {
		return none(err.Error(), "Book 2, 7.1")
	}
	challenge, err := s.transmit(ctx, "GET CHALLENGE", apdu(0x00, 0x84, 0x00, 0x00, nil))
	if status, answered := statusOf(err); answered {
		return none("GET CHALLENGE: "+status.Error(), "Book 2, 7.2")
	}
	if err != nil {
		return emv.PINEncipherment{}, err
	}
	if len(challenge) != 8 {
		return none(fmt.Sprintf("a challenge of %d bytes", len(challenge)), "Book 2, 7.2")
	}
	return emv.PINEncipherment{Modulus: modulus, Exponent: exponent, Challenge: [8]byte(challenge)}, nil
}

// verify sends a PIN that is enciphered. The error is transmit's.
func (s *session) verify(ctx context.Context, data []byte) error {
	if len(data) < 64 || len(data) > 248 {
		return fmt.Errorf("enciphered PIN of %d bytes: %w", len(data), ErrParams)
	}
	_, err := s.transmit(ctx, "VERIFY", append(append(bytes.Clone(verifyEnciphered), length(data)), data...))
	return err
}

// pinCard is the card for a pad that sends a PIN in plaintext: it takes that command alone. Time, count and answer are
// bounded as for every command, and nothing is kept or logged of the data.
type pinCard struct{ s *session }

// Transmit implements emv.Card. Another command than VERIFY with a plaintext PIN is ErrParams.
func (c pinCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if !bytes.HasPrefix(command, verifyPlaintext) || len(command) != len(verifyPlaintext)+8 {
		return nil, fmt.Errorf("a PIN pad sends VERIFY and nothing else: %w", ErrParams)
	}
	data, err := c.s.transmit(ctx, "VERIFY", command)
	status, answered := statusOf(err)
	switch {
	case answered:
		return append(data, status.SW1, status.SW2), nil
	case err != nil:
		return nil, err
	}
	return append(data, 0x90, 0x00), nil
}
