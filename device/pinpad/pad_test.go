package pinpad

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	emulated "tillway/device/emulator/pinpad"
	"tillway/device/secure"
	"tillway/device/secure/x9"
)

// cable is a line in memory with both its ends. A test listens to it and changes what it carries.
type cable struct {
	mu     sync.Mutex
	plug   chan struct{} // closed when it is pulled out
	up     bool
	toPad  chan []byte
	toUs   chan []byte
	said   [][]byte // what went to the pad
	change func(toPad bool, b []byte) []byte
}

func newCable() *cable {
	return &cable{plug: make(chan struct{}), up: true, toPad: make(chan []byte, 64), toUs: make(chan []byte, 64)}
}

func (c *cable) now() (chan struct{}, bool) { c.mu.Lock(); defer c.mu.Unlock(); return c.plug, c.up }

func (c *cable) carry(toPad bool, b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if toPad {
		c.said = append(c.said, bytes.Clone(b))
	}
	if c.change != nil {
		return c.change(toPad, bytes.Clone(b))
	}
	return bytes.Clone(b)
}

func (c *cable) changing(f func(toPad bool, b []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = f
}

func (c *cable) lastSaid() []byte { c.mu.Lock(); defer c.mu.Unlock(); return c.said[len(c.said)-1] }

func (c *cable) frames() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.said) }

// The pad's end.

func (c *cable) Read(b []byte) (int, error) {
	plug, up := c.now()
	if !up {
		return 0, io.EOF
	}
	select {
	case text := <-c.toPad:
		return copy(b, text), nil
	case <-plug:
		return 0, io.EOF
	}
}

func (c *cable) Write(b []byte) (int, error) {
	if _, up := c.now(); !up {
		return 0, io.EOF
	}
	if out := c.carry(false, b); out != nil {
		select {
		case c.toUs <- out:
		default:
		}
	}
	return len(b), nil
}

func (c *cable) Plug() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		c.plug, c.up = make(chan struct{}), true
		c.toPad, c.toUs = make(chan []byte, 64), make(chan []byte, 64)
	}
	return nil
}

func (c *cable) Unplug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up {
		c.up = false
		close(c.plug)
	}
}

func (c *cable) Close() error { c.Unplug(); return nil }

// ours is the driver's end.
type ours struct {
	*cable
	plug chan struct{}
	left []byte
}

func (o *ours) Read(ctx context.Context, b []byte) (int, error) {
	if len(o.left) == 0 {
		select {
		case o.left = <-o.toUs:
		case <-o.plug:
			return 0, fmt.Errorf("%w: the line", device.ErrUnplugged)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(b, o.left)
	o.left = o.left[n:]
	return n, nil
}

func (o *ours) Write(_ context.Context, b []byte) error {
	if plug, up := o.now(); !up || plug != o.plug {
		return fmt.Errorf("%w: the line", device.ErrUnplugged)
	}
	if out := o.carry(true, b); out != nil {
		for len(out) > 0 {
			n := min(len(out), 500)
			select {
			case o.toPad <- out[:n]:
			default:
			}
			out = out[n:]
		}
	}
	return nil
}

func (o *ours) Close() error { return nil }

func (c *cable) open() (line, error) {
	plug, up := c.now()
	if !up {
		return nil, fmt.Errorf("%w: no such port: is the cable in?", device.ErrUnplugged)
	}
	return &ours{cable: c, plug: plug}, nil
}

var (
	pairing  = bytes.Repeat([]byte{0x3C, 0xA5, 0x17, 0xE2}, 4)
	serialT  = []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00")
	serialA  = []byte("\x12\x34\x56\x78\x90\x12\x34\x56")
	initialT = []byte("\x6A\xC2\x92\xFA\xA1\x31\x5B\x4D\x85\x8A\xB3\xA3\xD7\xD5\x93\x3A") // X9.24-1, A.4
	initialA = []byte("\x12\x73\x67\x1E\xA2\x6A\xC2\x9A\xFA\x4D\x10\x84\x12\x76\x52\xA1") // X9.24-3
	testPAN  = "4761739001010119"
)

// module is a secure module with the pad, and the pairing key where there is one.
func module(t testing.TB, pad secure.Pad, key []byte) *secure.File {
	t.Helper()
	f, err := secure.Start(context.Background(), secure.Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Pad: pad})
	if err != nil {
		t.Fatal(err)
	}
	if key == nil {
		return f
	}
	shares := [][]byte{bytes.Repeat([]byte{0x10, 0x32, 0x54, 0x76}, 4), []byte("\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x29\x3A\x4B\x5C\x6D\x7E\x8F\x90")}
	for i, s := range shares {
		if _, err := f.LoadComponent(context.Background(), secure.Component{Set: secure.PadSet, Of: 2, Number: i + 1, Holder: fmt.Sprint(i), Algorithm: secure.AES128, Value: bytes.Clone(s)}); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		t.Fatal(err)
	}
	block, err := x9.WrapKeyBlock(kek, x9.KeyBlockHeader{Version: 'D', Usage: "B3", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N'}, key, 0, bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Import(context.Background(), secure.PadSet, secure.UsePad, block); err != nil {
		t.Fatal(err)
	}
	return f
}

// rig is a module, its pad's driver, the cable and the pad.
type rig struct {
	*secure.File
	driver *Pad
	cable  *cable
	pad    *emulated.Pad
	log    *bytes.Buffer
}

// with runs a test on a rig, in fake time: what is left running would be found.
func with(t *testing.T, c emulated.Config, ourKey []byte, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{cable: newCable(), log: &bytes.Buffer{}}
		var err error
		if r.pad, err = emulated.StartOn(r.cable, c); err != nil {
			t.Fatal(err)
		}
		r.driver = start(Config{Port: "port", Log: slog.New(slog.NewTextHandler(r.log, nil))}, r.cable.open, systemRandom)
		r.File = module(t, r.driver, ourKey)
		time.Sleep(20 * time.Second)
		test(t, r)
		if err := errors.Join(r.Close(), r.driver.Close(), r.driver.Close(), r.pad.Close()); err != nil {
			t.Error(err)
		}
		for _, secret := range []string{testPAN, "1234", "902175340168"} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log shows %s: %s", secret, r.log)
			}
		}
		for _, b := range r.cable.said {
			if bytes.Contains(b, []byte(testPAN)) || bytes.Contains(b, []byte("10.525")) {
				t.Error("card number or amount in clear on the line")
			}
		}
	})
}

