// Package host is the other end of the wire: acquirer and gateway of a simulated host, with package issuer behind it. It
// answers the messages of a terminal, keeps a ledger of what it posted, and can be told by test amounts to misbehave.
//
// It shares with the terminal the wire alone: it is given a codec and has its own idea of what the fields mean (message.go,
// and message1993.go for that version), so that a mistake on one side is not made on the other too. Its books (package
// ledger) lie on disk where Config.Books opens them: then a host that is started again goes on where it ended, with its answers
// stored, its terminals' keys and its cards' PIN tries (keepkeys.go). What other kinds there are than sales, and which messages end a
// batch, kind.go and batch.go say; the rest is answered with code 12. Of the 1993 version the same kinds are taken but for the
// upload: a batch whose totals differ is closed with the host's (message1993.go).
//
// Terminals with keys are held to them, under DUKPT or with session keys (session.go): a MAC is verified over the bytes of the wire
// before anything is decided, a key serial number is taken once and only upwards, and answers carry a MAC under the response key
// of the request's serial number. What does not verify is answered with 63 and no MAC, and changes nothing. PIN blocks are
// deciphered here and checked by the issuer.
//
// What it promises: an original request posts at most once, whatever is repeated (a true repeat gets the stored answer;
// another transaction under the same terminal, batch and STAN gets 94); a reversal gives back exactly once, and one that
// comes before its original keeps that from posting at all. So the balances and what is posted always add up to the
// opening balances.
//
// Sources: ISO 8583:1987 (message classes, DE 39); public terminal messages of the NAC family for which fields stand in
// answers; ISO 8583:1993 (DE 22, 24, 25, 39 and 56).
package host

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
	"tillway/iso8583"
	"tillway/iso8583/link"
	"tillway/money"
)

// MaxFrame is the longest message in bytes, TPDU included, that the host reads; a longer one ends its connection.
const MaxFrame = 4096

// maxRecords bounds what the host remembers of transactions; past it, requests are answered with 96.
const maxRecords = 1 << 20

// ErrConfig says that a Config cannot be worked with.
var ErrConfig = errors.New("host simulator set up wrongly")

// Terminal is one terminal that may speak with the host.
type Terminal struct {
	ID       string // DE 41, 1 to 8 characters, without the spaces that fill it up
	Merchant string // DE 42, 1 to 15 characters, likewise
	Keys     *Keys  // nil: the terminal has none, and its messages no MAC
	Partial  bool   // it takes an approval of less than it asked for (10)
}

// Config is all the host is given. Clock, Random and Log may be used from any goroutine that calls the host.
type Config struct {
	Codec      *iso8583.Codec
	Version    Version          // of ISO 8583 that the codec's messages are; empty: Version1987
	Clock      func() time.Time // wall clock in the host's own time zone: DE 12, DE 13, expiry
	Random     io.Reader        // approval codes
	Accounts   []issuer.Account
	Terminals  []Terminal
	Currency   money.Currency
	Fees       []ledger.Fee  // what merchants pay; none: nothing
	NoFallback bool          // refuse the stripe of a chip card also where the terminal says that the chip failed
	Late       time.Duration // how long the test amount .102 holds its answer back
	NII        string        // three digits: messages with another one in the TPDU or in DE 24 are not answered, as a NAC drops them; empty: all are
	Framing    link.Framing  // zero: two binary bytes that count TPDU and message
	Log        *slog.Logger  // nil: no log. Card numbers are masked in it
	Security   *Security     // nil: neither MAC nor PIN

	// Books opens the ledger and gives it every record that it holds; nil: it lies in memory. The host closes it.
	Books func(records func(ledger.Record) error) (*ledger.Ledger, error)
}

// Reply is one thing the host does on the wire in answer to a frame.
type Reply struct {
	Delay time.Duration // after the frame was there
	Frame []byte        // the message, without length prefix
	Cut   int           // above 0: so many bytes of prefix and message are written, no more
	Reset bool          // afterwards the connection is reset
}

// Host is the simulated host. All methods are safe for concurrent use.
type Host struct {
	cfg       Config
	terminals map[string]string // merchant by terminal; never changed
	speaks    mapping

	mu        sync.Mutex      // guards all that follows; held over no I/O
	partial   map[string]bool // terminals that take partial approvals; never changed
	issuer    *issuer.Issuer
	ledger    records
	rrn       uint32 // of the last answer
	book      *ledger.Ledger
	work      ledger.Batch      // what the present decision writes
	batches   map[key]*batch    // by terminal and batch
	uploading map[string]string // batch by terminal

	secured map[string]*secured // by terminal
	journal
	connections
}

