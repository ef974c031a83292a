package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
	"tillway/terminal/selftest"
)

// errFaults is the exit of a test that found a fault. All is said already.
var errFaults = errors.New("the terminal has faults")

// checkCommand is the terminal's test of itself without a daemon.
func checkCommand(from *source, out, errOut io.Writer) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "check", Short: "Test a terminal that does not run, and say why it does not start", Args: cobra.NoArgs,
		Long: `check does what posd does when it starts, without starting, and then looks at all that a sale needs: what it finds wrong, with its
remedy, stands in docs/faults.md. It ends no sale and owes nobody anything. pos selftest asks a terminal that runs, and has check do the rest
where none does. As root it goes on as the owner of the state folder.

Exit status: 0 no fault, 1 a fault.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := becomeOwner(*from); err != nil {
				return err
			}
			r := checkStopped(cmd.Context(), *from, errOut)
			if err := printReport(out, r, asJSON); err != nil {
				return err
			}
			if r.Faults > 0 {
				return errFaults
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, for programs")
	return c
}

func printReport(out io.Writer, r selftest.Report, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	_, err := io.WriteString(out, r.Text())
	return err
}

// becomeOwner has root go on as whom the state folder belongs to: a file of root's in it would keep posd from starting.
func becomeOwner(from source) error {
	if os.Geteuid() != 0 {
		return nil
	}
	c, err := from.load(nil)
	if err != nil {
		return nil //nolint:nilerr // the check itself says so
	}
	info, err := os.Stat(c.State)
	if err != nil {
		return nil //nolint:nilerr // there is nothing to spoil
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	uid, gid := int(owner.Uid), int(owner.Gid)
	if err := errors.Join(syscall.Setgroups(groupsOf(uid, gid)), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("going on as the owner of %s: %w", c.State, err)
	}
	return nil
}

// ownersWork refuses root where the state folder is another user's: what root put there, posd could not open.
func ownersWork(state string, euid int) error {
	info, err := os.Stat(state)
	if euid != 0 || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return fmt.Errorf("the state folder %s is of user %d, and posd could not open what root puts there: run this as that user, with sudo -u '#%d'", state, owner.Uid, owner.Uid)
	}
	return nil
}

// groupsOf are a user's groups, those of readers' ports among them.
func groupsOf(uid, gid int) []int {
	all := []int{gid}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return all
	}
	names, err := u.GroupIds()
	if err != nil {
		return all
	}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && id != gid {
			all = append(all, id)
		}
	}
	return all
}

// checkStopped goes the way of a start as far as it leads, and looks at what can be looked at from there.
func checkStopped(ctx context.Context, from source, errOut io.Writer) selftest.Report {
	began := time.Now()
	quiet := slog.New(slog.DiscardHandler)
	own, err := from.load(nil)
	if err != nil {
		return selftest.NewReport(began, time.Since(began), version(), false, []selftest.Finding{wrongConfig(from.name(), err)})
	}
	e := &examiner{path: from.path, config: own, now: time.Now, log: quiet, closed: "the terminal is not set up as it should be"}
	c, err := from.asStarted(own)
	if err == nil && c.waits() {
		e.closed = "the terminal waits for its parameters"
		before := append([]selftest.Finding{selftest.Good(selftest.Daemon, "configuration", from.name())}, e.openStopped(ctx, from, own, errOut)...)
		defer e.letGo()
		return e.run(ctx, before...)
	}
	var p profile.Profile
	if err == nil {
		e.config = c
		p, err = startable(c)
	}
	if err != nil {
		return e.run(ctx, wrongConfig(from.name(), err))
	}
	e.profile = &p
	before := append([]selftest.Finding{selftest.Good(selftest.Daemon, "configuration", from.name())}, e.openStopped(ctx, from, own, errOut)...)
	defer e.letGo()
	return e.run(ctx, before...)
}

func wrongConfig(path string, err error) selftest.Finding {
	return selftest.Bad("config_wrong", path, "posd does not start: "+inOneLine(err)+".")
}

// startable is the part of a start that touches nothing: configuration, profile, keys of the authorities, certificates.
func startable(c config) (profile.Profile, error) {
	p, err := c.loadProfile()
	if err == nil {
		err = honours(p, c.Reader.Stripe.wanted())
	}
	if err == nil {
		err = c.rolesFit(p)
	}
	if err == nil {
		_, err = c.loadCAKeys(p, time.Now(), slog.New(slog.DiscardHandler))
	}
	if err == nil {
		_, err = openDialect(c.Acquirer, p, time.Now)
	}
	return p, err
}

// openStopped opens the state folder as a start does, where there is one and no posd has it: with what is the machine's own. The caller closes
// e.disk.
func (e *examiner) openStopped(ctx context.Context, from source, own config, errOut io.Writer) []selftest.Finding {
	dir := own.State
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		e.closed = "there is no state folder yet: posd makes it at its first start"
		return nil
	}
	if readOnly(dir) {
		e.closed = "its disk takes no writing"
		return nil
	}
	unlock, err := lockState(dir)
	if err != nil {
		e.closed = "posd, or another program, has the state folder, or this user may not use it"
		if errors.Is(err, fs.ErrPermission) {
			return []selftest.Finding{selftest.Bad("folder_closed", dir, capital(inOneLine(err))+".").Do("Do this as root, or as the user that posd runs as.")}
		}
		return []selftest.Finding{selftest.Missed(selftest.Store, "", inOneLine(err))}
	}
	e.unlock = unlock
	if f, whole := wholeFolder(own); !whole {
		e.closed = "the journal is not there"
		return f
	}
	d, err := openDiskWith(ctx, dir, moduleOf(own, e.log, errOut, func(secure.Event) {}), e.log)
	if err == nil {
		e.disk = d
		err = d.witness(ctx, own.witness("counters"))
	}
	if err != nil {
		if e.disk != nil {
			err = errors.Join(err, e.disk.close())
			e.disk = nil
		}
		e.closed = "the state folder could not be opened"
		return []selftest.Finding{unopened(dir, err)}
	}
	found := e.believed(ctx, from, own)
	if e.profile == nil {
		return found
	}
	return append(found, e.ownerStopped(ctx, from)...)
}

// letGo closes what openStopped has opened.
func (e *examiner) letGo() {
	if e.disk != nil {
		_ = e.disk.close()
	}
	if e.unlock != nil {
		e.unlock()
	}
}

// ownerStopped makes what asks the host, and looks whether the doors could be opened.
func (e *examiner) ownerStopped(ctx context.Context, from source) []selftest.Finding {
	a := e.config.Acquirer
	dialect, err := openDialect(a, *e.profile, e.now)
	if err != nil {
		return []selftest.Finding{wrongConfig(from.name(), err)}
	}
	owner := lane.NewOwner(lane.OwnerConfig{
		Name: a.Name, Journal: e.disk.journal, Dialect: dialect, Traces: e.disk.traces, Macs: acquirerKeys{e.disk.keys, a.Name, macMethod(a.mac())},
		TerminalID: e.profile.Terminal.ID, MerchantID: e.profile.Terminal.MerchantID, Clock: e.now, Log: e.log,
	})
	e.codec, e.probe = dialect.Codec(), owner.ProbeStopped
	doors, err := openDoors(ctx, e.config, e.log)
	if err == nil {
		err = doors.close()
	}
	if err != nil {
		return []selftest.Finding{wrongConfig(from.name(), err)}
	}
	return nil
}

// wholeFolder says whether there is a journal, with what belongs to it. None at all is a terminal before its first start.
func wholeFolder(c config) ([]selftest.Finding, bool) {
	dir, there := c.State, map[string]bool{}
	names := []string{"journal.db", "sale.counter", "stan.counter"}
	if !c.Keys.service() { // else they are in keyd's own folder
		names = append(names, filepath.Join("keyd", "keys"))
	}
	for _, name := range names {
		_, err := os.Stat(filepath.Join(dir, name))
		there[name] = err == nil
	}
	for name, found := range there {
		if found != there["journal.db"] {
			missing := "journal.db"
			if there["journal.db"] {
				missing = name
			}
			return []selftest.Finding{selftest.Bad("database_missing", dir, fmt.Sprintf("%s of the state folder %s is gone, and other files of the terminal are there.", missing, dir))}, false
		}
	}
	return nil, there["journal.db"]
}

// unopened says why the state folder could not be opened.
func unopened(dir string, err error) selftest.Finding {
	said := inOneLine(err) + "."
	switch {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrForeign):
		return selftest.Bad("database_corrupt", dir, "The journal does not open: "+said)
	case errors.Is(err, store.ErrDiskFull), errors.Is(err, syscall.ENOSPC):
		return selftest.Bad("disk_full", dir, fmt.Sprintf("The disk of %s is full, so that the journal does not open: %s", dir, said))
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, syscall.EROFS):
		return selftest.Bad("disk_read_only", dir, fmt.Sprintf("%s takes no writing, so that the journal does not open: %s", dir, said))
	case errors.Is(err, store.ErrCounter):
		return selftest.Bad("database_missing", dir, capital(said))
	case errors.Is(err, secure.ErrDestroyed):
		return selftest.Bad("keys_destroyed", "", capital(said))
	}
	return selftest.Bad("keyd_gone", dir, "The secure module does not open what it keeps: "+said)
}