func tdes() emulated.Config {
	return emulated.Config{Pairing: bytes.Clone(pairing), PINKey: bytes.Clone(initialT), KSN: serialT}
}

func request() secure.PINRequest {
	return secure.PINRequest{Set: "acquirer", PAN: secure.PAN(testPAN), Amount: "KWD 10.525", Tries: -1, Timeout: 30 * time.Second}
}

// clearPIN takes a block apart, as the host does.
func clearPIN(t *testing.T, p secure.PINResult) string {
	t.Helper()
	if p.Format == secure.Format4 {
		ksn, err := x9.ParseAESKSN(p.Lease.KSN)
		if err != nil {
			t.Fatal(err)
		}
		txn, err := x9.AESTransactionKey(bytes.Clone(initialA), ksn)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x9.AESWorkingKey(txn, x9.AESPIN, x9.AES128, ksn)
		if err != nil {
			t.Fatal(err)
		}
		pin, err := x9.DecryptPINBlock4(key, [16]byte(p.Block), testPAN)
		if err != nil {
			t.Fatal(err)
		}
		return string(pin)
	}
	ksn, err := x9.ParseKSN(p.Lease.KSN)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := x9.TDESTransactionKey(initialT, ksn)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x9.TDESWorkingKey(txn, x9.TDESPIN)
	if err != nil {
		t.Fatal(err)
	}
	block, err := x9.DecryptECB(key, p.Block)
	if err != nil {
		t.Fatal(err)
	}
	kind := x9.PINFormat0
	if p.Format == secure.Format3 {
		kind = x9.PINFormat3
	}
	pin, err := x9.DecodePINBlock(kind, [8]byte(block), testPAN)
	if err != nil {
		t.Fatal(err)
	}
	return string(pin)
}

func TestEntries(t *testing.T) {
	three := tdes()
	three.Format = 3
	aes := emulated.Config{Pairing: bytes.Clone(pairing), PINKey: bytes.Clone(initialA), KSN: serialA}
	for name, c := range map[string]struct {
		config emulated.Config
		format secure.PINFormat
	}{"format 0": {tdes(), secure.Format0}, "format 3": {three, secure.Format3}, "format 4": {aes, secure.Format4}} {
		t.Run(name, func(t *testing.T) {
			with(t, c.config, pairing, func(t *testing.T, r *rig) {
				st, err := r.Status(t.Context())
				if err != nil || st.Pad == nil || !st.Pad.Ready || st.Pad.Serial != "EMU00001" {
					t.Fatalf("%+v, %v", st.Pad, err)
				}
				for i, pin := range []string{"1234", "902175340168", "12\x0834567"} {
					digits := 0
					q := request()
					q.Progress = func(n int) { digits = n }
					r.pad.Type(pin + "\r")
					p, err := r.EnterPIN(t.Context(), q)
					if err != nil || p.Status != secure.PINEntered || p.Format != c.format || p.Lease.Use != secure.UsePIN || p.Lease.Set != "acquirer" {
						t.Fatalf("%+v, %v", p, err)
					}
					want := strings.Replace(pin, "2\x08", "", 1)
					if got := clearPIN(t, p); got != want || digits != len(want) {
						t.Errorf("the host finds another PIN; %d digits were told", digits)
					}
					if last := p.Lease.KSN[len(p.Lease.KSN)-1]; int(last) != i+1 {
						t.Errorf("serial number %X", p.Lease.KSN)
					}
				}
			})
		})
	}
}

