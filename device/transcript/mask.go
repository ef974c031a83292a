package transcript

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
)

// WriteMasked writes the transcript as it may be kept of a real card: of commands the header and a SELECT's name, of
// answers the status and every data object that the tag table knows and that is no card data; all else is stars. What is
// left is searched for the card's number once more, in digits and in ASCII. It says that it is masked, and Read refuses it.
func (t Transcript) WriteMasked(w io.Writer) error {
	out := t
	if t.Session != nil {
		s := *t.Session
		s.Card, s.Replayable = RealCard, false
		s.Params.CAKeys = emv.CAKeys{} // nothing is replayed
		s.Unanswered = s.Unanswered[:min(len(s.Unanswered), 4)]
		s.CardPINs = slices.Clone(s.CardPINs)
		for i := range s.CardPINs {
			s.CardPINs[i].Data, s.CardPINs[i].Commands = nil, nil
		}
		if s.Host != nil {
			s.Host = &Host{Result: s.Host.Result, ARC: s.Host.ARC}
		}
		s.Outcome.Tags = map[string]string{}
		for name, value := range t.Session.Outcome.Tags {
			if tag, err := tlv.ParseTag(name); err == nil && shown(tag) {
				s.Outcome.Tags[name] = value
			}
		}
		out.Session = &s
	}
	text, err := out.text(maskCommand, maskResponse)
	if err != nil {
		return fmt.Errorf("writing a transcript: %w", err)
	}
	if _, err := io.WriteString(w, scrub(text, t.numbers())); err != nil {
		return fmt.Errorf("writing a transcript: %w", err)
	}
	return nil
}

// shown says whether a data object's value may stand in a masked transcript: one that the tag table knows, and that is
// neither card data nor leads to the account.
func shown(tag tlv.Tag) bool {
	_, known := emv.Lookup(tag)
	switch tag {
	case emv.TagPaymentAccountReference, emv.TagSignedDynamicApplicationData, emv.TagSignedStaticApplicationData,
		emv.TagIssuerPublicKeyCertificate, emv.TagApplicationDiscretionaryData, emv.TagCommandTemplate, emv.TagIssuerScriptCommand:
		return false
	}
	return known && !emv.SecretTag(tag)
}

func stars(b []byte) string { return strings.Repeat("**", len(b)) }

func maskCommand(c []byte) string {
	switch {
	case len(c) < 4:
		return stars(c)
	case len(c) <= 5, c[1] == insSelect:
		return upper(c)
	}
	end := min(5+int(c[4]), len(c))
	return upper(c[:5]) + stars(c[5:end]) + upper(c[end:])
}

func maskResponse(r []byte) string {
	data, sw := r[:len(r)-2], r[len(r)-2:]
	return maskObjects(data, 0) + upper(sw)
}

// maskObjects keeps what may be shown of a string of data objects; of what is none, its length.
func maskObjects(data []byte, depth int) string {
	items, err := tlv.Parse(data)
	if err != nil || depth > tlv.MaxDepth {
		return stars(data)
	}
	var b strings.Builder
	for _, it := range items {
		value := stars(it.Value)
		switch {
		case it.Tag.Constructed():
			value = maskObjects(it.Value, depth+1)
		case shown(it.Tag):
			value = upper(it.Value)
		}
		b.WriteString(upper(it.Tag.Bytes()) + upper(lengthOf(len(it.Value))) + value)
	}
	return b.String()
}

// lengthOf is a length of Book 3, Annex B; no answer is longer than two bytes of it say.
func lengthOf(n int) []byte {
	switch {
	case n < 0x80:
		return []byte{byte(n)}
	case n < 0x100:
		return []byte{0x81, byte(n)}
	}
	return []byte{0x82, byte(n >> 8), byte(n)}
}

// numbers are the card numbers that the answers and the outcome hold, wherever in them, the kernel's own last.
func (t Transcript) numbers() []string {
	var found []string
	add := func(pan emv.PAN) {
		if n := pan.Clear(); n != "" && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	object := func(tag tlv.Tag, value []byte) {
		switch tag {
		case emv.TagPAN:
			if pan, err := emv.NewPAN(strings.TrimRight(upper(value), "F")); err == nil {
				add(pan)
			}
		case emv.TagTrack2EquivalentData, emv.TagTrack2DataContactless:
			if track, err := emv.NewTrack2(value); err == nil {
				add(track.PAN())
			}
		}
	}
	var walk func(data []byte, depth int)
	walk = func(data []byte, depth int) {
		items, err := tlv.Parse(data)
		if err != nil || depth > tlv.MaxDepth {
			return
		}
		for _, it := range items {
			if it.Tag.Constructed() {
				walk(it.Value, depth+1)
				continue
			}
			object(it.Tag, it.Value)
		}
	}
	for _, e := range t.Exchanges {
		walk(e.Response[:len(e.Response)-2], 0)
	}
	if t.Session == nil {
		return found
	}
	for _, tag := range []tlv.Tag{emv.TagTrack2EquivalentData, emv.TagPAN} {
		if value, err := hex.DecodeString(t.Session.Outcome.Tags[tag.String()]); err == nil {
			object(tag, value)
		}
	}
	return found
}

// scrub stars out card numbers that are left, as digits (packed ones look the same in hex) and as ASCII in hex.
func scrub(text string, numbers []string) string {
	for _, n := range numbers {
		ascii := upper([]byte(n))
		text = strings.ReplaceAll(text, ascii, strings.Repeat("*", len(ascii)))
		text = strings.ReplaceAll(text, n, strings.Repeat("*", len(n)))
	}
	return text
}
