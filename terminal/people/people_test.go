package people_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func secret(s string) people.Secret { return people.NewSecret([]byte(s)) }

func hashOf(t testing.TB, s string) people.Hash {
	t.Helper()
	h, err := people.NewHash(secret(s), [16]byte{1, 2, 3}, people.LeastCost())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Argon2id as its reference implementation encodes it: P-H-C/phc-winner-argon2, src/test.c, version 0x13.
func TestReferenceHashes(t *testing.T) {
	for _, c := range []struct{ secret, hash string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"},
	} {
		if ok, err := people.Hash(c.hash).Matches(secret(c.secret)); !ok || err != nil {
			t.Errorf("%s: %v, %v", c.secret, ok, err)
		}
		if ok, err := people.Hash(c.hash).Matches(secret(c.secret + "x")); ok || err != nil {
			t.Errorf("%s and more: %v, %v", c.secret, ok, err)
		}
	}
}

func TestHashMatchesItsSecretAlone(t *testing.T) {
	h := hashOf(t, "correct horse 7")
	for _, c := range []struct {
		secret string
		want   bool
	}{
		{"correct horse 7", true},
		{"correct horse 8", false},
		{"correct horse 7 ", false},
		{"", false},
		{strings.Repeat("x", 1<<20), false},
	} {
		got, err := h.Matches(secret(c.secret))
		if err != nil || got != c.want {
			t.Errorf("%.20q: %v, %v", c.secret, got, err)
		}
	}
	other, err := people.NewHash(secret("correct horse 7"), [16]byte{9}, people.LeastCost())
	if err != nil || string(other) == string(h) {
		t.Errorf("the same secret under another salt has the same hash: %v", err)
	}
}

func TestStoredParametersAreBounded(t *testing.T) {
	good := string(hashOf(t, "correct horse 7"))
	for name, forged := range map[string]string{
		"cheap memory": strings.Replace(good, "m=8192", "m=8", 1),
		"all memory":   strings.Replace(good, "m=8192", "m=4194304", 1),
		"no passes":    strings.Replace(good, "t=1", "t=0", 1),
		"endless":      strings.Replace(good, "t=1", "t=4000000000", 1),
		"threads":      strings.Replace(good, "p=1", "p=255", 1),
		"argon2i":      strings.Replace(good, "argon2id", "argon2i", 1),
		"old version":  strings.Replace(good, "v=19", "v=16", 1),
		"padded":       good + "=",
		"leading zero": strings.Replace(good, "t=1", "t=01", 1),
		"cut":          good[:len(good)-1],
		"empty":        "",
		"long":         good + strings.Repeat("A", 1<<16),
		"more parts":   good + "$x",
	} {
		if forged == good {
			t.Fatalf("%s: nothing was forged", name)
		}
		if _, err := people.Hash(forged).Matches(secret("correct horse 7")); !errors.Is(err, people.ErrHash) {
			t.Errorf("%s: %v, want ErrHash", name, err)
		}
	}
	for _, p := range []people.Params{{}, {Time: 1, MemoryKiB: 1024, Threads: 1}, {Time: 100, MemoryKiB: 8 << 10, Threads: 1}} {
		if _, err := people.NewHash(secret("correct horse 7"), [16]byte{}, p); err == nil {
			t.Errorf("%+v makes a hash", p)
		}
	}
	if c, least := people.Cost(), people.LeastCost(); c.MemoryKiB < 64<<10 || c.Time < 3 || c.MemoryKiB < least.MemoryKiB {
		t.Errorf("new secrets cost %+v", c)
	}
}

func TestSecretRules(t *testing.T) {
	for _, c := range []struct {
		role   people.Role
		secret string
		ok     bool
	}{
		{people.Cashier, "481526", true},
		{people.Cashier, "48152", false},           // five
		{people.Cashier, "123456", false},          // counts
		{people.Cashier, "654321", false},          // counts down
		{people.Cashier, "111111", false},          // repeats
		{people.Cashier, "121212", false},          // two digits
		{people.Cashier, "my maryam 1", false},     // the name
		{people.Cashier, "Maryam99x", false},       // the name, capital
		{people.Cashier, "48\x001526", false},      // control character
		{people.Cashier, "48\xff1526", false},      // no text
		{people.Supervisor, "481526", false},       // short
		{people.Supervisor, "abcdqwermnbv", false}, // no digit
		{people.Supervisor, "481526937042", false}, // no letter
		{people.Supervisor, "blue.kettle9", true},
		{people.Administrator, "blue.kettle9", true},
		{people.Technician, "سماء زرقاء 7 9", true},
		{people.Administrator, "blue.kettle", false}, // eleven
		{people.Administrator, "abcdef123456", false},
		{people.Administrator, strings.Repeat("ab1?", 33), false}, // over 128 bytes
		{people.Administrator, "", false},
	} {
		err := people.CheckSecret(c.role, "maryam", secret(c.secret))
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, people.ErrSecret)) {
			t.Errorf("%s %.24q: %v, want ok %v", c.role, c.secret, err, c.ok)
		}
		if err != nil && len(c.secret) > 4 && strings.Contains(err.Error(), c.secret) {
			t.Errorf("the refusal repeats the secret: %v", err)
		}
	}
}

