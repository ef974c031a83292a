package till

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/till/support"
)

// Bounds of what a support bundle has.
const (
	bundleRows  = 300 // of the journal, the last
	bundleAudit = 200 // of the audit log, the last
)

// SupportFiles is the answer to POST /v1/support: the terminal's part of a support bundle, which pos support-bundle packs with what it
// finds on the machine. Card numbers are masked in it; it holds no key, no PIN, no token and no secret.
type SupportFiles struct {
	Version string        `json:"version"` // of the program
	Files   []SupportFile `json:"files"`
}

// SupportFile is one file of it.
type SupportFile struct {
	Name string `json:"name"` // with its folder, like "terminal/status.json"
	Text string `json:"text"`
}

// supportBundle gathers what support asks for. Who asked is in the audit log before anything is read.
func (h *handler) supportBundle(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	err := readBody(w, r, "{}", &struct{}{})
	if err == nil {
		err = h.cfg.Access.Audit(ctx, people.Entry{Actor: h.cfg.Access.who(r).name, Event: people.EventSupport, Result: people.Done, Note: "a support bundle was made"})
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	status := h.statusNow(ctx, h.cfg.Access.who(r))
	if status.Snapshot.Last != nil {
		last := withoutTheShops(*status.Snapshot.Last)
		status.Snapshot.Last = &last
	}
	files := []support.File{support.JSON("terminal/status.json", status)}
	files = append(files, h.supportLog()...)
	rows, traces := h.supportJournal(ctx)
	files = append(files, rows, h.supportDebts(ctx), h.supportBatches(ctx), h.supportMessages(traces), h.supportAudit(ctx))
	if h.cfg.Support != nil {
		files = append(files, h.cfg.Support(ctx)...)
	}
	out := SupportFiles{Version: h.cfg.Version}
	for _, f := range files {
		text, _ := support.Scrub(f.Text) // packing does it again, and counts
		if f.Text != text {
			h.cfg.Log.Warn("a number like a card's stood where none belongs, and was masked in a support bundle", "file", f.Name)
		}
		out.Files = append(out.Files, SupportFile{f.Name, text})
	}
	h.answer(w, http.StatusOK, out)
}

// supportLog is the last lines of the log, and its levels.
func (h *handler) supportLog() []support.File {
	if h.cfg.Logbook == nil {
		return nil
	}
	return []support.File{
		{Name: "terminal/log.txt", Text: strings.Join(h.cfg.Logbook.Last(), "\n") + "\n"},
		support.JSON("terminal/log-levels.json", h.logWords(h.cfg.Logbook.State())),
	}
}

// supportJournal is the last rows, without what is the shop's own business, and the traces in them.
func (h *handler) supportJournal(ctx context.Context) (support.File, []uint32) {
	const name = "terminal/journal.json"
	last := h.cfg.Lane.Snapshot().Journal
	rows, err := h.cfg.Journal.Rows(ctx, max(0, last-bundleRows), bundleRows)
	if err != nil {
		return support.Missing(name, err), nil
	}
	var traces []uint32
	trace := func(n uint32) {
		if n != 0 && !slices.Contains(traces, n) {
			traces = append(traces, n)
		}
	}
	for i := range rows {
		row := h.localRow(caller{}, rows[i])
		if row.Record != nil {
			record := withoutTheShops(*row.Record)
			row.Record = &record
			trace(record.STAN)
		}
		if row.Debt != nil {
			trace(row.Debt.STAN)
		}
		rows[i] = row
	}
	return support.JSON(name, rows), traces
}

// WithoutPrivate is a message without what its fields of private use say (ISO 8583:1987, DE 46 to 48 and 57 to 63, and above 104): an
// acquirer may have a password in them. How long each is stays.
func (m Message) WithoutPrivate() Message {
	fields := map[string]string{}
	for number, text := range m.Fields {
		n, err := strconv.Atoi(number)
		if err != nil || n >= 46 && n <= 48 || n >= 57 && n <= 63 || n > 104 && n != 128 {
			text = fmt.Sprintf("(%d characters of private use)", len(text))
		}
		fields[number] = text
	}
	m.Fields = fields
	return m
}

// withoutTheShops takes out what a shop wrote into an order, by which its customers may be known, and the token that finds a card.
func withoutTheShops(s terminal.Sale) terminal.Sale {
	mark := func(text *string) {
		if *text != "" {
			*text = support.Removed
		}
	}
	mark(&s.Reference)
	mark(&s.Key)
	mark(&s.Token)
	s.Asked = nil
	return s
}

func (h *handler) supportDebts(ctx context.Context) support.File {
	debts, err := h.cfg.Journal.Debts(ctx)
	if err != nil {
		return support.Missing("terminal/queue.json", err)
	}
	return support.JSON("terminal/queue.json", debts)
}

func (h *handler) supportBatches(ctx context.Context) support.File {
	batches, err := h.cfg.Journal.Batches(ctx, h.cfg.Acquirer)
	if err != nil {
		return support.Missing("terminal/batches.json", err)
	}
	return support.JSON("terminal/batches.json", batches)
}

// supportMessages are those between terminal and host about the sales that the journal's extract has.
func (h *handler) supportMessages(traces []uint32) support.File {
	var all []Message
	if h.cfg.Messages != nil {
		all = h.cfg.Messages.Messages(traces, time.Time{})
	}
	for i := range all {
		all[i] = all[i].WithoutPrivate()
		all[i].Time = h.local(all[i].Time)
	}
	return support.JSON("terminal/messages.json", all)
}

// auditSummary is what a bundle says of the audit log: how often what happened, and the last rows.
type auditSummary struct {
	Counts map[string]int `json:"counts"` // by event and result, of the rows that were read
	Last   []people.Row   `json:"last"`
}

func (h *handler) supportAudit(ctx context.Context) support.File {
	const name = "terminal/audit.json"
	sum := auditSummary{Counts: map[string]int{}}
	for after := int64(0); ; {
		rows, err := h.cfg.Access.cfg.People.AuditRows(ctx, after, MaxRows)
		if err != nil {
			return support.Missing(name, err)
		}
		for _, row := range rows {
			row.Time = h.local(row.Time)
			sum.Counts[fmt.Sprintf("%s %s", row.Event, row.Result)]++
			sum.Last = append(sum.Last, row)
			after = row.Seq
		}
		if n := len(sum.Last); n > bundleAudit {
			sum.Last = slices.Clone(sum.Last[n-bundleAudit:])
		}
		if len(rows) < MaxRows || ctx.Err() != nil {
			return support.JSON(name, sum)
		}
	}
}
