package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"tillway/terminal"
)

// Bounds of a search: how many sales one request looks at, and how many of them one query reads, so that no commit waits for long.
const (
	MaxLooked = 2000
	lookAt    = 250
)

// Search looks for sales on disk, newest first, at MaxLooked of them at most, and says where to go on. Those in quarantine are left
// out: what a row says is believed only when it authenticates. A key finds its sale at once, however old it is.
func (s *Store) Search(ctx context.Context, want terminal.Search) (terminal.Found, error) {
	want.Limit = bound(max(want.Limit, 1))
	if want.Key != "" {
		return s.searchKey(ctx, want)
	}
	var found terminal.Found
	below := want.Below()
	for found.Looked < MaxLooked {
		part, err := s.searchPart(ctx, want, below)
		if err != nil {
			return terminal.Found{}, err
		}
		for _, sale := range part.sales {
			found.Sales = append(found.Sales, sale)
			if len(found.Sales) == want.Limit {
				found.Looked += part.looked
				found.Next = sale.ID
				return found, nil
			}
		}
		found.Looked += part.looked
		if part.looked < lookAt || part.older {
			return found, nil
		}
		below = part.lowest
	}
	found.Next = terminal.SaleID(below) //nolint:gosec // a sale's number
	return found, nil
}

func (s *Store) searchKey(ctx context.Context, want terminal.Search) (terminal.Found, error) {
	sale, err := s.ByKey(ctx, want.Key)
	switch {
	case errors.Is(err, terminal.ErrNoSale):
		return terminal.Found{Looked: 1}, nil
	case err != nil:
		return terminal.Found{}, err
	case !want.Matches(sale):
		return terminal.Found{Looked: 1}, nil
	}
	return terminal.Found{Sales: []terminal.Sale{sale}, Looked: 1}, nil
}

// searched is what one query has found.
type searched struct {
	sales  []terminal.Sale
	lowest int64 // number of the last sale that was looked at
	looked int
	older  bool // that one is a day older than what is looked for, and so is all below it
}

// clockDoubt is by how much a sale may be younger than one with a higher number: clocks are put right.
const clockDoubt = 24 * time.Hour

// searchPart looks at the next lookAt sales below a number. The database leaves out by what the rows say; what is left is
// authenticated, and compared once more.
func (s *Store) searchPart(ctx context.Context, want terminal.Search, below int64) (searched, error) {
	where, args := condition(want)
	edge, err := read(ctx, s, scanCells, "SELECT count(*), coalesce(min(id), 0) FROM (SELECT id FROM sale WHERE id < ? ORDER BY id DESC LIMIT ?)", below, lookAt)
	if err != nil {
		return searched{}, err
	}
	part := searched{looked: int(edge[0].number(0)), lowest: edge[0].number(1)}
	if part.older, err = s.startedBefore(ctx, part.lowest, want.From); err != nil {
		return part, err
	}
	ids, err := read(ctx, s, scanCells, `SELECT id FROM (SELECT w.id, w.state, w.kind,
		CASE WHEN json_valid(j.record) THEN j.record ELSE '{}' END AS record
		FROM sale w JOIN journal j ON j.seq = w.seq WHERE w.id >= ? AND w.id < ?)`+where+" ORDER BY id DESC", append([]any{part.lowest, below}, args...)...)
	if err != nil {
		return part, err
	}
	for _, id := range ids {
		if len(part.sales) == want.Limit {
			return part, nil
		}
		sale, err := s.Sale(ctx, terminal.SaleID(id.number(0))) //nolint:gosec // a sale's number
		switch {
		case errors.Is(err, terminal.ErrQuarantined), errors.Is(err, terminal.ErrNoSale):
		case err != nil:
			return part, err
		case want.Matches(sale):
			part.sales = append(part.sales, sale)
		}
	}
	return part, nil
}

// startedBefore says whether a sale started a good while before an instant, by its record as it is.
func (s *Store) startedBefore(ctx context.Context, id int64, from time.Time) (bool, error) {
	if from.IsZero() {
		return false, nil
	}
	found, err := read(ctx, s, scanCells, `SELECT coalesce(unixepoch(CASE WHEN json_valid(j.record) THEN json_extract(j.record, '$.started') END), ?2)
		FROM sale w JOIN journal j ON j.seq = w.seq WHERE w.id = ?1`, id, from.Unix())
	if err != nil || len(found) == 0 {
		return false, err
	}
	return found[0].number(0) < from.Add(-clockDoubt).Unix(), nil
}

// condition is what the database can tell by itself of a search. Times only about: Matches compares the instants.
func condition(want terminal.Search) (where string, args []any) {
	var all []string
	add := func(term string, arg any) {
		all = append(all, term)
		args = append(args, arg)
	}
	for _, equal := range []struct{ term, value string }{
		{"state = ?", string(want.State)},
		{"kind = ?", string(want.Kind)},
		{"json_extract(record, '$.reference') = ?", want.Reference},
		{"json_extract(record, '$.rrn') = ?", want.RRN},
		{"json_extract(record, '$.auth') = ?", want.Auth},
		{"substr(json_extract(record, '$.pan'), -4) = ?", want.Last4},
	} {
		if equal.value != "" {
			add(equal.term, equal.value)
		}
	}
	if want.STAN != 0 {
		add("json_extract(record, '$.stan') = ?", int64(want.STAN))
	}
	if want.Minor != nil {
		add("json_extract(record, '$.amount.minor') = ?", *want.Minor)
	}
	if !want.From.IsZero() { // a second more: the database has no nanoseconds
		add("unixepoch(json_extract(record, '$.started')) >= ?", want.From.Unix()-1)
	}
	if !want.To.IsZero() {
		add("unixepoch(json_extract(record, '$.started')) <= ?", want.To.Unix()+1)
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), args
}
