package manual

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Test writes a program's pages twice, holds the two to one another and to the program's commands, and leaves them in folder where one is
// named. The date of the pages is SOURCE_DATE_EPOCH's, or the first day of 1970.
func Test(t *testing.T, root func() *cobra.Command, section, folder string) {
	t.Helper()
	var seconds int64
	if given := os.Getenv("SOURCE_DATE_EPOCH"); given != "" {
		var err error
		if seconds, err = strconv.ParseInt(given, 10, 64); err != nil {
			t.Fatalf("SOURCE_DATE_EPOCH: %v", err)
		}
	}
	date := time.Unix(seconds, 0).UTC()
	once, again := t.TempDir(), t.TempDir()
	for _, dir := range []string{once, again} {
		if err := Write(root(), section, dir, date); err != nil {
			t.Fatal(err)
		}
	}
	same(t, once, again)
	each(root(), func(c *cobra.Command) {
		page := filepath.Join(once, "man"+section, strings.ReplaceAll(c.CommandPath(), " ", "-")+"."+section)
		text, err := os.ReadFile(page) //nolint:gosec // written above
		if err != nil {
			t.Error(err)
			return
		}
		for _, part := range []string{".SH NAME", ".SH SYNOPSIS"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s has no %s", page, part)
			}
		}
		if c.Short == "" {
			t.Errorf("%s has no word on what it does", c.CommandPath())
		}
	})
	if folder != "" {
		if err := os.CopyFS(folder, os.DirFS(once)); err != nil {
			t.Fatal(err)
		}
	}
}

// each is every command that people see.
func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			each(sub, do)
		}
	}
}

// same compares two folders.
func same(t *testing.T, a, b string) {
	t.Helper()
	for _, pattern := range []string{"man*/*", "bash/*", "zsh/*", "fish/*"} {
		found, err := filepath.Glob(filepath.Join(a, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("nothing was written for %s: %v", pattern, err)
		}
		for _, path := range found {
			rel := strings.TrimPrefix(path, a)
			first, err := os.ReadFile(path) //nolint:gosec // written by the caller
			if err != nil {
				t.Fatal(err)
			}
			second, err := os.ReadFile(b + rel) //nolint:gosec // the same
			if err != nil {
				t.Fatal(err)
			}
			if string(first) != string(second) {
				t.Errorf("%s comes out otherwise the second time", rel)
			}
		}
	}
}
