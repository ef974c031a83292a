package profile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
	"tillway/terminal/profile"
)

func withRoles(t *testing.T, table string) (profile.Profile, error) {
	t.Helper()
	text, err := profile.Text("generic")
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(text), "[roles]")
	if !found {
		t.Fatal("the ready profile has no roles")
	}
	return profile.Parse([]byte(head + table))
}

// Without the table, and without a word in it, the terminal is closed with the default lists.
func TestRolesAreClosedByDefault(t *testing.T) {
	for _, table := range []string{"", "[roles]\n", "[roles]\nopen = false\n"} {
		p, err := withRoles(t, table)
		if err != nil {
			t.Fatal(err)
		}
		if p.Roles.Open || p.Roles.Judge("", people.Sell) != people.LogIn || p.Roles.Judge(people.Cashier, people.Sell) != people.Allowed ||
			p.Roles.Judge(people.Technician, people.Sell) != people.Refused || p.Roles.Idle != 15*time.Minute {
			t.Errorf("%q: %+v", table, p.Roles)
		}
	}
	for _, name := range profile.ReadyNames() {
		p, err := profile.Ready(name)
		if err != nil || !p.Roles.Open || p.Roles.Judge("", people.Users) == people.Allowed {
			t.Errorf("%s: %+v, %v", name, p.Roles, err)
		}
	}
}

func TestRolesAreTheProfiles(t *testing.T) {
	p, err := withRoles(t, "[roles]\nsession_idle = \"5m\"\nsession_max = \"1h\"\nsale = [\"supervisor\"]\ncancel = []\nstatus = [\"technician\"]\nsend = [\"cashier\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role   people.Role
		action people.Action
		want   people.Verdict
	}{
		{people.Cashier, people.Sell, people.Refused},
		{people.Supervisor, people.Sell, people.Allowed},
		{people.Supervisor, people.Cancel, people.Refused},
		{"", people.Status, people.LogIn},
		{people.Technician, people.Status, people.Allowed},
		{people.Cashier, people.Send, people.Allowed},
		{people.Administrator, people.Users, people.Allowed},
	} {
		if got := p.Roles.Judge(c.role, c.action); got != c.want {
			t.Errorf("%q asks for %s: %v, want %v", c.role, c.action, got, c.want)
		}
	}
	if p.Roles.Idle != 5*time.Minute || p.Roles.Longest != time.Hour {
		t.Errorf("sessions of %s and %s", p.Roles.Idle, p.Roles.Longest)
	}
}

// Every action of the program has its key, and the other way round.
func TestEveryActionHasItsKey(t *testing.T) {
	for _, a := range people.Actions() {
		if _, err := withRoles(t, "[roles]\n"+string(a)+" = [\"administrator\"]\n"); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestRolesRefused(t *testing.T) {
	for line, says := range map[string]string{
		`open = "yes"`:                       "true nor false",
		`sale = "cashier"`:                   "list",
		`sale = ["owner"]`:                   "no such role",
		`sale = ["anyone"]`:                  "only ask for the status",
		`sale = ["cashier", "cashier"]`:      "twice",
		`users = ["supervisor"]`:             "administrator",
		`keys = ["cashier"]`:                 "no cashier",
		`audit = ["anyone"]`:                 "anyone",
		`refunds = ["supervisor"]`:           "unknown key",
		`unreferenced_refund = ["cashier"]`:  "is for no cashier",
		`session_idle = "1s"`:                "1m0s to 1h0m0s",
		`session_idle = 15`:                  "in quotes",
		`session_max = "10m"`:                "10m",
		`session_max = "900h"`:               "24h",
		`session_idle = "` + "\\u0000" + `"`: "time",
	} {
		_, err := withRoles(t, "[roles]\n"+line+"\n")
		e, ok := errors.AsType[*profile.Error](err)
		if !ok || !strings.Contains(err.Error(), says) || !strings.HasPrefix(e.Key, "roles") {
			t.Errorf("%s: %v, want %q", line, err, says)
		}
	}
}
