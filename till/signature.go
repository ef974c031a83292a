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

// signatureWire is what the cashier says of a signature, with a pointer that tells when it is missing: no answer is never
// one.
type signatureWire struct {
	Matches *bool `json:"matches"`
}

const signatureShape = `Send {"matches":true} when the signature is the card's, {"matches":false} when it is not.`

// signature takes the cashier's word on the running sale's signature. Who says so goes into the journal.
func (h *handler) signature(w http.ResponseWriter, r *http.Request) {
	id, err := terminal.ParseSaleID(r.PathValue("id"))
	if err != nil {
		h.fail(w, r, request(http.StatusBadRequest, "bad_id", "That is no sale number", "Give a number like 1042.", "%v", err))
		return
	}
	body, err := readJSON(w, r, "bad_signature", signatureShape)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	matches, err := parseSignature(body)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if err := h.cfg.Lane.Agree(r.Context(), id, terminal.Agreement{Matches: matches, By: signer(h.cfg.Access.who(r).name)}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusAccepted, h.snapshot())
}

// signer is who the journal says compared a signature. Where roles are open that may be somebody without a name, and "nobody says
// that it matches" would read as its opposite.
func signer(name string) string {
	if name == people.Nobody {
		return "somebody who has not logged in"
	}
	return name
}

func parseSignature(body []byte) (matches bool, err error) {
	bad := func(format string, args ...any) (bool, error) {
		return false, request(http.StatusBadRequest, "bad_signature", "The answer cannot be read", signatureShape, format, args...)
	}
	if key, twice := repeated(body); twice {
		return bad("member %q is there twice", key)
	}
	var in signatureWire
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return bad("%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the answer")
	}
	if in.Matches == nil {
		return bad("matches is missing")
	}
	return *in.Matches, nil
}
