package till

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// People is what access keeps (store.Store): who there is, and the audit log. What PutPerson and Audit return nil for is on
// disk.
type People interface {
	// Person finds somebody; errors people.ErrNoPerson, terminal.ErrQuarantined.
	Person(ctx context.Context, name string) (people.Person, error)
	// People is everybody.
	People(ctx context.Context) ([]people.Person, error)
	// HasPeople says whether anybody was ever made.
	HasPeople(ctx context.Context) (bool, error)
	// PutPerson writes a record and why, in one commit; error people.ErrExists.
	PutPerson(ctx context.Context, p people.Person, entries ...people.Entry) error
	// Audit appends to the audit log.
	Audit(ctx context.Context, entries ...people.Entry) error
	// AuditRows are the audit rows behind a number, ascending.
	AuditRows(ctx context.Context, after int64, limit int) ([]people.Row, error)
}

// AccessConfig is what access is made of. Every field is needed unless its comment says otherwise.
type AccessConfig struct {
	People People
	Policy people.Policy
	Cost   people.Params    // of new secrets; zero: people.Cost()
	Clock  func() time.Time // nil: time.Now. Sessions are timed by it: its times should be monotonic
	Log    *slog.Logger
}

// Access decides who may do what: it holds the sessions, judges log-ins and writes the audit log. Safe for concurrent use.
type Access struct {
	cfg  AccessConfig
	turn chan struct{} // one slot: who hashes or changes people. Hashing takes 64 MiB: one at a time

	// register finds the cash register of a token (Registers.ByToken); nil: there are none. Error people.ErrECRToken for a token of
	// none. It is set once, before anybody is served.
	register func(ctx context.Context, token string) (people.ECR, error)

	mu       sync.Mutex // guards what follows
	sessions *people.Sessions
	spare    people.Hash // compared with when there is nobody of that name, so that the answer takes as long
	refused  int         // refusals audited in the minute that began at
	began    time.Time
	left     int            // and those left out since
	yeses    []yes          // that were said, oldest first
	hooks    map[int]func() // of those who follow: called when a session has ended
	hook     int            // the last hook's number
}

// NewAccess makes the gate. It has no people yet, or those of the store.
func NewAccess(cfg AccessConfig) *Access {
	if cfg.Cost == (people.Params{}) {
		cfg.Cost = people.Cost()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Access{cfg: cfg, turn: make(chan struct{}, 1), sessions: people.NewSessions(cfg.Policy), hooks: map[int]func(){}}
}

// caller is who asks.
type caller struct {
	name   string // people.Nobody without a session
	role   people.Role
	token  people.Token    // of a person's session
	cookie bool            // it came in a cookie
	ecr    string          // a register's name; role and token are empty then
	may    []people.Action // and what it may do
	bearer string          // its token, to see whether it is still one
}

// unknown says that nobody has come in.
func (c caller) unknown() bool { return c.role == "" && c.ecr == "" }

// String leaves the tokens out.
func (c caller) String() string { return c.name }

// who is the caller of a request, as the door found them.
func (a *Access) who(r *http.Request) caller {
	v, ok := r.Context().Value(visitKey{}).(visit)
	if !ok {
		return caller{name: people.Nobody}
	}
	return v.caller
}

// identify finds the caller of a request at a door: by its bearer token, or by the cookie of a browser. A token that is of no
// session and of no register is nobody's.
func (a *Access) identify(r *http.Request, d *door) caller {
	nobody := caller{name: people.Nobody}
	text, cookie := "", false
	if header := r.Header.Get("Authorization"); header != "" {
		kind, rest, ok := strings.Cut(header, " ")
		if !ok || !strings.EqualFold(kind, "Bearer") {
			return nobody
		}
		text = rest
	} else if d.cookie {
		all := r.CookiesNamed(cookieName)
		if len(all) != 1 { // a second one was put there by somebody else
			return nobody
		}
		text, cookie = all[0].Value, true
	}
	if token, ok := people.ParseToken(text); ok {
		if s, ok := a.session(token, follows(r)); ok {
			return caller{name: s.Name, role: s.Role, token: token, cookie: cookie}
		}
	}
	if !d.ecrs || cookie || text == "" || a.register == nil {
		return nobody
	}
	e, err := a.register(r.Context(), text)
	switch {
	case errors.Is(err, people.ErrECRToken):
		return nobody
	case err != nil:
		a.cfg.Log.Error("till: a register's token was not looked up", "err", err)
		return nobody
	}
	return caller{name: e.Actor(), ecr: e.Name, may: e.May, bearer: text}
}

// session finds a person's session. Who only follows what happens does not use it, so that a screen left alone is logged out.
func (a *Access) session(token people.Token, follows bool) (people.Session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if follows {
		return a.sessions.Look(token, a.cfg.Clock())
	}
	return a.sessions.Use(token, a.cfg.Clock())
}

// stays says whether a caller is still who they were when they came: the session has not ended, the register is not revoked.
func (a *Access) stays(ctx context.Context, c caller) bool {
	switch {
	case c.ecr != "":
		e, err := a.register(ctx, c.bearer)
		return err == nil && e.Name == c.ecr
	case c.role != "":
		s, ok := a.session(c.token, true)
		return ok && s.Name == c.name && s.Role == c.role
	}
	return true
}

// ended tells everybody who follows to look whether they still may.
func (a *Access) ended() {
	a.mu.Lock()
	hooks := slices.Collect(maps.Values(a.hooks))
	a.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// whenEnded has a function called whenever a session or a register's token may have ended, until the returned one is called.
func (a *Access) whenEnded(f func()) (forget func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hook++
	n := a.hook
	a.hooks[n] = f
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.hooks, n)
	}
}

