package till

import (
	"encoding/json"
	"net/url"
	"testing"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

// A receipt as nexo lines: each has a key, none has a mark of direction, and in Arabic it is in Arabic. A report has no such form.
func TestReceiptAsNexoLines(t *testing.T) {
	for lang, want := range map[string]string{"en": "AUTH CODE", "ar": "رمز الموافقة", "both": "AUTH CODE / رمز الموافقة"} {
		sale := aSale(t, 6, terminal.Approved)
		sale.AuthCode = "A1B2C3"
		w := receiptOf(t, sale, "format=nexo&lang="+lang, receipt.Languages{})
		var out receipt.OutputContent
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.OutputFormat != "Text" || len(out.OutputText) < 15 {
			t.Fatalf("%s: %d %v %s", lang, w.Code, err, w.Body)
		}
		found := false
		for _, l := range out.OutputText {
			v, err := url.ParseQuery(l.Text)
			if err != nil || v.Get("key") == "" || money.Plain(v.Get("name")+v.Get("value")) != v.Get("name")+v.Get("value") {
				t.Errorf("%s: line %q, %v", lang, l.Text, err)
			}
			found = found || v.Get("key") == "authCode" && v.Get("name") == want && v.Get("value") == "A1B2C3"
		}
		if !found {
			t.Errorf("%s: no line %q in %s", lang, want, w.Body)
		}
	}
	isProblem(t, ask(t, handlerFor(t, newScript(t)), "GET", "/v1/kernel?format=nexo", ""), 400, "bad_query")
}
