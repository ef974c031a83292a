package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
)

// tap is somebody on the wire: what the host answers to a request goes through its hands. Sign-on and reversals pass.
type tap struct {
	codec   *iso8583.Codec
	forge   func(answer *iso8583.Message, frame []byte) [][]byte // nil: passes
	pass    bool
	reverse int // reversals that passed
}

func (p *tap) serve(c net.Conn, h *host.Host) {
	defer func() { _ = c.Close() }()
	head := make([]byte, 2)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		for _, r := range h.Answer(frame) {
			out := [][]byte{r.Frame}
			m, err := p.codec.Unpack(r.Frame)
			if err != nil {
				panic(err)
			}
			switch {
			case m.MTI() == "0410":
				p.reverse++
			case m.MTI() == "0210" && !p.pass:
				out = p.forge(m, r.Frame)
			}
			for _, f := range out {
				if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(f))), f...)); err != nil {
					return
				}
			}
		}
	}
}

// TestAttackForgedAnswer: whatever somebody on the wire makes of the host's answer who has no key, it counts as no answer,
// and the sale is reversed. The same terminal sells before and after.
func TestAttackForgedAnswer(t *testing.T) {
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	var first []byte // an approval of an earlier sale, whole and authentic
	change := func(f func(*iso8583.Message)) func(*iso8583.Message, []byte) [][]byte {
		return func(m *iso8583.Message, _ []byte) [][]byte {
			f(m)
			b, err := codec.Pack(m)
			if err != nil {
				panic(err)
			}
			return [][]byte{b}
		}
	}
	for name, c := range map[string]struct {
		amount int64
		forge  func(*iso8583.Message, []byte) [][]byte
	}{
		"a refusal made an approval":       {1_051, change(func(m *iso8583.Message) { m.Set(39, "00") })},
		"an approval made a refusal":       {1_300, change(func(m *iso8583.Message) { m.Set(39, "05") })},
		"an approval without its MAC":      {1_300, change(func(m *iso8583.Message) { m.Delete(64) })},
		"a forged approval without MAC":    {1_051, change(func(m *iso8583.Message) { m.Set(39, "00"); m.Delete(64) })},
		"a MAC of zeros":                   {1_051, change(func(m *iso8583.Message) { m.Set(39, "00"); m.SetBytes(64, make([]byte, 8)) })},
		"another amount":                   {1_300, change(func(m *iso8583.Message) { m.Set(4, "000000000001") })},
		"an old trace number":              {1_300, change(func(m *iso8583.Message) { m.Set(11, "000001") })},
		"another terminal":                 {1_300, change(func(m *iso8583.Message) { m.Set(41, "TILL0002") })},
		"another card's chip data":         {1_300, change(func(m *iso8583.Message) { m.SetBytes(55, []byte("\x91\x08AAAABBBB")) })},
		"a request sent back as an answer": {1_300, change(func(m *iso8583.Message) { m.SetMTI("0200") })},
		"an earlier approval replayed":     {1_300, func(*iso8583.Message, []byte) [][]byte { return [][]byte{first} }},
		"an earlier approval under this trace number": {1_300, func(m *iso8583.Message, _ []byte) [][]byte {
			old, err := codec.Unpack(first)
			if err != nil {
				panic(err)
			}
			stan, _ := m.Get(11)
			old.Set(11, stan)
			b, err := codec.Pack(old)
			if err != nil {
				panic(err)
			}
			return [][]byte{b}
		}},
		"garbage, and nothing more": {1_300, func(*iso8583.Message, []byte) [][]byte { return [][]byte{[]byte("garbage")} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &tap{codec: codec}
				s, _ := quickWith(t, "debit", always{}, p.serve)
				p.forge = func(_ *iso8583.Message, frame []byte) [][]byte { first = frame; return [][]byte{frame} }
				sellOne(t, s, 1_300)
				p.forge = c.forge
				kwd, _ := money.ByCode("KWD")
				sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(c.amount, kwd)})
				if err != nil {
					t.Fatal(err)
				}
				if sale, err = watch(t.Context(), s.lane, sale.ID); err != nil {
					t.Fatal(err)
				}
				if sale.State != terminal.Reversed || sale.Outcome.Code != terminal.CodeNoAnswer || sale.AuthCode != "" {
					t.Errorf("%s, %+v", sale.State, sale.Outcome)
				}
				time.Sleep(time.Minute)
				if n := s.lane.Snapshot().Owed; n != 0 || p.reverse != 1 {
					t.Errorf("%d owed, %d reversals", n, p.reverse)
				}
				p.pass = true
				sellOne(t, s, 1_300)
			})
		})
	}
	if !strings.Contains(string(first), "TILL0001") {
		t.Error("nothing was replayed")
	}
}

// TestNoKeysNoSale: a terminal whose acquirer wants MACs and that has no keys sends nothing and says why; one without a PIN
// key tells the card that it has no PIN pad.
func TestNoKeysNoSale(t *testing.T) {
	s, _ := quickWith(t, "debit", nil, answerAll)
	sale := sellOne(t, s, 1_300)
	if tvr := sale.Tags.Value(0x95); len(tvr) != 5 || tvr[2]&0x10 == 0 {
		t.Errorf("the card was told TVR %X, want the bit for no PIN pad", tvr)
	}
	m, err := simModule(context.Background(), t.TempDir(), "somebody-else", always{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	keys := acquirerKeys{m, "acquirer", macMethod("alg3")}
	if _, err := keys.NextKey(t.Context()); err == nil {
		t.Error("a key of another acquirer")
	}
	pan := terminal.PINAsk{Timeout: time.Second}
	if end, block, err := keys.EnterPIN(t.Context(), pan); err == nil || !block.IsZero() {
		t.Errorf("%q without a key", end)
	}
}
