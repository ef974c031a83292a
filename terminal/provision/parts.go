package provision

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"image/png"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/emv/oda"
	"tillway/terminal/profile"
)

// The parts of a package, by their names.
const (
	Config      = "config.toml"       // what of posd.toml comes from afar: configTables
	Profile     = "profile.toml"      // merchant, terminal, applications, limits, roles
	AcquirerCA  = "acquirer-ca.pem"   // certificates that the acquirer's hosts are trusted by
	ServerCA    = "provision-ca.pem"  // and the parameter server
	CAKeys      = "ca-keys.json"      // the certification authorities' public keys and revocations
	Logo        = "logo.png"          // for receipts
	keysPattern = "keys/SET.USE.tr31" // key blocks

	acquirerPattern   = "acquirers/NAME.toml"   // one of several acquirers: the tables [acquirer] of posd.toml
	acquirerCAPattern = "acquirers/NAME-ca.pem" // and what its hosts are trusted by
)

// partKind is a row of the table of parts.
type partKind struct {
	name  string
	most  int // bytes
	must  bool
	words string // what it is, for people
}

func partKinds() []partKind {
	return []partKind{
		{AcquirerCA, maxCertificates, false, "the acquirer's CA certificates (PEM)"},
		{CAKeys, 256 << 10, false, "the certification authorities' public keys (JSON)"},
		{Config, profile.MaxBytes, true, "acquirer, reader and printer, as in posd.toml"},
		{Logo, 64 << 10, false, "a logo (PNG)"},
		{Profile, profile.MaxBytes, true, "merchant, terminal, applications, limits and roles"},
		{ServerCA, maxCertificates, false, "the CA certificates of the parameter server (PEM)"},
	}
}

const (
	maxCertificates = 64 << 10
	maxKeyBlockFile = 10_000 // one key block
)

var keyBlockName = regexp.MustCompile(`^keys/([A-Za-z0-9_-]{1,32})\.(pin|mac|data|master|swipe|pad)\.tr31$`)

// kindOf finds what a name may stand for. Names that are in no table are no parts: there is nothing to climb out of.
func kindOf(name string) (partKind, bool) {
	for _, k := range partKinds() {
		if k.name == name {
			return k, true
		}
	}
	if keyBlockName.MatchString(name) {
		return partKind{name, maxKeyBlockFile, false, "a key block (TR-31)"}, true
	}
	if _, ca, ok := acquirerPart(name); ok && ca {
		return partKind{name, maxCertificates, false, "an acquirer's CA certificates (PEM)"}, true
	} else if ok {
		return partKind{name, profile.MaxBytes, false, "an acquirer"}, true
	}
	return partKind{}, false
}

// KeyBlock is a key under a key-encrypting key: it opens in the secure module alone.
type KeyBlock struct {
	Set   string // the acquirer's name, or stripe, or pinpad
	Use   string // pin, mac, data, master, swipe, pad
	Block string
}

// PartName is the name of its part.
func (k KeyBlock) PartName() string { return "keys/" + k.Set + "." + k.Use + ".tr31" }

// NewKeyBlocks are the parts of p with a key block that another package has not, or has otherwise; of all where there is no other.
// They are what is to be loaded when p takes its place.
func (p *Package) NewKeyBlocks(other *Package) []string {
	var fresh []string
	for _, k := range p.KeyBlocks() {
		if name := k.PartName(); other == nil || !bytes.Equal(other.Part(name), p.Part(name)) {
			fresh = append(fresh, name)
		}
	}
	return fresh
}

// KeyBlocks are the package's, master keys first, because others may be made under them.
func (p *Package) KeyBlocks() []KeyBlock {
	var all []KeyBlock
	for _, part := range p.Parts {
		if m := keyBlockName.FindStringSubmatch(part.Name); m != nil {
			all = append(all, KeyBlock{Set: m[1], Use: m[2], Block: strings.TrimSpace(string(p.Part(part.Name)))})
		}
	}
	slices.SortStableFunc(all, func(a, b KeyBlock) int {
		switch {
		case a.Use == "master" && b.Use != "master":
			return -1
		case b.Use == "master" && a.Use != "master":
			return 1
		}
		return 0
	})
	return all
}

