package emv

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"tillway/emv/tlv"
)

// Data is a store of data objects by tag: what the card sent, what the terminal brought, what the kernel worked out.
// The zero value is empty and ready. It holds clear card data; String, LogValue and formatting show tags and lengths only,
// and MarshalJSON refuses secrets (PAN, track 2, …): use Without first.
type Data struct{ m map[tlv.Tag][]byte }

// Put stores a copy of value under tag, over what was there.
func (d *Data) Put(tag tlv.Tag, value []byte) {
	if d.m == nil {
		d.m = map[tlv.Tag][]byte{}
	}
	d.m[tag] = slices.Clone(value)
}

// Get returns the value and whether it is there. The caller must not change it.
func (d *Data) Get(tag tlv.Tag) ([]byte, bool) { v, ok := d.m[tag]; return v, ok }

// Value is Get without the flag: nil when the tag is not there.
func (d *Data) Value(tag tlv.Tag) []byte { return d.m[tag] }

// Has says whether the tag is there.
func (d *Data) Has(tag tlv.Tag) bool { _, ok := d.m[tag]; return ok }

// Delete takes a tag out.
func (d *Data) Delete(tag tlv.Tag) { delete(d.m, tag) }

// Tags lists the tags in ascending order.
func (d *Data) Tags() []tlv.Tag { return slices.Sorted(maps.Keys(d.m)) }

// Clone is a deep copy.
func (d *Data) Clone() Data {
	var c Data
	for t, v := range d.m {
		c.Put(t, v)
	}
	return c
}

// Without is a copy that lacks every secret tag (SecretTag): fit for journal, log and receipt.
func (d *Data) Without() Data {
	var c Data
	for t, v := range d.m {
		if !SecretTag(t) {
			c.Put(t, v)
		}
	}
	return c
}

// String shows tags and lengths, never values.
func (d Data) String() string {
	var b strings.Builder
	for _, t := range d.Tags() {
		fmt.Fprintf(&b, "%s(%d) ", t, len(d.m[t]))
	}
	return strings.TrimSpace(b.String())
}

// GoString keeps %#v from printing values.
func (d Data) GoString() string { return "emv.Data{" + d.String() + "}" }

// Format keeps every verb from printing values.
func (d Data) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(d.String())) }

// LogValue keeps log/slog from printing values, JSON handler included.
func (d Data) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalJSON writes {"9F02": "000000010525", …} in upper-case hex; secret tags are an error, not an omission.
func (d Data) MarshalJSON() ([]byte, error) {
	out := make(map[string]string, len(d.m))
	for t, v := range d.m {
		if SecretTag(t) {
			return nil, fmt.Errorf("tag %s is card data and not written out", t)
		}
		out[t.String()] = strings.ToUpper(hex.EncodeToString(v))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Data) UnmarshalJSON(b []byte) error {
	var in map[tlv.Tag]string
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("data objects: %w", err)
	}
	d.m = nil
	for t, s := range in {
		v, err := hex.DecodeString(s)
		if err != nil {
			return fmt.Errorf("data object %s: %w", t, err)
		}
		d.Put(t, v)
	}
	return nil
}
