package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Owing is what a journal still holds of other people's money, as its rows say: nothing is authenticated.
type Owing struct {
	Sales    int // that did not end
	Debts    int // that the host was not told of, or that are parked
	Payments int // approved, in batches that are not closed
}

// Nothing says that the journal's money is all where it belongs.
func (o Owing) Nothing() bool { return o == Owing{} }

func (o Owing) String() string {
	if o.Nothing() {
		return "nothing is owed"
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{o.Payments, "approved payments are not settled"}, {o.Debts, "messages wait for the bank or are parked"}, {o.Sales, "sales did not end"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// Owes counts what is owed by the journal at path, without its keys and without changing a row: what must be known before a terminal's
// folder is deleted. A row in doubt counts as owed. The daemon must be stopped: it holds the journal. Errors: the file is not there, or is no journal that this program
// can read; then nobody knows what is owed.
func Owes(ctx context.Context, path string) (o Owing, err error) {
	if _, err := os.Stat(path); err != nil {
		return o, fmt.Errorf("look for what is owed: %w", err)
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=ro&_query_only=1&_busy_timeout=5000"}).String())
	if err != nil {
		return o, fmt.Errorf("look for what is owed: %w", err)
	}
	defer db.Close()
	var id, version int
	if err := db.QueryRowContext(ctx, "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&id, &version); err != nil {
		return o, explain(path, err)
	}
	switch {
	case id != applicationID:
		return o, fmt.Errorf("%w: %s is another program's database", ErrForeign, path)
	case version > schema:
		return o, fmt.Errorf("%w: %s has schema %d, this program knows %d: ask the newer program", ErrNewer, path, version, schema)
	case version < 4:
		return o, fmt.Errorf("%s has schema %d, from before batches had a state: start posd on it once, then ask again", path, version)
	}
	err = db.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM sale WHERE final = 0),
		(SELECT count(*) FROM owed WHERE final = 0 OR state NOT IN ('Acknowledged', 'Discharged', 'WrittenOff')),
		(SELECT count(*) FROM sale s WHERE s.state = 'Approved' AND NOT EXISTS
			(SELECT 1 FROM batch b WHERE b.acquirer = s.acquirer AND b.number = s.batch AND b.final <> 0 AND b.state = 'Closed'))`).
		Scan(&o.Sales, &o.Debts, &o.Payments)
	if err != nil {
		return Owing{}, explain(path, err)
	}
	return o, nil
}
