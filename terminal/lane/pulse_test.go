package lane

import (
	"context"
	"errors"
	"testing"

	"tillway/emv/tlv"
	"tillway/terminal"
)

// keeps is a journal that takes what it is given, or fails.
type keeps struct {
	Journal

	err error
}

func (k keeps) Append(context.Context, bool, ...terminal.Entry) error { return k.err }

// What is committed and how the link is wake whoever follows; what failed wakes nobody.
func TestPulse(t *testing.T) {
	var p pulse
	o := &Owner{told: &p}
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	for name, c := range map[string]struct {
		do   func()
		want bool
	}{
		"a commit":       {func() { _ = beating{keeps{}, o}.Append(t.Context(), true) }, true},
		"a failed one":   {func() { _ = beating{keeps{err: errors.New("disk")}, o}.Append(t.Context(), true) }, false},
		"the link":       {func() { o.setHealth(true, "online", "") }, true},
		"nothing":        {func() {}, false},
		"without a lane": {func() { (&Owner{}).setHealth(true, "online", "") }, false},
	} {
		next := p.next()
		if c.do(); closed(next) != c.want {
			t.Errorf("%s: woken %t", name, !c.want)
		}
	}
}

// saying is a card that answers with what it is given, command by command.
type saying struct{ answers [][]byte }

func (s *saying) Transmit(context.Context, []byte) ([]byte, error) {
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a, nil
}

// The language is known with GET PROCESSING OPTIONS and not before: the application's own, else the directory's, small letters or
// capitals, the first that the terminal has.
func TestLanguageIsHeard(t *testing.T) {
	fci := func(languages string) []byte {
		var inside []byte
		if languages != "" {
			inside = append([]byte{0x5F, 0x2D, byte(len(languages))}, languages...)
		}
		template := append([]byte{0xA5, byte(len(inside))}, inside...)
		return append(append([]byte{0x6F, byte(len(template))}, template...), 0x90, 0)
	}
	both := []terminal.Language{terminal.Arabic, terminal.English}
	for name, c := range map[string]struct {
		pse, app string
		has      []terminal.Language
		want     terminal.Language
	}{
		"its own":           {"en", "ar", both, terminal.Arabic},
		"the directory's":   {"en", "", both, terminal.English},
		"capitals":          {"", "FREN", both, terminal.English},
		"none that we have": {"", "frde", both, terminal.Arabic},
		"none at all":       {"", "", both, terminal.Arabic},
		"one terminal's":    {"", "ar", []terminal.Language{terminal.English}, terminal.English},
		"no terminal's":     {"", "ar", nil, ""},
		"too long":          {"", "enenenenen", both, terminal.Arabic},
	} {
		if _, err := tlv.Parse(fci(c.app)[:len(fci(c.app))-2]); err != nil {
			t.Fatal(err)
		}
		var l Lane
		l.board.init()
		l.cfg.Languages = c.has
		card := l.hear(&saying{[][]byte{fci(c.pse), fci(c.app), {0x90, 0}}})
		for i, command := range [][]byte{{0, 0xA4, 4, 0}, {0, 0xA4, 4, 0}, {0x80, 0xA8, 0, 0}} {
			if got := l.board.latest().Language; got != "" {
				t.Errorf("%s: %q is known before command %d", name, got, i)
			}
			if _, err := card.Transmit(t.Context(), command); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.board.latest().Language; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
