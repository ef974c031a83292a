package terminal

import "errors"

// What the lane answers to an order that it does not take. Nothing was sent and nothing is on disk.
var (
	ErrBusy          = errors.New("a sale is running")
	ErrNotCancelable = errors.New("too late to cancel: the request is with the bank")
	ErrNothingRuns   = errors.New("no sale is running")
	ErrOrder         = errors.New("order refused")
	ErrAgreement     = errors.New("this sale waits for no signature, and for no word on a part of its amount")
	ErrAgreementDue  = errors.New("too late to cancel: the sale waits for a word, on a signature or on a part of its amount")
	ErrKeyReused     = errors.New("idempotency key was used for another order")
	ErrConfirm       = errors.New("nothing of this sale is to be confirmed")
	ErrNoParameters  = errors.New("this terminal has no parameters yet")
	ErrStopping      = errors.New("the terminal is stopping or starting anew")
)

// ErrTraining says that the terminal is in training mode, in which nothing is done to money.
var ErrTraining = errors.New("the terminal is in training mode")

// What the acquirer's owner answers to a decision about a debt that it does not carry out. Nothing has changed.
var (
	ErrNoDebt        = errors.New("no debt of that number waits or is parked")
	ErrNotParked     = errors.New("it is not parked")
	ErrAskBank       = errors.New("it was sent in an earlier batch, and the bank may have it from there")
	ErrParked        = errors.New("it is parked already")
	ErrOtherAcquirer = errors.New("the debt is owed to another acquirer, to which this terminal has no link")
	ErrNote          = errors.New("note refused")
	ErrSettling      = errors.New("its batch is being settled, with totals that leave it out")
)

// What the acquirer's owner answers to somebody's wish about a batch that it does not carry out. Nothing was sent.
var (
	ErrNoBatch     = errors.New("no such batch")
	ErrNoTotals    = errors.New("this acquirer closes batches by itself")
	ErrEmptyBatch  = errors.New("nothing was paid since the last settlement")
	ErrParkedItems = errors.New("the bank has refused payments of this batch for good")
	ErrBatchState  = errors.New("the batch does not stand where that can be done")
	ErrBatchFull   = errors.New("the batch is full")
)

// ErrNoKeys says that the secure module has no key for a message. Nothing was sent; somebody has to load it.
var ErrNoKeys = errors.New("the acquirer's keys are not loaded")

// ErrNoCard says that no card data is kept for a sale: its card was never read, or its batch's key is destroyed.
var ErrNoCard = errors.New("no card data is kept for it")

// ErrQuarantined says that a record on disk was changed, moved or damaged: it does not authenticate, and nothing is shown or
// done that rests on it.
var ErrQuarantined = errors.New("the record does not authenticate: it is in quarantine")
