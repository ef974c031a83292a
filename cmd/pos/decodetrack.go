package main

import (
	"strings"

	"tillway/device/magstripe"
)

// decodedTrack is what decode track prints.
type decodedTrack struct {
	PAN         string   `json:"pan"`
	Name        string   `json:"name,omitempty"` // track 1
	Expiry      string   `json:"expiry"`
	ServiceCode string   `json:"service_code"`
	Meaning     []string `json:"service_code_means,omitempty"` // its digits, where they are shown
	Rest        string   `json:"discretionary"`
	CheckDigit  bool     `json:"check_digit"` // of the account number
}

// trackFields is what tracks 1 and 2 share.
type trackFields interface {
	PAN() string
	Expiry() string
	ServiceCode() magstripe.ServiceCode
	Discretionary() string
	CheckDigit() bool
	String() string
}

// decodeStripe reads the characters that a reader gives: track 2, track 1, or both.
func (a *app) decodeStripe(text string, clear bool) error {
	one, errOne := magstripe.ParseTrack1(text)
	if errOne == nil {
		return a.showTrack(one, one.Name(), clear)
	}
	swipe, err := magstripe.Parse(text)
	switch {
	case err != nil && strings.HasPrefix(text, "%") && !strings.Contains(text, ";"):
		return usage("%w", errOne)
	case err != nil:
		return usage("%w", err)
	}
	return a.showTrack(swipe.Two, swipe.One.Name(), clear)
}

// decodeTag57 reads track 2 equivalent data.
func (a *app) decodeTag57(b []byte, clear bool) error {
	two, err := magstripe.FromTag57(b)
	if err != nil {
		return usage("%w", err)
	}
	return a.showTrack(two, "", clear)
}

func (a *app) showTrack(t trackFields, name string, clear bool) error {
	stars := func(s string) string { return strings.Repeat("*", len(s)) }
	out := decodedTrack{
		PAN: t.String(), Name: stars(name), Expiry: stars(t.Expiry()), ServiceCode: stars(string(t.ServiceCode())), Rest: stars(t.Discretionary()),
		CheckDigit: t.CheckDigit(),
	}
	if clear {
		out.PAN, out.Name, out.Expiry, out.ServiceCode, out.Rest = t.PAN(), name, t.Expiry(), string(t.ServiceCode()), t.Discretionary()
		out.Meaning = t.ServiceCode().Meaning()
	}
	if a.json {
		return a.printJSON(out)
	}
	a.printf("PAN %s\n", out.PAN)
	if name != "" {
		a.printf("Name %s\n", out.Name)
	}
	a.printf("Expiry (YYMM) %s\nService code %s\n", out.Expiry, out.ServiceCode)
	for _, m := range out.Meaning {
		a.printf("  %s\n", m)
	}
	a.printf("Discretionary data %s\n", out.Rest)
	if !out.CheckDigit {
		a.printf("The account number's check digit is wrong\n")
	}
	return nil
}
