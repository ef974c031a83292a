package nac

import (
	"cmp"

	"tillway/iso8583"
)

// Table is the field table of the dialect: ISO 8583:1987 as terminals of the NAC family write it. MTI and numbers are BCD,
// lengths one or two BCD bytes, track 2 is nibbles with a filler, text ASCII. DE 24 is the network international
// identifier (NII); DE 60, 62 and 63 are the batch number or an original's data, the invoice number, and totals or text.
func Table(s Settings) iso8583.Table {
	const (
		numeric, text, track2, binary = iso8583.Numeric, iso8583.Text, iso8583.Track2, iso8583.Binary
		bcd, ascii, raw               = iso8583.BCD, iso8583.ASCII, iso8583.Raw
		fixed, ll, lll                = iso8583.Fixed, iso8583.LLBCD, iso8583.LLLBCD
		none, zero, space, filler     = iso8583.NoPadding, iso8583.ZeroLeft, iso8583.SpaceRight, iso8583.FillerRight
		show, all                     = iso8583.Show, iso8583.MaskAll
	)
	packing := iso8583.FillerF
	if s.Track2Filler == "0" {
		packing = iso8583.FillerZero
	}
	row := func(number int, name string, k iso8583.Kind, e iso8583.Encoding, l iso8583.Length, p iso8583.Padding, most int, m iso8583.Mask) iso8583.Field {
		return iso8583.Field{Number: number, Name: name, Kind: k, Encoding: e, Length: l, Padding: p, Max: most, Mask: m}
	}
	return iso8583.Table{
		Name: "nac", TPDU: true, Track2Filler: packing,
		Fields: []iso8583.Field{
			row(2, "Primary account number", numeric, bcd, ll, zero, 19, iso8583.MaskPAN),
			row(3, "Processing code", numeric, bcd, fixed, none, 6, show),
			row(4, "Amount, transaction", numeric, bcd, fixed, zero, 12, show),
			row(7, "Transmission date and time", numeric, bcd, fixed, none, 10, show),
			row(11, "System trace audit number", numeric, bcd, fixed, zero, 6, show),
			row(12, "Time, local transaction", numeric, bcd, fixed, none, 6, show),
			row(13, "Date, local transaction", numeric, bcd, fixed, none, 4, show),
			row(14, "Date, expiration", numeric, bcd, fixed, none, 4, all),
			row(15, "Date, settlement", numeric, bcd, fixed, none, 4, show),
			row(22, "Point of service entry mode", numeric, bcd, fixed, zero, 3, show),
			row(23, "Card sequence number", numeric, bcd, fixed, zero, 3, show),
			row(24, "Network international identifier", numeric, bcd, fixed, zero, 3, show),
			row(25, "Point of service condition code", numeric, bcd, fixed, none, 2, show),
			row(35, "Track 2 data", track2, bcd, ll, filler, 37, iso8583.MaskTrack),
			row(36, "Track 3 data", track2, bcd, lll, filler, 104, all),
			row(37, "Retrieval reference number", text, ascii, fixed, space, 12, show),
			row(38, "Authorisation identification response", text, ascii, fixed, space, 6, show),
			row(39, "Response code", text, ascii, fixed, none, 2, show),
			row(41, "Terminal identification", text, ascii, fixed, space, 8, show),
			row(42, "Card acceptor identification", text, ascii, fixed, space, 15, show),
			row(45, "Track 1 data", text, ascii, ll, none, 76, all),
			row(48, "Additional data, private", text, ascii, lll, none, 999, show),
			row(49, "Currency code, transaction", numeric, bcd, fixed, zero, 3, show),
			row(52, "PIN data", binary, raw, fixed, none, cmp.Or(s.PINBytes, 8), all),
			row(53, "Security related control information", numeric, bcd, fixed, none, 16, show),
			row(54, "Additional amounts", text, ascii, lll, none, 120, show),
			row(55, "Chip data", binary, raw, lll, none, 999, iso8583.MaskTags),
			row(60, "Batch number or original data", text, ascii, lll, none, 999, show),
			row(61, "Private 61", text, ascii, lll, none, 999, show),
			row(62, "Invoice number", text, ascii, lll, none, 999, show),
			row(63, "Totals or text", text, ascii, lll, none, 999, show),
			row(64, "Message authentication code", binary, raw, fixed, none, 8, show),
			row(70, "Network management information code", numeric, bcd, fixed, zero, 3, show),
		},
	}
}
