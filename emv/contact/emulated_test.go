package contact_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
)

// script is one of the short simulated sessions of testdata/emv-utils-emulated.json.
type script struct {
	Name      string          `json:"name"`
	Mode      string          `json:"mode"` // APDU; those of mode TPDU are not for a kernel
	Exchanges json.RawMessage `json:"exchanges"`
}

func scripts(t *testing.T) map[string][]transcript.Exchange {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "emv-utils-emulated.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Files map[string][]script `json:"files"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string][]transcript.Exchange{}
	for _, list := range file.Files {
		for _, s := range list {
			if s.Mode != "APDU" {
				continue
			}
			var list []transcript.Exchange
			if err := json.Unmarshal(s.Exchanges, &list); err != nil {
				t.Fatal(err)
			}
			all[s.Name] = list
		}
	}
	return all
}

// part plays a script strictly and answers 6985 to what comes after it.
type part struct {
	*transcript.Player
	after []string
}

func (p *part) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if p.Close() == nil {
		p.after = append(p.after, fmt.Sprintf("%X", command))
		return []byte{0x69, 0x85}, nil
	}
	return p.Player.Transmit(ctx, command)
}

func join(lists ...[]transcript.Exchange) *part {
	return &part{Player: transcript.Strict(transcript.Transcript{Exchanges: slices.Concat(lists...)})}
}

func exchange(c, r string) transcript.Exchange {
	return transcript.Exchange{Command: unhex(c), Response: unhex(r)}
}

// picker takes the applications with these labels, one after the other, and then none.
type picker struct {
	labels []string
	lists  []string
}

func (*picker) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	return emv.PINPadMissing, nil
}

func (*picker) CardPIN(context.Context, emv.CardPINRequest) (emv.CardPINAnswer, error) {
	return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
}

func (p *picker) Choose(_ context.Context, list []emv.Candidate) (int, bool, error) {
	var names []string
	for _, c := range list {
		names = append(names, c.Label)
	}
	p.lists = append(p.lists, strings.Join(names, ","))
	if len(p.labels) == 0 {
		return 0, false, nil
	}
	i := slices.IndexFunc(list, func(c emv.Candidate) bool { return c.Label == p.labels[0] })
	p.labels = p.labels[1:]
	return i, i >= 0, nil
}

func emulatedTerminal() emv.Params {
	var apps []emv.Application
	for _, aid := range []string{"A0000000031010", "A0000000032010", "A0000000032020", "A0000000041010", "A0000000043060"} {
		partial := strings.HasSuffix(aid, "1010")
		apps = append(apps, emv.Application{AID: unhex(aid), PartialSelect: partial, Scheme: "scheme"})
	}
	return terminal(apps...)
}

// The candidate list: which applications are offered, in which order, and what is selected then.
func TestEmulatedCandidateList(t *testing.T) {
	for _, r := range []struct {
		script string
		reason string
		lists  string
		after  string // commands after the script, by their beginnings
	}{
		{"test_pse_card_blocked", "card blocked", "", ""},
		{"test_nothing_found", "no application in common", "", ""},
		{"test_aid_blocked", "application blocked", "", ""},
		{"test_pse_app_supported", "no application in common", "", "00A4040007A0000000031010"},
		{"test_aid_multi_exact_match_app_supported", "chose no application", "V PAY,V PAY", ""},
		{"test_sorted_app_priority", "chose no application", "APP 1,APP 2,APP 3,APP 4,APP 5,APP 6,APP 7", ""},
	} {
		card := join(scripts(t)[r.script])
		holder := &picker{}
		_, out := begin(t, card, emulatedTerminal(), holder)
		want := emv.Terminated
		if r.script == "test_nothing_found" { // an empty list may still be read another way; what is blocked may not
			want = emv.OtherInterface
		}
		if out.Decision != want || !strings.Contains(out.Reason, r.reason) {
			t.Errorf("%s: %s: %s", r.script, out.Decision, out.Reason)
		}
		if got := strings.Join(holder.lists, " / "); got != r.lists {
			t.Errorf("%s: offered %q, want %q", r.script, got, r.lists)
		}
		if got := strings.Join(card.after, " "); !strings.HasPrefix(got, r.after) || (got != "" && r.after == "") {
			t.Errorf("%s: then sent %q", r.script, got)
		}
		if err := card.Close(); err != nil {
			t.Errorf("%s: %v", r.script, err)
		}
	}
}

