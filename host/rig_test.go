package host_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
	"tillway/host"
	"tillway/host/issuer"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
)

const (
	tid, mid = "TILL0001", "KW0000000000001"
	late     = 20 * time.Second
	opening  = 1_000_000 // KWD 1000.000
)

var (
	kwd   = money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	today = time.Date(2026, 11, 23, 9, 30, 15, 0, time.FixedZone("+03", 3*60*60))
)

// card is a test card as it stands in the terminal's hand: what it sends, and its key.
type card struct {
	name, pan, psn, expiry, imk, iad string
}

var (
	credit  = card{"credit", "4761739001010119", "01", "2812", "2315208C9110AD402315208C9110AD40", "06010A03A0B800"}
	debit   = card{"debit", "5413330089604111", "00", "2912", "0123456789ABCDEFFEDCBA9876543210", "06011203A0B800"}
	expired = card{"expired", "4761739001010127", "01", "2012", "2315208C9110AD402315208C9110AD40", "06010A03A0B800"}
	unknown = card{"unknown", "4761739001010150", "01", "2812", "2315208C9110AD402315208C9110AD40", "06010A03A0B800"}
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c card) keys(t testing.TB) cryptogram.Keys {
	t.Helper()
	k, err := cryptogram.ForCard(unhex(t, c.imk), c.pan, c.psn)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// compiled is the codec of all tests; it does not change.
var compiled = sync.OnceValues(func() (*iso8583.Codec, error) { return iso8583.Compile(nac.Table(nac.Settings{})) })

func codec(t testing.TB) *iso8583.Codec {
	t.Helper()
	c, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rig is a host and the means to speak with it.
type rig struct {
	t     testing.TB
	h     *host.Host
	codec *iso8583.Codec
	atc   uint16
}

func config(t testing.TB) host.Config {
	t.Helper()
	var accounts []issuer.Account
	for _, c := range []card{credit, debit, expired} {
		pan, err := emv.NewPAN(c.pan)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, issuer.Account{
			Name: c.name, PAN: pan, PSN: c.psn, Expiry: c.expiry, Balance: money.New(opening, kwd), IMK: unhex(t, c.imk),
		})
	}
	return host.Config{
		Codec: codec(t), Clock: func() time.Time { return today }, Random: rand.NewChaCha8([32]byte{1}), Accounts: accounts,
		Terminals: []host.Terminal{{ID: tid, Merchant: mid}}, Currency: kwd, Late: late, Log: slog.New(slog.DiscardHandler),
	}
}

func newRig(t testing.TB) *rig {
	t.Helper()
	cfg := config(t)
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, h: h, codec: cfg.Codec}
}

// chip is what the card and the kernel bring to a sale, cryptogram included; each call is a new transaction of the card.
func (r *rig) chip(c card, amount int64) emv.Data {
	r.t.Helper()
	r.atc++
	var d emv.Data
	for tag, value := range map[tlv.Tag]string{
		0x5F2A: "0414", 0x5F34: c.psn, 0x82: "1C00", 0x84: "A0000000031010", 0x95: "0000008000", 0x9A: "261123", 0x9C: "00",
		0x9F02: fmt.Sprintf("%012d", amount), 0x9F03: "000000000000", 0x9F10: c.iad, 0x9F1A: "0414", 0x9F27: "80",
		0x9F33: "602000", 0x9F34: "1F0000", 0x9F35: "21", 0x9F36: fmt.Sprintf("%04X", r.atc),
		0x9F37: fmt.Sprintf("%08X", 0x1234_5678+uint32(r.atc)),
	} {
		d.Put(tag, unhex(r.t, value))
	}
	ac, err := c.keys(r.t).Compute(d)
	if err != nil {
		r.t.Fatal(err)
	}
	d.Put(0x9F26, ac[:])
	return d
}

