package contact

import (
	"context"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/emv/tlv"
)

const sectionODA = "Book 3, 10.3"

// The methods, as emv.ODA names them.
const (
	methodNone = "none"
	methodSDA  = "sda"
	methodDDA  = "dda"
	methodCDA  = "cda"
)

// authentication is what a session knows of offline data authentication. The zero value is an application's start.
type authentication struct {
	method   string // selected, "" before
	failed   bool
	verified bool   // the method's signature is valid: with CDA the last one that was asked for
	records  []byte // static data to be authenticated, as far as records give it
	fault    string // why the static data cannot be built, "" when they can
	sent     []byte // values of PDOL, CDOL1 and CDOL2 as they were sent, one behind the other (Book 2, 6.6.1)
	issuer   recovery
	card     recovery
}

// recovery is a public key that is recovered once.
type recovery struct {
	tried bool
	key   oda.Key
	err   error
}

func (r *recovery) once(recover func() (oda.Key, error)) (oda.Key, error) {
	if !r.tried {
		r.tried = true
		r.key, r.err = recover()
	}
	return r.key, r.err
}

func (a authentication) result() emv.ODA {
	if a.method == "" {
		return emv.ODA{Method: methodNone}
	}
	return emv.ODA{Method: a.method, OK: a.verified && !a.failed}
}

// errMissing is a data object that the method needs and the card does not bring (Book 3, 7.5, Table 35).
var errMissing = errors.New("the card lacks it")

// offlineDataAuthentication selects the strongest method that card and terminal share, and performs it: SDA and DDA wholly,
// CDA up to the recovery of the card's key, which its signature needs later. A failure sets bits and never ends the
// transaction (Book 3, 10.3; Book 4, 6.3.2).
// Reads: 5A, 82, 8F, 90, 92, 93, 9A, 9F32, 9F33, 9F46, 9F47, 9F48, 9F49, 9F4A. Writes: 95, 9B, 9F22, 9F37, 9F45, 9F4B, 9F4C.
func (s *session) offlineDataAuthentication(ctx context.Context) (ending, error) {
	if _, ok := date(s.data.Value(emv.TagTransactionDate)); !ok {
		return goOn, fmt.Errorf("transaction date: %w", ErrParams)
	}
	s.oda.method = s.authenticationMethod()
	switch s.oda.method {
	case methodCDA:
		s.prepareCDA()
	case methodDDA:
		return goOn, s.dynamicDataAuthentication(ctx)
	case methodSDA:
		s.staticDataAuthentication()
	default:
		s.setTVR(emv.TVRDataAuthenticationNotPerformed, "card and terminal have no method in common", sectionODA)
	}
	return goOn, nil
}

// authenticationMethod is CDA before DDA before SDA, each where the AIP and the terminal's capabilities have it.
func (s *session) authenticationMethod() string {
	var terminal emv.Capabilities
	copy(terminal[:], s.data.Value(emv.TagTerminalCapabilities))
	for _, m := range []struct {
		name     string
		card     emv.AIPBit
		terminal emv.CapabilityBit
		on       bool
	}{
		{methodCDA, emv.AIPCDA, emv.CapabilityCDA, true},
		{methodDDA, emv.AIPDDA, emv.CapabilityDDA, true},
		{methodSDA, emv.AIPSDA, emv.CapabilitySDA, s.params.Has(emv.FeatureSDA)},
	} {
		if s.aip.Has(m.card) && terminal.Has(m.terminal) && m.on {
			s.explain("ODA", m.name+" is the strongest method of card and terminal", sectionODA)
			return m.name
		}
	}
	return methodNone
}

// authenticationFailed sets a method's bit; missing data have a bit of their own beside it (Book 3, 7.5).
func (s *session) authenticationFailed(bit emv.TVRBit, err error, section string) {
	s.oda.failed, s.oda.verified = true, false
	if errors.Is(err, errMissing) || errors.Is(err, oda.ErrRemainder) {
		s.setTVR(emv.TVRICCDataMissing, err.Error(), "Book 3, 7.5")
	}
	s.setTVR(bit, err.Error(), section)
}

// authenticationPerformed says so in the TSI, whatever came of it.
func (s *session) authenticationPerformed() {
	if !s.tsi.Has(emv.TSIDataAuthenticationPerformed) {
		s.setTSI(emv.TSIDataAuthenticationPerformed)
	}
}

// staticDataAuthentication checks the issuer's signature over the card's static data (Book 2, 5).
// Writes: 95, 9B, 9F45.
func (s *session) staticDataAuthentication() {
	const section = "Book 2, 5"
	s.setTVR(emv.TVRSDASelected, "no stronger method is common to card and terminal", sectionODA)
	defer s.authenticationPerformed()
	code, err := s.signedStaticData()
	if err != nil {
		s.authenticationFailed(emv.TVRSDAFailed, err, section)
		return
	}
	s.data.Put(emv.TagDataAuthenticationCode, []byte{byte(code >> 8), byte(code)})
	s.oda.verified = true
	s.explain("ODA", "the issuer's signature over the card's data is valid", section)
}

func (s *session) signedStaticData() (code uint16, err error) {
	if err := s.present(append(issuerKeyObjects[:3:3], emv.TagSignedStaticApplicationData)...); err != nil {
		return 0, err
	}
	static, err := s.staticData()
	if err != nil {
		return 0, err
	}
	issuer, err := s.issuerKey()
	if err != nil {
		return 0, err
	}
	return oda.DataAuthenticationCode(issuer, s.data.Value(emv.TagSignedStaticApplicationData), static)
}

// present says which of a method's objects the card did not bring (Book 3, Table 35); remainders, which not every key has,
// are the recovery's to miss.
func (s *session) present(tags ...tlv.Tag) error {
	for _, tag := range tags {
		if !s.data.Has(tag) {
			e, _ := emv.Lookup(tag)
			if s.seen[tag] { // not missing (Book 3, Table 35)
				return fmt.Errorf("%s %s: the card's has an impossible length", tag, e.Name)
			}
			return fmt.Errorf("%s %s: %w", tag, e.Name, errMissing)
		}
	}
	return nil
}
