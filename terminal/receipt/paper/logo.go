package paper

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdraw "image/draw"
	"image/png"
	"strconv"
	"strings"

	"golang.org/x/image/draw"
)

// Bounds of a logo: the head of an 80 mm printer, a third of that high, and what a small picture needs.
const (
	MaxLogoWide  = Wide
	MaxLogoHigh  = 200
	MaxLogoBytes = 64 << 10
)

// ErrLogo says that bytes are no logo.
var ErrLogo = errors.New("no logo")

// Logo is a shop's picture at the head of its receipts. It is not changed once it is read, and may be used from anywhere.
type Logo struct {
	file    []byte      // as it was given
	picture image.Image // on white
}

// ReadLogo reads a logo from a PNG file. Colours become black and white when it is drawn, and what is transparent white. The bounds are
// looked at before the picture is unpacked. Error: ErrLogo.
func ReadLogo(file []byte) (*Logo, error) {
	if len(file) > MaxLogoBytes {
		return nil, fmt.Errorf("%w: %d bytes, and it may have %d", ErrLogo, len(file), MaxLogoBytes)
	}
	c, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%w: no PNG file: %w", ErrLogo, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxLogoWide || c.Height > MaxLogoHigh {
		return nil, fmt.Errorf("%w: %d by %d dots, and it may have %d by %d", ErrLogo, c.Width, c.Height, MaxLogoWide, MaxLogoHigh)
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%w: the PNG file cannot be read to its end: %w", ErrLogo, err)
	}
	on := image.NewGray(image.Rect(0, 0, c.Width, c.Height))
	stdraw.Draw(on, on.Bounds(), image.White, image.Point{}, stdraw.Src)
	stdraw.Draw(on, on.Bounds(), img, img.Bounds().Min, stdraw.Over)
	return &Logo{bytes.Clone(file), on}, nil
}

// Draw is the logo in black and white, in the middle of paper that is so many dots wide, with room below. One that is wider than the paper
// is made smaller.
func (l *Logo) Draw(dots int) Picture {
	const below = 16 // dots
	dots = min(max(dots, Narrow), Wide) &^ 7
	from := l.picture
	size := from.Bounds().Size()
	if size.X > dots {
		size = image.Pt(dots, max(1, size.Y*dots/size.X))
		smaller := image.NewGray(image.Rectangle{Max: size})
		draw.CatmullRom.Scale(smaller, smaller.Bounds(), from, from.Bounds(), draw.Src, nil)
		from = smaller
	}
	bits := image.NewPaletted(image.Rectangle{Max: size}, color.Palette{color.White, color.Black})
	stdraw.FloydSteinberg.Draw(bits, bits.Bounds(), from, from.Bounds().Min)
	p := Picture{Stride: dots / 8, Rows: make([]byte, dots/8*(size.Y+below))}
	left := (dots - size.X) / 2
	for y := range size.Y {
		for x := range size.X {
			if bits.ColorIndexAt(x, y) == 1 {
				at := left + x
				p.Rows[y*p.Stride+at/8] |= 0x80 >> (at % 8)
			}
		}
	}
	return p
}

// Above puts the logo on top of a picture of the same paper.
func (l *Logo) Above(p Picture) Picture {
	head := l.Draw(8 * p.Stride)
	return Picture{Stride: p.Stride, Rows: append(head.Rows, p.Rows...)}
}

// LogoPolicy is what a page's policy takes besides, for OnHTML's picture.
const LogoPolicy = "; img-src data:"

// OnHTML puts the logo into a receipt's page, as a part of it: nothing is loaded.
func (l *Logo) OnHTML(page string) string {
	const main = "<main>\n"
	size := l.picture.Bounds().Size()
	img := `<p class="c"><img alt="" width="` + strconv.Itoa((size.X+1)/2) + `" src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(l.file) + `"></p>` + "\n"
	return strings.Replace(page, main, main+img, 1)
}
