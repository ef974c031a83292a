package contact

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"tillway/emv"
)

// Every branch of action analysis, by a TVR and action codes, and the response codes that go with them (Book 3, 10.7; Book 4, 6.3.6 and
// 12.2.1).
func TestActionAnalysis(t *testing.T) {
	floor, expired := emv.TVR{0, 0, 0, 0x80}, emv.TVR{0, 0x40}
	zero := []byte{0, 0, 0, 0, 0}
	for _, r := range []struct {
		name   string
		kind   byte
		tvr    emv.TVR
		iac    []byte // all three, nil: absent
		denial [5]byte
		online [5]byte
		other  [5]byte
		as     bool   // the terminal's codes as they are written
		never  bool   // the application is never approved without its issuer
		closed string // why the terminal approves nothing by itself
		want   emv.Cryptogram
		unable emv.Cryptogram
		arc    string
	}{
		{name: "nothing set", kind: 0x22, iac: zero, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "nothing set, no codes", kind: 0x22, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "no codes, any bit", kind: 0x22, tvr: floor, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "codes of zeros, any bit", kind: 0x22, tvr: floor, iac: zero, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "terminal's online code", kind: 0x22, tvr: floor, iac: zero, online: floor, want: emv.ARQC, unable: emv.TC, arc: "Y3"},
		{name: "terminal's default code", kind: 0x22, tvr: floor, iac: zero, online: floor, other: floor, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "another bit than the code's", kind: 0x22, tvr: expired, iac: zero, online: floor, other: floor, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "denial goes first", kind: 0x22, tvr: floor, iac: zero, denial: floor, online: floor, want: emv.AAC, unable: emv.TC, arc: "Y3"},
		{name: "denial at an online-only terminal", kind: 0x21, tvr: floor, iac: zero, denial: floor, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "online only", kind: 0x21, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "online only, unattended", kind: 0x24, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "offline only", kind: 0x23, tvr: floor, iac: zero, online: floor, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "offline only, no codes, any bit", kind: 0x23, tvr: floor, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "offline only, default code", kind: 0x26, tvr: floor, iac: zero, other: floor, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "the minimum: data authentication not performed", kind: 0x22, tvr: emv.TVR{0x80}, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "the minimum: SDA failed", kind: 0x22, tvr: emv.TVR{0x40}, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "the minimum: DDA failed", kind: 0x22, tvr: emv.TVR{0x08}, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "the minimum: CDA failed", kind: 0x23, tvr: emv.TVR{0x04}, iac: zero, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "the minimum: SDA selected", kind: 0x22, tvr: emv.TVR{0x02}, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "as written: data authentication not performed", as: true, kind: 0x22, tvr: emv.TVR{0x80}, iac: zero, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "as written: SDA selected, and failed", as: true, kind: 0x23, tvr: emv.TVR{0x42}, iac: zero, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "as written: the codes count", as: true, kind: 0x22, tvr: floor, iac: zero, online: floor, other: floor, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "not of the minimum: ICC data missing", kind: 0x22, tvr: emv.TVR{0x20}, iac: zero, want: emv.TC, unable: emv.TC, arc: "Y3"},
		{name: "never without the issuer", never: true, kind: 0x22, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "never without the issuer, who cannot be asked", never: true, kind: 0x23, iac: zero, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "the queue is full", closed: "full", kind: 0x22, iac: zero, want: emv.ARQC, unable: emv.AAC, arc: "Z3"},
		{name: "the queue is full, and the issuer cannot be asked", closed: "full", kind: 0x23, iac: zero, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "the queue is full, and denial goes first", closed: "full", kind: 0x22, tvr: floor, iac: zero, denial: floor, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
		{name: "never without the issuer, and denial goes first", never: true, kind: 0x22, tvr: floor, iac: zero, denial: floor, want: emv.AAC, unable: emv.AAC, arc: "Z3"},
	} {
		s := &session{tvr: r.tvr, app: emv.Application{TACDenial: r.denial, TACOnline: r.online, TACDefault: r.other, OnlineOnly: r.never}}
		s.params.LiteralActionCodes, s.params.Offline = r.as, shut(r.closed)
		s.data.Put(emv.TagPAN, []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19})
		s.data.Put(emv.TagTerminalType, []byte{r.kind})
		if r.iac != nil {
			s.data.Put(emv.TagIACDenial, r.iac)
			s.data.Put(emv.TagIACOnline, r.iac)
			s.data.Put(emv.TagIACDefault, r.iac)
		}
		if end, err := s.terminalActionAnalysis(t.Context()); err != nil || end != goOn || s.asked != r.want {
			t.Errorf("%s: asks for %s, want %s", r.name, s.asked, r.want)
		}
		if got := string(s.data.Value(emv.TagAuthorisationResponseCode)); got != map[emv.Cryptogram]string{emv.TC: "Y1", emv.AAC: "Z1"}[r.want] {
			t.Errorf("%s: 8A is %q", r.name, got)
		}
		if c, arc := s.unableToGoOnline(); c != r.unable || string(arc[:]) != r.arc {
			t.Errorf("%s: when unable %s %s, want %s %s", r.name, c, arc, r.unable, r.arc)
		}
		if len(s.why) < 2 {
			t.Errorf("%s: %v", r.name, s.why)
		}
	}
}

