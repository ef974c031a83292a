package secure

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure/x9"
)

// TestTickets: in production the socket for loading keys shows its status to anybody and does nothing else without the ticket of
// somebody who logged in; and that person is the holder of what they enter, whatever name they give.
func TestTickets(t *testing.T) {
	f := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Production: true}, false).file
	ctx := t.Context()
	posd, nobody := attach(t, f, RoleTerminal), attach(t, f, RoleKeys)
	enter := func(c *Client, number int, holder string, value []byte) error {
		_, err := c.LoadComponent(ctx, Component{Set: "bank", Of: 2, Number: number, Holder: holder, Algorithm: TDES, Value: bytes.Clone(value)})
		return err
	}
	for name, err := range map[string]error{
		"component": enter(nobody, 1, "Amina", shareA), "abort": nobody.Abort(ctx, "bank"), "destroy": nobody.Destroy(ctx, "bank"),
		"import": second(nobody.Import(ctx, "bank", UseMAC, "B0000")), "destroy all": nobody.DestroyAll(ctx),
	} {
		want(t, name+" without a ticket", err, ErrTicket)
	}
	if _, err := nobody.Status(ctx); err != nil {
		t.Errorf("status: %v", err)
	}
	tickets := map[string]string{}
	for _, person := range []string{"amal", "badr"} {
		tickets[person] = must(posd.Ticket(ctx, person))(t)
	}
	for _, name := range []string{"", strings.Repeat("x", maxHolder+1)} {
		_, err := posd.Ticket(ctx, name)
		want(t, "a ticket for nobody", err, ErrDualControl)
	}
	other := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Production: true}, false).file
	raw := must(base64.RawURLEncoding.DecodeString(tickets["amal"]))(t)
	bad := []string{"", "ticket", strings.Repeat("A", maxTicket), strings.Repeat("A", maxTicket+1), must(other.Ticket(ctx, "amal"))(t), tickets["amal"] + "="}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		bad = append(bad, base64.RawURLEncoding.EncodeToString(changed))
	}
	for _, ticket := range bad {
		want(t, "a ticket that is none", nobody.Show(ctx, ticket), ErrTicket)
	}
	want(t, "after tickets that are none", nobody.Destroy(ctx, "bank"), ErrTicket)

	at := map[string]*Client{}
	for person, ticket := range tickets {
		at[person] = attach(t, f, RoleKeys)
		if err := at[person].Show(ctx, ticket); err != nil {
			t.Fatal(err)
		}
	}
	if err := enter(at["amal"], 1, "Amina Saleh", shareA); err != nil {
		t.Fatal(err)
	}
	want(t, "the same person by another name", enter(at["amal"], 2, "Badr Hamad", shareB), ErrDualControl)
	if err := enter(at["badr"], 2, "Amina Saleh", shareB); err != nil {
		t.Fatal(err)
	}
	kek := must(x9.CombineComponents(shareA, shareB))(t)
	must(at["badr"].Import(ctx, "bank", UseMAC, wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, keyTwo)))(t)
	_, err := at["badr"].Ticket(ctx, "amal")
	want(t, "a ticket made at the socket for loading keys", err, ErrDenied)
}

// A ticket ends after five minutes.
func TestTicketsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newRig(t, Options{Path: filepath.Join(dir, "keys"), First: true, Production: true}, false).file
		ticket := must(f.Ticket(t.Context(), "amal"))(t)
		time.Sleep(ticketTime - 2*time.Second)
		if person, err := f.Admit(t.Context(), ticket); person != "amal" || err != nil {
			t.Errorf("in time: %q, %v", person, err)
		}
		time.Sleep(3 * time.Second)
		_, err := f.Admit(t.Context(), ticket)
		want(t, "after its time", err, ErrTicket)
	})
}
