package magstripe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// The swipe that ID TECH prints in the manuals of its readers, check characters and all (also the clear text of its published
// decryption vectors), and the test card of the DUKPT libraries.
const (
	idTech1 = "%B4266841088889999^BUSH JR/GEORGE W.MR^0809101100001100000000046000000?"
	idTech2 = ";4266841088889999=080910110000046?"
	// A card of the simulators: chip, service code 201.
	chip2 = ";4761739001010119=28122011143812300000?"
)

func TestPublishedTracks(t *testing.T) {
	one, err := ParseTrack1(idTech1 + "!")
	if err != nil {
		t.Fatal(err)
	}
	if one.PAN() != "4266841088889999" || one.Name() != "BUSH JR/GEORGE W.MR" || one.Expiry() != "0809" || one.ServiceCode() != "101" ||
		one.Discretionary() != "100001100000000046000000" || one.Clear() != idTech1 {
		t.Errorf("track 1: name %q, service code %q, clear %q", one.Name(), one.ServiceCode(), one.Clear())
	}
	two, err := ParseTrack2(idTech2 + "0")
	if err != nil {
		t.Fatal(err)
	}
	if two.PAN() != one.PAN() || two.Expiry() != "0809" || two.ServiceCode() != "101" || two.Discretionary() != "10000046" || two.Clear() != idTech2 {
		t.Errorf("track 2: service code %q, clear %q", two.ServiceCode(), two.Clear())
	}
	for _, text := range []string{
		idTech1 + "!" + idTech2 + "0", idTech1 + idTech2, idTech1 + "!\r\n" + idTech2 + "0\r\n", idTech2 + idTech1, idTech2,
		idTech1 + idTech2 + "+0123?", "%E?" + idTech2, "%B1^X^Y?" + idTech2 + "0",
	} {
		if s, err := Parse(text); err != nil || s.Two != two {
			t.Errorf("swipe of %d characters: %v", len(text), err)
		}
	}
}

// One changed character a row: what the standard does not have is refused, by name.
func TestParseRefuses(t *testing.T) {
	name26 := strings.Repeat("N", 26)
	for _, c := range []struct {
		name, text string
		want       error // nil: it is a track after all
	}{
		{"nothing", "", ErrTrack},
		{"sentinels alone", ";?", ErrTrack},
		{"no start sentinel", chip2[1:], ErrTrack},
		{"no end sentinel", chip2[:len(chip2)-1], ErrTrack},
		{"more behind the check character", chip2 + "00", ErrTrack},
		{"wrong check character", idTech2 + "1", ErrLRC},
		{"one digit changed, check character as it was", strings.Replace(idTech2, "=0809", "=0808", 1) + "0", ErrLRC},
		{"no separator", ";4761739001010119?", ErrTrack},
		{"a letter", ";476173900101011A=28122011143812300000?", ErrTrack},
		{"a control character of the alphabet", ";4761739001010119=2812201:?", ErrTrack},
		{"separator in the discretionary data", ";4761739001010119=28122011=?", ErrTrack},
		{"account number of 7 digits", ";4761739=2812201?", ErrTrack},
		{"account number of 8 digits", ";47617390=2812201?", nil},
		{"account number of 19 digits", ";4761739001010119000=2812201?", nil},
		{"account number of 20 digits", ";47617390010101190000=2812201?", ErrTrack},
		{"expiry cut short", ";4761739001010119=281?", ErrTrack},
		{"month 13", ";4761739001010119=2813201?", ErrTrack},
		{"month 00", ";4761739001010119=2800201?", ErrTrack},
		{"service code cut short", ";4761739001010119=281220?", ErrTrack},
		{"no expiry", ";4761739001010119==201?", nil},
		{"no service code", ";4761739001010119=2812=?", nil},
		{"neither", ";4761739001010119===?", nil},
		{"neither, and a separator more", ";4761739001010119====1?", ErrTrack},
		{"40 characters", ";4761739001010119=2812201" + strings.Repeat("1", 13) + "?", nil},
		{"41 characters", ";4761739001010119=2812201" + strings.Repeat("1", 14) + "?", ErrTrack},
		{"country code", ";5912345678901236=41428122011?", nil},
		{"country code cut short", ";5912345678901236=41?", ErrTrack},
		{"track 1", "%B4761739001010119^DOE/JANE^2812201?", nil},
		{"track 1 with a country code", "%B5912345678901236^414DOE/JANE^2812201?", nil},
		{"track 1 of format A", "%A4761739001010119^DOE/JANE^2812201?", ErrTrack},
		{"track 1, one separator", "%B4761739001010119^DOE/JANE?", ErrTrack},
		{"track 1, four separators", "%B4761739001010119^DOE/JANE^2812201^1?", ErrTrack},
		{"track 1, name of 26", "%B4761739001010119^" + name26 + "^2812201?", nil},
		{"track 1, name of 27", "%B4761739001010119^N" + name26 + "^2812201?", ErrTrack},
		{"track 1, name of 1", "%B4761739001010119^N^2812201?", ErrTrack},
		{"track 1, small letters", "%B4761739001010119^Doe/Jane^2812201?", ErrTrack},
		{"track 1, 8 bits", "%B4761739001010119^DOE/J\xC4NE^2812201?", ErrTrack},
		{"track 1, neither expiry nor service code", "%B4761739001010119^DOE/JANE^^^?", nil},
		{"track 1, start sentinel inside", "%B4761739001010119^DOE/JANE^2812201%?", ErrTrack},
		{"track 1, 79 characters", "%B4761739001010119^" + name26 + "^2812201" + strings.Repeat("1", 24) + "?", nil},
		{"track 1, 80 characters", "%B4761739001010119^" + name26 + "^2812201" + strings.Repeat("1", 25) + "?", ErrTrack},
	} {
		parse := func(text string) (string, error) {
			two, err := ParseTrack2(text)
			return two.Clear(), err
		}
		if strings.HasPrefix(c.text, "%") {
			parse = func(text string) (string, error) {
				one, err := ParseTrack1(text)
				return one.Clear(), err
			}
		}
		clear, err := parse(c.text)
		if c.want == nil && (err != nil || clear != c.text) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "4761739") || strings.Contains(err.Error(), "DOE")) {
			t.Errorf("%s: the error shows the track: %v", c.name, err)
		}
	}
}

