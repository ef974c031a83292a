package host

import (
	"tillway/iso8583"
	"tillway/money"
)

// Version is the edition of ISO 8583 that terminals speak: which message types there are, and which field says what.
type Version string

// The versions.
const (
	Version1987 Version = "1987"
	Version1993 Version = "1993"
)

// mapping is the host's own idea of what the fields of a version mean, both ways. What it decides knows no version: in between
// there are query and answer, and the codes of two digits.
type mapping struct {
	read     func(m *iso8583.Message, currency money.Currency, private int) query
	compose  func(h *Host, q query, a answer) *iso8583.Message
	specimen func(h *Host) *iso8583.Message // an answer with every field that answers can have, without MAC
}

func mappings() map[Version]mapping {
	return map[Version]mapping{
		Version1987: {read1987, compose1987, specimen1987},
		Version1993: {read1993, compose1993, specimen1993},
	}
}

func specimen1987(h *Host) *iso8583.Message {
	m := iso8583.NewMessage("0210")
	for n, v := range map[int]string{
		3: "000000", 4: "000000010525", 11: "000001", 12: "235959", 13: "1231", 24: "003", 37: "000000000001",
		38: "000001", 39: "00", 41: "TILL0001", 42: "KW0000000000001", 54: additional(amountAvailable, 0, h.cfg.Currency), 63: "001000000010525", 55: "\x91\x08\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		m.Set(n, v)
	}
	if h.cfg.Security != nil {
		m.Set(h.cfg.Security.Field, "PT013")
		m.Set(63, "INCORRECT PIN")
		if h.cfg.Security.KeyCode != "" {
			m.Set(h.cfg.Security.KeyField, "PB080")
		}
	}
	return m
}

func specimen1993(h *Host) *iso8583.Message {
	m := iso8583.NewMessage("1210")
	for n, v := range map[int]string{
		3: "000000", 4: "000000010525", 7: "1231235959", 11: "000001", 12: "261231235959", 37: "000000000001", 38: "000001", 39: "000",
		30: "000000010525000000000000", 41: "TILL0001", 49: "414", 54: additional(amountAvailable, 0, h.cfg.Currency),
		55: "\x91\x08\x00\x00\x00\x00\x00\x00\x00\x00", 74: "0000000000", 76: "0000000000", 86: "0000000000000000", 88: "0000000000000000",
	} {
		m.Set(n, v)
	}
	if h.cfg.Security != nil {
		m.SetBytes(h.cfg.Security.Field, []byte{tries1993, 1, 3})
		m.Set(44, "INCORRECT PIN")
	}
	return m
}