// New makes a host. It fails with ErrConfig (wrapped) when something is missing, an account cannot be used, or the codec's
// table has no room for the fields of its answers.
func New(cfg Config) (*Host, error) {
	if cfg.Codec == nil || cfg.Clock == nil || cfg.Random == nil || cfg.Currency == (money.Currency{}) {
		return nil, fmt.Errorf("codec, clock, random source and currency are needed: %w", ErrConfig)
	}
	if err := cfg.Framing.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	is, err := issuer.New(cfg.Accounts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	speaks, known := mappings()[cmp.Or(cfg.Version, Version1987)]
	if !known {
		return nil, fmt.Errorf("version %q of ISO 8583: %s or %s: %w", cfg.Version, Version1987, Version1993, ErrConfig)
	}
	if err := ledger.CheckFees(cfg.Fees); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	h := &Host{
		cfg: cfg, speaks: speaks, issuer: is, terminals: map[string]string{}, partial: map[string]bool{}, ledger: newRecords(),
		secured: map[string]*secured{}, batches: map[key]*batch{}, uploading: map[string]string{},
	}
	for _, a := range cfg.Accounts {
		if a.Balance.Currency != cfg.Currency {
			return nil, fmt.Errorf("account %q is not in %s: %w", a.Name, cfg.Currency.Code, ErrConfig)
		}
	}
	for _, t := range cfg.Terminals {
		if t.ID == "" || len(t.ID) > 8 || t.Merchant == "" || len(t.Merchant) > 15 {
			return nil, fmt.Errorf("terminal %q with merchant %q: 1 to 8 and 1 to 15 characters: %w", t.ID, t.Merchant, ErrConfig)
		}
		h.terminals[fmt.Sprintf("%-8s", t.ID)] = fmt.Sprintf("%-15s", t.Merchant)
		h.partial[fmt.Sprintf("%-8s", t.ID)] = t.Partial
		if err := h.addKeys(t); err != nil {
			return nil, err
		}
	}
	if err := h.tryAnswers(); err != nil {
		return nil, err
	}
	return h, h.openBooks()
}

func (h *Host) addKeys(t Terminal) error {
	if t.Keys == nil {
		return nil
	}
	if h.cfg.Security == nil {
		return fmt.Errorf("terminal %q has keys, and Security is not set: %w", t.ID, ErrConfig)
	}
	if err := h.cfg.Security.check(); err != nil {
		return err
	}
	if t.Keys.Master != nil {
		s, err := newSession(t.Keys)
		if err != nil {
			return fmt.Errorf("master key of terminal %q: %w: %w", t.ID, ErrConfig, err)
		}
		h.secured[fmt.Sprintf("%-8s", t.ID)] = &secured{session: s}
		return nil
	}
	pin, perr := newDevice(t.Keys.PIN)
	mac, merr := newDevice(t.Keys.MAC)
	if err := errors.Join(perr, merr); err != nil {
		return fmt.Errorf("keys of terminal %q: %w: %w", t.ID, ErrConfig, err)
	}
	h.secured[fmt.Sprintf("%-8s", t.ID)] = &secured{pin: pin, mac: mac}
	return nil
}

// tryAnswers packs a specimen, so that a table without the fields of an answer is found at the start and not at a sale.
func (h *Host) tryAnswers() error {
	m := h.speaks.specimen(h)
	if h.cfg.Codec.HasTPDU() {
		m.TPDU = make([]byte, 5)
	}
	if h.cfg.Security != nil {
		m.SetBytes(64, make([]byte, 8))
	}
	if _, err := h.cfg.Codec.Pack(m); err != nil {
		return fmt.Errorf("%w: the codec's table does not fit the host's answers: %w", ErrConfig, err)
	}
	return nil
}

// Answer takes one frame, without length prefix, and says what to do on the wire; nothing for a frame that cannot be read
// or is no request. Whatever it posts is posted when it returns, and on disk where the books are, whether or not the replies arrive. When the books
// cannot be written any more, nothing is answered any more.
func (h *Host) Answer(frame []byte) []Reply {
	now := h.cfg.Clock()
	if len(frame) > MaxFrame {
		h.note(Message{Time: now, Direction: In, Note: fmt.Sprintf("dropped: %d bytes are too many", len(frame))})
		return nil
	}
	m, err := h.cfg.Codec.Unpack(frame)
	if err != nil {
		h.note(Message{Time: now, Direction: In, Note: "dropped: " + err.Error()})
		return nil
	}
	if !h.reached(m) {
		h.note(Message{Time: now, Direction: In, Note: "dropped: for another NII"})
		return nil
	}
	private := 0
	if h.cfg.Security != nil {
		private = h.cfg.Security.Field
	}
	q := h.speaks.read(m, h.cfg.Currency, private)
	if q.answer == "" {
		h.note(q.message(now, "dropped: not a request"))
		return nil
	}
	h.mu.Lock()
	key, err := h.authenticate(q, frame)
	var a answer
	if err != nil {
		a = answer{code: securityViolation, at: now, rrn: h.nextRRN(now), note: err.Error()}
	} else {
		a = h.decide(q, now, key != nil)
		h.keepKeys(q.terminal)
		h.post()
	}
	h.mu.Unlock()
	h.note(q.message(now, a.note))
	if err := h.book.Sync(); err != nil {
		h.note(Message{Time: now, Direction: Out, MTI: q.answer, STAN: q.stan, Note: "not sent: " + err.Error()})
		return nil
	}
	return h.replies(q, a, key, now)
}

// reached says whether a message is for this host: its TPDU's destination (bytes 2 and 3) and DE 24 say so, where there is a NII to look for.
func (h *Host) reached(m *iso8583.Message) bool {
	if h.cfg.NII == "" {
		return true
	}
	if len(m.TPDU) == 5 && fmt.Sprintf("%X", m.TPDU[1:3]) != "0"+h.cfg.NII {
		return false
	}
	nii, there := m.Get(24)
	return !there || nii == h.cfg.NII
}

// answer is what was decided on one request: the fields, and what goes wrong on the wire.
type answer struct {
	code     string // DE 39
	rrn      string // DE 37
	authCode string // DE 38
	chip     []byte // DE 55
	seen     string // of a sign-on under a MAC: the highest key serial numbers, and an order
	keys     string // of a key exchange
	wrongPIN bool
	tries    int     // PIN tries left, where wrongPIN
	amounts  string  // DE 54
	mine     *totals // of an end of a batch in the 1993 version: the host's own
	totals   string  // of an end of a batch out of balance: the host's own
	part     int64   // of 10: what was approved, minor units
	unasked  bool    // refused before anything was decided: not kept
	at       time.Time
	fault    fault
	note     string // for the log
}

// decide runs one request to its answer. authentic says that it came under a MAC. The caller holds mu.
func (h *Host) decide(q query, now time.Time, authentic bool) answer {
	refuse := func(code, why string) answer {
		return answer{code: code, at: now, rrn: h.nextRRN(now), note: why}
	}
	if q.wrong != "" {
		return refuse(issuer.FormatError, q.wrong)
	}
	switch merchant, known := h.terminals[q.terminal]; {
	case !known:
		return refuse(unknownTerminal, "terminal not known")
	case q.merchant != merchant && q.class != network:
		return refuse(terminalRefused, "terminal belongs to another merchant")
	}
	q.original = h.earlier(q)
	switch q.class {
	case sale:
		return h.sell(q, now)
	case reversal:
		return h.reverse(q, now)
	case preauth, balance:
		return h.sell(q, now)
	case increment:
		return h.increment(q, now)
	case refund:
		return h.refund(q, now)
	case void:
		return h.void(q, now)
	case advice:
		return h.advice(q, now)
	case upload:
		return h.upload(q, now)
	case batchEnd:
		return h.endBatch(q, now)
	case network:
		return h.network(q, now, authentic)
	case otherClass:
	}
	return refuse(invalidTransaction, "no such transaction here")
}

// nextRRN is the retrieval reference number of a new answer: last digit of the year, day of the year, hour, and a counter.
func (h *Host) nextRRN(now time.Time) string {
	h.rrn++
	return fmt.Sprintf("%d%03d%02d%06d", now.Year()%10, now.YearDay(), now.Hour(), h.rrn%1_000_000)
}
