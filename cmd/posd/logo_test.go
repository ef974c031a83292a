package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	virtual "tillway/device/emulator/escpos"
	"tillway/terminal/profile"
	"tillway/terminal/provision"
	"tillway/terminal/spool"
)

// logoFile is a shop's logo: a black bar, 400 by 60 dots.
func logoFile(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 400, 60))
	img.Set(0, 0, color.Black)
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "logo.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// barred says that a slip begins with the logo, in its middle.
func barred(s virtual.Slip) bool {
	img := s.Image()
	for x := 288 - 190; x < 288+190; x++ {
		if img.GrayAt(x, 30).Y != 0 {
			return false
		}
	}
	return img.GrayAt(40, 30).Y != 0
}

// The logo stands above both copies of a receipt, in the printer's own font and in Arabic, and above no report.
func TestLogoIsPrinted(t *testing.T) {
	for _, language := range []string{"en", "ar"} {
		s, journal := quickTerminal(t)
		paper, port := networkPrinter(t, virtual.Config{})
		printing := printingOn(t, s, &disk{journal: journal}, port, func(c *config, p *profile.Profile) {
			c.Logo, p.Receipt.Language, p.Receipt.Merchant, p.Merchant.NameArabic = logoFile(t), language, language, "متجر"
		})
		sellOne(t, s, 10_525)
		soon(t, "two copies", func() bool { return len(paper.Cut()) == 2 })
		if _, err := printing.spool.Add(t.Context(), spool.Job{What: spool.Report, Report: "x"}); err != nil {
			t.Fatal(err)
		}
		soon(t, "a report", func() bool { return len(paper.Cut()) == 3 })
		for i, slip := range paper.Cut() {
			if barred(slip) != (i < 2) || slip.Height() < 300 {
				t.Errorf("%s, paper %d of %d rows: the logo is there: %v", language, i, slip.Height(), barred(slip))
			}
		}
		if language == "en" && !strings.Contains(paper.Cut()[0].Text(), "CUSTOMER COPY") {
			t.Errorf("%s", paper.Cut()[0].Text())
		}
		if odd := paper.Odd(); len(odd) > 0 || paper.Lost() > 0 {
			t.Errorf("the printer does not know %q, and lost %d bytes", odd, paper.Lost())
		}
	}
}

// A logo that is none keeps posd from starting, and says why.
func TestNoSuchLogo(t *testing.T) {
	text := filepath.Join(t.TempDir(), "logo.png")
	if err := os.WriteFile(text, []byte("a picture of a shop"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{text: "at most 576 by 200 dots", filepath.Join(t.TempDir(), "none.png"): "no such file"} {
		if l, err := openLogo(file); l != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if l, err := openLogo(""); l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
}

// The logo of a parameter package is the shop's, unless the machine's own config names another.
func TestLogoOfAPackage(t *testing.T) {
	picture, err := os.ReadFile(logoFile(t))
	if err != nil {
		t.Fatal(err)
	}
	with, without := config{params: packageOf(t, 1, func(m map[string][]byte) { m[provision.Logo] = picture })}, config{params: packageOf(t, 1)}
	if l, err := with.logo(); err != nil || l == nil {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := without.logo(); err != nil || l != nil {
		t.Errorf("a package without one: %v, %v", l, err)
	}
	with.Logo = filepath.Join(t.TempDir(), "none.png")
	if l, err := with.logo(); err == nil {
		t.Errorf("the machine's own is not looked at: %v", l)
	}
}
