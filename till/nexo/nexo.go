// Package nexo is the terminal's second interface: the Sale to POI protocol of nexo Retailer in JSON, as the MIT-licensed client
// @adyen/api-library speaks it. A message becomes an order to the lane or a read of the journal, as a request of package till does; this
// package decides nothing about money. What it answers about a payment it composes from the payment's record, so that the same answer
// comes again whenever it is asked for, also after a restart.
//
// It is no certified implementation of anything, and knows of the protocol what its tests show: Login, Logout, Payment, Reversal,
// TransactionStatus, Abort, Diagnosis, Reconciliation, GetTotals and Display. docs/nexo.md has the fields and what differs.
// Sources: the typings and the code of @adyen/api-library 32.1.0 (MIT); Adyen's documentation of the Terminal API.
package nexo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

// MaxBody is how many bytes a message may have, enciphered or not.
const MaxBody = 256 << 10

// Lane is what this package asks of the lane (terminal/lane.Lane).
type Lane interface {
	// Start begins a transaction; the same key gives the same one again. Errors: terminal.ErrBusy, ErrOrder, ErrKeyReused, ErrBatchFull.
	Start(ctx context.Context, order terminal.Order) (terminal.Sale, error)
	// Agree takes a word on the running sale's approval in part; error terminal.ErrAgreement.
	Agree(ctx context.Context, id terminal.SaleID, a terminal.Agreement) error
	// CancelSale asks for a sale to be cancelled, if it is the one that runs. Errors: terminal.ErrNothingRuns, ErrNotCancelable,
	// ErrAgreementDue.
	CancelSale(ctx context.Context, id terminal.SaleID) error
	// Current is the running sale.
	Current() (terminal.Sale, bool)
	// Snapshot is the latest state of everything.
	Snapshot() terminal.Snapshot
	// Watch waits for a snapshot newer than version after.
	Watch(ctx context.Context, after uint64) (terminal.Snapshot, error)
	// DecideBatch has a batch settled, and returns as soon as that is on disk.
	DecideBatch(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error)
}

// Journal is what this package reads of the journal (store.Store).
type Journal interface {
	// Sale is one sale's record; error terminal.ErrNoSale.
	Sale(ctx context.Context, id terminal.SaleID) (terminal.Sale, error)
	// ByKey finds the sale with an idempotency key; error terminal.ErrNoSale.
	ByKey(ctx context.Context, key string) (terminal.Sale, error)
	// Last are the last n sales, newest first.
	Last(ctx context.Context, n int) ([]terminal.Sale, error)
	// About are the transactions about an earlier one, oldest first.
	About(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error)
	// SaleRows are the rows of one sale, ascending.
	SaleRows(ctx context.Context, id terminal.SaleID) ([]terminal.JournalRow, error)
	// Debts are those that still wait or are parked, oldest first.
	Debts(ctx context.Context) ([]terminal.Debt, error)
	// Batches are an acquirer's that are not closed, oldest first.
	Batches(ctx context.Context, acquirer string) ([]terminal.Batch, error)
	// BatchRecord is one batch; 0 is the newest that is closed. Error terminal.ErrNoBatch.
	BatchRecord(ctx context.Context, acquirer string, number uint32) (terminal.Batch, error)
	// Items are a batch's transactions that may have reached the host, oldest first.
	Items(ctx context.Context, acquirer string, batch uint32) ([]terminal.Item, error)
}

// Registers know the cash registers (till.Registers).
type Registers interface {
	// ByToken finds the one of a token; error people.ErrECRToken.
	ByToken(ctx context.Context, token string) (people.ECR, error)
	// NexoKey is the passphrase of a register's key. Errors: people.ErrNoECR, ErrRevoked, ErrNoNexoKey, ErrRetired.
	NexoKey(ctx context.Context, identifier string, version int) (people.Passphrase, people.ECR, error)
	// Changed is closed when any register changes.
	Changed() <-chan struct{}
}

