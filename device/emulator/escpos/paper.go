package escpos

import (
	"image"
	"image/color"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/math/fixed"
)

// Line is one printed line of characters.
type Line struct {
	Text       string // without spaces at its end
	Wide, Tall bool   // at least twice the width, the height
	Bold       bool
}

// Slip is the paper from one cut to the next.
type Slip struct {
	Lines []Line
	Cut   bool // false: it still hangs in the printer

	rows  [][]bool // dots, true is black; as wide as the printer's line
	width int
}

// Text is the slip's characters, a line each. Pictures have none.
func (s Slip) Text() string {
	var b strings.Builder
	for _, l := range s.Lines {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// Height is the slip's length in dots.
func (s Slip) Height() int { return len(s.rows) }

// Black is how many dots are black.
func (s Slip) Black() int {
	n := 0
	for _, row := range s.rows {
		for _, dot := range row {
			if dot {
				n++
			}
		}
	}
	return n
}

// Image is the slip as a picture, a pixel for a dot.
func (s Slip) Image() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, s.width, max(len(s.rows), 1)))
	for i := range img.Pix {
		img.Pix[i] = 0xFF
	}
	for y, row := range s.rows {
		for x, dot := range row {
			if dot {
				img.SetGray(x, y, color.Gray{})
			}
		}
	}
	return img
}

// Size of a character of font A, and of the feed of a line (ESC 2).
const (
	cellWidth   = 12
	cellHeight  = 24
	lineSpacing = 30
)

// cell is a character of the line that is being collected.
type cell struct {
	char       byte
	wide, tall int // factors, from 1
	bold       bool
}

// glyph draws a character of font A: the face is half as high, and is stretched.
func glyph(char byte) [cellHeight][cellWidth]bool {
	const width, height, baseline = 8, 16, 12
	mask := image.NewGray(image.Rect(0, 0, width, height))
	d := font.Drawer{Dst: mask, Src: image.White, Face: inconsolata.Regular8x16, Dot: fixed.P(0, baseline)}
	d.DrawString(string(rune(char)))
	var out [cellHeight][cellWidth]bool
	for y := range out {
		for x := range out[y] {
			out[y][x] = mask.GrayAt(x*width/cellWidth, y*height/cellHeight).Y > 0x7F
		}
	}
	return out
}

// draw makes the dots of a line of characters that begins at a place.
func draw(cells []cell, at, width, height int) [][]bool {
	rows := make([][]bool, height)
	for y := range rows {
		rows[y] = make([]bool, width)
	}
	for _, c := range cells {
		g := glyph(c.char)
		top := height - cellHeight*c.tall
		for y := range cellHeight * c.tall {
			for x := range cellWidth * c.wide {
				on := g[y/c.tall][x/c.wide] || c.bold && x > 0 && g[y/c.tall][(x-1)/c.wide]
				if on && at+x < width && top+y >= 0 {
					rows[top+y][at+x] = true
				}
			}
		}
		at += cellWidth * c.wide
	}
	return rows
}
