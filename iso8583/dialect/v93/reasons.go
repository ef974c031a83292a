package v93

import (
	"fmt"

	"tillway/emv"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// Reason is why a message is what it is: an advice and not a request, a request and not an offline approval, a reversal.
type Reason string

// The reasons: why an advice, why online, why reversed.
const (
	TerminalProcessed Reason = "terminal processed"
	ICCProcessed      Reason = "ICC processed"
	ApprovedByVoice   Reason = "approved by voice"

	ICCUnableToProcess Reason = "ICC application unable to process"
	ICCRandom          Reason = "ICC random selection"
	TerminalRandom     Reason = "terminal random selection"
	TerminalNotICC     Reason = "terminal not able to process ICC"
	ForcedByICC        Reason = "online forced by ICC"
	ForcedByMerchant   Reason = "online forced by card acceptor"
	ForcedByTerminal   Reason = "online forced by terminal"
	ForcedByIssuer     Reason = "online forced by card issuer"
	OverFloorLimit     Reason = "over floor limit"

	CustomerCancellation Reason = "customer cancellation"
	Unspecified          Reason = "unspecified"
	SuspectedMalfunction Reason = "suspected malfunction"
	FormatError          Reason = "format error"
	ResponseTooLate      Reason = "response received too late"
	UnableToComplete     Reason = "unable to complete transaction"
	UnableToDeliver      Reason = "unable to deliver message to point of service"
	InvalidResponse      Reason = "invalid response"
	TimeOut              Reason = "time-out waiting for response"
	MACFailure           Reason = "MAC failure"
)

// reasonCodes is the standard's table of DE 25 (ISO 8583:1993): 1000 to 1499 why an advice, 1500 to 1999 why a request, 4000 to 4499
// why a reversal. A wrong MAC has no code there: it is an invalid response; nor has an approval by voice: the terminal has processed
// it. The settings may have the acquirer's own.
func reasonCodes() map[Reason]string {
	return map[Reason]string{
		TerminalProcessed: "1004", ICCProcessed: "1005", ApprovedByVoice: "1004",
		ICCUnableToProcess: "1500", ICCRandom: "1502", TerminalRandom: "1503", TerminalNotICC: "1504", ForcedByICC: "1505",
		ForcedByMerchant: "1506", ForcedByTerminal: "1508", ForcedByIssuer: "1509", OverFloorLimit: "1510",
		CustomerCancellation: "4000", Unspecified: "4001", SuspectedMalfunction: "4002", FormatError: "4003", ResponseTooLate: "4006",
		UnableToComplete: "4007", UnableToDeliver: "4013", InvalidResponse: "4020", TimeOut: "4021", MACFailure: "4020",
	}
}

func (s Settings) checkReasons() error {
	for r, code := range s.Reasons {
		if _, known := reasonCodes()[r]; !known || !dialect.Digits(code, 4) {
			return fmt.Errorf("reason %q has code %q: a reason is written like %q, and its code is four digits", string(r), code, string(TimeOut))
		}
	}
	if _, err := s.reason(s.ReversedAs, '4'); err != nil {
		return err
	}
	for _, code := range s.AlsoApproved {
		if !dialect.Digits(code, 3) || code[0] != '0' || code == approvedInPart || code == approvedInPartOtherAccount {
			return fmt.Errorf("action code %q approves no whole sale: it is 001 to 099, and 002 and 006 are of a part", code)
		}
	}
	return nil
}

// reason is DE 25. kind is the code's first digit in the standard: 1 or 4.
func (s Settings) reason(r Reason, kind byte) (string, error) {
	code, known := reasonCodes()[r]
	if !known || code[0] != kind {
		return "", fmt.Errorf("%q is no reason for this message", string(r))
	}
	if own, ok := s.Reasons[r]; ok {
		code = own
	}
	return code, nil
}

// whyOnline is why a card's issuer is asked, from what terminal risk management found (Book 3, 10.6).
func whyOnline(req terminal.Request) Reason {
	switch {
	case req.Kind.WithoutCard():
		return ForcedByMerchant
	case req.Entry == terminal.EnteredFallback:
		return TerminalNotICC
	}
	var tvr emv.TVR
	if copy(tvr[:], req.Tags.Value(emv.TagTVR)) != len(tvr) {
		return ForcedByTerminal // a stripe
	}
	for _, row := range []struct {
		bit emv.TVRBit
		why Reason
	}{
		{emv.TVRForcedOnline, ForcedByMerchant}, {emv.TVRFloorLimitExceeded, OverFloorLimit}, {emv.TVRSelectedRandomly, TerminalRandom},
	} {
		if tvr.Has(row.bit) {
			return row.why
		}
	}
	return ForcedByTerminal
}
