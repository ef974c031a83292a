package emulator

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"tillway/emv/tlv"
)

// published is one row of testdata/published.json.
type published struct {
	Name     string            `json:"name"`
	IMKAC    string            `json:"imk_ac"`
	PAN      string            `json:"pan"`
	PSN      string            `json:"psn"`
	CVN      int               `json:"cvn"`
	DKI      byte              `json:"dki"`
	AIP      string            `json:"aip"`
	ATC      string            `json:"atc"`
	Terminal map[string]string `json:"terminal"`
	CVR      string            `json:"cvr"`
	CID      string            `json:"cid"`
	AC       string            `json:"ac"`
	Answer   string            `json:"answer"`
}

// The card computes what others computed (Book 2, 8.1) and takes the issuer's answer that others computed (8.2).
func TestPublishedCryptograms(t *testing.T) {
	text, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []published
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			c := row.card(t)
			kind, err := strconv.ParseUint(row.CID, 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			answer, status := c.cryptogram(cid(kind))
			if status != swOK || answer[2] != byte(kind) {
				t.Fatalf("answer %X, %04X", answer, status)
			}
			if got := answer[5:13]; !bytes.Equal(got, unhex(t, row.AC)) {
				t.Fatalf("cryptogram %X, want %s", got, row.AC)
			}
			if row.Answer == "" {
				return
			}
			for bit := range len(row.Answer) * 4 {
				wrong := unhex(t, row.Answer)
				wrong[bit/8] ^= 0x80 >> (bit % 8)
				if c.authenticate(wrong); c.authGood {
					t.Fatalf("bit %d of the issuer's answer changed, and the card takes it", bit)
				}
			}
			if c.authenticate(unhex(t, row.Answer)); !c.authGood {
				t.Fatal("the issuer's answer is refused")
			}
		})
	}
}

// card is the published one, at the point where it gives its cryptogram.
func (row published) card(t *testing.T) *Card {
	t.Helper()
	p, err := Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	a := &p.Applications[0]
	a.Key = Key{IMKAC: unhex(t, row.IMKAC), DKI: row.DKI, CVN: row.CVN}
	a.AIP = unhex(t, row.AIP)
	a.Records[1].Data["5A"] = unhex(t, row.PAN)
	a.Records[1].Data["5F34"] = unhex(t, row.PSN)
	atc, err := strconv.ParseUint(row.ATC, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	a.ATC = uint16(atc)
	c := NewCard(p)
	c.app = c.apps[0]
	c.cvr = cvr(unhex(t, row.CVR))
	for name, value := range row.Terminal {
		tag, err := tlv.ParseTag(name)
		if err != nil {
			t.Fatal(err)
		}
		c.sent[tag] = unhex(t, value)
	}
	return c
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
