package nexo

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// messageName is what names a message of a register: it has it for one message alone, for a while. A register may count its messages
// from 1 every week.
type messageName struct{ register, saleID, serviceID string }

func (c *call) name() messageName {
	return messageName{c.register.Name, c.header.SaleID, c.header.ServiceID}
}

// is says whether a transaction was asked for by the message.
func (n messageName) is(s terminal.Sale) bool {
	return s.Asked != nil && *s.Asked != terminal.Asked{} && messageName{s.Asked.Register, s.Asked.SaleID, s.Asked.ServiceID} == n
}

// A message's name stands for it on the day that it came and the two after it (UTC): longer than anybody waits for an answer.
const (
	day      = 24 * time.Hour
	daysBack = 2
)

// key is the idempotency key of a message that came on a day. It is a hash in letters, so that no key is too long, and none looks like
// a card number.
func (n messageName) key(at time.Time) string {
	sum := sha256.Sum256([]byte(n.saleID + "\x00" + n.serviceID + "\x00" + strconv.FormatInt(at.Unix()/int64(day/time.Second), 10)))
	letters := make([]byte, 0, 24)
	for _, b := range sum[:12] {
		letters = append(letters, 'a'+b>>4, 'a'+b&0x0F)
	}
	return people.ScopedKey(people.ECRPrefix+n.register, "nexo:"+string(letters))
}

// before is the transaction that a message has become already: the running one, or one of the journal. Without one the error is
// terminal.ErrNoSale, and key the one that it gets. The day to come is looked at too: somebody may have put the clock back.
func (h *handler) before(ctx context.Context, n messageName) (s terminal.Sale, key string, err error) {
	now := h.cfg.Clock()
	key = n.key(now)
	if current, runs := h.cfg.Lane.Current(); runs && n.is(current) {
		return current, current.Key, nil
	}
	for _, back := range []time.Duration{0, day, daysBack * day, -day} {
		k := n.key(now.Add(-back))
		if s, err = h.cfg.Journal.ByKey(ctx, k); err == nil {
			return s, k, nil
		}
		if !errors.Is(err, terminal.ErrNoSale) {
			return s, key, err
		}
	}
	return s, key, terminal.ErrNoSale
}

// same says whether a transaction was asked for in the same words. What follows from them (kind, amounts, the transaction before) is the
// lane's to compare.
func same(s terminal.Sale, asked *terminal.Asked) bool {
	return s.Asked != nil && asked != nil && *s.Asked == *asked
}

// pending is a message that is being carried out.
type pending struct {
	aborted bool // an Abort came for it
	waits   int  // how many wait for its answer
}

// enter says that a message is being carried out, and whether nobody else does that already.
func (h *handler) enter(n messageName) (p *pending, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p = h.pending[n]; p == nil {
		p = new(pending)
		h.pending[n] = p
	}
	p.waits++
	return p, p.waits == 1
}

func (h *handler) leave(n messageName, p *pending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.waits--; p.waits == 0 {
		delete(h.pending, n)
	}
}

func (h *handler) wasAborted(p *pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return p.aborted
}
