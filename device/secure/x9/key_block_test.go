package x9_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillway/device/secure/x9"
)

func header(version byte, usage string, algorithm, mode byte, optional ...x9.OptionalBlock) x9.KeyBlockHeader {
	return x9.KeyBlockHeader{
		Version: version, Usage: usage, Algorithm: algorithm, Mode: mode, KeyVersion: "00", Exportability: 'N', Context: '0', Optional: optional,
	}
}

// TestKeyBlocksReturn: what is wrapped opens again, for every version, length of protection key, kind of key, masked length
// and set of optional blocks; header and key come back whole.
func TestKeyBlocksReturn(t *testing.T) {
	ks := x9.OptionalBlock{ID: "KS", Data: "00604B120F9292800000"}
	long := x9.OptionalBlock{ID: "LB", Data: strings.Repeat("label ", 60)}
	short := x9.OptionalBlock{ID: "TS", Data: "2026-11-23T07:00:00Z"}
	random := bytes.NewReader(bytes.Repeat([]byte("0123456789"), 1<<14))
	key := []byte("abcdefghijklmnopqrstuvwxyz123456")
	n := 0
	for _, version := range []byte("ABCDE") {
		aes := version == 'D' || version == 'E'
		for _, protection := range [...]int{16, 24, 32} {
			if !aes && protection == 32 {
				continue
			}
			for _, c := range [...]struct {
				h    x9.KeyBlockHeader
				size int
			}{
				{header(version, "P0", 'T', 'E', ks), 16},
				{header(version, "B1", 'T', 'X', ks, short), 16},
				{header(version, "M3", 'T', 'G', long), 8},
				{header(version, "K0", 'T', 'B'), 24},
				{header(version, "P0", 'A', 'E', short, long), 16},
				{header(version, "D0", 'A', 'B'), 24},
				{header(version, "K1", 'A', 'B'), 32},
				{header(version, "M7", 'H', 'G', x9.OptionalBlock{ID: "HM", Data: "21"}), 20},
			} {
				strong := c.size > protection // triple DES is never stronger than AES, and AES always than triple DES
				if aes == (c.h.Algorithm == 'T') {
					strong = !aes
				}
				for _, mask := range [...]int{0, 24, 32} {
					block, err := x9.WrapKeyBlock(key[:protection], c.h, key[:c.size], mask, random)
					if strong {
						if !errors.Is(err, x9.ErrKey) {
							t.Errorf("%c, %d bytes of %c under %d: %v", version, c.size, c.h.Algorithm, protection, err)
						}
						continue
					}
					if err != nil {
						t.Fatalf("%c, %d bytes of %c under %d: %v", version, c.size, c.h.Algorithm, protection, err)
					}
					h, got, err := x9.UnwrapKeyBlock(key[:protection], block)
					if err != nil || !bytes.Equal(got, key[:c.size]) || fmt.Sprint(h) != fmt.Sprint(c.h) {
						t.Fatalf("%c, %d under %d: %v, header %v", version, c.size, protection, err, h)
					}
					n++
				}
			}
		}
	}
	if n == 0 {
		t.Error("nothing was wrapped")
	}
}

// TestKeyBlocksAreBound: a block with any character changed, and one under another key, is refused.
func TestKeyBlocksAreBound(t *testing.T) {
	for _, r := range published(t) {
		if r.Fn != "tr31_unwrap" {
			continue
		}
		kbpk := unhex(t, r.In.KBPK)
		for i := range r.In.Block {
			for _, c := range []byte("0Z") {
				if r.In.Block[i] == c {
					continue
				}
				changed := []byte(r.In.Block)
				changed[i] = c
				if _, _, err := x9.UnwrapKeyBlock(kbpk, string(changed)); err == nil {
					t.Errorf("%s: character %d changed to %c, and the block opens", r.ID, i, c)
				}
			}
		}
		kbpk[0] ^= 0x80
		if _, _, err := x9.UnwrapKeyBlock(kbpk, r.In.Block); !errors.Is(err, x9.ErrKeyBlockMAC) {
			t.Errorf("%s: under another key: %v", r.ID, err)
		}
	}
}

