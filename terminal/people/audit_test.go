package people_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
)

func entry(n int) people.Entry {
	return people.Entry{
		Time: noon.Add(time.Duration(n) * time.Second), Actor: "maryam", Event: people.EventLogIn, Person: "maryam", Result: people.Done,
		Note: fmt.Sprint("entry ", n),
	}
}

func logOf(n int) []people.Row {
	var rows []people.Row
	var last people.Row
	for i := range n {
		last = last.After(entry(i))
		rows = append(rows, last)
	}
	return rows
}

// findings checks a log with the head of the log as it was written.
func findings(rows []people.Row, head people.Row) string {
	var c people.Chain
	known := map[int64]people.Sum{}
	for _, r := range rows {
		c.Next(r, true)
		known[r.Seq] = r.Hash
	}
	c.End("the head", head.Seq, head.Hash, func(n int64) (people.Sum, bool) { s, ok := known[n]; return s, ok }, true)
	var all []string
	for _, f := range c.Found() {
		all = append(all, f.String())
	}
	return strings.Join(all, "; ")
}

// Every kind of meddling with a log of five rows, and what is said of it. A chain that is made anew from a row on is right
// in itself: only the head tells.
func TestChainFindsEveryChange(t *testing.T) {
	rehash := func(rows []people.Row, from int) {
		for i := from; i < len(rows); i++ {
			if i > 0 {
				rows[i].Previous = rows[i-1].Hash
			}
			rows[i].Hash = rows[i].Sum()
		}
	}
	for _, c := range []struct {
		name   string
		meddle func(r []people.Row) []people.Row
		want   string
	}{
		{"nothing", func(r []people.Row) []people.Row { return r }, ""},
		{"note changed", func(r []people.Row) []people.Row { r[2].Note += "x"; return r }, "audit row 3: changed"},
		{"actor changed", func(r []people.Row) []people.Row { r[2].Actor = "badr"; return r }, "audit row 3: changed"},
		{"time changed", func(r []people.Row) []people.Row { r[2].Time = r[2].Time.Add(1); return r }, "audit row 3: changed"},
		{"result changed", func(r []people.Row) []people.Row { r[2].Result = people.Denied; return r }, "audit row 3: changed"},
		{"fields shifted", func(r []people.Row) []people.Row {
			r[2].Actor, r[2].Event = "maryaml", "ogin"
			return r
		}, "audit row 3: changed"},
		{"hash changed", func(r []people.Row) []people.Row { r[2].Hash[31] ^= 1; return r }, "audit row 3: changed"},
		{"changed and hashed anew", func(r []people.Row) []people.Row {
			r[2].Note = "x"
			r[2].Hash = r[2].Sum()
			return r
		}, "audit row 4: does not follow"},
		{"deleted", func(r []people.Row) []people.Row { return slices.Delete(r, 2, 3) }, "audit row 3: missing"},
		{"two deleted", func(r []people.Row) []people.Row { return slices.Delete(r, 1, 3) }, "audit row 2 to 3: missing"},
		{"first deleted", func(r []people.Row) []people.Row { return r[1:] }, "audit row 1: missing"},
		{"last deleted", func(r []people.Row) []people.Row { return r[:4] }, "audit row 5 to 5: missing at the end: the head knows them"},
		{"all deleted", func(r []people.Row) []people.Row { return nil }, "audit row 1 to 5: missing at the end"},
		{"swapped", func(r []people.Row) []people.Row { r[1], r[2] = r[2], r[1]; return r }, "audit row 2: missing; audit row 2: out of order"},
		{"swapped and renumbered", func(r []people.Row) []people.Row {
			r[1], r[2] = r[2], r[1]
			r[1].Seq, r[2].Seq = 2, 3
			return r
		}, "audit row 2: changed"},
		{"deleted and renumbered", func(r []people.Row) []people.Row {
			r = slices.Delete(r, 2, 3)
			r[2].Seq, r[3].Seq = 3, 4
			return r
		}, "audit row 3: changed"},
		{"all made anew", func(r []people.Row) []people.Row { r[0].Note = "x"; rehash(r, 0); return r }, "audit row 5: is not the row that the head knows"},
		{"put in at the end", func(r []people.Row) []people.Row { return append(r, r[4].After(entry(9))) }, "audit row 6 to 6: put in: the head ends before"},
		{"twice", func(r []people.Row) []people.Row { return slices.Insert(r, 2, r[1]) }, "audit row 2: out of order"},
	} {
		rows := logOf(5)
		head := rows[4]
		got := findings(c.meddle(rows), head)
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestChainSaysForged(t *testing.T) {
	var c people.Chain
	for i, r := range logOf(3) {
		c.Next(r, i != 1)
	}
	if f := c.Found(); len(f) != 1 || f[0].Row != "2" || !strings.Contains(f[0].Problem, "forged") {
		t.Errorf("%v", f)
	}
}

// An older anchor is right as long as its row is there; a newer one never.
func TestOlderAnchor(t *testing.T) {
	rows := logOf(5)
	check := func(seq int64, hash people.Sum) int {
		var c people.Chain
		for _, r := range rows {
			c.Next(r, true)
		}
		c.End("the file", seq, hash, func(n int64) (people.Sum, bool) {
			if n < 1 || n > 5 {
				return people.Sum{}, false
			}
			return rows[n-1].Hash, true
		}, false)
		return len(c.Found())
	}
	for seq, row := range rows {
		if got := check(int64(seq+1), row.Hash); got != 0 {
			t.Errorf("anchor at row %d: %d findings", seq+1, got)
		}
	}
	if check(3, rows[3].Hash) == 0 || check(6, people.Sum{}) == 0 {
		t.Error("a wrong anchor is right")
	}
	if check(0, people.Sum{}) != 0 {
		t.Error("the anchor of an empty log is wrong")
	}
}

func TestEntriesRefused(t *testing.T) {
	good := entry(1)
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*people.Entry){
		"no actor":      func(e *people.Entry) { e.Actor = "" },
		"no event":      func(e *people.Entry) { e.Event = "" },
		"no result":     func(e *people.Entry) { e.Result = "" },
		"no time":       func(e *people.Entry) { e.Time = time.Time{} },
		"long note":     func(e *people.Entry) { e.Note = strings.Repeat("x", 401) },
		"long actor":    func(e *people.Entry) { e.Actor = strings.Repeat("x", 65) },
		"line feed":     func(e *people.Entry) { e.Note = "a\nb" },
		"card number":   func(e *people.Entry) { e.Note = "card 4761739001010119" },
		"twelve digits": func(e *people.Entry) { e.Note = "x 123456789012" },
	} {
		e := good
		change(&e)
		if err := e.Check(); !errors.Is(err, people.ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzNote: whatever comes from outside, a note is a note that an entry takes, without a card number.
func FuzzNote(f *testing.F) {
	f.Add("card 4761739001010119 \n\x00 Ω")
	f.Add(strings.Repeat("9", 900))
	f.Fuzz(func(t *testing.T, text string) {
		e := entry(1)
		e.Note = people.Note("%s", text)
		if err := e.Check(); err != nil {
			t.Fatalf("%q: %v", e.Note, err)
		}
	})
}

// FuzzHash: what is read as a stored hash is what was written, whole, and cheap enough to try.
func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=8192,t=1,p=1$AQIDAAAAAAAAAAAAAAAAAA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=65536,t=3,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		p := people.Person{V: 1, Name: "maryam", Role: people.Cashier, Hash: people.Hash(text)}
		if p.Check() != nil {
			return
		}
		if len(text) > 160 || !strings.HasPrefix(text, "$argon2id$v=19$m=") || strings.Count(text, "$") != 5 {
			t.Fatalf("%q is taken for a hash", text)
		}
	})
}

func BenchmarkLogIn(b *testing.B) {
	h, err := people.NewHash(secret("correct horse 7"), [16]byte{1}, people.Cost())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := h.Matches(secret("correct horse 7")); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
