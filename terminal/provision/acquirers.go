package provision

import (
	"fmt"
	"slices"
	"strings"

	"tillway/terminal/profile"
)

// A package may carry several acquirers, each with its address, its certificates and its key blocks. A terminal speaks with one at a
// time: the manifest names it, and the next package can name another of them without bringing anything new.

// acquirerPart takes the name of an acquirer's part apart.
func acquirerPart(part string) (name string, ca, ok bool) {
	rest, ok := strings.CutPrefix(part, "acquirers/")
	if !ok {
		return "", false, false
	}
	if name, ok = strings.CutSuffix(rest, ".toml"); ok {
		return name, false, acquirerForm.MatchString(name)
	}
	name, ok = strings.CutSuffix(rest, "-ca.pem")
	return name, true, ok && acquirerForm.MatchString(name)
}

// Acquirers are the names of those that have parts of their own, in order; none: config.toml has the only one.
func (p *Package) Acquirers() []string {
	var all []string
	for _, part := range p.Parts {
		if name, ca, ok := acquirerPart(part.Name); ok && !ca {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// AcquirerConfig is the part of one of them, and the certificates that its hosts are trusted by.
func (p *Package) AcquirerConfig(name string) (text, ca []byte) {
	return p.Part("acquirers/" + name + ".toml"), p.Part("acquirers/" + name + "-ca.pem")
}

// checkAcquirers looks at all of them, and gives the address of the one in force.
func (p *Package) checkAcquirers() (address string, err error) {
	all := p.Acquirers()
	switch {
	case p.Acquirer == "":
		return "", fmt.Errorf("%w: it has acquirers %s, and does not say which is in force: write acquirer = %q into %s", ErrContent, strings.Join(all, ", "), all[0], ManifestFile)
	case !slices.Contains(all, p.Acquirer):
		return "", fmt.Errorf("%w: the acquirer in force is %s, and there is no part acquirers/%s.toml", ErrContent, p.Acquirer, p.Acquirer)
	case p.Part(AcquirerCA) != nil:
		return "", fmt.Errorf("%w: %s is of the only acquirer: where there are several, each has its own, acquirers/NAME-ca.pem", ErrContent, AcquirerCA)
	}
	for _, part := range p.Parts {
		if name, ca, ok := acquirerPart(part.Name); ok && ca && !slices.Contains(all, name) {
			return "", fmt.Errorf("%w: %s is of an acquirer that there is not: acquirers/%s.toml is missing", ErrContent, part.Name, name)
		}
	}
	for _, name := range all {
		text, ca := p.AcquirerConfig(name)
		part := "acquirers/" + name + ".toml"
		if line, problem := profile.Bounds(text); problem != "" {
			return "", fmt.Errorf("%w: %s line %d: %s", ErrContent, part, line, problem)
		}
		at, own, err := tablesOf(part, text, []string{"acquirer"})
		switch {
		case err != nil:
			return "", err
		case own != "" && own != name:
			return "", fmt.Errorf("%w: %s: acquirer.name is %.40q, and its part says %s: leave the name out", ErrContent, part, own, name)
		case at == "":
			return "", fmt.Errorf("%w: %s: acquirer.address is missing: the host and port that the acquirer gave you", ErrContent, part)
		case ca == nil:
			return "", fmt.Errorf("%w: acquirers/%s-ca.pem is missing: put the acquirer's CA certificates (PEM) there", ErrContent, name)
		}
		if err := certificates(ca); err != nil {
			return "", fmt.Errorf("%w: acquirers/%s-ca.pem %w", ErrContent, name, err)
		}
		if name == p.Acquirer {
			address = at
		}
	}
	return address, nil
}
