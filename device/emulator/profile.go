package emulator

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/BurntSushi/toml"
)

// Bounds of a profile.
const (
	MaxProfileBytes = 64 << 10
	maxApplications = 16
	maxRecords      = 16  // of one file
	maxRecordBytes  = 254 // with its template: what one short response carries, two bytes spare
	maxFaults       = 32
	maxLineBytes    = 1024 // these three keep keys shallow: TOML's reader takes time and memory by the square of the depth
	maxLineDots     = 16
	maxInlineTables = 64
)

// ErrProfile is wrapped by every refusal of a card profile.
var ErrProfile = errors.New("card profile refused")

// Hex is bytes written in hex; spaces between the digits are allowed.
type Hex []byte

// UnmarshalText reads hex digits.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), " ", ""))
	if err != nil {
		return errors.New("not hex: an even number of digits 0 to 9, A to F is wanted")
	}
	*h = b
	return nil
}

// Profile is what a card is made of. The zero value is no card: use ParseProfile or Ready. It holds a test account number and
// test keys, and shows only its name when it is printed.
type Profile struct {
	Like         string        `toml:"like"`         // a ready card to start from; what stands here is laid over it (like.go)
	Name         string        `toml:"name"`         // one word, for command lines
	Note         string        `toml:"note"`         // one sentence for people
	ATR          Hex           `toml:"atr"`          // answer to reset; its protocol is the one the card speaks
	WarmATR      Hex           `toml:"warm_atr"`     // answer to a warm reset; empty: the same
	Blocked      bool          `toml:"blocked"`      // the whole card: SELECT answers 6A81
	TestAmounts  bool          `toml:"test_amounts"` // obey the amounts .201, .202 and .203 of dinars
	PSE          *PSE          `toml:"pse"`          // payment system environment; none: the card is selected by AIDs only
	Applications []Application `toml:"application"`
	Faults       []Fault       `toml:"fault"`
}

// PSE is the payment system environment, 1PAY.SYS.DDF01 (Book 1, 12.2.2 and 12.2.3). Its directory lists every
// application, one a record.
type PSE struct {
	SFI           byte   `toml:"sfi"`            // of the directory, 1 to 10
	Languages     string `toml:"languages"`      // 5F2D: ISO 639 codes, "aren"
	CodeTable     byte   `toml:"code_table"`     // 9F11; 0: not there
	OmitDirectory bool   `toml:"omit_directory"` // the environment is there, its records are not
	Records       []Hex  `toml:"records"`        // the directory's records as they are, in place of those of the applications
	Endless       bool   `toml:"endless"`        // every record number has an answer: the last record's
}

// Application is one payment application on the card.
type Application struct {
	Like          string         `toml:"like"`           // a ready card whose first application this one starts from
	AID           Hex            `toml:"aid"`            // 4F and 84, 5 to 16 bytes
	Label         string         `toml:"label"`          // 50
	PreferredName string         `toml:"preferred_name"` // 9F12; empty: not there
	CodeTable     byte           `toml:"code_table"`     // 9F11; 0: not there
	Priority      byte           `toml:"priority"`       // 87; 0: not there
	Languages     string         `toml:"languages"`      // 5F2D; empty: not there
	Blocked       bool           `toml:"blocked"`        // SELECT answers 6283, cryptograms are AAC
	FCI           map[string]Hex `toml:"fci"`            // further data objects of the FCI's A5 template
	PDOL          Hex            `toml:"pdol"`           // 9F38; empty: not there
	AIP           Hex            `toml:"aip"`            // 82, 2 bytes
	Format        int            `toml:"format"`         // of GPO and GENERATE AC answers: 1 (80) or 2 (77)
	ATC           uint16         `toml:"atc"`            // of the last transaction before this card came to us
	LastOnlineATC uint16         `toml:"last_online_atc"`
	PIN           string         `toml:"pin"`       // 4 to 12 digits that VERIFY takes; empty: none can be verified
	PINTries      *byte          `toml:"pin_tries"` // 9F17, those left now; absent: GET DATA does not know the tag
	PINLimit      byte           `toml:"pin_limit"` // tries after a right PIN or an unblocking; 0: 3
	GetData       map[string]Hex `toml:"get_data"`  // further objects that GET DATA gives and PUT DATA changes
	Key           Key            `toml:"key"`
	Risk          Risk           `toml:"risk"`
	RSA           *RSA           `toml:"rsa"` // none: no offline data authentication
	Records       []Record       `toml:"record"`
	// Data are laid over the records before anything is computed from them: a tag's value is replaced where it stands, or
	// taken out ("-"), or, where no record has the tag, put into the last record.
	Data map[string]Change `toml:"data"`
	// Tamper is laid over what the card sends when all is signed, as somebody between card and terminal could: the
	// records' objects, and 82 and 94 of GET PROCESSING OPTIONS. The card itself goes on with what it was made with.
	Tamper map[string]Change `toml:"tamper"`
}

// Change is a new value for a data object, in hex, or its removal: "-".
type Change struct {
	Value Hex
	Gone  bool
}

// UnmarshalText reads hex digits or "-".
func (c *Change) UnmarshalText(text []byte) error {
	if string(text) == "-" {
		*c = Change{Gone: true}
		return nil
	}
	c.Gone = false
	return c.Value.UnmarshalText(text)
}

