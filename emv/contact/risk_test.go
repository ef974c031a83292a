package contact_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

// sales is a terminal's memory of earlier sales, and list an exception file; both keep what they were asked.
type sales struct {
	minor int64
	err   error
	pan   string
	psn   int
}

func (s *sales) LastSale(_ context.Context, pan emv.PAN, sequence int) (int64, error) {
	s.pan, s.psn = pan.Clear(), sequence
	return s.minor, s.err
}

type list struct {
	listed bool
	err    error
	pan    string
	psn    int
}

func (l *list) Listed(_ context.Context, pan emv.PAN, sequence int) (bool, error) {
	l.pan, l.psn = pan.Clear(), sequence
	return l.listed, l.err
}

// TestSplitSales: the newest sale of the same card and this one together are held to the floor limit (Book 3, 10.6.1).
func TestSplitSales(t *testing.T) {
	const floor = 20_000 // the sale is 10.525
	for name, c := range map[string]struct {
		before int64
		tvr    string
	}{
		"none":                {0, "8000000000"},
		"under in all":        {9_474, "8000000000"},
		"at the limit":        {9_475, "8000008000"},
		"over":                {15_000, "8000008000"},
		"over by itself":      {30_000, "8000008000"},
		"as much as there is": {1<<63 - 1, "8000008000"},
	} {
		p, before := terminal(), &sales{minor: c.before}
		p.Applications[0].FloorLimitMinor, p.History = floor, before
		_, out := begin(t, newChip("", ""), p, nil)
		t.Log(name)
		wantTags(t, out.Data, "95="+c.tvr)
		if before.pan != "4761739001010119" || before.psn != 1 {
			t.Errorf("asked for %s, %d", before.pan, before.psn)
		}
	}
	p, before := terminal(), &sales{}
	p.Applications[0].FloorLimitMinor, p.History = floor, before
	begin(t, newChip("5F34=-", ""), p, nil)
	if before.psn != -1 {
		t.Errorf("a card without a sequence number was asked for with %d", before.psn)
	}
	before.err = errGone
	if _, _, err := contact.New(contact.Config{}).Begin(t.Context(), newChip("", ""), p, nil); !errors.Is(err, errGone) {
		t.Errorf("a memory that cannot be read: %v", err)
	}
}

// TestExceptionFile: a listed card is marked, whatever its AIP says of risk management (Book 4, 6.3.5).
func TestExceptionFile(t *testing.T) {
	for _, options := range []string{"80061C00080101009000", "80061400080101009000"} {
		p, file := terminal(), &list{listed: true}
		p.ExceptionFile = file
		_, out := begin(t, newChip("", "80A8="+options), p, nil)
		wantTags(t, out.Data, "95=9000008000")
		wantWhy(t, out.Why, "TVR byte 1 bit 5")
		if file.pan != "4761739001010119" || file.psn != 1 {
			t.Errorf("asked for %s, %d", file.pan, file.psn)
		}
	}
	p, file := terminal(), &list{}
	p.ExceptionFile = file
	_, out := begin(t, newChip("", ""), p, nil)
	wantTags(t, out.Data, "95=8000008000")
	file.err = errGone
	if _, _, err := contact.New(contact.Config{}).Begin(t.Context(), newChip("", ""), p, nil); !errors.Is(err, errGone) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

// TestFixedSelection: numbers that the caller fixed are drawn first, then the source's (Book 3, 10.6.2).
func TestFixedSelection(t *testing.T) {
	for _, c := range []struct {
		draws  []int
		off    []emv.Feature
		amount int64
		tvr    string
		un     string
	}{
		{[]int{20}, nil, 999, "8000001000", "01020304"},
		{[]int{21}, nil, 999, "8000000000", "01020304"},
		{[]int{50}, nil, 5_500, "8000001000", "01020304"},
		{[]int{51}, nil, 5_500, "8000000000", "01020304"},
		{[]int{1}, nil, 10_000, "8000008000", "01020304"}, // at the floor limit no lots are drawn
		{nil, nil, 999, "8000001000", "02030405"},
		{[]int{1}, []emv.Feature{emv.FeatureRandomSelection}, 999, "8000000000", "01020304"},
	} {
		p := terminal()
		p.TerminalType, p.Selection, p.Off = 0x22, c.draws, c.off
		a := &p.Applications[0]
		a.FloorLimitMinor, a.RandomThreshold, a.RandomTarget, a.RandomMaximum = 10_000, 1_000, 20, 80
		p.Amount.Minor = c.amount
		p.Random = bytes.NewReader(unhex("0102030405"))
		_, out := begin(t, newChip("", ""), p, nil)
		wantTags(t, out.Data, "95="+c.tvr+" 9F37="+c.un)
	}
	p := terminal()
	p.Selection = []int{100}
	if _, _, err := contact.New(contact.Config{}).Begin(t.Context(), newChip("", ""), p, nil); !errors.Is(err, contact.ErrParams) {
		t.Errorf("a draw of 100: %v", err)
	}
}

// TestOfflineOnly: a terminal that cannot ask the issuer answers a card that wants it asked with the second GENERATE AC, by
// the action codes Default (Book 3, 10.7).
func TestOfflineOnly(t *testing.T) {
	const ac = "00291122334455667788" + "9000"
	for _, c := range []struct {
		name    string
		objects string
		answers string
		literal bool
		want    emv.Decision
		tags    string
		sent    string
	}{
		{"approved", "", "", true, emv.Approved, "8A=5931 9F27=40", "80AE40"},
		{"refused by a code", "9F0D=8000000000", "", true, emv.Declined, "8A=5A31 9F27=00", "80AE00"},
		{"the code Online is not for it", "9F0F=8000000000", "", true, emv.Approved, "8A=5931", "80AE40"},
		{"unauthenticated", "", "", false, emv.Declined, "8A=5A31", "80AE00"},
		{"the card wants the issuer", "", "80AE40=800B80" + ac + ",800B40" + ac, true, emv.Approved, "8A=5933 9F27=40", "80AE40 80AE40"},
		{"the card wants the issuer and then refuses", "", "80AE40=800B80" + ac + ",800B00" + ac, true, emv.Declined, "8A=5933 9F27=00", "80AE40 80AE40"},
		{"the card wants the issuer and gives nothing else", "", "80AE40=800B80" + ac, true, emv.Declined, "8A=5933 9F27=80", "80AE40 80AE40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := terminal()
			p.TerminalType, p.LiteralActionCodes = 0x23, c.literal
			p.Applications[0].FloorLimitMinor = 20_000
			card := newChip(c.objects, c.answers)
			_, out := begin(t, card, p, nil)
			if out.Decision != c.want {
				t.Errorf("%s: %s, want %s", out.Decision, out.Reason, c.want)
			}
			wantTags(t, out.Data, c.tags)
			card.wantSent(t, c.sent)
			if n := card.sent("80AE80"); n > 0 {
				t.Error("an ARQC was asked for")
			}
		})
	}
}