func TestFiveWrongSecretsLock(t *testing.T) {
	p := people.Person{V: 1, Name: "maryam", Role: people.Cashier, Hash: hashOf(t, "481526")}
	var err error
	for n := 1; n <= people.MaxFailures; n++ {
		if p, err = p.Attempt(); err != nil {
			t.Fatalf("try %d: %v", n, err)
		}
		if p.Locked != (n == people.MaxFailures) {
			t.Errorf("after try %d: locked %v", n, p.Locked)
		}
	}
	if _, err := p.Attempt(); !errors.Is(err, people.ErrLocked) {
		t.Errorf("a sixth try: %v", err)
	}
	if free := p.Succeed(noon); free.Locked || free.Failures != 0 {
		t.Errorf("the right secret at the fifth try leaves %+v", free)
	}
	p = p.Unlock(noon)
	if again, err := p.Attempt(); err != nil || again.Failures != 1 || again.Locked {
		t.Errorf("after the unlock: %+v %v", again, err)
	}
	locked := p.Lock(noon)
	if _, err := locked.Attempt(); !errors.Is(err, people.ErrLocked) {
		t.Errorf("locked by hand: %v", err)
	}
}

func TestRecordComesBack(t *testing.T) {
	p := people.Person{V: 1, Name: "maryam", Role: people.Technician, Hash: hashOf(t, "481526"), Failures: 3, Changed: noon, Seen: noon}
	text, err := p.Record()
	if err != nil {
		t.Fatal(err)
	}
	got, err := people.ParsePerson(text)
	if err != nil || got != p {
		t.Errorf("%+v comes back as %+v: %v", p, got, err)
	}
	for name, bad := range map[string]string{
		"no JSON": "{", "other role": strings.Replace(string(text), "technician", "owner", 1), "newer": strings.Replace(string(text), `"v":1`, `"v":2`, 1),
		"failures": strings.Replace(string(text), `"failures":3`, `"failures":-1`, 1), "no hash": strings.Replace(string(text), "argon2id", "plain", 1),
		"long": string(text) + strings.Repeat(" ", 1024),
	} {
		if _, err := people.ParsePerson([]byte(bad)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"maryam": true, "m.k-2_b": true, "ab": true, "a": false, "": false, "Maryam": false, "9maryam": false, "ma ryam": false,
		"maryam'; drop": false, "م.ك": false, "a" + strings.Repeat("b", 31): true, "a" + strings.Repeat("b", 32): false,
		"a4761739001010119": false, "till-123456": true, "till-1234567": false, "a/b": false, "a\x00b": false,
	} {
		if err := people.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v, want ok %v", name, err, ok)
		}
	}
}

