package iso7816

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tillway/device"
)

// script is a card and its reader that say what a text says, and fail the test at the first thing they did not expect.
// Lines go in pairs: "> what the terminal sends" and "< what comes back". What comes back may also be "mute",
// "damaged" (a block with a wrong LRC), "removed" or "silent" (the reader's).
//
// In T=0 both are hexadecimal. In T=1 they are blocks as ISO/IEC 7816-3, annex A writes them: I(N(S),M) and its bytes,
// R(N(R)), R(N(R)) edc, R(N(R)) other, S(IFS request) FE and so on, without length and LRC.
type script struct {
	t     *testing.T
	lines []string
	t1    bool
	waits []byte
}

func newScript(t *testing.T, t1 bool, text string) *script {
	t.Helper()
	s := &script{t: t, t1: t1}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			s.lines = append(s.lines, line)
		}
	}
	t.Cleanup(func() {
		if len(s.lines) > 0 && !t.Failed() {
			t.Errorf("never came: %q", s.lines)
		}
	})
	return s
}

func (s *script) TransmitTPDU(_ context.Context, tpdu []byte, waits byte) ([]byte, error) {
	got := fmt.Sprintf("> %X", tpdu)
	if s.t1 {
		got = "> " + describe(s.t, tpdu)
	}
	if len(s.lines) < 2 || s.lines[0] != got {
		want := "the end"
		if len(s.lines) > 0 {
			want = s.lines[0]
		}
		s.lines = nil
		s.t.Fatalf("sent %q, want %q", got, want)
	}
	back := strings.TrimPrefix(s.lines[1], "< ")
	s.lines = s.lines[2:]
	s.waits = append(s.waits, waits)
	switch back {
	case "mute":
		return nil, device.ErrMute
	case "removed":
		return nil, device.ErrRemoved
	case "silent":
		return nil, device.ErrTimeout
	case "damaged":
		return []byte{0, 0, 2, 0x90, 0, 0x55}, nil
	case "nothing":
		return nil, nil
	}
	if s.t1 {
		return compose(s.t, back).Append(nil), nil
	}
	return unhex(s.t, back), nil
}

// names are the S-blocks of the scripts.
var names = map[byte]string{
	PCBResynchRequest: "S(RESYNCH request)", PCBResynchResponse: "S(RESYNCH response)",
	PCBIFSRequest: "S(IFS request)", PCBIFSResponse: "S(IFS response)",
	PCBAbortRequest: "S(ABORT request)", PCBAbortResponse: "S(ABORT response)",
	PCBWTXRequest: "S(WTX request)", PCBWTXResponse: "S(WTX response)",
}

// describe writes a block as scripts have it.
func describe(t *testing.T, wire []byte) string {
	b, err := ParseBlock(wire)
	if err != nil || b.NAD != 0 {
		t.Fatalf("sent %X: %v", wire, err)
	}
	name := names[b.PCB]
	if b.Kind() == Information {
		name = fmt.Sprintf("I(%d,%d)", b.NS(), b.PCB>>5&1)
	}
	if b.Kind() == Receipt {
		name = fmt.Sprintf("R(%d)", b.NR()) + []string{"", " edc", " other"}[b.Reports()]
	}
	return strings.TrimSpace(fmt.Sprintf("%s %X", name, b.INF))
}

// compose makes the block that a line describes.
func compose(t *testing.T, line string) Block {
	var n byte
	if _, err := fmt.Sscanf(line, "R(%d)", &n); err == nil {
		switch {
		case strings.HasSuffix(line, "edc"):
			return R(n, EDCError)
		case strings.HasSuffix(line, "other"):
			return R(n, OtherError)
		}
		return R(n, Acknowledged)
	}
	var more int
	if _, err := fmt.Sscanf(line, "I(%d,%d)", &n, &more); err == nil {
		return I(n, more == 1, unhex(t, line[6:]))
	}
	if pcb := 0; strings.HasPrefix(line, "PCB ") {
		if _, err := fmt.Sscanf(line, "PCB %X", &pcb); err == nil {
			return Block{PCB: byte(pcb)}
		}
	}
	if strings.HasPrefix(line, "NAD ") {
		return Block{NAD: 0x21, INF: []byte{0x90, 0}}
	}
	for pcb, name := range names {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return S(pcb, unhex(t, rest)...)
		}
	}
	t.Fatalf("what is %q?", line)
	return Block{}
}
