package iso8583

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Message is one message by field number. Numeric values are digit strings of the declared length ("051" for n 3), track
// 2 is digits and D without filler, binary fields are bytes. It holds clear card data: every way of printing it shows
// field numbers and lengths only.
type Message struct {
	// TPDU is the transport header, five bytes where the table has one, else nil.
	TPDU []byte

	mti    string
	values []value // ascending by number
	wide   bool    // came with a second bitmap that no field needed; packed as it came
}

// value is a field that is there. seen remembers the filler that was read.
type value struct {
	text   string
	number int16
	seen   seenFiller
}

// usualFields is how many fields a message is made room for.
const usualFields = 20

type seenFiller uint8

const (
	seenNone seenFiller = iota
	seenF
	seenZero
)

// NewMessage makes a message with its type ("0200") and nothing else.
func NewMessage(mti string) *Message {
	return &Message{mti: mti, values: make([]value, 0, usualFields)}
}

// MTI is the message type indicator, four digits.
func (m *Message) MTI() string { return m.mti }

// SetMTI changes the message type, for a repeat.
func (m *Message) SetMTI(mti string) { m.mti = mti }

func (m *Message) find(n int) (int, bool) {
	if last := len(m.values) - 1; last < 0 || int(m.values[last].number) < n { // messages are mostly built in order
		return last + 1, false
	}
	return slices.BinarySearchFunc(m.values, n, func(v value, n int) int { return int(v.number) - n })
}

// Set puts a value into field n (2 to 128), over what was there. Whether it fits is found by Pack.
func (m *Message) Set(n int, text string) {
	if n < 2 || n > 128 {
		panic(fmt.Sprintf("iso8583: there is no field %d", n))
	}
	v := value{number: int16(n), text: text}
	switch i, found := m.find(n); {
	case found:
		m.values[i] = v
	case i == len(m.values):
		m.values = append(m.values, v)
	default:
		m.values = slices.Insert(m.values, i, v)
	}
}

// SetBytes is Set for bytes; they are copied.
func (m *Message) SetBytes(n int, b []byte) { m.Set(n, string(b)) }

// Delete takes field n out.
func (m *Message) Delete(n int) {
	if i, found := m.find(n); found {
		m.values = slices.Delete(m.values, i, i+1)
	}
}

// Get is the value of field n and whether it is there. A binary field's value is its bytes: use Bytes.
func (m *Message) Get(n int) (string, bool) {
	i, found := m.find(n)
	if !found {
		return "", false
	}
	return m.values[i].text, true
}

// Bytes is a copy of field n as bytes.
func (m *Message) Bytes(n int) ([]byte, bool) {
	text, found := m.Get(n)
	if !found {
		return nil, false
	}
	return []byte(text), true
}

// Has says whether field n is there.
func (m *Message) Has(n int) bool { _, found := m.find(n); return found }

// Fields lists the numbers of the fields that are there, ascending, without MTI and bitmap.
func (m *Message) Fields() []int {
	numbers := make([]int, len(m.values))
	for i, v := range m.values {
		numbers[i] = int(v.number)
	}
	return numbers
}

// String shows the type, and each field's number and length: "0200 3(6) 4(12) 35(37)".
func (m Message) String() string {
	var b strings.Builder
	b.WriteString(m.mti)
	for _, v := range m.values {
		fmt.Fprintf(&b, " %d(%d)", v.number, len(v.text))
	}
	return b.String()
}

// GoString keeps %#v from printing values.
func (m Message) GoString() string { return m.String() }

// Format keeps every verb from printing values.
func (m Message) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(m.String())) }

// LogValue masks in log/slog.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }
