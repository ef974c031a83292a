package emulator

// Contacts is a card that has power: the end of its protocol that a reader touches. It belongs to one goroutine at a time.
type Contacts struct{ card wire }

// Activate gives a chip power, or resets one that has it (warm), and returns its answer and the contacts to talk over, in
// the protocol that the answer offers first. A mute chip has neither.
func Activate(c Chip, warm bool) (contacts *Contacts, atr []byte) {
	atr = answerToReset(c, warm)
	if len(atr) == 0 {
		return nil, nil
	}
	c.Reset()
	return &Contacts{connect(c, atr)}, atr
}

// Exchange carries one T=0 TPDU or T=1 block to the chip. Nil is no answer.
func (c *Contacts) Exchange(tpdu []byte) []byte { return c.card.exchange(tpdu) }

// Stall makes the chip ask for more time before its next answer, where its protocol has words for that.
func (c *Contacts) Stall() { c.card.stall() }

// Watched is a chip whose exchanges are told, a line each and without card data, to somebody who must not block.
func Watched(c Chip, tell func(line string)) Chip {
	if tell == nil {
		return c
	}
	return watch{c, tell}
}
