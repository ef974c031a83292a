package contact

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"tillway/emv"
	"tillway/emv/tlv"
)

// terminalData puts what the terminal brings into objects (Book 4, A5), and Fixed over them. Error: ErrParams.
// Writes: 5F2A, 5F36, 81, 95, 9A, 9B, 9C, 9F01, 9F02, 9F03, 9F04, 9F15, 9F16, 9F1A, 9F1C, 9F1E, 9F21, 9F33, 9F35, 9F39,
// 9F40, 9F41, 9F4E.
func terminalData(p emv.Params) (emv.Data, error) {
	var d emv.Data
	if err := checkParams(p); err != nil {
		return d, err
	}
	d.Put(emv.TagAmountAuthorised, digits(uint64(p.Amount.Minor), 6))
	d.Put(emv.TagAmountOther, digits(uint64(p.AmountOther.Minor), 6))
	d.Put(emv.TagTransactionCurrencyCode, digits(uint64(p.Amount.Currency.Numeric), 2))
	d.Put(emv.TagTransactionCurrencyExponent, digits(uint64(p.Amount.Currency.Exponent), 1))
	d.Put(emv.TagTransactionType, []byte{p.TransactionType})
	d.Put(emv.TagTransactionDate, digits(uint64(p.Time.Year()%100*10000+int(p.Time.Month())*100+p.Time.Day()), 3))
	d.Put(emv.TagTransactionTime, digits(uint64(p.Time.Hour()*10000+p.Time.Minute()*100+p.Time.Second()), 3))
	d.Put(emv.TagTransactionSequenceCounter, digits(uint64(p.SequenceCounter), 4))
	d.Put(emv.TagTerminalCountryCode, digits(uint64(p.TerminalCountry), 2))
	d.Put(emv.TagTerminalType, []byte{p.TerminalType})
	d.Put(emv.TagTerminalCapabilities, capabilities(p, p.Capabilities))
	d.Put(emv.TagAdditionalTerminalCapabilities, p.MoreCapabilities[:])
	d.Put(emv.TagPOSEntryMode, []byte{0x05}) // chip (ISO 8583:1987, DE 22)
	putText(&d, emv.TagTerminalIdentification, p.TerminalID)
	putText(&d, emv.TagMerchantIdentifier, p.MerchantID)
	putText(&d, emv.TagMerchantNameAndLocation, p.MerchantName)
	putText(&d, emv.TagIFDSerialNumber, p.IFDSerial)
	if p.MerchantCategory != 0 {
		d.Put(emv.TagMerchantCategoryCode, digits(uint64(p.MerchantCategory), 2))
	}
	if p.AcquirerID != "" {
		b, err := hex.DecodeString(fmt.Sprintf("%012s", p.AcquirerID))
		if err != nil || len(b) != 6 || !decimal(b) {
			return d, fmt.Errorf("acquirer identifier is not up to 11 digits: %w", ErrParams)
		}
		d.Put(emv.TagAcquirerIdentifier, b)
	}
	d.Put(emv.TagTVR, make([]byte, 5))
	d.Put(emv.TagTSI, make([]byte, 2))
	if err := putFixed(&d, p.Fixed); err != nil {
		return d, err
	}
	return d, keepBinaryAmounts(&d, p.Fixed)
}

// capabilities is 9F33 without what is switched off: the card is told what the terminal really does.
func capabilities(p emv.Params, c emv.Capabilities) []byte {
	if !p.Has(emv.FeatureSDA) {
		c[2] &^= 0x80
	}
	if !p.Has(emv.FeaturePlaintextPIN) {
		c[1] &^= 0x80
	}
	return c[:]
}

// keepBinaryAmounts makes 81 and 9F04 say what a fixed 9F02 or 9F03 says, unless they are fixed themselves.
func keepBinaryAmounts(d *emv.Data, fixed map[tlv.Tag][]byte) error {
	for _, pair := range [][2]tlv.Tag{
		{emv.TagAmountAuthorised, emv.TagAmountAuthorisedBinary},
		{emv.TagAmountOther, emv.TagAmountOtherBinary},
	} {
		if _, ok := fixed[pair[1]]; ok {
			continue
		}
		n, ok := number(d.Value(pair[0]))
		if !ok || n > math.MaxUint32 {
			return fmt.Errorf("%s does not fit the four bytes of tag %s: %w", pair[0], pair[1], ErrParams)
		}
		d.Put(pair[1], fourBytes(n))
	}
	return nil
}

