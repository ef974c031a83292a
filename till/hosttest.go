package till

import "net/http"

// HostTest is the answer to POST /v1/host/test: what each address of the acquirer showed when it was tried.
type HostTest struct {
	Acquirer string       `json:"acquirer"`
	Hosts    []HostTested `json:"hosts"` // in the order in which they are tried for a sale
}

// OK says that every address answered.
func (t HostTest) OK() bool {
	for _, h := range t.Hosts {
		if h.Status != HostAnswers {
			return false
		}
	}
	return len(t.Hosts) > 0
}

// The status of a HostTested: it answers; a standby of one that does cannot be used; no sale can be sent there.
const (
	HostAnswers = "ok"
	HostWarning = "warning"
	HostFault   = "fault"
)

// HostTested is one address. A step's time is in milliseconds, above 0 where it was done: connect is network and TLS, sign_on and echo
// are messages there and back. Fault, cause and fix are as in POST /v1/selftest, and empty where all is well.
type HostTested struct {
	Address string `json:"address"`
	Status  string `json:"status"`
	Step    string `json:"step"` // connect, sign-on, echo: the one that failed; done
	Connect int64  `json:"connect_ms,omitempty"`
	SignOn  int64  `json:"sign_on_ms,omitempty"`
	Echo    int64  `json:"echo_ms,omitempty"`
	Code    string `json:"code,omitempty"` // the host's, where it answered and refused
	Fault   string `json:"fault,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// hostTest tries every address of the acquirer, between sales.
func (h *handler) hostTest(w http.ResponseWriter, r *http.Request) {
	if h.cfg.HostTest == nil {
		h.fail(w, r, request(http.StatusConflict, "no_host", "There is no host to test",
			"The terminal waits for its parameters: see pos status.", "no acquirer is configured"))
		return
	}
	t, err := h.cfg.HostTest(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, t)
}
