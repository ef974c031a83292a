package people

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Action is what somebody asks the terminal for.
type Action string

// The actions, each a key of the profile's [roles] table.
const (
	Status Action = "status"   // how terminal, reader, host and queue are
	Test   Action = "selftest" // have the terminal test itself
	Sell   Action = "sale"     // a sale, and following it

	Refund     Action = "refund"              // money back, of an earlier sale and with its card
	RefundFree Action = "unreferenced_refund" // money back to any card, of no sale: what a thief at the till would use
	Void       Action = "void"                // take back a whole transaction of the open batch
	Preauth    Action = "preauth"             // hold an amount
	Increment  Action = "increment"           // hold more
	Completion Action = "completion"          // take what is held
	Balance    Action = "balance"             // ask what is on a card's account
	Forced     Action = "forced"              // a sale with the code that the bank gave by telephone

	Cancel   Action = "cancel"    // cancel the running sale
	Agree    Action = "signature" // say whether a signature matches
	Receipt  Action = "receipt"   // print a receipt again
	Journal  Action = "journal"   // sales and journal rows, and why
	Queue    Action = "queue"     // what is owed to the host
	Send     Action = "send"      // send it now
	WriteOff Action = "write_off" // give up a debt that the host has refused for good
	Report   Action = "report"    // what a batch holds, and how its settlement stands
	Settle   Action = "settle"    // settle a batch, or call it off

	Print  Action = "print"  // the receipt printer: test it, go on after a stop, give a waiting paper up
	Drawer Action = "drawer" // open the cash drawer without a sale

	Training Action = "training" // practise: put training mode on and off

	CloseBatch Action = "close_batch" // close a batch by hand that the host disputes

	Support   Action = "support"   // what a support desk asks for: the bundle, and levels of the log
	Keys      Action = "keys"      // key loading, destruction, decommissioning
	Provision Action = "provision" // parameter packages: apply one, and see the one in force
	Rollback  Action = "rollback"  // go back to the parameter package before

	Users Action = "users" // people: add, list, lock, unlock, role, secret
	Audit Action = "audit" // the audit log: list and verify

	Backup Action = "backup" // a copy of everything that the terminal keeps
)

// Words is the action as it goes on behind "asked to".
func (a Action) Words() string {
	if w, ok := map[Action]string{
		Status: "see the status", Test: "have the terminal test itself", Sell: "sell", Refund: "refund", RefundFree: "refund without a sale", Void: "void", Preauth: "pre-authorise",
		Increment: "increment a pre-authorisation", Completion: "complete a pre-authorisation", Balance: "see a card's balance", Forced: "make a forced sale",
		Cancel: "cancel a sale", Agree: "answer for a signature", Receipt: "print a receipt", Journal: "see the journal", Queue: "see what waits for the bank",
		Send: "send what waits for the bank", WriteOff: "park or write off what the bank is owed", Report: "see a report", Settle: "settle",
		CloseBatch: "close a batch by hand", Training: "practise in training mode", Print: "look after the receipt printer", Drawer: "open the cash drawer", Keys: "load or change keys", Support: "look into the terminal for support", Users: "administer people", Audit: "see the audit log", Provision: "apply a parameter package", Rollback: "go back to the parameter package before", Backup: "make a backup",
	}[a]; ok {
		return w
	}
	return string(a)
}

// Anyone in a list of roles is also somebody who has not logged in.
const Anyone Role = "anyone"

type need struct {
	action Action
	roles  []Role // by default
	open   bool   // Policy.Open may waive the log-in
}

// needs is every action, in the order of the documentation.
func needs() []need {
	return []need{
		{Status, []Role{Anyone}, true},
		{Test, []Role{Supervisor, Technician, Administrator}, true},
		{Sell, []Role{Cashier, Supervisor}, true},
		{Refund, []Role{Cashier, Supervisor}, true},
		{RefundFree, []Role{Supervisor}, false},
		{Void, []Role{Cashier, Supervisor}, true},
		{Preauth, []Role{Cashier, Supervisor}, true},
		{Increment, []Role{Cashier, Supervisor}, true},
		{Completion, []Role{Cashier, Supervisor}, true},
		{Balance, []Role{Cashier, Supervisor}, true},
		{Forced, []Role{Supervisor}, true},
		{Cancel, []Role{Cashier, Supervisor}, true},
		{Agree, []Role{Cashier, Supervisor}, true},
		{Receipt, []Role{Cashier, Supervisor}, true},
		{Journal, []Role{Cashier, Supervisor, Technician, Administrator}, true},
		{Queue, []Role{Supervisor, Technician, Administrator}, true},
		{Send, []Role{Supervisor, Technician}, true},
		{WriteOff, []Role{Supervisor}, false},
		{Report, []Role{Cashier, Supervisor}, true},
		{Settle, []Role{Supervisor}, true},
		{Print, []Role{Cashier, Supervisor, Technician}, true},
		{Drawer, []Role{Supervisor}, false},
		{Training, []Role{Cashier, Supervisor}, true},
		{CloseBatch, []Role{Supervisor}, false},
		{Keys, []Role{Technician, Administrator}, false},
		{Support, []Role{Technician, Administrator}, true},
		{Provision, []Role{Technician, Administrator}, false},
		{Rollback, []Role{Administrator}, false},
		{Users, []Role{Administrator}, false},
		{Audit, []Role{Administrator}, false},
		{Backup, []Role{Technician, Administrator}, false},
	}
}