// Config is what the handler is made of. Every field is needed unless its comment says otherwise.
type Config struct {
	Lane      Lane
	Journal   Journal
	Registers Registers

	// Audit writes rows into the audit log.
	Audit func(ctx context.Context, entries ...people.Entry) error

	// Context ends when the daemon stops: a payment that somebody waits for is not waited for any longer.
	Context context.Context //nolint:containedctx // the daemon's, whose end no request's context tells

	POIID      string // the one name that messages must be for; empty: "Tillway-" and the terminal's id
	Clear      bool   // messages in clear are taken, from a register that shows its token
	NeedsLogin bool   // payments need a Login before

	// Training switches training mode; nil: there is none. by is who wants it. Error terminal.ErrBusy.
	Training func(ctx context.Context, on bool, by string) error
	// Trains says whether training mode is on; nil: it never is.
	Trains func() bool
	// Echo asks the host whether it is there; nil: what the link knows is told.
	Echo func(ctx context.Context) error
	// Display puts lines on the customer's display until the next transaction; nil: there is none.
	Display func(lines []terminal.DisplayLine)
	// Printer says how the receipt printer is, in the protocol's words; nil: there is none.
	Printer func() string

	Header     receipt.Header
	Languages  receipt.Languages
	Acquirer   string
	Currency   money.Currency
	TerminalID string
	MerchantID string
	Version    string        // of the program
	PINPad     bool          // PINs can be entered
	KeepAlive  time.Duration // how often a waiting client gets a new line; 0: five seconds
	Clock      func() time.Time
	Log        *slog.Logger
}

// handler answers messages.
type handler struct {
	cfg Config

	mu       sync.Mutex // guards what follows
	pending  map[messageName]*pending
	logins   map[string]login
	settled  map[messageName]settled
	known    map[keyName]knownKey
	changed  <-chan struct{} // of the registers, since known was begun
	refusals refusals
}

// New makes the handler of /nexo and /nexo/. It starts no goroutine.
func New(cfg Config) http.Handler {
	if cfg.POIID == "" {
		cfg.POIID = "Tillway-" + cfg.TerminalID
	}
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = 5 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Context == nil {
		cfg.Context = context.Background()
	}
	return &handler{
		cfg: cfg, pending: map[messageName]*pending{}, logins: map[string]login{}, settled: map[messageName]settled{}, known: map[keyName]knownKey{},
	}
}

// call is one message: who sent it, what it says, and how its sender is kept waiting.
type call struct {
	envelope

	register people.ECR
	keys     *keys // nil: in clear
	out      *output
}

// ServeHTTP answers one message. Messages that nobody can be recognised by, or that cannot be read, are answered with a status and
// {"errors":[…]}; all others with 200 and a message.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	case "/nexo", "/nexo/", "/nexo/sync":
	default:
		h.refuse(w, http.StatusNotFound, "there is nothing at this path: messages go to /nexo")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.refuse(w, http.StatusMethodNotAllowed, "messages are sent with POST")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		h.refuse(w, http.StatusUnsupportedMediaType, "the body is not declared as JSON: send Content-Type: application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			h.refuse(w, http.StatusRequestEntityTooLarge, "the message is larger than 256 KiB")
			return
		}
		h.refuse(w, http.StatusBadRequest, "the message did not arrive whole: send it again")
		return
	}
	h.message(w, r, body)
}

