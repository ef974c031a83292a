package cryptogram

import (
	"encoding/binary"
	"fmt"
)

// Scheme is a recipe of one cryptogram version of one card scheme: how keys are derived, what goes into the cryptogram, how
// the issuer answers and how scripts are signed. It is data only; ByName has those that are known.
type Scheme struct {
	OptionB bool    // master keys by option B for account numbers of more than 16 digits
	Session Session // of the application cryptogram
	Pad     Padding // of the application cryptogram
	Tail    Tail    // what follows the data elements

	Method2   bool // of the issuer's answer; else method 1
	AnswerKey bool // the answer is made with the session key; else with the card's master key

	VisaScript bool // script session key by ScriptKeyVisa; else ScriptKeyCommon
	BareScript bool // the script MAC chains neither ATC nor ARQC in
}

// Session is how the key of the application cryptogram is made out of the card's master key.
type Session uint8

// The ways.
const (
	SessionNone   Session = iota // the master key itself
	SessionCommon                // SessionKey
	SessionMChip                 // SessionKeyMChip
)

// Tail is the card's own part of the cryptogram's data.
type Tail uint8

// The parts.
const (
	TailCVR      Tail = iota // card verification results
	TailCounters             // card verification results and M/Chip's counters
	TailIAD                  // all of tag 9F10
)

// ByName finds a scheme's recipe: visa10, visa18, visa22, mc16, mc17, mc20, mc21, interac133.
func ByName(name string) (Scheme, bool) {
	switch name {
	case "visa10":
		return Scheme{Pad: PadZeros, VisaScript: true}, true
	case "visa18":
		return Scheme{OptionB: true, Session: SessionCommon, Pad: Pad80, Tail: TailIAD, Method2: true, AnswerKey: true, VisaScript: true}, true
	case "visa22":
		return Scheme{OptionB: true, Session: SessionCommon, Pad: Pad80, Tail: TailIAD, Method2: true, AnswerKey: true}, true
	case "mc16":
		return Scheme{Session: SessionMChip, Pad: Pad80}, true
	case "mc17":
		return Scheme{Session: SessionMChip, Pad: Pad80, Tail: TailCounters}, true
	case "mc20":
		return Scheme{Session: SessionCommon, Pad: Pad80, AnswerKey: true}, true
	case "mc21":
		return Scheme{Session: SessionCommon, Pad: Pad80, Tail: TailCounters, AnswerKey: true}, true
	case "interac133":
		return Scheme{Session: SessionMChip, Pad: Pad80, Tail: TailIAD, AnswerKey: true, BareScript: true}, true
	default:
		return Scheme{}, false
	}
}

// MasterKey derives a card's master key by the scheme's option. Error: ErrInput.
func (s Scheme) MasterKey(imk []byte, pan, psn string) ([]byte, error) {
	if s.OptionB {
		return MasterKey(imk, pan, psn)
	}
	return MasterKeyA(imk, pan, psn)
}

// SessionKey is the key of the application cryptogram. Error: ErrInput.
func (s Scheme) SessionKey(mk []byte, atc uint16, unpredictable [4]byte) ([]byte, error) {
	switch s.Session {
	case SessionNone:
		return append([]byte(nil), mk...), nil
	case SessionCommon:
		return SessionKey(mk, atc)
	case SessionMChip:
		return SessionKeyMChip(mk, atc, unpredictable)
	}
	return nil, fmt.Errorf("session key derivation %d: %w", s.Session, ErrInput)
}

// ScriptMAC signs a command for the card whose script master key is mk. Errors: ErrInput, x9.ErrKey.
func (s Scheme) ScriptMAC(mk, header, data []byte, atc uint16, arqc [8]byte) ([8]byte, error) {
	key, err := ScriptKeyCommon(mk, arqc)
	if s.VisaScript {
		key, err = ScriptKeyVisa(mk, atc)
	}
	if err != nil {
		return [8]byte{}, err
	}
	var chained []byte
	if !s.BareScript {
		chained = append(binary.BigEndian.AppendUint16(nil, atc), arqc[:]...)
	}
	return ScriptMAC(key, header, chained, data)
}
