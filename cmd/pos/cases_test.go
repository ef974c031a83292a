package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"tillway/terminal"
	"tillway/till"
)

// What a bundle of cases is asked for wrongly is refused before anything is written, and what cannot be had leaves nothing behind.
func TestCasesRefused(t *testing.T) {
	folder := t.TempDir()
	there := filepath.Join(folder, "there")
	if err := os.Mkdir(there, 0o700); err != nil {
		t.Fatal(err)
	}
	for says, line := range map[string][]string{
		"is there already":     {"1042", "--out", there},
		"is there twice":       {"a=1042", "a=1042", "--out", filepath.Join(folder, "twice")},
		"case a b is there":    {"a-b=1042", "a b=1042", "--out", filepath.Join(folder, "same folder")},
		"no such sale":         {"x=7", "--out", filepath.Join(folder, "none.zip")},
		"no sale number":       {"x=y", "--out", filepath.Join(folder, "number")},
		"at most 60":           {"..=1042", "--out", filepath.Join(folder, "dots")},
		"takes --out":          {"1042", "1042"},
		"no such file or dire": {"1042", "--out", filepath.Join(folder, "no", "folder")},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{}
			defer w.serve(t, newStage(t, saleOf(t, terminal.Approved)))()
			if got := posRun(t, w, nil, append([]string{"bundle"}, line...)...); got.code != 2 || !strings.Contains(got.errOut, says) {
				t.Errorf("%v: %d %s", line, got.code, got.errOut)
			}
		})
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// What a host or a card wrote stands in a page as text.
func TestCasesPageIsText(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, s := &wire{}, newStage(t, saleOf(t, terminal.Approved))
		s.sale.Label, s.sale.HostText = `<script>alert(1)</script>`, `"><img src=x>`
		defer w.serve(t, s)()
		if got := posRun(t, w, nil, "bundle", "<b>=1042", "--out", filepath.Join(folder, "out")); got.code != 0 {
			t.Fatalf("%d %s", got.code, got.errOut)
		}
	})
	page, err := os.ReadFile(filepath.Join(folder, "out", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"<script", "<img src=x", "<b>", `src="http`, `href="http`} {
		if strings.Contains(string(page), raw) {
			t.Errorf("%s stands in the page", raw)
		}
	}
	if !strings.Contains(string(page), "&lt;script&gt;") || !strings.Contains(string(page), `id="case--b-"`) {
		t.Errorf("%s", page)
	}
}

// A masked card log keeps its headers and statuses, and what is none at all ends no bundle.
func TestCardLines(t *testing.T) {
	got := cardLines([]byte(`{"exchanges":[{"c":"00A4040007A0000000031010","r":"6F****9000"},{"c":"80AE80000A**********","r":"6985"},{"c":"","r":""},{"c":"zz","r":"9"}]}`))
	if len(got) != 4 || !strings.Contains(got[0].Words, "SELECT") || !strings.Contains(got[0].Words, "9000") || !strings.Contains(got[1].Words, "GENERATE AC") || !strings.Contains(got[1].Words, "6985") {
		t.Errorf("%+v", got)
	}
	if cardLines([]byte("no transcript")) != nil || cardLines(nil) != nil {
		t.Error("lines of nothing")
	}
}

// FuzzCardLines: whatever a daemon of another release sends for a transcript, it is shown as it came, or not at all.
func FuzzCardLines(f *testing.F) {
	f.Add(`{"exchanges":[{"c":"00A4040007A0000000031010","r":"6F****9000"}]}`)
	f.Add(`{"exchanges":[{"c":"8","r":""}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range cardLines([]byte(text)) {
			if l.Words == "" {
				t.Fatalf("an exchange without words: %q", text)
			}
		}
	})
}

// The fields of a message stand in their order, whatever their numbers.
func TestFieldsInOrder(t *testing.T) {
	var order []string
	for _, f := range fieldsOf(till.Message{Fields: map[string]string{"39": "00", "4": "1", "11": "2", "128": "3"}, Names: map[string]string{"4": "Amount"}}) {
		order = append(order, f.Number+f.Name)
	}
	if strings.Join(order, " ") != "4Amount 11 39 128" {
		t.Error(order)
	}
}
