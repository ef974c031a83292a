package secure

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device/secure/x9"
)

// recorder keeps all that is written through a connection.
type recorder struct {
	net.Conn
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.all.Write(b)
	r.mu.Unlock()
	return r.Conn.Write(b)
}

func (r *recorder) said() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.all.Bytes())
}

// TestNoInterfaceReturnsAKey: with keys loaded in every way, everything is asked of the module that can be asked, over its
// sockets, in both roles. Nothing that it says holds a key, a component or the PIN, as bytes, in hexadecimal or in decimal.
func TestNoInterfaceReturnsAKey(t *testing.T) {
	ctx := t.Context()
	keypad := NewTyped("902175340168\r")
	f, err := Start(ctx, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Witness: filepath.Join(t.TempDir(), "witness"), Keypad: keypad})
	if err != nil {
		t.Fatal(err)
	}
	var said []*recorder
	served := make(chan error, 2)
	connect := func(role Role) *Client {
		ours, theirs := net.Pipe()
		r := &recorder{Conn: theirs}
		said = append(said, r)
		go func() { served <- NewServer(r, f, role).Serve(context.Background()) }()
		return NewClient(ours, nil)
	}
	terminal, keys := connect(RoleTerminal), connect(RoleKeys)

	kek := loadKEK(t, keys, "acquirer", TDES)
	blocks := map[Use]string{UsePIN: tdesBlock(t, kek, ksnPIN), UseMAC: tdesBlock(t, kek, ksnMAC)}
	for use, block := range blocks {
		must(keys.Import(ctx, "acquirer", use, block))(t)
	}
	must(keys.Import(ctx, SwipeSet, UseSwipe, tdesBlock(t, loadOtherKEK(t, keys, SwipeSet, TDES), ksnSwipe)))(t)
	secrets := map[string][]byte{"share": shareA, "other share": shareB, "KEK": kek, "PIN": []byte("902175340168")}
	for name, ksn := range map[string]x9.KSN{"PIN": ksnPIN, "MAC": ksnMAC, "swipe": ksnSwipe} {
		ik := must(x9.TDESInitialKey(bdkT, ksn))(t)
		secrets[name+" initial"] = ik
		for c := uint32(1); c < 40; c++ {
			if at := ksn.WithCounter(c); at.Check() == nil {
				txn := must(x9.TDESTransactionKey(ik, at))(t)
				secrets[fmt.Sprintf("%s %d", name, c)] = txn
				for _, use := range []x9.TDESUse{x9.TDESPIN, x9.TDESMACRequest, x9.TDESMACResponse, x9.TDESDataRequest} {
					secrets[fmt.Sprintf("%s %d for %d", name, c, use)] = must(x9.TDESWorkingKey(txn, use))(t)
				}
			}
		}
	}
	for _, c := range []*Client{terminal, keys} {
		askEverything(ctx, c)
	}
	f.mu.Lock()
	for name, key := range f.keys {
		secrets["sealing key "+name] = bytes.Clone(key)
	}
	secrets["device key"] = bytes.Clone(f.device[len(f.device)-keyBytes:])
	if len(f.content.token) > 0 {
		secrets["token key"] = bytes.Clone(f.content.token)
	}
	f.mu.Unlock()
	if err := errors.Join(terminal.Close(), keys.Close(), <-served, <-served, f.Close()); err != nil {
		t.Fatal(err)
	}
	if len(secrets) < 200 || secrets["sealing key batch"] == nil {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	for i, r := range said {
		all := r.said()
		if len(all) < 500 {
			t.Errorf("socket %d said %d bytes: was anything asked?", i, len(all))
		}
		for name, secret := range secrets {
			for _, form := range []string{string(secret), hex.EncodeToString(secret), hexUpper(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]")} {
				if bytes.Contains(all, []byte(form)) {
					t.Errorf("socket %d says the %s", i, name)
				}
			}
		}
	}
}

