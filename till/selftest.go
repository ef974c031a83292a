package till

import (
	"fmt"
	"net/http"

	"tillway/terminal"
)

// selftest has the terminal look at everything that a sale needs, between two sales. What it finds is the answer, faults too: only a
// test that was not made is an error.
func (h *handler) selftest(w http.ResponseWriter, r *http.Request) {
	if cur, running := h.cfg.Lane.Current(); running {
		h.fail(w, r, fmt.Errorf("%w: sale %s, %s; the test is for between two sales", terminal.ErrBusy, cur.ID, cur.Amount.Format()))
		return
	}
	report := h.cfg.Selftest(r.Context())
	h.within(w, answerWithin) // it may have taken longer than other requests
	h.answer(w, http.StatusOK, report)
}
