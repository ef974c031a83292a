package main

import (
	"context"
	"encoding/binary"
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

	mu    sync.Mutex // guards what follows
	last  []keptMessage
	names map[string]string // every field's name once, by itself
}

// keptMessage is a till.Message in little memory: a thousand of those with their two maps are some megabytes.
type keptMessage struct {
	till.Message // without Fields and Names

	packed string   // the fields' numbers and values, each behind its length
	names  []string // of the fields, in the order of packed; the strings are shared
}

// keep makes a message small. The caller holds mu.
func (m *messages) keep(one till.Message, rows []iso8583.Row) keptMessage {
	if len(rows) == 0 {
		return keptMessage{Message: one}
	}
	if m.names == nil {
		m.names = map[string]string{}
	}
	var packed []byte
	names := make([]string, len(rows))
	for i, row := range rows {
		for _, s := range []string{strconv.Itoa(row.Number), one.Fields[strconv.Itoa(row.Number)]} {
			packed = append(binary.AppendUvarint(packed, uint64(len(s))), s...)
		}
		if m.names[row.Name] == "" {
			m.names[row.Name] = row.Name
		}
		names[i] = m.names[row.Name]
	}
	one.Fields, one.Names = nil, nil
	return keptMessage{one, string(packed), names}
}

// whole is the message as it was.
func (k keptMessage) whole() till.Message {
	one, rest := k.Message, k.packed
	if len(k.names) == 0 {
		return one
	}
	next := func() string {
		n, head := binary.Uvarint([]byte(rest))
		s := rest[head : head+int(n)]
		rest = rest[head+int(n):]
		return s
	}
	one.Fields, one.Names = make(map[string]string, len(k.names)), make(map[string]string, len(k.names))
	for _, name := range k.names {
		number := next()
		one.Fields[number], one.Names[number] = next(), name
	}
	return one
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
			found = append(found, one.whole())
		}
	}
	return found
}

func (m *messages) add(from string, codec *iso8583.Codec, log *slog.Logger, message []byte) {
	one := till.Message{Time: m.clock(), From: from, Bytes: len(message)}
	d, err := codec.Describe(message, false)
	if err != nil {
		one.Note = "not of this dialect: " + err.Error()
	} else {
		trace, _ := strconv.ParseUint(d.Fields["11"], 10, 32) // without one it belongs to no sale
		one.STAN, one.MTI, one.Fields = uint32(trace), d.MTI, d.Fields
	}
	if ctx := context.Background(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "message", "from", from, "mti", one.MTI, "stan", one.STAN, "bytes", one.Bytes, "fields", one.WithoutPrivate().Fields, "note", one.Note)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last = append(m.last, m.keep(one, d.Rows)); len(m.last) > maxMessages {
		m.last[0] = keptMessage{} // or it stays in memory until the slice is made anew
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
