package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tillway/terminal/selftest"
)

// TestSeededKeyFaults: a terminal without its keys, with one of them, and with another MAC key than the bank's.
func TestSeededKeyFaults(t *testing.T) {
	t.Parallel()
	w := unkeyed(t, "")
	f := &broken{world: w}
	f.finds(t, seeded{fault: "mac_key_missing", says: []string{"nothing can be sent", "pos keys component acquirer 1 2"}})
	f.load(t, "mac")
	f.finds(t, seeded{fault: "pin_key_missing", says: []string{"sales that need a PIN are refused", "pos keys import acquirer pin FILE"}})
	f.load(t, "pin")
	if r := w.selftest(t); r.Faults > 0 {
		t.Errorf("all keys are there, and it says %s", r.Text())
	}

	// The bank's second terminal has a MAC key of its own, under the same key-encrypting key.
	f.host(t, "--terminal", "TILL0001:KW0000000000001", "--terminal", "TILL0002:KW0000000000001")
	f.imports(t, "mac", "host/keys/2/mac.tr31")
	f.finds(t, seeded{fault: "wrong_mac_key", says: []string{"does not take this terminal's MAC key with the serial number FFFF", "code 63", "check value"}})
}

// TestSeededSessionKeys: the bank has lost the session keys in force, so that terminal and bank have two generations.
func TestSeededSessionKeys(t *testing.T) {
	t.Parallel()
	w := unkeyed(t, "session")
	f := &broken{world: w}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.exchanged(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if r := w.selftest(t); r.Faults > 0 {
		t.Errorf("both have the same keys, and it says %s", r.Text())
	}
	out, err := exec.CommandContext(t.Context(), w.binary("hostsim"), "order", "TILL0001", "forget-keys", "--http", w.hostHTTP).CombinedOutput()
	if err != nil {
		t.Fatalf("hostsim order: %v: %s", err, out)
	}
	f.finds(t, seeded{fault: "wrong_key_version", says: []string{"has other session keys", "pos keys exchange --anew"}})
}

// unkeyed is the whole terminal before anybody has loaded a key. keys is what the bank gives; empty: DUKPT.
func unkeyed(t *testing.T, keys string) *world {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if w.stack.keys = keys; keys != "" {
		text, err := os.ReadFile(w.config)
		if err == nil {
			err = os.WriteFile(w.config, append(text, sessionText...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.end)
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// load loads one key as a technician does, with the two components before the first.
func (f *broken) load(t *testing.T, use string) {
	t.Helper()
	for i, holder := range []string{"custodian one", "custodian two"} {
		if use != "mac" {
			break
		}
		share, err := os.ReadFile(f.path("host/keys/component-" + string(rune('1'+i)) + ".hex"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.keys(t.Context(), string(share), "component", acquirer, string(rune('1'+i)), "2", "--holder", holder); err != nil {
			t.Fatal(err)
		}
	}
	f.imports(t, use, "host/keys/"+use+".tr31")
}

func (f *broken) imports(t *testing.T, use, file string) {
	t.Helper()
	if _, err := f.keys(t.Context(), "", "import", acquirer, use, f.path(file)); err != nil {
		t.Fatal(err)
	}
}

// TestSeededWithoutADisk puts the state folder on a disk of its own, in a mount namespace of its own, and has pos selftest say that it is full, or
// for reading only; and takes the network away, as a pulled cable does. It takes root.
func TestSeededWithoutADisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || exec.CommandContext(t.Context(), "unshare", "--mount", "--net", "true").Run() != nil {
		t.Log("NOT CHECKED: a full disk, a read-only disk and a pulled cable: they take root and unshare(1)")
		return
	}
	w := whole(t, io.Discard)
	w.stopTerminal(t)
	state := w.path("state")
	mount := "set -e; cp -a '" + state + "' '" + state + ".kept'; mount -t tmpfs -o size=24m,mode=700 tmpfs '" + state + "'; cp -a '" + state + ".kept/.' '" + state + "'; rm -rf '" + state + ".kept'; "
	for _, c := range []struct {
		seeded
		flag, script string
	}{
		{seeded{"full disk", nil, "disk_full", []string{"full", "Make room"}}, "--mount", mount + "rm -f '" + state + "/ballast'; dd if=/dev/zero of='" + state + "/fill' bs=4k 2>/dev/null || true; "},
		{seeded{"little room", nil, "disk_low", []string{"MiB are free", "64 MiB"}}, "--mount", mount},
		{seeded{"read-only disk", nil, "disk_read_only", []string{"for reading only", "mount it for writing"}}, "--mount", mount + "mount -o remount,ro '" + state + "'; "},
		{seeded{"cable pulled", nil, "network_down", []string{"no network", "cable"}}, "--net", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := c.script + "'" + w.binary("pos") + "' selftest --json --socket '" + w.path("posd.sock") + "' || test $? = 1"
			out, err := exec.CommandContext(t.Context(), "unshare", c.flag, "sh", "-c", line).Output() //nolint:gosec // the test's own words
			var r selftest.Report
			if jerr := json.Unmarshal(out, &r); jerr != nil {
				t.Fatalf("%v, %v: %s", err, jerr, out)
			}
			reports(t, r, c.seeded)
			if c.fault != "disk_low" && r.Faults == 0 || strings.Contains(r.Text(), "writing: written") != (c.fault == "disk_low" || c.fault == "network_down") {
				t.Errorf("the whole report is %s", r.Text())
			}
		})
	}
}
