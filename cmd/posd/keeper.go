package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tillway/device/secure"
	"tillway/store/parameters"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/people"
	"tillway/terminal/provision"
	"tillway/till"
)

// Parameter packages at a running terminal: judged while it sells, put in force between two sales, and then the terminal starts anew in
// this process, as it would after SIGTERM. One that does not get it ready is taken back.

// errAnew says that other parameters are in force: the terminal is to be started with them.
var errAnew = errors.New("other parameters are in force")

// betweenSales is how long an order to apply waits for the end of a sale.
const betweenSales = 10 * time.Second

// keeper puts packages in force. It is the till's Parameters.
type keeper struct {
	from  source
	disk  *disk
	log   *slog.Logger
	inUse config        // what the terminal runs with
	done  chan struct{} // closed when other parameters are in force

	turn  chan struct{} // one slot: who uses what follows, once anything runs
	shelf *parameters.Shelf
	lane  *lane.Lane // nil: the terminal waits for its first package

	mu      sync.Mutex           // guards what follows
	state   till.ParametersState // of the shelf
	file    []byte               // of the package in force; nil: none
	refused *till.PackageFailed
	why     error // of refused
	server  till.ServerState
}

// moduleSeal makes the record's tag in the secure module: an empty sealing, as the journal's.
type moduleSeal struct{ module secure.Module }

// parametersKey is the name of the key.
const parametersKey = "parameters"

func (m moduleSeal) Tag(ctx context.Context, text []byte) ([]byte, error) {
	if err := m.module.CreateKey(ctx, parametersKey); err != nil {
		return nil, err
	}
	return m.module.Seal(ctx, parametersKey, text, nil)
}

func (m moduleSeal) Check(ctx context.Context, text, tag []byte) error {
	plain, err := m.module.Open(ctx, parametersKey, text, tag)
	if err == nil && len(plain) > 0 {
		err = secure.ErrForged
	}
	return err
}

// parametersFolder is where packages lie in the state folder, and parametersCounter beside it.
const (
	parametersFolder  = "parameters"
	parametersCounter = "parameters.counter"
)

func openKeeper(ctx context.Context, s source, c config, d *disk, log *slog.Logger) (*keeper, error) {
	packages, err := parameters.OpenFolder(filepath.Join(c.State, parametersFolder))
	if err != nil {
		return nil, err
	}
	beside, err := parameters.OpenFolder(c.State)
	if err != nil {
		return nil, err
	}
	counter, err := parameters.OpenCounter(beside, parametersCounter, d.highest)
	if err != nil {
		return nil, err
	}
	shelf, err := parameters.Open(ctx, packages, moduleSeal{d.keys}, counter)
	if err != nil {
		return nil, err
	}
	k := &keeper{from: s, disk: d, log: log, inUse: c, done: make(chan struct{}), turn: make(chan struct{}, 1), shelf: shelf}
	k.publish()
	return k, nil
}

