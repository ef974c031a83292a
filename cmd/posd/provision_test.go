package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/provision"
	"tillway/till"
)

var officeKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// packageOf is a package of the Kuwait template that a machine without reader and host starts with.
func packageOf(t *testing.T, version uint32, change ...func(map[string][]byte)) *provision.Package {
	t.Helper()
	parts, err := provision.Template("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	delete(parts, provision.ManifestFile)
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	parts[provision.AcquirerCA] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	parts[provision.Config] = append(bytes.Replace(parts[provision.Config], []byte(`driver = "usb"`), []byte(`port = "no-reader"`), 1), "\n[screen]\nlisten = \"\"\n"...)
	for _, c := range change {
		c(parts)
	}
	p, err := provision.Encode(provision.Manifest{
		Terminal: "TILL0001", Merchant: "KW0000000000001", Version: version,
		Trust: []provision.Signer{{Name: "office", Key: provision.Key(officeKey[ed25519.SeedSize:]), Expires: "2099-12-31"}},
	}, parts, officeKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// in is a change of a part's text.
func in(part, from, to string) func(map[string][]byte) {
	return func(m map[string][]byte) { m[part] = bytes.Replace(m[part], []byte(from), []byte(to), 1) }
}

const ownMachine = "development = true\n[keys]\nseparate = false\n[log]\nlevel = \"error\"\n"

// ownConfig is the config of a machine that names no terminal.
func ownConfig(t *testing.T, more string) source {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "posd.toml"), ownMachine+more)
	return source{path: filepath.Join(dir, "posd.toml")}
}

// What the machine says of itself wins over the package, but for the acquirer; and what both say of the terminal is refused.
func TestPackageBeneathConfig(t *testing.T) {
	p := packageOf(t, 1)
	c, err := ownConfig(t, "").load(p)
	if err != nil || filepath.Base(c.Reader.Port) != "no-reader" || c.Acquirer.Address != "127.0.0.1:8583" || !c.packaged || !c.Development {
		t.Errorf("%v: %+v", err, c)
	}
	c, err = ownConfig(t, "[reader]\nport = \"mine\"\n[acquirer]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n").load(p)
	if err != nil || filepath.Base(c.Reader.Port) != "mine" || filepath.Base(c.Acquirer.Key) != "own.key" {
		t.Errorf("%v: %+v", err, c.Reader)
	}
	for _, more := range []string{"[acquirer]\naddress = \"127.0.0.1:1\"\n", "[acquirer.nac]\nnii = \"004\"\n"} {
		if _, err := ownConfig(t, more).load(p); err == nil || !strings.Contains(err.Error(), "so does the parameter package") {
			t.Errorf("%q: %v", more, err)
		}
	}
	dir := t.TempDir()
	c, err = source{state: dir, development: true}.load(nil)
	if err != nil || c.State != dir || c.Socket != filepath.Join(dir, "posd.sock") || c.Keys.Socket != filepath.Join(dir, "keys.sock") || c.Keys.Witness != dir+".witness" {
		t.Errorf("%v: %+v", err, c)
	}
	if c, err := (source{state: dir}).load(p); err != nil || c.Development {
		t.Errorf("a package switched development on: %v", err)
	}
}

// What this release on this machine cannot run with is refused before it is in force, in one sentence.
func TestUnfitPackages(t *testing.T) {
	for says, change := range map[string]func(map[string][]byte){
		"unknown key acquirer.adress": in(provision.Config, "[acquirer]", "[acquirer]\nadress = \"x\""),
		"acquirer.dialect":            in(provision.Config, "[acquirer]", "[acquirer]\ndialect = \"morse\""),
		"TPDU":                        in(provision.Config, `"6000030000"`, `"60"`),
		"reader.driver":               in(provision.Config, "port = \"no-reader\"", "driver = \"abacus\""),
		"screen.listen":               in(provision.Config, `listen = ""`, `listen = "0.0.0.0:80"`),
		"terminal.type":               in(provision.Profile, `type        = "21"`, `type        = "22"`),
		"provision.server":            in(provision.Config, "[screen]", "[provision]\nserver = \"http://example.com\"\n[screen]"),
		"provision-ca.pem":            in(provision.Config, "[screen]", "[provision]\nserver = \"https://example.com\"\n[screen]"),
		"provision.poll": func(m map[string][]byte) {
			m[provision.ServerCA] = m[provision.AcquirerCA]
			in(provision.Config, "[screen]", "[provision]\nserver = \"https://example.com\"\npoll = \"0s\"\n[screen]")(m)
		},
	} {
		err := ownConfig(t, "").fits(packageOf(t, 1, change))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: does not say %q", err, says)
		}
	}
	for says, production := range map[string]func(map[string][]byte){
		"test keys": func(m map[string][]byte) {
			in(provision.Profile, "offline_data_authentication = []", `offline_data_authentication = ["dda"]`)(m)
			m[provision.CAKeys] = []byte(`{"keys": []}`)
		},
		"without logging in": func(m map[string][]byte) { m[provision.Profile] = append(m[provision.Profile], "\nopen = true\n"...) },
	} {
		if err := (source{state: t.TempDir()}).fits(packageOf(t, 1, production)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("in production: %v: does not say %q", err, says)
		}
	}
	if err := ownConfig(t, "").fits(packageOf(t, 1)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// run runs posd until its ready line, does something at its interface, and ends it.
func (s source) run(t *testing.T, ready string, do func(ctx context.Context, local *http.Client)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	said := make(chan string, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- s.serve(ctx, writerFunc(func(b []byte) (int, error) { said <- string(b); return len(b), nil }), io.Discard)
	}()
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case line := <-said:
			if strings.HasPrefix(line, ready) {
				do(ctx, socketClient(c.Socket))
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				return
			}
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		}
	}
}

