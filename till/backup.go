package till

import (
	"context"
	"io"
	"net/http"

	"tillway/terminal"
	"tillway/terminal/people"
)

// Backup is one that was made. Close removes what it took on disk.
type Backup interface {
	io.WriterTo
	io.Closer
}

// backup answers with a backup of everything that the terminal keeps. It is made between sales: one that is put back knows no sale in its
// middle, which could have ended in any way since.
func (h *handler) backup(w http.ResponseWriter, r *http.Request) {
	if _, running := h.cfg.Lane.Current(); running {
		h.fail(w, r, terminal.ErrBusy)
		return
	}
	if h.cfg.Backup == nil {
		h.fail(w, r, request(http.StatusConflict, "no_backup", "This terminal makes no backups", "Copy its state folder while it is stopped.", "nothing was read"))
		return
	}
	who := h.cfg.Access.who(r)
	audit := func(ctx context.Context, result people.Result, note string) error {
		return h.cfg.Access.Audit(ctx, people.Entry{Actor: who.name, Event: people.EventBackup, Result: result, Note: people.Note("%s", note)})
	}
	if err := audit(r.Context(), people.Tried, "asks for a backup"); err != nil {
		h.fail(w, r, err)
		return
	}
	made, err := h.cfg.Backup(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer func() {
		if err := made.Close(); err != nil {
			h.cfg.Log.Error("till: what a backup left on disk was not removed", "err", err)
		}
	}()
	w.Header().Set("Content-Type", "application/gzip")
	n, err := made.WriteTo(w)
	result, note := people.Done, "the backup was handed out"
	if err != nil { // the client sees that it ends early: its form says so
		h.cfg.Log.Warn("till: a backup was not taken whole", "bytes", n, "err", err)
		result, note = people.Failed, "the backup was not taken whole"
	}
	if err := audit(context.WithoutCancel(r.Context()), result, note); err != nil {
		h.cfg.Log.Error("till: what came of a backup was not audited", "err", err)
	}
}
