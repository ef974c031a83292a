package paper

import (
	"bytes"
	"image"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

var header = receipt.Header{
	Name: "TILLWAY TEST SHOP", Location: []string{"Salem Al Mubarak Street", "Salmiya, Kuwait"}, Zone: time.FixedZone("Kuwait", 3*3600),
	NameArabic: "متجر تيلواي التجريبي", LocationArabic: []string{"شارع سالم المبارك، قطعة ١", "السالمية، الكويت"},
}

func kwd(t testing.TB, minor int64) money.Amount {
	t.Helper()
	c, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return money.New(minor, c)
}

func sale(t testing.TB) terminal.Sale {
	t.Helper()
	return terminal.Sale{
		V: terminal.RecordVersion, ID: 1042, Kind: terminal.KindSale, State: terminal.Approved, Acquirer: "nac", Batch: 7,
		Amount: kwd(t, 10_525), Started: time.Date(2026, 11, 23, 6, 14, 50, 0, time.UTC),
		TerminalID: "TILL0001", MerchantID: "KW0000000000001", STAN: 42, Invoice: 43, LocalTime: time.Date(2026, 11, 23, 6, 15, 7, 0, time.UTC),
		MaskedPAN: "476173******0119", Scheme: "visa", Label: "VISA CREDIT", AID: "A0000000031010", Entry: "chip", Method: emv.NoCVM,
		ResponseCode: "00", RRN: "632709000042", AuthCode: "A12345",
		Outcome: terminal.Outcome{Code: terminal.CodeApproved, Happened: "Approved."},
	}
}

func debit(t testing.TB) terminal.Sale {
	t.Helper()
	s := sale(t)
	s.Scheme, s.Label, s.AID, s.Method, s.MaskedPAN = "other", "DOMESTIC DEBIT", "A000000999010101", emv.OnlinePIN, "541333******9604"
	return s
}

func page(t testing.TB, s terminal.Sale, copied receipt.Copy, duplicate bool) []receipt.Block {
	t.Helper()
	return pageOf(t, s, header, copied, duplicate)
}

func pageOf(t testing.TB, s terminal.Sale, head receipt.Header, copied receipt.Copy, duplicate bool) []receipt.Block {
	t.Helper()
	r, err := receipt.Draw(s, head, copied, duplicate)
	if err != nil {
		t.Fatal(err)
	}
	if s.Of != 0 {
		of := sale(t)
		of.ID, of.STAN, of.RRN = s.Of, 40, "632709000040"
		r = r.About(of)
	}
	return r.AsStored(17).Page()
}

// Hostile and odd text stays on its line, within the paper, and turns nothing around.
func TestOddText(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	s := sale(t)
	s.HostText, s.Label, s.Reference = "\u202e10.000\u2066 x\x1b@", strings.Repeat("ثلاثة ", 60), "漢字 \U0001F600 é"
	for _, lang := range []receipt.Language{receipt.English, receipt.Arabic, receipt.Both} {
		for _, dots := range []int{0, Narrow, 383, Wide, 9999} {
			p := typesetter.Draw(page(t, s, receipt.Merchant, true), lang, dots)
			if len(p.Rows)%p.Stride != 0 || p.Height() < 500 || p.Height() > 9000 || p.Stride < Narrow/8 || p.Stride > Wide/8 {
				t.Errorf("%s, %d dots: %d bytes a row, %d rows", lang, dots, p.Stride, p.Height())
			}
		}
	}
}

// A digit is the same dots wherever it stands: beside Arabic, and in a page from right to left.
func TestAmountsAreNotTurned(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	draw := func(lang receipt.Language, b receipt.Block) string {
		p := typesetter.Draw([]receipt.Block{b}, lang, Wide)
		return ink(p)
	}
	english := draw(receipt.English, receipt.Block{Layout: receipt.Pair, Label: "", Text: "KWD 10.525"})
	arabic := draw(receipt.Arabic, receipt.Block{Layout: receipt.Pair, Label: "", Text: "KWD 10.525"})
	if english != arabic || english == "" {
		t.Error("the amount's dots differ")
	}
	if turned := draw(receipt.English, receipt.Block{Layout: receipt.Pair, Text: "525.01 DWK"}); turned == english {
		t.Error("the comparison compares nothing")
	}
}

// ink is a picture without the white around it.
func ink(p Picture) string {
	img := p.Image()
	box := image.Rectangle{}
	for y := range p.Height() {
		for x := range 8 * p.Stride {
			if img.GrayAt(x, y).Y == 0 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	var b strings.Builder
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			b.WriteByte(" #"[(0xFF-img.GrayAt(x, y).Y)&1])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Marks that stand on each other are not cut off at the line above.
func TestMarksAreWhole(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	tall := typesetter.Draw([]receipt.Block{{Layout: receipt.Centre, Text: "أُعيد"}}, receipt.English, Wide)
	if first := tall.Rows[:tall.Stride]; len(bytes.Trim(first, "\x00")) > 0 {
		t.Error("the first row of dots is not white: something is cut off")
	}
}

// Joined letters are joined: a word takes less room than its letters apart, and a letter in the middle of a word has another form.
func TestArabicIsJoined(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	wide := func(s string) int { return typesetter.set(s, 24, false, true, 1<<14)[0].width }
	apart := 0
	for _, r := range "مقبولة" {
		apart += wide(string(r))
	}
	if joined := wide("مقبولة"); joined >= apart {
		t.Errorf("%d dots joined, %d apart", joined, apart)
	}
	line := typesetter.set("ههه", 24, false, true, 1<<14)[0]
	glyphs := map[uint32]bool{}
	for _, g := range line.runs[0].Glyphs {
		glyphs[uint32(g.GlyphID)] = true
	}
	if len(glyphs) != 3 {
		t.Errorf("heh three times has %d forms, want initial, medial and final", len(glyphs))
	}
}

func TestNeedsPicture(t *testing.T) {
	plain := []receipt.Block{{Layout: receipt.Pair, Label: "AMOUNT", Text: "KWD 10.525", ArabicLabel: "المبلغ"}}
	if NeedsPicture(plain, receipt.English) || !NeedsPicture(plain, receipt.Both) {
		t.Error("a page of ASCII in English needs none, in both languages one")
	}
	if !NeedsPicture([]receipt.Block{{Text: "Café"}}, receipt.English) {
		t.Error("é is not in the printer's font")
	}
}

func BenchmarkDraw(b *testing.B) {
	typesetter, err := New()
	if err != nil {
		b.Fatal(err)
	}
	blocks := page(b, sale(b), receipt.Customer, false)
	b.ReportAllocs()
	for b.Loop() {
		typesetter.Draw(blocks, receipt.Both, Wide)
	}
}

// What is drawn of our words is what HarfBuzz draws, glyph by glyph from left to right: the letters' joined forms, and their order. Spaces and
// Latin points come from the Latin font.
func TestShapedAsHarfBuzz(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/hb-shape.tsv")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for row := range strings.Lines(string(b)) {
		words, glyphs, ok := strings.Cut(strings.TrimSpace(row), "\t")
		if !ok || strings.HasPrefix(row, "#") {
			continue
		}
		var want, got []string
		for g := range strings.SplitSeq(strings.Trim(glyphs, "[]"), "|") {
			if g != "0" && g != "1" {
				want = append(want, g)
			}
		}
		for _, run := range typesetter.set(words, 24, false, true, 1<<14)[0].runs {
			if run.Face != typesetter.regular[1] {
				continue
			}
			for _, g := range run.Glyphs {
				if g.GlyphID > 1 {
					got = append(got, strconv.Itoa(int(g.GlyphID)))
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, HarfBuzz has %v", words, got, want)
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d were compared", compared)
	}
}

// The order of an amount in Arabic, from left to right on paper: its currency, then its digits in their own order; also in the middle of a
// sentence, with a sign, and in a line that goes from left to right.
func TestOrderOfAmounts(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	digit := map[uint32]rune{}
	for _, r := range "0123456789-." {
		g, _ := typesetter.regular[0].NominalGlyph(r)
		digit[uint32(g)] = r
	}
	for text, rightToLeft := range map[string]bool{
		kwd(t, 10_525).FormatArabic(money.Latin):                      true,
		"خُصم " + kwd(t, 10_525).FormatArabic(money.Latin) + " أمس":   true,
		"KWD 10.525 " + kwd(t, 10_525).FormatArabic(money.Latin):      false,
		kwd(t, -10_525).FormatArabic(money.Latin):                     true,
		"المبلغ " + kwd(t, 10_525).FormatArabic(money.Latin) + " (x)": true,
	} {
		var order strings.Builder
		for _, run := range typesetter.set(text, 24, false, rightToLeft, 1<<14)[0].runs {
			for _, g := range run.Glyphs {
				switch r, ok := digit[uint32(g.GlyphID)]; {
				case run.Face == typesetter.regular[1]:
					order.WriteByte('a')
				case ok:
					order.WriteRune(r)
				}
			}
		}
		got, want := order.String(), "10.525"
		if strings.Contains(text, "-") {
			want = "-10.525"
		}
		at := strings.Index(got, want)
		if at < 0 || strings.Count(got, "525.01") > 0 || rightToLeft && !strings.Contains(got[:at], "a") {
			t.Errorf("%+q is drawn as %q from left to right", text, got)
		}
	}
}
