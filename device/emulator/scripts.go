package emulator

import (
	"bytes"
	"crypto/subtle"
	"fmt"

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
		switch {
		case cmd.p1 != 0 || cmd.p2 != 0:
			return swP1P2 // only unblocking is known
		case len(data) != 0:
			return swLength
		}
		c.app.pinLeft = c.app.pinLimit()
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

// scriptKey derives the card's master key for script MACs.
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
	return nil
}
