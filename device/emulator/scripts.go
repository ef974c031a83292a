package emulator

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"tillway/device/secure/x9"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// scriptCommand runs one command of an issuer script (Book 3, 6.5 and 10.10). Its data end in a MAC over header, ATC, ARQC and
// the data before it (Book 2, 9.2), where the profile has the key for it. A card without that key, or with key.script_mac 0
// and no key, knows none.
func (c *Card) scriptCommand(cmd command) ([]byte, sw) {
	switch {
	case c.app == nil || len(c.app.Key.IMKSMI) == 0:
		return nil, swInstruction
	case c.step != requested && c.step != finished || !c.arqcGiven:
		return nil, swConditions
	}
	data, ok := c.authentic(cmd)
	if !ok {
		c.cvr[2] |= cvrScriptFailed
		return nil, swSecureMessaging
	}
	status := c.runScript(cmd, data)
	if status == swOK && c.cvr[2]>>4 < 15 {
		c.cvr[2] += 0x10
	} else if status != swOK {
		c.cvr[2] |= cvrScriptFailed
	}
	return nil, status
}

// authentic takes the MAC off.
func (c *Card) authentic(cmd command) ([]byte, bool) {
	n := int(c.app.Key.ScriptMAC)
	if n == 0 {
		return cmd.data, true
	}
	if len(cmd.data) < n {
		return nil, false
	}
	data, mac := cmd.data[:len(cmd.data)-n], cmd.data[len(cmd.data)-n:]
	header := []byte{cmd.cla, cmd.ins, cmd.p1, cmd.p2, byte(len(cmd.data))} //nolint:gosec // a short command
	name := "visa10"
	if c.app.Key.CVN == 18 {
		name = "visa18"
	}
	scheme, _ := cryptogram.ByName(name)
	want, err := scheme.ScriptMAC(c.app.scriptMaster, header, data, c.app.atc, c.arqc)
	must(err)
	return data, subtle.ConstantTimeCompare(want[:n], mac) == 1
}

func (c *Card) runScript(cmd command, data []byte) sw {
	tag := tlv.Tag(uint32(cmd.p1)<<8 | uint32(cmd.p2))
	switch cmd.ins {
	case insApplicationBlock:
		c.app.Blocked = true
	case insApplicationUnblock:
		c.app.Blocked = false
	case insCardBlock:
		c.profile.Blocked = true
	case insPINChange:
		return c.changePIN(cmd, data)
	case insPutData:
		old, ok := c.app.readable[tag]
		switch {
		case !ok:
			return swDataNotFound
		case len(old) != len(data):
			return swLength
		}
		c.app.readable[tag] = bytes.Clone(data)
	case insUpdateRecord:
		records := c.app.files[cmd.p2>>3]
		switch {
		case cmd.p2&7 != 4 || cmd.p1 == 0:
			return swP1P2
		case int(cmd.p1) > len(records):
			return swRecordNotFound
		case len(data) == 0 || len(data) > maxRecordBytes:
			return swLength
		}
		records[cmd.p1-1] = bytes.Clone(data)
	}
	return swOK
}

// changePIN is PIN CHANGE/UNBLOCK (Book 3, 6.5.10): P2 00 gives the tries back; P2 02 takes a new PIN besides, its block
// (Book 3, 6.5.12) padded with 80 and zeros and enciphered under the session key of the issuer's confidentiality key
// (Book 2, 9.3). P2 01, which wants the PIN that was before, is not known.
func (c *Card) changePIN(cmd command, data []byte) sw {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0 && (cmd.p2 != 2 || c.app.pinMaster == nil):
		return swP1P2
	case cmd.p2 == 0 && len(data) != 0, cmd.p2 == 2 && len(data) != 16:
		return swLength
	}
	if cmd.p2 == 2 {
		key, err := cryptogram.ScriptKeyCommon(c.app.pinMaster, c.arqc)
		must(err)
		clear, err := x9.DecryptCBC(key, make([]byte, 8), data)
		must(err)
		digits, rest, ok := strings.Cut(hex.EncodeToString(clear[1:]), "f")
		if !ok || clear[0] != 0x20|byte(len(digits)) || strings.Trim(digits, "0123456789") != "" || //nolint:gosec // at most 15
			len(digits) < 4 || len(digits) > 12 || rest != strings.Repeat("f", 13-len(digits))+"8000000000000000" {
			return swWrongData
		}
		c.app.PIN = digits
	}
	c.app.pinLeft = c.app.pinLimit()
	return swOK
}

// scriptKey derives the card's master keys for scripts: for MACs, and for the confidentiality of a new PIN.
func (a *application) scriptKey(pan, psn string) error {
	switch n := len(a.Key.IMKSMI); {
	case n == 0 && a.Key.ScriptMAC != 0:
		return fmt.Errorf("%w: key.script_mac without key.imk_smi", ErrProfile)
	case n == 0:
		return nil
	case n != 16:
		return fmt.Errorf("%w: key.imk_smi has %d bytes, 16 are wanted", ErrProfile, n)
	case a.Key.ScriptMAC != 0 && (a.Key.ScriptMAC < 4 || a.Key.ScriptMAC > 8):
		return fmt.Errorf("%w: key.script_mac is %d, it must be 0 or 4 to 8", ErrProfile, a.Key.ScriptMAC)
	}
	var err error
	if a.scriptMaster, err = cryptogram.MasterKey(a.Key.IMKSMI, pan, psn); err != nil {
		return fmt.Errorf("%w: script key of the card: %w", ErrProfile, err)
	}
	if n := len(a.Key.IMKSMC); n != 0 && n != 16 {
		return fmt.Errorf("%w: key.imk_smc has %d bytes, 16 are wanted", ErrProfile, n)
	} else if n == 16 {
		if a.pinMaster, err = cryptogram.MasterKey(a.Key.IMKSMC, pan, psn); err != nil {
			return fmt.Errorf("%w: confidentiality key of the card: %w", ErrProfile, err)
		}
	}
	return nil
}
