package terminal

import "slices"

// Kind is a kind of transaction.
type Kind string

// The kinds. What each of them is to the host is the dialect's to say; which of them a terminal does, its profile's.
const (
	KindSale       Kind = "sale"       // goods or services, with a tip or cash given out where asked for
	KindForced     Kind = "forced"     // a sale that the issuer has approved by voice: no request, an advice
	KindRefund     Kind = "refund"     // money back to a card: of an earlier sale, or of none
	KindVoid       Kind = "void"       // takes back a whole transaction of the open batch
	KindPreauth    Kind = "preauth"    // an amount is held, nothing is taken yet
	KindIncrement  Kind = "increment"  // more is held for an earlier pre-authorisation
	KindCompletion Kind = "completion" // takes what is held, or part of it, and lets the rest go
	KindBalance    Kind = "balance"    // asks what is on the account; moves nothing
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{KindSale, KindForced, KindRefund, KindVoid, KindPreauth, KindIncrement, KindCompletion, KindBalance}
}

// WithoutCard says that a kind works on an earlier transaction with the card data that was kept sealed for it.
func (k Kind) WithoutCard() bool {
	return slices.Contains([]Kind{KindVoid, KindIncrement, KindCompletion}, k)
}

// Credit says that the money goes to the cardholder.
func (k Kind) Credit() bool { return k == KindRefund }

// Captured says whether an approved transaction of this kind is one of those that a batch's totals count: money that was
// taken or given. A void is not: what it took back is left out with it.
func (k Kind) Captured() bool {
	return slices.Contains([]Kind{KindSale, KindForced, KindRefund, KindCompletion}, k)
}

// Abilities is what a dialect has messages for.
type Abilities struct {
	Kinds    []Kind // that Request or, of forced sales and completions, Advice composes
	Offline  bool   // advices of offline approvals
	Deferred bool   // requests that are kept until the host can be reached
	TwoStep  bool   // a sale as authorisation and completion advice
	VoidTold bool   // a void is an advice, which the host cannot decline, and no request
	Totals   bool   // totals at the end of a batch
	Upload   bool   // and the batch, transaction by transaction, where they differ
}
