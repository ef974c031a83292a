package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/secure"
	"tillway/emv"
	"tillway/store"
	"tillway/terminal/people"
	"tillway/terminal/profile"
	"tillway/till"
	"tillway/till/logbook"
)

// rolesFit refuses a profile whose roles are open at a till.
func (c *config) rolesFit(p profile.Profile) error {
	if p.Roles.Open && !c.Development {
		return fmt.Errorf("profile %s lets anybody sell without logging in: take open out of its [roles], or set development = true in the config", p.Name)
	}
	return nil
}

// gate makes the local interface's access, and audits what the terminal starts with: the files by their hashes, and whether
// anybody may sell without a log-in.
func (d *disk) gate(ctx context.Context, config string, c config, p profile.Profile, log *slog.Logger) (*till.Access, error) {
	if d.highest != nil {
		if err := d.journal.WitnessAudit(ctx, d.highest, "audit"); err != nil {
			return nil, err
		}
	}
	entry := people.Entry{
		Actor: people.Terminal, Event: people.EventStart, Result: people.Done,
		Note: people.Note("release %s, config %s, profile %s %s, CA keys %s, %s", version(), fingerprint(config), p.Name, c.profileFingerprint(), c.caKeysFingerprint(), openWord(p.Roles.Open)),
	}
	if err := d.journal.Audit(ctx, entry); err != nil {
		return nil, fmt.Errorf("audit the start: %w", err)
	}
	if err := d.journal.Upkeep(ctx); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if p.Roles.Open {
		log.Warn("ROLES ARE OPEN: anybody at this terminal sells without logging in. This is for development: take open out of the profile's [roles]")
	}
	return till.NewAccess(till.AccessConfig{People: d.journal, Policy: p.Roles, Log: area(log, logbook.Till)}), nil
}

func openWord(open bool) string {
	if open {
		return "roles OPEN"
	}
	return "roles closed"
}

// fingerprint is the start of a file's SHA-256.
func fingerprint(path string) string {
	if path == "" {
		return "none"
	}
	b, err := os.ReadFile(path) //nolint:gosec // the technician names the file
	if err != nil {
		return "unreadable"
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%x", sum[:8])
}

func (c *config) profileFingerprint() string {
	if c.params != nil {
		return fmt.Sprintf("(parameters version %d, %s)", c.params.Version, c.params.Digest().Short())
	}
	if strings.HasSuffix(c.Profile, ".toml") {
		return fingerprint(c.Profile)
	}
	return "(ready)"
}

func (c *config) caKeysFingerprint() string {
	switch {
	case c.CAKeys == "":
		return "none"
	case c.params != nil:
		return "(parameters)"
	}
	return fingerprint(c.CAKeys)
}

// verified runs the journal's verification for the local interface.
func (d *disk) verified(ctx context.Context) (till.Verified, error) {
	r, err := d.journal.Verify(ctx)
	if err != nil {
		return till.Verified{}, err
	}
	if err := d.journal.Upkeep(ctx); err != nil { // what it found is audited now
		return till.Verified{}, err
	}
	return till.Verified{Rows: r.Rows, Audit: r.Audit, Findings: r.Findings, More: r.More}, nil
}

// hostDid audits what a host did, or tried, with keys.
func (d *disk) hostDid(log *slog.Logger) func(context.Context, bool, string) {
	return func(ctx context.Context, done bool, note string) {
		entry := people.Entry{Actor: people.Terminal, Event: people.EventKeys, Result: people.Denied, Note: people.Note("%s", note)}
		if done {
			entry.Result = people.Done
		}
		if err := d.journal.Audit(ctx, entry); err != nil {
			log.Error("an order of the host could not be audited", "note", note, "err", err)
		}
	}
}

// tokenOf makes a card's token in the secure module.
func tokenOf(keys secure.Tokens) func(context.Context, emv.PAN) ([]byte, error) {
	return func(ctx context.Context, pan emv.PAN) ([]byte, error) {
		return keys.Token(ctx, secure.PAN(pan.Clear()))
	}
}

// errUnsound is the exit of a verification that found something.
var errUnsound = errors.New("something is missing, changed or out of order: keep the state folder for support")

func auditCommand(from *source, out, errOut io.Writer) *cobra.Command {
	verify := &cobra.Command{
		Use: "verify", Short: "Check audit log, journal and people of a terminal that is stopped", Args: cobra.NoArgs,
		Long: `verify reads every row that the terminal keeps and names each that is missing, changed, moved or cut off at the end. It is for
a terminal that is stopped; pos audit verify asks one that runs.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return verifyStopped(cmd.Context(), *from, out, errOut) },
	}
	c := &cobra.Command{Use: "audit", Short: "Check the audit log", Args: cobra.NoArgs}
	c.AddCommand(verify)
	return c
}

func verifyStopped(ctx context.Context, from source, out, errOut io.Writer) (err error) {
	c, err := from.load(nil)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.State); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	unlock, err := lockState(c.State)
	if err != nil {
		return err
	}
	defer unlock()
	log := logger(c, errOut)
	d, err := openDiskWith(ctx, c.State, moduleOf(c, log, errOut, func(secure.Event) {}), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	began := time.Now()
	r, err := d.journal.Verify(ctx)
	if err != nil {
		return err
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "%d rows, %d of them of the audit log, %d findings, %s\n", r.Rows, r.Audit, len(r.Findings), time.Since(began).Round(time.Millisecond)); err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return errUnsound
	}
	return nil
}

var _ till.People = (*store.Store)(nil)
