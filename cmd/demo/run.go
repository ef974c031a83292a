package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

// readerPage is where the virtual reader's local page is.
const readerPage = "127.0.0.1:8588"

// usualScreen is where posd has the cashier's screen when its config does not say.
const usualScreen = "127.0.0.1:8580"

// stayUp is `demo run`.
func stayUp(ctx context.Context, programs, folder, config string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	s := &stack{programs: programs, folder: folder, config: filepath.Join(folder, "posd.toml"), hand: "auto", stripe: true}
	if err := s.firstTime(config); err != nil {
		return err
	}
	if s.host, s.hostHTTP, err = hostOf(s.config); err != nil {
		return err
	}
	if s.screen, s.ecr, err = doorsOf(s.config); err != nil {
		return err
	}
	for _, address := range []string{s.host, s.hostHTTP, s.screen, s.ecr} {
		if address == "" {
			continue
		}
		if err := free(ctx, address); err != nil {
			return err
		}
	}
	if free(ctx, readerPage) == nil { // another stack may have it; this one does without then
		s.page = readerPage
	}
	defer s.end()
	if err := s.startAll(ctx); err != nil {
		return err
	}
	if err := newWorld(s, io.Discard).loadKeys(ctx); err != nil {
		fmt.Println("The bank's test keys are not loaded, so there is neither PIN nor MAC:", err)
	}
	fmt.Print(s.next())
	if err := s.firstToEnd(ctx); err != nil {
		return err
	}
	fmt.Println("\nending")
	return nil
}

// hostOf reads from posd's config where it looks for the bank: the simulated one listens there, and its local interface on the
// port after it.
func hostOf(config string) (address, local string, err error) {
	var c struct {
		Acquirer struct {
			Address string `toml:"address"`
		} `toml:"acquirer"`
	}
	if _, err := toml.DecodeFile(config, &c); err != nil {
		return "", "", err
	}
	at, err := netip.ParseAddrPort(c.Acquirer.Address)
	if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 || at.Port() == math.MaxUint16 {
		return "", "", fmt.Errorf("%s: acquirer.address is %q: the simulated bank needs one on this machine, such as 127.0.0.1:8583", config, c.Acquirer.Address)
	}
	return at.String(), netip.AddrPortFrom(at.Addr(), at.Port()+1).String(), nil
}

// doorsOf reads from posd's config where the cashier's screen is, and the door for cash registers; empty for none.
func doorsOf(config string) (screen, ecr string, err error) {
	var c struct {
		Screen struct {
			Listen *string `toml:"listen"`
		} `toml:"screen"`
		ECR struct {
			Listen string `toml:"listen"`
		} `toml:"ecr"`
	}
	if _, err := toml.DecodeFile(config, &c); err != nil || c.Screen.Listen == nil {
		return usualScreen, c.ECR.Listen, err
	}
	return *c.Screen.Listen, c.ECR.Listen, nil
}

// next says what to do with a stack that is up.
func (s *stack) next() string {
	bin, folder := short(s.programs), short(s.folder)
	text := "The terminal is up: a virtual card is in a virtual reader, and a simulated bank answers.\n"
	if s.screen != "" {
		text += fmt.Sprintf("Open http://%[1]s/ in a browser: the cashier's screen. http://%[1]s/customer is the customer's.\n", s.screen)
	}
	if s.ecr != "" {
		text += fmt.Sprintf("Cash registers find it at https://%s/: docs/integrators.md begins with the first sale.\n", s.ecr)
	}
	text += fmt.Sprintf(`In another window:

  %[1]s/pos sale 10.525          a chip sale; the receipt is printed
  %[1]s/pos sale 10.051          .0NN asks the bank for response code NN: 51 is declined
  %[1]s/pos sale 10.101          .101 no answer, .104 a wrong MAC: the sale is reversed
  %[1]s/pos void 1               and refund 3 --of 1, preauth 100, balance, settle: pos --help has all
  %[1]s/pos sale 8.010           .010 approves a half, .002 wants to be called: pos forced 8 --auth A12345
  %[1]s/readeremu ctl insert debit
                               another card, which wants its PIN: 1234; %[1]s/readeremu cards lists them
  %[1]s/pos pin                  types the PIN of a payment that was begun at the screen
  %[1]s/readeremu ctl insert %[3]s/signature.toml
                               one that wants a signature; enciphered-pin.toml checks its PIN itself
  %[1]s/readeremu ctl swipe stripe
                               while a sale waits: a card without a chip; first: ctl remove
  %[1]s/pos journal              everything that happened
  %[1]s/pos status               reader, host, keys, what is owed

Configuration, profile, journal and logs are in %[2]s. Ctrl-C ends everything.
`, bin, folder, s.folder)
	if s.page != "" {
		text += fmt.Sprintf("Cards are put in, swiped and made to fail by hand at http://%s/, which shows what card and terminal say.\n", s.page)
	}
	if folder != "run" {
		text += fmt.Sprintf("That is another folder than run: give pos --socket %[1]s/posd.sock, and readeremu ctl --control %[1]s/reader.ctl.\n", s.folder)
	}
	return text
}

// firstTime fills a folder that has no configuration yet: what a person changed in one that has stays. The configuration is the
// one that is named, with all that the simulators can play switched on.
func (s *stack) firstTime(config string) error {
	if _, err := os.Stat(s.config); err == nil {
		return nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("no configuration to start from: %w", err)
	}
	for _, line := range []struct{ off, on string }{
		{`# mac = "off" `, `mac = "alg3"  `}, // this host has the keys for it
		{`# profile = "kuwait" `, `profile = "` + profileFile + `" `},
		{`# ca_keys = "" `, `ca_keys = "` + keysFile + `" `},
		{`# port = "" `, `port = "stripe" `},
		{`# listen = ""             # like`, `listen = "127.0.0.1:8443" # like`},
		{`# partial  = "off" `, `partial  = "amount" `},
	} {
		text = bytes.Replace(text, []byte(line.off), []byte(line.on), 1)
	}
	if err := s.writeProfile(); err != nil {
		return err
	}
	return os.WriteFile(s.config, text, 0o600)
}
