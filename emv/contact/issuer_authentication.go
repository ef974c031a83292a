package contact

import (
	"context"

	"tillway/emv"
)

// issuerAuthentication sends EXTERNAL AUTHENTICATE, at most once, when the card supports it and the issuer sent 91. A
// card without that bit checks 91 in the second GENERATE AC, if its CDOL2 asks for it. No refusal, 6985 among them, ends
// the transaction: the card decides (Book 3, 10.9 and F).
// Reads: 82, 91. Writes: 95, 9B.
func (s *session) issuerAuthentication(ctx context.Context) (ending, error) {
	const section = "Book 3, 10.9"
	data, ok := s.data.Get(emv.TagIssuerAuthenticationData)
	if !ok || !s.aip.Has(emv.AIPExternalAuthenticate) || s.answer.Result == emv.HostUnable {
		return goOn, nil
	}
	command := append([]byte{0x00, 0x82, 0x00, 0x00, length(data)}, data...) // case 3: no Le
	_, err := s.transmit(ctx, "EXTERNAL AUTHENTICATE", command)
	status, answered := statusOf(err)
	if err != nil && !answered {
		return goOn, err
	}
	s.setTSI(emv.TSIIssuerAuthenticationPerformed)
	if answered {
		s.setTVR(emv.TVRIssuerAuthenticationFailed, status.Error(), section)
		return goOn, nil
	}
	s.explain("issuer authentication", "the card accepted the issuer's cryptogram", section)
	return goOn, nil
}
