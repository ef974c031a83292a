package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/host"
	"tillway/money"
	"tillway/terminal"
)

// teller runs transactions at a terminal, one after another.
type teller struct {
	t *testing.T
	s *stack
}

func (k teller) kd(minor int64) money.Amount {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		k.t.Fatal(err)
	}
	return money.New(minor, kwd)
}

// do runs one to its end and lets the owner send what is owed.
func (k teller) do(o terminal.Order, want terminal.State, happened string) terminal.Sale {
	k.t.Helper()
	sale, err := k.s.lane.Start(k.t.Context(), o)
	if err != nil {
		k.t.Fatalf("%s: %v", o.Kind, err)
	}
	if sale, err = watch(k.t.Context(), k.s.lane, sale.ID); err != nil {
		k.t.Fatal(err)
	}
	if sale.State != want || !strings.Contains(sale.Outcome.Happened, happened) {
		k.t.Fatalf("%s: %s %s: %+v", o.Kind, sale.State, sale.ResponseCode, sale.Outcome)
	}
	time.Sleep(time.Minute)
	return sale
}

// TestEveryKind runs every kind with store, dialect and a bank of its own ideas: what the terminal says and what the bank's books hold is
// the same, in both dialects, and where a sale is in two messages.
func TestEveryKind(t *testing.T) {
	for name, c := range map[string]struct {
		dialect string
		two     bool
		secured bool // with MAC, and with a PIN where the host is asked
	}{
		"nac": {dialectNAC, false, false}, "nac, in two": {dialectNAC, true, false}, "nac, secured": {dialectNAC, false, true},
		"v93": {dialectV93, false, false}, "v93, in two": {dialectV93, true, false}, "v93, secured": {dialectV93, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &farSide{}
				far := func(conn net.Conn, h *host.Host) { w.host = h; h.ServeConn(t.Context(), conn) }
				card := map[bool]string{false: "credit", true: "debit"}[c.secured]
				s, journal := quickSecured(t, card, far, func(a *acquirerConfig, h *host.Config) (module, error) {
					if a.Dialect = c.dialect; c.dialect == dialectV93 {
						h.Version = host.Version1993
					}
					if !c.secured {
						return nil, nil //nolint:nilnil // no module is what is asked for
					}
					simSecurity(h)
					if a.NAC.MAC = "alg3"; c.dialect == dialectV93 {
						h.Security.Field, a.NAC.MAC, a.V93.MAC, a.V93.MACSignOn = 53, "", "alg3", true
					}
					return simModule(t.Context(), t.TempDir(), a.Name, always{})
				}, func(p *parts) { p.profile.Transactions.TwoStep = c.two })
				runEveryKind(teller{t, s}, w, c.two)
				if debts, err := journal.Debts(t.Context()); err != nil || len(debts) > 0 {
					t.Errorf("still owed: %+v, %v", debts, err)
				}
			})
		})
	}
}

