package host_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
	"tillway/iso8583"
)

// FuzzAnswer feeds one frame, twice. Whatever it is: balances and postings add up, the second time posts nothing more,
// and every answer can be read and belongs to its request.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d seeds: %v", len(files), err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		b := unhex(f, strings.TrimSpace(string(raw)))
		if !strings.HasPrefix(filepath.Base(name), "chip-sale-") {
			b = b[2:] // the length
		}
		f.Add(b)
	}
	seed := newRig(f)
	for i, amount := range []int64{10_525, 10_051, 10_101, 10_102, 10_103, 10_105, 10_106} {
		m, _ := seed.sale(credit, i+1, amount)
		f.Add(seed.pack(m))
		f.Add(seed.pack(reversal(m, credit)))
	}
	for _, m := range []*iso8583.Message{
		seed.preauthorise(credit, 1, 500), seed.message("0200", "200000", credit, 2, 500), seed.message("0220", "000000", credit, 3, 500),
		naming(seed.message("0200", "020000", debit, 4, 7_000), seed.one(seed.message("0200", "200000", debit, 5, 100))),
		seed.uploaded(6, 1, debit, 7_000, "632709000001"), seed.end("920000", 7, "000001", "001000000007000"), seed.end("960000", 8, "000001", "000000000000000"),
	} {
		f.Add(seed.pack(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRig(t)
		before, _ := r.sale(debit, 1, 7_000)
		r.one(before)
		first := r.h.Answer(b)
		stands := r.books()
		second := r.h.Answer(b)
		if r.books() != stands || stands > 2 {
			t.Fatalf("%d postings stand after the first time, %d after the second", stands, r.books())
		}
		request, err := r.codec.Unpack(b)
		if err != nil && len(first)+len(second) > 0 {
			t.Fatal("an answer to what cannot be read")
		}
		for _, p := range append(first, second...) {
			a, err := r.codec.Unpack(p.Frame)
			if err != nil {
				t.Fatalf("answer cannot be read: %v", err)
			}
			belongs(t, request, a)
		}
	})
}

// belongs checks an answer against its request: type, TPDU, terminal, and card data that must not come back.
func belongs(t *testing.T, request, a *iso8583.Message) {
	t.Helper()
	if a.MTI()[:2] != request.MTI()[:2] || a.MTI()[2] != request.MTI()[2]+1 || a.MTI()[3] != '0' || !bytes.Equal(a.TPDU, request.TPDU) {
		t.Fatalf("%s answers %s", a.MTI(), request.MTI())
	}
	for _, n := range []int{3, 4, 24, 41} {
		asked, had := request.Get(n)
		if got, has := a.Get(n); had != has || got != asked {
			t.Fatalf("field %d of the answer is not the request's", n)
		}
	}
	for _, n := range []int{2, 14, 35, 45, 52} {
		if a.Has(n) {
			t.Fatalf("the answer carries field %d", n)
		}
	}
}

// TestRandomWalk mixes sales, repeats, reversals before, after and without their originals, stale batches and flipped
// bytes, from seeds. The books hold after every step, and at the end what stands is what a plain count says.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(20) {
		r := newRig(t)
		rng := rand.New(rand.NewPCG(seed, 6))
		type sold struct {
			m        *iso8583.Message
			c        card
			approved bool
			reversed bool
		}
		var all []*sold
		for step := range 300 {
			switch op := rng.IntN(10); {
			case op < 4 || len(all) == 0: // a sale, sometimes reversed before it is sent
				s := &sold{c: []card{credit, debit, expired}[rng.IntN(3)]}
				s.m, _ = r.sale(s.c, step+1, int64(rng.IntN(30_000)))
				if s.reversed = rng.IntN(5) == 0; s.reversed {
					r.code(reversal(s.m, s.c))
				}
				before := r.books()
				r.h.Answer(r.pack(s.m))
				s.approved = r.books() > before
				if s.reversed && s.approved {
					t.Fatalf("seed %d step %d: posted after its reversal", seed, step)
				}
				all = append(all, s)
			case op < 6: // a repeat
				r.h.Answer(r.pack(all[rng.IntN(len(all))].m))
			case op < 8: // a reversal, perhaps once more
				s := all[rng.IntN(len(all))]
				if got := r.code(reversal(s.m, s.c)); got != "00" && got != "25" {
					t.Fatalf("seed %d step %d: reversal answered %s", seed, step, got)
				}
				s.reversed = true
			case op < 9: // another transaction under a used STAN
				old := all[rng.IntN(len(all))].m
				m, _ := r.sale(credit, 1, 500)
				stan, _ := old.Get(11)
				m.Set(11, stan)
				if got := r.code(m); got != "94" {
					t.Fatalf("seed %d step %d: used STAN answered %s", seed, step, got)
				}
			default: // noise on the wire: a byte of the terminal's id or merchant, which nothing else proves
				b := r.pack(all[rng.IntN(len(all))].m)
				at := bytes.Index(b, []byte(tid))
				b[at+rng.IntN(len(tid)+len(mid))] ^= 0x40
				r.h.Answer(b)
			}
			standing := 0
			for _, s := range all {
				if s.approved && !s.reversed {
					standing++
				}
			}
			if got := r.books(); got != standing {
				t.Fatalf("seed %d step %d: %d postings stand, want %d", seed, step, got, standing)
			}
		}
	}
}

// BenchmarkAnswer is authorisations by one host on one processor: unpack, cryptogram, decision, ARPC, pack.
func BenchmarkAnswer(b *testing.B) {
	const batch = 4096
	r := newRig(b)
	requests := make([][]byte, batch)
	for i := range requests {
		m, _ := r.sale(credit, i+1, 100)
		requests[i] = r.pack(m)
	}
	b.ReportAllocs()
	var h *host.Host
	n := 0
	for b.Loop() {
		if n%batch == 0 {
			b.StopTimer()
			h = newRig(b).h
			b.StartTimer()
		}
		if p := h.Answer(requests[n%batch]); len(p) != 1 {
			b.Fatalf("%d replies", len(p))
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "authorisations/s")
	if got := h.Ledger(); len(got) == 0 {
		b.Fatal("nothing was posted")
	}
}

// FuzzSecuredAnswer feeds one frame to a host that wants a MAC, twice. Without the keys nothing is ever posted, and no
// answer carries a MAC.
func FuzzSecuredAnswer(f *testing.F) {
	s := newTill(f, host.MACAlg3, false)
	m, _ := s.sale(debit, 1, 10_525)
	s.withPIN(m, debit, "1234", x9.PINFormat0)
	frame, _ := s.frame(m)
	frame[len(frame)-1] ^= 1
	f.Add(frame)
	f.Add(s.pack(reversal(m, debit)))
	m.Set(61, "MK20FFFF9876543212000001PK99")
	f.Add(s.pack(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newTill(t, host.MACAlg3, false)
		for range 2 {
			for _, reply := range r.h.Answer(b) {
				a, err := r.codec.Unpack(reply.Frame)
				if err != nil {
					t.Fatal(err)
				}
				if a.Has(64) || r.books() != 0 {
					t.Fatalf("%s with a MAC %t, %d posted", a.MTI(), a.Has(64), r.books())
				}
			}
		}
	})
}
