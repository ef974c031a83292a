package contact_test

import (
	"bytes"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

// BenchmarkTransaction is a whole approval with a card that answers at once.
func BenchmarkTransaction(b *testing.B) {
	kernel := contact.New(contact.Config{})
	p := terminal()
	un := unhex("D3173A1F")
	for b.Loop() {
		p.Random = bytes.NewReader(un)
		txn, _, err := kernel.Begin(b.Context(), newChip("", ""), p, nil)
		if err != nil {
			b.Fatal(err)
		}
		out, err := txn.Complete(b.Context(), emv.HostAnswer{Result: emv.HostApproved})
		if err != nil || out.Decision != emv.Approved {
			b.Fatal(out.Decision, err)
		}
	}
}
