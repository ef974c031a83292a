package lane

import (
	"context"
	"errors"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// Journal is the durable record, as the lane and the acquirer's owner use it. Safe for concurrent use.
type Journal interface {
	// Append adds entries in order. With commit they, and all entries that waited before them, whoever appended those,
	// are on disk when it returns nil; without, they wait in memory for the next commit. Projections (sale, owed,
	// batch, card) change in the same commit as the row. An error means that nothing of this call is to be shown or
	// acted on: the caller stops the process.
	Append(ctx context.Context, commit bool, entries ...terminal.Entry) error

	// Unfinished lists the sales whose last row is not final, oldest first.
	Unfinished(ctx context.Context) ([]terminal.Sale, error)

	// Due lists an acquirer's debts in state Owed or Sent whose sale is final, in the order of owing, without messages, marked as
	// terminal.MarkBehind does: those that are Behind another must not go out.
	Due(ctx context.Context, acquirer string) ([]terminal.Debt, error)

	// Message opens the message of a debt that waits, for one sending. Errors: terminal.ErrNoDebt, ErrQuarantined.
	Message(ctx context.Context, id int64) ([]byte, error)

	// Parked is one parked debt, of whatever acquirer; with message it has its message, opened. Errors: terminal.ErrNoDebt,
	// ErrQuarantined, and ErrNotParked, with which the debt is there too, without a message.
	Parked(ctx context.Context, id int64, message bool) (terminal.Debt, error)

	// PutOff is when the host first answered that it cannot take a debt now (terminal.DebtTryLater); zero: it never did.
	PutOff(ctx context.Context, d terminal.Debt) (time.Time, error)

	// Counts says how many debts wait (Owed or Sent, of final sales), how many are parked, since when the oldest of
	// both waits, and the highest committed sequence.
	Counts(ctx context.Context) (terminal.Counts, error)

	// Exposure is what an acquirer has not acknowledged yet of the approvals without it, in one way: all of it, and of one
	// card.
	Exposure(ctx context.Context, acquirer string, way terminal.Way, card emv.PAN) (terminal.Exposure, error)

	// Batch is the number of the acquirer's open batch, 1 to 999999; it makes batch 1 (and its key) where there is none.
	Batch(ctx context.Context, acquirer string) (uint32, error)

	// Batches lists an acquirer's batches that are not closed, oldest first: the one that sales go into, and those that are
	// being settled. Append with a batch's transition changes them: with Drained it opens the next batch, with a key of its
	// own; with a transition into Closed it seals the card data of pre-authorisations that stand under the next one's key, and
	// deletes the closed one's key as soon as no open debt needs it.
	Batches(ctx context.Context, acquirer string) ([]terminal.Batch, error)

	// Items lists the transactions of a batch that may have reached the host (they have a trace number) and are over, oldest first.
	Items(ctx context.Context, acquirer string, batch uint32) ([]terminal.Item, error)

	// Standing is what stands in the batch that sales go into. It costs no reading of rows.
	Standing(ctx context.Context, acquirer string) (terminal.Standing, error)

	// ByKey finds the sale with an idempotency key; error terminal.ErrNoSale.
	ByKey(ctx context.Context, key string) (terminal.Sale, error)

	// Sale is one sale as it stands on disk. Errors: terminal.ErrNoSale, ErrQuarantined.
	Sale(ctx context.Context, id terminal.SaleID) (terminal.Sale, error)

	// About lists the transactions about an earlier one (its void, refunds, increments, completion), whatever became of them,
	// oldest first. Error: terminal.ErrQuarantined, when one of them does not authenticate.
	About(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error)

	// Told says whether host and journal have the same of a sale: told is false while an advice or a kept request of it is not
	// acknowledged, and while the host has refused its reversal for good. ack is what the host called it when it was told,
	// empty where nothing was owed. Error: terminal.ErrQuarantined.
	Told(ctx context.Context, id terminal.SaleID) (ack terminal.Acknowledgement, told bool, err error)

	// CardOf opens the card data that is kept sealed for a sale: number, expiry, sequence number. Errors: terminal.ErrNoCard,
	// ErrQuarantined.
	CardOf(ctx context.Context, id terminal.SaleID) (terminal.CardData, error)

	// ByCard is the keyed token of a card's number, empty where the journal keeps none, and the newest approved sale of that card
	// that was begun since then and that fits; the zero value where there is none, or fits is nil.
	ByCard(ctx context.Context, pan emv.PAN, since time.Time, fits func(terminal.Sale) bool) (token string, sale terminal.Sale, err error)
}

// errJournal is in front of every error of the journal: the process has to end, so that recovery can put things right.
var errJournal = errors.New("journal")

// Counter gives numbers that are never given twice, also after a power cut or when a database backup is put back.
type Counter interface {
	// Next is the next number. An error means that no number may be used.
	Next(ctx context.Context) (uint64, error)
}

// Kernel runs the card side of a sale.
type Kernel interface {
	// Begin talks with the card up to the first GENERATE AC. With Decision Online the Transaction is open and the
	// outcome's data has what the host needs; with any other it is nil. The error is the world failing, not the card
	// or the issuer refusing: device.ErrRemoved and the like.
	Begin(ctx context.Context, card emv.Card, params emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome, error)
}

// Dialect turns the terminal's words into one acquirer's messages and back. It is pure.
type Dialect interface {
	// Can says what there are messages for. The other methods refuse what it does not name.
	Can() terminal.Abilities

	// Request composes the message with which a transaction asks the host, and the reversal that it would need, from the same
	// data, so that both are on disk before the first byte leaves; a balance inquiry has no reversal. Messages are whole
	// frames without the length prefix.
	Request(req terminal.Request) (request, reversal []byte, err error)

	// Advice composes word of what was done without asking: an offline approval (with the card's TC and the response code that it
	// was given, tag 8A), a forced sale, a completion, the second step of a sale in two, or a void where Can says VoidTold. It has no
	// track and no PIN.
	Advice(req terminal.Request) ([]byte, error)

	// Deferred composes a request that is kept until the host can be reached, with the card's ARQC: no track, no PIN.
	Deferred(req terminal.Request) ([]byte, error)

	// Totals composes the message that ends a batch, and Upload one transaction of it where the host has other totals.
	Totals(req terminal.TotalsRequest) ([]byte, error)
	Upload(req terminal.UploadRequest) ([]byte, error)

	// Repeat is a kept message (a debt's, totals, an upload's) for its next sending: first as composed, attempt from 1; it
	// changes only what the dialect says (an MTI, or nothing).
	Repeat(first []byte, attempt int) ([]byte, error)

	// InBatch is a kept advice or request as it names another batch than the one that it was composed in: nothing else of it changes. Any
	// other message, and one that names none, comes back as it is.
	InBatch(message []byte, batch uint32) ([]byte, error)

	// Network composes a message of network management: the sign-on that a fresh connection starts with, what asks for
	// session keys, and the word that an order of the host is carried out. nil for a sign-on that the dialect does not have.
	Network(req terminal.NetworkRequest) ([]byte, error)

	// MACed says whether a composed message leaves with a message authentication code; its answer then comes with one.
	MACed(message []byte) bool

	// WithMAC is a composed message with the serial number of its MAC key in it, and behind it the MAC over everything
	// before: mac gets those bytes as they go over the wire. All else stays as composed. An error of mac comes back
	// wrapped.
	WithMAC(message, ksn []byte, mac func(data []byte) ([]byte, error)) ([]byte, error)

	// AnswerMAC says what an answer's MAC is over. An answer without one gives no MAC, and no error.
	AnswerMAC(answer []byte) (terminal.Authentication, error)

	// Response reads the host's answer to a message. The link has matched it already, and the owner has verified its MAC
	// where there has to be one.
	Response(answer []byte) (terminal.Response, error)
}

// Link is one connection to an acquirer. Only the owner uses it.
type Link interface {
	// Ready connects where there is no connection; fresh says that it made a new one.
	Ready(ctx context.Context) (fresh bool, err error)

	// Exchange sends one message and returns its matching answer. sent says whether any byte may have left. With an
	// error, the connection is closed when it cannot be trusted any more. One exchange at a time.
	Exchange(ctx context.Context, message []byte) (answer []byte, sent bool, err error)

	// Pipeline sends messages in order before it waits for the first answer, and gives each the answer that matches it; where there
	// is none answers has nil, and the error says why not. sent is how many of them, from the first on, may have left. One exchange at
	// a time, as with Exchange.
	Pipeline(ctx context.Context, messages [][]byte) (answers [][]byte, sent int, err error)

	// Close closes the connection; Ready makes a new one.
	Close() error
}

// PINPad takes PINs for the host, and for the card. Whatever stands behind it, a module or a pad with a key of its own, a PIN never comes
// out of it.
type PINPad interface {
	// EnterPIN prompts and waits. The block is there with PINEntered only; of a host's PIN its key is used up. An error says that no
	// PIN can be taken: no pad, no key, or the context's.
	EnterPIN(ctx context.Context, ask terminal.PINAsk) (terminal.PINEnd, terminal.PINBlock, error)
}

// Macs authenticates messages to and from one acquirer. Keys stay in the secure module.
type Macs interface {
	// NextKey takes the key for one message: no other message ever gets it, and its number is on disk before it returns.
	NextKey(ctx context.Context) (terminal.MACKey, error)

	// MAC makes the MAC of the outgoing message.
	MAC(ctx context.Context, k terminal.MACKey, data []byte) ([]byte, error)

	// Verify compares an answer's MAC, in constant time; nil is the only yes.
	Verify(ctx context.Context, k terminal.MACKey, data, mac []byte) error

	// HostSaw takes the highest key serial numbers that the host says it has taken, under its MAC: no key at or below them
	// is used any more. Nil says nothing.
	HostSaw(ctx context.Context, pin, mac []byte) error

	// Release lets a key go.
	Release(ctx context.Context, k terminal.MACKey)
}

// SessionKeys are one acquirer's session keys, as an exchange over the link changes them. They stay in the secure module.
type SessionKeys interface {
	// Held says whether keys are in force, and whether others are proposed and not confirmed yet.
	Held(ctx context.Context) (inForce, proposed bool, err error)

	// Propose hands what the host sent to the module, which takes all of it or nothing; the keys in force stay.
	Propose(ctx context.Context, keys []terminal.SessionKey) error

	// ProposedKey takes the proposed MAC key for one message.
	ProposedKey(ctx context.Context) (terminal.MACKey, error)

	// Confirm puts what is proposed in the place of the keys in force, all at once.
	Confirm(ctx context.Context) error

	// Withdraw forgets what is proposed.
	Withdraw(ctx context.Context) error
}
