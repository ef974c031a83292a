package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// calcRow is one row of testdata/calc: what goes in, and what of the answer is known.
type calcRow struct {
	ID string          `json:"id"`
	Fn string          `json:"fn"`
	In json.RawMessage `json:"in"`

	Out map[string]any `json:"out"`
}

func calcRows(t testing.TB, file string) []calcRow {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []calcRow
	for line := range bytes.Lines(raw) {
		var r calcRow
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// calcRun runs `pos calc` on standard input and gives the answers.
func calcRun(t testing.TB, input string) []calcAnswer {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), app{in: strings.NewReader(input), out: &out, errOut: &errOut, env: func(string) string { return "" }}, []string{"calc"}); code != 0 {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	var answers []calcAnswer
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a calcAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil || (a.Out == nil) == (a.Error == "") {
			t.Fatalf("answer %q: %v", lines.Text(), err)
		}
		answers = append(answers, a)
	}
	return answers
}

// TestCalcPage: the example of docs/calc.md gives what stands under it.
func TestCalcPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/calc.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```console\n$ echo '")
	in, rest, ends := strings.Cut(rest, "' | pos calc\n")
	want, _, closed := strings.Cut(rest, "\n```")
	if !found || !ends || !closed {
		t.Fatal("the page has no example")
	}
	got, err := json.Marshal(calcRun(t, in)[0].Out)
	if err != nil {
		t.Fatal(err)
	}
	if `{"out":`+string(got)+"}" != want {
		t.Errorf("%s, the page has %s", got, want)
	}
}

// TestCalcRows: every published value equal, every refusal refused, in one run.
func TestCalcRows(t *testing.T) {
	for file, want := range map[string]int{"testdata/calc/public.jsonl": 118, "testdata/calc/more.jsonl": 117} {
		rows := calcRows(t, file)
		if len(rows) != want {
			t.Errorf("%s has %d rows, want %d", file, len(rows), want)
		}
		var input strings.Builder
		for _, r := range rows {
			fmt.Fprintf(&input, `{"fn":%q,"in":%s}`+"\n", r.Fn, r.In)
		}
		answers := calcRun(t, input.String())
		if len(answers) != len(rows) {
			t.Fatalf("%s: %d answers to %d lines", file, len(answers), len(rows))
		}
		for i, r := range rows {
			if _, refused := r.Out["error"]; refused {
				if answers[i].Error == "" {
					t.Errorf("%s: not refused: %v", r.ID, answers[i].Out)
				}
				continue
			}
			for name, value := range r.Out {
				if got := answers[i].Out[name]; got != value {
					t.Errorf("%s: %s is %v, want %v (%s)", r.ID, name, got, value, answers[i].Error)
				}
			}
		}
	}
}

