package provision

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// twoAcquirers turns a package's only acquirer into two.
func twoAcquirers(m map[string][]byte) {
	config, rest, _ := strings.Cut(string(m[Config]), "[reader]")
	m["acquirers/bank.toml"] = []byte(config)
	m["acquirers/gulf.toml"] = []byte("[acquirer]\ndialect = \"v93\"\naddress = \"127.0.0.1:8683\"\n[acquirer.v93]\nmac = \"cmac\"\n")
	m["acquirers/bank-ca.pem"], m["acquirers/gulf-ca.pem"] = m[AcquirerCA], m[AcquirerCA]
	m[Config] = []byte("[reader]" + rest)
	delete(m, AcquirerCA)
}

func inForce(name string) Manifest {
	m := manifest(1)
	m.Acquirer = name
	return m
}

// A package with several acquirers says which is in force, and has all of each.
func TestSeveralAcquirers(t *testing.T) {
	for name, address := range map[string]string{"bank": "127.0.0.1:8583", "gulf": "127.0.0.1:8683"} {
		p := signed(t, inForce(name), 'a', twoAcquirers)
		s, err := p.Content()
		if err != nil || s.Acquirer != address || !slices.Equal(s.Acquirers, []string{"bank", "gulf"}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if text, ca := p.AcquirerConfig("gulf"); !strings.Contains(string(text), "v93") || ca == nil {
			t.Errorf("%q %q", text, ca)
		}
	}
	with := func(change func(map[string][]byte)) func(map[string][]byte) {
		return func(m map[string][]byte) { twoAcquirers(m); change(m) }
	}
	put := func(part, text string) func(map[string][]byte) {
		return with(func(m map[string][]byte) { m[part] = []byte(text) })
	}
	for says, c := range map[string]struct {
		acquirer string
		change   func(map[string][]byte)
	}{
		"does not say which":                     {"", twoAcquirers},
		"no part acquirers/sun.toml":             {"sun", twoAcquirers},
		"acquirers/gulf-ca.pem is missing":       {"bank", with(func(m map[string][]byte) { delete(m, "acquirers/gulf-ca.pem") })},
		"acquirers/gulf.toml is missing":         {"bank", with(func(m map[string][]byte) { delete(m, "acquirers/gulf.toml") })},
		"stands in acquirers/NAME.toml":          {"bank", with(func(m map[string][]byte) { m[Config] = append(m[Config], "[acquirer]\nwindow = 2\n"...) })},
		"is of the only acquirer":                {"bank", with(func(m map[string][]byte) { m[AcquirerCA] = m["acquirers/gulf-ca.pem"] })},
		"a package brings acquirer":              {"bank", put("acquirers/gulf.toml", "[acquirer]\naddress = \"127.0.0.1:1\"\n[reader]\nport = \"x\"\n")},
		"acquirer.key is a path":                 {"bank", put("acquirers/gulf.toml", "[acquirer]\naddress = \"127.0.0.1:1\"\nkey = \"x\"\n")},
		"its part says gulf":                     {"bank", put("acquirers/gulf.toml", "[acquirer]\nname = \"sun\"\naddress = \"127.0.0.1:1\"\n")},
		"gulf.toml: acquirer.address is missing": {"bank", put("acquirers/gulf.toml", "[acquirer]\n")},
		"gulf-ca.pem has something in it":        {"bank", put("acquirers/gulf-ca.pem", "trust me")},
	} {
		_, err := signed(t, inForce(c.acquirer), 'a', c.change).Content()
		if !errors.Is(err, ErrContent) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, says)
		}
	}
	for _, name := range []string{"acquirers/../x.toml", "acquirers/.toml", "acquirers/a b.toml", "acquirers/x.pem", "acquirers/" + strings.Repeat("a", 33) + ".toml", "acquirers/x/y.toml"} {
		if _, known := kindOf(name); known {
			t.Errorf("%s is a part", name)
		}
	}
	dir := fstest.MapFS{ManifestFile: {Data: []byte("terminal = \"TILL0001\"\nmerchant = \"KW0000000000001\"\nversion = 1\nacquirer = \"gulf\"\n[[trust]]\nname = \"office\"\nkey = \"" + signer('a', "").Key.String() + "\"\nexpires = \"2028-12-31\"\n")}}
	parts := shop(t)
	twoAcquirers(parts)
	for name, text := range parts {
		dir[name] = &fstest.MapFile{Data: text}
	}
	p, err := FromFolder(dir, signingKey('a'))
	if err != nil || p.Acquirer != "gulf" {
		t.Fatal(err)
	}
	changes := Diff(signed(t, inForce("bank"), 'a', twoAcquirers), p)
	if !slices.Contains(changes, Change{"manifest", "acquirer: bank becomes gulf"}) {
		t.Errorf("%v", changes)
	}
}

// Which key blocks a package brings that the one before it had not.
func TestNewKeyBlocks(t *testing.T) {
	block := func(set, text string) func(map[string][]byte) {
		return func(m map[string][]byte) { m["keys/"+set+".pin.tr31"] = []byte(text) }
	}
	a := signed(t, manifest(1), 'a', block("bank", "one"), block("gulf", "two"))
	b := signed(t, manifest(2), 'a', block("bank", "one"), block("gulf", "three"))
	for _, row := range []struct {
		of, other *Package
		want      string
	}{
		{b, a, "keys/gulf.pin.tr31"},
		{a, b, "keys/gulf.pin.tr31"},
		{a, a, ""},
		{a, nil, "keys/bank.pin.tr31 keys/gulf.pin.tr31"},
		{a, signed(t, manifest(3), 'a'), "keys/bank.pin.tr31 keys/gulf.pin.tr31"},
		{signed(t, manifest(3), 'a'), a, ""},
	} {
		if got := strings.Join(row.of.NewKeyBlocks(row.other), " "); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}
