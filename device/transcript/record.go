package transcript

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"tillway/device"
	"tillway/emv"
)

// Beginner is a kernel, as whoever runs one knows it.
type Beginner interface {
	Begin(ctx context.Context, card emv.Card, params emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome, error)
}

// Kernel is a kernel in front of another: it records whole transactions, and changes nothing about them. It starts no
// goroutine. It is used as the kernel behind it is.
type Kernel struct {
	Kernel  Beginner
	Version Version
	Profile Profile

	// Keep is given a transaction as it stands when Begin has ended, and again when Complete has. It holds card data in the
	// clear; what it holds is not changed any more. Called by the goroutine that runs the transaction.
	Keep func(Transcript)

	// ClearPIN keeps the PIN block of a plaintext VERIFY. Without it zeros stand in its place. For test cards at a
	// developer's desk alone.
	ClearPIN bool
}

// Begin implements Beginner.
func (k Kernel) Begin(ctx context.Context, card emv.Card, params emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	r := &recording{clearPIN: k.ClearPIN, t: Transcript{Interface: "contact", Session: &Session{Version: SessionVersion, Card: TestCard, Replayable: true, Kernel: k.Version, Profile: k.Profile, Params: Params{params}}}}
	p := params
	if params.Random != nil {
		p.Random = recordedRandom{r, params.Random}
	}
	if params.History != nil {
		p.History = recordedHistory{r, params.History}
	}
	if params.ExceptionFile != nil {
		p.ExceptionFile = recordedExceptions{r, params.ExceptionFile}
	}
	if params.Offline != nil {
		p.Offline = recordedGate{r, params.Offline}
	}
	r.t.Session.Nobody = holder == nil
	if holder != nil {
		holder = recordedHolder{r, holder}
	}
	tx, out, err := k.Kernel.Begin(ctx, recordedCard{r, card}, p, holder)
	k.Keep(r.ended(out, err))
	if tx == nil {
		return nil, out, err
	}
	return &recordedTransaction{kernel: k, r: r, tx: tx}, out, err
}

// recordedTransaction waits for the issuer's answer. One goroutine uses it.
type recordedTransaction struct {
	kernel Kernel
	r      *recording
	tx     emv.Transaction
}

// Complete implements emv.Transaction.
func (t *recordedTransaction) Complete(ctx context.Context, answer emv.HostAnswer) (emv.Outcome, error) {
	host := &Host{Result: answer.Result, IssuerData: bytes.Clone(answer.IssuerData)}
	if answer.ARC != [2]byte{} {
		host.ARC = answer.ARC[:]
	}
	t.r.t.Session.Host = host
	out, err := t.tx.Complete(ctx, answer)
	t.kernel.Keep(t.r.ended(out, err))
	return out, err
}

// recording is one transaction while it runs.
type recording struct {
	t        Transcript
	clearPIN bool
}

// ended is a copy of the recording, with how the kernel ended.
func (r *recording) ended(out emv.Outcome, err error) Transcript {
	s := *r.t.Session
	s.Outcome = outcomeOf(out)
	s.Outcome.Failure = failureOf(err)
	s.Params.CAKeys = keysOf(s.Params.CAKeys, out.AID)
	s.Random, s.Choices, s.OnlinePINs, s.CardPINs = slices.Clone(s.Random), slices.Clone(s.Choices), slices.Clone(s.OnlinePINs), slices.Clone(s.CardPINs)
	s.Sales, s.Listed, s.Gate = slices.Clone(s.Sales), slices.Clone(s.Listed), slices.Clone(s.Gate)
	t := Transcript{Interface: r.t.Interface, Session: &s, Exchanges: slices.Clone(r.t.Exchanges)}
	for _, number := range t.numbers() {
		if pan, err := emv.NewPAN(number); err == nil {
			s.PAN = pan.Masked()
		}
	}
	return t
}

// keysOf are the keys of one authority: the kernel asks for no others once it has selected.
func keysOf(all emv.CAKeys, aid []byte) emv.CAKeys {
	var out emv.CAKeys
	if len(aid) < 5 {
		return out
	}
	for _, k := range all.Keys {
		if bytes.Equal(k.RID[:], aid[:5]) {
			out.Keys = append(out.Keys, k)
		}
	}
	for _, v := range all.Revoked {
		if bytes.Equal(v.RID[:], aid[:5]) {
			out.Revoked = append(out.Revoked, v)
		}
	}
	return out
}

func outcomeOf(out emv.Outcome) Outcome {
	o := Outcome{
		Decision: out.Decision, Reason: out.Reason, AID: out.AID, Method: out.Method, SignatureDue: out.SignatureDue, ODA: out.ODA,
		Tags: map[string]string{}, Why: append([]emv.Why{}, out.Why...),
	}
	for _, tag := range out.Data.Tags() {
		o.Tags[tag.String()] = upper(out.Data.Value(tag))
	}
	return o
}

// failures are the ways that the world fails which a replay can bring back; everything else is "failed".
var failures = []error{
	device.ErrRemoved, device.ErrMute, device.ErrTimeout, device.ErrProtocol, device.ErrUnplugged, device.ErrBusy, device.ErrPermission, device.ErrClosed,
	emv.ErrCancelled, context.Canceled, context.DeadlineExceeded,
}

// errFailed is every other failure.
var errFailed = errors.New("failed")

