package till

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"tillway/terminal/people"
)

// Credentials is the body of POST /v1/login, /v1/users/init and /v1/users.
type Credentials struct {
	Name   string      `json:"name"`
	Role   people.Role `json:"role,omitempty"` // POST /v1/users
	Secret string      `json:"secret"`
}

// LoggedIn is the answer to POST /v1/login. The token goes into the Authorization header, after "Bearer "; a browser gets none: its
// session is in a cookie that no script reads.
type LoggedIn struct {
	Name    string      `json:"name"`
	Role    people.Role `json:"role"`
	Token   string      `json:"token,omitempty"`
	Idle    string      `json:"idle"` // the session ends after so long without a request
	Longest string      `json:"longest"`
}

// User is somebody as the local interface shows them: never the hash.
type User struct {
	Name     string      `json:"name"`
	Role     people.Role `json:"role"`
	Locked   bool        `json:"locked"`
	Failures int         `json:"failures"`
	Changed  time.Time   `json:"changed"`
	Seen     time.Time   `json:"seen,omitzero"`
}

// Users is the answer to GET /v1/users.
type Users struct {
	Users []User `json:"users"`
}

// Change is the body of POST /v1/users/{name}: exactly one of its members.
type Change struct {
	Lock   *bool        `json:"lock,omitempty"`
	Role   *people.Role `json:"role,omitempty"`
	Secret *string      `json:"secret,omitempty"`
}

// NewSecret is the body of POST /v1/secret: everybody changes their own.
type NewSecret struct {
	Old string `json:"old"`
	New string `json:"new"`
}

func (h *handler) user(p people.Person) User {
	return User{p.Name, p.Role, p.Locked, p.Failures, h.local(p.Changed), h.local(p.Seen)}
}

// readBody reads a small JSON object strictly. what shows how it should look.
func readBody(w http.ResponseWriter, r *http.Request, what string, v any) error {
	bad := func(format string, args ...any) error {
		return request(http.StatusBadRequest, "bad_body", "The body cannot be read", "Send "+what+".", format, args...)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return request(http.StatusUnsupportedMediaType, "not_json", "The body is not declared as JSON", "Send Content-Type: application/json.", "and %s", what)
	}
	body, err := wholeBody(w, r)
	defer clear(body)
	if err != nil {
		return bad("it did not arrive whole, has more than %d bytes, or is not UTF-8", MaxBody)
	}
	if _, twice := repeated(body); twice {
		return bad("a member is there twice")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return bad("it is no such object") // the decoder's words could quote a secret
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the object")
	}
	return nil
}

// cookieName is the cookie of a browser's session.
const cookieName = "tillway"

