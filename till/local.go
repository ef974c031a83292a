package till

import (
	"net/http"
	"time"

	"tillway/terminal"
	"tillway/terminal/words"
)

// What the terminal says goes out in Arabic too. The journal keeps the English alone.

func bothLanguages(o terminal.Outcome) terminal.Outcome {
	o.HappenedAR, _ = words.Arabic(o.Happened)
	o.DoAR, _ = words.Arabic(o.Do)
	return o
}

// The terminal's records may be in any zone. What goes out is in the shop's, so that screen, list and receipt tell the same
// time; the instants are the same.

func (h *handler) local(t time.Time) time.Time {
	if h.cfg.Header.Zone == nil || t.IsZero() {
		return t
	}
	return t.In(h.cfg.Header.Zone)
}

// localSale is a sale as a caller sees it.
func (h *handler) localSale(c caller, s terminal.Sale) terminal.Sale {
	s.Started, s.Updated, s.LocalTime = h.local(s.Started), h.local(s.Updated), h.local(s.LocalTime)
	s.Outcome = bothLanguages(s.Outcome)
	s.Key = c.unscoped(s.Key)
	return s
}

func (h *handler) localDebt(d terminal.Debt) terminal.Debt {
	d.NotBefore, d.Since = h.local(d.NotBefore), h.local(d.Since)
	return d
}

func (h *handler) localRow(c caller, r terminal.JournalRow) terminal.JournalRow {
	r.Time = h.local(r.Time)
	if r.Record != nil {
		s := h.localSale(c, *r.Record)
		r.Record = &s
	}
	if r.Debt != nil {
		d := h.localDebt(*r.Debt)
		r.Debt = &d
	}
	if r.Batch != nil {
		b := h.localBatch(*r.Batch)
		r.Batch = &b
	}
	return r
}

func (h *handler) localSnapshot(c caller, s terminal.Snapshot) terminal.Snapshot {
	s.Oldest = h.local(s.Oldest)
	s.TextAR = s.Prompt.Arabic()
	s.AdviceAR, _ = words.Arabic(s.Advice)
	s.WarningAR, _ = words.Arabic(s.Warning)
	if s.Batch != nil {
		b := *s.Batch
		b.WarningAR, _ = words.Arabic(b.Warning)
		b.CutOff, b.Settling = h.local(b.CutOff), nil
		for _, one := range s.Batch.Settling {
			b.Settling = append(b.Settling, h.localBatch(one))
		}
		s.Batch = &b
	}
	if s.Last != nil {
		last := h.localSale(c, *s.Last)
		s.Last = &last
	}
	return s
}

func (h *handler) snapshot(r *http.Request) terminal.Snapshot {
	return h.localSnapshot(h.cfg.Access.who(r), h.cfg.Lane.Snapshot())
}
