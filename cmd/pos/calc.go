package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// maxCalcLine bounds a line of `pos calc`, newline included: a key block has at most 9,999 characters.
const maxCalcLine = 128 << 10

const calcHelp = `calc reads one JSON object a line on standard input, {"fn": NAME, "in": {...}}, and writes one a line:
{"out": {...}}, or {"error": "..."}. A line that is wrong is answered with an error, and the next one is read.

Bytes are hexadecimal; card numbers and PINs are digits. It is a calculator for test values: what is typed into it is on
the screen and in the history of the shell. Keys of production do not belong here.

  kcv              key, alg (tdes, tdes-cmac, aes-cmac, aes-zeros), len
  key_components   components (two or three), alg
  mac              alg (iso9797-alg1, iso9797-alg3, tdes-cmac, aes-cmac, hmac-sha256), key, data, pad (1, 2, 3), len
  tdes_dukpt_ik    bdk, ksn
  tdes_dukpt, tdes_dukpt_gen, tdes_dukpt_cmac
                   bdk (or ik, or txn_key), ksn; pin and pan; data or data_ascii
  aes_dukpt_ik     bdk, ikid (or ksn)
  aes_dukpt, aes_dukpt_gen, aes_dukpt_mac, aes_dukpt_pin4
                   bdk (or ik, or txn_key), ksn; key_type; pin, pan and rand; data or data_ascii; alg (cmac, hmac)
  aes_dukpt_update bdk (or ik), ikid (or ksn), key_type
  pin_block        format (0 to 4), pin, pan, fill
  pin_block_decode, pin_block_reject
                   format, block, pan; key for format 4
  pin_block4       pin, pan, rand, key
  pin_block4_decode
                   block, pan and key; or field
  pan_field4       pan
  tr31_unwrap, tr31_reject
                   kbpk, block
  tr31_wrap        kbpk, header, key, masked_len, pad
  emv_ac           imk, pan, psn, mk (A, B), sk (common, mchip, visa_sm, none), r or atc, un, data, pad (80, 00),
                   arpc_method (1, 2), arpc_key (mk, sk), arpc_rc, csu, prop_auth_data
  emv_cvn          cvn (visa10, visa18, visa22, mc16, mc17, mc20, mc21, interac133), imk_ac, imk_smi, imk_smc, pan, psn,
                   tags, cvr, iad, counters, arpc_rc, csu, prop_auth_data
  cvv              cvk, pan, expiry, sc
  pvv              pvk, pvki, pin, pan
  ibm3624          pvk, dec_table, offset (or pin), pan, verify_offset, verify_len, pan_pad
  oda              rid, index, capk_modulus, capk_exponent, issuer_cert_90, issuer_exp_9F32, pan; icc_cert_9F46 …

docs/calc.md has each function's outputs.`

func (a *app) calc() *cobra.Command {
	return &cobra.Command{
		Use: "calc", Short: "Calculate keys, MACs, PIN blocks, key blocks and cryptograms from test values",
		Long: calcHelp, Args: args(),
		RunE: func(c *cobra.Command, _ []string) error { return a.calcLines(c.Context()) },
	}
}

// calcLines answers line by line, each at once, so that a program can hold a conversation.
func (a *app) calcLines(ctx context.Context) error {
	in := bufio.NewReaderSize(a.in, maxCalcLine)
	for ctx.Err() == nil {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if err := a.answerCalc(calcAnswer{Error: fmt.Sprintf("line longer than %d bytes", maxCalcLine)}); err != nil {
				return err
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		}
		if text := bytes.TrimSpace(line); len(text) != 0 {
			if err := a.answerCalc(calculate(text)); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("standard input: %w", err)
		}
	}
	return ctx.Err()
}

type calcAnswer struct {
	Out   map[string]any `json:"out,omitempty"`
	Error string         `json:"error,omitempty"`
}

func (a *app) answerCalc(answer calcAnswer) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// calculate answers one line; whatever is wrong with it ends in the answer's error.
func calculate(line []byte) calcAnswer {
	var request struct {
		Fn string         `json:"fn"`
		In map[string]any `json:"in"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&request); err != nil {
		return calcAnswer{Error: "not a JSON object: {\"fn\": NAME, \"in\": {...}}"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return calcAnswer{Error: "more than one JSON object on the line"}
	}
	fn, ok := calcFunction(request.Fn)
	if !ok {
		return calcAnswer{Error: fmt.Sprintf("no function %.40q", request.Fn)}
	}
	in := &calcIn{values: request.In}
	out, err := fn(in)
	if in.err != nil { // the first thing wrong with a parameter comes before what followed from it
		err = in.err
	}
	if err != nil {
		return calcAnswer{Error: err.Error()}
	}
	return calcAnswer{Out: out}
}

type calcFn func(in *calcIn) (map[string]any, error)

func calcFunction(name string) (calcFn, bool) {
	fn, ok := map[string]calcFn{
		"kcv": calcKCV, "key_components": calcComponents, "mac": calcMAC,
		"tdes_dukpt_ik": calcTDESIK, "tdes_dukpt": calcTDES, "tdes_dukpt_gen": calcTDES, "tdes_dukpt_cmac": calcTDESCMAC,
		"aes_dukpt_ik": calcAESIK, "aes_dukpt": calcAES, "aes_dukpt_gen": calcAES, "aes_dukpt_mac": calcAESMAC,
		"aes_dukpt_pin4": calcAESPIN4, "aes_dukpt_update": calcAESUpdate,
		"pin_block": calcPINBlock, "pin_block_decode": calcPINDecode, "pin_block_reject": calcPINDecode,
		"pin_block4": calcPINBlock4, "pin_block4_decode": calcPINBlock4Decode, "pan_field4": calcPANField4,
		"tr31_unwrap": calcUnwrap, "tr31_reject": calcUnwrap, "tr31_wrap": calcWrap,
		"emv_ac": calcAC, "emv_cvn": calcCVN, "cvv": calcCVV, "pvv": calcPVV, "ibm3624": calcIBM3624, "oda": calcODA,
	}[name]
	return fn, ok
}