// Summary is what people want to know of a package's contents.
type Summary struct {
	Profile      string   `json:"profile"`
	Merchant     string   `json:"merchant"` // name on receipts
	Currency     string   `json:"currency"`
	Acquirer     string   `json:"acquirer"`            // address of the one in force
	Acquirers    []string `json:"acquirers,omitempty"` // names, where there are several
	Applications []string `json:"applications"`
	CAKeys       int      `json:"ca_keys"`
	Revoked      int      `json:"revoked"`
	KeyBlocks    []string `json:"key_blocks"`
}

// Content says whether what is in a package can be used, as far as that can be said without the terminal: parts that are needed
// are there, each can be read, and all speak of the same terminal. The daemon looks at the rest when the package is applied.
// Error: ErrContent.
func (p *Package) Content() (Summary, error) {
	for _, k := range partKinds() {
		if k.must && p.Part(k.name) == nil {
			return Summary{}, fmt.Errorf("%w: %s is missing: put %s there", ErrContent, k.name, k.words)
		}
	}
	prof, err := profile.Parse(p.Part(Profile))
	if err != nil {
		return Summary{}, fmt.Errorf("%w: %s: %w", ErrContent, Profile, err)
	}
	if prof.Terminal.ID != p.Terminal || prof.Terminal.MerchantID != p.Merchant {
		return Summary{}, fmt.Errorf("%w: the manifest is of terminal %s and merchant %s, and %s of %s and %s: write the same into both",
			ErrContent, p.Terminal, p.Merchant, Profile, prof.Terminal.ID, prof.Terminal.MerchantID)
	}
	address, err := p.config()
	if err != nil {
		return Summary{}, err
	}
	if p.Acquirer != "" || len(p.Acquirers()) > 0 {
		if address, err = p.checkAcquirers(); err != nil {
			return Summary{}, err
		}
	}
	s := Summary{Profile: prof.Name, Merchant: prof.Merchant.Name, Currency: prof.Currency.Code, Acquirer: address, Acquirers: p.Acquirers(), Applications: []string{}, KeyBlocks: []string{}}
	for _, a := range prof.Applications {
		if len(a.AID) > 0 { // a row that is a placeholder has none
			s.Applications = append(s.Applications, fmt.Sprintf("%X", []byte(a.AID)))
		}
	}
	for _, name := range []string{AcquirerCA, ServerCA} {
		if err := certificates(p.Part(name)); err != nil && p.Part(name) != nil {
			return s, fmt.Errorf("%w: %s %w", ErrContent, name, err)
		}
	}
	if text := p.Part(CAKeys); text != nil {
		file, err := oda.ParseKeys(text, oda.Environment(prof.Terminal.CAKeys))
		if err != nil {
			return s, fmt.Errorf("%w: %s: %w", ErrContent, CAKeys, err)
		}
		s.CAKeys, s.Revoked = len(file.Keys), len(file.Revoked)
	} else if prof.Terminal.Capabilities[2] != 0 || prof.Terminal.Capabilities.Has(emv.CapabilityEncipheredOffline) {
		return s, fmt.Errorf("%w: %s takes what needs the certification authorities' keys, and %s is missing", ErrContent, Profile, CAKeys)
	}
	if s.KeyBlocks, err = p.checkBlocks(); err != nil {
		return s, err
	}
	return s, p.checkLogo()
}

// configTables are the tables of posd.toml that a package may bring, and localKeys what in them is the machine's own: paths,
// for which the package has parts.
func configTables() []string {
	return []string{"acquirer", "reader", "printer", "screen", "transcripts", "provision"}
}

