package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
)

// replayOf is what card run --json says of a repeated session.
type replayOf struct {
	printed
	Replay *struct {
		Same        bool
		Differences []string
	} `json:"replay"`
}

func runJSON(t *testing.T, args ...string) (replayOf, result) {
	t.Helper()
	got := pos(t, append([]string{"card", "run", "--json"}, args...)...)
	var r replayOf
	if got.out != "" {
		if err := json.Unmarshal([]byte(got.out), &r); err != nil {
			t.Fatalf("%v: %q %s", err, got.out, got.errOut)
		}
	}
	return r, got
}

// Cards of every kind are recorded and repeated from the file, without a flag: clock, random numbers, keys, PIN and the
// issuer's answer are in it. Every fifth of the ready cards, and those at which the most is drawn and asked.
func TestCardsAreRecordedAndRepeated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.json")
	seen := map[string]int{}
	for i, name := range emulator.ReadyNames() {
		if i%5 != 0 && !slices.Contains([]string{"credit", "pin-plain", "pin-enciphered", "pin-wedge", "oda-dda", "oda-cda", "mute-at-ac", "sel-two", "script"}, name) {
			continue
		}
		more := [][]string{{"--online", "approve", "--pin", "1234"}, {"--online", "unable"}, nil}[i%3]
		if strings.HasPrefix(name, "pin-") {
			more = []string{"--online", "approve", "--pin", "1234"}
		}
		first, got := runJSON(t, append([]string{name, "--profile", "generic", "--record", file}, more...)...)
		if got.code == exitUsage {
			t.Errorf("%s %v: %s", name, more, got.errOut)
			continue
		}
		again, now := runJSON(t, file, "--replay", "strict")
		if now.code != got.code || again.Replay == nil || !again.Replay.Same {
			t.Errorf("%s %v: exit %d, and again %d: %s %+v", name, more, got.code, now.code, now.errOut, again.Replay)
			continue
		}
		if again.Outcome != first.Outcome || !reflect.DeepEqual(again.Tags, first.Tags) || fmt.Sprint(again.Exchanges) != fmt.Sprint(first.Exchanges) || again.ODA != first.ODA {
			t.Errorf("%s %v: it was\n%+v\nand is\n%+v", name, more, first, again)
		}
		seen[first.Outcome]++
		seen["oda "+first.ODA.Method]++
		for _, x := range first.Exchanges {
			seen[x["c"][:min(8, len(x["c"]))]]++
		}
	}
	for _, want := range []string{"approved", "declined", "terminated", "oda dda", "oda cda", "00200080", "00200088", "00840000", "00880000"} {
		if seen[want] == 0 {
			t.Errorf("no session has %s: %v", want, seen)
		}
	}
}

// What the command line says overrules the file; a file that says another end than the kernel comes to is told of.
func TestReplayFlagsOverrule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.json")
	runJSON(t, "credit", "--online", "approve", "--record", file)
	for _, row := range []struct {
		args    []string
		code    int
		outcome string
		says    string
	}{
		{nil, 0, "approved", ""},
		{[]string{"--online", "decline"}, 2, "", "leaves the recording"}, // the second cryptogram is another
		{[]string{"--set", "9F02=000000000001"}, 2, "", "leaves the recording"},
		{[]string{"--un", "00000000"}, 2, "", "leaves the recording"},
		{[]string{"--profile", "generic"}, 2, "", "exchanges left over"}, // its currency is another, and it declines
		{[]string{"--replay", "lenient", "--online", "approve"}, 0, "approved", ""},
		{[]string{"--replay", "lenient"}, 0, "online", ""},
	} {
		r, got := runJSON(t, append([]string{file}, row.args...)...)
		if got.code != row.code || row.outcome != "" && r.Outcome != row.outcome || !strings.Contains(got.errOut, row.says) {
			t.Errorf("%v: exit %d, %s: %s", row.args, got.code, r.Outcome, got.errOut)
		}
		if (r.Replay != nil) != (row.args == nil) {
			t.Errorf("%v: compared with the session: %+v", row.args, r.Replay)
		}
	}
	change := func(f func(*transcript.Session)) string {
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close() }()
		tr, err := transcript.Read(in)
		if err != nil {
			t.Fatal(err)
		}
		f(tr.Session)
		path := filepath.Join(t.TempDir(), "changed.json")
		if err := writeRecord(path, tr); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r, got := runJSON(t, change(func(s *transcript.Session) { s.Outcome.Tags["95"], s.Outcome.Decision = "0000000001", emv.Declined }))
	if got.code != exitUsage || r.Replay == nil || r.Replay.Same || len(r.Replay.Differences) != 2 || !strings.Contains(got.errOut, "ends otherwise") {
		t.Errorf("exit %d: %+v %s", got.code, r.Replay, got.errOut)
	}
	if got := pos(t, "card", "run", change(func(s *transcript.Session) { s.Outcome.Reason = "\x1b[2J" })); got.code != exitUsage || strings.Contains(got.out, "\x1b") || !strings.Contains(got.out, "the reason was") {
		t.Errorf("exit %d: %q", got.code, got.out)
	}
	if _, got := runJSON(t, change(func(s *transcript.Session) { s.Card = transcript.RealCard })); got.code != exitUsage || !strings.Contains(got.errOut, "masked, since it is of a real card") {
		t.Errorf("exit %d: %s", got.code, got.errOut)
	}
	if _, got := runJSON(t, change(func(s *transcript.Session) { s.Random = nil })); got.code != 1 && got.code != 2 {
		t.Errorf("without random numbers: exit %d", got.code)
	}
	if _, got := runJSON(t, "credit", "--record", filepath.Join(t.TempDir(), "none", "x")); got.code != exitUsage || !strings.Contains(got.errOut, "--record") {
		t.Errorf("exit %d: %s", got.code, got.errOut)
	}
}
