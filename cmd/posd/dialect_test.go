package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure"
	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// hostCodec is what the other end of an acquirer's wire reads with: a field table of its own making.
func hostCodec(a acquirerConfig) (*iso8583.Codec, error) {
	if a.Dialect == dialectV93 {
		return iso8583.Compile(v93.Table(v93.Settings{Encoding: a.V93.Encoding, PINBytes: a.V93.PINBytes}))
	}
	return iso8583.Compile(nac.Table(nac.Settings{PINBytes: a.NAC.PINBytes}))
}

// farSide is the host at the other end, once the terminal has dialled.
type farSide struct {
	host  *host.Host
	store *store.Store // the terminal's own
}

// v93Terminal is a terminal that speaks v93 with PIN and MAC to a host that does, in a bubble's time.
func v93Terminal(t *testing.T, pad secure.Keypad, change func(*v93Config, *host.Config), otherwise ...func(*parts)) (*stack, *farSide) {
	t.Helper()
	w := &farSide{}
	far := func(c net.Conn, h *host.Host) { w.host = h; h.ServeConn(t.Context(), c) }
	s, kept := quickSecured(t, "debit", far, func(a *acquirerConfig, h *host.Config) (module, error) {
		simSecurity(h)
		h.Version, h.Security.Field = host.Version1993, 53
		h.Late = 40 * time.Second // the profile waits 25
		a.Dialect, a.V93.MAC, a.V93.MACSignOn = dialectV93, "alg3", true
		if change != nil {
			change(&a.V93, h)
		}
		return simModule(t.Context(), t.TempDir(), a.Name, pad)
	}, otherwise...)
	w.store = kept
	return s, w
}

// sell runs a sale to its end, whatever that is.
func sell(t *testing.T, s *stack, minor int64) terminal.Sale {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(minor, kwd)})
	if err != nil {
		t.Fatal(err)
	}
	if sale, err = watch(t.Context(), s.lane, sale.ID); err != nil {
		t.Fatal(err)
	}
	return sale
}

// types are the message types of the latest messages, from the first request of a sale on.
func (w *farSide) types() (all []string) {
	for _, m := range w.host.Messages() {
		if m.MTI[:2] != "18" {
			all = append(all, m.MTI)
		}
	}
	return all
}

// standing is what the ledger holds that was not reversed.
func (w *farSide) standing() (sum int64) {
	for _, p := range w.host.Ledger() {
		if p.State == host.Posted {
			sum += p.Amount.Minor
		}
	}
	return sum
}

// TestSalesInV93: whole sales with PIN and MAC against a host with its own idea of ISO 8583:1993: approved, declined, not
// answered, answered too late, answered under a wrong MAC and twice. What the terminal shows and what the host holds is the same,
// and a reversal goes before the next sale.
func TestSalesInV93(t *testing.T) {
	type row struct {
		minor int64
		state terminal.State
		code  string
	}
	for name, change := range map[string]func(*v93Config, *host.Config){
		"packed":     nil,
		"characters": func(c *v93Config, _ *host.Config) { c.Encoding = "ascii" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, w := v93Terminal(t, always{}, change)
				standing := int64(0)
				for _, c := range []row{
					{1_300, terminal.Approved, "000"},
					{1_051, terminal.Declined, "116"},
					{1_091, terminal.Declined, "912"},
					{1_101, terminal.Reversed, ""},
					{2_300, terminal.Approved, "000"},
					{1_102, terminal.Reversed, ""},
					{1_104, terminal.Reversed, ""},
					{1_105, terminal.Reversed, ""},
					{1_106, terminal.Approved, "000"},
					{3_300, terminal.Approved, "000"},
				} {
					sale := sell(t, s, c.minor)
					if sale.State != c.state || sale.ResponseCode != c.code || sale.Method != emv.OnlinePIN {
						t.Errorf("%d: %s with %q by %q, want %s with %q: %+v", c.minor, sale.State, sale.ResponseCode, sale.Method, c.state, c.code, sale.Outcome)
					}
					if c.state == terminal.Approved {
						standing += c.minor
					}
					time.Sleep(time.Minute) // what is owed goes out
				}
				if got := w.standing(); got != standing || s.lane.Snapshot().Owed != 0 {
					t.Errorf("the host holds %d, the terminal sold %d, %d reversals are owed", got, standing, s.lane.Snapshot().Owed)
				}
				if got := w.types(); slices.Contains(got, "0200") || !slices.Contains(got, "1420") {
					t.Errorf("messages: %v", got)
				}
			})
		})
	}
}

