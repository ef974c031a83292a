package tillway

// mutants are the rules that are switched off, one at a time.
func mutants() []mutant {
	return []mutant{
		{
			1, "the request with its track stays after the answer", "store/write.go",
			"return s.drop(ctx, tx, requestPurpose, int64(sale.ID))", "return nil",
			"store", "TestErasedRequestLeavesNoTrace",
		},
		{
			4, "a sale with a PIN for the issuer waits offline", "terminal/lane/offline.go",
			"case ask.Method == emv.OnlinePIN:", "case ask.Method == emv.OnlinePIN && sale.ID == 0:",
			"terminal/lane", "TestWhatNeverWaits",
		},
		{
			4, "domestic debit waits offline", "terminal/lane/offline.go",
			"case r.onlineOnly:", "case r.onlineOnly && sale.ID == 0:",
			"terminal/lane", "TestWhatNeverWaits",
		},
		{
			5, "a short number shows its first six", "emv/pan.go",
			"case n < 14:", "case n < 11:",
			"emv", "TestMaskOfEveryLength",
		},
		{
			6, "sealed data is not bound to its row", "store/append.go",
			"return fmt.Appendf(nil, \"tillway 1 card %s %d %s\", purpose, id, key)", "return fmt.Appendf(nil, \"tillway 1 card %s\", key[:min(0, int(id)*len(purpose))])",
			"store", "TestSpoiltMessagesAreQuarantined",
		},
		{
			8, "a card number prints under unusual verbs", "emv/pan.go",
			"func (p PAN) Format(s fmt.State, _ rune)", "func (p PAN) format(s fmt.State, _ rune)",
			".", "TestNothingPrintsASecret",
		},
		{
			11, "a PIN block of any format goes to the host", "terminal/security.go",
			"case r.PIN.Layout != 0 && r.PIN.Layout != 3 && r.PIN.Layout != 4:", "case r.PIN.Layout > 9:",
			"iso8583/dialect/nac", "TestPINRefused",
		},
		{
			13, "the trace number follows the database only", "store/counter.go",
			"if err := writeLease(c.path, to); err != nil {", "if to == 0 {\n\t\tvar err error",
			"store", "TestNumbersOnlyGrowOverARestoredDatabase",
		},
		{
			19, "TLS 1.0 will do", "iso8583/link/tls.go",
			"MinVersion: tls.VersionTLS12", "MinVersion: tls.VersionTLS10",
			"iso8583/link", "TestTLSDialer",
		},
		{
			19, "the host's certificate is not checked", "iso8583/link/tls.go",
			"ServerName: name}", "ServerName: name, InsecureSkipVerify: true}",
			"iso8583/link", "TestTLSDialer",
		},
		{
			20, "an answer without a MAC is believed", "terminal/lane/exchange.go",
			"err = errors.New(\"it has no MAC\")", "err = nil",
			"terminal/lane", "TestAnswerWithoutItsMACIsNone",
		},
		{
			20, "a wrong MAC is believed", "terminal/lane/exchange.go",
			"err = o.cfg.Macs.Verify(ctx, key, a.Data, a.MAC)", "_ = o.cfg.Macs.Verify(ctx, key, a.Data, a.MAC)",
			"terminal/lane", "TestAnswerWithoutItsMACIsNone",
		},
		{
			21, "any answer is the answer", "iso8583/link/connection.go",
			"why := mismatch(w.request, answer)\n", "why := \"\"\n",
			"iso8583/link", "TestWrongAnswers",
		},
		{
			22, "a failing source of random numbers gives zeros", "emv/contact/session.go",
			"return fmt.Errorf(\"source of random numbers: %w\", err)", "clear(b)",
			"emv/contact", "TestErrors",
		},
		{
			30, "templates nest as deep as they like", "emv/tlv/tlv.go",
			"if depth > MaxDepth {", "if depth > 1<<20 {",
			"emv/tlv", "TestWalk",
		},
		{
			12, "one lease makes any number of MACs", "device/secure/mac.go",
			"held.made = true\n\t\t}\n\t\treturn err\n\t})\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn out[:n], nil\n}\n\n// VerifyMAC", "held.made = false\n\t\t}\n\t\treturn err\n\t})\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn out[:n], nil\n}\n\n// VerifyMAC",
			"device/secure", "TestLeasesAreForOneMessageAndOneUse",
		},
		{
			15, "a lease does every work", "device/secure/mac.go",
			"case l.Use != use:", "case l.Use > 200:",
			"device/secure", "TestLeasesAreForOneMessageAndOneUse",
		},
		{
			25, "fifty tries before the lock", "terminal/people/people.go",
			"const MaxFailures = 5", "const MaxFailures = 50",
			"terminal/people", "TestTheSixthTryIsRefused",
		},
		{
			25, "a session outlives its idle time", "terminal/people/session.go",
			"at.Sub(v.Used) >= s.idle || ", "",
			"terminal/people", "TestSessionsEnd",
		},
		{
			25, "a refund of no sale asks for no more than one of a sale", "till/order.go",
			"return people.RefundFree", "return people.Refund",
			"till", "TestRefundOfNoSale",
		},
		{
			25, "a cashier may be given refunds of no sale", "terminal/people/policy.go",
			"{RefundFree, []Role{Supervisor}, false},", "{RefundFree, []Role{Supervisor}, true},",
			"terminal/people", "TestPolicyRefusals",
		},
		{
			25, "everybody passes for an administrator", "till/access.go",
			"a.cfg.Policy.Judge(c.role, action)", "a.cfg.Policy.Judge(people.Administrator, action)",
			"till", "TestEveryRouteAsksForItsRole",
		},
		{
			25, "a supervisor's yes is good for another session", "till/override.go",
			"y.to != c.name, y.token != c.token, ", "",
			"till", "TestOverrideIsNarrow",
		},
		{
			26, "a row's hash is not compared", "terminal/people/audit.go",
			"case r.Sum() != r.Hash:", "case r.Seq < 0:",
			"terminal/people", "TestChainFindsEveryChange",
		},
		{
			26, "a row's tag is not verified", "store/proof.go",
			"if _, err := s.sealer.Open(ctx, proofKey, canonical(of, columns...), tag); err != nil {", "if _, err := s.sealer.Open(ctx, proofKey, canonical(of, columns...), tag); err != nil && of == \"\" {",
			"store", "TestAnyBitInAnyRowIsFound",
		},
		{
			27, "requests of web pages are served", "till/door.go",
			"r.Host != Host || r.Header.Get(\"Origin\") != \"\" || ", "",
			"till", "TestForeignRequestsAreRefused",
		},
		{
			27, "the screen serves a browser that was led to it by another name", "till/door.go",
			"if !slices.Contains(hosts, r.Host) {", "if !slices.Contains(append(hosts, r.Host), r.Host) {",
			"till", "TestScreenTakesNoForeignRequest",
		},
		{
			27, "a cash register's door takes requests without a token", "till/door.go",
			"if d.closed && c.unknown() && ", "if false && ",
			"till", "TestRegisterDoor",
		},
		{
			29, "a clock that goes backwards is not noticed", "store/upkeep.go",
			"if s.latest.Sub(now) > clockSlack {", "if s.latest.Sub(now) > 1000*time.Hour {",
			"store", "TestClockSetBack",
		},
		{
			9, "posd may dump core", "cmd/posd/harden_linux.go",
			"unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}), unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)", "unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)",
			"cmd/demo", "TestCrashLeavesNothing",
		},
		{
			10, "keys lie in ordinary memory", "device/secure/memory.go",
			"lockedMemory(arenaBytes)", "make([]byte, arenaBytes), \"heap\", func([]byte) error { return nil }, error(nil)",
			"cmd/demo", "TestMemoryHoldsNoKeyAndNoPIN",
		},
		{
			13, "a key's counter follows its file only", "device/secure/rollback.go",
			"to := max(mark, f.highest(k.markName()))", "to := max(mark, 0*f.highest(k.markName()))",
			"cmd/demo", "TestRestoredStateRepeatsNothing",
		},
		{
			7, "a card's token needs no key", "device/secure/file.go",
			"hmac.New(sha256.New, f.content.token)", "hmac.New(sha256.New, nil)",
			"device/secure", "TestToken",
		},
		{
			11, "format 4 under a key of TDES, and 0 under AES", "device/secure/pin.go",
			"if (r.Format == Format4) == (k.algorithm == TDES) {", "if r.Format > Format4 {",
			"device/secure", "TestPINRequestsAreBounded",
		},
		{
			12, "keys are leased before their counter is on disk", "device/secure/mac.go",
			"c.keys[name] = next\n\t\tif c.marks, err = c.counters(); err == nil {\n\t\t\terr = f.commit(ctx, c, false)", "c.keys[name] = next\n\t\tif c.marks, err = c.counters(); err == nil {\n\t\t\tf.content = c",
			"device/secure", "TestNoKeyWithoutTheDisk",
		},
		{
			15, "a key block's usage is for every use", "device/secure/load.go",
			"slices.Contains(r.use, use) &&", "len(r.use) > 0 &&",
			"device/secure", "TestUsageMatrix",
		},
		{
			16, "one person enters all components", "device/secure/component.go",
			"case p.holders[i] == holder:", "case p.holders[i] == holder && c.Of > 9:",
			"device/secure", "TestDualControl",
		},
		{
			16, "key blocks of every version, for every acquirer", "device/secure/load.go",
			"if (head.Version == 'A' || head.Version == 'C') && ", "if head.Version == 'Z' && ",
			"device/secure", "TestKeyBlocksAreRefused",
		},
		{
			18, "keys are destroyed while the host is owed messages", "device/secure/load.go",
			"if owes != 0 {", "if owes > 1000 {",
			"device/secure", "TestDestroyAll",
		},
		{
			28, "published keys in production", "device/secure/load.go",
			"if f.options.Production && published(k, key) {", "if f.options.Production && published(k, key) && k == nil {",
			"device/secure", "TestPublishedKeysInProduction",
		},
	}
}
