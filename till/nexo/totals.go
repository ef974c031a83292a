package nexo

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

type paymentTotals struct {
	TransactionType   string      `json:"TransactionType"`
	TransactionCount  int         `json:"TransactionCount"`
	TransactionAmount json.Number `json:"TransactionAmount"`
}

type transactionTotals struct {
	PaymentInstrumentType string          `json:"PaymentInstrumentType"`
	AcquirerID            string          `json:"AcquirerID"`
	CardBrand             string          `json:"CardBrand,omitempty"`
	OperatorID            string          `json:"OperatorID,omitempty"`
	PaymentCurrency       string          `json:"PaymentCurrency"`
	PaymentTotals         []paymentTotals `json:"PaymentTotals"`
}

type reconciliationRequest struct {
	ReconciliationType  string `json:"ReconciliationType"`
	POIReconciliationID string `json:"POIReconciliationID"`
}

type reconciliationResponse struct {
	Response            response            `json:"Response"`
	ReconciliationType  string              `json:"ReconciliationType"`
	POIReconciliationID string              `json:"POIReconciliationID,omitempty"`
	TransactionTotals   []transactionTotals `json:"TransactionTotals,omitempty"`
}

type getTotalsRequest struct {
	TotalDetails []string `json:"TotalDetails"`
	TotalFilter  struct {
		OperatorID string `json:"OperatorID"`
		POIID      string `json:"POIID"`
		SaleID     string `json:"SaleID"`
	} `json:"TotalFilter"`
}

type getTotalsResponse struct {
	Response            response            `json:"Response"`
	POIReconciliationID string              `json:"POIReconciliationID"`
	TransactionTotals   []transactionTotals `json:"TransactionTotals,omitempty"`
}

// The reconciliations.
const (
	ofSale     = "SaleReconciliation"
	ofAcquirer = "AcquirerReconciliation"
	ofPrevious = "PreviousReconciliation"
	ofSync     = "AcquirerSynchronisation"
)

// known is a reconciliation's type as it may be repeated in an answer.
func known(kind string) string {
	if slices.Contains([]string{ofSale, ofAcquirer, ofPrevious, ofSync}, kind) {
		return kind
	}
	return ofSale
}

// longestReconciliation is how long a register is kept waiting for the end of a batch, which goes on by itself.
const longestReconciliation = 100 * time.Second

// lookEvery is how often a batch is looked at meanwhile.
const lookEvery = time.Second

// reconciliation settles the open batch, or tells of one that was.
func (h *handler) reconciliation(ctx context.Context, c *call) (any, error) {
	var in reconciliationRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	switch in.ReconciliationType {
	case ofPrevious:
		if err := c.may(people.Report); err != nil {
			return nil, err
		}
		b, err := h.previous(ctx, in.POIReconciliationID)
		if err != nil {
			return nil, err
		}
		return h.reconciled(ctx, in.ReconciliationType, b)
	case ofSale, ofAcquirer:
		if err := c.may(people.Settle); err != nil {
			return nil, err
		}
		b, err := h.settle(ctx, c)
		if err != nil {
			return nil, err
		}
		return h.reconciled(ctx, in.ReconciliationType, b)
	case "":
		return nil, badField("ReconciliationRequest.ReconciliationType", "Missing")
	}
	return nil, fail(unavailableService, "this terminal does no reconciliation of type %.30s", in.ReconciliationType)
}

// previous is the batch of a number, or the last that was closed.
func (h *handler) previous(ctx context.Context, id string) (terminal.Batch, error) {
	n := uint64(0)
	if id != "" {
		var err error
		if n, err = strconv.ParseUint(id, 10, 32); err != nil || n == 0 {
			return terminal.Batch{}, badField("ReconciliationRequest.POIReconciliationID", "is no batch's number")
		}
	}
	b, err := h.cfg.Journal.BatchRecord(ctx, h.cfg.Acquirer, uint32(n))
	if err == nil && b.Fixed.IsZero() {
		err = fail(notFound, "batch %d is open: it was not reconciled yet", b.Number)
	}
	return b, err
}

