package support_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"tillway/till/support"
)

// Test numbers alone, and one that is of no issuer's table here.
const (
	visa    = "4761739001010119"
	planted = "4539578763621486"
)

func TestScrub(t *testing.T) {
	for text, want := range map[string]string{
		"card " + visa + " paid":                   "card 476173******0119 paid",
		"4761 7390 0101 0119":                      "4761 73** **** 0119",
		"5413-3300-8960-4111":                      "5413-33**-****-4111",
		visa + "=28122011143812300000":             "476173******0119=********************",
		"57" + visa + "D2812201":                   "57476173******0119D*******",
		"34373631373339303031303130313139":         "343736313733************30313139",
		"rrn 632709000042, amount 000000010525":    "rrn 632709000042, amount 000000010525",
		"4761739001010118 has a wrong check digit": "4761739001010118 has a wrong check digit",
		"": "",
	} {
		got, n := support.Scrub(text)
		if got != want || (n > 0) != (got != text) {
			t.Errorf("%q: %q, %d", text, got, n)
		}
	}
}

// FuzzScrub: whatever a card number stands in, its middle is not there afterwards, and scrubbing again changes nothing.
func FuzzScrub(f *testing.F) {
	f.Add("a ", " b")
	f.Add("57", "D2812")
	f.Add("12", "=")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, number := range []string{visa, planted, "5413330089604111"} {
			out, _ := support.Scrub(before + number + after)
			if strings.Contains(out, number) {
				t.Fatalf("%q: the number is still there: %q", before+number+after, out)
			}
			if again, _ := support.Scrub(out); again != out {
				t.Fatalf("scrubbed again it changes:\n%q\n%q", out, again)
			}
		}
	})
}

// What a config holds besides its settings is not in what is shown of it.
func TestConfigShowsSettingsAlone(t *testing.T) {
	const text = `# the password of the safe is hunter2
profile = "kuwait" # password swordfish
password = "swordfish"
development = true
[acquirer]
address = "pos.example.com:8583"
retry = "5s"
[acquirer.nac]
mac_bytes = 8
mac_key = "00112233445566778899AABBCCDDEEFF"
[acquirer.nac.private]
sale = "MERCHANTPASSWORD"
[ecr]
names = ["till.example.com"]
key = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMG
"""
`
	got, err := support.Config(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "swordfish", "001122", "MERCHANTPASSWORD", "MIGH", "PRIVATE"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is shown:\n%s", secret, got)
		}
	}
	for _, setting := range []string{`profile = "kuwait"`, "development = true", `address = "pos.example.com:8583"`, "mac_bytes = 8", `names = ["till.example.com"]`, `password = "(removed)"`} {
		if !strings.Contains(got, setting) {
			t.Errorf("%s is not shown:\n%s", setting, got)
		}
	}
	if _, err := support.Config("secret = \nhunter2"); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "line") {
		t.Errorf("of what is no TOML: %v", err)
	}
}

func TestProfileShowsNoCards(t *testing.T) {
	got, err := support.Profile("name = \"x\" # hunter2\n[[exception]]\npan = \"" + visa + "\"\n[merchant]\nname = \"Shop\"\n[[application]]\naid = \"A0000000031010\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, visa) || strings.Contains(got, "hunter2") || !strings.Contains(got, "1 of exception") || !strings.Contains(got, `aid = "A0000000031010"`) {
		t.Error(got)
	}
}

// FuzzConfig: a value of a key that nobody knows is never shown, wherever the table stands.
func FuzzConfig(f *testing.F) {
	f.Add("a = 1\n", "\n[b]\nc = 2")
	f.Add("[acquirer]\n", "")
	f.Add("x = \"\"\"\n", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2-hunter2"
		if strings.Contains(before+after, "hunter2") {
			return
		}
		got, err := support.Config(before + "\nfuzz_key = \"" + secret + "\"\n" + after)
		if err == nil && strings.Contains(got, secret) && strings.Contains(got, "fuzz_key") {
			t.Fatalf("%q", got)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("%v", err)
		}
	})
}

// unpack reads a bundle.
func unpack(t *testing.T, b []byte) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for in := tar.NewReader(zipped); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o600 || path.Dir(path.Clean(h.Name)) == "." {
			t.Errorf("%s: mode %o", h.Name, h.Mode)
		}
		out[strings.TrimPrefix(h.Name, support.Folder+"/")] = string(text)
	}
}

func TestPack(t *testing.T) {
	var b bytes.Buffer
	made := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	m, err := support.Pack(&b, []support.File{{"terminal/log.txt", "paid with " + visa + "\n"}, support.JSON("a.json", map[string]int{"n": 1})}, "test", made)
	if err != nil {
		t.Fatal(err)
	}
	got := unpack(t, b.Bytes())
	if len(got) != 3 || strings.Contains(got["terminal/log.txt"], visa) || m.Files[0].Masked != 1 {
		t.Errorf("%v %+v", got, m)
	}
	var read support.Manifest
	if err := json.Unmarshal([]byte(got[support.ManifestName]), &read); err != nil {
		t.Fatal(err)
	}
	for _, f := range read.Files {
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(got[f.Name]))); sum != f.SHA256 || len(got[f.Name]) != f.Bytes {
			t.Errorf("%s: the manifest has another sum", f.Name)
		}
	}
	for _, name := range []string{"", "/etc/passwd", "../x", "a//b", "a/../../b", "a\nb"} {
		if _, err := support.Pack(io.Discard, []support.File{{name, "x"}}, "test", made); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// A bundle stays below its bound, also where nothing in it can be packed smaller; the first files stay.
func TestPackIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // noise that cannot be packed
	noise := make([]byte, 800<<10)
	for i := range noise {
		noise[i] = byte(64 + random.IntN(59))
		if i%100 == 99 {
			noise[i] = '\n'
		}
	}
	var files []support.File
	for n := range 8 { // no packer looks that far back
		files = append(files, support.File{Name: fmt.Sprintf("%d.txt", n), Text: string(noise)})
	}
	for n := range 300 {
		files = append(files, support.File{Name: fmt.Sprintf("small/%d.txt", n), Text: "x"})
	}
	var b bytes.Buffer
	m, err := support.Pack(&b, files, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() > support.MaxBundle || len(m.Files) < 100 || len(m.Files)+len(m.LeftOut) != len(files) || m.Files[0].Name != "0.txt" || !m.Files[0].Cut {
		t.Errorf("%d bytes, %d files, %d left out", b.Len(), len(m.Files), len(m.LeftOut))
	}
}
