package terminal

import (
	"slices"
	"time"

	"tillway/money"
)

// BatchState is where a batch stands between opening and the merchant's money.
type BatchState string

// The states of a batch, in the order it meets them. Closed is final. Sales go into the one that is Open or Draining; from
// Totalling on they go into the next.
const (
	BatchOpen      BatchState = "Open"
	BatchDraining  BatchState = "Draining"  // its end is wanted: what is owed goes out first
	BatchTotalling BatchState = "Totalling" // the totals are fixed, and may be with the host
	BatchUploading BatchState = "Uploading" // the host has other totals: it gets the batch, transaction by transaction
	BatchClosing   BatchState = "Closing"   // all is uploaded, and the closing totals may be with the host
	BatchDisputed  BatchState = "Disputed"  // the host still has other totals, or refuses them: a person's to decide
	BatchClosed    BatchState = "Closed"
)

// Final says that nothing follows.
func (s BatchState) Final() bool { return s == BatchClosed }

// BatchEvent is what happened to a batch.
type BatchEvent string

// The events of a batch.
const (
	BatchSettle        BatchEvent = "Settle"  // by a person, the daily cut-off, or because it is full
	BatchCallOff       BatchEvent = "CallOff" // by a person, while nothing of it is with the host
	BatchDrained       BatchEvent = "Drained" // nothing is owed any more: the totals are fixed in this commit, and the next batch opened
	BatchInBalance     BatchEvent = "InBalance"
	BatchOutOfBalance  BatchEvent = "OutOfBalance"
	BatchDiffers       BatchEvent = "Differs" // the host has other totals and has closed the batch all the same
	BatchUploaded      BatchEvent = "Uploaded"
	BatchUploadRefused BatchEvent = "UploadRefused" // of one transaction: noted, and the upload goes on
	BatchAllUploaded   BatchEvent = "AllUploaded"
	BatchNoAnswer      BatchEvent = "NoAnswer" // also: not sent, or the host cannot take it now; the same message goes again
	BatchRefused       BatchEvent = "RefusedForGood"
	BatchCloseByHand   BatchEvent = "CloseByHand" // by a supervisor who has settled it with the acquirer, audited
)

// BatchRow is one transition of a batch. Every one is committed. A batch found in the middle at start is gone on with where
// it stands: a message that may have left goes out again as its repeat.
type BatchRow struct {
	From  BatchState
	Event BatchEvent
	To    BatchState
}

// BatchTable is the batches' state table.
func BatchTable() []BatchRow {
	return []BatchRow{
		{BatchOpen, BatchSettle, BatchDraining},
		{BatchDraining, BatchCallOff, BatchOpen},
		{BatchDraining, BatchDrained, BatchTotalling},
		{BatchTotalling, BatchInBalance, BatchClosed},
		{BatchTotalling, BatchDiffers, BatchClosed},
		{BatchTotalling, BatchOutOfBalance, BatchUploading},
		{BatchTotalling, BatchNoAnswer, BatchTotalling},
		{BatchTotalling, BatchRefused, BatchDisputed},
		{BatchUploading, BatchUploaded, BatchUploading},
		{BatchUploading, BatchUploadRefused, BatchUploading},
		{BatchUploading, BatchNoAnswer, BatchUploading},
		{BatchUploading, BatchAllUploaded, BatchClosing},
		{BatchClosing, BatchInBalance, BatchClosed},
		{BatchClosing, BatchDiffers, BatchClosed},
		{BatchClosing, BatchOutOfBalance, BatchDisputed},
		{BatchClosing, BatchNoAnswer, BatchClosing},
		{BatchClosing, BatchRefused, BatchDisputed},
		{BatchDisputed, BatchSettle, BatchTotalling},
		{BatchDisputed, BatchCloseByHand, BatchClosed},
	}
}

// NextBatch finds the row for a batch's state and an event. Error: ErrNoRow.
func NextBatch(table []BatchRow, s BatchState, e BatchEvent) (BatchRow, error) {
	for _, r := range table {
		if r.From == s && r.Event == e {
			return r, nil
		}
	}
	return BatchRow{}, noRow(string(e), string(s))
}

// TotalsLine is what a batch comes to for one scheme. Counts are 0 or more; sums are in minor units of the batch's currency.
type TotalsLine struct {
	Scheme     string `json:"scheme,omitempty"` // of the profile's applications; empty where the host tells no schemes apart
	Sales      int    `json:"sales"`
	SalesSum   int64  `json:"sales_sum"`
	Refunds    int    `json:"refunds"`
	RefundsSum int64  `json:"refunds_sum"`
	Tips       int64  `json:"tips,omitempty"`     // of SalesSum
	Cashback   int64  `json:"cashback,omitempty"` // of SalesSum
}

