package iso7816

import (
	"context"
	"errors"
	"fmt"

	"tillway/device"
)

// The limits of the T=1 protocol, as EMV sets them (Contact Interface Specification, 9.2.5).
const (
	ifsd      = MaxINF // what we take, told the card before anything else (9.2.4.2.5)
	maxSends  = 3      // a block is sent at most this often without a valid answer in between
	maxBlocks = 1000   // blocks of one APDU, waiting time extensions included: a broken card goes on for ever
)

// T1 sends command APDUs to a T=1 card over a reader that carries blocks (TPDU level). It is not safe for concurrent
// use.
type T1 struct {
	reader   TPDU
	ifsc     int  // longest INF that the card takes
	first    int  // ifsc as the ATR had it
	ns, nr   byte // N(S) of our next I-block, N(S) that we expect of the card's next
	agreed   bool // our IFSD has been told
	waits    byte // multiplier for the next exchange, from S(WTX request)
	blocks   int  // exchanged for the APDU at hand
	failures int  // answers in a row that were no good
	failure  error
	response []byte
}

// NewT1 is the T=1 side of a card that was just reset. Its ATR must have passed CheckEMV: block ends are LRCs.
func NewT1(reader TPDU, atr ATR) *T1 {
	return &T1{reader: reader, ifsc: atr.IFSC(), first: atr.IFSC()}
}

// errInvalid says that what came is no valid block here: it is asked for again.
var errInvalid = errors.New("invalid block")

// Transmit sends one command APDU and returns the response APDU (ISO/IEC 7816-3, 11.6; EMV Contact Interface
// Specification, 9.2). Blocks are chained both ways, lost and damaged ones repeated; where that does not help the
// protocol is resynchronised, and the command is not sent again, for it may have been executed: device.ErrProtocol.
// Errors: ErrCommand, those of the reader, device.ErrProtocol.
func (t *T1) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if Case(command) == 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrCommand, len(command))
	}
	t.blocks, t.waits, t.response = 0, 0, nil
	if !t.agreed {
		if _, err := t.request(ctx, S(PCBIFSRequest, ifsd), IFSResponse); err != nil {
			return nil, fmt.Errorf("telling the card our block size: %w", err)
		}
		t.agreed = true
	}
	for len(command) > t.ifsc {
		size := t.ifsc
		if err := t.sendPart(ctx, I(t.ns, true, command[:size])); err != nil {
			return nil, t.giveUp(ctx, err)
		}
		command = command[size:]
	}
	if err := t.sendLast(ctx, I(t.ns, false, command)); err != nil {
		return nil, t.giveUp(ctx, err)
	}
	if len(t.response) < 2 {
		return nil, fmt.Errorf("%w: T=1 response of %d bytes", device.ErrProtocol, len(t.response))
	}
	return t.response, nil
}

// judgement is what an answer means for the block that is being delivered.
type judgement int

const (
	taken      judgement = iota // it is the answer
	again                       // the card asks for the block once more (rule 7.1)
	outOfOrder                  // a good block that has no place here
)

// deliver sends a block until the card gives an answer that is taken, and returns that. What is damaged, missing or out of
// order is asked for again with an R-block (rules 7.1 and 7.6).
func (t *T1) deliver(ctx context.Context, block Block, judge func(Block) judgement) (Block, error) {
	next := block
	for t.failures = 0; t.failures < maxSends; t.failures++ {
		answer, err := t.exchange(ctx, next)
		switch {
		case err != nil && !errors.Is(err, errInvalid):
			return Block{}, err
		case err != nil:
			t.failure, next = err, R(t.nr, reports(err))
			continue
		}
		switch judge(answer) {
		case taken:
			return answer, nil
		case again:
			t.failure, next = nil, block
		case outOfOrder:
			t.failure, next = fmt.Errorf("%w: %02X out of order", errInvalid, answer.PCB), R(t.nr, OtherError)
		}
	}
	return Block{}, noAnswer(t.failure)
}

// sendPart sends an I-block that is not the last of its chain and waits until the card acknowledges it.
func (t *T1) sendPart(ctx context.Context, part Block) error {
	_, err := t.deliver(ctx, part, func(answer Block) judgement {
		switch {
		case answer.Kind() != Receipt:
			return outOfOrder
		case answer.NR() == part.NS():
			return again
		}
		return taken
	})
	if err == nil {
		t.ns ^= 1
	}
	return err
}

