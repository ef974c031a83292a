package main

import (
	"encoding/binary"
	"fmt"

	"tillway/emv"
)

// cvmName names a Cardholder Verification Method (Book 3, C3). Bit 7 is not part of it.
func cvmName(code byte) string {
	switch code & 0x3F {
	case 0x00:
		return "Fail CVM processing"
	case 0x01:
		return "Plaintext PIN verification performed by ICC"
	case 0x02:
		return "Enciphered PIN verified online"
	case 0x03:
		return "Plaintext PIN verification performed by ICC and signature"
	case 0x04:
		return "Enciphered PIN verification performed by ICC"
	case 0x05:
		return "Enciphered PIN verification performed by ICC and signature"
	case 0x1E:
		return "Signature"
	case 0x1F:
		return "No CVM required"
	}
	return fmt.Sprintf("a method that this terminal does not know (%02X)", code&0x3F)
}

// cvmCondition names a condition (Book 3, C3).
func cvmCondition(code byte) string {
	names := []string{
		"always", "if unattended cash", "if not unattended cash and not manual cash and not purchase with cashback",
		"if the terminal supports the method", "if manual cash", "if purchase with cashback",
		"if in the application's currency and under X", "if in the application's currency and over X",
		"if in the application's currency and under Y", "if in the application's currency and over Y",
	}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("a condition that this terminal does not know (%02X)", code)
}

func cvmRule(code, condition byte) string {
	then := "if it is unsuccessful, verification fails"
	if code&0x40 != 0 {
		then = "if it is unsuccessful, the next rule is applied"
	}
	return fmt.Sprintf("%s, %s; %s", cvmName(code), cvmCondition(condition), then)
}

// cvmResults reads tag 9F34 (Book 4, A4).
func cvmResults(b []byte) []string {
	method := "Method: " + cvmName(b[0])
	condition := "Condition: " + cvmCondition(b[1])
	if b[0] == 0x3F {
		method, condition = "Method: none was performed", fmt.Sprintf("Condition: %02X", b[1])
	}
	result := fmt.Sprintf("Result: reserved (%02X)", b[2])
	if int(b[2]) < 3 {
		result = "Result: " + []string{"unknown", "failed", "successful"}[b[2]]
	}
	return []string{method, condition, result}
}

// cvmList reads tag 8E (Book 3, C3): amounts X and Y, then rules of two bytes.
func cvmList(b []byte) []string {
	if len(b) < 8 {
		return []string{"it ends within the amounts X and Y"}
	}
	out := []string{fmt.Sprintf("X %d, Y %d, in minor units of the application's currency", binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]))}
	for i := 8; i+1 < len(b); i += 2 {
		out = append(out, cvmRule(b[i], b[i+1]))
	}
	if len(b)%2 == 1 {
		out = append(out, "the last rule is cut off")
	}
	return out
}

// terminalType reads tag 9F35 (Book 4, A1).
func terminalType(b []byte) []string {
	t := emv.TerminalType(b[0])
	operator := map[byte]string{1: "Operated by a financial institution", 2: "Operated by a merchant", 3: "Operated by the cardholder"}[b[0]>>4]
	if operator == "" || b[0]&0x0F == 0 || b[0]&0x0F > 6 {
		return []string{"no terminal type of the books"}
	}
	attended, reach := "Attended", "Offline with online capability"
	if t.Unattended() {
		attended = "Unattended"
	}
	switch {
	case t.OnlineOnly():
		reach = "Online only"
	case t.OfflineOnly():
		reach = "Offline only"
	}
	return []string{operator, attended, reach}
}
