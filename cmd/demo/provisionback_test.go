package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOldFolderBringsNoOldParameters: who puts a whole state folder back, as it was before a package, gets no older parameters into force:
// the witness beside it knows how far versions had come. The terminal waits, says why, and takes what is not older (attack 22).
func TestOldFolderBringsNoOldParameters(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.firstTime()
	p.running["posd"].end()
	p.must("cp -a till before")
	p.again()
	p.sign(2, `sed -i 's|^note.*|note = "two"|' till-1/package.toml`)
	p.must("pos login amina && pos provision apply v2.tillway")
	p.running["posd"].end()
	p.must("rm -r till && cp -a before till")
	delete(p.running, "posd")
	p.background(startPosd, "posd waits")
	s := p.state()
	if s.Works || s.Highest != 2 || !strings.Contains(s.Waiting, "older than those that this terminal has had (version 2)") {
		t.Fatalf("with the old folder: %+v", s)
	}
	if printed, status := p.run("pos sale 1.000"); status == 0 || !strings.Contains(printed, "waits for its parameters") {
		t.Errorf("a sale with old parameters: %d %s", status, printed)
	}
	p.must("pos login amina")
	if printed, status := p.run(applyOne); status != 1 || !strings.Contains(printed, "this terminal has had version 2") {
		t.Errorf("version 1 again: %d %s", status, printed)
	}
	p.must(strings.Replace(applyOne, "v1.tillway", "v2.tillway", 1) + " && pos login amina")
	if s := p.state(); s.Current.Version != 2 || !s.Works {
		t.Errorf("%+v", s)
	}
}

// How often TestKilledWhileLoadingKeys kills posd, and with it the secure module.
const keyKills = 8

// TestKilledWhileLoadingKeys kills the real terminal without warning at moments all over the application of a package that brings other keys. Every
// next start has both keys of one package, and they are those of the package in force.
func TestKilledWhileLoadingKeys(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.office()
	p.background(startPosd, "posd waits")
	p.must("pos users init amina && pos login amina && pos users add badr technician && pos login amina")
	kek := p.keys()
	p.must("pos login badr && " + kek[1] + " && pos login amina")
	p.keyed(1)
	p.sign(1)
	p.must(applyOne + " && pos login amina")
	checks := map[uint32]string{1: p.checkValues()}
	random := rand.New(rand.NewPCG(killSeed, 25))
	p.keyed(2)
	p.sign(2)
	began := time.Now()
	p.must("pos provision apply v2.tillway")
	span := time.Since(began)
	checks[2] = p.checkValues()
	if checks[1] == checks[2] || strings.Count(checks[2], " ") != 1 {
		t.Fatalf("check values %q and %q", checks[1], checks[2])
	}
	now, old, fresh := uint32(2), 0, 0
	for round := range keyKills {
		next := p.state().Highest + 1
		p.keyed(int(next))
		p.sign(int(next))
		p.must("pos login amina")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		c := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf("pos provision apply v%d.tillway", next)) //nolint:gosec // a number of ours
		c.Dir, c.Env = p.dir, p.env
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(span))))
		p.running["posd"].kill()
		stop()
		_ = c.Wait() // its end says nothing: the files do
		p.again()
		s := p.state()
		if s.Failed != nil || !s.Works || s.Current.Version != now && s.Current.Version != next {
			t.Fatalf("round %d, version %d of %d: %+v", round, s.Current.Version, next, s)
		}
		if s.Current.Version == next {
			fresh++
		} else {
			old++
		}
		got := p.checkValues()
		for version, is := range checks {
			if version != s.Current.Version && is == got {
				t.Fatalf("round %d: version %d is in force, with the keys of version %d", round, s.Current.Version, version)
			}
		}
		if s.Current.Version == now && got != checks[now] {
			t.Fatalf("round %d: version %d is in force as before, and its keys are others: %s, and were %s", round, now, got, checks[now])
		}
		now = s.Current.Version
		checks[now] = got
	}
	t.Logf("%d kills: %d times the old package, %d times the new one", keyKills, old, fresh)
	if now > 2 { // and back: the keys of the one before are in force again
		p.sign(int(p.state().Highest)+1, "rm till-1/keys/*")
		p.must(fmt.Sprintf("pos login amina && pos provision apply v%d.tillway && pos login amina && pos provision rollback && pos login amina", p.state().Highest+1))
		if got := p.checkValues(); got != checks[now] {
			t.Errorf("after going back: %s, want %s", got, checks[now])
		}
	}
}

// keys loads the first component of a test key-encrypting key, and gives both lines.
func (p *provisioner) keys() (lines [2]string) {
	p.t.Helper()
	for i, share := range []string{strings.Repeat("1B2C3D4E", 4), "5A6978870F1E2D3CC3D2E1F00F0E0D0C"} {
		lines[i] = fmt.Sprintf("echo %s | pos keys component acquirer %d 2", share, i+1)
	}
	p.must(lines[0])
	return lines
}

// keyed puts PIN and MAC key of a version into the folder, under that key.
func (p *provisioner) keyed(version int) {
	p.t.Helper()
	const kek = "414545C914321072D8FEDCBE14223042" // the exclusive or of the two components
	p.must("mkdir -p till-1/keys")
	for use, header := range map[string]string{"pin": "B0000P0TE00N0000", "mac": "B0000M3TC00N0000"} {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", use, version))
		key := fmt.Sprintf("%X", sum[:16])
		p.must(fmt.Sprintf(`echo '{"fn":"tr31_wrap","in":{"kbpk":"%s","header":"%s","key":"%s"}}' | pos calc | sed 's/.*"block":"//; s/".*//' > till-1/keys/acquirer.%s.tr31`, kek, header, key, use))
	}
}

// checkValues are those of PIN and MAC key.
func (p *provisioner) checkValues() string {
	p.t.Helper()
	return strings.TrimSpace(p.must(`pos keys status --json | tr '{' '\n' | sed -n 's/.*"acquirer":"acquirer","use":"\(PIN\|MAC\)".*"check":"\([0-9A-F]*\)".*/\2/p' | tr '\n' ' '`))
}
