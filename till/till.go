// Package till is the local interface of the terminal: HTTP and JSON, behind several doors that serve the same routes. The socket is
// for programs that the operating system lets at it, the screen for a browser of this machine, the third for cash registers (ECR);
// door.go says how each judges who comes.
// It decides nothing: a request becomes a command to the lane or a read of the journal. A sale belongs to the lane from
// the moment it starts; a client that goes away changes nothing, and finds it again by its number or its key.
//
// Routes, all under /v1: POST sales, GET sales (?card_of=ID: of that sale's card; search.go: what is looked for), GET sales/{id}, GET sales/{id}/receipt,
// GET sales/{id}/why, GET sales/{id}/transcript, GET sales/{id}/messages, GET journal, GET status, POST selftest, GET words, GET kernel, GET watch, GET events, GET me, POST cancel, POST sales/{id}/signature, POST sales/{id}/agreement,
// POST sales/{id}/confirmation, GET queue, POST queue/send, POST queue/{id}/retry, POST queue/{id}/park, POST queue/{id}/write-off; POST settle, GET settle,
// POST settle/call-off, POST settle/{batch}/close, GET report/x, GET report/z (?batch=N); POST login, POST logout, POST override,
// GET printer, POST printer/print, POST printer/resume, POST printer/drop, POST drawer; GET training, POST training; POST secret, POST users/init, GET users, POST users, POST users/{name}; GET ecrs, POST ecrs, POST ecrs/{name}/rotate,
// POST ecrs/{name}/revoke, POST ecrs/{name}/nexo-keys, POST ecrs/{name}/nexo-keys/{version}/retire; POST host/test; POST keys/exchange, POST keys/ticket; GET provision, GET provision/package, POST provision, POST provision/rollback; GET backup; GET audit, POST audit/verify. What a route needs
// stands beside it in New; of support there are also GET log, POST log and POST support. A caller shows who they are with the token of POST login, as "Authorization: Bearer TOKEN", and a browser
// by the cookie that it got for it. Requests that another page sends are refused. Errors are problem bodies (RFC 9457) with two members
// more: "code", a stable word, and "do", what to do.
package till

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
	"tillway/terminal/selftest"
	"tillway/till/logbook"
	"tillway/till/support"
)

// Bounds on what a client may send and ask for.
const (
	MaxBody      = 4 << 10 // bytes of a request's body
	MaxRows      = 1000    // journal rows or sales in one answer
	defaultRows  = 100
	lookEvery    = time.Second      // how soon a watch tells of a reader that came or went
	longestWatch = 30 * time.Second // a watch without news answers then; the client asks again
)

// Lane is what the till asks of the lane (terminal/lane.Lane).
type Lane interface {
	// Start begins a sale and returns once it waits for a card; the same key gives the same sale again.
	Start(ctx context.Context, order terminal.Order) (terminal.Sale, error)
	// Agree takes the cashier's word on the running sale's signature; error terminal.ErrAgreement.
	Agree(ctx context.Context, id terminal.SaleID, a terminal.Agreement) error
	// Confirm takes the word on the running sale's warning, whether it goes on; error terminal.ErrConfirm.
	Confirm(ctx context.Context, id terminal.SaleID, meant bool, by string) error
	// Cancel asks for the running sale to be cancelled.
	Cancel(ctx context.Context) error
	// Current is the running sale, which need not be on disk yet.
	Current() (terminal.Sale, bool)
	// Snapshot is the latest state of everything.
	Snapshot() terminal.Snapshot
	// Watch waits for a snapshot newer than version after and returns the latest, or the context's error.
	Watch(ctx context.Context, after uint64) (terminal.Snapshot, error)
	// SendQueue makes what is owed to the host go out now.
	SendQueue(ctx context.Context) error
	// Decide carries out what somebody decided about a parked debt; errors terminal.ErrNoDebt, ErrNotParked, ErrQuarantined,
	// ErrOtherAcquirer, ErrNote.
	Decide(ctx context.Context, d terminal.DebtDecision) (terminal.Debt, error)
	// DecideBatch carries out what somebody wants of a batch, and returns as soon as that is on disk; errors terminal.ErrNoBatch,
	// ErrNoTotals, ErrEmptyBatch, ErrParkedItems, ErrBatchState, ErrNote.
	DecideBatch(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error)
}

