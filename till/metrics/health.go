package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Health is the answer to GET /readyz and /healthz. Not ready is 503.
type Health struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons"` // why not, and what to do: a sentence each; empty when OK
}

// LeastRoom is how many bytes have to be free for the terminal to be called ready.
const LeastRoom = 64 << 20

// alive says that the daemon answers and that its state can be looked at: whoever restarts programs asks this.
func (m *Metrics) alive(w http.ResponseWriter, _ *http.Request) {
	_ = m.cfg.Snapshot()
	m.answer(w, Health{OK: true})
}

// ready says whether a customer could pay by card now, by the bank's word.
func (m *Metrics) ready(w http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), lookTime)
	defer stop()
	m.answer(w, m.look(ctx))
}

func (m *Metrics) look(ctx context.Context) Health {
	s := m.cfg.Snapshot()
	h := Health{}
	why := func(bad bool, part, cause string) {
		if bad {
			h.Reasons = append(h.Reasons, part+": "+cause)
		}
	}
	why(m.cfg.Waiting != "", "parameters", m.cfg.Waiting)
	why(m.cfg.Waiting == "" && !s.Reader.OK, "reader", s.Reader.Cause)
	why(m.cfg.Waiting == "" && !s.Host.OK, "host", s.Host.Cause)
	if m.cfg.Keys != nil {
		k := m.cfg.Keys(ctx)
		why(!k.OK, "keys", k.Cause)
	}
	free, err := m.cfg.Room(ctx)
	why(err != nil, "disk", fmt.Sprint(err))
	why(err == nil && free < LeastRoom, "disk", fmt.Sprintf("only %d MiB are free for the journal: make room on it", free>>20))
	h.OK = len(h.Reasons) == 0
	return h
}

func (m *Metrics) answer(w http.ResponseWriter, h Health) {
	if h.Reasons == nil {
		h.Reasons = []string{}
	}
	body, err := json.Marshal(h)
	if err != nil {
		panic(fmt.Sprintf("metrics: a health of strings cannot be written: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if _, err := w.Write(append(body, '\n')); err != nil {
		m.cfg.Log.Debug("metrics: client went away", "err", err)
	}
}
