package main

import (
	"strings"
	"testing"
)

// TestSelftestOfAStoppedPackage: with posd down, pos selftest and posd's own commands find a terminal that has a state folder and no config file,
// name its package, and say what is wrong when the package is gone.
func TestSelftestOfAStoppedPackage(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.firstTime()
	p.running["posd"].end()
	printed, status := p.run("pos selftest")
	for _, says := range []string{"posd does not run: nobody answers at", "parameter package version 1", "signed by office ("} {
		if status != 1 || !strings.Contains(printed, says) {
			t.Errorf("exit status %d, and it does not say %q: %s", status, says, printed)
		}
	}
	if strings.Contains(printed, "/the parameter package") || strings.Contains(printed, "would not start") {
		t.Errorf("it names files that are not there: %s", printed)
	}
	if printed, status := p.run("posd db check --state till --development"); status != 0 || !strings.Contains(printed, "0 faults") {
		t.Errorf("posd db check: %d %s", status, printed)
	}
	if printed, status := p.run("posd owed --state till"); status != 0 {
		t.Errorf("posd owed: %d %s", status, printed)
	}
	p.must("mv till/parameters till/gone")
	for _, line := range []string{"pos selftest", "posd check --state till --development"} {
		if printed, status := p.run(line); status != 1 || !strings.Contains(printed, "waits for a parameter package") || !strings.Contains(printed, "pos provision apply FILE") {
			t.Errorf("%s: %d %s", line, status, printed)
		}
	}
}