// Journal is what the till reads of the journal (store.Store).
type Journal interface {
	// Sale is one sale's record; error terminal.ErrNoSale.
	Sale(ctx context.Context, id terminal.SaleID) (terminal.Sale, error)
	// Last are the last n sales, newest first.
	Last(ctx context.Context, n int) ([]terminal.Sale, error)
	// Search looks for sales on disk, newest first, at a bounded number of them; error terminal.ErrQuarantined for a key whose sale
	// does not authenticate.
	Search(ctx context.Context, want terminal.Search) (terminal.Found, error)
	// OfCard are the last n sales of the card that a sale was made with, newest first; error terminal.ErrNoSale.
	OfCard(ctx context.Context, id terminal.SaleID, n int) ([]terminal.Sale, error)
	// Rows are the rows with a sequence above after, ascending, at most limit.
	Rows(ctx context.Context, after int64, limit int) ([]terminal.JournalRow, error)
	// About are the transactions about an earlier one, whatever became of them, oldest first; error terminal.ErrQuarantined.
	About(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error)
	// SaleRows are the rows of one sale, ascending.
	SaleRows(ctx context.Context, id terminal.SaleID) ([]terminal.JournalRow, error)
	// Debts are those that still wait or are parked, oldest first.
	Debts(ctx context.Context) ([]terminal.Debt, error)
	// Batches are an acquirer's that are not closed, oldest first.
	Batches(ctx context.Context, acquirer string) ([]terminal.Batch, error)
	// BatchRecord is one batch, whatever became of it; 0 is the newest that is closed. Error terminal.ErrNoBatch.
	BatchRecord(ctx context.Context, acquirer string, number uint32) (terminal.Batch, error)
	// Items are a batch's transactions that may have reached the host, oldest first.
	Items(ctx context.Context, acquirer string, batch uint32) ([]terminal.Item, error)
}

// ErrNoTranscript says that no transcript of a sale is kept: it is too old, its card was never talked with, or the terminal
// keeps none.
var ErrNoTranscript = errors.New("no transcript is kept")

// Transcripts are what terminal and card said to each other.
type Transcripts interface {
	// Transcript is a sale's file, masked unless it is a test card's; error ErrNoTranscript.
	Transcript(ctx context.Context, id terminal.SaleID) ([]byte, error)
}

// Who sent a Message.
const (
	FromTerminal = "terminal"
	FromHost     = "host"
)

// Message is one message between terminal and host, masked as pos decode iso8583 masks it.
type Message struct {
	Time   time.Time         `json:"time"` // when its exchange had ended
	From   string            `json:"from"` // FromTerminal or FromHost
	MTI    string            `json:"mti,omitempty"`
	STAN   uint32            `json:"stan"`
	Bytes  int               `json:"bytes"`
	Fields map[string]string `json:"fields,omitempty"` // by number
	Names  map[string]string `json:"names,omitempty"`  // of the fields, by number
	Note   string            `json:"note,omitempty"`   // why there are no fields
}

// Messages are the last that went between terminal and host.
type Messages interface {
	// Messages are those with one of the traces that went from a moment on, oldest first; nil where none are remembered.
	Messages(traces []uint32, since time.Time) []Message
}

// SaleMessages is the answer to GET /v1/sales/{id}/messages.
type SaleMessages struct {
	Messages []Message `json:"messages"`
}

// Config is what the till is made of. Every field is needed.
type Config struct {
	Lane    Lane
	Journal Journal
	Access  *Access
	Verify  func(context.Context) (Verified, error) // reads everything that is kept and says what is wrong with it

	// Selftest looks at everything that a sale needs. It is bounded in time by itself.
	Selftest func(context.Context) selftest.Report

	Header receipt.Header

	Languages receipt.Languages // of papers
	Logo      *paper.Logo       // above receipts; nil: none

	Transcripts Transcripts
	Messages    Messages

	Registers *Registers // cash registers on the network; nil: there are none

	Meaning func(code string) string // what a response code means in the acquirer's dialect; nil: not known

	Logbook *logbook.Book                        // nil: levels stay what they are, and no line is kept
	Support func(context.Context) []support.File // the daemon's part of a support bundle; nil: it has none

	Training    Training // nil: the terminal has none
	Printer     Printer  // nil: there is no receipt printer
	PrinterName string   // driver and port

	// HostTest tries every address of the acquirer, between sales; nil: there is none. Errors: terminal.ErrBusy, the context's.
	HostTest func(ctx context.Context) (HostTest, error)

	// Backup makes a backup of everything that the terminal keeps, and gives it to be written out; nil: it makes none.
	Backup func(ctx context.Context) (Backup, error)

	// ExchangeKeys has new session keys asked for; anew, where the host has lost those in force. false: the acquirer has none.
	ExchangeKeys func(ctx context.Context, anew bool) bool

	// KeysTicket makes what somebody shows at the secure module's socket for loading keys; nil: there is no such socket.
	KeysTicket func(ctx context.Context, person string) (string, error)

	Parameters Parameters // nil: posd.toml says everything itself

	Acquirer   string // whose batches are reported
	Currency   money.Currency
	Kinds      []terminal.Kind // that profile and acquirer both have
	TerminalID string
	MerchantID string
	Profile    string // name of the terminal's profile
	Version    string // of the program, for support
	Kernel     receipt.Kernel
	CAKeys     CAKeys
	Keys       func(context.Context) terminal.Health // whether the acquirer's keys are there; nil: it wants none
	Log        *slog.Logger
}

