package magstripe

import (
	"fmt"
	"strings"
)

// Swipe is one pass of a card: track 2, without which no payment is made, and track 1 where it could be read.
type Swipe struct {
	One Track1
	Two Track2
}

// maxSwipe is more than any reader sends for one pass: three tracks, and a line's end behind each.
const maxSwipe = 256

// Parse reads what a reader sends for one pass: the tracks that it could read, each from start to end sentinel, with or without its
// check character, in any order, with line ends between them or none. Track 3 (from +) is skipped, and so is a track 1 that is
// damaged or of another format, beside a good track 2: a payment does without. Errors: ErrTrack, ErrLRC, ErrDiffer.
func Parse(text string) (Swipe, error) {
	if len(text) > maxSwipe {
		return Swipe{}, fmt.Errorf("%w: %d characters for one pass", ErrTrack, len(text))
	}
	var s Swipe
	seen := map[byte]bool{}
	for rest := strings.TrimLeft(text, "\r\n\t "); rest != ""; rest = strings.TrimLeft(rest, "\r\n\t ") {
		var track string
		var err error
		if track, rest, err = cut(rest); err != nil {
			return Swipe{}, err
		}
		if seen[track[0]] {
			return Swipe{}, fmt.Errorf("%w: one track twice", ErrTrack)
		}
		seen[track[0]] = true
		switch track[0] {
		case '%':
			s.One, _ = ParseTrack1(track)
		case ';':
			if s.Two, err = ParseTrack2(track); err != nil {
				return Swipe{}, err
			}
		}
	}
	switch one, two := s.One, s.Two; {
	case two.IsZero():
		return Swipe{}, fmt.Errorf("%w: there is no track 2", ErrTrack)
	case one.IsZero():
	case one.pan != two.pan, one.expiry != two.expiry, one.service != two.service:
		return Swipe{}, ErrDiffer
	}
	return s, nil
}

// cut takes the first track off, with its check character if it has one. A check character may look like the beginning of a track:
// then the next character tells, which is the other one's beginning, or a line's end.
func cut(s string) (track, rest string, err error) {
	end := strings.IndexByte(s, '?') + 1
	if !begins(s) || end == 0 {
		return "", "", fmt.Errorf("%w: it is not from a start sentinel to an end sentinel", ErrTrack)
	}
	after := s[end:]
	if after != "" && !lineEnds(after) && (!begins(after) || len(after) == 1 || begins(after[1:]) || lineEnds(after[1:])) {
		end++
	}
	return s[:end], s[end:], nil
}

func begins(s string) bool { return s != "" && (s[0] == '%' || s[0] == ';' || s[0] == '+') }

func lineEnds(s string) bool { return s != "" && strings.ContainsRune("\r\n\t", rune(s[0])) }
