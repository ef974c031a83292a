package x9_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"tillway/device/secure/x9"
)

// The published BDK and identifiers of X9.24-1:2009, A.4 and of the X9.24-3:2017 supplement.
const (
	tdesBDK = "0123456789ABCDEFFEDCBA9876543210"
	tdesKSN = "FFFF9876543210E00000"
	aesBDK  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	aesIKID = "1234567890123456"
)

func tdesIKOf(t testing.TB) ([]byte, x9.KSN) {
	t.Helper()
	ksn := must(x9.ParseKSN(unhex(t, tdesKSN)))(t)
	return must(x9.TDESInitialKey(unhex(t, tdesBDK), ksn))(t), ksn
}

// tdesAgrees takes n keys of the device and derives each again as the host does.
func tdesAgrees(t *testing.T, d *x9.TDESDevice, ik []byte, n int) {
	t.Helper()
	for range n {
		key, ksn, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := must(x9.TDESTransactionKey(ik, ksn))(t); !bytes.Equal(key, want) {
			t.Fatalf("%s: the device has another key than the host", ksn)
		}
	}
}

// TestTDESDeviceIsHost: the terminal's registers and the host's derivation give the same keys, over long runs, at the
// places where carries and the limit of ten one bits matter, and across saving and reading back.
func TestTDESDeviceIsHost(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	d := must(x9.NewTDESDevice(ik, ksn))(t)
	tdesAgrees(t, d, ik, 5000)
	for _, at := range [...]uint32{0x0FFF, 0x7FC00, 0xFF7FF, 0xFF800, 0x1FE000} {
		if err := d.AdvanceTo(at); err != nil {
			t.Fatal(err)
		}
		if c := d.Counter(); c < at {
			t.Fatalf("counter %X after going forward to %X", c, at)
		}
		d = must(x9.ReadTDESDevice(d.AppendState(nil)))(t)
		tdesAgrees(t, d, ik, 20)
	}
}

