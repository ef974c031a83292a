package contact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
)

// Bounds on what one card may make the terminal do. Each is far above what cards use.
const (
	maxExchanges      = 400 // commands of one transaction
	maxApplications   = 64  // of the terminal
	maxCandidates     = 32
	maxPSERecords     = 30
	maxNextOccurrence = 16 // SELECT next for one AID
	maxRecords        = 64 // of one application
	maxResponse       = 258
	maxExchangeTime   = 30 * time.Second // for one command: a card that waits longer, or is far away, is given up
	maxNotes          = 32               // explanations of odd data
)

// session is one transaction with one card. One goroutine uses it.
type session struct {
	log    *slog.Logger
	card   emv.Card
	params emv.Params
	holder emv.Cardholder // may be nil

	terminal emv.Data // the terminal's own objects, as the transaction started
	data     emv.Data // those and everything learnt since
	tvr      emv.TVR
	tsi      emv.TSI
	why      []emv.Why
	step     step // that runs

	candidates []candidate
	blocked    bool             // an application was passed over because it is blocked
	chosen     bool             // the cardholder was asked, and took one
	seen       map[tlv.Tag]bool // what the application sent, once each
	app        emv.Application
	aid        []byte // of the selected application, nil before
	label      string

	aip       emv.AIP
	oda       authentication
	cdol1     tlv.DOL
	cdol2     tlv.DOL
	asked     emv.Cryptogram // what GENERATE AC asks for next
	method    emv.Method
	signature bool   // an approval waits for the cashier to compare one
	closed    string // why nothing is approved without the issuer; empty: it may be
	exchanges int
	notes     int

	answer  emv.HostAnswer
	scripts []script
	results []byte // 9F5B
}

// oddData is what explain is given for a remark on data that changed nothing.
const oddData = "data"

// cardFault is a card that broke the rules: the transaction is terminated. It never leaves the package.
type cardFault struct{ section, reason string }

func (f *cardFault) Error() string { return f.reason }

func fault(section, format string, args ...any) error {
	return &cardFault{section, fmt.Sprintf(format, args...)}
}

func newSession(log *slog.Logger, card emv.Card, params emv.Params, holder emv.Cardholder) (*session, error) {
	s := &session{log: log, card: card, params: params, holder: holder}
	var err error
	if s.terminal, err = terminalData(params); err != nil {
		return nil, err
	}
	s.data = s.terminal.Clone()
	return s, nil
}

// restart forgets what an application said, before the next one is tried.
func (s *session) restart() {
	s.data, s.aid, s.label, s.app = s.terminal.Clone(), nil, "", emv.Application{}
	s.seen = map[tlv.Tag]bool{}
	s.oda = authentication{}
}

// put stores an object of the terminal, unless the caller fixed it.
func (s *session) put(tag tlv.Tag, value []byte) {
	if _, fixed := s.params.Fixed[tag]; !fixed {
		s.data.Put(tag, value)
	}
}

// explain keeps a reason. Of remarks on odd data, which a card can bring in any number, the first are kept.
func (s *session) explain(bit, reason, section string) {
	if bit == oddData {
		if s.notes++; s.notes > maxNotes {
			return
		}
	}
	s.why = append(s.why, emv.Why{Bit: bit, Reason: reason, Section: section, Step: s.step.name})
}

// setTVR is the one way to a bit of the TVR: it keeps 95 and the reason.
func (s *session) setTVR(bit emv.TVRBit, reason, section string) {
	s.tvr.Set(bit)
	s.put(emv.TagTVR, s.tvr[:])
	s.explain(bit.String(), bit.Name()+": "+reason, section)
}

// setTSI is the one way to a bit of the TSI: the step that runs is the reason.
func (s *session) setTSI(bit emv.TSIBit) {
	s.tsi.Set(bit)
	s.put(emv.TagTSI, s.tsi[:])
	s.explain(bit.String(), bit.Name(), s.step.section)
}

// transmit sends one command and returns the data of the answer. The error is nil for 9000, a *emv.StatusError (with
// the data) for another status, a *cardFault for an answer that is none, or what Transmit returned, wrapped.
func (s *session) transmit(ctx context.Context, name string, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if s.exchanges++; s.exchanges > maxExchanges {
		return nil, fault("Book 3, 10.2", "the card keeps the terminal busy: more than %d commands", maxExchanges)
	}
	limited, done := context.WithTimeout(ctx, maxExchangeTime)
	defer done()
	response, err := s.card.Transmit(limited, command)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fault("Book 3, 6.3.3", "%s: the card did not answer within %s", name, maxExchangeTime)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(response) > maxResponse {
		return nil, fault("Book 3, 6.3.3", "%s: response of %d bytes", name, len(response))
	}
	data, err := emv.SplitResponse(response)
	if errors.Is(err, emv.ErrShortResponse) {
		return nil, fault("Book 3, 6.3.3", "%s: response without a status", name)
	}
	s.log.DebugContext(ctx, "command", "name", name, "sent", len(command), "received", len(data),
		"status", fmt.Sprintf("%X", response[len(response)-2:]))
	return data, err
}

// statusOf tells a card's status from every other error.
func statusOf(err error) (*emv.StatusError, bool) {
	var status *emv.StatusError
	ok := errors.As(err, &status)
	return status, ok
}

// must turns a status other than 9000 into the end of the transaction.
func must(name, section string, err error) error {
	if status, ok := statusOf(err); ok {
		return fault(section, "%s: %v", name, status)
	}
	return err
}

// apdu composes a command: case 2 without data, case 4 with (Book 3, 6.3.2). More than 255 bytes of data is a defect.
func apdu(cla, ins, p1, p2 byte, data []byte) []byte {
	c := []byte{cla, ins, p1, p2}
	if len(data) > 0 {
		c = append(append(c, length(data)), data...)
	}
	return append(c, 0)
}

func length(data []byte) byte {
	if len(data) > 255 {
		panic(fmt.Sprintf("contact: command data of %d bytes", len(data)))
	}
	return byte(len(data))
}

// random fills b from the caller's source. Nothing else ever makes a random number (Book 4, 6.5.6).
func (s *session) random(b []byte) error {
	if _, err := io.ReadFull(s.params.Random, b); err != nil {
		return fmt.Errorf("source of random numbers: %w", err)
	}
	return nil
}

// drawUnpredictableNumber writes a fresh 9F37 (Book 4, 6.5.6).
func (s *session) drawUnpredictableNumber() error {
	if _, fixed := s.params.Fixed[emv.TagUnpredictableNumber]; fixed {
		return nil
	}
	var un [4]byte
	if err := s.random(un[:]); err != nil {
		return err
	}
	s.put(emv.TagUnpredictableNumber, un[:])
	return nil
}