// Key is what the application cryptogram is computed with: the issuer's master key, from which the card's own is derived by
// account number and sequence number (Book 2, A1.4), and the recipe.
type Key struct {
	IMKAC Hex  `toml:"imk_ac"` // 16 bytes: a published test key, nothing else
	DKI   byte `toml:"dki"`    // derivation key index, second byte of 9F10
	CVN   int  `toml:"cvn"`    // cryptogram version number: 10 or 18
	// IMKSMI is the issuer's master key for the MACs of script commands; none: the card knows no script command.
	IMKSMI    Hex  `toml:"imk_smi"`
	IMKSMC    Hex  `toml:"imk_smc"`    // issuer's master key that a new PIN of a script is enciphered under; none: no PIN is changed
	ScriptMAC byte `toml:"script_mac"` // bytes of MAC that end a script command, 4 to 8; 0: none, any command is taken
}

// Decisions of a card, in the words of a profile.
const (
	DecideTC   = "tc"
	DecideARQC = "arqc"
	DecideAAC  = "aac"
)

// Risk is the card's own risk management (Book 3, 10.8): the most it grants. A terminal that asks for less gets less.
type Risk struct {
	First  string `toml:"first"`  // first GENERATE AC: tc, arqc or aac
	Second string `toml:"second"` // second GENERATE AC: tc or aac
	// OfflineLimit is how many transactions in a row may be approved offline; the next one goes online. 0: no limit.
	OfflineLimit uint16 `toml:"offline_limit"`
	// IssuerAuthentication "mandatory" refuses at the second GENERATE AC when the issuer was reached and did not prove
	// itself; "optional" refuses only when it tried and failed.
	IssuerAuthentication string `toml:"issuer_authentication"`
	// CIDBits are put into the cryptogram information data of an AAC: bit 4 advice required, bits 3-1 the reason
	// (Book 3, table 14).
	CIDBits byte `toml:"cid_bits"`
}

// Record is one record of a file. The application file locator is computed from the records, in their order.
type Record struct {
	SFI  byte           `toml:"sfi"`  // 1 to 30
	ODA  bool           `toml:"oda"`  // takes part in offline data authentication; stands before those that do not
	Data map[string]Hex `toml:"data"` // tag to value, written in ascending order of the tags inside template 70
	Raw  Hex            `toml:"raw"`  // the record as it is, in place of Data: for cards with a defect
}

// Fault is one thing that the card does wrong. It comes true each time the card is powered and used that far.
type Fault struct {
	// At is a command and which one of its kind since the reset ("generate ac 2", "read record 3", "script 1": any command of
	// a script), any command by number ("exchange 5"), or all of a kind ("every get data").
	At string `toml:"at"`
	// Do is "leave" (the card leaves the slot in place of answering), "mute" (no answer until the next reset), a status
	// word to answer with ("6985"), or "answer HEX": the whole answer, status included. Three change what the card
	// answers, after it signed it: "set 9F27=80", "flip 9F10" (the value's last bit) and "drop 9F4B".
	Do string `toml:"do"`
}

// ParseProfile reads a card profile and checks it. Keys it does not know are refused. Error: ErrProfile, with what is
// wrong and where, never with a value of the card.
func ParseProfile(text []byte) (Profile, error) {
	if err := bounds(text); err != nil {
		return Profile{}, err
	}
	p, err := decode(string(text))
	if err != nil {
		return Profile{}, err
	}
	if p.inherits() {
		if p, err = inherit(string(text)); err != nil {
			return Profile{}, err
		}
	}
	if err := p.Check(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

// decode reads the text strictly. Error: ErrProfile, with line and key.
func decode(text string) (Profile, error) {
	var p Profile
	meta, err := toml.Decode(text, &p)
	if err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return Profile{}, fmt.Errorf("%w: line %d, key %q: %s", ErrProfile, pe.Position.Line, pe.LastKey, pe.Message)
		}
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return Profile{}, fmt.Errorf("%w: key %q is unknown", ErrProfile, extra[0].String())
	}
	return p, nil
}

// bounds refuses what would cost the TOML reader too much.
func bounds(text []byte) error {
	if len(text) > MaxProfileBytes {
		return fmt.Errorf("%w: %d bytes, at most %d are read", ErrProfile, len(text), MaxProfileBytes)
	}
	n, tables := 0, 0
	for line := range bytes.Lines(text) {
		n++
		if len(line) > maxLineBytes {
			return fmt.Errorf("%w: line %d has %d bytes, at most %d are read", ErrProfile, n, len(line), maxLineBytes)
		}
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			continue
		}
		if bytes.Count(line, []byte(".")) > maxLineDots {
			return fmt.Errorf("%w: line %d has more than %d dots", ErrProfile, n, maxLineDots)
		}
		if tables += bytes.Count(line, []byte("{")); tables > maxInlineTables {
			return fmt.Errorf("%w: line %d: more than %d inline tables: write tables of their own", ErrProfile, n, maxInlineTables)
		}
	}
	return nil
}

// String is the profile's name.
func (p Profile) String() string { return "card profile " + p.Name }

// GoString keeps %#v from printing keys and account number.
func (p Profile) GoString() string { return "emulator.Profile{" + p.Name + "}" }

// Format keeps every verb from printing keys and account number.
func (p Profile) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.String())) }

// LogValue shows the name only.
func (p Profile) LogValue() slog.Value { return slog.StringValue(p.Name) }
