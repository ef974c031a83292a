package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/emulator"
	"tillway/emv/oda"
	"tillway/host"
	"tillway/terminal"
)

// TestOfflineApprovalAtTheBank: card and terminal approve without the bank (Y1), or because it cannot be reached (Y3); it is told of it once, in both dialects, with a certificate
// that it can verify, and the void of it then; what was approved is what the batch says. Book 3, 10.7; Book 4, 6.3.7.
func TestOfflineApprovalAtTheBank(t *testing.T) {
	p := edited(
		t, `type        = "21"`, `type        = "22"`, `offline_data_authentication = []`, `offline_data_authentication = ["sda", "dda", "cda"]`,
		"# [offline]", "[offline]", "# count      = 20", "count = 20", `# sum        = "200.000"`, `sum = "200.000"`,
		`floor_limit = "0.000"`, `floor_limit = "50.000"`, // of the first, Visa
	)
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	for _, dialect := range []string{dialectNAC, dialectV93} {
		for card, code := range map[string]string{"oda-cda": "Y1", "oda-dda": "Y1", "trm-new-card": "Y3"} {
			t.Run(fmt.Sprintf("%s %s", dialect, card), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(time.Date(2026, 7, 23, 10, 0, 0, 0, time.UTC))) // a bubble begins before the card is valid
					w := &farSide{}
					var met atomic.Pointer[host.Host]
					var down atomic.Bool
					far := func(conn net.Conn, h *host.Host) {
						met.Store(h)
						if !down.Load() {
							h.ServeConn(t.Context(), conn)
						}
						_ = conn.Close()
					}
					down.Store(code == "Y3")
					s, journal := quickSecured(t, card, far, func(a *acquirerConfig, h *host.Config) (module, error) {
						if a.Dialect = dialect; dialect == dialectV93 {
							h.Version = host.Version1993
						}
						return nil, nil //nolint:nilnil // no module is what is asked for
					}, func(all *parts) { all.profile, all.caKeys = p, file.CAKeys })
					k := teller{t, s}
					sale := k.do(terminal.Order{Kind: terminal.KindSale, Amount: k.kd(1_300)}, terminal.Approved, "")
					if sale.Way != terminal.WayOffline || sale.ResponseCode != code {
						t.Fatalf("approved %s with %s: %+v; %+v", sale.Way, sale.ResponseCode, sale.Outcome, sale.Why)
					}
					if down.Swap(false) {
						time.Sleep(time.Hour)
					}
					w.host = met.Load()
					posted := w.host.Ledger()
					if len(posted) != 1 || posted[0].Certificate != host.Verified || posted[0].Amount.Minor != 1_300 || posted[0].State != host.Posted {
						t.Fatalf("the bank has %+v", posted)
					}
					k.do(terminal.Order{Kind: terminal.KindVoid, Amount: k.kd(0), Of: sale.ID}, terminal.Approved, "Voided")
					if posted = w.host.Ledger(); posted[0].State != host.Voided {
						t.Errorf("after the void the bank has %+v", posted[0])
					}
					if debts, err := journal.Debts(context.Background()); err != nil || len(debts) > 0 {
						t.Errorf("still owed: %+v, %v", debts, err)
					}
				})
			})
		}
	}
}
