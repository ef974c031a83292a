package contact

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"tillway/emv"
)

const sectionCVM = "Book 3, 10.5"

// The CVM codes, bits 6-1 of a rule's first byte (Book 3, C3).
const (
	cvmFail               = 0x00
	cvmPlaintextPIN       = 0x01
	cvmOnlinePIN          = 0x02
	cvmPlaintextSignature = 0x03
	cvmEnciphered         = 0x04
	cvmEncipheredSigned   = 0x05
	cvmSignature          = 0x1E
	cvmNone               = 0x1F
	cvmNotPerformed       = 0x3F // in CVM Results only (Book 4, 6.3.4.5)
)

// The third byte of the CVM Results (Book 4, A4).
const (
	cvmUnknown    = 0x00
	cvmFailed     = 0x01
	cvmSuccessful = 0x02
)

// cardholderVerification walks the CVM list, and then holds the application to the terminal's own rule: one that is taken
// with an online PIN only ends here without one. "No CVM required" and online PIN are performed so far: every other
// method counts as one the terminal does not support, whatever 9F33 says (Book 3, 10.5; Book 4, 6.3.4).
// Reads: 57, 5A, 82, 8E, 5F2A, 9C, 9F02, 9F03, 9F33, 9F35, 9F42. Writes: 95, 9B, 9F34.
func (s *session) cardholderVerification(ctx context.Context) (ending, error) {
	if end, err := s.walkCVMList(ctx); err != nil || end != goOn {
		return end, err
	}
	if s.app.PINRequired && s.method != emv.OnlinePIN {
		s.explain("outcome", "the terminal takes this application with an online PIN only", "terminal profile")
		return ending{emv.Declined, "This card is taken with its PIN only, and no PIN was entered."}, nil
	}
	return goOn, nil
}

func (s *session) walkCVMList(ctx context.Context) (ending, error) {
	if !s.aip.Has(emv.AIPCardholderVerification) {
		s.cvmResults(cvmNotPerformed, 0, cvmUnknown, "the card does not support cardholder verification")
		return goOn, nil
	}
	list := s.data.Value(emv.TagCVMList)
	if len(list)%2 != 0 {
		return goOn, fault("Book 3, 7.5", "CVM list of %d bytes", len(list))
	}
	if len(list) <= 8 { // one without rules counts as none
		s.setTVR(emv.TVRICCDataMissing, "the AIP promises a CVM list and there is none with rules", "Book 3, 7.5 and 10.5")
		s.cvmResults(cvmNotPerformed, 0, cvmUnknown, "no CVM list, or one without rules")
		return goOn, nil
	}
	s.setTSI(emv.TSIVerificationPerformed)
	x, y := binary.BigEndian.Uint32(list), binary.BigEndian.Uint32(list[4:])
	for rules := list[8:]; len(rules) > 0; rules = rules[2:] {
		code, condition := rules[0], rules[1]
		if !s.cvmCondition(code, condition, x, y) {
			continue
		}
		switch code & 0x3F {
		case cvmNone:
			if s.capable(emv.CapabilityNoCVM) {
				s.method = emv.NoCVM
				s.cvmResults(code, condition, cvmSuccessful, "no CVM required")
				return goOn, nil
			}
		case cvmFail:
			s.setTVR(emv.TVRVerificationNotSuccessful, "the rule says that verification fails", sectionCVM)
			s.cvmResults(code, condition, cvmFailed, "fail CVM processing")
			return goOn, nil
		case cvmOnlinePIN:
			entered, err := s.onlinePIN(ctx, code, condition)
			if err != nil || entered {
				return goOn, err
			}
		case cvmPlaintextPIN, cvmPlaintextSignature, cvmEnciphered, cvmEncipheredSigned:
			s.setTVR(emv.TVRPINPadMissing, fmt.Sprintf("rule %02X%02X, and the terminal takes no such PIN", code, condition), "Book 3, 10.5.1 and 10.5.2")
		case cvmSignature:
			s.explain("CVM", fmt.Sprintf("rule %02X%02X: the terminal takes no signature", code, condition), "Book 3, 10.5.3")
		default:
			s.setTVR(emv.TVRUnrecognisedCVM, fmt.Sprintf("rule %02X%02X", code, condition), sectionCVM)
		}
		if code&0x40 == 0 { // bit 7: fail cardholder verification if this CVM is unsuccessful
			break
		}
	}
	s.setTVR(emv.TVRVerificationNotSuccessful, "no rule of the list could be performed", sectionCVM)
	s.cvmResults(cvmNotPerformed, 0, cvmFailed, "no method was performed")
	return goOn, nil
}

