package x9

import (
	"fmt"
	"strconv"
	"strings"
)

// KeyBlockHeader is the clear head of a key block (X9.143:2021, 6.2). It is no secret.
type KeyBlockHeader struct {
	Version       byte   // 'A' to 'E'
	Usage         string // two characters, X9.143 Table 2: "P0" PIN encryption, "K0" key encryption …
	Algorithm     byte   // 'T', 'A', 'H' …
	Mode          byte   // 'E', 'D', 'B', 'G', 'C', 'V', 'X', 'N' …
	KeyVersion    string // two characters; "00" when there is none; "cN" for component N
	Exportability byte   // 'E' under trusted key, 'N' not, 'S' sensitive
	Context       byte   // '0' to '2'; zero counts as '0'
	Optional      []OptionalBlock
}

// OptionalBlock is one optional block of a header: a key serial number (KS, IK), check value (KC), time (TS), label (LB) …
// The pad block PB is not listed: writing makes it, reading drops it.
type OptionalBlock struct {
	ID   string // two letters or digits
	Data string // printable ASCII
}

// OptionalData is the content of the optional block of that identifier.
func (h KeyBlockHeader) OptionalData(id string) (string, bool) {
	for _, o := range h.Optional {
		if o.ID == id {
			return o.Data, true
		}
	}
	return "", false
}

const headerLength = 16

// ParseKeyBlockHeader reads the head of a key block without any key: what it says is not yet to be believed. Error:
// ErrKeyBlock.
func ParseKeyBlockHeader(block string) (KeyBlockHeader, error) {
	h, _, err := parseKeyBlock(block)
	return h, err
}

// parseKeyBlock reads the head of a whole key block, and where it ends.
func parseKeyBlock(block string) (KeyBlockHeader, int, error) {
	var h KeyBlockHeader
	if len(block) < headerLength || len(block) > maxKeyBlock {
		return h, 0, fmt.Errorf("%d characters: %w", len(block), ErrKeyBlock)
	}
	b, ok := bindingOf(block[0])
	if !ok {
		return h, 0, fmt.Errorf("version: %w", ErrKeyBlock)
	}
	if n, err := decimal(block[1:5]); err != nil || n != len(block) {
		return h, 0, fmt.Errorf("length field, in a block of %d characters: %w", len(block), ErrKeyBlock)
	}
	h = KeyBlockHeader{
		Version: block[0], Usage: block[5:7], Algorithm: block[7], Mode: block[8],
		KeyVersion: block[9:11], Exportability: block[11], Context: block[14],
	}
	if err := h.checkForm(); err != nil {
		return h, 0, err
	}
	if block[14] == 0 || block[15] != '0' {
		return h, 0, fmt.Errorf("key context or reserved field: %w", ErrKeyBlock)
	}
	count, err := decimal(block[12:14])
	if err != nil {
		return h, 0, fmt.Errorf("number of optional blocks: %w", ErrKeyBlock)
	}
	at := headerLength
	for i := range count {
		o, n, err := parseOptional(block[at:])
		if err != nil {
			return h, 0, fmt.Errorf("optional block %d: %w", i+1, err)
		}
		at += n
		if o.ID == padID {
			if i+1 != count {
				return h, 0, fmt.Errorf("pad block before the last place: %w", ErrKeyBlock)
			}
			break
		}
		if _, twice := h.OptionalData(o.ID); twice {
			return h, 0, fmt.Errorf("optional block %d comes twice: %w", i+1, ErrKeyBlock)
		}
		h.Optional = append(h.Optional, o)
	}
	if (at-headerLength)%b.align != 0 {
		return h, 0, fmt.Errorf("optional blocks of %d characters: %w", at-headerLength, ErrKeyBlock)
	}
	return h, at, nil
}

const padID = "PB"

// parseOptional reads one optional block: identifier, length in two hexadecimal digits (of the whole block), data. A
// length of 00 says that the number of bytes of a longer length follows, then that length (X9.143:2021, 6.3).
func parseOptional(s string) (OptionalBlock, int, error) {
	if len(s) < 4 || !alphanumeric(s[:2]) {
		return OptionalBlock{}, 0, fmt.Errorf("identifier: %w", ErrKeyBlock)
	}
	n, err := hexNumber(s[2:4])
	head := 4
	if err == nil && n == 0 {
		if len(s) < 6 {
			return OptionalBlock{}, 0, fmt.Errorf("length of length: %w", ErrKeyBlock)
		}
		size, errSize := hexNumber(s[4:6])
		head = 6 + 2*size
		if errSize != nil || size == 0 || size > 2 || len(s) < head {
			return OptionalBlock{}, 0, fmt.Errorf("length of length: %w", ErrKeyBlock)
		}
		n, err = hexNumber(s[6:head])
	}
	if err != nil || n < head || n > len(s) {
		return OptionalBlock{}, 0, fmt.Errorf("length: %w", ErrKeyBlock)
	}
	data := s[head:n]
	if !printable(data) {
		return OptionalBlock{}, 0, fmt.Errorf("data: %w", ErrKeyBlock)
	}
	return OptionalBlock{s[:2], data}, n, nil
}

// encode writes the header for a block that has rest more characters, with a pad block where align asks for one.
func (h KeyBlockHeader) encode(align, rest int) (string, error) {
	if len(h.Optional) > 98 {
		return "", fmt.Errorf("%d optional blocks: %w", len(h.Optional), ErrKeyBlock)
	}
	var optional strings.Builder
	count := len(h.Optional)
	for i, o := range h.Optional {
		text, err := o.encode()
		if err != nil {
			return "", fmt.Errorf("optional block %d: %w", i+1, err)
		}
		optional.WriteString(text)
	}
	if over := optional.Len() % align; over != 0 {
		pad := align - over
		for pad < 4 {
			pad += align
		}
		fmt.Fprintf(&optional, "%s%02X%s", padID, pad, strings.Repeat("0", pad-4))
		count++
	}
	total := headerLength + optional.Len() + rest
	if total > maxKeyBlock {
		return "", fmt.Errorf("%d characters: %w", total, ErrKeyBlock)
	}
	context := h.Context
	if context == 0 {
		context = '0'
	}
	return fmt.Sprintf("%c%04d%s%c%c%s%c%02d%c0%s", h.Version, total, h.Usage, h.Algorithm, h.Mode, h.KeyVersion,
		h.Exportability, count, context, optional.String()), nil
}

func (o OptionalBlock) encode() (string, error) {
	if len(o.ID) != 2 || !alphanumeric(o.ID) || o.ID == padID || !printable(o.Data) || len(o.Data) > maxKeyBlock {
		return "", ErrKeyBlock
	}
	if n := 4 + len(o.Data); n <= 0xFF {
		return fmt.Sprintf("%s%02X%s", o.ID, n, o.Data), nil
	}
	return fmt.Sprintf("%s0002%04X%s", o.ID, 10+len(o.Data), o.Data), nil
}

func hexNumber(s string) (int, error) {
	if _, err := upperHex(s); err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return 0, ErrKeyBlock
	}
	return int(n), nil
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
