package till

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
	"tillway/terminal/spool"
)

// Printer is the receipt printer as the till uses it (terminal/spool.Spool).
type Printer interface {
	// Status is how printing stands.
	Status() spool.Status
	// Add has a paper printed; error spool.ErrFull.
	Add(ctx context.Context, j spool.Job) (uint64, error)
	// Resume goes on with a paper that is held; error spool.ErrJob.
	Resume(ctx context.Context) error
	// Drop gives up the first paper that waits; error spool.ErrJob.
	Drop(ctx context.Context) (spool.Job, error)
	// Kick opens the cash drawer.
	Kick(ctx context.Context) error
}

// PrinterStatus is the answer to GET /v1/printer, and stands in Status.
type PrinterStatus struct {
	Name string `json:"name"` // driver and port
	spool.Status
}

// PrintOrder is the body of POST /v1/printer/print.
type PrintOrder struct {
	What   spool.What      `json:"what"` // receipt, test, report, proof or kernel
	Sale   terminal.SaleID `json:"sale,omitempty"`
	Copy   receipt.Copy    `json:"copy,omitempty"`
	Report string          `json:"report,omitempty"` // x or z
	Batch  uint32          `json:"batch,omitempty"`
}

// problemsOfPrinter is what the printer's errors are to a client.
func problemsOfPrinter() []problemRow {
	return []problemRow{
		{spool.ErrNoPrinter, http.StatusConflict, "no_printer", "There is no receipt printer", "Name one in posd.toml, [printer], or print the text of pos receipt."},
		{spool.ErrFull, http.StatusConflict, "printer_full", "Too many papers wait for the printer", "See pos printer status for what keeps it."},
		{spool.ErrOver, http.StatusServiceUnavailable, "printer_over", "Nothing is printed any more", "See the terminal's log, and start it again. Sales go on."},
		{spool.ErrJob, http.StatusConflict, "no_paper", "Nothing waits that this is for", "See pos printer status."},
	}
}

// printerStatus is nil where there is no printer.
func (h *handler) printerStatus() *PrinterStatus {
	if h.cfg.Printer == nil {
		return nil
	}
	return &PrinterStatus{h.cfg.PrinterName, h.cfg.Printer.Status()}
}

func (h *handler) printer(w http.ResponseWriter, r *http.Request) {
	s := h.printerStatus()
	if s == nil {
		h.fail(w, r, spool.ErrNoPrinter)
		return
	}
	h.answer(w, http.StatusOK, s)
}

