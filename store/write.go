package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

// errProjection says that a row does not fit what is on disk: a defect of the caller, or two writers.
var errProjection = errors.New("does not follow from what is on disk")

// statements are prepared once, on the one connection.
type statements struct {
	journal, newSale, sale, goOver, newDebt, debt, seal, erase, prove, audit *sql.Stmt
}

func (st *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, p := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&st.journal, `INSERT INTO journal (seq, time, kind, acquirer, sale, debt, was, event, becomes, duties, note, record)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&st.newSale, `INSERT INTO sale (id, acquirer, batch, state, final, key, seq, token, kind, minor, about)
			VALUES (?, ?, ?, ?, ?, nullif(?, ''), ?, nullif(?, ''), ?, ?, ?)`},
		{&st.sale, `UPDATE sale SET batch = ?, state = ?, final = ?, seq = ?, token = nullif(?, ''), minor = ?
			WHERE id = ? AND acquirer = ? AND state = ? AND kind = ? AND about = ? AND final = 0`},
		{&st.goOver, `UPDATE sale SET batch = ?1, seq = ?2 WHERE id = ?3 AND acquirer = ?4 AND state = ?5 AND kind = ?6 AND about = ?7
			AND coalesce(token, '') = ?8 AND minor = ?9 AND final <> 0 AND batch < ?1`},
		{&st.newDebt, "INSERT INTO owed (" + owedColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&st.debt, "UPDATE owed SET state = ?, final = ?, attempts = ?, not_before = ?, reason = ? WHERE id = ? AND final = 0"},
		{&st.seal, "INSERT INTO card (purpose, id, key, sealed) VALUES (?, ?, ?, ?)"},
		{&st.erase, "DELETE FROM card WHERE purpose = ? AND id = ?"},
		{&st.prove, "INSERT INTO proof (of, tag) VALUES (?, ?) ON CONFLICT (of) DO UPDATE SET tag = excluded.tag"},
		{&st.audit, "INSERT INTO audit (" + auditColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	} {
		var err error
		if *p.to, err = db.PrepareContext(ctx, p.query); err != nil { //nolint:sqlclosecheck // closed with the database
			return err
		}
	}
	return nil
}

// exec runs a prepared statement within the transaction.
func exec(ctx context.Context, tx *sql.Tx, stmt *sql.Stmt, args ...any) (sql.Result, error) {
	return tx.StmtContext(ctx, stmt).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction's end closes it
}

// write writes one row and what it changes.
func (s *Store) write(ctx context.Context, tx *sql.Tx, r *row) error {
	var acquirer string
	var sale, debt int64
	switch {
	case r.sale != nil:
		acquirer, sale = r.sale.Acquirer, int64(r.sale.ID)
	case r.debt != nil:
		acquirer, sale, debt = r.debt.Acquirer, int64(r.debt.Sale), r.debt.ID
	case r.batch != nil:
		acquirer = r.batch.Acquirer
	}
	columns := []any{
		r.seq, r.time.Format(time.RFC3339Nano), string(r.kind),
		acquirer, sale, debt, string(r.from), r.event, r.to, duties(r.duties), r.note, string(r.record),
	}
	if _, err := exec(ctx, tx, s.stmt.journal, columns...); err != nil {
		return err
	}
	if err := s.prove(ctx, tx, place("journal", r.seq), columns...); err != nil {
		return err
	}
	switch {
	case r.sale != nil:
		return s.writeSale(ctx, tx, r)
	case r.debt != nil:
		return s.writeDebt(ctx, tx, r.debt)
	case r.batch != nil:
		return s.writeBatch(ctx, tx, r)
	}
	return nil
}

func (s *Store) writeSale(ctx context.Context, tx *sql.Tx, r *row) error {
	sale := r.sale
	var err error
	switch {
	case r.from == terminal.Ready || r.from == "":
		_, err = exec(ctx, tx, s.stmt.newSale, int64(sale.ID), sale.Acquirer, sale.Batch,
			string(sale.State), sale.State.Final(), sale.Key, r.seq, sale.Token, string(sale.Kind), sale.CapturedMinor(), int64(sale.Of))
	case r.event == terminal.LeftOutEvent:
		if sale.State != r.from { // it goes over, and nothing else of it changes
			return fmt.Errorf("sale %d, %s: %w", sale.ID, r.event, errProjection)
		}
		err = one(exec(ctx, tx, s.stmt.goOver, sale.Batch, r.seq, int64(sale.ID), sale.Acquirer, string(r.from), string(sale.Kind), int64(sale.Of),
			sale.Token, sale.CapturedMinor()))
	default:
		err = one(exec(ctx, tx, s.stmt.sale, sale.Batch, string(sale.State), sale.State.Final(), r.seq,
			sale.Token, sale.CapturedMinor(), int64(sale.ID), sale.Acquirer, string(r.from), string(sale.Kind), int64(sale.Of)))
	}
	if err != nil {
		return fmt.Errorf("sale %d, %s: %w", sale.ID, r.event, err)
	}
	for _, c := range r.sealed {
		if _, err := exec(ctx, tx, s.stmt.seal, c.purpose, c.id, c.key, c.bytes); err != nil {
			return fmt.Errorf("keep sealed %s: %w", c.purpose, err)
		}
	}
	for _, d := range r.debts {
		columns := []any{
			d.ID, int64(d.Sale), d.Acquirer, string(d.Kind), int64(d.STAN), string(d.State), false, int64(0), int64(0), r.time.UnixNano(), "",
		}
		if _, err := exec(ctx, tx, s.stmt.newDebt, columns...); err != nil {
			return fmt.Errorf("owe %s: %w", d.Kind, err)
		}
		if err := s.prove(ctx, tx, place("owed", d.ID), columns...); err != nil {
			return err
		}
	}
	for _, duty := range r.duties {
		if duty != terminal.DischargeReversal {
			continue
		}
		if err := s.dischargeReversal(ctx, tx, sale.ID); err != nil {
			return fmt.Errorf("discharge the reversal of sale %d: %w", sale.ID, err)
		}
	}
	if !r.erase && !sale.State.Final() {
		return nil
	}
	// The request goes with the answer; a sale that ended cannot need it either.
	return s.drop(ctx, tx, requestPurpose, int64(sale.ID))
}

// dischargeReversal ends the debt that never left, and deletes its message.
func (s *Store) dischargeReversal(ctx context.Context, tx *sql.Tx, sale terminal.SaleID) error {
	c, err := s.ownDebt(ctx, tx, "o.sale = ? AND o.kind = 'reversal' AND o.state = 'Owed' AND o.final = 0", int64(sale))
	if err != nil {
		return err
	}
	c[5], c[6] = string(terminal.Discharged), true
	if err := s.changeDebt(ctx, tx, c); err != nil {
		return err
	}
	return s.drop(ctx, tx, messagePurpose, c.number(0))
}

// changeDebt writes a debt's row anew, with its tag.
func (s *Store) changeDebt(ctx context.Context, tx *sql.Tx, c cells) error {
	if err := one(exec(ctx, tx, s.stmt.debt, c[5], c[6], c[7], c[8], c[10], c[0])); err != nil {
		return err
	}
	return s.prove(ctx, tx, place("owed", c[0]), c...)
}

func (s *Store) writeDebt(ctx context.Context, tx *sql.Tx, d *terminal.Debt) error {
	c, err := s.ownDebt(ctx, tx, "o.final = 0 AND o.id = ?", d.ID)
	if err != nil {
		return fmt.Errorf("debt %d becomes %s: %w", d.ID, d.State, err)
	}
	if c.number(1) != int64(d.Sale) || c.text(2) != d.Acquirer {
		return fmt.Errorf("debt %d becomes %s: %w", d.ID, d.State, errProjection)
	}
	c[5], c[6], c[7], c[8], c[10] = string(d.State), d.State.Final(), int64(d.Attempts), nanos(d.NotBefore), d.Reason
	if err := s.changeDebt(ctx, tx, c); err != nil {
		return fmt.Errorf("debt %d becomes %s: %w", d.ID, d.State, err)
	}
	if !d.State.Final() {
		return nil
	}
	return s.drop(ctx, tx, messagePurpose, d.ID)
}

func (s *Store) drop(ctx context.Context, tx *sql.Tx, purpose string, id int64) error {
	_, err := exec(ctx, tx, s.stmt.erase, purpose, id)
	return err
}

// one turns anything but exactly one changed row into an error.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return errProjection
	}
	return nil
}

// nanos is an instant as the projections keep it; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
