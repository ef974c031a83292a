package till

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"tillway/terminal"
	"tillway/terminal/people"
)

// question is what a sale that waits for the cashier may be asked under: the same yes or no, in the words of a route.
type question struct {
	member string // of the body, true or false
	code   string // of the problem where the body is not that
	shape  string
}

// The questions. Of a signature: whether it matches. Of any agreement: whether the sale stands as the bank approved it, which is for
// less than was asked for, or with a signature that matches, or both.
var (
	signatureQuestion = question{"matches", "bad_signature", `Send {"matches":true} when the signature is the card's, {"matches":false} when it is not.`}
	agreementQuestion = question{"agreed", "bad_agreement", `Send {"agreed":true} when the sale is to stand as it was approved, {"agreed":false} when all of it is to be reversed.`}
)

// agree takes the cashier's word on the running sale: on its signature, or on an approval in part. Who says so goes into the journal.
func (h *handler) agree(q question) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := terminal.ParseSaleID(r.PathValue("id"))
		if err != nil {
			h.fail(w, r, request(http.StatusBadRequest, "bad_id", "That is no sale number", "Give a number like 1042.", "%v", err))
			return
		}
		body, err := readJSON(w, r, q.code, q.shape)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		yes, err := q.parse(body)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if err := h.cfg.Lane.Agree(r.Context(), id, terminal.Agreement{Matches: yes, By: signer(h.cfg.Access.who(r).name)}); err != nil {
			h.fail(w, r, err)
			return
		}
		h.answer(w, http.StatusAccepted, h.snapshot())
	}
}

// signer is who the journal says gave the word. Where roles are open that may be somebody without a name, and "nobody says
// that it matches" would read as its opposite.
func signer(name string) string {
	if name == people.Nobody {
		return "somebody who has not logged in"
	}
	return name
}

// parse reads the body strictly: one object with the one member, true or false. No answer is never one.
func (q question) parse(body []byte) (yes bool, err error) {
	bad := func(format string, args ...any) (bool, error) {
		return false, request(http.StatusBadRequest, q.code, "The answer cannot be read", q.shape, format, args...)
	}
	if key, twice := repeated(body); twice {
		return bad("member %q is there twice", key)
	}
	var in map[string]*bool
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&in); err != nil {
		return bad("%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the answer")
	}
	word := in[q.member]
	switch {
	case word == nil:
		return bad("%s is missing", q.member)
	case len(in) != 1:
		return bad("there is more than %s", q.member)
	}
	return *word, nil
}
