package till

import (
	"bytes"
	"context"
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

// The questions. Of a signature: whether it matches. Of a warning: whether the payment is meant all the same. Of any agreement: whether the sale stands as the bank approved it, which is for
// less than was asked for, or with a signature that matches, or both.
var (
	signatureQuestion = question{"matches", "bad_signature", `Send {"matches":true} when the signature is the card's, {"matches":false} when it is not.`}
	meantQuestion     = question{"meant", "bad_confirmation", `Send {"meant":true} when the same card is to pay the same amount again, {"meant":false} when it is the same purchase.`}
	agreementQuestion = question{"agreed", "bad_agreement", `Send {"agreed":true} when the sale is to stand as it was approved, {"agreed":false} when all of it is to be reversed.`}
)

// agree takes the cashier's word on the running sale: on its signature, or on an approval in part.
func (h *handler) agree(q question) http.HandlerFunc {
	return h.word(q, func(ctx context.Context, id terminal.SaleID, yes bool, by string) error {
		return h.cfg.Lane.Agree(ctx, id, terminal.Agreement{Matches: yes, By: by})
	})
}

// confirm takes the word on a warning: whether the sale goes on. Nothing has been sent yet.
func (h *handler) confirm() http.HandlerFunc {
	return h.word(meantQuestion, func(ctx context.Context, id terminal.SaleID, yes bool, by string) error {
		return h.cfg.Lane.Confirm(ctx, id, yes, by)
	})
}

// word takes a yes or no on the running sale. Who says it goes into the journal.
func (h *handler) word(q question, take func(ctx context.Context, id terminal.SaleID, yes bool, by string) error) http.HandlerFunc {
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
		if err := take(r.Context(), id, yes, signer(h.cfg.Access.who(r).name)); err != nil {
			h.fail(w, r, err)
			return
		}
		h.answer(w, http.StatusAccepted, h.snapshot(r))
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
