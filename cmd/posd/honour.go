package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/terminal/profile"
)

// A profile may say all that the kernel does; whoever sells with it is promised that the terminal keeps what the profile
// says. So what this release cannot keep ends the start, in one sentence, instead of the first sale that needs it.

// honours says what of a profile this release of the daemon cannot honour, with a stripe reader or without; nil when there is
// nothing.
func honours(p profile.Profile, stripeReader bool) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("profile %s: "+format, append([]any{p.Name}, args...)...)
	}
	if left := p.LeftOut(); len(left) > 0 {
		return refuse("%s is left out, and a terminal that sells does not run on a developer's default: write it as terminal/profile/ready/kuwait.toml does", left[0])
	}
	kind := emv.TerminalType(p.Terminal.Type)
	can := p.Terminal.Capabilities
	switch {
	case kind.Unattended() || kind&0xF0 == 0x30:
		return refuse("terminal.type %02X is not a merchant's attended terminal, and a till is one: write 21 (attended, online only)", byte(kind))
	case kind.OfflineOnly():
		return refuse("terminal.type %02X never asks the host, which this release always tries: write 21 (attended, online only) or 22 (attended, offline with online capability)", byte(kind))
	case kind != 0x21 && kind != 0x22:
		return refuse("terminal.type %02X is not operated by a merchant: write 21 (attended, online only) or 22 (attended, offline with online capability)", byte(kind))
	case kind == 0x22 && p.Offline.Approvals.Count == 0:
		return refuse("terminal.type 22 may approve without the host, and nothing says how much may wait for it: write the limits into [offline], or type = \"21\" (online only)")
	case kind == 0x22 && can[2] == 0:
		return refuse("terminal.type 22 may approve without the host, and offline_data_authentication = [] tells no card from a copy: write [\"dda\", \"cda\"], or type = \"21\" (online only)")
	case len(p.EarlierSales) > 0 || len(p.Exceptions) > 0 || len(p.Selection) > 0 || p.ForceOnline:
		return refuse("earlier_sale, exception, selection and force_online are for pos card run: take them out")
	case p.Terminal.LiteralTACs:
		return refuse("terminal.literal_action_codes is for pos card run: write false")
	case !can.Has(emv.CapabilityICWithContacts):
		return refuse(`terminal.card_data_input has no "chip", and this release reads nothing else`)
	case can.Has(emv.CapabilityManualKeyEntry):
		return refuse(`terminal.card_data_input: this release takes no card number by keys: write ["chip"]`)
	case can.Has(emv.CapabilityMagneticStripe) && !stripeReader:
		return refuse(`terminal.card_data_input says "stripe", and there is no reader for it: name its port with reader.stripe in the config, or write ["chip"]`)
	case stripeReader && !can.Has(emv.CapabilityMagneticStripe):
		return refuse(`reader.stripe in the config names a stripe reader, and terminal.card_data_input takes no stripe: write ["chip", "stripe"], or take the reader out`)
	case stripeReader && !can.Has(emv.CapabilityEncipheredOnlinePIN) && !can.Has(emv.CapabilitySignature):
		return refuse("terminal.cardholder_verification has neither online_pin nor signature, and there is no other way to verify the holder of a swiped card")
	case can.Has(emv.CapabilityPlaintextPIN):
		return refuse("offline_pin_plaintext needs a PIN pad that holds the card itself, and this release drives none: take it out of terminal.cardholder_verification")
	case can[1] == 0:
		return refuse("terminal.cardholder_verification is empty: no card could be verified")
	}
	return nil
}

// expirySoon is how long before its last day a key's expiry is logged.
const expirySoon = 60 * 24 * time.Hour

// loadCAKeys reads the file of the certification authorities' keys, where one is named, for the environment of the profile. A
// terminal that authenticates cards needs one; at a till none of a profile for tests is taken.
func (c *config) loadCAKeys(p profile.Profile, now time.Time, log *slog.Logger) (emv.CAKeys, error) {
	authenticates := p.Terminal.Capabilities[2] != 0
	switch {
	case c.CAKeys == "" && p.Terminal.Capabilities.Has(emv.CapabilityEncipheredOffline):
		return emv.CAKeys{}, fmt.Errorf("profile %s takes offline_pin_enciphered, and a card's key is recovered from the certification authorities': name their file with ca_keys = in the config, or take it out of terminal.cardholder_verification", p.Name)
	case c.CAKeys == "" && authenticates:
		return emv.CAKeys{}, fmt.Errorf("profile %s authenticates cards offline: name the file of the certification authorities' keys with ca_keys = in the config, or write offline_data_authentication = []", p.Name)
	case c.CAKeys == "":
		return emv.CAKeys{}, nil
	case p.Terminal.CAKeys == profile.TestKeys && !c.Development:
		return emv.CAKeys{}, fmt.Errorf(`profile %s takes test keys of certification authorities, with which anybody makes a card: write terminal.ca_keys = "live", or set development = true in the config`, p.Name)
	}
	text, err := c.caKeysText()
	if errors.Is(err, os.ErrNotExist) {
		return emv.CAKeys{}, fmt.Errorf("ca_keys: no file at %s: put there what your acquirer gave you", c.CAKeys)
	}
	if err != nil {
		return emv.CAKeys{}, fmt.Errorf("ca_keys: %w", err)
	}
	file, err := oda.ParseKeys(text, oda.Environment(p.Terminal.CAKeys))
	if err != nil {
		return emv.CAKeys{}, fmt.Errorf("ca_keys %s: %w", c.CAKeys, err)
	}
	if len(file.Keys) == 0 {
		return emv.CAKeys{}, fmt.Errorf("ca_keys %s has no key that a %s terminal can use%s", c.CAKeys, p.Terminal.CAKeys, because(file.LeftOut))
	}
	for _, l := range file.LeftOut {
		log.Warn("a certification authority's key is left out", "rid", l.RID, "index", l.Index, "reason", l.Reason)
	}
	for _, k := range file.Keys {
		name := []any{"rid", fmt.Sprintf("%X", k.RID), "index", fmt.Sprintf("%02X", k.Index), "last day", k.Expiry.Format(time.DateOnly)}
		switch end := k.Expiry.AddDate(0, 0, 1); {
		case k.Expiry.IsZero():
		case !now.Before(end):
			log.Warn("a certification authority's key has expired: its cards are not authenticated any more", name...)
		case end.Sub(now) < expirySoon:
			log.Warn("a certification authority's key expires soon: ask the acquirer for the next one", name...)
		}
	}
	if !authenticates && !p.Terminal.Capabilities.Has(emv.CapabilityEncipheredOffline) {
		log.Warn("certification authorities' keys are there, and the profile authenticates no card: write offline_data_authentication = [\"dda\", \"cda\"] in its [terminal]")
	}
	log.Info("certification authorities' keys", "environment", p.Terminal.CAKeys, "keys", len(file.Keys), "revoked certificates", len(file.Revoked))
	return file.CAKeys, nil
}

func because(left []oda.LeftOut) string {
	if len(left) == 0 {
		return ""
	}
	return ": " + strings.TrimSuffix(left[0].String(), ".")
}
