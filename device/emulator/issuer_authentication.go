package emulator

import (
	"crypto/subtle"
	"fmt"

	"tillway/emv/cryptogram"
)

const (
	aipIssuerAuthentication = 0x04 // AIP byte 1, bit 3: by EXTERNAL AUTHENTICATE
	csuIssuerApproves       = 0x80 // card status update byte 2, bit 8: issuer approves the online transaction
)

// externalAuthenticate checks the issuer's answer before the second GENERATE AC, once a transaction (Book 3, 6.5.4 and
// 10.9). A card whose AIP does not announce it does not know the command.
func (c *Card) externalAuthenticate(cmd command) ([]byte, sw) {
	switch {
	case c.app == nil:
		return nil, swConditions
	case c.app.AIP[0]&aipIssuerAuthentication == 0:
		return nil, swInstruction
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case c.step != requested || c.authTried:
		return nil, swConditions
	case len(cmd.data) != c.app.answerLength():
		return nil, swLength
	}
	c.authenticate(cmd.data)
	if !c.authGood {
		return nil, swAuthFailed
	}
	return nil, swOK
}

// answerLength is the length of issuer authentication data (91): ARPC of 8 bytes and response code, or ARPC of 4 bytes and
// card status update.
func (a *application) answerLength() int {
	if a.Key.CVN == 10 {
		return 10
	}
	return 8
}

// authenticate decides whether the answer comes from the issuer: ARPC method 1 over the response code with the card's own
// key (version 10), or method 2 over the card status update with the session key (version 18; Book 2, 8.2).
func (c *Card) authenticate(answer []byte) {
	c.authTried = true
	c.authGood = len(answer) == c.app.answerLength() && c.fromIssuer(answer)
	if !c.authGood {
		c.cvr[0] |= cvrAuthFailed
	}
}

func (c *Card) fromIssuer(answer []byte) bool {
	if c.app.Key.CVN == 10 {
		want, err := cryptogram.ARPC1(c.app.key(), c.arqc, [2]byte(answer[8:]))
		must(err)
		return subtle.ConstantTimeCompare(want[:], answer[:8]) == 1
	}
	csu := [4]byte(answer[4:])
	want, err := cryptogram.ARPC2(c.app.key(), c.arqc, csu, nil)
	must(err)
	c.refused = csu[1]&csuIssuerApproves == 0
	return subtle.ConstantTimeCompare(want[:], answer[:4]) == 1
}

// must holds an error that cannot be: the key was checked when the card was made, the file is part of the program.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("emulator: what was checked fails: %v", err))
	}
}