// The final selection: a blocked application, one the card refuses and one that answers with another name are taken off
// the list.
func TestEmulatedFinalSelection(t *testing.T) {
	s := scripts(t)
	card := join(s["test_pse"], s["test_select_app7"], s["test_select_app3"], s["test_select_app2"])
	holder := &picker{labels: []string{"APP 7", "APP 3", "APP 2"}}
	_, out := begin(t, card, emulatedTerminal(), holder)
	want := "APP 1,APP 2,APP 3,APP 4,APP 5,APP 6,APP 7 / APP 1,APP 2,APP 3,APP 4,APP 5,APP 6 / APP 1,APP 2,APP 4,APP 5,APP 6 / APP 1,APP 4,APP 5,APP 6"
	if got := strings.Join(holder.lists, " / "); got != want || out.Decision != emv.Terminated {
		t.Errorf("%s, offered %s", out.Decision, got)
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}

	card = join(s["test_pse"], s["test_select_app_success"])
	_, out = begin(t, card, emulatedTerminal(), &picker{labels: []string{"APP 3"}})
	if len(card.after) == 0 || card.after[0] != "80A8000002830000" {
		t.Errorf("%+v: then sent %v", out, card.after)
	}
}

// The start of an application and its records.
func TestEmulatedApplicationData(t *testing.T) {
	s := scripts(t)
	selected := func(pdol string) []transcript.Exchange {
		if pdol != "" {
			pdol = "9F38" + fmt.Sprintf("%02X", len(pdol)/2) + pdol
		}
		fci := "A5" + fmt.Sprintf("%02X", 6+len(pdol)/2) + "500456495341" + pdol
		fci = "6F" + fmt.Sprintf("%02X", 9+len(fci)/2) + "8407A0000000031010" + fci + "9000"
		e := exchange("00A4040007A000000003101000", fci)
		return []transcript.Exchange{exchange("00A404000E315041592E5359532E444446303100", "6A82"), e, e}
	}
	options := func(afl string) []transcript.Exchange {
		e := exchange("80A8000002830000", fmt.Sprintf("80%02X3C00%s9000", 2+len(afl)/2, afl))
		return append(selected(""), e)
	}
	visa := terminal(emv.Application{AID: unhex("A0000000031010")})
	for _, r := range []struct {
		script string
		before []transcript.Exchange
		reason string
		after  string
	}{
		{"test1_apdu_list", selected(""), "card answered 6985", "00B2020C00"},
		{"test3_apdu_list", selected("9F3303"), "no application in common", ""},
		{"test2_apdu_list", options("09010100"), "no file from 1 to 30", ""},
		{"test4_apdu_list", options("08020200"), "not one record template", ""},
		{"test6_apdu_list", options("08020200"), "make no sense", ""},
		{"test8_apdu_list", options("0802020010010200"), "the card sends tag 8F twice", ""},
		{"test10_apdu_list", options("08020200600101001001020058010100"), "first GENERATE AC: card answered 6985", "80AE"},
	} {
		card := join(r.before, s[r.script])
		_, out := begin(t, card, fix(visa, "9F33=60F0C8"), nil)
		if out.Decision != emv.Terminated || !strings.Contains(out.Reason, r.reason) {
			t.Errorf("%s: %s: %s", r.script, out.Decision, out.Reason)
		}
		if got := strings.Join(card.after, " "); !strings.HasPrefix(got, r.after) || (got != "" && r.after == "") {
			t.Errorf("%s: then sent %q", r.script, got)
		}
		if err := card.Close(); err != nil {
			t.Errorf("%s: %v", r.script, err)
		}
	}
}
