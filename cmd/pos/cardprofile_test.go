package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A person writes a profile by docs/profile.md, and the kernel does what it says: a card with SDA, DDA and CDA that approves a
// euro offline, and one key changed at a time.
func TestProfileDecides(t *testing.T) {
	const app = "[[application]]\naid = \"A0000000031010\"\nfloor_limit = \"50.00\"\n"
	const random = "[application.random_selection]\nthreshold = \"50\"\ntarget_percent = 12\nmaximum_percent = 12\n"
	const pan = "pan = \"4761739001010119\"\npsn = 1\n"
	for _, row := range []struct {
		name, profile, args  string
		code                 int
		outcome, tvr, method string
	}{
		{"as it stands", app, "", 0, "approved", "0000000000", "cda"},
		{"online only, by its type", "[terminal]\ntype = \"21\"\n" + app, "", 0, "online", "0000000000", "cda"},
		{"online only, by its application", app + "online_only = true\n", "", 0, "online", "0000000000", "cda"},
		{"online only, and no host", app + "online_only = true\n", "--online unable", 1, "declined", "0000000000", "cda"},
		{"at the floor limit", app, "--set 9F02=000000005000", 0, "online", "0000008000", "cda"},
		{"no floor limit", strings.Replace(app, "50.00", "0", 1), "", 0, "online", "0000008000", "cda"},
		{"an earlier sale below it", app + "[[earlier_sale]]\n" + pan + "amount = \"48.99\"\n", "", 0, "approved", "0000000000", "cda"},
		{"an earlier sale up to it", app + "[[earlier_sale]]\n" + pan + "amount = \"49.00\"\n", "", 0, "online", "0000008000", "cda"},
		{"another card's earlier sale", app + "[[earlier_sale]]\npan = \"4761739001010119\"\npsn = 2\namount = \"49.00\"\n", "", 0, "approved", "0000000000", "cda"},
		{"on the exception file", app + "[[exception]]\n" + pan, "", 0, "online", "1000000000", "cda"},
		{"another card on it", app + "[[exception]]\npan = \"4761739001010010\"\n", "", 0, "approved", "0000000000", "cda"},
		{"drawn", "selection = [12]\n" + app + random, "", 0, "online", "0000001000", "cda"},
		{"not drawn", "selection = [13]\n" + app + random, "", 0, "approved", "0000000000", "cda"},
		{"forced online", "force_online = true\n" + app, "", 0, "online", "0000000800", "cda"},
		{"no CDA", "[terminal]\noffline_data_authentication = [\"sda\", \"dda\"]\n" + app, "", 0, "approved", "0000000000", "dda"},
		{"SDA only", "[terminal]\ncapabilities = \"E0F880\"\n" + app, "", 0, "approved", "0200000000", "sda"},
		{"SDA only, and without SDA", "[terminal]\ncapabilities = \"E0F880\"\nwithout = [\"sda\"]\n" + app, "", 0, "online", "8000000000", "none"},
		{"SDA only, and the book's minimum", "[terminal]\ncapabilities = \"E0F880\"\nliteral_action_codes = false\n" + app, "", 0, "online", "0200000000", "sda"},
		{"none at all", "[terminal]\noffline_data_authentication = []\n" + app, "", 0, "online", "8000000000", "none"},
		{"an application without", app + "offline_data_authentication = []\n", "", 0, "online", "8000000000", "none"},
		{"no CVM not supported", app + "cardholder_verification = [\"online_pin\"]\n", "", 0, "online", "0000800000", "cda"},
		{"online PIN wanted", app + "pin_required = true\n", "", 1, "declined", "0000000000", "cda"},
		{"another version", app + "version = \"0001\"\n", "", 0, "approved", "0080000000", "cda"},
		{"denied by its action code", app + "version = \"0001\"\ntac_denial = \"0080000000\"\n", "", 1, "declined", "8080000000", "cda"},
		{"online by its action code", app + "version = \"0001\"\ntac_online = \"0080000000\"\n", "", 0, "online", "0080000000", "cda"},
		{"live keys only", "[terminal]\nca_keys = \"live\"\n" + app, "", 0, "online", "0400000000", "cda"},
		{"type by --set", "[terminal]\ntype = \"21\"\n" + app, "--set 9F35=25", 0, "approved", "0000000000", "cda"},
		{"capabilities by --set", "[terminal]\noffline_data_authentication = []\n" + app + "cardholder_verification = [\"no_cvm\"]\n", "--set 9F33=E0F8C8", 0, "approved", "0000000000", "cda"},
		{"floor limit by --set", app, "--set 9F1B=00000064", 0, "online", "0000008000", "cda"},
		{"date by --set, the card expired", app, "--set 9A=290101", 0, "online", "0040000000", "cda"},
		{"another scheme", strings.Replace(app, "A0000000031010", "A0000000041010", 1), "", 1, "terminated", "", "none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "profile.toml")
			if err := os.WriteFile(file, []byte(row.profile), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"oda-cda", "--profile", file}
			if !strings.Contains(row.args, "9A=") {
				args = append(args, "--set", "9A=261123")
			}
			p := cardRun(t, row.code, append(args, strings.Fields(row.args)...)...)
			if p.Outcome != row.outcome || row.tvr != "" && p.Tags["95"] != row.tvr || p.ODA.Method != row.method {
				t.Errorf("%s (%s), TVR %s, %s; want %s, %s, %s", p.Outcome, p.Reason, p.Tags["95"], p.ODA.Method, row.outcome, row.tvr, row.method)
			}
			if p.Tags["9B"] == "" {
				t.Error("no TSI")
			}
		})
	}
}
