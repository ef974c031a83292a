package lane

import (
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// TestSwipedUnderTheApplicationsRules: a card that the profile takes with its PIN only is not sold to with a signature because its
// stripe was swiped, whatever its service code says; nor is one whose application has no signature.
func TestSwipedUnderTheApplicationsRules(t *testing.T) {
	visa := emv.Application{AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, Scheme: "visa"}
	debit := emv.Application{AID: []byte{0xA0, 0, 0, 0, 3, 0x20, 0x10}, Scheme: "visa electron", PINRequired: true}
	domestic := emv.Application{AID: []byte{0xF0, 0, 0, 0, 1}, Scheme: "domestic", PINRequired: true}
	noSignature := visa
	noSignature.Capabilities = emv.Capabilities{0x60, 0x48}
	for _, c := range []struct {
		name   string
		takes  []emv.Application
		method emv.Method
		state  terminal.State
	}{
		{"no rule", []emv.Application{visa}, emv.Signature, terminal.AgreementOnline},
		{"PIN only", []emv.Application{debit}, emv.OnlinePIN, terminal.Approved},
		{"PIN only for some of the scheme", []emv.Application{visa, debit}, emv.OnlinePIN, terminal.Approved},
		{"PIN only, numbers not known", []emv.Application{domestic}, emv.OnlinePIN, terminal.Approved},
		{"PIN only for another scheme", []emv.Application{domestic, visa}, emv.Signature, terminal.AgreementOnline},
		{"without signature", []emv.Application{noSignature}, emv.OnlinePIN, terminal.Approved},
	} {
		for _, pad := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := swiping(t, approves, nil, swipes(1, plainTrack), always("00"), func(cfg *Config, _ *OwnerConfig) {
						cfg.Stripe.Methods = []emv.Method{emv.OnlinePIN, emv.Signature}
						cfg.Params = func(terminal.Order, time.Time, terminal.SaleID) emv.Params { return emv.Params{Applications: c.takes} }
						if !pad {
							cfg.PINPad = nil
						}
					})
					defer b.end()
					b.sell(1000, "")
					time.Sleep(time.Minute)
					synctest.Wait()
					s, method := b.lane.Snapshot(), c.method
					state := c.state
					if !pad && c.method == emv.OnlinePIN {
						state, method = terminal.Declined, emv.NoVerification
					}
					if s.State != state || len(b.requests) > 0 && b.requests[0].Method != method || (len(b.requests) > 0) != (state != terminal.Declined) {
						t.Errorf("with a pad %t: %s, requests %d", pad, s.State, len(b.requests))
					}
				})
			})
		}
	}
}