// message reads a message, finds out whose it is and answers it.
func (h *handler) message(w http.ResponseWriter, r *http.Request, body []byte) {
	e, err := parse(body)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	c := &call{envelope: e}
	if err := h.identify(r, c); err != nil {
		h.unknown(r.Context(), err)
		h.refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	if err := c.check(e.header); err != nil {
		h.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	c.out = newOutput(w, h.cfg.KeepAlive)
	h.answer(c, r)
}

// check holds what was deciphered to the copy of its header that came in clear: nobody is to route or log one message as another.
func (c *call) check(outer header) error {
	if c.header != outer {
		return errors.New("outer and inner MessageHeader differ")
	}
	return nil
}

// answer carries a message out and writes what came of it.
func (h *handler) answer(c *call, r *http.Request) {
	if c.keys == nil && !h.cfg.Clear {
		h.write(c, h.failure(c, &failure{
			condition: messageFormat, message: "messages in clear are not taken: encipher them with the cash register's nexo key",
			more: []pair{
				{"errors", "At SaleToPOIRequest, field NexoBlob: Missing"},
				{"note", "This terminal requires enciphered messages; ecr.nexo_clear = true allows clear ones from a register that shows its token"},
			},
		}))
		return
	}
	if c.header.POIID != h.cfg.POIID {
		h.write(c, h.failure(c, &failure{
			condition: messageFormat, message: "POIID is another terminal's: this one is " + h.cfg.POIID,
			more: []pair{{"errors", "At MessageHeader, field POIID: Not this terminal's"}},
		}))
		return
	}
	if c.header.MessageCategory == "Abort" {
		h.abort(r.Context(), c)
		c.out.end(nil)
		return
	}
	body, err := h.carryOut(r, c)
	if err != nil {
		body = h.failure(c, h.failureOf(err))
	}
	h.write(c, body)
}

// carryOut does what a message asks for.
func (h *handler) carryOut(r *http.Request, c *call) (any, error) {
	ctx := r.Context()
	switch c.header.MessageCategory {
	case "Payment":
		return h.payment(ctx, c)
	case "Reversal":
		return h.reversal(ctx, c)
	case "TransactionStatus":
		return h.status(ctx, c)
	case "Login":
		return h.login(ctx, c)
	case "Logout":
		return h.logout(ctx, c)
	case "Diagnosis":
		return h.diagnosis(ctx, c)
	case "Reconciliation":
		return h.reconciliation(ctx, c)
	case "GetTotals":
		return h.getTotals(ctx, c)
	case "Display":
		return h.display(c)
	}
	return nil, fail(unavailableService, "this terminal does no %s", c.header.MessageCategory)
}

// write sends an answer, enciphered as its request was.
func (h *handler) write(c *call, body any) {
	text, err := answerText(c.header, body)
	if err == nil && c.keys != nil {
		text, err = h.sealed(c, text)
	}
	if err != nil { // a record that cannot be encoded is never answered in part
		h.cfg.Log.Error("nexo: answer cannot be written", "err", err)
		text = []byte(`{"errors":["the terminal has an internal fault: ask for the status of this message"]}`)
	}
	c.out.end(text)
}

// sealed is the envelope of an answer.
func (h *handler) sealed(c *call, text []byte) ([]byte, error) {
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	blob, t, err := c.keys.seal(text, nonce)
	if err != nil {
		return nil, err
	}
	t.KeyIdentifier, t.KeyVersion = c.trailer.KeyIdentifier, c.trailer.KeyVersion
	var out struct {
		Response struct {
			MessageHeader   header  `json:"MessageHeader"`
			NexoBlob        string  `json:"NexoBlob"`
			SecurityTrailer trailer `json:"SecurityTrailer"`
		} `json:"SaleToPOIResponse"`
	}
	out.Response.MessageHeader, out.Response.NexoBlob, out.Response.SecurityTrailer = c.header.answer(), blob, t
	return encode(out)
}

// refuse answers what is no message, or nobody's.
func (h *handler) refuse(w http.ResponseWriter, status int, why string) {
	text, err := json.Marshal(map[string][]string{"errors": {"tillway: " + why}})
	if err != nil {
		h.cfg.Log.Error("nexo: answer cannot be written", "err", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(text, '\n')); err != nil {
		h.cfg.Log.Debug("nexo: client went away", "err", err)
	}
}
