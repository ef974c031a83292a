package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A provisioner runs pos and what else stands in docs/provisioning.md in a folder of its own, with ports of its own.
type provisioner struct {
	t        *testing.T
	dir      string
	programs string
	env      []string
	ports    map[string]string // of the page: what is listened on instead
	running  map[string]*program
}

func newProvisioner(t *testing.T) *provisioner {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	p := &provisioner{t: t, dir: t.TempDir(), programs: programs, ports: map[string]string{}, running: map[string]*program{}}
	p.env = append(os.Environ(), "PATH="+filepath.Clean(programs)+":"+os.Getenv("PATH"), "TILLWAY_SESSION="+p.path("session"))
	for _, port := range []string{"127.0.0.1:8583", "127.0.0.1:8585"} {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.ports[port] = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, name := range []string{"posd", "readeremu", "hostsim"} {
			if run := p.running[name]; run != nil {
				run.end()
			}
		}
	})
	return p
}

func (p *provisioner) path(name string) string { return filepath.Join(p.dir, name) }

func (p *provisioner) own(line string) string {
	for page, own := range p.ports {
		line = strings.ReplaceAll(line, page, own)
	}
	return line
}

// secret is what everybody types here where a secret is asked for.
const secret = "correct horse battery 9\n"

// run runs one line as the page's reader would, and gives what it printed.
func (p *provisioner) run(line string) (printed string, status int) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, "sh", "-c", p.own(line)) //nolint:gosec // the lines are the page's
	c.Dir, c.Env, c.Stdin = p.dir, p.env, strings.NewReader(strings.Repeat(secret, 4))
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	if err != nil && c.ProcessState == nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return both.String(), c.ProcessState.ExitCode()
}

// must is run for a line that has to succeed.
func (p *provisioner) must(line string) string {
	p.t.Helper()
	printed, status := p.run(line)
	if status != 0 {
		p.t.Fatalf("%s\nexit status %d: %s", line, status, printed)
	}
	return printed
}

// background starts a program and waits for its first words.
func (p *provisioner) background(line string, says string) {
	p.t.Helper()
	words := strings.Fields(p.own(line))
	for i, w := range words { // relative to the folder, in which the program is not started
		if i > 0 && (words[i-1] == "--state" || words[i-1] == "--params-dir" || words[i-1] == "--link" || words[i-1] == "--control") {
			words[i] = p.path(w)
		}
	}
	run, err := launch(p.dir, words[0], filepath.Join(p.programs, words[0]), words[1:]...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.running[words[0]] = run
	if err := run.until(p.t.Context(), "waiting for "+says, func(context.Context) bool { return strings.Contains(run.output(), says) }); err != nil {
		p.t.Fatal(err)
	}
}

// block is a fenced block of a page.
type block struct{ kind, text string }

func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	for _, m := range regexp.MustCompile("(?s)```([a-z ]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

var wanted = regexp.MustCompile(`# exit status (\d+)$`)

// TestProvisioningPage runs every command of docs/provisioning.md, in order, against the real programs.
func TestProvisioningPage(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	ran := 0
	for _, b := range blocks(t, "provisioning.md") {
		for line := range strings.Lines(b.text) {
			line = strings.TrimSpace(line)
			switch {
			case b.kind == "toml":
				continue
			case b.kind == "sh background":
				p.background(line, map[string]string{"hostsim": "hostsim ready", "readeremu": " ready at ", "posd": "posd waits"}[strings.Fields(line)[0]])
			case strings.HasPrefix(line, "export "):
				p.env = append(p.env, strings.TrimPrefix(line, "export "))
			default:
				want := 0
				if m := wanted.FindStringSubmatch(line); m != nil {
					want, _ = strconv.Atoi(m[1])
				}
				printed, status := p.run(line)
				t.Logf("$ %s\n%s", line, printed)
				if status != want {
					t.Fatalf("%s\nexit status %d, want %d: %s\n%s", line, status, want, printed, p.log())
				}
				p.after(line)
			}
			ran++
		}
	}
	if ran < 40 {
		t.Errorf("only %d commands were run", ran)
	}
	status := p.state()
	if status.Current.Version != 5 || status.Current.By != "terminal" || status.Highest != 5 || status.Failed != nil || status.Server == nil {
		t.Errorf("in the end: %+v", status)
	}
}

// after does what the page leaves to people: this test's terminal has ports of its own, and no screen.
func (p *provisioner) after(line string) {
	p.t.Helper()
	if !strings.HasPrefix(line, "pos provision new") {
		return
	}
	name := strings.Fields(line)[4] + "/config.toml"
	text, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	p.file(name, p.own(string(text))+"\n[screen]\nlisten = \"\"\n")
}

func (p *provisioner) file(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *provisioner) log() string {
	if run := p.running["posd"]; run != nil {
		return run.tail()
	}
	return ""
}

// standing is what this test looks at of GET /v1/provision.
type standing struct {
	Works   bool   `json:"works"`
	Waiting string `json:"waiting"`
	Highest uint32 `json:"highest"`
	Current struct {
		Version uint32 `json:"version"`
		By      string `json:"by"`
	} `json:"current"`
	Failed, Refused *struct {
		Version uint32 `json:"version"`
		Reason  string `json:"reason"`
	}
	Server *struct {
		Answer string `json:"answer"`
	} `json:"server"`
}

func (p *provisioner) state() (s standing) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.must("pos provision status --json")), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// office makes a folder for packages that a terminal without screen and reader can use, and signs version 1.
func (p *provisioner) office() {
	p.t.Helper()
	p.background("hostsim --listen 127.0.0.1:8583 --state host", "hostsim ready")
	p.must("pos provision keygen office.pem --name office > office.trust && pos provision new kuwait till-1 && cat office.trust >> till-1/package.toml")
	p.after("pos provision new kuwait till-1")
	p.must(`cp host/ca.pem till-1/acquirer-ca.pem`)
	p.must(`sed -i 's|driver = "usb".*|port = "no-reader"|' till-1/config.toml`)
	p.sign(1)
	p.env = append(p.env, "TILLWAY_SOCKET=till/posd.sock")
}

// sign signs a version, after changing the folder.
func (p *provisioner) sign(version int, change ...string) (printed string) {
	p.t.Helper()
	p.must(fmt.Sprintf("sed -i 's|^version.*|version = %d|' till-1/package.toml", version))
	for _, c := range change {
		p.must(c)
	}
	return p.must(fmt.Sprintf("pos provision sign till-1 --key office.pem --out v%d.tillway", version))
}

const (
	startPosd = "posd --state till --development"
	applyOne  = "pos provision apply v1.tillway --terminal TILL0001 --fingerprint $(sed -n 's|# fingerprint ||p' office.trust)"
)

// firstTime has a terminal that runs with version 1, and an administrator who has logged in.
func (p *provisioner) firstTime() {
	p.t.Helper()
	p.office()
	p.background(startPosd, "posd waits")
	p.must("pos users init amina && pos login amina")
	p.must(applyOne)
	p.must("pos login amina")
}
