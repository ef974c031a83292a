package link

import (
	"context"
	"fmt"

	"tillway/iso8583"
)

// Pipeline sends messages (frames without their length) in order, without waiting for an answer in between, and gives each the
// answer that matches it: answers[i] is the answer to messages[i], or nil. The host may answer in any order. sent is how many of
// them, from the first on, may have left. With the first that is not answered in time, or cannot be sent, the connection ends, and
// what is not answered by then is not answered at all: err says why. Every answer has AnswerTimeout from the one before. Errors as
// Exchange's; two messages that one answer would match are ErrBusy, and nothing is sent.
func (s *Session) Pipeline(ctx context.Context, messages [][]byte) (answers [][]byte, sent int, err error) {
	c := s.current()
	if c == nil {
		return nil, 0, ErrNotConnected
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, fmt.Errorf("before sending: %w", err)
	}
	requests, frames := make([]*iso8583.Message, len(messages)), make([][]byte, len(messages))
	for i, message := range messages {
		if requests[i], err = s.cfg.Codec.Unpack(message); err == nil {
			frames[i], err = s.cfg.Framing.Append(nil, message)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("message %d of %d to send: %w", i+1, len(messages), err)
		}
	}
	waiters, err := c.expect(requests...)
	if err != nil {
		return nil, 0, err
	}
	for i, frame := range frames {
		sent = i + 1
		if err = c.write(ctx, frame); err != nil {
			err = fmt.Errorf("send %s, %d of %d: %w", requests[i].MTI(), i+1, len(messages), err)
			break
		}
	}
	answers = make([][]byte, len(messages))
	for i, w := range waiters {
		if err != nil { // the connection ends, and what came is taken
			c.giveUp(w, true)
			answers[i] = w.came()
			continue
		}
		if answers[i], err = c.await(ctx, w); err != nil {
			err = fmt.Errorf("answer to %s, %d of %d: %w", requests[i].MTI(), i+1, len(messages), err)
		}
	}
	return answers, sent, err
}

// came is the answer that is there already, or nil.
func (w *waiter) came() []byte {
	select {
	case r := <-w.result:
		return r.frame
	default:
		return nil
	}
}