// onlinePIN has the PIN pad take the PIN that the issuer will check (Book 3, 10.5.2). The kernel learns whether it was
// entered, and nothing else. A PIN that was bypassed once is not asked for again (Book 4, 6.3.4.3).
func (s *session) onlinePIN(ctx context.Context, code, condition byte) (entered bool, err error) {
	const section = "Book 3, 10.5.2"
	if !s.capable(emv.CapabilityEncipheredOnlinePIN) || s.holder == nil {
		s.setTVR(emv.TVRPINPadMissing, fmt.Sprintf("rule %02X%02X, and the terminal takes no PIN", code, condition), section)
		return false, nil
	}
	if s.tvr.Has(emv.TVRPINNotEntered) {
		return false, nil
	}
	pan, err := s.pan()
	if err != nil {
		return false, err
	}
	entry, err := s.holder.OnlinePIN(ctx, emv.PINRequest{PAN: pan, Amount: s.params.Amount, Required: s.app.PINRequired})
	if err != nil {
		return false, fmt.Errorf("asking for the PIN: %w", err)
	}
	switch entry {
	case emv.PINEntered:
		s.method = emv.OnlinePIN
		s.setTVR(emv.TVROnlinePINEntered, "the issuer checks it", section)
		s.cvmResults(code, condition, cvmUnknown, "online PIN: the issuer's answer decides")
		return true, nil
	case emv.PINBypassed:
		s.setTVR(emv.TVRPINNotEntered, "the cardholder entered none", section)
		return false, nil
	case emv.PINPadMissing:
		s.setTVR(emv.TVRPINPadMissing, "the pad is not there or does not work", section)
		return false, nil
	}
	return false, fmt.Errorf("PIN entry ended with %q: %w", entry, ErrParams)
}

// pan is the account number of tag 5A, or else of track 2 (Book 3, 7.2: one of them is mandatory).
func (s *session) pan() (emv.PAN, error) {
	digits := strings.TrimRight(fmt.Sprintf("%X", s.data.Value(emv.TagPAN)), "F")
	if track, err := emv.NewTrack2(s.data.Value(emv.TagTrack2EquivalentData)); digits == "" && err == nil {
		return track.PAN(), nil
	}
	pan, err := emv.NewPAN(digits)
	if err != nil {
		return pan, fault("Book 3, 7.2", "the card's account number is none")
	}
	return pan, nil
}

func (s *session) cvmResults(code, condition, result byte, reason string) {
	s.put(emv.TagCVMResults, []byte{code, condition, result})
	s.explain("9F34", fmt.Sprintf("%02X%02X%02X: %s", code, condition, result, reason), "Book 4, 6.3.4.5")
}

func (s *session) capable(b emv.CapabilityBit) bool {
	var c emv.Capabilities
	copy(c[:], s.data.Value(emv.TagTerminalCapabilities))
	return c.Has(b)
}

// cvmCondition says whether a rule applies (Book 3, C3). Amounts are compared as the book words it, "under" and "over":
// at the very amount neither holds. A condition that is not known does not hold.
func (s *session) cvmCondition(code, condition byte, x, y uint32) bool {
	var (
		amount, _  = number(s.data.Value(emv.TagAmountAuthorised))
		cash       = s.data.Value(emv.TagTransactionType)[0] == typeCash
		unattended = emv.TerminalType(s.data.Value(emv.TagTerminalType)[0]).Unattended()
		currency   = s.data.Value(emv.TagTransactionCurrencyCode)
		own, known = s.data.Get(emv.TagApplicationCurrencyCode)
		same       = known && bytes.Equal(own, currency)
	)
	switch condition {
	case 0x00: // always
		return true
	case 0x01: // unattended cash
		return cash && unattended
	case 0x02: // not unattended cash, not manual cash, not purchase with cashback
		return !cash && !s.cashback()
	case 0x03: // terminal supports the CVM; this one performs No CVM and online PIN
		switch code & 0x3F {
		case cvmFail:
			return true
		case cvmNone:
			return s.capable(emv.CapabilityNoCVM)
		case cvmOnlinePIN:
			return s.capable(emv.CapabilityEncipheredOnlinePIN)
		}
		return false
	case 0x04: // manual cash
		return cash && !unattended
	case 0x05: // purchase with cashback
		return s.cashback()
	case 0x06: // in the application's currency, under X
		return same && amount < int64(x)
	case 0x07: // over X
		return same && amount > int64(x)
	case 0x08: // under Y
		return same && amount < int64(y)
	case 0x09: // over Y
		return same && amount > int64(y)
	}
	return false
}
