package nexo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tillway/terminal/people"
)

// keyName is how a message names a key.
type keyName struct {
	identifier string
	version    int
}

// knownKey is a key that was asked for before: derived, and whose it is.
type knownKey struct {
	keys     *keys
	register people.ECR
}

// maxKnown bounds the derived keys that are kept: registers times versions in use.
const maxKnown = 256

// The reasons why nobody is recognised, each what a real register's programmer needs to know.
var (
	errNobody     = errors.New("this is nobody's message: encipher it, or show the cash register's token in X-API-Key")
	errToken      = errors.New("the token in X-API-Key is of no cash register, or was revoked")
	errIdentifier = errors.New("unknown KeyIdentifier: it is the cash register's name")
	errKeyVersion = errors.New("unknown KeyVersion")
	errRetired    = errors.New("this KeyVersion was retired")
	errRevoked    = errors.New("the cash register's access was revoked")
	errKeyFault   = errors.New("the key cannot be read: call support")
)

// identify finds out whose a message is, and deciphers it: an enciphered one is its key's, one in clear its token's. The errors are
// sentences for the register's programmer.
func (h *handler) identify(r *http.Request, c *call) error {
	if c.trailer == nil {
		token := r.Header.Get("X-Api-Key")
		if token == "" {
			return errNobody
		}
		register, err := h.cfg.Registers.ByToken(r.Context(), token)
		if errors.Is(err, people.ErrECRToken) {
			return errToken
		}
		c.register = register
		return err
	}
	k, err := h.key(r.Context(), keyName{c.trailer.KeyIdentifier, c.trailer.KeyVersion})
	if err != nil {
		return err
	}
	plain, err := k.keys.open(c.blob, *c.trailer)
	if err != nil {
		return err
	}
	inner, err := parse(plain)
	if err != nil {
		return fmt.Errorf("inside the envelope: %w", err)
	}
	if inner.trailer != nil {
		return errors.New("inside the envelope there is another one")
	}
	inner.trailer, c.keys, c.register = c.trailer, k.keys, k.register
	c.envelope = inner
	return nil
}

// key is what a name stands for. Derived keys are kept in memory until any register changes: deriving one takes milliseconds and opening
// its passphrase a talk with the secure module.
func (h *handler) key(ctx context.Context, name keyName) (knownKey, error) {
	h.mu.Lock()
	select {
	case <-h.changed:
		clear(h.known)
		h.changed = nil
	default:
	}
	if h.changed == nil { // before the register is read: what changes from here on is noticed
		h.changed = h.cfg.Registers.Changed()
	}
	changed := h.changed
	k, ok := h.known[name]
	h.mu.Unlock()
	if ok {
		return k, nil
	}
	passphrase, register, err := h.cfg.Registers.NexoKey(ctx, name.identifier, name.version)
	if err != nil {
		return k, h.keyError(err)
	}
	defer passphrase.Clear()
	derived, err := derive(passphrase.Bytes())
	if err != nil {
		return k, h.keyError(err)
	}
	k = knownKey{derived, register}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) < maxKnown && changed == h.changed {
		h.known[name] = k
	}
	return k, nil
}

func (h *handler) keyError(err error) error {
	switch {
	case errors.Is(err, people.ErrNoECR):
		return errIdentifier
	case errors.Is(err, people.ErrNoNexoKey):
		return errKeyVersion
	case errors.Is(err, people.ErrRetired):
		return errRetired
	case errors.Is(err, people.ErrRevoked):
		return errRevoked
	}
	h.cfg.Log.Error("nexo: a cash register's key cannot be read", "err", err)
	return errKeyFault
}

// maxRefusals is how many refusals a minute are audited one by one, so that nobody fills the disk with them. The rest are counted in
// the next row.
const maxRefusals = 30

// refusals counts them.
type refusals struct {
	began time.Time
	count int
	left  int
}

// note says whether a refusal is written, and how many before it were not.
func (r *refusals) note(now time.Time) (write bool, left int) {
	if now.Sub(r.began) >= time.Minute || now.Before(r.began) {
		r.began, r.count = now, 0
	}
	if r.count++; r.count > maxRefusals {
		r.left++
		return false, 0
	}
	left, r.left = r.left, 0
	return true, left
}

// unknown writes down that a message was nobody's.
func (h *handler) unknown(ctx context.Context, why error) {
	h.mu.Lock()
	write, left := h.refusals.note(h.cfg.Clock())
	h.mu.Unlock()
	if !write {
		return
	}
	note := "a nexo message was refused: " + why.Error()
	if left > 0 {
		note = fmt.Sprintf("%s; %d more refusals before it were not written", note, left)
	}
	entry := people.Entry{Actor: people.Nobody, Event: people.EventRefused, Result: people.Denied, Note: people.Note("%s", note)}
	if err := h.cfg.Audit(context.WithoutCancel(ctx), entry); err != nil {
		h.cfg.Log.Error("nexo: a refusal was not audited", "err", err)
	}
}