func TestParseSwipeRefuses(t *testing.T) {
	other := ";4761739001010127=28122011143812300000?"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                    {"", ErrTrack},
		"a bad read of all":          {"%E?;E?+E?", ErrTrack},
		"track 1 alone":              {idTech1, ErrTrack},
		"track 2 twice":              {chip2 + chip2, ErrTrack},
		"two cards":                  {idTech1 + other, ErrDiffer},
		"other expiry on track 1":    {"%B4761739001010119^DOE/JANE^2912201?" + chip2, ErrDiffer},
		"other service code":         {"%B4761739001010119^DOE/JANE^2812101?" + chip2, ErrDiffer},
		"track 2 damaged":            {idTech1 + idTech2 + "7", ErrLRC},
		"without end":                {strings.Repeat("%E?\n", 65), ErrTrack},
		"something before":           {"x" + chip2, ErrTrack},
		"no end sentinel at the end": {idTech1 + chip2[:20], ErrTrack},
	} {
		if _, err := Parse(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		track, day string
		want       error
	}{
		{chip2, "2026-11-23", nil},
		{chip2, "2028-12-31", nil}, // good until the end of its month
		{chip2, "2029-01-01", ErrExpired},
		{idTech2, "2008-09-01", ErrCheckDigit},                   // printed in a manual, and no account of anybody
		{";4761739001010119=9912201?", "2026-11-23", ErrExpired}, // 1999
		{";4761739001010119=4912201?", "2026-11-23", nil},
		{";4761739001010118=2812201?", "2026-11-23", ErrCheckDigit},
		{";4761739001010191=2812201?", "2026-11-23", ErrCheckDigit}, // two digits swapped
		{";4761739001010119==201?", "2026-11-23", ErrNoExpiry},
		{";4761739001010119=2812=?", "2026-11-23", ErrNoService},
	} {
		two, err := ParseTrack2(c.track)
		if err != nil {
			t.Fatal(err)
		}
		if err := two.Check(day(c.day)); !errors.Is(err, c.want) {
			t.Errorf("%s on %s: %v, want %v", two, c.day, err, c.want)
		}
	}
}

// The service codes that schemes print in their rules, and what a terminal draws from them.
func TestServiceCodes(t *testing.T) {
	for _, c := range []struct {
		code                                         ServiceCode
		chip, online, pin, feasible, purchases, test bool
	}{
		{"101", false, false, false, false, true, false},
		{"120", false, true, true, false, true, false},
		{"201", true, false, false, false, true, false},
		{"206", true, false, false, true, true, false},
		{"220", true, true, true, false, true, false},
		{"221", true, true, false, false, true, false},
		{"226", true, true, false, true, true, false},
		{"501", false, false, false, false, true, false},
		{"525", false, true, true, false, true, false},
		{"601", true, false, false, false, true, false},
		{"623", true, true, true, false, false, false},
		{"744", false, true, false, false, false, false},
		{"907", false, false, false, true, true, true},
		{"", false, false, false, false, false, false},
	} {
		s := c.code
		if s.HasChip() != c.chip || s.OnlineOnly() != c.online || s.PINRequired() != c.pin || s.PINWhereFeasible() != c.feasible ||
			s.Purchases() != c.purchases || s.Test() != c.test {
			t.Errorf("%s: chip %v, online %v, PIN %v or %v, purchases %v, test %v", s, s.HasChip(), s.OnlineOnly(), s.PINRequired(),
				s.PINWhereFeasible(), s.Purchases(), s.Test())
		}
	}
	if got := ServiceCode("226").Meaning(); len(got) != 3 || !strings.Contains(got[0], "chip") || !strings.Contains(got[1], "online") || !strings.Contains(got[2], "PIN") {
		t.Errorf("%q", got)
	}
	if got := ServiceCode("439").Meaning(); !slices.Equal(got, []string{"reserved", "reserved", "reserved"}) {
		t.Errorf("%q", got)
	}
}

