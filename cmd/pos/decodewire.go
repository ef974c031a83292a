package main

import (
	"fmt"
	"strings"

	"tillway/device/iso7816"
	"tillway/emv"
	"tillway/emv/tlv"
)

// decodedBits is what decode tvr and its like print.
type decodedBits struct {
	Name  string   `json:"name"`
	Value string   `json:"value"`
	Bits  []string `json:"bits"`
}

func (a *app) decodeBits(e bitElement, b []byte) error {
	if len(b) != e.length && e.length != 0 {
		return usage("the %s has %d bytes, not %d", e.name, e.length, len(b))
	}
	out := decodedBits{e.name, fmt.Sprintf("%X", b), append([]string{}, e.names(b)...)}
	if a.json {
		return a.printJSON(out)
	}
	a.printf("%s %s\n", out.Name, out.Value)
	for _, n := range out.Bits {
		a.printf("  %s\n", n)
	}
	if len(out.Bits) == 0 {
		a.printf("  no bit is set\n")
	}
	return nil
}

func (a *app) decodeDOL(b []byte) error {
	dol, err := tlv.ParseDOL(b)
	if err != nil {
		return usage("%w", err)
	}
	type entry struct {
		Tag    string `json:"tag"`
		Name   string `json:"name"`
		Length int    `json:"length"`
	}
	entries, total := []entry{}, 0
	for _, w := range dol {
		entries = append(entries, entry{w.Tag.String(), nameOf(w.Tag), w.Length})
		total += w.Length
	}
	if a.json {
		return a.printJSON(map[string]any{"entries": entries, "bytes": total})
	}
	for _, w := range dol {
		a.printf("%s\n", wantText(w))
	}
	a.printf("%d bytes in all\n", total)
	return nil
}

// decodedATR is what decode atr prints.
type decodedATR struct {
	Protocol   int    `json:"protocol"`
	Speed      string `json:"speed"` // TA1
	GuardTime  int    `json:"guard_time"`
	Historical string `json:"historical"`
	EMV        bool   `json:"emv"`           // accepted after a cold reset (Book 1, 8)
	Why        string `json:"why,omitempty"` // why not
}

func (a *app) decodeATR(b []byte) error {
	atr, err := iso7816.ParseATR(b)
	if err != nil {
		return usage("%w", err)
	}
	out := decodedATR{
		Protocol: int(atr.Protocol()), Speed: fmt.Sprintf("%02X", atr.Speed()), GuardTime: int(atr.GuardTime()),
		Historical: fmt.Sprintf("%X", atr.Historical), EMV: true,
	}
	if err := atr.CheckEMV(false); err != nil {
		out.EMV, out.Why = false, err.Error()
	}
	if a.json {
		return a.printJSON(out)
	}
	a.printf("Protocol T=%d, speed %s, guard time %d, historical bytes %s\n", out.Protocol, out.Speed, out.GuardTime, out.Historical)
	if out.EMV {
		a.printf("An EMV terminal accepts it after a cold reset\n")
	} else {
		a.printf("An EMV terminal does not accept it after a cold reset: %s\n", out.Why)
	}
	return nil
}

// decodedAPDU is what decode apdu prints.
type decodedAPDU struct {
	Name    string   `json:"name"`
	CLA     string   `json:"cla,omitempty"`
	INS     string   `json:"ins,omitempty"`
	P1      string   `json:"p1,omitempty"`
	P2      string   `json:"p2,omitempty"`
	Lc      int      `json:"lc,omitempty"`
	Le      *int     `json:"le,omitempty"` // 256 where it is written 00
	Data    string   `json:"data,omitempty"`
	Objects []object `json:"objects,omitempty"`
	SW      string   `json:"sw,omitempty"`
}

const insVerify, insPINChange = 0x20, 0x24

// commandName names the commands of Book 1 and Book 3.
func commandName(ins byte) string {
	switch ins {
	case 0xA4:
		return "SELECT"
	case 0xA8:
		return "GET PROCESSING OPTIONS"
	case 0xB2:
		return "READ RECORD"
	case 0xAE:
		return "GENERATE APPLICATION CRYPTOGRAM"
	case 0x82:
		return "EXTERNAL AUTHENTICATE"
	case 0x88:
		return "INTERNAL AUTHENTICATE"
	case 0x84:
		return "GET CHALLENGE"
	case 0xCA:
		return "GET DATA"
	case 0xC0:
		return "GET RESPONSE"
	case insVerify:
		return "VERIFY"
	case insPINChange:
		return "PIN CHANGE/UNBLOCK"
	case 0x1E:
		return "APPLICATION BLOCK"
	case 0x18:
		return "APPLICATION UNBLOCK"
	case 0x16:
		return "CARD BLOCK"
	}
	return "unknown command"
}

func (a *app) decodeAPDU(b []byte, response, clear bool) error {
	out, err := commandAPDU(b, clear)
	if response {
		out, err = responseAPDU(b, clear)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	if response {
		a.printf("%s\n", out.Name)
	} else {
		a.printf("%s  CLA %s INS %s P1 %s P2 %s", out.Name, out.CLA, out.INS, out.P1, out.P2)
		if out.Lc > 0 {
			a.printf(" Lc %d", out.Lc)
		}
		if out.Le != nil {
			a.printf(" Le %d", *out.Le)
		}
		a.printf("\n")
	}
	if out.Data != "" {
		a.printf("  data %s\n", out.Data)
	}
	a.printObjects(out.Objects, 1)
	return nil
}

func commandAPDU(b []byte, clear bool) (decodedAPDU, error) {
	if len(b) < 4 {
		return decodedAPDU{}, usage("a command has at least CLA, INS, P1 and P2: these are %d bytes", len(b))
	}
	out := decodedAPDU{
		Name: commandName(b[1]), CLA: fmt.Sprintf("%02X", b[0]), INS: fmt.Sprintf("%02X", b[1]),
		P1: fmt.Sprintf("%02X", b[2]), P2: fmt.Sprintf("%02X", b[3]),
	}
	rest := b[4:]
	if len(rest) > 1 {
		out.Lc = int(rest[0])
		if out.Lc == 0 || len(rest) < 1+out.Lc || len(rest) > 2+out.Lc {
			return decodedAPDU{}, usage("Lc says %d bytes of data, and %d bytes follow it", out.Lc, len(rest)-1)
		}
		data := rest[1 : 1+out.Lc]
		out.Data = fmt.Sprintf("%X", data)
		if (b[1] == insVerify || b[1] == insPINChange) && !clear {
			out.Data = strings.Repeat("**", len(data))
		}
		rest = rest[1+out.Lc:]
	}
	if len(rest) == 1 {
		le := int(rest[0])
		if le == 0 {
			le = 256
		}
		out.Le = &le
	}
	return out, nil
}

func responseAPDU(b []byte, clear bool) (decodedAPDU, error) {
	if len(b) < 2 {
		return decodedAPDU{}, usage("an answer has at least SW1 and SW2")
	}
	data, sw := b[:len(b)-2], b[len(b)-2:]
	out := decodedAPDU{Name: "9000: done", SW: fmt.Sprintf("%X", sw)}
	if _, err := emv.SplitResponse(b); err != nil {
		out.Name = err.Error()
	}
	if len(data) == 0 {
		return out, nil
	}
	list, err := objects(data, clear, 0)
	switch {
	case err == nil:
		out.Objects = list
	case clear:
		out.Data = fmt.Sprintf("%X", data)
	default: // not known to hold no card data
		out.Data = strings.Repeat("**", len(data))
	}
	return out, nil
}
