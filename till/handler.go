package till

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

// handler answers requests.
type handler struct {
	cfg     Config
	streams atomic.Int32 // that are open
	theirs  atomic.Int32 // of them, those of cash registers
}

// need lets only those pass who may do a.
func (h *handler) need(a people.Action, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by, err := h.permit(r, a, r.Method+" "+r.URL.Path, "")
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if by == "" {
			next(w, r)
			return
		}
		seen := &seenStatus{ResponseWriter: w}
		next(seen, r)
		h.overridden(r.Context(), h.cfg.Access.who(r), by, a, seen.result(), r.Method+" "+r.URL.Path)
	}
}

// shown is a snapshot for whoever asks: without sales for somebody who may not see any.
func (h *handler) shown(r *http.Request, s terminal.Snapshot) terminal.Snapshot {
	return h.shownTo(h.cfg.Access.who(r), s)
}

func (h *handler) shownTo(c caller, s terminal.Snapshot) terminal.Snapshot {
	s = h.localSnapshot(c, s)
	a := h.cfg.Access
	if a.verdict(c, people.Sell) != people.Allowed && a.verdict(c, people.Journal) != people.Allowed {
		s.Sale, s.Amount, s.Last, s.Advice, s.Warning, s.AdviceAR, s.WarningAR = 0, money.Amount{}, nil, "", "", "", ""
		s.PIN, s.Display = nil, nil
	}
	return s
}

// elsewhere answers paths and methods that are not there, as a problem like every other.
func (h *handler) elsewhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, other := range []string{http.MethodGet, http.MethodPost} {
			probe := r.Clone(r.Context())
			probe.Method = other
			if _, pattern := mux.Handler(probe); other != r.Method && pattern != "/" {
				w.Header().Set("Allow", other)
				h.fail(w, r, request(http.StatusMethodNotAllowed, "method", "Not with this method", "Use "+other+".", "%s %s", r.Method, r.URL.Path))
				return
			}
		}
		h.fail(w, r, request(http.StatusNotFound, "no_such_path", "There is nothing at this path", "See the list of routes in the documentation.", "%s", r.URL.Path))
	}
}

