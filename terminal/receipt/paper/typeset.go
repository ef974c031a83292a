package paper

import (
	"bytes"
	_ "embed" // the fonts
	"fmt"
	"image"
	"image/draw"
	"slices"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

//go:embed fonts/NotoSans-Regular.ttf
var latinRegular []byte

//go:embed fonts/NotoSans-Bold.ttf
var latinBold []byte

//go:embed fonts/NotoSansArabic-Regular.ttf
var arabicRegular []byte

//go:embed fonts/NotoSansArabic-Bold.ttf
var arabicBold []byte

// faces are a weight's, of which a character takes the first that has it.
type faces []*font.Face

// ResolveFace is what shaping asks for each character.
func (f faces) ResolveFace(r rune) *font.Face {
	for _, face := range f {
		if _, ok := face.NominalGlyph(r); ok {
			return face
		}
	}
	return f[0]
}

// Typesetter sets text. It is for one goroutine at a time.
type Typesetter struct {
	regular, bold faces
	shaper        shaping.HarfbuzzShaper
	segmenter     shaping.Segmenter
	wrapper       shaping.LineWrapper
}

// New reads the embedded fonts.
func New() (*Typesetter, error) {
	t := &Typesetter{}
	for _, f := range []struct {
		into *faces
		data []byte
	}{{&t.regular, latinRegular}, {&t.regular, arabicRegular}, {&t.bold, latinBold}, {&t.bold, arabicBold}} {
		face, err := font.ParseTTF(bytes.NewReader(f.data))
		if err != nil {
			return nil, fmt.Errorf("embedded font: %w", err)
		}
		*f.into = append(*f.into, face)
	}
	return t, nil
}

// line is one set line: its runs from left to right.
type line struct {
	runs  []shaping.Output
	width int // dots
}

// set breaks a paragraph into lines no wider than width. rightToLeft is its base direction.
func (t *Typesetter) set(text string, size int, bold, rightToLeft bool, width int) []line {
	runes := []rune(text)
	if len(runes) == 0 {
		return nil
	}
	direction, have := di.DirectionLTR, t.regular
	if rightToLeft {
		direction = di.DirectionRTL
	}
	if bold {
		have = t.bold
	}
	input := shaping.Input{Text: runes, RunEnd: len(runes), Direction: direction, Size: fixed.I(size), Language: language.NewLanguage("en")}
	var shaped []shaping.Output
	for _, run := range t.segmenter.Split(input, have) {
		shaped = append(shaped, t.shaper.Shape(run))
	}
	wrapped, _ := t.wrapper.WrapParagraph(shaping.WrapConfig{Direction: direction}, width, runes, shaping.NewSliceIterator(shaped))
	lines := make([]line, len(wrapped))
	for i, w := range wrapped {
		runs := slices.Clone(w)
		slices.SortStableFunc(runs, func(a, b shaping.Output) int { return int(a.VisualIndex - b.VisualIndex) })
		var advance fixed.Int26_6
		for _, r := range runs {
			advance += r.Advance
		}
		lines[i] = line{runs, advance.Ceil()}
	}
	return lines
}

// reach is how far a line's glyphs go above and below its base line: marks on Arabic letters stand on each other.
func (l line) reach() (up, down int) {
	for _, run := range l.runs {
		for _, g := range run.Glyphs {
			top := g.YBearing + g.YOffset
			up, down = max(up, top.Ceil()), max(down, -(top+g.Height).Floor())
		}
	}
	return up, down
}

// draw draws a line's glyphs into a mask, its left end and base line at a place.
func (l line) draw(mask *image.Alpha, left, base int) {
	bounds := mask.Bounds()
	raster := vector.NewRasterizer(bounds.Dx(), bounds.Dy())
	x := float32(left)
	for _, run := range l.runs {
		scale := float32(run.Size) / 64 / float32(run.Face.Upem())
		for _, g := range run.Glyphs {
			if outline, ok := run.Face.GlyphDataOutline(g.GlyphID); ok {
				trace(raster, outline, scale, x+float32(g.XOffset)/64, float32(base)-float32(g.YOffset)/64)
			}
			x += float32(g.Advance) / 64
		}
	}
	raster.DrawOp = draw.Over
	raster.Draw(mask, bounds, image.Opaque, image.Point{})
}

// trace adds a glyph's outline. The font's y goes up, the paper's down.
func trace(raster *vector.Rasterizer, outline font.GlyphOutline, scale, x, y float32) {
	at := func(p opentype.SegmentPoint) (float32, float32) { return x + p.X*scale, y - p.Y*scale }
	open := false
	for _, s := range outline.Segments {
		x0, y0 := at(s.Args[0])
		x1, y1 := at(s.Args[1])
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			if open {
				raster.ClosePath()
			}
			open = true
			raster.MoveTo(x0, y0)
		case opentype.SegmentOpLineTo:
			raster.LineTo(x0, y0)
		case opentype.SegmentOpQuadTo:
			raster.QuadTo(x0, y0, x1, y1)
		case opentype.SegmentOpCubeTo:
			x2, y2 := at(s.Args[2])
			raster.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	if open {
		raster.ClosePath()
	}
}