// sessionCookie ends with the browser, is read by no script and goes to no other site's requests. The session itself ends at posd.
func sessionCookie(token string) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func (h *handler) logIn(w http.ResponseWriter, r *http.Request) {
	var in Credentials
	if err := readBody(w, r, `{"name":"…","secret":"…"}`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	a := h.cfg.Access
	if err := a.take(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	defer a.release()
	secret := people.NewSecret([]byte(in.Secret))
	defer secret.Clear()
	token, p, err := a.logIn(r.Context(), in.Name, secret)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := LoggedIn{Name: p.Name, Role: p.Role, Idle: a.cfg.Policy.Idle.String(), Longest: a.cfg.Policy.Longest.String()}
	if doorOf(r).cookie {
		if before := a.who(r); before.cookie { // somebody else goes on at this screen
			a.endSession(before.token)
		}
		http.SetCookie(w, sessionCookie(token.Clear()))
	} else {
		out.Token = token.Clear()
	}
	h.answer(w, http.StatusOK, out)
}

func (h *handler) logOut(w http.ResponseWriter, r *http.Request) {
	a := h.cfg.Access
	c := a.who(r)
	if c.role == "" {
		h.fail(w, r, request(http.StatusUnauthorized, "log_in", "Nobody is logged in", "There is nothing to end.", "the session has ended or never was"))
		return
	}
	a.endSession(c.token)
	if doorOf(r).cookie {
		gone := sessionCookie("")
		gone.MaxAge = -1
		http.SetCookie(w, gone)
	}
	if err := a.audit(r.Context(), people.Entry{Actor: c.name, Event: people.EventLogOut, Result: people.Done}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, struct {
		Name string `json:"name"`
	}{c.name})
}

func (h *handler) users(w http.ResponseWriter, r *http.Request) {
	all, err := h.cfg.Access.cfg.People.People(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := Users{Users: []User{}}
	for _, p := range all {
		out.Users = append(out.Users, h.user(p))
	}
	h.answer(w, http.StatusOK, out)
}

// initUsers makes the first administrator, once in a terminal's life, without a log-in: nobody could have one yet. The
// socket belongs to the daemon's user alone.
func (h *handler) initUsers(w http.ResponseWriter, r *http.Request) {
	if !doorOf(r).first {
		h.fail(w, r, request(http.StatusForbidden, "not_here", "The first administrator is made at the terminal's socket",
			"Use pos users init NAME, as the terminal's own user.", "this door takes people who are known"))
		return
	}
	var in Credentials
	err := readBody(w, r, `{"name":"…","secret":"…"}`, &in)
	if err == nil {
		err = h.cfg.Access.makePerson(r.Context(), caller{name: people.Nobody}, in, true)
	}
	h.answerPerson(w, r, http.StatusCreated, in.Name, err)
}

func (h *handler) addUser(w http.ResponseWriter, r *http.Request) {
	var in Credentials
	err := readBody(w, r, `{"name":"…","role":"cashier","secret":"…"}`, &in)
	if err == nil {
		err = h.cfg.Access.makePerson(r.Context(), h.cfg.Access.who(r), in, false)
	}
	h.answerPerson(w, r, http.StatusCreated, in.Name, err)
}

func (h *handler) changeUser(w http.ResponseWriter, r *http.Request) {
	var in Change
	err := readBody(w, r, `{"lock":true}, {"lock":false}, {"role":"cashier"} or {"secret":"…"}`, &in)
	if err == nil {
		err = h.cfg.Access.changePerson(r.Context(), h.cfg.Access.who(r), r.PathValue("name"), in)
	}
	h.answerPerson(w, r, http.StatusOK, r.PathValue("name"), err)
}

// ownSecret changes the caller's own secret. It asks for the old one: a till left alone gives nobody a name.
func (h *handler) ownSecret(w http.ResponseWriter, r *http.Request) {
	a := h.cfg.Access
	c := a.who(r)
	var in NewSecret
	err := readBody(w, r, `{"old":"…","new":"…"}`, &in)
	if c.role == "" {
		err = request(http.StatusUnauthorized, "log_in", "This needs a log-in", "Log in with pos login NAME, then do it again.", "a secret is changed by its owner")
	}
	if err == nil {
		err = a.changeOwn(r.Context(), c, in)
	}
	h.answerPerson(w, r, http.StatusOK, c.name, err)
}

func (h *handler) answerPerson(w http.ResponseWriter, r *http.Request, status int, name string, err error) {
	var p people.Person
	if err == nil {
		p, err = h.cfg.Access.cfg.People.Person(r.Context(), name)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, status, h.user(p))
}

// makePerson adds somebody.
func (a *Access) makePerson(ctx context.Context, by caller, in Credentials, first bool) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	ctx = context.WithoutCancel(ctx)
	event := people.EventAdd
	if first {
		event, in.Role = people.EventFirst, people.Administrator
		there, err := a.cfg.People.HasPeople(ctx)
		if err != nil {
			return err
		}
		if there {
			a.noteRefusal(ctx, by, people.Users)
			return people.ErrFirst
		}
	}
	role, err := people.ParseRole(string(in.Role))
	if err != nil {
		return err
	}
	if err := people.CheckName(in.Name); err != nil {
		return err
	}
	hash, err := a.hash(role, in.Name, in.Secret)
	if err != nil {
		return err
	}
	p := people.Person{V: people.RecordVersion, Name: in.Name, Role: role, Hash: hash, Changed: a.cfg.Clock()}
	return a.cfg.People.PutPerson(ctx, p, people.Entry{Actor: by.name, Event: event, Person: p.Name, Result: people.Done, Note: "as " + string(role)})
}

// hash checks and hashes a new secret.
func (a *Access) hash(role people.Role, name, text string) (people.Hash, error) {
	secret := people.NewSecret([]byte(text))
	defer secret.Clear()
	if err := people.CheckSecret(role, name, secret); err != nil {
		return "", err
	}
	return people.NewHash(secret, newSalt(), a.cfg.Cost)
}

// changePerson locks, unlocks, gives another role or another secret. Every session of that person ends with it.
func (a *Access) changePerson(ctx context.Context, by caller, name string, in Change) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	ctx = context.WithoutCancel(ctx)
	p, err := a.cfg.People.Person(ctx, name)
	if err != nil {
		return err
	}
	now := a.cfg.Clock()
	e := people.Entry{Actor: by.name, Person: p.Name, Result: people.Done}
	switch {
	case in.Lock != nil && in.Role == nil && in.Secret == nil && *in.Lock:
		p, e.Event = p.Lock(now), people.EventLock
	case in.Lock != nil && in.Role == nil && in.Secret == nil:
		p, e.Event = p.Unlock(now), people.EventUnlock
	case in.Role != nil && in.Lock == nil && in.Secret == nil:
		role, err := people.ParseRole(string(*in.Role))
		if err != nil {
			return err
		}
		if p.Role == people.Cashier && role != people.Cashier {
			return request(http.StatusConflict, "secret_first", "A cashier's secret is too short for that role",
				"Lock this name and add another for the new role.", "%s stays a cashier", name)
		}
		e.Event, e.Note = people.EventRole, string(p.Role)+" becomes "+string(role)
		p.Role, p.Changed = role, now
	case in.Secret != nil && in.Lock == nil && in.Role == nil:
		if p.Hash, err = a.hash(p.Role, p.Name, *in.Secret); err != nil {
			return err
		}
		p.Changed, e.Event = now, people.EventSecret
	default:
		return request(http.StatusBadRequest, "bad_body", "The body cannot be read", "Send exactly one of lock, role and secret.", "it has another number of members")
	}
	all, err := a.cfg.People.People(ctx)
	if err != nil {
		return err
	}
	if !people.KeepsAdministrator(all, p) {
		return people.ErrLast
	}
	if err := a.cfg.People.PutPerson(ctx, p, e); err != nil {
		return err
	}
	a.endSessions(name)
	return nil
}

// changeOwn changes somebody's own secret; a wrong old one counts as a wrong try.
func (a *Access) changeOwn(ctx context.Context, c caller, in NewSecret) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	ctx = context.WithoutCancel(ctx)
	old := people.NewSecret([]byte(in.Old))
	defer old.Clear()
	p, err := a.prove(ctx, c.name, old, func(p people.Person) people.Entry {
		return people.Entry{Actor: p.Name, Event: people.EventLogIn, Person: p.Name, Result: people.Done}
	})
	if err != nil {
		return err
	}
	if in.Old == in.New {
		return people.ErrSecret
	}
	if p, err = a.cfg.People.Person(ctx, p.Name); err != nil {
		return err
	}
	if p.Hash, err = a.hash(p.Role, p.Name, in.New); err != nil {
		return err
	}
	p.Changed = a.cfg.Clock()
	if err := a.cfg.People.PutPerson(ctx, p, people.Entry{Actor: c.name, Event: people.EventSecret, Person: p.Name, Result: people.Done, Note: "their own"}); err != nil {
		return err
	}
	a.endSessions(p.Name)
	return nil
}