// answering is a card that gives one answer to everything.
// shut is a gate, and why it is.
type shut string

func (s shut) Closed(context.Context, emv.OfflineQuestion) (string, error) { return string(s), nil }

type answering []byte

func (a answering) Transmit(context.Context, []byte) ([]byte, error) { return a, nil }

// What was asked for against what the card gave, at both GENERATE ACs: too much ends the transaction at the first, and
// counts as an AAC at the second (Book 3, 9.3, 10.8 and 10.11).
func TestAskedAndGiven(t *testing.T) {
	const (
		online, approved, declined, terminated = emv.Online, emv.Approved, emv.Declined, emv.Terminated
	)
	for _, r := range []struct {
		asked, given  emv.Cryptogram
		first, second emv.Decision
		arc           string // 8A that the first sets: action analysis set it where the terminal stays offline
	}{
		{emv.TC, emv.TC, approved, approved, ""},
		{emv.TC, emv.ARQC, online, declined, ""},
		{emv.TC, emv.AAC, declined, declined, ""},
		{emv.TC, emv.RFU, terminated, declined, ""},
		{emv.ARQC, emv.TC, terminated, "", ""},
		{emv.ARQC, emv.ARQC, online, "", ""},
		{emv.ARQC, emv.AAC, declined, "", "Z1"},
		{emv.ARQC, emv.RFU, terminated, "", ""},
		{emv.AAC, emv.TC, terminated, declined, ""},
		{emv.AAC, emv.ARQC, terminated, declined, ""},
		{emv.AAC, emv.AAC, declined, declined, ""},
		{emv.AAC, emv.RFU, terminated, declined, ""},
	} {
		card := answering{0x80, 11, byte(r.given), 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0}
		at := func(run func(*session, context.Context) (ending, error)) (*session, emv.Decision) {
			s := &session{log: slog.New(slog.DiscardHandler), card: card, asked: r.asked}
			s.params.Random = bytes.NewReader([]byte{1, 2, 3, 4})
			s.answer.Result = emv.HostUnable
			s.data.Put(emv.TagTerminalType, []byte{0x22})
			out, err := s.run(t.Context(), []step{{"", "", run}})
			if err != nil {
				t.Fatal(err)
			}
			return s, out.Decision
		}
		s, got := at((*session).cardActionAnalysis)
		if got != r.first || string(s.data.Value(emv.TagAuthorisationResponseCode)) != r.arc {
			t.Errorf("first, asked %s, given %s: %s %s", r.asked, r.given, got, s.data.Value(emv.TagAuthorisationResponseCode))
		}
		if _, got := at((*session).finalCryptogram); r.second != "" && got != r.second {
			t.Errorf("second, asked %s, given %s: %s", r.asked, r.given, got)
		}
	}
}
