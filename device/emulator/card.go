package emulator

import (
	"bytes"
	"fmt"
	"strings"

	"tillway/emv/tlv"
)

// Card is a chip card. It is a value with a memory: the transaction counter and the last online counter grow from one
// session to the next and are lost with the Card. It belongs to one goroutine at a time.
type Card struct {
	profile    Profile
	apps       []*application
	pseFCI     []byte
	pseRecords [][]byte
	faults     []fault

	session
	left bool
}

// session is what a reset clears.
type session struct {
	dead      bool           // mute until the next reset
	exchanges int            // commands since the reset
	counts    map[string]int // and by kind
	inPSE     bool
	app       *application
	name      []byte // of the last SELECT by name, for the next occurrence
	found     int    // which DF answered it
	step      step
	sent      map[tlv.Tag][]byte // terminal data that came through PDOL and CDOLs
	listed    []byte             // those data as they came, one list behind the other
	challenge []byte             // given out and not used yet
	combine   bool               // the cryptogram is wanted in a combined signature
	cvr       cvr
	arqc      [8]byte
	arqcGiven bool
	first     cid // what the first GENERATE AC gave
	authTried bool
	authGood  bool
	refused   bool // the issuer proved itself and does not approve (card status update)
}

// step is how far the transaction has come since SELECT.
type step uint8

const (
	selected  step = iota // SELECT done
	initiated             // GET PROCESSING OPTIONS done
	requested             // first GENERATE AC gave an ARQC
	finished              // TC or AAC given
)

// NewCard makes a card as it left the issuer. A profile that ParseProfile would refuse is a defect of the caller and
// panics; Profile.Check tells beforehand.
func NewCard(p Profile) *Card {
	c, err := newCard(p)
	if err != nil {
		panic("emulator: " + err.Error())
	}
	return c
}

// Check says whether a profile makes a card: ErrProfile, or nil.
func (p Profile) Check() error { _, err := newCard(p); return err }

func newCard(p Profile) (*Card, error) {
	if p.Name == "" || strings.ContainsAny(p.Name, " \t\r\n/") || len(p.Name) > 32 {
		return nil, fmt.Errorf("%w: name is one word of at most 32 characters", ErrProfile)
	}
	if err := checkATR(p.ATR); err != nil {
		return nil, err
	}
	if len(p.WarmATR) > 0 {
		if err := checkATR(p.WarmATR); err != nil {
			return nil, fmt.Errorf("warm_atr: %w", err)
		}
	}
	if len(p.Applications) > maxApplications {
		return nil, fmt.Errorf("%w: %d applications, at most %d", ErrProfile, len(p.Applications), maxApplications)
	}
	c := &Card{profile: p}
	for i, ap := range p.Applications {
		a, err := personalise(ap)
		if err != nil {
			return nil, fmt.Errorf("application %d: %w", i+1, err)
		}
		c.apps = append(c.apps, a)
	}
	if p.PSE != nil {
		var err error
		if c.pseFCI, c.pseRecords, err = environment(*p.PSE, c.apps); err != nil {
			return nil, err
		}
	}
	if len(p.Faults) > maxFaults {
		return nil, fmt.Errorf("%w: %d faults, at most %d", ErrProfile, len(p.Faults), maxFaults)
	}
	for i, f := range p.Faults {
		parsed, err := parseFault(f)
		if err != nil {
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
		c.faults = append(c.faults, parsed)
	}
	c.Reset()
	return c, nil
}

// Name is the profile's name.
func (c *Card) Name() string { return c.profile.Name }

// ATR is the answer to reset.
func (c *Card) ATR() []byte { return append([]byte(nil), c.profile.ATR...) }

// WarmATR is the answer to a warm reset.
func (c *Card) WarmATR() []byte {
	if len(c.profile.WarmATR) > 0 {
		return append([]byte(nil), c.profile.WarmATR...)
	}
	return c.ATR()
}

// Reset is a cold or warm reset, or the card going back into a slot: the session ends, the counters stay.
func (c *Card) Reset() {
	c.session = session{counts: map[string]int{}, sent: map[tlv.Tag][]byte{}}
	c.left = false
}

// Left says that the card left the slot by itself, in place of answering the last command. Reset puts it back.
func (c *Card) Left() bool { return c.left }

// Transmit answers one command APDU with data and SW1 SW2. Nil is no answer at all: the card is mute, or Left.
func (c *Card) Transmit(apdu []byte) []byte {
	if c.left || c.dead {
		return nil
	}
	cmd, sw := parseCommand(apdu)
	kind := cmd.kind()
	c.exchanges++
	c.counts[kind]++
	if cmd.inScript() {
		c.counts[kindScript]++
	}
	bad := c.misbehave(kind, cmd)
	switch bad.do {
	case leave:
		c.left = true
		return nil
	case mute:
		c.dead = true
		return nil
	case replace:
		return bytes.Clone(bad.answer)
	case behave, alter:
	}
	var data []byte
	if sw == swOK {
		data, sw = c.answer(cmd)
	}
	if bad.do == alter {
		data = bad.change(data)
	}
	return sw.bytes(data)
}

func (c *Card) answer(cmd command) ([]byte, sw) {
	for _, row := range instructions {
		if row.ins != cmd.ins {
			continue
		}
		if row.cla != cmd.cla {
			if cmd.inScript() && (c.app == nil || len(c.app.Key.IMKSMI) == 0) {
				return nil, swInstruction
			}
			return nil, swClass
		}
		return row.run(c, cmd)
	}
	if cmd.cla != 0x00 && cmd.cla != 0x80 {
		return nil, swClass
	}
	return nil, swInstruction
}

// instructions is what the card knows (Book 3, table 5; Book 1, 11).
var instructions = []struct {
	cla, ins byte
	run      func(*Card, command) ([]byte, sw)
}{
	{0x00, insSelect, (*Card).selectFile},
	{0x00, insReadRecord, (*Card).readRecord},
	{0x80, insGPO, (*Card).getProcessingOptions},
	{0x80, insGetData, (*Card).getData},
	{0x80, insGenerateAC, (*Card).generateAC},
	{0x00, insExternalAuthenticate, (*Card).externalAuthenticate},
	{0x00, insGetChallenge, (*Card).getChallenge},
	{0x00, insVerify, (*Card).verify},
	{0x00, insInternalAuthenticate, (*Card).internalAuthenticate},
	{0x84, insApplicationBlock, (*Card).scriptCommand},
	{0x84, insApplicationUnblock, (*Card).scriptCommand},
	{0x84, insCardBlock, (*Card).scriptCommand},
	{0x84, insPINChange, (*Card).scriptCommand},
	{0x04, insPutData, (*Card).scriptCommand},
	{0x04, insUpdateRecord, (*Card).scriptCommand},
}
