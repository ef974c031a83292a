package emulator

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrStripe says that there is no such ready stripe, or that a text is none.
var ErrStripe = errors.New("no stripe to swipe")

// stripes are the stripes of test cards, with the verification values under the issuer's published key. One that is copied from
// a chip's data has the chip's value, and its issuer notices.
var stripes = []struct{ name, note, tracks string }{
	{"stripe", "a card without a chip", "%B4761739001010150^TEST/CARD SIX^2812101151721920000000?;4761739001010150=28121011517219200000?"},
	{"stripe-pin", "a card without a chip that asks for its PIN", "%B4761739001010150^TEST/CARD SIX^2812120151728450000000?;4761739001010150=28121201517284500000?"},
	{"credit", "the stripe of the chip card of that name", "%B4761739001010119^TEST/CARD ONE^2812201109494790000000?;4761739001010119=28122011094947900000?"},
	{"debit", "the stripe of the chip card of that name", ";5413330089604111=29122011350034000000?"},
	{"expired", "the stripe of the chip card of that name", ";4761739001010127=20122011405360800000?"},
	{"copied", "what a thief makes of the chip's data", ";4761739001010119=28122011094932400000?"},
	{"disguised", "the stripe of credit, its service code changed so that no terminal asks for the chip", ";4761739001010119=28121011094947900000?"},
	{"worn", "a stripe that cannot be read any more", "%E?;E?"},
}

// StripeNames lists the ready stripes.
func StripeNames() []string {
	names := make([]string, 0, len(stripes))
	for _, s := range stripes {
		names = append(names, s.name)
	}
	return names
}

// ReadyStripe is the text that a reader sends for a ready stripe, and what it is. Error: ErrStripe.
func ReadyStripe(name string) (tracks, note string, err error) {
	for _, s := range stripes {
		if s.name == name {
			return s.tracks, s.note, nil
		}
	}
	return "", "", fmt.Errorf("%w: %.40q: there are %q, or write the tracks themselves, from %% or ;", ErrStripe, name, StripeNames())
}

// StripeReader is a running stripe reader on a pseudo-terminal: what is swiped goes out as text. Its methods may be called from
// anywhere.
type StripeReader struct {
	line *SerialLine

	mu     sync.Mutex // guards closed, and keeps passes apart
	closed bool
}

// StartStripe plugs a virtual stripe reader in. A link path that is taken is ErrLink with what to do about it.
func StartStripe(link string) (*StripeReader, error) {
	line, err := OpenSerialLine(link)
	if err != nil {
		return nil, err
	}
	return &StripeReader{line: line}, nil
}

// maxSwipeText bounds what is swiped: a little more than a real stripe has, so that a driver's bound can be tried.
const maxSwipeText = 1024

// Swipe sends a text as one pass of a card. A driver that is not there misses it. Errors: ErrStripe for none or too much, ErrClosed.
func (r *StripeReader) Swipe(tracks string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case tracks == "" || len(tracks) > maxSwipeText:
		return fmt.Errorf("%w: %d characters", ErrStripe, len(tracks))
	}
	err := r.line.pair.master.SetWriteDeadline(time.Now().Add(writeFor))
	if err == nil {
		_, err = r.line.pair.master.WriteString(tracks + "\r")
	}
	if err != nil {
		return fmt.Errorf("the line does not take a swipe: %w", err)
	}
	return nil
}

// Close takes reader and link away. A second call does nothing.
func (r *StripeReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.line.Close()
}
