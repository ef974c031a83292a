package till

import (
	"net/http"

	"tillway/terminal/people"
)

// KeyExchange is the body of POST /v1/keys/exchange.
type KeyExchange struct {
	Anew bool `json:"anew"` // the host has lost the keys in force: ask as a terminal without keys does
}

// exchangeKeys has new session keys asked for as soon as no sale runs. Who asked is on disk before that.
func (h *handler) exchangeKeys(w http.ResponseWriter, r *http.Request) {
	var in KeyExchange
	if err := readBody(w, r, `{"anew":false}`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	entry := people.Entry{Actor: h.cfg.Access.who(r).name, Event: people.EventKeys, Result: people.Tried, Note: "asks for new session keys"}
	if in.Anew {
		entry.Note += ", as a terminal without keys"
	}
	if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
		h.fail(w, r, err)
		return
	}
	if h.cfg.ExchangeKeys == nil || !h.cfg.ExchangeKeys(r.Context(), in.Anew) {
		h.fail(w, r, request(http.StatusConflict, "no_session_keys", "This acquirer has no session keys",
			"See key_exchange in posd.toml. DUKPT keys need no exchange.", "there is nothing to exchange"))
		return
	}
	h.answer(w, http.StatusAccepted, h.snapshot(r))
}

// KeysTicket is the answer to POST /v1/keys/ticket: what the caller shows at the secure module's socket for loading keys. It is
// good for a few minutes and for nothing else.
type KeysTicket struct {
	Person string `json:"person"`
	Ticket string `json:"ticket"`
}

// keysTicket gives somebody with a role for keys what the secure module asks for. Who took it is on disk before they have it.
func (h *handler) keysTicket(w http.ResponseWriter, r *http.Request) {
	who := h.cfg.Access.who(r).name
	if h.cfg.KeysTicket == nil {
		h.fail(w, r, request(http.StatusConflict, "no_key_socket", "Keys are not loaded over a socket here",
			"See keys.separate in posd.toml.", "the secure module is in the daemon's own process"))
		return
	}
	if err := h.cfg.Access.Audit(r.Context(), people.Entry{Actor: who, Event: people.EventKeys, Result: people.Done, Note: "takes a ticket for loading keys"}); err != nil {
		h.fail(w, r, err)
		return
	}
	ticket, err := h.cfg.KeysTicket(r.Context(), who)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, KeysTicket{Person: who, Ticket: ticket})
}
