package paper

import (
	"image"
	"strings"

	"tillway/terminal/receipt"
)

// Picture is black and white: a bit for a dot, 1 is black, rows of whole bytes from the left, top row first.
type Picture struct {
	Stride int // bytes of a row
	Rows   []byte
}

// Height is how many rows there are.
func (p Picture) Height() int { return len(p.Rows) / p.Stride }

// Image is the picture with a pixel for a dot.
func (p Picture) Image() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 8*p.Stride, p.Height()))
	for y := range p.Height() {
		for x := range 8 * p.Stride {
			if p.Rows[y*p.Stride+x/8]&(0x80>>(x%8)) == 0 {
				img.Pix[y*img.Stride+x] = 0xFF
			}
		}
	}
	return img
}

// Widths of heads: 80 mm paper and 58 mm paper.
const (
	Wide   = 576
	Narrow = 384
)

// sizes of the letters, in dots (an eighth of a millimetre).
type sizes struct{ body, strong, big int }

// canvas is a page that is being drawn.
type canvas struct {
	*Typesetter
	Picture
	dots int
	size sizes
	lang receipt.Language
}

// Draw lays a page out, dots wide: a multiple of eight from Narrow to Wide.
func (t *Typesetter) Draw(page []receipt.Block, lang receipt.Language, dots int) Picture {
	dots = min(max(dots, Narrow), Wide) &^ 7
	c := &canvas{Typesetter: t, Picture: Picture{Stride: dots / 8}, dots: dots, size: sizes{24, 30, 36}, lang: lang}
	if dots < 512 {
		c.size = sizes{20, 24, 29}
	}
	for _, b := range page {
		c.block(b)
	}
	return c.Picture
}

func (c *canvas) block(b receipt.Block) {
	switch b.Layout {
	case receipt.Rule:
		c.stroke(2, true)
	case receipt.Bar:
		c.stroke(4, false)
	case receipt.Gap:
		c.space(c.size.body / 2)
	case receipt.Space:
		c.space(c.size.body / 3)
	case receipt.Pair:
		c.pair(b)
	case receipt.Signature:
		c.space(4 * c.size.body)
		c.stroke(2, false)
		c.words(b, c.size.body, false, middle)
	case receipt.Words:
		c.words(b, c.size.body, false, start)
	case receipt.Big:
		c.words(b, c.size.big, true, middle)
	case receipt.Centre:
		c.words(b, c.size.body, false, middle)
	}
}

// align is where a line stands. start is where its language begins.
type align uint8

const (
	start align = iota
	middle
	left
	right
)

// words are a block's text: in the page's language, or in both.
func (c *canvas) words(b receipt.Block, size int, bold bool, at align) {
	for _, text := range b.Texts(c.lang) {
		c.paragraph(text, size, bold, at)
	}
}

// placed is a line and where it stands.
type placed struct {
	line
	at   align
	size int
}

// paragraph draws a text of its own, broken where it is too long.
func (c *canvas) paragraph(text string, size int, bold bool, at align) {
	rightToLeft := receipt.RightToLeft(text)
	if at == start {
		at = left
		if rightToLeft {
			at = right
		}
	}
	for _, l := range c.set(together(text), size, bold, rightToLeft, c.dots) {
		c.row(placed{l, at, size})
	}
}

// together keeps what stands in brackets, such as "(code 55)", on one line, where it is short.
func together(text string) string {
	const short = 24 // bytes
	from, to := strings.LastIndexByte(text, '('), strings.LastIndexByte(text, ')')
	if from < 0 || to < from || to-from > short {
		return text
	}
	return text[:from] + strings.ReplaceAll(text[from:to], " ", "\u00a0") + text[to:]
}

// pair is a label and its value: on one line where both fit, with the value between two labels in both languages.
func (c *canvas) pair(b receipt.Block) {
	size, bold := c.size.body, b.Strong
	if bold {
		size = c.size.strong
		c.space(size / 6)
		defer c.space(size / 6)
	}
	label, value, labelAt, valueAt := b.Label, b.Value(c.lang), left, right
	second := ""
	switch {
	case c.lang == receipt.Arabic && b.ArabicLabel != "":
		label, labelAt, valueAt = b.ArabicLabel, right, left
	case c.lang == receipt.Both && b.ArabicLabel != "":
		second, valueAt = b.ArabicLabel, middle
	}
	labels := c.one(label, size, bold, labelAt)
	labels = append(labels, c.one(second, size, bold, right)...)
	values := c.one(value, size, bold, valueAt)
	if c.fits(labels, values) {
		c.row(append(labels, values...)...)
		return
	}
	c.row(labels...)
	for _, l := range c.set(value, size, bold, receipt.RightToLeft(value), c.dots) {
		c.row(placed{l, valueAt, size})
	}
}

// one sets a text that takes one line; what is longer is broken by its caller.
func (c *canvas) one(text string, size int, bold bool, at align) []placed {
	lines := c.set(text, size, bold, receipt.RightToLeft(text), 1<<14)
	if len(lines) == 0 {
		return nil
	}
	return []placed{{lines[0], at, size}}
}

// fits says whether labels and value stand on one line with room between.
func (c *canvas) fits(labels, values []placed) bool {
	room := c.size.body / 2
	if len(labels) == 0 || len(values) == 0 {
		return true
	}
	if len(labels) == 2 { // the value stands in the middle of the paper
		half := (c.dots - values[0].width) / 2
		return labels[0].width+room <= half && labels[1].width+room <= half
	}
	return labels[0].width+room+values[0].width <= c.dots
}

// row draws lines beside each other.
func (c *canvas) row(lines ...placed) {
	if len(lines) == 0 {
		return
	}
	size := lines[0].size
	base, below := size*11/10, size*4/10
	for _, l := range lines {
		up, down := l.reach()
		base, below = max(base, up), max(below, down)
	}
	high := base + below
	mask := image.NewAlpha(image.Rect(0, 0, c.dots, high))
	for _, l := range lines {
		x := 0
		switch l.at {
		case right:
			x = c.dots - l.width
		case middle:
			x = (c.dots - l.width) / 2
		case left, start:
		}
		l.draw(mask, x, base)
	}
	const half = 0x78 // a little more black than half: thin strokes of Arabic stay whole on thermal paper
	rows := make([]byte, high*c.Stride)
	for y := range high {
		for x := range c.dots {
			if mask.Pix[y*mask.Stride+x] >= half {
				rows[y*c.Stride+x/8] |= 0x80 >> (x % 8)
			}
		}
	}
	c.Rows = append(c.Rows, rows...)
}

func (c *canvas) space(dots int) { c.Rows = append(c.Rows, make([]byte, dots*c.Stride)...) }

// stroke is a line across, whole or broken.
func (c *canvas) stroke(thick int, broken bool) {
	around := c.size.body / 3
	c.space(around)
	for range thick {
		for range c.Stride {
			b := byte(0xFF)
			if broken {
				b = 0xF0
			}
			c.Rows = append(c.Rows, b)
		}
	}
	c.space(around)
}

// NeedsPicture says that a page cannot be printed in a printer's own font, which has ASCII alone.
func NeedsPicture(page []receipt.Block, lang receipt.Language) bool {
	for _, b := range page {
		if lang != receipt.English && (b.ArabicText != "" || b.ArabicLabel != "") {
			return true
		}
		for _, r := range b.Label + b.Text {
			if r < ' ' || r > '~' {
				return true
			}
		}
	}
	return false
}