// TestKeyBlockHeaders: heads that are not well formed (the list of psec's header tests, and more).
func TestKeyBlockHeaders(t *testing.T) {
	for _, head := range []string{
		"", "B0000", "_0000P0TE00N0000", "F0000P0TE00N0000", "B0000P_TE00N0000", "B0000P0_E00N0000", "B0000P0T_00N0000",
		"B0000P0TE_0N0000", "B0000P0TE00_0000", "B0000P0TE00N0X00", "B0000P0TE00N0030", "B0000P0TE00N0001", "B0000ZZTE00N0000",
		"B0000P0QE00N0000", "B0000P0TQ00N0000", "B0000P0TE00Q0000", "B+016P0TE00N0000",
		"B0000P0TE00N0100", "B0000P0TE00N0100K", "B0000P0TE00N0100KS", "B0000P0TE00N0100KS1", "B0000P0TE00N0100KS1Y",
		"B0000P0TE00N0100KS02", "B0000P0TE00N0100KS071", "B0000P0TE00N0100KS00", "B0000P0TE00N0100KS001", "B0000P0TE00N0100KS001S",
		"B0000P0TE00N0100KS0000", "B0000P0TE00N0100KS0001", "B0000P0TE00N0100KS00010", "B0000P0TE00N0100KS00010H",
		"B0000P0TE00N0100KS000101", "B0000P0TE00N0100KS0001FF", "B0000P0TE00N0100KS00030000FF", "B0000P0TE00N0200KS07000T",
		"B0000P0TE00N0200KS0600TT", "B0000P0TE00N0200KS04TT03", "B0000P0TE00N0200KS04TT05", "B0000P0TE00N0100**04",
		"B0000P0TE00N0200KS0600??04", "B0000P0TE00N0100KS05\x03", "B0000P0TE00N0200KS04TT05\xFF",
		"B0000P0TE00N0200KS08AAAAKS08AAAA", // twice
		"B0000P0TE00N0200PB08AAAAKS08AAAA", // the pad block is not the last
		"B0000P0TE00N0100KS09AAAAA",        // not a multiple of eight
		"D0000P0AE00N0100KS08AAAA",         // not a multiple of sixteen
		"B0000P0TE00N0100ks1a00604b120f9292800000",
	} {
		block := head
		if len(head) > 5 && strings.HasPrefix(head[1:], "0000") {
			block = fmt.Sprintf("%s%04d%s", head[:1], len(head), head[5:])
		}
		if h, err := x9.ParseKeyBlockHeader(block); !errors.Is(err, x9.ErrKeyBlock) {
			t.Errorf("%q is read as %v (%v)", block, h, err)
		}
	}
	h, err := x9.ParseKeyBlockHeader("B0056P0TE00N0400KS1800604B120F9292800000T104T20600PB0600")
	want := []x9.OptionalBlock{{ID: "KS", Data: "00604B120F9292800000"}, {ID: "T1"}, {ID: "T2", Data: "00"}}
	if err != nil || !slices.Equal(h.Optional, want) {
		t.Errorf("optional blocks %v (%v)", h.Optional, err)
	}
	h, err = x9.ParseKeyBlockHeader("B0048P0TE00N0200KS00011600604B120F9292PB0A000000")
	if data, ok := h.OptionalData("KS"); err != nil || !ok || data != "00604B120F9292" {
		t.Errorf("long form of a length: %q (%v)", data, err)
	}
}

// TestKeyBlockRules: usages, algorithms and modes that do not go together, and some that do.
func TestKeyBlockRules(t *testing.T) {
	for _, c := range []struct {
		h  x9.KeyBlockHeader
		ok bool
	}{
		{header('D', "P0", 'A', 'E'), true},
		{header('B', "B1", 'T', 'X'), true},
		{header('B', "K0", 'T', 'D'), true},
		{header('B', "M3", 'T', 'V'), true},
		{header('D', "M6", 'A', 'C'), true},
		{header('D', "77", 'A', 'C'), true}, // proprietary
		{header('B', "P0", 'T', 'G'), false},
		{header('B', "P0", 'T', 'X'), false},
		{header('B', "P0", 'H', 'E'), false},
		{header('B', "M3", 'A', 'G'), false},
		{header('B', "M3", 'T', 'E'), false},
		{header('B', "B0", 'T', 'E'), false},
		{header('B', "K0", 'T', 'C'), false},
		{header('B', "M7", 'T', 'G'), false},
		{header('D', "M7", 'H', 'G'), false}, // no hash algorithm
		{header('D', "I0", 'A', 'E'), false},
	} {
		err := c.h.Check()
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, x9.ErrKeyBlockRule)) {
			t.Errorf("%s %c %c: %v", c.h.Usage, c.h.Algorithm, c.h.Mode, err)
		}
		if _, err := x9.WrapKeyBlock(make([]byte, 32), c.h, make([]byte, 16), 0, bytes.NewReader(make([]byte, 64))); c.ok && c.h.Version == 'D' && err != nil ||
			!c.ok && !errors.Is(err, x9.ErrKeyBlockRule) {
			t.Errorf("%s %c %c wrapped: %v", c.h.Usage, c.h.Algorithm, c.h.Mode, err)
		}
	}
}

