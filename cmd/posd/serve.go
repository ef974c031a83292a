package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"tillway/device/secure"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/money"
	"tillway/store"
	"tillway/systemd"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/people"
	"tillway/terminal/profile"
	"tillway/terminal/receipt"
	"tillway/terminal/selftest"
	"tillway/till"
	"tillway/till/logbook"
	"tillway/till/metrics"
	"tillway/till/training"
)

// leaseBlock is how many numbers a counter takes at once: one flush a block, and at most a block lost in a power cut.
const leaseBlock = 200

const cardTalkLimit = 60 * time.Second

// serve runs the daemon until ctx ends. Its error is one line that says what to do.
func serve(ctx context.Context, path string, out, errOut io.Writer) error {
	return source{path: path}.serve(ctx, out, errOut)
}

// serve runs the terminal, and starts it anew in this process whenever other parameters are in force.
func (s source) serve(ctx context.Context, out, errOut io.Writer) error {
	for {
		err := s.once(ctx, out, errOut)
		if !errors.Is(err, errAnew) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// settled is what of a terminal is known before anything is opened.
type settled struct {
	config      config
	profile     profile.Profile
	authorities emv.CAKeys
	trust       trusted
}

// settle reads what the configuration names and refuses what this release cannot keep.
func (c config) settle(log *slog.Logger) (s settled, err error) {
	s.config = c
	if s.profile, err = c.loadProfile(); err != nil {
		return s, err
	}
	if err := honours(s.profile, c.Reader.Stripe.wanted()); err != nil {
		return s, err
	}
	if err := c.rolesFit(s.profile); err != nil {
		return s, err
	}
	s.authorities, err = c.loadCAKeys(s.profile, time.Now(), log)
	return s, err
}

// once runs the terminal with the parameters that are in force. errAnew: there are others now.
func (s source) once(ctx context.Context, out, errOut io.Writer) (err error) {
	c, err := s.load(nil)
	if err != nil {
		return err
	}
	log := logger(c, errOut)
	var ready settled
	if !c.packaged { // what is wrong ends the start before anything is made
		if ready, err = c.settle(log); err != nil {
			return err
		}
	}
	manager := notifier(log)
	defer func() { err = errors.Join(err, manager.Close()) }()
	if c.Keys.service() {
		_ = manager.Starting("Waiting for keyd", keydWithin+greetSlack) // the log says what is wrong with it
	}
	unlock, err := lockState(c.State)
	if err != nil {
		return err
	}
	defer unlock()
	clearBackup(c.State, log)
	if _, err := restored(c.State); err != nil { // one that was interrupted, before anything is opened
		return err
	}
	if err := makeRoom(c.State, roomIn(c.State), log); err != nil {
		return err
	}
	events := newKeyEvents()
	disk, err := openDiskWith(ctx, c.State, moduleOf(c, area(log, logbook.Keys), errOut, events.add), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.close()) }()
	if err := disk.witness(ctx, c.witness("counters")); err != nil {
		return err
	}
	if err := sayModule(ctx, disk.keys, log); err != nil {
		return err
	}
	m := base{from: s, disk: disk, events: events, manager: manager, out: out, log: log}
	if !c.packaged {
		if err := noPackageInForce(c.State, s.path); err != nil {
			return err
		}
		return m.sell(ctx, ready)
	}
	return m.packaged(ctx, c)
}

// base is a terminal whose state folder is open.
type base struct {
	from    source
	disk    *disk
	events  *keyEvents
	manager *systemd.Notifier
	keeper  *keeper // of parameter packages; nil: the config file says everything
	out     io.Writer
	log     *slog.Logger
}

// sell opens what a terminal needs besides, and runs it until ctx ends.
func (m base) sell(ctx context.Context, ready settled) (err error) {
	c, p, disk, log := ready.config, ready.profile, m.disk, m.log
	if ready.trust, err = c.Acquirer.trust(); err != nil {
		return err
	}
	reader, err := openReader(c, area(log, logbook.Reader))
	if err != nil {
		return fmt.Errorf("reader: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	stripe, err := openStripe(c, disk.keys, area(log, logbook.Reader))
	if err != nil {
		return fmt.Errorf("reader.stripe: %w", err)
	}
	if stripe != nil {
		defer func() { err = errors.Join(err, stripe.Close()) }()
	}
	if disk.transcripts, err = newTranscripts(filepath.Join(c.State, "transcripts"), c.Transcripts.Keep, c.Transcripts.TestCards == "complete", log); err != nil {
		return err
	}
	profileText, err := c.profileOf(p)
	if err != nil {
		return err
	}
	wire := newMessages(disk.transcripts, time.Now)
	behind, err := restored(c.State)
	if err != nil {
		return err
	}
	s, err := assemble(ctx, parts{
		profile: p, caKeys: ready.authorities, acquirer: c.Acquirer, reader: reader, stripe: stripe, journal: disk.journal, sales: disk.sales, traces: disk.traces,
		hosts: c.Acquirer.ways(ready.trust), certificates: ready.trust.certificates,
		jitter: func(most time.Duration) time.Duration { return mathrand.N(most + 1) }, //nolint:gosec // spreads tills in time, guards nothing
		clock:  time.Now, random: rand.Reader, log: log, cardTalk: cardTalkLimit, room: roomIn(c.State),
		module: disk.keys, audit: disk.hostDid(log), pinSocket: c.pinSocket(), transcripts: disk.transcripts, messages: wire, profileText: profileText, restored: behind,
	})
	if err != nil {
		return err
	}
	if behind != "" {
		log.Warn("this journal was " + behind)
		entry := people.Entry{Actor: people.Terminal, Event: people.EventBackup, Result: people.Done, Note: people.Note("the journal was %s", behind)}
		if err := errors.Join(disk.journal.Audit(ctx, entry), unmark(c.State, restoredName)); err != nil {
			return fmt.Errorf("state folder: %w", err)
		}
	}
	for _, sale := range s.recovered {
		log.Warn("sale found unfinished and ended", "sale", sale.ID, "state", sale.State)
	}
	debts, err := disk.journal.Debts(ctx)
	if err != nil {
		return err
	}
	if err := owedElsewhere(debts, c.Acquirer.Name); err != nil {
		return err
	}
	access, err := disk.gate(ctx, m.from.path, c, p, log)
	if err != nil {
		return err
	}
	registers, err := till.NewRegisters(ctx, till.RegistersConfig{Store: disk.journal, Log: area(log, logbook.Till)})
	if err != nil {
		return err
	}
	doors, err := openDoors(ctx, c, area(log, logbook.Till))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doors.close()) }()
	trains := training.New(s.training(disk.journal, p, c.Acquirer.Name))
	local := ready.till(disk, s, trains, access, registers, wire, log)
	local.HostTest = hostTest(s.lane, c.Acquirer.Name)
	local.Backup = newBackups(disk, c.Keys.service(), c.Acquirer.Name, p.Terminal.ID, p.Terminal.MerchantID).make
	local.Meaning = c.Acquirer.codeMeaning
	if local.Logo, err = c.logo(); err != nil {
		return err
	}
	local.Logbook = logbook.Of(log)
	examining := &examiner{
		path: m.from.path, config: c, now: time.Now, log: log, profile: &p, disk: disk, codec: s.codec, probe: s.lane.Probe, snapshot: s.lane.Snapshot, echo: s.lane.Echo,
		read: c.filesRead(m.from.path),
	}
	local.Selftest = func(ctx context.Context) selftest.Report { return examining.run(ctx) }
	printing, err := openPrinter(ctx, c, p, disk, s.lane, local, area(log, logbook.Printer))
	if err != nil {
		return err
	}
	examining.printer = func() *till.PrinterStatus { return nil }
	if printing != nil {
		examining.printer = func() *till.PrinterStatus {
			return &till.PrinterStatus{Name: printing.printer.Name(), Status: printing.spool.Status()}
		}
		local.Printer, local.PrinterName = printing.spool, printing.printer.Name()
	}
	watching := metrics.New(printsOn(ready.watched(s, disk, local.Keys, area(log, logbook.Till)), printing))
	doors.watched = watching.Handler()
	local.Support = supported{config: c, path: m.from.path, transcripts: disk.transcripts, metrics: watching}.files
	if m.keeper != nil {
		local.Parameters = m.keeper
		examining.refusal, examining.failed = m.keeper.refusal, func() *till.PackageFailed { return m.keeper.State(ctx).Failed }
		if err := m.keeper.works(ctx, s.lane); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(m.out, "posd ready: %s, reader %s, host %s%s\n", c.Socket, c.Reader.Port, c.Acquirer.Address, doors.words()); err != nil {
		return err
	}
	s.trains, s.vitals = trains, s.signs(m.manager, disk.journal, p.Deadlines, len(c.Acquirer.hosts()), log)
	s.vitals.anew = m.keeper.changed
	if err := m.manager.Ready(s.vitals.status()); err != nil {
		log.Warn("the service manager is not told", "err", err)
	}
	t := till.New(local)
	err = runAll(ctx, s, disk, m, printing, doors.servers(t, c.registers(t.ECR(), c.nexo(ctx, s.lane, trains, local), till.NewTries(access.Audit, nil, log)), log), log)
	if err == nil && m.keeper.changed() {
		return errAnew
	}
	return err
}

// till is what the local interface is made of, but for printer and parameters.
func (r settled) till(disk *disk, s *stack, trains *training.Terminal, access *till.Access, registers *till.Registers, wire *messages, log *slog.Logger) till.Config {
	c, p := r.config, r.profile
	return till.Config{
		Lane: trains, Journal: trains.Journal(), Training: trains, Access: access, Registers: registers, Verify: disk.verified, ExchangeKeys: s.lane.ExchangeKeys, KeysTicket: disk.keys.Ticket, Keys: keysTold(disk.keys, c.Acquirer, p), Transcripts: disk.transcripts, Messages: wire, Log: area(log, logbook.Till),
		Header: receipt.Header{
			Name: p.Merchant.Name, Location: p.Merchant.Location, Zone: p.Zone, Digits: money.Digits(p.Receipt.Digits),
			NameArabic: p.Merchant.NameArabic, LocationArabic: p.Merchant.LocationArabic,
		},
		Languages: paperLanguages(p.Receipt),
		Kinds:     s.kinds, Acquirer: c.Acquirer.Name, Currency: p.Currency, TerminalID: p.Terminal.ID, MerchantID: p.Terminal.MerchantID, Profile: p.Name, Version: version(),
		CAKeys: till.CAKeys{Environment: p.Terminal.CAKeys, Keys: len(r.authorities.Keys), Revoked: len(r.authorities.Revoked)},
		Kernel: receipt.Kernel{Name: "contact", Version: contact.Version, Checksum: contact.Checksum()},
	}
}

// owedElsewhere refuses a config under whose acquirer a reversal would wait for ever: each goes to the one it is owed to.
func owedElsewhere(debts []terminal.Debt, acquirer string) error {
	for _, d := range debts {
		if d.Acquirer != acquirer && d.State != terminal.Parked {
			return fmt.Errorf("acquirer.name is %q, and the %s of sale %s is still owed to %q: put that name back until it is settled", acquirer, d.Kind, d.Sale, d.Acquirer)
		}
	}
	return nil
}

// runAll runs the terminal, its local interface and its housekeeping, and waits for all of them.
func runAll(ctx context.Context, s *stack, d *disk, m base, printing *printing, doors []*server, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, door := range doors {
		wg.Go(func() {
			if door.serve(ctx) != nil {
				stop()
			}
		})
	}
	wg.Go(func() { d.housekeeping(ctx, s.lane, log) })
	if s.trains != nil {
		wg.Go(func() { s.trains.Run(ctx) })
	}
	wg.Go(func() { m.events.audit(ctx, d.journal, log) })
	if s.vitals != nil {
		wg.Go(func() { s.vitals.run(ctx) })
	}
	if m.keeper != nil {
		wg.Go(func() { m.keeper.poll(ctx) })
	}
	if printing != nil {
		wg.Go(func() {
			if err := printing.run(ctx); err != nil { // money does not wait for paper
				log.Error("no receipts are printed any more: stop and start posd when that is put right", "err", err)
			}
		})
	}
	var moduleErr error
	wg.Go(func() {
		if moduleErr = watchModule(ctx, d.keys); moduleErr != nil {
			stop()
		}
	})
	err := s.run(ctx)
	d.transcripts.flush()
	stop()
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	for _, door := range doors {
		err = errors.Join(err, door.end(drain))
	}
	wg.Wait()
	for _, door := range doors {
		err = errors.Join(err, door.failed)
	}
	return errors.Join(err, moduleErr)
}

// logger writes in the config's form. Its book, logbook.Of, changes its levels and keeps its last lines.
func logger(c config, w io.Writer) *slog.Logger {
	log, _ := logbook.New(w, c.Log.Format, slog.Level(c.Log.Level), time.Now)
	return log
}

// lockState makes the state folder and holds it: two daemons on one journal would give numbers twice.
func lockState(dir string) (unlock func(), err error) {
	if err := store.MakeFolder(dir); err != nil {
		return nil, fmt.Errorf("state folder: %w: name a folder that this user may write, with state = in the config", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder %s is in use: another posd runs on it; stop that one first", dir), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// disk is everything that posd keeps: key file, counters, journal.
type disk struct {
	keys          secureModule
	sales, traces *store.Counter
	journal       *store.Store
	folder        string          // that it all lies in
	transcripts   *transcripts    // nil: none are kept
	highest       *secure.Witness // of the counters, outside the state folder; nil without
	behind        []string        // counters that the witness was ahead of, by more than a power cut explains
}

// openDiskWith opens the state folder. Keys and counters are made only where there is no journal yet, which is made last: a
// journal without them is refused, because a key would be lost or a number given twice.
func openDiskWith(ctx context.Context, dir string, module startModule, log *slog.Logger) (*disk, error) {
	path := filepath.Join(dir, "journal.db")
	first, counter := false, store.OpenCounter
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		first, counter = true, store.CreateCounter
	}
	d := &disk{folder: dir}
	file, err := keyFile(dir)
	if err != nil {
		return nil, err
	}
	if d.keys, err = module(ctx, file, first); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if err := d.open(ctx, path, dir, counter, log); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *disk) open(
	ctx context.Context, path, dir string, counter func(string, uint64) (*store.Counter, error), log *slog.Logger,
) (err error) {
	if d.sales, err = counter(filepath.Join(dir, "sale.counter"), leaseBlock); err != nil {
		return err
	}
	if d.traces, err = counter(filepath.Join(dir, "stan.counter"), leaseBlock); err != nil {
		return err
	}
	if d.journal, err = store.Open(ctx, store.Config{Path: path, Sealer: d.keys, Log: area(log, logbook.Store), Clock: time.Now, Token: tokenOf(d.keys)}); err != nil {
		return err
	}
	highest, err := d.journal.Highest(ctx)
	if err != nil {
		return err
	}
	return d.sales.Raise(ctx, uint64(highest))
}

// close closes what is open, the journal first.
func (d *disk) close() error {
	var errs []error
	if d.journal != nil {
		errs = append(errs, d.journal.Close())
	}
	for _, c := range []*store.Counter{d.sales, d.traces} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if d.keys != nil {
		errs = append(errs, d.keys.Close())
	}
	if d.highest != nil {
		errs = append(errs, d.highest.Close())
	}
	return errors.Join(errs...)
}

// housekeeping does between sales what would cost a sale a flush: it leases numbers ahead and checkpoints the journal.
func (d *disk) housekeeping(ctx context.Context, l *lane.Lane, log *slog.Logger) {
	var seen uint64
	var swept terminal.SaleID
	for {
		snap, err := l.Watch(ctx, seen)
		if err != nil {
			return
		}
		seen = snap.Version
		if err := d.keys.Owes(ctx, snap.Owed); err != nil && ctx.Err() == nil {
			log.Error("telling the secure module what is owed", "err", err)
		}
		if _, running := l.Current(); running {
			continue
		}
		d.transcripts.flush()
		for _, c := range []*store.Counter{d.sales, d.traces} {
			if err := c.Refill(ctx); err != nil && ctx.Err() == nil {
				log.Error("leasing numbers", "err", err)
			}
		}
		if err := keepBallast(d.folder); err != nil {
			log.Warn("no ballast on this disk", "err", err)
		}
		if err := d.keys.Refill(ctx); err != nil && ctx.Err() == nil {
			log.Error("deriving keys ahead", "err", err)
		}
		if err := d.journal.Upkeep(ctx); err != nil && ctx.Err() == nil {
			log.Error("audit", "err", err)
		}
		if err := d.journal.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			log.Error("checkpoint", "err", err)
		}
		if snap.Last != nil && snap.Last.ID != swept {
			// What the last sale left of the card is collected, and its memory given back, which empties it.
			debug.FreeOSMemory()
			swept = snap.Last.ID
		}
	}
}
