package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// provisions runs pos provision with what is typed.
func provisions(t *testing.T, typed string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), app{in: strings.NewReader(typed), out: &o, errOut: &e, env: func(string) string { return "" }}, append([]string{"provision"}, args...))
	return code, o.String(), e.String()
}

// A signing key under a passphrase: the file shows nothing of it, signs with the right one alone, and the packages are those of the same key in clear.
func TestSigningKeyWithPassphrase(t *testing.T) {
	ca, err := os.ReadFile("../../terminal/provision/testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	const phrase = "four words that nobody says"
	code, trust, said := provisions(t, phrase+"\n"+phrase+"\n", "keygen", "office.pem", "--passphrase", "--name", "office")
	if code != 0 || !strings.Contains(trust, "[[trust]]") || strings.Contains(said, "Whoever has") {
		t.Fatalf("exit %d: %s%s", code, trust, said)
	}
	file, err := os.ReadFile("office.pem")
	if err != nil || strings.Contains(string(file), "PRIVATE KEY") || !strings.HasPrefix(string(file), "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Fatalf("%.60q %v", file, err)
	}
	if code, _, said := provisions(t, "", "new", "kuwait", "till-1"); code != 0 {
		t.Fatal(said)
	}
	manifest, err := os.OpenFile("till-1/package.toml", os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.WriteString(trust); err != nil {
		t.Fatal(err)
	}
	if err := manifest.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("till-1/acquirer-ca.pem", ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, says := range map[string]string{"another phrase altogether\n": "does not open", "": "no secret was given"} {
		if code, _, said := provisions(t, typed, "sign", "till-1", "--key", "office.pem", "--out", "x.tillway"); code == 0 || !strings.Contains(said, says) || strings.Count(strings.TrimSpace(said), "\n") > 0 {
			t.Errorf("typed %q: exit %d: %s", typed, code, said)
		}
	}
	if _, err := os.Stat("x.tillway"); err == nil {
		t.Error("signed without the passphrase")
	}
	if code, _, said := provisions(t, phrase+"\n", "sign", "till-1", "--key", "office.pem", "--out", "sealed.tillway"); code != 0 {
		t.Fatal(said)
	}
	// The program age opens it too: what is in it is the PEM file that keygen writes without a passphrase.
	by, err := age.NewScryptIdentity(phrase)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), by)
	if err != nil {
		t.Fatal(err)
	}
	var clear bytes.Buffer
	if _, err := clear.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("clear.pem", clear.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, said := provisions(t, "", "sign", "till-1", "--key", "clear.pem", "--out", "clear.tillway"); code != 0 {
		t.Fatal(said)
	}
	a, err := os.ReadFile("sealed.tillway")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("clear.tillway")
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("two packages of one key and folder: %v", err)
	}
}

// No key is made of a passphrase that is short, or typed otherwise the second time; and one without a passphrase says what that means.
func TestPassphraseRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for typed, says := range map[string]string{"short\nshort\n": "at least 12", "four words that nobody says\nfour words that nobody said\n": "not the same", "four words that nobody says\n": "no secret", "": "no secret"} {
		if code, _, said := provisions(t, typed, "keygen", "x.pem", "--passphrase"); code != exitUsage || !strings.Contains(said, says) {
			t.Errorf("typed %q: exit %d: %s", typed, code, said)
		}
		if _, err := os.Stat("x.pem"); err == nil {
			t.Fatalf("typed %q: a key was made", typed)
		}
	}
	if code, _, said := provisions(t, "", "keygen", "x.pem"); code != 0 || !strings.Contains(said, "Whoever has x.pem can sign") {
		t.Errorf("exit %d: %s", code, said)
	}
	if err := os.WriteFile("damaged.pem", []byte(armor.Header+"\nAAAA\n"+armor.Footer+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, said := provisions(t, "four words that nobody says\n", "sign", ".", "--key", "damaged.pem", "--out", "y"); code != exitUsage || !strings.Contains(said, "does not open") {
		t.Errorf("exit %d: %s", code, said)
	}
}
