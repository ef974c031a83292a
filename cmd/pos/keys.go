package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"tillway/device/secure"
	"tillway/terminal"
	"tillway/till"
)

// Keys go to the secure module's own socket, past the daemon: a component never lies in posd.

// maxKeyFile bounds the file of a key block.
const maxKeyFile = 16 << 10

func (a *app) keysCommand() *cobra.Command {
	c := group("keys", "Load, list and destroy the keys of acquirers",
		a.keysStatus(), a.keysComponent(), a.keysAbort(), a.keysImport(), a.keysPad(), a.keysExchange(), a.keysDestroy(), a.keysDecommission())
	c.Long = `keys speaks to the secure module itself (but for exchange, which asks the daemon), at the socket that --keys-socket names, else
keys.sock beside the daemon's socket, or that of a keyd that is a service of its own (/run/tillway-keyd). Only the user of the daemon, the group of that service, and root, can use it. Outside development it asks for somebody who is logged in with a role for keys: pos login
first, each holder of a component in turn. What is done is in the daemon's audit log.

A key-encrypting key is entered by two or three people, each with a component of their own; everything else comes in key
blocks (TR-31, X9.143). No command shows a key: people compare check values.`
	c.PersistentFlags().StringVar(&a.keysSocket, "keys-socket", "", "path of the secure module's socket")
	return c
}

// keysSocketBy is where the socket for loading keys is looked for: beside the daemon's, or, where keyd is a service of its own, in the folder
// beside that one, as /run/tillway-keyd is beside /run/tillway.
func keysSocketBy(daemon string) string {
	folder := filepath.Dir(daemon)
	beside := filepath.Join(folder, "keys.sock")
	service := filepath.Join(folder+"-keyd", "keys.sock")
	if _, err := os.Stat(beside); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(service); err == nil {
			return service
		}
	}
	return beside
}

// withKeys runs do with a connection to the secure module.
func (a *app) withKeys(ctx context.Context, do func(*secure.Client) error) (err error) {
	path := a.keysSocket
	if path == "" {
		cl := a.client()
		path = keysSocketBy(cl.socket)
		cl.close()
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return &exit{exitUnreachable, fmt.Errorf("secure module not reachable at %s: start posd, or name its socket with --keys-socket: %w", path, err)}
	}
	m := secure.NewClient(conn, nil)
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.Greeting(ctx); err != nil {
		return &exit{exitUnreachable, fmt.Errorf("secure module at %s: %w", path, err)}
	}
	return keysError(do(m))
}

// loadKeys is withKeys for what the module may want to know a person for: it shows the ticket of whoever is logged in. Without
// one it goes on, because only the module knows whether it needs one; person is then empty.
func (a *app) loadKeys(ctx context.Context, do func(m *secure.Client, person string) error) error {
	return a.withKeys(ctx, func(m *secure.Client) error {
		var t till.KeysTicket
		cl := a.client()
		defer cl.close()
		if err := cl.post(ctx, "/v1/keys/ticket", nil, &t); err == nil {
			if err := m.Show(ctx, t.Ticket); err != nil {
				return err
			}
		}
		return do(m, t.Person)
	})
}

// keysError gives what the module refused its exit status.
func keysError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, secure.ErrGone):
		return &exit{exitUnreachable, err}
	}
	return usage("%w", err)
}

func (a *app) keysStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "What keys there are, by their check values, and how they are kept", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withKeys(c.Context(), func(m *secure.Client) error {
				s, err := m.Status(c.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(keysJSON(s))
				}
				a.printf("%s", keysText(s))
				return nil
			})
		},
	}
}

// keysWire is a module's status for programs: names as in all of pos's JSON, serial numbers in hexadecimal.
type keysWire struct {
	Production bool      `json:"production"`
	Where      string    `json:"where"`
	Memory     string    `json:"memory"`
	Storage    string    `json:"storage"`
	OnScreen   string    `json:"on_screen,omitempty"` // socket of the on-screen PIN
	Pad        *padWire  `json:"pin_pad,omitempty"`   // that enciphers by itself
	Warnings   []string  `json:"warnings"`
	Pending    []string  `json:"pending"`
	Keys       []keyWire `json:"keys"`
}

// padWire is a PIN pad's state.
type padWire struct {
	Port   string `json:"port"`
	Ready  bool   `json:"ready"`
	Cause  string `json:"cause,omitempty"`
	Serial string `json:"serial,omitempty"`
}

type keyWire struct {
	Acquirer  string `json:"acquirer"`
	Use       string `json:"use"`
	Scheme    string `json:"scheme"`
	Algorithm string `json:"algorithm"`
	Check     string `json:"check"`
	KSN       string `json:"ksn,omitempty"`  // of the next key; DUKPT only
	Left      uint64 `json:"left,omitempty"` // how many of them
}

