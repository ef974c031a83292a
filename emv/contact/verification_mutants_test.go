package contact_test

// verificationMutants are rules of cardholder verification that are switched off (Book 3, 10.5; Book 4, 6.3.4).
func verificationMutants() []mutant {
	const walk, pin, wedge = "cardholder_verification.go", "cardholder_verification_offline_pin.go", "pin_wedge.go"
	return []mutant{
		{"Book 4, 6.3.4.5", "the method performed last stands in the results", walk, "\t\t\tlast = rule\n", "", "TestCVMSupport"},
		{"Book 4, 6.3.4", "both parts of a combination are supported", walk, "if rule.signature() && !s.capable(emv.CapabilitySignature) {", "if rule.method() == cvmSignature && !s.capable(emv.CapabilitySignature) {", "TestCVMCombinations"},
		{"Book 3, 10.5.4", "a signature is due beside a PIN", walk, "if s.signature = rule.signature(); s.signature {", "if s.signature = rule.method() == cvmSignature; s.signature {", "TestCVMCombinations"},
		{"Book 3, 10.5.1", "one form of offline PIN is no missing pad", walk, "takesNone := rule.offlinePIN() && !s.takesPlaintextPIN()", "takesNone := rule.offlinePIN() || !s.takesPlaintextPIN()", "TestCVMSupport"},
		{"Book 4, 6.3.4.3", "a PIN that was left out is not asked for again", walk, "if !s.tvr.Has(emv.TVRPINNotEntered) {", "if !s.tvr.Has(emv.TVRPINNotEntered) || rule.code != 0 {", "TestOfflinePINInPlaintext"},
		{"Book 4, 6.3.4.4", "a signature's result is unknown", walk, "s.cvmResults(rule, cvmUnknown, \"signature:", "s.cvmResults(rule, cvmSuccessful, \"signature:", "TestRecordedSignature"},
		{"Book 4, 6.3.4.2", "an online PIN's result is unknown", walk, "s.cvmResults(rule, cvmUnknown, \"online PIN:", "s.cvmResults(rule, cvmSuccessful, \"online PIN:", "TestOnlinePIN"},
		{"Book 3, 10.5.1", "any other answer to VERIFY terminates", pin, "\t\t\treturn false, fault(sectionOfflinePIN, \"VERIFY: %v\", status)", "\t\t\treturn false, nil", "TestOfflinePINInPlaintext"},
		{"Book 3, 10.5.1", "6983 is the limit", pin, "errors.Is(err, emv.ErrMethodBlocked), errors", "errors", "TestOfflinePINInPlaintext"},
		{"Book 3, 10.5.1", "63Cx asks for another PIN", pin, "status.SW2 > 0xC0 && status.SW2 <= 0xCF", "status.SW2 > 0xCF && status.SW2 <= 0xCF", "TestOfflinePINInPlaintext"},
		{"Book 3, 10.5.1", "tries come to an end", pin, "for range maxVerify {", "for range 3 * maxVerify {", "TestOfflinePINInPlaintext"},
		{"Book 2, 7.2", "a challenge has eight bytes", pin, "if len(challenge) != 8 {", "if len(challenge) > 8 {", "TestCardsPIN"},
		{"Book 3, 6.5.12", "a pad sends VERIFY and nothing else", pin, "!bytes.HasPrefix(command, verifyPlaintext) || len", "len", "TestCardPINGivenUp"},
		{"ours", "a card that knows of no PIN is not approved offline by one", wedge, "if accepted || !known {", "if accepted || !known || cda {", "TestAttackPINWedge"},
	}
}
