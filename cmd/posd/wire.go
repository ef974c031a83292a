package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/gempc"
	"tillway/device/pcsc"
	"tillway/device/transcript"
	"tillway/device/usb"
	"tillway/device/usb/libusb"
	"tillway/device/usbccid"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/iso8583"
	"tillway/iso8583/link"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
	"tillway/till/logbook"
	"tillway/till/training"
)

// readerDriver is one kind of reader that posd drives.
type readerDriver struct {
	name  string
	named string // what reader.port says of it, for whoever left that out; empty: it may be left out
	path  bool   // reader.port is a path
	open  func(c config, log *slog.Logger) (device.Reader, error)
}

// readerDrivers is the list of readers that posd drives, a line each.
func readerDrivers() []readerDriver {
	return []readerDriver{
		{"gempc", "the serial port of the card reader, like /dev/ttyUSB0; of one on USB or behind pcscd, reader.driver is \"usb\" or \"pcsc\"", true, func(c config, log *slog.Logger) (device.Reader, error) {
			return gempc.Open(gempc.Config{Port: c.Reader.Port, Log: log})
		}},
		{"pcsc", "the card reader's name in pcscd, or a part of it (pos readers lists them)", false, func(c config, log *slog.Logger) (device.Reader, error) {
			return pcsc.Open(pcsc.Config{Port: c.Reader.Port, Socket: c.Reader.Socket, Log: log})
		}},
		{"usb", "", false, openUSB},
	}
}

// openUSB opens a reader on USB.
func openUSB(c config, log *slog.Logger) (device.Reader, error) {
	allow, err := c.allowed()
	if err != nil {
		return nil, err
	}
	return usbccid.Open(usbccid.Config{Bus: libusb.New(), Port: c.Reader.Port, Allow: allow, Log: log})
}

// allowed is what reader.allow lists, and refuses what is no id, and a port that no USB reader has.
func (c *config) allowed() ([]usb.ID, error) {
	if c.Reader.Driver != "usb" {
		if c.Reader.Driver == "gempc" && isID(c.Reader.Port) {
			return nil, fmt.Errorf("reader.port %q is the ids of a reader on USB: write reader.driver = \"usb\" too", c.Reader.Port)
		}
		if len(c.Reader.Allow) > 0 {
			return nil, errors.New(`reader.allow is of readers on USB: write reader.driver = "usb", or take it out`)
		}
		return nil, nil
	}
	if _, err := usbccid.ParsePort(c.Reader.Port); err != nil {
		return nil, fmt.Errorf("reader.port: %w", err)
	}
	var all []usb.ID
	for _, text := range c.Reader.Allow {
		id, err := usb.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("reader.allow: %w", err)
		}
		all = append(all, id)
	}
	return all, nil
}

// driver is the one that the config names; its error names those that there are.
func (c *config) driver() (readerDriver, error) {
	var names []string
	for _, d := range readerDrivers() {
		if d.name == c.Reader.Driver {
			return d, nil
		}
		names = append(names, d.name)
	}
	return readerDriver{}, fmt.Errorf("reader.driver %q is not known: this release drives %s", c.Reader.Driver, strings.Join(names, ", "))
}

// openReader opens the reader that the config names.
func openReader(c config, log *slog.Logger) (device.Reader, error) {
	d, err := c.driver()
	if err != nil {
		return nil, err
	}
	return d.open(c, log)
}

// area is the logger of one part of the daemon, whose level can be set by itself.
func area(log *slog.Logger, name string) *slog.Logger { return log.With(logbook.AreaKey, name) }

// parts is what a terminal is assembled from: all that touches the world comes from outside.
type parts struct {
	profile  profile.Profile
	caKeys   emv.CAKeys
	acquirer acquirerConfig
	reader   device.Reader
	stripe   device.Reader // nil: none
	journal  lane.Journal
	sales    lane.Counter
	traces   lane.Counter
	dial     func(context.Context) (net.Conn, error) // of the one host, where hosts is empty
	hosts    []link.Host
	clock    func() time.Time
	random   io.Reader
	log      *slog.Logger

	module    module // nil: no PIN pad, no MAC
	pinSocket string // where an on-screen PIN is entered, in development

	transcripts *transcripts       // nil: none are kept
	profileText transcript.Profile // which profile, for them

	certificates []terminal.Certificate                 // that the link needs, beside the host's
	jitter       func(most time.Duration) time.Duration // of back-offs; nil: none

	audit func(ctx context.Context, done bool, note string) // what a host did or tried with keys; nil: nowhere

	room func(context.Context) (uint64, error) // bytes free where the journal is; nil: not looked at

	messages *messages // nil: none are remembered

	tap func(lane.Link) lane.Link // what the acquirer's messages pass on their way to the link; nil: nothing

	restored string // the journal was put back from a backup: what to say of what it owes; empty otherwise

	cardTalk time.Duration
	table    []terminal.Row      // nil: terminal.Table()
	debts    []terminal.DebtRow  // nil: terminal.DebtTable()
	batches  []terminal.BatchRow // nil: terminal.BatchTable()
}

