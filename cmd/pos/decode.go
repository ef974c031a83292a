package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
)

const maxDecode = 64 << 10 // bytes of hex that a decoder takes

func (a *app) decode() *cobra.Command {
	var clear bool
	sub := func(use, short string, decode func(c *cobra.Command, b []byte) error) *cobra.Command {
		c := &cobra.Command{Use: use + " HEX", Short: short, Args: someHex, RunE: func(c *cobra.Command, argv []string) error {
			b, err := a.hexArgument(argv)
			if err != nil {
				return err
			}
			return decode(c, b)
		}}
		c.Flags().BoolVar(&clear, "clear", false, "show card data in the clear: for test cards")
		return c
	}
	var dialect string
	var response bool
	iso := sub("iso8583", "Decode a message of an acquirer's dialect, with or without length prefix and TPDU",
		func(_ *cobra.Command, b []byte) error { return a.decodeISO(dialect, b, clear) })
	iso.Flags().StringVar(&dialect, "dialect", "nac", "the acquirer's dialect: nac (ISO 8583:1987) or v93 (ISO 8583:1993, its numbers packed or in characters)")
	apdu := sub("apdu", "Decode a command APDU, or with --response its answer",
		func(_ *cobra.Command, b []byte) error { return a.decodeAPDU(b, response, clear) })
	apdu.Flags().BoolVar(&response, "response", false, "the bytes are a card's answer")
	track := sub("track", "Decode a track: the bytes of tag 57, or the characters of the stripe from ; or %",
		func(_ *cobra.Command, b []byte) error { return a.decodeTag57(b, clear) })
	bytesOnly := track.RunE
	track.RunE = func(c *cobra.Command, argv []string) error {
		text := strings.Join(argv, " ")
		if strings.HasPrefix(text, ";") || strings.HasPrefix(text, "%") {
			return a.decodeStripe(text, clear)
		}
		return bytesOnly(c, argv)
	}
	cmds := []*cobra.Command{
		sub("tlv", "Decode BER-TLV data objects", func(_ *cobra.Command, b []byte) error { return a.decodeTLV(b, clear) }),
		iso, apdu, track,
		sub("atr", "Decode an answer to reset", func(_ *cobra.Command, b []byte) error { return a.decodeATR(b) }),
		sub("dol", "Decode a data object list", func(_ *cobra.Command, b []byte) error { return a.decodeDOL(b) }),
	}
	for _, e := range bitElements() {
		cmds = append(cmds, sub(e.use, "Name the bits of the "+e.name, func(_ *cobra.Command, b []byte) error { return a.decodeBits(e, b) }))
	}
	d := group("decode", "Decode bytes: data objects, messages, commands, bits", cmds...)
	d.Long = "decode names what bytes are. HEX may hold spaces and come in pieces; - reads it from standard input,\nwhere lines that begin with # are left out.\nCard data is masked unless --clear is given."
	return d
}

func someHex(c *cobra.Command, argv []string) error {
	if len(argv) == 0 {
		return usage("%s takes HEX, or - to read it from standard input", c.CommandPath())
	}
	return nil
}

// withoutComments leaves out the lines that begin with #: files of examples say there where they come from.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// hexArgument reads hex from the arguments or standard input. The error does not repeat it: it may hold card data.
func (a *app) hexArgument(argv []string) ([]byte, error) {
	text := strings.Join(argv, "")
	if text == "-" {
		in, err := io.ReadAll(io.LimitReader(a.in, 4*maxDecode))
		if err != nil {
			return nil, usage("standard input: %w", err)
		}
		text = string(in)
	}
	text = strings.Join(strings.Fields(withoutComments(text)), "")
	b, err := hex.DecodeString(text)
	switch {
	case err != nil:
		return nil, usage("that is not hex: %d characters, of which every one must be 0 to 9 or A to F, and their number even", len(text))
	case len(b) == 0:
		return nil, usage("there is nothing to decode")
	case len(b) > maxDecode:
		return nil, usage("%d bytes are more than the %d that are taken", len(b), maxDecode)
	}
	return b, nil
}

// dialectTables are the field tables of a dialect, the likeliest first; nil for a name that is none.
func dialectTables(dialect string) []iso8583.Table {
	switch dialect {
	case "nac":
		return []iso8583.Table{nac.Table(nac.Settings{})}
	case "v93":
		var all []iso8583.Table
		for _, encoding := range []string{"bcd", "ascii"} {
			for _, length := range []int{8, 16} {
				all = append(all, v93.Table(v93.Settings{Encoding: encoding, TerminalIDLength: length, OriginalText: length == 16}))
			}
		}
		return all
	}
	return nil
}

func (a *app) decodeISO(dialect string, b []byte, clear bool) error {
	tables := dialectTables(dialect)
	if tables == nil {
		return usage("dialect %q is not there: this build has nac and v93", dialect)
	}
	var d iso8583.Description
	var refused error
	for _, table := range tables {
		codec, err := iso8583.Compile(table)
		if err != nil {
			return fmt.Errorf("dialect %s: %w", dialect, err)
		}
		if d, err = codec.Describe(b, clear); err == nil {
			refused = nil
			break
		}
		if refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return usage("no message of the %s dialect: %w", dialect, refused)
	}
	if a.json {
		return a.printJSON(d)
	}
	a.printf("%s", d)
	if clear {
		a.printf("Reencoded  %s\n", d.Reencoded)
	}
	return nil
}
