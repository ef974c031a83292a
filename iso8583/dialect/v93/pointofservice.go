package v93

import (
	"cmp"
	"fmt"

	"tillway/emv"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// PointOfService is those of DE 22's twelve positions that are the terminal's own, one character each. The others say how
// one card was read and its holder verified (ISO 8583:1993, DE 22).
type PointOfService struct {
	CardInput      string // position 1, the best way of reading that it has: 5 chip, 2 stripe, 6 keys, 0 not known
	Authentication string // position 2: 1 PIN, 0 none
	Capture        string // position 3: 1 where it can keep a card
	Environment    string // position 4: 1 attended, 2 unattended, on the merchant's premises; 5 on the cardholder's
	CardOutput     string // position 10: 3 writes to chips, 1 to nothing
	TerminalOutput string // position 11: 4 prints and displays, 3 displays, 2 prints, 1 neither
	PINCapture     string // position 12: the most digits of a PIN, C for twelve; 0 takes none
}

// PointOfServiceOf makes the positions from what a terminal says of itself to cards: Terminal Capabilities (9F33),
// Additional Terminal Capabilities (9F40) and Terminal Type (9F35) (Book 4, A1 to A3).
func PointOfServiceOf(c emv.Capabilities, more emv.MoreCapabilities, terminalType byte) PointOfService {
	p := PointOfService{CardInput: "0", Authentication: "0", Capture: "0", Environment: "1", CardOutput: "1", PINCapture: "0"}
	switch {
	case c.Has(emv.CapabilityICWithContacts):
		p.CardInput, p.CardOutput = "5", "3"
	case c.Has(emv.CapabilityMagneticStripe):
		p.CardInput = "2"
	case c.Has(emv.CapabilityManualKeyEntry):
		p.CardInput = "6"
	}
	for _, pin := range []emv.CapabilityBit{emv.CapabilityEncipheredOnlinePIN, emv.CapabilityEncipheredOffline, emv.CapabilityPlaintextPIN} {
		if c.Has(pin) {
			p.Authentication, p.PINCapture = "1", "C"
		}
	}
	if c.Has(emv.CapabilityCardCapture) {
		p.Capture = "1"
	}
	switch {
	case terminalType>>4 == 3:
		p.Environment = "5"
	case terminalType&0x0F >= 4:
		p.Environment = "2"
	}
	prints := more.Has(emv.MorePrintAttendant) || more.Has(emv.MorePrintHolder)
	shows := more.Has(emv.MoreShowAttendant) || more.Has(emv.MoreShowHolder)
	switch {
	case prints && shows:
		p.TerminalOutput = "4"
	case shows:
		p.TerminalOutput = "3"
	case prints:
		p.TerminalOutput = "2"
	default:
		p.TerminalOutput = "1"
	}
	return p
}

func (p PointOfService) or(d PointOfService) PointOfService {
	return PointOfService{
		CardInput: cmp.Or(p.CardInput, d.CardInput), Authentication: cmp.Or(p.Authentication, d.Authentication),
		Capture: cmp.Or(p.Capture, d.Capture), Environment: cmp.Or(p.Environment, d.Environment),
		CardOutput: cmp.Or(p.CardOutput, d.CardOutput), TerminalOutput: cmp.Or(p.TerminalOutput, d.TerminalOutput),
		PINCapture: cmp.Or(p.PINCapture, d.PINCapture),
	}
}

func (p PointOfService) check() error {
	for _, position := range []struct {
		number int
		text   string
	}{
		{1, p.CardInput}, {2, p.Authentication}, {3, p.Capture}, {4, p.Environment}, {10, p.CardOutput}, {11, p.TerminalOutput}, {12, p.PINCapture},
	} {
		if len(position.text) != 1 || !dialect.Alphanumeric(position.text) {
			return fmt.Errorf("position %d of DE 22: %q is no one letter or digit", position.number, position.text)
		}
	}
	return nil
}

// pointOfService is DE 22 of one card: the terminal's positions, and between them whether cardholder and card are there, how
// the card was read, how its holder was verified and by whom.
func (d *Dialect) pointOfService(req terminal.Request) (string, error) {
	const present, cardPresent = "0", "1"
	brand, p := d.brand(req.Scheme), d.settings.PointOfService
	if req.Kind.WithoutCard() { // neither is there: the card's data was kept
		const absent, noCard, notRead, byNobody = "1", "0", "0", "00"
		return p.CardInput + p.Authentication + p.Capture + p.Environment + absent + noCard + notRead + byNobody +
			p.CardOutput + p.TerminalOutput + p.PINCapture, nil
	}
	input := map[terminal.Entered]string{
		"": brand.ChipInput, terminal.EnteredChip: brand.ChipInput, terminal.EnteredStripe: brand.StripeInput, terminal.EnteredFallback: brand.FallbackInput,
	}[req.Entry]
	if input == "" {
		return "", fmt.Errorf("%w: DE 22: no way of reading for a card that was %q", ErrRequest, req.Entry)
	}
	method, entity := "0", "0" // position 8, 9: not authenticated
	switch req.Method {
	case emv.OnlinePIN:
		method, entity = "1", "3" // by the authorising agent
	case emv.OfflinePIN:
		method, entity = "1", "1" // by the chip
	case emv.Signature:
		method, entity = "5", "4" // by the merchant
	case emv.NoCVM, emv.NoVerification:
	}
	return p.CardInput + p.Authentication + p.Capture + p.Environment + present + cardPresent + input + method + entity +
		p.CardOutput + p.TerminalOutput + p.PINCapture, nil
}

// brand is how a scheme's cards are shown to the host.
func (d *Dialect) brand(scheme string) Brand {
	if b, ok := d.settings.Brands[scheme]; ok {
		return b
	}
	return d.settings.Brand
}