// TestWrapRefusals: keys, lengths and blocks that make no key block.
func TestWrapRefusals(t *testing.T) {
	kbpk, key := make([]byte, 16), make([]byte, 16)
	pin := header('B', "P0", 'T', 'E')
	with := func(o ...x9.OptionalBlock) x9.KeyBlockHeader { h := pin; h.Optional = o; return h }
	many := make([]x9.OptionalBlock, 99)
	for i := range many {
		many[i] = x9.OptionalBlock{ID: fmt.Sprintf("%02d", i)}
	}
	for name, c := range map[string]struct {
		kbpk, key []byte
		h         x9.KeyBlockHeader
		mask      int
		want      error
	}{
		"no protection key":    {nil, key, pin, 0, x9.ErrKey},
		"protection key of 32": {make([]byte, 32), key, pin, 0, x9.ErrKey},
		"single DES under A":   {kbpk[:8], key[:8], header('A', "P0", 'T', 'E'), 0, x9.ErrKey},
		"no key":               {kbpk, nil, pin, 0, x9.ErrKey},
		"key of 15":            {kbpk, key[:15], pin, 0, x9.ErrKey},
		"stronger key":         {kbpk, make([]byte, 24), pin, 0, x9.ErrKey},
		"AES under TDES":       {make([]byte, 24), key, header('B', "P0", 'A', 'E'), 0, x9.ErrKey},
		"mask of 33":           {kbpk, key, pin, 33, x9.ErrKeyBlock},
		"version":              {kbpk, key, header('F', "P0", 'T', 'E'), 0, x9.ErrKeyBlock},
		"pad block":            {kbpk, key, with(x9.OptionalBlock{ID: "PB"}), 0, x9.ErrKeyBlock},
		"identifier":           {kbpk, key, with(x9.OptionalBlock{ID: "K"}), 0, x9.ErrKeyBlock},
		"control character":    {kbpk, key, with(x9.OptionalBlock{ID: "KS", Data: "\n"}), 0, x9.ErrKeyBlock},
		"too many blocks":      {kbpk, key, with(many...), 0, x9.ErrKeyBlock},
		"too long":             {kbpk, key, with(x9.OptionalBlock{ID: "LB", Data: strings.Repeat("x", 9990)}), 0, x9.ErrKeyBlock},
	} {
		_, err := x9.WrapKeyBlock(c.kbpk, c.h, c.key, c.mask, bytes.NewReader(make([]byte, 64)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := x9.WrapKeyBlock(kbpk, pin, key, 24, bytes.NewReader(nil)); err == nil {
		t.Error("a random source that ends is not seen")
	}
}

// FuzzKeyBlock: no text opens under a key that did not make it; a head that can be read can be written, and reads the same.
func FuzzKeyBlock(f *testing.F) {
	for _, r := range published(f) {
		if r.Fn == "tr31_unwrap" || r.Fn == "tr31_reject" {
			f.Add(r.In.Block)
		}
	}
	f.Add("B0056P0TE00N0400KS1800604B120F9292800000T104T20600PB0600")
	f.Add("E0024P0TE00N0100KS08AAAA")
	f.Fuzz(func(t *testing.T, block string) {
		for _, n := range [...]int{16, 24, 32} {
			if _, key, err := x9.UnwrapKeyBlock(bytes.Repeat([]byte{0x5A}, n), block); err == nil || key != nil {
				t.Errorf("%q opens", block)
			}
		}
		h, err := x9.ParseKeyBlockHeader(block)
		if err != nil || h.Check() != nil {
			return
		}
		size := map[byte]int{'A': 16, 'T': 16, 'D': 8}[h.Algorithm]
		again, err := x9.WrapKeyBlock(make([]byte, 16), h, make([]byte, max(size, 1)), 0, bytes.NewReader(make([]byte, 64)))
		if errors.Is(err, x9.ErrKey) || errors.Is(err, x9.ErrKeyBlock) {
			return // an AES key under a TDES version; a block that is as long as a block can be
		}
		got, err2 := x9.ParseKeyBlockHeader(again)
		if err != nil || err2 != nil || fmt.Sprint(got) != fmt.Sprint(h) {
			t.Errorf("%q written again: %q (%v, %v)", block, again, err, err2)
		}
	})
}
