package lane

import (
	"context"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/terminal"
)

// instructions that a language follows from.
const (
	tagFCI                  = 0x6F
	insProcessingOptions    = 0xA8 // GET PROCESSING OPTIONS: the application is selected for good
	longestPreference       = 8
	insAt, shortestResponse = 1, 2
)

// listening is a card whose language preference is heard as soon as an application is selected, long before the kernel has its
// outcome: what the application says (Book 1, 11.3.4, tag 5F2D), else what the payment system environment did.
type listening struct {
	emv.Card

	preference string
	selected   func(preference string)
}

// Transmit implements emv.Card. It changes nothing on the way.
func (c *listening) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if c.selected != nil && len(command) > insAt && command[insAt] == insProcessingOptions {
		c.selected(c.preference)
		c.selected = nil
	}
	response, err := c.Card.Transmit(ctx, command)
	if err == nil && len(response) > shortestResponse && response[0] == tagFCI {
		c.read(response[:len(response)-shortestResponse])
	}
	return response, err
}

// read takes the preference out of an FCI template; what is none changes nothing.
func (c *listening) read(fci []byte) {
	_ = tlv.Walk(fci, func(_ int, it tlv.Item) error {
		if it.Tag == tagLanguagePreference && len(it.Value) <= longestPreference {
			c.preference = printable(it.Value)
		}
		return nil
	})
}

// hear gives the kernel a card that tells its language, and shows the customer's from then on.
func (l *Lane) hear(card emv.Card) emv.Card {
	return &listening{Card: card, selected: func(preference string) {
		l.board.change(func(s *terminal.Snapshot) { s.Language = terminal.ChooseLanguage(preference, l.cfg.Languages) })
	}}
}

// language is what the PIN pad prompts in: the customer's as the snapshot has it, or where the terminal names no languages what the
// card prefers.
func (l *Lane) language(preference []byte) string {
	if len(l.cfg.Languages) == 0 {
		return printable(preference)
	}
	return string(terminal.ChooseLanguage(printable(preference), l.cfg.Languages))
}
