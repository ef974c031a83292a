package main

import (
	"bytes"
	"strings"
	"testing"
)

// A file of an example says in its first lines where it comes from: those are no hex, and no mistake.
func TestDecodeLeavesCommentsOut(t *testing.T) {
	var out, errOut bytes.Buffer
	in := strings.NewReader("# a currency\n# tag 5F2A\n5F2A\n020414\n")
	code := run(t.Context(), app{in: in, out: &out, errOut: &errOut, env: func(string) string { return "" }}, []string{"decode", "tlv", "-"})
	if code != 0 || !strings.Contains(out.String(), "Transaction Currency Code [n, 2] 0414") {
		t.Errorf("exit %d: %s%s", code, out.String(), errOut.String())
	}
}
