package profile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"tillway/money"
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

// file is the TOML as it is written. Values are of any type here: the checker knows which key of which row is wrong, and
// the TOML reader does not.
type file struct {
	Name     any `toml:"name"`
	Currency any `toml:"currency"`
	Country  any `toml:"country"`
	TimeZone any `toml:"time_zone"`

	Merchant struct {
		Name     any `toml:"name"`
		Location any `toml:"location"`
		Category any `toml:"category"`
		Acquirer any `toml:"acquirer_id"`
	} `toml:"merchant"`

	Terminal struct {
		ID         any `toml:"id"`
		MerchantID any `toml:"merchant_id"`
		Type       any `toml:"type"`
		More       any `toml:"additional_capabilities"`
		IFDSerial  any `toml:"ifd_serial"`
		CVM        any `toml:"cardholder_verification"`
		PINBypass  any `toml:"pin_bypass"`
	} `toml:"terminal"`

	Deadlines struct {
		Card   any `toml:"card"`
		Answer any `toml:"answer"`
		PIN    any `toml:"pin"`
	} `toml:"deadlines"`

	Roles roles `toml:"roles"`

	Application []application `toml:"application"`
}

type application struct {
	AID         any     `toml:"aid"`
	Scheme      any     `toml:"scheme"`
	Enabled     any     `toml:"enabled"`
	Placeholder any     `toml:"placeholder"`
	Partial     any     `toml:"partial_selection"`
	CVM         any     `toml:"cardholder_verification"`
	PINRequired any     `toml:"pin_required"`
	Version     any     `toml:"version"`
	TACDenial   any     `toml:"tac_denial"`
	TACOnline   any     `toml:"tac_online"`
	TACDefault  any     `toml:"tac_default"`
	FloorLimit  any     `toml:"floor_limit"`
	DDOL        any     `toml:"default_ddol"`
	TDOL        any     `toml:"default_tdol"`
	Random      *random `toml:"random_selection"`
}

type random struct {
	Threshold any `toml:"threshold"`
	Target    any `toml:"target_percent"`
	Maximum   any `toml:"maximum_percent"`
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
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		key := unknown[0].String()
		return Profile{}, &Error{Line: c.where.line(key), Key: key, Problem: "unknown key: is it misspelt, or in the wrong table?"}
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
	return &Error{Problem: err.Error()}
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

// checker keeps the first thing that is wrong.
type checker struct {
	where lines
	err   *Error
}

func (c *checker) refuse(key, problem string, args ...any) {
	if c.err == nil {
		c.err = &Error{Line: c.where.line(key), Key: key, Problem: fmt.Sprintf(problem, args...)}
	}
}

func (c *checker) profile(f file) Profile {
	p := Profile{Name: c.text("name", f.Name, 1, 32)}
	code := c.need("currency", f.Currency)
	cur, err := money.ByCode(code)
	if err != nil {
		c.refuse("currency", "%q is no currency this release knows: write its ISO 4217 code, like KWD", code)
	}
	p.Currency = cur
	p.Country = c.number("country", f.Country, 1, 999)
	p.Zone = c.zone(f.TimeZone)
	p.Merchant = c.merchant(f)
	p.Terminal = c.terminal(f)
	p.Methods = c.methods("terminal.cardholder_verification", f.Terminal.CVM)
	p.PINBypass = c.flag("terminal.pin_bypass", f.Terminal.PINBypass, false)
	p.Deadlines = Deadlines{
		Card:   c.duration("deadlines.card", f.Deadlines.Card, 5*time.Second, 10*time.Minute),
		Answer: c.duration("deadlines.answer", f.Deadlines.Answer, time.Second, 2*time.Minute),
		PIN:    time.Minute,
	}
	if f.Deadlines.PIN != nil {
		p.Deadlines.PIN = c.duration("deadlines.pin", f.Deadlines.PIN, 5*time.Second, 5*time.Minute)
	}
	p.Roles = c.roles(f.Roles)
	p.Applications = c.applications(f.Application, p.Currency, p.Methods)
	return p
}

func (c *checker) zone(v any) *time.Location {
	name := c.need("time_zone", v)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		c.refuse("time_zone", "%q is no time zone: write its name, like Asia/Kuwait", name)
	}
	return zone
}

func (c *checker) merchant(f file) Merchant {
	m := Merchant{
		Name:     c.text("merchant.name", f.Merchant.Name, 1, 40),
		Location: c.list("merchant.location", f.Merchant.Location),
		Category: c.number("merchant.category", f.Merchant.Category, 1, 9999),
		Acquirer: c.str("merchant.acquirer_id", f.Merchant.Acquirer),
	}
	if n := len(m.Location); n == 0 || n > 4 {
		c.refuse("merchant.location", "has %d lines: it takes one to four, enough to tell this branch from another", n)
	}
	for _, line := range m.Location {
		c.text("merchant.location", line, 1, 40)
	}
	if len(m.Acquirer) > 11 || strings.Trim(m.Acquirer, "0123456789") != "" {
		c.refuse("merchant.acquirer_id", "%q is not up to 11 digits", m.Acquirer)
	}
	return m
}
