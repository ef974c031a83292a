package paper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"tillway/terminal/receipt"
)

// bar is a PNG: a black bar of a size on what is transparent around it.
func bar(t testing.TB, wide, high int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, wide, high))
	for y := high / 4; y < high-high/4; y++ {
		for x := wide / 4; x < wide-wide/4; x++ {
			img.Set(x, y, color.Black)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// black is how many dots are.
func black(p Picture) (n int) {
	for _, b := range p.Rows {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return n
}

// A logo stands in the middle, black is black, transparent is white, and on narrow paper it is made smaller; an Arabic receipt below it is
// dot by dot the one without it.
func TestLogo(t *testing.T) {
	l, err := ReadLogo(bar(t, 200, 80))
	if err != nil {
		t.Fatal(err)
	}
	p := l.Draw(Wide)
	if p.Stride != Wide/8 || p.Height() != 96 || black(p) != 100*40 {
		t.Errorf("%d bytes a row, %d rows, %d black", p.Stride, p.Height(), black(p))
	}
	img := p.Image()
	if img.GrayAt(Wide/2, 40).Y != 0 || img.GrayAt(Wide/2-49, 40).Y != 0 || img.GrayAt(Wide/2+60, 40).Y == 0 || img.GrayAt(0, 0).Y == 0 {
		t.Error("it does not stand in the middle")
	}
	wide, err := ReadLogo(bar(t, Wide, 120))
	if err != nil {
		t.Fatal(err)
	}
	if p := wide.Draw(Narrow); p.Stride != Narrow/8 || p.Height() != 80+16 || black(p) < 190*38 || black(p) > 194*42 {
		t.Errorf("on narrow paper %d rows, %d black", p.Height(), black(p))
	}
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	alone := typesetter.Draw(page(t, sale(t), receipt.Customer, false), receipt.Arabic, Wide)
	both := l.Above(alone)
	head := len(l.Draw(Wide).Rows)
	if !bytes.Equal(both.Rows[:head], l.Draw(Wide).Rows) || !bytes.Equal(both.Rows[head:], alone.Rows) {
		t.Error("logo and receipt are not one above the other")
	}
	html := l.OnHTML("<body><main>\n<p>AMOUNT</p></main></body>")
	if !strings.Contains(html, `<main>`+"\n"+`<p class="c"><img alt="" width="100" src="data:image/png;base64,iVBOR`) || !strings.HasSuffix(html, "<p>AMOUNT</p></main></body>") {
		t.Errorf("%.120s", html)
	}
}

// What is no PNG, is too large or breaks off is refused, before it takes memory.
func TestNoLogo(t *testing.T) {
	good := bar(t, 10, 10)
	huge := bytes.Clone(good)
	binary.BigEndian.PutUint32(huge[16:], 1<<30) // its width, and the header's check
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, b := range map[string][]byte{
		"nothing": nil, "another kind": []byte("GIF89a"), "cut off": good[:len(good)-20], "too wide": bar(t, 577, 4), "too high": bar(t, 4, 201),
		"a billion dots wide": huge, "too long": append(bytes.Clone(good), make([]byte, MaxLogoBytes)...),
	} {
		if _, err := ReadLogo(b); !errors.Is(err, ErrLogo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzLogo: whatever a logo's file holds, it is refused or drawn within the paper.
func FuzzLogo(f *testing.F) {
	f.Add(bar(f, 40, 20), 576)
	f.Add([]byte("\x89PNG\r\n\x1a\n"), 384)
	f.Fuzz(func(t *testing.T, b []byte, dots int) {
		l, err := ReadLogo(b)
		if err != nil {
			return
		}
		p := l.Draw(dots)
		if p.Stride < Narrow/8 || p.Stride > Wide/8 || len(p.Rows)%p.Stride != 0 || p.Height() > MaxLogoHigh+16 {
			t.Errorf("%d bytes a row, %d rows", p.Stride, p.Height())
		}
	})
}
