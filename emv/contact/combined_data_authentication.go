package contact

import (
	"context"
	"errors"
	"slices"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/emv/tlv"
)

const sectionCDA = "Book 2, 6.6"

// cdaRequested is the bit of GENERATE AC's P1 that asks for a combined signature (Book 3, 6.5.5.2).
const cdaRequested = 0x10

// The modes that EMVCo's type approval knows: whether a signature is asked for with an ARQC, and with the TC after the
// issuer approved. Where the terminal approves by itself, it always is (Book 2, 6.6).
var cdaModes = [...]struct{ first, second bool }{
	1: {true, true},
	2: {true, false},
	3: {false, false},
	4: {false, true},
}

// prepareCDA recovers the card's key before terminal action analysis, so that what fails is known there; the signature comes
// with the cryptogram (Book 2, 6.6; Book 4, 6.3.2.1).
// Reads: what cardKey reads. Writes: 95, 9B.
func (s *session) prepareCDA() {
	if _, err := s.cardKey(); err != nil {
		s.authenticationFailed(emv.TVRCDAFailed, err, sectionCDA)
		s.authenticationPerformed()
		return
	}
	s.explain("ODA", "the card's key is recovered: its signature comes with a cryptogram", sectionCDA)
}

// requestsCDA says whether GENERATE AC asks for a combined signature with the cryptogram in s.asked: never with an AAC and
// never after CDA failed; with a TC that the terminal itself decides always; else as the mode says (Book 2, 6.6).
func (s *session) requestsCDA(second bool) bool {
	if s.oda.method != methodCDA || s.oda.failed || s.asked == emv.AAC {
		return false
	}
	mode := cdaModes[max(s.params.CDAMode, 1)]
	switch {
	case second:
		return s.answer.Result == emv.HostUnable || mode.second
	case s.asked == emv.ARQC:
		return mode.first
	}
	return true
}

// beforeFirstAC says in the TVR that a cryptogram is asked for without the signature that CDA would be (Book 2, 6.6 and
// Figure 3). Terminal action analysis is done by then, and does not see it.
// Writes: 95.
func (s *session) beforeFirstAC(cda bool) {
	if s.oda.method == methodCDA && !s.oda.failed && !cda {
		s.setTVR(emv.TVRDataAuthenticationNotPerformed, "the "+s.asked.String()+" is asked for without a combined signature", sectionCDA)
	}
}

// beforeSecondAC takes that back, before the terminal decides what to ask for (Book 2, 6.6).
// Writes: 95.
func (s *session) beforeSecondAC() {
	const bit = emv.TVRDataAuthenticationNotPerformed
	if s.oda.method != methodCDA || !s.tvr.Has(bit) {
		return
	}
	s.tvr.Clear(bit)
	s.put(emv.TagTVR, s.tvr[:])
	s.explain(bit.String(), "taken back before the second GENERATE AC: "+bit.Name(), sectionCDA)
}

// combinedSignature checks the signature of an answer to GENERATE AC (Book 2, 6.6.2), and returns the CID that counts: the
// signed one as soon as it can be read, else that in clear (Book 4, 6.3.2.1). elements are the answer's objects in
// their order, nil for format 1, which has no signature. An error is a failed CDA.
// Reads: 9F27, 9F37. Writes: 9F26, 9F4C.
func (s *session) combinedSignature(elements []tlv.Item) (emv.CID, error) {
	cid := emv.CID(s.data.Value(emv.TagCID)[0])
	signed, ok := tlv.Find(elements, emv.TagSignedDynamicApplicationData)
	if !ok {
		return cid, errors.New("the card gave a " + cid.Cryptogram().String() + " without the signature that was asked for")
	}
	key, err := s.cardKey()
	if err != nil {
		return cid, err
	}
	d, err := oda.RecoverDynamic(key, signed)
	if err != nil {
		return cid, err
	}
	transaction := slices.Clip(s.oda.sent)
	for _, it := range elements {
		if it.Tag != emv.TagSignedDynamicApplicationData {
			transaction = append(transaction, it.Raw...)
		}
	}
	err = d.VerifyCombined(byte(cid), s.data.Value(emv.TagUnpredictableNumber), transaction)
	if d.Combined {
		cid = emv.CID(d.Information)
	}
	if err != nil {
		return cid, err
	}
	s.data.Put(emv.TagICCDynamicNumber, d.Number)
	s.data.Put(emv.TagApplicationCryptogram, d.Cryptogram)
	return cid, nil
}

// declineForgery ends a transaction whose first cryptogram came with a signature that is none: after a TC at once, after an
// ARQC with an AAC, which the card is asked for so that it knows the end (Book 4, 6.3.2.1). Whatever it answers, the decision
// stands.
// Writes: 8A, and what the second GENERATE AC brings.
func (s *session) declineForgery(ctx context.Context, got emv.CID) (ending, error) {
	const reason = "declined: the card's combined signature is not valid"
	s.put(emv.TagAuthorisationResponseCode, []byte("Z1"))
	if got.Cryptogram() == emv.ARQC {
		s.asked = emv.AAC
		_, _, err := s.generateAC(ctx, "second GENERATE AC", s.cdol2, false)
		if bad, ok := errors.AsType[*cardFault](err); ok {
			s.explain("outcome", "the card does not confirm the end: "+bad.reason, bad.section)
		} else if err != nil {
			return goOn, err
		}
	}
	s.explain("outcome", reason, "Book 4, 6.3.2.1")
	return ending{emv.Declined, reason}, nil
}