// noPackageInForce refuses a config file that names a terminal where a package does already.
func noPackageInForce(state, path string) error {
	if _, err := os.Lstat(filepath.Join(state, parametersFolder, "in-force")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("config %s names acquirer or profile, and a parameter package is in force: take profile, ca_keys and [acquirer] out of it, or remove %s to go on without packages", path, filepath.Join(state, parametersFolder))
}

// packaged runs a terminal whose parameters come in packages: with the one in force, or waiting for one.
func (m base) packaged(ctx context.Context, c config) error {
	k, err := openKeeper(ctx, m.from, c, m.disk, m.log)
	if err != nil {
		return err
	}
	m.keeper = k
	back, err := k.shelf.Starting(ctx, time.Now())
	if err != nil {
		return err
	}
	if back {
		k.sayTakenBack(ctx)
	}
	p := k.shelf.Current()
	if p == nil {
		return m.wait(ctx, c)
	}
	ready, err := m.from.settle(p, m.log)
	if err == nil {
		k.inUse = ready.config
		err = m.sell(ctx, ready)
	}
	if err == nil || errors.Is(err, errAnew) || ctx.Err() != nil || !k.shelf.Untried() {
		return err
	}
	if terr := k.shelf.TakeBack(ctx, err.Error(), time.Now()); terr != nil {
		return errors.Join(err, terr)
	}
	k.sayTakenBack(ctx)
	return errAnew
}

// settle is config.settle of a package, over what is the machine's own.
func (s source) settle(p *provision.Package, log *slog.Logger) (settled, error) {
	c, err := s.load(p)
	if err != nil {
		return settled{}, err
	}
	return c.settle(log)
}

func (k *keeper) sayTakenBack(ctx context.Context) {
	f := k.shelf.Record().Failed
	k.log.Error("the parameters did not work and were taken back", "version", f.Version, "reason", f.Reason)
	k.audit(ctx, people.Terminal, people.Failed, "version %d did not work and was taken back: %s", f.Version, f.Reason)
}

func (k *keeper) audit(ctx context.Context, who string, result people.Result, format string, args ...any) {
	entry := people.Entry{Actor: who, Event: people.EventParams, Result: result, Note: people.Note(format, args...)}
	if err := k.disk.journal.Audit(context.WithoutCancel(ctx), entry); err != nil {
		k.log.Error("parameters could not be audited", "err", err)
	}
}

// works is called when all of the terminal is open, before anybody can sell: keys that the package brings are loaded, and it counts as
// one that works. Loaded are those that the package before had not, or had otherwise, so that what was loaded by hand since stays; and those
// that the module lost. A power cut between two of them has all of them loaded by the next start.
func (k *keeper) works(ctx context.Context, l *lane.Lane) error {
	k.lane = l
	defer k.publish()
	load := k.shelf.Record().Load
	if !k.shelf.Untried() && len(load) == 0 {
		return nil
	}
	p := k.shelf.Current()
	there, err := k.disk.keys.Status(ctx)
	if err != nil {
		return fmt.Errorf("the keys that are there: %w", err)
	}
	loaded := 0
	for _, b := range p.KeyBlocks() {
		has := slices.ContainsFunc(there.Keys, func(s secure.KeyStatus) bool { return s.Set == b.Set && s.Use == useOf(b.Use).String() })
		if has && !slices.Contains(load, b.PartName()) {
			continue
		}
		check, err := k.disk.keys.Import(ctx, b.Set, useOf(b.Use), b.Block)
		switch {
		case err != nil && k.shelf.Untried():
			return fmt.Errorf("the %s key of %s in the package: %w", b.Use, b.Set, err)
		case err != nil: // of the package that is in force again: without it the terminal still settles, and says what is missing
			k.log.Error("a key of the parameters that are in force again was not loaded", "set", b.Set, "use", b.Use, "err", err)
			k.audit(ctx, people.Terminal, people.Failed, "version %d is in force again, and its %s key of %s was not loaded: %s", p.Version, b.Use, b.Set, err)
			continue
		}
		loaded++
		k.log.Info("key loaded from the parameter package", "set", b.Set, "use", b.Use, "check", check)
	}
	if err := k.shelf.Worked(ctx); err != nil {
		return err
	}
	k.audit(ctx, people.Terminal, people.Done, "version %d works, %d keys loaded", p.Version, loaded)
	return nil
}

func useOf(word string) secure.Use {
	return map[string]secure.Use{"pin": secure.UsePIN, "mac": secure.UseMAC, "data": secure.UseData, "master": secure.UseMaster, "swipe": secure.UseSwipe, "pad": secure.UsePad}[word]
}

// changed says that other parameters are in force than the terminal runs with.
func (k *keeper) changed() bool {
	if k == nil {
		return false
	}
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// publish shows how the shelf stands. Who has the turn calls it.
func (k *keeper) publish() {
	r := k.shelf.Record()
	s := till.ParametersState{Packaged: true, Highest: k.shelf.State().Highest}
	var file []byte
	if p := k.shelf.Current(); p != nil {
		file, s.Works = p.File(), k.lane != nil && !k.shelf.Untried()
		s.Current = entryState(*r.Current)
		s.Current.Terminal, s.Current.Merchant, s.Current.Note, s.Current.Signer = p.Terminal, p.Merchant, p.Note, p.Signer().Fingerprint()
		for _, t := range p.Trust {
			s.Current.Trust = append(s.Current.Trust, fmt.Sprintf("%s, %s, until %s", t.Name, t.Key.Fingerprint(), t.Expires))
		}
	} else {
		s.Waiting = k.shelf.Why()
	}
	if r.Previous != nil {
		s.Previous = entryState(*r.Previous)
	}
	if f := r.Failed; f != nil {
		s.Failed = &till.PackageFailed{Version: f.Version, Time: f.Time, Reason: f.Reason}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state, k.file = s, file
}

// State is till.Parameters'.
func (k *keeper) State(context.Context) till.ParametersState {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.state
	s.Refused = k.refused
	for _, p := range []**till.PackageState{&s.Current, &s.Previous} {
		if *p != nil {
			own := **p
			*p = &own
		}
	}
	if k.inUse.Provision.Server != "" {
		server := k.server
		server.URL = k.inUse.Provision.Server
		s.Server = &server
	}
	return s
}

func entryState(e parameters.Entry) *till.PackageState {
	return &till.PackageState{Version: e.Version, SHA256: e.Digest.String(), Since: e.Since, By: e.By}
}

// File is till.Parameters'.
func (k *keeper) File() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file
}

// Apply is till.Parameters'.
func (k *keeper) Apply(ctx context.Context, file []byte, word till.Word, by string, look bool) error {
	if err := k.take(ctx); err != nil {
		return err
	}
	defer func() { <-k.turn }()
	p, err := provision.Parse(file)
	if err == nil {
		err = k.judge(ctx, p, word)
	}
	if err == nil && look {
		return nil
	}
	if err == nil {
		err = k.switchTo(ctx, p, func(ctx context.Context) error { return k.shelf.Put(ctx, p, by, time.Now()) })
	}
	version := uint32(0)
	if p != nil {
		version = p.Version
	}
	if err != nil {
		k.refuse(ctx, version, by, look, err)
		return err
	}
	k.log.Info("other parameters are in force: the terminal starts anew", "version", version, "by", by)
	k.audit(ctx, by, people.Done, "version %d applied, %s, signed by %s", version, p.Digest().Short(), p.Signer().Fingerprint())
	return nil
}

// refuse says why a package was not put in force: in the log, the status and the audit log.
func (k *keeper) refuse(ctx context.Context, version uint32, by string, look bool, err error) {
	reason := strings.ReplaceAll(err.Error(), "\n", " ")
	k.log.Error("a parameter package was refused", "version", version, "by", by, "reason", reason)
	if look {
		return
	}
	k.mu.Lock()
	k.refused = &till.PackageFailed{Version: version, Time: time.Now().UTC().Truncate(time.Second), Reason: reason}
	k.why = err
	k.mu.Unlock()
	k.audit(ctx, by, people.Denied, "version %d refused: %s", version, reason)
}

// judge says whether a package is for this terminal, from who is trusted, newer, and one that it can run with.
func (k *keeper) judge(ctx context.Context, p *provision.Package, word till.Word) error {
	state := k.shelf.State()
	state.Fingerprint, state.Terminal = word.Fingerprint, word.Terminal
	if err := state.Judge(p, time.Now()); err != nil {
		return err
	}
	if _, err := p.Content(); err != nil {
		return err
	}
	if err := k.from.fits(p); err != nil {
		return fmt.Errorf("%w: %w", till.ErrUnfit, err)
	}
	return k.tryKeys(ctx, p)
}

// fits says whether this release on this machine runs with a package: everything of a start that opens nothing. Where the package has
// several acquirers, each of them has to do.
func (s source) fits(p *provision.Package) error {
	all := p.Acquirers()
	if len(all) == 0 {
		all = []string{""}
	}
	for _, name := range all {
		c, err := s.loadFor(p, name)
		if err != nil {
			return err
		}
		if err := c.runs(); err != nil {
			return err
		}
	}
	return nil
}

// runs says whether this release runs with a configuration.
func (c config) runs() error {
	ready, err := c.settle(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if _, err := ready.config.Acquirer.trust(); err != nil {
		return err
	}
	dialect, err := openDialect(ready.config.Acquirer, ready.profile, time.Now)
	if err != nil {
		return err
	}
	return parts{profile: ready.profile, acquirer: ready.config.Acquirer}.canKeep(dialect.Can())
}

// tryKeys has the secure module look at the package's key blocks, so that either all of them will be loaded or the package is not
// applied. What comes under a master key of the same package is looked at when that is there.
func (k *keeper) tryKeys(ctx context.Context, p *provision.Package) error {
	masters := []string{}
	for _, b := range p.KeyBlocks() {
		if b.Use == "master" {
			masters = append(masters, b.Set)
		} else if slices.Contains(masters, b.Set) {
			continue
		}
		if _, err := k.disk.keys.Try(ctx, b.Set, useOf(b.Use), b.Block); err != nil {
			return fmt.Errorf("%w: the %s key of %s: %w", till.ErrUnfit, b.Use, b.Set, err)
		}
	}
	return nil
}

func (k *keeper) take(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Back is till.Parameters'.
func (k *keeper) Back(ctx context.Context, by string) error {
	if err := k.take(ctx); err != nil {
		return err
	}
	defer func() { <-k.turn }()
	p, err := k.shelf.Previous()
	from := k.shelf.Record().Current
	if errors.Is(err, parameters.ErrNoPrevious) {
		err = till.ErrNoPackage
	}
	if err == nil {
		if err = k.from.fits(p); err != nil {
			err = fmt.Errorf("%w: %w", till.ErrUnfit, err)
		} else {
			err = k.tryKeys(ctx, p)
		}
	}
	if err == nil {
		err = k.switchTo(ctx, p, k.shelf.Back)
	}
	if err != nil {
		k.audit(ctx, by, people.Denied, "going back to the package before was refused: %s", err)
		return err
	}
	k.log.Warn("the parameters before are in force again: the terminal starts anew", "version", p.Version, "by", by)
	k.audit(ctx, by, people.Done, "went back from version %d to version %d", from.Version, p.Version)
	return nil
}

// switchTo puts other parameters in force while no sale runs and no batch is on its way, and has the terminal started anew.
func (k *keeper) switchTo(ctx context.Context, p *provision.Package, put func(context.Context) error) error {
	if k.changed() {
		return terminal.ErrStopping
	}
	do := func(ctx context.Context) (bool, error) {
		ctx = context.WithoutCancel(ctx)
		if err := k.settledFor(ctx, p); err != nil {
			return false, err
		}
		defer k.publish()
		if err := put(ctx); err != nil {
			if k.shelf.Current() == nil || k.shelf.Current().Digest() != p.Digest() {
				return false, err
			}
			k.log.Error("the parameters are in force; what belongs to it was not done", "err", err)
		}
		close(k.done)
		return true, nil
	}
	if k.lane == nil { // nothing is sold yet
		_, err := do(ctx)
		return err
	}
	wait, stop := context.WithTimeout(ctx, betweenSales)
	defer stop()
	err := k.lane.Rest(wait, do)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w, and a package is applied between two sales", terminal.ErrBusy)
	}
	return err
}

// settledFor refuses while a batch is on its way to the host, and where a package makes this another merchant, acquirer or currency
// while something is still to be told to the one there is.
func (k *keeper) settledFor(ctx context.Context, p *provision.Package) error {
	if k.inUse.params == nil {
		return nil
	}
	batches, err := k.disk.journal.Batches(ctx, k.inUse.Acquirer.Name)
	if err != nil {
		return err
	}
	disputed := false
	for _, b := range batches {
		switch b.State {
		case terminal.BatchOpen, terminal.BatchClosed:
		case terminal.BatchDisputed:
			disputed = true
		case terminal.BatchDraining, terminal.BatchTotalling, terminal.BatchUploading, terminal.BatchClosing:
			return fmt.Errorf("%w: batch %d is being settled: apply it again when that has ended", till.ErrUnsettled, b.Number)
		}
	}
	next, err := k.from.settle(p, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	now, err := k.inUse.loadProfile()
	if err != nil {
		return err
	}
	a, b := k.inUse.Acquirer, next.config.Acquirer
	if a.Name == b.Name && a.Dialect == b.Dialect && now.Currency == next.profile.Currency && now.Terminal.MerchantID == next.profile.Terminal.MerchantID {
		return nil
	}
	debts, err := k.disk.journal.Debts(ctx)
	if err != nil {
		return err
	}
	standing, err := k.disk.journal.Standing(ctx, a.Name)
	if err != nil {
		return err
	}
	if len(debts) > 0 || standing.Count > 0 || disputed {
		return fmt.Errorf("%w: it names another merchant, acquirer or currency, and %d payments of the open batch and %d messages are still to be told to the one there is: send the queue and settle first (pos queue send, pos settle)", till.ErrUnsettled, standing.Count, len(debts))
	}
	return nil
}