// start begins a transaction. The lane gets a context that the client's going away does not end: from here on it is the
// lane's.
func (h *handler) start(w http.ResponseWriter, r *http.Request) {
	who := h.cfg.Access.who(r)
	order, err := readOrder(w, r, h.cfg.Currency)
	by, refused := h.mayOrder(r, order, err)
	if refused != nil { // who may not sell learns nothing of what is wrong with an order
		err = refused
		if p, ok := errors.AsType[*Problem](refused); ok && asks(order) == people.RefundFree {
			p.Do = "Give the number of the sale that it is of, or have somebody log in who may refund without one."
		}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if who.name != people.Nobody {
		order.By = who.name
	}
	if order.Key, err = who.scoped(order.Key); err != nil {
		h.fail(w, r, err)
		return
	}
	sale, err := h.begin(r.Context(), who, order)
	if err != nil {
		h.overridden(r.Context(), who, by, asks(order), people.Failed, "the order was not taken")
		h.fail(w, r, err)
		return
	}
	h.overridden(r.Context(), who, by, asks(order), people.Done, "sale "+sale.ID.String()+" was begun; the journal has its end")
	w.Header().Set("Location", "/v1/sales/"+sale.ID.String())
	h.answer(w, http.StatusCreated, h.localSale(h.cfg.Access.who(r), sale))
}

// mayOrder judges an order; unread is why it could not be read. Only a whole order uses somebody's yes up.
func (h *handler) mayOrder(r *http.Request, o terminal.Order, unread error) (by string, err error) {
	if unread != nil {
		return "", h.cfg.Access.judge(r.Context(), h.cfg.Access.who(r), asks(o))
	}
	what := string(o.Kind) + " of " + o.Amount.Format()
	if o.Of != 0 {
		what += ", about sale " + o.Of.String()
	}
	return h.permit(r, asks(o), what, o.Key)
}

// begin hands an order to the lane. Who asks for a refund that is of no sale is in the audit log before that, and what came of it
// after: nothing else at a till gives money to whoever holds out a card.
func (h *handler) begin(ctx context.Context, who caller, order terminal.Order) (terminal.Sale, error) {
	entry := people.Entry{Actor: who.name, Event: people.EventRefund, Result: people.Tried, Note: people.Note("asks for a refund of %s that is of no sale", order.Amount.Format())}
	audited := asks(order) == people.RefundFree
	if audited {
		if err := h.cfg.Access.Audit(ctx, entry); err != nil {
			return terminal.Sale{}, err
		}
	}
	sale, err := h.cfg.Lane.Start(context.WithoutCancel(ctx), order)
	if !audited {
		return sale, err
	}
	if entry.Result, entry.Note = people.Done, people.Note("refund %s of %s, of no sale, was begun; the journal has its end", sale.ID, order.Amount.Format()); err != nil {
		entry.Result, entry.Note = people.Failed, people.Note("the refund of %s, of no sale, was not taken", order.Amount.Format())
	}
	if err := h.cfg.Access.Audit(context.WithoutCancel(ctx), entry); err != nil {
		h.cfg.Log.Error("till: what came of a refund of no sale was not audited", "err", err)
	}
	return sale, err
}

func (h *handler) cancel(w http.ResponseWriter, r *http.Request) {
	if err := h.cfg.Lane.Cancel(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusAccepted, h.snapshot(r))
}

func (h *handler) send(w http.ResponseWriter, r *http.Request) {
	if err := h.cfg.Lane.SendQueue(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusAccepted, h.snapshot(r))
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	h.answer(w, http.StatusOK, h.statusNow(r.Context(), h.cfg.Access.who(r)))
}

// statusNow is the status as somebody may see it.
func (h *handler) statusNow(ctx context.Context, who caller) Status {
	c := h.cfg
	var keys *terminal.Health
	if c.Keys != nil {
		k := c.Keys(ctx)
		keys = &k
	}
	return Status{
		Terminal: Terminal{
			TerminalID: c.TerminalID, MerchantID: c.MerchantID, Merchant: c.Header.Name, Location: c.Header.Location,
			Currency: c.Currency.Code, Exponent: c.Currency.Exponent, Kinds: append([]terminal.Kind{}, c.Kinds...), Profile: c.Profile, Version: c.Version,
			Kernel: c.Kernel, CAKeys: c.CAKeys,
		},
		Snapshot: h.shownTo(who, h.cfg.Lane.Snapshot()),
		Keys:     keys,
		Params:   h.parameters(ctx),
		Open:     c.Access.cfg.Policy.Open,
		Printer:  h.printerStatus(),
	}
}

// watch is a long poll: it answers as soon as there is a newer snapshot than the client has, or the reader comes or goes,
// or the same after a while.
// A client that knows a newer version than there is has known an earlier daemon, and is answered at once.
func (h *handler) watch(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after", 0, 1<<63-1, 0)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	now := h.cfg.Lane.Snapshot()
	if now.Version != uint64(after) { //nolint:gosec // number gives no negative one
		h.answer(w, http.StatusOK, h.shown(r, now))
		return
	}
	snap, err := h.news(r.Context(), now)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	c := h.cfg.Access.who(r)
	if !h.cfg.Access.stays(r.Context(), c) { // the session ended meanwhile
		c = caller{name: people.Nobody}
	}
	h.answer(w, http.StatusOK, h.shownTo(c, snap))
}

// news waits for a snapshot that says something else than now does. Reader and host are no part of the version: they are
// looked at again and again.
func (h *handler) news(ctx context.Context, now terminal.Snapshot) (terminal.Snapshot, error) {
	for until := time.Now().Add(longestWatch); ; {
		look, stop := context.WithTimeout(ctx, min(lookEvery, time.Until(until)))
		snap, err := h.cfg.Lane.Watch(look, now.Version)
		stop()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return snap, err
		}
		snap = h.cfg.Lane.Snapshot()
		if snap.Reader != now.Reader || !time.Now().Before(until) {
			return snap, nil
		}
	}
}

func (h *handler) sale(w http.ResponseWriter, r *http.Request) {
	sale, err := h.find(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, h.localSale(h.cfg.Access.who(r), sale))
}

// find is the sale that the path names: the running one from the lane, since its first rows wait in memory for the
// first commit, all others from the journal.
func (h *handler) find(r *http.Request) (terminal.Sale, error) {
	id, err := terminal.ParseSaleID(r.PathValue("id"))
	if err != nil {
		return terminal.Sale{}, request(http.StatusBadRequest, "bad_id", "That is no sale number", "Give a number like 1042.", "%v", err)
	}
	if sale, running := h.cfg.Lane.Current(); running && sale.ID == id {
		return sale, nil
	}
	sale, err := h.cfg.Journal.Sale(r.Context(), id)
	if err != nil {
		return sale, fmt.Errorf("sale %s: %w", id, err)
	}
	return sale, nil
}

func (h *handler) journal(w http.ResponseWriter, r *http.Request) {
	after, limit, err := page(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	rows, err := h.cfg.Journal.Rows(r.Context(), after, limit)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := Rows{Rows: []terminal.JournalRow{}, Next: after}
	for _, row := range rows {
		out.Rows = append(out.Rows, h.localRow(h.cfg.Access.who(r), row))
		out.Next = row.Seq
	}
	h.answer(w, http.StatusOK, out)
}

// page reads which rows a query wants: those behind a sequence, and how many at most.
func page(r *http.Request) (after int64, limit int, err error) {
	if after, err = number(r, "after", 0, 1<<63-1, 0); err != nil {
		return 0, 0, err
	}
	most, err := number(r, "limit", 1, MaxRows, defaultRows)
	return after, int(most), err
}

// number reads a number of the query.
func number(r *http.Request, name string, minimum, maximum, absent int64) (int64, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < minimum || n > maximum {
		return 0, request(http.StatusBadRequest, "bad_query", "The query is not right",
			"Put "+name+" right.", "%s=%q is not a number from %d to %d", name, s, minimum, maximum)
	}
	return n, nil
}
