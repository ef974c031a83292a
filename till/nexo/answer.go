package nexo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/emv"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

type saleDataOut struct {
	SaleTransactionID *identification `json:"SaleTransactionID,omitempty"`
}

type poiData struct {
	POITransactionID    *identification `json:"POITransactionID,omitempty"`
	POIReconciliationID string          `json:"POIReconciliationID,omitempty"`
}

type amountsResp struct {
	Currency         string      `json:"Currency"`
	AuthorizedAmount json.Number `json:"AuthorizedAmount"`
	CashBackAmount   json.Number `json:"CashBackAmount,omitempty"`
	TipAmount        json.Number `json:"TipAmount,omitempty"`
}

type cardData struct {
	EntryMode    []string `json:"EntryMode,omitempty"`
	MaskedPan    string   `json:"MaskedPan,omitempty"`
	PaymentBrand string   `json:"PaymentBrand,omitempty"`
}

type instrument struct {
	PaymentInstrumentType string    `json:"PaymentInstrumentType"`
	CardData              *cardData `json:"CardData,omitempty"`
}

type acquirerData struct {
	AcquirerID            string          `json:"AcquirerID"`
	MerchantID            string          `json:"MerchantID"`
	AcquirerPOIID         string          `json:"AcquirerPOIID"`
	AcquirerTransactionID *identification `json:"AcquirerTransactionID,omitempty"`
	ApprovalCode          string          `json:"ApprovalCode,omitempty"`
}

type paymentResult struct {
	PaymentType           string        `json:"PaymentType"`
	PaymentInstrumentData *instrument   `json:"PaymentInstrumentData,omitempty"`
	AmountsResp           *amountsResp  `json:"AmountsResp,omitempty"`
	CustomerLanguage      string        `json:"CustomerLanguage,omitempty"`
	OnlineFlag            bool          `json:"OnlineFlag"`
	AuthenticationMethod  []string      `json:"AuthenticationMethod,omitempty"`
	PaymentAcquirerData   *acquirerData `json:"PaymentAcquirerData,omitempty"`
}

type paymentReceipt struct {
	DocumentQualifier     string                `json:"DocumentQualifier"`
	RequiredSignatureFlag bool                  `json:"RequiredSignatureFlag"`
	OutputContent         receipt.OutputContent `json:"OutputContent"`
}

type paymentResponse struct {
	Response       response         `json:"Response"`
	SaleData       saleDataOut      `json:"SaleData"`
	POIData        poiData          `json:"POIData"`
	PaymentResult  *paymentResult   `json:"PaymentResult,omitempty"`
	PaymentReceipt []paymentReceipt `json:"PaymentReceipt"`
}

type originalOut struct {
	POITransactionID identification `json:"POITransactionID"`
}

type reversalResponse struct {
	Response               response         `json:"Response"`
	POIData                poiData          `json:"POIData"`
	OriginalPOITransaction *originalOut     `json:"OriginalPOITransaction,omitempty"`
	ReversedAmount         json.Number      `json:"ReversedAmount,omitempty"`
	PaymentReceipt         []paymentReceipt `json:"PaymentReceipt"`
}

// reprint says how receipts are drawn: as they were the first time, or again.
type reprint struct {
	again bool
	since []terminal.Sale // what was approved about it since, and stands
	known bool            // that is all of it
	only  []string        // DocumentQualifiers; none: all
}

// paymentAnswer is a PaymentResponse, composed from the record alone: it is the same whenever it is asked for.
func (h *handler) paymentAnswer(ctx context.Context, s terminal.Sale) (paymentResponse, error) {
	return h.paymentOf(ctx, s, reprint{})
}

func (h *handler) paymentOf(ctx context.Context, s terminal.Sale, how reprint) (paymentResponse, error) {
	receipts, err := h.receipts(ctx, s, how)
	if err != nil {
		return paymentResponse{}, err
	}
	out := paymentResponse{Response: responseOf(s), POIData: poiOf(s), PaymentResult: h.resultOf(s), PaymentReceipt: receipts}
	if a := s.Asked; a != nil && a.Transaction != "" {
		out.SaleData.SaleTransactionID = &identification{a.Transaction, a.Time}
	}
	return out, nil
}

func (h *handler) reversalOf(ctx context.Context, s terminal.Sale, how reprint) (reversalResponse, error) {
	receipts, err := h.receipts(ctx, s, how)
	if err != nil {
		return reversalResponse{}, err
	}
	out := reversalResponse{Response: responseOf(s), POIData: poiOf(s), PaymentReceipt: receipts}
	if of, err := h.cfg.Journal.Sale(ctx, s.Of); err == nil {
		out.OriginalPOITransaction = &originalOut{*poiOf(of).POITransactionID}
	}
	if s.State == terminal.Approved {
		out.ReversedAmount = major(s.Taken())
	}
	return out, nil
}

