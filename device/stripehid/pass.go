package stripehid

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"tillway/device"
	"tillway/device/magstripe"
)

// What can be wrong with a pass, besides the card. None of the errors repeats what a track holds.
var (
	ErrReport = errors.New("not a report of this kind of reader: is reader.stripe.driver right?")
	ErrClear  = errors.New("the stripe reader sends tracks in clear: use one that enciphers and load its key, or set development = true to test")
	ErrKey    = errors.New("the swipe does not decipher to a card: the key that is loaded is not this reader's; load it with pos keys import stripe swipe FILE")
)

// Enciphered is what an enciphering reader sent of one pass. It shows nothing of itself.
type Enciphered struct {
	KSN    []byte // 10 bytes, or 12 under AES
	PINKey bool   // enciphered under DUKPT's variant for PINs, else under the data key for requests
	AES    bool
	Blocks [][]byte // each by itself, in CBC from zeros
}

func (e Enciphered) String() string {
	return fmt.Sprintf("swipe enciphered in %d blocks", len(e.Blocks))
}

// GoString shows nothing.
func (e Enciphered) GoString() string { return e.String() }

// Format shows nothing under every verb.
func (e Enciphered) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(e.String())) }

// LogValue shows nothing.
func (e Enciphered) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalText writes nothing of it.
func (e Enciphered) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// pass is one report, taken apart: tracks in clear, or enciphered ones with a masked track 2 beside them.
type pass struct {
	clear      string
	enciphered *Enciphered
	masked     string // track 2 as the reader shows it; may be empty
}

// clearPass is the pass of tracks that are not enciphered; an empty one is a misread.
func clearPass(tracks ...[]byte) (pass, error) {
	text := string(bytes.Join(tracks, nil))
	if text == "" {
		return pass{}, fmt.Errorf("%w: no track could be read", device.ErrMisread)
	}
	return pass{clear: text}, nil
}

// field is n bytes of a report from a place on. ok is false where the field is not as long.
func field(report []byte, at, room, n int) (b []byte, ok bool) {
	if n > room || at+room > len(report) {
		return nil, false
	}
	return report[at : at+n], true
}

// threeTracks takes three fields of the same room that follow one another, with their lengths.
func threeTracks(report []byte, at, room int, lengths []byte) (tracks [3][]byte, err error) {
	for i := range tracks {
		var ok bool
		if tracks[i], ok = field(report, at+i*room, room, int(lengths[i])); !ok {
			return tracks, fmt.Errorf("%w: track %d of %d bytes", ErrReport, i+1, lengths[i])
		}
	}
	return tracks, nil
}

// clearReport reads the report of MagTek's clear readers, which ID TECH's can send too: decode status, length, encode type,
// and three tracks of 110 bytes (99875191, Card Data; 80096504, 10.1.1).
func clearReport(report []byte) (pass, error) {
	if len(report) < clearSize {
		return pass{}, fmt.Errorf("%w: %d bytes", ErrReport, len(report))
	}
	tracks, err := threeTracks(report, 7, 110, report[3:6])
	if err != nil {
		return pass{}, err
	}
	if err := undecoded(report); err != nil {
		return pass{}, err
	}
	return clearPass(tracks[0], tracks[1])
}

// clearSize is how long that report is.
const clearSize = 337

// undecoded is a misread of track 2: its decode status says so (bit 0).
func undecoded(report []byte) error {
	if report[1]&1 != 0 {
		return fmt.Errorf("%w: track 2 could not be decoded", device.ErrMisread)
	}
	return nil
}

// open makes tracks of deciphered blocks, and holds them to the masked track.
func (p pass) open(blocks [][]byte) (magstripe.Swipe, error) {
	var text strings.Builder
	for _, b := range blocks {
		text.Write(bytes.TrimRight(b, "\x00"))
		clear(b)
	}
	s, err := magstripe.Parse(text.String())
	if err != nil {
		return magstripe.Swipe{}, ErrKey // of a wrong key nothing else comes out; and the text is nothing to talk about
	}
	if !fits(s.Two.PAN(), p.masked) {
		return magstripe.Swipe{}, fmt.Errorf("%w: the card is another than the masked track's", ErrKey)
	}
	return s, nil
}

// fits says that a number may be the one that a masked track 2 shows: as long, with the same last four digits.
func fits(pan, masked string) bool {
	if masked == "" {
		return true
	}
	number, _, ok := strings.Cut(strings.TrimPrefix(masked, ";"), "=")
	return ok && len(number) == len(pan) && len(pan) >= 4 && number[len(number)-4:] == pan[len(pan)-4:]
}
