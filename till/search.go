package till

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"tillway/terminal"
)

// searchParams are the members of a query of GET /v1/sales. Another one is refused: a misspelt reference would find everything.
func searchParams() []string {
	return []string{"last", "before", "card_of", "key", "reference", "amount", "pan", "rrn", "stan", "auth", "state", "kind", "from", "to"}
}

// defaultSales is how many sales are given where the query says nothing.
const defaultSales = 20

// last lists the newest sales, those of a card, or those that a query looks for.
func (h *handler) last(w http.ResponseWriter, r *http.Request) {
	want, err := h.readSearch(r)
	var of terminal.SaleID
	if s := r.URL.Query().Get("card_of"); s != "" && err == nil {
		if of, err = terminal.ParseSaleID(s); err != nil {
			err = request(http.StatusBadRequest, "bad_id", "That is no sale number", "Give a number like 1042.", "%v", err)
		} else if want.Narrow() || want.Before != 0 {
			err = badSearch("card_of goes with last alone")
		}
	}
	var found terminal.Found
	switch {
	case err != nil:
	case of != 0:
		found.Sales, err = h.cfg.Journal.OfCard(r.Context(), of, want.Limit)
	case !want.Narrow() && want.Before == 0:
		if found.Sales, err = h.cfg.Journal.Last(r.Context(), want.Limit); len(found.Sales) == want.Limit {
			found.Next = found.Sales[want.Limit-1].ID
		}
	default:
		found, err = h.search(r.Context(), want)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := Sales{Sales: []terminal.Sale{}, Next: found.Next}
	for _, s := range found.Sales {
		out.Sales = append(out.Sales, h.localSale(h.cfg.Access.who(r), s))
	}
	h.answer(w, http.StatusOK, out)
}

// search asks the journal, and the lane for the sale that runs: its first rows wait in memory for the first commit.
func (h *handler) search(ctx context.Context, want terminal.Search) (terminal.Found, error) {
	running, runs := h.cfg.Lane.Current()
	found, err := h.cfg.Journal.Search(ctx, want)
	if err != nil || !runs || !want.Matches(running) {
		return found, err
	}
	found.Sales = slices.DeleteFunc(found.Sales, func(s terminal.Sale) bool { return s.ID == running.ID })
	found.Sales = append([]terminal.Sale{running}, found.Sales...)
	if len(found.Sales) > want.Limit {
		found.Sales = found.Sales[:want.Limit]
		found.Next = found.Sales[want.Limit-1].ID
	}
	return found, nil
}

func badSearch(detail string) *Problem {
	return request(http.StatusBadRequest, "bad_query", "The query is not right",
		"Ask with last, before, key, reference, amount, pan, rrn, stan, auth, state, kind, from, to; each once.", "%s", detail)
}

// bounds of the words of a query, in bytes.
const maxSearchWord = 64

// readSearch reads what a query looks for, strictly.
func (h *handler) readSearch(r *http.Request) (s terminal.Search, err error) {
	q := r.URL.Query()
	for name, values := range q {
		if !slices.Contains(searchParams(), name) {
			return s, badSearch("it has a member that is not known")
		}
		if len(values) != 1 || values[0] == "" || len(values[0]) > maxSearchWord {
			return s, badSearch(name + " is empty, too long, or there more than once")
		}
	}
	last, err := number(r, "last", 1, MaxRows, defaultSales)
	if err != nil {
		return s, err
	}
	s.Limit, s.Reference = int(last), q.Get("reference")
	if key := q.Get("key"); key != "" {
		if s.Key, err = h.cfg.Access.who(r).looksFor(key); err != nil {
			return s, err
		}
	}
	for _, n := range []struct {
		name string
		to   func(int64)
		most int64
	}{
		{"before", func(v int64) { s.Before = terminal.SaleID(v) }, 1<<63 - 1}, //nolint:gosec // not below zero
		{"amount", func(v int64) { s.Minor = &v }, 1<<63 - 1},
		{"stan", func(v int64) { s.STAN = uint32(v) }, 999_999}, //nolint:gosec // bounded
	} {
		if q.Has(n.name) {
			v, err := number(r, n.name, 0, n.most, 0)
			if err != nil || v == 0 && n.name != "amount" {
				return s, badSearch(n.name + " is no number from 1 on")
			}
			n.to(v)
		}
	}
	s.State, s.Kind = terminal.State(q.Get("state")), terminal.Kind(q.Get("kind"))
	if err := checkSearch(s, q.Get("pan"), q.Get("rrn"), q.Get("auth")); err != nil {
		return s, err
	}
	s.Last4, s.RRN, s.Auth = q.Get("pan"), q.Get("rrn"), q.Get("auth")
	return s, h.readDays(&s, q.Get("from"), q.Get("to"))
}

// checkSearch refuses words that no sale can have.
func checkSearch(s terminal.Search, pan, rrn, auth string) error {
	switch {
	case pan != "" && (len(pan) != 4 || strings.Trim(pan, "0123456789") != ""):
		return badSearch("pan is the last four digits of the card number, and never more")
	case len(rrn) > 12 || len(auth) > 6:
		return badSearch("rrn has at most 12 characters, auth at most 6")
	case s.State != "" && !slices.ContainsFunc(terminal.Table(), func(row terminal.Row) bool { return row.From == s.State || row.To == s.State }):
		return badSearch("there is no such state")
	case s.Kind != "" && !slices.Contains(terminal.Kinds(), s.Kind):
		return badSearch("there is no such kind of transaction")
	}
	return nil
}

// readDays reads the days of a search, in the shop's zone: from the first one's beginning to the last one's end.
func (h *handler) readDays(s *terminal.Search, from, to string) error {
	zone := h.cfg.Header.Zone
	if zone == nil {
		zone = time.Local
	}
	for _, d := range []struct {
		text string
		to   *time.Time
		more int // days
	}{{from, &s.From, 0}, {to, &s.To, 1}} {
		if d.text == "" {
			continue
		}
		day, err := time.ParseInLocation(time.DateOnly, d.text, zone)
		if err != nil {
			return badSearch("from and to are days like 2026-11-23")
		}
		*d.to = day.AddDate(0, 0, d.more)
	}
	if !s.To.IsZero() && !s.From.Before(s.To) {
		return badSearch("from is behind to")
	}
	return nil
}

// looksFor is a client's key as the journal keeps it. A register finds its own alone; a person finds a register's by its whole name.
func (c caller) looksFor(key string) (string, error) {
	if c.ecr == "" {
		return key, nil
	}
	return c.scoped(key)
}
