package secure

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"tillway/device/secure/x9"
)

// Bounds of a PIN entry.
const (
	maxAmount   = 32
	maxLanguage = 2
	maxEntry    = 5 * time.Minute
	maxPresses  = 256 // keys pressed in one entry
)

// check bounds a request and fills in what it leaves open.
func (r *PINRequest) check() error {
	if r.Min == 0 {
		r.Min = x9.MinPIN
	}
	if r.Max == 0 {
		r.Max = x9.MaxPIN
	}
	switch {
	case r.Card == nil && checkName(r.Set) != nil:
		return fmt.Errorf("set %q: %w", r.Set, ErrName)
	case r.Card == nil && !digits(string(r.PAN), 8, 19):
		return ErrPAN
	case len(r.Language) > maxLanguage:
		return fmt.Errorf("language of %d letters: %w", len(r.Language), ErrRequest)
	case len(r.Amount) > maxAmount || r.Timeout <= 0 || r.Timeout > maxEntry || r.Format > Format4:
		return fmt.Errorf("amount of %d bytes, %v to enter: %w", len(r.Amount), r.Timeout, ErrRequest)
	case r.Min < x9.MinPIN || r.Max > x9.MaxPIN || r.Min > r.Max:
		return fmt.Errorf("PIN of %d to %d digits: %w", r.Min, r.Max, ErrRequest)
	case r.Card != nil && x9.CheckCardKey(r.Card.Modulus, r.Card.Exponent) != nil:
		return fmt.Errorf("card key of %d bytes: %w", len(r.Card.Modulus), ErrRequest)
	}
	return nil
}

// EnterPIN is PINPad's. The digits are in the arena from the first key to the block; the counter moves only when there is
// a PIN to encipher.
func (f *File) EnterPIN(ctx context.Context, r PINRequest) (PINResult, error) {
	if err := r.check(); err != nil {
		return PINResult{}, err
	}
	if err := f.enter(ctx); err != nil {
		return PINResult{}, err
	}
	defer f.leave()
	if f.options.Keypad == nil && f.options.Pad == nil {
		return PINResult{}, ErrNoPad
	}
	if r.Card == nil && f.options.Pad == nil {
		if err := f.canEncipher(&r); err != nil {
			return PINResult{}, err
		}
	}
	select {
	case f.pin <- struct{}{}:
		defer func() { <-f.pin }()
	default:
		return PINResult{}, ErrBusy
	}
	if f.options.Pad != nil {
		return f.enterAtPad(ctx, r)
	}
	pin, err := f.memory.alloc(x9.MaxPIN)
	if err != nil {
		return PINResult{}, err
	}
	defer f.memory.release(pin)
	keys, n, status, err := f.collect(ctx, r, pin)
	var result PINResult
	if err == nil {
		result, err = f.result(ctx, r, pin[:n], status)
	}
	if keys != nil {
		err = errors.Join(err, keys.Close(result.Status))
	}
	if err != nil {
		return PINResult{}, err
	}
	return result, nil
}

// canEncipher refuses before anybody is asked for a PIN that could not be sent.
func (f *File) canEncipher(r *PINRequest) error {
	f.mu.Lock()
	k := f.content.keys[keyName(r.Set, UsePIN)]
	f.mu.Unlock()
	if k == nil {
		return fmt.Errorf("PIN key of %q: %w", r.Set, ErrNoKey)
	}
	if r.Format == FormatByKey {
		r.Format = Format4
		if k.algorithm == TDES {
			r.Format = Format0
		}
	}
	if (r.Format == Format4) == (k.algorithm == TDES) {
		return fmt.Errorf("format %s under a %s key: %w", r.Format, k.algorithm, ErrUsage)
	}
	return nil
}

