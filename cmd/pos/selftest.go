package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/selftest"
)

// selftestLimit is longer than the terminal's own bounds: four hosts that say nothing, and a disk that hangs.
const selftestLimit = 3 * time.Minute

const systemConfig = "/etc/tillway/posd.toml"

// selftest has the terminal test itself, and does without posd what can be done without it.
func (a *app) selftest() *cobra.Command {
	var config string
	c := &cobra.Command{
		Use: "selftest", Short: "Have the terminal test itself, and say what is wrong and what to do", Args: args(),
		Long: `selftest looks at everything that a sale needs: disk, journal, keys, certificates, clock, every host of the acquirer, the queue,
reader and printer. It runs between two sales, sells nothing, and says of each fault what to do; docs/faults.md lists them.

Where posd does not run, it says so and why, and has "posd check" do what can be done without it: as root, or as the user that posd
runs as. Exit status: 0 no fault, 1 a fault, 3 a sale runs.`,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.tested(c.Context(), config)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				a.printf("%s", r.Text())
			}
			if err == nil && r.Faults > 0 {
				err = &exit{1, nil}
			}
			return err
		},
	}
	c.Flags().StringVar(&config, "config", "", "posd's config file, where posd does not run (default: posd.toml beside its socket, or the state folder that the socket is in, else "+systemConfig+")")
	return c
}

// tested asks posd, or looks from outside.
func (a *app) tested(ctx context.Context, config string) (selftest.Report, error) {
	cl := a.client()
	defer cl.close()
	var r selftest.Report
	err := cl.call(ctx, selftestLimit, http.MethodPost, "/v1/selftest", nil, &r)
	if !errors.Is(err, errLost) {
		return r, err
	}
	conn, derr := a.dial(ctx, cl.socket)
	if derr == nil {
		_ = conn.Close()
		return r, err // it is there, and did not answer
	}
	if errors.Is(derr, fs.ErrPermission) {
		return r, err
	}
	from := []string{"--config", config}
	if config == "" {
		from = findConfig(cl.socket)
	}
	down := selftest.Bad("posd_down", cl.socket, "posd does not run: nobody answers at "+cl.socket+".")
	r, cerr := a.checked(ctx, from...)
	if cerr != nil {
		return selftest.NewReport(time.Now(), 0, "", false, []selftest.Finding{down, selftest.Missed(selftest.Daemon, "posd check", cerr.Error())}), nil
	}
	for _, f := range r.Findings {
		if f.Status == selftest.Fault && keepsFromStarting(f) {
			down.Cause = "posd does not run, and would not start: " + f.Cause
			down.Fix = f.Fix
			break
		}
	}
	return selftest.NewReport(r.Time, time.Duration(r.TookMs)*time.Millisecond, r.Version, false, append([]selftest.Finding{down}, r.Findings...)), nil
}

// keepsFromStarting says whether posd would not start with a fault.
func keepsFromStarting(f selftest.Finding) bool {
	switch f.Fault {
	case "config_wrong", "folder_closed", "disk_full", "disk_read_only", "database_corrupt", "database_missing", "keyd_gone", "certificate_file":
		return true
	}
	return false
}

// checked runs posd check.
func (a *app) checked(ctx context.Context, from ...string) (r selftest.Report, err error) {
	program, err := a.findPosd()
	if err != nil {
		return r, err
	}
	ctx, stop := context.WithTimeout(ctx, selftestLimit)
	defer stop()
	cmd := exec.CommandContext(ctx, program, append([]string{"check", "--json"}, from...)...) //nolint:gosec // the terminal's own daemon
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	if jerr := json.Unmarshal(text, &r); jerr != nil {
		if err == nil {
			err = jerr
		}
		return r, fmt.Errorf("%s check: %w: %.300s", program, err, bytes.TrimSpace(said.Bytes()))
	}
	return r, nil
}

// findPosd is the daemon's program: beside this one, or where a package has it.
func (a *app) findPosd() (string, error) {
	places := []string{"/usr/sbin/posd"}
	if a.executable != "" {
		dir := filepath.Dir(a.executable)
		places = []string{filepath.Join(dir, "posd"), filepath.Join(dir, "..", "sbin", "posd"), places[0]}
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", fmt.Errorf("the program posd is not there: looked for it at %s", places)
}

// findConfig is posd's config, as posd is told it: beside its socket in a folder for trying it out; the folder itself where that is the state
// folder of a terminal without a config file; else the system's.
func findConfig(socket string) []string {
	dir := filepath.Dir(socket)
	if beside := filepath.Join(dir, "posd.toml"); socket != systemSocket {
		if _, err := os.Stat(beside); err == nil {
			return []string{"--config", beside}
		}
		if _, err := os.Stat(filepath.Join(dir, "journal.db")); err == nil {
			return []string{"--state", dir}
		}
	}
	return []string{"--config", systemConfig}
}