// settled is the batch that a message has settled. It is in memory alone: after a restart the message again finds a batch without
// payments, or settles what has come since, and neither does harm.
type settled struct {
	batch uint32
	at    time.Time
}

// settledFor is how long the same message finds the batch that it has settled.
const settledFor = time.Hour

// settle has the open batch settled, and waits for what comes of it. The same message again finds the batch that it settled.
func (h *handler) settle(ctx context.Context, c *call) (terminal.Batch, error) {
	by, err := h.by(c, "")
	if err != nil {
		return terminal.Batch{}, err
	}
	h.mu.Lock()
	done, there := h.settled[c.name()]
	h.mu.Unlock()
	n, now := done.batch, h.cfg.Clock()
	if age := now.Sub(done.at); !there || age < 0 || age > settledFor {
		if n, err = h.wantEnd(ctx, by, c.register.Actor()); err != nil {
			return terminal.Batch{}, err
		}
		h.mu.Lock()
		if len(h.settled) >= maxLogins {
			clear(h.settled)
		}
		h.settled[c.name()] = settled{n, now}
		h.mu.Unlock()
	}
	return h.awaitBatch(ctx, c, n)
}

// wantEnd says that the open batch is to be settled. Who wants it is in the audit log before that, and what came of it after.
func (h *handler) wantEnd(ctx context.Context, by, actor string) (uint32, error) {
	ctx = context.WithoutCancel(ctx)
	entry := people.Entry{Actor: actor, Event: people.EventBatch, Result: people.Tried, Note: people.Note("has the batch settled, as %s", by)}
	if err := h.cfg.Audit(ctx, entry); err != nil {
		return 0, err
	}
	b, err := h.cfg.Lane.DecideBatch(ctx, terminal.BatchDecision{Event: terminal.BatchSettle, By: by})
	if entry.Result = people.Done; err != nil {
		entry.Result = people.Failed
	}
	if aerr := h.cfg.Audit(ctx, entry); aerr != nil {
		h.cfg.Log.Error("nexo: what came of a decision about a batch was not audited", "err", aerr)
	}
	return b.Number, err
}

// awaitBatch waits until a batch is closed or in dispute, or for as long as a register can be kept waiting.
func (h *handler) awaitBatch(ctx context.Context, c *call, n uint32) (terminal.Batch, error) {
	limit, stop := context.WithTimeout(ctx, longestReconciliation)
	defer stop()
	defer context.AfterFunc(h.cfg.Context, stop)()
	beat := h.cfg.Clock().Add(h.cfg.KeepAlive)
	for {
		snap := h.cfg.Lane.Snapshot()
		b, err := h.cfg.Journal.BatchRecord(context.WithoutCancel(ctx), h.cfg.Acquirer, n)
		if err != nil || b.State == terminal.BatchClosed || b.State == terminal.BatchDisputed || limit.Err() != nil {
			return b, err
		}
		look, end := context.WithTimeout(limit, lookEvery)
		_, err = h.cfg.Lane.Watch(look, snap.Version)
		end()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			return b, err
		}
		if now := h.cfg.Clock(); now.After(beat) {
			c.out.beat()
			beat = now.Add(h.cfg.KeepAlive)
		}
	}
}

// reconciled says how a batch ended, and what it held.
func (h *handler) reconciled(ctx context.Context, kind string, b terminal.Batch) (any, error) {
	items, err := h.cfg.Journal.Items(ctx, h.cfg.Acquirer, b.Number)
	if err != nil {
		return nil, err
	}
	counted := b.ToUpload(items)
	if b.Fixed.IsZero() {
		counted = terminal.Counted(items)
	}
	out := reconciliationResponse{
		Response: batchResponse(b), ReconciliationType: kind, POIReconciliationID: strconv.FormatUint(uint64(b.Number), 10),
		TransactionTotals: h.totals(counted, ""),
	}
	return out, nil
}

