package emulator

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed cards/*.toml
var cards embed.FS

// ReadyNames lists the ready-made cards, in order of their names.
func ReadyNames() []string {
	entries, err := cards.ReadDir("cards")
	must(err)
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// Ready is a ready-made card's profile. Error: ErrProfile.
func Ready(name string) (Profile, error) {
	text, err := ReadyText(name)
	if err != nil {
		return Profile{}, err
	}
	return ParseProfile(text)
}

// ReadyText is the same as a file, to start a profile of one's own from. Error: ErrProfile.
func ReadyText(name string) ([]byte, error) {
	if !slices.Contains(ReadyNames(), name) {
		return nil, fmt.Errorf("%w: no ready card %q: there are credit, debit and others that the list of cards names", ErrProfile, name)
	}
	text, err := cards.ReadFile("cards/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return text, nil
}
