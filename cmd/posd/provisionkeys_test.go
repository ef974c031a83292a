package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/terminal/provision"
	"tillway/till"
)

var (
	kekShares = [2][]byte{bytes.Repeat([]byte{0x1B, 0x2C, 0x3D, 0x4E}, 4), []byte("two halves of 16")}
	kekWhole  = func() []byte {
		whole := bytes.Clone(kekShares[0])
		for i := range whole {
			whole[i] ^= kekShares[1][i]
		}
		return whole
	}()
)

// loadsKEK loads the key-encrypting key of an acquirer, by two people.
func loadsKEK(t *testing.T, k shelfOf, set string) {
	t.Helper()
	module, ok := k.disk.keys.(interface {
		LoadComponent(ctx context.Context, c secure.Component) (secure.Loaded, error)
	})
	if !ok {
		t.Fatalf("%T takes no components", k.disk.keys)
	}
	for i, holder := range []string{"amina", "badr"} {
		c := secure.Component{Set: set, Of: 2, Number: i + 1, Holder: holder, Algorithm: secure.TDES, Value: bytes.Clone(kekShares[i])}
		if _, err := module.LoadComponent(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// block is a session key in a key block under that.
func block(t *testing.T, usage, key string) []byte {
	t.Helper()
	text, err := x9.WrapKeyBlock(kekWhole, x9.KeyBlockHeader{Version: 'B', Usage: usage, Algorithm: 'T', Mode: map[string]byte{"P0": 'E', "M3": 'C'}[usage], KeyVersion: "00", Exportability: 'N'}, []byte(key), 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

// checks are the check values of an acquirer's PIN and MAC key.
func (k shelfOf) checks(t *testing.T) string {
	t.Helper()
	s, err := k.disk.keys.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, use := range []secure.Use{secure.UsePIN, secure.UseMAC} {
		for _, key := range s.Keys {
			if key.Set == "acquirer" && key.Use == use.String() {
				all = append(all, use.String()+" "+string(key.Check))
			}
		}
	}
	return strings.Join(all, ", ")
}

// The keys in force are those of the package in force, also where one is taken back, at any of the moments at which the power can be
// cut; what was loaded by hand since stays; and keys that do not open any more keep nobody from going back knowingly.
func TestKeysOfPackages(t *testing.T) {
	s := ownConfig(t, "")
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := keeperOf(t, s, c)
	defer func() { k.close(t) }()
	loadsKEK(t, k, "acquirer")
	keys := map[string][2][]byte{}
	for _, name := range []string{"one", "two", "hand"} {
		keys[name] = [2][]byte{block(t, "P0", "PIN key "+name+strings.Repeat("!", 8-len(name))), block(t, "M3", "MAC key "+name+strings.Repeat("?", 8-len(name)))}
	}
	of := func(version uint32, name string) *provision.Package {
		return packageOf(t, version, func(m map[string][]byte) {
			m["keys/acquirer.pin.tr31"], m["keys/acquirer.mac.tr31"] = keys[name][0], keys[name][1]
		})
	}
	anew := func() { // as after a power cut
		t.Helper()
		k.close(t)
		k = keeperOf(t, s, c)
	}
	puts := func(p *provision.Package) {
		t.Helper()
		if err := k.shelf.Put(t.Context(), p, "amina", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	works := func() {
		t.Helper()
		anew()
		if err := k.works(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	puts(of(1, "one"))
	works()
	one := k.checks(t)
	puts(of(2, "two"))
	if anew(); k.checks(t) != one {
		t.Errorf("keys of a package that has not started: %s", k.checks(t))
	}
	half, stop := context.WithCancel(t.Context()) // the power goes between the two keys
	k.disk.keys = cutModule{k.disk.keys, stop}
	if err := k.works(half, nil); err == nil {
		t.Error("it works without all of its keys")
	}
	works()
	two := k.checks(t)
	if two == one || strings.Count(two, ", ") != 1 || strings.Contains(one, strings.Split(two, ", ")[0]) || strings.Contains(one, strings.Split(two, ", ")[1]) {
		t.Fatalf("keys %s, then %s", one, two)
	}
	if err := k.shelf.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	works()
	if k.checks(t) != one {
		t.Errorf("back at version 1: keys %s, want %s", k.checks(t), one)
	}
	if _, err := k.disk.keys.Import(t.Context(), "acquirer", secure.UsePIN, string(keys["hand"][0])); err != nil {
		t.Fatal(err)
	}
	byHand := k.checks(t)
	puts(of(3, "one"))
	works()
	if k.checks(t) != byHand {
		t.Errorf("a package with the keys of the one before: %s, want what was loaded by hand, %s", k.checks(t), byHand)
	}
	puts(of(4, "two"))
	works()
	if err := k.disk.keys.Destroy(t.Context(), "acquirer"); err != nil {
		t.Fatal(err)
	}
	if err := k.Back(t.Context(), "amina"); err == nil || !strings.Contains(err.Error(), till.ErrUnfit.Error()) || k.shelf.Current().Version != 4 {
		t.Errorf("back to a package whose keys do not open: %v, version %d", err, k.shelf.Current().Version)
	}
	if err := k.shelf.TakeBack(t.Context(), "it does not start", time.Now()); err != nil { // by itself, it goes back all the same
		t.Fatal(err)
	}
	works()
	if k.shelf.Current().Version != 3 || len(k.shelf.Record().Load) != 0 {
		t.Errorf("%+v", k.shelf.Record())
	}
}

// cutModule loses its power behind the first key that is loaded.
type cutModule struct {
	secureModule
	cut func()
}

func (m cutModule) Import(ctx context.Context, set string, use secure.Use, block string) (secure.CheckValue, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	check, err := m.secureModule.Import(ctx, set, use, block)
	m.cut()
	return check, err
}

// A package with several acquirers runs with the one that it names, and has to be fit to run with each.
func TestSeveralAcquirers(t *testing.T) {
	two := func(gulf string) func(map[string][]byte) {
		return func(m map[string][]byte) {
			before, _, _ := strings.Cut(string(m[provision.Config]), "[reader]")
			m["acquirers/bank.toml"], m["acquirers/gulf.toml"] = []byte(before), []byte(gulf)
			m["acquirers/bank-ca.pem"], m["acquirers/gulf-ca.pem"] = m[provision.AcquirerCA], m[provision.AcquirerCA]
			m[provision.Config] = []byte("[reader]\nport = \"no-reader\"\n[screen]\nlisten = \"\"\n")
			delete(m, provision.AcquirerCA)
		}
	}
	const gulf = "[acquirer]\ndialect = \"v93\"\naddress = \"127.0.0.1:8683\"\nlength = \"ascii\"\n"
	named := func(name, gulf string) *provision.Package {
		p := packageOf(t, 1, two(gulf))
		m := p.Manifest
		m.Acquirer = name
		parts := map[string][]byte{}
		for _, part := range p.Parts {
			parts[part.Name] = p.Part(part.Name)
		}
		p, err := provision.Encode(m, parts, officeKey)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s := ownConfig(t, "")
	for name, want := range map[string]string{"bank": "bank nac 127.0.0.1:8583 binary", "gulf": "gulf v93 127.0.0.1:8683 ascii"} {
		p := named(name, gulf)
		if _, err := p.Content(); err != nil {
			t.Fatal(err)
		}
		c, err := s.load(p)
		if got := strings.Join([]string{c.Acquirer.Name, c.Acquirer.Dialect, c.Acquirer.Address, c.Acquirer.Length}, " "); err != nil || got != want || len(c.Acquirer.caPEM) == 0 {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if err := s.fits(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for says, text := range map[string]string{"acquirers/gulf.toml: unknown key acquirer.lenght": gulf + "lenght = \"x\"\n", "acquirer.dialect": strings.Replace(gulf, "v93", "morse", 1)} {
		if err := s.fits(named("bank", text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
