package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/till"
)

const (
	nexoScript = "../../till/nexo/client/drive.mjs"
	nexoWithin = 8 * time.Minute // for all scenarios, on a machine that does much else besides
)

// needNexoClient gives Node's path, or ends the test where the client library cannot run.
func needNexoClient(tb testing.TB) (node string) {
	tb.Helper()
	const fix = "make deps-screen installs it."
	node, err := exec.LookPath("node")
	if err != nil {
		notChecked(tb, "Node is not installed", fix)
	}
	if _, err := os.Stat(filepath.Join(screenFolder, "node_modules", "@adyen", "api-library")); err != nil {
		notChecked(tb, "till/screen/node_modules has no @adyen/api-library", fix)
	}
	return node
}

// A nexoShop is a stack with a door for cash registers, two of them, and a key.
type nexoShop struct {
	*browserStage

	door           string // https://host:port
	token, trusted string // of till-1, and of till-2, which may settle and refund without a sale
	phrase         string // till-1's nexo key, version 1
}

func newNexoShop(tb testing.TB) *nexoShop {
	tb.Helper()
	shop := &nexoShop{}
	shop.browserStage = newBrowserStage(tb, "nexo", func(w *world) (func(context.Context) error, error) {
		shop.door = "https://" + w.ecr
		err := w.edit(w.config, [][2]string{{"[ecr]\n", "[ecr]\nnexo_clear = true\n"}}, "")
		return func(ctx context.Context) error { return shop.register(ctx, w) }, err
	})
	return shop
}

// register adds the cash registers, as an administrator.
func (n *nexoShop) register(ctx context.Context, w *world) error {
	if err := logIn(ctx, w); err != nil {
		return err
	}
	if _, err := w.must(ctx, theirSecret+"\n", "login", administrator); err != nil {
		return err
	}
	for _, r := range []struct {
		to   *string
		args []string
	}{
		{&n.token, []string{"ecr", "add", "till-1"}},
		{&n.trusted, []string{"ecr", "add", "till-2", "--may", "status,sale,refund,unreferenced_refund,void,journal,report,settle"}},
	} {
		var made till.ECRToken
		if err := n.made(ctx, w, &made, r.args...); err != nil {
			return err
		}
		*r.to = made.Token
	}
	var made till.NexoKeyMade
	err := n.made(ctx, w, &made, "ecr", "nexo-key", "till-1")
	n.phrase = made.Passphrase
	return err
}

func (n *nexoShop) made(ctx context.Context, w *world, into any, args ...string) error {
	printed, err := w.must(ctx, "", append(args, "--json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(printed), into)
}

// TestNexoClient drives the real programs with the unmodified, MIT-licensed client @adyen/api-library: in clear, enciphered, and by
// its class for the cloud. What it is told is held to the journal and to the bank's ledger.
func TestNexoClient(t *testing.T) {
	node := needNexoClient(t)
	shop := newNexoShop(t)
	modules, err := filepath.Abs(filepath.Join(screenFolder, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), nexoWithin)
	defer stop()
	cmd := exec.CommandContext(ctx, node, nexoScript, "--modules", modules, "--stage", shop.control.URL, "--door", shop.door, "--poi", "Tillway-TILL0001",
		"--ca", shop.path("state/ecr/ca.pem"), "--token", shop.token, "--phrase", shop.phrase, "--trusted", shop.trusted)
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+shop.path("state/ecr/ca.pem"))
	cmd.WaitDelay = 10 * time.Second
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, played, finished := bufio.NewScanner(out), 0, false
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line browserLine
		switch err := json.Unmarshal(lines.Bytes(), &line); {
		case err != nil:
			t.Errorf("the script said %q", lines.Text())
		case line.Scenario == "":
			finished = line.Done
		case line.Error != "":
			t.Errorf("%s: %s", line.Scenario, line.Error)
		default:
			t.Log(line.Scenario)
			played++
		}
	}
	if err := errors.Join(lines.Err(), cmd.Wait(), ctx.Err()); err != nil || !finished || played == 0 {
		t.Errorf("the script did not end well after %d scenarios: %v\n%s", played, err, trouble.String())
	}
	if err := shop.settled(t.Context()); err != nil {
		t.Error(err)
	}
	shop.nothingOnDisk(t)
}
