package main

import (
	"crypto/rand"
	"fmt"

	"tillway/device/secure/x9"
)

func pinFormat(in *calcIn) x9.PINFormat {
	return x9.PINFormat(in.number(0, 0, 255, "format"))
}

func calcPINBlock(in *calcIn) (map[string]any, error) {
	if in.or("", "format") == "4" {
		return calcPINBlock4(in)
	}
	f, pin := pinFormat(in), []byte(in.text("pin"))
	fill, err := x9.PINFill(f, len(pin), rand.Reader)
	if err != nil {
		return nil, err
	}
	if text := in.or("", "fill"); text != "" {
		fill = in.nibbles(text, "fill")
	}
	block, err := x9.EncodePINBlock(f, pin, in.or("", "pan"), fill)
	if err != nil {
		return nil, err
	}
	return map[string]any{"block": upperHex(block[:])}, nil
}

func calcPINDecode(in *calcIn) (map[string]any, error) {
	if in.or("", "format") == "4" {
		return calcPINBlock4Decode(in)
	}
	block := in.fixed(8, "block", "pin_block")
	if in.err != nil {
		return nil, in.err
	}
	pin, err := x9.DecodePINBlock(pinFormat(in), [8]byte(block), in.or("", "pan"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"pin": string(pin)}, nil
}

// calcPINBlock4 gives the two fields, and with a key the enciphered block.
func calcPINBlock4(in *calcIn) (map[string]any, error) {
	pin, random := []byte(in.text("pin")), random8(in)
	field, err := x9.PINField4(pin, random)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"pin_field": upperHex(field[:]), "field": upperHex(field[:])}
	if in.has("pan") {
		account, err := x9.PANField4(in.text("pan"))
		if err != nil {
			return nil, err
		}
		out["pan_field"] = upperHex(account[:])
	}
	if !in.has("key") {
		return out, nil
	}
	block, err := x9.EncryptPINBlock4(in.bytes("key"), pin, in.text("pan"), random)
	if err != nil {
		return nil, err
	}
	out["block"], out["pin_block_enc"] = upperHex(block[:]), upperHex(block[:])
	return out, nil
}

func calcPINBlock4Decode(in *calcIn) (map[string]any, error) {
	var pin []byte
	var err error
	if in.has("key") {
		block := in.fixed(16, "block", "pin_block_enc", "pin_block")
		if in.err != nil {
			return nil, in.err
		}
		pin, err = x9.DecryptPINBlock4(in.bytes("key"), [16]byte(block), in.text("pan"))
	} else {
		field := in.fixed(16, "field", "pin_field", "block")
		if in.err != nil {
			return nil, in.err
		}
		pin, err = x9.ReadPINField4([16]byte(field))
	}
	if err != nil {
		return nil, fmt.Errorf("format 4: %w", err)
	}
	return map[string]any{"pin": string(pin)}, nil
}

func calcPANField4(in *calcIn) (map[string]any, error) {
	field, err := x9.PANField4(in.text("pan"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"field": upperHex(field[:])}, nil
}
