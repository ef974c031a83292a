package secure

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure/x9"
)

const pan = PAN("5413330089604111")

func ask() PINRequest {
	return PINRequest{Set: "bank", PAN: pan, Amount: "KWD 10.525", Tries: -1, Timeout: time.Minute}
}

// TestPINBlocks: what the host deciphers is what was typed, in each format, under keys that its derivation gives.
func TestPINBlocks(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		kek := loadKEK(t, r, "other", AES128)
		if _, err := r.Import(t.Context(), "other", UsePIN, aesBlock(t, kek, ikidPIN)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			set    string
			format PINFormat
			typed  string
			pin    string
			is     PINFormat
		}{
			{"bank", FormatByKey, "1234\r", "1234", Format0},
			{"bank", Format3, "123456\r", "123456", Format3},
			{"bank", Format0, "99\x0888\b7654\r", "987654", Format0}, // two corrected
			{"other", FormatByKey, "123456789012\r", "123456789012", Format4},
			{"other", Format4, "1234x\n5\r", "12345", Format4}, // what is no key is ignored
		} {
			q := ask()
			q.Set, q.Format = c.set, c.format
			r.keypad.Type(c.typed)
			p := must(r.EnterPIN(t.Context(), q))(t)
			if p.Status != PINEntered || p.Format != c.is {
				t.Errorf("%q: %s in format %s, want %s", c.typed, p.Status, p.Format, c.is)
				continue
			}
			if got := openPIN(t, p); got != c.pin {
				t.Errorf("%q: the host finds %q", c.typed, got)
			}
			_, err := r.MAC(t.Context(), p.Lease, MACAlg3Pad1, message)
			if err == nil {
				t.Error("a PIN's lease made a MAC")
			}
		}
	})
}

func openPIN(t *testing.T, p PINResult) string {
	t.Helper()
	if p.Format == Format4 {
		return string(must(x9.DecryptPINBlock4(hostAES(t, p.Lease.KSN, x9.AESPIN), [16]byte(p.Block), string(pan)))(t))
	}
	block := must(x9.DecryptECB(hostTDES(t, p.Lease.KSN, x9.TDESPIN), p.Block))(t)
	kind := map[PINFormat]x9.PINFormat{Format0: x9.PINFormat0, Format3: x9.PINFormat3}[p.Format]
	return string(must(x9.DecodePINBlock(kind, [8]byte(block), string(pan)))(t))
}

// TestEndsOfAnEntry: cancelled, bypassed where that is allowed, too short; only an entered PIN moves the counter.
func TestEndsOfAnEntry(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		counter := uint32(0)
		for _, c := range []struct {
			typed  string
			bypass bool
			want   PINStatus
		}{
			{"12\x1b", false, PINCancelled},
			{"\r", true, PINBypassed},
			{"b", true, PINBypassed},
			{"\rb1234\r", false, PINEntered},
			{"12\r34\r", true, PINEntered}, // too short for Enter, then long enough
			{"1234567890123\r", false, PINEntered},
			{strings.Repeat("x", maxPresses), false, PINCancelled},
		} {
			q := ask()
			q.Bypass = c.bypass
			var digits []int
			var mu sync.Mutex
			q.Progress = func(n int) { mu.Lock(); digits = append(digits, n); mu.Unlock() }
			r.keypad.Type(c.typed)
			p := must(r.EnterPIN(t.Context(), q))(t)
			if p.Status != c.want {
				t.Errorf("%q: %s, want %s", c.typed, p.Status, c.want)
			}
			if p.Status != PINEntered {
				if p.Block != nil || p.Lease.ID != 0 {
					t.Errorf("%q: %s, and yet a block", c.typed, p.Status)
				}
				continue
			}
			if n := x9.KSN(p.Lease.KSN).Counter(); n != counter+1 {
				t.Errorf("%q: counter %d after %d", c.typed, n, counter)
			}
			counter++
			mu.Lock()
			if !slices.IsSorted(digits) || len(digits) == 0 || digits[len(digits)-1] > 12 {
				t.Errorf("%q: progress %v", c.typed, digits)
			}
			mu.Unlock()
		}
		for _, p := range r.keypad.Prompts() {
			if p.Amount != "KWD 10.525" || p.Min != 4 || p.Max != 12 || p.Tries != -1 {
				t.Errorf("prompt %+v", p)
			}
		}
	})
}

// Nobody comes, the time ends, the context ends, the module ends: the entry does.
func TestNobodyEnters(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Path: filepath.Join(dir, "keys"), First: true}, true)
		loadTDES(t, r, "bank")
		for _, typed := range []string{"", "12"} {
			if typed != "" {
				r.keypad.Type(typed)
			}
			began := time.Now()
			if p := must(r.EnterPIN(t.Context(), ask()))(t); p.Status != PINTimedOut || time.Since(began) != time.Minute {
				t.Errorf("%q: %s after %v", typed, p.Status, time.Since(began))
			}
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := r.EnterPIN(ctx, ask())
		want(t, "the caller's context", err, context.DeadlineExceeded)
		first := make(chan error)
		go func() { _, err := r.EnterPIN(t.Context(), ask()); first <- err }()
		synctest.Wait()
		_, err = r.EnterPIN(t.Context(), ask())
		want(t, "a second entry", err, ErrBusy)
		go func() { _ = r.file.Close() }()
		want(t, "the module closes", <-first, ErrClosed)
	})
}