// Tag 57 and the stripe say the same (EMV Book 3, Annex A).
func TestTag57(t *testing.T) {
	for stripe, want := range map[string]string{
		chip2:                                   "4761739001010119d28122011143812300000f",
		";47617390010101190=2812201?":           "47617390010101190d2812201f",
		";476173900101011900=2812201?":          "476173900101011900d2812201",
		";4761739001010119=2812201" + "1" + "?": "4761739001010119d28122011f",
	} {
		two, err := ParseTrack2(stripe)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(two.Tag57()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if back, err := FromTag57(two.Tag57()); err != nil || back != two {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, bad := range []string{"", "4761739001010119", "4761739001010119A2812201F", "4761739001010119D2812201FF", "4761739001010119D2812201D1"} {
		b, err := hex.DecodeString(strings.TrimSuffix(bad+strings.Repeat("F", len(bad)%2), ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromTag57(b); !errors.Is(err, ErrTrack) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// However a swipe is printed, logged or marshalled, nothing of it shows but the masked number.
func TestMasked(t *testing.T) {
	s, err := Parse(idTech1 + idTech2)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", s, &s, s.One, s.Two)
	}
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		log.Info("swiped", "swipe", s, "one", s.One, "two", s.Two)
	}
	if err := json.NewEncoder(&out).Encode(s); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"4266841088889999", "41088889", "BUSH", "0809", "1011000"} {
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), hex.EncodeToString([]byte(secret))) {
			t.Errorf("%s shows in %s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), "426684******9999") {
		t.Error(out.String())
	}
	var none Track2
	if none.String() != "no track" || !none.IsZero() || none.Clear() != "" {
		t.Error(none)
	}
}

// What parses is made again as it was, and with its check character it parses to the same; any other check character is refused.
func FuzzTrack1(f *testing.F) {
	f.Add(idTech1, byte(0))
	f.Add("%B5912345678901236^414DOE/JANE^^^1?", byte('!'))
	f.Fuzz(func(t *testing.T, text string, lrc byte) {
		one, err := ParseTrack1(text)
		if err != nil {
			return
		}
		if len(text) > MaxTrack1 || !strings.HasPrefix(text, one.Clear()) || len(text) > len(one.Clear())+1 {
			t.Fatalf("%q became %q", text, one.Clear())
		}
		again, err := ParseTrack1(one.Clear() + string(rune(lrc&0x7F)))
		if right := checkCharacter(one.Clear(), ' '); (err == nil) != (lrc&0x7F == right) || err == nil && again != one {
			t.Fatalf("check character %q, right is %q: %v", lrc&0x7F, right, err)
		}
	})
}

// FuzzTrack2 is FuzzTrack1 for track 2, and holds it to tag 57.
func FuzzTrack2(f *testing.F) {
	f.Add(idTech2, byte('0'))
	f.Add(chip2, byte(0))
	f.Add(";5912345678901236=414==?", byte(0))
	f.Fuzz(func(t *testing.T, text string, lrc byte) {
		two, err := ParseTrack2(text)
		if err != nil {
			return
		}
		if len(text) > MaxTrack2 || !strings.HasPrefix(text, two.Clear()) || len(text) > len(two.Clear())+1 {
			t.Fatalf("%q became %q", text, two.Clear())
		}
		again, err := ParseTrack2(two.Clear() + string(rune(lrc&0x7F)))
		if right := checkCharacter(two.Clear(), '0'); (err == nil) != (lrc&0x7F == right) || err == nil && again != two {
			t.Fatalf("check character %q, right is %q: %v", lrc&0x7F, right, err)
		}
		if back, err := FromTag57(two.Tag57()); err != nil || back != two {
			t.Fatalf("tag 57 %X: %v", two.Tag57(), err)
		}
	})
}

// FuzzSwipe: the tracks of a pass are found whether the reader sends check characters and line ends or not.
func FuzzSwipe(f *testing.F) {
	f.Add(idTech1+idTech2, true, "\r\n")
	f.Add(chip2, false, "")
	f.Fuzz(func(t *testing.T, text string, withLRC bool, end string) {
		s, err := Parse(text)
		if err != nil || strings.Trim(end, "\r\n") != "" || len(end) > 4 {
			return
		}
		var again string
		for _, track := range []struct {
			clear string
			base  byte
		}{{s.One.Clear(), ' '}, {s.Two.Clear(), '0'}} {
			if track.clear == "" {
				continue
			}
			if again += track.clear; withLRC {
				again += string(rune(checkCharacter(track.clear, track.base)))
			}
			again += end
		}
		if got, err := Parse(again); err != nil || got != s {
			t.Fatalf("%q: %v", again, err)
		}
	})
}

// checkCharacter works out the longitudinal check as ISO/IEC 7811-2 describes it, column by column.
func checkCharacter(track string, base byte) byte {
	var code byte
	for bit := range 6 {
		ones := 0
		for i := range len(track) {
			ones += int((track[i] - base) >> bit & 1)
		}
		code |= byte(ones&1) << bit
	}
	return base + code
}
