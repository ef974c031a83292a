package main

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"tillway/iso8583"
	"tillway/terminal/lane"
	"tillway/till"
)

// maxMessages is how many messages are remembered: those of some hundred sales.
const maxMessages = 1_000

// messages are the last that went between terminal and host, as people may see them: masked. They are in memory alone, since posd
// started: what a certifier asks for after a test case, and nothing that a till needs. A nil *messages remembers nothing.
type messages struct {
	clock func() time.Time

	mu   sync.Mutex // guards last
	last []till.Message
}

// newMessages remembers messages where transcripts are kept, for they belong to them.
func newMessages(transcripts *transcripts, clock func() time.Time) *messages {
	if transcripts == nil {
		return nil
	}
	return &messages{clock: clock}
}

// record puts itself between the owner and its link.
func (m *messages) record(l lane.Link, codec *iso8583.Codec, log *slog.Logger) lane.Link {
	if m == nil {
		return l
	}
	return recordedLink{l, m, codec, log}
}

// Messages implements till.Messages.
func (m *messages) Messages(traces []uint32, since time.Time) (found []till.Message) {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.last {
		if slices.Contains(traces, one.STAN) && !one.Time.Before(since) {
			found = append(found, one)
		}
	}
	return found
}

func (m *messages) add(from string, codec *iso8583.Codec, log *slog.Logger, message []byte) {
	one := till.Message{Time: m.clock(), From: from, Bytes: len(message)}
	if d, err := codec.Describe(message, false); err != nil {
		one.Note = "not of this dialect: " + err.Error()
	} else {
		trace, _ := strconv.ParseUint(d.Fields["11"], 10, 32) // without one it belongs to no sale
		one.STAN, one.MTI, one.Fields, one.Names = uint32(trace), d.MTI, d.Fields, map[string]string{}
		for _, row := range d.Rows {
			one.Names[strconv.Itoa(row.Number)] = row.Name
		}
	}
	if ctx := context.Background(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "message", "from", from, "mti", one.MTI, "stan", one.STAN, "bytes", one.Bytes, "fields", one.WithoutPrivate().Fields, "note", one.Note)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last = append(m.last, one); len(m.last) > maxMessages {
		m.last = m.last[1:]
	}
}

// recordedLink is a link whose messages and answers are remembered. An answer counts that the link took for one; of what it put aside the
// journal says what it was.
type recordedLink struct {
	lane.Link

	to    *messages
	codec *iso8583.Codec
	log   *slog.Logger
}

// Exchange is lane.Link's.
func (l recordedLink) Exchange(ctx context.Context, message []byte) (answer []byte, sent bool, err error) {
	answer, sent, err = l.Link.Exchange(ctx, message)
	if sent {
		l.to.add(till.FromTerminal, l.codec, l.log, message)
	}
	if answer != nil {
		l.to.add(till.FromHost, l.codec, l.log, answer)
	}
	return answer, sent, err
}

// Pipeline is lane.Link's.
func (l recordedLink) Pipeline(ctx context.Context, messages [][]byte) (answers [][]byte, sent int, err error) {
	answers, sent, err = l.Link.Pipeline(ctx, messages)
	for i, message := range messages[:sent] {
		l.to.add(till.FromTerminal, l.codec, l.log, message)
		if i < len(answers) && answers[i] != nil {
			l.to.add(till.FromHost, l.codec, l.log, answers[i])
		}
	}
	return answers, sent, err
}
