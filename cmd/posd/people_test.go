package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"tillway/terminal/profile"
)

// At a till, a profile with open roles does not start; one without them does.
func TestOpenRolesNeedDevelopment(t *testing.T) {
	dir := t.TempDir()
	closed := strings.Replace(benchConfig(t, dir), "development = true\n[keys]\nseparate = false\n", "", 1)
	path := filepath.Join(dir, "posd.toml")
	write(t, path, closed)
	var errOut bytes.Buffer
	err := serve(t.Context(), path, &errOut, &errOut)
	if err == nil || !strings.Contains(err.Error(), "take open out of its [roles]") || !strings.Contains(err.Error(), "development = true") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("a refused start left a state folder")
	}
	text, err := profile.Text("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse([]byte(strings.Replace(string(text), "open         = true", "open         = false", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := (&config{}).rolesFit(p); err != nil {
		t.Errorf("closed roles at a till: %v", err)
	}
}

// Every start is audited with what it started with, and a stopped terminal's log is verified in place.
func TestStartIsAuditedAndVerified(t *testing.T) {
	dir := t.TempDir()
	config := benchConfig(t, dir)
	runFor(t, dir, config)
	runFor(t, dir, strings.Replace(config, "error", "warn", 1))
	verify := func() (string, error) {
		var out, errOut bytes.Buffer
		c := command(&out, &errOut)
		c.SetArgs([]string{"audit", "verify", "--config", filepath.Join(dir, "posd.toml")})
		err := c.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := verify(); err != nil || !strings.Contains(out, "2 of them of the audit log, 0 findings") {
		t.Fatalf("%s %v", out, err)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "state", "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	var first, second string
	if err := db.QueryRow("SELECT min(note), max(note) FROM audit WHERE event = 'start' AND actor = 'terminal'").Scan(&first, &second); err != nil {
		t.Fatal(err)
	}
	if first == second || !strings.Contains(first, "roles OPEN") || !strings.Contains(first, "config ") {
		t.Errorf("the starts are audited as %q and %q", first, second)
	}
	if _, err := db.Exec("DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := verify()
	if !errors.Is(err, errUnsound) || !strings.Contains(out, "audit row 2 to 2: missing at the end") {
		t.Errorf("%s %v", out, err)
	}
}