func runEveryKind(k teller, w *farSide, two bool) {
	const approved, declined = terminal.Approved, terminal.Declined
	kd := k.kd
	books := func(want string) {
		k.t.Helper()
		var got []string
		for _, p := range w.host.Ledger() {
			if p.State == host.Posted && p.Kind != host.KindBalance && p.Kind != host.KindVoid {
				got = append(got, fmt.Sprintf("%s %d", p.Kind, p.Amount.Minor))
			}
		}
		if two { // the second step takes the money
			want = strings.NewReplacer("sale", "completion", "cashback", "completion").Replace(want)
		}
		if strings.Join(got, ", ") != want {
			k.t.Errorf("the bank holds %q, want %q", got, want)
		}
	}
	sale := k.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(10_525), Tip: kd(1_000)}, approved, "Approved.")
	books("sale 11525")
	refund := k.do(terminal.Order{Kind: terminal.KindRefund, Amount: kd(525), Of: sale.ID}, approved, "Refund accepted: KWD 0.525.")
	k.do(terminal.Order{Kind: terminal.KindVoid, Amount: kd(0), Of: refund.ID}, approved, "Voided: KWD 0.525")
	k.do(terminal.Order{Kind: terminal.KindVoid, Amount: kd(0), Of: sale.ID}, approved, "Voided: KWD 11.525")
	k.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(1_000), Cashback: kd(2_000)}, approved, "Approved.")
	hold := k.do(terminal.Order{Kind: terminal.KindPreauth, Amount: kd(4_000)}, approved, "Held: KWD 4.000.")
	k.do(terminal.Order{Kind: terminal.KindIncrement, Amount: kd(500), Of: hold.ID}, approved, "Held in addition: KWD 0.500.")
	taken := k.do(terminal.Order{Kind: terminal.KindCompletion, Amount: kd(4_200), Of: hold.ID}, approved, "Taken: KWD 4.200")
	k.do(terminal.Order{Kind: terminal.KindRefund, Amount: kd(200), Of: taken.ID}, approved, "")
	forced := k.do(terminal.Order{Kind: terminal.KindForced, Amount: kd(7_000), AuthCode: "A1B2C3"}, approved, "by telephone")
	k.do(terminal.Order{Kind: terminal.KindVoid, Amount: kd(0), Of: forced.ID}, approved, "Voided")
	balance := k.do(terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)}, approved, "Available: KWD")
	if balance.Balance.Minor <= 0 {
		k.t.Errorf("balance %+v", balance.Balance)
	}
	k.do(terminal.Order{Kind: terminal.KindRefund, Amount: kd(3_000)}, approved, "Refund accepted")
	k.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(10_051)}, declined, "")
	held := k.do(terminal.Order{Kind: terminal.KindPreauth, Amount: kd(2_000)}, approved, "Held")
	k.do(terminal.Order{Kind: terminal.KindVoid, Amount: kd(0), Of: held.ID}, approved, "Voided")
	again := k.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(3_333)}, approved, "Approved.")
	k.do(terminal.Order{Kind: terminal.KindVoid, Amount: kd(0), Of: again.ID}, approved, "Voided")
	books("cashback 3000, completion 4200, refund 200, refund 3000")
	certificates := 0
	for _, p := range w.host.Ledger() {
		if p.Certificate == host.Wrong {
			k.t.Errorf("the bank cannot verify the certificate of %s %s", p.Kind, p.STAN)
		}
		if p.Certificate == host.Verified {
			certificates++
		}
	}
	if certificates != 1 { // of the forced sale
		k.t.Errorf("the bank has verified %d certificates, want 1", certificates)
	}
}

// TestApprovalInPart: a bank that approves less is agreed with, and holds that much, or is told no, and holds nothing.
func TestApprovalInPart(t *testing.T) {
	for name, c := range map[string]struct {
		dialect string
		two     bool
		says    bool
	}{
		"nac, taken": {dialectNAC, false, true}, "nac, not taken": {dialectNAC, false, false}, "v93, taken": {dialectV93, false, true},
		"v93, not taken": {dialectV93, false, false}, "v93, in two, taken": {dialectV93, true, true}, "v93, in two, not taken": {dialectV93, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &farSide{}
				far := func(conn net.Conn, h *host.Host) { w.host = h; h.ServeConn(t.Context(), conn) }
				s, _ := quickSecured(t, "credit", far, func(a *acquirerConfig, h *host.Config) (module, error) {
					h.Terminals[0].Partial = true
					if a.Dialect, a.NAC.Partial, a.V93.Partial = c.dialect, "amount", true; c.dialect == dialectV93 {
						h.Version = host.Version1993
					}
					return nil, nil //nolint:nilnil // no module is what is asked for
				}, func(p *parts) { p.profile.Transactions.TwoStep = c.two })
				k := teller{t, s}
				sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: k.kd(10_010)})
				if err != nil {
					t.Fatal(err)
				}
				said := false
				sale, err = watch(t.Context(), s.lane, sale.ID, func(n terminal.Snapshot) error {
					if n.State != terminal.AgreementOnline || said {
						return nil
					}
					said = true
					return s.lane.Agree(t.Context(), sale.ID, terminal.Agreement{Matches: c.says, By: "sara"})
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				var held int64
				for _, p := range w.host.Ledger() {
					if p.State == host.Posted || p.State == host.OnHold {
						held += p.Amount.Minor
					}
				}
				switch {
				case sale.Approved.Minor <= 0 || sale.Approved.Minor >= 10_010:
					t.Errorf("%s: approved %d: %+v", sale.State, sale.Approved.Minor, sale.Outcome)
				case c.says && (sale.State != terminal.Approved || held != sale.Approved.Minor):
					t.Errorf("%s: the bank holds %d of %d", sale.State, held, sale.Approved.Minor)
				case !c.says && (sale.State != terminal.Reversed || held != 0 || sale.Outcome.Code != terminal.CodePartRefused):
					t.Errorf("%s: the bank holds %d: %+v", sale.State, held, sale.Outcome)
				}
				if n := s.lane.Snapshot(); n.Owed+n.Parked > 0 {
					t.Errorf("%d are owed, %d parked", n.Owed, n.Parked)
				}
			})
		})
	}
}