// judge lets a request pass or says why not. What is refused is audited.
func (a *Access) judge(ctx context.Context, c caller, action people.Action) error {
	switch a.verdict(c, action) {
	case people.Allowed:
		return nil
	case people.LogIn:
		a.noteRefusal(ctx, c, action)
		return request(http.StatusUnauthorized, "log_in", "This needs a log-in",
			"Log in with pos login NAME, then do it again.", "%s: that is for: %s", action.Words(), roleWords(a.cfg.Policy.Needs(action)))
	case people.Refused:
	}
	a.noteRefusal(ctx, c, action)
	if c.ecr != "" {
		return request(http.StatusForbidden, "not_allowed", "This register may not do that",
			"An administrator gives a register its rights: pos ecr.", "%s asked to %s", c.name, action.Words())
	}
	return request(http.StatusForbidden, "not_allowed", "This is not for your role",
		"Ask somebody of a role that may do it.", "%s (%s) asked to %s, which is for: %s", c.name, c.role, action.Words(), roleWords(a.cfg.Policy.Needs(action)))
}

// verdict is the profile's table for people, and for a register its own list.
func (a *Access) verdict(c caller, action people.Action) people.Verdict {
	if c.ecr == "" {
		return a.cfg.Policy.Judge(c.role, action)
	}
	if slices.Contains(c.may, action) {
		return people.Allowed
	}
	return people.Refused
}

func roleWords(roles []people.Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// maxRefusals is how many refusals a minute are audited one by one, so that nobody fills the disk with them. The rest are
// counted in the next row.
const maxRefusals = 30

func (a *Access) noteRefusal(ctx context.Context, c caller, action people.Action) {
	a.note(ctx, c.name, "asked for "+string(action))
}

// note audits a refusal. actor is who was refused.
func (a *Access) note(ctx context.Context, actor, note string) {
	a.mu.Lock()
	now := a.cfg.Clock()
	if now.Sub(a.began) >= time.Minute || now.Before(a.began) {
		a.began, a.refused = now, 0
	}
	a.refused++
	quiet := a.refused > maxRefusals
	if quiet {
		a.left++
	} else if a.left > 0 {
		note = fmt.Sprintf("%s; %d more refusals before it were not written", note, a.left)
		a.left = 0
	}
	a.mu.Unlock()
	if quiet {
		return
	}
	if err := a.audit(ctx, people.Entry{Actor: actor, Event: people.EventRefused, Result: people.Denied, Note: note}); err != nil {
		a.cfg.Log.Error("till: a refusal was not audited", "err", err)
	}
}

// audit writes entries whatever becomes of the request.
func (a *Access) audit(ctx context.Context, entries ...people.Entry) error {
	return a.cfg.People.Audit(context.WithoutCancel(ctx), entries...)
}

// Audit writes what another part of the terminal did on somebody's behalf: who is people.Terminal for the daemon itself.
func (a *Access) Audit(ctx context.Context, entries ...people.Entry) error {
	return a.audit(ctx, entries...)
}

// take waits for the turn.
func (a *Access) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Access) release() { <-a.turn }

