package till

import (
	"net/http"

	"tillway/terminal/people"
)

func (h *handler) audit(w http.ResponseWriter, r *http.Request) {
	after, limit, err := page(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	rows, err := h.cfg.Access.cfg.People.AuditRows(r.Context(), after, limit)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := AuditRows{Rows: []people.Row{}, Next: after}
	for _, row := range rows {
		row.Time = h.local(row.Time)
		out.Rows = append(out.Rows, row)
		out.Next = row.Seq
	}
	h.answer(w, http.StatusOK, out)
}

// verify reads everything that is kept. What it finds is in its answer and, row by row, in the audit log.
func (h *handler) verify(w http.ResponseWriter, r *http.Request) {
	found, err := h.cfg.Verify(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, found)
}
