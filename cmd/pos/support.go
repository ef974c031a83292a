package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/survey"
	"tillway/till"
	"tillway/till/support"
)

func (a *app) supportBundle() *cobra.Command {
	var config string
	c := &cobra.Command{
		Use: "support-bundle [FILE]", Short: "Make the file that a support desk asks for, without secrets",
		Long: `support-bundle writes one tar.gz of at most 5 MB with what a support desk asks for: versions, status, the terminal's test of itself,
the configuration without secrets and comments, the last lines of the log, the last rows of journal and audit log, messages with the bank
and transcripts, both masked, figures, card readers, disk, kernel and the state of the services. manifest.json in it has a sum of every file.

Card numbers are masked; there is no key, PIN, token, passphrase, secret or free text of the shop in it. Look into it all the same before
you send it. FILE must not be there yet; without one it is named after the time, in this folder. Where the daemon does not run, the
bundle has what can be seen without it. It takes the action support (a technician's), and is audited.`,
		Example: "  pos support-bundle\n  pos support-bundle /tmp/till-3.tar.gz",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, argv []string) error {
			now := time.Now()
			path := "tillway-support-" + now.Format("20060102-150405") + ".tar.gz"
			if len(argv) == 1 {
				path = argv[0]
			}
			return a.writeBundle(c.Context(), path, config, now)
		},
	}
	c.Flags().StringVar(&config, "config", "/etc/tillway/posd.toml", "the daemon's config file, for where the daemon does not run")
	return c
}

// bundleMade is what pos support-bundle --json prints.
type bundleMade struct {
	File    string           `json:"file"`
	Bytes   int64            `json:"bytes"`
	Daemon  bool             `json:"daemon"` // the daemon's part is in it
	Files   []support.Listed `json:"files"`
	LeftOut []string         `json:"left_out,omitempty"`
}

// writeBundle makes the file. It is whole, or it is not there.
func (a *app) writeBundle(ctx context.Context, path, config string, now time.Time) (err error) {
	out, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s is there already: name another file", path)
	}
	if err != nil {
		return usage("%w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	files, daemon, err := a.bundleFiles(ctx, config)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	m, err := support.Pack(out, files, "pos "+programVersion(), now)
	if err = errors.Join(err, out.Close()); err != nil {
		return usage("%w", err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		return usage("%w", err)
	}
	made := bundleMade{path, fi.Size(), daemon, m.Files, m.LeftOut}
	if a.json {
		return a.printJSON(made)
	}
	a.printf("%s: %d bytes, %d files\n", path, made.Bytes, len(made.Files)+1)
	if !daemon {
		a.printf("The daemon does not answer: its part is not in it; machine/daemon.txt says why.\n")
	}
	for _, f := range made.Files {
		if f.Masked > 0 {
			a.printf("%s: %d numbers like a card's were masked that should not have been there\n", f.Name, f.Masked)
		}
	}
	if len(made.LeftOut) > 0 {
		a.printf("%d files were left out for want of room\n", len(made.LeftOut))
	}
	return nil
}

// bundleFiles are the daemon's part and what this program sees itself. A refusal by the daemon ends it; that it does not answer does not.
func (a *app) bundleFiles(ctx context.Context, config string) (files []support.File, daemon bool, err error) {
	cl := a.client()
	defer cl.close()
	var theirs till.SupportFiles
	err = cl.call(ctx, watchLimit, "POST", "/v1/support", struct{}{}, &theirs)
	switch {
	case err == nil:
		for _, f := range theirs.Files {
			files = append(files, support.File{Name: f.Name, Text: f.Text})
		}
		files = append(files, a.moreOfDaemon(ctx, cl)...)
		daemon = true
	case errors.Is(err, errLost):
		files = append(files, support.File{Name: "machine/daemon.txt", Text: err.Error() + "\n"}, configFile(config))
	default:
		return nil, false, err
	}
	look, stop := context.WithTimeout(ctx, watchLimit)
	defer stop()
	files = append(files, support.JSON("machine/readers.json", foundReaders(look, survey.Local())))
	return append(files, machineFiles(look)...), daemon, nil
}

// moreOfDaemon asks for what other routes have: the test of itself and the figures, of a daemon that has them and lets this person.
func (a *app) moreOfDaemon(ctx context.Context, cl *client) (files []support.File) {
	if text, err := cl.raw(ctx, watchLimit, "POST", "/v1/selftest", struct{}{}); err != nil {
		files = append(files, support.Missing("terminal/selftest.json", err))
	} else {
		files = append(files, support.File{Name: "terminal/selftest.json", Text: indented(text)})
	}
	for name, path := range map[string]string{"terminal/metrics.txt": "/metrics", "terminal/health.json": "/v1/health"} {
		if text, err := cl.raw(ctx, requestLimit, "GET", path, nil); err == nil {
			files = append(files, support.File{Name: name, Text: string(text)})
		}
	}
	return files
}

func indented(text []byte) string {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	return support.JSON("", v).Text
}

// configFile is the daemon's config, for where the daemon cannot give it.
func configFile(path string) support.File {
	const name = "terminal/posd.toml"
	text, err := readFile(path)
	if err != nil {
		return support.Missing(name, err)
	}
	shown, err := support.Config(string(text))
	if err != nil {
		return support.Missing(name, fmt.Errorf("%s: %w", path, err))
	}
	return support.File{Name: name, Text: shown}
}

func programVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "development"
}
