package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// figuresAt is where posd's ready line says that the figures are.
var figuresAt = regexp.MustCompile(`figures (http://[^/\s]+)/metrics`)

// figures is the door's address, of a posd that runs.
func (p *program) figures(t *testing.T) string {
	t.Helper()
	m := figuresAt.FindStringSubmatch(p.output())
	if m == nil {
		t.Fatalf("posd does not say where its figures are: %s", p.tail())
	}
	return m[1]
}

func scraped(t *testing.T, address string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestFiguresOfASale: whoever scrapes the real posd behind a sale sees that sale, in a text that Prometheus' own program takes; and a terminal
// whose host is down lives, is not ready, and says why. The figures show no card.
func TestFiguresOfASale(t *testing.T) {
	t.Parallel()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.edit(w.config, nil, "\n[metrics]\nlisten = \"127.0.0.1:0\"\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := w.running[slices.IndexFunc(w.running, func(p *program) bool { return p.name == "posd" })].figures(t)
	if err := w.await(t.Context(), "the terminal to be ready", func(context.Context) bool { status, _ := scraped(t, at+"/readyz"); return status == http.StatusOK }); err != nil {
		_, said := scraped(t, at+"/readyz")
		t.Fatal(err, said)
	}
	const sold = `tillway_transactions_total{kind="sale",state="Approved",way="online"} 1`
	if _, before := scraped(t, at+"/metrics"); strings.Contains(before, sold) {
		t.Error("a sale is counted that there was not")
	}
	if err := w.cardholder(t.Context(), "insert", "credit"); err != nil {
		t.Fatal(err)
	}
	w.sale(t, 0, "1.000")
	status, text := scraped(t, at+"/metrics")
	for _, line := range []string{sold, `tillway_phase_seconds_count{phase="total"} 1`, "tillway_batch_payments 1", "tillway_host_up 1", "tillway_reader_up 1", "tillway_keys_up 1"} {
		if status != http.StatusOK || !strings.Contains(text, line+"\n") {
			t.Errorf("%d: %s is not in\n%s", status, line, text)
		}
	}
	if strings.Contains(text, "476173") {
		t.Error("a card's number is in the figures")
	}
	promtool(t, text)
	bank, err := w.take("hostsim")
	if err != nil {
		t.Fatal(err)
	}
	bank.end()
	if err := w.await(t.Context(), "the terminal to see that its host is down", func(context.Context) bool {
		status, said := scraped(t, at+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(said, `"host: `)
	}); err != nil {
		t.Error(err)
	}
	if status, said := scraped(t, at+"/healthz"); status != http.StatusOK {
		t.Errorf("it lives without its host: %d %s", status, said)
	}
	if _, text := scraped(t, at+"/metrics"); !strings.Contains(text, "tillway_host_up 0\n") {
		t.Error("the host is up, it says")
	}
}

// promtool has Prometheus' own program look at a scrape.
func promtool(t *testing.T, text string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI_NEEDS_PROMTOOL") != "" {
			t.Fatal("promtool is missing: make deps-ops installs it")
		}
		t.Log("NOT CHECKED: promtool is not on this machine (Debian: prometheus), which would look at the figures")
		return
	}
	c := exec.CommandContext(t.Context(), path, "check", "metrics")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestFiguresOfAWaitingTerminal: one that waits for its parameters lives, and its readiness says what it waits for.
func TestFiguresOfAWaitingTerminal(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.must("mkdir till")
	p.file("till/posd.toml", "development = true\n[metrics]\nlisten = \"127.0.0.1:0\"\n")
	run, err := launch(p.dir, "posd", p.programs+"posd", "--config", p.path("till/posd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.running["posd"] = run
	if err := run.until(t.Context(), "waiting", func(context.Context) bool { return figuresAt.MatchString(run.output()) }); err != nil {
		t.Fatal(err, run.tail())
	}
	at := run.figures(t)
	if status, said := scraped(t, at+"/healthz"); status != http.StatusOK {
		t.Errorf("%d %s", status, said)
	}
	status, said := scraped(t, at+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(said, `"parameters: no parameter package was applied yet"`) || strings.Contains(said, "host: ") {
		t.Errorf("%d %s", status, said)
	}
	if status, text := scraped(t, at+"/metrics"); status != http.StatusOK || !strings.Contains(text, "tillway_host_up 0\n") {
		t.Errorf("%d %s", status, text)
	}
}
