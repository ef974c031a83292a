package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"tillway/device/hid"
	"tillway/device/pcsc"
	"tillway/device/secure"
	"tillway/emv/tlv"
	"tillway/iso8583/link"
	"tillway/terminal"
	"tillway/terminal/profile"
	"tillway/terminal/provision"
)

// config is posd.toml. Paths in it are made absolute by loadConfig.
type config struct {
	State  string `toml:"state"`
	Socket string `toml:"socket"`

	SocketGroup string `toml:"socket_group"`

	Profile string `toml:"profile"`
	CAKeys  string `toml:"ca_keys"`

	Development bool `toml:"development"`

	Log struct {
		Level  level  `toml:"level"`
		Format string `toml:"format"`
	} `toml:"log"`

	Reader struct {
		Driver string `toml:"driver"`
		Port   string `toml:"port"`
		Socket string `toml:"socket"`

		Allow []string `toml:"allow"`

		Stripe stripeConfig `toml:"stripe"`
	} `toml:"reader"`

	Printer printerConfig `toml:"printer"`
	Logo    string        `toml:"logo"`

	Screen screenConfig `toml:"screen"`
	ECR    ecrConfig    `toml:"ecr"`

	Metrics metricsConfig `toml:"metrics"`

	Keys keysConfig `toml:"keys"`
	PIN  pinConfig  `toml:"pin"`

	Acquirer acquirerConfig `toml:"acquirer"`

	Transcripts transcriptsConfig `toml:"transcripts"`

	Provision provisionConfig `toml:"provision"`

	packaged bool               // acquirer, profile and CA keys come in a parameter package
	params   *provision.Package // that is in force; nil: none, or not packaged
}

type acquirerConfig struct {
	Name        string   `toml:"name"`
	Dialect     string   `toml:"dialect"`
	Address     string   `toml:"address"`
	Standby     []string `toml:"standby"`
	CA          string   `toml:"ca"`
	ServerName  string   `toml:"server_name"`
	Certificate string   `toml:"certificate"`
	Key         string   `toml:"key"`

	Length       string `toml:"length"`
	LengthCounts string `toml:"length_counts"`
	TPDUAnswer   string `toml:"tpdu_answer"`

	ConnectTimeout duration `toml:"connect_timeout"`
	WriteTimeout   duration `toml:"write_timeout"`
	AnswerTimeout  duration `toml:"answer_timeout"`
	Retry          duration `toml:"retry"`
	RetryMax       duration `toml:"retry_max"`
	Window         int      `toml:"window"`
	Check          duration `toml:"check"`
	Echo           duration `toml:"echo"`

	KeyLife     duration `toml:"key_life"`
	KeyMessages int      `toml:"key_messages"`

	NAC nacConfig `toml:"nac"`
	V93 v93Config `toml:"v93"`

	caPEM []byte // what the file CA would say, out of a package; nil: the file says it
}

type nacConfig struct {
	TPDU         string `toml:"tpdu"`
	NII          string `toml:"nii"`
	Track2Filler string `toml:"track2_filler"`
	Repeat       string `toml:"repeat"`
	Chip         string `toml:"chip_entry"`
	PIN          string `toml:"pin_entry"`
	Stripe       string `toml:"stripe_entry"`
	Fallback     string `toml:"fallback_entry"`
	Kept         string `toml:"kept_entry"`

	Tags    []tlv.Tag                 `toml:"tags"`
	Private map[string]string         `toml:"private"`
	Brands  map[string]nacBrandConfig `toml:"brands"`

	CashbackCode string   `toml:"cashback_code"`
	PreauthCode  string   `toml:"preauth_code"`
	Balance      string   `toml:"balance"`
	VoidAmount   string   `toml:"void_amount"`
	Amounts      string   `toml:"amounts"`
	TipType      string   `toml:"tip_type"`
	Partial      string   `toml:"partial"`
	Deferred     bool     `toml:"deferred"`
	Booked       bool     `toml:"duplicate_is_booked"`
	TotalsDigits int      `toml:"totals_digits"`
	HostTotals   bool     `toml:"host_totals"`
	Marked       []string `toml:"marked_repeats"`

	MAC           string `toml:"mac"`
	MACBytes      int    `toml:"mac_bytes"`
	MACSignOn     bool   `toml:"mac_sign_on"`
	SecurityField int    `toml:"security_field"`
	PINBytes      int    `toml:"pin_bytes"`

	KeyExchange     string `toml:"key_exchange"`
	KeyExchangeCode string `toml:"key_exchange_code"`
	KeyField        int    `toml:"key_field"`
	EchoCode        string `toml:"echo_code"`
	HostOrders      bool   `toml:"host_orders"`
}

