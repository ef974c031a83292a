package contact_test

import (
	"bytes"
	"fmt"
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/tlv"
)

// objectsOf finds, in the recorded answers, where the value of each data object that a template holds stands.
func objectsOf(tr transcript.Transcript) map[tlv.Tag]place {
	found := map[tlv.Tag]place{}
	for i, e := range tr.Exchanges {
		if len(e.Response) < 2 {
			continue
		}
		_ = tlv.Walk(e.Response[:len(e.Response)-2], func(_ int, it tlv.Item) error {
			at := bytes.Index(e.Response, it.Value)
			if _, twice := found[it.Tag]; !twice && len(it.Value) > 0 && !it.Tag.Constructed() {
				found[it.Tag] = place{i, at, len(it.Value)}
			}
			return nil
		})
	}
	return found
}

type place struct{ exchange, at, length int }

// flipped is the recording with one bit of one answer turned.
func flipped(t *testing.T, name string, p place, bit int) transcript.Transcript {
	t.Helper()
	tr := recorded(t, name)
	r := bytes.Clone(tr.Exchanges[p.exchange].Response)
	r[p.at+bit/8] ^= 1 << (bit % 8)
	tr.Exchanges[p.exchange].Response = r
	return tr
}

// TestEveryBitCounts turns bits of the recorded card's certificates, keys, signatures and signed records. Whatever bit it is,
// the method has failed, and no other bit of the TVR's first byte is set: nothing is missing, and nothing was left out.
func TestEveryBitCounts(t *testing.T) {
	const name = "bertlv-contact-upi.json"
	places := objectsOf(recorded(t, name))
	for _, r := range []struct {
		capabilities string
		tvr          byte
		ok           byte // without a change
		tags         []tlv.Tag
	}{
		{"E02040", 0x08, 0x00, []tlv.Tag{
			emv.TagIssuerPublicKeyCertificate, emv.TagIssuerPublicKeyRemainder, emv.TagIssuerPublicKeyExponent, emv.TagICCPublicKeyCertificate,
			emv.TagICCPublicKeyExponent, emv.TagICCPublicKeyRemainder, emv.TagCAPublicKeyIndex, emv.TagAUC, emv.TagCVMList,
			emv.TagIACDefault, emv.TagIACDenial, emv.TagIACOnline, emv.TagIssuerCountryCode, emv.TagPANSequenceNumber,
		}},
		{"E02080", 0x42, 0x02, []tlv.Tag{
			emv.TagIssuerPublicKeyCertificate, emv.TagIssuerPublicKeyRemainder, emv.TagIssuerPublicKeyExponent, emv.TagSignedStaticApplicationData,
			emv.TagCAPublicKeyIndex, emv.TagAUC, emv.TagCVMList, emv.TagIACDefault,
		}},
	} {
		run := func(tr transcript.Transcript) (emv.Outcome, byte) {
			_, out := begin(t, transcript.Lenient(tr), unionPay(t, r.capabilities, ""), &second{})
			return out, out.Data.Value(emv.TagTVR)[0]
		}
		if out, tvr := run(recorded(t, name)); !out.ODA.OK || tvr != r.ok {
			t.Fatalf("unchanged: %+v, TVR %02X", out.ODA, tvr)
		}
		for _, tag := range r.tags {
			p, ok := places[tag]
			if !ok {
				t.Fatalf("the recording has no %s", tag)
			}
			step := max(1, 8*p.length/24) | 1 // odd, so that every bit of a byte has its turn
			judged := 0
			for bit := 0; bit < 8*p.length; bit += step {
				out, tvr := run(flipped(t, name, p, bit))
				if out.Decision == emv.Terminated { // a bit that makes no sense elsewhere, a CVM list say, ends it earlier
					continue
				}
				judged++
				if out.ODA.OK || tvr != r.tvr || out.Data.Value(emv.TagTSI)[0]&0x80 == 0 {
					t.Errorf("%s bit %d: %+v, TVR %02X, want %02X", tag, bit, out.ODA, tvr, r.tvr)
				}
			}
			if judged == 0 {
				t.Errorf("%s: no bit was judged", tag)
			}
		}
	}
}

// TestEverySignedBitCounts turns bits of the answer to INTERNAL AUTHENTICATE.
func TestEverySignedBitCounts(t *testing.T) {
	const name = "bertlv-contact-upi.json"
	tr := recorded(t, name)
	for i, e := range tr.Exchanges {
		if e.Command[1] != 0x88 {
			continue
		}
		items, err := tlv.Parse(e.Response[:len(e.Response)-2])
		if err != nil || len(items) != 1 {
			t.Fatal(err)
		}
		n := len(items[0].Value)
		at := len(e.Response) - 2 - n
		if items[0].Tag == emv.TagResponseFormat2 {
			at, n = at+4, n-4
		}
		for bit := 0; bit < 8*n; bit += 41 {
			_, out := begin(t, transcript.Lenient(flipped(t, name, place{exchange: i, at: at}, bit)), unionPay(t, "E02040", ""), &second{})
			if tvr := out.Data.Value(emv.TagTVR)[0]; out.ODA.OK || tvr != 0x08 {
				t.Errorf("bit %d: %+v, TVR %02X", bit, out.ODA, tvr)
			}
		}
		return
	}
	t.Fatal("no INTERNAL AUTHENTICATE")
}

// TestMissingObjects takes each object out of the recorded card: what the method needs is missing, and says so beside the
// method's own bit (Book 3, Table 35); the DDOL alone has a default.
func TestMissingObjects(t *testing.T) {
	const name = "bertlv-contact-upi.json"
	for _, r := range []struct {
		tag      tlv.Tag
		dda, sda byte
	}{
		{emv.TagCAPublicKeyIndex, 0x28, 0x62},
		{emv.TagIssuerPublicKeyCertificate, 0x28, 0x62},
		{emv.TagIssuerPublicKeyRemainder, 0x28, 0x62},
		{emv.TagIssuerPublicKeyExponent, 0x28, 0x62},
		{emv.TagSignedStaticApplicationData, 0x00, 0x62},
		{emv.TagICCPublicKeyCertificate, 0x28, 0x02},
		{emv.TagICCPublicKeyExponent, 0x28, 0x02},
		{emv.TagICCPublicKeyRemainder, 0x28, 0x02},
	} {
		for capabilities, want := range map[string]byte{"E02040": r.dda, "E02080": r.sda} {
			tr := recorded(t, name)
			for i, e := range tr.Exchanges {
				// The same length under a tag of nobody: the object is gone, and every other stands where it stood.
				tag := r.tag.Bytes()
				other := []byte{0xC1}
				if len(tag) == 2 {
					other = []byte{0xDF, 0x7F}
				}
				items, err := tlv.Parse(e.Response[:max(0, len(e.Response)-2)])
				if e.Command[1] != 0xB2 || err != nil || len(items) != 1 {
					continue
				}
				inner, _ := tlv.Parse(items[0].Value)
				for _, it := range inner {
					if it.Tag == r.tag {
						tr.Exchanges[i].Response = bytes.Replace(e.Response, it.Raw, append(bytes.Clone(other), it.Raw[len(tag):]...), 1)
					}
				}
			}
			_, out := begin(t, transcript.Lenient(tr), unionPay(t, capabilities, ""), &second{})
			if tvr := out.Data.Value(emv.TagTVR)[0]; tvr != want {
				t.Errorf("%s with %s: TVR %02X, want %02X: %v", r.tag, capabilities, tvr, want, fmt.Sprint(out.ODA))
			}
		}
	}
}
