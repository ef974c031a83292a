package lane

import (
	"context"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// An approval of less than was asked for, of a request that was kept: nobody can be asked for the rest any more. It is for people to
// decide, and never taken for an approval of all.
func TestKeptRequestApprovedInPart(t *testing.T) {
	kwd := money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	for _, c := range []struct {
		name string
		res  terminal.Response
		want terminal.DebtEvent
		rrn  string
	}{
		{"all of it", terminal.Response{Verdict: terminal.VerdictApproved, Code: "00", RRN: "620410000123"}, terminal.DebtAccepted, "620410000123"},
		{"a part", terminal.Response{Verdict: terminal.VerdictApproved, Code: "10", RRN: "620410000123", Approved: money.New(5_000, kwd)}, terminal.DebtRefused, ""},
		{"nothing", terminal.Response{Verdict: terminal.VerdictDeclined, Code: "51"}, terminal.DebtRefused, ""},
	} {
		d := terminal.Debt{Kind: terminal.DeferredDebt}
		got := (&Owner{}).debtResult(&d, exchanged{res: c.res})
		if got.event != c.want || d.RRN != c.rrn {
			t.Errorf("%s: %s (%s), reference %q", c.name, got.event, got.reason, d.RRN)
		}
	}
}

// afterwards is a journal that knows what the host answered afterwards, and a dialect that keeps what it was to upload.
type afterwards struct {
	Journal
	words

	ack      terminal.Acknowledgement
	uploaded terminal.UploadRequest
}

func (h *afterwards) CardOf(context.Context, terminal.SaleID) (terminal.CardData, error) {
	return terminal.CardData{}, nil
}

func (h *afterwards) Told(context.Context, terminal.SaleID) (terminal.Acknowledgement, bool, error) {
	return h.ack, true, nil
}

func (h *afterwards) Upload(r terminal.UploadRequest) ([]byte, error) {
	h.uploaded = r
	return nil, nil
}

// A request that was kept is approved only when the host answers it: its void and its upload have the reference number, the approval
// code and the response code of that answer, as those of a sale that was approved at once have its own.
func TestKeptRequestGoesByItsApproval(t *testing.T) {
	yes := terminal.Response{Verdict: terminal.VerdictApproved, Code: "00", RRN: "620410000123", AuthCode: "A1B2C3"}
	own := terminal.Sale{ID: 7, Kind: terminal.KindSale, Way: terminal.WayOnline, RRN: "620410000099", AuthCode: "B2C3D4", ResponseCode: "00"}
	for _, c := range []struct {
		name string
		sale terminal.Sale
		debt terminal.DebtKind
		rrn  string
		auth string
		code string
	}{
		{"kept", terminal.Sale{ID: 7, Kind: terminal.KindSale, Way: terminal.WayDeferred}, terminal.DeferredDebt, yes.RRN, "A1B2C3", "00"},
		{"told", terminal.Sale{ID: 7, Kind: terminal.KindForced, Way: terminal.WayVoice, AuthCode: "V12345"}, terminal.AdviceDebt, yes.RRN, "V12345", ""},
		{"asked", own, "", own.RRN, own.AuthCode, "00"},
	} {
		d := terminal.Debt{Kind: c.debt}
		if c.debt != "" {
			if got := (&Owner{}).debtResult(&d, exchanged{res: yes}); got.event != terminal.DebtAccepted {
				t.Fatalf("%s: %s", c.name, got.event)
			}
		}
		if o := (&earlier{Earlier: terminal.Earlier{Sale: c.sale}, ack: d.Acknowledged()}).original(); o.RRN != c.rrn || o.AuthCode != c.auth {
			t.Errorf("%s, named by a void: %q, %q", c.name, o.RRN, o.AuthCode)
		}
		h := &afterwards{ack: d.Acknowledged()}
		owner := &Owner{cfg: OwnerConfig{Journal: h, Dialect: h}}
		if _, err := owner.composeUpload(t.Context(), terminal.Item{Sale: c.sale}, &terminal.Batch{}); err != nil {
			t.Fatal(err)
		}
		if u := h.uploaded; u.RRN != c.rrn || u.AuthCode != c.auth || u.Code != c.code {
			t.Errorf("%s, in the upload: %q, %q, %q", c.name, u.RRN, u.AuthCode, u.Code)
		}
	}
}

// putOffSince is a journal that knows since when a debt is put off.
type putOffSince struct {
	Journal
	at time.Time
}

func (p putOffSince) PutOff(context.Context, terminal.Debt) (time.Time, error) { return p.at, nil }

// A host that gives a true repeat its stored answer says "not now" for ever: word of a sale and a kept request are parked then, and hold
// nothing up, but neither before ten tries nor before a time from the first such answer on. A reversal is sent until it is taken, however
// often that is.
func TestNotNowEnds(t *testing.T) {
	later := terminal.Response{Verdict: terminal.VerdictTryLater, Code: "91"}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct {
		kind     terminal.DebtKind
		attempts int
		since    time.Time
		after    time.Duration
		want     terminal.DebtEvent
	}{
		{terminal.DeferredDebt, putOffTries - 1, now.Add(-2 * day), day, terminal.DebtTryLater},
		{terminal.DeferredDebt, putOffTries, now.Add(-day), day, terminal.DebtRefused},
		{terminal.AdviceDebt, putOffTries - 1, now.Add(-2 * day), day, terminal.DebtTryLater},
		{terminal.AdviceDebt, putOffTries, now.Add(-day), day, terminal.DebtRefused},
		{terminal.AdviceDebt, 10 * putOffTries, now.Add(-day + 1), day, terminal.DebtTryLater},
		{terminal.AdviceDebt, 10 * putOffTries, time.Time{}, day, terminal.DebtTryLater},   // the tries before had no answer
		{terminal.AdviceDebt, 10 * putOffTries, now.Add(day), day, terminal.DebtTryLater},  // the clock was put back
		{terminal.AdviceDebt, putOffTries, now.Add(-time.Minute), 0, terminal.DebtRefused}, // no time is asked for
		{terminal.ReversalDebt, 100 * putOffTries, now.Add(-90 * day), day, terminal.DebtTryLater},
	} {
		d := terminal.Debt{Kind: c.kind, Attempts: c.attempts}
		o := &Owner{cfg: OwnerConfig{Journal: putOffSince{at: c.since}, Clock: func() time.Time { return now }, ParkAfter: c.after}}
		got, err := o.putOff(t.Context(), d, o.debtResult(&d, exchanged{res: later}))
		if err != nil || got.event != c.want {
			t.Errorf("%s, sent %d times, first put off %s: %s (%s), %v", c.kind, c.attempts, c.since, got.event, got.reason, err)
		}
	}
	d := terminal.Debt{Kind: terminal.AdviceDebt, Attempts: 10 * putOffTries} // what had no answer is no "not now"
	o := &Owner{cfg: OwnerConfig{Clock: func() time.Time { return now }}}
	if got, err := o.putOff(t.Context(), d, o.debtResult(&d, exchanged{err: terminal.ErrNoSale})); err != nil || got.event != terminal.DebtNoAnswer {
		t.Errorf("%+v, %v", got, err)
	}
}

// A host that has an advice already says so to its repeat. Where the acquirer's settings say what that means it is acknowledged; said to a
// first sending it means something else, and people look.
func TestDuplicateOfARepeat(t *testing.T) {
	for _, c := range []struct {
		kind      terminal.DebtKind
		attempts  int
		duplicate bool
		want      terminal.DebtEvent
	}{
		{terminal.AdviceDebt, 2, true, terminal.DebtAccepted},
		{terminal.ReversalDebt, 2, true, terminal.DebtAccepted},
		{terminal.AdviceDebt, 1, true, terminal.DebtRefused},
		{terminal.AdviceDebt, 2, false, terminal.DebtRefused},
	} {
		d := terminal.Debt{Kind: c.kind, Attempts: c.attempts}
		res := terminal.Response{Verdict: terminal.VerdictDeclined, Code: "94", Duplicate: c.duplicate}
		if got := (&Owner{}).debtResult(&d, exchanged{res: res}); got.event != c.want {
			t.Errorf("%+v: %s (%s)", c, got.event, got.reason)
		}
	}
}

// A completion names all that is authorised: what was held first, and what increments have added.
func TestOriginalOfACompletion(t *testing.T) {
	kwd := money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	e := &earlier{Earlier: terminal.Earlier{
		Sale:  terminal.Sale{ID: 1, Kind: terminal.KindPreauth, State: terminal.Approved, Amount: money.New(10_000, kwd)},
		About: []terminal.Sale{{ID: 2, Kind: terminal.KindIncrement, State: terminal.Approved, Of: 1, Amount: money.New(5_000, kwd)}},
	}}
	if got := e.original().Amount; got != money.New(15_000, kwd) {
		t.Error(got)
	}
}

// The same key with another code of the telephone is another order.
func TestForcedSaleWithAnotherCode(t *testing.T) {
	old := terminal.Sale{ID: 1, Kind: terminal.KindForced, AuthCode: "A12345"}
	for code, same := range map[string]bool{"A12345": true, "B12345": false} {
		if err := terminal.SameOrder(old, terminal.Order{Kind: terminal.KindForced, AuthCode: code}); (err == nil) != same {
			t.Errorf("%s: %v", code, err)
		}
	}
}
