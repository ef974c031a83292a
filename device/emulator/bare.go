package emulator

// Bare is a card as it shows itself at T=0 to somebody who sends it APDUs as TPDUs: data that are ready are announced by
// 61xx and have to be fetched by GET RESPONSE, and a wrong length is answered by 6Cxx (Book 1, 9.3; ISO/IEC 7816-3, 12.2).
// A reader's driver does that for a terminal; a client of Serve has to do it itself.
func Bare(c Chip) Chip { return &bare{Chip: c, wire: t0{chip: c}} }

type bare struct {
	Chip
	wire t0
}

func (b *bare) Reset() {
	b.Chip.Reset()
	b.wire = t0{chip: b.Chip}
}

// Transmit sends the command without its Le where it has data: T=0 has no room for both.
func (b *bare) Transmit(apdu []byte) []byte {
	switch n := len(apdu); {
	case n == 4:
		apdu = append(apdu[:4:4], 0)
	case n > 5 && n == 6+int(apdu[4]):
		apdu = apdu[:n-1]
	}
	return b.wire.exchange(apdu)
}