// TestCalcBadLines: a bad line is answered with an error and never ends the run; blank lines are no lines.
func TestCalcBadLines(t *testing.T) {
	const good = `{"fn":"kcv","in":{"alg":"tdes","key":"0123456789ABCDEFFEDCBA9876543210"}}`
	bad := []string{
		"no JSON", "[]", "3", "{", `{"fn":"kcv","in":3}`, `{"in":{}}`, `{"fn":"nothing","in":{}}`, good + good,
		`{"fn":"kcv"}`, `{"fn":"kcv","in":null}`, `{"fn":"kcv","in":{"key":"0"}}`, `{"fn":"kcv","in":{"key":{}}}`,
		`{"fn":"kcv","in":{"key":"00"}}`, `{"fn":"kcv","in":{"alg":"rot13","key":"00"}}`,
		`{"fn":"kcv","in":{"key":"0123456789ABCDEFFEDCBA9876543210","len":9}}`,
		`{"fn":"mac","in":{"alg":"iso9797-alg3","key":"0123456789ABCDEFFEDCBA9876543210","data":"00","pad":7}}`,
		`{"fn":"mac","in":{"alg":"iso9797-alg3","key":"0123456789ABCDEFFEDCBA9876543210","data":"00","pad":1e99}}`,
		`{"fn":"tdes_dukpt","in":{"ksn":"FFFF9876543210E00001"}}`,
		`{"fn":"tdes_dukpt","in":{"bdk":"0123456789ABCDEFFEDCBA9876543210","ksn":"FFFF9876543210E00000"}}`,
		`{"fn":"tdes_dukpt_cmac","in":{"bdk":"0123456789ABCDEFFEDCBA9876543210","ksn":"FFFF9876543210E00001"}}`,
		`{"fn":"aes_dukpt","in":{"ksn":"123456789012345600000001"}}`,
		`{"fn":"aes_dukpt","in":{"bdk":"00","ksn":"12"}}`,
		`{"fn":"aes_dukpt_update","in":{"ikid":"1234567890123456"}}`,
		`{"fn":"aes_dukpt_ik","in":{"bdk":"FEDCBA9876543210F1F1F1F1F1F1F1F1","ikid":"12"}}`,
		`{"fn":"aes_dukpt_mac","in":{"bdk":"FEDCBA9876543210F1F1F1F1F1F1F1F1","ksn":"123456789012345600000001"}}`,
		`{"fn":"aes_dukpt_mac","in":{"bdk":"FEDCBA9876543210F1F1F1F1F1F1F1F1","ksn":"123456789012345600000001","data":"","key_type":"aes256"}}`,
		`{"fn":"aes_dukpt_pin4","in":{"bdk":"FEDCBA9876543210F1F1F1F1F1F1F1F1","ksn":"123456789012345600000001","pin":"12","pan":"1","key_type":"rsa"}}`,
		`{"fn":"pin_block","in":{"format":"5","pin":"1234"}}`, `{"fn":"pin_block","in":{"format":"1","pin":"1234","fill":"XYZ"}}`,
		`{"fn":"pin_block_decode","in":{"format":"0","block":"00","pan":"4012345678909"}}`,
		`{"fn":"pin_block_decode","in":{"format":"4","block":"00"}}`, `{"fn":"pin_block4_decode","in":{"key":"00","block":"00"}}`,
		`{"fn":"tr31_unwrap","in":{"kbpk":"XX","block":""}}`, `{"fn":"tr31_wrap","in":{"kbpk":"00","key":"00","header":"B"}}`,
		`{"fn":"tr31_wrap","in":{"kbpk":"0123456789ABCDEFFEDCBA9876543210","key":"00","header":"B0016P0TE00N0000"}}`,
		`{"fn":"key_components","in":{"components":["0123456789ABCDEFFEDCBA9876543210"]}}`, `{"fn":"key_components","in":{"components":3}}`,
		`{"fn":"emv_ac","in":{"imk":"00","pan":"1"}}`, `{"fn":"emv_ac","in":{"mk":"C"}}`, `{"fn":"emv_cvn","in":{"cvn":"visa99"}}`,
		`{"fn":"emv_cvn","in":{"cvn":"visa10","imk_ac":"0123456789ABCDEFFEDCBA9876543210","pan":"4761739001010119","tags":3}}`,
		`{"fn":"cvv","in":{"cvk":"00","pan":"1"}}`, `{"fn":"pvv","in":{}}`, `{"fn":"ibm3624","in":{"pan_pad":"FF"}}`,
		`{"fn":"oda","in":{}}`, `{"fn":"oda","in":{"rid":"A000000003","index":"94","capk_modulus":"00","capk_exponent":"03","issuer_cert_90":"00","issuer_exp_9F32":"03"}}`,
		strings.Repeat("x", 3*maxCalcLine),
	}
	input := strings.Join(bad, "\n"+good+"\n\n   \n") + "\n" + good // no newline behind the last
	answers := calcRun(t, input)
	if len(answers) != 2*len(bad) {
		t.Fatalf("%d answers to %d lines", len(answers), 2*len(bad))
	}
	for i, a := range answers {
		if i%2 == 0 && a.Error == "" {
			t.Errorf("line %.80q: %v", bad[i/2], a.Out)
		}
		if i%2 == 1 && a.Out["kcv"] != "08D7B4" {
			t.Errorf("after %.80q: %s", bad[i/2], a.Error)
		}
	}
}

