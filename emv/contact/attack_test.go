package contact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/emv/contact"
)

// TestAttackBrandMixUp: a card that puts a number of one scheme under another scheme's application is refused before a PIN
// is asked for and before it makes a cryptogram (Basin and others, 2021).
func TestAttackBrandMixUp(t *testing.T) {
	for name, c := range map[string]struct {
		objects string
		want    emv.Decision
	}{
		"Visa number":               {"5A=4761739001010119", emv.Online},
		"Mastercard number":         {"5A=5413330089604111 57=-", emv.Terminated},
		"Mastercard's new range":    {"5A=2221000000000009 57=-", emv.Terminated},
		"Maestro number":            {"5A=6799998900000060000F 57=-", emv.Terminated},
		"Mastercard in track 2 too": {"5A=5413330089604111 57=5413330089604111D29122011143812300000F", emv.Terminated},
	} {
		t.Run(name, func(t *testing.T) {
			card, holder := newChip(c.objects+" 8E=000000000000000042001F00", ""), &pad{entry: emv.PINEntered}
			_, out := begin(t, card, fix(terminal(), "9F33=204800"), holder)
			if out.Decision != c.want {
				t.Errorf("%s (%q), want %s", out.Decision, out.Reason, c.want)
			}
			if c.want == emv.Terminated && (card.sent("80AE") > 0 || len(holder.asked) > 0) {
				t.Error("a PIN or a cryptogram was asked for")
			}
		})
	}
}

// TestAttackNoRandomNumbers: with a source that fails, or that ends in the middle, no card is asked for a cryptogram
// (Bond and others, 2012).
func TestAttackNoRandomNumbers(t *testing.T) {
	for name, source := range map[string]*strings.Reader{"none": strings.NewReader(""), "three bytes": strings.NewReader("abc")} {
		p := terminal()
		p.Random = source
		card := newChip("", "")
		txn, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, p, nil)
		if err == nil || txn != nil || out.Decision != "" || card.sent("80AE") > 0 {
			t.Errorf("%s: %s %v", name, out.Decision, err)
		}
	}
}

// slow is a card behind a relay: it answers late, or never.
type slow struct {
	*chip
	wait time.Duration
	from string // the commands that are late, by their beginning
}

func (s slow) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if strings.HasPrefix(fmt.Sprintf("%X", command), s.from) {
		select {
		case <-time.After(s.wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.chip.Transmit(ctx, command)
}

// TestAttackRelay: without a relay resistance protocol, which contact cards do not have, the terminal has a limit for each
// command: a card that keeps it waiting is given up at any of them. A caller's own deadline stays the caller's.
func TestAttackRelay(t *testing.T) {
	for _, command := range []string{"00A4", "80A8", "00B2", "80AE80"} {
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			_, out := begin(t, slow{newChip("", ""), time.Hour, command}, terminal(), nil)
			if out.Decision != emv.Terminated || !strings.Contains(out.Reason, "did not answer within 30s") || time.Since(started) != 30*time.Second {
				t.Errorf("%s: %s: %s after %s", command, out.Decision, out.Reason, time.Since(started))
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, out := begin(t, slow{newChip("", ""), 200 * time.Millisecond, "80A8"}, terminal(), nil)
		if out.Decision != emv.Online {
			t.Errorf("a slow card within the limit: %s: %s", out.Decision, out.Reason)
		}
		ctx, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		_, _, err := contact.New(contact.Config{}).Begin(ctx, slow{newChip("", ""), time.Hour, "80A8"}, terminal(), nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's deadline: %v", err)
		}
	})
}

// TestAttackOfflineBurst: fifty small sales with one card. The card's limits and the terminal's action codes stop them: first
// they go online, and where the issuer is not reached, they are declined (Book 3, 10.6.3 and 10.7).
func TestAttackOfflineBurst(t *testing.T) {
	p := terminal()
	p.TerminalType, p.LiteralActionCodes = 0x22, true
	a := &p.Applications[0]
	a.FloorLimitMinor = 20_000
	a.TACOnline, a.TACDefault = [5]byte{0, 0, 0, 0x40}, [5]byte{0, 0, 0, 0x20}
	var offline, unable, declined int
	for sale := 1; sale <= 50; sale++ {
		p.Random = strings.NewReader("12345678")
		card := newChip("9F14=05 9F23=0A", fmt.Sprintf("80CA9F36=9F3602%04X9000 80CA9F13=9F130200019000", 1+sale))
		txn, out := begin(t, card, p, nil)
		if out.Decision == emv.Approved {
			offline++
			continue
		}
		switch out = complete(t, txn, emv.HostAnswer{Result: emv.HostUnable}); out.Decision {
		case emv.Approved:
			unable++
		case emv.Declined:
			declined++
		default:
			t.Fatalf("sale %d: %+v", sale, out)
		}
	}
	if offline != 5 || unable != 5 || declined != 40 {
		t.Errorf("%d approved offline, %d without the issuer, %d declined; want 5, 5, 40", offline, unable, declined)
	}
}

// TestAttackScriptBomb: what an answer may make the terminal send to the card is bounded, whatever a host puts into it
// (Book 4, 6.3.9).
func TestAttackScriptBomb(t *testing.T) {
	long := "72817F" + "86 7D 84240000 78" + strings.Repeat("11", 120)
	for name, issuer := range map[string]string{
		"one long command":      strings.ReplaceAll(long, " ", ""),
		"many scripts":          strings.Repeat("7206860484010000", 120),
		"many commands":         "7281C0" + strings.Repeat("860484010000", 32),
		"nested without end":    strings.Repeat("7270", 100),
		"a length that is none": "7283FFFFFF860484010000",
	} {
		card := newChip("", "84=9000")
		txn, _ := begin(t, card, terminal(), nil)
		out := complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, IssuerData: unhex(issuer)})
		if out.Decision != emv.Approved || card.sent("84") > 21 || len(out.Data.Value(emv.TagIssuerScriptResults)) > 250 {
			t.Errorf("%s: %s, %d commands", name, out.Decision, card.sent("84"))
		}
		if !out.Data.Has(emv.TagIssuerScriptResults) {
			wantWhy(t, out.Why, "issuer data")
		} else if tvr := emv.TVR(out.Data.Value(emv.TagTVR)); !tvr.Has(emv.TVRScriptFailedAfterFinalAC) {
			t.Errorf("%s: TVR %X", name, tvr)
		}
	}
}
