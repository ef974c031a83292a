package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tillway/device/secure"
	"tillway/device/secure/x9"
)

// keyedPad is a pad's driver that opens key blocks as a pad does, and keeps the key before where it cannot.
type keyedPad struct {
	transport []byte
	key       []byte
}

func (p *keyedPad) Pair(secure.PadCipher)  {}
func (p *keyedPad) State() secure.PadState { return secure.PadState{Port: "port"} }
func (p *keyedPad) EnterPIN(context.Context, secure.PINRequest) (secure.PadPIN, error) {
	return secure.PadPIN{}, secure.ErrNoPad
}

func (p *keyedPad) Load(_ context.Context, block string) (secure.CheckValue, error) {
	_, key, err := x9.UnwrapKeyBlock(p.transport, block)
	if err != nil {
		return "", secure.ErrKeyBlock
	}
	p.key = key
	return "5B2C9A0011", nil
}

// Two people load a pad's key: what each is told, in words and in JSON, and what is refused.
func TestKeysPad(t *testing.T) {
	dir := t.TempDir()
	p := &keyedPad{transport: bytes.Repeat([]byte{0x5A, 0x13, 0x77, 0xC2}, 4)}
	m, err := secure.Start(t.Context(), secure.Options{Path: filepath.Join(dir, "keys"), First: true, Pad: p})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "keys.sock")
	ln, err := secure.ListenLocal(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if secure.Greet(conn, nil) == nil {
				_ = secure.NewServer(conn, m, secure.RoleKeys).Serve(t.Context()) // the client shows what went wrong
			}
		}
	})
	defer func() { _ = ln.Close(); served.Wait(); _ = m.Close() }()
	file := func(name string, transport []byte) string {
		h := x9.KeyBlockHeader{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N', Optional: []x9.OptionalBlock{{ID: "IK", Data: "1234567890123456"}}}
		block, err := x9.WrapKeyBlock(transport, h, bytes.Repeat([]byte{0x17, 0xE2, 0x3C, 0x0A}, 4), 0, bytes.NewReader(make([]byte, 64)))
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(block+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, foreign := file("good.tr31", p.transport), file("foreign.tr31", bytes.Repeat([]byte{9, 8, 7, 6}, 4))
	run := func(argv ...string) result {
		return posRun(t, &wire{}, nil, append([]string{"--socket", filepath.Join(dir, "none"), "keys", "--keys-socket", socket}, argv...)...)
	}
	for _, step := range []struct {
		argv []string
		code int
		says string
	}{
		{[]string{"pad", good}, exitUsage, "say who you are"},
		{[]string{"pad", filepath.Join(dir, "none"), "--holder", "Amina"}, exitUsage, "no such file"},
		{[]string{"pad", foreign, "--holder", "Amina"}, exitDone, "1 of 2 people"},
		{[]string{"pad", foreign, "--holder", "Badr"}, exitUsage, "key block malformed, or not made under this key"},
		{[]string{"pad", good, "--holder", "Amina"}, exitDone, "serial number 123456789012345600000000"},
		{[]string{"status"}, exitDone, "brought by 1 of 2 people"},
		{[]string{"pad", good, "--holder", "amina"}, exitUsage, "a holder of its own"},
		{[]string{"abort", "pinpad"}, exitDone, "forgotten"},
		{[]string{"pad", good, "--holder", "Amina"}, exitDone, "nothing reaches the pad"},
		{[]string{"pad", good, "--holder", "Badr", "--check", "5b2c9a"}, exitDone, "has taken the key, check value 5B2C9A0011"},
		{[]string{"pad", good, "--holder", "Amina"}, exitDone, "1 of 2"},
		{[]string{"pad", good, "--holder", "Badr", "--check", "AAAAAA"}, exitUsage, "it is another key"},
	} {
		before := p.key
		got := run(step.argv...)
		if got.code != step.code || !strings.Contains(got.out+got.errOut, step.says) {
			t.Errorf("%v: %d %s%s, want %d and %q", step.argv, got.code, got.out, got.errOut, step.code, step.says)
		}
		if taken := !bytes.Equal(before, p.key); taken != strings.Contains(step.says, "has taken") {
			t.Errorf("%v: the pad's key changed: %v", step.argv, taken)
		}
	}
	got := run("pad", good, "--holder", "Amina", "--json")
	var l padLoaded
	if err := json.Unmarshal([]byte(got.out), &l); err != nil || l.Have != 1 || l.Of != 2 || l.Check != "" || len(l.Fingerprint) != 16 {
		t.Errorf("%v: %s%s", err, got.out, got.errOut)
	}
}
