package till

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"time"

	"tillway/terminal/people"
)

// OverrideHeader carries a supervisor's yes with the one request that it is for.
const OverrideHeader = "Tillway-Override"

// Bounds of overrides.
const (
	overrideLife = time.Minute
	maxOverrides = 64
)

// OverrideOrder is the body of POST /v1/override: who says yes, and to what.
type OverrideOrder struct {
	Name   string        `json:"name"`
	Secret string        `json:"secret"`
	Action people.Action `json:"action"`
}

// Override is the answer to POST /v1/override. The token goes into the header Tillway-Override of the request that was refused.
type Override struct {
	Override string `json:"override"`
	Expires  int    `json:"expires"` // seconds from now
}

// yes is what somebody allowed somebody else, once.
type yes struct {
	sum    [sha256.Size]byte // of its token
	by     string            // who said it
	to     string            // who asked
	token  people.Token      // their session; zero for nobody's, at an open till
	action people.Action
	until  time.Time
	used   bool
	key    string // of the order that it was used for, and what that was: the same order may be sent again, when its answer was lost
}

// override judges the secret of somebody whose role has an action, and lets the caller's session do it once. The rules of a log-in hold:
// the try counts before it is judged, and five wrong ones lock the name.
func (h *handler) override(w http.ResponseWriter, r *http.Request) {
	a := h.cfg.Access
	c := a.who(r)
	var in OverrideOrder
	if err := readBody(w, r, `{"name":"…","secret":"…","action":"void"}`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := a.mayAsk(r.Context(), c, in.Action); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := a.take(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	defer a.release()
	secret := people.NewSecret([]byte(in.Secret))
	defer secret.Clear()
	token, err := a.override(r.Context(), c, in, secret)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusCreated, Override{token.Clear(), int(overrideLife / time.Second)})
}

// mayAsk refuses who cannot be overridden: a register, which has its own list, and nobody at a closed till; and what nobody lends:
// people, keys and the audit log.
func (a *Access) mayAsk(ctx context.Context, c caller, action people.Action) error {
	switch {
	case !slices.Contains(people.Actions(), action):
		return request(http.StatusBadRequest, "bad_body", "The body cannot be read", `Send {"name":"…","secret":"…","action":"void"}.`, "there is no such action")
	case action == people.Users || action == people.Keys || action == people.Audit:
		a.noteRefusal(ctx, c, action)
		return request(http.StatusForbidden, "no_override", "Nobody can allow that for once", "Somebody of the role for it logs in.", "to %s takes a log-in", action.Words())
	case c.ecr != "":
		a.noteRefusal(ctx, c, action)
		return request(http.StatusForbidden, "no_override", "A cash register cannot be allowed that for once", "Use the cashier's screen, or have an administrator change its rights.", "%s", c.name)
	case c.unknown() && !a.cfg.Policy.Open:
		a.noteRefusal(ctx, c, action)
		return request(http.StatusUnauthorized, "log_in", "This needs a log-in", "Log in first; then somebody else can allow what your role may not.", "nobody is logged in")
	}
	return nil
}

func (a *Access) override(ctx context.Context, c caller, in OverrideOrder, secret people.Secret) (people.Token, error) {
	said := func(result people.Result) func(people.Person) people.Entry {
		return func(p people.Person) people.Entry {
			return people.Entry{Actor: p.Name, Event: people.EventOverride, Person: p.Name, Result: result, Note: people.Note("%s asks to %s", c.name, in.Action.Words())}
		}
	}
	p, err := a.prove(ctx, in.Name, secret, func(p people.Person) people.Entry {
		if a.cfg.Policy.Judge(p.Role, in.Action) != people.Allowed {
			return said(people.Denied)(p)
		}
		return said(people.Done)(p)
	})
	if err != nil {
		return people.Token{}, err
	}
	if a.cfg.Policy.Judge(p.Role, in.Action) != people.Allowed {
		return people.Token{}, request(http.StatusForbidden, "not_allowed", "This is not for that role either",
			"Ask somebody of a role that may do it.", "%s (%s) may not %s, which is for: %s", p.Name, p.Role, in.Action.Words(), roleWords(a.cfg.Policy.Needs(in.Action)))
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	token := people.NewToken(random)
	now := a.cfg.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.yeses = slices.DeleteFunc(a.yeses, func(y yes) bool { return !now.Before(y.until) })
	if len(a.yeses) >= maxOverrides {
		a.yeses = a.yeses[1:]
	}
	a.yeses = append(a.yeses, yes{sum: sumOf(token), by: p.Name, to: c.name, token: c.token, action: in.Action, until: now.Add(overrideLife)})
	return token, nil
}

func sumOf(t people.Token) [sha256.Size]byte { return sha256.Sum256([]byte(t.Clear())) }

// permit lets a request pass, or says why not: the caller may do it, or has somebody's yes to it, which is used with that. what says
// what it is for the audit log, key is its idempotency key; both may be empty. by is who said the yes, and empty where none was needed.
func (h *handler) permit(r *http.Request, action people.Action, what, key string) (by string, err error) {
	a := h.cfg.Access
	c := a.who(r)
	text := r.Header.Get(OverrideHeader)
	if text == "" || a.verdict(c, action) == people.Allowed {
		return "", a.judge(r.Context(), c, action)
	}
	if key != "" {
		key += "\x00" + what
	}
	by, err = a.useYes(c, text, action, key)
	if err != nil {
		a.noteRefusal(r.Context(), c, action)
		return "", err
	}
	entry := people.Entry{
		Actor: c.name, Event: people.EventOverride, Result: people.Tried,
		Note: people.Note("asks to %s with a yes of %s: %s", action.Words(), by, what),
	}
	return by, a.Audit(r.Context(), entry) // before anything is done
}

// useYes finds the yes of a token and uses it up.
func (a *Access) useYes(c caller, text string, action people.Action, key string) (by string, err error) {
	bad := request(http.StatusForbidden, "override_refused", "That yes is not good for this", "Ask for it again: a yes is for one thing, once, within a minute, and for whoever asked.",
		"it was used, has expired, or was for something else or somebody else")
	token, ok := people.ParseToken(text)
	if !ok {
		return "", bad
	}
	sum, now := sumOf(token), a.cfg.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.yeses {
		y := &a.yeses[i]
		switch {
		case subtle.ConstantTimeCompare(y.sum[:], sum[:]) == 0:
		case !now.Before(y.until), y.to != c.name, y.token != c.token, y.action != action, y.used && (key == "" || y.key != key):
			return "", bad
		default:
			y.used, y.key = true, key
			return y.by, nil
		}
	}
	return "", bad
}

// overridden audits what came of a request with somebody's yes, by the number of the sale.
func (h *handler) overridden(ctx context.Context, who caller, by string, action people.Action, result people.Result, what string) {
	if by == "" {
		return
	}
	entry := people.Entry{Actor: who.name, Event: people.EventOverride, Result: result, Note: people.Note("to %s with a yes of %s: %s", action.Words(), by, what)}
	if err := h.cfg.Access.Audit(context.WithoutCancel(ctx), entry); err != nil {
		h.cfg.Log.Error("till: what came of an override was not audited", "err", err)
	}
}

// seenStatus notes how a request was answered.
type seenStatus struct {
	http.ResponseWriter

	status int
}

// WriteHeader notes the status.
func (s *seenStatus) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *seenStatus) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *seenStatus) result() people.Result {
	if s.status >= http.StatusBadRequest {
		return people.Failed
	}
	return people.Done
}