// Batch is one batch of one acquirer, as journal and store keep it.
type Batch struct {
	Acquirer string         `json:"acquirer"`
	Number   uint32         `json:"number"` // 1 to 999999
	State    BatchState     `json:"state"`
	Currency money.Currency `json:"currency,omitzero"`
	Opened   time.Time      `json:"opened"`
	Fixed    time.Time      `json:"fixed,omitzero"` // when its totals were
	Closed   time.Time      `json:"closed,omitzero"`
	By       string         `json:"by,omitempty"`   // who or what wanted its end
	Note     string         `json:"note,omitempty"` // of CloseByHand: why

	Balanced    bool      `json:"balanced,omitempty"`     // closed, and the host has the same
	LeaveParked bool      `json:"leave_parked,omitempty"` // what the host has refused for good is left out of it, and stays parked
	CalledOff   time.Time `json:"called_off,omitzero"`    // when its end was last wanted, and called off
	Traces      uint64    `json:"traces,omitempty"`       // trace numbers that were given out before it was opened, or TracesUnknown

	Totals   []TotalsLine `json:"totals,omitempty"`   // from Totalling on: ours
	Counted  []SaleRange  `json:"counted,omitempty"`  // the sales that they count: what an upload shows, in this order, whatever can be read later
	Host     []TotalsLine `json:"host,omitempty"`     // the host's, where it says them
	STAN     uint32       `json:"stan,omitempty"`     // of the totals message that is or was with the host
	Attempts int          `json:"attempts,omitempty"` // of the message that is due
	Uploaded int          `json:"uploaded,omitempty"` // transactions of the batch that the host has taken or refused in the upload

	NotBefore time.Time    `json:"not_before,omitzero"` // back-off
	Reason    string       `json:"reason,omitempty"`    // why it still waits, one sentence
	Code      string       `json:"rc,omitempty"`        // DE 39 of the last answer
	Training  bool         `json:"training,omitempty"`  // of training: no payment is in it, and it is never in the journal
	Findings  []Difference `json:"findings,omitempty"`  // what the upload or the proof found
	LeftOut   []Difference `json:"left_out,omitempty"`  // payments that its totals were fixed without, and that went over into the next batch
}

// SaleRange is sales from the first to the last, both of them in it.
type SaleRange [2]SaleID

// Ranges are the sales of items in ascending order, as ranges: a record that is written with every step of an upload stays short.
func Ranges(items []Item) (all []SaleRange) {
	for _, i := range items {
		if n := len(all); n > 0 && all[n-1][1]+1 == i.Sale.ID {
			all[n-1][1] = i.Sale.ID
			continue
		}
		all = append(all, SaleRange{i.Sale.ID, i.Sale.ID})
	}
	return all
}

// ToUpload are the transactions that the totals of a batch counted, in their order. One that cannot be read any more is there with its number
// alone: every other keeps its place. A batch of before that was on record has those that are counted now.
func (b Batch) ToUpload(items []Item) (all []Item) {
	if len(b.Counted) == 0 {
		return Counted(items)
	}
	for _, r := range b.Counted {
		for id := r[0]; id <= r[1]; id++ {
			at := slices.IndexFunc(items, func(i Item) bool { return i.Sale.ID == id })
			if at < 0 {
				all = append(all, Item{Sale: Sale{ID: id}})
				continue
			}
			all = append(all, items[at])
		}
	}
	return all
}

// MaxFindings is how many findings a batch's record names: it is written anew with every step of an upload, and bounded.
const MaxFindings = 100

// Find adds findings, up to MaxFindings; behind them it says that there are more. What was found before, as behind an upload that
// has changed nothing, is not named again.
func (b *Batch) Find(found ...Difference) {
	before := b.Findings
	for _, d := range found {
		switch n := len(b.Findings); {
		case slices.Contains(before, d):
		case n < MaxFindings:
			b.Findings = append(b.Findings, d)
		case n == MaxFindings:
			b.Findings = append(b.Findings, Difference{Why: "there are more findings than a record names: the journal has the answer to each upload"})
		}
	}
}

// TracesUnknown says that nobody knows how many trace numbers were given out before a batch: the first one of a journal.
const TracesUnknown = 1<<63 - 1

// Difference is one payment that journal and host do not have alike.
type Difference struct {
	Sale   SaleID       `json:"sale,omitempty"` // 0: only the host has it
	STAN   uint32       `json:"stan,omitempty"`
	Amount money.Amount `json:"amount,omitzero"`
	Why    string       `json:"why"` // one sentence
}

// TotalsRequest is what a dialect needs to compose the totals that end a batch.
type TotalsRequest struct {
	STAN       uint32 // 1 to 999999
	Batch      uint32
	Time       time.Time
	Day        time.Time // the business day that is closed
	Currency   money.Currency
	TerminalID string
	MerchantID string
	Lines      []TotalsLine
	Final      bool // behind an upload
}

// UploadRequest is what a dialect needs to compose one transaction of a batch upload: the transaction as its own messages
// had it, under a number of the upload's own.
type UploadRequest struct {
	Request

	Trace uint32 // STAN of this message; Request.STAN is the transaction's own
	RRN   string
	Code  string // response code that the transaction was approved with
}
