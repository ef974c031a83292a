package profile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// MaxBytes bounds a profile's text, MaxApplications its list of applications. The others keep nesting shallow, for which
// the TOML reader takes time and memory that grow with the square of the depth.
const (
	MaxBytes        = 64 << 10
	MaxApplications = 64
	maxLineBytes    = 1024
	maxLineDots     = 16
	maxInlineTables = 64
)

// Error is what is wrong with a profile: one thing, where it stands, and what would be right.
type Error struct {
	Line    int    // from 1; 0 when the thing is not there at all
	Key     string // "terminal.type", "application[2].aid"
	Problem string
}

func (e *Error) Error() string {
	s := "profile"
	if e.Line > 0 {
		s += fmt.Sprintf(" line %d", e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Problem
}

// Parse reads and checks a profile. Every error is a *Error and names the first thing that is wrong.
func Parse(text []byte) (Profile, error) {
	if line, problem := Bounds(text); problem != "" {
		return Profile{}, &Error{Line: line, Problem: problem}
	}
	c := checker{where: locate(string(text))}
	var f file
	meta, err := toml.Decode(string(text), &f)
	if err != nil {
		return Profile{}, syntax(err)
	}
	known := append(keys(), tables()...)
	for _, key := range meta.Keys() { // the reader itself would take AID for aid
		if !slices.Contains(known, key.String()) {
			return Profile{}, &Error{Line: c.where.line(key.String()), Key: key.String(), Problem: "unknown key: " + hint(key)}
		}
	}
	p := c.profile(f)
	if c.err != nil {
		return Profile{}, c.err
	}
	return p, nil
}

// Bounds says what is too much in a TOML text, before the reader sees it, and in which line (0: in the whole). An empty
// problem: nothing is.
func Bounds(text []byte) (line int, problem string) {
	if len(text) > MaxBytes {
		return 0, fmt.Sprintf("%d bytes are more than the %d that are read", len(text), MaxBytes)
	}
	tables := 0
	for row := range bytes.Lines(text) {
		line++
		if len(row) > maxLineBytes {
			return line, fmt.Sprintf("has %d bytes: a line takes at most %d", len(row), maxLineBytes)
		}
		if bytes.HasPrefix(bytes.TrimSpace(row), []byte("#")) {
			continue
		}
		if n := bytes.Count(row, []byte(".")); n > maxLineDots {
			return line, fmt.Sprintf("has %d dots: a line takes at most %d", n, maxLineDots)
		}
		if tables += bytes.Count(row, []byte("{")); tables > maxInlineTables {
			return line, fmt.Sprintf("is behind more than %d inline tables", maxInlineTables)
		}
	}
	return 0, ""
}

// syntax turns the TOML reader's error into ours.
func syntax(err error) error {
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		what := parse.Message
		if what == "" {
			what = parse.Error()
		}
		return &Error{Line: parse.Position.Line, Key: parse.LastKey, Problem: what}
	}
	// A value where a table is meant, or the other way round: the reader gives line and key in its text only.
	problem := strings.TrimPrefix(err.Error(), "toml: ")
	var line int
	var key string
	if n, _ := fmt.Sscanf(problem, "line %d (last key %q)", &line, &key); n == 2 && slices.Contains(tables(), key) {
		problem = "is a table: write " + heading(key) + " on a line of its own, and its keys below"
		return &Error{Line: line, Key: key, Problem: problem}
	}
	return &Error{Problem: problem}
}

// lines knows where each key of the text stands. It reads the plain form of TOML (a table header or a key to a line);
// what is written otherwise has no line in the message, and the message is right without it.
type lines map[string]int

func locate(text string) lines {
	at := lines{}
	count := map[string]int{}
	table := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "[["); ok {
			name, _, _ = strings.Cut(name, "]")
			table = fmt.Sprintf("%s[%d].", strings.TrimSpace(name), count[name])
			count[name]++
			at[strings.TrimSuffix(table, ".")] = n
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			table = strings.TrimSpace(name) + "."
			at[strings.TrimSuffix(table, ".")] = n
			continue
		}
		key, _, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); ok && key != "" && !strings.HasPrefix(key, "#") && at[table+key] == 0 {
			at[table+key] = n
		}
	}
	return at
}