func localKeys() []string {
	return []string{"acquirer.ca", "acquirer.certificate", "acquirer.key", "provision.ca", "reader.socket"}
}

// config looks at the part of that name, as far as that can be done without the daemon.
func (p *Package) config() (address string, err error) {
	text := p.Part(Config)
	if line, problem := profile.Bounds(text); problem != "" {
		return "", fmt.Errorf("%w: %s line %d: %s", ErrContent, Config, line, problem)
	}
	tables := configTables()
	several := p.Acquirer != "" || len(p.Acquirers()) > 0
	if several {
		tables = tables[1:]
	}
	address, _, err = tablesOf(Config, text, tables)
	switch {
	case err != nil:
		return "", err
	case !several && address == "":
		return "", fmt.Errorf("%w: %s: acquirer.address is missing: the host and port that the acquirer gave you", ErrContent, Config)
	case !several && p.Part(AcquirerCA) == nil:
		return "", fmt.Errorf("%w: %s is missing: put the acquirer's CA certificates (PEM) there", ErrContent, AcquirerCA)
	}
	return address, nil
}

// tablesOf reads TOML that has those tables alone, and no path in them.
func tablesOf(part string, text []byte, tables []string) (address, name string, err error) {
	var c struct {
		Acquirer struct {
			Address string `toml:"address"`
			Name    string `toml:"name"`
		} `toml:"acquirer"`
	}
	md, err := toml.Decode(string(text), &c)
	if err != nil {
		return "", "", fmt.Errorf("%w: %s: %s", ErrContent, part, strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "toml: "))
	}
	for _, key := range md.Keys() {
		switch {
		case key[0] == "acquirer" && !slices.Contains(tables, key[0]):
			return "", "", fmt.Errorf("%w: %s: %s: where acquirers have parts of their own, it stands in %s", ErrContent, part, key, acquirerPattern)
		case !slices.Contains(tables, key[0]):
			return "", "", fmt.Errorf("%w: %s: %s is this machine's own, and stands in its posd.toml: a package brings %s", ErrContent, part, key, strings.Join(tables, ", "))
		case slices.Contains(localKeys(), key.String()):
			return "", "", fmt.Errorf("%w: %s: %s is a path, and a package has none: certificates are parts of it, a private key stays on its machine", ErrContent, part, key)
		}
	}
	return c.Acquirer.Address, c.Acquirer.Name, nil
}

// certificates takes PEM blocks of certificates and nothing else: least of all a private key.
func certificates(text []byte) error {
	found := 0
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return fmt.Errorf("has something in it that is no PEM")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("has a %.40q in it: certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("has a certificate in it that cannot be read")
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("has no certificate in it")
	}
	return nil
}

func (p *Package) checkBlocks() ([]string, error) {
	names := []string{}
	for _, k := range p.KeyBlocks() {
		if _, err := x9.ParseKeyBlockHeader(k.Block); err != nil {
			return nil, fmt.Errorf("%w: the %s key of %s is no key block (TR-31): a key never comes in clear", ErrContent, k.Use, k.Set)
		}
		names = append(names, k.Set+" "+k.Use)
	}
	return names, nil
}

// Bounds of a logo, in dots: the head of an 80 mm printer, and a third of that high.
const (
	maxLogoWide = 576
	maxLogoHigh = 200
)

func (p *Package) checkLogo() error {
	text := p.Part(Logo)
	if text == nil {
		return nil
	}
	c, err := png.DecodeConfig(bytes.NewReader(text))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > maxLogoWide || c.Height > maxLogoHigh {
		return fmt.Errorf("%w: %s is no PNG of at most %d by %d dots", ErrContent, Logo, maxLogoWide, maxLogoHigh)
	}
	if _, err := png.Decode(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("%w: %s cannot be read to its end", ErrContent, Logo)
	}
	return nil
}
