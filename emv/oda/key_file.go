package oda

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/emv"
)

// Environment is the world that a terminal works in. One terminal trusts the keys of one.
type Environment string

// The environments.
const (
	Test Environment = "test"
	Live Environment = "live"
)

// Bounds of a key file, checked before anything is kept.
const (
	maxKeyFile     = 4 << 20 // bytes
	maxKeys        = 1000
	maxRevocations = 10_000 // Book 2, 5.1.2 asks for thirty a payment system
)

// ErrKeyFile is a key file that is not to be used. The error names the key by RID and index and says what to change.
var ErrKeyFile = errors.New("key file not usable")

// KeyFile is what a key file gives a terminal.
type KeyFile struct {
	emv.CAKeys
	LeftOut []LeftOut // keys of a collection that were not taken
}

// LeftOut is a key that was passed over.
type LeftOut struct {
	RID, Index string // hex
	Reason     string // one sentence
}

func (l LeftOut) String() string { return l.RID + " index " + l.Index + ": " + l.Reason }

// ParseKeys reads the public keys of certification authorities for terminals of one environment.
//
// The file is JSON and has one of two forms. {"keys": [{rid, index, modulus, exponent, expiry, sha1, kind}], "revoked": [{rid,
// index, serial}], "environment": "test" or "live"} is a terminal's own: every key must be usable, no RID and index may
// come twice, and a key of the other environment is an error. A bare list of keys, with published_sha1 in place of sha1,
// is a collection: what cannot be used is left out, with its reason.
//
// A key's kind says where it belongs: "test" and "mock" are test, "live" is live; one that is called both belongs nowhere, and
// one that is known from public lists as a test key is never live. A key without a kind belongs, in a terminal's own
// file, to the environment that it is read for; in a collection nobody vouches for it, so it is taken for test and never for
// live, and not even for test where its modulus is a live key's. Of several keys of a collection with one RID and index a
// test terminal takes the one whose kind is given, then the one whose checksum is published, then the longest; a live
// terminal takes none of them, because nobody says which to trust.
//
// Checksums are calculated again (Book 2, 11.2.2.1) and a wrong one refuses the whole file, since what stands beside it may be
// as wrong; a live key must have one. Numbers are hex; expiry is the last day: YYMMDD, YYYYMMDD, YYYY-MM-DD, or MMYY and
// YYYY-MM for the last of that month. Error: ErrKeyFile.
func ParseKeys(b []byte, environment Environment) (KeyFile, error) {
	if environment != Test && environment != Live {
		return KeyFile{}, fmt.Errorf("environment %q is neither test nor live: %w", environment, ErrKeyFile)
	}
	file, own, err := readKeyFile(b)
	if err != nil {
		return KeyFile{}, err
	}
	if file.Environment != "" && file.Environment != environment {
		return KeyFile{}, fmt.Errorf("the file is for %s, the terminal is %s: %w", file.Environment, environment, ErrKeyFile)
	}
	var out KeyFile
	var taken []fileKey
	homes := map[string]string{} // by modulus
	for i := range file.Keys {
		k := &file.Keys[i]
		if err := k.check(); err != nil {
			return KeyFile{}, err
		}
		if home := k.home(); home != "" {
			homes[string(k.parsed.Modulus)] = home
		}
	}
	for _, k := range file.Keys {
		reason := k.unfit(environment, own)
		if home := homes[string(k.parsed.Modulus)]; reason == "" && home != "" && home != string(environment) {
			reason = "its modulus is that of a key for the other environment"
		}
		switch {
		case reason == "":
			taken = append(taken, k)
		case own:
			return KeyFile{}, k.bad("%s", reason)
		default:
			out.LeftOut = append(out.LeftOut, k.leftOut(reason))
		}
	}
	if err := out.take(taken, environment, own); err != nil {
		return KeyFile{}, err
	}
	for i, r := range file.Revoked {
		revoked, err := r.revocation()
		if err != nil {
			return KeyFile{}, fmt.Errorf("revocation %d of the list: %w", i+1, err)
		}
		out.Revoked = append(out.Revoked, revoked)
	}
	return out, nil
}

type keyFile struct {
	Environment Environment `json:"environment"`
	Note        string      `json:"note"`
	Keys        []fileKey   `json:"keys"`
	Revoked     []fileEntry `json:"revoked"`
}

// fileEntry names one certificate of the revocation list.
type fileEntry struct {
	RID    string `json:"rid"`
	Index  string `json:"index"`
	Serial string `json:"serial"`
}

