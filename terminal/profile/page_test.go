package profile

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page that explains the profile and the parser know the same keys, and its examples are profiles.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/profile.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	code := regexp.MustCompile("`([^`]+)`")
	table := ""
	var explained []string
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(line, "## Top"):
			table = ""
		case strings.HasPrefix(line, "## `["), strings.HasPrefix(line, "| Key of `[["):
			table = strings.Trim(code.FindStringSubmatch(line)[1], "[]") + "."
		case strings.HasPrefix(line, "## "):
			table = "none of the profile's."
		case strings.HasPrefix(line, "| `"):
			first, _, _ := strings.Cut(line[1:], "|")
			for _, key := range code.FindAllStringSubmatch(first, -1) {
				explained = append(explained, table+key[1])
			}
		}
	}
	known := keys()
	for _, key := range known {
		if !slices.Contains(explained, key) {
			t.Errorf("the page does not explain %s", key)
		}
	}
	for _, key := range explained {
		if !slices.Contains(known, key) {
			t.Errorf("the page explains %s, which is no key", key)
		}
	}
	if len(explained) != len(known) {
		t.Errorf("%d rows for %d keys: one is there twice", len(explained), len(known))
	}
	examples := strings.Split(page, "```toml\n")[1:]
	if len(examples) < 2 {
		t.Error("no examples")
	}
	for _, e := range examples {
		text, _, _ := strings.Cut(e, "```")
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	for _, f := range features() {
		if !strings.Contains(page, "`\""+f+"\"`") {
			t.Errorf("the page does not name %s", f)
		}
	}
}