// stamp is an instant as a message has it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// when is the time under which the acquirer has a transaction.
func when(s terminal.Sale) time.Time {
	switch {
	case !s.HostTime.IsZero():
		return s.HostTime
	case !s.LocalTime.IsZero():
		return s.LocalTime
	}
	return s.Started
}

func poiOf(s terminal.Sale) poiData {
	return poiData{
		POITransactionID:    &identification{s.ID.String(), stamp(s.Started)},
		POIReconciliationID: stan(madeIn(s)),
	}
}

// responseOf is what became of a transaction, with what programs and people of other terminals look for in AdditionalResponse.
func responseOf(s terminal.Sale) response {
	out := response{Result: success, ErrorCondition: conditionOf(s)}
	switch taken := s.Taken(); {
	case s.State != terminal.Approved:
		out.Result = failed
	case taken.Minor < s.Amount.Minor:
		out.Result = partial
	}
	all := []pair{
		{"tid", s.TerminalID},
		{"mid", s.MerchantID},
		{"AID", s.AID},
		{"applicationLabel", s.Label},
		{"cardType", s.Scheme},
		{"posEntryMode", string(s.Entry)},
		{"authCode", s.AuthCode},
		{"offline", strconv.FormatBool(offline(s))},
	}
	if out.Result == failed {
		all = append(all, pair{"message", strings.TrimSpace(s.Outcome.Happened + " " + s.Outcome.Do)}, pair{"refusalReason", s.Outcome.Happened},
			pair{"mayRetry", strconv.FormatBool(s.Outcome.MayRetry)})
	} else {
		all = append(all, pair{"posAuthAmountValue", strconv.FormatInt(s.Taken().Minor, 10)}, pair{"posAuthAmountCurrency", s.Amount.Currency.Code})
		if offline(s) {
			all = append(all, pair{"offlineAuthCode", cmp.Or(s.AuthCode, s.ID.String())})
		}
	}
	if s.Training {
		all = append([]pair{{"training", "true"}}, all...)
	}
	out.AdditionalResponse = query(append(all, pair{"responseCode", s.ResponseCode}, pair{"outcome", s.Outcome.Code}, pair{"stan", stan(s.STAN)}, pair{"batch", stan(madeIn(s))})...)
	return out
}

// madeIn is the batch that a transaction was made in, whatever became of that.
func madeIn(s terminal.Sale) uint32 { return cmp.Or(s.LeftOut, s.Batch) }

