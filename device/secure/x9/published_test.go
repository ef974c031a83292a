package x9_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"tillway/device/secure/x9"
)

// A row is one published value: testdata/published.json names the source of each.
type row struct {
	ID, Fn string
	In     struct {
		BDK, KSN, IKID, PIN, PAN, Rand, Format, Fill, Block, Alg, Key, Data, KBPK string

		Len int

		DataASCII string `json:"data_ascii"`
		Pad       x9.Padding
	}
	Out map[string]string
}

func published(t testing.TB) []row {
	t.Helper()
	raw, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestPublished compares with every published row.
func TestPublished(t *testing.T) {
	run := map[string]func(*testing.T, row) map[string]string{
		"tdes_dukpt_ik": tdesIK, "tdes_dukpt": tdesDUKPT, "aes_dukpt_ik": aesIK, "aes_dukpt": aesDUKPT,
		"aes_dukpt_pin4": aesPIN4, "pin_block": pinBlock, "pan_field4": panField4, "mac": macs, "kcv": kcvs,
		"tr31_unwrap": unwrap, "tr31_reject": rejectKeyBlock, "pin_block_reject": rejectPIN, "pin_block_decode": decodePIN,
		"pin_block4": pinBlock4, "pin_block4_decode": decodePIN4, "aes_dukpt_update": aesUpdate,
	}
	rows := published(t)
	if len(rows) != 192 {
		t.Errorf("%d rows, want 192", len(rows))
	}
	for _, r := range rows {
		t.Run(r.ID, func(t *testing.T) {
			f := run[r.Fn]
			if f == nil {
				t.Fatalf("function %q", r.Fn)
			}
			got := f(t, r)
			for name, want := range r.Out {
				if got[name] != want {
					t.Errorf("%s: %s, want %s", name, got[name], want)
				}
			}
		})
	}
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// must fails the test where err says so.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func tdesIK(t *testing.T, r row) map[string]string {
	ksn := must(x9.ParseKSN(unhex(t, r.In.KSN)))(t)
	return map[string]string{"ik": upper(must(x9.TDESInitialKey(unhex(t, r.In.BDK), ksn))(t))}
}

// tdesDUKPT is X9.24-1:2009, A.4: PIN block of format 0, the retail MAC's left half, data in CBC from zeros.
func tdesDUKPT(t *testing.T, r row) map[string]string {
	ksn := must(x9.ParseKSN(unhex(t, r.In.KSN)))(t)
	txn := must(x9.TDESTransactionKey(must(x9.TDESInitialKey(unhex(t, r.In.BDK), ksn))(t), ksn))(t)
	work := func(u x9.TDESUse) []byte { return must(x9.TDESWorkingKey(txn, u))(t) }
	block := must(x9.EncodePINBlock(x9.PINFormat0, []byte(r.In.PIN), r.In.PAN, nil))(t)
	data := []byte(r.In.DataASCII)
	mac := func(u x9.TDESUse) string { m := must(x9.MAC3(work(u), data, x9.Pad1))(t); return upper(m[:4]) }
	padded := must(x9.Pad(data, x9.Pad1))(t)
	return map[string]string{
		"txn_key":       upper(txn),
		"pin_block_enc": upper(must(x9.EncryptECB(work(x9.TDESPIN), block[:]))(t)),
		"mac_req":       mac(x9.TDESMACRequest), "mac_rsp": mac(x9.TDESMACResponse),
		"data_req_cbc0": upper(must(x9.EncryptCBC(work(x9.TDESDataRequest), make([]byte, 8), padded))(t)),
	}
}

func aesIK(t *testing.T, r row) map[string]string {
	return map[string]string{"ik": upper(must(x9.AESInitialKey(unhex(t, r.In.BDK), [8]byte(unhex(t, r.In.IKID))))(t))}
}

func aesTxn(t *testing.T, r row) ([]byte, x9.AESKSN) {
	t.Helper()
	ksn := must(x9.ParseAESKSN(unhex(t, r.In.KSN)))(t)
	ik := must(x9.AESInitialKey(unhex(t, r.In.BDK), ksn.IKID()))(t)
	return must(x9.AESTransactionKey(ik, ksn))(t), ksn
}

func aesDUKPT(t *testing.T, r row) map[string]string {
	txn, ksn := aesTxn(t, r)
	out := map[string]string{"txn_key": upper(txn)}
	for name, use := range map[string]x9.AESUse{"pin": x9.AESPIN, "mac_gen": x9.AESMACGenerate, "data_enc": x9.AESDataEncrypt} {
		for length, typ := range map[string]x9.KeyType{"128": x9.AES128, "256": x9.AES256} {
			key, err := x9.AESWorkingKey(txn, use, typ, ksn)
			if (err != nil) != (typ == x9.AES256 && len(txn) == 16) {
				t.Errorf("AES-%s out of %d bytes: %v", length, len(txn), err)
			}
			out[name+"_key_aes"+length] = upper(key)
		}
	}
	return out
}

func aesPIN4(t *testing.T, r row) map[string]string {
	txn, ksn := aesTxn(t, r)
	key := must(x9.AESWorkingKey(txn, x9.AESPIN, x9.AES128, ksn))(t)
	block := must(x9.EncryptPINBlock4(key, []byte(r.In.PIN), r.In.PAN, [8]byte(unhex(t, r.In.Rand))))(t)
	if pin, err := x9.DecryptPINBlock4(key, block, r.In.PAN); err != nil || string(pin) != r.In.PIN {
		t.Errorf("the block does not open: %v", err)
	}
	return map[string]string{"pin_block_enc": upper(block[:])}
}

func format(t *testing.T, r row) x9.PINFormat {
	t.Helper()
	if len(r.In.Format) != 1 {
		t.Fatalf("format %q", r.In.Format)
	}
	return x9.PINFormat(r.In.Format[0] - '0')
}

func pinBlock(t *testing.T, r row) map[string]string {
	var fill []byte
	for _, c := range []byte(r.In.Fill) {
		fill = append(fill, unhex(t, "0"+string(c))[0])
	}
	block := must(x9.EncodePINBlock(format(t, r), []byte(r.In.PIN), r.In.PAN, fill))(t)
	if pin, err := x9.DecodePINBlock(format(t, r), block, r.In.PAN); err != nil || string(pin) != r.In.PIN {
		t.Errorf("the block does not open: %v", err)
	}
	return map[string]string{"block": upper(block[:])}
}

func rejectPIN(t *testing.T, r row) map[string]string {
	block := unhex(t, r.In.Block)
	if len(block) != 8 {
		return r.Out // the function takes eight bytes and no other
	}
	pin, err := x9.DecodePINBlock(format(t, r), [8]byte(block), r.In.PAN)
	if !errors.Is(err, x9.ErrPINBlock) || pin != nil {
		t.Errorf("taken (%v), though %s", err, r.Out["error"])
	}
	return r.Out // the words are the source's own
}

func decodePIN(t *testing.T, r row) map[string]string {
	return map[string]string{"pin": string(must(x9.DecodePINBlock(format(t, r), [8]byte(unhex(t, r.In.Block)), r.In.PAN))(t))}
}

func pinBlock4(t *testing.T, r row) map[string]string {
	block := must(x9.EncryptPINBlock4(unhex(t, r.In.Key), []byte(r.In.PIN), r.In.PAN, [8]byte(unhex(t, r.In.Rand))))(t)
	return map[string]string{"block": upper(block[:])}
}

// decodePIN4 opens an enciphered block, or without a key a plain text PIN field.
func decodePIN4(t *testing.T, r row) map[string]string {
	block := [16]byte(unhex(t, r.In.Block))
	pin, err := x9.ReadPINField4(block)
	if r.In.Key != "" {
		pin, err = x9.DecryptPINBlock4(unhex(t, r.In.Key), block, r.In.PAN)
	}
	if _, refused := r.Out["error"]; refused {
		if !errors.Is(err, x9.ErrPINBlock) || pin != nil {
			t.Errorf("taken (%v)", err)
		}
		return r.Out
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"pin": string(pin)}
}

// aesUpdate is the update key from the initial key, and again from the terminal's future keys, whatever is used of them.
func aesUpdate(t *testing.T, r row) map[string]string {
	ikid := [8]byte(unhex(t, r.In.IKID))
	ik := must(x9.AESInitialKey(unhex(t, r.In.BDK), ikid))(t)
	out := map[string]string{}
	own := map[int]x9.KeyType{16: x9.AES128, 32: x9.AES256}[len(ik)]
	for name, typ := range map[string]x9.KeyType{"": own, "_aes128": x9.AES128, "_tdes2": x9.TDES2, "_tdes3": x9.TDES3} {
		key := must(x9.AESUpdateKey(ik, ikid, typ))(t)
		out["update_key"+name] = upper(key)
		d := must(x9.NewAESDevice(ik, ikid))(t)
		for _, counter := range [...]uint32{1, 2, 0x1000, 0x7FFF8000, 0x80000000, 0x80000001, 0xC0000000, 0xFFFE8000, 0xFFFF0000} {
			if err := d.AdvanceTo(counter); err != nil {
				t.Fatal(err)
			}
			if got, err := d.UpdateKey(typ); err != nil || !bytes.Equal(got, key) {
				t.Errorf("from the future keys at %08X: %X (%v)", counter, got, err)
			}
		}
		if _, _, err := d.Next(); err != nil {
			t.Errorf("the last key: %v", err)
		}
		if _, err := d.UpdateKey(typ); !errors.Is(err, x9.ErrExhausted) {
			t.Errorf("after the last key: %v", err)
		}
	}
	return out
}

func panField4(t *testing.T, r row) map[string]string {
	field := must(x9.PANField4(r.In.PAN))(t)
	return map[string]string{"field": upper(field[:])}
}

func macs(t *testing.T, r row) map[string]string {
	key, data := unhex(t, r.In.Key), unhex(t, r.In.Data)
	var mac []byte
	switch r.In.Alg {
	case "iso9797-alg3":
		m := must(x9.MAC3(key, data, r.In.Pad))(t)
		mac = m[:max(4, r.In.Len)]
	case "iso9797-alg1":
		m := must(x9.MAC1(key, data, r.In.Pad))(t)
		mac = m[:r.In.Len]
	case "aes-cmac":
		m := must(x9.CMACAES(key, data))(t)
		mac = m[:]
	case "tdes-cmac":
		m := must(x9.CMACTDES(key, data))(t)
		mac = m[:]
	default:
		t.Fatalf("algorithm %q", r.In.Alg)
	}
	return map[string]string{"mac": upper(mac)}
}

func kcvs(t *testing.T, r row) map[string]string {
	key := unhex(t, r.In.Key)
	if r.In.Alg == "aes-cmac" {
		v := must(x9.KCVAES(key))(t)
		return map[string]string{"kcv": upper(v[:3])}
	}
	v := must(x9.KCV(key))(t)
	return map[string]string{"kcv": upper(v[:])}
}

// unwrap opens a block and makes it again, as long as it was.
func unwrap(t *testing.T, r row) map[string]string {
	kbpk := unhex(t, r.In.KBPK)
	h, key, err := x9.UnwrapKeyBlock(kbpk, r.In.Block)
	if err != nil {
		t.Fatal(err)
	}
	for mask := range 33 {
		again, err := x9.WrapKeyBlock(kbpk, h, key, mask, bytes.NewReader(make([]byte, 64)))
		if h.Check() != nil { // the standard's own example of version E gives a derivation key the mode of a MAC key
			if !errors.Is(err, x9.ErrKeyBlockRule) {
				t.Errorf("wrapped against the rules: %v", err)
			}
			break
		}
		if err != nil {
			t.Fatalf("wrapped again: %v", err)
		}
		if len(again) != len(r.In.Block) {
			if mask == 32 {
				t.Errorf("no masked length gives %d characters", len(r.In.Block))
			}
			continue
		}
		if _, back, err := x9.UnwrapKeyBlock(kbpk, again); err != nil || !bytes.Equal(back, key) {
			t.Errorf("the block made of it does not open: %v", err)
		}
		break
	}
	return map[string]string{"key": upper(key)}
}

func rejectKeyBlock(t *testing.T, r row) map[string]string {
	_, key, err := x9.UnwrapKeyBlock(unhex(t, r.In.KBPK), r.In.Block)
	if (!errors.Is(err, x9.ErrKeyBlock) && !errors.Is(err, x9.ErrKeyBlockMAC)) || key != nil {
		t.Errorf("taken (%v)", err)
	}
	return r.Out
}
