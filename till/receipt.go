package till

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
)

// sheet is what can be drawn: a receipt, a report, a proof, the kernel's slip. As JSON it is the model.
type sheet interface {
	TextIn(lang receipt.Language, width int) string
	HTMLIn(lang receipt.Language) string
	Page() []receipt.Block
}

// look is how a query wants a paper: what is not asked for is the paper's own.
type look struct {
	format      string
	language    receipt.Language // empty: the paper's
	width, dots int
}

// Line is one line of a paper in JSON, in both languages: for programs that lay it out themselves. Its text has no marks of direction:
// each text is to be isolated where it is shown.
type Line struct {
	Layout      string `json:"layout"` // "centre", "big", "pair", "words", "rule", "bar", "gap", "signature"
	Strong      bool   `json:"strong,omitempty"`
	Label       string `json:"label,omitempty"`
	Text        string `json:"text,omitempty"`
	ArabicLabel string `json:"label_ar,omitempty"`
	ArabicText  string `json:"text_ar,omitempty"`
}

func layoutNames() map[receipt.Layout]string {
	return map[receipt.Layout]string{
		receipt.Centre: "centre", receipt.Big: "big", receipt.Pair: "pair", receipt.Words: "words", receipt.Rule: "rule", receipt.Bar: "bar",
		receipt.Gap: "gap", receipt.Signature: "signature",
	}
}

// Lines are a page's.
func Lines(page []receipt.Block) []Line {
	names, out := layoutNames(), make([]Line, 0, len(page))
	for _, b := range page {
		if b.Layout != receipt.Space { // a medium's own room says nothing
			out = append(out, Line{names[b.Layout], b.Strong, money.Plain(b.Label), money.Plain(b.Text), money.Plain(b.ArabicLabel), money.Plain(b.ArabicText)})
		}
	}
	return out
}

// readLook reads what the query wants.
func readLook(r *http.Request) (look, error) {
	q := r.URL.Query()
	l := look{format: q.Get("format")}
	switch l.format {
	case "":
		l.format = "json"
	case "text", "html", "png", "json", "nexo":
	default:
		return l, request(http.StatusBadRequest, "bad_query", "Receipts are not drawn in that format",
			"Ask for format=text, format=html, format=png, format=json or format=nexo.", "format is %q", l.format)
	}
	if lang := q.Get("lang"); lang != "" {
		var err error
		if l.language, err = receipt.ParseLanguage(lang); err != nil {
			return l, request(http.StatusBadRequest, "bad_query", "Receipts are not drawn in that language", "Ask for lang=en, lang=ar or lang=both.", "%v", err)
		}
	}
	width, err := number(r, "width", receipt.MinWidth, receipt.MaxWidth, receipt.DefaultWidth)
	if err != nil {
		return l, err
	}
	dots, err := number(r, "dots", paper.Narrow, paper.Wide, paper.Wide)
	l.width, l.dots = int(width), int(dots)
	return l, err
}

// show answers with a paper, drawn as it is wanted. Own is its language where the query names none.
func (h *handler) show(w http.ResponseWriter, r *http.Request, p sheet, l look, own receipt.Language) {
	if l.language == "" {
		l.language = own
	}
	lines, isReceipt := p.(interface {
		Output(in receipt.Language) receipt.OutputContent
	})
	logo := h.cfg.Logo
	if !isReceipt {
		logo = nil
	}
	switch l.format {
	case "text":
		h.text(w, http.StatusOK, "text/plain; charset=utf-8", []byte(p.TextIn(l.language, l.width)))
	case "html":
		policy, page := receipt.ContentSecurityPolicy(), p.HTMLIn(l.language)
		if logo != nil {
			policy, page = policy+paper.LogoPolicy, logo.OnHTML(page)
		}
		w.Header().Set("Content-Security-Policy", policy)
		h.text(w, http.StatusOK, "text/html; charset=utf-8", []byte(page))
	case "png":
		picture, err := theArtist.draw(p.Page(), logo, l.language, l.dots)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		h.text(w, http.StatusOK, "image/png", picture)
	case "nexo":
		if !isReceipt {
			h.fail(w, r, request(http.StatusBadRequest, "bad_query", "Only receipts are drawn in that format", "Ask for format=json.", "format=nexo is for receipts"))
			return
		}
		h.answer(w, http.StatusOK, lines.Output(l.language))
	default:
		h.answer(w, http.StatusOK, p)
	}
}