// Status is the answer to GET /v1/status.
type Status struct {
	Terminal Terminal          `json:"terminal"`
	Snapshot terminal.Snapshot `json:"snapshot"`
	Keys     *terminal.Health  `json:"keys,omitempty"` // the acquirer's, in the secure module; absent where none are wanted
	Printer  *PrinterStatus    `json:"printer,omitempty"`
	Params   *ParametersState  `json:"parameters,omitempty"` // absent: posd.toml says everything itself
	Open     bool              `json:"open,omitempty"`       // anybody may sell without logging in: for development
}

// Verified is the answer to POST /v1/audit/verify. It is sound when there are no findings.
type Verified struct {
	Rows     int64            `json:"rows"`  // looked at
	Audit    int64            `json:"audit"` // of them, rows of the audit log
	Findings []people.Finding `json:"findings"`
	More     bool             `json:"more,omitempty"` // there are more findings than are listed
}

// AuditRows is the answer to GET /v1/audit. Next is what to give as after to go on.
type AuditRows struct {
	Rows []people.Row `json:"rows"`
	Next int64        `json:"next"`
}

// Terminal is what a client has to know of the terminal.
type Terminal struct {
	TerminalID string   `json:"tid"`
	MerchantID string   `json:"mid"`
	Merchant   string   `json:"merchant"`
	Location   []string `json:"location"`
	Currency   string   `json:"currency"` // "KWD"
	Exponent   int      `json:"exponent"` // decimals of the currency

	Kinds []terminal.Kind `json:"kinds"` // of transaction, that this terminal takes orders for

	Profile string `json:"profile"`
	Version string `json:"version"`

	Kernel receipt.Kernel `json:"kernel"`
	CAKeys CAKeys         `json:"ca_keys"`
}

// CAKeys says how many public keys of certification authorities the terminal authenticates cards with.
type CAKeys struct {
	Environment string `json:"environment"` // "test" or "live"
	Keys        int    `json:"keys"`
	Revoked     int    `json:"revoked"` // certificates of issuers that are not believed
}

// Sales is the answer to GET /v1/sales, newest first. A request looks at a bounded number of sales: Next is what to give as before to go
// on, and absent when there is no more; an answer without sales may have one.
type Sales struct {
	Sales []terminal.Sale `json:"sales"`
	Next  terminal.SaleID `json:"next,omitempty"`
}

// Rows is the answer to GET /v1/journal. Next is what to give as after to go on; it is the after that was asked for
// when there was nothing more.
type Rows struct {
	Rows []terminal.JournalRow `json:"rows"`
	Next int64                 `json:"next"`
}

// Till is the local interface, behind its doors. Safe for concurrent use.
type Till struct {
	h      *handler
	routes http.Handler
}

// New makes the till. It starts no goroutine; a request ends with its client or with the server's base context. Nobody reaches it
// but by a door: Socket, Screen or ECR.
func New(cfg Config) *Till {
	h := &handler{cfg: cfg}
	if cfg.Registers != nil {
		cfg.Access.register = cfg.Registers.ByToken
		cfg.Registers.whenChanged(cfg.Access.ended)
	}
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		if r.needs != "" {
			mux.HandleFunc(r.pattern, h.need(r.needs, r.serve))
		} else {
			mux.HandleFunc(r.pattern, r.serve)
		}
	}
	mux.HandleFunc("/", h.elsewhere(mux))
	return &Till{h: h, routes: mux}
}

// route is one row of the route table. openapi.json describes it, which a test holds to this table.
type route struct {
	pattern string
	needs   people.Action // empty: the handler asks itself
	serve   http.HandlerFunc
}

