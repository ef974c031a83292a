package nexo

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// opened is the answer inside an envelope.
func (w *world) opened(text []byte, secret string) []byte {
	w.t.Helper()
	var e struct {
		Response struct {
			MessageHeader   header
			NexoBlob        string
			SecurityTrailer trailer
		} `json:"SaleToPOIResponse"`
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Response.NexoBlob == "" {
		w.t.Fatalf("no envelope: %v %s", err, text)
	}
	k, err := derive([]byte(secret))
	if err != nil {
		w.t.Fatal(err)
	}
	plain, err := k.open(e.Response.NexoBlob, e.Response.SecurityTrailer)
	if err != nil {
		w.t.Fatal(err)
	}
	if e.Response.MessageHeader.MessageType != "Response" || e.Response.SecurityTrailer.KeyIdentifier != registerName {
		w.t.Errorf("%+v", e)
	}
	return plain
}

// nobodys sends without a token: the envelope is who it is from.
func nobodys(r *http.Request) { r.Header.Set("X-Api-Key", "any") }

func TestSealed(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Clear = false })
	w.ends = approve
	m := message("Payment", "1", paymentOf("1.234"))
	out := w.send(seal(t, m, passphrase, 1), nobodys)
	if a := w.member(w.opened(out.Body.Bytes(), passphrase), "Payment"); result(a) != success || w.sales[0].Amount.Minor != 1_234 {
		t.Errorf("%v", a)
	}
	again := w.send(seal(t, m, passphrase, 1), nobodys)
	if a, b := w.opened(out.Body.Bytes(), passphrase), w.opened(again.Body.Bytes(), passphrase); string(a) != string(b) || len(w.sales) != 1 {
		t.Errorf("the same message sealed anew: %d sales\n%s\n%s", len(w.sales), a, b)
	}
	sealed := seal(t, m, passphrase, 1)
	for range 3 { // the same bytes, as somebody on the wire would send them again
		if a := w.member(w.opened(w.send(sealed, nobodys).Body.Bytes(), passphrase), "Payment"); result(a) != success || len(w.sales) != 1 {
			t.Errorf("a replay: %d sales, %v", len(w.sales), a)
		}
	}
	if out.Body.String() == again.Body.String() {
		t.Error("two envelopes have the same nonce")
	}
}

// A message in clear is refused in its own form where the terminal takes none, and nothing of it is done.
func TestClearRefused(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Clear = false })
	a := w.ask("Payment", "1", paymentOf("1"))
	text, err := json.Marshal(a)
	if err != nil || result(a) != "Failure/MessageFormat" || !strings.Contains(string(text), "errors=At+SaleToPOIRequest") || !strings.Contains(string(text), "note=") || w.orders != 0 {
		t.Errorf("%s", text)
	}
	if out := w.send(message("Payment", "1", paymentOf("1")), nobodys); out.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", out.Code, out.Body)
	}
}