func field55(d emv.Data) []byte {
	var b []byte
	for _, tag := range d.Tags() {
		b = tlv.Append(b, tag, d.Value(tag))
	}
	return b
}

// sale is a request for a sale, ready to be changed by a test.
func (r *rig) sale(c card, stan int, amount int64) (*iso8583.Message, emv.Data) {
	r.t.Helper()
	d := r.chip(c, amount)
	m := iso8583.NewMessage("0200")
	m.TPDU = unhex(r.t, "6000030000")
	for n, v := range map[int]string{
		3: "000000", 4: fmt.Sprintf("%012d", amount), 11: fmt.Sprintf("%06d", stan), 22: "051", 23: "0" + c.psn, 24: "003", 25: "00",
		35: c.pan + "D" + c.expiry + "2010000000000", 41: tid, 42: mid, 49: "414", 60: "000001", 62: fmt.Sprintf("%06d", stan),
	} {
		m.Set(n, v)
	}
	m.SetBytes(55, field55(d))
	return m, d
}

// reversal is the reversal of a sale, as the dialect composes it.
func reversal(sale *iso8583.Message, c card) *iso8583.Message {
	m := iso8583.NewMessage("0400")
	m.TPDU = sale.TPDU
	for _, n := range []int{3, 4, 11, 22, 23, 24, 25, 41, 42, 49, 60, 62} {
		if v, ok := sale.Get(n); ok {
			m.Set(n, v)
		}
	}
	m.Set(2, c.pan)
	m.Set(14, c.expiry)
	return m
}

func (r *rig) pack(m *iso8583.Message) []byte {
	r.t.Helper()
	b, err := r.codec.Pack(m)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// one sends a message and returns its answer, of which there must be one, whole and at once.
func (r *rig) one(m *iso8583.Message) *iso8583.Message {
	r.t.Helper()
	replies := r.h.Answer(r.pack(m))
	if len(replies) != 1 || replies[0].Delay != 0 || replies[0].Cut != 0 || replies[0].Reset {
		r.t.Fatalf("replies %+v, want one, whole and at once", replies)
	}
	a, err := r.codec.Unpack(replies[0].Frame)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// code sends a message and returns DE 39 of its answer.
func (r *rig) code(m *iso8583.Message) string {
	r.t.Helper()
	return get(r.t, r.one(m), 39)
}

func get(t testing.TB, m *iso8583.Message, n int) string {
	t.Helper()
	v, ok := m.Get(n)
	if !ok {
		t.Fatalf("answer %v has no field %d", m, n)
	}
	return v
}

func (r *rig) balance(c card) int64 {
	r.t.Helper()
	for _, s := range r.h.Accounts() {
		if s.Name == c.name {
			return s.Balance.Minor
		}
	}
	r.t.Fatalf("no account %s", c.name)
	return 0
}

// books checks that balances and what is posted add up to the opening balances, and that the trial balance is zero; it returns
// how many postings stand.
func (r *rig) books() int {
	r.t.Helper()
	r.trial()
	standing, sum := 0, int64(0)
	for _, p := range r.h.Ledger() {
		switch {
		case (p.State == host.Posted || p.State == host.OnHold) && p.ReversedAt == nil:
			standing++
			switch p.Kind {
			case host.KindRefund:
				sum -= p.Amount.Minor
			case host.KindVoid, host.KindBalance, host.KindIncrement:
			default:
				sum += p.Amount.Minor
			}
		case (p.State == host.Reversed || p.State == host.Voided) && p.ReversedAt != nil:
		case p.State == host.Completed:
		default:
			r.t.Fatalf("posting in state %q", p.State)
		}
	}
	want := int64(0)
	for _, s := range r.h.Accounts() {
		sum += s.Balance.Minor
		want += s.Opening.Minor
	}
	if sum != want {
		r.t.Fatalf("balances and postings are %d fils, the opening balances %d", sum, want)
	}
	return standing
}

// frame puts the length before a message.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}
