package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"tillway/store/parameters"
	"tillway/terminal/provision"
	"tillway/terminal/receipt/paper"
)

// source is where posd's configuration comes from: a config file, or, on a machine that has none, a state folder alone. A parameter
// package is laid beneath either: what the machine says of its own reader or printer wins.
type source struct {
	path        string // of the config file; empty: there is none
	state       string // folder, where there is no config file
	development bool   // where there is no config file
}

// inPackage stands where a path would: the part of the package is read in its place.
const inPackage = "/the parameter package"

// load reads the configuration over a package, or without one. Where acquirer and profile are to come in a package and there is
// none, only what is the machine's own is checked. Its error is one line that says what to do.
func (s source) load(p *provision.Package) (config, error) {
	if p == nil {
		return s.loadFor(nil, "")
	}
	return s.loadFor(p, p.Acquirer)
}

// loadFor is load as if another of the package's acquirers were in force; "" is the only one.
func (s source) loadFor(p *provision.Package, acquirer string) (config, error) {
	c := defaults()
	what, base := "config "+s.path, filepath.Dir(s.path)
	if s.path == "" {
		what, base = "state folder "+s.state, s.state
		c.State, c.Development = ".", s.development
	}
	abs, err := filepath.Abs(base)
	if err != nil {
		return c, fmt.Errorf("config: %w", err)
	}
	if s.path == "" {
		c.State, c.Keys.Witness = abs, abs+".witness"
	}
	if p != nil {
		if _, err := c.decode(fmt.Sprintf("parameter package version %d, %s", p.Version, provision.Config), p.Part(provision.Config)); err != nil {
			return c, err
		}
		c.packaged, c.params = true, p
		c.Acquirer.CA, c.Acquirer.caPEM = inPackage, p.Part(provision.AcquirerCA)
		if acquirer != "" {
			text, ca := p.AcquirerConfig(acquirer)
			if _, err := c.decode(fmt.Sprintf("parameter package version %d, acquirers/%s.toml", p.Version, acquirer), text); err != nil {
				return c, err
			}
			c.Acquirer.Name, c.Acquirer.caPEM = acquirer, ca
		}
		if p.Part(provision.CAKeys) != nil {
			c.CAKeys = inPackage
		}
		c.Profile = inPackage
	}
	if err := s.local(&c, what); err != nil {
		return c, err
	}
	check := c.check
	if c.packaged && p == nil {
		check = c.checkMachine
	}
	if err := check(); err != nil {
		return c, fmt.Errorf("%s: %w", what, err)
	}
	return c, c.resolve(what, abs)
}

// local reads the machine's own file.
func (s source) local(c *config, what string) error {
	if s.path == "" {
		c.packaged = true
		return nil
	}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no config file at %s: copy cmd/posd/posd.toml there, name yours with --config, or start with --state DIR and apply a parameter package", s.path)
	}
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	md, err := c.decode(what, text)
	if err != nil {
		return err
	}
	if own := namesTerminal(md); own != "" {
		if c.params != nil {
			return fmt.Errorf("%s names %s, and so does the parameter package: take profile, ca_keys and [acquirer] out of it", what, own)
		}
		return nil
	}
	c.packaged = true
	return nil
}

// namesTerminal is the first key of a config file that says what else a parameter package says; empty: there is none. The
// terminal's own certificate and its key stay on the machine.
func namesTerminal(md toml.MetaData) string {
	for _, key := range md.Keys() {
		switch {
		case slices.Contains([]string{"profile", "ca_keys"}, key[0]):
			return key.String()
		case key[0] == "acquirer" && len(key) > 1 && !slices.Contains([]string{"certificate", "key"}, key[1]):
			return key.String()
		}
	}
	return ""
}

// caKeysText is the file of the certification authorities' keys.
func (c *config) caKeysText() ([]byte, error) {
	if c.params != nil {
		return c.params.Part(provision.CAKeys), nil
	}
	return os.ReadFile(c.CAKeys)
}

// logo is the shop's: the machine's own file, or else the one in the package; nil: none.
func (c *config) logo() (*paper.Logo, error) {
	if c.Logo == "" && c.params != nil {
		if picture := c.params.Part(provision.Logo); picture != nil {
			return readLogo("of the parameter package", picture)
		}
	}
	return openLogo(c.Logo)
}

// provisionConfig is the parameter server.
type provisionConfig struct {
	Server string   `toml:"server"`
	CA     string   `toml:"ca"`
	Poll   duration `toml:"poll"`
	Jitter duration `toml:"jitter"`
}

func defaultProvision() provisionConfig {
	return provisionConfig{Poll: duration(time.Hour), Jitter: duration(10 * time.Minute)}
}

func (p *provisionConfig) check(in *provision.Package) error {
	if p.Server == "" {
		return nil
	}
	u, err := url.Parse(p.Server)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("provision.server %q: write it like https://parameters.example.com/params", p.Server)
	case in == nil:
		return errors.New("provision.server is asked for parameter packages, and this config names acquirer or profile itself: take one of the two out")
	case p.CA == "" && in.Part(provision.ServerCA) == nil:
		return fmt.Errorf("provision.server needs the certificate that it is trusted by: the part %s of the package, or provision.ca", provision.ServerCA)
	case time.Duration(p.Poll) < time.Second:
		return errors.New("provision.poll is how often the parameter server is asked: at least 1s, like 1h")
	}
	return nil
}

// identity is the terminal and merchant that a stopped terminal is; empty where it has no parameter package yet. It is what the files
// say: without the secure module nobody can tell whether they were changed.
func (c *config) identity() (terminalID, merchantID string, err error) {
	if !c.packaged {
		p, err := c.loadProfile()
		return p.Terminal.ID, p.Terminal.MerchantID, err
	}
	disk, err := parameters.OpenFolder(filepath.Join(c.State, parametersFolder))
	if err != nil {
		return "", "", err
	}
	p, err := parameters.Unsealed(disk)
	if err != nil || p == nil {
		return "", "", err
	}
	return p.Terminal, p.Merchant, nil
}
