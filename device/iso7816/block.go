package iso7816

import (
	"errors"
	"fmt"
)

// MaxINF is the longest information field of a T=1 block (ISO/IEC 7816-3, 11.3.2.3).
const MaxINF = 254

// MinBlock and MaxBlock are the lengths between which a T=1 block lies: NAD, PCB, LEN, up to 254 bytes, LRC.
const (
	MinBlock = 4
	MaxBlock = 3 + MaxINF + 1
)

// ErrBlock says that bytes are no T=1 block; ErrLRC that they would be, but for the check byte.
var (
	ErrBlock = errors.New("malformed T=1 block")
	ErrLRC   = errors.New("wrong LRC in T=1 block")
)

// Block is one T=1 block without its length and its LRC (ISO/IEC 7816-3, 11.3). EMV uses NAD 00 only.
type Block struct {
	NAD, PCB byte
	INF      []byte // at most MaxINF bytes
}

// ParseBlock reads exactly one block with its LRC. The block's INF is a part of b. It does not judge the PCB: see Kind.
func ParseBlock(b []byte) (Block, error) {
	if len(b) < MinBlock || len(b) > MaxBlock {
		return Block{}, fmt.Errorf("%w: %d bytes", ErrBlock, len(b))
	}
	if n := int(b[2]); n > MaxINF || n != len(b)-MinBlock {
		return Block{}, fmt.Errorf("%w: LEN %d in %d bytes", ErrBlock, n, len(b))
	}
	if LRC(b) != 0 {
		return Block{}, ErrLRC
	}
	return Block{NAD: b[0], PCB: b[1], INF: b[3 : len(b)-1]}, nil
}

// Append appends the block with its length and LRC to dst. It panics when INF is longer than MaxINF.
func (b Block) Append(dst []byte) []byte {
	if len(b.INF) > MaxINF {
		panic("iso7816: T=1 INF longer than 254 bytes")
	}
	from := len(dst)
	dst = append(dst, b.NAD, b.PCB, byte(len(b.INF)))
	dst = append(dst, b.INF...)
	return append(dst, LRC(dst[from:]))
}

// LRC is the exclusive or of all bytes: the check byte of what it is given, and zero over what includes its own.
func LRC(b []byte) byte {
	var lrc byte
	for _, x := range b {
		lrc ^= x
	}
	return lrc
}

// Kind is what a block is for (ISO/IEC 7816-3, 11.3.2.2).
type Kind byte

// The kinds. Unknown is a PCB that the standard gives no meaning.
const (
	Unknown         Kind = iota
	Information          // I: bit 8 is 0
	Receipt              // R: bits 8 and 7 are 10
	ResynchRequest       // S: C0
	ResynchResponse      // S: E0
	IFSRequest           // S: C1, INF is the new size
	IFSResponse          // S: E1
	AbortRequest         // S: C2
	AbortResponse        // S: E2
	WTXRequest           // S: C3, INF is the multiplier of the block waiting time
	WTXResponse          // S: E3
)

// PCB of each S-block.
const (
	PCBResynchRequest  = 0xC0
	PCBIFSRequest      = 0xC1
	PCBAbortRequest    = 0xC2
	PCBWTXRequest      = 0xC3
	PCBResynchResponse = 0xE0
	PCBIFSResponse     = 0xE1
	PCBAbortResponse   = 0xE2
	PCBWTXResponse     = 0xE3
)

// What an R-block says (PCB bits 4-1).
const (
	Acknowledged byte = 0
	EDCError     byte = 1
	OtherError   byte = 2
)

// Kind reads the PCB and checks that INF has the length that the kind asks for.
func (b Block) Kind() Kind {
	n := len(b.INF)
	switch {
	case b.PCB&0x80 == 0 && b.PCB&0x1F == 0:
		return Information
	case b.PCB&0xE0 == 0x80 && b.PCB&0x0F <= OtherError && n == 0:
		return Receipt
	case b.PCB == PCBResynchRequest && n == 0:
		return ResynchRequest
	case b.PCB == PCBResynchResponse && n == 0:
		return ResynchResponse
	case b.PCB == PCBAbortRequest && n == 0:
		return AbortRequest
	case b.PCB == PCBAbortResponse && n == 0:
		return AbortResponse
	case b.PCB == PCBIFSRequest && n == 1:
		return IFSRequest
	case b.PCB == PCBIFSResponse && n == 1:
		return IFSResponse
	case b.PCB == PCBWTXRequest && n == 1:
		return WTXRequest
	case b.PCB == PCBWTXResponse && n == 1:
		return WTXResponse
	}
	return Unknown
}

// NS is N(S), the send sequence number of an I-block: 0 or 1.
func (b Block) NS() byte { return b.PCB >> 6 & 1 }

// More is the M bit of an I-block: the chain goes on in the next one.
func (b Block) More() bool { return b.PCB&0x20 != 0 }

// NR is N(R), the number of the I-block that an R-block expects: 0 or 1.
func (b Block) NR() byte { return b.PCB >> 4 & 1 }

// Reports is what an R-block says: Acknowledged, EDCError or OtherError.
func (b Block) Reports() byte { return b.PCB & 0x0F }

// I makes an I-block; ns is 0 or 1.
func I(ns byte, more bool, inf []byte) Block {
	pcb := ns & 1 << 6
	if more {
		pcb |= 0x20
	}
	return Block{PCB: pcb, INF: inf}
}

// R makes an R-block; nr is 0 or 1, reports one of Acknowledged, EDCError, OtherError.
func R(nr, reports byte) Block { return Block{PCB: 0x80 | nr&1<<4 | reports&0x0F} }

// S makes an S-block with one of the PCB constants.
func S(pcb byte, inf ...byte) Block { return Block{PCB: pcb, INF: inf} }