// routes is the route table, the same behind every door.
func (h *handler) routes() []route {
	return []route{
		{"POST /v1/sales", "", h.start},
		{"GET /v1/sales", people.Journal, h.last},
		{"GET /v1/sales/{id}", people.Journal, h.sale},
		{"GET /v1/sales/{id}/receipt", people.Receipt, h.receipt},
		{"GET /v1/sales/{id}/why", people.Journal, h.why},
		{"GET /v1/sales/{id}/transcript", people.Journal, h.transcript},
		{"GET /v1/sales/{id}/messages", people.Journal, h.messages},
		{"GET /v1/journal", people.Journal, h.journal},
		{"GET /v1/status", people.Status, h.status},
		{"POST /v1/selftest", people.Test, h.selftest},
		{"GET /v1/words", "", h.words},
		{"GET /v1/kernel", people.Status, h.kernel},
		{"GET /v1/watch", people.Status, h.watch},
		{"GET /v1/events", people.Status, h.events},
		{"GET /v1/me", "", h.me},
		{"POST /v1/cancel", people.Cancel, h.cancel},
		{"POST /v1/sales/{id}/signature", people.Agree, h.agree(signatureQuestion)},
		{"POST /v1/sales/{id}/agreement", people.Agree, h.agree(agreementQuestion)},
		{"POST /v1/sales/{id}/confirmation", people.Cancel, h.confirm()},
		{"GET /v1/queue", people.Queue, h.queue},
		{"POST /v1/queue/send", people.Send, h.send},
		{"POST /v1/queue/{id}/retry", people.Send, h.retry},
		{"POST /v1/queue/{id}/park", people.WriteOff, h.park},
		{"POST /v1/queue/{id}/write-off", people.WriteOff, h.writeOff},
		{"POST /v1/settle", people.Settle, h.settleBatch},
		{"GET /v1/settle", people.Report, h.settlement},
		{"POST /v1/settle/call-off", people.Settle, h.callOff},
		{"POST /v1/settle/{batch}/close", people.CloseBatch, h.closeBatch},
		{"GET /v1/report/x", people.Report, h.xReport},
		{"GET /v1/report/z", people.Report, h.zReport},
		{"GET /v1/printer", people.Status, h.printer},
		{"POST /v1/printer/print", "", h.print},
		{"POST /v1/printer/resume", people.Print, h.resumePrinter},
		{"POST /v1/printer/drop", people.Print, h.dropPrint},
		{"POST /v1/drawer", people.Drawer, h.drawer},
		{"GET /v1/training", people.Status, h.trainingState},
		{"POST /v1/training", people.Training, h.train},
		{"POST /v1/login", "", h.logIn},
		{"POST /v1/logout", "", h.logOut},
		{"POST /v1/override", "", h.override},
		{"POST /v1/secret", "", h.ownSecret},
		{"POST /v1/users/init", "", h.initUsers},
		{"GET /v1/users", people.Users, h.users},
		{"POST /v1/users", people.Users, h.addUser},
		{"POST /v1/users/{name}", people.Users, h.changeUser},
		{"GET /v1/ecrs", people.Users, h.registered(h.ecrs)},
		{"POST /v1/ecrs", people.Users, h.registered(h.addECR)},
		{"POST /v1/ecrs/{name}/rotate", people.Users, h.registered(h.rotateECR)},
		{"POST /v1/ecrs/{name}/revoke", people.Users, h.registered(h.revokeECR)},
		{"POST /v1/ecrs/{name}/nexo-keys", people.Users, h.registered(h.addNexoKey)},
		{"POST /v1/ecrs/{name}/nexo-keys/{version}/retire", people.Users, h.registered(h.retireNexoKey)},
		{"POST /v1/host/test", people.Queue, h.hostTest},
		{"POST /v1/keys/exchange", people.Keys, h.exchangeKeys},
		{"POST /v1/keys/ticket", people.Keys, h.keysTicket},
		{"GET /v1/log", people.Support, h.logState},
		{"POST /v1/log", people.Support, h.setLog},
		{"POST /v1/support", people.Support, h.supportBundle},
		{"GET /v1/provision", people.Status, h.provisionState},
		{"GET /v1/provision/package", people.Provision, h.provisionFile},
		{"POST /v1/provision", people.Provision, h.applyPackage},
		{"POST /v1/provision/rollback", people.Rollback, h.rollbackPackage},
		{"GET /v1/audit", people.Audit, h.audit},
		{"POST /v1/audit/verify", people.Audit, h.verify},
		{"GET /v1/backup", people.Backup, h.backup},
		{"GET " + openAPIPath, "", h.openAPI},
	}
}
