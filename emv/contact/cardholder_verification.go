package contact

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"tillway/emv"
)

const (
	sectionCVM        = "Book 3, 10.5"
	sectionCVMResults = "Book 4, 6.3.4.5"
)

// The CVM codes, bits 6-1 of a rule's first byte (Book 3, C3).
const (
	cvmFail                = 0x00
	cvmPlaintextPIN        = 0x01
	cvmOnlinePIN           = 0x02
	cvmPlaintextSignature  = 0x03
	cvmEnciphered          = 0x04
	cvmEncipheredSignature = 0x05
	cvmSignature           = 0x1E
	cvmNone                = 0x1F
	cvmNotPerformed        = 0x3F // in CVM Results only (Book 4, 6.3.4.5)
)

// The third byte of the CVM Results (Book 4, A4).
const (
	cvmUnknown    = 0x00
	cvmFailed     = 0x01
	cvmSuccessful = 0x02
)

// cvRule is one Cardholder Verification Rule: a method and when it is to be used (Book 3, C3).
type cvRule struct{ code, condition byte }

func (r cvRule) method() byte { return r.code & 0x3F } // bits 6-1

// goesOn is bit 7: when this method does not succeed, the next rule is tried.
func (r cvRule) goesOn() bool { return r.code&0x40 != 0 }

func (r cvRule) String() string { return fmt.Sprintf("rule %02X%02X", r.code, r.condition) }

// offlinePIN says that the card checks a PIN, alone or beside a signature.
func (r cvRule) offlinePIN() bool {
	m := r.method()
	return m == cvmPlaintextPIN || m == cvmPlaintextSignature || m == cvmEnciphered || m == cvmEncipheredSignature
}

func (r cvRule) signature() bool {
	m := r.method()
	return m == cvmSignature || m == cvmPlaintextSignature || m == cvmEncipheredSignature
}

// recognised says that the terminal understands the code, whether or not it supports it. It understands those of Book 3,
// C3 but the biometric ones, and none of payment systems and issuers.
func (r cvRule) recognised() bool {
	m := r.method()
	return m <= cvmEncipheredSignature || m == cvmSignature || m == cvmNone
}

// cvmList is the CVM List, tag 8E: two amounts in the application's currency, and rules in the order to try them.
type cvmList struct {
	x, y  uint32
	rules []cvRule
}

// parseCVMList reads tag 8E. A list without rules is one (Book 3, 10.5 takes it for none); amounts or a rule cut short end
// the transaction.
func parseCVMList(b []byte) (cvmList, error) {
	if len(b) == 0 {
		return cvmList{}, nil
	}
	if len(b)%2 != 0 || len(b) < 8 {
		return cvmList{}, fault("Book 3, 10.5 and 7.5", "CVM list of %d bytes", len(b))
	}
	l := cvmList{x: binary.BigEndian.Uint32(b), y: binary.BigEndian.Uint32(b[4:])}
	for rest := b[8:]; len(rest) > 0; rest = rest[2:] {
		l.rules = append(l.rules, cvRule{rest[0], rest[1]})
	}
	return l, nil
}

// cardholderVerification walks the CVM list, and then holds the application to the terminal's own rule: one that is taken
// with an online PIN only ends here without one (Book 3, 10.5; Book 4, 6.3.4).
// Reads: 57, 5A, 82, 8E, 5F2A, 9C, 9F02, 9F03, 9F33, 9F35, 9F42, those of the card's PIN key. Writes: 95, 9B, 9F17, 9F34.
func (s *session) cardholderVerification(ctx context.Context) (ending, error) {
	if err := s.walkCVMList(ctx); err != nil {
		return goOn, err
	}
	if s.app.PINRequired && s.method != emv.OnlinePIN {
		s.explain("outcome", "the terminal takes this application with an online PIN only", "terminal profile")
		return ending{emv.Declined, "This card is taken with its PIN only, and no PIN was entered."}, nil
	}
	return goOn, nil
}