// TestReversalFirstInV93: with no pause between sales, the reversal still goes first, and its answer is awaited.
func TestReversalFirstInV93(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := v93Terminal(t, always{}, nil)
		if sale := sell(t, s, 1_101); sale.State != terminal.Reversed {
			t.Fatalf("%s", sale.State)
		}
		if sale := sell(t, s, 1_300); sale.State != terminal.Approved {
			t.Fatalf("%s: %+v", sale.State, sale.Outcome)
		}
		if got := strings.Join(w.types(), " "); !strings.HasSuffix(got, "1420 1430 1200 1210") {
			t.Errorf("messages: %s", got)
		}
	})
}

// TestAESInV93: AES keys, CMAC, PIN blocks of format 4 and serial numbers of twelve bytes, two of them in field 53.
func TestAESInV93(t *testing.T) {
	s, _ := quickSecured(t, "debit", answerAll, func(a *acquirerConfig, h *host.Config) (module, error) {
		simSecurity(h)
		h.Version, h.Security.Field, h.Security.MAC = host.Version1993, 53, host.MACCMAC
		a.Dialect, a.V93.MAC, a.V93.PINBytes, a.V93.MACField = dialectV93, "cmac", 16, 128
		bdk := simBytes("FEDCBA9876543210F1F1F1F1F1F1F1F1")
		h.Terminals[0].Keys = &host.Keys{
			PIN: host.Key{BDK: bdk, KSN: simBytes("123456789012345600000000")}, MAC: host.Key{BDK: bdk, KSN: simBytes("123456789012345700000000")},
		}
		return aesModule(t.Context(), t.TempDir(), a.Name, h.Terminals[0].Keys)
	})
	for range 2 {
		if sale := sellOne(t, s, 1_300); sale.Method != emv.OnlinePIN || sale.ResponseCode != "000" {
			t.Errorf("verified by %q, code %s", sale.Method, sale.ResponseCode)
		}
	}
}

// typed is a keypad at which these PINs are entered, one after the other.
type typed struct{ pins []string }

func (k *typed) Open(context.Context, secure.Prompt) (secure.Keystrokes, error) {
	pin := k.pins[0]
	k.pins = k.pins[1:]
	return &typing{pin + string(secure.KeyEnter)}, nil
}

// TestWrongPINInV93: the tries that are left come from the host's own counter, in field 53, to the cashier's sentence.
func TestWrongPINInV93(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := v93Terminal(t, &typed{[]string{"9999", simPIN}}, nil)
		first := sell(t, s, 1_300)
		if first.State != terminal.Declined || first.ResponseCode != "117" || !strings.Contains(first.Outcome.Happened, "2 tries are left") || w.standing() != 0 {
			t.Errorf("%s with %q: %+v", first.State, first.ResponseCode, first.Outcome)
		}
		if second := sell(t, s, 1_300); second.State != terminal.Approved || w.standing() != 1_300 {
			t.Errorf("with the right PIN: %s with %q", second.State, second.ResponseCode)
		}
	})
}

