package devicetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLineReader runs the command of docs/developers.md: the driver that the page shows passes the suite.
func TestLineReader(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "developers.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```sh source\n")
	line, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed || !strings.HasPrefix(line, "go test ./device/devicetest/testdata/") {
		t.Fatalf("the page has no such command: %q", line)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line+" -v")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n    --- PASS: ") < 20 {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}
