package nac

import "tillway/iso8583"

// Settings is what differs from acquirer to acquirer.
type Settings struct {
	TPDU         string         // ten hexadecimal digits: "6000030000"
	NII          string         // three digits: "003"
	Track2Filler iso8583.Filler // behind an odd number of track-2 digits
}