// mostPayments is how many payments of a batch its totals have digits for (ISO 8583:1987 terminals: three).
const mostPayments = 999

// stripeRules is what the profile says of swiped cards: their holders are verified as the terminal can.
func (p parts) stripeRules() lane.StripeRules {
	rules := lane.StripeRules{Reader: p.stripe, FallbackAfter: p.profile.Terminal.FallbackAfter}
	if p.profile.Terminal.Capabilities.Has(emv.CapabilityEncipheredOnlinePIN) {
		rules.Methods = append(rules.Methods, emv.OnlinePIN)
	}
	if p.profile.Terminal.Capabilities.Has(emv.CapabilitySignature) {
		rules.Methods = append(rules.Methods, emv.Signature)
	}
	return rules
}

// canKeep refuses a profile whose approvals without the host the dialect has no message for.
func (p parts) canKeep(can terminal.Abilities) error {
	switch o := p.profile.Offline; {
	case o.Approvals.Count > 0 && !can.Offline:
		return fmt.Errorf("profile %s: [offline] keeps approvals for the host, and acquirer.dialect %q has no advice for them: write count = 0 and terminal.type = \"21\"", p.profile.Name, p.acquirer.Dialect)
	case o.Deferred.Count > 0 && !can.Deferred:
		return fmt.Errorf("profile %s: [offline.deferred] keeps requests for the host, and the acquirer does not take them: take the table out, or write acquirer.%s.deferred = true where the acquirer does", p.profile.Name, p.acquirer.Dialect)
	}
	return nil
}

// offlineRules is what the profile lets the terminal approve by itself.
func (p parts) offlineRules() lane.OfflineRules {
	return lane.OfflineRules{Approvals: p.profile.Offline.Approvals, Deferred: p.profile.Offline.Deferred, Room: p.room, MinRoom: minRoom}
}

// stack is an assembled terminal.
type stack struct {
	lane      *lane.Lane
	owner     *lane.Owner
	codec     *iso8583.Codec // of the acquirer's messages
	recovered []terminal.Sale
	kinds     []terminal.Kind // that profile and acquirer both have

	transcripts *transcripts       // nil: none are kept
	trains      *training.Terminal // nil: nobody practises
	vitals      *vitals            // nil: the service manager is not told
}

// training is what the terminal is made of for whoever practises: its rules, over memory.
func (s *stack) training(journal training.Journal, p profile.Profile, acquirer string) training.Config {
	return training.Config{
		Lane: s.lane, Journal: journal, Rules: s.lane.Rules(), TwoStep: p.Transactions.TwoStep, SameCard: p.Transactions.SameCard,
		AskSame: p.Transactions.AskSameCard, Languages: p.Terminal.Languages, Acquirer: acquirer, TerminalID: p.Terminal.ID, MerchantID: p.Terminal.MerchantID,
		AgreementWait: p.Deadlines.Signature, CardWait: p.Deadlines.Card, Clock: time.Now,
	}
}

