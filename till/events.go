package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// Bounds of event streams.
const (
	MaxStreams   = 32               // open at a time, over all doors
	ecrStreams   = 16               // of them for cash registers, so that a screen always finds a place
	streamRows   = 100              // rows read at a time
	streamBeat   = 10 * time.Second // between two signs of life
	streamWithin = 5 * time.Second  // an event has to be taken, or its client is dropped
)

// StateEvent is the data of an event "state": the first of every stream, and again whenever it says something else.
type StateEvent struct {
	Snapshot terminal.Snapshot `json:"snapshot"`
	Printer  *PrinterStatus    `json:"printer,omitempty"`
	Training bool              `json:"training"`
}

// stream is one client's: a place in the journal, and what it was told last. Nothing waits for it in memory.
type stream struct {
	h      *handler
	w      http.ResponseWriter
	out    *http.ResponseController
	caller caller
	rows   bool   // it may see the journal
	after  int64  // the last row that it has
	state  []byte // the last state that it has
	beat   time.Time
}

// events streams what happens (text/event-stream): the state at every change, and with the right to the journal its rows, each once,
// by their sequence. A client that comes back says which row it had last; one that takes too long is dropped.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	snap := h.cfg.Lane.Snapshot()
	after, err := lastEvent(r, snap.Journal)
	c := h.cfg.Access.who(r)
	leave := func() {}
	if err == nil {
		if leave, err = h.place(c); err != nil {
			w.Header().Set("Retry-After", "5")
		}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer leave()
	s := &stream{
		h: h, w: w, out: http.NewResponseController(w), caller: c, after: after, beat: time.Now(),
		rows: h.cfg.Access.verdict(c, people.Journal) == people.Allowed,
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if err := s.follow(r.Context(), snap); err != nil && r.Context().Err() == nil {
		h.cfg.Log.Info("till: an event stream was dropped", "caller", c.name, "err", err)
	}
}

// place takes one of the places for streams.
func (h *handler) place(c caller) (leave func(), err error) {
	all, ecrs := h.streams.Add(1), int32(0)
	leave = func() { h.streams.Add(-1) }
	if c.ecr != "" {
		ecrs = h.theirs.Add(1)
		leave = func() { h.streams.Add(-1); h.theirs.Add(-1) }
	}
	if all > MaxStreams || ecrs > ecrStreams {
		leave()
		return nil, request(http.StatusServiceUnavailable, "too_many_streams", "Too many screens follow this terminal",
			"Close one, and try again.", "%d event streams may be open, %d of them cash registers'", MaxStreams, ecrStreams)
	}
	return leave, nil
}

// lastEvent is the row that a client had last: of the header Last-Event-ID, or of after; without either, the newest. One that is ahead
// has known another journal, and goes on with what is new.
func lastEvent(r *http.Request, newest int64) (int64, error) {
	if s := r.Header.Get("Last-Event-ID"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return 0, request(http.StatusBadRequest, "bad_query", "The header is not right", "Send the id of the last row event as Last-Event-ID.", "Last-Event-ID is no row's number")
		}
		return min(n, newest), nil
	}
	n, err := number(r, "after", 0, 1<<63-1, newest)
	return min(n, newest), err
}

// follow sends until the client or the terminal goes, or the session ends.
func (s *stream) follow(ctx context.Context, snap terminal.Snapshot) error {
	for {
		if !s.h.cfg.Access.stays(ctx, s.caller) {
			return s.send("event: bye\ndata: {}\n\n")
		}
		if err := s.tell(ctx, snap); err != nil {
			return err
		}
		look, stop := context.WithTimeout(ctx, lookEvery)
		s.h.waken(look, stop)
		forget := s.h.cfg.Access.whenEnded(stop)
		next, err := s.h.cfg.Lane.Watch(look, snap.Version)
		forget()
		stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			next = s.h.cfg.Lane.Snapshot() // reader, host, queue and printer are no part of its version
		case err != nil:
			return err
		}
		snap = next
	}
}

// tell sends what the client does not know yet, and a sign of life where there was nothing for a while.
func (s *stream) tell(ctx context.Context, snap terminal.Snapshot) error {
	body, err := json.Marshal(StateEvent{s.h.shownTo(s.caller, snap), s.h.printerStatus(), snap.Training}) // of one moment: no real sale is shown as training, or the other way round
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if string(body) != string(s.state) {
		if err := s.send("event: state\ndata: " + string(body) + "\n\n"); err != nil {
			return err
		}
		s.state = body
	}
	for s.rows && s.after < snap.Journal {
		before := s.after
		rows, err := s.h.cfg.Journal.Rows(ctx, before, streamRows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			body, err := json.Marshal(s.h.localRow(s.caller, row))
			if err != nil {
				return fmt.Errorf("row %d: %w", row.Seq, err)
			}
			if err := s.send(fmt.Sprintf("event: row\nid: %d\ndata: %s\n\n", row.Seq, body)); err != nil {
				return err
			}
			s.after = row.Seq
		}
		s.after = max(s.after, min(before+streamRows, snap.Journal)) // rows have no gaps: those that are not there are in quarantine
	}
	if time.Since(s.beat) >= streamBeat {
		return s.send(": still here\n\n")
	}
	return nil
}

// pulsing is a lane that says when queue or link have changed (terminal/lane.Lane).
type pulsing interface{ Pulse() <-chan struct{} }

// waken ends a look as soon as queue or link have changed. It leaves nothing behind: the look ends in any case.
func (h *handler) waken(look context.Context, stop context.CancelFunc) {
	lane, ok := h.cfg.Lane.(pulsing)
	if !ok {
		return
	}
	beat := lane.Pulse()
	go func() {
		select {
		case <-beat:
			stop()
		case <-look.Done():
		}
	}()
}

// send writes to the client, which has a while to take it.
func (s *stream) send(text string) error {
	_ = s.out.SetWriteDeadline(time.Now().Add(streamWithin)) // refused where there is no connection, as in tests
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	s.beat = time.Now()
	return s.out.Flush()
}

// follows says whether a request only follows what happens, and is no sign of anybody at the screen.
func follows(r *http.Request) bool { return r.URL.Path == "/v1/events" }
