package provision

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// signingKey is a key of its own for every letter.
func signingKey(letter byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{letter}, ed25519.SeedSize))
}

func publicKey(letter byte) []byte { return signingKey(letter)[ed25519.SeedSize:] }

func signer(letter byte, expires string) Signer {
	return Signer{Name: "signer " + string(letter), Key: Key(publicKey(letter)), Expires: Date(expires)}
}

// shop is a whole package's parts: the Kuwait template with a CA certificate.
func shop(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := Template("kuwait")
	if err != nil {
		tb.Fatal(err)
	}
	delete(files, ManifestFile)
	if files[AcquirerCA], err = os.ReadFile("testdata/ca.pem"); err != nil {
		tb.Fatal(err)
	}
	return files
}

func manifest(version uint32) Manifest {
	return Manifest{
		Terminal: "TILL0001", Merchant: "KW0000000000001", Version: version, Note: "for the shop & <others>",
		Trust: []Signer{signer('a', "2028-12-31"), signer('b', "2026-01-31")},
	}
}

func signed(tb testing.TB, m Manifest, by byte, change ...func(map[string][]byte)) *Package {
	tb.Helper()
	parts := shop(tb)
	for _, c := range change {
		c(parts)
	}
	p, err := Encode(m, parts, signingKey(by))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// The same manifest, parts and key are the same bytes, and what is read is what was written.
func TestDeterministic(t *testing.T) {
	a, b := signed(t, manifest(7), 'a'), signed(t, manifest(7), 'a')
	if !bytes.Equal(a.File(), b.File()) || a.Digest() != b.Digest() {
		t.Error("two packages of the same")
	}
	again, err := Parse(a.File())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range shop(t) {
		if !bytes.Equal(again.Part(name), content) {
			t.Errorf("part %s is another", name)
		}
	}
	if again.Version != 7 || again.Terminal != "TILL0001" || again.Signer() != signer('a', "").Key || again.Note != "for the shop & <others>" {
		t.Errorf("%+v", again.Manifest)
	}
	s, err := again.Content()
	if err != nil || s.Currency != "KWD" || s.Acquirer != "127.0.0.1:8583" || len(s.Applications) != 4 {
		t.Errorf("%+v %v", s, err)
	}
}

// The signature is RFC 8032's, over all but its own line: what another program finds who knows nothing of this one.
func TestSignatureIsEd25519(t *testing.T) {
	p := signed(t, manifest(1), 'a')
	all := strings.SplitN(string(p.File()), "\n", 4)
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(all[2], "signature "))
	if err != nil {
		t.Fatal(err)
	}
	message := all[0] + "\n" + all[1] + "\n" + all[3]
	if !ed25519.Verify(publicKey('a'), []byte(message), signature) {
		t.Error("it is not")
	}
}

// Whatever is changed, cut, put in or left out: refused.
func TestAnyChangedByte(t *testing.T) {
	file := signed(t, manifest(1), 'a').File()
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 0x01
		if _, err := Parse(changed); err == nil {
			t.Fatalf("byte %d changed, and it was taken", i)
		} else if strings.Contains(err.Error(), "\n") {
			t.Fatalf("more than one line: %v", err)
		}
		if _, err := Parse(file[:i]); err == nil {
			t.Fatalf("cut to %d bytes, and it was taken", i)
		}
	}
	for _, more := range [][]byte{append(bytes.Clone(file), 0), append([]byte{' '}, file...), append(bytes.Clone(file), file...)} {
		if _, err := Parse(more); err == nil {
			t.Error("with more bytes it was taken")
		}
	}
}

// resigned signs what is behind the signature line anew: its signature is right, so that what refuses it is something else.
func resigned(rest string, by byte) []byte {
	key := signingKey(by)
	head := heading + signerWord + base64.StdEncoding.EncodeToString(publicKey(by)) + "\n"
	signature := ed25519.Sign(key, []byte(head+rest))
	return []byte(head + signatureWord + base64.StdEncoding.EncodeToString(signature) + "\n" + rest)
}

func behindSignature(p *Package) string {
	return strings.SplitN(string(p.File()), "\n", 4)[3]
}