// collect shows the prompt and reads keys into pin until the entry ends.
func (f *File) collect(ctx context.Context, r PINRequest, pin []byte) (keys Keystrokes, n int, status PINStatus, err error) {
	entry, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	defer context.AfterFunc(f.ended, cancel)()
	over := func(err error) (PINStatus, error) { // the entry's own time, or the caller's, or the module's
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case f.ended.Err() != nil:
			return 0, ErrClosed
		case entry.Err() != nil:
			return PINTimedOut, nil
		case errors.Is(err, io.EOF):
			return PINCancelled, nil
		}
		return 0, fmt.Errorf("PIN entry: %w", err)
	}
	p := Prompt{Amount: r.Amount, Retry: r.Retry, Tries: r.Tries, Min: r.Min, Max: r.Max, Bypass: r.Bypass}
	if f.options.OnScreen != "" {
		p.Insecure = "DEVELOPMENT ONLY: never enter a real card's PIN on this screen"
	}
	if keys, err = f.options.Keypad.Open(entry, p); err != nil {
		status, err = over(err)
		return nil, 0, status, err
	}
	for range maxPresses {
		k, err := keys.Key(entry)
		if err != nil {
			status, err = over(err)
			return keys, 0, status, err
		}
		switch {
		case k >= '0' && k <= '9' && n < r.Max:
			pin[n] = k
			n++
		case k == KeyClear && n > 0:
			n--
			pin[n] = 0
		case k == KeyCancel:
			return keys, 0, PINCancelled, nil
		case r.Bypass && (k == KeyBypass || k == KeyEnter && n == 0):
			return keys, 0, PINBypassed, nil
		case k == KeyEnter && n >= r.Min:
			return keys, n, PINEntered, nil
		default:
			continue
		}
		if r.Progress != nil {
			r.Progress(n)
		}
	}
	return keys, 0, PINCancelled, nil
}

// result enciphers what was entered.
func (f *File) result(ctx context.Context, r PINRequest, pin []byte, status PINStatus) (PINResult, error) {
	if status != PINEntered {
		return PINResult{Status: status}, nil
	}
	var err error
	if r.Card != nil {
		block := make([]byte, len(r.Card.Modulus))
		guarded(func() {
			err = x9.EncipherPINForCard(pin, r.Card.Modulus, r.Card.Exponent, r.Card.Challenge, rand.Reader, block)
		})
		return PINResult{Status: status, Block: block}, err
	}
	l, err := f.NextKey(ctx, r.Set, UsePIN)
	if err != nil {
		return PINResult{}, err
	}
	block, n := make([]byte, 16), 0
	err = f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		held, err := f.lease(l, UsePIN)
		if err != nil {
			return err
		}
		defer f.drop(l.ID)
		n, err = held.pinBlock(r.Format, pin, string(r.PAN), block)
		return err
	})
	return PINResult{Status: status, Lease: l, Block: block[:n], Format: r.Format}, err
}

// pinBlock writes an enciphered PIN block and says how long it is. Within guarded.
func (l *lease) pinBlock(format PINFormat, pin []byte, pan string, out []byte) (int, error) {
	key := l.key
	if l.of.scheme == dukptScheme {
		var err error
		if key, err = l.working(x9.TDESPIN, x9.AESPIN); err != nil {
			return 0, err
		}
		defer clear(key)
	}
	if format == Format4 {
		var random [8]byte
		rand.Read(random[:])
		block, err := x9.EncryptPINBlock4(key, pin, pan, random)
		return copy(out, block[:]), err
	}
	kind := map[PINFormat]x9.PINFormat{Format0: x9.PINFormat0, Format3: x9.PINFormat3}[format]
	fill, err := x9.PINFill(kind, len(pin), rand.Reader)
	if err != nil {
		return 0, err
	}
	clearBlock, err := x9.EncodePINBlock(kind, pin, pan, fill)
	if err != nil {
		return 0, err
	}
	defer clear(clearBlock[:])
	block, err := x9.EncryptECB(key, clearBlock[:])
	return copy(out, block), err
}