// sendLast sends the last I-block of a command and collects the card's chain of I-blocks.
func (t *T1) sendLast(ctx context.Context, last Block) error {
	next, whole := last, false // whole: an I-block has come, so the card has the whole command
	for {
		answer, err := t.deliver(ctx, next, func(answer Block) judgement {
			switch kind := answer.Kind(); {
			case kind == Information && answer.NS() == t.nr:
				return taken
			case kind == Receipt && (whole || answer.NR() == last.NS()):
				return again
			}
			return outOfOrder
		})
		if err != nil {
			return err
		}
		if !whole {
			whole = true
			t.ns ^= 1
		}
		t.nr ^= 1
		if len(t.response)+len(answer.INF) > MaxResponse {
			return fmt.Errorf("%w: T=1 response longer than %d bytes", device.ErrProtocol, MaxResponse)
		}
		t.response = append(t.response, answer.INF...)
		if !answer.More() {
			return nil
		}
		next = R(t.nr, Acknowledged)
	}
}

// exchange sends one block and returns the next block that is not one of the card's own requests, which it answers
// (waiting time, block size). A damaged or missing block is errInvalid; a card that aborts is device.ErrProtocol.
func (t *T1) exchange(ctx context.Context, block Block) (Block, error) {
	for {
		answer, err := t.carry(ctx, block)
		if err != nil {
			return Block{}, err
		}
		switch answer.Kind() {
		case WTXRequest:
			t.failures = 0
			t.waits = answer.INF[0]
			block = S(PCBWTXResponse, answer.INF[0])
		case IFSRequest:
			if n := int(answer.INF[0]); n == 0 || n > MaxINF {
				return Block{}, fmt.Errorf("%w: block size %d asked for", errInvalid, n)
			}
			t.failures = 0
			t.ifsc = int(answer.INF[0])
			block = S(PCBIFSResponse, answer.INF[0])
		case AbortRequest:
			block = S(PCBAbortResponse)
			if _, err := t.carry(ctx, block); err != nil && !errors.Is(err, errInvalid) {
				return Block{}, err
			}
			return Block{}, fmt.Errorf("%w: card aborted the chain", device.ErrProtocol)
		case Unknown, ResynchRequest:
			return Block{}, fmt.Errorf("%w: PCB %02X", errInvalid, answer.PCB)
		case Information, Receipt, ResynchResponse, IFSResponse, AbortResponse, WTXResponse:
			return answer, nil
		}
	}
}

// carry is one block there and one block back. A mute card is errInvalid: the block may be lost.
func (t *T1) carry(ctx context.Context, block Block) (Block, error) {
	if t.blocks++; t.blocks > maxBlocks {
		return Block{}, fmt.Errorf("%w: no end after %d blocks", device.ErrProtocol, maxBlocks)
	}
	waits := t.waits
	t.waits = 0
	answer, err := t.reader.TransmitTPDU(ctx, block.Append(nil), waits)
	if ctx.Err() == nil && (errors.Is(err, device.ErrMute) || errors.Is(err, device.ErrProtocol)) {
		return Block{}, fmt.Errorf("%w: %w", errInvalid, err)
	}
	if err != nil {
		return Block{}, err
	}
	b, err := ParseBlock(answer)
	if err != nil {
		return Block{}, fmt.Errorf("%w: %w", errInvalid, err)
	}
	if b.NAD != 0 {
		return Block{}, fmt.Errorf("%w: NAD %02X", errInvalid, b.NAD)
	}
	return b, nil
}

// request sends one of our S-requests until the card answers it with the same INF (rule 7.3).
func (t *T1) request(ctx context.Context, request Block, want Kind) (Block, error) {
	var failure error
	for range maxSends {
		answer, err := t.exchange(ctx, request)
		if err != nil && !errors.Is(err, errInvalid) {
			return Block{}, err
		}
		if err == nil && answer.Kind() == want && string(answer.INF) == string(request.INF) {
			return answer, nil
		}
		failure = err
	}
	return Block{}, noAnswer(failure)
}

// errExhausted marks the end of all repetitions.
var errExhausted = errors.New("no valid answer")

// noAnswer is the error after the last repetition. It keeps device.ErrMute and device.ErrProtocol of the reader, and is
// device.ErrProtocol in any case.
func noAnswer(last error) error {
	if last == nil {
		return fmt.Errorf("%w: %w", device.ErrProtocol, errExhausted)
	}
	return fmt.Errorf("%w: %w: %w", device.ErrProtocol, errExhausted, last)
}

// giveUp ends an APDU that failed: after the last repetition card and terminal start counting anew (S(RESYNCH), rule
// 6), so that a next command can be understood. The error stays.
func (t *T1) giveUp(ctx context.Context, failure error) error {
	if !errors.Is(failure, errExhausted) || errors.Is(failure, device.ErrMute) {
		return failure
	}
	if _, err := t.request(ctx, S(PCBResynchRequest), ResynchResponse); err != nil {
		return failure
	}
	t.ns, t.nr, t.ifsc, t.agreed = 0, 0, t.first, false
	return failure
}

// reports is what an R-block says about a block that was no good.
func reports(err error) byte {
	if errors.Is(err, ErrLRC) {
		return EDCError
	}
	return OtherError
}