// TestTDESDeviceEnds: the last key is that of 1FF800, and after it there is none, nor before it twice the same.
func TestTDESDeviceEnds(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	d := must(x9.NewTDESDevice(ik, ksn))(t)
	if err := d.AdvanceTo(0x1FE000); err != nil {
		t.Fatal(err)
	}
	last, before := x9.KSN{}, uint32(0)
	for {
		_, ksn, err := d.Next()
		if errors.Is(err, x9.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := ksn.Counter(); c <= before || bits.OnesCount32(c) > 10 || ksn.Check() != nil {
			t.Fatalf("counter %X after %X", c, before)
		}
		last, before = ksn, ksn.Counter()
	}
	if last.Counter() != 0x1FF800 {
		t.Errorf("the last counter is %X", last.Counter())
	}
	d = must(x9.ReadTDESDevice(d.AppendState(nil)))(t)
	if _, _, err := d.Next(); !errors.Is(err, x9.ErrExhausted) {
		t.Errorf("after the last key: %v", err)
	}
	if err := d.AdvanceTo(0x1FFFFF + 2); !errors.Is(err, x9.ErrExhausted) {
		t.Errorf("forward from the end: %v", err)
	}
}

// TestTDESKeyCount: every counter of one to ten bits has a key, and no other.
func TestTDESKeyCount(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	d := must(x9.NewTDESDevice(ik, ksn))(t)
	want, got := 0, 0
	for c := uint32(1); c < 1<<14; c++ {
		if bits.OnesCount32(c) <= 10 {
			want++
		}
	}
	for before := uint32(0); ; got++ {
		_, ksn, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		c := ksn.Counter()
		if c >= 1<<14 {
			break
		}
		if c <= before {
			t.Fatalf("counter %X after %X", c, before)
		}
		before = c
	}
	if got != want {
		t.Errorf("%d keys below counter 4000, want %d", got, want)
	}
}

// TestForward: a device never gives a key twice, and what is passed is gone: its registers no longer hold a way to it.
func TestForward(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	d := must(x9.NewTDESDevice(ik, ksn))(t)
	passed := must(x9.TDESTransactionKey(ik, ksn.WithCounter(0x100)))(t)
	if err := d.AdvanceTo(0x1000); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(d.AppendState(nil), passed) {
		t.Error("a passed key is still in the registers")
	}
	if err := d.AdvanceTo(5); err != nil || d.Counter() != 0x1000 {
		t.Errorf("backward: counter %X (%v)", d.Counter(), err)
	}
	key, at, err := d.Next()
	if err != nil || at.Counter() != 0x1000 {
		t.Fatalf("%s (%v)", at, err)
	}
	if bytes.Contains(d.AppendState(nil), key) || bytes.Contains(d.AppendState(nil), ik) {
		t.Error("a key that was given out, or the initial key, is in the registers")
	}
	d.Erase()
	if _, _, err := d.Next(); !errors.Is(err, x9.ErrExhausted) || d.Counter() != 0x200000 {
		t.Errorf("after erasing: %v", err)
	}
}

// TestAESDeviceIsHost is TestTDESDeviceIsHost for AES DUKPT, for each key length.
func TestAESDeviceIsHost(t *testing.T) {
	ikid := [8]byte(unhex(t, aesIKID))
	for _, size := range [...]int{16, 24, 32} {
		bdk := unhex(t, aesBDK+aesBDK)[:size]
		ik := must(x9.AESInitialKey(bdk, ikid))(t)
		d := must(x9.NewAESDevice(ik, ikid))(t)
		for _, at := range [...]uint32{1, 0xFFF0, 0x1FFFE, 0x7FFF8000, 0xFFFE0000} {
			if err := d.AdvanceTo(at); err != nil {
				t.Fatal(err)
			}
			d = must(x9.ReadAESDevice(d.AppendState(nil)))(t)
			for range 300 {
				key, ksn, err := d.Next()
				if errors.Is(err, x9.ErrExhausted) && at == 0xFFFE0000 {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if want := must(x9.AESTransactionKey(ik, ksn))(t); !bytes.Equal(key, want) || ksn.Check() != nil {
					t.Fatalf("%s: the device has another key than the host", ksn)
				}
			}
		}
		if _, _, err := d.Next(); !errors.Is(err, x9.ErrExhausted) {
			t.Errorf("after the last key: %v", err)
		}
	}
}

// TestWorkingKeysDiffer: no use shares a key with another, nor with the transaction key.
func TestWorkingKeysDiffer(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	txn := must(x9.TDESTransactionKey(ik, ksn.WithCounter(1)))(t)
	seen := map[string]string{upper(txn): "transaction key"}
	for use := x9.TDESPIN; use <= x9.TDESDataResponse; use++ {
		key := upper(must(x9.TDESWorkingKey(txn, use))(t))
		if other, twice := seen[key]; twice {
			t.Errorf("use %d has the key of %s", use, other)
		}
		seen[key] = fmt.Sprint("use ", use)
	}
	aks := must(x9.ParseAESKSN(unhex(t, aesIKID+"00000001")))(t)
	aik := must(x9.AESInitialKey(unhex(t, aesBDK), aks.IKID()))(t)
	atxn := must(x9.AESTransactionKey(aik, aks))(t)
	for _, use := range [...]x9.AESUse{
		x9.AESKeyEncryption, x9.AESPIN, x9.AESMACGenerate, x9.AESMACVerify, x9.AESMACBoth, x9.AESDataEncrypt, x9.AESDataDecrypt, x9.AESDataBoth,
	} {
		for _, typ := range [...]x9.KeyType{x9.TDES2, x9.AES128, x9.HMAC128} {
			key := upper(must(x9.AESWorkingKey(atxn, use, typ, aks))(t))
			if other, twice := seen[key]; twice {
				t.Errorf("AES use %04X has the key of %s", uint16(use), other)
			}
			seen[key] = fmt.Sprintf("AES use %04X", uint16(use))
		}
	}
}

// TestDUKPTRefusals: serial numbers that name no key, keys of wrong lengths or uses, saved states that are none.
func TestDUKPTRefusals(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	aks := must(x9.ParseAESKSN(unhex(t, aesIKID+"00000001")))(t)
	state := must(x9.NewTDESDevice(ik, ksn))(t).AppendState(nil)
	zero := append([]byte(nil), state...)
	clear(zero[10:18])
	holed := append([]byte(nil), state...)
	holed[18] = 0
	for name, c := range map[string]struct {
		run  func() error
		want error
	}{
		"short KSN":         {func() error { _, err := x9.ParseKSN(make([]byte, 7)); return err }, x9.ErrKSN},
		"long KSN":          {func() error { _, err := x9.ParseKSN(make([]byte, 11)); return err }, x9.ErrKSN},
		"AES KSN":           {func() error { _, err := x9.ParseAESKSN(make([]byte, 10)); return err }, x9.ErrKSN},
		"counter 0":         {func() error { _, err := x9.TDESTransactionKey(ik, ksn); return err }, x9.ErrKSN},
		"11 one bits":       {func() error { _, err := x9.TDESTransactionKey(ik, ksn.WithCounter(0x7FF)); return err }, x9.ErrKSN},
		"AES counter 0":     {func() error { _, err := x9.AESTransactionKey(make([]byte, 16), aks.WithCounter(0)); return err }, x9.ErrKSN},
		"AES 17 one bits":   {func() error { _, err := x9.AESTransactionKey(make([]byte, 16), aks.WithCounter(0x1FFFF)); return err }, x9.ErrKSN},
		"BDK of 24":         {func() error { _, err := x9.TDESInitialKey(make([]byte, 24), ksn); return err }, x9.ErrKey},
		"IK of 8":           {func() error { _, err := x9.NewTDESDevice(ik[:8], ksn); return err }, x9.ErrKey},
		"host IK of 8":      {func() error { _, err := x9.TDESTransactionKey(ik[:8], ksn.WithCounter(1)); return err }, x9.ErrKey},
		"AES IK of 8":       {func() error { _, err := x9.NewAESDevice(ik[:8], aks.IKID()); return err }, x9.ErrKey},
		"AES host IK of 8":  {func() error { _, err := x9.AESTransactionKey(ik[:8], aks); return err }, x9.ErrKey},
		"AES BDK of 15":     {func() error { _, err := x9.AESInitialKey(make([]byte, 15), aks.IKID()); return err }, x9.ErrKey},
		"no use":            {func() error { _, err := x9.TDESWorkingKey(ik, 0); return err }, x9.ErrKey},
		"derivation as use": {func() error { _, err := x9.AESWorkingKey(ik, 0x8000, x9.AES128, aks); return err }, x9.ErrKey},
		"stronger key":      {func() error { _, err := x9.AESWorkingKey(ik, x9.AESPIN, x9.AES192, aks); return err }, x9.ErrKey},
		"stronger HMAC":     {func() error { _, err := x9.AESWorkingKey(ik, x9.AESMACGenerate, x9.HMAC256, aks); return err }, x9.ErrKey},
		"no type":           {func() error { _, err := x9.AESWorkingKey(ik, x9.AESPIN, 0, aks); return err }, x9.ErrKey},
		"type beyond":       {func() error { _, err := x9.AESWorkingKey(ik, x9.AESPIN, 99, aks); return err }, x9.ErrKey},
		"state cut":         {func() error { _, err := x9.ReadTDESDevice(state[:len(state)-1]); return err }, x9.ErrState},
		"state too long":    {func() error { _, err := x9.ReadTDESDevice(append(state, 0)); return err }, x9.ErrState},
		"no state":          {func() error { _, err := x9.ReadTDESDevice(nil); return err }, x9.ErrState},
		"state, counter 0":  {func() error { _, err := x9.ReadTDESDevice(zero); return err }, x9.ErrState},
		"state, key gone":   {func() error { _, err := x9.ReadTDESDevice(holed); return err }, x9.ErrState},
		"AES state":         {func() error { _, err := x9.ReadAESDevice(state); return err }, x9.ErrState},
	} {
		if err := c.run(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestDevicesAreSilent: no format verb shows a register.
func TestDevicesAreSilent(t *testing.T) {
	ik, ksn := tdesIKOf(t)
	tdes := must(x9.NewTDESDevice(ik, ksn))(t)
	aes := must(x9.NewAESDevice(ik, [8]byte{}))(t)
	for _, verb := range [...]string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, d := range [...]any{tdes, aes} {
			if got := fmt.Sprintf(verb, d); got != "DUKPT registers" {
				t.Errorf("%s shows %d characters", verb, len(got))
			}
		}
	}
}