// sessionKeys says whether the acquirer's keys are session keys, which an exchange brings.
func (n nacConfig) sessionKeys() bool { return n.KeyExchange != "" && n.KeyExchange != "off" }

// level is a log level in TOML.
type level slog.Level

// UnmarshalText reads debug, info, warn or error.
func (l *level) UnmarshalText(b []byte) error {
	if err := (*slog.Level)(l).UnmarshalText(b); err != nil {
		return fmt.Errorf("%q is no log level: debug, info, warn or error", b)
	}
	return nil
}

// duration is a time in TOML, written like "5s"; empty is zero.
type duration time.Duration

// UnmarshalText reads a Go duration that is not negative.
func (d *duration) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no time: write it like 5s or 2m", b)
	}
	*d = duration(v)
	return nil
}

// maxSocketBytes is what fits an address of the system (unix(7)).
const maxSocketBytes = 107

func defaults() config {
	var c config
	c.State, c.Socket, c.Profile = "state", "posd.sock", "kuwait"
	c.Log.Format = "text"
	c.Reader.Driver, c.Reader.Socket, c.Reader.Stripe.Baud = "gempc", pcsc.Socket, 9600
	c.Reader.Allow = []string{}
	c.Reader.Stripe.Driver, c.Reader.Stripe.IDs = textDriver, []hid.ID{}
	c.Keys.Separate, c.Keys.Socket, c.Keys.Weak, c.PIN.Socket = true, "keys.sock", []string{}, "pin.sock"
	c.Printer = defaultPrinter()
	c.Screen = screenConfig{Listen: "127.0.0.1:8580"}
	c.ECR.Names = []string{}
	c.Provision = defaultProvision()
	c.Transcripts = transcriptsConfig{Keep: 50, TestCards: "masked"}
	a := &c.Acquirer
	a.Name, a.Dialect = "acquirer", dialectNAC
	a.Length, a.LengthCounts, a.TPDUAnswer = "binary", "message", "either"
	a.Standby = []string{}
	a.ConnectTimeout, a.WriteTimeout = duration(5*time.Second), duration(5*time.Second)
	a.Retry, a.RetryMax, a.Check = duration(5*time.Second), duration(5*time.Minute), duration(30*time.Second)
	a.KeyLife, a.Window = duration(24*time.Hour), 1
	a.NAC = defaultNAC()
	a.V93 = defaultV93()
	return c
}

// loadConfig reads and checks the one config file. Its error is one line that says what to do.
func loadConfig(path string) (config, error) { return source{path: path}.load(nil) }

// decode reads one TOML text over what is there already. what names it in errors.
func (c *config) decode(what string, text []byte) (toml.MetaData, error) {
	if line, problem := profile.Bounds(text); problem != "" {
		return toml.MetaData{}, fmt.Errorf("%s, line %d: %s", what, line, problem)
	}
	md, err := toml.Decode(string(text), c)
	var perr toml.ParseError
	switch {
	case errors.As(err, &perr):
		return md, fmt.Errorf("%s, line %d: %s", what, perr.Position.Line, perr.Message)
	case err != nil: // a value of another type than the key's; the reader names line and key in its own words
		return md, fmt.Errorf("%s: %s: see cmd/posd/posd.toml for how it is written", what, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if extra := md.Undecoded(); len(extra) > 0 {
		return md, fmt.Errorf("%s: unknown key %s: take it out, or see cmd/posd/posd.toml for how it is spelt", what, extra[0])
	}
	return md, nil
}

// resolve makes the paths absolute; they are relative to a folder. what names the config in errors.
func (c *config) resolve(what, abs string) error {
	if c.Keys.Witness == "" {
		c.Keys.Witness = strings.TrimRight(c.State, "/") + ".witness"
	}
	for _, p := range []*string{
		&c.State, &c.Socket, &c.CAKeys, &c.Logo, &c.Reader.Socket, &c.Acquirer.CA, &c.Acquirer.Certificate, &c.Acquirer.Key,
		&c.Keys.Program, &c.Keys.Witness, &c.Keys.Unlock, &c.Keys.Socket, &c.PIN.Socket, &c.PIN.Pad, &c.Provision.CA,
		&c.ECR.Certificate, &c.ECR.Key, &c.ECR.ClientCA,
	} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(abs, *p)
		}
	}
	if d, err := c.driver(); err == nil && d.path && c.Reader.Port != "" && !filepath.IsAbs(c.Reader.Port) {
		c.Reader.Port = filepath.Join(abs, c.Reader.Port)
	}
	c.Reader.Stripe.resolve(abs)
	c.Keys.resolve(abs)
	if c.Printer.isFile() && !filepath.IsAbs(c.Printer.Port) {
		c.Printer.Port = filepath.Join(abs, c.Printer.Port)
	}
	if len(c.Socket) > maxSocketBytes {
		return fmt.Errorf("%s: socket %s is %d bytes long, and the system takes %d: name a shorter one with socket =",
			what, c.Socket, len(c.Socket), maxSocketBytes)
	}
	if strings.HasSuffix(c.Profile, ".toml") && !filepath.IsAbs(c.Profile) {
		c.Profile = filepath.Join(abs, c.Profile)
	}
	return nil
}

