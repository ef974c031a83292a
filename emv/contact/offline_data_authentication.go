package contact

import (
	"context"

	"tillway/emv"
)

// offlineDataAuthentication says what is so: this kernel authenticates no card offline. The TSI bit stays off, and the
// action codes see to it that nothing is approved offline (Book 3, 10.3; Book 2, 5 and 6).
// Reads: nothing. Writes: 95.
func (s *session) offlineDataAuthentication(context.Context) (ending, error) {
	s.setTVR(emv.TVRDataAuthenticationNotPerformed, "this kernel performs none", "Book 3, 10.3")
	return goOn, nil
}
