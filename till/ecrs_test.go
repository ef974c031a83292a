package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// drawerOf keeps cash registers in memory as the store does; its seal is the text turned round behind what it is for.
type drawerOf struct {
	*book
	ecrs map[string]people.ECR
}

func (b *drawerOf) ECR(_ context.Context, name string) (people.ECR, error) {
	e, ok := b.ecrs[name]
	if !ok {
		return e, people.ErrNoECR
	}
	return e, nil
}

func (b *drawerOf) ECRs(context.Context) ([]people.ECR, error) {
	var all []people.ECR
	for _, e := range b.ecrs {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b people.ECR) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (b *drawerOf) PutECR(ctx context.Context, e people.ECR, entries ...people.Entry) error {
	old, known := b.ecrs[e.Name]
	switch {
	case e.Seq == 0 && known:
		return people.ErrExists
	case e.Seq != old.Seq:
		return errors.New("written over a newer record")
	case len(entries) == 0 || entries[len(entries)-1].Person != e.Actor():
		return errors.New("written without saying why")
	}
	if err := b.Audit(ctx, entries...); err != nil {
		return err
	}
	record, err := e.Record()
	if err != nil {
		return err
	}
	if e, err = people.ParseECR(record); err != nil {
		return err
	}
	e.Seq = int64(len(b.rows))
	b.ecrs[e.Name] = e
	return nil
}

func (b *drawerOf) SealPassphrase(_ context.Context, name string, version int, p people.Passphrase) ([]byte, error) {
	text := []byte(string(p.Bytes()))
	slices.Reverse(text)
	return append(fmt.Appendf(nil, "%s %d ", name, version), text...), nil
}

func (b *drawerOf) OpenPassphrase(_ context.Context, name string, version int, sealed []byte) (people.Passphrase, error) {
	rest, ok := strings.CutPrefix(string(sealed), fmt.Sprintf("%s %d ", name, version))
	if !ok {
		return people.Passphrase{}, terminal.ErrQuarantined
	}
	text := []byte(rest)
	slices.Reverse(text)
	return people.NewPassphrase(text)
}

// registered is a staffed desk with cash registers.
func registeredDesk(t *testing.T, s both) (*desk, map[people.Role]string) {
	t.Helper()
	d, tokens := staffed(t, s)
	registers, err := NewRegisters(t.Context(), RegistersConfig{Store: &drawerOf{d.book, map[string]people.ECR{}}, Clock: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	d.cfg.Registers = registers
	d.h = New(d.cfg).Socket()
	return d, tokens
}

func tokenIn(t *testing.T, body []byte) ECRToken {
	t.Helper()
	var out ECRToken
	if err := json.Unmarshal(body, &out); err != nil || len(out.Token) != 64 {
		t.Fatalf("%s: %v", body, err)
	}
	return out
}

// An administrator makes a register; its token is told once and is taken, until it is replaced or revoked.
func TestRegistersAreMadeAndChanged(t *testing.T) {
	d, tokens := registeredDesk(t, newScript(t))
	admin, ctx, reg := tokens[people.Administrator], t.Context(), d.cfg.Registers
	first := tokenIn(t, d.ok(admin, "POST", "/v1/ecrs", `{"name":"till-3"}`))
	if e, err := reg.ByToken(ctx, first.Token); err != nil || e.Name != "till-3" || !e.Can(people.Sell) || e.Can(people.RefundFree) {
		t.Fatalf("%v, %v", e, err)
	}
	d.refused(admin, "POST", "/v1/ecrs", `{"name":"till-3"}`, 409, "name_taken")
	changed := reg.Changed()
	second := tokenIn(t, d.ok(admin, "POST", "/v1/ecrs/till-3/rotate", `{"overlap":"1h"}`))
	select {
	case <-changed:
	default:
		t.Error("who serves the register is not told that it changed")
	}
	for _, token := range []string{first.Token, second.Token} {
		if _, err := reg.ByToken(ctx, token); err != nil {
			t.Errorf("within the overlap: %v", err)
		}
	}
	d.now = d.now.Add(14 * time.Minute) // sessions stay
	d.ok(admin, "GET", "/v1/ecrs", "")
	third := tokenIn(t, d.ok(admin, "POST", "/v1/ecrs/till-3/rotate", `{}`))
	for _, token := range []string{first.Token, second.Token, "", third.Token + "00", strings.Repeat("0", 64)} {
		if e, err := reg.ByToken(ctx, token); !errors.Is(err, people.ErrECRToken) || e.Name != "" {
			t.Errorf("%.8s… is taken: %v", token, err)
		}
	}
	if body := string(d.ok(admin, "GET", "/v1/ecrs", "")); strings.Contains(body, third.Token) || !strings.Contains(body, `"revoked":false`) {
		t.Errorf("the list: %s", body)
	}
	d.ok(admin, "POST", "/v1/ecrs/till-3/revoke", `{}`)
	if _, err := reg.ByToken(ctx, third.Token); !errors.Is(err, people.ErrECRToken) {
		t.Errorf("revoked, and taken: %v", err)
	}
	d.refused(admin, "POST", "/v1/ecrs/till-3/rotate", `{}`, 409, "ecr_revoked")
	d.refused(admin, "POST", "/v1/ecrs/till-4/revoke", `{}`, 404, "no_such_ecr")
	for _, want := range []string{"amal ecr ecr:till-3 done ecr:till-3 added; it may: status, sale", "the one before ends after 1h0m0s", "ecr:till-3 done ecr:till-3 revoked"} {
		if !strings.Contains(d.book.words(), want) {
			t.Errorf("not audited: %s\n%s", want, d.book.words())
		}
	}
	for _, token := range []string{first.Token, second.Token, third.Token} {
		if strings.Contains(d.book.words(), token) {
			t.Error("a token is in the audit log")
		}
	}
}

// Only an administrator does any of it, and what is wrong with a request is said.
func TestRegistersAreForAdministrators(t *testing.T) {
	d, tokens := registeredDesk(t, newScript(t))
	for _, role := range []people.Role{"", people.Cashier, people.Supervisor, people.Technician} {
		status, code := 403, "not_allowed"
		if role == "" {
			status, code = 401, "log_in"
		}
		for _, c := range [][2]string{
			{"GET", "/v1/ecrs"},
			{"POST", "/v1/ecrs"},
			{"POST", "/v1/ecrs/till-3/rotate"},
			{"POST", "/v1/ecrs/till-3/revoke"},
			{"POST", "/v1/ecrs/till-3/nexo-keys"},
			{"POST", "/v1/ecrs/till-3/nexo-keys/1/retire"},
		} {
			d.refused(tokens[role], c[0], c[1], "", status, code)
		}
	}
	admin := tokens[people.Administrator]
	for body, code := range map[string]string{
		`{"name":"Till"}`: "bad_name", `{"name":"amal.has.a.very.long.name"}`: "bad_name", `{"name":"till-3","may":["users"]}`: "bad_right",
		`{"name":"till-3","may":["sale","sale"]}`: "bad_right", `{"name":"till-3","may":["drawer"]}`: "bad_right",
	} {
		d.refused(admin, "POST", "/v1/ecrs", body, 422, code)
	}
	d.ok(admin, "POST", "/v1/ecrs", `{"name":"till-3","may":["sale","unreferenced_refund"]}`)
	d.refused(admin, "POST", "/v1/ecrs/till-3/rotate", `{"overlap":"soon"}`, 400, "bad_body")
	d.refused(admin, "POST", "/v1/ecrs/till-3/rotate", `{"overlap":"721h"}`, 422, "bad_overlap")
	d.refused(admin, "POST", "/v1/ecrs/till-3/rotate", `{"overlap":"-1h"}`, 422, "bad_overlap")
	d.refused(admin, "POST", "/v1/ecrs/till-3/revoke", `{"sure":true}`, 400, "bad_body")
}

// A passphrase is found by register and version, was told once where it was made here, and ends when its version is retired.
func TestNexoKeys(t *testing.T) {
	d, tokens := registeredDesk(t, newScript(t))
	admin, ctx, reg := tokens[people.Administrator], t.Context(), d.cfg.Registers
	d.ok(admin, "POST", "/v1/ecrs", `{"name":"till-3"}`)
	var made, typed NexoKeyMade
	if err := json.Unmarshal(d.ok(admin, "POST", "/v1/ecrs/till-3/nexo-keys", `{}`), &made); err != nil || made.KeyIdentifier != "till-3" || made.KeyVersion != 1 || len(made.Passphrase) != 32 {
		t.Fatalf("%+v %v", made, err)
	}
	if err := json.Unmarshal(d.ok(admin, "POST", "/v1/ecrs/till-3/nexo-keys", `{"passphrase":"my own long passphrase"}`), &typed); err != nil || typed.KeyVersion != 2 || typed.Passphrase != "" {
		t.Fatalf("%+v %v", typed, err)
	}
	for version, want := range map[int]string{1: made.Passphrase, 2: "my own long passphrase"} {
		if p, e, err := reg.NexoKey(ctx, "till-3", version); err != nil || string(p.Bytes()) != want || e.Name != "till-3" {
			t.Errorf("version %d: %v", version, err)
		}
	}
	d.refused(admin, "POST", "/v1/ecrs/till-3/nexo-keys", `{"passphrase":"short"}`, 422, "weak_passphrase")
	d.refused(admin, "POST", "/v1/ecrs/till-3/nexo-keys/9/retire", `{}`, 404, "no_such_nexo_key")
	d.refused(admin, "POST", "/v1/ecrs/till-3/nexo-keys/x/retire", `{}`, 404, "no_such_nexo_key")
	d.ok(admin, "POST", "/v1/ecrs/till-3/nexo-keys/1/retire", `{}`)
	d.refused(admin, "POST", "/v1/ecrs/till-3/nexo-keys/1/retire", `{}`, 409, "nexo_key_retired")
	for _, c := range []struct {
		name    string
		version int
		want    error
	}{{"till-3", 1, people.ErrRetired}, {"till-3", 3, people.ErrNoNexoKey}, {"till-3", 0, people.ErrNoNexoKey}, {"till-4", 1, people.ErrNoECR}, {"", 2, people.ErrNoECR}} {
		if p, _, err := reg.NexoKey(ctx, c.name, c.version); !errors.Is(err, c.want) || len(p.Bytes()) != 0 {
			t.Errorf("%s version %d: %v", c.name, c.version, err)
		}
	}
	d.ok(admin, "POST", "/v1/ecrs/till-3/revoke", `{}`)
	if _, _, err := reg.NexoKey(ctx, "till-3", 2); !errors.Is(err, people.ErrRevoked) {
		t.Errorf("of a revoked register: %v", err)
	}
	if words := d.book.words(); strings.Contains(words, made.Passphrase) || strings.Contains(words, "my own long") {
		t.Error("a passphrase is in the audit log")
	}
}