func (c *config) check() error {
	driver, unknown := c.driver()
	switch {
	case unknown != nil:
		return unknown
	case c.Reader.Port == "" && driver.named != "":
		return fmt.Errorf("reader.port is missing: %s", driver.named)
	}
	if err := c.checkMachine(); err != nil {
		return err
	}
	if err := c.Acquirer.check(c.Keys.Weak); err != nil {
		return err
	}
	if _, err := c.allowed(); err != nil {
		return err
	}
	if err := c.checkService(); err != nil {
		return err
	}
	if err := c.Reader.Stripe.check(c.Development); err != nil {
		return err
	}
	if err := c.Transcripts.check(c.Development); err != nil {
		return err
	}
	if err := c.Printer.check(); err != nil {
		return err
	}
	if _, err := c.Screen.address(); err != nil {
		return err
	}
	if err := c.ECR.check(); err != nil {
		return err
	}
	if _, err := c.Metrics.address(); err != nil {
		return err
	}
	if err := c.Provision.check(c.params); err != nil {
		return err
	}
	return c.Acquirer.checkHosts()
}

// checkMachine looks at what no parameter package brings.
func (c *config) checkMachine() error {
	switch {
	case !c.Development && !c.Keys.Separate:
		return errors.New("keys.separate = false puts the keys into posd's own process: that takes development = true")
	case !c.Development && c.PIN.OnScreen:
		return errors.New("pin.on_screen has PINs typed on this machine's screen: that takes development = true, and never a real card")
	case c.PIN.Pad != "" && c.PIN.OnScreen:
		return errors.New("pin.pad and pin.on_screen name two places for PINs: take one out")
	case c.PIN.Pad != "" && !c.Keys.Separate:
		return errors.New("pin.pad takes keys.separate = true: the pad belongs to keyd")
	case !c.Keys.Separate && c.PIN.OnScreen:
		return errors.New("pin.on_screen takes keys.separate = true")
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fmt.Errorf("log.format %q: text or json", c.Log.Format)
	}
	return nil
}

func (a *acquirerConfig) check(weak []string) error {
	switch {
	case a.Name == secure.SwipeSet || a.Name == secure.PadSet:
		return fmt.Errorf("acquirer.name %q is the name of the stripe reader's or the PIN pad's keys: choose another", a.Name)
	case a.Dialect != dialectNAC && a.Dialect != dialectV93:
		return fmt.Errorf("acquirer.dialect %q is not known: this release speaks nac and v93", a.Dialect)
	case a.Address == "":
		return errors.New("acquirer.address is missing: the host and port your acquirer gave you, like pos.example.com:8583")
	case a.CA == "":
		return errors.New("acquirer.ca is missing: the file with the acquirer's CA certificate (PEM)")
	case (a.Certificate == "") != (a.Key == ""):
		return errors.New("acquirer.certificate and acquirer.key go together")
	case a.Dialect == dialectNAC && a.NAC.KeyExchange == "ecb" && !slices.Contains(weak, a.Name):
		return fmt.Errorf("acquirer.nac.key_exchange = \"ecb\" is less than key blocks: name the acquirer in keys.weak = [%q] if it has nothing better", a.Name)
	case a.Window < 1 || a.Window > maxWindow:
		return fmt.Errorf("acquirer.window %d: how many messages of the queue the acquirer takes before it has answered the first, 1 to %d", a.Window, maxWindow)
	case a.KeyMessages < 0:
		return errors.New("acquirer.key_messages must not be below 0")
	case a.Retry <= 0 || a.RetryMax < a.Retry || a.Check <= 0 || a.ConnectTimeout <= 0 || a.WriteTimeout <= 0:
		return errors.New("acquirer: every time must be more than zero, and retry_max at least retry")
	}
	if a.Echo > 0 && a.Dialect != "nac" {
		return fmt.Errorf("acquirer.echo: the dialect %s has no echo test: take it out", a.Dialect)
	}
	if err := a.framing().Check(); err != nil {
		return fmt.Errorf("acquirer.length and length_counts: %w", err)
	}
	if err := link.TPDUAnswer(a.TPDUAnswer).Check(); err != nil {
		return fmt.Errorf("acquirer.tpdu_answer: %w", err)
	}
	return nil
}

