package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/provision"
	"tillway/till"
)

// startsAnew is how long apply and rollback wait for the terminal to be there again.
const startsAnew = 30 * time.Second

func (a *app) provisionState(ctx context.Context) (till.ParametersState, error) {
	var s till.ParametersState
	cl := a.client()
	defer cl.close()
	return s, cl.get(ctx, "/v1/provision", &s)
}

// packageInForce is the running terminal's.
func (a *app) packageInForce(ctx context.Context) (*provision.Package, error) {
	cl := a.client()
	defer cl.close()
	file, err := cl.raw(ctx, requestLimit, http.MethodGet, "/v1/provision/package", nil)
	if err != nil {
		return nil, err
	}
	return provision.Parse(file)
}

func (a *app) provisionStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Which package is in force, which one before, and what was refused", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.provisionState(c.Context())
			if err != nil {
				return err
			}
			return a.showParameters(s)
		},
	}
}

// parametersLine is how the parameters stand, in pos status.
func parametersLine(s till.ParametersState) string {
	line := "Parameters WAITING: " + s.Waiting
	if p := s.Current; p != nil {
		line = fmt.Sprintf("Params    version %d since %s", p.Version, p.Since.Format(time.DateOnly))
	}
	if f := s.Failed; f != nil {
		line += fmt.Sprintf("; NOT OK: version %d did not work and was taken back: %s", f.Version, f.Reason)
	}
	if f := s.Refused; f != nil {
		line += fmt.Sprintf("; version %d was refused: %s", f.Version, f.Reason)
	}
	return oneLine(line)
}

// serverLine is how the parameter server stands.
func serverLine(v till.ServerState) string {
	line := v.URL + ": "
	if v.Asked.IsZero() {
		line += "not asked yet"
	} else {
		line += fmt.Sprintf("%s (asked %s)", v.Answer, v.Asked.Format("2006-01-02 15:04:05"))
	}
	if v.Failures > 0 {
		line += fmt.Sprintf("; NOT OK: not reached %d times in a row", v.Failures)
		if !v.Reached.IsZero() {
			line += ", last on " + v.Reached.Format("2006-01-02 15:04:05")
		}
	}
	if !v.Next.IsZero() {
		line += "; asked again at " + v.Next.Format("2006-01-02 15:04:05")
	}
	return oneLine(line)
}

func (a *app) showParameters(s till.ParametersState) error {
	if a.json {
		return a.printJSON(s)
	}
	if !s.Packaged {
		a.printf("No packages: posd.toml names acquirer and profile itself.\n")
		return nil
	}
	if p := s.Current; p != nil {
		a.printf("In force version %d since %s, applied by %s, SHA-256 %.16s\n", p.Version, p.Since.Format("2006-01-02 15:04:05"), oneLine(p.By), p.SHA256)
		a.printf("For      terminal %s, merchant %s\nSigner   %s\n", oneLine(p.Terminal), oneLine(p.Merchant), p.Signer)
		for _, t := range p.Trust {
			a.printf("Trusts   %s\n", oneLine(t))
		}
	} else {
		a.printf("WAITING  %s\n", oneLine(s.Waiting))
	}
	if p := s.Previous; p != nil {
		a.printf("Before   version %d: pos provision rollback leads there\n", p.Version)
	}
	a.printf("Next     version %d or above\n", s.Highest+1)
	if f := s.Failed; f != nil {
		a.printf("FAILED   version %d did not work and was taken back: %s\n", f.Version, oneLine(f.Reason))
	}
	if f := s.Refused; f != nil {
		a.printf("REFUSED  version %d: %s\n", f.Version, oneLine(f.Reason))
	}
	if v := s.Server; v != nil {
		a.printf("Server   %s\n", serverLine(*v))
	}
	return nil
}

func (a *app) provisionApply() *cobra.Command {
	var word till.Word
	var look bool
	var ca string
	c := &cobra.Command{
		Use: "apply FILE|URL", Short: "Put a package in force, between two sales", Args: args("FILE or URL"),
		Long: `apply hands a package to the terminal that runs, from a file, as on a USB stick, or from an https address. The terminal judges it: whole,
signed by somebody whom the package in force trusts, for this terminal, newer than all before, and one that it can run with. If all
that is so it is put in force in one moment, between two sales, and the terminal starts anew with it; else nothing is changed and the
reason is said here, in pos provision status and in the audit log.

The first package of a terminal is trusted because you have compared its signer's fingerprint with what the sender gave you by
another way: apply shows it and asks, or takes it with --fingerprint, and the terminal that the package is for with --terminal.`,
		Example: "  pos provision apply /media/stick/till-1.tillway",
		RunE: func(c *cobra.Command, argv []string) error {
			p, err := a.fetchPackage(c.Context(), argv[0], ca)
			if err != nil {
				return err
			}
			before, err := a.provisionState(c.Context())
			if err != nil {
				return err
			}
			if before.Packaged && before.Current == nil && word.Fingerprint == "" {
				if word, err = a.compare(p); err != nil {
					return err
				}
			}
			cl := a.client()
			defer cl.close()
			path := "/v1/provision"
			if look {
				path += "?look=true"
			}
			if _, err := cl.send(c.Context(), path, p.File(), till.PackageType, map[string]string{till.FingerprintHeader: word.Fingerprint, till.TerminalHeader: word.Terminal}); err != nil {
				return refusal(err)
			}
			if look {
				if a.json {
					return a.printJSON(before)
				}
				a.printf("The terminal can use version %d. Nothing was changed.\n", p.Version)
				return nil
			}
			return a.inForce(c.Context(), p.Version)
		},
	}
	c.Flags().StringVar(&word.Fingerprint, "fingerprint", "", "of the signer, as you have compared it; for a terminal's first package")
	c.Flags().StringVar(&word.Terminal, "terminal", "", "the terminal that the package is to be for; for its first package")
	c.Flags().BoolVar(&look, "dry-run", false, "have it judged, and change nothing")
	c.Flags().StringVar(&ca, "ca", "", "file of the CA certificates that an https address is trusted by (the system's)")
	return c
}

