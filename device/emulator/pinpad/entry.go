package pinpad

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"tillway/device/secure/x9"
)

// texts of the prompts, in the languages that the pad has.
var texts = map[string]map[byte]string{
	"en": {1: "ENTER PIN", 2: "WRONG PIN. ENTER PIN AGAIN", 3: "LAST TRY. ENTER PIN"},
	"ar": {1: "أدخل الرقم السري", 2: "الرقم السري خطأ، أعد الإدخال", 3: "المحاولة الأخيرة، أدخل الرقم السري"},
}

// entry is one prompt that waits for a PIN.
type entry struct {
	order  order
	stop   context.CancelFunc
	digits atomic.Int32
}

func (e *entry) count() int { return int(e.digits.Load()) }

// order is what an entry was asked for.
type order struct {
	language                          string
	prompt, flags, tries, least, most byte
	timeout                           time.Duration
	amount                            string
	format                            byte
	pan                               string
	modulus, exponent                 []byte
	challenge                         [8]byte
}

var errOrder = errors.New("not an order for a PIN")

// parseOrder reads an order, and refuses what the pad has no text for.
func parseOrder(b []byte) (o order, err error) {
	take := func(n int) []byte {
		if err != nil || len(b) < n {
			err = errOrder
			return make([]byte, n)
		}
		v := b[:n]
		b = b[n:]
		return v
	}
	o.language = string(take(2))
	head := take(5)
	o.prompt, o.flags, o.tries, o.least, o.most = head[0], head[1], head[2], head[3], head[4]
	o.timeout = time.Duration(binary.BigEndian.Uint16(take(2))) * time.Second
	minor, exponent, currency := binary.BigEndian.Uint64(take(8)), take(1)[0], string(take(3))
	o.format = take(1)[0]
	o.pan = string(take(int(take(1)[0])))
	if o.flags&2 != 0 {
		o.modulus = append([]byte(nil), take(int(take(1)[0]))...)
		o.exponent = append([]byte(nil), take(int(take(1)[0]))...)
		copy(o.challenge[:], take(8))
	}
	known := texts[o.language][o.prompt] != "" && exponent <= 4 && strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	if err != nil || len(b) != 0 || !known || o.least < 4 || o.most > 12 || o.least > o.most || o.timeout <= 0 || o.timeout > 300*time.Second {
		return order{}, errOrder
	}
	if o.flags&2 == 0 && (len(o.pan) < 8 || len(o.pan) > 19 || strings.Trim(o.pan, "0123456789") != "") {
		return order{}, errOrder
	}
	o.amount = decimal(minor, int(exponent)) + " " + currency
	return o, nil
}

func decimal(minor uint64, exponent int) string {
	s := fmt.Sprintf("%0*d", exponent+1, minor)
	if exponent == 0 {
		return s
	}
	return s[:len(s)-exponent] + "." + s[len(s)-exponent:]
}

// enter shows a prompt. Under mu.
func (p *Pad) enter(s *session, b []byte) {
	o, err := parseOrder(b)
	switch {
	case err != nil:
		p.say(s, []byte{3, 4})
		return
	case o.flags&2 == 0 && p.pin == nil:
		p.say(s, []byte{3, 2})
		return
	case o.flags&2 == 0 && o.format != 0xFF && !p.pin.makes(o.format):
		p.say(s, []byte{3, 4})
		return
	}
	p.shown = append(p.shown, Shown{o.language, o.prompt, texts[o.language][o.prompt], o.amount, o.tries})
	ctx, stop := context.WithTimeout(p.life, o.timeout)
	e := &entry{order: o, stop: stop}
	s.entry = e
	p.say(s, []byte{2, 0})
	p.work.Go(func() {
		defer stop()
		p.collect(ctx, s, e)
	})
}

// collect presses the keys of the next script, and says how the entry ended.
func (p *Pad) collect(ctx context.Context, s *session, e *entry) {
	keys := p.script(ctx)
	var pin []byte
	defer func() { clear(pin) }()
	status := byte(4)
	for i := 0; i < len(keys) && status == 4; i++ {
		k, n := keys[i], len(pin)
		switch {
		case k >= '0' && k <= '9' && n < int(e.order.most):
			pin = append(pin, k)
		case k == 8 && n > 0:
			pin = pin[:n-1]
		case k == 0x1B:
			status = 3
		case e.order.flags&1 != 0 && (k == 'b' || k == '\r' && n == 0):
			status = 2
		case k == '\r' && n >= int(e.order.least):
			status = 1
		}
		if len(pin) != n && !p.progress(s, e, len(pin)) {
			return
		}
	}
	if status == 4 { // nothing more is pressed
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return // cancelled, unplugged, switched off: nobody is told
		}
	}
	p.finish(s, e, status, pin)
}

// script waits for the keys that are pressed.
func (p *Pad) script(ctx context.Context) string {
	for {
		p.mu.Lock()
		more := p.typed
		if len(p.scripts) > 0 {
			keys := p.scripts[0]
			p.scripts = p.scripts[1:]
			p.mu.Unlock()
			return keys
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ""
		}
	}
}

// progress tells how many digits are in; false when the entry is over.
func (p *Pad) progress(s *session, e *entry, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s || s.entry != e {
		return false
	}
	e.digits.Store(int32(n)) //nolint:gosec // at most twelve
	p.say(s, []byte{2, byte(n)})
	return true
}

// finish says how the entry ended, with the block.
func (p *Pad) finish(s *session, e *entry, status byte, pin []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s || s.entry != e {
		return
	}
	s.entry = nil
	end := []byte{1, status, 0xFF, 0, 0}
	if status == 1 {
		var format byte
		var ksn, block []byte
		var err error
		if o := e.order; o.flags&2 != 0 {
			format, block = 0xFF, make([]byte, len(o.modulus))
			err = x9.EncipherPINForCard(pin, o.modulus, o.exponent, o.challenge, rand.Reader, block)
		} else {
			format, ksn, block, err = p.pin.block(o.format, pin, o.pan)
		}
		switch {
		case errors.Is(err, x9.ErrExhausted):
			p.say(s, []byte{3, 3})
			return
		case err != nil:
			p.say(s, []byte{3, 4})
			return
		}
		end = append(append([]byte{1, 1, format, byte(len(ksn))}, ksn...), byte(len(block)))
		end = append(end, block...)
	}
	p.say(s, end)
}
