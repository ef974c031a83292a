package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"tillway/emv/tlv"
)

// selectFile is SELECT by name, first or next occurrence (Book 1, 11.3 and 12.3.3). Directory entry 0 is the PSE.
func (c *Card) selectFile(cmd command) ([]byte, sw) {
	if c.profile.Blocked {
		return nil, swNotSupported
	}
	if cmd.p1 != 0x04 || cmd.p2 != 0x00 && cmd.p2 != 0x02 {
		return nil, swP1P2
	}
	if len(cmd.data) < 1 || len(cmd.data) > 16 {
		return nil, swLength
	}
	start := 0
	if cmd.p2 == 0x02 {
		if !bytes.Equal(c.name, cmd.data) {
			return nil, swFileNotFound
		}
		start = c.found + 1
	}
	for i := start; i <= len(c.apps); i++ {
		if bytes.HasPrefix(c.dfName(i), cmd.data) {
			return c.choose(i, cmd.data)
		}
	}
	return nil, swFileNotFound
}

func (c *Card) dfName(i int) []byte {
	switch {
	case i > 0:
		return c.apps[i-1].AID
	case c.profile.PSE != nil:
		return []byte(pseName)
	}
	return nil
}

func (c *Card) choose(i int, name []byte) ([]byte, sw) {
	c.session = session{exchanges: c.exchanges, counts: c.counts, sent: map[tlv.Tag][]byte{}}
	c.name, c.found = bytes.Clone(name), i
	if i == 0 {
		c.inPSE = true
		return c.pseFCI, swOK
	}
	c.app = c.apps[i-1]
	c.app.issue()
	if c.app.Blocked {
		return c.app.fci, swDeactivated
	}
	return c.app.fci, swOK
}

// readRecord is READ RECORD by number in a file given by its short identifier (Book 1, 11.2).
func (c *Card) readRecord(cmd command) ([]byte, sw) {
	sfi := cmd.p2 >> 3
	switch {
	case cmd.p2&0x07 != 4 || cmd.p1 == 0 || sfi == 0 || sfi == 31:
		return nil, swP1P2
	case len(cmd.data) > 0:
		return nil, swLength
	}
	var records [][]byte
	switch {
	case c.inPSE && sfi == c.profile.PSE.SFI:
		records = c.pseRecords
	case c.app != nil && c.step == selected:
		return nil, swConditions
	case c.app != nil:
		records = c.app.files[sfi]
	}
	if records == nil && (!c.inPSE || sfi != c.profile.PSE.SFI) {
		return nil, swFileNotFound
	}
	if c.inPSE && c.profile.PSE.Endless && len(records) > 0 {
		return records[min(int(cmd.p1), len(records))-1], swOK
	}
	if int(cmd.p1) > len(records) {
		return nil, swRecordNotFound
	}
	return records[cmd.p1-1], swOK
}

// getProcessingOptions starts a transaction and counts it (Book 3, 6.5.8). Once a selection.
func (c *Card) getProcessingOptions(cmd command) ([]byte, sw) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case c.app == nil || c.step != selected || c.app.Blocked || c.app.atc == 0xFFFF:
		return nil, swConditions
	}
	items, err := tlv.Parse(cmd.data)
	if err != nil || len(items) != 1 || items[0].Tag != tagCommandData {
		return nil, swWrongData
	}
	values, ok := split(c.app.pdol, items[0].Value)
	if !ok {
		return nil, swLength
	}
	c.keep(values, items[0].Value)
	c.app.atc++
	c.step = initiated
	c.cvr = c.app.opening()
	c.app.unfinished = false
	aip, hasAIP := c.app.told(tagAIP, c.app.AIP)
	afl, hasAFL := c.app.told(tagAFL, c.app.afl)
	if c.app.Format == 1 {
		return tlv.Append(nil, tagFormat1, slices.Concat(aip, afl)), swOK
	}
	var body []byte
	if hasAIP {
		body = tlv.Append(body, tagAIP, aip)
	}
	if hasAFL {
		body = tlv.Append(body, tagAFL, afl)
	}
	return tlv.Append(nil, tagFormat2, body), swOK
}

// told is what the terminal is told in place of a value, where somebody tampers with it.
func (a *application) told(tag tlv.Tag, value []byte) ([]byte, bool) {
	c, ok := a.tamper[tag]
	if !ok {
		return value, true
	}
	return c.Value, !c.Gone
}

// keep takes the data that a list brought: by tag, and as they came.
func (c *Card) keep(values map[tlv.Tag][]byte, data []byte) {
	c.listed = append(c.listed, data...)
	for tag, v := range values {
		values[tag] = bytes.Clone(v)
	}
	maps.Copy(c.sent, values)
}

// getData gives the counters (Book 3, 6.5.7).
func (c *Card) getData(cmd command) ([]byte, sw) {
	if len(cmd.data) > 0 {
		return nil, swLength
	}
	if c.app == nil {
		return nil, swConditions
	}
	tag := tlv.Tag(uint32(cmd.p1)<<8 | uint32(cmd.p2))
	switch {
	case tag == tagATC:
		return tlv.Append(nil, tag, binary.BigEndian.AppendUint16(nil, c.app.atc)), swOK
	case tag == tagLastOnlineATC:
		return tlv.Append(nil, tag, binary.BigEndian.AppendUint16(nil, c.app.lastOnline)), swOK
	case tag == tagPINTries && c.app.PINTries != nil:
		return tlv.Append(nil, tag, []byte{c.app.pinLeft}), swOK
	}
	if v, ok := c.app.readable[tag]; ok {
		return tlv.Append(nil, tag, v), swOK
	}
	return nil, swDataNotFound
}

// getChallenge gives eight bytes that differ each time and follow from the card's key (Book 3, 6.5.6): a card that chance
// enters could not be simulated from a seed.
func (c *Card) getChallenge(cmd command) ([]byte, sw) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case len(cmd.data) > 0:
		return nil, swLength
	case c.app == nil:
		return nil, swConditions
	}
	c.app.challengeSeq++
	h := sha256.Sum256(binary.BigEndian.AppendUint32(bytes.Clone(c.app.master), c.app.challengeSeq))
	c.challenge = bytes.Clone(h[:8])
	return h[:8], swOK
}