// batchResponse is what became of a batch.
func batchResponse(b terminal.Batch) response {
	more := []pair{{"batch", strconv.FormatUint(uint64(b.Number), 10)}, {"state", string(b.State)}, {"balanced", strconv.FormatBool(b.Balanced)}, {"reason", b.Reason}}
	switch {
	case b.State == terminal.BatchClosed && b.Balanced:
		return response{Result: success, AdditionalResponse: query(more...)}
	case b.State == terminal.BatchClosed:
		return response{Result: partial, AdditionalResponse: query(append([]pair{{"message", "The batch is closed, and the bank has other totals: see the proof at the terminal."}}, more...)...)}
	case b.State == terminal.BatchDisputed:
		return (&failure{refusal, "The bank has other totals and has not closed the batch: a supervisor decides at the terminal.", more}).response()
	}
	return (&failure{inProgress, "The batch is on its way to the bank. Ask with PreviousReconciliation and its POIReconciliationID how it ended.", more}).response()
}

// getTotals tells what the open batch holds. It changes nothing.
func (h *handler) getTotals(ctx context.Context, c *call) (any, error) {
	var in getTotalsRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	if err := c.may(people.Report); err != nil {
		return nil, err
	}
	b, err := h.openBatch(ctx)
	if err != nil {
		return nil, err
	}
	items, err := h.cfg.Journal.Items(ctx, h.cfg.Acquirer, b.Number)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(terminal.Counted(items), func(i terminal.Item) bool {
		f := in.TotalFilter
		return f.OperatorID != "" && operatorIn(i.Sale.By) != f.OperatorID || f.SaleID != "" && (i.Sale.Asked == nil || i.Sale.Asked.SaleID != f.SaleID) ||
			f.POIID != "" && f.POIID != h.cfg.POIID
	})
	out := getTotalsResponse{Response: response{Result: success}, POIReconciliationID: strconv.FormatUint(uint64(b.Number), 10)}
	if !slices.Contains(in.TotalDetails, "OperatorID") {
		out.TransactionTotals = h.totals(items, "")
		return out, nil
	}
	for _, operator := range operatorsOf(items) {
		theirs := slices.DeleteFunc(slices.Clone(items), func(i terminal.Item) bool { return operatorIn(i.Sale.By) != operator })
		out.TransactionTotals = append(out.TransactionTotals, h.totals(theirs, operator)...)
	}
	return out, nil
}

// operatorIn is the operator of a By; who is no register's stands for themselves.
func operatorIn(by string) string {
	if actor, operator, ok := strings.Cut(by, "/"); ok && strings.HasPrefix(actor, people.ECRPrefix) {
		return operator
	}
	return by
}

func operatorsOf(items []terminal.Item) []string {
	var all []string
	for _, i := range items {
		if by := operatorIn(i.Sale.By); !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	slices.Sort(all)
	return all
}

// totals is what transactions come to, for each brand and each TransactionType. What was voided is in none of them, as in the
// terminal's own report: their sum is what the batch comes to.
func (h *handler) totals(items []terminal.Item, operator string) []transactionTotals {
	var all []transactionTotals
	for _, brand := range brandsOf(items) {
		t := transactionTotals{PaymentInstrumentType: "Card", AcquirerID: h.cfg.Acquirer, CardBrand: brand, OperatorID: operator, PaymentCurrency: h.cfg.Currency.Code}
		for _, row := range []struct {
			name  string
			kinds []terminal.Kind
		}{
			{"Debit", []terminal.Kind{terminal.KindSale, terminal.KindForced}},
			{"CompletedReservation", []terminal.Kind{terminal.KindCompletion}},
			{"Credit", []terminal.Kind{terminal.KindRefund}},
		} {
			count, sum := 0, money.New(0, h.cfg.Currency)
			for _, i := range items {
				if i.Sale.Scheme == brand && slices.Contains(row.kinds, i.Sale.Kind) {
					count++
					sum.Minor += i.Sale.Taken().Minor
				}
			}
			if count > 0 {
				t.PaymentTotals = append(t.PaymentTotals, paymentTotals{row.name, count, major(sum)})
			}
		}
		if t.PaymentTotals != nil {
			all = append(all, t)
		}
	}
	return all
}

func brandsOf(items []terminal.Item) []string {
	var all []string
	for _, i := range items {
		if !slices.Contains(all, i.Sale.Scheme) {
			all = append(all, i.Sale.Scheme)
		}
	}
	slices.Sort(all)
	return all
}