// refusal gives what the terminal said of a package the exit status of something that was declined.
func refusal(err error) error {
	if p, ok := errors.AsType[*till.Problem](err); ok && strings.HasPrefix(p.Code, "package_") {
		return &exit{exitDeclined, err}
	}
	return err
}

// compare shows whose package it is, and asks somebody who sits there whether that was compared.
func (a *app) compare(p *provision.Package) (till.Word, error) {
	word := till.Word{Fingerprint: p.Signer().Fingerprint(), Terminal: p.Terminal}
	if !a.isTerminal() {
		return till.Word{}, usage("the first package of a terminal: compare the signer's fingerprint, then give it, and the terminal: --fingerprint %s --terminal %s", word.Fingerprint, word.Terminal)
	}
	fmt.Fprintf(a.errOut, "This is the first package of this terminal. From now on it trusts whom the package names.\n  for    terminal %s, merchant %s\n  signer %s\nIs that the fingerprint that the sender gave you, and the terminal that this is to be? Type yes: ", word.Terminal, p.Merchant, word.Fingerprint)
	line, err := hiddenLine(a.in)
	if err != nil || strings.TrimSpace(string(line)) != "yes" {
		return till.Word{}, &exit{exitNothingSent, errors.New("nothing was applied")}
	}
	return word, nil
}

// fetchPackage reads a package from a file or an https address.
func (a *app) fetchPackage(ctx context.Context, from, ca string) (*provision.Package, error) {
	if !strings.Contains(from, "://") {
		return openPackage(from)
	}
	if !strings.HasPrefix(from, "https://") {
		return nil, usage("%s: packages come from files and https addresses", from)
	}
	t := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if ca != "" {
		text, err := readAtMost(ca, maxSigningKey*8)
		if err != nil {
			return nil, usage("%w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, usage("%s holds no certificate (PEM)", ca)
		}
	}
	ctx, stop := context.WithTimeout(ctx, requestLimit)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, usage("%w", err)
	}
	answer, err := (&http.Client{Transport: t}).Do(r)
	if err != nil {
		return nil, &exit{exitUnreachable, err}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, &exit{exitUnreachable, fmt.Errorf("%s answered %s", from, answer.Status)}
	}
	file, err := io.ReadAll(io.LimitReader(answer.Body, provision.MaxBytes+1))
	if err != nil {
		return nil, &exit{exitUnreachable, err}
	}
	p, err := provision.Parse(file)
	if err != nil {
		return nil, &exit{exitDeclined, fmt.Errorf("%s: %w", from, err)}
	}
	return p, nil
}

// inForce waits until the terminal runs with a version, or has gone back because it does not work.
func (a *app) inForce(ctx context.Context, version uint32) error {
	ctx, stop := context.WithTimeout(ctx, startsAnew)
	defer stop()
	for {
		s, err := a.provisionState(ctx)
		switch {
		case err == nil && s.Failed != nil && s.Failed.Version == version:
			return &exit{exitDeclined, fmt.Errorf("version %d did not work and was taken back: %s", version, s.Failed.Reason)}
		case err == nil && s.Current != nil && s.Current.Version == version && s.Works:
			return a.showParameters(s)
		}
		select {
		case <-ctx.Done():
			return &exit{exitUnreachable, fmt.Errorf("version %d is in force, and the terminal is not there again: see posd's log", version)}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (a *app) provisionRollback() *cobra.Command {
	return &cobra.Command{
		Use: "rollback", Short: "Go back to the package before; an administrator's", Args: args(),
		Long: `rollback puts the package before in force again, between two sales. It leads one step back and no further, and only from this machine.
The version does not go back with it: the next package has to be above every one that there was.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var s till.ParametersState
			if err := cl.post(c.Context(), "/v1/provision/rollback", nil, &s); err != nil {
				return refusal(err)
			}
			if s.Current == nil {
				return a.showParameters(s)
			}
			return a.inForce(c.Context(), s.Current.Version)
		},
	}
}