func TestEnds(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			keys   string
			bypass bool
			want   secure.PINStatus
		}{
			{"12\x1b", false, secure.PINCancelled},
			{"b", true, secure.PINBypassed},
			{"\r", true, secure.PINBypassed},
			{"b123\r", false, secure.PINTimedOut},
			{"12", false, secure.PINTimedOut},
			{"1234\r", true, secure.PINEntered},
		} {
			q := request()
			q.Bypass = c.bypass
			r.pad.Type(c.keys)
			if p, err := r.EnterPIN(t.Context(), q); err != nil || p.Status != c.want || (p.Block != nil) != (c.want == secure.PINEntered) {
				t.Errorf("%q: %+v, %v", c.keys, p, err)
			}
		}
	})
}

// The customer sees what was asked for, in the card's language, with the currency's own decimals.
func TestPrompts(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			change func(*secure.PINRequest)
			want   emulated.Shown
		}{
			{func(*secure.PINRequest) {}, emulated.Shown{Language: "en", Prompt: 1, Text: "ENTER PIN", Amount: "10.525 KWD", Tries: 0xFF}},
			{func(q *secure.PINRequest) { q.Language, q.Retry, q.Tries = "ar", true, 2 }, emulated.Shown{Language: "ar", Prompt: 2, Text: "الرقم السري خطأ، أعد الإدخال", Amount: "10.525 KWD", Tries: 2}},
			{func(q *secure.PINRequest) { q.Language, q.Amount, q.Tries = "fr", "JPY 500", 1 }, emulated.Shown{Language: "en", Prompt: 3, Text: "LAST TRY. ENTER PIN", Amount: "500 JPY", Tries: 1}},
		} {
			q := request()
			c.change(&q)
			r.pad.Type("1234\r")
			if _, err := r.EnterPIN(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			all := r.pad.Shown()
			if got := all[len(all)-1]; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		}
		q := request()
		q.Amount = "ten dinars"
		if _, err := r.EnterPIN(t.Context(), q); !errors.Is(err, secure.ErrRequest) {
			t.Errorf("an amount in words: %v", err)
		}
	})
}

// A PIN for the card comes back enciphered under the card's key.
func TestCardPIN(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		q := request()
		modulus := bytes.Repeat([]byte{0xC5}, 128)
		q.Card = &secure.CardPIN{Modulus: modulus, Exponent: []byte{3}}
		r.pad.Type("1234\r")
		p, err := r.EnterPIN(t.Context(), q)
		if err != nil || p.Status != secure.PINEntered || len(p.Block) != 128 || p.Lease.KSN != nil {
			t.Errorf("%d bytes, %v", len(p.Block), err)
		}
	})
}

// A caller who leaves takes the prompt away.
func TestCallerLeaves(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := r.EnterPIN(ctx, request()); ended <- err }()
		synctest.Wait()
		if _, shown := r.pad.Entering(); !shown {
			t.Fatal("no prompt")
		}
		if _, err := r.EnterPIN(t.Context(), request()); !errors.Is(err, secure.ErrBusy) {
			t.Errorf("two at once: %v", err)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, shown := r.pad.Entering(); shown {
			t.Error("the prompt is still there")
		}
		r.pad.Type("1234\r")
		if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Status != secure.PINEntered {
			t.Errorf("the next one: %+v, %v", p, err)
		}
		go func() { _, err := r.EnterPIN(t.Context(), request()); ended <- err }() // and the module's own end
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, secure.ErrClosed) {
			t.Error(err)
		}
	})
}

