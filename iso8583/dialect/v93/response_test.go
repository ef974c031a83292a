package v93_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/iso8583"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/terminal"
)

// answer is a golden answer with fields changed; an empty value takes a field out.
func answer(t testing.TB, d *v93.Dialect, name string, change map[int]string) []byte {
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
	d := dialect(t, func(s *v93.Settings) {
		s.Now = func() time.Time { return time.Date(2026, 7, 23, 13, 15, 0, 0, kuwait) }
	})
	r, err := d.Response(answer(t, d, "answer-1210", map[int]string{44: "THANK YOU  "}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != terminal.VerdictApproved || r.Code != "000" || r.ARC != [2]byte{'0', '0'} {
		t.Errorf("verdict %s, code %s, ARC %q", r.Verdict, r.Code, r.ARC)
	}
	if r.RRN != "620410000123" || r.AuthCode != "A1B2C3" || r.Text != "THANK YOU" {
		t.Errorf("RRN %s, approval code %s, text %q", r.RRN, r.AuthCode, r.Text)
	}
	if want := unhex(t, "910AA1A2A3A4A5A6A7A83030"); !bytes.Equal(r.Issuer, want) {
		t.Errorf("issuer data %X, want %X", r.Issuer, want)
	}
	if want := time.Date(2026, 7, 23, 10, 15, 1, 0, time.UTC); !r.Time.Equal(want) {
		t.Errorf("host time %v, want %v", r.Time, want)
	}
	if r.Advice.Code != "approved" || r.KeyError || r.WrongPIN {
		t.Errorf("%+v", r)
	}
}

func TestActionCodes(t *testing.T) {
	const approved, declined, later = terminal.VerdictApproved, terminal.VerdictDeclined, terminal.VerdictTryLater
	d := dialect(t, nil)
	for _, tt := range []struct {
		name, answer, code string
		want               terminal.Verdict // empty: an error
		arc                string
	}{
		{"sale approved", "answer-1210", "000", approved, "00"},
		{"sale: do not honour", "answer-1210", "100", declined, "05"},
		{"sale: expired card", "answer-1210", "101", declined, "54"},
		{"sale: ask the issuer", "answer-1210", "107", declined, "01"},
		{"sale: no money", "answer-1210", "116", declined, "51"},
		{"sale: a decline that nobody knows", "answer-1210", "177", declined, "05"},
		{"sale: pick up, lost", "answer-1210", "208", declined, "04"},
		{"sale: a pick-up that nobody knows", "answer-1210", "299", declined, "04"},
		{"sale: issuer inoperative", "answer-1210", "907", later, "05"},
		{"sale: malfunction", "answer-1210", "909", later, "05"},
		{"sale: MAC wrong", "answer-1210", "916", declined, "05"},
		{"sale: not traced is a refusal", "answer-1210", "914", declined, "05"},
		{"sale: still being worked on", "answer-1210", "923", "", ""},
		{"sale: the issuer did not answer in time", "answer-1210", "911", "", ""},
		{"sale: honour with identification was not asked for", "answer-1210", "001", "", ""},
		{"sale: approved in part was not asked for", "answer-1210", "002", "", ""},
		{"sale: approved, VIP, where the settings do not take it", "answer-1210", "003", "", ""},
		{"sale: a reversal's acceptance approves nothing", "answer-1210", "400", "", ""},
		{"sale: nor does the network's", "answer-1210", "800", "", ""},
		{"sale: nor does an advice's", "answer-1210", "900", "", ""},
		{"reversal accepted", "answer-1430", "400", approved, "00"},
		{"reversal accepted with the code of requests", "answer-1430", "000", approved, "00"},
		{"reversal: nothing to reverse", "answer-1430", "914", approved, "00"},
		{"reversal: issuer down", "answer-1430", "912", later, "05"},
		{"reversal: still being worked on", "answer-1430", "923", later, "05"},
		{"reversal refused", "answer-1430", "904", declined, "05"},
		{"reversal: the network's acceptance is none", "answer-1430", "800", declined, "05"},
		{"reversal: a code that only a sale can have", "answer-1430", "002", declined, "05"},
		{"advice taken", "answer-1230", "000", approved, "00"},
		{"advice taken without liability", "answer-1230", "900", approved, "00"},
		{"advice taken with it", "answer-1230", "901", approved, "00"},
		{"advice refused", "answer-1230", "904", declined, "05"},
		{"totals agree", "answer-1530", "500", approved, "00"},
		{"totals differ", "answer-1530", "501", declined, "05"},
		{"totals: an approval is no agreement", "answer-1530", "000", declined, "05"},
		{"sign-on accepted", "answer-1814", "800", approved, "00"},
		{"sign-on: not this terminal", "answer-1814", "120", declined, "58"},
		{"sign-on: a reversal's acceptance is none", "answer-1814", "400", declined, "05"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := d.Response(answer(t, d, tt.answer, map[int]string{39: tt.code}))
			if tt.want == "" {
				if !errors.Is(err, v93.ErrAnswer) {
					t.Fatalf("verdict %s (%v), want ErrAnswer", r.Verdict, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if unknown := tt.answer == "answer-1430" && tt.code == "914"; r.Unknown != unknown {
				t.Errorf("the host knows of nothing: %t", r.Unknown)
			}
			if r.Verdict != tt.want || r.Code != tt.code || string(r.ARC[:]) != tt.arc {
				t.Errorf("verdict %s, code %s, ARC %s; want %s and %s", r.Verdict, r.Code, r.ARC, tt.want, tt.arc)
			}
		})
	}
	more := dialect(t, func(s *v93.Settings) { s.AlsoApproved = []string{"003", "007"} })
	for code, want := range map[string]bool{"000": true, "003": true, "007": true, "001": false} {
		r, err := more.Response(answer(t, d, "answer-1210", map[int]string{39: code}))
		if got := err == nil && r.Verdict == approved; got != want {
			t.Errorf("code %s approves: %t, want %t (%v)", code, got, want, err)
		}
	}
}

// A referral of a sale tells the cashier to call the bank; of anything else there is nothing that a call could bring.
func TestReferral(t *testing.T) {
	d := dialect(t, nil)
	for name, c := range map[string]struct {
		answer, code string
		calls        bool
	}{
		"sale": {"answer-1210", "000000", true}, "with cash": {"answer-1210", "090000", true}, "refund": {"answer-1210", "200000", false},
		"balance": {"answer-balance-1110", "310000", false}, "reversal": {"answer-1430", "000000", false},
	} {
		r, err := d.Response(answer(t, d, c.answer, map[int]string{3: c.code, 39: "107"}))
		if err != nil || r.Verdict != terminal.VerdictDeclined || strings.Contains(r.Advice.Do, "forced sale") != c.calls {
			t.Errorf("%s: %+v, %v", name, r.Advice, err)
		}
	}
}

// Every code there can be has a verdict, or is refused; only 000 approves a sale; a decline never tells the card of an
// approval; and the cashier is told what and what to do.
func TestEveryActionCode(t *testing.T) {
	d := dialect(t, nil)
	for n := range 1000 {
		code := fmt.Sprintf("%03d", n)
		r, err := d.Response(answer(t, d, "answer-1210", map[int]string{39: code}))
		if err != nil {
			if n >= 100 && n < 300 {
				t.Errorf("%s: %v", code, err)
			}
			continue
		}
		if (n > 0 && n < 100) || (n >= 300 && n < 900) {
			t.Errorf("%s: verdict %s, and it says nothing about the sale", code, r.Verdict)
		}
		if (r.Verdict == terminal.VerdictApproved) != (code == "000") || (string(r.ARC[:]) == "00") != (code == "000") {
			t.Errorf("%s: verdict %s, ARC %s", code, r.Verdict, r.ARC)
		}
		if r.Advice.Happened == "" || r.Advice.Do == "" || (r.Advice.Code == "approved") != (code == "000") {
			t.Errorf("%s: advice %+v", code, r.Advice)
		}
		if want := slices.Contains([]string{"128", "916", "917", "918", "919"}, code); r.KeyError != want {
			t.Errorf("%s: key error %t", code, r.KeyError)
		}
	}
}

func TestAnswersRefused(t *testing.T) {
	d := dialect(t, nil)
	withMTI := func(mti string) []byte {
		m := iso8583.NewMessage(mti)
		m.Set(39, "000")
		b, err := d.Codec().Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                    nil,
		"a request":                  wire(t, golden(t, "sale-1200")),
		"an answer of the other era": withMTI("0210"),
		"a file action's answer":     withMTI("1314"),
		"no action code":             answer(t, d, "answer-1210", map[int]string{39: ""}),
		"a trailing byte":            append(wire(t, golden(t, "answer-1210")), 0),
	} {
		if _, err := d.Response(b); !errors.Is(err, v93.ErrAnswer) {
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
			m, err := d.Codec().Unpack(wire(t, golden(t, "answer-1210")))
			if err != nil {
				t.Fatal(err)
			}
			m.SetBytes(55, unhex(t, c.DE55))
			b, err := d.Codec().Pack(m)
			if err != nil {
				return // longer than this dialect's field
			}
			r, err := d.Response(b)
			if c.DE55 == "" {
				if err != nil || r.Issuer != nil {
					t.Fatalf("issuer data %X, error %v; want none", r.Issuer, err)
				}
				return
			}
			if !errors.Is(err, v93.ErrAnswer) {
				t.Fatalf("%s: approval is taken (%v)", c.Note, err)
			}
			m.Set(39, "100")
			if b, err = d.Codec().Pack(m); err != nil {
				t.Fatal(err)
			}
			if r, err = d.Response(b); err != nil || r.Verdict != terminal.VerdictDeclined || r.Issuer != nil {
				t.Fatalf("%s: refusal gives %s with %d bytes (%v)", c.Note, r.Verdict, len(r.Issuer), err)
			}
		})
	}
}

func TestHostTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		now  time.Time
		sent string
		want time.Time
	}{
		{"same day", time.Date(2026, 7, 23, 7, 0, 0, 0, time.UTC), "0723070100", time.Date(2026, 7, 23, 7, 1, 0, 0, time.UTC)},
		{"host is in the new year", time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC), "0101000001", time.Date(2027, 1, 1, 0, 0, 1, 0, time.UTC)},
		{"we are in the new year", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "1231235959", time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"no leap day in any year near", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "0229120000", time.Time{}},
		{"no such hour", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "0301250000", time.Time{}},
		{"none sent", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "", time.Time{}},
	} {
		d := dialect(t, func(s *v93.Settings) { s.Now = func() time.Time { return tt.now } })
		r, err := d.Response(answer(t, d, "answer-1210", map[int]string{7: tt.sent}))
		if err != nil || !r.Time.Equal(tt.want) {
			t.Errorf("%s: host time %v, want %v (%v)", tt.name, r.Time, tt.want, err)
		}
	}
}

