package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/host/ledger"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
)

// ask sends one message over TLS and returns the answer.
func (r *running) ask(t *testing.T, m *iso8583.Message) *iso8583.Message {
	t.Helper()
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, r, &tls.Config{RootCAs: trust(t, r.ca), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := codec.Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 2)
	if _, err := io.ReadFull(c, size); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, int(size[0])<<8|int(size[1]))
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	a, err := codec.Unpack(answer)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// offline is the advice of a sale that was approved without asking: the simplest message that moves money.
func offline(stan int, amount int64) *iso8583.Message {
	m := iso8583.NewMessage("0220")
	m.TPDU = []byte{0x60, 0, 3, 0, 0}
	for n, v := range map[int]string{
		2: "4761739001010119", 3: "000000", 4: fmt.Sprintf("%012d", amount), 11: fmt.Sprintf("%06d", stan), 14: "2812", 22: "051", 24: "003", 25: "00",
		41: "TILL0001", 42: "KW0000000000001", 49: "414", 60: "000001",
	} {
		m.Set(n, v)
	}
	return m
}

// TestBooksOverRestart: what a terminal sent is in the trial balance, the batches, the entries and the statement, with the fee of
// the table, also after hostsim was ended and started again; and with --memory it is not.
func TestBooksOverRestart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tables.toml")
	if err := os.WriteFile(file, []byte("[[fee]]\nbrand = \"visa\"\nbasis_points = 150\nfixed = \"0.020\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, "--tables", file)
	for range 2 { // the second is its repeat
		a := r.ask(t, offline(1, 10_000))
		if code, _ := a.Get(39); code != "00" || a.MTI() != "0230" {
			t.Fatalf("%s with %s", a.MTI(), code)
		}
	}
	shows := func(r *running, wants map[string][]string) {
		t.Helper()
		for name, texts := range wants {
			code, out, errs := command(t, append(strings.Fields(name), "--http", r.web)...)
			for _, want := range texts {
				if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
					t.Errorf("%s: %d, %s%s\nwant %q", name, code, out, errs, want)
				}
			}
		}
	}
	shows(r, map[string][]string{
		"batches": {"TILL0001 000001 open 1 0 001000000010000000000000000000"},
		"entries": {"advice TILL0001/000001/000001 card:credit KWD -10.000", "issuer:settlement KWD 10.000"},
		"trial":   {"card:credit 10.000 1000.000 990.000", "issuer:settlement 0.000 10.000 10.000", "all 6010.000 6010.000 0.000"},
	})
	r.end(t)
	r = start(t, dir, "--tables", file)
	shows(r, map[string][]string{"settle": {"KW0000000000001 1 1 KWD 10.000 KWD 0.170 KWD 9.830 KWD 0.000", "KW0000000000001 2 0"}})
	shows(r, map[string][]string{
		"statement":              {"capture TILL0001/000001/000001 KWD 10.000 KWD 0.170 KWD 9.830"},
		"statement --format csv": {"capture,TILL0001/000001/000001,10.000,0.170,9.830,KWD", ",paid,,,,9.830,KWD"},
		"trial":                  {"merchant:KW0000000000001:account 0.000 9.830 9.830", "income:fees 0.000 0.170 0.170", "clearing 10.000 10.000 0.000"},
	})
	code, out, _ := command(t, "statement", "--format", "json", "--number", "1", "--http", r.web)
	var s ledger.Statement
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil || s.Paid != 9_830 || len(s.Lines) != 1 {
		t.Errorf("%d, %s (%v)", code, out, err)
	}
	for _, args := range [][]string{{"--number", "9"}, {"--merchant", "NOBODY"}, {"--format", "xml"}} {
		if code, _, errs := command(t, append([]string{"statement", "--http", r.web}, args...)...); code != 2 || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: %d, %q", args, code, errs)
		}
	}
	r.end(t)
	shows(start(t, dir, "--memory"), map[string][]string{"trial": {"all 6000.000 6000.000 0.000"}})
}

// TestBelowZero: an account that an offline approval took below zero is listed.
func TestBelowZero(t *testing.T) {
	r := start(t, t.TempDir())
	if code, _ := r.ask(t, offline(1, 1_000_500)).Get(39); code != "00" {
		t.Fatalf("code %s", code)
	}
	code, out, errs := command(t, "accounts", "--http", r.web)
	if code != 0 || !strings.Contains(out, "-0.500") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

// TestSettleGuarded: a page in a browser settles nothing.
func TestSettleGuarded(t *testing.T) {
	r := start(t, t.TempDir())
	for header, value := range map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.web+"/settle", nil)
		if err != nil {
			t.Fatal(err)
		}
		want := http.StatusOK
		if header != "" {
			req.Header.Set(header, value)
			want = http.StatusForbidden
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %q: %d, want %d", header, resp.StatusCode, want)
		}
	}
}

// TestTablesRefused: a table with a mistake is one clear line and no start.
func TestTablesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"[[fee]]\nbasis_points = 10001\n":                 "basis points",
		"[[fee]]\nfixed = \"0.0001\"\n":                   "fixed",
		"[[fee]]\nfrom = \"x\"\n":                         "from",
		"[[fee]]\nrate = 1\n":                             "not known",
		"[[fee]]\n[[fee]]\n":                              "twice",
		"[[limit]]\ncard = \"nobody\"\ncount = 1\n":       "no account",
		"[[limit]]\ncard = \"credit\"\ncount = -1\n":      "limit 1",
		"[[limit]]\ncard = \"credit\"\nsum = \"1,000\"\n": "limit 1",
		"fee = 1": "--tables",
	} {
		file := filepath.Join(t.TempDir(), "tables.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errs := command(t, "--state", t.TempDir(), "--tables", file)
		if code != 2 || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: %d, %q; want %q", text, code, errs, want)
		}
	}
	if code, _, errs := command(t, "--state", t.TempDir(), "--tables", "/nowhere/at.all"); code != 2 || strings.Count(errs, "\n") != 1 {
		t.Errorf("no file: %d, %q", code, errs)
	}
}
