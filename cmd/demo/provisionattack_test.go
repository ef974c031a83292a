package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttackParameters hands the real terminal what a thief, a slip or a bad line could: it is refused in one sentence, status, log and audit
// log say why, and the terminal goes on with the parameters that it has (attack 22).
func TestAttackParameters(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.firstTime()
	p.sign(5)
	p.must("pos provision apply v5.tillway && pos login amina")
	p.must("pos provision keygen thief.pem > thief.trust && cp -r till-1 theirs && cat thief.trust >> theirs/package.toml && pos provision sign theirs --key thief.pem --out stranger.tillway")
	p.sign(4)
	p.sign(6)
	good, err := os.ReadFile(p.path("v6.tillway"))
	if err != nil {
		t.Fatal(err)
	}
	p.file("cut.tillway", string(good[:len(good)-100]))
	p.file("longer.tillway", string(good)+"x")
	p.file("changed.tillway", strings.Replace(string(good), "TILLWAY TEST SHOP", "TILLWAY EVIL SHOP", 1))
	p.file("header.tillway", strings.Replace(string(good), `"version":6`, `"version":7`, 1))
	p.must("mkdir other && cp -r till-1/. other && sed -i 's|TILL0001|TILL0002|' other/package.toml other/profile.toml && pos provision sign other --key office.pem --out other.tillway")
	p.must("cp -r till-1 dialect && sed -i 's|^tpdu.*|tpdu = \"60\"|' dialect/config.toml && pos provision sign dialect --key office.pem --out dialect.tillway")
	p.must("cp -r till-1 key && printf '\\n[acquirer]\\nlenght = 2\\n' > key/more && sed -i 's|^nii.*|nii = \"003\"\\nnonsense = 1|' key/config.toml && rm key/more && pos provision sign key --key office.pem --out key.tillway")
	p.must("cp -r till-1 keys && mkdir keys/keys && cp host/keys/pin.tr31 keys/keys/acquirer.pin.tr31 && pos provision sign keys --key office.pem --out keys.tillway")
	p.file("nothing.tillway", "")
	for file, says := range map[string]string{
		"v4":       "version 4, and this terminal has had version 5",
		"v1":       "this terminal has had version 5",
		"v5":       "in force already",
		"stranger": "does not trust the signer",
		"other":    "for TILL0002",
		"dialect":  "cannot use the package",
		"key":      "unknown key",
		"keys":     "the pin key of acquirer",
	} {
		p.refused(file, says, 1)
	}
	for file, says := range map[string]string{"cut": "changed or cut", "longer": "changed or cut", "changed": "changed or cut", "header": "changed or cut", "nothing": "no whole parameter package"} {
		p.refused(file, says, 1) // pos says so itself
		p.pushed(file, says)     // and posd does
	}
	if s := p.state(); s.Current.Version != 5 || s.Highest != 5 || s.Refused == nil || s.Failed != nil {
		t.Errorf("after all that: %+v", s)
	}
	audit := p.must("pos audit list --last 100 2>/dev/null || pos audit list")
	for _, says := range []string{"version 4 refused", "version 6 refused: the signature" /* cut */, "does not trust the signer", "for TILL0002"} {
		if !strings.Contains(audit, says) && !strings.Contains(audit, strings.ReplaceAll(says, "version 6", "version 0")) {
			t.Errorf("the audit log does not say %q:\n%s", says, audit)
		}
	}
	p.must("pos provision apply v6.tillway")
	if s := p.state(); s.Current.Version != 6 {
		t.Errorf("the good one is not taken: %+v", s)
	}
}

// refused applies a file that pos or posd has to refuse.
func (p *provisioner) refused(file, says string, status int) {
	p.t.Helper()
	printed, got := p.run("pos provision apply " + file + ".tillway")
	if got != status || !strings.Contains(printed, says) || strings.Count(strings.TrimSpace(printed), "\n") > 0 {
		p.t.Errorf("%s: exit status %d, %q, want %q", file, got, printed, says)
	}
	if s := p.state(); s.Current.Version != 5 || !s.Works {
		p.t.Fatalf("%s: %+v is in force", file, s.Current)
	}
}