func TestAnAdministratorStays(t *testing.T) {
	admin := people.Person{Name: "amal", Role: people.Administrator}
	other := people.Person{Name: "badr", Role: people.Administrator, Locked: true}
	cashier := people.Person{Name: "carim", Role: people.Cashier}
	all := []people.Person{admin, other, cashier}
	demoted := admin
	demoted.Role = people.Cashier
	for name, c := range map[string]struct {
		after people.Person
		want  bool
	}{
		"nothing changes":           {cashier, true},
		"the only one is locked":    {admin.Lock(noon), false},
		"the only one is a cashier": {demoted, false},
		"another one is unlocked":   {other.Unlock(noon), true},
	} {
		if got := people.KeepsAdministrator(all, c.after); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whatever prints a person, a secret, a hash or a token prints none of them.
func TestNothingPrintsASecret(t *testing.T) {
	token := people.NewToken([32]byte{0xAB, 0xCD})
	h := hashOf(t, "canary-secret-77")
	p := people.Person{V: 1, Name: "maryam", Role: people.Cashier, Hash: h}
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	s := secret("canary-secret-77")
	log.Info("x", "secret", s, "hash", h, "person", p, "token", token)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb+verb+verb, s, h, p, token)
	}
	text, err := json.Marshal(map[string]any{"s": s, "t": token, "h": h, "p": p})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	all := strings.ToLower(b.String())
	for name, canary := range map[string]string{
		"secret": "canary", "secret in hex": "63616e617279", "hash": string(h)[40:60], "hash form": "argon2id", "token": "abcd0000",
		"token in decimal": "171 205 0",
	} {
		if strings.Contains(all, strings.ToLower(canary)) {
			t.Errorf("%s is printed: %s", name, all)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	policy, err := people.DefaultPolicy().WithTimes(10*time.Minute, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s := people.NewSessions(policy)
	token, other := people.NewToken([32]byte{1}), people.NewToken([32]byte{2})
	s.Begin(token, "maryam", people.Cashier, noon)
	use := func(k people.Token, after time.Duration, want bool) {
		t.Helper()
		if got, ok := s.Use(k, noon.Add(after)); ok != want || (ok && (got.Name != "maryam" || got.Role != people.Cashier)) {
			t.Errorf("after %s: %+v %v, want %v", after, got, ok, want)
		}
	}
	use(other, 0, false)
	for m := 9; m < 60; m += 9 { // kept alive
		use(token, time.Duration(m)*time.Minute, true)
	}
	use(token, time.Hour, false) // ends all the same
	s.Begin(token, "maryam", people.Cashier, noon)
	use(token, 10*time.Minute-time.Nanosecond, true)
	s.Begin(token, "maryam", people.Cashier, noon)
	use(token, 10*time.Minute, false) // idle
	s.Begin(token, "maryam", people.Cashier, noon)
	s.End(other)
	use(token, 0, true)
	s.End(token)
	use(token, 0, false)
	s.Begin(token, "maryam", people.Cashier, noon)
	s.Begin(other, "badr", people.Cashier, noon)
	s.EndOf("badr")
	use(other, 0, false)
	use(token, 0, true)
	for n := range people.MaxSessions {
		s.Begin(people.NewToken([32]byte{3, byte(n)}), "maryam", people.Cashier, noon.Add(time.Second))
	}
	use(token, time.Second, false) // the oldest made room
	use(people.NewToken([32]byte{3, 0}), time.Second, true)
}

func TestTokens(t *testing.T) {
	want := people.NewToken([32]byte{1, 2, 3})
	got, ok := people.ParseToken(want.Clear())
	if !ok || got != want {
		t.Errorf("a token does not come back")
	}
	for _, bad := range []string{"", "00", want.Clear() + "00", strings.Repeat("z", 64)} {
		if _, ok := people.ParseToken(bad); ok {
			t.Errorf("%.10q is taken as a token", bad)
		}
	}
}

// The table of who may do what, as the documentation has it: open and closed.
func TestPolicy(t *testing.T) {
	const anybody = "-"
	for _, c := range []struct {
		action       people.Action
		closed, open string // first letters of the roles that may; - without a log-in
	}{
		{people.Status, "-csta", "-csta"},
		{people.Test, "sta", "-csta"},
		{people.Sell, "cs", "-csta"},
		{people.Refund, "cs", "-csta"},
		{people.RefundFree, "s", "s"},
		{people.Void, "cs", "-csta"},
		{people.Preauth, "cs", "-csta"},
		{people.Increment, "cs", "-csta"},
		{people.Completion, "cs", "-csta"},
		{people.Balance, "cs", "-csta"},
		{people.Forced, "s", "-csta"},
		{people.Cancel, "cs", "-csta"},
		{people.Agree, "cs", "-csta"},
		{people.Receipt, "cs", "-csta"},
		{people.Journal, "csta", "-csta"},
		{people.Queue, "sta", "-csta"},
		{people.Send, "st", "-csta"},
		{people.WriteOff, "s", "s"},
		{people.Report, "cs", "-csta"},
		{people.Settle, "s", "-csta"},
		{people.Print, "cst", "-csta"},
		{people.Drawer, "s", "s"},
		{people.Training, "cs", "-csta"},
		{people.CloseBatch, "s", "s"},
		{people.Keys, "ta", "ta"},
		{people.Support, "ta", "-csta"},
		{people.Provision, "ta", "ta"},
		{people.Rollback, "a", "a"},
		{people.Users, "a", "a"},
		{people.Audit, "a", "a"},
		{people.Backup, "ta", "ta"},
	} {
		for _, open := range []bool{false, true} {
			p := people.DefaultPolicy()
			p.Open = open
			want := c.closed
			if open {
				want = c.open
			}
			var got string
			for _, r := range append([]people.Role{""}, people.Roles()...) {
				switch p.Judge(r, c.action) {
				case people.Allowed:
					got += (string(r) + anybody)[:1]
				case people.LogIn:
					if r != "" {
						t.Errorf("%s, who has logged in, is asked to log in for %s", r, c.action)
					}
				case people.Refused:
					if r == "" {
						t.Errorf("nobody is refused %s for their role", c.action)
					}
				}
			}
			if got != want {
				t.Errorf("%s, open %v: %q, want %q", c.action, open, got, want)
			}
		}
	}
	if len(people.Actions()) != 31 {
		t.Errorf("%d actions: the table above misses some", len(people.Actions()))
	}
	if (people.Policy{}).Judge(people.Administrator, people.Status) == people.Allowed {
		t.Error("a policy that nobody made allows something")
	}
	if people.DefaultPolicy().Judge(people.Administrator, "anything") == people.Allowed {
		t.Error("an action that is not there is allowed")
	}
}

func TestPolicyRefusals(t *testing.T) {
	p := people.DefaultPolicy()
	for _, c := range []struct {
		action people.Action
		roles  []people.Role
		ok     bool
	}{
		{people.Sell, []people.Role{people.Cashier}, true},
		{people.Sell, nil, true}, // nobody sells here
		{people.Sell, []people.Role{people.Anyone}, false},
		{people.Sell, []people.Role{"owner"}, false},
		{people.Sell, []people.Role{people.Cashier, people.Cashier}, false},
		{people.Status, []people.Role{people.Anyone}, true},
		{people.Status, []people.Role{people.Cashier}, true},
		{people.Users, []people.Role{people.Cashier, people.Administrator}, false},
		{people.Users, []people.Role{people.Supervisor}, false},
		{people.Users, []people.Role{people.Supervisor, people.Administrator}, true},
		{people.Keys, []people.Role{people.Anyone}, false},
		{people.Audit, []people.Role{people.Supervisor}, true},
		{people.WriteOff, []people.Role{people.Supervisor, people.Administrator}, true},
		{people.WriteOff, []people.Role{people.Cashier}, false},
		{people.RefundFree, []people.Role{people.Supervisor, people.Cashier}, false},
		{people.RefundFree, []people.Role{people.Administrator}, true},
		{"refund all", []people.Role{people.Supervisor}, false},
	} {
		after, err := p.With(c.action, c.roles)
		if (err == nil) != c.ok {
			t.Errorf("%s %v: %v, want ok %v", c.action, c.roles, err, c.ok)
		}
		if err == nil && len(after.Needs(c.action)) != len(c.roles) {
			t.Errorf("%s needs %v", c.action, after.Needs(c.action))
		}
	}
	if got := p.Needs(people.Sell); len(got) != 2 {
		t.Errorf("With changed the policy that it was asked of: %v", got)
	}
	for _, times := range [][2]time.Duration{{0, time.Hour}, {time.Second, time.Hour}, {2 * time.Hour, 12 * time.Hour}, {time.Hour, time.Minute}, {time.Hour, 48 * time.Hour}} {
		if _, err := p.WithTimes(times[0], times[1]); err == nil {
			t.Errorf("%v are taken", times)
		}
	}
}