// walkCVMList takes the rules one by one: a condition that does not hold passes the rule over; a method that is not known,
// not supported or not successful leaves it to the rule's bit 7 whether there is another (Book 3, 10.5, figure 8).
func (s *session) walkCVMList(ctx context.Context) error {
	if !s.aip.Has(emv.AIPCardholderVerification) {
		s.cvmResults(cvRule{code: cvmNotPerformed}, cvmUnknown, "the card does not support cardholder verification")
		return nil
	}
	list, err := parseCVMList(s.data.Value(emv.TagCVMList))
	if err != nil {
		return err
	}
	if len(list.rules) == 0 {
		s.setTVR(emv.TVRICCDataMissing, "the AIP promises a CVM list and there is none with rules", "Book 3, 7.5 and 10.5")
		s.cvmResults(cvRule{code: cvmNotPerformed}, cvmUnknown, "no CVM list, or one without rules")
		return nil
	}
	last := cvRule{code: cvmNotPerformed} // of those performed
	for _, rule := range list.rules {
		if !s.cvmCondition(rule, list.x, list.y) {
			continue
		}
		switch {
		case !rule.recognised():
			s.setTVR(emv.TVRUnrecognisedCVM, rule.String(), sectionCVM)
		case !s.supports(rule):
			s.notSupported(rule)
		default:
			done, err := s.performCVM(ctx, rule)
			if err != nil {
				return err
			}
			if done {
				s.setTSI(emv.TSIVerificationPerformed)
				return nil
			}
			last = rule
		}
		if !rule.goesOn() {
			break
		}
	}
	s.setTVR(emv.TVRVerificationNotSuccessful, "no method of the list was successful", sectionCVM)
	reason := "the last method performed was not successful"
	if last.code == cvmNotPerformed {
		reason = "no method was performed"
	}
	s.cvmResults(last, cvmFailed, reason)
	s.setTSI(emv.TSIVerificationPerformed)
	return nil
}

// performCVM performs a method that the terminal knows and supports. done says that cardholder verification is complete,
// with its results written: a method was successful, or the rule says to fail.
func (s *session) performCVM(ctx context.Context, rule cvRule) (done bool, err error) {
	if rule.offlinePIN() {
		if done, err = s.offlinePIN(ctx, rule); err != nil || !done {
			return false, err
		}
		s.method = emv.OfflinePIN
		if s.signature = rule.signature(); s.signature {
			s.cvmResults(rule, cvmUnknown, "the card accepted the PIN; the cashier compares the signature (Book 3, 10.5.4)")
			return true, nil
		}
		s.cvmResults(rule, cvmSuccessful, "the card accepted the PIN")
		return true, nil
	}
	switch rule.method() {
	case cvmNone:
		s.method = emv.NoCVM
		s.cvmResults(rule, cvmSuccessful, "no CVM required")
		return true, nil
	case cvmFail: // whatever bit 7 says
		s.setTVR(emv.TVRVerificationNotSuccessful, "the rule says that verification fails", sectionCVM)
		s.cvmResults(rule, cvmFailed, "fail CVM processing")
		return true, nil
	case cvmSignature:
		s.method, s.signature = emv.Signature, true
		s.cvmResults(rule, cvmUnknown, "signature: the cashier compares it (Book 4, 6.3.4.4)")
		return true, nil
	case cvmOnlinePIN:
		return s.onlinePIN(ctx, rule)
	}
	panic(fmt.Sprintf("contact: %s is supported and not performed", rule))
}

// supports says whether the terminal has what a method needs: all of it, for one of two parts (Book 4, 6.3.4 and A2).
func (s *session) supports(rule cvRule) bool {
	if rule.signature() && !s.capable(emv.CapabilitySignature) {
		return false
	}
	if rule.signature() && rule.offlinePIN() && !s.params.Has(emv.FeaturePINAndSignature) {
		return false
	}
	switch rule.method() {
	case cvmFail, cvmSignature:
		return true
	case cvmPlaintextPIN, cvmPlaintextSignature:
		return s.takesPlaintextPIN()
	case cvmEnciphered, cvmEncipheredSignature:
		return s.capable(emv.CapabilityEncipheredOffline)
	case cvmOnlinePIN:
		return s.capable(emv.CapabilityEncipheredOnlinePIN)
	case cvmNone:
		return s.capable(emv.CapabilityNoCVM)
	}
	return false
}