func TestHostTextIsPrintable(t *testing.T) {
	d := dialect(t, nil)
	for _, bad := range []string{"A\x1b[2J", "\xff\xfe"} {
		r, err := d.Response(answer(t, d, "answer-1210", map[int]string{44: bad, 38: "AB\x00\x00\x00\x00"}))
		if err != nil || r.Text != "" || r.AuthCode != "" {
			t.Errorf("%d bytes of text and %d of approval code are passed on (%v)", len(r.Text), len(r.AuthCode), err)
		}
	}
}

// FuzzResponse: whatever a host sends is refused with ErrAnswer or has a verdict, an approval only under the codes that approve,
// and what unpacks packs again to the same bytes.
func FuzzResponse(f *testing.F) {
	for _, name := range []string{
		"answer-1210", "answer-1230", "answer-1430", "answer-1530", "answer-1814", "answer-mac-1210", "answer-wrong-pin-1210", "answer-part-1210",
		"answer-balance-1110", "answer-differs-1530",
	} {
		f.Add(wire(f, golden(f, name)), false)
	}
	f.Add(wire(f, golden(f, "reversal-ascii-1420")), true)
	digits, text := dialect(f, func(s *v93.Settings) { s.Partial = true }), dialect(f, characters)
	f.Fuzz(func(t *testing.T, b []byte, chars bool) {
		d := digits
		if chars {
			d = text
		}
		m, err := d.Codec().Unpack(b)
		if err == nil {
			if again, err := d.Codec().Pack(m); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%X packs again to %X (%v)", b, again, err)
			}
		}
		r, rerr := d.Response(b)
		if rerr != nil {
			if !errors.Is(rerr, v93.ErrAnswer) {
				t.Fatalf("error %v is not ErrAnswer", rerr)
			}
			return
		}
		if err != nil {
			t.Fatalf("an answer that does not unpack gives %s", r.Verdict)
		}
		code, _ := m.Get(39)
		approves := map[string]string{"11": "000 002", "12": "000 002 900 901", "14": "000 400 914", "15": "500", "18": "000 800"}[m.MTI()[:2]]
		if r.Verdict == terminal.VerdictApproved && !strings.Contains(approves, code) {
			t.Fatalf("%s with code %s is an approval", m.MTI(), code)
		}
		if m.MTI()[2:] != "14" && m.MTI()[1] < '3' && m.MTI()[2] == '1' && r.Verdict == terminal.VerdictApproved && code != "000" && (chars || code != "002") {
			t.Fatalf("%s with code %s is an approval", m.MTI(), code)
		}
		part, _ := m.Get(4)
		if in := r.Approved.Minor != 0; in != (code == "002" && r.Verdict == terminal.VerdictApproved) || in && fmt.Sprintf("%012d", r.Approved.Minor) != part {
			t.Fatalf("%s with code %s approves %d of %s", m.MTI(), code, r.Approved.Minor, part)
		}
		if asked, _ := m.Get(3); r.Balance.Minor != 0 && (!strings.HasPrefix(asked, "31") || m.MTI()[2] != '1') {
			t.Fatalf("%s of %s has a balance", m.MTI(), asked)
		}
		if (r.Closed || r.InBalance || len(r.HostTotal) > 0) && m.MTI()[:2] != "15" || r.InBalance && (!r.Closed || code != "500") {
			t.Fatalf("%s with code %s ends a batch: %+v", m.MTI(), code, r)
		}
		if r.Verdict != terminal.VerdictApproved && r.Verdict != terminal.VerdictDeclined && r.Verdict != terminal.VerdictTryLater {
			t.Fatalf("verdict %q", r.Verdict)
		}
	})
}

// That the host has had a message already says that it has taken it where the settings say so, of advices and reversals alone.
func TestDuplicate(t *testing.T) {
	for _, booked := range []bool{false, true} {
		d := dialect(t, func(s *v93.Settings) { s.Booked = booked })
		for name, of := range map[string]bool{"answer-1230": true, "answer-1430": true, "answer-1210": false} {
			r, err := d.Response(answer(t, d, name, map[int]string{39: "913"}))
			if err != nil || r.Verdict != terminal.VerdictDeclined || r.Duplicate != (booked && of) {
				t.Errorf("%s, %t: %s %t (%v)", name, booked, r.Verdict, r.Duplicate, err)
			}
		}
	}
}
