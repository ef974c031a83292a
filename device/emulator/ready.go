package emulator

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed cards/*.toml
var cards embed.FS

// ReadyNames lists the ready-made cards.
func ReadyNames() []string { return []string{"credit", "debit", "declines", "expired", "pulled"} }

// Ready is a ready-made card's profile. Error: ErrProfile, naming the cards there are.
func Ready(name string) (Profile, error) {
	for _, known := range ReadyNames() {
		if known != name {
			continue
		}
		text, err := cards.ReadFile("cards/" + name + ".toml")
		if err != nil {
			return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
		}
		return ParseProfile(text)
	}
	return Profile{}, fmt.Errorf("%w: no ready card %q; there are %s", ErrProfile, name, strings.Join(ReadyNames(), ", "))
}