// print has a paper printed that somebody asks for. A receipt is a duplicate then, unless it is printed for the first time.
func (h *handler) print(w http.ResponseWriter, r *http.Request) {
	var o PrintOrder
	if err := readBody(w, r, `{"what":"receipt","sale":1042,"copy":"customer"}`, &o); err != nil {
		h.fail(w, r, err)
		return
	}
	needs, err := o.check()
	if err == nil {
		_, err = h.permit(r, needs, r.Method+" "+r.URL.Path, "")
	}
	if err == nil && h.cfg.Printer == nil {
		err = spool.ErrNoPrinter
	}
	if err == nil && o.What == spool.Receipt {
		_, err = h.cfg.Journal.Sale(r.Context(), o.Sale)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if _, err := h.cfg.Printer.Add(r.Context(), spool.Job{What: o.What, Sale: o.Sale, Copy: o.Copy, Duplicate: o.What == spool.Receipt, Report: o.Report, Batch: o.Batch}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusAccepted, h.printerStatus())
}

// check refuses an order for no paper, and says what it takes to give it.
func (o PrintOrder) check() (people.Action, error) {
	bad := func(detail string) error {
		return request(http.StatusBadRequest, "bad_print", "That is no paper", "Ask for a receipt with its sale and copy, a test, the kernel's slip, report x or z, or a proof.", "%s", detail)
	}
	switch o.What {
	case spool.Receipt:
		if o.Sale == 0 || o.Copy != receipt.Customer && o.Copy != receipt.Merchant {
			return "", bad("a receipt has a sale, and a copy: customer or merchant")
		}
		return people.Receipt, nil
	case spool.Test, spool.Kernel:
		return people.Print, nil
	case spool.Report:
		if o.Report != "x" && o.Report != "z" {
			return "", bad("a report is x or z")
		}
		return people.Report, nil
	case spool.Proof:
		return people.Report, nil
	case spool.Slip:
	}
	return "", bad("what is receipt, test, report, proof or kernel")
}

// resumePrinter goes on with what is held.
func (h *handler) resumePrinter(w http.ResponseWriter, r *http.Request) {
	h.withPrinter(w, r, func() error { return h.cfg.Printer.Resume(r.Context()) })
}

// dropPrint gives a paper up. Who did is in the audit log: a receipt that nobody gets is worth a question.
func (h *handler) dropPrint(w http.ResponseWriter, r *http.Request) {
	h.withPrinter(w, r, func() error {
		j, err := h.cfg.Printer.Drop(r.Context())
		if err != nil {
			return err
		}
		return h.cfg.Access.Audit(r.Context(), people.Entry{
			Actor: h.cfg.Access.who(r).name, Event: people.EventPrint, Result: people.Done,
			Note: people.Note("gave up the %s %s of sale %s that waited for the printer", j.Copy, j.What, j.Sale),
		})
	})
}

func (h *handler) withPrinter(w http.ResponseWriter, r *http.Request, do func() error) {
	err := spool.ErrNoPrinter
	if h.cfg.Printer != nil {
		err = do()
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, h.printerStatus())
}

// drawerWithin bounds how long somebody waits for the drawer.
const drawerWithin = 20 * time.Second

// drawer opens the cash drawer. It is in the audit log before it opens, and what came of it after.
func (h *handler) drawer(w http.ResponseWriter, r *http.Request) {
	h.withPrinter(w, r, func() error {
		if h.training() {
			return terminal.ErrTraining
		}
		entry := people.Entry{Actor: h.cfg.Access.who(r).name, Event: people.EventDrawer, Result: people.Tried, Note: "asks for the cash drawer to be opened"}
		if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(context.WithoutCancel(r.Context()), drawerWithin)
		defer stop()
		err := h.cfg.Printer.Kick(ctx)
		if entry.Result, entry.Note = people.Done, "the cash drawer was opened"; err != nil {
			entry.Result, entry.Note = people.Failed, people.Note("the cash drawer was not opened: %v", err)
		}
		if aerr := h.cfg.Access.Audit(ctx, entry); aerr != nil {
			return errors.Join(err, aerr)
		}
		if err != nil {
			return request(http.StatusServiceUnavailable, "drawer", "The drawer did not open", "Put the printer right; the drawer's key opens it meanwhile.", "%v", err)
		}
		return nil
	})
}

// Draw is what draws a printer's papers, from the same journal and with the same head as the till's own, each in its language. Errors:
// receipt.ErrNotFinal, spool.ErrJob, the journal's.
func Draw(cfg Config) func(ctx context.Context, j spool.Job, duplicate bool) (receipt.Sheet, error) {
	h := &handler{cfg: cfg}
	own := func(page []receipt.Block, err error) (receipt.Sheet, error) {
		return receipt.Sheet{Language: cfg.Languages.Of(receipt.Merchant, ""), Blocks: page}, err
	}
	copied := func(ctx context.Context, sale terminal.Sale, j spool.Job, duplicate bool) (receipt.Sheet, error) {
		rec, err := h.drawn(ctx, sale, j.Copy, duplicate)
		return receipt.Sheet{Language: cfg.Languages.Of(j.Copy, sale.Language), Blocks: rec.Page(), Logo: true}, err
	}
	return func(ctx context.Context, j spool.Job, duplicate bool) (receipt.Sheet, error) {
		switch j.What {
		case spool.Receipt:
			sale, err := cfg.Journal.Sale(ctx, j.Sale)
			if err != nil {
				return receipt.Sheet{}, err
			}
			return copied(ctx, sale, j, duplicate)
		case spool.Slip:
			sale, runs := cfg.Lane.Current()
			if !runs || sale.ID != j.Sale {
				return receipt.Sheet{}, spool.ErrJob
			}
			return copied(ctx, sale, j, duplicate)
		case spool.Kernel:
			return own(h.kernelSlip().Page(), nil)
		case spool.Report:
			return own(h.reportPage(ctx, j))
		case spool.Proof:
			return own(h.proofPage(ctx, j.Batch))
		case spool.Test:
			return own(h.testPage(), nil)
		}
		return receipt.Sheet{}, spool.ErrJob
	}
}

// reportPage is an X or Z report as it is now.
func (h *handler) reportPage(ctx context.Context, j spool.Job) ([]receipt.Block, error) {
	find := h.xBatch
	if j.Report == "z" {
		find = h.zBatch
	}
	b, err := find(ctx, j.Batch)
	if err != nil {
		return nil, err
	}
	slip, err := h.batchSlip(ctx, b, receipt.DrawReport)
	return slip.Page(), err
}

// proofPage is a batch's proof; of 0, as GET settle has it.
func (h *handler) proofPage(ctx context.Context, batch uint32) ([]receipt.Block, error) {
	b, err := h.settled(ctx, batch)
	if err != nil {
		return nil, err
	}
	slip, err := h.batchSlip(ctx, b, receipt.DrawProof)
	return slip.Page(), err
}

// testPage shows whether paper, width, letters and languages are right.
func (h *handler) testPage() []receipt.Block {
	head := h.kernelSlip().Page()
	page := head[:1+len(h.cfg.Header.Location)]
	return append(page,
		receipt.Block{Layout: receipt.Rule},
		receipt.Block{Layout: receipt.Big, Text: "PRINTER TEST", ArabicText: "اختبار الطابعة"},
		receipt.Block{Layout: receipt.Pair, Label: "TERMINAL", ArabicLabel: "رقم الجهاز", Text: h.cfg.TerminalID},
		receipt.Block{Layout: receipt.Pair, Label: "TIME", ArabicLabel: "الوقت", Text: h.local(time.Now()).Format("2006-01-02 15:04:05")},
		receipt.Block{Layout: receipt.Bar},
		receipt.Block{Layout: receipt.Centre, Text: "0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		receipt.Block{Layout: receipt.Centre, Text: "NOT A RECEIPT", ArabicText: "ليس إيصالاً"},
		receipt.Block{Layout: receipt.Rule},
	)
}
