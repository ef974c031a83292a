package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/till"
)

// fenced are the blocks of one language in a page, in order.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page) //nolint:gosec // a page of the repository
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return all
}

// registers is a whole stack with an administrator who is logged in.
func registers(t *testing.T) *world {
	t.Helper()
	w := whole(t, io.Discard)
	if err := logIn(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if _, err := w.must(t.Context(), theirSecret+"\n", "login", administrator); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) caFile() string { return w.path(filepath.Join("state", "ecr", "ca.pem")) }

// TestIntegratorsPage plays every command and program of the page, in its order, in one shell.
func TestIntegratorsPage(t *testing.T) {
	const page = "../../docs/integrators.md"
	for _, needed := range []string{"curl", "sh", "sed", "grep"} {
		if _, err := exec.LookPath(needed); err != nil {
			fmt.Fprintf(os.Stderr, "NOT CHECKED: docs/integrators.md: %s is not there; apt-get install curl\n", needed)
			t.Skip("NOT CHECKED: the examples of the integrators' page: " + needed + " is not there (apt-get install curl)")
		}
	}
	w := registers(t)
	folder := t.TempDir()
	env := append(
		os.Environ(), "URL=https://"+w.ecr, "CA="+w.caFile(), "TILLWAY_SESSION="+w.path("session"), "TILLWAY_SOCKET="+w.path("posd.sock"),
		"PATH="+filepath.Dir(w.binary("pos"))+":"+os.Getenv("PATH"),
	)
	shell := func(script string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-eux", "-c", script)
		cmd.Env, cmd.Dir = env, folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	blocks := fenced(t, page, "sh")
	if len(blocks) < 8 {
		t.Errorf("%d blocks were found: the search is broken", len(blocks))
	}
	shell(strings.Join(blocks, "\n") + "\nprintf %s \"$TOKEN\" > token\n")
	token, err := os.ReadFile(filepath.Join(folder, "token"))
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "TOKEN="+string(token))
	for n, program := range fenced(t, page, "go") {
		name := filepath.Join(folder, fmt.Sprintf("example%d.go", n))
		if err := os.WriteFile(name, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "go", "run", name)
		cmd.Env, cmd.Dir = append(env, "GO111MODULE=off"), folder
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), " Approved ") {
			t.Errorf("%v: %s", err, out)
		}
	}
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := w.sales(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range slices.Backward(all) {
		kinds = append(kinds, string(s.Kind)+" "+string(s.State)+" "+s.By)
	}
	if got := strings.Join(kinds, ", "); got != "sale Approved ecr:till-3, refund Approved ecr:till-3, void Approved ecr:till-3, sale Approved ecr:till-3" {
		t.Errorf("the journal has: %s", got)
	}
}

// A register is a client of the door as an integrator's would be.
type register struct {
	t     *testing.T
	url   string
	token string
	http  *http.Client
}

func (w *world) register(t *testing.T, name string) *register {
	t.Helper()
	printed, err := w.must(t.Context(), "", "ecr", "add", name, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var made till.ECRToken
	if err := json.Unmarshal([]byte(printed), &made); err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	text, err := os.ReadFile(w.caFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &register{t, "https://" + w.ecr, made.Token, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}}
}

// try makes one request; an error is the connection's.
func (r *register) try(ctx context.Context, method, path, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return r.http.Do(req)
}

// rows follows the stream from behind a row until wanted of them came, or the stream ends; each is its number and what it says.
func (r *register) rows(ctx context.Context, after string, wanted int) (ids []string, rows []terminal.JournalRow, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	res, err := r.try(ctx, "GET", "/v1/events", "", "Last-Event-ID", after)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("stream: %s", res.Status)
	}
	event, in := "", bufio.NewReader(res.Body)
	for len(rows) < wanted {
		line, err := in.ReadString('\n')
		if err != nil {
			return ids, rows, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == "event":
			event = value
		case name == "id":
			ids = append(ids, value)
		case name == "data" && event == "row":
			var row terminal.JournalRow
			if err := json.Unmarshal([]byte(value), &row); err != nil {
				return ids, rows, err
			}
			rows = append(rows, row)
		}
	}
	return ids, rows, nil
}

// TestStreamOverRestarts: a register that is thrown off the stream again and again, by itself and by a terminal that is killed and
// started again, sees every row of the journal once, in order.
func TestStreamOverRestarts(t *testing.T) {
	w := registers(t)
	ctx := t.Context()
	r := w.register(t, "till-3")
	last := "0"
	var seen []int64
	take := func(wanted int) {
		t.Helper()
		ids, rows, err := r.rows(ctx, last, wanted)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if ids[i] != strconv.FormatInt(row.Seq, 10) {
				t.Errorf("id %s of row %d", ids[i], row.Seq)
			}
			seen = append(seen, row.Seq)
			last = ids[i]
		}
	}
	for n := range 3 {
		w.sale(t, 0, fmt.Sprintf("1%d.525", n))
		take(2) // and breaks off in the middle of the rest
		if err := w.powerCut(); err != nil {
			t.Fatal(err)
		}
		if err := w.startTerminal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.settled(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := w.journal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	take(len(all) - len(seen))
	var want []int64
	for _, row := range all {
		want = append(want, row.Seq)
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %v, the journal has %v", seen, want)
	}
}
