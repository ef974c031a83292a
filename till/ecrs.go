package till

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tillway/terminal/people"
)

// ECR is a cash register as the local interface shows it: never a token or passphrase that was told before.
type ECR struct {
	Name     string          `json:"name"`
	May      []people.Action `json:"may"`
	Revoked  bool            `json:"revoked"`
	Added    time.Time       `json:"added"`
	Changed  time.Time       `json:"changed"`
	OldUntil time.Time       `json:"old_until,omitzero"` // the token that was replaced is taken until then
	NexoKeys []ECRNexoKey    `json:"nexo_keys"`
}

// ECRNexoKey is one version of a cash register's nexo passphrase. Its KeyIdentifier is the register's name.
type ECRNexoKey struct {
	Version int       `json:"version"`
	Added   time.Time `json:"added"`
	Retired time.Time `json:"retired,omitzero"`
}

// ECRs is the answer to GET /v1/ecrs.
type ECRs struct {
	ECRs []ECR `json:"ecrs"`
}

// NewECR is the body of POST /v1/ecrs.
type NewECR struct {
	Name string          `json:"name"`
	May  []people.Action `json:"may,omitempty"` // absent: people.DefaultGrants
}

// RotateECR is the body of POST /v1/ecrs/{name}/rotate.
type RotateECR struct {
	Overlap string `json:"overlap,omitempty"` // how long the token before is still taken, like "24h"; absent: not at all
}

// ECRToken is the answer that tells a new token, once.
type ECRToken struct {
	ECR

	Token string `json:"token"`
}

// NewNexoKey is the body of POST /v1/ecrs/{name}/nexo-keys.
type NewNexoKey struct {
	Passphrase string `json:"passphrase,omitempty"` // absent: one is made, and told in the answer
}

// NexoKeyMade is the answer to POST /v1/ecrs/{name}/nexo-keys: what the register's programmer enters.
type NexoKeyMade struct {
	KeyIdentifier string `json:"key_identifier"`
	KeyVersion    int    `json:"key_version"`
	Passphrase    string `json:"passphrase,omitempty"` // there where it was made here, and told this once
}

func (h *handler) ecr(e people.ECR) ECR {
	out := ECR{
		Name: e.Name, May: e.May, Revoked: e.Revoked, Added: h.local(e.Added), Changed: h.local(e.Changed), OldUntil: h.local(e.OldUntil), NexoKeys: []ECRNexoKey{},
	}
	for _, k := range e.Keys {
		out.NexoKeys = append(out.NexoKeys, ECRNexoKey{k.Version, h.local(k.Added), h.local(k.Retired)})
	}
	return out
}

// registered serves what is about cash registers, where the terminal has any.
func (h *handler) registered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h.cfg.Registers == nil {
			h.fail(w, r, request(http.StatusConflict, "no_ecrs", "This terminal keeps no cash registers", "See [ecr] in posd.toml.", "there is nothing to look at"))
			return
		}
		next(w, r)
	}
}

