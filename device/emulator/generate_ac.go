package emulator

import (
	"bytes"
	"encoding/binary"

	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// cid is a kind of application cryptogram, as cryptogram information data and as a request in P1 (Book 3, tables 12 and 14).
type cid byte

const (
	cidAAC  cid = 0x00
	cidTC   cid = 0x40
	cidARQC cid = 0x80
)

// rank orders the kinds: a card grants what was asked for or something of a lower rank.
func (k cid) rank() int {
	switch k {
	case cidTC:
		return 2
	case cidARQC:
		return 1
	case cidAAC:
	}
	return 0
}

var decisions = map[string]cid{DecideTC: cidTC, DecideARQC: cidARQC, DecideAAC: cidAAC}

// signed is what the terminal contributes to a cryptogram of version 10 or 18, in this order.
var signed = [...]tlv.Tag{
	tagAmount, tagAmountOther, tagCountry, tagTVR, tagCurrency, tagDate, tagType, tagUnpredictable,
}

// cvr is the card verification results of issuer application data in the form 06 DKI CVN 03 xx xx xx: what the card
// tells its issuer about this transaction and the last one.
type cvr [3]byte

const (
	cvrSecondMask      = 0xC0 // byte 1: second cryptogram; 00 AAC, 40 TC, 80 not asked for
	cvrSecondNotAsked  = 0x80
	cvrFirstMask       = 0x30 // byte 1: first cryptogram; 00 AAC, 10 TC, 20 ARQC
	cvrAuthFailed      = 0x08 // byte 1: issuer authentication performed and failed
	cvrPINDone         = 0x04 // byte 1: offline PIN verification performed
	cvrPINFailed       = 0x02 // byte 1: offline PIN verification performed and failed
	cvrUnable          = 0x01 // byte 1: unable to go online
	cvrLastUnfinished  = 0x80 // byte 2: last online transaction not completed
	cvrPINLimit        = 0x40 // byte 2: PIN try limit exceeded
	cvrOfflineExceeded = 0x20 // byte 2: offline counter exceeded
	cvrNewCard         = 0x10 // byte 2: never was online
	cvrLastAuthFailed  = 0x08 // byte 2: issuer authentication failed in the last online transaction
	cvrNotAuth         = 0x04 // byte 2: no issuer authentication after an online authorisation, this one or the last
	cvrScriptFailed    = 0x08 // byte 3: a script command failed; the four bits above count those that did not
)

func (v *cvr) setFirst(k cid)  { v[0] = v[0]&^cvrFirstMask | byte(k)>>2 }
func (v *cvr) setSecond(k cid) { v[0] = v[0]&^cvrSecondMask | byte(k) }

// opening is what a transaction starts with: the memory of the one before.
func (a *application) opening() cvr {
	v := cvr{cvrSecondNotAsked}
	for _, bit := range []struct {
		set bool
		bit byte
	}{
		{a.unfinished, cvrLastUnfinished},
		{a.PIN != "" && a.pinLeft == 0, cvrPINLimit},
		{a.offlineExceeded(), cvrOfflineExceeded},
		{a.lastOnline == 0, cvrNewCard},
		{a.authFailed, cvrLastAuthFailed},
		{a.authNotDone, cvrNotAuth},
	} {
		if bit.set {
			v[1] |= bit.bit
		}
	}
	return v
}

func (a *application) offlineExceeded() bool {
	return a.Risk.OfflineLimit > 0 && a.atc-a.lastOnline > a.Risk.OfflineLimit
}

// offline is the most that the card grants without its issuer.
func (a *application) offline() cid {
	most := decisions[a.Risk.First]
	if most == cidTC && (a.offlineExceeded() || a.Risk.OfflineLimit > 0 && a.lastOnline == 0) {
		return cidARQC
	}
	return most
}

// p1CDA asks for a combined signature (Book 3, table 12: bit 5 of P1).
const p1CDA = 0x10

// generateAC is GENERATE AC, first and second (Book 3, 6.5.5 and 10.8), with a combined signature where that is asked for
// and the card's AIP has it.
func (c *Card) generateAC(cmd command) ([]byte, sw) {
	asked := cid(cmd.p1)
	if c.app != nil && c.app.signer != nil && c.app.signer.card != nil && c.app.AIP[0]&aipCDA != 0 {
		c.combine = cmd.p1&p1CDA != 0
		asked &^= p1CDA
	}
	if cmd.p2 != 0 || asked&0x3F != 0 || asked == 0xC0 {
		return nil, swP1P2
	}
	switch c.step {
	case initiated:
		return c.firstAC(asked, cmd.data)
	case requested:
		return c.secondAC(asked, cmd.data)
	case selected, finished:
	}
	return nil, swConditions
}

func (c *Card) firstAC(asked cid, data []byte) ([]byte, sw) {
	values, ok := split(c.app.cdol1, data)
	if !ok {
		return nil, swLength
	}
	c.keep(values, data)
	given := asked
	if most := c.app.offline(); most.rank() < given.rank() {
		given = most
	}
	c.step, c.first = finished, given
	if given == cidARQC {
		c.step, c.app.unfinished = requested, true
	}
	c.cvr.setFirst(given)
	return c.cryptogram(given)
}

func (c *Card) secondAC(asked cid, data []byte) ([]byte, sw) {
	if asked == cidARQC {
		return nil, swP1P2
	}
	values, ok := split(c.app.cdol2, data)
	if !ok {
		return nil, swLength
	}
	c.keep(values, data)
	if answer := values[tagIssuerAuth]; !c.authTried && len(bytes.Trim(answer, "\x00")) > 0 {
		c.authenticate(answer)
	}
	unable := unableToGoOnline(values[tagARC])
	switch {
	case unable:
		c.cvr[0] |= cvrUnable
	case !c.authTried:
		c.cvr[1] |= cvrNotAuth
	}
	given := c.decide(asked, unable)
	c.app.remember(&c.session, given, unable)
	c.step = finished
	c.cvr.setSecond(given)
	return c.cryptogram(given)
}

// decide is the card's last word.
func (c *Card) decide(asked cid, unable bool) cid {
	r := c.app.Risk
	switch {
	case asked == cidAAC, r.Second == DecideAAC:
		return cidAAC
	case c.authTried && (!c.authGood || c.refused):
		return cidAAC
	case unable && c.app.offline() != cidTC:
		return cidAAC
	case !unable && r.IssuerAuthentication == "mandatory" && !c.authGood:
		return cidAAC
	case c.profile.TestAmounts && testAmount(c.sent) == amountRefuseSecond:
		return cidAAC
	}
	return cidTC
}

// unableToGoOnline reads the response code that the terminal itself wrote: Y3 or Z3 (Book 4, A6).
func unableToGoOnline(arc []byte) bool { return string(arc) == "Y3" || string(arc) == "Z3" }

// remember keeps what the next transaction reports.
func (a *application) remember(s *session, given cid, unable bool) {
	a.unfinished = false
	if unable {
		return
	}
	a.authFailed = s.authTried && !s.authGood
	a.authNotDone = !s.authTried
	if s.authGood || given == cidTC {
		a.lastOnline = a.atc
	}
}

// cryptogram computes and writes the answer in the format of the profile.
func (c *Card) cryptogram(given cid) ([]byte, sw) {
	iad := append([]byte{0x06, c.app.Key.DKI, byte(c.app.Key.CVN), 0x03}, c.cvr[:]...) //nolint:gosec // 10 or 18
	atc := binary.BigEndian.AppendUint16(nil, c.app.atc)
	var in []byte
	for _, tag := range signed {
		in = append(in, c.sent[tag]...)
	}
	in = append(append(in, c.app.AIP...), atc...)
	pad := cryptogram.Pad80
	if c.app.Key.CVN == 10 {
		in, pad = append(in, c.cvr.withLength()...), cryptogram.PadZeros
	} else {
		in = append(in, iad...)
	}
	ac, err := cryptogram.AC(c.app.key(), in, pad)
	must(err)
	if given == cidARQC {
		c.arqc, c.arqcGiven = ac, true
	}
	if c.combine && given != cidAAC { // a refusal needs no signature (Book 2, 6.6.1)
		return c.combined(given, atc, ac, iad), swOK
	}
	information := byte(given)
	if given == cidAAC {
		information |= c.app.Risk.CIDBits
	}
	if c.app.Format == 1 {
		body := append(append([]byte{information}, atc...), ac[:]...)
		return tlv.Append(nil, tagFormat1, append(body, iad...)), swOK
	}
	body := tlv.Append(nil, tagCID, []byte{information})
	body = tlv.Append(body, tagATC, atc)
	body = tlv.Append(body, tagAC, ac[:])
	return tlv.Append(nil, tagFormat2, tlv.Append(body, tagIAD, iad)), swOK
}

func (v cvr) withLength() []byte { return append([]byte{byte(len(v))}, v[:]...) }

// key is the one that this transaction's cryptograms are made with: the card's own (version 10) or the common session key
// (version 18; Book 2, A1.3).
func (a *application) key() []byte {
	if a.Key.CVN == 10 {
		return a.master
	}
	sk, err := cryptogram.SessionKey(a.master, a.atc)
	must(err)
	return sk
}