// TestCalcEachWay: what one function makes, its counterpart opens.
func TestCalcEachWay(t *testing.T) {
	ask := func(fn string, in map[string]any) map[string]any {
		t.Helper()
		line, err := json.Marshal(map[string]any{"fn": fn, "in": in})
		if err != nil {
			t.Fatal(err)
		}
		a := calcRun(t, string(line))
		if len(a) != 1 || a[0].Error != "" {
			t.Fatalf("%s: %v", fn, a)
		}
		return a[0].Out
	}
	const key = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	for _, f := range []string{"0", "1", "2", "3", "4"} {
		out := ask("pin_block", map[string]any{"format": f, "pin": "123456", "pan": "4761739001010119", "key": key})
		back := ask("pin_block_decode", map[string]any{"format": f, "block": out["block"], "pan": "4761739001010119", "key": key})
		if back["pin"] != "123456" {
			t.Errorf("format %s: PIN %v", f, back["pin"])
		}
	}
	for _, head := range []string{"B0000P0TE00N0000", "D0000P0AE00N0000", "E0000P0TE00N0100KS1800604B120F9292800000"} {
		kbpk := key[:16] + "0123456789ABCDEF"
		out := ask("tr31_wrap", map[string]any{"kbpk": kbpk, "header": head, "key": "0123456789ABCDEFFEDCBA9876543210", "masked_len": 24})
		back := ask("tr31_unwrap", map[string]any{"kbpk": kbpk, "block": out["block"]})
		if back["key"] != "0123456789ABCDEFFEDCBA9876543210" || back["usage"] != "P0" {
			t.Errorf("%s: %v", head, back)
		}
	}
	req := map[string]any{"bdk": key, "ksn": "123456789012345600000001", "data_ascii": "4012345678909D987", "pin": "1234", "pan": "4012345678909"}
	all := ask("aes_dukpt_gen", req)
	again := ask("aes_dukpt_gen", map[string]any{"ik": all["ik"], "ksn": req["ksn"], "data": "34303132333435363738393039443938 37"})
	direct := ask("aes_dukpt_mac", map[string]any{"txn_key": all["txn_key"], "ksn": req["ksn"], "data_ascii": "4012345678909D987"})
	mac := ask("mac", map[string]any{"alg": "aes-cmac", "key": all["mac_gen_key_aes128"], "data": "3430313233343536373839303944393837"})
	if again["data_rsp_cbc0"] != all["data_rsp_cbc0"] || direct["mac_req"] != all["cmac_req"] || mac["mac"] != all["cmac_req"] ||
		all["cmac_req"] == all["cmac_rsp"] || all["data_req_cbc0"] == all["data_rsp_cbc0"] {
		t.Errorf("all %v, from the initial key %v, from the transaction key %v", all, again, direct)
	}
	opened := ask("pin_block4_decode", map[string]any{"key": all["pin_key_aes128"], "block": all["pin_block_enc"], "pan": "4012345678909"})
	if opened["pin"] != "1234" {
		t.Errorf("PIN %v", opened["pin"])
	}
	parts := ask("key_components", map[string]any{"components": []string{key, "0123456789ABCDEFFEDCBA9876543210"}, "alg": "aes-cmac"})
	if parts["key"] != "FFFFFFFFFFFFFFFF0F2D4B6987A5C3E1" {
		t.Errorf("components: %v", parts)
	}
}

// FuzzCalc: any line that is not blank has one answer, an output or an error, and the line after it is still answered.
func FuzzCalc(f *testing.F) {
	for _, file := range []string{"testdata/calc/public.jsonl", "testdata/calc/more.jsonl"} {
		for i, r := range calcRows(f, file) {
			if i%7 == 0 {
				f.Add(fmt.Sprintf(`{"fn":%q,"in":%s}`, r.Fn, r.In))
			}
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.ReplaceAll(line, "\n", " ")
		want := 2
		if strings.TrimSpace(line) == "" {
			want = 1
		}
		if answers := calcRun(t, line+"\n{}\n"); len(answers) != want || answers[want-1].Error == "" {
			t.Errorf("%d answers: %v", len(answers), answers)
		}
	})
}
