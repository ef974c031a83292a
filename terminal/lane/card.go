package lane

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"tillway/device"
	"tillway/emv"
	"tillway/terminal"
)

// The data objects that the lane itself reads; all others are the kernel's and the dialect's.
const (
	tagTrack2             = 0x57
	tagPAN                = 0x5A
	tagPANSequenceNumber  = 0x5F34
	tagExpiration         = 0x5F24
	tagLanguagePreference = 0x5F2D
)

var errNoPAN = errors.New("the card gave no account number")

// cardData takes number, expiry and track out of the kernel's store (Book 3, Annex A: 5A, 57, 5F24, 5F34).
func cardData(d *emv.Data) (terminal.CardData, error) {
	var c terminal.CardData
	if v, ok := d.Get(tagTrack2); ok {
		t, err := emv.NewTrack2(v)
		if err != nil {
			return c, err
		}
		c.Track2, c.PAN, c.Expiry = t, t.PAN(), t.Expiry()
	}
	if v, ok := d.Get(tagPAN); ok {
		pan, err := emv.NewPAN(strings.TrimRight(strings.ToUpper(hex.EncodeToString(v)), "F"))
		if err != nil {
			return c, err
		}
		if !c.PAN.IsZero() && c.PAN != pan {
			return c, errors.New("track 2 and account number differ")
		}
		c.PAN = pan
	}
	if v, ok := d.Get(tagExpiration); ok && len(v) == 3 {
		c.Expiry = hex.EncodeToString(v[:2])
	}
	if v, ok := d.Get(tagPANSequenceNumber); ok && len(v) == 1 {
		c.PSN = hex.EncodeToString(v)
	}
	if c.PAN.IsZero() {
		return c, errNoPAN
	}
	return c, nil
}

// sentence is an error of card or reader in words for the cashier; the full chain is in the log.
func sentence(err error) string {
	for _, known := range []error{
		device.ErrRemoved, device.ErrMute, device.ErrUnplugged, device.ErrBusy, device.ErrPermission, device.ErrTimeout, device.ErrProtocol,
	} {
		if errors.Is(err, known) {
			s := known.Error()
			return strings.ToUpper(s[:1]) + s[1:] + "."
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "The card took too long."
	}
	return "The reader failed."
}

// brief bounds what an error of the world may put into a journal row, and makes it one line.
func brief(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " …"
}

func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return string(b)
}
