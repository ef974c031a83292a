package till

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tillway/terminal/people"
)

// ECRStore is where cash registers are kept (store.Store). What PutECR returns nil for is on disk.
type ECRStore interface {
	// ECR finds one by name; errors people.ErrNoECR, terminal.ErrQuarantined.
	ECR(ctx context.Context, name string) (people.ECR, error)
	// ECRs are all.
	ECRs(ctx context.Context) ([]people.ECR, error)
	// PutECR writes a record and why, in one commit; errors people.ErrExists, people.ErrTooManyECRs.
	PutECR(ctx context.Context, e people.ECR, entries ...people.Entry) error
	// SealPassphrase seals an ECR's passphrase for one version, OpenPassphrase is its inverse.
	SealPassphrase(ctx context.Context, name string, version int, p people.Passphrase) ([]byte, error)
	OpenPassphrase(ctx context.Context, name string, version int, sealed []byte) (people.Passphrase, error)
}

// RegistersConfig is what Registers are made of. Store is needed.
type RegistersConfig struct {
	Store ECRStore
	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

// Registers are the electronic cash registers that may ask for payments over the network: who they are, by token and by nexo key, and
// how an administrator makes and changes them. What they are is kept in memory as well as in the store, because every request asks; all
// changes come through here. Safe for concurrent use.
type Registers struct {
	cfg  RegistersConfig
	turn chan struct{} // one slot: who changes a record

	mu      sync.Mutex // guards what follows
	all     map[string]people.ECR
	changed chan struct{} // closed, and another put in its place, when any record changes
	told    func()        // called then; nil: nobody wants to know
}

// NewRegisters reads those of the store. One in quarantine is left out: its token is nobody's until the record is mended.
func NewRegisters(ctx context.Context, cfg RegistersConfig) (*Registers, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registers{cfg: cfg, turn: make(chan struct{}, 1), all: map[string]people.ECR{}, changed: make(chan struct{})}
	all, err := cfg.Store.ECRs(ctx)
	if err != nil {
		return nil, fmt.Errorf("cash registers: %w", err)
	}
	for _, e := range all {
		r.all[e.Name] = e
	}
	return r, nil
}

// ByToken finds the ECR of a token, also of one that was replaced and goes on for a while. It compares with every ECR's, so that its
// time tells nothing. Error: people.ErrECRToken, for a token that was revoked too.
func (r *Registers) ByToken(_ context.Context, token string) (people.ECR, error) {
	t, ok := people.ParseToken(token)
	if !ok {
		return people.ECR{}, people.ErrECRToken
	}
	sum, now := t.Sum(), r.cfg.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found people.ECR
	for _, e := range r.all {
		if e.Takes(sum, now) {
			found = e
		}
	}
	if found.Name == "" {
		return found, people.ErrECRToken
	}
	return found, nil
}

// NexoKey is the passphrase that a nexo message names by its KeyIdentifier, an ECR's name, and its KeyVersion. The caller wipes it
// with Clear once keys are derived. Errors: people.ErrNoECR, people.ErrRevoked, people.ErrNoNexoKey, people.ErrRetired,
// terminal.ErrQuarantined.
func (r *Registers) NexoKey(ctx context.Context, identifier string, version int) (people.Passphrase, people.ECR, error) {
	r.mu.Lock()
	e, there := r.all[identifier]
	r.mu.Unlock()
	if !there {
		return people.Passphrase{}, e, people.ErrNoECR
	}
	sealed, err := e.Sealed(version)
	if err != nil {
		return people.Passphrase{}, e, err
	}
	p, err := r.cfg.Store.OpenPassphrase(ctx, e.Name, version, sealed)
	return p, e, err
}

// Changed is closed when any ECR changes: whoever serves one for long asks ByToken again then.
func (r *Registers) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// whenChanged has a function called whenever any ECR has changed.
func (r *Registers) whenChanged(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = f
}

// Add makes an ECR and its token, which is shown once. No rights: the default ones. by is who adds it, for the audit log. Errors:
// people.ErrECRName, people.ErrGrant, people.ErrExists, people.ErrTooManyECRs.
func (r *Registers) Add(ctx context.Context, by, name string, may []people.Action) (people.ECR, people.Token, error) {
	if len(may) == 0 {
		may = people.DefaultGrants()
	}
	token, now := freshToken(), r.cfg.Clock()
	e := people.ECR{V: people.ECRRecordVersion, Name: name, May: may, Token: token.Sum(), Added: now, Changed: now}
	if err := e.Check(); err != nil {
		return e, people.Token{}, err
	}
	e, err := r.put(ctx, by, e, "added; it may: %s", actionWords(may))
	return e, token, err
}

// Rotate gives an ECR a new token; the one before is taken for overlap longer. Errors: people.ErrNoECR, people.ErrRevoked,
// people.ErrOverlap.
func (r *Registers) Rotate(ctx context.Context, by, name string, overlap time.Duration) (people.ECR, people.Token, error) {
	token := freshToken()
	e, err := r.change(ctx, by, name, func(e people.ECR, now time.Time) (people.ECR, string, error) {
		note := "has a new token; the one before has ended"
		if overlap > 0 {
			note = "has a new token; the one before ends after " + overlap.String()
		}
		e, err := e.Rotate(token.Sum(), overlap, now)
		return e, note, err
	})
	return e, token, err
}

// Revoke ends an ECR's access at once and for good. Error: people.ErrNoECR.
func (r *Registers) Revoke(ctx context.Context, by, name string) (people.ECR, error) {
	return r.change(ctx, by, name, func(e people.ECR, now time.Time) (people.ECR, string, error) {
		return e.Revoke(now), "revoked: its token and its nexo keys have ended", nil
	})
}

// AddNexoKey gives an ECR a passphrase under its next version, which it returns. Errors: people.ErrNoECR, people.ErrRevoked,
// people.ErrNexoKeys.
func (r *Registers) AddNexoKey(ctx context.Context, by, name string, p people.Passphrase) (e people.ECR, version int, err error) {
	e, err = r.change(ctx, by, name, func(e people.ECR, now time.Time) (people.ECR, string, error) {
		var err error
		if version, err = e.NextNexoVersion(); err != nil {
			return e, "", err
		}
		sealed, err := r.cfg.Store.SealPassphrase(ctx, name, version, p)
		if err != nil {
			return e, "", err
		}
		e, err = e.WithNexoKey(sealed, now)
		return e, fmt.Sprintf("has nexo key version %d", version), err
	})
	return e, version, err
}

// RetireNexoKey ends one version. Errors: people.ErrNoECR, people.ErrNoNexoKey, people.ErrRetired.
func (r *Registers) RetireNexoKey(ctx context.Context, by, name string, version int) (people.ECR, error) {
	return r.change(ctx, by, name, func(e people.ECR, now time.Time) (people.ECR, string, error) {
		e, err := e.Retire(version, now)
		return e, fmt.Sprintf("nexo key version %d is retired", version), err
	})
}

// List are all ECRs, by name.
func (r *Registers) List(ctx context.Context) ([]people.ECR, error) { return r.cfg.Store.ECRs(ctx) }

// change reads a record, changes it and puts it back.
func (r *Registers) change(
	ctx context.Context, by, name string, how func(people.ECR, time.Time) (people.ECR, string, error),
) (people.ECR, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return people.ECR{}, ctx.Err()
	}
	e, err := r.cfg.Store.ECR(ctx, name)
	if err != nil {
		return e, err
	}
	e, note, err := how(e, r.cfg.Clock())
	if err != nil {
		return e, err
	}
	return r.put(ctx, by, e, "%s", note)
}

// put writes a record and why, and takes it over. Whatever becomes of the request, the two are the same afterwards.
func (r *Registers) put(ctx context.Context, by string, e people.ECR, format string, args ...any) (people.ECR, error) {
	ctx = context.WithoutCancel(ctx)
	entry := people.Entry{Actor: by, Event: people.EventECR, Person: e.Actor(), Result: people.Done, Note: people.Note(e.Actor()+" "+format, args...)}
	failed := r.cfg.Store.PutECR(ctx, e, entry)
	kept, err := r.cfg.Store.ECR(ctx, e.Name)
	if err == nil {
		r.mu.Lock()
		r.all[e.Name] = kept
		close(r.changed)
		r.changed = make(chan struct{})
		told := r.told
		r.mu.Unlock()
		if told != nil {
			told()
		}
	}
	if failed != nil {
		return e, failed
	}
	return kept, err
}

func freshToken() people.Token {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return people.NewToken(random)
}

func actionWords(may []people.Action) string {
	text := make([]string, len(may))
	for i, a := range may {
		text[i] = string(a)
	}
	return strings.Join(text, ", ")
}