func TestPINRequestsAreBounded(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		for name, c := range map[string]struct {
			change func(*PINRequest)
			want   error
		}{
			"short PAN":        {func(q *PINRequest) { q.PAN = "1234567" }, ErrPAN},
			"PAN with letters": {func(q *PINRequest) { q.PAN = "541333008960411A" }, ErrPAN},
			"no such set":      {func(q *PINRequest) { q.Set = "nobody" }, ErrNoKey},
			"AES format":       {func(q *PINRequest) { q.Format = Format4 }, ErrUsage},
			"no format":        {func(q *PINRequest) { q.Format = 9 }, ErrRequest},
			"no time":          {func(q *PINRequest) { q.Timeout = 0 }, ErrRequest},
			"too much time":    {func(q *PINRequest) { q.Timeout = time.Hour }, ErrRequest},
			"three digits":     {func(q *PINRequest) { q.Min = 3 }, ErrRequest},
			"thirteen digits":  {func(q *PINRequest) { q.Max = 13 }, ErrRequest},
			"none between":     {func(q *PINRequest) { q.Min, q.Max = 6, 5 }, ErrRequest},
			"long amount":      {func(q *PINRequest) { q.Amount = strings.Repeat("9", 33) }, ErrRequest},
			"short card key":   {func(q *PINRequest) { q.Card = &CardPIN{Modulus: make([]byte, 63), Exponent: []byte{3}} }, ErrRequest},
		} {
			q := ask()
			c.change(&q)
			_, err := r.EnterPIN(t.Context(), q)
			want(t, name, err, c.want)
		}
		if n := len(r.keypad.Prompts()); n != 0 {
			t.Errorf("%d prompts were shown", n)
		}
	})
	f := must(CreateFile(filepath.Join(t.TempDir(), "keys")))(t)
	_, err := f.EnterPIN(t.Context(), ask())
	want(t, "no keypad", err, ErrNoPad)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPINForTheCard: the card deciphers the PIN, its own challenge and the header (Book 2, 7.2).
func TestPINForTheCard(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // cards have such keys
	if err != nil {
		t.Fatal(err)
	}
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		q := ask()
		q.Card = &CardPIN{Modulus: key.N.Bytes(), Exponent: []byte{1, 0, 1}, Challenge: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
		r.keypad.Type("1234\r")
		p := must(r.EnterPIN(t.Context(), q))(t)
		plain := new(big.Int).Exp(new(big.Int).SetBytes(p.Block), key.D, key.N).FillBytes(make([]byte, 128))
		if head := unhex("7F241234FFFFFFFFFF0102030405060708"); p.Status != PINEntered || !bytes.Equal(plain[:17], head) {
			t.Errorf("%s; the card finds %X, want %X", p.Status, plain[:17], head)
		}
		if p.Lease.ID != 0 {
			t.Error("a card's PIN took the host's key")
		}
	})
}

func TestToken(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		one := must(r.Token(t.Context(), pan))(t)
		if again := must(r.Token(t.Context(), pan))(t); len(one) != 32 || !bytes.Equal(one, again) {
			t.Errorf("tokens %X and %X", one, again)
		}
		if other := must(r.Token(t.Context(), "5413330089604112"))(t); bytes.Equal(one, other) {
			t.Error("two cards have one token")
		}
		elsewhere := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true}, false)
		if theirs := must(elsewhere.Token(t.Context(), pan))(t); bytes.Equal(one, theirs) {
			t.Error("two terminals give a card one token")
		}
		_, err := r.Token(t.Context(), "12")
		want(t, "no PAN", err, ErrPAN)
	})
	dir := stateFolder(t)
	r := start(t, dir)
	before := must(r.Token(t.Context(), pan))(t)
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	if after := must(start(t, dir).Token(t.Context(), pan))(t); !bytes.Equal(before, after) {
		t.Error("after a restart the card has another token")
	}
}

// TestScreen: the on-screen keypad of development, over its socket.
func TestScreen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin.sock")
	s := must(ListenScreen(t.Context(), path))(t)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Keypad: s, OnScreen: path}, true)
	loadTDES(t, r, "bank")
	if _, err := OpenDesk(t.Context(), path); !errors.Is(err, ErrNoPrompt) {
		t.Errorf("nobody is asked: %v", err)
	}
	if st := must(r.Status(t.Context()))(t); st.OnScreen != path || !strings.Contains(strings.Join(st.Warnings, " "), "development only") {
		t.Errorf("status %+v", st)
	}
	type end struct {
		PINResult
		err error
	}
	for _, c := range []struct {
		typed  string
		hangup bool
		want   PINStatus
		says   string
	}{{"1234\r", false, PINEntered, "entered"}, {"12\x1b", false, PINCancelled, "cancelled"}, {"12", true, PINCancelled, ""}} {
		entered := make(chan end)
		asking := make(chan struct{})
		go func() {
			close(asking)
			p, err := r.EnterPIN(t.Context(), ask())
			entered <- end{p, err}
		}()
		<-asking
		var d *Desk
		for err := error(ErrNoPrompt); errors.Is(err, ErrNoPrompt); {
			d, err = OpenDesk(t.Context(), path)
			if err != nil && !errors.Is(err, ErrNoPrompt) {
				t.Fatal(err)
			}
		}
		if d.Prompt.Amount != "KWD 10.525" || !strings.Contains(d.Prompt.Insecure, "DEVELOPMENT") {
			t.Errorf("prompt %+v", d.Prompt)
		}
		for _, k := range []byte(c.typed) {
			if err := d.Press(k); err != nil {
				t.Fatal(err)
			}
		}
		if !c.hangup {
			if says := must(d.Wait(t.Context()))(t); says != c.says {
				t.Errorf("%q: the screen is told %q", c.typed, says)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := <-entered; got.err != nil || got.Status != c.want {
			t.Errorf("%q: %s, %v", c.typed, got.Status, got.err)
		}
	}
}