// maxWindow bounds what is sent again when a connection goes.
const maxWindow = 16

// maxHosts bounds how long a sale waits for a connection while none of them answers.
const maxHosts = 4

func (a *acquirerConfig) checkHosts() error {
	if len(a.Standby) >= maxHosts {
		return fmt.Errorf("acquirer.standby names %d hosts: at most %d beside acquirer.address", len(a.Standby), maxHosts-1)
	}
	for i, address := range a.hosts() {
		key := "address"
		if i > 0 {
			key = "standby"
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("acquirer.%s %q: write it as host:port", key, address)
		}
		if slices.Contains(a.hosts()[:i], address) {
			return fmt.Errorf("acquirer.standby names %q twice", address)
		}
	}
	return nil
}

// hosts are the acquirer's addresses in the order in which they are tried.
func (a *acquirerConfig) hosts() []string { return append([]string{a.Address}, a.Standby...) }

// framing is how the acquirer tells messages apart.
func (a *acquirerConfig) framing() link.Framing {
	return link.Framing{Length: link.Length(a.Length), Counts: link.Counted(a.LengthCounts)}
}

// loadProfile reads the profile that the config names.
func (c *config) loadProfile() (profile.Profile, error) {
	if c.params != nil {
		return profile.Parse(c.params.Part(provision.Profile))
	}
	if !strings.HasSuffix(c.Profile, ".toml") {
		return profile.Ready(c.Profile)
	}
	text, err := os.ReadFile(c.Profile)
	if err != nil {
		return profile.Profile{}, fmt.Errorf("profile: %w", err)
	}
	p, err := profile.Parse(text)
	if err != nil {
		return p, fmt.Errorf("profile %s: %w", c.Profile, err)
	}
	return p, nil
}

// trusted is what the link's TLS rests on.
type trusted struct {
	pool         *x509.CertPool
	own          *tls.Certificate       // the terminal's own; nil: the acquirer wants none
	certificates []terminal.Certificate // both, for their ends
}

// trust reads the pinned CA and, where there is one, the terminal's own certificate.
func (a *acquirerConfig) trust() (trusted, error) {
	text := a.caPEM
	if text == nil {
		var err error
		if text, err = os.ReadFile(a.CA); err != nil {
			return trusted{}, fmt.Errorf("acquirer.ca: %w: put the acquirer's CA certificate (PEM) there", err)
		}
	}
	t := trusted{pool: x509.NewCertPool()}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			continue
		}
		t.pool.AddCert(cert)
		t.certificates = append(t.certificates, terminal.Certificate{Whose: "the acquirer's CA certificate (acquirer.ca)", Ends: cert.NotAfter})
	}
	if len(t.certificates) == 0 {
		return t, fmt.Errorf("acquirer.ca %s holds no certificate: it must be PEM, as the acquirer sent it", a.CA)
	}
	if a.Certificate == "" {
		return t, nil
	}
	pair, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
	if err != nil {
		return t, fmt.Errorf("acquirer.certificate and acquirer.key: %w", err)
	}
	t.own = &pair
	t.certificates = append(t.certificates, terminal.Certificate{Whose: "this terminal's certificate (acquirer.certificate)", Ends: pair.Leaf.NotAfter})
	return t, nil
}

// ways are how the acquirer's hosts are reached, in the order of the config.
func (a *acquirerConfig) ways(t trusted) []link.Host {
	var all []link.Host
	for _, address := range a.hosts() {
		all = append(all, link.Host{Name: address, Dial: link.TLSDialer(link.TLSConfig{
			Address: address, ServerName: a.ServerName, RootCAs: t.pool, Certificate: t.own, Timeout: time.Duration(a.ConnectTimeout),
		})})
	}
	return all
}
