package contact

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// terminalRiskManagement weighs the transaction, whatever the AIP says of it; nothing here ends the transaction
// (Book 3, 10.6; Book 4, 6.3.5 and 6.5.3).
// Reads: 57, 5A, 5F34, 9F02, 9F13, 9F14, 9F1B, 9F23, 9F35, 9F36. Writes: 95, 9B, 9F13, 9F36.
func (s *session) terminalRiskManagement(ctx context.Context) (ending, error) {
	if s.params.ForceOnline {
		s.setTVR(emv.TVRForcedOnline, "the merchant asked for it", "Book 4, 6.5.3")
	}
	pan, err := s.pan()
	if err != nil {
		return goOn, err
	}
	for _, check := range []func(context.Context, emv.PAN) error{s.exceptionFile, s.floorLimit, s.randomSelection, s.velocity} {
		if err := check(ctx, pan); err != nil {
			return goOn, err
		}
	}
	s.setTSI(emv.TSITerminalRiskManagementDone)
	return goOn, nil
}

// sequenceNumber is the card's number among those of the same account, -1 when it has none.
func (s *session) sequenceNumber() int {
	n, ok := number(s.data.Value(emv.TagPANSequenceNumber))
	if !ok || !s.data.Has(emv.TagPANSequenceNumber) {
		return -1
	}
	return int(n)
}

// exceptionFile looks the card up, where the terminal has such a file (Book 4, 6.3.5).
func (s *session) exceptionFile(ctx context.Context, pan emv.PAN) error {
	if s.params.ExceptionFile == nil {
		return nil
	}
	listed, err := s.params.ExceptionFile.Listed(ctx, pan, s.sequenceNumber())
	if err != nil {
		return fmt.Errorf("exception file: %w", err)
	}
	if listed {
		s.setTVR(emv.TVROnExceptionFile, "the terminal's list has this card", "Book 4, 6.3.5")
	}
	return nil
}

// floorLimit compares with the floor limit this amount and that of the card's newest sale together, so that a sale that is
// split is seen (Book 3, 10.6.1).
func (s *session) floorLimit(ctx context.Context, pan emv.PAN) error {
	const section = "Book 3, 10.6.1"
	amount, limit := s.amountAndLimit()
	var before int64
	if s.params.History != nil {
		var err error
		if before, err = s.params.History.LastSale(ctx, pan, s.sequenceNumber()); err != nil {
			return fmt.Errorf("earlier sales: %w", err)
		}
	}
	switch {
	case before > 0 && before >= limit-amount:
		s.setTVR(emv.TVRFloorLimitExceeded, fmt.Sprintf("%d and %d of the sale before are at or over %d", amount, before, limit), section)
	case amount >= limit:
		s.setTVR(emv.TVRFloorLimitExceeded, fmt.Sprintf("%d is at or over %d", amount, limit), section)
	}
	return nil
}

func (s *session) amountAndLimit() (amount, limit int64) {
	amount, _ = number(s.data.Value(emv.TagAmountAuthorised))
	return amount, int64(binary.BigEndian.Uint32(s.data.Value(emv.TagTerminalFloorLimit)))
}

// randomSelection draws lots for an amount below the floor limit, where there is a choice between online and offline
// (Book 3, 10.6 and 10.6.2).
func (s *session) randomSelection(context.Context, emv.PAN) error {
	kind := s.terminalType()
	amount, limit := s.amountAndLimit()
	if amount >= limit || kind.OnlineOnly() || kind.OfflineOnly() || !s.params.Has(emv.FeatureRandomSelection) {
		return nil
	}
	target := selectionTarget(amount, limit, s.app)
	if target == 0 { // no number drawn could select it
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

func (s *session) terminalType() emv.TerminalType {
	return emv.TerminalType(s.data.Value(emv.TagTerminalType)[0])
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

// oneToNinetyNine draws evenly: a byte of 198 or more would favour the low numbers and is drawn again. The numbers that the
// caller fixed go first.
func (s *session) oneToNinetyNine() (int, error) {
	if len(s.params.Selection) > 0 {
		n := s.params.Selection[0]
		s.params.Selection = s.params.Selection[1:]
		return n, nil
	}
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

// velocity compares the card's counters with its limits, where it brings both limits. The upper limit is looked at only
// once the lower is exceeded (Book 3, 10.6.3).
func (s *session) velocity(ctx context.Context, _ emv.PAN) error {
	const section = "Book 3, 10.6.3"
	lower, hasLower := s.data.Get(emv.TagLowerConsecutiveOfflineLimit)
	upper, hasUpper := s.data.Get(emv.TagUpperConsecutiveOfflineLimit)
	if !hasLower || !hasUpper || !s.params.Has(emv.FeatureVelocity) {
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
		s.setTVR(emv.TVRICCDataMissing, "the card has both offline limits and does not give its counters", "Book 3, 7.5")
		both("the card does not give its counters")
	case atc <= last:
		both("the card's counter is not past that of its last online transaction")
	case atc-last > int(lower[0]):
		s.setTVR(emv.TVRLowerOfflineLimitExceeded, fmt.Sprintf("%d since the last online, %d allowed", atc-last, lower[0]), section)
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
