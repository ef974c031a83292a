package secure

import (
	"bytes"
	"context"
	"testing"

	"tillway/device/secure/x9"
)

var message = []byte("0200 a message as it goes over the wire")

// A MAC under TDES DUKPT is the one that the host makes from base key and serial number, and the answer's is verified.
func TestMACsUnderTDESDUKPT(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		for n := range 40 {
			l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
			if serial := x9.KSN(l.KSN); serial != ksnMAC.WithCounter(serial.Counter()) || serial.Counter() != uint32(n+1) {
				t.Fatalf("key %d has serial number %X", n+1, l.KSN)
			}
			mac := must(r.MAC(t.Context(), l, MACAlg3Pad1, message))(t)
			if host := must(x9.MAC3(hostTDES(t, l.KSN, x9.TDESMACRequest), message, x9.Pad1))(t); !bytes.Equal(mac, host[:]) {
				t.Fatalf("MAC %X, the host makes %X", mac, host)
			}
			answer := must(x9.MAC3(hostTDES(t, l.KSN, x9.TDESMACResponse), message, x9.Pad1))(t)
			for _, n := range []int{4, 8} {
				if err := r.VerifyMAC(t.Context(), l, MACAlg3Pad1, message, answer[:n]); err != nil {
					t.Fatalf("the host's answer, %d bytes: %v", n, err)
				}
			}
			want(t, "the request's MAC as the answer's", r.VerifyMAC(t.Context(), l, MACAlg3Pad1, message, mac), ErrMAC)
		}
	})
}

func TestMACsUnderAESDUKPT(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		kek := loadKEK(t, r, "bank", AES128)
		if _, err := r.Import(t.Context(), "bank", UseMAC, aesBlock(t, kek, ikidMAC)); err != nil {
			t.Fatal(err)
		}
		l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
		if len(l.KSN) != 12 || l.Algorithm != AES128 {
			t.Errorf("lease %+v", l)
		}
		mac := must(r.MAC(t.Context(), l, CMAC, message))(t)
		if host := must(x9.CMACAES(hostAES(t, l.KSN, x9.AESMACGenerate), message))(t); !bytes.Equal(mac, host[:]) {
			t.Errorf("MAC %X, the host makes %X", mac, host)
		}
		answer := must(x9.CMACAES(hostAES(t, l.KSN, x9.AESMACVerify), message))(t)
		if err := r.VerifyMAC(t.Context(), l, CMAC, message, answer[:]); err != nil {
			t.Error(err)
		}
		want(t, "retail MAC with an AES key", r.VerifyMAC(t.Context(), l, MACAlg3Pad1, message, answer[:8]), ErrUsage)
	})
}

// Session keys: a master key under the KEK, session keys under the master, and each MAC key for its own algorithm alone.
func TestSessionKeys(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		kek := loadKEK(t, r, "bank", TDES)
		master, tak := unhex("3B2A19087F6E5D4C5B4A39281706F5E4"), unhex("5D4C3B2A190807F6E5D4C3B2A1908F7E")
		if _, err := r.Import(t.Context(), "bank", UseMaster, wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "K0", Algorithm: 'T', Mode: 'D'}, master)); err != nil {
			t.Fatal(err)
		}
		check := must(r.Import(t.Context(), "bank", UseMAC, wrap(t, master, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, tak)))(t)
		if own := must(x9.KCV(tak))(t); string(check) != hexUpper(own[:]) {
			t.Errorf("check value %s, want %X", check, own)
		}
		l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
		mac := must(r.MAC(t.Context(), l, MACAlg3Pad2, message))(t)
		host := must(x9.MAC3(tak, message, x9.Pad2))(t)
		if !bytes.Equal(mac, host[:]) || l.KSN != nil {
			t.Errorf("MAC %X with serial number %X, want %X and none", mac, l.KSN, host)
		}
		if err := r.VerifyMAC(t.Context(), l, MACAlg3Pad2, message, host[:]); err != nil {
			t.Error(err)
		}
		want(t, "M3 key for algorithm 1", r.VerifyMAC(t.Context(), l, MACAlg1Pad1, message, host[:]), ErrUsage)
	})
}

