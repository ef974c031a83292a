package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/host"
)

// The keys of the simulated terminal, published: the base derivation key of X9.24-1 and two serial numbers under it.
const (
	simBDK    = "0123456789ABCDEFFEDCBA9876543210"
	simPINKSN = "FFFF9876543210E00000"
	simMACKSN = "FFFF9876543211000000"
	simPIN    = "1234"
)

func simBytes(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// simSecurity is what the simulated host knows of the terminal's keys.
func simSecurity(c *host.Config) {
	c.Security = &host.Security{MAC: host.MACAlg3, MACBytes: 8, Field: 61, Required: true}
	c.Terminals[0].Keys = &host.Keys{
		PIN: host.Key{BDK: simBytes(simBDK), KSN: simBytes(simPINKSN)}, MAC: host.Key{BDK: simBytes(simBDK), KSN: simBytes(simMACKSN)},
	}
}

// simModule opens the terminal's secure module in the state folder and loads its keys where they are not there yet: a
// key-encrypting key by two people, and two initial keys by key block.
func simModule(ctx context.Context, dir, set string, pad secure.Keypad) (*secure.File, error) {
	m, err := secure.Start(ctx, secure.Options{Path: filepath.Join(dir, "module"), First: true, Keypad: pad})
	if err != nil {
		return nil, err
	}
	st, err := m.Status(ctx)
	if err == nil && len(st.Keys) == 0 {
		err = simLoad(ctx, m, set)
	}
	if err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

func simLoad(ctx context.Context, m *secure.File, set string) error {
	shares := []string{"101112131415161718191A1B1C1D1E1F", "546573744B6579466F7254696C6C7761"}
	for i, share := range shares {
		_, err := m.LoadComponent(ctx, secure.Component{
			Set: set, Of: 2, Number: i + 1, Holder: fmt.Sprintf("custodian %d", i+1), Algorithm: secure.TDES, Value: simBytes(share),
		})
		if err != nil {
			return err
		}
	}
	kek, err := x9.CombineComponents(simBytes(shares[0]), simBytes(shares[1]))
	if err != nil {
		return err
	}
	for use, ksn := range map[secure.Use]string{secure.UsePIN: simPINKSN, secure.UseMAC: simMACKSN} {
		ik, err := x9.TDESInitialKey(simBytes(simBDK), x9.KSN(simBytes(ksn)))
		if err != nil {
			return err
		}
		block, err := x9.WrapKeyBlock(kek, x9.KeyBlockHeader{
			Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'N',
			Optional: []x9.OptionalBlock{{ID: "KS", Data: ksn}},
		}, ik, 0, crand.Reader)
		if err != nil {
			return err
		}
		if _, err := m.Import(ctx, set, use, block); err != nil {
			return err
		}
	}
	return nil
}

// simKeypad is the keypad with a customer before it, who mostly knows the PIN.
type simKeypad struct {
	w    *world
	rand *rand.Rand
}

func (k simKeypad) Open(context.Context, secure.Prompt) (secure.Keystrokes, error) {
	keys := &simKeys{k: k, text: simPIN + string(secure.KeyEnter)}
	if !k.w.calm.Load() {
		switch i := k.rand.IntN(14); {
		case i == 0 && k.w.happens("PIN wrong"):
			keys.text = "9999" + string(secure.KeyEnter)
		case i == 1 && k.w.happens("PIN cancelled"):
			keys.text = "12" + string(secure.KeyCancel)
		case i == 2 && k.w.happens("PIN forgotten"):
			keys.text = "12"
		case i == 3 && k.w.happens("PIN pad gone"):
			keys.text, keys.gone = "1", true
		}
	}
	return keys, nil
}

type simKeys struct {
	k    simKeypad
	text string
	gone bool
}

func (k *simKeys) Key(ctx context.Context) (byte, error) {
	wait := time.Duration(100+k.k.rand.IntN(900)) * time.Millisecond
	if k.text == "" {
		if k.gone {
			return 0, io.EOF
		}
		wait = time.Hour
	}
	if err := pause(ctx, actorPIN, wait); err != nil {
		return 0, err
	}
	if k.k.w.cut.gone() {
		return 0, errCut
	}
	key := k.text[0]
	k.text = k.text[1:]
	return key, nil
}

func (k *simKeys) Close(secure.PINStatus) error { return nil }

// tamper changes an answer on its way as somebody would who has no key: a refusal into an approval, the MAC taken off, or a
// bit of it.
func (w *world) tamper(r *rand.Rand, frame []byte) []byte {
	m, err := w.codec.Unpack(frame)
	if err != nil || m.MTI()[1] == '8' || !w.mishap(r, 25, "answer forged") {
		return frame
	}
	switch r.IntN(3) {
	case 0:
		w.fault("forged: approval")
		m.Set(39, "00")
	case 1:
		w.fault("forged: MAC stripped")
		m.Delete(64)
	case 2:
		w.fault("forged: MAC wrong")
		if mac, ok := m.Bytes(64); ok {
			mac[r.IntN(8)] ^= 1 << r.IntN(8)
			m.SetBytes(64, mac)
		}
	}
	forged, err := w.codec.Pack(m)
	if err != nil {
		w.fail(err)
		return frame
	}
	return forged
}

// authentic recomputes an answer's MAC from the base derivation key, for the checker: of the frame, under the response key
// of one of the serial numbers that went out with its trace number.
func authentic(frame []byte, serials []string) bool {
	if len(frame) < 5+8 {
		return false
	}
	body := len(frame) - 8
	for _, s := range serials {
		if ksn := simBytes(s); len(ksn) == 10 && bytes.Equal(responseMAC(simBytes(simBDK), ksn, frame[5:body]), frame[body:]) {
			return true
		}
	}
	return false
}

func (w *world) module(m module) module {
	if w.wrap == nil {
		return m
	}
	return w.wrap(m)
}

// believer is a module that takes every answer for the bank's.
type believer struct{ module }

func (believer) VerifyMAC(context.Context, secure.Lease, secure.MACMethod, []byte, []byte) error {
	return nil
}

// forgetful is a module whose counter goes back at every start: it authenticates under the numbers of the first start.
type forgetful struct {
	module
	serials *[]string
	next    *int
}

func (f forgetful) NextKey(ctx context.Context, set string, use secure.Use) (secure.Lease, error) {
	l, err := f.module.NextKey(ctx, set, use)
	if err != nil {
		return l, err
	}
	if *f.next++; len(*f.serials) < *f.next {
		*f.serials = append(*f.serials, string(l.KSN))
	}
	l.KSN = []byte((*f.serials)[*f.next-1])
	return l, nil
}

func (f forgetful) MAC(context.Context, secure.Lease, secure.MACMethod, []byte) ([]byte, error) {
	return make([]byte, 8), nil
}

// TestSimCatchesSecurity switches a rule of the secure module off and runs seeds until the checker finds it.
func TestSimCatchesSecurity(t *testing.T) {
	dir := simDir(t)
	for name, c := range map[string]struct {
		want string
		wrap func() func(module) module
	}{
		"every MAC verifies": {"no approval ever reached", func() func(module) module {
			return func(m module) module { return believer{m} }
		}},
		"counter goes back": {"went out twice", func() func(module) module {
			var serials []string
			return func(m module) module { return forgetful{m, &serials, new(int)} }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 60; seed++ {
				p := shallow(seed)
				p.wrap = c.wrap()
				_, violations := simulate(t, dir, p)
				for _, v := range violations {
					if strings.Contains(v, c.want) {
						t.Logf("seed %d: %s", seed, v)
						return
					}
				}
			}
			t.Error("switched off, and 60 seeds do not notice")
		})
	}
}