// TestResponseCodeOfAnOnlineSale: a code that the terminal had set for an offline decision is not sent to the issuer, whose
// own code the card is given (Book 4, 6.3.6 and A6).
func TestResponseCodeOfAnOnlineSale(t *testing.T) {
	const ac = "00291122334455667788" + "9000"
	p := terminal()
	p.TerminalType, p.LiteralActionCodes = 0x22, true
	p.Applications[0].FloorLimitMinor = 20_000
	card := newChip("8C=8A02 8D=8A02", "80AE40=800B80"+ac+",800B40"+ac)
	txn, out := begin(t, card, p, nil)
	if out.Decision != emv.Online {
		t.Fatalf("%+v", out)
	}
	wantTags(t, out.Data, "8A=-")
	out = complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, ARC: [2]byte{'1', '1'}})
	wantTags(t, out.Data, "8A=3131")
	card.wantSent(t, "80AE400002593100 80AE400002313100")
}

// TestRecordsThatAreNoTemplate: a record of files 11 to 30 may have any form, and one that is to be authenticated and is no
// template 70 spoils the method: it was performed, and failed (Book 3, 10.3).
func TestRecordsThatAreNoTemplate(t *testing.T) {
	for capability, tvr := range map[string]string{"9F33=E00880": "4200008000", "9F33=E00840": "0800008000"} {
		for _, record := range []string{"71039F0101", "FF", "70009F7A0100", ""} {
			card := newChip("8F=01 90=00 93=00 9F32=03 9F46=00 9F47=03", "80A8=800A7C0008010100580101019000 00B2015C="+record+"9000")
			_, out := begin(t, card, fix(terminal(), capability), nil)
			wantTags(t, out.Data, "95="+tvr+" 9B=E800")
			if !slices.ContainsFunc(out.Why, func(w emv.Why) bool {
				return strings.Contains(w.Reason, "is to be authenticated and is no template 70")
			}) {
				t.Errorf("record %s: %v", record, out.Why)
			}
		}
	}
}

// queue is a terminal's gate.
type queue struct {
	why   string
	err   error
	asked []emv.OfflineQuestion
}

func (q *queue) Closed(_ context.Context, ask emv.OfflineQuestion) (string, error) {
	q.asked = append(q.asked, ask)
	return q.why, q.err
}

// A queue that is full keeps the card from approving: it is asked for an ARQC, and then for an AAC.
func TestOfflineGate(t *testing.T) {
	for _, why := range []string{"", "20 approvals wait for the bank already."} {
		p, gate := terminal(), &queue{why: why}
		p.TerminalType, p.Offline, p.LiteralActionCodes = 0x22, gate, true
		_, out := begin(t, newChip("", ""), p, nil)
		if asked := gate.asked; len(asked) != 1 || asked[0].PAN.Clear() != "4761739001010119" || asked[0].Method != out.Method {
			t.Errorf("asked %+v", asked)
		}
		if why != "" {
			wantWhy(t, out.Why, "TAA")
		}
	}
	for name, change := range map[string]func(*emv.Params){
		"an online-only terminal": func(p *emv.Params) { p.TerminalType = 0x21 },
		"an online-only application": func(p *emv.Params) {
			for i := range p.Applications {
				p.Applications[i].OnlineOnly = true
			}
		},
	} {
		p, gate := terminal(), &queue{}
		p.TerminalType, p.Offline = 0x22, gate
		change(&p)
		begin(t, newChip("", ""), p, nil)
		if len(gate.asked) != 0 {
			t.Errorf("%s: asked for what it does not do", name)
		}
	}
	p := terminal()
	p.TerminalType, p.Offline = 0x22, &queue{err: errGone}
	if _, _, err := contact.New(contact.Config{}).Begin(t.Context(), newChip("", ""), p, nil); !errors.Is(err, errGone) {
		t.Errorf("limits that cannot be read: %v", err)
	}
}
