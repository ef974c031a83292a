package main

import (
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
)

// commandText says in words what a command asks of the card (Book 1, 11; Book 3, 6.5). It shows no data but names of
// applications and tags.
func commandText(c []byte) string {
	if len(c) < 4 {
		return "no command"
	}
	name, p1, p2 := commandName(c[1]), c[2], c[3]
	switch c[1] {
	case 0xA4:
		next := ""
		if p2 == 0x02 {
			next = ", next occurrence"
		}
		return name + " " + selected(c) + next
	case 0xB2:
		return fmt.Sprintf("%s %d of file %d", name, p1, p2>>3)
	case 0xCA:
		tag, _, err := tlv.ReadTag([]byte{p1, p2})
		if err != nil {
			return name
		}
		return fmt.Sprintf("%s %s %s", name, tag, nameOf(tag))
	case 0xAE:
		with := ""
		if p1&0x10 != 0 {
			with = ", with a combined signature"
		}
		return "GENERATE AC, asks for " + emv.Cryptogram(p1&0xC0).String() + with
	case insVerify:
		switch p2 {
		case 0x80:
			return name + ", plaintext PIN"
		case 0x88:
			return name + ", enciphered PIN"
		}
	}
	return name
}

// selected is the name that a SELECT gives: letters where it is letters.
func selected(c []byte) string {
	if len(c) < 6 {
		return ""
	}
	name := c[5:min(len(c), 5+int(c[4]))]
	if text := string(name); strings.HasSuffix(text, ".DDF01") && strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.") == "" {
		return text
	}
	return fmt.Sprintf("%X", name)
}

// answerText says in words what a card's status means.
func answerText(r []byte) string {
	if len(r) < 2 {
		return "no status"
	}
	text := statusText(r[len(r)-2], r[len(r)-1])
	if len(r) > 2 {
		text += fmt.Sprintf(", %d bytes", len(r)-2)
	}
	return text
}

// statusText names a status (Book 3, 6.3.5 and the commands' own; ISO/IEC 7816-4, 5.6).
func statusText(sw1, sw2 byte) string {
	words := fmt.Sprintf("%02X%02X", sw1, sw2)
	switch {
	case sw1 == 0x90 && sw2 == 0:
		return words + ", done"
	case sw1 == 0x61:
		return fmt.Sprintf("%s, %d bytes wait for GET RESPONSE", words, sw2)
	case sw1 == 0x6C:
		return fmt.Sprintf("%s, wanted with Le %d", words, sw2)
	case sw1 == 0x63 && sw2>>4 == 0xC:
		return fmt.Sprintf("%s, wrong PIN, %d tries left", words, sw2&0x0F)
	}
	e := emv.StatusError{SW1: sw1, SW2: sw2}
	return words + ", " + e.Unwrap().Error()
}
