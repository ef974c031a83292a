package terminal

import (
	"fmt"
	"log/slog"
	"time"
)

// NetworkKind is what a message of network management is for.
type NetworkKind string

// The kinds.
const (
	SignOn      NetworkKind = "sign-on"
	KeyExchange NetworkKind = "key exchange" // asks for new session keys
	OrderDone   NetworkKind = "order done"   // says that an order of the host is being carried out
	Echo        NetworkKind = "echo"         // asks whether the host is there
)

// ChallengeBytes is the length of a sign-on's challenge.
const ChallengeBytes = 8

// NetworkRequest is what a dialect needs to compose a message of network management.
type NetworkRequest struct {
	Kind       NetworkKind
	STAN       uint32 // 1 to 999999
	Time       time.Time
	TerminalID string
	MerchantID string

	// Challenge is random, ChallengeBytes long, and of this one sign-on: an order in its answer has to repeat it. With
	// OrderDone it is that of the sign-on that the order came with.
	Challenge []byte
	Order     HostOrder // with OrderDone
}

// HostOrder is what a host orders in the answer to a sign-on.
type HostOrder string

// The orders.
const (
	OrderExchange HostOrder = "exchange keys" // ask for new session keys
	OrderDestroy  HostOrder = "destroy keys"  // erase the acquirer's keys, once nothing is owed to it
)

// KeyUse is what a session key is for.
type KeyUse string

// The uses of session keys.
const (
	KeyForPIN KeyUse = "PIN"
	KeyForMAC KeyUse = "MAC"
)

// SessionKey is a key as a host sends it, for the secure module alone: in a key block, or enciphered in ECB where the
// acquirer has nothing better. It shows nothing of itself.
type SessionKey struct {
	Use        KeyUse
	Block      string // a key block; empty: Cryptogram
	Cryptogram []byte
	Check      string // hexadecimal check value; may be empty with a key block
}

func (k SessionKey) String() string {
	form := "enciphered in ECB"
	if k.Block != "" {
		form = "in a key block"
	}
	return fmt.Sprintf("%s key %s", string(k.Use), form)
}

// GoString shows nothing.
func (k SessionKey) GoString() string { return k.String() }

// Format shows nothing under every verb.
func (k SessionKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// LogValue shows nothing.
func (k SessionKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText writes nothing of it.
func (k SessionKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