// Every wrong byte, length and lease is refused, and nothing but nil is a yes.
func TestWrongMACsAreRefused(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
		good := must(x9.MAC3(hostTDES(t, l.KSN, x9.TDESMACResponse), message, x9.Pad1))(t)
		verify := func(data, mac []byte) error { return r.VerifyMAC(t.Context(), l, MACAlg3Pad1, data, mac) }
		for i := range good {
			bad := good
			bad[i] ^= 1
			want(t, "MAC with a changed byte", verify(message, bad[:]), ErrMAC)
		}
		for i := range message {
			bad := bytes.Clone(message)
			bad[i] ^= 0x80
			want(t, "message with a changed byte", verify(bad, good[:]), ErrMAC)
		}
		for _, n := range []int{0, 1, 3} {
			want(t, "MAC cut short", verify(message, good[:n]), ErrMAC)
		}
		want(t, "MAC too long", verify(message, append(good[:], 0)), ErrMAC)
		if err := verify(message, good[:]); err != nil {
			t.Errorf("the right one after all these: %v", err)
		}
		for range maxWrong {
			_ = verify(message, make([]byte, 8))
		}
		want(t, "the right one after a flood of guesses", verify(message, good[:]), ErrLease)
	})
}

func TestLeasesAreForOneMessageAndOneUse(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		ctx := t.Context()
		l := must(r.NextKey(ctx, "bank", UseMAC))(t)
		must(r.MAC(ctx, l, MACAlg3Pad1, message))(t)
		_, err := r.MAC(ctx, l, MACAlg3Pad1, message)
		want(t, "second MAC", err, ErrLease)
		_, err = r.MAC(ctx, Lease{ID: l.ID + 1, Set: "bank", Use: UseMAC, KSN: l.KSN}, MACAlg3Pad1, message)
		want(t, "another lease", err, ErrLease)
		pin := must(r.NextKey(ctx, "bank", UsePIN))(t)
		_, err = r.MAC(ctx, pin, MACAlg3Pad1, message)
		want(t, "MAC with a PIN key", err, ErrUsage)
		_, err = r.MAC(ctx, Lease{ID: pin.ID, Set: "bank", Use: UseMAC, KSN: pin.KSN}, MACAlg3Pad1, message)
		want(t, "PIN lease renamed", err, ErrLease)
		if err := r.Release(ctx, l); err != nil {
			t.Error(err)
		}
		want(t, "after its release", r.VerifyMAC(ctx, l, MACAlg3Pad1, message, make([]byte, 8)), ErrLease)
		old := must(r.NextKey(ctx, "bank", UseMAC))(t)
		for range maxLeases {
			must(r.NextKey(ctx, "bank", UseMAC))(t)
		}
		_, err = r.MAC(ctx, old, MACAlg3Pad1, message)
		want(t, "after many younger ones", err, ErrLease)
		for _, c := range []struct {
			set string
			use Use
			err error
		}{{"other", UseMAC, ErrNoKey}, {"bank", UseData, ErrNoKey}, {"bank", UseMaster, ErrUsage}, {"bank", useKEK, ErrUsage}, {"bank", 0, ErrUsage}} {
			_, err := r.NextKey(ctx, c.set, c.use)
			want(t, c.set+" "+c.use.String(), err, c.err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = r.NextKey(ended, "bank", UseMAC)
		want(t, "ended context", err, context.Canceled)
	})
}

func TestEncipher(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		kek := loadKEK(t, r, "bank", TDES)
		if _, err := r.Import(t.Context(), "bank", UseData, tdesBlock(t, kek, ksnPIN)); err != nil {
			t.Fatal(err)
		}
		l := must(r.NextKey(t.Context(), "bank", UseData))(t)
		data := []byte("sixteen bytes...")
		got := must(r.Encipher(t.Context(), l, data))(t)
		if host := must(x9.EncryptCBC(hostTDES(t, l.KSN, x9.TDESDataRequest), make([]byte, 8), data))(t); !bytes.Equal(got, host) {
			t.Errorf("%X, the host makes %X", got, host)
		}
		_, err := r.Encipher(t.Context(), l, data)
		want(t, "second message", err, ErrLease)
		l = must(r.NextKey(t.Context(), "bank", UseData))(t)
		_, err = r.Encipher(t.Context(), l, data[:15])
		want(t, "half a block", err, ErrRequest)
	})
}

func BenchmarkMAC(b *testing.B) {
	for name, across := range map[string]bool{"in process": false, "across a socket": true} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, Options{Path: b.TempDir() + "/keys", First: true}, across)
			kek := loadKEK(b, r, "bank", TDES)
			if _, err := r.Import(b.Context(), "bank", UseMAC, wrap(b, kek, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, unhex("5D4C3B2A190807F6E5D4C3B2A1908F7E"))); err != nil {
				b.Fatal(err)
			}
			data := make([]byte, 300)
			for b.Loop() {
				l, err := r.NextKey(b.Context(), "bank", UseMAC)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.MAC(b.Context(), l, MACAlg3Pad1, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
