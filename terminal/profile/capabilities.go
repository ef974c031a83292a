package profile

import (
	"slices"
	"strings"

	"tillway/emv"
)

// word is how a profile writes one bit of the Terminal Capabilities, 9F33 (Book 4, A2).
type word struct {
	name string
	bit  emv.CapabilityBit
}

// The three bytes of 9F33, a list of words each.
var (
	inputWords = []word{
		{"manual", emv.CapabilityManualKeyEntry},
		{"stripe", emv.CapabilityMagneticStripe},
		{"chip", emv.CapabilityICWithContacts},
	}
	verificationWords = []word{
		{"offline_pin_plaintext", emv.CapabilityPlaintextPIN},
		{"online_pin", emv.CapabilityEncipheredOnlinePIN},
		{"signature", emv.CapabilitySignature},
		{"offline_pin_enciphered", emv.CapabilityEncipheredOffline},
		{"no_cvm", emv.CapabilityNoCVM},
	}
	authenticationWords = []word{
		{"sda", emv.CapabilitySDA},
		{"dda", emv.CapabilityDDA},
		{"cda", emv.CapabilityCDA},
	}
)

// part is one byte of 9F33 as a profile gives it: nil for what it leaves to the default.
type part struct {
	key   string
	value any
	words []word
}

// parts are the three bytes in their order.
type parts [3]part

// capabilities is 9F33: whole, as hex, or byte by byte as words. What is not said is as in standard.
func (c *checker) capabilities(key string, whole any, bytes parts, standard emv.Capabilities) emv.Capabilities {
	out := standard
	for i, p := range bytes {
		if p.value == nil {
			continue
		}
		if whole != nil {
			c.refuse(p.key, "says a part of what capabilities says whole: take one of them out")
			return out
		}
		out[i] = 0
		for _, bit := range c.words(p) {
			out.Set(bit)
		}
	}
	if whole != nil {
		copy(out[:], c.hex(key, whole, 3, 3)) // reserved bits too: who writes all of it wants it as written
	}
	return out
}

func (c *checker) words(p part) []emv.CapabilityBit {
	var out []emv.CapabilityBit
	for _, name := range c.list(p.key, p.value) {
		i := slices.IndexFunc(p.words, func(w word) bool { return w.name == name })
		switch {
		case i < 0:
			c.refuse(p.key, "has %q: there are %s", name, listed(p.words))
			return nil
		case slices.Contains(out, p.words[i].bit):
			c.refuse(p.key, "names %q twice", name)
		}
		out = append(out, p.words[i].bit)
	}
	return out
}

func listed(words []word) string {
	var names []string
	for _, w := range words {
		names = append(names, w.name)
	}
	return strings.Join(names, ", ")
}

// beyond lists, as a profile writes them, the capabilities that c has and limit lacks.
func beyond(c, limit emv.Capabilities) []string {
	var out []string
	for _, w := range slices.Concat(inputWords, verificationWords, authenticationWords) {
		if c.Has(w.bit) && !limit.Has(w.bit) {
			out = append(out, w.name)
		}
	}
	return out
}
