package v93

import (
	"cmp"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
)

// The fields, by number (ISO 8583:1993).
const (
	pan             = 2
	processingCode  = 3
	amount          = 4
	transmission    = 7
	stan            = 11
	localTime       = 12
	expiry          = 14
	posData         = 22
	cardSequence    = 23
	functionCode    = 24
	messageReason   = 25
	category        = 26
	reconcileDate   = 28
	originalAmounts = 30
	acquirerID      = 32
	forwarderID     = 33
	track2          = 35
	retrieval       = 37
	approval        = 38
	actionCode      = 39
	terminalID      = 41
	merchantID      = 42
	currency        = 49
	currencyOfTotal = 50
	pinData         = 52
	security        = 53
	additional      = 54
	chipData        = 55
	original        = 56
	macShortMap     = 64
	creditCount     = 74
	debitCount      = 76
	creditSum       = 86
	debitSum        = 88
	macLongMap      = 128
)

// Table is the field table of the dialect: ISO 8583:1993 in the encoding of the settings. With "bcd", numbers are two digits a
// byte, lengths one or two BCD bytes and the bitmap binary; with "ascii", all of these are characters.
func Table(s Settings) iso8583.Table {
	const (
		numeric, text, track, binary = iso8583.Numeric, iso8583.Text, iso8583.Track2, iso8583.Binary
		show, all                    = iso8583.Show, iso8583.MaskAll
	)
	digits, ll, lll, zero, filler := iso8583.BCD, iso8583.LLBCD, iso8583.LLLBCD, iso8583.ZeroLeft, iso8583.FillerRight
	if s.Encoding == encodingASCII {
		digits, ll, lll, zero, filler = iso8583.ASCII, iso8583.LLASCII, iso8583.LLLASCII, iso8583.NoPadding, iso8583.NoPadding
	}
	packing := iso8583.FillerF
	if s.Track2Filler == "0" {
		packing = iso8583.FillerZero
	}
	n := func(number int, name string, size int) iso8583.Field { // values come whole: only a spare nibble is filled
		padding := iso8583.NoPadding
		if size%2 == 1 {
			padding = zero
		}
		return iso8583.Field{Number: number, Name: name, Kind: numeric, Encoding: digits, Padding: padding, Max: size}
	}
	nvar := func(number int, name string, most int, m iso8583.Mask) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: numeric, Encoding: digits, Length: ll, Padding: zero, Max: most, Mask: m}
	}
	fixed := func(number int, name string, size int) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: text, Encoding: iso8583.ASCII, Padding: iso8583.SpaceRight, Max: size}
	}
	tvar := func(number int, name string, l iso8583.Length, most int, m iso8583.Mask) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: text, Encoding: iso8583.ASCII, Length: l, Max: most, Mask: m}
	}
	b := func(number int, name string, l iso8583.Length, most int, m iso8583.Mask) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: binary, Encoding: iso8583.Raw, Length: l, Max: most, Mask: m}
	}
	tracked := func(number int, name string, l iso8583.Length, most int, m iso8583.Mask) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: track, Encoding: digits, Length: l, Padding: filler, Max: most, Mask: m}
	}
	secret := func(f iso8583.Field) iso8583.Field { f.Mask = all; return f }
	originalRow := nvar(original, "Original data elements", maxOriginal, show)
	if s.OriginalText {
		originalRow = tvar(original, "Original data elements", ll, maxOriginal, show)
	}
	return iso8583.Table{
		Name: "v93", TPDU: s.TPDU != "", Track2Filler: packing, CharacterHeader: s.Encoding == encodingASCII,
		Fields: []iso8583.Field{
			nvar(pan, "Primary account number", 19, iso8583.MaskPAN),
			n(processingCode, "Processing code", 6),
			n(amount, "Amount, transaction", 12),
			n(5, "Amount, reconciliation", 12),
			n(6, "Amount, cardholder billing", 12),
			n(transmission, "Date and time, transmission", 10),
			n(stan, "Systems trace audit number", 6),
			n(localTime, "Date and time, local transaction", 12),
			secret(n(expiry, "Date, expiration", 4)),
			n(15, "Date, settlement", 6),
			fixed(posData, "Point of service data code", 12),
			n(cardSequence, "Card sequence number", 3),
			n(functionCode, "Function code", 3),
			n(messageReason, "Message reason code", 4),
			n(category, "Card acceptor business code", 4),
			n(reconcileDate, "Date, reconciliation", 6),
			n(29, "Reconciliation indicator", 3),
			n(originalAmounts, "Amounts, original", 24),
			nvar(acquirerID, "Acquiring institution identification code", 11, show),
			nvar(forwarderID, "Forwarding institution identification code", 11, show),
			tracked(track2, "Track 2 data", ll, 37, iso8583.MaskTrack),
			tracked(36, "Track 3 data", lll, 104, all),
			fixed(retrieval, "Retrieval reference number", 12),
			fixed(approval, "Approval code", 6),
			n(actionCode, "Action code", 3),
			fixed(terminalID, "Card acceptor terminal identification", cmp.Or(s.TerminalIDLength, 8)),
			fixed(merchantID, "Card acceptor identification code", 15),
			tvar(44, "Additional response data", ll, 99, show),
			tvar(45, "Track 1 data", ll, 76, all),
			tvar(46, "Amounts, fees", lll, 204, show),
			tvar(47, "Additional data, national", lll, 999, show),
			tvar(48, "Additional data, private", lll, 999, show),
			n(currency, "Currency code, transaction", 3),
			n(currencyOfTotal, "Currency code, reconciliation", 3),
			b(pinData, "PIN data", iso8583.Fixed, cmp.Or(s.PINBytes, 8), all),
			b(security, "Security related control information", ll, maxSecurity, show),
			tvar(additional, "Amounts, additional", lll, 120, show),
			b(chipData, "Integrated circuit card data", lll, dialect.MaxChipData, iso8583.MaskTags),
			originalRow,
			tvar(59, "Transport data", lll, 999, show),
			tvar(60, "Private 60", lll, 999, show),
			tvar(61, "Private 61", lll, 999, show),
			tvar(62, "Private 62", lll, 999, show),
			tvar(63, "Private 63", lll, 999, show),
			b(macShortMap, "Message authentication code", iso8583.Fixed, macField, show),
			tvar(72, "Data record", lll, 999, show),
			n(creditCount, "Credits, number", 10),
			n(75, "Credits, reversal number", 10),
			n(debitCount, "Debits, number", 10),
			n(77, "Debits, reversal number", 10),
			n(creditSum, "Credits, amount", 16),
			n(87, "Credits, reversal amount", 16),
			n(debitSum, "Debits, amount", 16),
			n(89, "Debits, reversal amount", 16),
			b(96, "Key management data", lll, 999, all),
			tvar(124, "Totals of the terminal", lll, 999, show),
			tvar(127, "Private 127", lll, 999, show),
			b(macLongMap, "Message authentication code", iso8583.Fixed, macField, show),
		},
	}
}
