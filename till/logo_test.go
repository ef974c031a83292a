package till

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
)

// A receipt has the shop's logo as page and as picture, in Arabic too, and the page's policy lets it be seen; as text it has none.
func TestReceiptWithLogo(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 400, 60))); err != nil {
		t.Fatal(err)
	}
	logo, err := paper.ReadLogo(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	get := func(query string, with *paper.Logo) (policy string, body []byte) {
		sale := aSale(t, 6, terminal.Approved)
		h := handlerFor(t, newScript(t,
			call{"Current", nil, []any{terminal.Sale{}, false}}, call{"Sale", []any{sale.ID}, []any{sale, nil}},
			call{"Snapshot", nil, []any{terminal.Snapshot{}}}, call{"About", []any{sale.ID}, []any{[]terminal.Sale(nil), nil}},
		), func(c *Config) { c.Logo = with })
		w := ask(t, h, "GET", "/v1/sales/"+sale.ID.String()+"/receipt?"+query, "")
		return w.Header().Get("Content-Security-Policy"), w.Body.Bytes()
	}
	policy, page := get("format=html&lang=ar", logo)
	if policy != receipt.ContentSecurityPolicy()+"; img-src data:" || !strings.Contains(string(page), `src="data:image/png;base64,`) || !strings.Contains(string(page), `dir="rtl"`) {
		t.Errorf("%s\n%.400s", policy, page)
	}
	high := map[bool]int{}
	for _, with := range []*paper.Logo{nil, logo} {
		_, b := get("format=png&lang=ar", with)
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		high[with != nil] = img.Bounds().Dy()
	}
	if high[true]-high[false] != 76 {
		t.Errorf("%d rows with the logo, %d without", high[true], high[false])
	}
	if _, text := get("format=text", logo); !strings.Contains(string(text), "10.525") || strings.Contains(string(text), "data:") {
		t.Errorf("%s", text)
	}
}
