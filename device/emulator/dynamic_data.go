package emulator

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // EMV signs with it
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"tillway/emv/tlv"
)

const aipCDA = 0x01 // AIP byte 1, bit 1

// internalAuthenticate signs the data of the DDOL (Book 3, 6.5.9; Book 2, 6.5). A card without a key of its own does not know
// the command.
func (c *Card) internalAuthenticate(cmd command) ([]byte, sw) {
	switch {
	case c.app == nil:
		return nil, swInstruction
	case c.app.signer == nil || c.app.signer.card == nil:
		return nil, swInstruction
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case c.step != initiated:
		return nil, swConditions
	case len(cmd.data) == 0:
		return nil, swLength
	}
	signed := c.app.signer.dynamic(c.dynamicNumber(), nil, cmd.data)
	if c.app.Format == 1 {
		return tlv.Append(nil, tagFormat1, signed), swOK
	}
	return tlv.Append(nil, tagFormat2, tlv.Append(nil, tagSDAD, signed)), swOK
}

// dynamicNumber is the card's dynamic number: eight bytes that differ each time and follow from its key.
func (c *Card) dynamicNumber() []byte {
	c.app.challengeSeq++
	h := sha256.Sum256(append(binary.BigEndian.AppendUint32(bytes.Clone(c.app.master), c.app.challengeSeq), "dynamic"...))
	return h[:8]
}

// dynamic signs a dynamic number, and behind it what a combined signature adds (Book 2, tables 15 and 18). hashed is the
// terminal's part.
func (s *signer) dynamic(number, more, hashed []byte) []byte {
	data := slices.Concat([]byte{byte(len(number))}, number, more) //nolint:gosec // eight
	if s.defects["dynamic number"] {
		data[0] = 0x20
	}
	body := append([]byte{s.hashAlgorithm("dynamic"), byte(len(data))}, data...) //nolint:gosec // at most 38
	body = append(body, bytes.Repeat([]byte{0xBB}, len(s.card.modulus)-23-len(body))...)
	return s.sign("dynamic", s.card, formatDynamic, body, hashed)
}

// combined is an answer to GENERATE AC with a combined signature in place of the cryptogram (Book 2, 6.6.1): the hash inside covers
// what the lists gave the card, and the answer's objects in their order.
func (c *Card) combined(given cid, atc []byte, ac [8]byte, iad []byte) []byte {
	s := c.app.signer
	head := tlv.Append(tlv.Append(nil, tagCID, []byte{byte(given)}), tagATC, atc)
	tail := tlv.Append(nil, tagIAD, iad)
	sum := sha1.Sum(slices.Concat(c.listed, head, tail)) //nolint:gosec // EMV signs with it
	if s.defects["dynamic data"] {
		sum[0] ^= 1
	}
	inside := byte(given)
	if s.defects["dynamic cid"] {
		inside ^= 0xC0
	}
	signed := s.dynamic(c.dynamicNumber(), slices.Concat([]byte{inside}, ac[:], sum[:]), c.sent[tagUnpredictable])
	return tlv.Append(nil, tagFormat2, append(tlv.Append(head, tagSDAD, signed), tail...))
}
