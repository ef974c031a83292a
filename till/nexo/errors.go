package nexo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"tillway/terminal"
	"tillway/terminal/people"
)

// A Response's Result.
const (
	success = "Success"
	partial = "Partial"
	failed  = "Failure"
)

// The ErrorConditions that this terminal gives.
const (
	aborted            = "Aborted"
	busy               = "Busy"
	cancelled          = "Cancel"
	deviceOut          = "DeviceOut"
	inProgress         = "InProgress"
	invalidCard        = "InvalidCard"
	loggedOut          = "LoggedOut"
	messageFormat      = "MessageFormat"
	notAllowed         = "NotAllowed"
	notFound           = "NotFound"
	paymentRestriction = "PaymentRestriction"
	refusal            = "Refusal"
	unavailableDevice  = "UnavailableDevice"
	unavailableService = "UnavailableService"
	unreachableHost    = "UnreachableHost"
	wrongPIN           = "WrongPIN"
)

// pair is one member of an AdditionalResponse.
type pair struct{ key, value string }

// query writes pairs as a URL's query, in their order; those without a value are left out.
func query(all ...pair) string {
	var b strings.Builder
	for _, p := range all {
		if p.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.key) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// failure is a request that is not carried out: why, in the protocol's word and in a sentence.
type failure struct {
	condition string
	message   string
	more      []pair
}

func (f *failure) Error() string { return f.message }

func (f *failure) response() response {
	return response{Result: failed, ErrorCondition: f.condition, AdditionalResponse: query(append([]pair{{"message", f.message}}, f.more...)...)}
}

func fail(condition, format string, args ...any) error {
	return &failure{condition: condition, message: fmt.Sprintf(format, args...)}
}

// badField is what is wrong with one field of the message, in the words of the real terminals' answer.
func badField(field, what string) error {
	text := "At SaleToPOIRequest, field " + field + ": " + what
	return &failure{condition: messageFormat, message: text, more: []pair{{"errors", text}}}
}

// errorRow says what one error of the terminal is to a cash register.
type errorRow struct {
	err       error
	condition string
	message   string // empty: the error's own text
}

// errorRows is in the order in which it is matched.
func errorRows() []errorRow {
	return []errorRow{
		{terminal.ErrBusy, busy, ""},
		{terminal.ErrKeyReused, notAllowed, "this SaleID and ServiceID were used for another payment: take a new ServiceID for a new one"},
		{terminal.ErrNoSale, notFound, "there is no such transaction"},
		{terminal.ErrOrder, notAllowed, ""},
		{terminal.ErrTraining, notAllowed, "the terminal is in training mode, in which nothing is settled: end that first"},
		{terminal.ErrBatchFull, unavailableService, "the batch is full: settle it first"},
		{terminal.ErrEmptyBatch, notAllowed, "nothing was paid since the last reconciliation: there is nothing to reconcile"},
		{terminal.ErrParkedItems, notAllowed, "the bank has refused payments of this batch for good: look at them at the terminal first"},
		{terminal.ErrNoTotals, unavailableService, "the acquirer closes its batches by itself"},
		{terminal.ErrNoBatch, notFound, "there is no such batch"},
		{terminal.ErrBatchState, notAllowed, "the batch does not stand where that can be done"},
		{terminal.ErrNoKeys, unavailableService, "the acquirer's keys are not loaded: call the technician"},
		{terminal.ErrQuarantined, unavailableService, "the record does not authenticate: call support"},
		{context.Canceled, deviceOut, "the terminal is stopping: ask for the status of this message when it is back"},
	}
}

// failureOf is what to answer to an error. What it does not know is the terminal's own trouble: the register gets no detail, the log does.
func (h *handler) failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	for _, row := range errorRows() {
		if !errors.Is(err, row.err) {
			continue
		}
		if row.message == "" {
			return &failure{condition: row.condition, message: err.Error()}
		}
		return &failure{condition: row.condition, message: row.message}
	}
	h.cfg.Log.Error("nexo: request failed", "err", err)
	return &failure{condition: unavailableService, message: "the terminal has an internal fault: look the transaction up before it is repeated"}
}

// outcomeRow is what one outcome of a sale is to a cash register.
type outcomeRow struct {
	code      string
	condition string // empty: none, it succeeded
}

// outcomeRows has every outcome code.
func outcomeRows() []outcomeRow {
	return []outcomeRow{
		{terminal.CodeApproved, ""},
		{terminal.CodeDeclined, refusal},
		{terminal.CodeCardDeclined, refusal},
		{terminal.CodeOtherCard, invalidCard},
		{terminal.CodeNotTaken, paymentRestriction},
		{terminal.CodeCardError, invalidCard},
		{terminal.CodeCardRemoved, cancelled},
		{terminal.CodeCancelled, aborted},
		{terminal.CodeTimedOut, cancelled},
		{terminal.CodeUnreachable, unreachableHost},
		{terminal.CodeNoAnswer, unreachableHost},
		{terminal.CodeCardRefused, refusal},
		{terminal.CodeSignature, refusal},
		{terminal.CodePartRefused, refusal},
		{terminal.CodePowerLost, deviceOut},
		{terminal.CodeTerminalFault, unavailableService},
	}
}

// codeRows refine a decline by the host's response code: of ISO 8583:1987 two digits, of 1993 three.
func codeRows() []pair {
	return []pair{
		{"55", wrongPIN},
		{"75", wrongPIN},
		{"86", wrongPIN},
		{"117", wrongPIN},
		{"106", wrongPIN},
		{"14", invalidCard},
		{"54", invalidCard},
		{"56", invalidCard},
		{"101", invalidCard},
		{"111", invalidCard},
		{"118", invalidCard},
		{"57", paymentRestriction},
		{"58", paymentRestriction},
		{"62", paymentRestriction},
		{"119", paymentRestriction},
		{"120", paymentRestriction},
		{"91", unreachableHost},
		{"907", unreachableHost},
		{"912", unreachableHost},
	}
}

// conditionOf is the ErrorCondition of a sale that has ended; empty where it was approved.
func conditionOf(s terminal.Sale) string {
	if s.Outcome.Code == terminal.CodeCancelled && s.Outcome.Happened == terminal.NoPIN(terminal.PINCancelled).Happened {
		return cancelled // by the customer, and by nobody's order
	}
	if s.Outcome.Code == terminal.CodeDeclined {
		for _, row := range codeRows() {
			if row.key == s.ResponseCode {
				return row.value
			}
		}
	}
	for _, row := range outcomeRows() {
		if row.code == s.Outcome.Code {
			return row.condition
		}
	}
	return refusal
}

// may refuses what the register has no right to.
func (c *call) may(a people.Action) error {
	if c.register.Can(a) {
		return nil
	}
	return fail(notAllowed, "the cash register %s has no right to %s", c.register.Name, a.Words())
}