// fileKey is one key as files have it; collections carry more that is not read.
type fileKey struct {
	RID           string `json:"rid"`
	Index         string `json:"index"`
	Modulus       string `json:"modulus"`
	Exponent      string `json:"exponent"`
	Bits          int    `json:"bits"`
	Expiry        texts  `json:"expiry"`
	SHA1          string `json:"sha1"`
	PublishedSHA1 texts  `json:"published_sha1"`
	Kind          texts  `json:"kind"`

	parsed emv.CAKey
}

// texts is one string, a list of them, or null.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(t))
	}
	var one string
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if one != "" {
		*t = texts{one}
	}
	return nil
}

func readKeyFile(b []byte) (file keyFile, own bool, err error) {
	if len(b) > maxKeyFile {
		return file, false, fmt.Errorf("%d bytes, more than %d: %w", len(b), maxKeyFile, ErrKeyFile)
	}
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		err = json.Unmarshal(b, &file.Keys)
	} else {
		own = true
		err = unmarshalOwn(b, &file)
	}
	switch {
	case err != nil:
		return file, own, fmt.Errorf("not a JSON list of keys, nor an object with keys and revoked: %w: %w", err, ErrKeyFile)
	case len(file.Keys) == 0 || len(file.Keys) > maxKeys:
		return file, own, fmt.Errorf("%d keys, 1 to %d are wanted: %w", len(file.Keys), maxKeys, ErrKeyFile)
	case len(file.Revoked) > maxRevocations:
		return file, own, fmt.Errorf("%d revocations, more than %d: %w", len(file.Revoked), maxRevocations, ErrKeyFile)
	}
	return file, own, nil
}

// unmarshalOwn holds a terminal's own file to the names it may have: a list of revocations that is misspelt would revoke
// nothing.
func unmarshalOwn(b []byte, file *keyFile) error {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	for name := range names {
		switch name {
		case "keys", "revoked", "environment", "note":
		default:
			return fmt.Errorf("%q has no meaning", name)
		}
	}
	return json.Unmarshal(b, file)
}

func (k fileKey) bad(format string, args ...any) error {
	return fmt.Errorf("%s index %s: %s: %w", short(k.RID), short(k.Index), fmt.Sprintf(format, args...), ErrKeyFile)
}

func (k fileKey) leftOut(reason string) LeftOut { return LeftOut{short(k.RID), short(k.Index), reason} }

// short keeps a file's text from filling an error.
func short(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

// check reads the key, and refuses what makes the whole file doubtful: text that is no number, a wrong checksum.
func (k *fileKey) check() error {
	rid, err := fixed(k.RID, 5)
	if err != nil {
		return k.bad("rid is not ten hex digits")
	}
	index, err := fixed(k.Index, 1)
	if err != nil {
		return k.bad("index is not two hex digits")
	}
	k.RID, k.Index = strings.ToUpper(k.RID), strings.ToUpper(k.Index)
	p := &k.parsed
	p.RID, p.Index = [5]byte(rid), index[0]
	if p.Modulus, err = hex.DecodeString(k.Modulus); err != nil {
		return k.bad("modulus is not hex")
	}
	if len(k.Exponent)%2 == 1 { // 3 is often written with one digit
		k.Exponent = "0" + k.Exponent
	}
	if p.Exponent, err = hex.DecodeString(k.Exponent); err != nil {
		return k.bad("exponent is not hex")
	}
	p.Exponent = bytes.TrimLeft(p.Exponent, "\x00")
	if k.Bits != 0 && k.Bits != 8*len(p.Modulus) {
		return k.bad("modulus has %d bits, not %d", 8*len(p.Modulus), k.Bits)
	}
	if p.Expiry, err = lastDay(k.Expiry); err != nil {
		return k.bad("%v", err)
	}
	sum := CheckSum(p.RID, p.Index, Key{p.Modulus, p.Exponent})
	for _, text := range k.sums() {
		if want, err := fixed(text, len(sum)); err != nil || !bytes.Equal(want, sum[:]) {
			return k.bad("the checksum is not that of the key: take key and sha1 from the authority again")
		}
	}
	return nil
}

func (k *fileKey) sums() []string {
	if k.SHA1 == "" {
		return k.PublishedSHA1
	}
	return append([]string{k.SHA1}, k.PublishedSHA1...)
}

func fixed(text string, length int) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != length {
		err = hex.ErrLength
	}
	return b, err
}

// home is the environment that the kind names: "" when it names none, "both" when it names two.
func (k *fileKey) home() string {
	home := ""
	for _, kind := range k.Kind {
		if kind == "mock" {
			kind = string(Test)
		}
		if home != "" && home != kind {
			return "both"
		}
		home = kind
	}
	return home
}

