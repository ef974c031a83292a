package provision

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Why a terminal does not take a package that is whole.
var (
	ErrSigner   = errors.New("this terminal does not trust the signer of the package")
	ErrExpired  = errors.New("the signer of the package may not sign any more")
	ErrTerminal = errors.New("the package is for another terminal")
	ErrOlder    = errors.New("the package is not newer than what this terminal has had")
)

// State is what a terminal knows when it is given a package.
type State struct {
	Current *Package // in force; nil: none, and the technician's word decides
	Highest uint32   // the highest version that was ever in force; never goes back

	// The technician's word at the first provisioning: the fingerprint and the terminal that were compared with what the
	// sender says. Not looked at where there is a package in force.
	Fingerprint string
	Terminal    string
}

// Judge says whether a terminal takes a package now: signed by somebody who is trusted and whose time has not passed, for this
// terminal, and newer than everything before. With no package in force, trust is what the technician compared. Errors: ErrSigner,
// ErrExpired, ErrTerminal, ErrOlder; each is one sentence that says what to do.
func (s State) Judge(p *Package, now time.Time) error {
	trust, terminal := p.Trust, s.Terminal
	if s.Current != nil {
		trust, terminal = s.Current.Trust, s.Current.Terminal
	}
	signer, known := find(trust, p.Signer())
	switch {
	case s.Current == nil && !sameFingerprint(s.Fingerprint, p.Signer().Fingerprint()):
		return fmt.Errorf("%w: its fingerprint is %s: compare it with the one that the sender gave you, and apply it again with that", ErrSigner, p.Signer().Fingerprint())
	case s.Current == nil && !known:
		return fmt.Errorf("%w: the first package of a terminal has to name its own signer among those that it trusts: have it signed anew", ErrSigner)
	case !known:
		return fmt.Errorf("%w: it was signed by %s, and version %d names: %s: have it signed by one of those", ErrSigner, p.Signer().Fingerprint(), s.Current.Version, names(trust))
	case signer.Expires.Over(now):
		return fmt.Errorf("%w: %s could sign until %s: have it signed by another, or set this machine's clock if that is wrong", ErrExpired, signer.Name, signer.Expires)
	case p.Terminal != terminal:
		return fmt.Errorf("%w: it is for %s, and this is %s: apply the one for this terminal", ErrTerminal, p.Terminal, orNone(terminal))
	}
	return s.newer(p)
}

// newer refuses what is older. Where the version that was highest is not in force, because its file was lost or put back from
// a backup, that one may come again.
func (s State) newer(p *Package) error {
	again := p.Version == s.Highest && s.Current == nil
	if p.Version > s.Highest || again {
		return nil
	}
	if s.Current != nil && p.Digest() == s.Current.Digest() {
		return fmt.Errorf("%w: version %d is in force already", ErrOlder, p.Version)
	}
	return fmt.Errorf("%w: it is version %d, and this terminal has had version %d: have it signed as version %d or above", ErrOlder, p.Version, s.Highest, s.Highest+1)
}

func find(trust []Signer, key Key) (Signer, bool) {
	for _, s := range trust {
		if s.Key == key {
			return s, true
		}
	}
	return Signer{}, false
}

func names(trust []Signer) string {
	var all []string
	for _, s := range trust {
		all = append(all, fmt.Sprintf("%s (%s)", s.Name, s.Key.Fingerprint()))
	}
	return strings.Join(all, ", ")
}

func orNone(terminal string) string {
	if terminal == "" {
		return "not yet named"
	}
	return terminal
}

// sameFingerprint compares as people write: with or without dashes and blanks, in any case.
func sameFingerprint(a, b string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == ' ' || r == ':' {
				return -1
			}
			return r
		}, strings.ToUpper(s))
	}
	return a != "" && plain(a) == plain(b)
}