// What a signer with a right key could try, by slip or on purpose.
func TestSignedNonsense(t *testing.T) {
	good := behindSignature(signed(t, manifest(1), 'a'))
	if _, err := Parse(resigned(good, 'a')); err != nil {
		t.Fatal(err)
	}
	line, parts, _ := strings.Cut(good, "\n")
	one := `{"name":"evil","size":4,"sha256":"` + fmt.Sprintf("%x", sha256.Sum256([]byte("evil"))) + `"}`
	for name, rest := range map[string]string{
		"a member twice":             strings.Replace(good, `"version":1,`, `"version":1,"version":1,`, 1),
		"a member twice, other case": strings.Replace(good, `"version":1,`, `"version":1,"Version":2,`, 1),
		"an unknown member":          strings.Replace(good, `{"format"`, `{"format2":1,"format"`, 1),
		"blanks":                     strings.Replace(good, `"version":1`, `"version": 1`, 1),
		"another order":              strings.Replace(good, `"format":1,"terminal":"TILL0001"`, `"terminal":"TILL0001","format":1`, 1),
		"a number as 1.0":            strings.Replace(good, `"version":1,`, `"version":1.0,`, 1),
		"an exponent":                strings.Replace(good, `"version":1,`, `"version":1e0,`, 1),
		"a number below zero":        strings.Replace(good, `"version":1,`, `"version":-1,`, 1),
		"version zero":               strings.Replace(good, `"version":1,`, `"version":0,`, 1),
		"a huge version":             strings.Replace(good, `"version":1,`, `"version":4294967297,`, 1),
		"another format":             strings.Replace(good, `"format":1`, `"format":2`, 1),
		"no trust":                   line[:strings.Index(line, `"trust":`)] + `"trust":[],` + line[strings.Index(line, `"parts":`):] + "\n" + parts,
		"a size that is too small":   strings.Replace(good, `"size":`, `"size":1`, 1),
		"a size below zero":          strings.Replace(good, `"size":`, `"size":-`, 1),
		"a size of everything":       strings.Replace(good, `"size":`, `"size":99999999`, 1),
		"a sum that is another":      strings.Replace(good, `"sha256":"`, `"sha256":"0`, 1),
		"a path that climbs":         strings.Replace(good, `"name":"acquirer-ca.pem"`, `"name":"../../posd.toml"`, 1),
		"an absolute path":           strings.Replace(good, `"name":"acquirer-ca.pem"`, `"name":"/etc/passwd"`, 1),
		"a name with a NUL":          strings.Replace(good, `"name":"acquirer-ca.pem"`, `"name":"acquirer-ca.pem\u0000"`, 1),
		"a key's name that climbs":   strings.Replace(good, `"name":"acquirer-ca.pem"`, `"name":"keys/../a.pin.tr31"`, 1),
		"a part that nobody knows":   strings.Replace(good, `"parts":[`, `"parts":[`+one+",", 1),
		"a part twice":               strings.Replace(good, `"parts":[`, `"parts":[`+line[strings.Index(line, `"parts":[`)+9:strings.Index(line, `},{"name":"config`)]+"},", 1),
		"bytes behind the parts":     good + "x",
		"a part cut short":           good[:len(good)-1],
		"no manifest":                parts,
		"a manifest without end":     manifestWord + strings.Repeat("[", 60_000),
		"nested without end":         manifestWord + strings.Repeat(`{"a":`, 5_000) + "\n",
		"invalid UTF-8":              strings.Replace(good, "for the shop", "for the \xff\xfe", 1),
		"null":                       manifestWord + "null\n",
		"nothing":                    "",
	} {
		if _, err := Parse(resigned(rest, 'a')); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(make([]byte, MaxBytes+1)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// Which package a terminal takes.
func TestJudge(t *testing.T) {
	inForce := signed(t, manifest(7), 'a')
	rotated := manifest(8)
	rotated.Trust = []Signer{signer('c', "2030-12-31")}
	other := manifest(8)
	other.Terminal = "TILL0002"
	fingerprint := signer('a', "").Key.Fingerprint()
	first := State{Fingerprint: fingerprint, Terminal: "TILL0001"}
	later := State{Current: inForce, Highest: 7}
	after := signed(t, rotated, 'a')
	for name, c := range map[string]struct {
		state State
		p     *Package
		now   time.Time
		want  error
		says  string
	}{
		"the first, compared":              {first, inForce, now, nil, ""},
		"compared as people write":         {State{Fingerprint: strings.ToLower(strings.ReplaceAll(fingerprint, "-", " ")), Terminal: "TILL0001"}, inForce, now, nil, ""},
		"not compared":                     {State{Terminal: "TILL0001"}, inForce, now, ErrSigner, fingerprint},
		"another was compared":             {State{Fingerprint: signer('b', "").Key.Fingerprint(), Terminal: "TILL0001"}, inForce, now, ErrSigner, fingerprint},
		"the first for another terminal":   {State{Fingerprint: fingerprint, Terminal: "TILL0009"}, inForce, now, ErrTerminal, "TILL0009"},
		"the first, by one it trusts not":  {first, after, now, ErrSigner, "its own signer"},
		"the first, expired":               {first, inForce, now.AddDate(5, 0, 0), ErrExpired, "2028-12-31"},
		"the last day":                     {first, inForce, time.Date(2028, 12, 31, 23, 59, 59, 0, time.UTC), nil, ""},
		"the day after":                    {first, inForce, time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), ErrExpired, "clock"},
		"the next":                         {later, signed(t, manifest(8), 'a'), now, nil, ""},
		"one that leaves some out":         {later, signed(t, manifest(80), 'a'), now, nil, ""},
		"the next, other keys from now on": {later, after, now, nil, ""},
		"by the new key":                   {State{Current: after, Highest: 8}, signed(t, manifest(9), 'c'), now, nil, ""},
		"by the old key, after rotation":   {State{Current: after, Highest: 8}, signed(t, manifest(9), 'a'), now, ErrSigner, "signer c"},
		"by a stranger":                    {later, signed(t, manifest(8), 'x'), now, ErrSigner, "signer a"},
		"by a key that has expired":        {later, signed(t, manifest(8), 'b'), now, ErrExpired, "2026-01-31"},
		"of another terminal":              {later, signed(t, other, 'a'), now, ErrTerminal, "TILL0002"},
		"older":                            {later, signed(t, manifest(6), 'a'), now, ErrOlder, "version 8"},
		"the same again":                   {later, inForce, now, ErrOlder, "in force already"},
		"the same version, other content":  {later, signed(t, manifest(7), 'a', func(m map[string][]byte) { m[Config] = append(m[Config], '\n') }), now, ErrOlder, "version 8"},
		"above what is in force only":      {State{Current: inForce, Highest: 9}, signed(t, manifest(9), 'a'), now, ErrOlder, "version 10"},
		"put back from a backup":           {State{Highest: 7, Fingerprint: fingerprint, Terminal: "TILL0001"}, inForce, now, nil, ""},
		"an older one than was lost":       {State{Highest: 8, Fingerprint: fingerprint, Terminal: "TILL0001"}, inForce, now, ErrOlder, "version 9"},
	} {
		err := c.state.Judge(c.p, c.now)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
			continue
		}
		if err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v: does not say %q in one line", name, err, c.says)
		}
	}
}

