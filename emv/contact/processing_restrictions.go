package contact

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"tillway/emv"
)

// The transaction types that the books give a meaning (Book 3, Annex A, 9C: the first two digits of the processing
// code of ISO 8583:1987).
const (
	typeGoods    = 0x00
	typeCash     = 0x01
	typeCashback = 0x09
)

// processingRestrictions compares versions, usage and dates; nothing here ends the transaction (Book 3, 10.4).
// Reads: 5F24, 5F25, 5F28, 9A, 9C, 9F03, 9F07, 9F08, 9F09, 9F1A, 9F35, 9F40. Writes: 95.
func (s *session) processingRestrictions(context.Context) (ending, error) {
	own, known := s.data.Get(emv.TagApplicationVersionTerminal) // a terminal for trying cards may have none: there is nothing to compare
	if v, ok := s.data.Get(emv.TagApplicationVersionICC); ok && known && !bytes.Equal(v, own) {
		s.setTVR(emv.TVRDifferentVersions, fmt.Sprintf("card %X, terminal %X", v, own), "Book 3, 10.4.1")
	}
	if b, ok := s.data.Get(emv.TagAUC); ok {
		var auc emv.AUC
		copy(auc[:], b)
		if reason := s.usage(auc); reason != "" {
			s.setTVR(emv.TVRServiceNotAllowed, reason, "Book 3, 10.4.2")
		}
	}
	return goOn, s.applicationDates()
}

// usage is why the AUC forbids this transaction, empty when it does not.
func (s *session) usage(auc emv.AUC) string {
	var more emv.MoreCapabilities
	copy(more[:], s.data.Value(emv.TagAdditionalTerminalCapabilities))
	atm := emv.TerminalType(s.data.Value(emv.TagTerminalType)[0]).ATM(more)
	if atm && !auc.Has(emv.AUCATM) {
		return "not valid at ATMs"
	}
	if !atm && !auc.Has(emv.AUCOtherThanATM) {
		return "valid at ATMs only"
	}
	issuer, ok := s.data.Get(emv.TagIssuerCountryCode)
	if !ok {
		return ""
	}
	domestic := bytes.Equal(issuer, s.data.Value(emv.TagTerminalCountryCode))
	allowed := func(home, abroad emv.AUCBit) bool { return domestic && auc.Has(home) || !domestic && auc.Has(abroad) }
	switch s.data.Value(emv.TagTransactionType)[0] {
	case typeCash:
		if !allowed(emv.AUCDomesticCash, emv.AUCInternationalCash) {
			return "cash not allowed in this country"
		}
	case typeGoods, typeCashback:
		if !allowed(emv.AUCDomesticGoods, emv.AUCInternationalGoods) && !allowed(emv.AUCDomesticServices, emv.AUCInternationalServices) {
			return "goods and services not allowed in this country"
		}
	}
	if s.cashback() && !allowed(emv.AUCDomesticCashback, emv.AUCInternationalCashback) {
		return "cashback not allowed in this country"
	}
	return ""
}

// cashback says that a part of the amount is handed out in cash.
func (s *session) cashback() bool {
	other, _ := number(s.data.Value(emv.TagAmountOther))
	kind := s.data.Value(emv.TagTransactionType)[0]
	return kind == typeCashback || kind == typeGoods && other > 0
}

// applicationDates compares the dates by the calendar (Book 3, 10.4.3).
func (s *session) applicationDates() error {
	const section = "Book 3, 10.4.3"
	today, ok := date(s.data.Value(emv.TagTransactionDate))
	if !ok {
		return fmt.Errorf("transaction date: %w", ErrParams)
	}
	if v, there := s.data.Get(emv.TagApplicationEffectiveDate); there {
		effective, ok := date(v)
		if !ok {
			return fault("Book 3, 7.5", "the card's effective date is no date")
		}
		if today.Before(effective) {
			s.setTVR(emv.TVRNotYetEffective, "the card is valid from a later day", section)
		}
	}
	expiry, ok := date(s.data.Value(emv.TagApplicationExpirationDate))
	if !ok {
		return fault("Book 3, 7.5", "the card's expiration date is no date")
	}
	if today.After(expiry) {
		s.setTVR(emv.TVRExpired, "the last day of validity has passed", section)
	}
	return nil
}

// date reads YYMMDD: years 50 to 99 are of the last century (Book 4, 6.7.3). A day 00 is no date (Book 3, 7.5).
func date(b []byte) (time.Time, bool) {
	if len(b) != 3 || !decimal(b) {
		return time.Time{}, false
	}
	two := func(v byte) int { return int(v>>4)*10 + int(v&0x0F) }
	year, month, day := 2000+two(b[0]), two(b[1]), two(b[2])
	if year >= 2050 {
		year -= 100
	}
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if month < 1 || month > 12 || day < 1 || day > last {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
}
