package secure

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// A ticket tells the socket for loading keys who is there: somebody who has logged in at the terminal with a role for keys. The
// module makes it on posd's word, and believes only what it made itself, in this run and a few minutes ago. In production
// nothing but the status is to be had at that socket without one, and a component's holder is the ticket's person: then two
// people have to have logged in. posd is trusted to ask for secrets; a posd that was taken over could lie about that.

// ticketTime is how long a ticket is good for: long enough to type a component.
const ticketTime = 5 * time.Minute

// maxTicket bounds a ticket's text.
const maxTicket = 256

// Tickets makes tickets for people who may load keys.
type Tickets interface {
	// Ticket makes one for somebody, good for five minutes and only for this run of the module. It opens the socket for
	// loading keys and nothing else. Error: ErrDualControl for a name that is none.
	Ticket(ctx context.Context, person string) (string, error)
}

// Gate is what the socket for loading keys asks.
type Gate interface {
	// Admit says whose a ticket is. Error: ErrTicket.
	Admit(ctx context.Context, ticket string) (person string, err error)

	// Closed says that nobody may load keys without a ticket.
	Closed() bool
}

// Ticket is Tickets'.
func (f *File) Ticket(ctx context.Context, person string) (text string, err error) {
	if person == "" || len(person) > maxHolder {
		return "", fmt.Errorf("name of %d bytes: %w", len(person), ErrDualControl)
	}
	body := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(ticketTime).Unix()))
	body = append(body, person...)
	err = f.within(ctx, func() error {
		text = base64.RawURLEncoding.EncodeToString(append(f.stamp(body), body...))
		return nil
	})
	return text, err
}

// Admit is Gate's.
func (f *File) Admit(ctx context.Context, ticket string) (person string, err error) {
	all, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(ticket) > maxTicket || len(all) <= sha256.Size+8 {
		return "", ErrTicket
	}
	stamp, body := all[:sha256.Size], all[sha256.Size:]
	err = f.within(ctx, func() error {
		if !hmac.Equal(stamp, f.stamp(body)) {
			return ErrTicket
		}
		return nil
	})
	until := binary.BigEndian.Uint64(body)
	if now := uint64(time.Now().Unix()); err == nil && (now >= until || until > now+uint64(ticketTime/time.Second)) {
		err = ErrTicket // too old, or of a time that the clock was put back from
	}
	if err != nil {
		return "", err
	}
	return string(body[8:]), nil
}

// Closed is Gate's.
func (f *File) Closed() bool { return f.options.Production }

// stamp is what makes a ticket the module's own. Within within.
func (f *File) stamp(body []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := hmac.New(sha256.New, f.tickets)
	m.Write([]byte("tillway ticket for loading keys 1 "))
	m.Write(body)
	return m.Sum(nil)
}
