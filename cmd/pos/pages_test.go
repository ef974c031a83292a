package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// lies says what is wrong with a command line of a page: a command or a flag that there is not; "" when nothing is. Words in capitals stand for
// something, and are let be.
func lies(root *cobra.Command, line string) string {
	words := strings.Fields(strings.NewReplacer("[", "", "]", "", "(", "", ")", "", "…", " ", "...", " ").Replace(line))[1:]
	var plain []string
	for _, w := range words {
		if w == "&&" || w == "|" || w == "<" || w == ">" || w == "#" || w == "&" {
			break
		}
		plain = append(plain, w)
	}
	c, rest, err := root.Find(plain)
	if err != nil {
		return err.Error()
	}
	for _, w := range rest {
		name, long := strings.CutPrefix(w, "--")
		name, _, _ = strings.Cut(name, "=")
		switch {
		case long && name != "" && name != "help" && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil:
			return c.CommandPath() + " has no flag --" + name
		case c.HasSubCommands() && !strings.ContainsAny(w, "-|") && strings.ToLower(w) == w && !strings.Contains(c.Use, " "):
			return c.CommandPath() + " has no command " + w
		}
	}
	return ""
}

// TestPagesNameCommands: every `pos …` that a page names is a command that there is, with flags that it has. What blocks have people type is
// run by the tests that docs/commands.tsv names.
func TestPagesNameCommands(t *testing.T) {
	root := (&app{in: &bytes.Buffer{}, out: &bytes.Buffer{}, errOut: &bytes.Buffer{}, env: func(string) string { return "" }}).root()
	named := regexp.MustCompile("`(?:bin/)?(pos [^`\n]+)`")
	found := 0
	look := func(page string) {
		text, err := os.ReadFile(page) //nolint:gosec // a page of the repository
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			for line := range strings.SplitSeq(m[1], " && ") {
				if !strings.HasPrefix(line, "pos ") {
					continue
				}
				if lie := lies(root, line); lie != "" {
					t.Errorf("%s: `%s`: %s", page, m[1], lie)
				}
			}
		}
	}
	for _, page := range []string{"README.md", "SECURITY.md", "ARCHITECTURE.md"} {
		look(filepath.Join("..", "..", page))
	}
	for _, folder := range []string{"docs", "firmware-notes"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".md") {
				look(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 80 {
		t.Errorf("only %d commands were found: the search is broken", found)
	}
	for _, wrong := range []string{"pos sell 1.000", "pos sale 1.000 --gratuity 5", "pos queue sendd", "pos keys lode acquirer"} {
		if lies(root, wrong) == "" {
			t.Errorf("%q is taken", wrong)
		}
	}
	for _, right := range []string{"pos sale 10.525 --tip 1.000", "pos queue write-off ID --note TEXT", "pos status && pos queue", "pos report x", "pos --help"} {
		if lie := lies(root, right); lie != "" {
			t.Errorf("%q: %s", right, lie)
		}
	}
}