// assemble recovers what the journal holds and puts the terminal together. Nothing runs yet.
func assemble(ctx context.Context, p parts) (*stack, error) {
	dialect, err := openDialect(p.acquirer, p.profile, p.clock)
	if err != nil {
		return nil, err
	}
	if err := p.canKeep(dialect.Can()); err != nil {
		return nil, err
	}
	recovered, err := lane.Recover(ctx, lane.Recovery{
		Journal: p.journal, Acquirer: p.acquirer.Name, Now: p.clock(), Table: p.table, Debts: p.debts, Batches: p.batches,
		Note: "kernel " + contact.Version + ", profile " + p.profile.Name, Restored: p.restored,
	})
	if err != nil {
		return nil, fmt.Errorf("recovery: %w", err)
	}
	answer := time.Duration(p.acquirer.AnswerTimeout)
	if answer == 0 {
		answer = p.profile.Deadlines.Answer
	}
	s := &stack{recovered: recovered, transcripts: p.transcripts, codec: dialect.Codec()}
	for _, k := range p.profile.Transactions.Kinds {
		if !slices.Contains(dialect.Can().Kinds, k) {
			p.log.Warn("the profile does a kind of transaction that the acquirer has no message for: its orders are refused", "kind", k)
			continue
		}
		s.kinds = append(s.kinds, k)
	}
	var macs lane.Macs
	var pad lane.PINPad
	if p.module != nil {
		keys := acquirerKeys{p.module, p.acquirer.Name, macMethod(p.acquirer.mac())}
		macs, pad = keys, keys
	}
	session := link.New(link.Config{
		Dial: p.dial, Hosts: p.hosts, Codec: dialect.Codec(), Framing: p.acquirer.framing(), TPDU: link.TPDUAnswer(p.acquirer.TPDUAnswer),
		WriteTimeout: time.Duration(p.acquirer.WriteTimeout), AnswerTimeout: answer,
		Quarantine: func(st link.Stray) {
			s.owner.Stray(terminal.Stray{Time: p.clock(), MTI: st.MTI, STAN: st.STAN, Code: st.Code, Reason: st.Reason})
		},
		Log: area(p.log, logbook.Host),
	})
	line := p.messages.record(session, dialect.Codec(), area(p.log, logbook.Host))
	if p.tap != nil {
		line = p.tap(line)
	}
	owning := lane.OwnerConfig{
		Name: p.acquirer.Name, Journal: p.journal, Dialect: dialect, Traces: p.traces, Macs: macs,
		Link: line, Hosts: session.Hosts(), ReadyAt: session.ReadyAt, Peer: func() terminal.Peer { return terminal.Peer(session.Peer()) }, Certificates: p.certificates,
		TerminalID: p.profile.Terminal.ID, MerchantID: p.profile.Terminal.MerchantID,
		Retry: time.Duration(p.acquirer.Retry), RetryMax: time.Duration(p.acquirer.RetryMax), Check: time.Duration(p.acquirer.Check),
		Window: p.acquirer.Window, Jitter: p.jitter, Echo: time.Duration(p.acquirer.Echo), Clock: p.clock, Debts: p.debts, Batches: p.batches, Log: area(p.log, logbook.Host),
		Currency: p.profile.Currency, ParkAfter: p.profile.Offline.ParkAfter,
		Settle: lane.SettleRules{
			Daily: p.profile.Settlement.Daily, At: p.profile.Settlement.At, Zone: p.profile.Zone, Full: p.profile.Settlement.Most, Most: mostPayments,
		},
	}
	p.keys(&owning)
	s.owner = lane.NewOwner(owning)
	s.lane = lane.New(lane.Config{
		Journal: p.journal, Kernel: p.transcripts.record(contact.New(contact.Config{Log: area(p.log, logbook.Card)}), p.profileText), Reader: p.reader, Owner: s.owner,
		Sales: p.sales, Traces: p.traces,
		Params: func(o terminal.Order, at time.Time, sale terminal.SaleID) emv.Params {
			params := p.profile.Params(o, at, uint32(sale%99_999_999)+1)
			params.Random, params.CAKeys = p.random, p.caKeys
			p.transcripts.next(sale)
			return params
		},
		PINPad: pad, PINTimeout: p.profile.Deadlines.PIN, PINBypass: p.profile.Terminal.PINBypass, PINSocket: p.pinSocket,
		Languages: p.profile.Terminal.Languages, Stripe: p.stripeRules(), Transactions: p.profile.Transactions, Offline: p.offlineRules(),
		Currency: p.profile.Currency, TerminalID: p.profile.Terminal.ID, MerchantID: p.profile.Terminal.MerchantID,
		AgreementWait: p.profile.Deadlines.Signature, CardWait: p.profile.Deadlines.Card, CardTalk: p.cardTalk, Recovered: len(recovered) > 0,
		Clock: p.clock, Table: p.table, Log: p.log,
	})
	return s, nil
}

// keys gives the acquirer's owner what session keys and the host's orders need.
func (p parts) keys(o *lane.OwnerConfig) {
	if p.module == nil {
		return
	}
	keys := acquirerKeys{p.module, p.acquirer.Name, macMethod(p.acquirer.mac())}
	o.Audit = p.audit
	if p.acquirer.sessionKeys() {
		o.Sessions, o.KeyLife, o.KeyMessages = sessionKeys{keys}, time.Duration(p.acquirer.KeyLife), p.acquirer.KeyMessages
	}
	if p.acquirer.hostOrders() {
		o.Random = p.random
		o.Destroy = func(ctx context.Context) error { return p.module.Destroy(ctx, keys.set) }
	}
}

// run runs lane and owner until ctx ends or one fails, and waits for both. The owner outlives the lane, so that a sale
// whose request has left gets its answer.
func (s *stack) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	owning, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	owned := make(chan error, 1)
	go func() {
		err := s.owner.Run(owning)
		stop() // without its owner a lane sells nothing
		owned <- err
	}()
	err := s.lane.Run(ctx)
	release()
	return errors.Join(err, <-owned)
}