// Actions lists all actions.
func Actions() []Action {
	var all []Action
	for _, n := range needs() {
		all = append(all, n.action)
	}
	return all
}

// Policy is the profile's table of who may do what. The zero value allows nobody anything.
type Policy struct {
	// Open lets everybody at the terminal sell, cancel, look, send, print and settle without logging in: for development. Refunds of no sale,
	// writing off, opening the drawer, closing a batch by hand, keys, parameters, people and the audit log ask for their role all the same.
	Open bool

	Idle    time.Duration // a session without a request ends after it
	Longest time.Duration // and any session after this

	needs map[Action][]Role
}

// Bounds of the session times, and their defaults.
const (
	DefaultIdle     = 15 * time.Minute
	DefaultLongest  = 12 * time.Hour
	shortestSession = time.Minute
	longestIdle     = time.Hour
	longestSession  = 24 * time.Hour
)

// DefaultPolicy is closed, with the default table.
func DefaultPolicy() Policy {
	p := Policy{Idle: DefaultIdle, Longest: DefaultLongest, needs: map[Action][]Role{}}
	for _, n := range needs() {
		p.needs[n.action] = n.roles
	}
	return p
}

// With is the policy with another list of roles for an action. What only some may ever do stays theirs: refunds of no
// sale, writing off, opening the drawer, closing a batch by hand, people, keys, parameters and the audit log are for no cashier and never for anyone, and somebody must be
// able to administer.
func (p Policy) With(a Action, roles []Role) (Policy, error) {
	at := slices.IndexFunc(needs(), func(n need) bool { return n.action == a })
	if at < 0 {
		return p, fmt.Errorf("there is no action %.20q: the actions are %s", a, words(Actions()))
	}
	guarded := !needs()[at].open
	for i, r := range roles {
		switch {
		case r != Anyone && !slices.Contains(Roles(), r):
			return p, fmt.Errorf("%.20q: %w", r, ErrRole)
		case slices.Contains(roles[:i], r):
			return p, fmt.Errorf("%s is there twice", r)
		case r == Anyone && a != Status:
			return p, fmt.Errorf("anyone may only ask for the status")
		case r == Cashier && guarded:
			return p, fmt.Errorf("%s is for no cashier", a)
		}
	}
	if a == Users && !slices.Contains(roles, Administrator) {
		return p, fmt.Errorf("users must be open to the administrator")
	}
	p.needs = maps.Clone(p.needs)
	if p.needs == nil {
		p.needs = map[Action][]Role{}
	}
	p.needs[a] = slices.Clone(roles)
	return p, nil
}

// WithTimes is the policy with other session times.
func (p Policy) WithTimes(idle, longest time.Duration) (Policy, error) {
	if idle < shortestSession || idle > longestIdle || longest < idle || longest > longestSession {
		return p, fmt.Errorf("sessions end after %s to %s without a request, and after at most %s: %s and %s are not that", shortestSession, longestIdle, longestSession, idle, longest)
	}
	p.Idle, p.Longest = idle, longest
	return p, nil
}

// Needs is who may do a.
func (p Policy) Needs(a Action) []Role { return slices.Clone(p.needs[a]) }

// Verdict is the table's answer.
type Verdict int

// The verdicts.
const (
	Refused Verdict = iota // somebody of another role
	LogIn                  // nobody has logged in, and somebody must
	Allowed
)

// Judge says whether somebody of a role, or nobody (""), may do a.
func (p Policy) Judge(r Role, a Action) Verdict {
	roles := p.needs[a]
	switch {
	case slices.Contains(roles, Anyone), r != "" && slices.Contains(roles, r):
		return Allowed
	case p.Open && slices.ContainsFunc(needs(), func(n need) bool { return n.action == a && n.open }):
		return Allowed
	case r == "":
		return LogIn
	}
	return Refused
}

func words[T ~string](all []T) string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = string(all[i])
	}
	return strings.Join(out, ", ")
}
