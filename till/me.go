package till

import (
	"net/http"
	"strings"

	"tillway/terminal/people"
)

// Me is the answer to GET /v1/me: who asks, and what they may do.
type Me struct {
	Name     string          `json:"name"` // empty: nobody has logged in
	Role     people.Role     `json:"role"` // empty for nobody, and for a register
	ECR      bool            `json:"ecr"`  // a cash register, by its token
	May      []people.Action `json:"may"`
	Open     bool            `json:"open"` // anybody may sell without logging in: for development
	Training bool            `json:"training"`
}

func (h *handler) me(w http.ResponseWriter, r *http.Request) {
	a := h.cfg.Access
	c := a.who(r)
	out := Me{Name: c.name, Role: c.role, ECR: c.ecr != "", May: []people.Action{}, Open: a.cfg.Policy.Open, Training: h.training()}
	switch {
	case c.ecr != "":
		out.Name = c.ecr
	case c.unknown():
		out.Name = ""
	}
	for _, action := range people.Actions() {
		if a.verdict(c, action) == people.Allowed {
			out.May = append(out.May, action)
		}
	}
	h.answer(w, http.StatusOK, out)
}

// training says whether sales are played.
func (h *handler) training() bool { return h.cfg.Training != nil && h.cfg.Training.On() }

// maxKey bounds a client's idempotency key, in bytes.
const maxKey = 64

// scoped is a client's key as the journal keeps it: two registers, or a register and a person, may choose the same without meeting.
func (c caller) scoped(key string) (string, error) {
	if len(key) > maxKey || c.ecr == "" && strings.HasPrefix(key, people.ECRPrefix) {
		return "", request(http.StatusUnprocessableEntity, "order_refused", "The order was refused",
			"Choose another key: at most 64 bytes, and not one that begins with "+people.ECRPrefix+". Nothing was sent.", "the key cannot be used")
	}
	if c.ecr == "" || key == "" {
		return key, nil
	}
	return people.ECRPrefix + c.ecr + ":" + key, nil
}

// unscoped is a sale's key as a caller sees it: a register its own, and nobody else's.
func (c caller) unscoped(key string) string {
	rest, register := strings.CutPrefix(key, people.ECRPrefix)
	owner, bare, ok := strings.Cut(rest, ":")
	switch {
	case !register || !ok:
		owner, bare = "", key
	case c.ecr == "": // a person sees everybody's
		return bare
	}
	if owner != c.ecr {
		return ""
	}
	return bare
}
