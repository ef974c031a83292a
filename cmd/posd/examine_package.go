package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/terminal/provision"
	"tillway/terminal/selftest"
	"tillway/till"
)

// refusal is the last package that was not put in force since posd started, and why; a nil error: there is none.
func (k *keeper) refusal() (till.PackageFailed, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refused == nil {
		return till.PackageFailed{}, nil
	}
	return *k.refused, k.why
}

// parameterPackage looks at the package in force, and at what became of the last one that was brought. Nothing is found where the
// configuration names acquirer and profile itself.
func (e *examiner) parameterPackage(context.Context) []selftest.Finding {
	p := e.config.params
	if p == nil {
		return nil
	}
	all := e.signers(p)
	if e.failed != nil {
		if f := e.failed(); f != nil && f.Version > p.Version {
			all = append(all, selftest.Bad("parameters_refused", versioned(f.Version), fmt.Sprintf("The terminal did not start with version %d, and it was taken back: %s", f.Version, inOneLine(errors.New(f.Reason))+".")))
		}
	}
	if e.refusal != nil {
		if f, why := e.refusal(); why != nil {
			all = append(all, refusedPackage(f, why))
		}
	}
	return all
}

// refusedPackage says why the last one was not put in force. One that came while a sale ran, or a batch was on its way, comes again.
func refusedPackage(f till.PackageFailed, why error) selftest.Finding {
	said := "The last parameter package was refused: " + inOneLine(why) + "."
	subject := versioned(f.Version)
	for _, unsigned := range []error{provision.ErrMalformed, provision.ErrSignature, provision.ErrSigner, provision.ErrExpired} {
		if errors.Is(why, unsigned) {
			return selftest.Bad("parameters_unsigned", subject, said)
		}
	}
	if errors.Is(why, provision.ErrOlder) {
		return selftest.Bad("parameters_old", subject, said).Do("Have the parameters that you want signed with a higher version.")
	}
	return selftest.Bad("parameters_refused", subject, said)
}

// versioned names a package; one that cannot be read has no version.
func versioned(version uint32) string {
	if version == 0 {
		return "package"
	}
	return fmt.Sprintf("version %d", version)
}

// signers judges the last days of who may sign the next package.
func (e *examiner) signers(p *provision.Package) (all []selftest.Finding) {
	now, left := e.now(), len(p.Trust)
	for _, s := range p.Trust {
		switch {
		case s.Expires.Over(now):
			left--
		case s.Expires.Over(now.Add(expirySoon)):
			all = append(all, selftest.Bad("parameters_signer", s.Name, fmt.Sprintf("%s may sign parameter packages until %s.", s.Name, s.Expires)))
		}
	}
	if left == 0 {
		all = append(all, selftest.Bad("parameters_signer", "package", fmt.Sprintf("The time of everybody who may sign a package after version %d is over on %s.", p.Version, now.UTC().Format(time.DateOnly))).
			Do("Set this machine's clock if it is ahead; else this terminal has to be set up anew with a first package."))
	}
	return all
}
