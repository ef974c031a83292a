package emulator

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// A card that is like another one. The ready card's file is read first, and what the new file says is laid over it: values
// and tables key by key, applications by their place in the file, while further records and faults are added. An
// application of a new place may start from a ready card's first application with a "like" of its own.

// maxLikes bounds how far one card may be like one that is like another.
const maxLikes = 4

func (p Profile) inherits() bool {
	for _, a := range p.Applications {
		if a.Like != "" {
			return true
		}
	}
	return p.Like != ""
}

// inherit reads a file that is like another. Error: ErrProfile.
func inherit(text string) (Profile, error) {
	merged, err := inherited(text, maxLikes)
	if err != nil {
		return Profile{}, err
	}
	var whole bytes.Buffer
	if err := toml.NewEncoder(&whole).Encode(merged); err != nil {
		return Profile{}, fmt.Errorf("%w: like: %w", ErrProfile, err)
	}
	if whole.Len() > 2*MaxProfileBytes {
		return Profile{}, fmt.Errorf("%w: like: the whole is too long", ErrProfile)
	}
	return decode(whole.String())
}

type table = map[string]any

// inherited gives a file's tables with everything that they are like.
func inherited(text string, depth int) (table, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%w: like: more than %d cards, one like the other", ErrProfile, maxLikes)
	}
	over := table{}
	if _, err := toml.Decode(text, &over); err != nil {
		return nil, fmt.Errorf("%w: like: the text is no TOML", ErrProfile)
	}
	base := table{}
	if name, ok := over["like"].(string); ok {
		var err error
		if base, err = readyTables(name, depth); err != nil {
			return nil, err
		}
	}
	delete(over, "like")
	apps, _ := over["application"].([]table)
	for i, a := range apps {
		name, ok := a["like"].(string)
		if !ok {
			continue
		}
		from, err := readyTables(name, depth)
		if err != nil {
			return nil, err
		}
		first, _ := from["application"].([]table)
		if len(first) == 0 {
			return nil, fmt.Errorf("%w: application %d: card %q has no application", ErrProfile, i+1, name)
		}
		delete(a, "like")
		lay(first[0], a)
		apps[i] = first[0]
	}
	lay(base, over)
	return base, nil
}

func readyTables(name string, depth int) (table, error) {
	text, err := ReadyText(name)
	if err != nil {
		return nil, fmt.Errorf("like: %w", err)
	}
	return inherited(string(text), depth-1)
}

// lay puts one table over another.
func lay(base, over table) {
	for key, value := range over {
		switch v := value.(type) {
		case table:
			if below, ok := base[key].(table); ok {
				lay(below, v)
				continue
			}
		case []table:
			if below, ok := base[key].([]table); ok && key == "application" {
				base[key] = layEach(below, v)
				continue
			} else if ok {
				base[key] = append(below, v...)
				continue
			}
		}
		base[key] = value
	}
}

func layEach(base, over []table) []table {
	for i, a := range over {
		if i < len(base) {
			lay(base[i], a)
		} else {
			base = append(base, a)
		}
	}
	return base
}