func putText(d *emv.Data, tag tlv.Tag, text string) {
	if text != "" {
		d.Put(tag, []byte(text))
	}
}

// putFixed lays the caller's objects over the terminal's.
func putFixed(d *emv.Data, fixed map[tlv.Tag][]byte) error {
	for tag, v := range fixed {
		e, known := emv.Lookup(tag)
		switch {
		case known && e.Source == emv.ICC:
			return fmt.Errorf("fixed object %s belongs to the card: %w", tag, ErrParams)
		case known && !e.Fits(len(v)), len(v) > tlv.MaxDOLBytes:
			return fmt.Errorf("fixed object %s has %d bytes: %w", tag, len(v), ErrParams)
		case known && e.Format == emv.FormatN && !decimal(v):
			return fmt.Errorf("fixed object %s is not digits: %w", tag, ErrParams)
		}
		d.Put(tag, v)
	}
	return nil
}

func checkParams(p emv.Params) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, ErrParams)...)
	}
	switch {
	case len(p.Applications) == 0 || len(p.Applications) > maxApplications:
		return bad("%d applications, 1 to %d are wanted", len(p.Applications), maxApplications)
	case p.Amount.Minor < 0 || p.Amount.Minor > math.MaxUint32:
		return bad("amount does not fit the four bytes of tag 81")
	case p.AmountOther.Minor < 0 || p.AmountOther.Minor > p.Amount.Minor:
		return bad("other amount is not a part of the amount")
	case p.Amount.Currency.Code == "":
		return bad("amount has no currency")
	case p.AmountOther.Minor > 0 && p.AmountOther.Currency != p.Amount.Currency:
		return bad("amounts are of two currencies")
	case p.Random == nil:
		return bad("no source of random numbers")
	case !decimal([]byte{p.TransactionType}):
		return bad("transaction type is not two digits")
	case p.CDAMode < 0 || p.CDAMode > 4:
		return bad("CDA mode %d, 1 to 4 are there", p.CDAMode)
	case p.SequenceCounter > 99_999_999:
		return bad("sequence counter has more than 8 digits")
	}
	for _, n := range p.Selection {
		if n < 1 || n > 99 {
			return bad("random selection: a fixed number must be 1 to 99")
		}
	}
	for _, a := range p.Applications {
		switch {
		case len(a.AID) < 5 || len(a.AID) > 16:
			return bad("application identifier of %d bytes", len(a.AID))
		case a.FloorLimitMinor < 0 || a.FloorLimitMinor > math.MaxUint32:
			return bad("floor limit out of range")
		case a.RandomTarget < 0 || a.RandomTarget > 99 || a.RandomMaximum < a.RandomTarget || a.RandomMaximum > 99:
			return bad("random selection: percentages must be 0 to 99, the maximum at least the target")
		case a.RandomThreshold < 0 || a.RandomThreshold > a.FloorLimitMinor:
			return bad("random selection: threshold must be 0 to the floor limit")
		}
	}
	return nil
}

// fourBytes is n, checked before to be 0 to 2^32-1, as a binary number.
func fourBytes(n int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// digits is n as packed digits of so many bytes, zeros on the left; what does not fit is lost on the left.
func digits(n uint64, bytes int) []byte {
	b := make([]byte, bytes)
	for i := bytes - 1; i >= 0; i-- {
		b[i] = byte(n/10%10<<4 | n%10)
		n /= 100
	}
	return b
}

// decimal says whether packed digits are digits.
func decimal(b []byte) bool {
	for _, v := range b {
		if v>>4 > 9 || v&0x0F > 9 {
			return false
		}
	}
	return true
}

// number reads packed digits, at most nine bytes; ok is false when they are none.
func number(b []byte) (n int64, ok bool) {
	if len(b) > 9 || !decimal(b) {
		return 0, false
	}
	for _, v := range b {
		n = n*100 + int64(v>>4)*10 + int64(v&0x0F)
	}
	return n, true
}