// notSupported notes a method that the terminal lacks. A PIN pad is missing only where the terminal takes no PIN of that
// kind, and the kinds that a card checks, in plaintext or enciphered, are one (Book 3, 10.5 and 10.5.1).
func (s *session) notSupported(rule cvRule) {
	takesNone := rule.offlinePIN() && !s.takesPlaintextPIN() && !s.capable(emv.CapabilityEncipheredOffline)
	if rule.method() == cvmOnlinePIN || takesNone {
		s.setTVR(emv.TVRPINPadMissing, rule.String()+", and the terminal takes no such PIN", "Book 3, 10.5.1 and 10.5.2")
		return
	}
	s.explain("CVM", rule.String()+": the terminal does not support this method", sectionCVM)
}

func (s *session) takesPlaintextPIN() bool {
	return s.capable(emv.CapabilityPlaintextPIN) && s.params.Has(emv.FeaturePlaintextPIN)
}

func (s *session) capable(b emv.CapabilityBit) bool {
	var c emv.Capabilities
	copy(c[:], s.data.Value(emv.TagTerminalCapabilities))
	return c.Has(b)
}

// onlinePIN has the PIN pad take the PIN that the issuer will check (Book 3, 10.5.2), also when the card's own tries are
// used up (Book 4, 6.3.4.2). The kernel learns whether it was entered, and nothing else.
func (s *session) onlinePIN(ctx context.Context, rule cvRule) (entered bool, err error) {
	const section = "Book 3, 10.5.2"
	if s.bypassedBefore(rule) {
		return false, nil
	}
	entry := emv.PINPadMissing
	if s.holder != nil {
		pan, err := s.pan()
		if err != nil {
			return false, err
		}
		entry, err = s.holder.OnlinePIN(ctx, emv.PINRequest{PAN: pan, Amount: s.params.Amount, Required: s.app.PINRequired, Language: s.language()})
		if err != nil {
			return false, fmt.Errorf("asking for the PIN: %w", err)
		}
	}
	if entry != emv.PINEntered {
		return false, s.noPIN(entry, section)
	}
	s.method = emv.OnlinePIN
	s.setTVR(emv.TVROnlinePINEntered, "the issuer checks it", section)
	s.cvmResults(rule, cvmUnknown, "online PIN: the issuer's answer decides")
	return true, nil
}

// bypassedBefore says that the cardholder left a PIN out already: no other is asked for in this transaction (Book 4,
// 6.3.4.3 leaves that to the terminal).
func (s *session) bypassedBefore(rule cvRule) bool {
	if !s.tvr.Has(emv.TVRPINNotEntered) {
		return false
	}
	s.explain("CVM", rule.String()+": the PIN was left out before and is not asked for again", "Book 4, 6.3.4.3")
	return true
}

// noPIN sets the bit for an entry that gave no PIN. An entry that is no such word is the caller's defect.
func (s *session) noPIN(entry emv.PINEntry, section string) error {
	switch entry {
	case emv.PINBypassed:
		s.setTVR(emv.TVRPINNotEntered, "the cardholder entered none", section)
		return nil
	case emv.PINPadMissing:
		s.setTVR(emv.TVRPINPadMissing, "the pad is not there or does not work", section)
		return nil
	case emv.PINEntered:
	}
	return fmt.Errorf("PIN entry ended with %q: %w", entry, ErrParams)
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

func (s *session) cvmResults(rule cvRule, result byte, reason string) {
	s.put(emv.TagCVMResults, []byte{rule.code, rule.condition, result})
	s.explain("9F34", fmt.Sprintf("%02X%02X%02X: %s", rule.code, rule.condition, result, reason), sectionCVMResults)
}
