// Package parameters keeps a terminal's parameter packages on disk: the one in force and the one before it, each whole as it was
// signed, and a record that says which is which. The record changes in one rename, so that a power cut at any moment leaves the old
// package in force or the new one, and never half of one. The record has a tag of the secure module: nobody else's is believed.
// How far versions have come is known beside the folder and to the witness, so that neither an old file nor an old folder brings old
// parameters back. What a package says, and who may sign one, is terminal/provision's.
package parameters

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"tillway/terminal/provision"
)

// Sealer makes and checks the record's tag. The key never leaves the secure module.
type Sealer interface {
	Tag(ctx context.Context, text []byte) ([]byte, error)
	// Check is nil for a tag that Tag made of this text on this terminal.
	Check(ctx context.Context, text, tag []byte) error
}

// ErrNoPrevious says that there is no package to go back to.
var ErrNoPrevious = errors.New("there is no package to go back to")

// maxStarts is how often the terminal starts with a package that has not worked yet, before it takes that package back. It is more
// than one, because a start can also be cut off from outside.
const maxStarts = 3

// Shelf is the folder of packages. One goroutine at a time uses it.
type Shelf struct {
	disk    Disk
	seal    Sealer
	counter *Counter

	record  Record
	current *provision.Package
	why     string
}

// Open reads what is in force. A folder that cannot be believed is no error: the terminal is then without a package, and Why says why.
// Errors are the disk's.
func Open(ctx context.Context, disk Disk, seal Sealer, counter *Counter) (*Shelf, error) {
	s := &Shelf{disk: disk, seal: seal, counter: counter}
	file, err := disk.Read(recordName, maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		s.record.Highest = counter.Highest()
		if s.why = "no parameter package was applied yet"; counter.Highest() > 0 {
			s.why = fmt.Sprintf("the parameters are gone: version %d was in force: apply it again, or a newer one", counter.Highest())
		}
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if err := s.believe(ctx, file); err != nil {
		s.record, s.current, s.why = Record{Highest: counter.Highest()}, nil, err.Error()
		return s, nil
	}
	return s, counter.Raise(ctx, s.record.Highest)
}

// believe takes a record whose tag is right and which is not older than the counter, and its package.
func (s *Shelf) believe(ctx context.Context, file []byte) error {
	r, text, tag, err := split(file)
	if err == nil {
		err = s.seal.Check(ctx, text, tag)
	}
	if err != nil {
		return fmt.Errorf("the record of the parameters in force does not authenticate (%w): apply the package again", err)
	}
	if r.Highest < s.counter.Highest() {
		return fmt.Errorf("the parameters on disk are older than those that this terminal has had (version %d): apply version %d again, or a newer one", s.counter.Highest(), s.counter.Highest())
	}
	s.record = r
	if r.Current == nil {
		s.why = "the last parameter package was taken back, and there is none before it"
		return nil
	}
	s.current, err = s.read(*r.Current)
	return err
}

// Unsealed is the package that a folder names as in force, whoever wrote that there: for looking at a terminal that is stopped, and for
// nothing that rests on it. nil: none is.
func Unsealed(disk Disk) (*provision.Package, error) {
	file, err := disk.Read(recordName, maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	r, _, _, err := split(file)
	if err != nil {
		return nil, fmt.Errorf("the record of the parameters in force: %w", err)
	}
	if r.Current == nil {
		return nil, nil
	}
	return read(disk, *r.Current)
}

func (s *Shelf) read(e Entry) (*provision.Package, error) { return read(s.disk, e) }

// read reads a package that the record names.
func read(disk Disk, e Entry) (*provision.Package, error) {
	file, err := disk.Read(e.fileName(), provision.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("the parameter package in force, version %d, cannot be read (%w): apply it again", e.Version, err)
	}
	p, err := provision.Parse(file)
	if err == nil && (p.Digest() != e.Digest || p.Version != e.Version) {
		err = errors.New("another file stands in its place")
	}
	if err != nil {
		return nil, fmt.Errorf("the parameter package in force, version %d, was changed on disk (%w): apply it again", e.Version, err)
	}
	return p, nil
}

// Current is the package in force; nil: there is none.
func (s *Shelf) Current() *provision.Package { return s.current }

// Why says why there is none; one sentence.
func (s *Shelf) Why() string { return s.why }

// Record is what is on disk.
func (s *Shelf) Record() Record { return s.record }

// State is what a package is judged by; the technician's word is for the caller to add.
func (s *Shelf) State() provision.State {
	return provision.State{Current: s.current, Highest: max(s.record.Highest, s.counter.Highest())}
}

// Put puts a package in force that was judged: durable when it returns nil. It has still to work: Starting, then Worked or Failed.
func (s *Shelf) Put(ctx context.Context, p *provision.Package, by string, now time.Time) error {
	next := s.record
	if s.current == nil {
		next.Previous = nil
	} else {
		next.Previous = s.record.Current
	}
	next.Current = &Entry{Version: p.Version, Digest: p.Digest(), Since: now.UTC().Truncate(time.Second), By: by}
	next.Highest, next.Starts, next.Failed = max(next.Highest, p.Version), 1, nil
	next.Load = p.NewKeyBlocks(s.current)
	if err := s.disk.Write(next.Current.fileName(), p.File()); err != nil {
		return fmt.Errorf("writing the parameter package: %w", err)
	}
	if err := s.disk.Sync(); err != nil {
		return fmt.Errorf("writing the parameter package: %w", err)
	}
	return s.commit(ctx, next, p)
}

// Starting counts a start with a package that has not worked yet, and takes one back that was started too often. It says whether it did.
func (s *Shelf) Starting(ctx context.Context, now time.Time) (takenBack bool, err error) {
	if s.current == nil || s.record.Starts == 0 {
		return false, nil
	}
	if s.record.Starts > maxStarts {
		return true, s.TakeBack(ctx, fmt.Sprintf("the terminal was started %d times with it and never got ready", maxStarts), now)
	}
	next := s.record
	next.Starts++
	return false, s.commit(ctx, next, s.current)
}

// Untried says that the package in force has not worked yet.
func (s *Shelf) Untried() bool { return s.current != nil && s.record.Starts > 0 }

// Worked says that the terminal runs with the package in force, and that the keys of Record.Load are loaded.
func (s *Shelf) Worked(ctx context.Context) error {
	if !s.Untried() && len(s.record.Load) == 0 {
		return nil
	}
	next := s.record
	next.Starts, next.Load = 0, nil
	return s.commit(ctx, next, s.current)
}

// TakeBack puts the package before in force again, or none where there is none that can be read, because the one in force does not work.
func (s *Shelf) TakeBack(ctx context.Context, reason string, now time.Time) error {
	next := s.record
	next.Failed = &Failed{Version: s.record.Current.Version, Time: now.UTC().Truncate(time.Second), Reason: short(reason)}
	err := s.back(ctx, next)
	if gone, ok := errors.AsType[*unreadable](err); ok { // it would keep the terminal from ever starting: without parameters it takes a package
		next.Failed.Reason = short(reason + "; and " + gone.Error())
		next.Previous = nil
		err = s.back(ctx, next)
	}
	return err
}

// unreadable is the package before, which is not as it was.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

// Back is somebody's order to go back to the package before. Error: ErrNoPrevious.
func (s *Shelf) Back(ctx context.Context) error {
	if s.record.Previous == nil {
		return ErrNoPrevious
	}
	return s.back(ctx, s.record)
}

func (s *Shelf) back(ctx context.Context, next Record) (err error) {
	var p *provision.Package
	if next.Previous != nil {
		if p, err = s.read(*next.Previous); err != nil {
			return &unreadable{err}
		}
	}
	next.Current, next.Previous, next.Starts, next.Load = next.Previous, nil, 0, nil
	if p != nil { // the keys that it brought are in force again too
		next.Load = p.NewKeyBlocks(s.current)
	}
	return s.commit(ctx, next, p)
}

// Previous is the package to which Back leads. Error: ErrNoPrevious, or that it cannot be read.
func (s *Shelf) Previous() (*provision.Package, error) {
	if s.record.Previous == nil {
		return nil, ErrNoPrevious
	}
	return s.read(*s.record.Previous)
}

// commit writes the record, which is the moment of change, then raises the counter and takes away what nothing names any more. A
// power cut before the counter was raised leaves it behind the record; the next Open raises it.
func (s *Shelf) commit(ctx context.Context, next Record, current *provision.Package) error {
	text, err := next.text()
	if err != nil {
		return fmt.Errorf("record of the parameters: %w", err)
	}
	tag, err := s.seal.Tag(ctx, text)
	if err != nil {
		return fmt.Errorf("record of the parameters: %w", err)
	}
	if err := replace(s.disk, recordName, join(text, tag)); err != nil {
		return fmt.Errorf("record of the parameters: %w", err)
	}
	s.record, s.current, s.why = next, current, ""
	if current == nil {
		s.why = "the last parameter package was taken back, and there is none before it"
	}
	if err := s.counter.Raise(ctx, next.Highest); err != nil {
		return err
	}
	return s.tidy()
}

// tidy takes away packages that the record does not name, and what a power cut left half written.
func (s *Shelf) tidy() error {
	names, err := s.disk.List()
	if err != nil {
		return fmt.Errorf("folder of the parameters: %w", err)
	}
	var keep []string
	for _, e := range []*Entry{s.record.Current, s.record.Previous} {
		if e != nil {
			keep = append(keep, e.fileName())
		}
	}
	for _, name := range names {
		if slices.Contains(keep, name) || !strings.HasSuffix(name, packageEnd) && !strings.HasSuffix(name, fresh) {
			continue
		}
		if err := s.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("folder of the parameters: %w", err)
		}
	}
	return nil
}

// short keeps a reason to one bounded line.
func short(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, reason)
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + " …"
	}
	return reason
}

// maxReason bounds it so that a record stays far below maxRecord.
const maxReason = 500