// What is in a package and cannot be used is named.
func TestContentRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		says   string
	}{
		"no profile":           {func(m map[string][]byte) { delete(m, Profile) }, "profile.toml is missing"},
		"no CA":                {func(m map[string][]byte) { delete(m, AcquirerCA) }, "acquirer-ca.pem is missing"},
		"no profile, but text": {func(m map[string][]byte) { m[Profile] = []byte("name = 1") }, "profile.toml"},
		"another terminal's": {func(m map[string][]byte) {
			m[Profile] = bytes.ReplaceAll(m[Profile], []byte("TILL0001"), []byte("TILL0002"))
		}, "TILL0002"},
		"another merchant's": {func(m map[string][]byte) {
			m[Profile] = bytes.ReplaceAll(m[Profile], []byte("KW0000000000001"), []byte("KW0000000000002"))
		}, "KW0000000000002"},
		"the machine's own":  {func(m map[string][]byte) { m[Config] = []byte("development = true\n" + string(m[Config])) }, "development"},
		"keys that are weak": {func(m map[string][]byte) { m[Config] = append(m[Config], "[keys]\nweak = [\"acquirer\"]\n"...) }, "keys"},
		"a path": {func(m map[string][]byte) {
			m[Config] = bytes.Replace(m[Config], []byte("[acquirer]"), []byte("[acquirer]\nkey = \"/etc/shadow\""), 1)
		}, "acquirer.key"},
		"no address": {func(m map[string][]byte) { m[Config] = []byte("[acquirer]\n") }, "acquirer.address"},
		"no TOML":    {func(m map[string][]byte) { m[Config] = []byte("[[[") }, "config.toml"},
		"a private key": {func(m map[string][]byte) {
			m[AcquirerCA] = append(m[AcquirerCA], "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"...)
		}, "PRIVATE KEY"},
		"words in a certificate":   {func(m map[string][]byte) { m[AcquirerCA] = []byte("trust me") }, "no PEM"},
		"a CA key file of nothing": {func(m map[string][]byte) { m[CAKeys] = []byte("{}x") }, CAKeys},
		"CA keys that are needed": {func(m map[string][]byte) {
			m[Profile] = bytes.Replace(m[Profile], []byte("offline_data_authentication = []"), []byte(`offline_data_authentication = ["dda", "cda"]`), 1)
		}, "ca-keys.json is missing"},
		"a clear key":     {func(m map[string][]byte) { m["keys/acquirer.pin.tr31"] = []byte("0123456789ABCDEFFEDCBA9876543210") }, "in clear"},
		"no picture":      {func(m map[string][]byte) { m[Logo] = []byte("GIF89a") }, "logo.png"},
		"a picture of 4G": {func(m map[string][]byte) { m[Logo] = hugePNG() }, "logo.png"},
	} {
		_, err := signed(t, manifest(1), 'a', c.change).Content()
		if !errors.Is(err, ErrContent) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// hugePNG says that it is 65,535 dots wide and high, in 57 bytes.
func hugePNG() []byte {
	return []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x00\x00\x00\x00\x5a\x1c\x5a\x1c")
}

// Both templates make a package that a shop can begin with, and no word of theirs opens the till to anybody.
func TestTemplates(t *testing.T) {
	for _, name := range Templates() {
		files, err := Template(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := fstest.MapFS{}
		for file, text := range files {
			dir[file] = &fstest.MapFile{Data: text}
		}
		ca, err := os.ReadFile("testdata/ca.pem")
		if err != nil {
			t.Fatal(err)
		}
		dir[AcquirerCA] = &fstest.MapFile{Data: ca}
		trust := fmt.Sprintf("[[trust]]\nname = \"office\"\nkey = %q\nexpires = \"2028-12-31\"\n", signer('a', "").Key)
		if _, err := FromFolder(dir, signingKey('a')); err == nil || !strings.Contains(err.Error(), "trust names 0") {
			t.Errorf("%s without a signer: %v", name, err)
		}
		dir[ManifestFile] = &fstest.MapFile{Data: append(files[ManifestFile], trust...)}
		p, err := FromFolder(dir, signingKey('a'))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := p.Content(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.Contains(p.Part(Profile), []byte("\nopen ")) {
			t.Errorf("%s: the till is open", name)
		}
	}
	for _, name := range []string{"", ".", "mars", "../x", "kuwait/config.toml"} {
		if _, err := Template(name); err == nil {
			t.Errorf("template %q", name)
		}
	}
}

// A folder with a file too many, or of the wrong kind, makes no package.
func TestFolderRefused(t *testing.T) {
	good := func() fstest.MapFS {
		dir := fstest.MapFS{ManifestFile: {Data: fmt.Appendf(nil,
			"terminal = \"TILL0001\"\nmerchant = \"KW0000000000001\"\nversion = 1\n[[trust]]\nname = \"office\"\nkey = %q\nexpires = \"2028-12-31\"\n", signer('a', "").Key)}}
		for name, text := range shop(t) {
			dir[name] = &fstest.MapFile{Data: text}
		}
		return dir
	}
	if _, err := FromFolder(good(), signingKey('a')); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(fstest.MapFS){
		"profil.toml":     func(d fstest.MapFS) { d["profil.toml"] = d[Profile] },
		"keys/pin.tr31":   func(d fstest.MapFS) { d["keys/pin.tr31"] = d[Profile] },
		"no package.toml": func(d fstest.MapFS) { delete(d, ManifestFile) },
		"unknown key":     func(d fstest.MapFS) { d[ManifestFile].Data = append([]byte("versoin = 2\n"), d[ManifestFile].Data...) },
		"more than":       func(d fstest.MapFS) { d[Profile].Data = make([]byte, 65<<10) },
		"no plain file":   func(d fstest.MapFS) { d[Logo] = &fstest.MapFile{Mode: os.ModeSymlink, Data: []byte("/etc/passwd")} },
		"no day": func(d fstest.MapFS) {
			d[ManifestFile].Data = bytes.Replace(d[ManifestFile].Data, []byte("2028-12-31"), []byte("2028-02-31"), 1)
		},
		"version 0": func(d fstest.MapFS) {
			d[ManifestFile].Data = bytes.Replace(d[ManifestFile].Data, []byte("version = 1"), []byte("version = 0"), 1)
		},
		"terminal \"TILL 1\"": func(d fstest.MapFS) {
			d[ManifestFile].Data = bytes.Replace(d[ManifestFile].Data, []byte("TILL0001"), []byte("TILL 1"), 1)
		},
	} {
		dir := good()
		change(dir)
		if _, err := FromFolder(dir, signingKey('a')); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// What a package changes is said line by line, and nothing of a key.
func TestDiff(t *testing.T) {
	a := signed(t, manifest(7), 'a', func(m map[string][]byte) { m[Logo] = []byte("x") })
	next := manifest(8)
	next.Trust = []Signer{signer('a', "2028-12-31"), signer('c', "2029-12-31")}
	b := signed(t, next, 'a', func(m map[string][]byte) {
		m[Config] = bytes.Replace(m[Config], []byte("127.0.0.1:8583"), []byte("bank.example:8583"), 1)
		m["keys/acquirer.pin.tr31"] = []byte("D0112P0AE00E0000")
	})
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.Where+" "+c.What)
	}
	want := []string{
		"manifest version: 7 becomes 8",
		"manifest - trust signer b " + signer('b', "").Key.Fingerprint() + " until 2026-01-31",
		"manifest + trust signer c " + signer('c', "").Key.Fingerprint() + " until 2029-12-31",
		"config.toml - address = \"127.0.0.1:8583\" # DEV: what the acquirer gave you",
		"config.toml + address = \"bank.example:8583\" # DEV: what the acquirer gave you",
		"keys/acquirer.pin.tr31 comes",
		"logo.png goes",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if none := Diff(a, a); len(none) != 0 {
		t.Error(none)
	}
}

// FuzzPackage: whatever is taken is what Encode writes of it, byte for byte, and is refused as soon as it is changed.
func FuzzPackage(f *testing.F) {
	good := signed(f, manifest(7), 'a').File()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(heading))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Parse(file)
		if err != nil {
			return
		}
		parts := maps.Clone(p.parts)
		again, err := Encode(p.Manifest, parts, signingKey('a'))
		if p.Signer() == signer('a', "").Key && (err != nil || !bytes.Equal(again.File(), file)) {
			t.Errorf("it is written otherwise: %v", err)
		}
	})
}

// FuzzManifest: what is taken is written the same way again, and is within its bounds; whoever signed it.
func FuzzManifest(f *testing.F) {
	line, _, _ := strings.Cut(behindSignature(signed(f, manifest(7), 'a')), "\n")
	f.Add([]byte(strings.TrimPrefix(line, manifestWord)))
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readManifest(text)
		if err != nil {
			return
		}
		again, err := m.line()
		if err != nil || !bytes.Equal(again, text) || m.check() != "" {
			t.Errorf("%q becomes %q: %v", text, again, err)
		}
		p := &Package{file: []byte(manifestWord + string(text) + "\n")}
		if err := p.open(p.file); err == nil && len(m.Parts) > 0 {
			t.Error("parts out of nothing")
		}
	})
}

// FuzzContent: no part, however signed, ends in more than one sentence.
func FuzzContent(f *testing.F) {
	parts := shop(f)
	names := []string{Config, Profile, AcquirerCA, CAKeys, Logo, "keys/acquirer.pin.tr31"}
	f.Add(byte(0), []byte("[acquirer]\naddress = \"a:1\"\n"))
	f.Add(byte(1), []byte("[terminal]\nid = \"TILL0001\"\nmerchant_id = \"KW0000000000001\"\n"))
	f.Add(byte(2), parts[AcquirerCA])
	f.Add(byte(3), []byte(`{"keys": [], "revoked": []}`))
	f.Add(byte(4), hugePNG())
	f.Add(byte(5), []byte("D0112P0AE00E0000"))
	f.Fuzz(func(t *testing.T, which byte, text []byte) {
		if len(text) == 0 || len(text) > 8<<10 {
			return
		}
		all := maps.Clone(parts)
		all[names[int(which)%len(names)]] = text
		p, err := Encode(manifest(1), all, signingKey('a'))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Content(); err != nil && (!errors.Is(err, ErrContent) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%v", err)
		}
	})
}