// pushed hands a file to posd past pos.
func (p *provisioner) pushed(file, says string) {
	p.t.Helper()
	session, err := os.ReadFile(p.path("session"))
	if err != nil {
		p.t.Fatal(err)
	}
	_, token, _ := strings.Cut(string(session), `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	body, err := os.ReadFile(p.path(file + ".tillway"))
	if err != nil {
		p.t.Fatal(err)
	}
	w := newWorld(&stack{folder: p.path("till")}, os.Stderr)
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://posd/v1/provision", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/vnd.tillway.parameters")
	answer, err := w.local.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text.String(), says) {
		p.t.Errorf("%s: %s %s", file, answer.Status, text.String())
	}
}

// TestAttackServicePassword: a new machine has no secret that anybody could know. Nobody logs in, applies a package or takes a ticket for
// keys before the first administrator has chosen one, and a short one is none (attack 18).
func TestAttackServicePassword(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.office()
	p.background(startPosd, "posd waits")
	for name, secret := range map[string]string{
		"admin": "admin", "administrator": "administrator", "technician": "0000", "service": "166831", "root": "", "tillway": "tillway", "supervisor": "Z66831", "amina": "12345678",
	} {
		if printed, status := p.run(fmt.Sprintf("echo %q | pos login %s", secret, name)); status == 0 {
			t.Fatalf("%s logged in with %q: %s", name, secret, printed)
		}
	}
	for _, line := range []string{applyOne, "pos keys exchange", "pos users add eve technician", "pos audit list", "pos provision rollback"} {
		if printed, status := p.run(line); status == 0 || !strings.Contains(printed, "Log in") {
			t.Errorf("%s without a log-in: exit status %d: %s", line, status, printed)
		}
	}
	for _, secret := range []string{"1234", "abcdef", "aminaamina12", "correct horse battery"} {
		if printed, status := p.run(fmt.Sprintf("echo %q | pos users init amina", secret)); status == 0 {
			t.Errorf("%q is a secret: %s", secret, printed)
		}
	}
	if printed, status := p.run("pos sale 1.000"); status == 0 || !strings.Contains(printed, "waits for its parameters") {
		t.Errorf("a sale without parameters: %d %s", status, printed)
	}
	p.must("pos users init amina && pos login amina")
	if printed, status := p.run("pos users init eve"); status == 0 {
		t.Errorf("a second first administrator: %s", printed)
	}
	p.must("pos users add tariq technician")
	for try := range 5 {
		if printed, status := p.run("echo 'wrong horse battery 9' | pos login tariq"); status == 0 {
			t.Fatalf("try %d: %s", try, printed)
		}
	}
	if printed, status := p.run("pos login tariq"); status == 0 || !strings.Contains(printed, "ocked") {
		t.Errorf("the right secret after five wrong ones: %d %s", status, printed)
	}
	p.must("pos login amina && pos users unlock tariq && pos login tariq && pos login amina")
	p.must(applyOne)
	if s := p.state(); s.Current.Version != 1 || s.Current.By != "amina" {
		t.Errorf("%+v", s)
	}
}

// again starts posd after a kill. keyd notices that posd has gone when its socket ends: until then it holds its files.
func (p *provisioner) again() {
	p.t.Helper()
	for range 100 {
		run, err := launch(p.dir, "posd", filepath.Join(p.programs, "posd"), "--state", p.path("till"), "--development")
		if err != nil {
			p.t.Fatal(err)
		}
		p.running["posd"] = run
		err = run.until(p.t.Context(), "waiting to be ready", func(context.Context) bool { return strings.Contains(run.output(), "posd ready") })
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "is held by another process") {
			p.t.Fatal(err)
		}
		time.Sleep(pollEvery)
	}
	p.t.Fatal("keyd does not let go of its files")
}

// How often TestKilledWhileApplying kills posd.
const applyKills = 20

// TestKilledWhileApplying kills the real posd without warning at moments all over the application of a package. Every next start runs with the
// old one or the new one, whole; whoever was told that the new one is in force finds it; and in the end the terminal takes another.
func TestKilledWhileApplying(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.firstTime()
	p.sign(2)
	began := time.Now()
	p.must("pos provision apply v2.tillway")
	span := time.Since(began) // kills are spread over this long: how fast the machine is decides nothing else
	random := rand.New(rand.NewPCG(killSeed, 24))
	now, old, fresh := uint32(2), 0, 0
	for round := range applyKills {
		next := uint32(p.state().Highest) + 1
		p.sign(int(next))
		p.must("pos login amina")
		acknowledged := make(chan bool, 1)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		c := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf("pos provision apply v%d.tillway", next)) //nolint:gosec // a number of ours
		c.Dir, c.Env = p.dir, p.env
		go func() { acknowledged <- c.Run() == nil }()
		select {
		case done := <-acknowledged: // it was quicker than the knife
			acknowledged <- done
		case <-time.After(time.Duration(random.Int64N(int64(span)))):
		}
		p.running["posd"].kill()
		stop()
		told := <-acknowledged
		p.again()
		s := p.state()
		switch {
		case s.Failed != nil, !s.Works, s.Current.Version != now && s.Current.Version != next:
			t.Fatalf("round %d, version %d of %d: %+v", round, s.Current.Version, next, s)
		case told && s.Current.Version != next:
			t.Fatalf("round %d: version %d was in force, and now it is %d", round, next, s.Current.Version)
		case s.Current.Version == next:
			fresh++
		default:
			old++
		}
		now = s.Current.Version
	}
	t.Logf("%d kills: %d times the old package, %d times the new one", applyKills, old, fresh)
	last := int(p.state().Highest) + 1
	p.sign(last)
	p.must(fmt.Sprintf("pos login amina && pos provision apply v%d.tillway && pos login amina && pos audit verify", last))
	if s := p.state(); s.Current.Version != uint32(last) { //nolint:gosec // a small number
		t.Error(errors.New("the terminal takes no package any more"), s)
	}
}

// TestApplyWhileSelling: a package waits for no sale and no sale for a package: while one runs the answer is that, and nothing is changed; what is
// applied right behind it leaves the sale as it ended.
func TestApplyWhileSelling(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.background("readeremu gempc --link reader --control reader.ctl --card none --hand auto", " ready at ")
	p.office()
	p.must(`sed -i 's|port = "no-reader"|port = "../reader"|' till-1/config.toml`)
	p.sign(1)
	p.background(startPosd, "posd waits")
	p.must("pos users init amina && pos login amina && " + applyOne + " && pos login amina && pos users add sara supervisor")
	p.sign(2)
	p.must("TILLWAY_SESSION=sara pos login sara")
	sale := make(chan string, 1)
	go func() { // no card is in: it waits for one
		printed, status := p.run("TILLWAY_SESSION=sara pos sale 1.000")
		sale <- fmt.Sprintf("exit status %d: %s", status, printed)
	}()
	p.must("until TILLWAY_SESSION=sara pos status --json | grep -q AwaitCard; do sleep 0.05; done")
	if printed, status := p.run("pos provision apply v2.tillway"); status != 3 || !strings.Contains(printed, "a sale is running") {
		t.Errorf("applied while a sale runs: exit status %d: %s", status, printed)
	}
	if s := p.state(); s.Current.Version != 1 || s.Highest != 1 {
		t.Errorf("%+v", s)
	}
	applied := make(chan string, 1)
	go func() {
		printed, status := p.run("pos provision apply v2.tillway")
		applied <- fmt.Sprintf("exit status %d: %s", status, printed)
	}()
	p.must("readeremu ctl --control reader.ctl insert credit")
	if said := <-sale; !strings.HasPrefix(said, "exit status 0") || !strings.Contains(said, "APPROVED") {
		t.Errorf("the sale: %s", said)
	}
	if said := <-applied; !strings.HasPrefix(said, "exit status 0") {
		t.Errorf("applied right behind the sale: %s", said)
	}
	if s := p.state(); s.Current.Version != 2 {
		t.Errorf("%+v", s)
	}
	p.must("pos login sara && pos show 1 --json | grep -q '\"state\":\"Approved\"'")
}
