package escpos

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The commands of Epson's reference, fed as bytes, and what comes out.
func TestInterprets(t *testing.T) {
	p := New(Config{})
	p.Feed([]byte("\x1b@plain\n\x1ba\x01\x1dE\x01" + "x"))
	if odd := p.Odd(); !slices.Equal(odd, []string{"1D 45", "01"}) {
		t.Errorf("odd: %q", odd)
	}
	p = New(Config{})
	p.Feed([]byte("\x1b@A\n\x1d!\x11BIG\n\x1d!\x00\x1bE\x01bold\x1bE\x00 not\n\x1bd\x02" + strings.Repeat("w", 50) + "\n\x1dVB\x00"))
	cut := p.Cut()
	if len(cut) != 1 {
		t.Fatalf("%d papers", len(cut))
	}
	want := []Line{{Text: "A"}, {Text: "BIG", Wide: true, Tall: true}, {Text: "bold not"}, {Text: strings.Repeat("w", 48)}, {Text: "ww"}}
	if !slices.Equal(cut[0].Lines, want) {
		t.Errorf("%+v", cut[0].Lines)
	}
	if height := 30 + 48 + 30 + 60 + 30 + 30 + 120; cut[0].Height() != height {
		t.Errorf("%d dots long, want %d", cut[0].Height(), height)
	}
	if len(p.Odd()) != 0 {
		t.Errorf("odd: %q", p.Odd())
	}
}

// A picture of one row in the middle of the paper, and its dots.
func TestRaster(t *testing.T) {
	p := New(Config{Dots: 16})
	p.Feed([]byte{0x1D, 'v', '0', 0, 2, 0, 2, 0, 0x80, 0x01, 0xFF, 0x00, 0x1D, 'V', 0})
	img := p.Cut()[0].Image()
	var got strings.Builder
	for y := range 2 {
		for x := range 16 {
			got.WriteByte(" #"[(0xFF-img.GrayAt(x, y).Y)/0xFF])
		}
		got.WriteByte('|')
	}
	if got.String() != "#              #|########        |" {
		t.Errorf("%q", got.String())
	}
}

// Answers, byte for byte, as the reference has them.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		hand func(*Printer)
		in   []byte
		want []byte
	}{
		{"ready", nil, []byte{0x10, 4, 1, 0x10, 4, 2, 0x10, 4, 3, 0x10, 4, 4}, []byte{0x12, 0x12, 0x12, 0x12}},
		{"paper out", func(p *Printer) { p.LoadPaper(0, 0) }, []byte{0x10, 4, 1, 0x10, 4, 2, 0x10, 4, 4}, []byte{0x1A, 0x32, 0x7E}},
		{"nearly", func(p *Printer) { p.LoadPaper(5, 9) }, []byte{0x10, 4, 4, 0x1D, 'r', 1}, []byte{0x1E, 0x03}},
		{"cover", func(p *Printer) { p.OpenCover(true) }, []byte{0x10, 4, 1, 0x10, 4, 2}, []byte{0x1A, 0x16}},
		{"drawer", func(p *Printer) { p.OpenDrawer(true) }, []byte{0x10, 4, 1, 0x1D, 'r', 2}, []byte{0x16, 0x01}},
		{"off line, nothing in turn", func(p *Printer) { p.OpenCover(true) }, []byte{0x1D, 'r', 1}, nil},
		{"automatic", nil, []byte{0x1D, 'a', 0x0F}, []byte{0x10, 0, 0, 0x0F}},
		{"process ID", nil, []byte{0x1D, '(', 'H', 6, 0, '0', '0', 'a', 'b', 'c', 'd'}, []byte{0x37, 0x22, 'a', 'b', 'c', 'd', 0}},
		{"cleared", nil, clearing, []byte{0x37, 0x25, 0}},
	} {
		p := New(Config{})
		if c.hand != nil {
			c.hand(p)
		}
		p.Feed(c.in)
		if got := p.Answers(); !bytes.Equal(got, c.want) {
			t.Errorf("%s: % X, want % X", c.name, got, c.want)
		}
	}
}

// It goes on with its buffer when there is paper again, and loses what stood on the rest of the roll.
func TestPaperOut(t *testing.T) {
	p := New(Config{})
	p.LoadPaper(70, 0)
	p.Feed([]byte("one\ntwo\nthree\nfour\n\x1dV\x00"))
	if got := p.Slips()[0].Text(); got != "one\ntwo\n" {
		t.Errorf("%q", got)
	}
	p.LoadPaper(-1, 0)
	if got := p.Cut()[0].Text(); got != "one\ntwo\nfour\n" {
		t.Errorf("%q", got)
	}
	if torn := p.TearOff(); len(torn) != 1 || torn[0].Text() != "one\ntwo\nfour\n" || len(p.Cut()) != 0 {
		t.Errorf("torn off: %d papers, %d left", len(torn), len(p.Cut()))
	}
}

// A picture of the paper can be written down, for people to look at.
func TestImage(t *testing.T) {
	p := New(Config{Dots: 384})
	p.Feed([]byte("\x1d!\x01TILLWAY\n\x1d!\x00VISA  KWD 10.525\n"))
	f, err := os.Create(filepath.Join(t.TempDir(), "paper.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, p.Slips()[0].Image()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if black := p.Slips()[0].Black(); black < 500 || black > 5000 {
		t.Errorf("%d dots are black", black)
	}
}

// FuzzInterpreter: whatever it is sent, however it is cut, the paper is the same, no longer than its bytes allow, and its state
// stays bounded.
func FuzzInterpreter(f *testing.F) {
	f.Add([]byte("\x1b@\x1d!\x11BIG\n\x1d!\x00small\n\x1dVB\x00\x1d(H\x06\x0000abcd"), 5)
	f.Add([]byte{0x1D, 'v', '0', 0, 1, 0, 3, 0, 1, 2, 3, 0x10, 4, 1, 0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8}, 9)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		b = b[:min(len(b), 2000)]
		at = min(max(at, 0), len(b))
		whole, cut := New(Config{}), New(Config{})
		whole.Feed(b)
		cut.Feed(b[:at])
		cut.Feed(b[at:])
		if bytes.Contains(b, []byte{0x10, 0x14, 0x08}) || bytes.Contains(b, []byte{0x10, 0x05}) {
			return // what is cleared depends on what was worked off already
		}
		one, two := whole.Slips(), cut.Slips()
		if len(one) != len(two) {
			t.Fatalf("%d papers, cut %d", len(one), len(two))
		}
		rows := 0
		for i := range one {
			if one[i].Text() != two[i].Text() || one[i].Height() != two[i].Height() || one[i].Black() != two[i].Black() {
				t.Errorf("paper %d differs", i)
			}
			rows += one[i].Height()
		}
		if most := len(b)*255*255 + 1000; rows > most {
			t.Errorf("%d rows of %d bytes", rows, len(b))
		}
	})
}