func (k *fileKey) publishedTestKey() bool {
	sum := CheckSum(k.parsed.RID, k.parsed.Index, Key{k.parsed.Modulus, k.parsed.Exponent})
	return publishedTestKeys[strings.ToUpper(hex.EncodeToString(sum[:]))]
}

// unfit is why a terminal of the environment must not or cannot use the key, "" when it can.
func (k *fileKey) unfit(environment Environment, own bool) string {
	switch home := k.home(); {
	case home == "both":
		return "it is called a test key and a live key"
	case home != "" && home != string(Test) && home != string(Live):
		return fmt.Sprintf("its kind %q is neither test nor live", short(home))
	case home != "" && home != string(environment):
		return fmt.Sprintf("it is a %s key, and this terminal is %s", home, environment)
	case home == "" && environment == Live && !own:
		return "nobody says that it is a live key"
	case environment == Live && k.publishedTestKey():
		return "public lists know it as a test key"
	case environment == Live && len(k.sums()) == 0:
		return "a live key needs the sha1 that its authority publishes"
	}
	if err := (Key{k.parsed.Modulus, k.parsed.Exponent}).Check(); err != nil {
		return "outside the limits of EMV: 64 to 248 bytes of modulus, exponent 3 or 65537"
	}
	return ""
}

// take settles which key stands where several have one RID and index.
func (f *KeyFile) take(keys []fileKey, environment Environment, own bool) error {
	slices.SortStableFunc(keys, func(a, b fileKey) int {
		return cmp.Or(
			bytes.Compare(a.parsed.RID[:], b.parsed.RID[:]), cmp.Compare(a.parsed.Index, b.parsed.Index),
			-cmp.Compare(min(len(a.Kind), 1), min(len(b.Kind), 1)), -cmp.Compare(min(len(a.sums()), 1), min(len(b.sums()), 1)),
			-cmp.Compare(len(a.parsed.Modulus), len(b.parsed.Modulus)))
	})
	for len(keys) > 0 {
		k := keys[0]
		n := 1
		for n < len(keys) && keys[n].RID == k.RID && keys[n].Index == k.Index {
			n++
		}
		same := !slices.ContainsFunc(keys[1:n], func(o fileKey) bool {
			return !bytes.Equal(o.parsed.Modulus, k.parsed.Modulus) || !bytes.Equal(o.parsed.Exponent, k.parsed.Exponent)
		})
		switch {
		case own && n > 1:
			return k.bad("it is there %d times", n)
		case !same && environment == Live:
			f.LeftOut = append(f.LeftOut, k.leftOut("several keys have this RID and index"))
		default:
			f.Keys = append(f.Keys, k.parsed)
			for range n - 1 {
				f.LeftOut = append(f.LeftOut, k.leftOut("another key with this RID and index is better known"))
			}
		}
		keys = keys[n:]
	}
	return nil
}

func (r fileEntry) revocation() (emv.Revocation, error) {
	rid, err := fixed(r.RID, 5)
	if err != nil {
		return emv.Revocation{}, fmt.Errorf("rid is not ten hex digits: %w", ErrKeyFile)
	}
	index, err := fixed(r.Index, 1)
	if err != nil {
		return emv.Revocation{}, fmt.Errorf("index is not two hex digits: %w", ErrKeyFile)
	}
	serial, err := fixed(r.Serial, 3)
	if err != nil {
		return emv.Revocation{}, fmt.Errorf("serial is not six hex digits: %w", ErrKeyFile)
	}
	return emv.Revocation{RID: [5]byte(rid), Index: index[0], Serial: [3]byte(serial)}, nil
}

// lastDay reads the day until which a key is used; of several the earliest counts.
func lastDay(expiry texts) (time.Time, error) {
	var day time.Time
	for _, text := range expiry {
		d, ok := parseDay(text)
		if !ok {
			return day, errors.New("expiry is no day: YYMMDD, YYYYMMDD, YYYY-MM-DD, MMYY or YYYY-MM")
		}
		if day.IsZero() || d.Before(day) {
			day = d
		}
	}
	return day, nil
}

func parseDay(text string) (time.Time, bool) {
	for _, layout := range []string{"20060102", "2006-01-02"} {
		if d, err := time.Parse(layout, text); err == nil {
			return d, true
		}
	}
	if d, err := time.Parse("20060102", "20"+text); err == nil {
		return d, true
	}
	for _, layout := range []string{"0106", "2006-01"} {
		if d, err := time.Parse(layout, text); err == nil {
			return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC), true
		}
	}
	return time.Time{}, false
}
