package secure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tillway/device/secure/x9"
)

// padKeyPeople is how many people have to bring the same key for a PIN pad.
const padKeyPeople = 2

// padLoadTime bounds the loading itself: the pad's answer to a command, repetitions included.
const padLoadTime = 30 * time.Second

// PadKey is one person's word that a PIN pad is to have the key in a key block. The block is under the pad's own transport key: the module
// passes it on and cannot open it.
type PadKey struct {
	Holder string
	Block  string // X9.143, usage B1, with its serial number (KS or IK)
}

// PadLoaded says how far the loading of a pad's key is. Check is set once the pad has taken the key, and is the pad's own word.
type PadLoaded struct {
	Have, Of    int
	KSN         []byte     // the key's first serial number, as the block has it in clear
	Fingerprint string     // of the block, for people to compare: the first 8 bytes of its SHA-256
	Check       CheckValue // of the key in the pad
}

// PadKeys loads the key under which a PIN pad enciphers PINs.
type PadKeys interface {
	// LoadPad takes one person's word. When a second person brings the same block within 15 minutes, it goes to the pad, which takes it
	// whole or keeps the key it has; nothing reaches the pad before. Errors: ErrNoPad, ErrKeyBlock, ErrUsage, ErrWeak, ErrDualControl,
	// ErrComponent for another block than the first person's, ErrBusy, and the pad's own.
	LoadPad(ctx context.Context, k PadKey) (PadLoaded, error)
}

// padLoading is a pad's key that waits for the second person; under File's mu.
type padLoading struct {
	block, holder string
	timer         *time.Timer
}

// LoadPad is PadKeys'.
func (f *File) LoadPad(ctx context.Context, k PadKey) (PadLoaded, error) {
	l, err := f.padBlock(k)
	if err != nil {
		return PadLoaded{}, fmt.Errorf("key for the PIN pad: %w", err)
	}
	if err := f.enter(ctx); err != nil {
		return PadLoaded{}, err
	}
	defer f.leave()
	first, err := f.secondWord(k)
	if err != nil {
		return PadLoaded{}, fmt.Errorf("key for the PIN pad: %w", err)
	}
	l.Have, l.Of = 1, padKeyPeople
	note := Event{Set: PadSet, Use: UsePIN.String(), Holder: k.Holder}
	if first == "" {
		note.What = "key for the PIN pad brought by the first of two, " + l.Fingerprint
		f.event(note)
		return l, nil
	}
	select {
	case f.pin <- struct{}{}: // no key changes while somebody enters a PIN
		defer func() { <-f.pin }()
	default:
		return PadLoaded{}, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, padLoadTime)
	defer cancel()
	defer context.AfterFunc(f.ended, cancel)()
	check, err := f.options.Pad.Load(ctx, k.Block)
	f.forgetPadKey()
	if err != nil {
		note.What = "key for the PIN pad not loaded, " + l.Fingerprint
		f.event(note)
		return PadLoaded{}, fmt.Errorf("key for the PIN pad: %w", err)
	}
	l.Have, l.Check = padKeyPeople, check
	note.What, note.Check, note.Holder = "key loaded into the PIN pad", string(check), first+" and "+k.Holder
	f.event(note)
	return l, nil
}

// padBlock reads what a block says in clear, and refuses what no pad may be given.
func (f *File) padBlock(k PadKey) (l PadLoaded, err error) {
	holder := strings.TrimSpace(k.Holder)
	switch {
	case f.options.Pad == nil:
		return l, ErrNoPad
	case holder == "" || len(k.Holder) > maxHolder:
		return l, fmt.Errorf("brought by nobody: %w", ErrDualControl)
	case len(k.Block) > maxBlock:
		return l, fmt.Errorf("%d characters: %w", len(k.Block), ErrKeyBlock)
	}
	h, err := x9.ParseKeyBlockHeader(k.Block)
	if err != nil {
		return l, fmt.Errorf("%w: %w", ErrKeyBlock, err)
	}
	switch err := h.Check(); {
	case err != nil:
		return l, fmt.Errorf("%w: %w", ErrUsage, err)
	case h.Version == 'A' || h.Version == 'C':
		return l, fmt.Errorf("key block of version %c: %w", h.Version, ErrWeak)
	case h.Usage != "B1" || !strings.ContainsRune("TA", rune(h.Algorithm)) || !strings.ContainsRune("XN", rune(h.Mode)):
		return l, fmt.Errorf("key block of usage %s, algorithm %c, mode %c, and a pad takes B1: %w", h.Usage, h.Algorithm, h.Mode, ErrUsage)
	}
	algorithm := TDES
	if h.Algorithm == 'A' {
		algorithm = AES128
	}
	sum := sha256.Sum256([]byte(k.Block))
	l.Fingerprint = strings.ToUpper(hex.EncodeToString(sum[:8]))
	l.KSN, err = baseOf(h, algorithm)
	return l, err
}

// secondWord takes a person's word. first is whose came before, of another person about the same block; empty: this is the first.
func (f *File) secondWord(k PadKey) (first string, err error) {
	holder := strings.ToLower(strings.Join(strings.Fields(k.Holder), " "))
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.padKey
	switch {
	case p == nil:
		p = &padLoading{block: k.Block, holder: holder}
		p.timer = time.AfterFunc(componentTime, func() { f.expirePadKey(p) })
		f.padKey = p
		return "", nil
	case p.holder == holder:
		return "", ErrDualControl
	case p.block != k.Block:
		return "", fmt.Errorf("%w: it is another key block than %s brought; compare the files, or pos keys abort %s", ErrComponent, p.holder, PadSet)
	}
	return p.holder, nil
}

// forgetPadKey drops what waits for the second person, and says whether something did.
func (f *File) forgetPadKey() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropPadKey()
}

// dropPadKey is forgetPadKey; under mu.
func (f *File) dropPadKey() bool {
	if f.padKey == nil {
		return false
	}
	f.padKey.timer.Stop()
	f.padKey = nil
	return true
}

// expirePadKey is the timer's.
func (f *File) expirePadKey(p *padLoading) {
	f.mu.Lock()
	gone := f.closed || f.padKey != p
	if !gone {
		f.padKey = nil
	}
	f.mu.Unlock()
	if !gone {
		f.event(Event{What: "key for the PIN pad timed out", Set: PadSet, Use: UsePIN.String()})
	}
}
