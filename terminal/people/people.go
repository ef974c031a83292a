// Package people is who may do what at the terminal: roles, the profile's table of actions, secrets and their rules, the
// lock after five wrong tries, sessions, and the words and the hash chain of the audit log.
//
// It is pure: no clock, no random source, no disk, no network. The store keeps people and audit rows, the till asks for a
// log-in and enforces the table. It is no password manager and knows nothing of the operating system's users.
//
// Sources: PCI DSS 4.0.1, 7.2 (access by role), 8.2.8 (idle sessions end after 15 minutes), 8.3.4 (lock after wrong tries),
// 8.3.6 (twelve characters, letters and digits), 10.2 and 10.3 (what an audit log holds, and that nobody changes it);
// RFC 9106 (Argon2id).
package people

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role is what somebody does at the terminal. Nobody has two, and a higher one does not contain a lower one: the profile's
// table names every role that an action is for.
type Role string

// The roles.
const (
	Cashier       Role = "cashier"
	Supervisor    Role = "supervisor"
	Technician    Role = "technician"
	Administrator Role = "administrator"
)

// Roles lists all, in the order in which help texts name them.
func Roles() []Role { return []Role{Cashier, Supervisor, Technician, Administrator} }

// What is refused. Callers test with errors.Is.
var (
	ErrRole     = errors.New("no such role: cashier, supervisor, technician or administrator")
	ErrName     = errors.New("not a name: 2 to 32 of a-z, 0-9, dot, dash and underscore, a letter first, at most 6 digits in a row")
	ErrSecret   = errors.New("secret refused")
	ErrHash     = errors.New("stored secret cannot be read")
	ErrWrong    = errors.New("name or secret is wrong")
	ErrLocked   = errors.New("locked after too many wrong secrets")
	ErrNoPerson = errors.New("there is nobody of that name")
	ErrExists   = errors.New("that name is taken")
	ErrFirst    = errors.New("there is an administrator already")
	ErrLast     = errors.New("the last administrator who can log in stays one")
)

// ParseRole reads a role's word. Error: ErrRole.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("role %.20q: %w", s, ErrRole)
}

// MaxFailures is how many wrong secrets in a row lock somebody out (checklist 25; PCI DSS 8.3.4 allows ten).
const MaxFailures = 5

// MaxPeople bounds how many there may be.
const MaxPeople = 200

// RecordVersion is the version of Person's encoding.
const RecordVersion = 1

// Person is one who may log in, as the store keeps it. The store counts a try before it is judged, so that no power cut
// gives a free one: Attempt, store, compare, then Succeed and store.
type Person struct {
	V        int // RecordVersion
	Name     string
	Role     Role
	Hash     Hash
	Failures int // wrong secrets in a row
	Locked   bool
	Changed  time.Time // when role, secret or lock last changed
	Seen     time.Time // last log-in
	Seq      int64     // the audit row that wrote this record; the store's
}

// String leaves the hash out.
func (p Person) String() string { return p.Name + " (" + string(p.Role) + ")" }

// record is a person as the store keeps it.
type record struct {
	V        int       `json:"v"`
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Hash     string    `json:"hash"`
	Failures int       `json:"failures,omitempty"`
	Locked   bool      `json:"locked,omitempty"`
	Changed  time.Time `json:"changed"`
	Seen     time.Time `json:"seen,omitzero"`
}

// Record is the person for the store and for nothing else: the hash is in it.
func (p Person) Record() ([]byte, error) {
	return json.Marshal(record{p.V, p.Name, p.Role, string(p.Hash), p.Failures, p.Locked, p.Changed, p.Seen})
}

// maxRecord bounds a stored record.
const maxRecord = 1024

// ParsePerson reads what Record wrote. Errors: those of Check, ErrHash.
func ParsePerson(text []byte) (Person, error) {
	var r record
	if len(text) > maxRecord || json.Unmarshal(text, &r) != nil {
		return Person{}, fmt.Errorf("person's record: %w", ErrHash)
	}
	p := Person{V: r.V, Name: r.Name, Role: r.Role, Hash: Hash(r.Hash), Failures: r.Failures, Locked: r.Locked, Changed: r.Changed, Seen: r.Seen}
	return p, p.Check()
}

// Attempt is the person with one more try counted, or ErrLocked. The last try locks before it is judged; Succeed takes that
// back.
func (p Person) Attempt() (Person, error) {
	if p.Locked {
		return p, ErrLocked
	}
	p.Failures++
	p.Locked = p.Failures >= MaxFailures
	return p, nil
}

// Succeed is the person after the right secret: no failures, and the lock that the try itself set is gone. It is for the
// result of Attempt only: who was locked before it never gets there.
func (p Person) Succeed(at time.Time) Person {
	p.Failures, p.Locked, p.Seen = 0, false, at
	return p
}

// Lock is the person locked, Unlock is free to try again.
func (p Person) Lock(at time.Time) Person {
	p.Locked, p.Changed = true, at
	return p
}

// Unlock forgets the failures.
func (p Person) Unlock(at time.Time) Person {
	p.Locked, p.Failures, p.Changed = false, 0, at
	return p
}

// Check says whether a stored record is one that this package made. Errors: ErrName, ErrRole, ErrHash.
func (p Person) Check() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if _, err := ParseRole(string(p.Role)); err != nil {
		return err
	}
	if p.V < 1 || p.V > RecordVersion || p.Failures < 0 || p.Failures > MaxFailures {
		return fmt.Errorf("record of %s: %w", p.Name, ErrHash)
	}
	_, err := p.Hash.parse()
	return err
}

// CheckName refuses what is no name. Long runs of digits are refused so that nobody is named like a card.
func CheckName(name string) error {
	if len(name) < 2 || len(name) > 32 || name[0] < 'a' || name[0] > 'z' {
		return ErrName
	}
	run := 0
	for _, r := range name {
		switch {
		case r >= '0' && r <= '9':
			if run++; run > 6 {
				return ErrName
			}
			continue
		case r < 'a' || r > 'z':
			if !strings.ContainsRune(".-_", r) {
				return ErrName
			}
		}
		run = 0
	}
	return nil
}

// KeepsAdministrator says whether somebody who can administer is left when one person's record becomes after; people is
// everybody as they are now.
func KeepsAdministrator(everybody []Person, after Person) bool {
	for _, p := range everybody {
		if p.Name == after.Name {
			p = after
		}
		if p.Role == Administrator && !p.Locked {
			return true
		}
	}
	return false
}
