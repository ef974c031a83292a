package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tillway/device/secure"
	"tillway/terminal"
	"tillway/terminal/lane"
)

// module is what a sale needs of the secure module. Without one there is no PIN pad and no MAC.
type module interface {
	secure.Macs
	secure.PINPad
	secure.SessionKeys
	Status(ctx context.Context) (secure.Status, error)
	Destroy(ctx context.Context, set string) error
}

// acquirerKeys is the module as the lane and the acquirer's owner see it: one acquirer's keys, in their words.
type acquirerKeys struct {
	module module
	set    string // the acquirer's name
	method secure.MACMethod
}

var (
	_ lane.Macs   = acquirerKeys{}
	_ lane.PINPad = acquirerKeys{}

	_ lane.SessionKeys = sessionKeys{}
)

// macMethod is the dialect's word for a MAC in the module's.
func macMethod(dialect string) secure.MACMethod {
	if dialect == "cmac" {
		return secure.CMAC
	}
	return secure.MACAlg3Pad1
}

func (k acquirerKeys) lease(m terminal.MACKey) secure.Lease {
	return secure.Lease{ID: m.ID, Set: k.set, Use: secure.UseMAC, KSN: m.KSN}
}

// NextKey implements lane.Macs.
func (k acquirerKeys) NextKey(ctx context.Context) (terminal.MACKey, error) {
	l, err := k.module.NextKey(ctx, k.set, secure.UseMAC)
	if errors.Is(err, secure.ErrNoKey) {
		err = fmt.Errorf("%w: %w", terminal.ErrNoKeys, err)
	}
	return terminal.MACKey{ID: l.ID, KSN: l.KSN}, err
}

// MAC implements lane.Macs.
func (k acquirerKeys) MAC(ctx context.Context, m terminal.MACKey, data []byte) ([]byte, error) {
	return k.module.MAC(ctx, k.lease(m), k.method, data)
}

// Verify implements lane.Macs.
func (k acquirerKeys) Verify(ctx context.Context, m terminal.MACKey, data, mac []byte) error {
	return k.module.VerifyMAC(ctx, k.lease(m), k.method, data, mac)
}

// HostSaw implements lane.Macs. A host that speaks of another key, or of none that there is, says nothing about ours.
func (k acquirerKeys) HostSaw(ctx context.Context, pin, mac []byte) error {
	for use, ksn := range map[secure.Use][]byte{secure.UsePIN: pin, secure.UseMAC: mac} {
		if ksn == nil {
			continue
		}
		err := k.module.HostSaw(ctx, k.set, use, ksn)
		if err != nil && !errors.Is(err, secure.ErrUsage) && !errors.Is(err, secure.ErrNoKey) {
			return fmt.Errorf("%s key: %w", use, err)
		}
	}
	return nil
}

// Release implements lane.Macs. A lease that cannot be released ends with the module, or with younger ones.
func (k acquirerKeys) Release(ctx context.Context, m terminal.MACKey) {
	_ = k.module.Release(ctx, k.lease(m))
}

// EnterPIN implements lane.PINPad.
func (k acquirerKeys) EnterPIN(ctx context.Context, ask terminal.PINAsk) (terminal.PINEnd, terminal.PINBlock, error) {
	var card *secure.CardPIN
	if ask.Card != nil {
		card = &secure.CardPIN{Modulus: ask.Card.Modulus, Exponent: ask.Card.Exponent, Challenge: ask.Card.Challenge}
	}
	r, err := k.module.EnterPIN(ctx, secure.PINRequest{
		Set: k.set, PAN: secure.PAN(ask.PAN.Clear()), Card: card, Amount: ask.Amount.Format(), Language: languageOf(ask.Language), Retry: ask.Retry, Tries: ask.Tries,
		Bypass: ask.Bypass, Timeout: ask.Timeout, Progress: ask.Progress,
	})
	if err != nil {
		return "", terminal.PINBlock{}, err
	}
	switch r.Status {
	case secure.PINEntered:
		if card != nil {
			return terminal.PINEntered, terminal.PINBlock{Block: r.Block}, nil
		}
	case secure.PINBypassed:
		return terminal.PINBypassed, terminal.PINBlock{}, nil
	case secure.PINCancelled:
		return terminal.PINCancelled, terminal.PINBlock{}, nil
	case secure.PINTimedOut:
		return terminal.PINTimedOut, terminal.PINBlock{}, nil
	}
	layout, known := map[secure.PINFormat]byte{secure.Format0: 0, secure.Format3: 3, secure.Format4: 4}[r.Format]
	if r.Status != secure.PINEntered || !known {
		return "", terminal.PINBlock{}, fmt.Errorf("PIN entry %s in format %s: %w", r.Status, r.Format, secure.ErrProtocol)
	}
	return terminal.PINEntered, terminal.PINBlock{Block: r.Block, KSN: r.Lease.KSN, Layout: layout}, nil
}

// languageOf chooses the first of a card's languages that prompts have texts in (EMV Book 4, 11.1); empty: none of them.
func languageOf(preference string) string {
	for at := 0; at+2 <= len(preference) && at < 8; at += 2 {
		if l := strings.ToLower(preference[at : at+2]); l == "en" || l == "ar" {
			return l
		}
	}
	return ""
}

// sessionKeys is the module as an exchange of session keys sees it.
type sessionKeys struct{ acquirerKeys }

// Held implements lane.SessionKeys. A DUKPT key is none of these. Without a master key no exchange can bring anything: that is
// an error, which says what to load.
func (k sessionKeys) Held(ctx context.Context) (inForce, proposed bool, err error) {
	st, err := k.module.Status(ctx)
	if err != nil {
		return false, false, err
	}
	master := false
	for _, key := range st.Keys {
		if key.Set == k.set && key.Scheme == "session" {
			master = master || key.Use == secure.UseMaster.String()
			inForce = inForce || key.Use == secure.UseMAC.String()
			proposed = proposed || key.Use == secure.UseProposedMAC.String()
		}
	}
	if !master {
		return false, false, fmt.Errorf("no master key: load the one that the bank sent, with pos keys import %s master FILE: %w", k.set, secure.ErrNoKEK)
	}
	return inForce, proposed, nil
}

// Propose implements lane.SessionKeys.
func (k sessionKeys) Propose(ctx context.Context, keys []terminal.SessionKey) error {
	var all []secure.Proposal
	for _, key := range keys {
		use, known := map[terminal.KeyUse]secure.Use{terminal.KeyForPIN: secure.UsePIN, terminal.KeyForMAC: secure.UseMAC}[key.Use]
		if !known {
			return fmt.Errorf("session key for %s: %w", key.Use, secure.ErrUsage)
		}
		all = append(all, secure.Proposal{Use: use, Block: key.Block, Cryptogram: key.Cryptogram, Check: secure.CheckValue(key.Check)})
	}
	_, err := k.module.Propose(ctx, k.set, all)
	return err
}

// ProposedKey implements lane.SessionKeys.
func (k sessionKeys) ProposedKey(ctx context.Context) (terminal.MACKey, error) {
	l, err := k.module.NextKey(ctx, k.set, secure.UseProposedMAC)
	return terminal.MACKey{ID: l.ID, KSN: l.KSN}, err
}

// Confirm implements lane.SessionKeys.
func (k sessionKeys) Confirm(ctx context.Context) error { return k.module.Confirm(ctx, k.set) }

// Withdraw implements lane.SessionKeys.
func (k sessionKeys) Withdraw(ctx context.Context) error { return k.module.Withdraw(ctx, k.set) }