// logIn judges a name and a secret and opens a session. Errors: those of prove.
func (a *Access) logIn(ctx context.Context, name string, secret people.Secret) (people.Token, people.Person, error) {
	p, err := a.prove(ctx, name, secret, func(p people.Person) people.Entry {
		return people.Entry{Actor: p.Name, Event: people.EventLogIn, Person: p.Name, Result: people.Done}
	})
	if err != nil {
		return people.Token{}, p, err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	token := people.NewToken(random)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions.Begin(token, p.Name, p.Role, p.Seen)
	return token, p, nil
}

// prove judges a name and a secret. The try is on disk before it is judged, and so is the entry that says what a right one was for. The
// caller holds the turn. Errors: people.ErrWrong, people.ErrLocked; both take as long as a right one.
func (a *Access) prove(ctx context.Context, name string, secret people.Secret, right func(people.Person) people.Entry) (people.Person, error) {
	ctx = context.WithoutCancel(ctx) // a try that was begun counts
	p, err := a.cfg.People.Person(ctx, name)
	switch {
	case errors.Is(err, people.ErrNoPerson):
		return p, a.unknown(ctx, secret)
	case err != nil:
		return p, err
	}
	tried, err := p.Attempt()
	if err != nil {
		if aerr := a.audit(ctx, people.Entry{Actor: people.Nobody, Event: people.EventLogIn, Result: people.Denied, Note: p.Name + " is locked"}); aerr != nil {
			return p, aerr
		}
		_, _ = a.spareHash().Matches(secret) // for the time it takes
		return p, err
	}
	entries := []people.Entry{{
		Actor: people.Nobody, Event: people.EventLogIn, Person: p.Name, Result: people.Tried,
		Note: fmt.Sprintf("try %d of %d", tried.Failures, people.MaxFailures),
	}}
	if tried.Locked {
		entries = append(entries, people.Entry{Actor: people.Terminal, Event: people.EventLock, Person: p.Name, Result: people.Done, Note: "by the last try, unless it is right"})
	}
	if err := a.cfg.People.PutPerson(ctx, tried, entries...); err != nil {
		return p, err
	}
	matches, err := p.Hash.Matches(secret)
	if err != nil {
		return p, err
	}
	if !matches {
		return p, a.wrong(ctx, tried)
	}
	if p, err = a.cfg.People.Person(ctx, name); err != nil { // as the try left it
		return p, err
	}
	p = p.Succeed(a.cfg.Clock())
	return p, a.cfg.People.PutPerson(ctx, p, right(p))
}

// wrong answers for a wrong secret. tried is the person with the try counted.
func (a *Access) wrong(ctx context.Context, tried people.Person) error {
	failed := people.Entry{Actor: people.Nobody, Event: people.EventLogIn, Result: people.Failed, Note: fmt.Sprintf("%s, try %d of %d", tried.Name, tried.Failures, people.MaxFailures)}
	if err := a.audit(ctx, failed); err != nil {
		return err
	}
	if tried.Locked {
		a.endSessions(tried.Name)
		return people.ErrLocked
	}
	return people.ErrWrong
}

// unknown answers for a name that nobody has. The name is not audited: it may be a secret typed into the wrong field.
func (a *Access) unknown(ctx context.Context, secret people.Secret) error {
	_, _ = a.spareHash().Matches(secret)
	if err := a.audit(ctx, people.Entry{Actor: people.Nobody, Event: people.EventLogIn, Result: people.Failed, Note: "a name that nobody has"}); err != nil {
		return err
	}
	return people.ErrWrong
}

// spareHash is a hash that nothing matches. The caller holds the turn.
func (a *Access) spareHash() people.Hash {
	if a.spare == "" {
		var random [32]byte
		_, _ = rand.Read(random[:])
		a.spare, _ = people.NewHash(people.NewSecret(random[:]), newSalt(), a.cfg.Cost) // the cost is allowed, or every new secret fails
	}
	return a.spare
}

func newSalt() (salt [16]byte) {
	_, _ = rand.Read(salt[:])
	return salt
}

func (a *Access) endSessions(name string) {
	a.mu.Lock()
	a.sessions.EndOf(name)
	a.mu.Unlock()
	a.ended()
}

// endSession ends one session.
func (a *Access) endSession(t people.Token) {
	a.mu.Lock()
	a.sessions.End(t)
	a.mu.Unlock()
	a.ended()
}

// problemsOfPeople is what people's errors are to a client.
func problemsOfPeople() []problemRow {
	return []problemRow{
		{people.ErrWrong, http.StatusUnauthorized, "wrong_secret", "Name or secret is wrong", "Try again. Five wrong secrets in a row lock the name."},
		{people.ErrLocked, http.StatusForbidden, "locked", "The name is locked", "An administrator unlocks it with pos users unlock NAME."},
		{people.ErrNoPerson, http.StatusNotFound, "no_such_person", "There is nobody of that name", "See pos users list."},
		{people.ErrExists, http.StatusConflict, "name_taken", "That name is taken", "Choose another name."},
		{people.ErrFirst, http.StatusConflict, "not_first", "There is an administrator already", "Log in as an administrator and use pos users add."},
		{people.ErrLast, http.StatusConflict, "last_administrator", "The last administrator must stay one", "Make another administrator first."},
		{people.ErrSecret, http.StatusUnprocessableEntity, "weak_secret", "The secret was refused", "Choose another: longer, with letters and digits."},
		{people.ErrName, http.StatusUnprocessableEntity, "bad_name", "The name was refused", "Choose a name of small letters, like maryam.k."},
		{people.ErrRole, http.StatusUnprocessableEntity, "bad_role", "There is no such role", "Use cashier, supervisor, technician or administrator."},
		{terminal.ErrQuarantined, http.StatusInternalServerError, "quarantined", "The record does not authenticate", "It was changed or damaged on disk. See pos audit verify, and call support."},
	}
}
