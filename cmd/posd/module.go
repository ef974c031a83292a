package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal/people"
)

// keysConfig is how the secure module is started.
type keysConfig struct {
	Program  string   `toml:"program"`
	Separate bool     `toml:"separate"`
	Witness  string   `toml:"witness"`
	Unlock   string   `toml:"unlock"`
	Socket   string   `toml:"socket"`
	Weak     []string `toml:"weak"`

	Service     string `toml:"service"`
	ServiceUser string `toml:"service_user"`
}

// pinConfig is where PINs are entered.
type pinConfig struct {
	Pad      string `toml:"pad"`
	OnScreen bool   `toml:"on_screen"`
	Socket   string `toml:"socket"`
}

// secureModule is the module, in a process of its own or in this one.
type secureModule interface {
	secure.Terminal
	Close() error
}

// startModule starts the module on the key file at path; first says that the state folder is new.
type startModule func(ctx context.Context, path string, first bool) (secureModule, error)

// moduleOf is what the configuration says of the module. events go to the audit log.
func moduleOf(c config, log *slog.Logger, errOut io.Writer, event func(secure.Event)) startModule {
	if !c.Keys.Separate {
		return func(ctx context.Context, path string, first bool) (secureModule, error) {
			log.Warn("keys lie in posd's own process: for development only")
			secret, err := unlockSecret(c.Keys.Unlock)
			if err != nil {
				return nil, err
			}
			return secure.Start(ctx, secure.Options{
				Path: path, First: first, Secret: secret, Witness: c.witness("keys"), Weak: c.Keys.Weak, Event: event,
			})
		}
	}
	if c.Keys.service() {
		return connectModule(c, log, event)
	}
	return func(ctx context.Context, path string, first bool) (secureModule, error) {
		program := c.Keys.Program
		if program == "" {
			own, err := os.Executable()
			if err != nil {
				return nil, fmt.Errorf("keys.program: %w", err)
			}
			program = filepath.Join(filepath.Dir(own), "keyd")
		}
		return secure.Launch(ctx, program, c.moduleArguments(path, first), errOut, event)
	}
}

// moduleArguments are keyd's. Nothing in them is secret.
func (c *config) moduleArguments(path string, first bool) []string {
	args := []string{"-file", path, "-witness", c.witness("keys"), "-keys", c.Keys.Socket}
	if first {
		args = append(args, "-first")
	}
	if !c.Development {
		args = append(args, "-production")
	}
	if c.Keys.Unlock != "" {
		args = append(args, "-unlock", c.Keys.Unlock)
	}
	if c.PIN.OnScreen {
		args = append(args, "-on-screen", c.PIN.Socket)
	}
	if c.PIN.Pad != "" {
		args = append(args, "-pad", c.PIN.Pad)
	}
	for _, set := range c.Keys.Weak {
		args = append(args, "-weak", set)
	}
	return args
}

// witness is the path of one of the witness's files.
func (c *config) witness(name string) string { return filepath.Join(c.Keys.Witness, name) }

// unlockSecret reads the unlock secret for a module in this process.
func unlockSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys.unlock: %w", err)
	}
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b, nil
}

// keyFile is the module's own folder within the state folder, and its file there. Files of a release that kept them
// beside the journal are moved, the sealed file last: until it is moved, the next start moves the rest.
func keyFile(dir string) (string, error) {
	own := filepath.Join(dir, "keyd")
	if err := store.MakeFolder(own); err != nil {
		return "", fmt.Errorf("state folder: %w", err)
	}
	for _, name := range []string{"keys.device.next", "keys.device", "keys"} {
		err := os.Rename(filepath.Join(dir, name), filepath.Join(own, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("state folder: %w", err)
		}
	}
	return filepath.Join(own, "keys"), nil
}

// watchModule waits until the module has ended, and says so: without it nothing can be sealed, and so nothing sold. nil
// when ctx ends first, or the module is in this process.
func watchModule(ctx context.Context, m secureModule) error {
	p, ok := m.(interface{ Done() <-chan struct{} })
	if !ok {
		<-ctx.Done()
		return nil
	}
	select {
	case <-p.Done():
		if ctx.Err() != nil {
			return nil
		}
		if why := moduleWhy(m); why != nil {
			return fmt.Errorf("keys: %w", why)
		}
		return fmt.Errorf("%w: a sale that was under way is settled by the next start; see the log for what keyd said last", secure.ErrGone)
	case <-ctx.Done():
		return nil
	}
}

// pinSocket is where an on-screen PIN is entered; empty when it is off.
func (c *config) pinSocket() string {
	if c.PIN.OnScreen {
		return c.PIN.Socket
	}
	return ""
}

// sayModule logs what the module says of itself, warnings loudly.
func sayModule(ctx context.Context, m secureModule, log *slog.Logger) error {
	st, err := m.Status(ctx)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	log.Info("secure module", "runs", st.Where, "memory", st.Memory, "storage", st.Storage, "production", st.Production, "keys", len(st.Keys))
	for _, w := range st.Warnings {
		log.Warn("secure module: " + w)
	}
	return nil
}

// keyEvents keeps what the module tells, from before the journal is open, until it is in the audit log.
type keyEvents struct {
	mu    sync.Mutex
	all   []secure.Event
	ready chan struct{} // has room for one: there is something
}

// maxKeyEvents bounds what waits; beyond it, the module's own log alone has them.
const maxKeyEvents = 1000

func newKeyEvents() *keyEvents { return &keyEvents{ready: make(chan struct{}, 1)} }

func (k *keyEvents) add(e secure.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.all) < maxKeyEvents {
		k.all = append(k.all, e)
	}
	select {
	case k.ready <- struct{}{}:
	default:
	}
}

// audit writes events to the audit log until ctx ends, and then those that are left.
func (k *keyEvents) audit(ctx context.Context, journal *store.Store, log *slog.Logger) {
	for running := true; running; {
		select {
		case <-k.ready:
		case <-ctx.Done():
			running = false
		}
		k.mu.Lock()
		all := k.all
		k.all = nil
		k.mu.Unlock()
		for _, e := range all {
			entry := people.Entry{Time: time.Now(), Actor: people.Terminal, Event: people.EventKeys, Result: people.Done, Note: keyNote(e)}
			if err := journal.Audit(context.WithoutCancel(ctx), entry); err != nil {
				log.Error("key action could not be audited", "what", e.What, "err", err)
			}
		}
	}
}

// keyNote is an event in one line.
func keyNote(e secure.Event) string {
	words := []string{e.What}
	for _, part := range []string{e.Set, e.Use, e.Check, e.Holder} {
		if part != "" {
			words = append(words, part)
		}
	}
	return strings.Join(words, ", ")
}

// witness has the counters of the journal's numbers watched from outside the state folder.
func (d *disk) witness(ctx context.Context, path string) (err error) {
	if d.highest, err = secure.OpenWitness(path); err != nil {
		return err
	}
	for name, c := range map[string]*store.Counter{"sale": d.sales, "stan": d.traces} {
		if last, seen := c.Last(), d.highest.Highest(name); seen > last+leaseBlock { // a block may be witnessed and not leased yet
			d.behind = append(d.behind, fmt.Sprintf("%s.counter stood at %d, and the witness had seen %d", name, last, seen))
		}
		if err := c.Witnessed(ctx, d.highest, name); err != nil {
			return err
		}
	}
	return nil
}
