package secure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"tillway/device/secure/x9"
)

// A rig is a module as a test uses it: in process, or across a socket.
type rig struct {
	Terminal
	Components
	file   *File
	keypad *Typed
	events *events
}

type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) add(one Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
}

func (e *events) has(what string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.all {
		if one.What == what {
			return true
		}
	}
	return false
}

// bothWays runs a test on a module in process and on one across a socket: nobody can tell which is which.
func bothWays(t *testing.T, o Options, test func(t *testing.T, r *rig)) {
	t.Helper()
	for name, across := range map[string]bool{"in process": false, "across a socket": true} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Path, o.First, o.Witness = filepath.Join(t.TempDir(), "keys"), true, filepath.Join(t.TempDir(), "witness")
			test(t, newRig(t, o, across))
		})
	}
}

func newRig(t testing.TB, o Options, across bool) *rig {
	t.Helper()
	r := &rig{keypad: NewTyped(), events: &events{}}
	if o.Keypad == nil {
		o.Keypad = r.keypad
	}
	o.Event = r.events.add
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	r.file, r.Terminal, r.Components = f, f, f
	if across {
		r.Terminal = attach(t, f, RoleTerminal)
		if !o.Production { // else that socket asks for people: TestTickets
			r.Components = attach(t, f, RoleKeys)
		}
	}
	return r
}

// attach serves a module over a pipe and gives a client at the other end.
func attach(t testing.TB, b Backend, role Role) *Client {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- NewServer(theirs, b, role).Serve(context.Background()) }()
	c := NewClient(ours, nil)
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), <-served); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return c
}

// Test keys, published and of our own making: none is a real terminal's.
var (
	shareA  = unhex("101112131415161718191A1B1C1D1E1F")
	shareB  = unhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")
	bdkT    = unhex("0123456789ABCDEFFEDCBA9876543210")
	bdkA    = unhex("FEDCBA9876543210F1F1F1F1F1F1F1F1")
	ksnPIN  = x9.KSN(unhex("FFFF9876543210E00000"))
	ksnMAC  = x9.KSN(unhex("FFFF9876543211000000"))
	ikidPIN = [8]byte(unhex("1234567890123456"))
	ikidMAC = [8]byte(unhex("1234567890123457"))
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// loadKEK enters both shares, as two people do, and gives the key-encrypting key that they make.
func loadKEK(t testing.TB, c Components, set string, a Algorithm) []byte {
	t.Helper()
	for i, share := range [][]byte{shareA, shareB} {
		l, err := c.LoadComponent(t.Context(), Component{
			Set: set, Of: 2, Number: i + 1, Holder: []string{"Amina", "Badr"}[i], Algorithm: a, Value: bytes.Clone(share),
		})
		if err != nil {
			t.Fatal(err)
		}
		if l.Have != i+1 || l.Of != 2 || l.Check == "" || (l.KEK != "") != (i == 1) {
			t.Fatalf("after share %d: %+v", i+1, l)
		}
	}
	return must(x9.CombineComponents(shareA, shareB))(t)
}

// shareC makes another key of shareA than shareB does: one key serves one set.
var shareC = unhex("B0C1D2E3F405162738495A6B7C8D9EAF")

func loadOtherKEK(t testing.TB, c Components, set string, a Algorithm) []byte {
	t.Helper()
	for i, share := range [][]byte{shareA, shareC} {
		if _, err := c.LoadComponent(t.Context(), Component{Set: set, Of: 2, Number: i + 1, Holder: []string{"Amina", "Badr"}[i], Algorithm: a, Value: bytes.Clone(share)}); err != nil {
			t.Fatal(err)
		}
	}
	return must(x9.CombineComponents(shareA, shareC))(t)
}

// wrap makes a key block.
func wrap(t testing.TB, kek []byte, h x9.KeyBlockHeader, key []byte) string {
	t.Helper()
	if h.KeyVersion == "" {
		h.KeyVersion = "00"
	}
	if h.Exportability == 0 {
		h.Exportability = 'N'
	}
	return must(x9.WrapKeyBlock(kek, h, key, 0, rand.Reader))(t)
}

// loadTDES loads a set with DUKPT keys for PIN and MAC, each with a serial number of its own.
func loadTDES(t testing.TB, r *rig, set string) {
	t.Helper()
	kek := loadKEK(t, r, set, TDES)
	for use, ksn := range map[Use]x9.KSN{UsePIN: ksnPIN, UseMAC: ksnMAC} {
		if _, err := r.Import(t.Context(), set, use, tdesBlock(t, kek, ksn)); err != nil {
			t.Fatal(err)
		}
	}
}

func tdesBlock(t testing.TB, kek []byte, ksn x9.KSN) string {
	t.Helper()
	h := x9.KeyBlockHeader{Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', Optional: []x9.OptionalBlock{{ID: "KS", Data: ksn.String()}}}
	return wrap(t, kek, h, must(x9.TDESInitialKey(bdkT, ksn))(t))
}

func aesBlock(t testing.TB, kek []byte, ikid [8]byte) string {
	t.Helper()
	h := x9.KeyBlockHeader{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', Optional: []x9.OptionalBlock{{ID: "IK", Data: hex.EncodeToString(ikid[:])}}}
	return wrap(t, kek, h, must(x9.AESInitialKey(bdkA, ikid))(t))
}

// hostTDES is the transaction key as the host derives it.
func hostTDES(t testing.TB, ksn []byte, use x9.TDESUse) []byte {
	t.Helper()
	serial := x9.KSN(ksn)
	txn := must(x9.TDESTransactionKey(must(x9.TDESInitialKey(bdkT, serial))(t), serial))(t)
	return must(x9.TDESWorkingKey(txn, use))(t)
}

func hostAES(t testing.TB, ksn []byte, use x9.AESUse) []byte {
	t.Helper()
	serial := x9.AESKSN(ksn)
	txn := must(x9.AESTransactionKey(must(x9.AESInitialKey(bdkA, serial.IKID()))(t), serial))(t)
	return must(x9.AESWorkingKey(txn, use, x9.AES128, serial))(t)
}

func want(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}

func hexUpper(b []byte) string { return string(bytes.ToUpper([]byte(hex.EncodeToString(b)))) }