// TestV93Config: the example of docs/acquirers.md is taken key by key, and the profile gives what the terminal is.
func TestV93Config(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(benchConfig(t, dir), "[acquirer.nac]", `dialect = "v93"
[acquirer.v93]
encoding = "ascii"
acquirer = "588847"
reversed_as = "time-out waiting for response"
also_approved = ["003"]
original = [0, 11, 7, 12, 32, 33]
original_text = true
reversal_tags = ["95", "9F36"]
mac = "cmac"
mac_bytes = 4
mac_filler = "F"
preauth = "100"
tip_type = "53"
void = "cancellation"
deferred = true
partial = true
reconcile = "1524"
totals_field = 127
totals = [{what = "scheme", length = 2}, {what = "debits", length = 6}]
[acquirer.v93.reasons]
"MAC failure" = "4351"
[acquirer.v93.brands.mada]
fallback = "9"
tags = ["5F2A", "82", "9F26"]
totals = "P1"
totals_house = "BNK1"
[acquirer.v93.brands.mada.private]
"63" = "MADA"
[acquirer.nac.private]
"48" = "TILLWAY"
[acquirer.nac.brands.amex]
chip_entry = "950"
tags = ["9F27", "9F36"]
[acquirer.nac.brands.amex.private]
"48" = "AX"
[acquirer.nac]`, 1)
	path := filepath.Join(dir, "posd.toml")
	write(t, path, text)
	c, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDialect(c.Acquirer, p, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Acquirer.V93.settings(p, time.Now)
	if got := fmt.Sprintf("%v %v %s", s.Brands["mada"].ChipTags, s.ReversalTags, s.Reasons[v93.MACFailure]); got != "[5F2A 82 9F26] [95 9F36] 4351" {
		t.Errorf("settings: %s", got)
	}
	n := c.Acquirer.NAC.settings(p, time.Now)
	if n.Private[48] != "TILLWAY" || n.ChipEntry != "052" || !reflect.DeepEqual(n.Brands["amex"], nac.Brand{
		ChipEntry: "950", ChipTags: []tlv.Tag{0x9F27, 0x9F36}, Private: map[int]string{48: "AX"},
	}) {
		t.Errorf("settings of nac: %+v", n)
	}
	want := v93.Brand{FallbackInput: "9", Private: map[int]string{63: "MADA"}, ChipTags: s.Brands["mada"].ChipTags, Totals: "P1", TotalsHouse: "BNK1"}
	if !reflect.DeepEqual(s.Brands["mada"], want) || s.Preauth != "100" || s.TipType != "53" || s.Void != "cancellation" || !s.Deferred || !s.Partial {
		t.Errorf("settings: %+v", s)
	}
	if s.Reconcile != "1524" || s.TotalsField != 127 || len(s.TotalsColumns) != 2 || s.TotalsColumns[1] != (v93.TotalsColumn{What: "debits", Length: 6}) {
		t.Errorf("totals: %s, field %d, %v", s.Reconcile, s.TotalsField, s.TotalsColumns)
	}
	if s.PointOfService.CardInput != "5" || s.PointOfService.PINCapture != "C" || s.PointOfService.Environment != "1" || c.Acquirer.mac() != "cmac" {
		t.Errorf("the profile's terminal: %+v, MAC %s", s.PointOfService, c.Acquirer.mac())
	}
	b, err := d.Network(terminal.NetworkRequest{Kind: terminal.SignOn, STAN: 1, Time: time.Now(), TerminalID: "TILL0001", MerchantID: "M"})
	if err != nil || !bytes.HasPrefix(b, []byte("1804")) {
		t.Errorf("sign-on: %q, %v", b, err)
	}
	for from, want := range map[string]string{
		`dialect = "v93"`:        `dialect = "v03"|nac and v93`,
		`"MAC failure"`:          `"because"|reason "because"`,
		`original = [0,`:         `original = [35,|DE 56`,
		`"9F26"]`:                `"57"]|card data`,
		`also_approved = ["003"`: `also_approved = ["100"|100`,
	} {
		to, says, _ := strings.Cut(want, "|")
		write(t, path, strings.Replace(text, from, to, 1))
		c, err := loadConfig(path)
		if err == nil {
			_, err = openDialect(c.Acquirer, p, time.Now)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", to, err, says)
		}
	}
}
