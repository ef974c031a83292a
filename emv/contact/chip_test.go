package contact_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/tlv"
)

// chip is a card made of objects and answers. It answers by the longest beginning of a command that it has; of several
// answers to one the next each time, the last for good. It counts on nothing else being asked.
type chip struct {
	objects map[string]string   // the one record of file 1
	answers map[string][]string // by beginning of the command
	given   map[string]int
	said    []string // the commands, in order
	gone    int      // answers before the card is gone, 0: it stays
}

// newChip is a card that agrees with everything: its only record is made of the objects.
func newChip(objects, answers string) *chip {
	c := &chip{objects: map[string]string{}, answers: map[string][]string{}, given: map[string]int{}}
	const dol = "9F02069F03069F1A0295055F2A029A039C019F3704"
	c.edit("5A=4761739001010119 57=4761739001010119D28122010000000000 5F24=281231 5F34=01 5F28=0414 9F07=FF80 9F08=008C " +
		"8C=" + dol + " 8D=8A02" + dol + " 8E=00000000000000001F00 9F0D=0000000000 9F0E=0000000000 9F0F=0000000000 9F42=0414")
	c.edit(objects)
	const cryptogram = "0029" + "1122334455667788" + "06010A03A4B800" + "9000"
	c.answer("00A404000E=6A82 00A4040007A0000000031010=6F168407A0000000031010A50B50095649534120544553549000 " +
		"80A8=80061C00080101009000 00820000=9000 80CA=6A88 " +
		"80AE80=801280" + cryptogram + " 80AE40=801240" + cryptogram + " 80AE00=801200" + cryptogram)
	c.answers["00B2010C"] = []string{c.record()}
	c.answer(answers)
	return c
}

func (c *chip) edit(objects string) {
	for o := range strings.FieldsSeq(objects) {
		tag, value, _ := strings.Cut(o, "=")
		if value == "-" {
			delete(c.objects, tag)
			continue
		}
		c.objects[tag] = value
	}
}

// answer sets answers: "80CA9F36=9F360200069000"; several of one command are divided by commas.
func (c *chip) answer(answers string) {
	for a := range strings.FieldsSeq(answers) {
		begin, list, _ := strings.Cut(a, "=")
		c.answers[begin] = strings.Split(list, ",")
	}
}

// answerOf is an answer as answer wants it.
func (c *chip) answerOf(begin string) string {
	return begin + "=" + strings.Join(c.answers[begin], ",")
}

func (c *chip) record() string {
	var body []byte
	for _, tag := range slices.Sorted(maps.Keys(c.objects)) {
		t, err := tlv.ParseTag(tag)
		if err != nil {
			panic(err)
		}
		body = tlv.Append(body, t, unhex(c.objects[tag]))
	}
	return hex.EncodeToString(tlv.Append(nil, emv.TagReadRecordTemplate, body)) + "9000"
}

func (c *chip) Transmit(_ context.Context, command []byte) ([]byte, error) {
	said := fmt.Sprintf("%X", command)
	if c.gone > 0 && len(c.said) >= c.gone {
		return nil, errGone
	}
	c.said = append(c.said, said)
	best := ""
	for begin := range c.answers {
		if strings.HasPrefix(said, begin) && len(begin) > len(best) {
			best = begin
		}
	}
	if best == "" {
		return []byte{0x6D, 0x00}, nil
	}
	i := min(c.given[best], len(c.answers[best])-1)
	c.given[best]++
	return unhex(c.answers[best][i]), nil
}

// sent counts the commands that begin so.
func (c *chip) sent(begin string) (n int) {
	for _, s := range c.said {
		if strings.HasPrefix(s, begin) {
			n++
		}
	}
	return n
}

// row is one transaction: what differs from the card and the terminal that agree with everything, and what comes of it.
type row struct {
	name    string
	section string
	objects string // of the card's record
	answers string // of the card
	fixed   string // terminal objects
	params  func(*emv.Params)
	want    emv.Decision
	tags    string // wanted after Begin
	why     string // a bit or result that must be explained
	reason  string // a part of the outcome's sentence
	sent    string // the commands that must have been sent, in order, by their beginnings
	never   string // a beginning that must not have been sent
}

func (r row) run(t *testing.T) {
	t.Helper()
	t.Run(strings.ReplaceAll(r.name, "/", "|"), func(t *testing.T) {
		p := terminal()
		if r.params != nil {
			r.params(&p)
		}
		if r.fixed != "" {
			p = fix(p, r.fixed)
		}
		card := newChip(r.objects, r.answers)
		_, out := begin(t, card, p, nil)
		if out.Decision != r.want || !strings.Contains(out.Reason, r.reason) {
			t.Errorf("%s: %s: %q, want %s with %q (%s)", r.section, out.Decision, out.Reason, r.want, r.reason, out.Why)
		}
		wantTags(t, out.Data, r.tags)
		if r.why != "" {
			wantWhy(t, out.Why, r.why)
		}
		card.wantSent(t, r.sent)
		if r.never != "" && card.sent(r.never) > 0 {
			t.Errorf("%s was sent", r.never)
		}
	})
}

func (c *chip) wantSent(t *testing.T, begins string) {
	t.Helper()
	want := strings.Fields(begins)
	for _, s := range c.said {
		if len(want) > 0 && strings.HasPrefix(s, want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("%s was not sent, or not in this order: %v", want[0], c.said)
	}
}