// artist draws pictures, one at a time: a picture takes some tens of milliseconds, and a till has other things to do.
type artist struct {
	mu         sync.Mutex // guards typesetter
	typesetter *paper.Typesetter
}

var theArtist = &artist{}

func (a *artist) draw(page []receipt.Block, logo *paper.Logo, lang receipt.Language, dots int) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.typesetter == nil {
		var err error
		if a.typesetter, err = paper.New(); err != nil {
			return nil, err
		}
	}
	picture := a.typesetter.Draw(page, lang, dots)
	if logo != nil {
		picture = logo.Above(picture)
	}
	return picture.PNG()
}

// kernel is the slip that says which kernel runs.
func (h *handler) kernel(w http.ResponseWriter, r *http.Request) {
	l, err := readLook(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	slip := h.kernelSlip()
	h.show(w, r, struct {
		receipt.KernelSlip
		Lines []Line `json:"lines"`
	}{slip, Lines(slip.Page())}, l, h.cfg.Languages.Of(receipt.Merchant, ""))
}

func (h *handler) kernelSlip() receipt.KernelSlip {
	c := h.cfg
	return receipt.DrawKernel(c.Kernel, c.Header, c.MerchantID, c.TerminalID, c.Version, time.Now())
}

// receipt draws a sale's receipt. Only the last sale's may be asked for as the original; everything else is a duplicate
// and says so.
func (h *handler) receipt(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	copied := receipt.Customer
	var err error
	if s := q.Get("copy"); s != "" {
		if copied, err = receipt.ParseCopy(s); err != nil {
			h.fail(w, r, request(http.StatusBadRequest, "bad_query", "There is no such copy", "Ask for copy=customer or copy=merchant.", "%v", err))
			return
		}
	}
	l, err := readLook(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	sale, err := h.find(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	duplicate := true
	last := h.cfg.Lane.Snapshot().Last // a slip to sign is of the sale that runs, and not the last's
	if q.Get("original") == "true" && (last != nil && last.ID == sale.ID || !sale.State.Final()) {
		duplicate = false
	}
	rec, err := h.drawn(r.Context(), sale, copied, duplicate)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.show(w, r, struct {
		receipt.Receipt
		Lines []Line `json:"lines"`
	}{rec, Lines(rec.Page())}, l, h.cfg.Languages.Of(copied, sale.Language))
}

// drawn is a copy of a sale's receipt.
func (h *handler) drawn(ctx context.Context, sale terminal.Sale, copied receipt.Copy, duplicate bool) (receipt.Receipt, error) {
	rec, err := receipt.Draw(sale, h.cfg.Header, copied, duplicate)
	if err != nil {
		return rec, err
	}
	if duplicate {
		later, err := h.since(ctx, sale)
		if err != nil && !unknown(err) {
			return rec, err
		}
		rec = rec.Since(later, err == nil)
	}
	if sale.Way == terminal.WayOffline || sale.Way == terminal.WayDeferred || sale.Way == terminal.WayVoice {
		rec = rec.AsStored(h.stored(ctx, sale.ID))
	}
	if sale.Of == 0 {
		return rec, nil
	}
	if of, err := h.cfg.Journal.Sale(ctx, sale.Of); err == nil { // in quarantine, or lost: its number is on the receipt all the same
		rec = rec.About(of)
	}
	return rec, nil
}

// stored is the number under which a sale waits for the bank, or has: 0 where that cannot be read, which keeps nobody from a receipt.
func (h *handler) stored(ctx context.Context, id terminal.SaleID) int64 {
	isWord := func(d terminal.Debt) bool {
		return d.Sale == id && (d.Kind == terminal.AdviceDebt || d.Kind == terminal.DeferredDebt)
	}
	debts, _ := h.cfg.Journal.Debts(ctx) // in training they are not told; the sale's own rows have it too
	for _, d := range debts {
		if isWord(d) {
			return d.ID
		}
	}
	rows, err := h.cfg.Journal.SaleRows(ctx, id)
	if err != nil {
		return 0
	}
	for _, row := range rows {
		if row.Debt != nil && isWord(*row.Debt) {
			return row.Debt.ID
		}
	}
	return 0
}
