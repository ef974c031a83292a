package nexo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// protocolVersion is the one that is spoken.
const protocolVersion = "3.0"

// header is the MessageHeader. An answer repeats the request's, with another MessageType.
type header struct {
	ProtocolVersion string `json:"ProtocolVersion,omitempty"`
	MessageClass    string `json:"MessageClass"`
	MessageCategory string `json:"MessageCategory"`
	MessageType     string `json:"MessageType"`
	ServiceID       string `json:"ServiceID,omitempty"`
	DeviceID        string `json:"DeviceID,omitempty"`
	SaleID          string `json:"SaleID"`
	POIID           string `json:"POIID"`
}

// answer is the header of the answer.
func (h header) answer() header {
	h.ProtocolVersion, h.MessageType = protocolVersion, "Response"
	return h
}

// envelope is what arrives: a message, or one that is enciphered behind a copy of its header.
type envelope struct {
	header  header
	blob    string
	trailer *trailer // nil: it is in clear
	members map[string]json.RawMessage
}

// parse reads a message as it arrives, or as it was deciphered. The error is one sentence for the register's programmer.
func parse(body []byte) (envelope, error) {
	if err := strict(body); err != nil {
		return envelope{}, err
	}
	var outer struct {
		Request map[string]json.RawMessage `json:"SaleToPOIRequest"`
	}
	if err := json.Unmarshal(body, &outer); err != nil || outer.Request == nil {
		return envelope{}, fmt.Errorf("there is no SaleToPOIRequest, or it is no object")
	}
	e := envelope{members: outer.Request}
	raw, ok := e.members["MessageHeader"]
	if !ok || json.Unmarshal(raw, &e.header) != nil {
		return envelope{}, fmt.Errorf("there is no MessageHeader, or it is not one")
	}
	if err := e.header.check(); err != nil {
		return envelope{}, err
	}
	raw, sealed := e.members["SecurityTrailer"]
	blob, blobbed := e.members["NexoBlob"]
	if !sealed && !blobbed {
		return e, nil
	}
	e.trailer = new(trailer)
	if json.Unmarshal(raw, e.trailer) != nil || json.Unmarshal(blob, &e.blob) != nil || e.blob == "" {
		return envelope{}, fmt.Errorf("NexoBlob and SecurityTrailer belong together, and one is missing or not what it should be")
	}
	return e, nil
}

// Bounds of the names in a header, in characters.
const (
	maxServiceID = 10
	maxSaleID    = 64
	maxPOIID     = 64
)

// check refuses a header that could not be answered.
func (h header) check() error {
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"MessageCategory", h.MessageCategory, 32},
		{"ServiceID", h.ServiceID, maxServiceID},
		{"SaleID", h.SaleID, maxSaleID},
		{"POIID", h.POIID, maxPOIID},
	} {
		if f.value == "" || utf8.RuneCountInString(f.value) > f.most || !printable(f.value) {
			return fmt.Errorf("MessageHeader.%s is missing, longer than %d characters, or not printable", f.name, f.most)
		}
	}
	if len(h.DeviceID) > maxPOIID || !printable(h.DeviceID) {
		return fmt.Errorf("MessageHeader.DeviceID is too long or not printable")
	}
	switch {
	case h.ProtocolVersion != "" && h.ProtocolVersion != protocolVersion:
		return fmt.Errorf("MessageHeader.ProtocolVersion is not %s", protocolVersion)
	case h.MessageType != "Request":
		return fmt.Errorf("MessageHeader.MessageType is not Request")
	case !slices.Contains(categories(), h.MessageCategory):
		return fmt.Errorf("MessageHeader.MessageCategory is none of those of the protocol")
	case h.MessageClass != classOf(h.MessageCategory):
		return fmt.Errorf("MessageHeader.MessageClass of a %s is not %s", h.MessageCategory, classOf(h.MessageCategory))
	}
	return nil
}

// printable says that a text has no control characters, and nothing that changes how others are shown.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7F && r <= 0x9F || r >= 0x200B && r <= 0x200F || r >= 0x2028 && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0xFEFF
	})
}

// categories are those of the protocol that a cash register asks with.
func categories() []string {
	return []string{
		"Abort", "Admin", "BalanceInquiry", "Batch", "CardAcquisition", "CardReaderAPDU", "CardReaderInit", "CardReaderPowerOff", "Diagnosis",
		"Display", "EnableService", "GetTotals", "Input", "InputUpdate", "Login", "Logout", "Loyalty", "PIN", "Payment", "Print",
		"Reconciliation", "Reversal", "Sound", "StoredValue", "TransactionStatus", "Transmit",
	}
}

// classOf is the class that a category belongs to.
func classOf(category string) string {
	if slices.Contains([]string{"CardReaderAPDU", "CardReaderInit", "CardReaderPowerOff", "Display", "Input", "InputUpdate", "PIN", "Print", "Sound", "Transmit"}, category) {
		return "Device"
	}
	return "Service"
}

// response is what every answer begins with.
type response struct {
	Result             string `json:"Result"`
	ErrorCondition     string `json:"ErrorCondition,omitempty"`
	AdditionalResponse string `json:"AdditionalResponse,omitempty"`
}

// encode writes a value as JSON, with the characters of a query as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// answerText is a whole answer: its header and the one member that the category has.
func answerText(h header, body any) ([]byte, error) {
	head, err := encode(h.answer())
	if err != nil {
		return nil, err
	}
	text, err := encode(body)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"SaleToPOIResponse":{"MessageHeader":`), head...)
	out = append(out, `,"`+h.MessageCategory+`Response":`...)
	out = append(out, text...)
	return append(out, "}}"...), nil
}

// into reads the category's member of a message.
func (e envelope) into(v any) error {
	name := e.header.MessageCategory + "Request"
	raw, ok := e.members[name]
	if !ok {
		return badField(name, "Missing")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return badField(name, "a field has a value of the wrong kind")
	}
	return nil
}