// A hundred times: pulled out in the middle of an entry, plugged in again, and the next entry is good. Nothing is left behind.
func TestUnpluggedInMidEntry(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		for i := range 100 {
			ended := make(chan error, 1)
			r.pad.Type("12")
			go func() { _, err := r.EnterPIN(t.Context(), request()); ended <- err }()
			synctest.Wait()
			if n, shown := r.pad.Entering(); n != 2 || !shown {
				t.Fatalf("round %d: %d digits", i, n)
			}
			r.pad.Unplug()
			if err := <-ended; !errors.Is(err, device.ErrUnplugged) {
				t.Fatalf("round %d: %v", i, err)
			}
			time.Sleep(time.Second)
			if _, err := r.EnterPIN(t.Context(), request()); !errors.Is(err, secure.ErrNoPad) || !strings.Contains(err.Error(), "is the cable in") {
				t.Fatalf("round %d, while it is out: %v", i, err)
			}
			if err := r.pad.Plug(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			r.pad.Type("1234\r")
			if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Status != secure.PINEntered {
				t.Fatalf("round %d: %+v, %v", i, p, err)
			}
		}
	})
}

func TestTampered(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		ended := make(chan error, 1)
		go func() { _, err := r.EnterPIN(t.Context(), request()); ended <- err }()
		synctest.Wait()
		r.pad.Tamper()
		if err := <-ended; !errors.Is(err, ErrTampered) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if _, err := r.EnterPIN(t.Context(), request()); !errors.Is(err, secure.ErrNoPad) || !strings.Contains(err.Error(), "tampering") {
			t.Error(err)
		}
		if s := r.driver.State(); s.Ready || s.Serial != "EMU00001" {
			t.Errorf("%+v", s)
		}
	})
}

// A pad that cannot be used says why, with what to do; nobody is asked for a PIN.
func TestNotReady(t *testing.T) {
	other := bytes.Repeat([]byte{0x77, 0x11, 0x22, 0x33}, 4)
	noKey, unpaired := tdes(), tdes()
	noKey.PINKey, unpaired.Pairing = nil, nil
	for name, c := range map[string]struct {
		config emulated.Config
		key    []byte
		says   string
	}{
		"no key for PINs": {noKey, pairing, "injected"}, "a pad that is not paired": {unpaired, pairing, "pairing key"},
		"a terminal that is not": {tdes(), nil, "pos keys import pinpad pad"}, "paired with another": {tdes(), other, "pairing key"},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, c.config, c.key, func(t *testing.T, r *rig) {
				r.pad.Type("1234\r")
				_, err := r.EnterPIN(t.Context(), request())
				if !errors.Is(err, secure.ErrNoPad) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
				if len(r.pad.Shown()) > 0 {
					t.Error("a prompt was shown")
				}
			})
		})
	}
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		r.pad.Mute(true)
		if _, err := r.EnterPIN(t.Context(), request()); !errors.Is(err, device.ErrTimeout) {
			t.Errorf("it says nothing: %v", err)
		}
		time.Sleep(time.Minute)
		if s := r.driver.State(); s.Ready || !strings.Contains(s.Cause, "is it on") {
			t.Errorf("%+v", s)
		}
		r.pad.Mute(false)
		time.Sleep(time.Minute)
		r.pad.Type("1234\r")
		if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Status != secure.PINEntered {
			t.Errorf("when it speaks again: %+v, %v", p, err)
		}
	})
}

// Noise and lost frames: whatever is sent again is done once.
func TestBadLine(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		n := 0
		r.cable.changing(func(_ bool, b []byte) []byte {
			n++
			switch n % 7 {
			case 1:
				return nil
			case 3:
				b[len(b)/2] ^= 0x10
			case 5:
				return append([]byte{stx, 0xFF, stx}, b...)
			}
			return b
		})
		before, entered := r.pad.Commands(), 0
		for range 10 {
			r.pad.Type("1234\r")
			p, err := r.EnterPIN(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			if p.Status == secure.PINEntered {
				entered++
				if clearPIN(t, p) != "1234" {
					t.Error("another PIN")
				}
			}
		}
		if entered != 10 || len(r.pad.Shown()) != 10 || r.pad.Commands()-before != 10 {
			t.Errorf("%d entered, %d prompts, %d commands", entered, len(r.pad.Shown()), r.pad.Commands()-before)
		}
	})
}

