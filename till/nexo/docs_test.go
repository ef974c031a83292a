package nexo

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"tillway/terminal/people"
)

var update = flag.Bool("update", false, "write the answers of docs/nexo.md anew")

const page = "../../docs/nexo.md"

// TestPage plays the messages of docs/nexo.md in their order, and holds what the page says is answered to what is.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.ends = approve
	w.register(func() { w.may = append(w.may, people.Settle) })
	blocks := regexp.MustCompile("(?s)```json (request|answer)\n(.*?)```")
	var last []byte
	asked, answered := 0, 0
	out := blocks.ReplaceAllStringFunc(string(text), func(block string) string {
		m := blocks.FindStringSubmatch(block)
		if m[1] == "request" {
			asked++
			r := w.send(m[2])
			if r.Code != 200 {
				t.Errorf("%s: %d %s", m[2], r.Code, r.Body)
			}
			last = r.Body.Bytes()
			return block
		}
		answered++
		if *update {
			return "```json answer\n" + shown(t, last) + "```"
		}
		if got, want := value(t, last), value(t, []byte(m[2])); !matches(got, want) {
			t.Errorf("the page says\n%s\nand the answer is\n%s", m[2], last)
		}
		return block
	})
	if asked < 8 || answered < 7 || strings.Count(string(text), "```json") != asked+answered {
		t.Errorf("%d requests, %d answers", asked, answered)
	}
	if *update {
		if err := os.WriteFile(page, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range outcomeRows() {
		if row.condition != "" && !strings.Contains(string(text), "| `"+row.condition+"` |") {
			t.Errorf("the page does not explain %s", row.condition)
		}
	}
	for _, row := range errorRows() {
		if !strings.Contains(string(text), "| `"+row.condition+"` |") {
			t.Errorf("the page does not explain %s", row.condition)
		}
	}
	for _, row := range kindRows() {
		if !strings.Contains(string(text), "`"+row.payment+"`") {
			t.Errorf("the page does not name %s", row.payment)
		}
	}
}

func value(t *testing.T, text []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// matches compares an answer with what the page shows of it: "…" is anything.
func matches(got, want any) bool {
	switch want := want.(type) {
	case string:
		return want == "…" || got == want
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for k := range want {
			if v, there := g[k]; !there || !matches(v, want[k]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !matches(g[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

// shown is an answer as the page has it: the lines of receipts left out.
func shown(t *testing.T, text []byte) string {
	t.Helper()
	text = regexp.MustCompile(`"OutputText":\[.*?\]`).ReplaceAll(text, []byte(`"OutputText":"…"`))
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(text), "", " "); err != nil {
		t.Fatal(err)
	}
	// objects without objects in them stand on one line
	flat := regexp.MustCompile(`\{\s+("[^{}]*?)\s+\}`)
	out := flat.ReplaceAllStringFunc(indented.String(), func(s string) string {
		return "{" + strings.Join(strings.Fields(strings.Trim(s, "{} \n")), " ") + "}"
	})
	return fmt.Sprintln(out)
}
