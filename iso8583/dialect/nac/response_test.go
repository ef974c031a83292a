package nac_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

// answer is a golden answer with fields changed; an empty value takes a field out.
func answer(t testing.TB, d *nac.Dialect, name string, change map[int]string) []byte {
	t.Helper()
	m, err := d.Codec().Unpack(wire(t, golden(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range change {
		if v == "" {
			m.Delete(n)
		} else {
			m.Set(n, v)
		}
	}
	b, err := d.Codec().Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestApproval(t *testing.T) {
	zone := time.FixedZone("KWT", 3*3600)
	d := dialect(t, func(s *nac.Settings) {
		s.Zone = zone
		s.Now = func() time.Time { return time.Date(2026, 7, 23, 7, 15, 0, 0, time.UTC) }
	})
	r, err := d.Response(answer(t, d, "answer-0210", map[int]string{63: "THANK YOU  "}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != terminal.VerdictApproved || r.Code != "00" || r.ARC != [2]byte{'0', '0'} {
		t.Errorf("verdict %s, code %s, ARC %q", r.Verdict, r.Code, r.ARC)
	}
	if r.RRN != "620410000123" || r.AuthCode != "A1B2C3" || r.Text != "THANK YOU" {
		t.Errorf("RRN %s, authorisation %s, text %q", r.RRN, r.AuthCode, r.Text)
	}
	if want := unhex(t, "910AA1A2A3A4A5A6A7A83030"); !bytes.Equal(r.Issuer, want) {
		t.Errorf("issuer data %X, want %X", r.Issuer, want)
	}
	if want := time.Date(2026, 7, 23, 10, 15, 30, 0, zone); !r.Time.Equal(want) {
		t.Errorf("host time %v, want %v", r.Time, want)
	}
	if r.Advice.Code != "approved" {
		t.Errorf("advice %+v", r.Advice)
	}
}

// The only public approval with issuer data: 91, 71 and 72 keep their bytes and order.
func TestPublicApproval(t *testing.T) {
	frame := publicMessages(t)["hpdh-sales-resp"][2:]
	r, err := dialect(t, nil).Response(frame)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != terminal.VerdictApproved || r.RRN != "000000000036" || r.Code != "00" {
		t.Errorf("verdict %s, code %s, RRN %s", r.Verdict, r.Code, r.RRN)
	}
	want := unhex(t, "910a94b7ccbd4fa09126303071129f18040000000186098424000004a8c13d9572129f18040000000186098424000004a8c13d95")
	if !bytes.Equal(r.Issuer, want) {
		t.Errorf("issuer data %X, want %X", r.Issuer, want)
	}
}

func TestResponseCodes(t *testing.T) {
	const approved, declined, later = terminal.VerdictApproved, terminal.VerdictDeclined, terminal.VerdictTryLater
	d := dialect(t, nil)
	for _, tt := range []struct {
		name, answer, code string
		want               terminal.Verdict // empty: an error
	}{
		{"sale approved", "answer-0210", "00", approved},
		{"sale: no money", "answer-0210", "51", declined},
		{"sale: expired card", "answer-0210", "54", declined},
		{"sale: issuer down", "answer-0210", "91", later},
		{"sale: malfunction", "answer-0210", "96", later},
		{"sale: still being worked on", "answer-0210", "09", ""},
		{"sale: the issuer's answer came too late", "answer-0210", "68", ""},
		{"sale: code nobody knows", "answer-0210", "Q7", declined},
		{"sale: not found is a refusal", "answer-0210", "25", declined},
		{"sale: partial approval was not asked for", "answer-0210", "10", ""},
		{"sale: approval without cashback was not asked for", "answer-0210", "87", ""},
		{"sale: approval with identification was not asked for", "answer-0210", "08", ""},
		{"sale: code that is none", "answer-0210", "\x00\x00", ""},
		{"sale: code of spaces", "answer-0210", "  ", ""},
		{"reversal accepted", "answer-0410", "00", approved},
		{"reversal: nothing to reverse", "answer-0410", "25", approved},
		{"reversal: issuer down", "answer-0410", "91", later},
		{"reversal: malfunction", "answer-0410", "96", later},
		{"reversal: still being worked on", "answer-0410", "09", later},
		{"reversal refused", "answer-0410", "30", declined},
		{"reversal: a duplicate number is looked into by people", "answer-0410", "94", declined},
		{"reversal: a code that only a sale can have", "answer-0410", "10", declined},
		{"sale: lower-case code", "answer-0210", "a1", declined},
		{"pre-authorisation held", "answer-0110", "00", approved},
		{"pre-authorisation: no money", "answer-0110", "51", declined},
		{"pre-authorisation: still being worked on", "answer-0110", "09", ""},
		{"pre-authorisation: in part", "answer-0110", "10", ""},
		{"balance: in part", "answer-balance-0110", "10", ""},
		{"balance: issuer down", "answer-balance-0110", "91", later},
		{"advice taken", "answer-0230", "00", approved},
		{"advice: issuer down", "answer-0230", "91", later},
		{"advice: still being worked on", "answer-0230", "09", later},
		{"advice: too late", "answer-0230", "68", later},
		{"advice refused", "answer-0230", "30", declined},
		{"advice: what it refers to is not there", "answer-0230", "25", declined},
		{"advice: a duplicate number is looked into by people", "answer-0230", "94", declined},
		{"advice: a code that only a request can have", "answer-0230", "10", declined},
		{"upload taken", "answer-0330", "00", approved},
		{"upload: it is not the one posted", "answer-0330", "76", declined},
		{"upload: malfunction", "answer-0330", "96", later},
		{"same totals", "answer-0510", "00", approved},
		{"other totals", "answer-0510", "95", declined},
		{"totals: batch was closed", "answer-0510", "80", declined},
		{"totals: malfunction", "answer-0510", "96", later},
		{"sign-on accepted", "answer-0810", "00", approved},
		{"sign-on: unknown terminal", "answer-0810", "89", declined},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := d.Response(answer(t, d, tt.answer, map[int]string{39: tt.code}))
			if tt.want == "" {
				if !errors.Is(err, nac.ErrAnswer) {
					t.Fatalf("verdict %s (%v), want ErrAnswer", r.Verdict, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != tt.want || r.Code != tt.code {
				t.Errorf("verdict %s, code %s; want %s", r.Verdict, r.Code, tt.want)
			}
		})
	}
}

// Every code there can be has a verdict, or is refused; only 00 approves a sale; and the cashier is told what and what
// to do.
func TestEveryResponseCode(t *testing.T) {
	d := dialect(t, nil)
	const chars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, a := range chars {
		for _, b := range chars {
			code := string(a) + string(b)
			r, err := d.Response(answer(t, d, "answer-0210", map[int]string{39: code}))
			if err != nil {
				if !strings.Contains("08 09 10 11 16 32 68 87", code) {
					t.Errorf("%s: %v", code, err)
				}
				continue
			}
			if (r.Verdict == terminal.VerdictApproved) != (code == "00") {
				t.Errorf("%s: verdict %s", code, r.Verdict)
			}
			if r.Advice.Happened == "" || r.Advice.Do == "" || (r.Advice.Code == "approved") != (code == "00") {
				t.Errorf("%s: advice %+v", code, r.Advice)
			}
		}
	}
}

func TestAnswersRefused(t *testing.T) {
	d := dialect(t, nil)
	withMTI := func(mti string) []byte {
		m := iso8583.NewMessage(mti)
		m.TPDU = unhex(t, "6000030000")
		m.Set(39, "00")
		b, err := d.Codec().Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                      nil,
		"a request":                    wire(t, golden(t, "sale-0200")),
		"an answer to a file action":   withMTI("0312"),
		"an answer of another version": withMTI("1210"),
		"no response code":             answer(t, d, "answer-0210", map[int]string{39: ""}),
		"a trailing byte":              append(wire(t, golden(t, "answer-0210")), 0),
	} {
		if _, err := d.Response(b); !errors.Is(err, nac.ErrAnswer) {
			t.Errorf("%s: error %v, want ErrAnswer", name, err)
		}
	}
}

// DE 55 of an approval that is no TLV makes the answer unusable, so that the sale is reversed; of a refusal it is left
// out, and an empty one is none.
func TestHostileChipData(t *testing.T) {
	text, err := os.ReadFile("testdata/hostile.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, DE55, Note string }
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) != 6 {
		t.Fatalf("%d cases (%v)", len(cases), err)
	}
	d := dialect(t, nil)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			m, err := d.Codec().Unpack(wire(t, golden(t, "answer-0210")))
			if err != nil {
				t.Fatal(err)
			}
			m.SetBytes(55, unhex(t, c.DE55))
			b, err := d.Codec().Pack(m)
			if err != nil {
				t.Fatal(err)
			}
			r, err := d.Response(b)
			if c.DE55 == "" {
				if err != nil || r.Issuer != nil {
					t.Fatalf("issuer data %X, error %v; want none", r.Issuer, err)
				}
				return
			}
			if !errors.Is(err, nac.ErrAnswer) {
				t.Fatalf("%s: approval is taken (%v)", c.Note, err)
			}
			m.Set(39, "05")
			if b, err = d.Codec().Pack(m); err != nil {
				t.Fatal(err)
			}
			if r, err = d.Response(b); err != nil || r.Verdict != terminal.VerdictDeclined || r.Issuer != nil {
				t.Fatalf("%s: refusal gives %s with %d bytes (%v)", c.Note, r.Verdict, len(r.Issuer), err)
			}
			reversed := answer(t, d, "answer-0410", map[int]string{55: string(unhex(t, c.DE55))})
			if r, err = d.Response(reversed); err != nil || r.Verdict != terminal.VerdictApproved || r.Issuer != nil {
				t.Fatalf("%s: acknowledged reversal gives %s with %d bytes (%v)", c.Note, r.Verdict, len(r.Issuer), err)
			}
		})
	}
}

func TestHostTime(t *testing.T) {
	zone := time.FixedZone("KWT", 3*3600)
	for _, tt := range []struct {
		name        string
		now         time.Time
		date, clock string
		want        time.Time
	}{
		{"same day", time.Date(2026, 7, 23, 7, 0, 0, 0, time.UTC), "0723", "100100", time.Date(2026, 7, 23, 10, 1, 0, 0, zone)},
		{"host is in the new year", time.Date(2026, 12, 31, 20, 59, 0, 0, time.UTC), "0101", "000001", time.Date(2027, 1, 1, 0, 0, 1, 0, zone)},
		{"we are in the new year", time.Date(2027, 1, 1, 0, 0, 0, 0, zone), "1231", "235959", time.Date(2026, 12, 31, 23, 59, 59, 0, zone)},
		{"leap day", time.Date(2028, 3, 1, 0, 0, 0, 0, zone), "0229", "235900", time.Date(2028, 2, 29, 23, 59, 0, 0, zone)},
		{"no leap day in any year near", time.Date(2026, 3, 1, 0, 0, 0, 0, zone), "0229", "120000", time.Time{}},
		{"no such hour", time.Date(2026, 3, 1, 0, 0, 0, 0, zone), "0301", "250000", time.Time{}},
		{"none sent", time.Date(2026, 3, 1, 0, 0, 0, 0, zone), "", "", time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dialect(t, func(s *nac.Settings) {
				s.Zone = zone
				s.Now = func() time.Time { return tt.now }
			})
			r, err := d.Response(answer(t, d, "answer-0210", map[int]string{12: tt.clock, 13: tt.date}))
			if err != nil {
				t.Fatal(err)
			}
			if !r.Time.Equal(tt.want) {
				t.Errorf("host time %v, want %v", r.Time, tt.want)
			}
		})
	}
}

func TestHostTextIsPrintable(t *testing.T) {
	d := dialect(t, nil)
	for _, bad := range []string{"A\x1b[2J", "\xff\xfe", strings.Repeat("A", 201)} {
		r, err := d.Response(answer(t, d, "answer-0210", map[int]string{63: bad, 38: "AB\x00\x00\x00\x00"}))
		if err != nil {
			t.Fatal(err)
		}
		if r.Text != "" || r.AuthCode != "" {
			t.Errorf("%d bytes of text and %d of authorisation code are passed on", len(r.Text), len(r.AuthCode))
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, name := range []string{
		"answer-0110", "answer-0210", "answer-0230", "answer-0330", "answer-0410", "answer-0510", "answer-0810",
		"answer-partial-0210", "answer-balance-0110", "answer-out-of-balance-0510",
	} {
		f.Add(wire(f, golden(f, name)))
	}
	f.Add(publicMessages(f)["hpdh-sales-resp"][2:])
	d := dialect(f, func(s *nac.Settings) { s.Partial, s.HostTotals = "amount", true })
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := d.Response(b)
		if err != nil {
			if !errors.Is(err, nac.ErrAnswer) {
				t.Fatalf("error %v is not ErrAnswer", err)
			}
			return
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatalf("an answer that does not unpack gives %s", r.Verdict)
		}
		code, _ := m.Get(39)
		switch r.Verdict {
		case terminal.VerdictApproved:
			if code == "10" && (r.Approved.Minor <= 0 || m.MTI()[:2] != "02") {
				t.Fatalf("%s: %d are approved in part", m.MTI(), r.Approved.Minor)
			}
			if code != "00" && code != "10" && (code != "25" || m.MTI()[:2] != "04") {
				t.Fatalf("%s with code %s is an approval", m.MTI(), code)
			}
		case terminal.VerdictDeclined, terminal.VerdictTryLater:
		default:
			t.Fatalf("verdict %q", r.Verdict)
		}
		if (r.InBalance || r.Closed || r.Upload || r.HostTotal != nil) && m.MTI()[:2] != "05" {
			t.Fatalf("%s speaks of totals", m.MTI())
		}
		if r.Balance.Minor != 0 && (r.Verdict != terminal.VerdictApproved || m.MTI()[2:] != "10") {
			t.Fatalf("%s with code %s tells a balance", m.MTI(), code)
		}
	})
}

// That the host has had a message already says that it has taken it where the settings say so, of advices and reversals alone.
func TestDuplicate(t *testing.T) {
	for _, booked := range []bool{false, true} {
		d := dialect(t, func(s *nac.Settings) { s.Booked = booked })
		for name, of := range map[string]bool{"answer-0230": true, "answer-0410": true, "answer-0210": false, "answer-0330": false} {
			r, err := d.Response(answer(t, d, name, map[int]string{39: "94"}))
			if err != nil || r.Verdict != terminal.VerdictDeclined || r.Duplicate != (booked && of) {
				t.Errorf("%s, %t: %s %t (%v)", name, booked, r.Verdict, r.Duplicate, err)
			}
		}
	}
}