func keysJSON(s secure.Status) keysWire {
	w := keysWire{
		Production: s.Production, Where: s.Where, Memory: s.Memory, Storage: s.Storage, OnScreen: s.OnScreen,
		Warnings: append([]string{}, s.Warnings...), Pending: append([]string{}, s.Pending...), Keys: []keyWire{},
	}
	if s.Pad != nil {
		w.Pad = (*padWire)(s.Pad)
	}
	for _, k := range s.Keys {
		w.Keys = append(w.Keys, keyWire{
			Acquirer: k.Set, Use: k.Use, Scheme: k.Scheme, Algorithm: string(k.Algorithm), Check: string(k.Check), KSN: fmt.Sprintf("%X", k.KSN), Left: k.Left,
		})
	}
	return w
}

// keysText is a module's status for people.
func keysText(s secure.Status) string {
	var b strings.Builder
	mode := "DEVELOPMENT: published test keys are taken"
	if s.Production {
		mode = "production"
	}
	fmt.Fprintf(&b, "Mode     %s\nRuns in  %s\nMemory   %s\nStorage  %s\n", mode, s.Where, s.Memory, s.Storage)
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "WARNING  %s\n", w)
	}
	if p := s.Pad; p != nil {
		how := "ready, " + p.Serial
		if !p.Ready {
			how = "NOT READY: " + p.Cause
		}
		fmt.Fprintf(&b, "PIN pad  %s: %s\n", p.Port, how)
	}
	for _, p := range s.Pending {
		fmt.Fprintf(&b, "Waiting  %s\n", p)
	}
	if len(s.Keys) == 0 {
		b.WriteString("No keys are loaded.\n")
	}
	for _, k := range s.Keys {
		fmt.Fprintf(&b, "%-16s %-6s %-10s %-7s check %s", k.Set, k.Use, k.Scheme, k.Algorithm, k.Check)
		if len(k.KSN) > 0 {
			fmt.Fprintf(&b, "  next %X, %d left", k.KSN, k.Left)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (a *app) keysComponent() *cobra.Command {
	var holder, algorithm string
	c := &cobra.Command{
		Use: "component ACQUIRER NUMBER OF", Short: "Enter one component of a key-encrypting key", Args: args("ACQUIRER", "NUMBER", "OF"),
		Long: `component asks for one share of the acquirer's key-encrypting key, in hexadecimal and without showing it, or reads it as a line of
standard input. It is never an argument. OF is 2 or 3; every share needs a holder of its own, and all have to be there within
15 minutes, or nothing is kept. Compare the check value that is printed with the one on your sheet, and after the last share
that of the key.`,
		Example: "  pos keys component acquirer 1 2 --holder \"Amina Saleh\"",
		RunE: func(c *cobra.Command, argv []string) error {
			number, errN := strconv.Atoi(argv[1])
			of, errO := strconv.Atoi(argv[2])
			if errN != nil || errO != nil {
				return usage("NUMBER and OF are numbers, like 1 2")
			}
			text, err := a.hidden(fmt.Sprintf("Component %d of %d, in hexadecimal: ", number, of))
			if err != nil {
				return usage("%w", err)
			}
			value, err := hexLine(text)
			clear(text)
			if err != nil {
				return usage("%w", err)
			}
			defer clear(value)
			return a.loadKeys(c.Context(), func(m *secure.Client, person string) error {
				if holder == "" {
					holder = person
				}
				if holder == "" {
					return usage("say who you are: log in (pos login NAME), or give --holder")
				}
				l, err := m.LoadComponent(c.Context(), secure.Component{
					Set: argv[0], Of: of, Number: number, Holder: holder, Algorithm: secure.Algorithm(algorithm), Value: value,
				})
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(struct {
						Have  int    `json:"have"`
						Of    int    `json:"of"`
						Check string `json:"check"`         // of this component
						KEK   string `json:"kek,omitempty"` // of the key, once all are there
					}{l.Have, l.Of, string(l.Check), string(l.KEK)})
				}
				a.printf("Component %d of %d taken, check value %s.\n", number, of, l.Check)
				if l.KEK != "" {
					a.printf("The key-encrypting key of %s is loaded, check value %s.\n", argv[0], l.KEK)
				} else {
					a.printf("%d of %d are there; nothing is kept unless the others follow within 15 minutes.\n", l.Have, l.Of)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&holder, "holder", "", "name of the person whose component it is, where nobody is logged in; who is logged in is the holder")
	c.Flags().StringVar(&algorithm, "algorithm", string(secure.TDES), "TDES, AES-128, AES-192 or AES-256")
	return c
}

// hexLine decodes hexadecimal, with or without blanks, and leaves no copy.
func hexLine(text []byte) ([]byte, error) {
	digits := make([]byte, 0, len(text))
	defer func() { clear(digits[:cap(digits)]) }()
	for _, b := range text {
		if !unicode.IsSpace(rune(b)) {
			digits = append(digits, b)
		}
	}
	value := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(value, digits); err != nil {
		clear(value)
		return nil, errors.New("a component is hexadecimal, two digits a byte")
	}
	return value, nil
}

func (a *app) keysAbort() *cobra.Command {
	return &cobra.Command{
		Use: "abort ACQUIRER", Short: "Forget the components entered so far", Args: args("ACQUIRER"),
		RunE: func(c *cobra.Command, argv []string) error {
			return a.loadKeys(c.Context(), func(m *secure.Client, _ string) error {
				return a.keysDone(m.Abort(c.Context(), argv[0]), "Components of "+argv[0]+" forgotten.")
			})
		},
	}
}

// keysDone prints that something was done.
func (a *app) keysDone(err error, text string) error {
	switch {
	case err != nil:
		return err
	case a.json:
		return a.printJSON(struct {
			Done string `json:"done"`
		}{text})
	}
	a.printf("%s\n", text)
	return nil
}

func (a *app) keysImport() *cobra.Command {
	return &cobra.Command{
		Use: "import ACQUIRER USE FILE", Short: "Load a key from a key block (TR-31, X9.143)", Args: args("ACQUIRER", "USE", "FILE"),
		Long: `import loads a key from the key block in FILE, or on standard input for -. USE is pin, mac, data or master. The block has to be made
under the acquirer's key-encrypting key or, for session keys, its master key, and has to be for that use: B1 with its serial
number for DUKPT; P0; M0, M1, M3, M6; D0; K0, K1. A clear key is refused.

"import stripe swipe FILE" loads the key of an enciphering stripe reader (B1), "import pinpad pad FILE" the one that a PIN pad and
this terminal know each other by (B3); stripe and pinpad have components of their own.`,
		RunE: func(c *cobra.Command, argv []string) error {
			use, ok := map[string]secure.Use{"pin": secure.UsePIN, "mac": secure.UseMAC, "data": secure.UseData, "master": secure.UseMaster, "swipe": secure.UseSwipe, "pad": secure.UsePad}[strings.ToLower(argv[1])]
			if !ok {
				return usage("USE %q: pin, mac, data or master; of stripe: swipe; of pinpad: pad", argv[1])
			}
			block, err := a.keyBlock(argv[2])
			if err != nil {
				return usage("%w", err)
			}
			return a.loadKeys(c.Context(), func(m *secure.Client, _ string) error {
				check, err := m.Import(c.Context(), argv[0], use, block)
				if err != nil {
					return err
				}
				return a.keysDone(nil, fmt.Sprintf("%s key of %s loaded, check value %s.", use, argv[0], check))
			})
		},
	}
}

// keyBlock reads a key block; blanks and line ends around it do not count.
func (a *app) keyBlock(path string) (string, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxKeyFile {
		return "", fmt.Errorf("%s is longer than %d bytes: no key block", path, maxKeyFile)
	}
	return strings.TrimSpace(string(b)), nil
}

func (a *app) keysExchange() *cobra.Command {
	var anew bool
	c := &cobra.Command{
		Use: "exchange", Short: "Ask the host for new session keys now", Args: args(),
		Long: `exchange has the terminal ask its host for new session keys as soon as no sale runs. The keys in force stay until the new ones have
proved themselves. It asks the daemon, and so for a log-in of a role that may do it. pos keys status shows what came of it by
the check values, and pos audit why not.

--anew is for a host that has lost the keys in force: it asks without a MAC, as a terminal without keys does.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var snap terminal.Snapshot
			if err := cl.post(c.Context(), "/v1/keys/exchange", till.KeyExchange{Anew: anew}, &snap); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(snap)
			}
			a.printf("New session keys are asked for; pos keys status shows their check values.\n")
			return nil
		},
	}
	c.Flags().BoolVar(&anew, "anew", false, "the host has lost the keys in force")
	return c
}

func (a *app) keysDestroy() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "destroy ACQUIRER", Short: "Erase an acquirer's keys for good", Args: args("ACQUIRER"),
		RunE: func(c *cobra.Command, argv []string) error {
			if !yes {
				return usage("this erases every key of %s: say --yes", argv[0])
			}
			return a.loadKeys(c.Context(), func(m *secure.Client, _ string) error {
				return a.keysDone(m.Destroy(c.Context(), argv[0]), "Keys of "+argv[0]+" destroyed.")
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "really")
	return c
}

func (a *app) keysDecommission() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "decommission", Short: "Erase every key: the terminal never sells again with this state", Args: args(),
		Long: `decommission erases every key of the secure module, those of the journal's card data included. It is refused while the terminal
owes its acquirer messages: send the queue first (pos queue send). Settle before it: afterwards nothing sealed can be opened.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !yes {
				return usage("this makes the terminal unusable: say --yes")
			}
			return a.loadKeys(c.Context(), func(m *secure.Client, _ string) error {
				return a.keysDone(m.DestroyAll(c.Context()), "Every key is destroyed.")
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "really")
	return c
}
