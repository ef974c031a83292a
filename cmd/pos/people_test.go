package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/till"
)

// counter is a closed till with people on disk, and pos in front of it.
type counter struct {
	t       *testing.T
	dir     string
	store   *store.Store
	wire    *wire
	stage   *stage
	session string
	all     strings.Builder // everything that was ever printed
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	dir := t.TempDir()
	keys, err := secure.CreateFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "journal.db"), Sealer: keys})
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, dir: dir, store: s, wire: &wire{}, session: filepath.Join(dir, "session")}
	stage := newStage(t, saleOf(t, terminal.Approved))
	stage.started = append(stage.started, terminal.Order{})
	stage.access = till.NewAccess(till.AccessConfig{
		People: s, Policy: people.DefaultPolicy(), Cost: people.LeastCost(), Log: slog.New(slog.DiscardHandler),
	})
	stage.verify = func(ctx context.Context) (till.Verified, error) {
		r, err := s.Verify(ctx)
		return till.Verified{Rows: r.Rows, Audit: r.Audit, Findings: r.Findings}, err
	}
	c.stage = stage
	stop := c.wire.serve(t, stage)
	t.Cleanup(func() {
		stop()
		if err := s.Abort(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// pos runs a command line; typed is standard input.
func (c *counter) pos(typed string, want int, argv ...string) string {
	c.t.Helper()
	var out, errOut bytes.Buffer
	code := run(c.t.Context(), app{
		in: strings.NewReader(typed), out: &out, errOut: &errOut, dial: c.wire.dial, notify: func(chan<- os.Signal) {},
		env: func(name string) string {
			return map[string]string{"TILLWAY_SESSION": c.session, "TILLWAY_SOCKET": "posd.sock"}[name]
		},
	}, argv)
	if code != want {
		c.t.Errorf("pos %v: exit %d, want %d: %s%s", argv, code, want, &out, &errOut)
	}
	c.all.WriteString(out.String() + errOut.String())
	return out.String() + errOut.String()
}

const posSecret = "blue.kettle9"

// A day of people: the first administrator, a cashier, log-in, what each may do, a lock, and the audit log of it all.
func TestPeopleOnTheCommandLine(t *testing.T) {
	c := newCounter(t)
	has := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q, want %q in it", got, want)
		}
	}
	has(c.pos("", 0, "status"), "Terminal")
	has(c.pos("", 3, "show", "1042"), "pos login NAME")
	has(c.pos(posSecret+"\n", 3, "users", "add", "carim", "cashier"), "Log in with pos login")
	has(c.pos("\n", 2, "users", "init", "amal"), "no secret was given")
	has(c.pos("short\n", 2, "users", "init", "amal"), "at least 12 characters")
	has(c.pos(posSecret+"\n", 0, "users", "init", "amal"), "administrator")
	has(c.pos("", 0, "users", "list"), "amal") // init has logged in whom it made
	has(c.pos(posSecret+"\n", 2, "users", "init", "eve"), "administrator already")
	has(c.pos("", 0, "users", "list"), "amal") // and eve nobody
	has(c.pos("", 0, "logout"), "Logged out")
	has(c.pos("wrong.kettle9\n", 3, "login", "amal"), "wrong")
	if _, err := os.Stat(c.session); err == nil {
		t.Error("a session after a wrong secret")
	}
	has(c.pos(posSecret+"\n", 0, "login", "amal"), "Logged in as amal, administrator")
	info, err := os.Stat(c.session)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("session file %v, %v", info.Mode(), err)
	}
	has(c.pos("481526\n", 0, "users", "add", "carim", "cashier"), "carim")
	has(c.pos("481526\n", 2, "users", "add", "carim", "owner"), "no such role")
	has(c.pos("", 2, "users", "role", "amal", "cashier"), "last administrator")
	has(c.pos("", 0, "users", "list"), "carim")
	has(c.pos("", 0, "users", "lock", "carim"), "LOCKED")
	has(c.pos("", 0, "users", "unlock", "carim"), "carim")
	has(c.pos("937104\n", 0, "users", "secret", "carim"), "carim")
	has(c.pos("", 3, "receipt", "1042"), "which is for: cashier") // administering is not selling
	has(c.pos("", 0, "logout"), "Logged out")
	if _, err := os.Stat(c.session); err == nil {
		t.Error("a session after the log-out")
	}
	has(c.pos("", 0, "logout"), "Logged out")
	c.pos("481526\n", 3, "login", "carim")
	c.pos("937104\n", 0, "login", "carim", "--json")
	has(c.pos("", 0, "receipt", "1042"), "APPROVED")
	has(c.pos("", 3, "audit", "list"), "which is for: administrator")
	has(c.pos("937104\n260715\n", 0, "users", "secret", "carim", "--own"), "carim")
	has(c.pos("", 3, "show", "1042"), "pos login")
	for range 4 {
		c.pos("000000\n", 3, "login", "carim")
	}
	has(c.pos("000000\n", 3, "login", "carim"), "locked")
	has(c.pos("260715\n", 3, "login", "carim"), "unlock")
	c.pos(posSecret+"\n", 0, "login", "amal")
	log := c.pos("", 0, "audit", "list")
	for _, want := range []string{
		"nobody       init       done    amal: as administrator", "amal         login      done", "amal         add        done    carim: as cashier",
		"amal         lock       done    carim", "amal         unlock     done    carim", "carim        secret     done    their own",
		"carim        refused    denied  asked for audit", "terminal     lock       done    carim",
	} {
		has(log, want)
	}
	has(c.pos("", 0, "audit", "verify"), "Everything is as it was written")
	for _, secret := range []string{posSecret, "481526", "937104", "260715", "argon2id"} {
		if strings.Contains(c.all.String(), secret) {
			t.Errorf("%q was printed", secret)
		}
	}
	if text, err := os.ReadFile(c.session); err != nil || strings.Contains(c.all.String(), tokenIn(string(text))) {
		t.Errorf("the token was printed (%v)", err)
	}
}

