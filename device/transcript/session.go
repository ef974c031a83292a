package transcript

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"tillway/emv"
)

// SessionVersion is the version of Session's form.
const SessionVersion = 1

// ErrMasked is wrapped by what Read returns for a transcript of a real card: what the card said is not in it.
var ErrMasked = errors.New("masked, since it is of a real card: it cannot be replayed")

// Cards says how a transcript holds its card's data.
type Cards string

// The forms. A test card's is complete and replays strictly; what is masked never replays.
const (
	TestCard Cards = "test card, complete"
	RealCard Cards = "real card, masked"
)

// Session is what a transaction had beside its card: with the exchanges, all that repeats it byte for byte.
type Session struct {
	Version    int     `json:"version"` // SessionVersion
	Card       Cards   `json:"card"`
	Replayable bool    `json:"replayable"`
	PAN        string  `json:"pan,omitempty"`  // first six and last four digits
	Sale       uint64  `json:"sale,omitempty"` // the terminal's number
	Kernel     Version `json:"kernel"`
	Profile    Profile `json:"profile"`
	Params     Params  `json:"params"`

	Nobody      bool        `json:"no_cardholder,omitempty"` // nobody could be asked
	Random      []Hex       `json:"random"`                  // each reading of the random source in order: 4 bytes an unpredictable number, 1 a draw for random selection
	Choices     []Choice    `json:"choices,omitempty"`       // of an application
	OnlinePINs  []OnlinePIN `json:"online_pin,omitempty"`    // how each asking ended
	CardPINs    []CardPIN   `json:"card_pin,omitempty"`
	Sales       []Known     `json:"earlier_sales,omitempty"` // what was known of earlier sales of the card
	Listed      []Known     `json:"exception_file,omitempty"`
	Gate        []Gate      `json:"offline_gate,omitempty"` // whether the terminal might approve by itself, where it was asked
	Host        *Host       `json:"host,omitempty"`         // nil: Complete was not called
	Unanswered  Hex         `json:"unanswered,omitempty"`   // the last command, if no answer came
	CardFailure string      `json:"card_failure,omitempty"` // why none came
	Outcome     Outcome     `json:"outcome"`
}

// Version is the kernel that ran.
type Version struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Checksum string `json:"checksum"`
}

// Profile names the terminal's profile; what the kernel took from it is in Params.
type Profile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"` // of its text
}

// Choice is one asking for the choice of an application.
type Choice struct {
	Index   int    `json:"index"`
	OK      bool   `json:"ok"`
	Failure string `json:"failure,omitempty"`
}

// OnlinePIN is one asking for an online PIN. Neither PIN nor block is here.
type OnlinePIN struct {
	Entry   emv.PINEntry `json:"entry,omitempty"`
	Failure string       `json:"failure,omitempty"`
}

// CardPIN is one asking for a PIN that the card checks.
type CardPIN struct {
	Entry    emv.PINEntry `json:"entry,omitempty"`
	Keys     int          `json:"keys,omitempty"`     // how often the card's key and a challenge were asked for
	Data     Hex          `json:"data,omitempty"`     // an enciphered PIN, for the kernel to send
	Commands []Hex        `json:"commands,omitempty"` // what the pad sent, the PIN block of VERIFY as zeros
	Failure  string       `json:"failure,omitempty"`
}

// Known is one answer of the terminal's memory: the minor units of an earlier sale, or 1 for a listed card.
type Known struct {
	Value   int64  `json:"value"`
	Failure string `json:"failure,omitempty"`
}

// Gate is an answer of the terminal's gate: why it approves nothing by itself, or nothing.
type Gate struct {
	Closed  string `json:"closed,omitempty"`
	Failure string `json:"failure,omitempty"`
}

// Host is the issuer's answer as the kernel was told.
type Host struct {
	Result     emv.HostResult `json:"result"`
	ARC        Hex            `json:"arc,omitempty"`
	IssuerData Hex            `json:"issuer_data,omitempty"`
}

// Outcome is how the kernel ended.
type Outcome struct {
	Decision     emv.Decision      `json:"decision"` // empty: the world failed
	Reason       string            `json:"reason,omitempty"`
	Failure      string            `json:"failure,omitempty"`
	AID          Hex               `json:"aid,omitempty"`
	Method       emv.Method        `json:"cvm,omitempty"`
	SignatureDue bool              `json:"signature_due,omitempty"`
	ODA          emv.ODA           `json:"oda"`
	Tags         map[string]string `json:"tags"` // without card data in a masked transcript
	Why          []emv.Why         `json:"why"`
}

// Hex is bytes, in the file as upper-case hex.
type Hex []byte

// MarshalText writes the hex of the file, in the clear.
func (h Hex) MarshalText() ([]byte, error) {
	return []byte(strings.ToUpper(hex.EncodeToString(h))), nil
}

// UnmarshalText reads hex. Error: ErrFormat.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("not hex: %w", ErrFormat)
	}
	*h = b
	return nil
}

// head is a file without its exchanges.
type head struct {
	Session *struct {
		Version int   `json:"version"`
		Card    Cards `json:"card"`
	} `json:"session"`
}

// checkHead refuses what can be known not to replay before the exchanges are read.
func checkHead(b []byte) error {
	var h head
	if err := json.Unmarshal(b, &h); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch s := h.Session; {
	case s == nil:
		return nil
	case s.Card == RealCard:
		return fmt.Errorf("%w: %w", ErrFormat, ErrMasked)
	case s.Version != SessionVersion:
		return fmt.Errorf("a session of version %d, and this program reads %d: %w", s.Version, SessionVersion, ErrFormat)
	case s.Card != TestCard:
		return fmt.Errorf("a session of %.30q: %w", s.Card, ErrFormat)
	}
	return nil
}

// most bounds what one session may list, so that a file cannot ask for more than a transaction does.
const most = MaxExchanges

func (s *Session) check() error {
	if reflect.ValueOf(s.Params.Params).IsZero() {
		return fmt.Errorf("session: the terminal's parameters are missing: %w", ErrFormat)
	}
	for name, n := range map[string]int{
		"random": len(s.Random), "choices": len(s.Choices), "online_pin": len(s.OnlinePINs), "card_pin": len(s.CardPINs),
		"earlier_sales": len(s.Sales), "exception_file": len(s.Listed), "offline_gate": len(s.Gate),
	} {
		if n > most {
			return fmt.Errorf("session: %d in %s: %w", n, name, ErrFormat)
		}
	}
	if len(s.Unanswered) > 0 && s.CardFailure == "" {
		return fmt.Errorf("session: a command without an answer, and no reason why: %w", ErrFormat)
	}
	if s.Host != nil && len(s.Host.ARC) != 0 && len(s.Host.ARC) != 2 {
		return fmt.Errorf("session: an ARC of %d bytes: %w", len(s.Host.ARC), ErrFormat)
	}
	return nil
}
