package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"tillway/store/parameters"
	"tillway/terminal/provision"
	"tillway/terminal/selftest"
)

// What posd's commands for a terminal that is stopped know of one whose parameters come in a package.

// name is what the configuration comes from, in findings: the config file, or the state folder.
func (s source) name() string {
	if s.path == "" {
		return s.state
	}
	return s.path
}

// inForce is the package that a state folder names as in force, whoever wrote that there. nil: none. It makes no folder.
func inForce(state string) (*provision.Package, error) {
	folder := filepath.Join(state, parametersFolder)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	disk, err := parameters.OpenFolder(folder)
	if err != nil {
		return nil, err
	}
	return parameters.Unsealed(disk)
}

// asStarted is the configuration that a start would come to, and what keeps it from that. A terminal that waits for a package is no error: it
// has packaged, and no params.
func (s source) asStarted(own config) (config, error) {
	if !own.packaged {
		return own, noPackageInForce(own.State, s.path)
	}
	p, err := inForce(own.State)
	if p == nil || err != nil {
		return own, err
	}
	return s.load(p)
}

// waits says whether there is no package of a terminal whose parameters come in one.
func (c *config) waits() bool { return c.packaged && c.params == nil }

func noParameters(subject, why string) selftest.Finding {
	return selftest.Bad("parameters_missing", subject, "The terminal waits for a parameter package, and sells nothing: "+why+".")
}

// believed looks whether posd would take the package that lies there: who may write the folder cannot write the record's tag.
func (e *examiner) believed(ctx context.Context, from source, own config) []selftest.Finding {
	if !own.packaged || e.config.waits() {
		return nil
	}
	k, err := openKeeper(ctx, from, own, e.disk, slog.New(slog.DiscardHandler))
	if err != nil {
		return []selftest.Finding{selftest.Missed(selftest.Parameters, from.name(), inOneLine(err))}
	}
	if k.shelf.Current() == nil {
		return []selftest.Finding{noParameters(from.name(), k.shelf.Why())}
	}
	return nil
}

// inPackageNow says which package is in force: its version, who signed it, and until when they may sign the next.
func inPackageNow(p *provision.Package) string {
	signer, until := p.Signer().Fingerprint(), ""
	for _, t := range p.Trust {
		if t.Key == p.Signer() {
			signer, until = t.Name+" ("+signer+")", fmt.Sprintf(", who may sign until %s", t.Expires)
		}
	}
	return fmt.Sprintf("parameter package version %d, %s, signed by %s%s", p.Version, p.Digest().Short(), signer, until)
}