func failureOf(err error) string {
	if err == nil {
		return ""
	}
	for _, known := range failures {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return errFailed.Error()
}

// failed is the error that failureOf named; nil for the empty name.
func failed(name string) error {
	if name == "" {
		return nil
	}
	for _, known := range failures {
		if known.Error() == name {
			return known
		}
	}
	return errFailed
}

type recordedCard struct {
	r    *recording
	card emv.Card
}

// Transmit implements emv.Card. Past MaxExchanges it is ErrFull: no kernel comes there.
func (c recordedCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	t := &c.r.t
	if len(t.Exchanges) >= MaxExchanges {
		return nil, ErrFull
	}
	response, err := c.card.Transmit(ctx, command)
	kept := c.r.redact(command)
	if err != nil || len(response) < 2 || len(response) > maxResponse || len(command) > maxCommand {
		t.Session.Unanswered, t.Session.CardFailure = kept, failureOf(err)
		if err == nil {
			t.Session.CardFailure = errFailed.Error()
			t.Session.Replayable = false // an answer that no card gives
		}
		return response, err
	}
	t.Exchanges = append(t.Exchanges, Exchange{kept, bytes.Clone(response)})
	return response, nil
}

const (
	insVerify    = 0x20
	plaintextPIN = 0x80 // P2 (Book 3, Table 24)
)

// redact is a copy of a command that has zeros where a PIN block stood.
func (r *recording) redact(command []byte) []byte {
	c := bytes.Clone(command)
	if !r.clearPIN && len(c) > 5 && c[1] == insVerify && c[3] == plaintextPIN {
		clear(c[5:])
	}
	return c
}

type recordedRandom struct {
	r      *recording
	source io.Reader
}

func (s recordedRandom) Read(b []byte) (int, error) {
	n, err := s.source.Read(b)
	if n > 0 && len(s.r.t.Session.Random) < most {
		s.r.t.Session.Random = append(s.r.t.Session.Random, bytes.Clone(b[:n]))
	}
	return n, err
}

type recordedHolder struct {
	r      *recording
	holder emv.Cardholder
}

// Choose implements emv.Cardholder.
func (h recordedHolder) Choose(ctx context.Context, candidates []emv.Candidate) (int, bool, error) {
	i, ok, err := h.holder.Choose(ctx, candidates)
	s := h.r.t.Session
	s.Choices = append(s.Choices, Choice{i, ok, failureOf(err)})
	return i, ok, err
}

// OnlinePIN implements emv.Cardholder.
func (h recordedHolder) OnlinePIN(ctx context.Context, ask emv.PINRequest) (emv.PINEntry, error) {
	entry, err := h.holder.OnlinePIN(ctx, ask)
	s := h.r.t.Session
	s.OnlinePINs = append(s.OnlinePINs, OnlinePIN{entry, failureOf(err)})
	return entry, err
}

// CardPIN implements emv.Cardholder. A plaintext PIN goes past it to the card, and is not kept (redact).
func (h recordedHolder) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	pin := CardPIN{}
	if ask.Card != nil {
		ask.Card = notedCard{h.r, ask.Card, &pin}
	}
	if key := ask.Encipherment; key != nil {
		ask.Encipherment = func(ctx context.Context) (emv.PINEncipherment, error) {
			pin.Keys++
			return key(ctx)
		}
	}
	answer, err := h.holder.CardPIN(ctx, ask)
	pin.Entry, pin.Data, pin.Failure = answer.Entry, bytes.Clone(answer.Data), failureOf(err)
	s := h.r.t.Session
	s.CardPINs = append(s.CardPINs, pin)
	return answer, err
}

// notedCard is the card in the pad's hands: what the pad sends, the kernel does not.
type notedCard struct {
	r    *recording
	card emv.Card
	pin  *CardPIN
}

// Transmit implements emv.Card.
func (c notedCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if len(c.pin.Commands) < most {
		c.pin.Commands = append(c.pin.Commands, c.r.redact(command))
	}
	return c.card.Transmit(ctx, command)
}

type recordedHistory struct {
	r       *recording
	history emv.History
}

// LastSale implements emv.History.
func (h recordedHistory) LastSale(ctx context.Context, pan emv.PAN, sequence int) (int64, error) {
	minor, err := h.history.LastSale(ctx, pan, sequence)
	s := h.r.t.Session
	s.Sales = append(s.Sales, Known{minor, failureOf(err)})
	return minor, err
}

type recordedExceptions struct {
	r    *recording
	file emv.ExceptionFile
}

// Listed implements emv.ExceptionFile.
func (x recordedExceptions) Listed(ctx context.Context, pan emv.PAN, sequence int) (bool, error) {
	listed, err := x.file.Listed(ctx, pan, sequence)
	k := Known{Failure: failureOf(err)}
	if listed {
		k.Value = 1
	}
	s := x.r.t.Session
	s.Listed = append(s.Listed, k)
	return listed, err
}

type recordedGate struct {
	r    *recording
	gate emv.OfflineGate
}

// Closed implements emv.OfflineGate.
func (g recordedGate) Closed(ctx context.Context, ask emv.OfflineQuestion) (string, error) {
	why, err := g.gate.Closed(ctx, ask)
	s := g.r.t.Session
	s.Gate = append(s.Gate, Gate{why, failureOf(err)})
	return why, err
}
