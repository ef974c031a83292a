package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/terminal/provision"
	"tillway/terminal/selftest"
)

// said runs one of posd's commands, and gives what it printed.
func said(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errOut bytes.Buffer
	c := command(&out, &errOut)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String() + errOut.String(), err
}

// sees looks for a finding in a report.
func sees(r selftest.Report, check, fault, text string) bool {
	for _, f := range r.Findings {
		if f.Check == check && f.Fault == fault && strings.Contains(f.Cause, text) {
			return true
		}
	}
	return false
}

// TestStoppedWithPackage: posd check, db check and owed know a terminal whose parameters came in a package: they name its version, signer and
// expiry, and say what is wrong when it waits, when the package was changed, and when the config file names a terminal beside it.
func TestStoppedWithPackage(t *testing.T) {
	s := ownConfig(t, "")
	checked := func() selftest.Report { return checkStopped(t.Context(), s, &bytes.Buffer{}) }
	if r := checked(); !sees(r, selftest.Parameters, "parameters_missing", "none is in force") || sees(r, selftest.Daemon, "config_wrong", "") {
		t.Errorf("before its first start: %s", r.Text())
	}
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.State); err == nil {
		t.Error("a check has made the state folder")
	}
	k := keeperOf(t, s, c)
	err = k.shelf.Put(t.Context(), packageOf(t, 1), "amina", time.Now())
	k.close(t)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, "posd ready", func(context.Context, *http.Client) {})
	r := checked()
	if !sees(r, selftest.Parameters, "", "parameter package version 1") || !sees(r, selftest.Parameters, "", "signed by office (") || !sees(r, selftest.Parameters, "", "until 2099-12-31") {
		t.Errorf("the package is not named: %s", r.Text())
	}
	for _, f := range r.Findings {
		if f.Fault == "config_wrong" || f.Fault == "certificate_file" || f.Fault == "ca_keys_file" || f.Fault == "parameters_missing" || strings.Contains(f.Cause, inPackage) {
			t.Errorf("%+v", f)
		}
	}
	if text, err := said(t, "db", "check", "--config", s.path); err != nil || !strings.Contains(text, "0 faults") {
		t.Errorf("db check: %v: %s", err, text)
	}
	if text, err := said(t, "owed", "--config", s.path); err != nil {
		t.Errorf("owed: %v: %s", err, text)
	}
	own := source{path: filepath.Join(filepath.Dir(s.path), "own.toml")}
	write(t, own.path, benchConfig(t, filepath.Dir(s.path)))
	if r := checkStopped(t.Context(), own, &bytes.Buffer{}); !sees(r, selftest.Daemon, "config_wrong", "a parameter package is in force") {
		t.Errorf("a config of its own beside a package: %s", r.Text())
	}
	forge(t, filepath.Join(c.State, parametersFolder))
	if r := checked(); !sees(r, selftest.Parameters, "parameters_missing", "") && !sees(r, selftest.Daemon, "config_wrong", "") {
		t.Errorf("a package that was changed on disk: %s", r.Text())
	}
}

// forge changes one bit in every file of a folder.
func forge(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil {
			text[len(text)/2] ^= 1
			err = os.WriteFile(name, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoppedByState: the same commands take a state folder in place of a config file, and are refused both at once.
func TestStoppedByState(t *testing.T) {
	dir := t.TempDir()
	if r := checkStopped(t.Context(), source{state: filepath.Join(dir, "none"), development: true}, &bytes.Buffer{}); !sees(r, selftest.Parameters, "parameters_missing", "") {
		t.Error(r.Text())
	}
	if text, err := said(t, "db", "check", "--state", dir); err == nil || !strings.Contains(err.Error(), "no journal") || !strings.Contains(err.Error(), dir) {
		t.Errorf("db check: %v: %s", err, text)
	}
	if text, err := said(t, "check", "--state", dir, "--config", "posd.toml"); !errors.Is(err, errUsage) {
		t.Errorf("both: %v: %s", err, text)
	}
	signer := inPackageNow(&provision.Package{})
	if !strings.Contains(signer, "version 0") || strings.Contains(signer, "until") {
		t.Errorf("a signer that the package does not trust itself: %s", signer)
	}
}