// line finds a key as the checker or the TOML reader names it; the reader leaves the [index] of a list out.
func (l lines) line(key string) int {
	if n := l[key]; n > 0 {
		return n
	}
	if n := l[key+"[0]"]; n > 0 {
		return n
	}
	table, last, ok := strings.Cut(key, ".")
	if !ok {
		return 0
	}
	if n := l[table]; n > 0 { // the key is not there: its table is
		return n
	}
	found := 0
	for k, n := range l {
		head, tail, cut := strings.Cut(k, "].")
		if cut && strings.HasPrefix(head, table+"[") && tail == last && (found == 0 || n < found) {
			found = n
		}
	}
	return found
}

// checker keeps the first thing that is wrong, and which of a shop's keys were left to their defaults.
type checker struct {
	where lines
	err   *Error
	left  []string
}

func (c *checker) refuse(key, problem string, args ...any) {
	if c.err == nil {
		c.err = &Error{Line: c.where.line(key), Key: key, Problem: fmt.Sprintf(problem, args...)}
	}
}

// or is v, or a developer's default where the key is left out: of a terminal that sells, a shop has to say it.
func (c *checker) or(key string, v, missing any) any {
	if v == nil {
		c.left = append(c.left, key)
		return missing
	}
	return v
}

func (c *checker) profile(f file) Profile {
	p := Profile{Name: c.text("name", c.or("name", f.Name, "unnamed"), 1, 32)}
	p.Currency = c.currency(c.or("currency", f.Currency, defaultCurrency))
	p.Country = c.country(c.or("country", f.Country, int64(defaultCountry)))
	p.Zone = c.zone(c.or("time_zone", f.TimeZone, "UTC"))
	p.Merchant = c.merchant(f.Merchant)
	p.Receipt = c.receipt(f.Receipt)
	p.Terminal = c.terminal(f.Terminal)
	p.Transactions = c.transactions(f.Transaction, p.Currency)
	p.Offline = c.offline(f.Offline, p.Currency, p.Terminal.Type)
	p.Deadlines = c.deadlines(f.Deadlines)
	p.Settlement = c.settlement(f.Settlement)
	p.Roles = c.roles(f.Roles)
	p.Applications = c.applications(f.Application, p.Currency, p.Terminal.Capabilities)
	p.EarlierSales = c.earlierSales(f.EarlierSale, p.Currency)
	p.Exceptions = c.exceptions(f.Exception)
	p.Selection = c.selection(f.Selection)
	p.ForceOnline = c.flag("force_online", f.Force, false)
	p.left = c.left
	return p
}

func (c *checker) deadlines(d deadlines) Deadlines {
	out := Deadlines{Card: time.Minute, Answer: 25 * time.Second, PIN: time.Minute, Signature: 5 * time.Minute}
	for _, row := range []struct {
		key              string
		value            any
		to               *time.Duration
		minimum, maximum time.Duration
	}{
		{"deadlines.card", d.Card, &out.Card, 5 * time.Second, 10 * time.Minute},
		{"deadlines.answer", d.Answer, &out.Answer, time.Second, 2 * time.Minute},
		{"deadlines.pin", d.PIN, &out.PIN, 5 * time.Second, 5 * time.Minute},
		{"deadlines.signature", d.Sign, &out.Signature, 30 * time.Second, time.Hour},
	} {
		if row.value != nil {
			*row.to = c.duration(row.key, row.value, row.minimum, row.maximum)
		}
	}
	return out
}

func (c *checker) zone(v any) *time.Location {
	name := c.need("time_zone", v)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		c.refuse("time_zone", "%q is no time zone: write its name, like Asia/Kuwait", name)
	}
	return zone
}

func (c *checker) merchant(f merchant) Merchant {
	m := Merchant{
		Name:     c.text("merchant.name", c.or("merchant.name", f.Name, "TILLWAY TEST SHOP"), 1, 40),
		Location: c.list("merchant.location", c.or("merchant.location", f.Location, []any{"1 Test Street"})),
		Category: c.number("merchant.category", c.or("merchant.category", f.Category, int64(5999)), 1, 9999),
		Acquirer: c.str("merchant.acquirer_id", f.Acquirer),
	}
	if n := len(m.Location); n == 0 || n > 4 {
		c.refuse("merchant.location", "has %d lines: it takes one to four, enough to tell this branch from another", n)
	}
	for _, line := range m.Location {
		c.text("merchant.location", line, 1, 40)
	}
	m.NameArabic, m.LocationArabic = c.arabic(f, len(m.Location))
	if len(m.Acquirer) > 11 || strings.Trim(m.Acquirer, "0123456789") != "" {
		c.refuse("merchant.acquirer_id", "%q is not up to 11 digits", m.Acquirer)
	}
	return m
}
