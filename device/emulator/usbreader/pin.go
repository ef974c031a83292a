package usbreader

// secure is a PIN entry on the reader's keys (CCID 1.1, 6.1.11): the PIN is put into the command and goes to the card; the
// computer gets the card's status alone. Only what EMV needs is known: verification, a block of the form "2N PIN FF…".
func (r *Reader) secure(m message) reply {
	const (
		verification = 0
		head         = 15 // of the PIN verification data structure, bPINOperation included
		minAndMax    = 5  // wPINMaxExtraDigit: most, then least
		formatBCD    = 0x89
		blockOfEight = 0x47
		lengthNibble = 0x04
	)
	switch d := m.data; {
	case r.cfg.PINPad == nil:
		return r.failed(dataBlock, unsupported)
	case r.contacts == nil:
		return r.failed(dataBlock, mute)
	case len(d) != head+13 || d[0] != verification:
		return r.failed(dataBlock, headLength)
	case d[2] != formatBCD || d[3] != blockOfEight || d[4] != lengthNibble:
		return r.failed(dataBlock, headLength+2)
	}
	digits, ok := r.cfg.PINPad()
	if most, least := int(m.data[minAndMax]), int(m.data[minAndMax+1]); !ok || len(digits) < least || len(digits) > most {
		return r.failed(dataBlock, pinCancelled)
	}
	command := m.data[head:]
	command[5] = command[5]&0xF0 | byte(len(digits)) //nolint:gosec // at most 12 digits
	for i, c := range []byte(digits) {
		if at := 6 + i/2; i%2 == 0 {
			command[at] = (c-'0')<<4 | 0x0F
		} else {
			command[at] = command[at]&0xF0 | (c - '0')
		}
	}
	return r.exchange(command, false)
}
