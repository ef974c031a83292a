package profile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name zones on machines that have none

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
)

func TestReadyProfiles(t *testing.T) {
	if got := ReadyNames(); !slices.Equal(got, []string{"generic", "kuwait"}) {
		t.Fatalf("ready profiles: %v", got)
	}
	for _, name := range ReadyNames() {
		p, err := Ready(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Name != name {
			t.Errorf("%s calls itself %q", name, p.Name)
		}
		if len(p.LeftOut()) > 0 {
			t.Errorf("%s leaves out %v", name, p.LeftOut())
		}
		for _, a := range p.Applications {
			if a.Placeholder && (a.Enabled || len(a.AID) > 0) {
				t.Errorf("%s: placeholder %s is on or has an AID", name, a.Scheme)
			}
			if a.Enabled && a.FloorLimitMinor != 0 && p.Terminal.Type == 0x21 {
				t.Errorf("%s: %s has a floor limit on a terminal that is online only", name, a.Scheme)
			}
		}
	}
	if _, err := Ready("atlantis"); !errors.Is(err, ErrNoProfile) || !strings.Contains(err.Error(), "kuwait") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := Ready("../profile.go"); !errors.Is(err, ErrNoProfile) {
		t.Errorf("a path in place of a name: %v", err)
	}
}

func kuwait(t *testing.T) Profile {
	t.Helper()
	p, err := Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKuwait(t *testing.T) {
	p := kuwait(t)
	if p.Currency.Code != "KWD" || p.Currency.Exponent != 3 || p.Country != 414 || p.Zone.String() != "Asia/Kuwait" {
		t.Errorf("%+v", p)
	}
	var aids []string
	for _, a := range p.Applications {
		if a.Enabled {
			aids = append(aids, fmt.Sprintf("%X", a.AID))
		}
	}
	if want := []string{"A0000000031010", "A0000000032010", "A0000000041010", "A0000000043060"}; !slices.Equal(aids, want) {
		t.Errorf("applications %v, want %v", aids, want)
	}
}

func TestParams(t *testing.T) {
	p := kuwait(t)
	order := terminal.Order{Kind: terminal.KindSale, Amount: money.New(10_525, p.Currency)}
	midnight := time.Date(2026, 11, 22, 21, 30, 0, 0, time.UTC) // half past midnight on the 23rd in Kuwait
	got := p.Params(order, midnight, 1042)
	if got.Time.Format("060102150405") != "261123003000" {
		t.Errorf("time %s is not Kuwait's", got.Time)
	}
	want := emv.Params{
		Applications: got.Applications, Amount: order.Amount, Time: got.Time, SequenceCounter: 1042,
		TerminalCountry: 414, TerminalType: 0x21, Capabilities: [3]byte{0x20, 0x48, 0x00},
		MoreCapabilities: [5]byte{0x78, 0x00, 0xA0, 0xF0, 0x01}, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		MerchantCategory: 5411, MerchantName: "TILLWAY TEST SHOP", IFDSerial: "TILLWAY1",
		CDAMode: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(got.Applications) != 4 {
		t.Fatalf("%d applications, the placeholder must not be among them", len(got.Applications))
	}
	visa := got.Applications[0]
	if visa.TACDenial != [5]byte{0x00, 0x10} || visa.TACOnline != [5]byte{0xDC, 0x40, 0x04, 0xF8} || visa.Version != [2]byte{0, 0x8C} || !visa.PartialSelect {
		t.Errorf("visa %+v", visa)
	}
	// Credit has fewer methods than the terminal, debit is taken with its PIN only.
	if maestro := got.Applications[3]; visa.Capabilities != [3]byte{0x20, 0x08} || visa.PINRequired ||
		maestro.Capabilities != [3]byte{0x20, 0x40} || !maestro.PINRequired {
		t.Errorf("visa %X, maestro %X", visa.Capabilities, maestro.Capabilities)
	}
	visa.AID[0] = 0xFF
	if p.Applications[0].AID[0] == 0xFF {
		t.Error("a kernel can change the profile")
	}
}

// The row that waits for the domestic scheme's values: filled in and switched on, the scheme is taken with an online PIN only,
// never by signature, and never approved without its issuer.
func TestDomesticDebit(t *testing.T) {
	text, _ := edit(t, "placeholder = true\nenabled     = false", `aid = "A000000999010101"
version = "0001"
tac_denial = "0000000000"
tac_online = "FFFFFFFFFF"
tac_default = "FFFFFFFFFF"
floor_limit = "0"`)
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a := p.Applications[4]
	if can := emv.Capabilities(a.Capabilities); !a.Enabled || !a.PINRequired || !a.OnlineOnly || a.Scheme != "domestic debit" ||
		!can.Has(emv.CapabilityEncipheredOnlinePIN) || can[1] != 0x40 || len(p.LeftOut()) > 0 {
		t.Errorf("%+v, left out %v", a, p.LeftOut())
	}
}

// TestApplicationWithinTerminal: an application's methods are a part of the terminal's.
func TestApplicationWithinTerminal(t *testing.T) {
	text, _ := edit(t, `["online_pin", "no_cvm"]`, `["no_cvm"]`)
	_, err := Parse(text)
	if perr, ok := errors.AsType[*Error](err); !ok || perr.Key != "application[3].cardholder_verification" || !strings.Contains(perr.Problem, "lacks") {
		t.Errorf("%v, want application[3].cardholder_verification refused", err)
	}
}

// edit is kuwait.toml with one text replaced, and the line at which the new one stands.
func edit(t *testing.T, old, replacement string) (text []byte, line int) {
	t.Helper()
	orig, err := Text("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(orig, []byte(old))
	if i < 0 {
		t.Fatalf("kuwait.toml does not hold %q", old)
	}
	return bytes.Replace(orig, []byte(old), []byte(replacement), 1), bytes.Count(orig[:i], []byte("\n")) + 1
}

// One thing wrong: one error, which names the key, the line and what would be right.
func TestRefusals(t *testing.T) {
	for _, row := range []struct{ old, replacement, key, problem string }{
		{`type        = "21"`, `type = "99"`, "terminal.type", "no terminal type"},
		{`type        = "21"`, `type = "31"`, "terminal.type", "no terminal type"},
		{`type        = "21"`, `type = 21`, "terminal.type", "in quotes"},
		{`type        = "21"`, `type = "2"`, "terminal.type", "hex digits"},
		{`type        = "21"`, `typ = "21"`, "terminal.typ", "is type meant?"},
		{`type        = "21"`, `tac_online = "0000000000"`, "terminal.tac_online", "belongs in [[application]]"},
		{`type        = "21"`, `selection = [1]`, "terminal.selection", "top of the file"},
		{`type        = "21"`, `frobnicate = true`, "terminal.frobnicate", "docs/profile.md"},
		{`fallback_after = 3`, `fallback_after = 10`, "terminal.fallback_after", "0 to 9"},
		{`fallback_after = 3`, `cda_mode = 5`, "terminal.cda_mode", "1 to 4"},
		{`fallback_after = 3`, `card_data_input = ["contactless"]`, "terminal.card_data_input", "manual, stripe, chip"},
		{`ca_keys    = "test"`, `ca_keys = "both"`, "terminal.ca_keys", "one of them"},
		{`ca_keys    = "test"`, `ca_keys = ["test", "live"]`, "terminal.ca_keys", "not text"},
		{`referral   = "decline"`, `referral = "call"`, "terminal.referral", "does not do"},
		{`offline_data_authentication = []`, `offline_data_authentication = ["xda"]`, "terminal.offline_data_authentication", "sda, dda, cda"},
		{`pin_required = true`, "pin_required = 1", "application[3].pin_required", "neither true nor false"},
		{`version     = "008C"`, "pin_required = true\nversion = \"008C\"", "application[0].pin_required", "needs"},
		{`pin_bypass = false`, `pin_bypass = "no"`, "terminal.pin_bypass", "neither true nor false"},
		{`pin    = "60s"`, `pin = "1h"`, "deadlines.pin", "not a time"},
		{`sale_messages = "one" `, `sale_messages = "three"`, "transactions.sale_messages", `write "one" or "two"`},
		{`tip_percent   = 25 `, `tip_percent = 101`, "transactions.tip_percent", "0 to 100"},
		{`cashback      = "50.000"`, `cashback = "-1"`, "transactions.cashback", ""},
		{`cashback      = "50.000"`, `cashback = 50`, "transactions.cashback", "quotes"},
		{`same_card_minutes = 5 `, `same_card_minutes = 61`, "transactions.same_card_minutes", "0 to 60"},
		{`same_card     = "warn"`, `same_card = "stop"`, "transactions.same_card", `write "warn" or "ask"`},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `["sale", "loan"]`, "transactions.kinds", "there are sale, forced, refund"},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `["sale", "sale"]`, "transactions.kinds", "twice"},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `[]`, "transactions.kinds", "at least one"},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `["sale", "preauth"]`, "transactions.kinds", "go together"},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `["sale", "completion"]`, "transactions.kinds", "go together"},
		{`["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"]`, `["sale", "increment"]`, "transactions.kinds", "increment with both"},
		{`["online_pin", "no_cvm"]`, `["smile"]`, "terminal.cardholder_verification", "there are offline_pin_plaintext"},
		{`["online_pin", "no_cvm"]`, `["no_cvm", "no_cvm"]`, "terminal.cardholder_verification", "twice"},
		{`currency  = "KWD"`, `currency = "kwd"`, "currency", "ISO 4217"},
		{`country   = 414`, `country = 0`, "country", "1 to 999"},
		{`country   = 414`, `country = 70000`, "country", "1 to 999"},
		{`time_zone = "Asia/Kuwait"`, `time_zone = "Kuwait City"`, "time_zone", "Asia/Kuwait"},
		{`time_zone = "Asia/Kuwait"`, `time_zone = "Local"`, "time_zone", "no time zone"},
		{`"TILL0001"`, `"TILL001"`, "terminal.id", "exactly 8"},
		{`"TILL0001"`, `"TILL 001"`, "terminal.id", "letters and digits"},
		{`"KW0000000000001"`, `"KW1"`, "terminal.merchant_id", "exactly 15"},
		{`"7800A0F001"`, `"7800A0F0"`, "terminal.additional_capabilities", "10 hex digits"},
		{`"TILLWAY TEST SHOP"`, `"مخبز"`, "merchant.name", "printable ASCII"},
		{`"TILLWAY TEST SHOP"`, `"A\u001bB"`, "merchant.name", "printable ASCII"},
		{`"TILLWAY TEST SHOP"`, `""`, "merchant.name", "1 to 40"},
		{`category    = 5411`, `category = 54110`, "merchant.category", "1 to 9999"},
		{`acquirer_id = ""`, `acquirer_id = "12A"`, "merchant.acquirer_id", "11 digits"},
		{`card   = "60s"`, `card = "1h"`, "deadlines.card", "10m"},
		{`card   = "60s"`, `card = 60`, "deadlines.card", "quotes"},
		{`answer = "25s"`, `answer = "soon"`, "deadlines.answer", "2m"},
		{`"A0000000032010"`, `"A0000000031010"`, "application[1].aid", "twice"},
		{`"A0000000032010"`, `"A000"`, "application[1].aid", "10 to 32"},
		{`tac_denial  = "0400800000"`, `tac_denial = "04008000"`, "application[3].tac_denial", "10 hex digits"},
		{`floor_limit = "0.000"`, `floor_limit = "0.0001"`, "application[0].floor_limit", "decimals"},
		{`floor_limit = "0.000"`, `floor_limit = 0`, "application[0].floor_limit", "quotes"},
		{`floor_limit = "0.000"`, `flor_limit = "0.000"`, "application.flor_limit", "unknown key"},
		{`enabled     = false`, `enabled = true`, "application[4].enabled", "placeholder"},
		{`scheme      = "maestro"`, `scheme = ""`, "application[3].scheme", "1 to 24"},
		{`version     = "0002"`, `version = "02"`, "application[2].version", "4 hex digits"},
		{`version     = "0002"`, `default_ddol = "9F"`, "application[2].default_ddol", "4 to 504"},
		{`country   = 414`, `country = "KW"`, "country", "414 for Kuwait"},
		{`enabled     = false`, `enabled = "no"`, "application[4].enabled", "neither"},
		{`["online_pin", "no_cvm"]`, `"no_cvm"`, "terminal.cardholder_verification", "list"},
		{`["online_pin", "no_cvm"]`, `[1]`, "terminal.cardholder_verification", "quotes"},
		{"name      = \"kuwait\"", "name = kuwait", "name", ""},
	} {
		t.Run(row.key+" "+row.replacement, func(t *testing.T) {
			text, line := edit(t, row.old, row.replacement)
			_, err := Parse(text)
			refused, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("accepted, or an error of another type: %v", err)
			}
			missing := row.problem == "missing"
			if refused.Key != row.key || !strings.Contains(err.Error(), row.problem) || (refused.Line != line && !missing) {
				t.Errorf("%v\nwant line %d, %s, %q", err, line, row.key, row.problem)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestRefusalsOfTheWhole(t *testing.T) {
	all, err := Text("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"empty":           nil,
		"too long":        append(slices.Clone(all), bytes.Repeat([]byte("#\n"), MaxBytes)...),
		"no applications": all[:bytes.Index(all, []byte("[[application]]"))],
		"key twice":       append([]byte("name = \"x\"\n"), all...),
		"not UTF-8":       append([]byte("# \xff\xfe\n"), all...),
		"deep keys":       []byte(strings.Repeat("a.", 30_000) + "a = 1"),
		"deep tables":     []byte("[" + strings.Repeat("a.", 30_000) + "a]"),
		"deep values":     []byte("a = " + strings.Repeat("{a =\n", 10_000)),
		"deep by line":    []byte(strings.Repeat(strings.Repeat("a.", 500)+"a = {\n", 60) + strings.Repeat("}\n", 60)), // gigabytes, when it is read
		"many applications": append(slices.Clone(all), bytes.Repeat([]byte(`
[[application]]
scheme = "x"
placeholder = true
enabled = false
`), MaxApplications)...),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		} else if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

func TestOptionalParts(t *testing.T) {
	text, _ := edit(t, `floor_limit = "0.000"`, `floor_limit = "25.000"
default_ddol = "9F3704"
default_tdol = "9F02065F2A02"
[application.random_selection]
threshold = "10.000"
target_percent = 20
maximum_percent = 50
`)
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a := p.Applications[0]
	if a.FloorLimitMinor != 25_000 || a.RandomThreshold != 10_000 || a.RandomTarget != 20 || a.RandomMaximum != 50 ||
		!bytes.Equal(a.DefaultDDOL, []byte{0x9F, 0x37, 4}) || len(a.DefaultTDOL) != 6 {
		t.Errorf("%+v", a)
	}
	for _, row := range [][2]string{
		{"target_percent = 20", "target_percent = 60"},
		{"target_percent = 20", "target_percent = -1"},
		{"target_percent = 20\n", ""},
		{"maximum_percent = 50", "maximum_percent = 100"},
		{`threshold = "10.000"`, `threshold = "30.000"`},
		{`"9F3704"`, `"9F37"`},
	} {
		if _, err := Parse(bytes.Replace(text, []byte(row[0]), []byte(row[1]), 1)); err == nil {
			t.Errorf("accepted: %s", row[1])
		}
	}
}

// The code's default for enabled is on, so that a row without the key is a row that counts.
func TestApplicationIsOnUnlessItSaysOff(t *testing.T) {
	text, _ := edit(t, `scheme      = "maestro"`, "scheme = \"maestro\"\nenabled = false")
	p, err := Parse(text)
	if err != nil || p.Applications[3].Enabled || !p.Applications[2].Enabled {
		t.Errorf("%v %+v", err, p.Applications)
	}
}

func TestEveryReadyFileIsListed(t *testing.T) {
	files, err := filepath.Glob("ready/*")
	if err != nil || len(files) != len(ReadyNames()) {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 || bytes.Contains(text, []byte("\r")) {
			t.Errorf("%s is empty or has carriage returns", f)
		}
	}
}

// Whatever text is accepted makes parameters that hold EMV's bounds.
func FuzzParse(f *testing.F) {
	for _, name := range ReadyNames() {
		text, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("name = 1"))
	f.Add([]byte("[[application]]\naid=\"A000000003\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Problem == "" || e.Line < 0 {
				t.Fatalf("refused with %T %v", err, err)
			}
			return
		}
		params := p.Params(terminal.Order{Kind: terminal.KindSale, Amount: money.New(1, p.Currency)}, time.Unix(0, 0), 1)
		if len(params.Applications) == 0 || len(params.Applications) > MaxApplications || !slices.Contains(terminalTypes, params.TerminalType) ||
			len(params.TerminalID) != 8 || len(params.MerchantID) != 15 || len(params.IFDSerial) != 8 || p.Zone == nil {
			t.Fatalf("%+v", params)
		}
		for _, a := range params.Applications {
			if len(a.AID) < 5 || len(a.AID) > 16 || a.FloorLimitMinor < 0 || a.RandomMaximum < a.RandomTarget || a.RandomMaximum > 99 {
				t.Fatalf("%+v", a)
			}
			if _, err := tlv.ParseDOL(a.DefaultDDOL); err != nil {
				t.Fatal(err)
			}
		}
	})
}
