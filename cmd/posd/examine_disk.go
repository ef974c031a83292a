package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tillway/store"
	"tillway/terminal/people"
	"tillway/terminal/selftest"
)

// lowRoom is how many bytes have to be free for nothing to be said: four times of what approvals without the bank take.
const lowRoom = 4 * minRoom

// flushNote stands with a disk that works, because no program can see through a disk that lies.
const flushNote = "; a disk that confirms what it has not kept cannot be told from here"

// diskWorks writes, flushes and removes a file where the journal lies, and looks at the room.
func (e *examiner) diskWorks(ctx context.Context) []selftest.Finding {
	dir := e.config.State
	began := time.Now()
	if err := flushed(dir); err != nil {
		return []selftest.Finding{unwritable(dir, err), e.room(ctx)}
	}
	took := time.Since(began).Round(100 * time.Microsecond)
	return []selftest.Finding{selftest.Good(selftest.Disk, "writing", fmt.Sprintf("written and flushed in %s%s", took, flushNote)), e.room(ctx)}
}

func (e *examiner) room(ctx context.Context) selftest.Finding {
	free, err := roomIn(e.config.State)(ctx)
	switch mib := free >> 20; {
	case err != nil:
		return selftest.Missed(selftest.Disk, "room", inOneLine(err))
	case free < ballastBytes:
		return selftest.Bad("disk_full", "room", fmt.Sprintf("%d KiB are free on the disk of %s, and no sale can be written.", free>>10, e.config.State))
	case free < lowRoom:
		return selftest.Bad("disk_low", "room", fmt.Sprintf("%d MiB are free on the disk of %s.", mib, e.config.State))
	default:
		return selftest.Good(selftest.Disk, "room", fmt.Sprintf("%d MiB free", mib))
	}
}

// flushed writes a file as the journal does: written, flushed, renamed, and the folder flushed.
func flushed(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".selftest-")
	if err != nil {
		return err
	}
	name := f.Name()
	defer func() {
		if rerr := os.Remove(name); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && err == nil {
			err = rerr
		}
	}()
	_, err = f.Write(make([]byte, 4096))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unwritable says why a folder takes no file.
func unwritable(dir string, err error) selftest.Finding {
	switch {
	case errors.Is(err, syscall.EROFS):
		return selftest.Bad("disk_read_only", "writing", fmt.Sprintf("The disk of %s is mounted for reading only.", dir))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return selftest.Bad("disk_full", "writing", fmt.Sprintf("The disk of %s is full: a file of 4 KiB could not be written.", dir))
	case errors.Is(err, fs.ErrPermission):
		return selftest.Bad("folder_closed", "writing", fmt.Sprintf("%s takes no file of this user's.", dir))
	case errors.Is(err, fs.ErrNotExist):
		return selftest.Missed(selftest.Disk, "writing", fmt.Sprintf("%s is not there; posd makes it at its first start", dir))
	default:
		return selftest.Bad("disk_flush", "writing", fmt.Sprintf("A file in %s could not be written and flushed: %s.", dir, inOneLine(err)))
	}
}

// permissions looks at who may read what the terminal keeps, and reach its sockets.
func (e *examiner) permissions(context.Context) []selftest.Finding {
	var all []selftest.Finding
	c := &e.config
	for _, dir := range []string{c.State, filepath.Join(c.State, "keyd"), c.Keys.Witness} {
		if f, there := folderRights(dir); there {
			all = append(all, f)
		}
	}
	for _, file := range []string{c.Acquirer.Key, c.ECR.Key, c.Keys.Unlock} {
		if file == "" {
			continue
		}
		if f, there := fileRights(file); there {
			all = append(all, f)
		}
	}
	for _, socket := range []string{c.Socket, c.Keys.Socket} {
		if f, there := socketRights(socket); there {
			all = append(all, f)
		}
	}
	return all
}

func folderRights(dir string) (selftest.Finding, bool) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return selftest.Finding{}, false
	case err != nil:
		return selftest.Bad("folder_closed", dir, fmt.Sprintf("%s cannot be looked at: %s.", dir, inOneLine(err))), true
	case info.Mode().Perm()&0o027 != 0:
		return selftest.Bad("folder_open", dir, fmt.Sprintf("%s has the rights %s: others than its owner can look into it or change it.", dir, info.Mode().Perm())).Do("chmod 700 " + dir + "."), true
	case unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) != nil && !readOnly(dir):
		return selftest.Bad("folder_closed", dir, fmt.Sprintf("This user may not read and write in %s.", dir)), true
	}
	return selftest.Good(selftest.Permissions, dir, info.Mode().Perm().String()), true
}

