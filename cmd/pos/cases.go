package main

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/till"
)

// maxCases is how many cases one bundle has.
const maxCases = 500

// testCase is one case of a bundle: a sale under the test plan's name for it, and its files by name.
type testCase struct {
	Name string
	bundled

	Rows     []terminal.JournalRow
	Card     []cardLine
	Files    map[string][]byte
	Pictures map[string]string // a receipt's picture, by copy
}

// cardLine is one exchange as a page shows it: of a real card masked.
type cardLine struct {
	Words, Command, Answer string
}

// readCase splits NAME=NUMBER; a number alone is its own name. file is the name as a folder may be called.
func readCase(text string) (name, id, file string, err error) {
	name, id, named := strings.Cut(text, "=")
	if !named {
		name, id = text, text
	}
	if _, err := terminal.ParseSaleID(id); err != nil {
		return "", "", "", usage("%w", err)
	}
	file = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, name)
	if name == "" || len(name) > 60 || strings.Trim(file, ".") == "" {
		return "", "", "", usage("case %q: a name of at most 60 characters and a sale's number, like 17.1=1042", text)
	}
	return name, id, "case-" + file, nil
}

// writeCases writes the cases' files: all of them, or none.
func (a *app) writeCases(c *cobra.Command, argv []string, out string) error {
	if len(argv) > maxCases {
		return usage("%d cases: at most %d go into one bundle", len(argv), maxCases)
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return usage("%s is there already: name another folder or file", out)
	}
	files := map[string][]byte{}
	var cases []testCase
	for _, text := range argv {
		name, id, folder, err := readCase(text)
		if err != nil {
			return err
		}
		if _, twice := files[folder+"/case.json"]; twice {
			return usage("case %s is there twice", name)
		}
		one, err := a.gatherCase(c, name, id)
		if err != nil {
			return fmt.Errorf("case %s: %w", name, err)
		}
		for file, text := range one.Files {
			files[folder+"/"+file] = text
		}
		for copied, file := range one.Pictures {
			one.Pictures[copied] = folder + "/" + file
		}
		cases = append(cases, one)
	}
	var page bytes.Buffer
	if err := casesPage.Execute(&page, struct {
		Made  time.Time
		By    string
		Cases []testCase
	}{time.Now(), "pos " + programVersion(), cases}); err != nil {
		return fmt.Errorf("index page: %w", err)
	}
	files["index.html"] = page.Bytes()
	write := writeFolder
	if strings.HasSuffix(out, ".zip") {
		write = writeZip
	}
	if err := write(out, files); err != nil {
		return usage("%w", err)
	}
	if a.json {
		return a.printJSON(map[string]any{"out": out, "cases": len(cases), "files": slices.Sorted(maps.Keys(files))})
	}
	a.printf("%s: %d cases, %d files; begin with index.html\n", out, len(cases), len(files))
	for _, one := range cases {
		for _, m := range one.Missing {
			a.printf("%s: %s\n", one.Name, oneLine(m))
		}
	}
	return nil
}

// gatherCase asks for everything about one sale, and makes its files.
func (a *app) gatherCase(c *cobra.Command, name, id string) (testCase, error) {
	got, err := a.gather(c, id)
	one := testCase{Name: name, bundled: got, Files: map[string][]byte{}, Pictures: map[string]string{}}
	if err != nil {
		return one, err
	}
	cl := a.client()
	defer cl.close()
	for _, s := range got.Why.Steps { // each row by its number: a journal of a busy day has thousands in between
		var rows till.Rows
		if err := cl.get(c.Context(), fmt.Sprintf("/v1/journal?after=%d&limit=1", s.Seq-1), &rows); err != nil {
			return one, err
		}
		for _, r := range rows.Rows {
			if r.Sale == got.Sale.ID {
				one.Rows = append(one.Rows, r)
			}
		}
	}
	one.Card = cardLines(got.Transcript)
	for _, of := range []receipt.Copy{receipt.Customer, receipt.Merchant} {
		if text, ok := got.Receipts[string(of)]; ok {
			one.Files["receipt-"+string(of)+".txt"] = []byte(text)
		}
		q := url.Values{"copy": {string(of)}, "format": {"png"}, "lang": {"en"}, "original": {"true"}}
		if picture, err := cl.raw(c.Context(), requestLimit, "GET", "/v1/sales/"+id+"/receipt?"+q.Encode(), nil); err == nil {
			one.Pictures[string(of)] = "receipt-" + string(of) + ".png"
			one.Files[one.Pictures[string(of)]] = picture
		}
	}
	return one, one.texts(a)
}

