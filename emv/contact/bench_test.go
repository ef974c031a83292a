package contact_test

import (
	"bytes"
	"context"
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

// replayed is a card whose answers were taken down: it costs nothing and takes the very commands that it was asked then.
type replayed struct {
	commands, answers [][]byte
	at                int
	card              emv.Card // answers for the first time
}

func (r *replayed) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if r.card != nil {
		answer, err := r.card.Transmit(ctx, command)
		r.commands, r.answers = append(r.commands, bytes.Clone(command)), append(r.answers, answer)
		return answer, err
	}
	i := r.at
	r.at++
	if i >= len(r.commands) || !bytes.Equal(r.commands[i], command) {
		return nil, errGone
	}
	return r.answers[i], nil
}

// BenchmarkKernel is what the kernel itself costs in a whole online approval, without card and reader: selection by the
// directory, authentication, both cryptograms. commands is how many it sends, and the least that the books allow for the
// same is beside it: two SELECTs, the directory's records and their end, GET PROCESSING OPTIONS, the AFL's records, INTERNAL
// AUTHENTICATE for DDA, two GENERATE ACs.
func BenchmarkKernel(b *testing.B) {
	const keys = "[[application]]\n[application.rsa]\nissuer = \"issuer-1976\"\ncard = \"card-1640\"\n[application.risk]\nfirst = \"arqc\"\n"
	for _, r := range []struct {
		name, text, oda string
	}{
		{"CDA1984", "like = \"oda-cda\"\n" + keys, "cda"},
		{"DDA1984", "like = \"oda-dda\"\n" + keys, "dda"},
		{"SDA1984", "like = \"oda-sda\"\n[[application]]\n[application.rsa]\nissuer = \"issuer-1976\"\n[application.risk]\nfirst = \"arqc\"\n", "sda"},
		{"none", "like = \"oda-none\"\n", "none"},
	} {
		b.Run(r.name, func(b *testing.B) {
			card := &replayed{card: insertText(b, r.text)}
			p := offline(b)
			p.CDAMode = 1
			kernel := contact.New(contact.Config{})
			number := make([]byte, 16)
			run := func() emv.Outcome {
				card.at, p.Random = 0, bytes.NewReader(number)
				txn, out, err := kernel.Begin(b.Context(), card, p, nil)
				if err != nil || txn == nil {
					b.Fatal(out.Decision, out.Why, err)
				}
				if out, err = txn.Complete(b.Context(), emv.HostAnswer{Result: emv.HostApproved}); err != nil || out.Decision != emv.Approved {
					b.Fatal(out.Decision, out.Why, err)
				}
				return out
			}
			out := run()
			if out.ODA.Method != r.oda || out.ODA.OK != (r.oda != "none") {
				b.Fatalf("%+v", out.ODA)
			}
			card.card = nil
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			least := 2 + 2 + 1 + 2 // SELECT twice, a directory of one record and its end, GET PROCESSING OPTIONS, GENERATE AC twice
			for afl := out.Data.Value(emv.TagAFL); len(afl) > 0; afl = afl[4:] {
				least += int(afl[2]-afl[1]) + 1
			}
			if r.oda == "dda" {
				least++
			}
			b.ReportMetric(float64(len(card.commands)), "commands")
			b.ReportMetric(float64(least), "commands-least")
		})
	}
}
