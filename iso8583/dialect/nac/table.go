package nac

import "tillway/iso8583"

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
	return iso8583.Table{
		Name: "nac", TPDU: true, Track2Filler: s.Track2Filler,
		Fields: []iso8583.Field{
			{2, "Primary account number", numeric, bcd, ll, zero, 19, iso8583.MaskPAN},
			{3, "Processing code", numeric, bcd, fixed, none, 6, show},
			{4, "Amount, transaction", numeric, bcd, fixed, zero, 12, show},
			{7, "Transmission date and time", numeric, bcd, fixed, none, 10, show},
			{11, "System trace audit number", numeric, bcd, fixed, zero, 6, show},
			{12, "Time, local transaction", numeric, bcd, fixed, none, 6, show},
			{13, "Date, local transaction", numeric, bcd, fixed, none, 4, show},
			{14, "Date, expiration", numeric, bcd, fixed, none, 4, all},
			{15, "Date, settlement", numeric, bcd, fixed, none, 4, show},
			{22, "Point of service entry mode", numeric, bcd, fixed, zero, 3, show},
			{23, "Card sequence number", numeric, bcd, fixed, zero, 3, show},
			{24, "Network international identifier", numeric, bcd, fixed, zero, 3, show},
			{25, "Point of service condition code", numeric, bcd, fixed, none, 2, show},
			{35, "Track 2 data", track2, bcd, ll, filler, 37, iso8583.MaskTrack},
			{36, "Track 3 data", track2, bcd, lll, filler, 104, all},
			{37, "Retrieval reference number", text, ascii, fixed, space, 12, show},
			{38, "Authorisation identification response", text, ascii, fixed, space, 6, show},
			{39, "Response code", text, ascii, fixed, none, 2, show},
			{41, "Terminal identification", text, ascii, fixed, space, 8, show},
			{42, "Card acceptor identification", text, ascii, fixed, space, 15, show},
			{45, "Track 1 data", text, ascii, ll, none, 76, all},
			{48, "Additional data, private", text, ascii, lll, none, 999, show},
			{49, "Currency code, transaction", numeric, bcd, fixed, zero, 3, show},
			{52, "PIN data", binary, raw, fixed, none, 8, all},
			{53, "Security related control information", numeric, bcd, fixed, none, 16, show},
			{54, "Additional amounts", text, ascii, lll, none, 120, show},
			{55, "Chip data", binary, raw, lll, none, 999, iso8583.MaskTags},
			{60, "Batch number or original data", text, ascii, lll, none, 999, show},
			{61, "Private 61", text, ascii, lll, none, 999, show},
			{62, "Invoice number", text, ascii, lll, none, 999, show},
			{63, "Totals or text", text, ascii, lll, none, 999, show},
			{64, "Message authentication code", binary, raw, fixed, none, 8, show},
			{70, "Network management information code", numeric, bcd, fixed, zero, 3, show},
		},
	}
}