func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

// A package that is right in every way and does not start all the same is taken back by itself, and the terminal goes on with the one before.
// A config file that names a terminal beside a package is refused.
func TestPackageThatDoesNotStart(t *testing.T) {
	s := ownConfig(t, "")
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := keeperOf(t, s, c)
	put := func(p *provision.Package) {
		t.Helper()
		if err := k.shelf.Put(t.Context(), p, "amina", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	put(packageOf(t, 1))
	k.close(t)
	s.run(t, "posd ready", func(context.Context, *http.Client) {})
	busy := httptest.NewServer(http.NotFoundHandler())
	defer busy.Close()
	k = keeperOf(t, s, c)
	if k.shelf.Untried() {
		t.Error("it got ready, and is still on trial")
	}
	put(packageOf(t, 2, in(provision.Config, `listen = ""`, fmt.Sprintf("listen = %q", busy.Listener.Addr()))))
	k.close(t)
	s.run(t, "posd ready", func(ctx context.Context, local *http.Client) {
		var state till.ParametersState
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://posd/v1/provision", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := local.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
			t.Fatal(err)
		}
		if state.Current == nil || state.Current.Version != 1 || state.Failed == nil || state.Failed.Version != 2 || !strings.Contains(state.Failed.Reason, "is in use") || state.Highest != 2 || !state.Works {
			t.Errorf("%+v %+v", state, state.Failed)
		}
	})
	own := s
	own.path = filepath.Join(filepath.Dir(s.path), "own.toml")
	write(t, own.path, benchConfig(t, filepath.Dir(s.path)))
	if err := own.serve(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "a parameter package is in force") {
		t.Errorf("a config of its own beside a package: %v", err)
	}
	k = keeperOf(t, s, c)
	defer k.close(t)
	if id, merchant, err := c.identity(); err != nil || id != "TILL0001" || merchant != "KW0000000000001" {
		t.Errorf("identity %s %s: %v", id, merchant, err)
	}
	rows, err := k.disk.journal.AuditRows(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range rows {
		found = found || r.Event == people.EventParams && r.Result == people.Failed && strings.Contains(r.Note, "version 2 did not work and was taken back")
	}
	if !found {
		t.Error("the audit log does not say that it was taken back")
	}
}

type shelfOf struct {
	*keeper
	unlock func()
}

func (k shelfOf) close(t *testing.T) {
	t.Helper()
	if err := k.disk.close(); err != nil {
		t.Error(err)
	}
	k.unlock()
}

// keeperOf opens a stopped terminal's shelf.
func keeperOf(t *testing.T, s source, c config) shelfOf {
	t.Helper()
	unlock, err := lockState(c.State)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	d, err := openDiskWith(t.Context(), c.State, moduleOf(c, log, io.Discard, newKeyEvents().add), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.witness(t.Context(), c.witness("counters")); err != nil {
		t.Fatal(err)
	}
	k, err := openKeeper(t.Context(), s, c, d, log)
	if err != nil {
		t.Fatal(err)
	}
	return shelfOf{k, unlock}
}

// While a batch is on its way nothing is put in force; and what makes this another merchant's terminal waits until all is settled.
func TestUnsettled(t *testing.T) {
	s := ownConfig(t, "")
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := keeperOf(t, s, c)
	defer k.close(t)
	if err := k.shelf.Put(t.Context(), packageOf(t, 1), "amina", time.Now()); err != nil {
		t.Fatal(err)
	}
	ready, err := s.settle(packageOf(t, 1), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	k.inUse = ready.config
	same, other := packageOf(t, 2, in(provision.Profile, "tip_percent   = 25", "tip_percent   = 5")), packageOf(t, 2, in(provision.Config, "[acquirer]", "[acquirer]\nname = \"elsewhere\""))
	for name, p := range map[string]*provision.Package{"tips": same, "another acquirer": other} {
		if err := k.settledFor(t.Context(), p); err != nil {
			t.Errorf("%s, and nothing was sold: %v", name, err)
		}
	}
	batch, err := k.disk.journal.Batch(t.Context(), "acquirer")
	if err != nil {
		t.Fatal(err)
	}
	sale := terminal.Sale{V: terminal.RecordVersion, ID: 7, State: terminal.Sending, Acquirer: "acquirer", Batch: batch, STAN: 9}
	ended := sale
	ended.State = terminal.Reversed
	for _, e := range []terminal.Entry{
		{From: terminal.Ready, Event: string(terminal.GoOnline), Duties: []terminal.Duty{terminal.OweReversal}, Sale: &sale, Secret: &terminal.Secret{Reversal: []byte("reversal")}},
		{From: terminal.Sending, Event: string(terminal.PowerLost), Sale: &ended},
	} {
		e.Time, e.Kind = time.Now(), terminal.SaleEntry
		if err := k.disk.journal.Append(t.Context(), true, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.settledFor(t.Context(), same); err != nil {
		t.Errorf("tips while something is owed: %v", err)
	}
	if err := k.settledFor(t.Context(), other); !errors.Is(err, till.ErrUnsettled) || !strings.Contains(err.Error(), "settle first") {
		t.Errorf("another acquirer while something is owed: %v", err)
	}
	all, err := k.disk.journal.Batches(t.Context(), "acquirer")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	settling := all[0]
	for _, event := range []terminal.BatchEvent{terminal.BatchSettle, terminal.BatchDrained} {
		row, err := terminal.NextBatch(terminal.BatchTable(), settling.State, event)
		if err != nil {
			t.Fatal(err)
		}
		settling.State = row.To
		if err := k.disk.journal.Append(t.Context(), true, terminal.Entry{Time: time.Now(), Kind: terminal.BatchEntry, Event: string(event), Batch: &settling}); err != nil {
			t.Fatal(err)
		}
		if err := k.settledFor(t.Context(), same); !errors.Is(err, till.ErrUnsettled) || !strings.Contains(err.Error(), "being settled") {
			t.Errorf("tips while the batch is %s: %v", settling.State, err)
		}
	}
}

// The parameter server is believed about nothing: what is no package, too large or elsewhere is an error, and what is known is not sent.
func TestFetch(t *testing.T) {
	var asked []string
	answers := map[string]func(w http.ResponseWriter){
		"good":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("package")) },
		"known":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) },
		"none":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"broken":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"large":   func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, provision.MaxBytes+1)) },
		"endless": func(w http.ResponseWriter) { _, _ = io.CopyN(w, zeros{}, 64<<20) },
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/params/good")
			w.WriteHeader(http.StatusFound)
		},
	}
	answer := ""
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("If-None-Match"))
		answers[answer](w)
	}))
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	c := config{params: packageOf(t, 1, func(m map[string][]byte) { m[provision.ServerCA] = ca })}
	c.Provision.Server = strings.Replace(s.URL, "127.0.0.1", "example.com", 1) + "/params/"
	f, err := newFetcher(c)
	if err != nil {
		t.Fatal(err)
	}
	f.url = strings.Replace(f.url, "example.com", "127.0.0.1", 1)
	for name, want := range map[string]string{"good": "", "known": "", "none": "no package", "broken": "500", "large": "more than", "endless": "more than", "redirect": "302"} {
		answer = name
		file, err := f.fetch(t.Context(), "aa", "bb")
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", name, err, want)
		case (name == "good") != (string(file) == "package"):
			t.Errorf("%s: %d bytes", name, len(file))
		}
	}
	if asked[0] != `/params/TILL0001 "aa", "bb"` {
		t.Errorf("it was asked %q", asked[0])
	}
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answers["good"](w) }))
	stranger.Close()
	c.params = packageOf(t, 1, func(m map[string][]byte) { m[provision.ServerCA] = otherCA(t) })
	if f, err = newFetcher(c); err != nil {
		t.Fatal(err)
	}
	f.url, answer = s.URL+"/params/TILL0001", "good"
	if _, err := f.fetch(t.Context()); err == nil {
		t.Error("a server that nobody vouches for was believed")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func otherCA(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../terminal/provision/testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
