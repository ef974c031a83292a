package terminal

import (
	"time"

	"tillway/emv"
	"tillway/money"
)

// Request is what a dialect needs to compose the messages of one transaction. It holds clear card data and lives in memory
// only.
type Request struct {
	Sale       SaleID
	Kind       Kind
	Amount     money.Amount // all that the card pays; of a void what it takes back, of a balance inquiry zero
	Tip        money.Amount // of it
	Cashback   money.Amount // of it
	Way        Way          // of an advice: how it was approved
	TwoStep    bool         // of a sale: an authorisation now, a completion advice later; of its advice: that completion
	AuthCode   string       // of an advice: the approval's, where there is one
	Original   Original     // that it is about, or the zero value
	STAN       uint32       // 1 to 999999
	Invoice    uint32       // 1 to 999999
	Batch      uint32       // 1 to 999999
	Time       time.Time    // terminal's local time
	TerminalID string       // 8 characters
	MerchantID string       // 15 characters
	Card       CardData
	Entry      Entered // empty: EnteredChip
	Scheme     string  // of the profile's application
	Method     emv.Method
	PIN        PINBlock // with Method OnlinePIN; of the request alone, never of its reversal
	Tags       emv.Data // the kernel's store; the dialect takes what its DE 55 table names
}

// Original names an earlier transaction as its own messages did. The zero value names none.
type Original struct {
	Kind     Kind
	STAN     uint32
	Batch    uint32
	Invoice  uint32
	Time     time.Time // terminal's local time
	RRN      string    // DE 37
	AuthCode string    // DE 38
	Amount   money.Amount
	Way      Way
	TwoStep  bool // of a sale: an advice took what an authorisation had held
}

// IsZero says that it names none.
func (o Original) IsZero() bool { return o == Original{} }

// Verdict is what a response code means.
type Verdict string

// The verdicts. TryLater and RefusedForGood are told apart only for debts.
const (
	VerdictApproved Verdict = "approved"
	VerdictDeclined Verdict = "declined"
	VerdictTryLater Verdict = "try later" // host cannot now (91, 96): a request is declined, a debt is tried again
)

// Response is a matched answer of the host, in the terminal's words.
type Response struct {
	Verdict    Verdict
	Code       string    // DE 39
	ARC        [2]byte   // 8A for the card: the code's two characters
	RRN        string    // DE 37
	AuthCode   string    // DE 38
	Issuer     []byte    // DE 55 of the answer as it came: 91, 71, 72
	Text       string    // the host's text for receipt or screen, printable, may be empty
	Time       time.Time // the host's time, zero when it sent none
	Advice     Outcome   // what the code means to the cashier
	WrongPIN   bool      // the issuer refused because of the PIN
	PINBlocked bool      // the issuer takes no PIN of the card any more
	PINTries   int       // tries left, where WrongPIN; below 0: the host did not say

	Approved money.Amount // where less was approved than asked for (partial approval), what was; with VerdictApproved
	Balance  money.Amount // of a balance inquiry: what is available; may be below zero

	Unknown   bool // of a reversal: the host has no such transaction, so that nothing is left to reverse
	Duplicate bool // of an advice or a reversal: the host has had it already, and the acquirer says that it has taken it then; believed of a repeat only

	InBalance bool         // of totals: the host has the same
	Closed    bool         // of totals: the batch is closed at the host, in balance or not
	Upload    bool         // of totals: the host wants the batch, transaction by transaction
	HostTotal []TotalsLine // of totals: the host's own, where it says them

	// Of a sign-on's answer: the highest key serial numbers that the host has taken, where it says so. To be believed only
	// under the answer's MAC.
	SeenPIN, SeenMAC []byte

	// Also of network management, and to be believed under the answer's MAC only, save for Keys, which prove themselves.
	Keys      []SessionKey // of a key exchange's answer
	Order     HostOrder    // of a sign-on's answer: what the host orders, or nothing
	Challenge []byte       // that the order repeats

	KeyError bool // the host could not work with a key of ours: new ones are wanted
}

// Stray is an answer nobody waits for. It carries no card data.
type Stray struct {
	Time   time.Time
	MTI    string
	STAN   string
	Code   string // DE 39
	Reason string // one sentence: why it was not taken
}