// Each check of an envelope that fails is named, and audited; nothing is done.
func TestSealedRefused(t *testing.T) {
	m := message("Payment", "1", paymentOf("1"))
	other := message("Payment", "2", paymentOf("1"))
	for _, c := range []struct {
		name   string
		body   func(t *testing.T) string
		status int
		says   string
	}{
		{"unknown key", func(t *testing.T) string {
			return seal(t, m, passphrase, 1, func(tr *trailer, _ *string) { tr.KeyIdentifier = "till-2" })
		}, 401, "unknown KeyIdentifier"},
		{"unknown version", func(t *testing.T) string { return seal(t, m, passphrase, 2) }, 401, "unknown KeyVersion"},
		{"retired version", func(t *testing.T) string { return seal(t, m, passphrase, 9) }, 401, "was retired"},
		{"another passphrase", func(t *testing.T) string { return seal(t, m, "another passphrase", 1) }, 401, "Hmac does not match"},
		{"tampered nonce", func(t *testing.T) string {
			return seal(t, m, passphrase, 1, func(tr *trailer, _ *string) { tr.Nonce = vectorNonce })
		}, 401, "Hmac does not match"},
		{"other crypto version", func(t *testing.T) string {
			return seal(t, m, passphrase, 1, func(tr *trailer, _ *string) { tr.AdyenCryptoVersion = 0 })
		}, 401, "AdyenCryptoVersion"},
		{"blob of nothing", func(t *testing.T) string {
			return seal(t, m, passphrase, 1, func(_ *trailer, b *string) { *b = "AAAA" })
		}, 401, "NexoBlob"},
		{"another header outside", func(t *testing.T) string {
			return strings.Replace(seal(t, other, passphrase, 1), `"ServiceID":"2"`, `"ServiceID":"1"`, 1)
		}, 400, "outer and inner MessageHeader differ"},
		{"an envelope in an envelope", func(t *testing.T) string {
			k, err := derive([]byte(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			blob, tr, err := k.seal([]byte(seal(t, m, passphrase, 1)), make([]byte, nonceBytes))
			if err != nil {
				t.Fatal(err)
			}
			return seal(t, m, passphrase, 1, func(to *trailer, b *string) { tr.KeyIdentifier, tr.KeyVersion = registerName, 1; *to, *b = tr, blob })
		}, 401, "there is another one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.secrets[9], w.retired = passphrase, []int{9}
			out := w.send(c.body(t), nobodys)
			if out.Code != c.status || !strings.Contains(out.Body.String(), c.says) || w.orders != 0 {
				t.Errorf("%d %s", out.Code, out.Body)
			}
			if c.status == http.StatusUnauthorized && (len(w.audited) != 1 || !strings.Contains(w.audited[0].Note, c.says)) {
				t.Errorf("audited %+v", w.audited)
			}
			if strings.Contains(out.Body.String(), passphrase) {
				t.Error("the answer has the passphrase")
			}
		})
	}
}

// Keys rotate: both versions open while both stand, and one that is retired does not from that moment on, whatever was kept in memory.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	const second = "another passphrase, newer"
	w.register(func() { w.secrets[2] = second })
	ask := func(service, secret string, version int) int {
		return w.send(seal(t, message("Payment", service, paymentOf("1")), secret, version), nobodys).Code
	}
	if ask("1", passphrase, 1) != 200 || ask("2", second, 2) != 200 || ask("3", passphrase, 1) != 200 {
		t.Error("a version that stands is not taken")
	}
	w.register(func() { w.retired = []int{1} })
	if code := ask("4", passphrase, 1); code != http.StatusUnauthorized {
		t.Errorf("a retired version is answered with %d", code)
	}
	if ask("5", second, 2) != 200 || len(w.sales) != 4 {
		t.Errorf("%d sales", len(w.sales))
	}
}

// FuzzMessage: whatever comes, there is one whole JSON value or a named refusal, and never an order out of a message that could be read
// in two ways.
func FuzzMessage(f *testing.F) {
	f.Add(message("Payment", "1", paymentOf("12.345")))
	f.Add(message("TransactionStatus", "1", `{"MessageReference":{"ServiceID":"1"}}`))
	f.Add(message("Login", "1", `{"OperatorID":"9","TrainingModeFlag":true}`))
	f.Add(message("GetTotals", "1", `{"TotalDetails":["OperatorID"]}`))
	f.Add(message("Display", "1", `{"DisplayOutput":[{"Device":"CustomerDisplay","InfoQualify":"Display","OutputContent":{"OutputFormat":"Text","OutputText":[{"Text":"a"}]}}]}`))
	f.Add(seal(f, message("Diagnosis", "1", `{"HostDiagnosisFlag":true}`), passphrase, 1))
	f.Add(`{"SaleToPOIRequest":{"MessageHeader":{},"MessageHeader":{}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		w.ends = approve
		out := w.send(body)
		if strict([]byte(body)) != nil && (w.orders != 0 || out.Code == http.StatusOK) {
			t.Fatalf("a doubtful message was carried out: %d", out.Code)
		}
		if out.Body.Len() > 0 && !json.Valid(out.Body.Bytes()) {
			t.Fatalf("%d %q", out.Code, out.Body)
		}
	})
}
