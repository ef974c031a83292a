package nexo

import (
	"errors"
	"net/http"
	"time"
)

// writeTime is how long a client may take to take what is written to it.
const writeTime = 10 * time.Second

// output is an answer on its way. While the terminal waits for card and bank the client gets a new line now and then, which is legal
// before JSON, so that a time-out of its idle socket does not part the two.
type output struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	every time.Duration
	begun bool
	lost  bool // the client is not there any more
}

func newOutput(w http.ResponseWriter, every time.Duration) *output {
	return &output{w: w, rc: http.NewResponseController(w), every: every}
}

// beat keeps the client waiting. What goes wrong with that changes nothing for the payment.
func (o *output) beat() { o.write([]byte("\n")) }

// end writes the answer; nil: an empty one.
func (o *output) end(text []byte) {
	if text == nil {
		o.w.WriteHeader(http.StatusOK)
		return
	}
	o.write(append(text, '\n'))
}

func (o *output) write(text []byte) {
	if o.lost {
		return
	}
	_ = o.rc.SetWriteDeadline(time.Now().Add(writeTime)) // a recorder in a test has none
	if !o.begun {
		o.begun = true
		o.w.Header().Set("Content-Type", "application/json")
		o.w.WriteHeader(http.StatusOK)
	}
	_, err := o.w.Write(text)
	if ferr := o.rc.Flush(); err != nil || ferr != nil && !errors.Is(ferr, http.ErrNotSupported) {
		o.lost = true
	}
}
