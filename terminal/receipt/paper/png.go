package paper

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// margin is the white around a picture that is not for paper, in dots.
const margin = 24

// PNG is the picture as a file for screens and messages: one bit a dot, with white around it. The same picture gives the same bytes.
func (p Picture) PNG() ([]byte, error) {
	wide, high := 8*p.Stride, p.Height()
	img := image.NewPaletted(image.Rect(0, 0, wide+2*margin, high+2*margin), color.Palette{color.White, color.Black})
	for y := range high {
		row := img.Pix[(y+margin)*img.Stride+margin:]
		for x := range wide {
			row[x] = p.Rows[y*p.Stride+x/8] >> (7 - x%8) & 1
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("receipt as a picture: %w", err)
	}
	return b.Bytes(), nil
}
