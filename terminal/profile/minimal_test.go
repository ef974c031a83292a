package profile

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

func parse(t *testing.T, text string) Profile {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A card can be tried with one line: the rest is a terminal that does all that the kernel does. What a shop would have had
// to say is listed.
func TestOneApplicationIsEnough(t *testing.T) {
	p := parse(t, "[[application]]\naid = \"A0000000031010\"\n")
	got := p.Params(terminal.Order{Kind: terminal.KindSale, Amount: money.New(100, p.Currency)}, time.Date(2026, 11, 23, 9, 15, 7, 0, time.UTC), 1)
	got.Random = nil
	want := emv.Params{
		Applications: []emv.Application{{
			AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, Scheme: "visa", DefaultDDOL: []byte{0x9F, 0x37, 4},
		}},
		Amount: money.New(100, p.Currency), Time: got.Time, SequenceCounter: 1, TerminalCountry: 276, TerminalType: 0x22,
		Capabilities: [3]byte{0x20, 0xF8, 0xC8}, MoreCapabilities: [5]byte{0xF0, 0, 0xF0, 0xF0, 1}, TerminalID: "TILL0001",
		MerchantID: "000000000000001", MerchantCategory: 5999, MerchantName: "TILLWAY TEST SHOP", IFDSerial: "TILLWAY1", CDAMode: 1,
		LiteralActionCodes: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if p.Currency.Code != "EUR" || p.Zone.String() != "UTC" || p.Terminal.FallbackAfter != 3 || p.Terminal.CAKeys != TestKeys {
		t.Errorf("%+v", p)
	}
	for _, key := range []string{
		"name", "currency", "country", "merchant.name", "terminal.id", "terminal.type", "terminal.cardholder_verification",
		"application[0].tac_online", "application[0].floor_limit",
	} {
		if !slices.Contains(p.LeftOut(), key) {
			t.Errorf("%s is not among what was left out: %v", key, p.LeftOut())
		}
	}
}

func TestCapabilities(t *testing.T) {
	for _, row := range []struct {
		lines string
		want  emv.Capabilities
		first [3]byte // of the application, zero where it is the terminal's
	}{
		{"[terminal]\ncapabilities = \"E0F8C8\"\n[[application]]\n", emv.Capabilities{0xE0, 0xF8, 0xC8}, [3]byte{}},
		{"[terminal]\ncapabilities = \"E0 B0 C8\"\n[[application]]\ncapabilities = \"E03088\"\n", emv.Capabilities{0xE0, 0xB0, 0xC8}, [3]byte{0xE0, 0x30, 0x88}},
		{"[terminal]\ncard_data_input = [\"chip\", \"stripe\", \"manual\"]\noffline_data_authentication = []\ncardholder_verification = []\n[[application]]\n", emv.Capabilities{0xE0, 0, 0}, [3]byte{}},
		{"[terminal]\noffline_data_authentication = [\"cda\"]\ncardholder_verification = [\"signature\", \"offline_pin_enciphered\"]\n[[application]]\n", emv.Capabilities{0x20, 0x30, 0x08}, [3]byte{}},
		{"[[application]]\noffline_data_authentication = [\"dda\"]\ncardholder_verification = [\"no_cvm\", \"offline_pin_plaintext\"]\n", emv.Capabilities{0x20, 0xF8, 0xC8}, [3]byte{0x20, 0x88, 0x40}},
		{"[[application]]\noffline_data_authentication = []\n", emv.Capabilities{0x20, 0xF8, 0xC8}, [3]byte{0x20, 0xF8, 0}},
	} {
		p := parse(t, row.lines+"aid = \"A000000003\"\n")
		if p.Terminal.Capabilities != row.want || p.Applications[0].Capabilities != row.first {
			t.Errorf("%q: %X, application %X", row.lines, p.Terminal.Capabilities, p.Applications[0].Capabilities)
		}
	}
	for lines, says := range map[string]string{
		"[terminal]\ncapabilities = \"E0F8C8\"\ncardholder_verification = [\"no_cvm\"]\n[[application]]\n":         "take one of them out",
		"[terminal]\ncapabilities = \"E0F8\"\n[[application]]\n":                                                   "6 hex digits",
		"[terminal]\ncapabilities = \"204800\"\n[[application]]\ncapabilities = \"204880\"\n":                      "has sda, which the terminal lacks",
		"[terminal]\noffline_data_authentication = []\n[[application]]\noffline_data_authentication = [\"cda\"]\n": "offline_data_authentication: has cda",
	} {
		if _, err := Parse([]byte(lines + "aid = \"A000000003\"\n")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", lines, err, says)
		}
	}
}

// What a person who writes a profile gets wrong: one line that says where and what would be right.
func TestWrittenOtherwise(t *testing.T) {
	const app = "[[application]]\naid = \"A0000000031010\"\n"
	for text, says := range map[string]string{
		"[application]\naid = \"A0000000031010\"\n":               "line 1: application: is a table: write [[application]] on a line",
		app + "[exception]\npan = \"47617390\"\n":                 "line 3: exception: is a table: write [[exception]]",
		"terminal = 5\n" + app:                                    "line 1: terminal: is a table: write [terminal]",
		app + "random_selection = 5\n":                            "line 3: application.random_selection: is a table: write [application.random_selection]",
		app + "[[applications]]\naid = \"A000000004\"\n":          "line 3: applications: unknown key: is [[application]] meant?",
		app + "[Terminal]\n":                                      "line 3: Terminal: unknown key: is [terminal] meant?",
		"[[application]]\nAID = \"A0000000031010\"\n":             "line 2: application.AID: unknown key: is aid meant?",
		app + "aid = \"A0000000031010\"\n":                        "already been defined",
		app + "floor_limit = 50\n":                                "line 3: application[0].floor_limit: 50 is not text: write it in quotes",
		app + "floor_limit = \"5O\"\n":                            "not an amount",
		app + "selection = [12]\n":                                "it belongs at the top of the file",
		app + "cda_mode = 1\n":                                    "it belongs in [terminal]",
		app + "[application.random_selection]\nthreshold = \"0\"": "target_percent: is missing",
		"[[application]]\naid = A0000000031010\n":                 "line 2: application.aid",
		"[[application]]\nscheme = \"visa\"\n":                    "application[0].aid: is missing",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n%v\nwant %q", text, err, says)
		}
	}
}

// What a terminal does without, in the kernel's words.
func TestWithout(t *testing.T) {
	for _, f := range features() {
		p := parse(t, "[terminal]\nwithout = [\""+f+"\"]\nliteral_action_codes = false\n[[application]]\naid = \"A000000003\"\n")
		params := p.Params(terminal.Order{Kind: terminal.KindSale, Amount: money.New(1, p.Currency)}, time.Unix(0, 0), 1)
		if len(params.Off) != 1 || params.Has(params.Off[0]) || params.LiteralActionCodes {
			t.Errorf("%s: %v", f, params.Off)
		}
	}
	for _, list := range []string{`["cda"]`, `["sda", "sda"]`, `"sda"`} {
		if _, err := Parse([]byte("[terminal]\nwithout = " + list + "\n[[application]]\naid = \"A000000003\"\n")); err == nil {
			t.Errorf("accepted: %s", list)
		}
	}
}

// Any market: codes of ISO 4217 and ISO 3166-1, as letters or digits, and amounts with the currency's decimals.
func TestMarkets(t *testing.T) {
	for text, want := range map[string]struct {
		numeric, country uint16
		floor            int64
	}{
		"currency = \"JPY\"\ncountry = 392\n":         {392, 392, 50},
		"currency = \"978\"\ncountry = \"056\"\n":     {978, 56, 5000},
		"currency = 36\ncountry = \"036\"\n":          {36, 36, 5000},
		"currency = \"BHD\"\ncountry = \"048\"\n":     {48, 48, 50_000},
		"currency = \"CHF\"\ncountry = 756 # Bern\n":  {756, 756, 5000},
		"currency = \"MRU\"\n\n# here\ncountry = 478": {929, 478, 5000},
	} {
		p := parse(t, text+"\n[[application]]\naid = \"A000000003\"\nfloor_limit = \"50\"\n")
		if p.Currency.Numeric != want.numeric || p.Country != want.country || p.Applications[0].FloorLimitMinor != want.floor {
			t.Errorf("%q: %+v %d %d", text, p.Currency, p.Country, p.Applications[0].FloorLimitMinor)
		}
	}
	for text, key := range map[string]string{
		"currency = \"XXX\"\n": "currency",
		"currency = 1000\n":    "currency",
		"country = \"1000\"\n": "country",
		"[[application]]\naid = \"A0000000031010\"\nfloor_limit = \"99999999\"": "application[0].floor_limit",
	} {
		_, err := Parse([]byte(text + "\n[[application]]\naid = \"A000000004\"\n"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Key != key {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The lists that only a run with a card honours, as the kernel asks them.
func TestRehearsal(t *testing.T) {
	p := parse(t, `
selection = [12, 99]
force_online = true
[[application]]
aid = "A0000000031010"
[[earlier_sale]]
pan = "4761739001010119"
psn = 1
amount = "40.00"
[[earlier_sale]]
pan = "4761739001010119"
psn = "02"
amount = "30.00"
[[earlier_sale]]
pan = "5413330089604111"
amount = "1"
[[earlier_sale]]
pan = "4761739001010119"
psn = 1
amount = "20.5"
[[exception]]
pan = "4761739001010119"
psn = 1
[[exception]]
pan = "5413330089604111"
`)
	if !slices.Equal(p.Selection, []int{12, 99}) || !p.ForceOnline {
		t.Errorf("selection %v, forced %t", p.Selection, p.ForceOnline)
	}
	for _, row := range []struct {
		pan      string
		sequence int
		minor    int64
		listed   bool
	}{
		{"4761739001010119", 1, 2050, true},
		{"4761739001010119", 2, 3000, false},
		{"4761739001010119", -1, 0, false},
		{"5413330089604111", -1, 100, true},
		{"5413330089604111", 7, 100, true},
		{"4761739001010010", 1, 0, false},
	} {
		pan, err := emv.NewPAN(row.pan)
		if err != nil {
			t.Fatal(err)
		}
		minor, err := p.EarlierSales.LastSale(t.Context(), pan, row.sequence)
		listed, err2 := p.Exceptions.Listed(t.Context(), pan, row.sequence)
		if minor != row.minor || listed != row.listed || err != nil || err2 != nil {
			t.Errorf("%s %d: %d, %t, %v %v", row.pan, row.sequence, minor, listed, err, err2)
		}
	}
	for text, key := range map[string]string{
		"selection = [0]":                                      "selection",
		"selection = [100]":                                    "selection",
		"selection = 12":                                       "selection",
		"[[exception]]\npan = 4761739001010119":                "exception[0].pan",
		"[[exception]]\npan = \"47617390\"\npsn = 100":         "exception[0].psn",
		"[[exception]]\npsn = 1":                               "exception[0].pan",
		"[[exception]]\npan = \"4761 7390 0101 0119\"":         "exception[0].pan",
		"[[earlier_sale]]\npan = \"47617390\"":                 "earlier_sale[0].amount",
		"[[earlier_sale]]\npan = \"47617390\"\namount = 5":     "earlier_sale[0].amount",
		"[[earlier_sale]]\npan = \"47617390\"\namount = \"x\"": "earlier_sale[0].amount",
	} {
		_, err := Parse([]byte(text + "\n[[application]]\naid = \"A000000004\"\n"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Key != key || strings.Contains(e.Error(), "4761") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