func tokenIn(text string) string {
	_, rest, _ := strings.Cut(text, `"token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if len(token) != 64 {
		panic("no token in the session file")
	}
	return token
}

// A meddled-with log makes verify fail with what is wrong.
func TestAuditVerifyFails(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	if err := os.Remove(filepath.Join(c.dir, "journal.db.anchor")); err != nil {
		t.Fatal(err)
	}
	if got := c.pos("", 1, "audit", "verify"); !strings.Contains(got, "the anchor file is gone") {
		t.Errorf("%s", got)
	}
	if got := c.pos("", 1, "audit", "verify", "--json"); !strings.Contains(got, `"problem":"the anchor file is gone"`) {
		t.Errorf("%s", got)
	}
}

// A session file that others may read, or that is a link, gives nobody's name away and is not used.
func TestSessionFileIsOursAlone(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	c.pos("", 0, "users", "list")
	if err := os.Chmod(c.session, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := c.pos("", 2, "users", "list"); !strings.Contains(got, "nobody else may read") {
		t.Errorf("%s", got)
	}
	if err := os.Chmod(c.session, 0o600); err != nil {
		t.Fatal(err)
	}
	c.pos("", 0, "users", "list")
	if err := os.Rename(c.session, c.session+".there"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(c.session+".there", c.session); err != nil {
		t.Fatal(err)
	}
	c.pos("", 2, "users", "list")
	if err := os.Remove(c.session); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.session + ".there")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), "posd.sock", "other.sock", 1)
	if err := os.WriteFile(c.session, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.pos("", 3, "users", "list"); !strings.Contains(got, "log in") && !strings.Contains(got, "Log in") {
		t.Errorf("a token of another daemon was sent: %s", got)
	}
}

func TestSalesOfACardOnTheCommandLine(t *testing.T) {
	w := &wire{}
	s := newStage(t, saleOf(t, terminal.Approved))
	s.started = append(s.started, terminal.Order{})
	defer w.serve(t, s)()
	for _, c := range []struct {
		argv []string
		code int
		want string
	}{
		{[]string{"journal", "--card-of", "1042"}, 0, "476173******0119"},
		{[]string{"journal", "--card-of", "1042", "--json"}, 0, `"sales":[{`},
		{[]string{"journal", "--card-of", "x"}, 2, "no sale number"},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), app{
			in: strings.NewReader(""), out: &out, errOut: &errOut, dial: w.dial, env: func(string) string { return "" }, notify: func(chan<- os.Signal) {},
		}, c.argv)
		if code != c.code || !strings.Contains(out.String()+errOut.String(), c.want) {
			t.Errorf("pos %v: %d %s%s", c.argv, code, &out, &errOut)
		}
	}
}