// askEverything calls each method once at least. What is refused is refused: all that counts is what is said.
func askEverything(ctx context.Context, c *Client) {
	for range 8 {
		for _, use := range []Use{UsePIN, UseMAC, UseData, UseMaster} {
			l, err := c.NextKey(ctx, "acquirer", use)
			if err != nil {
				continue
			}
			for m := MACAlg1Pad1; m <= CMAC; m++ {
				_, _ = c.MAC(ctx, l, m, []byte("data"))
				_ = c.VerifyMAC(ctx, l, m, []byte("data"), make([]byte, 8))
			}
			_ = c.Release(ctx, l)
		}
	}
	_, _ = c.EnterPIN(ctx, PINRequest{Set: "acquirer", PAN: "5413330089604111", Timeout: time.Second})
	_ = c.CreateKey(ctx, "batch")
	sealed, _ := c.Seal(ctx, "batch", nil, []byte("plain"))
	_, _ = c.Open(ctx, "batch", nil, sealed)
	_, _ = c.Open(ctx, "batch", nil, []byte("no such thing"))
	_, _ = c.Token(ctx, "5413330089604111")
	_, _ = c.Status(ctx)
	_, _ = c.DecipherSwipe(ctx, EncipheredSwipe{KSN: swipeAt(1), Variant: SwipePINKey, Blocks: [][]byte{make([]byte, 40)}})
	_ = c.HostSaw(ctx, "acquirer", UseMAC, ksnMAC[:])
	_, _ = c.Import(ctx, "acquirer", UsePIN, "B0000")
	_, _ = c.ImportSession(ctx, "acquirer", UsePIN, make([]byte, 16), "000000")
	_, _ = c.LoadComponent(ctx, Component{Set: "other", Of: 2, Number: 1, Holder: "Amina", Algorithm: TDES, Value: bytes.Clone(shareB)})
	_, _ = c.LoadComponent(ctx, Component{Set: "other", Of: 2, Number: 2, Holder: "Amina", Algorithm: TDES, Value: bytes.Clone(shareA)})
	_ = c.Abort(ctx, "other")
	_ = c.Owes(ctx, 3)
	_ = c.DestroyAll(ctx) // refused: something is owed
	_ = c.Destroy(ctx, "nobody")
}

// TestResultsHaveNoRoomForAKey: the bytes that methods of the interface may give back are listed here, each with what they
// are. A new one has to be thought about.
func TestResultsHaveNoRoomForAKey(t *testing.T) {
	known := map[string]string{
		"MAC":      "a MAC",
		"Seal":     "sealed data",
		"Open":     "what the caller sealed",
		"Token":    "a keyed token",
		"NextKey":  "Lease.KSN: a serial number",
		"EnterPIN": "PINResult.Block: enciphered; PINResult.Lease.KSN: a serial number",
		"Encipher": "enciphered data",
		"Status":   "KeyStatus.KSN: a serial number",

		"LoadPad":       "PadLoaded.KSN: a serial number",
		"DecipherSwipe": "clear card data, as a chip gives it",
	}
	found := map[string]bool{}
	for _, i := range []reflect.Type{reflect.TypeFor[Terminal](), reflect.TypeFor[Components](), reflect.TypeFor[Backend]()} {
		for m := range i.Methods() {
			for out := range m.Type.Outs() {
				if holdsBytes(out) {
					found[m.Name] = true
				}
			}
		}
	}
	for name := range found {
		if known[name] == "" {
			t.Errorf("%s gives bytes back: say here what they are, and that they are no key", name)
		}
	}
	if !found["MAC"] || !found["Status"] || !found["EnterPIN"] {
		t.Errorf("the search finds only %v", found)
	}
}

// holdsBytes says whether a type has bytes in it, as a slice or an array.
func holdsBytes(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return t.Elem().Kind() == reflect.Uint8 || holdsBytes(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if holdsBytes(field.Type) {
				return true
			}
		}
	case reflect.Map, reflect.Pointer:
		return holdsBytes(t.Elem())
	default:
	}
	return false
}
