package nac

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"tillway/emv/tlv"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// Brand is what a scheme's cards look like to the host, where the acquirer has tables by brand: DE 22, the tags of DE 55 and
// private fields. An empty field is the settings' own.
type Brand struct {
	ChipEntry     string // DE 22, as Settings has it for every scheme
	PINEntry      string
	StripeEntry   string
	FallbackEntry string
	ChipTags      []tlv.Tag
	Private       map[int]string // fields 48, 61 and 63 of requests, reversals and advices: text as it is sent; empty leaves one out
}

// everyBrand is what the settings say of all schemes.
func (s Settings) everyBrand() Brand {
	return Brand{s.ChipEntry, s.PINEntry, s.StripeEntry, s.FallbackEntry, s.ChipTags, s.Private}
}

// or fills what a brand leaves out. Private fields are taken one by one.
func (b Brand) or(every Brand) Brand {
	b.ChipEntry, b.PINEntry = cmp.Or(b.ChipEntry, every.ChipEntry), cmp.Or(b.PINEntry, every.PINEntry)
	b.StripeEntry, b.FallbackEntry = cmp.Or(b.StripeEntry, every.StripeEntry), cmp.Or(b.FallbackEntry, every.FallbackEntry)
	if len(b.ChipTags) == 0 {
		b.ChipTags = every.ChipTags
	}
	b.ChipTags = slices.Clone(b.ChipTags)
	own := b.Private
	b.Private = map[int]string{}
	maps.Copy(b.Private, every.Private)
	maps.Copy(b.Private, own)
	return b
}

// filledBrands completes each brand with what holds for all.
func (s Settings) filledBrands() map[string]Brand {
	all := make(map[string]Brand, len(s.Brands))
	for name, b := range s.Brands {
		all[name] = b.or(s.everyBrand())
	}
	return all
}

func (s Settings) checkBrands() error {
	if err := s.checkBrand(s.everyBrand()); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Brands)) {
		if err := s.checkBrand(s.Brands[name]); err != nil {
			return fmt.Errorf("brand %q: %w", name, err)
		}
	}
	return nil
}

func (s Settings) checkBrand(b Brand) error {
	switch {
	case !dialect.Digits(b.ChipEntry, 3):
		return fmt.Errorf("chip entry mode %q is not three digits like 052", b.ChipEntry)
	case !dialect.Digits(b.PINEntry, 3):
		return fmt.Errorf("entry mode with PIN %q is not three digits like 051", b.PINEntry)
	case !dialect.Digits(b.StripeEntry, 2) || !dialect.Digits(b.FallbackEntry, 2) || b.StripeEntry == b.FallbackEntry:
		return fmt.Errorf("entry modes %q of a stripe and %q of a fallback are not two digits each, and different, like 90 and 80", b.StripeEntry, b.FallbackEntry)
	}
	if err := dialect.CheckTags(b.ChipTags); err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(b.Private)) {
		switch text := b.Private[n]; {
		case n != 48 && n != 61 && n != 63 || n == s.SecurityField:
			return fmt.Errorf("private field %d is not 48, 61 or 63, or is the one for key serial numbers", n)
		case len(text) > 999 || !dialect.Printable(text):
			return fmt.Errorf("private field %d is not at most 999 printable characters", n)
		}
	}
	return nil
}

// brand is how a scheme's cards are shown to the host.
func (d *Dialect) brand(req terminal.Request) Brand {
	if b, ok := d.settings.Brands[req.Scheme]; ok {
		return b
	}
	return d.settings.everyBrand()
}

// setPrivate puts the brand's private fields in.
func (d *Dialect) setPrivate(fields map[int]string, req terminal.Request) {
	for n, text := range d.brand(req).Private {
		if text != "" {
			fields[n] = text
		}
	}
}
