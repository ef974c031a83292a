package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/till"
)

// The commands of a key ceremony against a module at its socket: what they print, refuse, and never show.
func TestKeyCeremony(t *testing.T) {
	dir := t.TempDir()
	m, err := secure.CreateFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "keys.sock")
	ln, err := secure.ListenLocal(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if secure.Greet(conn, nil) == nil {
				_ = secure.NewServer(conn, m, secure.RoleKeys).Serve(t.Context()) // the client shows what went wrong
			}
		}
	})
	defer func() { _ = ln.Close(); served.Wait(); _ = m.Close() }()

	const one, two = "A1B2C3D4E5F60718293A4B5C6D7E8F90", "1032547698BADCFE0102030405060709"
	kek, block := sheetOf(t, one, two)
	blockFile := filepath.Join(dir, "mac.tr31")
	if err := os.WriteFile(blockFile, []byte(block+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, step := range []struct {
		typed string
		argv  []string
		code  int
		says  string
	}{
		{"", []string{"status"}, exitDone, "No keys are loaded."},
		{"", []string{"import", "bank", "mac", blockFile}, exitUsage, "load the components first"},
		{one + "\n", []string{"component", "bank", "1", "2"}, exitUsage, "say who you are"},
		{"xyz\n", []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitUsage, "hexadecimal"},
		{"\n", []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitUsage, "no secret was given"},
		{"A1B2\n", []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitUsage, "of 2 bytes, and it has to have 16 or 24"},
		{one[:8] + " " + one[8:] + "\n", []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitDone, "Component 1 of 2 taken, check value "},
		{"", []string{"status"}, exitDone, "bank: 1 of 2 components"},
		{two + "\n", []string{"component", "bank", "2", "2", "--holder", "AMINA"}, exitUsage, "a holder of its own"},
		{"", []string{"abort", "bank"}, exitDone, "forgotten"},
		{one + "\n", []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitDone, "1 of 2 are there"},
		{two + "\n", []string{"component", "bank", "2", "2", "--holder", "Badr", "--json"}, exitDone, `"kek":"` + kek},
		{"", []string{"import", "bank", "pins", blockFile}, exitUsage, "pin, mac, data or master"},
		{"", []string{"import", "bank", "pin", blockFile}, exitUsage, "not for this use"},
		{block, []string{"import", "bank", "mac", "-"}, exitDone, "MAC key of bank loaded, check value "},
		{one, []string{"import", "bank", "pin", "-"}, exitUsage, "key block"},
		{"", []string{"status"}, exitDone, "check " + kek},
		{"", []string{"status", "--json"}, exitDone, `"keys":[{"acquirer":"bank","use":"MAC","scheme":"session","algorithm":"TDES","check":"`},
		{"", []string{"destroy", "bank"}, exitUsage, "--yes"},
		{"", []string{"decommission", "--yes"}, exitUsage, "still owed"},
		{"", []string{"destroy", "bank", "--yes"}, exitDone, "destroyed"},
		{"", []string{"status"}, exitDone, "No keys are loaded."},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), app{in: strings.NewReader(step.typed), out: &out, errOut: &errOut, dial: dialSocket, env: func(string) string { return "" }},
			append([]string{"keys", "--keys-socket", socket}, step.argv...))
		said := out.String() + errOut.String()
		all.WriteString(said)
		if code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("%q: exit status %d, want %d with %q:\n%s", step.argv, code, step.code, step.says, said)
		}
	}
	for _, secret := range []string{one, two, one[:8], two[:8]} {
		if strings.Contains(strings.ToUpper(all.String()), secret) {
			t.Errorf("a component was printed")
		}
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), app{in: strings.NewReader(""), out: &out, errOut: &errOut, env: func(string) string { return "" }},
		[]string{"keys", "status", "--keys-socket", filepath.Join(dir, "nowhere.sock")}); code != exitUnreachable || !strings.Contains(errOut.String(), "start posd") {
		t.Errorf("no module: exit status %d: %s", code, errOut.String())
	}
}