func (h *handler) ecrs(w http.ResponseWriter, r *http.Request) {
	all, err := h.cfg.Registers.List(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := ECRs{ECRs: []ECR{}}
	for _, e := range all {
		out.ECRs = append(out.ECRs, h.ecr(e))
	}
	h.answer(w, http.StatusOK, out)
}

func (h *handler) addECR(w http.ResponseWriter, r *http.Request) {
	var in NewECR
	if err := readBody(w, r, `{"name":"till-3","may":["status","sale"]}; may can be left out`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	e, token, err := h.cfg.Registers.Add(r.Context(), h.cfg.Access.who(r).name, in.Name, in.May)
	h.tellToken(w, r, http.StatusCreated, e, token, err)
}

func (h *handler) rotateECR(w http.ResponseWriter, r *http.Request) {
	var in RotateECR
	err := readBody(w, r, `{} or {"overlap":"24h"}`, &in)
	var overlap time.Duration
	if err == nil && in.Overlap != "" {
		if overlap, err = time.ParseDuration(in.Overlap); err != nil {
			err = request(http.StatusBadRequest, "bad_body", "The body cannot be read", `Send {"overlap":"24h"} or {}.`, "overlap is no time like 90m or 24h")
		}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	e, token, err := h.cfg.Registers.Rotate(r.Context(), h.cfg.Access.who(r).name, r.PathValue("name"), overlap)
	h.tellToken(w, r, http.StatusOK, e, token, err)
}

func (h *handler) tellToken(w http.ResponseWriter, r *http.Request, status int, e people.ECR, token people.Token, err error) {
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, status, ECRToken{h.ecr(e), token.Clear()})
}

func (h *handler) revokeECR(w http.ResponseWriter, r *http.Request) {
	h.changeECR(w, r, func(ctx context.Context, by, name string) (people.ECR, error) {
		return h.cfg.Registers.Revoke(ctx, by, name)
	})
}

func (h *handler) retireNexoKey(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.Atoi(r.PathValue("version"))
	if err != nil {
		version = 0 // there is none of that number
	}
	h.changeECR(w, r, func(ctx context.Context, by, name string) (people.ECR, error) {
		return h.cfg.Registers.RetireNexoKey(ctx, by, name, version)
	})
}

// changeECR takes a command with an empty object for a body.
func (h *handler) changeECR(w http.ResponseWriter, r *http.Request, how func(ctx context.Context, by, name string) (people.ECR, error)) {
	var in struct{}
	if err := readBody(w, r, "{}", &in); err != nil {
		h.fail(w, r, err)
		return
	}
	e, err := how(r.Context(), h.cfg.Access.who(r).name, r.PathValue("name"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, h.ecr(e))
}

func (h *handler) addNexoKey(w http.ResponseWriter, r *http.Request) {
	var in NewNexoKey
	err := readBody(w, r, `{} or {"passphrase":"…"}`, &in)
	text := []byte(in.Passphrase)
	if err == nil && len(text) == 0 {
		text = freshPassphrase()
	}
	var made NexoKeyMade
	if in.Passphrase == "" {
		made.Passphrase = string(text)
	}
	var p people.Passphrase
	if err == nil {
		p, err = people.NewPassphrase(text)
	}
	defer p.Clear()
	var e people.ECR
	if err == nil {
		e, made.KeyVersion, err = h.cfg.Registers.AddNexoKey(r.Context(), h.cfg.Access.who(r).name, r.PathValue("name"), p)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	made.KeyIdentifier = e.Name
	h.answer(w, http.StatusCreated, made)
}

// freshPassphrase has 160 bits, in letters and digits that survive being typed.
func freshPassphrase() []byte {
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return []byte(strings.ToLower(base32.StdEncoding.EncodeToString(random[:])))
}

// problemsOfECRs is what errors about cash registers are to a client.
func problemsOfECRs() []problemRow {
	return []problemRow{
		{people.ErrNoECR, http.StatusNotFound, "no_such_ecr", "There is no cash register of that name", "See pos ecr list."},
		{people.ErrECRName, http.StatusUnprocessableEntity, "bad_name", "The name was refused", "Choose a name of 2 to 24 small letters, digits, dots and dashes, like till-3."},
		{people.ErrGrant, http.StatusUnprocessableEntity, "bad_right", "A cash register cannot have that right", "Name rights that it can have; people, keys, the audit log, writing off and the drawer are for people."},
		{people.ErrTooManyECRs, http.StatusConflict, "too_many_ecrs", "There are too many cash registers", "Names are never free again; call support."},
		{people.ErrRevoked, http.StatusConflict, "ecr_revoked", "The cash register's access was revoked", "Add one under another name: pos ecr add."},
		{people.ErrOverlap, http.StatusUnprocessableEntity, "bad_overlap", "The token before cannot go on so long", "Choose at most 720h."},
		{people.ErrNoNexoKey, http.StatusNotFound, "no_such_nexo_key", "There is no nexo key of that version", "See pos ecr list."},
		{people.ErrRetired, http.StatusConflict, "nexo_key_retired", "That nexo key is retired already", "There is nothing to do."},
		{people.ErrNexoKeys, http.StatusConflict, "too_many_nexo_keys", "There are too many nexo keys", "Retire one that is used no more: pos ecr nexo-key NAME --retire VERSION."},
		{people.ErrPassphrase, http.StatusUnprocessableEntity, "weak_passphrase", "The passphrase was refused", "Choose 16 to 128 printable ASCII characters, or have one made."},
	}
}
