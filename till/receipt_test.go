package till

import (
	"encoding/json"
	"image/png"
	"net/http/httptest"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/terminal/receipt"
)

// receiptOf asks for a sale's receipt with a query.
func receiptOf(t *testing.T, sale terminal.Sale, query string, languages receipt.Languages) *httptest.ResponseRecorder {
	t.Helper()
	calls := []call{
		{"Current", nil, []any{terminal.Sale{}, false}},
		{"Sale", []any{sale.ID}, []any{sale, nil}},
		{"Snapshot", nil, []any{terminal.Snapshot{}}},
		{"About", []any{sale.ID}, []any{[]terminal.Sale(nil), nil}},
	}
	h := handlerFor(t, newScript(t, calls...), func(c *Config) { c.Languages = languages })
	return ask(t, h, "GET", "/v1/sales/"+sale.ID.String()+"/receipt?"+query, "")
}

func TestReceiptFormats(t *testing.T) {
	for format, want := range map[string]string{
		"text": "text/plain; charset=utf-8", "html": "text/html; charset=utf-8", "png": "image/png", "json": "application/json", "": "application/json",
	} {
		w := receiptOf(t, aSale(t, 6, terminal.Approved), "format="+format, receipt.Languages{})
		if w.Code != 200 || w.Header().Get("Content-Type") != want {
			t.Errorf("%q: %d, %s", format, w.Code, w.Header().Get("Content-Type"))
		}
		if strings.Contains(w.Body.String(), "476173") {
			t.Errorf("%q shows more of the card than its last four digits", format)
		}
		if policy := w.Header().Get("Content-Security-Policy"); format == "html" && (policy != receipt.ContentSecurityPolicy() || strings.Contains(policy, "unsafe")) {
			t.Errorf("the page's policy is %q", policy)
		}
		if !strings.HasPrefix(want, "image") {
			continue
		}
		img, err := png.Decode(w.Body)
		if err != nil || img.Bounds().Dx() < 576 || img.Bounds().Dy() < 500 {
			t.Errorf("%v, %v", img.Bounds(), err)
		}
	}
	narrow, err := png.Decode(receiptOf(t, aSale(t, 6, terminal.Approved), "format=png&dots=384", receipt.Languages{}).Body)
	if err != nil || narrow.Bounds().Dx() >= 576 || narrow.Bounds().Dx() < 384 {
		t.Errorf("%v, %v", narrow.Bounds(), err)
	}
}

// The customer's copy is in the card's language, the merchant's in the shop's; a language that is asked for, or that the shop has for all,
// comes first.
func TestReceiptLanguages(t *testing.T) {
	const arabic, english = "نسخة العميل", "CUSTOMER COPY"
	shop := receipt.Languages{OfCard: true, Merchant: receipt.English}
	for _, row := range []struct {
		card, query string
		shop        receipt.Languages
		want        []string
		not         []string
	}{
		{"aren", "format=text", shop, []string{arabic, "10.525 د.ك."}, []string{english, "KWD"}},
		{"EN", "format=text", shop, []string{english, "KWD 10.525"}, []string{arabic}},
		{"fr", "format=text", shop, []string{english, arabic}, nil},
		{"", "format=html", shop, []string{english, arabic}, nil},
		{"aren", "format=text&copy=merchant", shop, []string{"MERCHANT COPY"}, []string{"نسخة"}},
		{"aren", "format=text&lang=en", shop, []string{english}, []string{arabic}},
		{"en", "format=html&lang=ar", shop, []string{arabic, `lang="ar" dir="rtl"`}, []string{english}},
		{"en", "format=text", receipt.Languages{Customer: receipt.Arabic}, []string{arabic}, []string{english}},
		{"aren", "format=text", receipt.Languages{}, []string{english}, []string{arabic}},
	} {
		sale := aSale(t, 6, terminal.Approved)
		sale.Language = row.card
		text := receiptOf(t, sale, row.query, row.shop).Body.String()
		for _, want := range row.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q, %s: no %q in\n%s", row.card, row.query, want, text)
			}
		}
		for _, not := range row.not {
			if strings.Contains(text, not) {
				t.Errorf("%q, %s: %q in\n%s", row.card, row.query, not, text)
			}
		}
	}
}

// The lines of a receipt in JSON have both languages and no marks of direction.
func TestReceiptLines(t *testing.T) {
	var answer struct {
		Verdict string `json:"verdict"`
		Lines   []Line `json:"lines"`
	}
	body := receiptOf(t, aSale(t, 6, terminal.Approved), "format=json", receipt.Languages{}).Body.Bytes()
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range answer.Lines {
		if strings.ContainsAny(l.Label+l.Text+l.ArabicLabel+l.ArabicText, "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\u00a0") {
			t.Errorf("%+v", l)
		}
		found = found || l == Line{Layout: "pair", Strong: true, Label: "AMOUNT", Text: "KWD 10.525", ArabicLabel: "المبلغ", ArabicText: "10.525 د.ك."}
	}
	if !found || answer.Verdict != "APPROVED" {
		t.Errorf("%s", body)
	}
}

// A receipt of what the bank is told of later has the number under which it waits; while it waits, and afterwards.
func TestReceiptOfWhatIsStored(t *testing.T) {
	sale := aSale(t, 6, terminal.Approved)
	sale.Way = terminal.WayOffline
	waits := terminal.Debt{ID: 17, Sale: 6, Kind: terminal.AdviceDebt}
	for _, told := range []bool{false, true} {
		calls := []call{
			{"Current", nil, []any{terminal.Sale{}, false}},
			{"Sale", []any{sale.ID}, []any{sale, nil}},
			{"Snapshot", nil, []any{terminal.Snapshot{Last: &sale}}},
			{"Debts", nil, []any{[]terminal.Debt{{ID: 9, Sale: 5, Kind: terminal.AdviceDebt}, waits}, nil}},
		}
		if told {
			calls[3].ret[0] = []terminal.Debt(nil)
			calls = append(calls, call{"SaleRows", []any{sale.ID}, []any{[]terminal.JournalRow{{Kind: terminal.SaleEntry}, {Kind: terminal.DebtEntry, Debt: &waits}}, nil}})
		}
		text := ask(t, handlerFor(t, newScript(t, calls...)), "GET", "/v1/sales/6/receipt?format=text&original=true", "").Body.String()
		if !strings.Contains(text, "APPROVED OFFLINE") || !strings.Contains(text, "STORED AS                               17") {
			t.Errorf("told %t:\n%s", told, text)
		}
	}
}