// readOnly says that a folder's disk takes no writing at all: that is the disk's finding, and no matter of rights.
func readOnly(dir string) bool { return errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS) }

func fileRights(file string) (selftest.Finding, bool) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return selftest.Finding{}, false // whoever needs it says so
	case info.Mode().Perm()&0o007 != 0:
		return selftest.Bad("folder_open", file, fmt.Sprintf("%s has the rights %s: every user of this machine can read a secret.", file, info.Mode().Perm())).Do("chmod 600 " + file + "."), true
	}
	return selftest.Good(selftest.Permissions, file, info.Mode().Perm().String()), true
}

func socketRights(socket string) (selftest.Finding, bool) {
	info, err := os.Stat(socket)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return selftest.Finding{}, false
	}
	folder, err := os.Stat(filepath.Dir(socket))
	if err == nil && info.Mode().Perm()&0o002 != 0 && folder.Mode().Perm()&0o001 != 0 {
		return selftest.Bad("socket_open", socket, fmt.Sprintf("Every user of this machine can connect to %s.", socket)), true
	}
	return selftest.Good(selftest.Permissions, socket, info.Mode().Perm().String()), true
}

// store looks at the journal: form, contents, counters.
func (e *examiner) store(ctx context.Context) []selftest.Finding {
	if e.disk == nil {
		return []selftest.Finding{selftest.Missed(selftest.Store, "", e.closed)}
	}
	all := []selftest.Finding{e.pages(ctx), e.rows(ctx)}
	for _, behind := range e.disk.behind {
		all = append(all, selftest.Bad("counter_behind", behind, "At the last start the counter "+behind+": an older state folder was put back. No number is given twice, and sales may be missing here that the bank knows."))
	}
	if len(e.disk.behind) == 0 {
		all = append(all, selftest.Good(selftest.Store, "counters", "with the witness"))
	}
	return append(all, e.clockBack(ctx))
}

func (e *examiner) pages(ctx context.Context) selftest.Finding {
	damage, looked, err := e.disk.journal.QuickCheck(ctx)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return selftest.Bad("database_corrupt", "pages", "The database cannot be read: "+inOneLine(err)+".")
	case err != nil:
		return selftest.Missed(selftest.Store, "pages", inOneLine(err))
	case damage != "":
		return selftest.Bad("database_corrupt", "pages", "SQLite finds the database damaged: "+damage+".")
	case !looked:
		return selftest.Missed(selftest.Store, "pages", fmt.Sprintf("it is above %d MiB, and looking at it would hold sales up", store.QuickCheckBytes>>20))
	}
	return selftest.Good(selftest.Store, "pages", "whole")
}

// rows reads as much of what is kept as the limit allows.
func (e *examiner) rows(ctx context.Context) selftest.Finding {
	limit, stop := context.WithTimeout(ctx, storeLimit*2/3)
	defer stop()
	r, err := e.disk.verified(limit)
	if len(r.Findings) > 0 {
		f, id, more := r.Findings[0], "row_corrupt", ""
		if f.Table == people.AuditTable {
			id = "audit_cut"
		}
		if n := len(r.Findings) - 1; n > 0 {
			more = fmt.Sprintf(", and %d more (pos audit verify lists them)", n)
		}
		return selftest.Bad(id, "rows", fmt.Sprintf("What is kept is not as it was written: %s%s.", f, more))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return selftest.Missed(selftest.Store, "rows", "reading everything takes longer than a test may; pos audit verify does it")
	case err != nil:
		return selftest.Missed(selftest.Store, "rows", inOneLine(err))
	}
	return selftest.Good(selftest.Store, "rows", fmt.Sprintf("%d rows authenticate", r.Rows))
}

// clockBack compares the clock with the journal's newest row.
func (e *examiner) clockBack(ctx context.Context) selftest.Finding {
	counts, err := e.disk.journal.Counts(ctx)
	switch {
	case err != nil:
		return selftest.Missed(selftest.Clock, "journal", inOneLine(err))
	case counts.Clock != "":
		return selftest.Bad("clock_back", "journal", counts.Clock)
	}
	return selftest.Good(selftest.Clock, "journal", "not behind the newest row")
}

// inOneLine is an error on one line, without the full stop.
func inOneLine(err error) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), ".")
}