// sheetOf is what the custodians and the technician are sent: the check value, and a MAC key in its key block.
func sheetOf(t *testing.T, one, two string) (kek, block string) {
	t.Helper()
	a, errA := hex.DecodeString(one)
	b, errB := hex.DecodeString(two)
	key, err := x9.CombineComponents(a, b)
	if errA != nil || errB != nil || err != nil {
		t.Fatal(errA, errB, err)
	}
	kcv, err := x9.KCV(key)
	if err != nil {
		t.Fatal(err)
	}
	tak := make([]byte, 16)
	rand.Read(tak)
	block, err = x9.WrapKeyBlock(key, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C', KeyVersion: "00", Exportability: 'N'}, tak, 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToUpper(hex.EncodeToString(kcv[:])), block
}

// TestKeyCeremonyByPeople: in production the secure module wants to know who is logged in, and holds a component to that person;
// who is not logged in is told to.
func TestKeyCeremonyByPeople(t *testing.T) {
	dir := t.TempDir()
	m, err := secure.Start(t.Context(), secure.Options{Path: filepath.Join(dir, "keys"), First: true, Production: true})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := secure.ListenLocal(t.Context(), filepath.Join(dir, "keys.sock"))
	if err != nil {
		t.Fatal(err)
	}
	posd, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "posd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	person := ""
	daemon := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/keys/ticket" || person == "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"log_in"}`))
			return
		}
		ticket, err := m.Ticket(r.Context(), person)
		if err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(till.KeysTicket{Person: person, Ticket: ticket})
	})}
	var served sync.WaitGroup
	served.Go(func() { _ = daemon.Serve(posd) })
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if secure.Greet(conn, nil) == nil {
				_ = secure.NewServer(conn, m, secure.RoleKeys).Serve(t.Context())
			}
		}
	})
	defer func() { _ = ln.Close(); _ = daemon.Close(); served.Wait(); _ = m.Close() }()
	const one, two = "A1B2C3D4E5F60718293A4B5C6D7E8F90", "1032547698BADCFE0102030405060709"
	for _, step := range []struct {
		person, typed string
		argv          []string
		code          int
		says          string
	}{
		{"", "", []string{"status"}, exitDone, "No keys are loaded."},
		{"", one, []string{"component", "bank", "1", "2", "--holder", "Amina"}, exitUsage, "pos login"},
		{"", "", []string{"destroy", "bank", "--yes"}, exitUsage, "pos login"},
		{"amal", one, []string{"component", "bank", "1", "2"}, exitDone, "Component 1 of 2 taken"},
		{"amal", two, []string{"component", "bank", "2", "2", "--holder", "Badr"}, exitUsage, "a holder of its own"},
		{"badr", two, []string{"component", "bank", "2", "2"}, exitDone, "key-encrypting key of bank is loaded"},
	} {
		person = step.person
		var out, errOut bytes.Buffer
		code := run(t.Context(), app{
			in: strings.NewReader(step.typed + "\n"), out: &out, errOut: &errOut, dial: dialSocket, env: func(string) string { return "" },
		}, append([]string{"keys", "--socket", filepath.Join(dir, "posd.sock")}, step.argv...))
		if said := out.String() + errOut.String(); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("%s, %v: %d, %q", step.person, step.argv, code, said)
		}
	}
}

// A serial number is told to programs in hexadecimal, as everywhere else, and not as encoding/json has bytes.
func TestKeysInJSON(t *testing.T) {
	got, err := json.Marshal(keysJSON(secure.Status{Keys: []secure.KeyStatus{
		{Set: "bank", Use: "PIN", Scheme: "DUKPT", Algorithm: secure.TDES, Check: "AF8C07", KSN: []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 1}, Left: 7},
	}}))
	want := `"keys":[{"acquirer":"bank","use":"PIN","scheme":"DUKPT","algorithm":"TDES","check":"AF8C07","ksn":"FFFF9876543210E00001","left":7}]}`
	if err != nil || !strings.HasSuffix(string(got), want) {
		t.Errorf("got %s, %v", got, err)
	}
}

// The socket for loading keys is found beside the daemon's, and where keyd is a service of its own beside that folder.
func TestKeysSocketIsFound(t *testing.T) {
	dir := t.TempDir()
	daemon, service := filepath.Join(dir, "tillway", "posd.sock"), filepath.Join(dir, "tillway-keyd", "keys.sock")
	beside := filepath.Join(dir, "tillway", "keys.sock")
	if got := keysSocketBy(daemon); got != beside {
		t.Errorf("nothing is there: %s", got)
	}
	for _, path := range []string{service, beside} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if got := keysSocketBy(daemon); got != path {
			t.Errorf("%s, want %s", got, path)
		}
	}
}
