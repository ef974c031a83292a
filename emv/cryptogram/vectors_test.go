package cryptogram_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func load(t testing.TB, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

type vector struct {
	ID, Fn string
	In     struct {
		IMK, PAN, PSN, MK, R, Data, CSU, CVN, CVR, IAD string

		IMKAC      string            `json:"imk_ac"`
		ARPCMethod string            `json:"arpc_method"`
		ARPCKey    string            `json:"arpc_key"`
		ARPCRC     string            `json:"arpc_rc"`
		Tags       map[string]string `json:"tags"`
	}
	Out struct {
		ARQC, ARPC string
		MKKCV      string `json:"mk_kcv"`
		MKACKCV    string `json:"mk_ac_kcv"`
		SKKCV      string `json:"sk_kcv"`
	}
}

// TestDerivation checks key derivation, cryptogram and answer apart from any recipe (rows emv_ac).
func TestDerivation(t *testing.T) {
	ran := 0
	var rows []vector
	load(t, "testdata/vectors.json", &rows)
	for _, r := range rows {
		if r.Fn != "emv_ac" {
			continue
		}
		ran++
		t.Run(r.ID, func(t *testing.T) {
			derive := cryptogram.MasterKey
			if r.In.MK == "A" {
				derive = cryptogram.MasterKeyA
			}
			mk, err := derive(unhex(t, r.In.IMK), r.In.PAN, r.In.PSN)
			if err != nil {
				t.Fatal(err)
			}
			kcv(t, "master key", mk, r.Out.MKKCV)
			sk, err := cryptogram.SessionKeyFrom(mk, [8]byte(unhex(t, r.In.R)))
			if err != nil {
				t.Fatal(err)
			}
			kcv(t, "session key", sk, r.Out.SKKCV)
			ac, err := cryptogram.AC(sk, unhex(t, r.In.Data), cryptogram.Pad80)
			if err != nil || !bytes.Equal(ac[:], unhex(t, r.Out.ARQC)) {
				t.Fatalf("cryptogram %X (%v), want %s", ac, err, r.Out.ARQC)
			}
			key := map[string][]byte{"mk": mk, "sk": sk}[r.In.ARPCKey]
			answer(t, r, key, ac)
		})
	}
	if ran != 4 {
		t.Errorf("%d rows, want 4", ran)
	}
}

func kcv(t *testing.T, name string, key []byte, want string) {
	t.Helper()
	got, err := x9.KCV(key)
	if w := unhex(t, want); err != nil || !bytes.Equal(got[:len(w)], w) {
		t.Fatalf("%s: check value %X (%v), want %s", name, got, err, want)
	}
}

func answer(t *testing.T, r vector, key []byte, ac [8]byte) {
	t.Helper()
	switch r.In.ARPCMethod {
	case "1":
		got, err := cryptogram.ARPC1(key, ac, [2]byte(unhex(t, r.In.ARPCRC)))
		if err != nil || !bytes.Equal(got[:], unhex(t, r.Out.ARPC)) {
			t.Errorf("answer %X (%v), want %s", got, err, r.Out.ARPC)
		}
	case "2":
		got, err := cryptogram.ARPC2(key, ac, [4]byte(unhex(t, r.In.CSU)), nil)
		if err != nil || !bytes.Equal(got[:], unhex(t, r.Out.ARPC)) {
			t.Errorf("answer %X (%v), want %s", got, err, r.Out.ARPC)
		}
	default:
		t.Fatalf("method %q", r.In.ARPCMethod)
	}
}

func data(t testing.TB, tags map[string]string) emv.Data {
	t.Helper()
	var d emv.Data
	for name, value := range tags {
		tag, err := tlv.ParseTag(name)
		if err != nil {
			t.Fatal(err)
		}
		d.Put(tag, unhex(t, value))
	}
	return d
}

// TestRecipes checks versions 10 and 18 from data objects to tag 91, both ends, and the arithmetic of the M/Chip row, for
// which there is no recipe (rows emv_cvn).
func TestRecipes(t *testing.T) {
	var rows []vector
	load(t, "testdata/vectors.json", &rows)
	ran := 0
	for _, r := range rows {
		if r.Fn != "emv_cvn" {
			continue
		}
		ran++
		t.Run(r.ID, func(t *testing.T) {
			iad, reply, tail := r.In.IAD, cryptogram.Reply{}, r.In.CSU
			switch r.In.CVN {
			case "visa10":
				iad, tail = "06010A"+r.In.CVR, r.In.ARPCRC
				reply.ARC = [2]byte(unhex(t, r.In.ARPCRC))
			case "visa18":
				reply.CSU = [4]byte(unhex(t, r.In.CSU))
			case "mc16":
				mchip(t, r)
				return
			default:
				t.Fatalf("version %q", r.In.CVN)
			}
			d := data(t, r.In.Tags)
			d.Put(0x9F10, unhex(t, iad))
			d.Put(0x9F26, unhex(t, r.Out.ARQC))
			keys, err := cryptogram.ForCard(unhex(t, r.In.IMKAC), r.In.PAN, r.In.PSN)
			if err != nil {
				t.Fatal(err)
			}
			if err := keys.Verify(d); err != nil {
				t.Fatalf("cryptogram refused: %v", err)
			}
			got, err := keys.Answer(d, reply)
			if err != nil || !bytes.Equal(got, unhex(t, r.Out.ARPC+tail)) {
				t.Fatalf("tag 91 %X (%v), want %s%s", got, err, r.Out.ARPC, tail)
			}
			if back, err := keys.CheckAnswer(d, got); err != nil || back != reply {
				t.Errorf("the card reads %v (%v), want %v", back, err, reply)
			}
		})
	}
	if ran != 3 {
		t.Errorf("%d rows, want 3", ran)
	}
}

// mchip does the M/Chip row by hand: its session key mixes in the unpredictable number behind the ATC, its data end with
// six bytes of card verification results.
func mchip(t *testing.T, r vector) {
	t.Helper()
	mk, err := cryptogram.MasterKey(unhex(t, r.In.IMKAC), r.In.PAN, r.In.PSN)
	if err != nil {
		t.Fatal(err)
	}
	sk, err := cryptogram.SessionKeyFrom(mk, [8]byte(unhex(t, r.In.Tags["9F36"]+"0000"+r.In.Tags["9F37"])))
	if err != nil {
		t.Fatal(err)
	}
	kcv(t, "session key", sk, r.Out.SKKCV)
	d := data(t, r.In.Tags)
	d.Put(0x9F10, unhex(t, "06000A00000000"))
	in, _, err := cryptogram.Input(d)
	if err != nil {
		t.Fatal(err)
	}
	ac, err := cryptogram.AC(sk, append(in[:len(in)-4], unhex(t, r.In.CVR)...), cryptogram.Pad80)
	if err != nil || !bytes.Equal(ac[:], unhex(t, r.Out.ARQC)) {
		t.Fatalf("cryptogram %X (%v), want %s", ac, err, r.Out.ARQC)
	}
	arpc, err := cryptogram.ARPC1(mk, ac, [2]byte(unhex(t, r.In.ARPCRC)))
	if err != nil || !bytes.Equal(arpc[:], unhex(t, r.Out.ARPC)) {
		t.Errorf("answer %X (%v), want %s", arpc, err, r.Out.ARPC)
	}
}

// TestRecordedCard verifies both cryptograms of a recorded session of a test card: ARQC, and TC at the second GENERATE AC.
func TestRecordedCard(t *testing.T) {
	var rows []struct {
		N                                 int
		PAN, PSN, Data, AIP, ATC, IAD, AC string
		DOL                               [][2]any
		IMK                               string `json:"imk_ac"`
	}
	load(t, "testdata/cryptograms.json", &rows)
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	for _, r := range rows {
		d := data(t, map[string]string{"82": r.AIP, "9F36": r.ATC, "9F10": r.IAD, "9F26": r.AC})
		rest := unhex(t, r.Data)
		for _, want := range r.DOL {
			name, okName := want[0].(string)
			length, okLength := want[1].(float64)
			tag, err := tlv.ParseTag(name)
			if !okName || !okLength || err != nil || int(length) > len(rest) {
				t.Fatalf("row %d: list entry %v", r.N, want)
			}
			d.Put(tag, rest[:int(length)])
			rest = rest[int(length):]
		}
		keys, err := cryptogram.ForCard(unhex(t, r.IMK), r.PAN, r.PSN)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Verify(d); err != nil {
			t.Errorf("row %d: %v", r.N, err)
		}
	}
}