// Somebody on the wire: changes nothing, plays nothing again, asks for nothing and answers for nobody.
func TestManInTheWire(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		r.pad.Type("1234\r")
		first, err := r.EnterPIN(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		recorded := r.cable.lastSaid()
		shown := len(r.pad.Shown())
		inject := func(b []byte) {
			r.cable.toPad <- bytes.Clone(b)
			time.Sleep(10 * time.Second)
		}
		inject(recorded) // the pad repeats its last word, and asks nobody
		changed := frame{kind: frameCommand, sequence: 99, payload: recorded[8 : len(recorded)-2]}
		b, err := changed.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		inject(b)
		made, err := frame{kind: frameCommand, sequence: 100, payload: []byte("\x01en\x01\x00\xFF\x04\x0C\x00\x1E")}.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		inject(made)
		greeting, err := frame{kind: frameHello, payload: make([]byte, 17)}.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		inject(greeting) // a session of the attacker's, for which there is no key
		inject(recorded)
		if n := len(r.pad.Shown()); n != shown {
			t.Errorf("%d prompts more", n-shown)
		}
		// In an entry, every answer is changed, or is the answer of another entry: none is believed.
		r.cable.changing(func(toPad bool, b []byte) []byte {
			if !toPad && len(b) > 12 && b[1] == frameCommand|fromPad {
				b[len(b)-3] ^= 1
				binary.BigEndian.PutUint16(b[len(b)-2:], crc16(b[1:len(b)-2]))
			}
			return b
		})
		r.pad.Type("1234\r")
		if p, err := r.EnterPIN(t.Context(), request()); err == nil {
			t.Errorf("a changed answer is believed: %+v", p)
		}
		r.cable.changing(nil)
		time.Sleep(time.Minute)
		r.pad.Type("1234\r")
		p, err := r.EnterPIN(t.Context(), request())
		if err != nil || bytes.Equal(p.Lease.KSN, first.Lease.KSN) || bytes.Equal(p.Block, first.Block) {
			t.Errorf("afterwards: %+v, %v", p, err)
		}
	})
}

// Garbage from the pad, at any moment, is noise.
func TestGarbage(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		ended := make(chan error, 1)
		go func() {
			p, err := r.EnterPIN(t.Context(), request())
			if err == nil && clearPIN(t, p) != "1234" {
				err = errors.New("another PIN")
			}
			ended <- err
		}()
		synctest.Wait()
		r.pad.Garbage(bytes.Repeat([]byte{stx, 0x82, 0, 0, 0, 2, 0, 5}, 300))
		forged, err := frame{kind: frameCommand | fromPad, sequence: 2, payload: append([]byte{0, 0, 0, 99}, make([]byte, 40)...)}.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.pad.Garbage(forged)
		time.Sleep(2 * time.Second)
		r.pad.Type("1234\r")
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestOtherCommands(t *testing.T) {
	c := tdes()
	c.Transport = bytes.Repeat([]byte{0x5A, 0x13, 0x77, 0xC2}, 4)
	with(t, c, pairing, func(t *testing.T, r *rig) {
		if err := errors.Join(r.driver.Beep(t.Context(), 3), r.driver.Line(t.Context())); err != nil || r.pad.Beeps() != 3 {
			t.Errorf("%v, %d beeps", err, r.pad.Beeps())
		}
		if i, err := r.driver.Check(t.Context()); err != nil || !i.PINKey || i.Tampered || i.Firmware != "EMU1.0" {
			t.Errorf("%+v, %v", i, err)
		}
		h := x9.KeyBlockHeader{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N', Optional: []x9.OptionalBlock{{ID: "IK", Data: fmt.Sprintf("%X", serialA)}}}
		block, err := x9.WrapKeyBlock(c.Transport, h, initialA, 0, bytes.NewReader(make([]byte, 64)))
		if err != nil {
			t.Fatal(err)
		}
		if check, err := r.driver.Load(t.Context(), block); err != nil || len(check) != 10 {
			t.Errorf("%s, %v", check, err)
		}
		for _, bad := range []string{strings.Replace(block, "B1", "P0", 1), strings.Repeat("0", 32), "short"} {
			if _, err := r.driver.Load(t.Context(), bad); !errors.Is(err, secure.ErrKeyBlock) {
				t.Errorf("%.20s: %v", bad, err)
			}
		}
		r.pad.Type("1234\r")
		if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Format != secure.Format4 || clearPIN(t, p) != "1234" {
			t.Errorf("under the new key: %+v, %v", p.Status, err)
		}
		q := request()
		q.Format = secure.Format0
		if _, err := r.EnterPIN(t.Context(), q); !errors.Is(err, secure.ErrRequest) {
			t.Errorf("a format that its key does not make: %v", err)
		}
	})
}

func TestIdlePadCostsNothing(t *testing.T) {
	with(t, tdes(), pairing, func(t *testing.T, r *rig) {
		before := r.cable.frames()
		time.Sleep(time.Hour)
		if n := r.cable.frames() - before; n != 0 {
			t.Errorf("idle, it sent %d frames in an hour", n)
		}
	})
	if _, err := Open(Config{}); err == nil {
		t.Error("opened without a port")
	}
}
