package contact

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// terminalRiskManagement weighs this transaction by itself: a log of earlier sales and an exception file are not there
// yet (Book 3, 10.6).
// Reads: 82, 9F02, 9F13, 9F14, 9F1B, 9F23, 9F35, 9F36. Writes: 95, 9B.
func (s *session) terminalRiskManagement(ctx context.Context) (ending, error) {
	if s.params.ForceOnline {
		s.setTVR(emv.TVRForcedOnline, "the merchant asked for it", "Book 3, 10.6")
	}
	if !s.aip.Has(emv.AIPTerminalRiskManagement) {
		return goOn, nil
	}
	if err := s.floorLimit(); err != nil {
		return goOn, err
	}
	if err := s.velocity(ctx); err != nil {
		return goOn, err
	}
	s.setTSI(emv.TSITerminalRiskManagementDone)
	return goOn, nil
}

// floorLimit compares this amount with the floor limit, and draws lots below it (Book 3, 10.6.1 and 10.6.2).
func (s *session) floorLimit() error {
	amount, _ := number(s.data.Value(emv.TagAmountAuthorised))
	limit := int64(binary.BigEndian.Uint32(s.data.Value(emv.TagTerminalFloorLimit)))
	if amount >= limit {
		s.setTVR(emv.TVRFloorLimitExceeded, fmt.Sprintf("%d is at or over %d", amount, limit), "Book 3, 10.6.1")
		return nil
	}
	kind := emv.TerminalType(s.data.Value(emv.TagTerminalType)[0])
	target := selectionTarget(amount, limit, s.app)
	if target == 0 || kind.OnlineOnly() || kind.OfflineOnly() { // there is nothing to choose
		return nil
	}
	n, err := s.oneToNinetyNine()
	if err != nil {
		return err
	}
	if n <= target {
		s.setTVR(emv.TVRSelectedRandomly, fmt.Sprintf("%d drawn, %d percent are selected", n, target), "Book 3, 10.6.2")
	}
	return nil
}

// selectionTarget is the percentage of transactions of this amount to select: the target up to the threshold, from
// there rising evenly to the maximum at the floor limit (Book 3, 10.6.2).
func selectionTarget(amount, limit int64, app emv.Application) int {
	if amount < app.RandomThreshold || limit <= app.RandomThreshold {
		return app.RandomTarget
	}
	rise := int64(app.RandomMaximum-app.RandomTarget) * (amount - app.RandomThreshold) / (limit - app.RandomThreshold)
	return app.RandomTarget + int(rise)
}

// oneToNinetyNine draws evenly: a byte of 198 or more would favour the low numbers and is drawn again.
func (s *session) oneToNinetyNine() (int, error) {
	for range 64 {
		var b [1]byte
		if err := s.random(b[:]); err != nil {
			return 0, err
		}
		if b[0] < 198 {
			return int(b[0])%99 + 1, nil
		}
	}
	return 0, errors.New("source of random numbers: 64 draws of 198 and over")
}

// velocity compares the card's counters with its limits, where it brings both limits (Book 3, 10.6.3).
func (s *session) velocity(ctx context.Context) error {
	const section = "Book 3, 10.6.3"
	lower, hasLower := s.data.Get(emv.TagLowerConsecutiveOfflineLimit)
	upper, hasUpper := s.data.Get(emv.TagUpperConsecutiveOfflineLimit)
	if !hasLower || !hasUpper {
		return nil
	}
	atc, err := s.counter(ctx, emv.TagATC)
	if err != nil {
		return err
	}
	last, err := s.counter(ctx, emv.TagLastOnlineATCRegister)
	if err != nil {
		return err
	}
	both := func(reason string) {
		s.setTVR(emv.TVRLowerOfflineLimitExceeded, reason, section)
		s.setTVR(emv.TVRUpperOfflineLimitExceeded, reason, section)
	}
	switch {
	case atc < 0 || last < 0:
		both("the card does not give its counters")
	case atc <= last:
		both("the card's counter is not past that of its last online transaction")
	default:
		if atc-last > int(lower[0]) {
			s.setTVR(emv.TVRLowerOfflineLimitExceeded, fmt.Sprintf("%d since the last online, %d allowed", atc-last, lower[0]), section)
		}
		if atc-last > int(upper[0]) {
			s.setTVR(emv.TVRUpperOfflineLimitExceeded, fmt.Sprintf("%d since the last online, %d allowed", atc-last, upper[0]), section)
		}
	}
	if last == 0 {
		s.setTVR(emv.TVRNewCard, "the card was never online", section)
	}
	return nil
}

// counter asks the card for a counter of two bytes; -1 when it gives none (Book 3, 6.5.7).
func (s *session) counter(ctx context.Context, tag tlv.Tag) (int, error) {
	t := tag.Bytes()
	data, err := s.transmit(ctx, "GET DATA "+tag.String(), apdu(0x80, 0xCA, t[0], t[1], nil))
	if _, answered := statusOf(err); answered {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 || items[0].Tag != tag || len(items[0].Value) != 2 {
		s.explain(oddData, "the answer to GET DATA "+tag.String()+" is not that object", "Book 3, 6.5.7.4")
		return -1, nil
	}
	s.data.Put(tag, items[0].Value)
	return int(binary.BigEndian.Uint16(items[0].Value)), nil
}
