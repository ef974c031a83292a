package transcript

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"tillway/emv"
	"tillway/emv/tlv"
)

// Params is emv.Params as a file has it: every field under its own name in lower case with underscores, bytes as hex,
// times as RFC 3339, what is zero left out. Random, History, ExceptionFile and Offline are not values: a session has what they
// answered instead.
//
// It goes by reflection, so that a field added to emv.Params is in every transcript from then on, and a field of a kind
// that cannot be written fails the test of this file and no sale.
type Params struct{ emv.Params }

// MarshalJSON writes the params.
func (p Params) MarshalJSON() ([]byte, error) {
	v, err := plain(reflect.ValueOf(p.Params))
	if err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalJSON reads them. A field that this program does not know is an error: it would decide without it.
func (p *Params) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("params: %w: %w", ErrFormat, err)
	}
	p.Params = emv.Params{}
	if err := fill(reflect.ValueOf(&p.Params).Elem(), v); err != nil {
		return fmt.Errorf("params: %w", err)
	}
	return nil
}

// plain makes of a value what JSON has words for; nil for zero.
func plain(v reflect.Value) (any, error) {
	if v.Kind() == reflect.Interface || v.IsZero() {
		return nil, nil //nolint:nilnil // nothing to write
	}
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return t.Format(time.RFC3339Nano), nil
	}
	if m, ok := reflect.TypeAssert[map[tlv.Tag][]byte](v); ok {
		out := map[string]any{}
		for tag, value := range m {
			out[tag.String()] = upper(value)
		}
		return out, nil
	}
	if b, ok := octets(v); ok {
		return strings.ToUpper(hex.EncodeToString(b)), nil
	}
	switch k := v.Kind(); {
	case k == reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			x, err := plain(v.Field(i))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
			}
			if x != nil {
				out[fieldName(v.Type().Field(i).Name)] = x
			}
		}
		return out, nil
	case k == reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			x, err := plain(v.Index(i))
			if err != nil {
				return nil, err
			}
			if x == nil && v.Index(i).Kind() == reflect.Struct {
				x = map[string]any{}
			} else if x == nil {
				x = v.Index(i).Interface() // a zero in a list is written
			}
			out[i] = x
		}
		return out, nil
	case k == reflect.String, scalar(k):
		return v.Interface(), nil
	}
	return nil, fmt.Errorf("no form for a %s: %w", v.Type(), ErrFormat)
}

// scalar says whether a value of the kind is a JSON number or a JSON truth.
func scalar(k reflect.Kind) bool {
	return slices.Contains([]reflect.Kind{reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32}, k)
}

// octets are the bytes of a byte slice or array.
func octets(v reflect.Value) ([]byte, bool) {
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array || v.Type().Elem().Kind() != reflect.Uint8 {
		return nil, false
	}
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	return b, true
}

// fill puts what JSON said into v. Error: ErrFormat.
func fill(v reflect.Value, x any) error {
	bad := fmt.Errorf("%T for a %s: %w", x, v.Type(), ErrFormat)
	if text, ok := x.(string); ok {
		return fillText(v, text)
	}
	switch k := v.Kind(); {
	case k == reflect.Struct:
		m, ok := x.(map[string]any)
		if !ok {
			return bad
		}
		return fillStruct(v, m)
	case k == reflect.Slice:
		list, ok := x.([]any)
		if !ok || len(list) > most {
			return bad
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, e := range list {
			if err := fill(v.Index(i), e); err != nil {
				return err
			}
		}
		return nil
	case v.Type() == reflect.TypeFor[map[tlv.Tag][]byte]():
		m, ok := x.(map[string]any)
		if !ok {
			return bad
		}
		objects, err := objectsOf(m)
		v.Set(reflect.ValueOf(objects))
		return err
	case scalar(k):
		b, err := json.Marshal(x)
		if err != nil || json.Unmarshal(b, v.Addr().Interface()) != nil {
			return bad
		}
		return nil
	}
	return bad
}

func fillText(v reflect.Value, text string) error {
	if v.Type() == reflect.TypeFor[time.Time]() {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("%.40q is no time: %w", text, ErrFormat)
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	if _, ok := octets(v); !ok {
		return fmt.Errorf("text for a %s: %w", v.Type(), ErrFormat)
	}
	b, err := hex.DecodeString(text)
	if err != nil || v.Kind() == reflect.Array && len(b) != v.Len() {
		return fmt.Errorf("no hex of a %s: %w", v.Type(), ErrFormat)
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), len(b), len(b)))
	}
	reflect.Copy(v, reflect.ValueOf(b))
	return nil
}

func fillStruct(v reflect.Value, m map[string]any) error {
	seen := 0
	for i := range v.NumField() {
		x, ok := m[fieldName(v.Type().Field(i).Name)]
		if !ok {
			continue
		}
		seen++
		if err := fill(v.Field(i), x); err != nil {
			return fmt.Errorf("%s: %w", fieldName(v.Type().Field(i).Name), err)
		}
	}
	if seen != len(m) {
		return fmt.Errorf("%d members that a %s of this program does not have: %w", len(m)-seen, v.Type().Name(), ErrFormat)
	}
	return nil
}

func objectsOf(m map[string]any) (map[tlv.Tag][]byte, error) {
	out := map[tlv.Tag][]byte{}
	for name, x := range m {
		tag, err := tlv.ParseTag(name)
		text, ok := x.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%.20q is no data object: %w", name, ErrFormat)
		}
		if out[tag], err = hex.DecodeString(text); err != nil {
			return nil, fmt.Errorf("%s is not hex: %w", tag, ErrFormat)
		}
	}
	return out, nil
}

// fieldName is a Go name in the file's spelling: "TACDenial" is "tac_denial", "CAKeys" "ca_keys".
func fieldName(name string) string {
	r := []rune(name)
	var b strings.Builder
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) && (unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