func stan(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// offline says that a transaction was approved without the host.
func offline(s terminal.Sale) bool {
	return s.State == terminal.Approved && (s.Way == terminal.WayOffline || s.Way == terminal.WayDeferred)
}

// resultOf is the PaymentResult: with amounts where money moved, or is held.
func (h *handler) resultOf(s terminal.Sale) *paymentResult {
	kind := "Normal"
	if s.Asked != nil && s.Asked.Type != "" {
		kind = s.Asked.Type
	}
	r := &paymentResult{
		PaymentType: kind, CustomerLanguage: language(s), OnlineFlag: s.ResponseCode != "" && !offline(s), AuthenticationMethod: authentication(s),
		PaymentAcquirerData: &acquirerData{AcquirerID: s.Acquirer, MerchantID: s.MerchantID, AcquirerPOIID: s.TerminalID, ApprovalCode: s.AuthCode},
	}
	if s.RRN != "" {
		r.PaymentAcquirerData.AcquirerTransactionID = &identification{s.RRN, stamp(when(s))}
	}
	if s.MaskedPAN != "" || s.AID != "" {
		r.PaymentInstrumentData = &instrument{"Card", &cardData{EntryMode: entry(s), MaskedPan: masked(s.MaskedPAN), PaymentBrand: s.Scheme}}
	}
	if s.State == terminal.Approved {
		a := &amountsResp{Currency: s.Amount.Currency.Code, AuthorizedAmount: major(s.Taken())}
		if s.Cashback.Minor > 0 {
			a.CashBackAmount = major(s.Cashback)
		}
		if s.Tip.Minor > 0 {
			a.TipAmount = major(s.Tip)
		}
		r.AmountsResp = a
	}
	return r
}

// language is the customer's first, as two small letters.
func language(s terminal.Sale) string {
	if len(s.Language) < 2 {
		return ""
	}
	l := strings.ToLower(s.Language[:2])
	if strings.Trim(l, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return l
}

// entry is how the card's data came into the terminal.
func entry(s terminal.Sale) []string {
	switch {
	case s.Kind.WithoutCard():
		return []string{"File"}
	case s.Entry == terminal.EnteredChip:
		return []string{"ICC"}
	case s.Entry == terminal.EnteredStripe, s.Entry == terminal.EnteredFallback:
		return []string{"MagStripe"}
	}
	return nil
}

// authentication is how the cardholder was verified. A PIN that only the issuer can verify is told where it said yes.
func authentication(s terminal.Sale) []string {
	var all []string
	switch s.Method {
	case emv.OfflinePIN:
		all = append(all, "OfflinePIN")
	case emv.OnlinePIN:
		if s.State == terminal.Approved {
			all = append(all, "OnlinePIN")
		}
	case emv.Signature, emv.NoCVM, emv.NoVerification:
	}
	if s.Signature && s.State == terminal.Approved {
		all = append(all, "PaperSignature")
	}
	return all
}

// masked is a card's number as messages show it: its first six digits and its last four.
func masked(pan string) string {
	if len(pan) < 12 || strings.Trim(pan[:6]+pan[len(pan)-4:], "0123456789") != "" || strings.Trim(pan[6:len(pan)-4], "*") != "" {
		return ""
	}
	return pan[:6] + " **** " + pan[len(pan)-4:]
}

// receipts are both copies. A record about which no receipt can be drawn has none, and the array is there all the same: clients look
// for one in it.
func (h *handler) receipts(ctx context.Context, s terminal.Sale, how reprint) ([]paymentReceipt, error) {
	all := []paymentReceipt{}
	for _, c := range []struct {
		name string
		copy receipt.Copy
	}{{"CashierReceipt", receipt.Merchant}, {"CustomerReceipt", receipt.Customer}} {
		if !how.wants(c.name) {
			continue
		}
		r, err := receipt.Draw(s, h.cfg.Header, c.copy, how.again)
		if err != nil {
			return nil, err
		}
		if s.Of != 0 {
			of, err := h.cfg.Journal.Sale(ctx, s.Of)
			if err != nil && !errors.Is(err, terminal.ErrNoSale) && !errors.Is(err, terminal.ErrQuarantined) {
				return nil, err
			}
			r = r.About(of)
		}
		if s.Way == terminal.WayOffline || s.Way == terminal.WayDeferred || s.Way == terminal.WayVoice {
			number, err := h.stored(ctx, s.ID)
			if err != nil {
				return nil, err
			}
			r = r.AsStored(number)
		}
		if how.again {
			r = r.Since(how.since, how.known)
		}
		p := paymentReceipt{DocumentQualifier: c.name, OutputContent: r.Output(h.cfg.Languages.Of(c.copy, s.Language))}
		p.RequiredSignatureFlag = c.copy == receipt.Merchant && s.Signature && s.State == terminal.Approved
		all = append(all, p)
	}
	return all, nil
}

// stored is the number under which a sale waits for the bank, or has.
func (h *handler) stored(ctx context.Context, id terminal.SaleID) (int64, error) {
	rows, err := h.cfg.Journal.SaleRows(ctx, id)
	for _, row := range rows {
		if d := row.Debt; d != nil && (d.Kind == terminal.AdviceDebt || d.Kind == terminal.DeferredDebt) {
			return d.ID, err
		}
	}
	debts, derr := h.cfg.Journal.Debts(ctx)
	for _, d := range debts {
		if d.Sale == id && (d.Kind == terminal.AdviceDebt || d.Kind == terminal.DeferredDebt) {
			return d.ID, nil
		}
	}
	return 0, errors.Join(err, derr)
}

func (how reprint) wants(name string) bool {
	return len(how.only) == 0 || slices.Contains(how.only, name)
}

// failure is the answer to a message that was not carried out, with what the category's answer has to have.
func (h *handler) failure(c *call, f *failure) any {
	r := f.response()
	switch c.header.MessageCategory {
	case "Payment":
		var in paymentRequest
		out := paymentResponse{Response: r, PaymentReceipt: []paymentReceipt{}}
		if c.into(&in) == nil && printable(in.SaleData.SaleTransactionID.TransactionID) && len(in.SaleData.SaleTransactionID.TransactionID) <= 64 {
			out.SaleData.SaleTransactionID = &in.SaleData.SaleTransactionID
		}
		return out
	case "Reversal":
		return reversalResponse{Response: r, PaymentReceipt: []paymentReceipt{}}
	case "Reconciliation":
		var in reconciliationRequest
		_ = c.into(&in) // what cannot be read is not repeated
		return reconciliationResponse{Response: r, ReconciliationType: known(in.ReconciliationType)}
	case "Display":
		return displayResponse{[]outputResult{{"CustomerDisplay", "Display", r}}}
	}
	return struct {
		Response response `json:"Response"`
	}{r}
}
