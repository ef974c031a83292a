// Package units_test holds the services' units to systemd's own judgement, and to what the programs need.
package units_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// analyze runs systemd-analyze, where it is.
func analyze(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("NOT CHECKED: there is no systemd-analyze on this machine (Debian: systemd)")
		return "", false
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
	}
	return string(out), true
}

// directives are a unit's, in order; comments are left out.
func directives(t *testing.T, name string) (all [][2]string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			all = append(all, [2]string{key, value})
		}
	}
	return all
}

func value(t *testing.T, unit, key string) string {
	t.Helper()
	for _, d := range directives(t, unit) {
		if d[0] == key {
			return d[1]
		}
	}
	t.Errorf("%s has no %s", unit, key)
	return ""
}

var units = []string{"tillway-keyd.service", "tillway-posd.service"}

// TestVerify: systemd finds nothing wrong with the units, nor with the one that has a PIN pad. Its programs need not be installed here.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAll(text, []byte("ExecStart=/bin/true"))
		if err := os.WriteFile(filepath.Join(dir, unit), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pad, err := os.ReadFile("pin-pad.conf")
	if err != nil {
		t.Fatal(err)
	}
	dropIn := filepath.Join(dir, units[0]+".d")
	if err := os.Mkdir(dropIn, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, withPad := range []bool{false, true} {
		if withPad {
			if err := os.WriteFile(filepath.Join(dropIn, "pin-pad.conf"), pad, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, unit := range units {
			if out, there := analyze(t, "verify", "--man=no", filepath.Join(dir, unit)); there && strings.TrimSpace(out) != "" {
				t.Errorf("%s (pad %v): %s", unit, withPad, out)
			}
		}
	}
}

// TestExposure: systemd's own figure for what a taken-over service could reach, 0 to 10, does not grow.
func TestExposure(t *testing.T) {
	for unit, most := range map[string]float64{units[0]: 0.8, units[1]: 2.1} {
		out, there := analyze(t, "security", "--offline=true", "--no-pager", unit)
		if !there {
			return
		}
		figure := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
		if figure == nil {
			t.Fatalf("%s: no figure in %s", unit, out)
		}
		got, err := strconv.ParseFloat(figure[1], 64)
		if err != nil || got > most {
			t.Errorf("%s: exposure %s, at most %.1f\n%s", unit, figure[1], most, out)
		}
		t.Logf("%s: exposure %s of 10", unit, figure[1])
	}
}

// TestUnits: what the programs rest on is in the units, and the two agree.
func TestUnits(t *testing.T) {
	keyd, posd := units[0], units[1]
	for _, unit := range units {
		for key, want := range map[string]string{
			"Type": "notify", "NotifyAccess": "main", "UMask": "0077", "LimitCORE": "0", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "NoNewPrivileges": "yes",
			"ProtectSystem": "strict", "MemoryDenyWriteExecute": "yes", "Restart": "on-failure", "WatchdogSec": "60s", "StateDirectoryMode": "0700",
		} {
			if got := value(t, unit, key); got != want {
				t.Errorf("%s: %s=%s, want %s", unit, key, got, want)
			}
		}
	}
	if value(t, keyd, "User") == value(t, posd, "User") {
		t.Error("keyd and posd are one user")
	}
	start := strings.Fields(value(t, keyd, "ExecStart"))
	for flag, want := range map[string]string{
		"-client": value(t, posd, "User"), "-group": value(t, posd, "Group"),
		"-listen": "/run/" + value(t, keyd, "RuntimeDirectory") + "/keyd.sock", "-file": "/var/lib/tillway-keyd/keys", "-witness": "/var/lib/tillway-keyd.witness/keys",
	} {
		if i := slices.Index(start, flag); i < 0 || start[i+1] != want {
			t.Errorf("keyd is started with %v, want %s %s", start, flag, want)
		}
	}
	if slices.Contains(start, "-development") {
		t.Error("keyd takes test keys at every till")
	}
	for key, want := range map[string]string{"PrivateNetwork": "yes", "PrivateDevices": "yes", "RestrictAddressFamilies": "AF_UNIX", "LimitMEMLOCK": "infinity", "IPAddressDeny": "any"} {
		if got := value(t, keyd, key); got != want {
			t.Errorf("keyd: %s=%s, want %s", key, got, want)
		}
	}
	if got := value(t, posd, "DevicePolicy"); got != "closed" {
		t.Errorf("posd: DevicePolicy=%s", got)
	}
	if got := value(t, posd, "TimeoutStopSec"); got != "150s" { // TestLongestWait of cmd/posd holds the program to it
		t.Errorf("posd: TimeoutStopSec=%s", got)
	}
}
