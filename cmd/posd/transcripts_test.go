package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/terminal"
	"tillway/terminal/profile"
	"tillway/till"
)

// A sale of the whole terminal is written out and repeated from the file alone, by another kernel in another process as
// far as it knows: same commands, same outcome, same reasons.
func TestSaleIsRepeatedFromItsTranscript(t *testing.T) {
	s, journal := quickTerminal(t)
	sale := sellOne(t, s, 1_300)
	text, err := s.transcripts.Transcript(t.Context(), sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transcript.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if tr.Session.Sale != uint64(sale.ID) || tr.Session.Kernel.Checksum != contact.Checksum() || tr.Session.Kernel.Version != contact.Version || tr.Session.Profile.Name != "kuwait" {
		t.Errorf("%+v", tr.Session)
	}
	params, holder := tr.Session.Play()
	card := transcript.Strict(tr)
	tx, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, params, holder)
	if err != nil || tx == nil {
		t.Fatal(out, err)
	}
	answer, ok := tr.Session.Answer()
	if out, err = tx.Complete(t.Context(), answer); err != nil || !ok {
		t.Fatal(out, err)
	}
	if d := tr.Session.Differences(out); len(d) > 0 || card.Close() != nil || out.Decision != emv.Approved {
		t.Errorf("%s %v %v", out.Decision, d, card.Close())
	}
	kept, err := journal.Sale(t.Context(), sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range kept.Tags.Tags() {
		if got := out.Data.Value(tag); !bytes.Equal(got, kept.Tags.Value(tag)) {
			t.Errorf("tag %s: the journal has %X, the replay %X", tag, kept.Tags.Value(tag), got)
		}
	}
	if _, err := s.transcripts.Transcript(t.Context(), sale.ID+1); !errors.Is(err, till.ErrNoTranscript) {
		t.Errorf("a sale that was never: %v", err)
	}
}

// planted is a card number outside the published test numbers: to the terminal it is a real card's.
const planted = "4539578763621486"

// talk has a kernel talk with a card of the emulator up to the host, and the answer taken where there is one.
func talk(t *testing.T, kept *transcripts, sale terminal.SaleID, change ...string) {
	t.Helper()
	text, err := emulator.ReadyText("credit")
	if err != nil {
		t.Fatal(err)
	}
	p, err := emulator.ParseProfile([]byte(strings.NewReplacer(change...).Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(p)
	card.Reset()
	terminalProfile, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	params := terminalProfile.Params(terminal.Order{Kind: terminal.KindSale}, time.Date(2026, 11, 23, 9, 15, 7, 0, time.UTC), 1)
	params.Amount.Minor, params.Amount.Currency = 1_300, terminalProfile.Currency
	params.Random = readerFunc(func(b []byte) (int, error) { return copy(b, "\x12\x34\x56\x78"), nil })
	kept.next(sale)
	kernel := kept.record(contact.New(contact.Config{}), transcript.Profile{Name: "kuwait"})
	tx, _, err := kernel.Begin(t.Context(), inserted{card}, params, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tx == nil {
		return
	}
	if _, err := tx.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved}); err != nil {
		t.Fatal(err)
	}
}

type inserted struct{ card *emulator.Card }

func (i inserted) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if answer := i.card.Transmit(command); len(answer) >= 2 {
		return answer, nil
	}
	return nil, device.ErrRemoved
}

func folderOf(t *testing.T, keep int, inClear bool) *transcripts {
	t.Helper()
	kept, err := newTranscripts(filepath.Join(t.TempDir(), "transcripts"), keep, inClear, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// Of a real card no digit of its number but the first six and last four, no track, no expiry and no name is on disk,
// whatever the config says; of a test card neither, unless the config says so.
func TestTranscriptsOfRealCardsAreMasked(t *testing.T) {
	const test = "4761739001010119"
	for _, row := range []struct {
		name    string
		inClear bool
		change  []string
		number  string
		clear   bool
	}{
		{"a real card where test cards are complete", true, []string{test, planted}, planted, false},
		{"a real card", false, []string{test, planted}, planted, false},
		{"a test card", false, nil, test, false},
		{"a test card where they are complete", true, nil, test, true},
	} {
		kept := folderOf(t, 5, row.inClear)
		talk(t, kept, 7, row.change...)
		text, err := kept.Transcript(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		seen := bytes.Contains(text, []byte(row.number)) || bytes.Contains(text, []byte("2812"))
		if seen != row.clear {
			t.Errorf("%s: the number or the expiry is there: %t\n%s", row.name, seen, text)
		}
		masked := row.number[:6] + "******" + row.number[12:]
		if !bytes.Contains(text, []byte(masked)) {
			t.Errorf("%s: nothing says which card it was", row.name)
		}
		if _, err := transcript.Read(bytes.NewReader(text)); errors.Is(err, transcript.ErrMasked) == row.clear {
			t.Errorf("%s: %v", row.name, err)
		}
		if fi, err := os.Stat(filepath.Join(kept.dir, fileName(7, approvedWord))); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", row.name, fi, err)
		}
	}
}

// Whatever a card does, the reasons that journal and pos why keep hold no card number, track or expiry: planted in cards that
// contradict themselves, are cut short, expired, blocked, or ask for PINs.
func TestReasonsHoldNoCardData(t *testing.T) {
	reasons := 0
	for _, card := range []string{
		"credit", "expired", "declines", "bad-two-accounts", "bad-twice", "bad-date", "bad-length", "bad-record-cut", "bad-no-pan", "res-expired",
		"oda-card-pan", "oda-issuer-id-wrong", "oda-static-changed", "pin-plain", "sel-two", "sel-blocked", "cda-hash", "ac-short", "tdol-own",
	} {
		var kept transcript.Transcript
		text, err := emulator.ReadyText(card)
		if err != nil {
			t.Fatal(err)
		}
		change := strings.NewReplacer("4761739001010119", planted, "47617390010101", planted[:14])
		p, err := emulator.ParseProfile([]byte(change.Replace(string(text))))
		if err != nil {
			t.Fatal(err)
		}
		c := emulator.NewCard(p)
		c.Reset()
		generic, err := profile.Ready("generic")
		if err != nil {
			t.Fatal(err)
		}
		params := generic.Params(terminal.Order{Kind: terminal.KindSale}, time.Date(2026, 11, 23, 9, 15, 7, 0, time.UTC), 1)
		params.Amount.Minor, params.Amount.Currency = 1_300, generic.Currency
		params.Random = readerFunc(func(b []byte) (int, error) { return copy(b, "\x12\x34\x56\x78"), nil })
		k := transcript.Kernel{Kernel: contact.New(contact.Config{}), Keep: func(tr transcript.Transcript) { kept = tr }}
		tx, _, err := k.Begin(t.Context(), inserted{c}, params, nil)
		if err == nil && tx != nil {
			_, err = tx.Complete(t.Context(), emv.HostAnswer{Result: emv.HostDeclined})
		}
		if err != nil {
			t.Fatalf("%s: %v", card, err)
		}
		out := kept.Session.Outcome
		said := out.Reason
		for _, w := range out.Why {
			said += "\n" + w.Bit + " " + w.Reason
			reasons++
		}
		number := out.Tags["5A"]
		for _, secret := range []string{planted, "4761739001010119", number, out.Tags["57"], out.Tags["5F24"], out.Tags["5F20"]} {
			if secret != "" && strings.Contains(said, secret) {
				t.Errorf("%s: card data in the reasons:\n%s", card, said)
			}
		}
	}
	if reasons < 50 {
		t.Errorf("%d reasons were read", reasons)
	}
}

// The folder never has more than it may, and the sales that went wrong stay longest.
func TestTranscriptsAreBounded(t *testing.T) {
	const keep = 6
	kept := folderOf(t, keep, true)
	add := func(sale terminal.SaleID, decision emv.Decision) {
		kept.next(sale)
		kept.add(transcript.Transcript{Interface: "contact", Session: &transcript.Session{Outcome: transcript.Outcome{Decision: decision}}})
	}
	names := func() []string {
		entries, err := os.ReadDir(kept.dir)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range entries {
			out = append(out, strings.TrimLeft(strings.TrimSuffix(e.Name(), ".json"), "0"))
		}
		return out
	}
	add(1, emv.Online)
	kept.flush() // between begin and completion, as when the daemon looks just then
	add(1, emv.Approved)
	kept.flush()
	if got := names(); !slices.Equal(got, []string{"1-approved"}) {
		t.Fatalf("%v", got)
	}
	for sale := terminal.SaleID(2); sale < 30; sale++ {
		decision := emv.Approved
		if sale%7 == 0 {
			decision = emv.Declined
		}
		add(sale, decision)
		if sale%3 == 0 {
			kept.flush()
		}
	}
	kept.flush()
	if got, want := names(), []string{"14-not-approved", "21-not-approved", "27-approved", "28-not-approved", "29-approved"}; !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) || !slices.Contains(got, want[3]) || len(got) != keep {
		t.Errorf("%v", got)
	}
	for sale := terminal.SaleID(100); sale < 120; sale++ { // never written in between: only the newest are remembered
		add(sale, emv.Declined)
	}
	if len(kept.waiting) != maxWaiting {
		t.Errorf("%d wait", len(kept.waiting))
	}
	kept.flush()
	if got := names(); len(got) != keep || got[keep-1] != "119-not-approved" || len(kept.waiting) != 0 {
		t.Errorf("%v, %d wait", got, len(kept.waiting))
	}
	if none, err := newTranscripts(kept.dir, 0, false, nil); none != nil || err != nil {
		t.Error("keep = 0 keeps something")
	}
	var off *transcripts
	off.next(1)
	off.flush()
	if _, err := off.Transcript(t.Context(), 1); !errors.Is(err, till.ErrNoTranscript) {
		t.Errorf("%v", err)
	}
}

func TestTranscriptsConfig(t *testing.T) {
	for _, row := range []struct {
		c           transcriptsConfig
		development bool
		says        string
	}{
		{transcriptsConfig{50, "masked"}, false, ""},
		{transcriptsConfig{0, "masked"}, false, ""},
		{transcriptsConfig{50, "complete"}, true, ""},
		{transcriptsConfig{50, "complete"}, false, "development = true"},
		{transcriptsConfig{-1, "masked"}, true, "transcripts.keep"},
		{transcriptsConfig{maxTranscripts + 1, "masked"}, true, "transcripts.keep"},
		{transcriptsConfig{1, "clear"}, true, "masked or complete"},
	} {
		err := row.c.check(row.development)
		if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%+v: %v", row.c, err)
		}
	}
}
