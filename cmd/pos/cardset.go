package main

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
)

// fixedAmount is the amount that --set 9F02 (or 81) and 5F2A say, so that what the kernel compares is what the card is told;
// one whole unit of the profile's currency when they say nothing. A currency that is not in the table is only told.
func fixedAmount(fixed map[tlv.Tag][]byte, c money.Currency) (money.Amount, error) {
	if n, err := strconv.ParseUint(hex.EncodeToString(fixed[emv.TagTransactionCurrencyCode]), 10, 16); err == nil {
		if known, err := money.ByNumeric(uint16(n)); err == nil {
			c = known
		}
	}
	b, ok := fixed[emv.TagAmountAuthorised]
	if binaryAmount := fixed[emv.TagAmountAuthorisedBinary]; !ok && len(binaryAmount) == 4 {
		return money.New(int64(binary.BigEndian.Uint32(binaryAmount)), c), nil
	}
	if !ok {
		return money.Parse("1", c)
	}
	minor, err := strconv.ParseInt(hex.EncodeToString(b), 10, 64)
	if err != nil || len(b) != 6 {
		return money.Amount{}, usage("--set 9F02=%X: it takes twelve decimal digits", b)
	}
	return money.New(minor, c), nil
}

// agree makes the parameters say what --set fixes, so that a decision which looks at them and one which looks at the data
// object cannot differ. Objects of a wrong form are left to the kernel, which refuses them.
func agree(params *emv.Params, fixed map[tlv.Tag][]byte) error {
	for tag, v := range fixed {
		switch tag {
		case emv.TagTerminalType:
			if len(v) == 1 {
				params.TerminalType = v[0]
			}
		case emv.TagTerminalCapabilities:
			if len(v) == 3 { // of the whole terminal: what a profile says of one application gives way
				params.Capabilities = [3]byte(v)
				for i := range params.Applications {
					params.Applications[i].Capabilities = [3]byte{}
				}
			}
		case emv.TagAdditionalTerminalCapabilities:
			copy(params.MoreCapabilities[:], v)
		case emv.TagTransactionType:
			if len(v) == 1 {
				params.TransactionType = v[0]
			}
		case emv.TagTerminalCountryCode:
			if n, err := strconv.ParseUint(hex.EncodeToString(v), 10, 16); err == nil {
				params.TerminalCountry = uint16(n)
			}
		case emv.TagAmountOther:
			if n, err := strconv.ParseInt(hex.EncodeToString(v), 10, 64); err == nil && n <= params.Amount.Minor {
				params.AmountOther = money.New(n, params.Amount.Currency)
			}
		case emv.TagTransactionDate, emv.TagTransactionTime, emv.TagTerminalFloorLimit:
			// the date and the time follow below; the kernel reads the floor limit from the object
		}
	}
	return agreeTime(params, fixed)
}

func agreeTime(params *emv.Params, fixed map[tlv.Tag][]byte) error {
	for _, row := range []struct {
		tag    tlv.Tag
		layout string
		write  string
	}{
		{emv.TagTransactionDate, "060102", "a date, YYMMDD"},
		{emv.TagTransactionTime, "150405", "a time, HHMMSS"},
	} {
		v, ok := fixed[row.tag]
		if !ok {
			continue
		}
		at, err := time.ParseInLocation(row.layout, hex.EncodeToString(v), params.Time.Location())
		if err != nil {
			return usage("--set %s=%X: it takes %s", row.tag, v, row.write)
		}
		date, clock := at, params.Time
		if row.tag == emv.TagTransactionTime {
			date, clock = params.Time, at
		}
		params.Time = time.Date(date.Year(), date.Month(), date.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, params.Time.Location())
	}
	return nil
}