// texts makes the files that are text.
func (one *testCase) texts(a *app) error {
	for file, v := range map[string]any{"case.json": one.bundled, "journal.json": one.Rows, "messages.json": one.Messages} {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		one.Files[file] = append(text, '\n')
	}
	if len(one.Transcript) > 0 {
		one.Files["transcript.json"] = one.Transcript
	}
	var messages, card, why bytes.Buffer
	for _, m := range one.Messages {
		fmt.Fprintf(&messages, "%s  from %s, %d bytes\nMTI   %s\n", m.Time.Format("2006-01-02 15:04:05.000"), m.From, m.Bytes, m.MTI)
		for _, f := range fieldsOf(m) {
			fmt.Fprintf(&messages, "%3s   %-40s %s\n", f.Number, f.Name, f.Value)
		}
		if m.Note != "" {
			fmt.Fprintf(&messages, "%s\n", m.Note)
		}
		messages.WriteByte('\n')
	}
	for _, l := range one.Card {
		fmt.Fprintf(&card, "%s\n> %s\n< %s\n", l.Words, l.Command, l.Answer)
	}
	told := *a
	told.out = &why
	told.printWhy(one.Why)
	one.Files["messages.txt"], one.Files["card.txt"], one.Files["why.txt"] = messages.Bytes(), card.Bytes(), why.Bytes()
	return nil
}

// WhyText is the case's story, as pos why prints it.
func (one testCase) WhyText() string { return string(one.Files["why.txt"]) }

// shownField is one field of a message.
type shownField struct{ Number, Name, Value string }

// fieldsOf are a message's fields in their order.
func fieldsOf(m till.Message) (all []shownField) {
	for number, value := range m.Fields {
		all = append(all, shownField{number, m.Names[number], value})
	}
	slices.SortFunc(all, func(x, y shownField) int {
		a, _ := strconv.Atoi(x.Number) // those that are no numbers stand first
		b, _ := strconv.Atoi(y.Number)
		return a - b
	})
	return all
}

// cardLines reads a transcript's exchanges, masked or not.
func cardLines(transcript []byte) (all []cardLine) {
	var t struct {
		Exchanges []struct{ C, R string }
	}
	if json.Unmarshal(transcript, &t) != nil {
		return nil
	}
	for _, e := range t.Exchanges {
		clear, _, _ := strings.Cut(e.C, "*")
		command, err := hex.DecodeString(clear[:len(clear)/2*2])
		if err != nil {
			command = nil
		}
		status, err := hex.DecodeString(e.R[max(0, len(e.R)-4):])
		words := commandText(command)
		if err == nil && len(status) == 2 {
			words += ": " + statusText(status[0], status[1])
		}
		all = append(all, cardLine{words, e.C, e.R})
	}
	return all
}

// writeFolder makes a folder with the files; what cannot be written whole is taken away again.
func writeFolder(out string, files map[string][]byte) (err error) {
	if err := os.Mkdir(out, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(out)
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeZip makes a zip of the files.
func writeZip(out string, files map[string][]byte) (err error) {
	f, err := os.OpenFile(filepath.Clean(out), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out)
		}
	}()
	packed := zip.NewWriter(f)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := packed.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(packed.Close(), f.Close())
}
